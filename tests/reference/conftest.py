"""The folder of published pipelines under test, from OJAFLOW_TEST_OUTPUTS; tests/it/python.rs fills it."""

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


def pytest_configure(config):
    config.addinivalue_line("markers", "stages(kind): run on the folders of pipelines with a stage of this kind")


def pytest_generate_tests(metafunc):
    """Tests with an argument `published` run on every folder, or on those with the marked kind of stage."""
    if "published" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("stages")
    chosen = {name: folder for name, folder in CACHE.items() if marker is None or folder.stages(*marker.args)}
    # Without any, the test would vanish without a word.
    assert chosen, f"no pipeline has a stage for {metafunc.function.__name__}"
    metafunc.parametrize("published", chosen.values(), ids=chosen.keys(), scope="session")


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
in_time = pipeline_fixture("in_time")
equations = pipeline_fixture("equations")
pathways = pipeline_fixture("pathways")


@pytest.fixture(scope="session")
def data_folder():
    return Path(__file__).resolve().parents[2] / "data"
