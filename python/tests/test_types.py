"""The package is typed throughout, and says so to those who use it."""

import subprocess
import sys
from pathlib import Path

import ojaflow
import pytest


def mypy(folder, *arguments):
    command = [sys.executable, "-m", "mypy", "--no-color-output", "--cache-dir", folder / "cache", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("types")


def test_the_package(folder, checkout):
    """Strictly, as it is installed."""
    package = Path(ojaflow.__file__).parent
    assert (package / "py.typed").is_file()
    status, said = mypy(folder, "--config-file", checkout / "python" / "pyproject.toml", package)
    assert status == 0, said


def test_what_uses_it(folder, checkout):
    uses = (checkout / "python" / "tests" / "uses.py").read_text()
    (folder / "uses.py").write_text(uses)
    status, said = mypy(folder, "--strict", "uses.py")
    assert status == 0, said
    # What is wrong is noticed.
    (folder / "uses.py").write_text(uses + 'run.claims["C6"].verdikt\nojaflow.run("fig4", jobs="two")\n')
    status, said = mypy(folder, "--strict", "uses.py")
    assert status == 1 and '"verdikt"' in said and '"jobs"' in said and said.count("error:") == 2, said
