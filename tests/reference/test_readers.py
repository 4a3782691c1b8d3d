"""Every published file opens in DuckDB, pandas, Polars and pyarrow without options, with the types that the contract names."""

import json

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

CATEGORY = pa.dictionary(pa.int32(), pa.string())
TYPES = {
    "boolean": pa.bool_(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "category": CATEGORY,
    "text": pa.string(),
    "float32_list": pa.list_(pa.field("item", pa.float32(), nullable=False)),
    "u_int8_list": pa.list_(pa.field("item", pa.uint8(), nullable=False)),
}
# The contract's columns by kind of table: name → type. Axes stand before them.
COLUMNS = {
    "dataset": {"split": CATEGORY, "sample_index": pa.int32(), "label": pa.int32(), "pixels": TYPES["u_int8_list"]},
    "evaluations": {"step": pa.int64(), "accuracy": pa.float64(), "loss": pa.float64(), "n_samples": pa.int32()},
    "samples": {"step": pa.int64(), "sample_index": pa.int32()},
    "weights": {
        "step": pa.int64(),
        "matrix": CATEGORY,
        "layer": pa.int32(),
        "n_out": pa.int32(),
        "n_in": pa.int32(),
        "weights": TYPES["float32_list"],
    },
    "updates": {
        "step": pa.int64(),
        "layer": pa.int32(),
        "gradient_norm": pa.float64(),
        "oja_norm": pa.float64(),
        "total_norm": pa.float64(),
    },
    "state": {
        "step": pa.int64(),
        "term": CATEGORY,
        "name": CATEGORY,
        "layer": pa.int32(),
        "side": CATEGORY,
        "n_values": pa.int32(),
        "values": TYPES["float32_list"],
    },
    "term_norms": {"step": pa.int64(), "layer": pa.int32(), "term": CATEGORY, "norm": pa.float64()},
    "activations": {
        "step": pa.int64(),
        "layer": pa.int32(),
        "sample_index": pa.int32(),
        "n_units": pa.int32(),
        "activation": TYPES["float32_list"],
    },
    "explained_variance": {
        "step": pa.int64(),
        "layer": pa.int32(),
        "component": pa.int32(),
        "variance": pa.float64(),
        "ratio": pa.float64(),
        "cumulative_ratio": pa.float64(),
    },
    "runs": {
        "run_id": CATEGORY,
        "n_layers": pa.int32(),
        "layer_sizes": pa.string(),
        "activation": CATEGORY,
        "init": CATEGORY,
        "feedback": CATEGORY,
        "gradient": pa.float64(),
        "oja": pa.float64(),
        "options": pa.string(),
        "samples": pa.int64(),
        "status": CATEGORY,
        "diverged_at_step": pa.int64(),
        "diverged_at_layer": pa.int32(),
    },
    "bootstrap": {
        "mean": pa.float64(),
        "ci_low": pa.float64(),
        "ci_high": pa.float64(),
        "n_runs": pa.int32(),
        "n_diverged": pa.int32(),
    },
    "claims": {
        "claim": CATEGORY,
        "statement": pa.string(),
        "condition": pa.string(),
        "estimate": pa.float64(),
        "ci_low": pa.float64(),
        "ci_high": pa.float64(),
        "threshold": pa.float64(),
        "holds": pa.bool_(),
        "verdict": CATEGORY,
        "n_runs": pa.int32(),
        "looks": pa.string(),
        "power": pa.float64(),
        "paper_effect": pa.float64(),
    },
}
IN_FOLDERS = {"weights", "activations"}


def every_file(published):
    for name, entry in published.tables.items():
        files = published.files(name)
        assert files, name
        for file in files:
            yield entry, file


def test_pyarrow_and_its_types(published):
    for entry, file in every_file(published):
        table = pq.read_table(file)
        # The schema in the manifest is the file's.
        declared = {column["name"]: column for column in entry["schema"]["columns"]}
        assert table.column_names == list(declared), file
        for field in table.schema:
            column = declared[field.name]
            assert field.type == TYPES[column["type"]], (file, field)
            assert field.nullable or table[field.name].null_count == 0, (file, field)
            assert field.nullable == column["nullable"], (file, field)
        for name, type_ in COLUMNS.get(entry["schema"]["kind"], {}).items():
            assert table.schema.field(name).type == type_, (file, name)
        metadata = pq.read_metadata(file)
        groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
        assert all(group.column(0).compression == "ZSTD" for group in groups), file
        # Bounded in bytes: a reader never needs much memory for one.
        assert all(group.total_byte_size < 256 << 20 for group in groups), file


def test_metadata(published):
    for entry, file in every_file(published):
        metadata = pq.read_metadata(file).metadata
        schema = json.loads(metadata[b"ojaflow.schema"])
        assert schema["table"] == entry["schema"]["kind"] and schema["version"] >= 1
        assert schema["key"] == entry["schema"]["key"]
        assert set(schema["columns"]) == set(pq.read_schema(file).names), file
        for name, column in schema["columns"].items():
            assert set(column) == {"unit", "description"}
            assert column["description"].strip(), f"{file}: `{name}` has no description"
        key = metadata[b"ojaflow.key"].decode()
        assert len(key) == 64 and int(key, 16) >= 0
        if entry["schema"]["layout"] == "folder":
            assert file.stem == key[:16] and key in {part["key"] for part in entry["parts"]}


SEEN = set()


def test_pandas_polars_and_duckdb(published):
    for entry, file in every_file(published):
        # The images are the same in every folder; once is enough for them.
        if entry["digest"] in SEEN:
            continue
        SEEN.add(entry["digest"] or file)
        rows = pq.read_metadata(file).num_rows
        columns = pq.read_schema(file).names
        by_pandas = pd.read_parquet(file)
        by_polars = pl.read_parquet(file)
        by_duckdb = duckdb.sql(f"SELECT * FROM '{file}'")
        assert list(by_pandas.columns) == columns == by_polars.columns == by_duckdb.columns, file
        assert len(by_pandas) == rows == by_polars.height == len(by_duckdb), file
        # The same numbers in each.
        for name, column in by_pandas.items():
            if column.dtype.kind in "if":
                reference = pq.read_table(file, columns=[name])[name].to_pandas().to_numpy(dtype=float, na_value=np.nan)
                np.testing.assert_array_equal(column.to_numpy(dtype=float, na_value=np.nan), reference)
                np.testing.assert_array_equal(by_polars[name].cast(pl.Float64).fill_null(np.nan).to_numpy(), reference)
                values = by_duckdb.project(f'"{name}"').fetchnumpy()[name]
                filled = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)
                np.testing.assert_array_equal(filled, reference)
            elif isinstance(column.dtype, pd.CategoricalDtype):
                assert by_polars[name].to_list() == [None if pd.isna(cell) else cell for cell in column]
                assert by_duckdb.types[by_duckdb.columns.index(name)] == "VARCHAR"


