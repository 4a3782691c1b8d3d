"""Runs: made by the program, or opened where they are."""

import builtins
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _archive, _claims, _html, _program, _toml, _weights
from ._claims import Claims
from ._errors import MissingLibrary, OjaflowError, UnknownName
from ._extras import library
from ._figure import Figure
from ._table import Table, quoted

if TYPE_CHECKING:
    import duckdb

    from ._chart import Chart

MANIFEST = "manifest.json"
#: The format of the manifest that this package reads.
FORMAT = 1
ARCHIVE = ".tar.zst"
#: Unpacked archives that stay until the process ends: a relation of DuckDB reads when its rows are asked for, and does not say
#: when it is gone.
UNPACKED: list[object] = [None]


class Run:
    """A published run: its tables by name, figures, claims, and where every number comes from.

    Attributes:
        path: its folder; of an archive a temporary one, which goes with the last that holds the run or a table of it.
        manifest: `manifest.json` as it is.
        tables: by name, in the order of the stages.
        figures: by name.
    """

    def __init__(self, folder: Path, keep: object = None) -> None:
        self.path = folder
        self.manifest = read_manifest(folder)
        # What holds the folder of an unpacked archive.
        self._keep = keep
        document = self.manifest.get("document")
        stages: dict[str, Any] = document.get("stages", {}) if isinstance(document, dict) else {}
        drawn: dict[str, list[dict[str, Any]]] = {}
        for stage in stages.values():
            # `lines` is the layout that has curves.
            if stage.get("kind") == "figure" and stage.get("layout", "lines") == "lines" and isinstance(stage.get("of"), str):
                drawn.setdefault(stage["of"], []).append(stage)
        self.tables: dict[str, Table] = {
            entry["name"]: Table(folder, entry, drawn.get(entry["name"], []), keep) for entry in self.manifest["tables"]
        }
        files: dict[str, dict[str, Path]] = {}
        for entry in self.manifest["figures"]:
            stem, _, kind = str(entry["name"]).rpartition(".")
            if kind in ("svg", "png"):
                files.setdefault(stem, {})[kind] = folder / entry["name"]
        self.figures: dict[str, Figure] = {name: Figure(name, paths, self.title, keep) for name, paths in files.items()}

    # ----------------------------------------------------------------------------------------------------- what it is

    @property
    def name(self) -> str:
        """The name it is published under: `fig4`, `fig4~85d75dea`."""
        return str(self.manifest["pipeline"])

    @property
    def title(self) -> str:
        """One sentence on what it is about."""
        return str(self.manifest["title"])

    @property
    def overrides(self) -> list[str]:
        """What was set on the way, as `key=value`."""
        return list(self.manifest["overrides"])

    @property
    def axes(self) -> dict[str, list[Any]]:
        """The axes of its matrix with all their values."""
        return {name: list(values) for name, values in self.manifest["axes"]}

    @property
    def includes(self) -> "dict[str, Run]":
        """The runs that a composition is made of, by the names they are published under.

        Raises:
            OjaflowError: one of them is not where it was published.
        """
        return {name: Run(self.path.parent / name, self._keep) for name in self.manifest["includes"]}

    @cached_property
    def claims(self) -> Claims:
        """What it claims, with verdicts; empty where nothing is claimed.

        Raises:
            MissingLibrary: neither pyarrow, Polars nor DuckDB is installed.
            OjaflowError: the table of claims cannot be read.
        """
        tables = [table for table in self.tables.values() if table.kind == "claims"]
        return _claims.read(row for table in tables for row in table.rows())

    # ---------------------------------------------------------------------------------------------------- its tables

    def __getitem__(self, name: str) -> Table:
        try:
            return self.tables[name]
        except KeyError:
            raise UnknownName("table", name, self.tables, f" in `{self.name}`") from None

    def __contains__(self, name: object) -> bool:
        return name in self.tables

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def weights(self, run_id: str, step: int | None = None) -> _weights.Weights:
        """The weights of a network at one of the steps at which they were kept (`snapshots` of its stage).

        Args:
            run_id: from the table of runs.
            step: training samples seen; 0 is the initial network; the last that was kept if left out.

        Returns:
            Arrays by matrix and layer, float32 of shape (n_out, n_in): `weights["forward"][1]` is W_{0,1}. Feedback weights
            of their own are `weights["feedback"]`.

        Raises:
            MissingLibrary: pyarrow is not installed.
            UnknownName: there is no such run, or its weights at that step were not kept.
            OjaflowError: no stage published weights, or they are not there.
        """
        tables = [table for table in self.tables.values() if table.kind == "weights"]
        if not tables:
            raise OjaflowError(f"`{self.name}` has no table of weights")
        return _weights.read(tables, run_id, step)

    def sql(self, query: str, parameters: Sequence[object] | Mapping[str, object] | None = None) -> "duckdb.DuckDBPyRelation":
        """A query in DuckDB's SQL, with every table as a view; weights and activations have the axes joined in.

        Data frames of the caller can be named, too, as DuckDB finds them.

        Args:
            query: `SELECT rule, avg(components) FROM components GROUP BY rule`.
            parameters: what `?` or `$name` stand for.

        Returns:
            A relation: `.df()`, `.pl()`, `.arrow()`, `.fetchall()` and others give the rows.

        Raises:
            MissingLibrary: DuckDB is not installed.
            duckdb.Error: what DuckDB says of the query.
        """
        connection = self._connection
        if self._keep not in UNPACKED:
            UNPACKED.append(self._keep)
        relation: duckdb.DuckDBPyRelation = connection.sql(query, params=parameters)
        return relation

    @cached_property
    def _connection(self) -> Any:
        duckdb = library("duckdb", "Run.sql()")
        connection = duckdb.connect()
        # The caller's data frames lie in a frame above this one.
        connection.execute("SET python_scan_all_frames = true")
        # Folders join their axes from a table, which has to be there first.
        for table in sorted(self.tables.values(), key=lambda table: table.is_folder):
            try:
                paths = ", ".join(text(str(path)) for path in table.paths)
            except OjaflowError:
                # Left out of an archive: a query that names it says that there is no such table.
                continue
            source = f"SELECT * FROM read_parquet([{paths}], hive_partitioning = false)"
            register = self.tables.get(str(table._entry.get("register")))
            if register is not None:
                axes = "".join(f"r.{quoted(column.name)}, " for column in register.schema if column.is_axis)
                source = f"SELECT {axes}t.* FROM ({source}) AS t JOIN {quoted(register.name)} AS r ON r.run_id = t.run_id"
            connection.execute(f"CREATE VIEW {quoted(table.name)} AS {source}")
        return connection

    # -------------------------------------------------------------------------------------------------------- looking

    def chart(self, name: str | None = None) -> "Chart":
        """Curves as an Altair chart: means with the band of their intervals.

        Args:
            name: a table with curves, all of whose panels are drawn, or one panel of such a table; the first such table if
                left out.

        Raises:
            MissingLibrary: Altair, or what reads rows, is not installed.
            UnknownName: no table with curves and no panel of one has this name.
            OjaflowError: no table has curves.
        """
        summaries = {table.name: table for table in self.tables.values() if table.is_summary}
        if not summaries:
            raise OjaflowError(f"`{self.name}` has no table with curves (panel, series, x, mean, ci_low, ci_high)")
        if name is None:
            return next(iter(summaries.values())).chart()
        if name in summaries:
            return summaries[name].chart()
        panels = {table: [row["panel"] for row in summaries[table].rows(["panel"])] for table in summaries}
        for table, found in panels.items():
            if name in found:
                return summaries[table].chart(name)
        if name in self.tables:
            # Which says what it lacks.
            return self.tables[name].chart()
        known = [*summaries, *dict.fromkeys(panel for found in panels.values() for panel in found)]
        raise UnknownName("table with curves nor a panel", name, known, f" in `{self.name}`")

    def __repr__(self) -> str:
        figures = f"; figures: {', '.join(self.figures)}" if self.figures else ""
        return f"<Run {self.name}: {self.title}\n  {self.path}\n  tables: {', '.join(self.tables)}{figures}>"

    def _repr_html_(self) -> str:
        where = f"<code>{_html.escape(self.name)}</code>"
        if self.overrides:
            where += f", with {_html.escape(', '.join(self.overrides))}"
        figures = "".join(_readable(figure) for figure in self.figures.values())
        try:
            claims = self.claims._repr_html_()
        except MissingLibrary as missing:
            claims = f"<p>{_html.escape(missing)}</p>"
        except OjaflowError as error:
            claims = f"<p>The claims cannot be shown: {_html.escape(error)}</p>"
        tables = ", ".join(f"<code>{_html.escape(name)}</code>" for name in self.tables)
        return f"<div><h3>{_html.escape(self.title)}</h3><p>{where}</p>{figures}{claims}<p>Tables: {tables}</p></div>"


