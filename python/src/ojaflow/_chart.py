"""Curves with their intervals as Altair charts, as the pipeline's own figure has them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ._errors import UnknownName
from ._extras import library

if TYPE_CHECKING:
    import altair

    #: One panel, or several.
    Chart: TypeAlias = altair.LayerChart | altair.ConcatChart

#: Okabe and Ito's colours, by the names that pipelines use.
COLOURS = {
    "black": "#000000",
    "blue": "#0072b2",
    "orange": "#e69f00",
    "green": "#009e73",
    "vermilion": "#d55e00",
    "purple": "#cc79a7",
    "sky": "#56b4e9",
}
#: Values that span more decades than this are drawn on a logarithmic scale, as the program's figures do.
DECADES = 3


def chart(name: str, rows: list[dict[str, Any]], figures: Sequence[Mapping[str, Any]], panel: object | None) -> "Chart":
    """A chart of the table `name`: one panel, or all side by side."""
    library("altair", "Table.chart()")
    import altair as alt

    panels = list(dict.fromkeys(row["panel"] for row in rows))
    figure = figures[0] if figures else {}
    described = {entry["panel"]: entry for entry in figure.get("panels", [])}
    if panel is None:
        # In the order of the figure; what it leaves out comes behind.
        shown = [one for one in described if one in panels] + [one for one in panels if one not in described]
    elif panel in panels:
        shown = [panel]
    else:
        raise UnknownName("panel", panel, panels, f" in `{name}`")
    drawn = [draw([row for row in rows if row["panel"] == one], {**figure, **described.get(one, {})}, one) for one in shown]
    return drawn[0] if len(drawn) == 1 else alt.concat(*drawn, columns=figure.get("columns", 2))


def draw(rows: list[dict[str, Any]], style: Mapping[str, Any], panel: object) -> "altair.LayerChart":
    import altair as alt

    found = list(dict.fromkeys(row["series"] for row in rows))
    described = {entry["series"]: entry for entry in style.get("series", [])}
    order = [one for one in described if one in found] + [one for one in found if one not in described]
    labels = {one: str(described.get(one, {}).get("label", one)) for one in order}
    values = [
        {name: row[name] for name in ("x", "mean", "ci_low", "ci_high")} | {"series": labels[row["series"]]}
        for row in rows
        # What diverged has no mean.
        if row["x"] is not None and row["mean"] is not None
    ]
    colours = [COLOURS.get(described.get(one, {}).get("colour", "")) for one in order]
    scale: dict[str, Any] = {"domain": list(labels.values())}
    if all(colours):
        scale["range"] = colours
    else:
        # Curves without a colour are an ordered sequence, such as layers.
        scale["scheme"] = "viridis" if described and not any(colours) else "tableau10"
    x = alt.X("x:Q", title=style.get("x_label") or "x", scale=axis(style, "x", values))
    y_scale = axis(style, "y", values)
    y_title = style.get("y_label") or "mean"
    # As opaque as the lines, not as the bands.
    legend = alt.Legend(symbolType="stroke", symbolOpacity=1, symbolStrokeWidth=2)
    base = alt.Chart(alt.InlineData(values=values)).encode(
        x=x,
        color=alt.Color("series:N", scale=alt.Scale(**scale), sort=None, title=None, legend=legend),
    )
    band = base.mark_area(opacity=0.2, clip=True).encode(y=alt.Y("ci_low:Q", title=y_title, scale=y_scale), y2="ci_high:Q")
    line = base.mark_line(clip=True, point=len(values) < 60).encode(
        y=alt.Y("mean:Q", title=y_title, scale=y_scale),
        tooltip=["series:N", "x:Q", "mean:Q", "ci_low:Q", "ci_high:Q"],
    )
    layered = alt.layer(band, line).properties(title=str(style.get("title") or panel), width=300, height=220)
    return cast("altair.LayerChart", layered)


def axis(style: Mapping[str, Any], name: str, values: list[dict[str, Any]]) -> "altair.Scale":
    """The scale of one axis: the range and kind that the figure asks for."""
    import altair as alt

    numbers = [row["x" if name == "x" else "mean"] for row in values]
    kind = style.get(f"{name}_scale", "auto")
    positive = bool(numbers) and min(numbers) > 0
    wide = positive and max(numbers) / min(numbers) > 10**DECADES
    options: dict[str, Any] = {"type": "log" if positive and (kind == "log" or (kind == "auto" and wide)) else "linear"}
    if style.get(f"{name}_range"):
        options["domain"] = style[f"{name}_range"]
    elif options["type"] == "linear":
        options["zero"] = False
    return alt.Scale(**options)
