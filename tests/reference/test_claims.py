"""Every verdict judged again from the values of runs that stand beside it, with scipy's quantiles."""


import numpy as np
import pytest
from scipy import stats


def half_widths(values, alpha):
    """The hull of Student's t and Hall's cubic: how far the interval of a mean reaches down and up."""
    n = len(values)
    deviation, apart = values.std(ddof=1), values - values.mean()
    if deviation == 0:
        return 0.0, 0.0
    q = stats.t.ppf(1 - alpha / 2, n - 1) / np.sqrt(n)
    skewness = (apart**3).mean() / (apart**2).mean() ** 1.5
    cubic = lambda u: u if abs(skewness) < 1e-6 else 3 / skewness * (np.cbrt(1 + skewness * (u - skewness / (6 * n))) - 1)
    return deviation * max(q, cubic(q)), deviation * max(q, -cubic(-q))


def side(rows):
    """x (cells × runs) and the probability of each cell."""
    cells = [rows[rows["cell"] == cell].sort_values("seed") for cell in sorted(set(rows["cell"]))]
    probabilities = np.array([cell["probability"].iloc[0] for cell in cells])
    return np.array([cell["value"] for cell in cells]), probabilities / probabilities.sum()


def variance_of_picking(x, probabilities):
    apart = x - probabilities @ x
    noise = apart.var(axis=1, ddof=1) / x.shape[1]
    return max(0.0, (probabilities * (apart.mean(axis=1) ** 2 - noise)).sum())


def expected(rows, alpha):
    """Estimate and interval of the procedure, and those of what was picked."""
    sides = [side(rows[rows["part"] == part]) for part in ("plus", "minus") if (rows["part"] == part).any()]
    signs = [1, -1][: len(sides)]
    mixture = sum(sign * (p @ x) for sign, (x, p) in zip(signs, sides))
    picked = sum(sign * x[0] for sign, (x, _) in zip(signs, sides))
    variance = sum(variance_of_picking(x, p) for x, p in sides)
    t = stats.t.ppf(1 - alpha / 2, len(mixture) - 1)
    below, above = (np.hypot(half, t * np.sqrt(variance)) for half in half_widths(mixture, alpha))
    given = half_widths(picked, alpha)
    return (
        [mixture.mean(), mixture.mean() - below, mixture.mean() + above],
        [picked.mean(), picked.mean() - given[0], picked.mean() + given[1]],
        np.sqrt(variance),
    )


def chosen(values, selection):
    """The rows in which each column has the wanted value, or one of several."""
    for name, wanted in selection.items():
        values = values[values[name].isin(wanted if isinstance(wanted, list) else [wanted])]
    return values


def groups(published, condition):
    """The values that a condition speaks of, one table a part of the claim."""
    values = chosen(published.frame(condition["of"] + "_values"), condition["where"] | condition["for_all"])
    keys = published.tables[condition["of"]]["schema"]["key"]
    return [rows for _, rows in values.groupby(keys)] if keys else [values]


def judged(bound, low, high):
    least, most = bound
    above, below = least is None or low > least, most is None or high < most
    if above and below:
        return "holds"
    return "refuted" if (least is not None and high < least) or (most is not None and low > most) else "undecided"


def compare_probability(published, condition, found):
    """A claim that something is probable: true above the bound, false where the contrary is above it."""
    values = chosen(published.frame(condition["of"]), condition["where"])
    (probability,), least = values[condition["probability"]], condition["bound"][0]
    verdict = "holds" if probability > least else "refuted" if 1 - probability > least else "undecided"
    assert [(row.estimate, row.verdict) for row in found.itertuples()] == [(probability, verdict)]
    return 1


@pytest.mark.stages("claims")
def test_verdicts(published):
    (stage,) = published.stages("claims")
    conditions = stage["tasks"][0]["material"]["parameters"]["conditions"]
    table, compared = published.frame("claims"), 0
    for condition in conditions:
        rows = table[table["claim"] == condition["claim"]]
        found = rows[rows["condition"].str.contains(f" in {condition['of']}")]
        if "probability" in condition:
            compared += compare_probability(published, condition, found)
            continue
        expectations = [expected(group, found["level"].iloc[0]) for group in groups(published, condition)]
        for (estimate, low, high), picked, spread in expectations:
            row = found.iloc[(found["estimate"] - estimate).abs().argmin()]
            numbers = row[["estimate", "ci_low", "ci_high", "picked_estimate", "picked_low", "picked_high"]]
            np.testing.assert_allclose(numbers.astype(float), [estimate, low, high, *picked], rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(row["tuning_sd"], spread, rtol=1e-6, atol=1e-9)
            refuted = judged(condition["bound"], row["refute_low"], row["refute_high"])
            verdict = judged(condition["bound"], low, high)
            verdict = refuted if verdict == "refuted" and refuted != "refuted" else verdict
            assert row["verdict"] == verdict, row
            compared += 1
    assert compared >= len(conditions)
    print(f"{compared} verdicts")
