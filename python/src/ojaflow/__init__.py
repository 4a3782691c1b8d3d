"""What a plasticity rule really does to a deep network: run experiments, and look at what they found.

>>> import ojaflow
>>> run = ojaflow.run("fig4", set={"matrix.seed.count": 2})  # doctest: +SKIP
>>> run.claims["C6"].verdict                                 # doctest: +SKIP
'undecided'
>>> run["components"].pandas()                               # doctest: +SKIP

The program `ojaflow` does the work, in a process of its own; all that it hands over is Parquet. So this package needs no
other: pandas, Polars, pyarrow, DuckDB and Altair are taken when a method is asked for what they give, and the error of one
that is missing says how to install it.
"""

from importlib.metadata import PackageNotFoundError, version

from ._claims import Claim, Claims, Part, Verdict
from ._errors import MissingLibrary, OjaflowError, UnknownName
from ._figure import Figure
from ._program import program
from ._run import Run, open, published, run
from ._table import Column, Table
from ._toml import literal
from ._weights import Weights

try:
    __version__ = version("ojaflow")
except PackageNotFoundError:
    # A checkout on the path, not installed: its version is that of the program which it calls.
    __version__ = "unknown"

__all__ = [
    "Claim",
    "Claims",
    "Column",
    "Figure",
    "MissingLibrary",
    "OjaflowError",
    "Part",
    "Run",
    "Table",
    "UnknownName",
    "Verdict",
    "Weights",
    "literal",
    "open",
    "program",
    "published",
    "run",
]
