"""Every `sql` stage gives the same table in DuckDB: over the published tables, and over made-up ones.

tests/it/python.rs makes up the latter for every query of every pipeline that ships: random rows in which the query's own
literals occur, so that its conditions and joins meet something.
"""

import math

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

TOLERANCE = 1e-12


def cells(table):
    columns = []
    for column in table.columns:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        elif pa.types.is_decimal(column.type):
            column = column.cast(pa.float64())
        columns.append(column.to_pylist())
    return list(zip(*columns)) if columns else []


def is_number(cell):
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)


def order(row):
    """Exact cells first, so that two floats that differ in their last digit cannot change the order of rows."""
    is_inexact = [isinstance(cell, float) for cell in row]
    # Floats keep their places there, or rows that have a null in one of two columns would tie.
    exact = [(cell is not None, str(type(cell)), 0 if here else cell) for cell, here in zip(row, is_inexact)]
    return exact, [cell for cell, here in zip(row, is_inexact) if here]


def equal(a, b):
    if is_number(a) and is_number(b):
        return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=0.0) or (math.isnan(a) and math.isnan(b))
    return a == b


def compare(name, ours, theirs, same_order):
    assert ours.column_names == theirs.column_names, name
    ours, theirs = cells(ours), cells(theirs)
    assert len(ours) == len(theirs), f"{name}: {len(ours)} rows, {len(theirs)} in DuckDB"
    if not same_order:
        ours, theirs = sorted(ours, key=order), sorted(theirs, key=order)
    for row, (a, b) in enumerate(zip(ours, theirs)):
        assert all(map(equal, a, b)), f"{name}: row {row}: {a}, in DuckDB {b}"
    return len(ours)


@pytest.mark.stages("sql")
def test_over_published_tables(published):
    for stage in published.stages("sql"):
        (task,) = stage["tasks"]
        query = task["material"]["parameters"]["query"]
        with duckdb.connect() as connection:
            for name in {read["role"] for read in task["material"]["inputs"]}:
                connection.read_parquet(str(published.files(name)[0])).create_view(name)
            # Without an order of its own, a query's rows are sorted by all columns from left to right.
            ordered = query if "ORDER BY" in query.upper() else f"SELECT * FROM ({query}) ORDER BY ALL"
            theirs = connection.sql(ordered).to_arrow_table()
        n_rows = compare(stage["name"], pq.read_table(published.files(stage["name"])[0]), theirs, same_order=True)
        assert n_rows > 0


def test_over_made_up_tables(outputs_folder):
    folders = sorted(path.parent for path in (outputs_folder / ".queries").glob("*/*/query.sql"))
    names = {"/".join(folder.parts[-2:]) for folder in folders}
    assert {"smoke/summary", "fig1/summary", "fig4/components", "ties/ties_and_limit", "ties/window"} <= names, names
    total = 0
    for folder in folders:
        name = "/".join(folder.parts[-2:])
        with duckdb.connect() as connection:
            for file in (folder / "tables").glob("*.parquet"):
                connection.read_parquet(str(file)).create_view(file.stem)
            theirs = connection.sql((folder / "query.sql").read_text()).to_arrow_table()
        # Made-up rows tie in what a query orders by. Ties come in any order in DuckDB, but where its query says which.
        same_order = folder.parent.name == "ties"
        n_rows = compare(name, pq.read_table(folder / "result.parquet"), theirs, same_order)
        assert n_rows > 0, f"{name}: no row meets the query, so nothing was compared"
        total += n_rows
    print(f"{len(folders)} queries, {total} rows")
