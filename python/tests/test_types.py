"""The package is typed throughout, and says so to those who use it."""

import shutil
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


def test_the_package(tmp_path, checkout):
    """Strictly, as it is installed."""
    package = Path(ojaflow.__file__).parent
    assert (package / "py.typed").is_file()
    # Away from its neighbours in an environment, which are not ours to check.
    shutil.copytree(package, tmp_path / "ojaflow", ignore=shutil.ignore_patterns("__pycache__"))
    status, said = mypy(tmp_path, "--config-file", checkout / "python" / "pyproject.toml", "-p", "ojaflow")
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
