"""README's snippets run, and what they print has the shape that README shows. Its numbers are those of the whole Figure 4:
.ci/run compares them (readme.py), because that run takes longer than a test should.
"""

import re

import pytest
import readme


@pytest.fixture
def in_project(outputs_folder, tmp_path, monkeypatch):
    """A project in which `outputs/fig4` is the run with fewer seeds, which is published under a name of its own."""
    (figure,) = outputs_folder.glob("fig4*")
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    for name in {figure.name, "fig4"}:
        (outputs / name).symlink_to(figure)
    monkeypatch.chdir(tmp_path)


def shape(text):
    """Without the digits of numbers, and without the widths that they give to columns."""
    return [re.sub(r"[\s─]+", " ", re.sub(r"\d+\.\d+", "#", line)).strip() for line in readme.lines(text)]


def test_snippets_print_what_readme_shows_but_for_the_numbers(in_project):
    for name, printed, found in readme.samples():
        assert shape(printed) == shape(found), name


def test_numbers_are_compared_where_figure_4_is_whole():
    checks = (readme.README.parent / ".ci/run").read_text().splitlines()
    (figure,) = [number for number, line in enumerate(checks) if line == 'step "main job: Figure 4 from an empty store"']
    (numbers,) = [number for number, line in enumerate(checks) if line.endswith("tests/reference/readme.py")]
    assert figure < numbers
    # Not after `||`, in a condition or with the status thrown away.
    assert re.fullmatch(r"target/tmp/python/bin/python tests/reference/readme\.py", checks[numbers])


def test_a_number_that_changed_is_seen(in_project, monkeypatch, capsys):
    right = [(name, found, found) for name, _, found in readme.samples()]
    monkeypatch.setattr(readme, "samples", lambda: right)
    assert readme.main() == 0
    name, printed, found = right[0]
    changed = re.sub(r"\d\.\d", "0.0", printed, count=1)
    assert changed != printed
    monkeypatch.setattr(readme, "samples", lambda: [(name, changed, found), *right[1:]])
    assert readme.main() == 1
    assert "what duckdb prints" in capsys.readouterr().out
