"""Libraries that are imported when they are needed, and not before."""

import importlib
from typing import Any

from ._errors import MissingLibrary

#: Which extra of this package brings a library.
EXTRAS = {
    "altair": "altair",
    "duckdb": "duckdb",
    "numpy": "arrow",
    "pandas": "pandas",
    "polars": "polars",
    "pyarrow": "arrow",
}


def library(module: str, user: str, extra: str | None = None) -> Any:
    """A module of one of the libraries that are optional.

    Args:
        module: `pyarrow.parquet`.
        user: who needs it: `Table.arrow()`.
        extra: the extra to name where it is missing, if not the library's own.

    Raises:
        MissingLibrary: it is not installed.
    """
    name = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # Something that the library itself lacks is not for us to explain.
        if error.name is None or error.name.partition(".")[0] != name:
            raise
        raise MissingLibrary(f"{user} needs {name}", extra or EXTRAS[name]) from error


def available(module: str) -> Any | None:
    """The same where it would be nice to have; None where it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        return None
