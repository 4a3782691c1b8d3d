"""Runs made, opened and refused."""

import hashlib
import json
import shutil

import ojaflow
import pytest


def test_run_and_open_are_the_same(here, run):
    again = ojaflow.run("smoke", set={"matrix.seed.count": 2}, publish_as="smoke", quiet=True)
    assert again.path == run.path == here / "outputs" / "smoke"
    assert again.manifest == run.manifest == json.loads((run.path / "manifest.json").read_text())
    assert run.name == "smoke" and run.title.startswith("Small networks")
    assert run.overrides == ["matrix.seed.count=2"]
    assert run.axes == {"rule": ["bp", "bp_oja"], "seed": [0, 1]}
    assert run.includes == {}


def test_values_of_every_type_arrive(here):
    """What is published says what it was made with."""
    run = ojaflow.run(
        "smoke",
        set={
            "matrix.rule": ["bp_oja", "bp"],
            "matrix.seed": {"first": 7, "count": 1},
            "rules.bp.gradient": 2e-2,
            "stages.train.init": {"naive": {"variance": 0.01}},
            "stages.activations.keep": False,
            "pipeline.title": 'a "title" of two\nlines',
        },
        to="train",
        quiet=True,
    )
    assert run.title == 'a "title" of two\nlines'
    document = run.manifest["document"]
    assert document["rules"] == {"bp": {"gradient": 0.02}, "bp_oja": {"gradient": 0.01, "oja": 0.001}}
    assert document["stages"]["train"]["init"] == {"naive": {"variance": 0.01}}
    assert run.axes == {"rule": ["bp_oja", "bp"], "seed": [7]}
    assert "train_runs" in run and "accuracy" not in run, "`to` stops there"


def test_other_folders(tmp_path, monkeypatch, here):
    run = ojaflow.run("smoke", set={"matrix.seed.count": 1}, to="data", outputs=tmp_path / "there", quiet=True)
    assert run.path.parent == tmp_path / "there"
    assert ojaflow.published(outputs=tmp_path / "there") == [run.name]
    assert ojaflow.open(run.name, outputs=tmp_path / "there").path == run.path
    monkeypatch.setenv("OJAFLOW_OUTPUTS", str(tmp_path / "there"))
    assert ojaflow.published() == [run.name]
    assert ojaflow.open(run.name).path == run.path


def test_a_composition(here, tmp_path):
    file = tmp_path / "both.toml"
    file.write_text('include = ["smoke"]\n[pipeline]\nname = "both"\ntitle = "one of one"\n')
    run = ojaflow.run(file, quiet=True, outputs=tmp_path / "outputs")
    assert run.title == "one of one"
    [(name, part)] = run.includes.items()
    assert part.name == name == "smoke" and part.path.parent == run.path.parent
    assert [claim.name for claim in run.claims] == ["smoke"]


def test_a_fault_is_shown_where_it_was_written(here, tmp_path):
    file = tmp_path / "wrong.toml"
    file.write_text('[pipeline]\nname = "wrong"\ntitle = "t"\n[stages.data]\nkind = "lod"\n')
    with pytest.raises(ojaflow.OjaflowError) as caught:
        ojaflow.run(file, quiet=True)
    assert "wrong.toml:5:" in str(caught.value) and "`load`" in str(caught.value)
    assert caught.value.status == 2


def test_names_that_are_near(here):
    with pytest.raises(ojaflow.UnknownName, match="there is no published run `smokey` in outputs.*did you mean `smoke"):
        ojaflow.open("smokey")
    with pytest.raises(KeyError, match="there is no table `acuracy` in `smoke`; did you mean `accuracy`"):
        ojaflow.open("smoke")["acuracy"]
    # Nothing is near.
    with pytest.raises(ojaflow.OjaflowError, match="there are: .*`smoke`"):
        ojaflow.open("fig4")


def test_looks(run):
    assert repr(run).startswith("<Run smoke: Small networks")
    assert list(run) == list(run.tables) and run["accuracy"] is run.tables["accuracy"]
    assert list(run.figures) == ["smoke"]


# -------------------------------------------------------------------------------------------------------- archives


def test_an_archive(archive, run, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    opened = ojaflow.open(archive)
    assert opened.manifest == run.manifest and tmp_path not in opened.path.parents
    table, folder = opened["accuracy"], opened.path
    assert table.arrow() == run["accuracy"].arrow()
    assert opened.figures["smoke"].png == run.figures["smoke"].png
    assert str(opened.claims) == str(run.claims)
    # The folder stays as long as somebody holds a table of it, and goes then.
    del opened
    assert len(table.rows()) == len(table)
    del table
    assert not folder.exists()


def test_sql_over_an_archive_that_nobody_holds(archive, run):
    relation = ojaflow.open(archive).sql("SELECT * FROM accuracy").filter("rule = 'bp'")
    assert len(relation.fetchall()) == len(run["accuracy"]) / 2


def test_an_archive_without_its_large_tables(archive):
    opened = ojaflow.open(archive)
    assert "train_weights" in opened
    with pytest.raises(ojaflow.OjaflowError, match="--with weights"):
        opened["train_weights"].arrow()
    with pytest.raises(ojaflow.OjaflowError, match="--with weights"):
        opened.weights("0123456789abcdef")


def test_a_damaged_archive(archive, tmp_path):
    damaged = tmp_path / "smoke.tar.zst"
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(ojaflow.OjaflowError, match="smoke.tar.zst"):
        ojaflow.open(damaged)


def test_an_archive_that_changes_while_it_is_opened(archive, tmp_path, stand_in):
    """Verified was one file, and another lies there when it is unpacked."""
    stand_in(f"echo 'sha256 of the tar: {'0' * 64}'")
    with pytest.raises(ojaflow.OjaflowError, match="changed while it was opened"):
        ojaflow.open(archive)


def test_ways_to_read_zstandard(archive, monkeypatch):
    """Each that is installed here gives the same tar."""
    from ojaflow import _archive

    def digest():
        with _archive.decompressed(archive) as source:
            return hashlib.sha256(source.read()).hexdigest()

    expected = digest()
    # Without pyarrow and Python's own.
    monkeypatch.setattr(_archive, "available", lambda module: None)
    if shutil.which("zstd"):
        assert digest() == expected
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ojaflow.MissingLibrary, match=r"pip install 'ojaflow\[arrow\]'"):
        digest()


def test_no_archive(tmp_path):
    with pytest.raises(ojaflow.OjaflowError, match="there is no archive"):
        ojaflow.open(tmp_path / "none.tar.zst")
    (tmp_path / "some.tar.zst").write_bytes(b"something else")
    with pytest.raises(ojaflow.OjaflowError, match="some.tar.zst"):
        ojaflow.open(tmp_path / "some.tar.zst")


# --------------------------------------------------------------------------------------------------------- damage


def test_a_manifest_that_is_none(copy):
    (copy / "manifest.json").write_text("{")
    with pytest.raises(ojaflow.OjaflowError, match="damaged"):
        ojaflow.open(copy)
    (copy / "manifest.json").write_text('{"format": 2}')
    with pytest.raises(ojaflow.OjaflowError, match="another version"):
        ojaflow.open(copy)


def test_a_table_that_cannot_be_read(copy):
    (copy / "accuracy.parquet").write_bytes(b"no Parquet")
    table = ojaflow.open(copy)["accuracy"]
    for read in (table.arrow, table.polars, table.pandas, table.rows):
        with pytest.raises(ojaflow.OjaflowError, match="`accuracy` cannot be read from .*accuracy.parquet"):
            read()
