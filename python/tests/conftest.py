"""What the tests of the package run on: a published run, made by the program that the package finds.

The program comes from OJAFLOW_PROGRAM under `cargo test`, and from the wheel under `tests/wheel.sh`, where it finds the data
sets that were installed beside it. Nothing here reads the checkout but notebooks, README and settings of this package.
"""

import shutil
import subprocess
from pathlib import Path

import ojaflow
import pytest

#: Enough for every kind of table, and a few seconds.
SMALL = {"matrix.seed.count": 2}


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    """A folder with `outputs/smoke`, published under its own name, from two runs a rule."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        ojaflow.run("smoke", set=SMALL, publish_as="smoke", quiet=True)
    return folder


@pytest.fixture
def here(project, monkeypatch):
    """The same as the working directory."""
    monkeypatch.chdir(project)
    return project


@pytest.fixture
def run(here):
    return ojaflow.open("smoke")


@pytest.fixture
def copy(project, tmp_path):
    """The published folder, to be damaged: files of their own, none shared with the store."""
    target = tmp_path / "copied" / "smoke"
    shutil.copytree(project / "outputs" / "smoke", target)
    for path in target.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return target


@pytest.fixture(scope="session")
def archive(project):
    """`smoke.tar.zst`, without its large tables."""
    subprocess.run([ojaflow.program(), "archive", "smoke"], cwd=project, check=True, capture_output=True)
    return project / "smoke.tar.zst"


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Puts a script in the place of the program."""

    def put(text):
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        monkeypatch.setenv("OJAFLOW_PROGRAM", str(path))
        return path

    return put


@pytest.fixture(scope="session")
def examples(tmp_path_factory):
    """A folder in which notebooks and README run one after the other: what they share is trained once."""
    return tmp_path_factory.mktemp("examples")


@pytest.fixture(scope="session")
def checkout():
    return Path(__file__).resolve().parents[2]