def _readable(figure: Figure) -> str:
    try:
        return figure._repr_html_()
    except OjaflowError as error:
        return f"<p>{_html.escape(error)}</p>"


def run(
    pipeline: str | os.PathLike[str],
    *,
    set: Mapping[str, Any] | None = None,
    jobs: int | None = None,
    outputs: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    pipelines: str | os.PathLike[str] | None = None,
    publish_as: str | None = None,
    to: str | None = None,
    force: bool | str = False,
    decide: bool | Sequence[int] = False,
    quiet: bool = False,
) -> Run:
    """Runs a pipeline, or takes what is there already, and opens what was published.

    Nothing is computed twice: a run that was interrupted goes on where it was, and one that has ended is only opened.

    Args:
        pipeline: its name, or the path of its file.
        set: values to override, by their path: `{"matrix.seed.count": 2, "rules.bp": {"gradient": 1e-2}}`. A mapping
            changes what it names and leaves the rest. Such a run is published beside the full one.
        jobs: tasks side by side; the number of cores if left out.
        outputs: the folder for results; OJAFLOW_OUTPUTS or `outputs` if left out.
        data: the folder with data sets; where the program finds them if left out.
        pipelines: the folder in which pipelines are looked up.
        publish_as: the name to publish under.
        to: only what this stage needs.
        force: run anew although results are there: one stage, by its name, or all.
        decide: judge the claims at growing numbers of runs (True: 20, 40, 80 and 160) until they are decided.
        quiet: show no progress.

    Raises:
        OjaflowError: the program refused the request or failed; with its message.
        TypeError, ValueError: TOML has nothing for a value of `set`.
        KeyboardInterrupt: it was interrupted; the same call goes on where it was.
    """
    # Values behind `=`, so that none is taken for an option.
    options = {"--outputs": outputs, "--data": data, "--pipelines": pipelines}
    arguments = ["pipeline", *(f"{option}={os.fspath(value)}" for option, value in options.items() if value is not None)]
    arguments += [f"--set={_toml.override(path, value)}" for path, value in (set or {}).items()]
    if jobs is not None:
        arguments.append(f"--jobs={int(jobs)}")
    if publish_as is not None:
        arguments.append(f"--as={publish_as}")
    if to is not None:
        arguments.append(f"--to={to}")
    if force:
        arguments.append("--force=" if force is True else f"--force={force}")
    if decide:
        arguments.append("--decide")
        if decide is not True:
            arguments.append(f"--looks={','.join(str(int(look)) for look in decide)}")
    record = _program.carry_out(arguments, [os.fspath(pipeline)], quiet)
    # Parts of a composition come first, the pipeline that was asked for last.
    return Run(Path(record["pipelines"][-1]["folder"]).absolute())


