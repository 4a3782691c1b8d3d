"""Python's values as TOML has them."""

import json
import math
import os
from collections.abc import Mapping, Sequence, Set
from typing import Any


def literal(value: Any) -> str:
    """A value as it is written in TOML.

    Booleans, integers, floats, strings, paths, lists, tuples, ranges and mappings (as inline tables, nested as deep as you
    like) are taken, and numpy's numbers and arrays.

    >>> literal({"rule": ["bp", "bp_oja"], "seed": {"first": 0, "count": 2}, "deep": True})
    '{ rule = ["bp", "bp_oja"], seed = { first = 0, count = 2 }, deep = true }'
    >>> literal([1e-3, float("inf"), 'a "quote"'])
    '[0.001, inf, "a \\\\"quote\\\\""]'

    Raises:
        TypeError: TOML has nothing for it, None for example: leave the key out instead.
        ValueError: an integer outside of 64 bits, or text that is no Unicode.
    """
    # Before int: a bool is one.
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 63:
            raise ValueError(f"{value} does not fit into the 64 bits of TOML's integers")
        return int.__repr__(value)
    if isinstance(value, float):
        # repr is the shortest text that is read as the same number; Python's words for the others are TOML's as well.
        return "nan" if math.isnan(value) else float.__repr__(value)
    if isinstance(value, str):
        return text(value)
    if isinstance(value, os.PathLike):
        return text(os.fspath(value))
    if isinstance(value, Mapping):
        entries = ", ".join(f"{key(name)} = {literal(item)}" for name, item in value.items())
        return f"{{ {entries} }}" if entries else "{}"
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    # numpy's scalars and arrays know what they are in Python, and so do those of other libraries.
    for method in ("tolist", "item"):
        convert = getattr(value, method, None)
        if callable(convert):
            plain = convert()
            if not isinstance(plain, type(value)):
                return literal(plain)
    if value is None:
        raise TypeError("TOML has no None: leave the key out")
    if isinstance(value, Set):
        raise TypeError("a set has no order, and what stands in a list has one: give a list, `sorted(…)` for example")
    raise TypeError(f"TOML has nothing for a {type(value).__name__}: give a number, text, a list or a dictionary")


def text(value: str) -> str:
    """A basic string: JSON's escapes are TOML's, but for one control character that JSON leaves alone."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{value!r} is no Unicode text") from error
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def key(name: object) -> str:
    """A key of an inline table, in quotes where it has to be."""
    if not isinstance(name, str):
        raise TypeError(f"keys are text in TOML, and {name!r} is a {type(name).__name__}")
    bare = name != "" and name.isascii() and all(letter.isalnum() or letter in "_-" for letter in name)
    return name if bare else text(name)


def override(path: object, value: Any) -> str:
    """One `key=value` of `--set`; the key is a path as TOML writes it: `matrix.network."5 layers"`."""
    if not isinstance(path, str) or not path.strip():
        raise TypeError(f"the keys of `set` are paths such as `matrix.seed.count`, not {path!r}")
    if "=" in path or not path.isprintable():
        raise ValueError(f"{path!r} cannot be a key of `set`: a path such as `matrix.seed.count`, without `=`")
    return f"{path}={literal(value)}"
