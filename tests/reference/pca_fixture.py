"""Principal components by numpy and scipy: writes fixtures/pca_explained_variance.json.

Three independent routes to the variances must agree before anything is written: the singular values of the centred
matrix, numpy's eigvalsh of np.cov, and scipy's LAPACK driver "ev".

    python tests/reference/pca_fixture.py        # needs numpy and scipy
"""

import json
from pathlib import Path

import numpy as np
import scipy.linalg

N_SAMPLES, N_UNITS, N_FACTORS = 60, 12, 5


def main():
    rng = np.random.default_rng(20241014)
    # Few strong directions, small noise, means far from 0, one constant unit: what softplus activations look like.
    factors = rng.normal(size=(N_SAMPLES, N_FACTORS)) * [8.0, 4.0, 2.0, 1.0, 0.5]
    mixed = factors @ rng.normal(size=(N_FACTORS, N_UNITS)) + 0.01 * rng.normal(size=(N_SAMPLES, N_UNITS)) + 40.0
    mixed[:, 7] = 3.25
    # Multiples of 2^-10 below 2^13 are exact in float32 and short in JSON.
    activations = np.round(mixed * 1024) / 1024
    assert np.array_equal(activations, activations.astype(np.float32))

    singular = np.linalg.svd(activations - activations.mean(axis=0), compute_uv=False)
    by_svd = singular**2 / (N_SAMPLES - 1)
    by_eigh = np.linalg.eigvalsh(np.cov(activations, rowvar=False, ddof=1))[::-1]
    by_scipy = scipy.linalg.eigh(np.cov(activations, rowvar=False, ddof=1), eigvals_only=True, driver="ev")[::-1]
    for other in (by_eigh, by_scipy):
        assert np.max(np.abs(by_svd - other)) < 1e-12 * by_svd[0]

    fixture = {
        "made_by": f"pca_fixture.py, numpy {np.__version__}, scipy {scipy.__version__}",
        "n_samples": N_SAMPLES,
        "n_units": N_UNITS,
        "activations": activations.ravel().tolist(),
        "variance": by_svd.tolist(),
        "ratio": (by_svd / by_svd.sum()).tolist(),
        "cumulative_ratio": (np.cumsum(by_svd) / by_svd.sum()).tolist(),
    }
    path = Path(__file__).parent / "fixtures" / "pca_explained_variance.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(fixture) + "\n")


if __name__ == "__main__":
    main()
