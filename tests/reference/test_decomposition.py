"""The explained variance of every published decomposition, from the published activations."""

import numpy as np
import pytest

# Relative to the largest eigenvalue.
TOLERANCE = 1e-6


def expected(activations):
    """Variances, largest first, from the singular values; numpy's eigh of the covariance has to agree."""
    centred = activations - activations.mean(axis=0)
    n_samples, n_units = centred.shape
    variance = np.zeros(n_units)
    singular = np.linalg.svd(centred, compute_uv=False)
    variance[: len(singular)] = singular**2 / (n_samples - 1)
    by_eigh = np.linalg.eigh(np.cov(activations, rowvar=False, ddof=1))[0][::-1]
    assert np.abs(by_eigh - variance).max() <= 1e-10 * variance[0]
    return variance


@pytest.mark.stages("explained_variance")
def test_explained_variance(published):
    compared = 0
    for stage in published.stages("explained_variance"):
        table = published.frame(stage["name"])
        # Which activations: those whose task the stage's tasks read.
        (source,) = {
            name
            for name, entry in published.tables.items()
            if entry["schema"]["kind"] == "activations"
            and {part["key"] for part in entry["parts"]}
            == {read["key"] for task in stage["tasks"] for read in task["material"]["inputs"] if read["role"] == "activations"}
        }
        # Networks that have a time are decomposed at each of their times.
        place = ["run_id", "step", "layer"] + [name for name in ["time_step"] if name in table.columns]
        activations = {}
        for row in published.vectors(source, "activation"):
            activations.setdefault(tuple(row[name] for name in place), []).append(row["activation"])
        groups = dict(list(table.groupby(place, sort=False)))
        assert groups.keys() == activations.keys()
        for key, rows in groups.items():
            variance = expected(np.stack(activations[key]))
            assert list(rows["component"]) == list(range(1, len(variance) + 1))
            total = variance.sum()
            assert np.abs(rows["variance"] - variance).max() <= TOLERANCE * variance[0], key
            assert np.abs(rows["ratio"] - variance / total).max() <= TOLERANCE, key
            assert np.abs(rows["cumulative_ratio"] - np.cumsum(variance) / total).max() <= TOLERANCE, key
            compared += 1
    print(f"{compared} decompositions")
    assert compared > 0