def test_folders_open_whole(published):
    for name, entry in published.tables.items():
        layout, kind = entry["schema"]["layout"], entry["schema"]["kind"]
        assert (layout == "folder") == (kind in IN_FOLDERS), "by the kind of table, never by its size"
        if layout == "folder":
            folder = published.folder / entry["path"]
            assert len(pd.read_parquet(folder)) == pl.read_parquet(folder).height == entry["rows"]
            assert duckdb.sql(f"SELECT count(*) FROM '{folder}/*.parquet'").fetchall() == [(entry["rows"],)]


def test_vectors_have_the_length_beside_them(published):
    beside = {
        "weights": ("weights", lambda table: pc.multiply(table["n_out"], table["n_in"])),
        "activations": ("activation", lambda table: table["n_units"]),
        "state": ("values", lambda table: table["n_values"]),
        "dataset": ("pixels", lambda table: pa.chunked_array([pa.array([784] * len(table), pa.int32())])),
    }
    for entry, file in every_file(published):
        if entry["schema"]["kind"] in beside:
            column, lengths = beside[entry["schema"]["kind"]]
            table = pq.read_table(file)
            assert pc.list_value_length(table[column]).to_pylist() == lengths(table).to_pylist(), file


def test_rows_are_sorted_by_key_and_keys_are_unique(published):
    """Categories rank in the order of the matrix or of the alphabet, the same within a table."""
    axes = dict(published.manifest["axes"])
    for entry, file in every_file(published):
        key = entry["schema"]["key"]
        if not key:
            assert entry["schema"]["kind"] == "sql", "only a query's order is its own"
            continue
        table = pq.read_table(file, columns=key)
        columns = [table[name].to_pylist() for name in key]
        rows = list(zip(*columns))
        assert len(set(rows)) == len(rows), f"{file}: {key} is not unique"
        # Splits and terms come in the order of their definition, claims in that of the file.
        if entry["schema"]["kind"] in ("dataset", "coefficients", "claims"):
            continue
        ranked = [list(map(axes[name].index, column)) if name in axes else column for name, column in zip(key, columns)]
        ranked = list(zip(*ranked))
        assert rows == sorted(rows) or ranked == sorted(ranked), f"{file}: not sorted by {key}"


