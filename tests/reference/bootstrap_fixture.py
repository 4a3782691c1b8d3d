"""Bootstrap intervals by numpy, on resamples made from the same stream: writes fixtures/bootstrap_intervals.json.

The resampled runs come from streams.py, the means from numpy's sums and the bounds from numpy.percentile.

    python tests/reference/bootstrap_fixture.py        # needs numpy and blake3
"""

import json
from pathlib import Path

import numpy as np
from streams import Stream

LEVEL, N_RESAMPLES = 0.98, 500


def resamples(seed, n_runs):
    stream = Stream(seed, "bootstrap", 0)
    return np.array([[stream.below(n_runs) for _ in range(n_runs)] for _ in range(N_RESAMPLES)])


def interval(estimate, resampled):
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return {"mean": float(estimate), "ci_low": float(low), "ci_high": float(high)}


def main():
    rng = np.random.default_rng(5)
    cases = []
    for seed, n_runs in [(0, 20), (1, 20), (2**40 + 3, 7), (3, 2)]:
        # Accuracies and norms: multiples of 1e-4 with outliers.
        a = np.round(rng.normal(0.8, 0.05, n_runs) + 0.3 * rng.exponential(size=n_runs), 4)
        b = np.round(a - 0.02 + rng.normal(0, 0.01, n_runs), 4)
        runs = resamples(seed, n_runs)
        groups = np.stack([a, b, b[::-1] + 1.0])
        spread = groups[:, runs].mean(axis=2)
        cases.append(
            {
                "seed": seed,
                "a": a.tolist(),
                "b": b.tolist(),
                "interval": interval(a.mean(), a[runs].mean(axis=1)),
                "difference": interval((a - b).mean(), (a - b)[runs].mean(axis=1)),
                "ratio": interval(a.mean() / b.mean(), a[runs].mean(axis=1) / b[runs].mean(axis=1)),
                "groups": groups.ravel().tolist(),
                "spread": interval(
                    groups.mean(axis=1).max() / groups.mean(axis=1).min(), spread.max(axis=0) / spread.min(axis=0)
                ),
            }
        )
    fixture = {
        "made_by": f"bootstrap_fixture.py, numpy {np.__version__}",
        "level": LEVEL,
        "n_resamples": N_RESAMPLES,
        "cases": cases,
    }
    path = Path(__file__).parent / "fixtures" / "bootstrap_intervals.json"
    path.write_text(json.dumps(fixture, indent=1) + "\n")


if __name__ == "__main__":
    main()
