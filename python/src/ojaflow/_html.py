"""Pieces of HTML for notebooks. Nothing of a published file gets into a page but as text that is escaped or as an image."""

import base64
import html
from collections.abc import Iterable, Sequence


def escape(value: object) -> str:
    return html.escape(str(value))


def image(content: bytes, kind: str, description: str, style: str = "max-width:100%") -> str:
    """A picture. An SVG inside of an <img> runs no script and loads nothing.

    Args:
        content: its file.
        kind: `svg+xml` or `png`.
        description: for those who cannot see it.
    """
    encoded = base64.b64encode(content).decode()
    return f'<img src="data:image/{kind};base64,{encoded}" alt="{escape(description)}" style="{style}">'


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of text; cells are escaped."""
    cell = ' style="text-align:left;vertical-align:top"'
    head = "".join(f"<th{cell}>{escape(name)}</th>" for name in header)
    body = "".join("<tr>" + "".join(f"<td{cell}>{escape(item)}</td>" for item in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def number(value: float | None) -> str:
    """Four significant digits; a dash for what is missing."""
    return "–" if value is None else f"{value:.4g}"


def interval(estimate: float | None, low: float | None, high: float | None) -> str:
    """`0.841 [0.835, 0.847]`"""
    if estimate is None or low is None or high is None:
        return number(estimate)
    return f"{number(estimate)} [{number(low)}, {number(high)}]"
