"""What notebooks show: all of it is there, and nothing of a published file becomes part of the page."""

import base64
import json
from html.parser import HTMLParser

import ojaflow
import pytest
from ojaflow._claims import read
from test_claims import row

#: Whatever else is in a page came from a file.
ELEMENTS = {"b", "code", "div", "h3", "img", "p", "table", "tbody", "td", "th", "thead", "tr"}
ATTRIBUTES = {"alt", "src", "style"}


class Page(HTMLParser):
    """Elements, their attributes, and the text between them; anything that has no business there fails."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.images, self.text = [], [], ""
        self.feed(html)
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag, attrs):
        assert tag in ELEMENTS, tag
        assert {name for name, _ in attrs} <= ATTRIBUTES, attrs
        if tag == "img":
            self.images.append(dict(attrs))
        else:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def content(image):
    head, _, encoded = image["src"].partition(",")
    return head, base64.b64decode(encoded)


def test_a_run(run):
    page = Page(run._repr_html_())
    [image] = page.images
    assert content(image) == ("data:image/svg+xml;base64", run.figures["smoke"].svg.encode())
    assert image["alt"] == f"smoke: {run.title}"
    claim = run.claims["smoke"]
    for text in (run.title, "matrix.seed.count=2", claim.verdict, claim.statement, "the worst of 2 parts", "train_weights"):
        assert text in page.text, text


def test_tables_claims_and_figures(run):
    page = Page(run["train_evaluations"]._repr_html_())
    assert "samples" in page.text and run["train_evaluations"].columns["step"].description in page.text
    page = Page(run.claims["smoke"]._repr_html_())
    assert all(part.condition in page.text for part in run.claims["smoke"].parts)
    assert f"{run.claims['smoke'].parts[0].estimate:.4g} [" in page.text
    [image] = Page(run.figures["smoke"]._repr_html_()).images
    assert content(image)[1].startswith(b"<svg")
    assert run.figures["smoke"].png.startswith(b"\x89PNG")


def test_a_large_figure_is_shown_as_pixels(run, monkeypatch):
    monkeypatch.setattr("ojaflow._figure.LARGE", 10)
    [image] = Page(run.figures["smoke"]._repr_html_()).images
    assert content(image) == ("data:image/png;base64", run.figures["smoke"].png)


EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&lt;"


def test_nothing_of_a_file_becomes_part_of_the_page(copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["title"] = manifest["pipeline"] = EVIL
    manifest["overrides"] = [EVIL]
    for table in manifest["tables"]:
        if table["schema"]["kind"] != "claims":
            table["name"] += EVIL
            for column in table["schema"]["columns"]:
                column.update(name=EVIL, type=EVIL, unit=EVIL, description=EVIL)
    (copy / "manifest.json").write_text(json.dumps(manifest))
    (copy / "smoke.svg").write_text(f"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(3)'>{EVIL}</svg>")
    run = ojaflow.open(copy)
    page = Page(run._repr_html_())
    # As an image, where no script runs.
    assert len(page.images) == 1 and b"onload" in content(page.images[0])[1]
    assert page.images[0]["alt"].endswith(EVIL)
    assert page.text.count(EVIL) > len(run.tables)
    assert EVIL in Page(run[f"accuracy{EVIL}"]._repr_html_()).text
    evil = {"statement": EVIL, "condition": EVIL, "remark": EVIL}
    claims = read([row(EVIL, **evil), row(EVIL, **evil)])
    assert EVIL in Page(claims._repr_html_()).text and Page(claims[0]._repr_html_()).text.count(EVIL) == 5


def test_what_is_missing_is_said(copy):
    run = ojaflow.open(copy)
    (copy / "smoke.svg").unlink()
    assert content(Page(run._repr_html_()).images[0])[0] == "data:image/png;base64"
    (copy / "smoke.png").unlink()
    (copy / "claims.parquet").unlink()
    # Another time: a run remembers its claims.
    page = Page(ojaflow.open(copy)._repr_html_())
    assert "the figure `smoke` cannot be read" in page.text and "claims.parquet is not there" in page.text


# ---------------------------------------------------------------------------------------------------------- charts


def panels(chart):
    """Of each panel: the values, the encoding of the band, that of the line."""
    found = []
    for one in chart.get("concat", [chart]):
        band, line = one["layer"]
        assert band["mark"]["type"] == "area" and line["mark"]["type"] == "line"
        name = (one.get("data") or band.get("data") or chart["data"])["name"]
        found.append((chart["datasets"][name], band["encoding"], line["encoding"]))
    return found


def test_a_chart_has_the_rows_of_its_table(run):
    chart = run.chart().to_dict()
    rows = run["summary"].rows()
    names = list(dict.fromkeys(row["panel"] for row in rows))
    assert len(names) == 3 and chart["columns"] == 3
    labels = {"bp": "BP", "bp_oja": "BP+Oja"}
    for panel, (values, band, line) in zip(names, panels(chart), strict=True):
        expected = [
            {**{name: one[name] for name in ("x", "mean", "ci_low", "ci_high")}, "series": labels[one["series"]]}
            for one in rows
            if one["panel"] == panel
        ]
        assert values == expected
        assert (band["y"]["field"], band["y2"]["field"], line["y"]["field"]) == ("ci_low", "ci_high", "mean")


def test_a_chart_looks_like_the_figure(run):
    [(values, _, line)] = panels(run.chart("accuracy").to_dict())
    assert line["x"]["title"] == "Training samples" and line["y"]["title"] == "Validation accuracy"
    assert line["y"]["scale"]["domain"] == [0, 1]
    scale = line["color"]["scale"]
    assert scale["domain"] == ["BP", "BP+Oja"]
    # The program's own colours.
    assert all(colour in run.figures["smoke"].svg for colour in scale["range"]) and len(scale["range"]) == 2
    assert {value["series"] for value in values} == {"BP", "BP+Oja"}


def test_by_table_and_by_panel(run):
    whole = run.chart("summary").to_dict()
    assert whole == run["summary"].chart().to_dict() == run.chart().to_dict()
    assert run.chart("accuracy").to_dict() == run["summary"].chart("accuracy").to_dict()
    with pytest.raises(KeyError, match="no panel `acuracy` in `summary`; did you mean `accuracy`"):
        run["summary"].chart("acuracy")
    with pytest.raises(KeyError, match="no table with curves nor a panel `acuracy` in `smoke`"):
        run.chart("acuracy")
    with pytest.raises(ojaflow.OjaflowError, match="`accuracy_gain` has no curves to draw: it lacks .*`panel`"):
        run.chart("accuracy_gain")


def test_scales():
    from ojaflow._chart import chart

    def scale(values, **style):
        rows = [
            {"panel": "p", "series": 1, "x": x, "mean": y, "ci_low": y, "ci_high": y} for x, y in enumerate(values, start=1)
        ]
        [(_, _, line)] = panels(chart("t", rows, [style] if style else [], None).to_dict())
        return line["y"]["scale"]["type"]

    assert scale([1, 999]) == "linear"
    assert scale([1, 1001]) == "log", "as the program's figures beyond three decades"
    assert scale([0, 1001]) == scale([-1, 1001]) == "linear", "what is not positive has no logarithm"
    assert scale([1, 1001], y_scale="linear") == "linear"
    assert scale([1, 2], y_scale="log") == "log"


def test_what_diverged_leaves_a_gap():
    from ojaflow._chart import chart

    rows = [
        {"panel": "p", "series": "a", "x": x, "mean": y, "ci_low": y, "ci_high": y} for x, y in [(1, 0.5), (2, None), (3, 0.25)]
    ]
    [(values, _, _)] = panels(chart("t", rows, [], None).to_dict())
    assert [value["x"] for value in values] == [1, 3]