def test_nan_is_never_written_for_a_missing_value(published):
    for entry, file in every_file(published):
        for name, column in zip((table := pq.read_table(file)).column_names, table.columns):
            if pa.types.is_floating(column.type):
                values = column.drop_null().to_numpy()
                assert not np.isnan(values).any(), (file, name)


def test_views(published, monkeypatch):
    """From the published folder, wherever it lies."""
    monkeypatch.chdir(published.folder)
    with duckdb.connect() as connection:
        connection.execute((published.folder / "views.sql").read_text())
        views = {name for (name,) in connection.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()}
        assert views == set(published.tables)
        counts = " UNION ALL ".join(f"SELECT '{name}' AS name, count(*) AS n FROM \"{name}\"" for name in published.tables)
        for name, n in connection.sql(counts).fetchall():
            assert n == published.tables[name]["rows"], name
        # Axes are joined in where the files leave them out.
        axes = {stage["name"]: stage["axes"] for stage in published.manifest["stages"]}
        for name, entry in published.tables.items():
            if entry["schema"]["layout"] == "folder":
                expected = axes[entry["stage"]]
                assert connection.table(name).columns[: len(expected)] == expected, name


def test_one_query_over_weights_runs_and_evaluations(smoke, monkeypatch):
    """What a reader does: the size of the first layer's weights beside the accuracy, by rule."""
    monkeypatch.chdir(smoke.folder)
    with duckdb.connect() as connection:
        connection.execute((smoke.folder / "views.sql").read_text())
        rows = connection.sql("""
            SELECT w.rule, avg(sqrt(list_sum(list_transform(w.weights, lambda x: x * x)))) AS norm, avg(e.accuracy)
            FROM train_weights AS w JOIN train_evaluations AS e USING (run_id, step)
            WHERE w.layer = 1 AND w.step = 600 GROUP BY w.rule ORDER BY w.rule
        """).fetchall()
    assert [row[0] for row in rows] == ["bp", "bp_oja"]
    for rule, norm, accuracy in rows:
        runs = [run["run_id"] for run in smoke.runs.values() if run["rule"] == rule]
        norms = [np.linalg.norm(smoke.weights[run, 600, "forward", 1]) for run in runs]
        assert norm == pytest.approx(np.mean(norms), rel=1e-5)
        evaluations = smoke.frame("train_evaluations")
        expected = evaluations[(evaluations["rule"] == rule) & (evaluations["step"] == 600)]["accuracy"].mean()
        assert accuracy == pytest.approx(expected, rel=1e-12)
