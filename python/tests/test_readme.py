"""The README's Python runs as it stands, from top to bottom."""

import re
import subprocess
import tomllib

import ojaflow


def test_python(checkout, examples, monkeypatch, capsys):
    monkeypatch.chdir(examples)
    text = (checkout / "python" / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 7
    names = {}
    for block in blocks:
        exec(block, names)
    said = capsys.readouterr().out
    assert said.startswith("C6 ") and "<Table train_evaluations: " in said
    assert '= "much"' in said, "the fault is shown where it was written"
    assert "few" in ojaflow.published()
    assert names["weights"]["forward"][1].shape == (40, 784)


def test_extras(checkout):
    """The table of extras is that of the package."""
    text = (checkout / "python" / "README.md").read_text(encoding="utf-8")
    project = tomllib.loads((checkout / "python" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = re.findall(r"^\| `(\w+)` \| .* \|$", text, re.MULTILINE)
    assert sorted([*listed, "all"]) == sorted(project["optional-dependencies"])


def test_the_terminal_s_first_minute(tmp_path):
    """The list of pipelines, in a folder in which there is nothing."""
    done = subprocess.run([ojaflow.program(), "pipeline"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "fig4" in done.stdout, done.stderr
