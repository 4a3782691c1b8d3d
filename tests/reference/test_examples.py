"""The examples in `examples/` make Figure 4's summary from the raw table, and it is the one that was published.

Each is run as it stands, in a folder where `outputs/fig4` is; a changed raw table shows that the comparison can fail. The
notebooks beside them are run by `python/tests`.
"""

import contextlib
import io
import os
import runpy
import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TOLERANCE = 1e-12


def run_sql():
    """The statements one by one, as the shell runs them; the last one compares."""
    connection = duckdb.connect()
    for statement in connection.extract_statements((EXAMPLES / "duckdb.sql").read_text()):
        answer = connection.execute(statement)
    _, n_unmatched, deviation = answer.fetchone()
    return connection.execute("SELECT * FROM figure4").df(), n_unmatched, deviation


def run_polars():
    names = runpy.run_path(str(EXAMPLES / "fig4_polars.py"))
    return names["summary"].to_pandas(), names["n_unmatched"], names["deviation"]


ALL = pytest.mark.parametrize("run", [run_sql, run_polars])


@pytest.fixture
def project(outputs_folder, tmp_path, monkeypatch):
    """A folder with a copy of `outputs/fig4`, and the working directory for a test."""
    target = tmp_path / "outputs" / "fig4"
    target.mkdir(parents=True)
    # With overrides the name has a suffix: `fig4~1a2b3c4d`.
    [source] = [folder.parent for folder in outputs_folder.glob("fig4*/manifest.json")]
    for table in ("explained_variance", "summary"):
        shutil.copy(source / f"{table}.parquet", target)
    monkeypatch.chdir(tmp_path)
    return target


def quietly(run):
    with contextlib.redirect_stdout(io.StringIO()):
        return run()


@ALL
def test_examples_make_the_published_summary(project, run):
    found, n_unmatched, deviation = quietly(run)
    assert n_unmatched == 0 and deviation <= TOLERANCE
    # Not only by their own account.
    published = pd.read_parquet(project / "summary.parquet").astype({"panel": str, "series": str})
    keys = ["panel", "series", "x"]
    found = found.sort_values(keys).reset_index(drop=True)
    published = published.sort_values(keys).reset_index(drop=True)
    assert len(found) == len(published) > 100
    for name in [*keys, "n_runs"]:
        assert list(found[name]) == list(published[name]), name
    assert ((found["mean"] - published["mean"]).abs() <= TOLERANCE * published["mean"].abs()).all()


@ALL
def test_examples_notice_another_raw_table(project, run):
    path = project / "explained_variance.parquet"
    raw = pd.read_parquet(path)
    raw.loc[3, "cumulative_ratio"] *= 1 + 1e-6
    raw.to_parquet(path)
    _, _, deviation = quietly(run)
    assert deviation > TOLERANCE
    raw.drop(index=3).to_parquet(path)
    _, n_unmatched, _ = quietly(run)
    assert n_unmatched == 1
    assert os.getcwd() == str(project.parents[1])
