"""What a type checker has to know of the package: `test_types.py` has mypy read this, and nobody runs it."""

from pathlib import Path
from typing import Any, assert_type

import numpy
import ojaflow
import polars

run = ojaflow.run("fig4", set={"matrix.seed.count": 2}, jobs=2, outputs=Path("outputs"), decide=[20, 40], force="train")
assert_type(run, ojaflow.Run)
assert_type(ojaflow.open("fig4.tar.zst"), ojaflow.Run)
assert_type(ojaflow.published(), list[str])
assert_type(run["components"], ojaflow.Table)
assert_type(run["components"].polars(["rule"]), polars.DataFrame)
assert_type(run["components"].rows(), list[dict[str, Any]])
assert_type(run["components"].columns["rule"].unit, str)
assert_type(run.claims["C6"], ojaflow.Claim)
assert_type(run.claims[1:], ojaflow.Claims)
assert_type(run.claims["C6"].verdict, ojaflow.Verdict)
assert_type(run.claims["C6"].interval, tuple[float, float] | None)
assert_type(run.figures["fig4"].png, bytes)
matrix = run.weights("0123456789abcdef", 0)["forward"][1]
assert_type(matrix, numpy.ndarray[tuple[int, int], numpy.dtype[numpy.float32]])
first: tuple[Any, ...] = run.sql("SELECT 1").fetchall()[0]
run.chart("y1").save("y1.html")
