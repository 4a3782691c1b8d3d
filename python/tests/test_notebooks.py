"""The notebooks in `examples/` run as they stand, from a folder in which there is nothing, by a kernel of their own."""

import contextlib
import io
import json

import nbformat
import ojaflow
import pandas as pd
import pytest
from nbclient import NotebookClient

NAMES = ["first_look", "own_question", "own_analysis"]


@pytest.fixture(scope="module")
def executed(examples, checkout):
    """Notebooks after every cell of them ran, each once."""
    done = {}
    patch = pytest.MonkeyPatch()
    # A kernel writes down who it is, and what it was asked; not where people's own are.
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        patch.setenv(name, str(examples / ".jupyter"))

    def execute(name):
        if name not in done:
            notebook = nbformat.read(checkout / "examples" / f"{name}.ipynb", 4)
            client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(examples)}})
            done[name] = client.execute()
        return done[name]

    yield execute
    patch.undo()


def shown(notebook, kind):
    """What its cells show, of one type."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(output["data"][kind] for output in outputs if kind in output.get("data", {}))


def printed(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not any(output.get("name") == "stderr" for output in outputs), "a notebook shows that as if it were an error"
    return "".join(output["text"] for output in outputs if output["output_type"] == "stream")


def test_they_are_committed_without_outputs(checkout):
    found = sorted(path.stem for path in (checkout / "examples").glob("*.ipynb"))
    assert found == sorted(NAMES), "every notebook is run here"
    for name in NAMES:
        path = checkout / "examples" / f"{name}.ipynb"
        notebook = nbformat.read(path, 4)
        nbformat.validate(notebook)
        for cell in notebook.cells:
            assert cell.cell_type != "code" or (cell.outputs == [] and cell.execution_count is None)
        text = path.read_text(encoding="utf-8")
        assert text == json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n"


def test_first_look(executed):
    notebook = executed("first_look")
    html = shown(notebook, "text/html")
    assert html.count("data:image/svg+xml;base64,") == 1 and "C6" in html
    run = ojaflow.open(printed(notebook).split("\n['matrix.seed.count=2']")[0].rsplit("\n", 1)[-1])
    assert run.axes["seed"] == [0, 1] and run.claims["C6"].verdict in html


def test_own_question(executed):
    notebook = executed("own_question")
    text = printed(notebook)
    # The deliberate mistake, shown where it was made.
    assert '["softplus", "tan"]' in text and "an activation is" in text
    assert text.count("where activation = tanh") == 2
    assert "data:image/svg+xml;base64," in shown(notebook, "text/html")


def test_own_analysis(executed):
    notebook = executed("own_analysis")
    assert "920 rows, 0 unmatched, largest relative deviation" in printed(notebook)
    html = shown(notebook, "text/html")
    assert html.count("vega") > 2 and "bp_oja" in html


@pytest.fixture
def pandas_part(examples, executed, checkout, monkeypatch):
    """Carries out the cells on pandas over a run of one's choice, and gives what they have found."""
    executed("own_analysis")
    notebook = nbformat.read(checkout / "examples" / "own_analysis.ipynb", 4)
    titles = [index for index, cell in enumerate(notebook.cells) if cell.source.startswith("## ")]
    [start] = [index for index in titles if notebook.cells[index].source.startswith("## pandas")]
    cells = notebook.cells[start : titles[titles.index(start) + 1]]

    def carry_out(run):
        names = {"run": run}
        with contextlib.redirect_stdout(io.StringIO()):
            for cell in cells:
                if cell.cell_type == "code":
                    exec(cell.source, names)
        return names["summary"], names["n_unmatched"], names["deviation"]

    outputs = examples / "outputs"
    [name] = [name for name in ojaflow.published(outputs=outputs) if name.startswith("fig4")]
    return ojaflow.open(name, outputs=outputs), carry_out


def test_the_figure_made_again_is_the_published_one(pandas_part):
    run, carry_out = pandas_part
    found, n_unmatched, deviation = carry_out(run)
    assert n_unmatched == 0 and deviation <= 1e-12
    # Not only by its own account.
    published = run["summary"].pandas().astype({"panel": str, "series": str})
    keys = ["panel", "series", "x"]
    both = [frame.sort_values(keys).reset_index(drop=True) for frame in (found, published)]
    pd.testing.assert_frame_equal(both[0], both[1][list(both[0].columns)], check_dtype=False, rtol=1e-12)
    assert len(found) == 920


def test_another_raw_table_is_noticed(pandas_part):
    run, carry_out = pandas_part

    class Changed:
        def __init__(self, raw):
            self.raw = raw

        def __getitem__(self, name):
            return self if name == "explained_variance" else run[name]

        def pandas(self):
            return self.raw

    raw = run["explained_variance"].pandas()
    raw.loc[3, "cumulative_ratio"] *= 1 + 1e-6
    assert carry_out(Changed(raw))[2] > 1e-12
    assert carry_out(Changed(raw.drop(index=3)))[1] == 1
