"""The matrices of a network at a step, as numpy arrays."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ._errors import UnknownName
from ._extras import library
from ._table import Table

if TYPE_CHECKING:
    import numpy

#: By matrix (`forward`, `feedback`, `input`, `recurrent`, `readout`) and layer, float32 of shape (n_out, n_in).
Weights: TypeAlias = "dict[str, dict[int, numpy.ndarray[tuple[int, int], numpy.dtype[numpy.float32]]]]"


def read(tables: Iterable[Table], run_id: str, step: int | None) -> Weights:
    """The weights of a run; of the last step that was kept if none is named.

    Raises:
        MissingLibrary: pyarrow or numpy is not installed.
        UnknownName: there is no such run, or its weights at that step were not kept.
        OjaflowError: no table of the run has weights, or its files are not there.
    """
    parquet = library("pyarrow.parquet", "Run.weights()")
    numpy = library("numpy", "Run.weights()")
    runs: set[str] = set()
    for table in tables:
        with table._reading():
            for path in table.paths:
                # A part belongs to one run and is named after it.
                runs.add(path.stem)
                if path.stem == run_id:
                    return matrices(parquet, numpy, path, run_id, step)
    raise UnknownName("run", run_id, sorted(runs), " with weights")


def matrices(parquet: Any, numpy: Any, path: Path, run_id: str, step: int | None) -> Weights:
    file = parquet.ParquetFile(path)
    steps = sorted(set(file.read(columns=["step"])["step"].to_pylist()))
    wanted = steps[-1] if step is None and steps else step
    if wanted not in steps:
        raise UnknownName("step", wanted, steps, f" with weights of run `{run_id}`")
    found: Weights = {}
    # A group of rows at a time, so that no more than one lies in memory beside the result.
    for group in range(file.num_row_groups):
        rows = file.read_row_group(group)
        vectors = rows["weights"]
        for index, row in enumerate(rows.drop_columns(["weights"]).to_pylist()):
            if row["step"] == wanted:
                values = vectors[index].values.to_numpy(zero_copy_only=False)
                matrix = numpy.array(values, dtype=numpy.float32).reshape(row["n_out"], row["n_in"])
                found.setdefault(str(row["matrix"]), {})[row["layer"]] = matrix
    return found
