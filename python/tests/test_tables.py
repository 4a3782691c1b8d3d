"""Tables: the same rows by every library, and nothing needed of any until it is asked for."""

import json
import subprocess
import sys

import duckdb
import numpy as np
import ojaflow
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest


def test_every_table_by_every_library(run):
    for table in run.tables.values():
        rows = table.rows() if len(table) < 1000 else None
        arrow, polars, pandas = table.arrow(), table.polars(), table.pandas()
        assert isinstance(arrow, pa.Table) and isinstance(polars, pl.DataFrame) and isinstance(pandas, pd.DataFrame)
        assert arrow.column_names == polars.columns == list(pandas.columns) == list(table.columns)
        assert arrow.num_rows == polars.height == len(pandas) == len(table) == table.n_rows
        if rows is not None:
            assert rows == arrow.to_pylist() == polars.to_dicts()


def test_streams(run):
    table = run["accuracy"]
    assert pa.table(table) == table.arrow()
    assert pl.DataFrame(table).equals(table.polars())
    assert duckdb.from_arrow(pa.RecordBatchReader.from_stream(table)).fetchall() == [
        tuple(row.values()) for row in table.rows()
    ]


def test_columns(run):
    """The manifest says of columns what the files say."""
    for table in run.tables.values():
        metadata = json.loads(pq.read_metadata(table.paths[0]).metadata[b"ojaflow.schema"])
        assert metadata["key"] == list(table.key)
        told = {name: {"unit": column.unit, "description": column.description} for name, column in table.columns.items()}
        assert told == metadata["columns"]
        assert [column.name for column in table.schema] == list(table.columns)
    accuracy = run["train_evaluations"].columns
    assert accuracy["step"].unit == "samples" and accuracy["step"].type == "int64"
    assert [column.name for column in accuracy.values() if column.is_axis] == ["rule", "seed"]


def test_some_columns(run):
    table = run["train_evaluations"]
    wanted = ["accuracy", "rule"]
    for found in (table.arrow(wanted).column_names, table.polars(wanted).columns, list(table.pandas(wanted).columns)):
        assert found == wanted
    assert list(table.rows(wanted)[0]) == wanted
    for read in (table.arrow, table.polars, table.pandas, table.rows):
        with pytest.raises(KeyError, match="no column `acuracy` in `train_evaluations`; did you mean `accuracy`"):
            read(["acuracy"])


def test_folders(run):
    weights = run["train_weights"]
    assert weights.is_folder and weights.path.is_dir() and len(weights.paths) == 4
    # What lies around is not of the table.
    stray = weights.path / "stray.parquet"
    stray.write_bytes(b"")
    try:
        assert stray not in weights.paths and len(weights.arrow()) == len(weights)
    finally:
        stray.unlink()


def test_names_of_folders_are_no_columns(copy):
    """`rule=bp` is how some write columns, and `*` stands for many files elsewhere."""
    folder = copy.parent / "rule=bp" / "[a]*"
    folder.parent.mkdir()
    copy.rename(folder)
    run = ojaflow.open(folder)
    expected = ["run_id", "step", "matrix", "layer", "n_out", "n_in", "weights"]
    table = run["train_weights"]
    assert table.arrow().column_names == table.polars().columns == list(table.pandas().columns) == expected
    assert run.sql("SELECT * FROM accuracy").columns == list(run["accuracy"].columns)
    assert run.sql("SELECT count(*) FROM train_weights").fetchall() == [(len(table),)]


def test_looks(run):
    lines = repr(run["train_evaluations"]).splitlines()
    assert lines[0] == f"<Table train_evaluations: {len(run['train_evaluations'])} rows, {len(lines) - 1} columns>"
    [step] = [line for line in lines if line.startswith("  step ")]
    assert step.split()[1] == "int64" and step.endswith("[samples]")


# ------------------------------------------------------------------------------------------------ missing libraries

ALL = ["altair", "duckdb", "numpy", "pandas", "polars", "pyarrow"]


