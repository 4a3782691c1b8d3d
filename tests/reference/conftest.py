"""The folder of published pipelines under test, from OJAFLOW_TEST_OUTPUTS; tests/python.rs fills it."""

import os
from pathlib import Path

import pytest
from published import Published


def outputs():
    folder = os.environ.get("OJAFLOW_TEST_OUTPUTS")
    if not folder:
        raise pytest.UsageError("set OJAFLOW_TEST_OUTPUTS; tests/reference/README.md says how to run one test alone")
    return Path(folder).resolve()


def folders():
    found = sorted(manifest.parent for manifest in outputs().glob("*/manifest.json"))
    if not found:
        raise pytest.UsageError(f"no published pipeline in {outputs()}")
    return found


def pytest_generate_tests(metafunc):
    """Tests with an argument `published` run on every folder."""
    if "published" in metafunc.fixturenames:
        metafunc.parametrize("published", CACHE.values(), ids=CACHE.keys(), scope="session")


@pytest.fixture(scope="session")
def outputs_folder():
    return outputs()


CACHE = {folder.name: Published(folder) for folder in folders()}


def pipeline_fixture(name):
    @pytest.fixture(scope="session", name=name)
    def fixture():
        return CACHE[name]

    return fixture


replay = pipeline_fixture("replay")
rules = pipeline_fixture("rules")
divergence = pipeline_fixture("divergence")
measurements = pipeline_fixture("measurements")
batches = pipeline_fixture("batches")
smoke = pipeline_fixture("smoke")
recurrent = pipeline_fixture("recurrent")


@pytest.fixture(scope="session")
def data_folder():
    return Path(__file__).resolve().parents[2] / "data"
