"""A published figure: one drawing in two formats."""

from pathlib import Path

from . import _html
from ._errors import OjaflowError

#: Beyond so many bytes a page shows the PNG: curves of a thousand runs are faster as pixels.
LARGE = 2 << 20


class Figure:
    """A figure of a published run.

    Attributes:
        name: of the stage that drew it: `fig4`.
        paths: its files by format: `svg`, `png`.
    """

    def __init__(self, name: str, paths: dict[str, Path], description: str, keep: object) -> None:
        self.name = name
        self.paths = paths
        self._description = description
        # What holds the folder of an unpacked archive.
        self._keep = keep

    @property
    def path(self) -> Path:
        """The SVG, or whatever there is of it."""
        return self.paths.get("svg") or next(iter(self.paths.values()))

    @property
    def svg(self) -> str:
        """The text of the SVG.

        Raises:
            OjaflowError: it cannot be read, or the figure has none.
        """
        return self._read("svg").decode()

    @property
    def png(self) -> bytes:
        """The bytes of the PNG.

        Raises:
            OjaflowError: it cannot be read, or the figure has none.
        """
        return self._read("png")

    def _read(self, kind: str) -> bytes:
        if kind not in self.paths:
            raise OjaflowError(f"the figure `{self.name}` has no {kind.upper()}")
        try:
            return self.paths[kind].read_bytes()
        except OSError as error:
            raise OjaflowError(f"the figure `{self.name}` cannot be read: {error}") from error

    def __repr__(self) -> str:
        return f"<Figure {self.name}: {', '.join(str(path) for path in self.paths.values())}>"

    def _repr_html_(self) -> str:
        svg = self.paths.get("svg")
        small = svg is not None and svg.is_file() and svg.stat().st_size <= LARGE
        kind = "svg" if small or "png" not in self.paths else "png"
        content = self._read(kind)
        return _html.image(content, "svg+xml" if kind == "svg" else "png", f"{self.name}: {self._description}")