def open(target: str | os.PathLike[str], *, outputs: str | os.PathLike[str] | None = None) -> Run:
    """Opens what was published.

    Args:
        target: the name of a published run, its folder, or an archive (`fig4.tar.zst`), which is verified first, every byte
            of it, and unpacked into a temporary folder.
        outputs: the folder in which names are looked up; OJAFLOW_OUTPUTS or `outputs` if left out.

    Raises:
        OjaflowError: there is none, or it is damaged, or another version wrote it.
    """
    name = os.fspath(target)
    beside = outputs_folder(outputs) / name
    for folder in (beside, Path(name)):
        if (folder / MANIFEST).is_file():
            return Run(folder.absolute())
    if Path(name).is_file():
        folder, keep = _archive.unpack(Path(name))
        return Run(folder, keep)
    if name.endswith(ARCHIVE):
        raise OjaflowError(f"there is no archive {name}")
    there = published(outputs=outputs)
    raise UnknownName("published run", name, there, f" in {outputs_folder(outputs)}, nor a folder or an archive of that name")


def published(*, outputs: str | os.PathLike[str] | None = None) -> list[str]:
    """The names of all published runs, sorted.

    Args:
        outputs: the folder in which they lie; OJAFLOW_OUTPUTS or `outputs` if left out.
    """
    return sorted(manifest.parent.name for manifest in outputs_folder(outputs).glob(f"*/{MANIFEST}"))


def outputs_folder(outputs: str | os.PathLike[str] | None) -> Path:
    return Path(outputs if outputs is not None else os.environ.get("OJAFLOW_OUTPUTS") or "outputs")


def read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        with builtins.open(path, encoding="utf-8") as file:
            manifest = json.load(file)
    except OSError as error:
        raise OjaflowError(f"{folder} is not a published run: {error}") from error
    except ValueError as error:
        raise OjaflowError(f"{path} is damaged: {error}; run the pipeline again") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise OjaflowError(f"{path} was written by another version of ojaflow; run the pipeline again")
    return manifest


def text(value: str) -> str:
    """Text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"
