"""A published table: its columns from the manifest, its rows by whichever library is at hand."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from . import _html
from ._errors import MissingLibrary, OjaflowError, UnknownName
from ._extras import available, library

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from ._chart import Chart

#: What makes a table a summary: curves in panels, as figures draw them.
SUMMARY = ("panel", "series", "x", "mean", "ci_low", "ci_high")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: `components`.
        type: `boolean`, `int32`, `int64`, `float64`, `category`, `text`, `float32_list` or `u_int8_list`.
        unit: `samples`; empty where it has none.
        description: what it says.
        nullable: whether a value may be missing.
        is_axis: whether it is one of the matrix's axes.
    """

    name: str
    type: str
    unit: str
    description: str
    nullable: bool
    is_axis: bool


class Table:
    """A table of a published run. It has columns, and reads rows only when they are asked for.

    Any library that takes Arrow's streams takes it as it is: `polars.DataFrame(table)`, `pyarrow.table(table)`.

    Attributes:
        name: `explained_variance`.
        kind: what its columns follow from: `explained_variance`, `weights`, `sql` …
        key: the columns by which rows are sorted and told apart; none where a query made it.
        columns: by name, in their order.
    """

    def __init__(self, folder: Path, entry: Mapping[str, Any], figures: Sequence[Mapping[str, Any]], keep: object) -> None:
        schema = entry["schema"]
        self.name: str = entry["name"]
        self.kind: str = schema["kind"]
        self.key: tuple[str, ...] = tuple(schema["key"])
        self.n_rows: int = entry["rows"]
        n_axes = entry.get("n_axes", 0)
        self.columns: dict[str, Column] = {
            column["name"]: Column(
                column["name"],
                column["type"],
                column["unit"],
                column["description"],
                column["nullable"],
                index < n_axes,
            )
            for index, column in enumerate(schema["columns"])
        }
        self._entry = entry
        self._folder = folder
        # The figures that are drawn from this table, as their pipeline describes them.
        self._figures = figures
        # What holds the folder of an unpacked archive.
        self._keep = keep

    # ------------------------------------------------------------------------------------------------------ files

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder with a file for each run, as weights and activations are."""
        return bool(self._entry["schema"]["layout"] == "folder")

    @property
    def path(self) -> Path:
        """Its Parquet file, or the folder with its parts."""
        return self._folder / str(self._entry["path"])

    @property
    def paths(self) -> list[Path]:
        """Its Parquet files: one, or one for each run.

        Raises:
            OjaflowError: they are not there: archives leave large tables out unless they are asked for.
        """
        if not self.is_folder:
            found = [self.path]
        else:
            # By the manifest, not by what lies around; runs that two conditions share have one part.
            found = [self.path / f"{name}.parquet" for name in sorted({part["key"][:16] for part in self._entry["parts"]})]
        missing = [path for path in found if not path.is_file()]
        if missing:
            raise OjaflowError(
                f"{missing[0]} is not there. An archive holds large tables only where it was made so "
                "(`ojaflow archive NAME --with weights,activations,images`); a published folder is mended by running its "
                "pipeline again"
            )
        return found

    # ------------------------------------------------------------------------------------------------------- rows

    def arrow(self, columns: Sequence[str] | None = None) -> "pyarrow.Table":
        """All rows as a `pyarrow.Table`, categories as dictionaries.

        Args:
            columns: those to read; all if left out.

        Raises:
            MissingLibrary: pyarrow is not installed.
            UnknownName: there is no such column.
            OjaflowError: its files are not there or cannot be read.
        """
        parquet = library("pyarrow.parquet", "Table.arrow()")
        wanted = self._checked(columns)
        # Files one by one: a data set would take folders called `rule=bp` for columns.
        with self._reading():
            parts = [parquet.ParquetFile(path).read(columns=wanted) for path in self.paths]
        rows: pyarrow.Table = library("pyarrow", "Table.arrow()").concat_tables(parts).unify_dictionaries()
        return rows if wanted is None else rows.select(wanted)

    def polars(self, columns: Sequence[str] | None = None) -> "polars.DataFrame":
        """All rows as a Polars data frame.

        Args:
            columns: those to read; all if left out.

        Raises:
            MissingLibrary: Polars is not installed.
            UnknownName: there is no such column.
            OjaflowError: its files are not there or cannot be read.
        """
        read = library("polars", "Table.polars()").read_parquet
        wanted = self._checked(columns)
        with self._reading():
            # Paths as they are: neither stars nor `rule=bp` in the name of a folder mean anything.
            rows: polars.DataFrame = read(self.paths, columns=wanted, glob=False, hive_partitioning=False)
        return rows if wanted is None else rows.select(wanted)

    def pandas(self, columns: Sequence[str] | None = None) -> "pandas.DataFrame":
        """All rows as a pandas data frame, categories as `Categorical`, lists as arrays.

        Args:
            columns: those to read; all if left out.

        Raises:
            MissingLibrary: pandas or pyarrow is not installed.
            UnknownName: there is no such column.
            OjaflowError: its files are not there or cannot be read.
        """
        library("pandas", "Table.pandas()")
        library("pyarrow", "Table.pandas()", "pandas")
        rows: pandas.DataFrame = self.arrow(columns).to_pandas()
        return rows

    def rows(self, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """All rows as dictionaries of Python's own values, None for what is missing.

        By pyarrow, Polars or DuckDB, whichever is installed. For small tables.

        Args:
            columns: those to read; all if left out.

        Raises:
            MissingLibrary: none of the three is installed.
            UnknownName: there is no such column.
            OjaflowError: its files are not there or cannot be read.
        """
        if available("pyarrow.parquet"):
            rows: list[dict[str, Any]] = self.arrow(columns).to_pylist()
            return rows
        if available("polars"):
            return self.polars(columns).to_dicts()
        duckdb = available("duckdb")
        if duckdb is None:
            raise MissingLibrary("reading rows needs pyarrow, Polars or DuckDB", "arrow")
        wanted = self._checked(columns) or list(self.columns)
        with self._reading(), duckdb.connect() as connection:
            paths = [str(path) for path in self.paths]
            found = connection.read_parquet(paths, hive_partitioning=False)
            selected = found.project(", ".join(quoted(name) for name in wanted)).fetchall()
        return [dict(zip(wanted, row, strict=True)) for row in selected]

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Arrow's C stream, by pyarrow or Polars, whichever is installed."""
        if available("pyarrow.parquet"):
            rows: Any = self.arrow()
            return cast(object, rows.__arrow_c_stream__(requested_schema))
        if available("polars"):
            rows = self.polars()
            return cast(object, rows.__arrow_c_stream__(requested_schema))
        raise MissingLibrary("a stream of Arrow's needs pyarrow or Polars", "arrow")

    def _checked(self, columns: Sequence[str] | None) -> list[str] | None:
        if columns is None:
            return None
        wanted = [columns] if isinstance(columns, str) else list(columns)
        for name in wanted:
            if name not in self.columns:
                raise UnknownName("column", name, self.columns, f" in `{self.name}`")
        return wanted

    def _reading(self) -> "_Reading":
        return _Reading(self)

    # ------------------------------------------------------------------------------------------------------ charts

    @property
    def is_summary(self) -> bool:
        """Whether it has curves in panels, as figures draw them."""
        return all(name in self.columns for name in SUMMARY)

    def chart(self, panel: object | None = None) -> "Chart":
        """Its curves as an Altair chart: means with the band of their intervals, a panel for each value of `panel`.

        Labels, colours, scales and order are those of the figure that the pipeline draws from the table, if it does.

        Args:
            panel: one of its panels alone.

        Raises:
            MissingLibrary: Altair, or what reads rows, is not installed.
            UnknownName: there is no such panel.
            OjaflowError: the table has no curves: it needs the columns panel, series, x, mean, ci_low and ci_high.
        """
        from ._chart import chart

        if not self.is_summary:
            lacks = ", ".join(f"`{name}`" for name in SUMMARY if name not in self.columns)
            raise OjaflowError(f"the table `{self.name}` has no curves to draw: it lacks {lacks}")
        return chart(self.name, self.rows(), self._figures, panel)

    # ----------------------------------------------------------------------------------------------------- looking

    @property
    def schema(self) -> list[Column]:
        """The columns in their order, each with type, unit and description."""
        return list(self.columns.values())

    def __len__(self) -> int:
        return self.n_rows

    def __bool__(self) -> bool:
        # A table without rows is a table.
        return True

    def __repr__(self) -> str:
        head = f"<Table {self.name}: {self.n_rows:,} rows, {len(self.columns)} columns>"
        width = max((len(name) for name in self.columns), default=0)
        types = max((len(column.type) for column in self.schema), default=0)
        lines = [f"  {column.name:<{width}}  {column.type:<{types}}  {explained(column)}" for column in self.schema]
        return "\n".join([head, *(line.rstrip() for line in lines)])

    def _repr_html_(self) -> str:
        rows: Iterable[Sequence[object]] = (
            (column.name, column.type, column.unit, column.description) for column in self.schema
        )
        head = f"<p><b>{_html.escape(self.name)}</b>: {self.n_rows:,} rows</p>"
        return f"<div>{head}{_html.table(['column', 'type', 'unit', 'description'], rows)}</div>"


class _Reading:
    """Turns what libraries raise over damaged files into our error, with the table's name."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, OjaflowError) or not isinstance(error, Exception):
            return
        raise OjaflowError(f"the table `{self.table.name}` cannot be read from {self.table.path}: {error}") from error


def explained(column: Column) -> str:
    return f"{column.description} [{column.unit}]" if column.unit else column.description


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'