def without(monkeypatch, *names):
    """As if they were not installed."""
    for name in names:
        for loaded in [module for module in sys.modules if module == name or module.startswith(f"{name}.")]:
            monkeypatch.setitem(sys.modules, loaded, None)
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize(
    ("missing", "use", "message"),
    [
        ("pyarrow", lambda run: run["accuracy"].arrow(), "Table.arrow() needs pyarrow.*ojaflow[arrow]"),
        ("pandas", lambda run: run["accuracy"].pandas(), "Table.pandas() needs pandas.*ojaflow[pandas]"),
        ("pyarrow", lambda run: run["accuracy"].pandas(), "Table.pandas() needs pyarrow.*ojaflow[pandas]"),
        ("polars", lambda run: run["accuracy"].polars(), "Table.polars() needs polars.*ojaflow[polars]"),
        ("duckdb", lambda run: run.sql("SELECT 1"), "Run.sql() needs duckdb.*ojaflow[duckdb]"),
        ("altair", lambda run: run.chart(), "Table.chart() needs altair.*ojaflow[altair]"),
        ("numpy", lambda run: run.weights("x"), "Run.weights() needs numpy.*ojaflow[arrow]"),
    ],
)
def test_the_extra_is_named(run, monkeypatch, missing, use, message):
    without(monkeypatch, missing)
    pattern = message.replace("(", r"\(").replace(")", r"\)").replace("[", r"\[").replace("]", r"\]")
    with pytest.raises(ojaflow.MissingLibrary, match=pattern) as caught:
        use(run)
    assert isinstance(caught.value, ImportError) and isinstance(caught.value, ojaflow.OjaflowError)


@pytest.mark.parametrize("there", ["pyarrow", "polars", "duckdb"])
def test_one_reader_is_enough(run, monkeypatch, there):
    expected, claims = run["accuracy"].arrow().to_pylist(), str(run.claims)
    without(monkeypatch, *{"pyarrow", "polars", "duckdb"} - {there})
    assert run["accuracy"].rows() == expected
    assert run["accuracy"].rows(["mean", "rule"])[0] == {name: expected[0][name] for name in ("mean", "rule")}
    assert str(ojaflow.open(run.path).claims) == claims


def test_nothing_is_needed_to_look_around(run):
    """In a process in which no library can be imported."""
    script = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[2:]))
import ojaflow
run = ojaflow.open(sys.argv[1])
print(run, run["accuracy"], run["accuracy"].columns["step"], run.figures["smoke"])
html = run._repr_html_()
assert "pip install &#x27;ojaflow[arrow]&#x27;" in html and "data:image/svg+xml" in html
assert "samples" in run["accuracy"]._repr_html_()
for use in (run["accuracy"].rows, run["accuracy"].__arrow_c_stream__):
    try:
        use()
    except ojaflow.MissingLibrary as error:
        assert "ojaflow[arrow]" in str(error)
    else:
        raise AssertionError("nothing can read rows")
"""
    done = subprocess.run([sys.executable, "-c", script, run.path, *ALL], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ------------------------------------------------------------------------------------------------------ SQL, weights


def test_sql(run):
    counts = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM \"{name}\"" for name in run)
    assert dict(run.sql(counts).fetchall()) == {name: len(table) for name, table in run.tables.items()}
    # Axes are joined in where files leave them out.
    for name in ("train_weights", "activations"):
        assert run.sql(f"SELECT * FROM {name}").columns[:2] == ["rule", "seed"]
    mean = run.sql("SELECT mean FROM accuracy WHERE rule = ? AND step = ?", ["bp", 600]).fetchall()
    assert mean == [(row["mean"],) for row in run["accuracy"].rows() if row["rule"] == "bp" and row["step"] == 600]
    mine = pd.DataFrame({"rule": ["bp", "bp_oja"], "label": ["BP", "BP+Oja"]})
    joined = run.sql("SELECT DISTINCT label FROM accuracy JOIN mine USING (rule) ORDER BY label").fetchall()
    assert joined == [("BP",), ("BP+Oja",)] and len(mine) == 2


def test_weights(run):
    for row in run["train_runs"].rows(["run_id", "rule"]):
        run_id = row["run_id"]
        weights = run.weights(run_id, 200)
        assert list(weights) == ["forward"]
        shapes = {layer: matrix.shape for layer, matrix in weights["forward"].items()}
        assert shapes == {1: (40, 784), 2: (30, 40), 3: (10, 30)}
        for layer, matrix in weights["forward"].items():
            assert matrix.dtype == np.float32 and matrix.flags.writeable
            # Row by row.
            query = "SELECT weights FROM train_weights WHERE run_id = ? AND step = 200 AND layer = ?"
            [(values,)] = run.sql(query, [run_id, layer]).fetchall()
            n_in = matrix.shape[1]
            assert [list(part) for part in matrix[:2]] == [values[:n_in], values[n_in : 2 * n_in]]
        last = run.weights(run_id)
        assert np.array_equal(last["forward"][1], run.weights(run_id, 600)["forward"][1])
        assert not np.array_equal(last["forward"][1], weights["forward"][1])


def test_weights_that_were_not_kept(run):
    run_id = run["train_runs"].rows(["run_id"])[0]["run_id"]
    with pytest.raises(KeyError, match="no step `100` with weights of run .*; there are: `0`, `200`, `600`"):
        run.weights(run_id, 100)
    with pytest.raises(KeyError, match="there is no run `0000000000000000` with weights"):
        run.weights("0" * 16)
