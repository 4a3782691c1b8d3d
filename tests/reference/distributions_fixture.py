"""Probabilities and quantiles by scipy: writes fixtures/distributions.json.

Two independent routes must agree before anything is written: scipy.stats, and mpmath's incomplete beta and gamma
functions with 40 digits.

    python tests/reference/distributions_fixture.py        # needs scipy and mpmath
"""

import json
from pathlib import Path

import mpmath
import scipy
from scipy import stats

mpmath.mp.dps = 40
HALF = mpmath.mpf(1) / 2
PROBABILITIES = [1e-9, 1e-4, 0.003, 0.01, 0.1, 0.3, 0.7, 0.9, 0.99, 0.997, 0.9999]
DEGREES_OF_FREEDOM = [1, 2, 2.5, 3, 9, 19, 39, 79, 159, 1000, 10_000]


def student_cdf(t, dof):
    t, dof = mpmath.mpf(t), mpmath.mpf(dof)
    tail = HALF * mpmath.betainc(dof / 2, HALF, 0, dof / (dof + t * t), regularized=True)
    return 1 - tail if t > 0 else tail


def normal_cdf(x, _):
    return HALF * mpmath.erfc(-mpmath.mpf(x) / mpmath.sqrt(2))


def chi_squared_cdf(x, dof):
    return mpmath.gammainc(mpmath.mpf(dof) / 2, 0, mpmath.mpf(x) / 2, regularized=True)


def refined(cdf, density, p, dof, x):
    """scipy's quantile after two Newton steps in 40 digits: no further than scipy's own error, and nearer to the truth."""
    x = mpmath.mpf(x)
    for _ in range(3):
        x -= (cdf(x, dof) - mpmath.mpf(p)) / density(x, dof)
    return float(x)


def normal_density(x, _):
    return mpmath.npdf(x)


def student_density(t, dof):
    dof = mpmath.mpf(dof)
    scale = mpmath.gamma((dof + 1) / 2) / mpmath.gamma(dof / 2) / mpmath.sqrt(dof * mpmath.pi)
    return scale * (1 + t * t / dof) ** (-(dof + 1) / 2)


def chi_squared_density(x, dof):
    a = mpmath.mpf(dof) / 2
    return mpmath.exp((a - 1) * mpmath.log(x / 2) - x / 2 - mpmath.loggamma(a)) / 2


def agreeing(first, second):
    assert abs(first - second) <= 1e-9 * abs(second), (first, second)
    return second


def main():
    xs = [-30.0, -8.0, -3.1, -1.0, -0.25, 0.0, 0.5, 1.5, 2.744, 6.0, 9.0]
    ps, dofs = PROBABILITIES, DEGREES_OF_FREEDOM
    fixture = {
        "made_by": f"distributions_fixture.py, scipy {scipy.__version__}, mpmath {mpmath.__version__}",
        "normal_cdf": [[x, 0, agreeing(stats.norm.cdf(x), float(normal_cdf(x, 0)))] for x in xs],
        "normal_quantile": [
            [p, 0, agreeing(q := stats.norm.ppf(p), refined(normal_cdf, normal_density, p, 0, q))] for p in ps
        ],
        "student_cdf": [
            [t, dof, agreeing(stats.t.cdf(t, dof), float(student_cdf(t, dof)))] for t in xs[1:] for dof in dofs
        ],
        "student_quantile": [
            [p, dof, agreeing(q := stats.t.ppf(p, dof), refined(student_cdf, student_density, p, dof, q))]
            for p in ps
            for dof in dofs
        ],
        "chi_squared_quantile": [
            [p, dof, agreeing(q := stats.chi2.ppf(p, dof), refined(chi_squared_cdf, chi_squared_density, p, dof, q))]
            for p in ps
            for dof in dofs
        ],
    }
    path = Path(__file__).parent / "fixtures" / "distributions.json"
    path.write_text(json.dumps(fixture) + "\n")


if __name__ == "__main__":
    main()
