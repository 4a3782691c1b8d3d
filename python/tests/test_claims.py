"""Claims, from the table of a run and from made-up ones."""

import math

import ojaflow
import pytest
from ojaflow._claims import read


def row(claim="C1", verdict="holds", bound="above", threshold=0.0, estimate=1.0, ci=(0.5, 1.5), **more):
    low, high = ci if ci is not None else (None, None)
    return {
        "claim": claim,
        "statement": f"what {claim} says",
        "condition": f"{bound} {threshold}",
        "estimate": estimate,
        "ci_low": low,
        "ci_high": high,
        "bound": bound,
        "threshold": threshold,
        "threshold_high": None,
        "verdict": verdict,
        "n_runs": 20,
        "remark": "",
    } | more


def test_of_a_run(run):
    claim = run.claims["smoke"]
    assert claim is run.claims[0] and len(run.claims) == 1 and list(run.claims) == [claim]
    rows = run["claims"].rows()
    assert [part.condition for part in claim.parts] == [one["condition"] for one in rows]
    assert [part.interval for part in claim.parts] == [(one["ci_low"], one["ci_high"]) for one in rows]
    assert claim.verdict in ("holds", "refuted", "undecided") and claim.parts[0].n_runs == 2
    assert claim.estimate in [one["estimate"] for one in rows]
    with pytest.raises(KeyError, match="no claim `smokey`; did you mean `smoke`"):
        run.claims["smokey"]


@pytest.mark.parametrize(
    ("verdicts", "expected", "holds"),
    [
        (["holds"], "holds", True),
        (["holds", "holds"], "holds", True),
        (["holds", "undecided"], "undecided", None),
        (["undecided", "refuted", "holds"], "refuted", False),
    ],
)
def test_a_claim_holds_if_all_of_it_does(verdicts, expected, holds):
    [claim] = read(row(verdict=verdict) for verdict in verdicts)
    assert claim.verdict == expected and claim.holds is holds


def test_the_worst_part_is_the_one_that_clears_its_bound_by_the_least():
    above = row(threshold=0.1, ci=(0.4, 2.0))
    below = row(bound="below", threshold=1.0, ci=(-1.0, 0.8))
    between = row(bound="between", threshold=0.0, threshold_high=1.0, ci=(0.25, 0.95))
    [claim] = read([above, below, between])
    assert [part.margin for part in claim.parts] == pytest.approx([0.3, 0.2, 0.05])
    assert claim.worst is claim.parts[2] and claim.interval == (0.25, 0.95)
    [claim] = read([above, row(ci=None, estimate=None)])
    assert claim.estimate is None and claim.interval is None and math.isinf(claim.worst.margin)
    assert "–" in str(claim)


def test_of_a_composition():
    rows = [row(pipeline="fig1"), row(pipeline="fig1_fashion"), row("C2", pipeline="fig1")]
    claims = read(rows)
    assert [claim.statement for claim in claims] == ["what C1 says (fig1)", "what C1 says (fig1_fashion)", "what C2 says"]


def test_sequences():
    claims = read([row("C1"), row("C2"), row("C3")])
    assert [claim.name for claim in claims[1:]] == ["C2", "C3"] and isinstance(claims[1:], ojaflow.Claims)
    assert claims[-1].name == "C3" and repr(claims).count("holds") == 3
    assert len(ojaflow.Claims()) == 0 and repr(ojaflow.Claims()) == "<Claims: none>"
