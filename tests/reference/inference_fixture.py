"""Intervals, probabilities of being picked and nominal levels by numpy and scipy: writes fixtures/inference.json.

Written from the equations: the hull of Student's t and Hall's cubic, the interval of the procedure, and draws of tuning
seeds made from streams.py. Nominal levels come from scipy's integral of the multivariate normal density, a route of its own.

    python tests/reference/inference_fixture.py        # needs numpy, scipy and blake3
"""

import json
from pathlib import Path

import numpy as np
import scipy
from scipy import optimize, stats
from streams import Stream


def hull(x, alpha):
    n = len(x)
    q = stats.t.ppf(1 - alpha / 2, n - 1) / np.sqrt(n)
    gamma = stats.skew(x)
    inverse = lambda u: u if abs(gamma) < 1e-6 else 3 / gamma * (np.cbrt(1 + gamma * (u - gamma / (6 * n))) - 1)
    s = np.std(x, ddof=1)
    return s * max(q, inverse(q)), s * max(q, -inverse(-q))


def probabilities(scores, seed, draws):
    stream = Stream(seed, "selection", 0)
    n = scores.shape[1]
    drawn = [[stream.below(n) for _ in range((n + 1) // 2)] for _ in range(draws)]
    best = [int(np.argmax(scores[:, seeds].mean(axis=1))) for seeds in drawn]
    return np.bincount(best, minlength=len(scores)) / draws


def selection_variance(pi, x):
    apart = x - pi @ x
    v = apart.var(axis=1, ddof=1) / x.shape[1]
    return max(0.0, float(pi @ ((x.mean(axis=1) - (pi @ x).mean()) ** 2 - v)))


def procedure(sides, alpha):
    (pi, x), (pi_minus, x_minus) = sides
    d = pi @ x - pi_minus @ x_minus
    below, above = hull(d, alpha)
    v = selection_variance(pi, x) + selection_variance(pi_minus, x_minus)
    t = stats.t.ppf(1 - alpha / 2, len(d) - 1)
    low, high = d.mean() - np.hypot(below, t * np.sqrt(v)), d.mean() + np.hypot(above, t * np.sqrt(v))
    return {"estimate": d.mean(), "low": low, "high": high, "selection_variance": v}


def nominal_level(looks, total):
    """P(no |z_k| > z) is a multivariate normal probability of a box; corr(z_j, z_k) = √(n_j / n_k)."""
    looks = np.array(looks, dtype=float)
    correlation = np.sqrt(np.minimum.outer(looks, looks) / np.maximum.outer(looks, looks))
    walk = stats.multivariate_normal(cov=correlation, seed=1, abseps=1e-9, releps=1e-9, maxpts=4_000_000)
    inside = lambda z: walk.cdf(np.full(len(looks), z), lower_limit=np.full(len(looks), -z))
    z = optimize.brentq(lambda z: 1 - inside(z) - total, 1.5, 4.0, xtol=1e-7)
    return 2 * stats.norm.sf(z)


def main():
    rng = np.random.default_rng(11)
    intervals = []
    for n, alpha in [(2, 0.02), (5, 0.02), (20, 0.00606), (40, 0.1)]:
        x = np.round(rng.normal(0.02, 0.08, n) + 0.1 * rng.exponential(size=n), 4)
        below, above = hull(x, alpha)
        intervals.append({"values": x.tolist(), "alpha": alpha, "below": below, "above": above})
    contrasts = []
    for seed, n_tuning, n_runs, alpha in [(0, 27, 20, 0.02), (2**40 + 3, 68, 40, 0.00606)]:
        sides, described = [], []
        for cells in (6, 3):
            means = np.sort(rng.normal(0.8, 0.02, cells))[::-1, None]
            scores = np.round(means + rng.normal(0, 0.07, (cells, n_tuning)), 4)
            x = np.round(means + rng.normal(0, 0.07, (cells, n_runs)), 4)
            pi = probabilities(scores, seed, 400)
            sides.append((pi, x))
            described.append({"scores": scores.tolist(), "probabilities": pi.tolist(), "values": x.tolist()})
        contrasts.append({"seed": str(seed), "alpha": alpha, "sides": described, **procedure(sides, alpha)})
    levels = [
        {"looks": looks, "total": total, "level": nominal_level(looks, total)}
        for looks, total in [([20, 40], 0.02), ([20, 40, 80], 0.02), ([10, 25, 30], 0.05), ([20, 40, 80, 160], 0.02)]
    ]
    fixture = {
        "made_by": f"inference_fixture.py, numpy {np.__version__}, scipy {scipy.__version__}",
        "intervals": intervals,
        "contrasts": contrasts,
        "levels": levels,
    }
    path = Path(__file__).parent / "fixtures" / "inference.json"
    path.write_text(json.dumps(fixture) + "\n")


if __name__ == "__main__":
    main()
