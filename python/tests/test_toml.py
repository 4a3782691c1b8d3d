"""Python's values are read by a TOML parser as what they were."""

import math
import tomllib
from pathlib import PurePosixPath

import numpy as np
import pytest
from ojaflow import literal
from ojaflow._toml import override


def read(text):
    return tomllib.loads(f"value = {text}")["value"]


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        0,
        -7,
        2**63 - 1,
        -(2**63),
        0.1,
        1e-5,
        1e16,
        -1.5e300,
        5e-324,
        math.inf,
        -math.inf,
        "",
        "bp_oja",
        "quotes \" and \\ and '",
        "line\nbreak\ttab\r\x00\x1f\x7f",
        "W_{ℓ-1,ℓ} 🧠",
        [],
        [1, 2.5, "three", [True]],
        {},
        {"first": 0, "count": 2},
        {"5 layers": {"train": {"layers": [784, 30, 10]}}, "": 1, 'a"b': 2, "ℓ": 3, "a.b": 4},
    ],
    ids=repr,
)
def test_values_come_back(value):
    found = read(literal(value))
    assert found == value and type(found) is type(value)


def test_not_a_number():
    assert math.isnan(read(literal(math.nan)))


def test_what_is_almost_a_plain_value():
    class Name(str):
        pass

    assert read(literal((1, 2))) == [1, 2]
    assert read(literal(range(3))) == [0, 1, 2]
    assert read(literal(PurePosixPath("data/mnist"))) == "data/mnist"
    assert read(literal(Name("bp"))) == "bp"
    assert read(literal(np.float32(0.5))) == 0.5
    assert read(literal(np.int64(3))) == 3
    assert read(literal(np.bool_(True))) is True
    assert read(literal(np.geomspace(1e-3, 1e-1, 3))) == list(np.geomspace(1e-3, 1e-1, 3))
    assert read(literal({"oja": [np.float64(1e-3), 0]})) == {"oja": [1e-3, 0]}


@pytest.mark.parametrize("value", [None, {1, 2}, b"bytes", object(), {1: 2}, [None], 1j])
def test_what_toml_has_nothing_for(value):
    with pytest.raises(TypeError):
        literal(value)


@pytest.mark.parametrize("value", [2**63, "\ud800"])
def test_what_does_not_fit(value):
    with pytest.raises(ValueError):
        literal(value)


def test_overrides():
    assert override("matrix.seed.count", 2) == "matrix.seed.count=2"
    assert override('matrix.network."5 layers"', {"train.init": "naive"}) == (
        'matrix.network."5 layers"={ "train.init" = "naive" }'
    )


@pytest.mark.parametrize("path", ["", " ", "a=b", "a\nb", 3])
def test_paths_that_would_be_another_override(path):
    with pytest.raises((TypeError, ValueError)):
        override(path, 1)
