"""The manifest: every digest is that of the file, every key that of what the manifest says it depends on."""

import gzip
import hashlib
import json

import pyarrow.parquet as pq
import pytest
from blake3 import blake3

KEY_CONTEXT = "ojaflow 2026 task key v1"


class Number(str):
    """A number as it was written: a key is the digest of the text, and JSON writers differ in 1e-5."""


def exact(text):
    return json.loads(text, parse_float=Number, parse_int=Number)


def compact(value):
    """JSON without white space, members in their order."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{compact(key)}:{compact(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(compact, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def digest(path):
    return blake3(path.read_bytes()).hexdigest()


def test_digests_of_tables(published):
    for name, entry in published.tables.items():
        files = published.files(name)
        if entry["digest"] is None:
            by_key = {part["key"][:16]: part for part in entry["parts"]}
            assert {file.stem for file in files} == set(by_key)
            for file in files:
                assert digest(file) == by_key[file.stem]["digest"], file
        else:
            assert digest(files[0]) == entry["digest"], name
        assert sum(file.stat().st_size for file in files) == entry["bytes"]
        assert sum(pq.read_metadata(file).num_rows for file in files) == entry["rows"]
        assert sum(part["rows"] for part in entry["parts"]) == entry["rows"]


def test_digests_of_figures(published):
    for figure in published.manifest["figures"]:
        path = published.folder / figure["name"]
        assert (digest(path), path.stat().st_size) == (figure["digest"], figure["bytes"])


def test_nothing_else_lies_in_the_folder(published):
    known = {entry["path"].rstrip("/") for entry in published.tables.values()}
    known |= {figure["name"] for figure in published.manifest["figures"]} | {"manifest.json", "views.sql"}
    assert {path.name for path in published.folder.iterdir()} == known


def test_keys_are_digests_of_their_material(published):
    manifest = exact((published.folder / "manifest.json").read_text())
    keys = set()
    for stage in manifest["stages"]:
        for task in stage["tasks"]:
            material = compact(task["material"]).encode()
            assert blake3(material, derive_key_context=KEY_CONTEXT).hexdigest() == task["key"], stage["name"]
            keys.add(task["key"])
    # What a task reads and what a table is made of are tasks of the same manifest.
    for stage in manifest["stages"]:
        for task in stage["tasks"]:
            assert {read["key"] for read in task["material"]["inputs"]} <= keys
    for entry in published.tables.values():
        assert {part["key"] for part in entry["parts"]} <= keys
        if entry["schema"]["layout"] == "file":
            made_by = [part["key"] for part in entry["parts"]]
            joined = made_by[0] if len(made_by) == 1 else blake3("".join(made_by).encode()).hexdigest()
            metadata = pq.read_metadata(published.files(entry["name"])[0]).metadata
            assert metadata[b"ojaflow.key"].decode() == joined


def test_run_ids_are_keys_of_trainings(published):
    trainings = [stage for kind in ("train", "train_batch", "train_recurrent") for stage in published.stages(kind)]
    assert trainings
    for stage in trainings:
        keys = {task["key"][:16]: task["coordinates"] for task in stage["tasks"]}
        runs = {run["run_id"]: run for run in published.frame(f"{stage['name']}_runs").to_dict("records")}
        assert runs.keys() == keys.keys()
        for run_id, coordinates in keys.items():
            assert [runs[run_id][axis] for axis in stage["axes"]] == coordinates


def test_the_same_training_in_two_pipelines_is_one_run(request):
    """Not by name or folder: by key. Runs with other coefficients or seeds are others."""
    pipelines = [request.getfixturevalue(name) for name in ("smoke", "replay", "rules", "divergence")]
    keys = [task["key"] for published in pipelines for task in published.stages("train")[0]["tasks"]]
    assert len(set(keys)) == len(keys), "these pipelines share no training"
    loads = {task["key"] for published in pipelines for task in published.stages("load")[0]["tasks"]}
    assert len(loads) == 1, "and all load the same images"


def test_images_are_those_of_the_committed_files(smoke, data_folder):
    """IDX: a header of 16 or 8 bytes, then the bytes themselves."""
    folder = data_folder / "mnist"
    for split, prefix in (("train", "train"), ("test", "t10k")):
        images = gzip.decompress((folder / f"{prefix}-images-idx3-ubyte.gz").read_bytes())
        labels = gzip.decompress((folder / f"{prefix}-labels-idx1-ubyte.gz").read_bytes())
        assert hashlib.sha256(images).hexdigest() == SHA256[split, "images"]
        assert hashlib.sha256(labels).hexdigest() == SHA256[split, "labels"]
        pixels, found = smoke.images[split]
        assert pixels.tobytes() == images[16:]
        assert found.astype("uint8").tobytes() == labels[8:]


# Of the uncompressed originals.
SHA256 = {
    ("train", "images"): "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ("train", "labels"): "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ("test", "images"): "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ("test", "labels"): "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
