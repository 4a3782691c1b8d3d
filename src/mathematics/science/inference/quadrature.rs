//! Gauss–Legendre sums.

use std::f64::consts::PI;

/// Nodes and weights of the Gauss–Legendre sum of `n` terms over [−1, 1]: the roots x of P_n by Newton, from
/// cos π (i + 3/4) / (n + 1/2); weights 2 / ((1 − x²) P_n'(x)²) (DLMF 3.5.23 and table 3.5.2; Numerical Recipes, 4.6.1).
pub(super) fn gauss_legendre(n: usize) -> (Vec<f64>, Vec<f64>) {
    /// Newton doubles the digits of a guess that has two: 2, 4, 8, 16, and one step more.
    const STEPS: u32 = 5;
    let of_node = |i: usize| {
        let mut x = libm::cos(PI * (i as f64 + 0.75) / (n as f64 + 0.5));
        for _ in 0..STEPS {
            let (p, slope) = legendre(n, x);
            x -= p / slope;
        }
        let (_, slope) = legendre(n, x);
        (x, 2.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..n).map(of_node).unzip()
}

/// P_n(x) and its derivative, by the recursion k P_k = (2k − 1) x P_{k−1} − (k − 1) P_{k−2}.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut p) = (0.0, 1.0);
    for k in 1..=n {
        let k = k as f64;
        (before, p) = (p, ((2.0 * k - 1.0) * x * p - (k - 1.0) * before) / k);
    }
    (p, n as f64 * (x * p - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ∫ x^k over [−1, 1] is exact up to k = 2n − 1.
    #[test]
    fn gauss_legendre_integrates_polynomials() {
        for n in [2, 7, 40, 200] {
            let (nodes, weights) = gauss_legendre(n);
            for k in [0, 1, 2, 2 * n - 2, 2 * n - 1] {
                let sum: f64 = nodes.iter().zip(&weights).map(|(x, w)| w * x.powi(k as i32)).sum();
                let exact = if k % 2 == 0 { 2.0 / (k as f64 + 1.0) } else { 0.0 };
                assert!((sum - exact).abs() < 1e-13, "{n} nodes, power {k}: {sum}");
            }
        }
    }
}
