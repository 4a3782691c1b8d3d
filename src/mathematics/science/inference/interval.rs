//! The interval of a mean over n runs: the hull of Student's t and Hall's transformation.
//!
//! With q = t(1 − α/2, n − 1) / √n, γ = m₃ / m₂^{3/2} from the central moments m_k = Σ (x_i − x̄)^k / n, and s the sample
//! standard deviation (with n − 1), paired t gives x̄ ± s q. Hall's cubic (P. Hall, On the removal of skewness by
//! transformation, J. R. Statist. Soc. B 54, 1992) makes the studentised mean symmetric to second order; its inverse is
//!
//!   inv(u) = (3/γ) [∛(1 + γ (u − γ / (6n))) − 1],   u itself where |γ| < 1e-6,
//!
//! and the interval is [x̄ − a, x̄ + b] with a = s max(q, inv(q)), b = s max(q, −inv(−q)): on normal data at most 4 % wider
//! than t, on skewed data as honest as a bootstrap of t, and without resampling.

use super::distributions::student_quantile;
use super::sample::{skewness, variance};

/// How far an interval reaches on either side of the mean, both in the unit of the values and not negative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HalfWidths {
    /// From the mean down to the lower bound.
    pub below: f64,
    /// From the mean up to the upper bound.
    pub above: f64,
}

/// Skewness below which Hall's cubic is the identity to all digits that matter.
const NOT_SKEWED: f64 = 1e-6;

/// Half-widths of the interval of the mean of `values`, finite numbers, at the two-sided level `alpha`.
///
/// `None` for fewer than two values, which say nothing about how far they scatter; 0 on both sides if all are equal.
///
/// # Panics
/// If `alpha` does not lie between 0 and 1.
pub fn half_widths(values: &[f64], alpha: f64) -> Option<HalfWidths> {
    if values.len() < 2 {
        return None;
    }
    let n = values.len() as f64;
    let q = student_quantile(1.0 - alpha / 2.0, n - 1.0) / n.sqrt();
    if values.iter().all(|value| *value == values[0]) {
        return Some(HalfWidths { below: 0.0, above: 0.0 });
    }
    let s = variance(values).sqrt();
    let gamma = skewness(values);
    let below = s * q.max(untransformed(q, gamma, n));
    let above = s * q.max(-untransformed(-q, gamma, n));
    Some(HalfWidths { below, above })
}

/// The inverse of Hall's cubic at u.
fn untransformed(u: f64, gamma: f64, n: f64) -> f64 {
    if gamma.abs() < NOT_SKEWED {
        return u;
    }
    3.0 / gamma * (libm::cbrt(1.0 + gamma * (u - gamma / (6.0 * n))) - 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn too_few_values_have_no_interval_and_equal_ones_an_empty_one() {
        assert_eq!(half_widths(&[], 0.02), None);
        assert_eq!(half_widths(&[0.8], 0.02), None);
        assert_eq!(half_widths(&[0.1; 7], 0.02), Some(HalfWidths { below: 0.0, above: 0.0 }));
    }

    /// Worked by hand with t(0.99, 3) = 4.540702858568: mean 2, s = 2 √(2/3), γ = 1.154701.
    #[test]
    fn a_skewed_sample_by_hand() {
        let found = half_widths(&[1.0, 1.0, 1.0, 5.0], 0.02).unwrap();
        let q = 4.540_702_858_568_132 / 2.0;
        let gamma = 2.0 / 3_f64.sqrt();
        let inv = |u: f64| 3.0 / gamma * ((1.0 + gamma * (u - gamma / 24.0)).cbrt() - 1.0);
        assert!(inv(q) < q && -inv(-q) > q, "skewed to the right reaches further up");
        assert!((found.below - 2.0 * q).abs() < 1e-12, "{found:?}");
        assert!((found.above + 2.0 * inv(-q)).abs() < 1e-12, "{found:?}");
    }

    /// Φ(2.576) = 0.995: with 1e5 values t is normal and half the width s z / √n.
    #[test]
    fn many_values_have_the_normal_interval() {
        let values: Vec<f64> = (0..100_000).map(|i| if i % 2 == 0 { -1.0 } else { 1.0 }).collect();
        let found = half_widths(&values, 0.01).unwrap();
        assert!((found.above * 100_000_f64.sqrt() - 2.575_829).abs() < 1e-4, "{found:?}");
    }

    fn samples() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(-1.0_f64..1.0, 2..30).prop_filter("values that scatter", |values| variance(values) > 1e-6)
    }

    fn assert_close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-9 * (a.abs() + b.abs()), "{a} and {b}");
    }

    proptest! {
        #[test]
        fn shifting_moves_nothing_and_stretching_stretches(
            values in samples(), shift in -5.0_f64..5.0, factor in 0.1_f64..10.0
        ) {
            let plain = half_widths(&values, 0.02).unwrap();
            let moved: Vec<f64> = values.iter().map(|x| factor * x + shift).collect();
            let moved = half_widths(&moved, 0.02).unwrap();
            assert_close(moved.below, factor * plain.below);
            assert_close(moved.above, factor * plain.above);
        }

        #[test]
        fn turning_the_values_round_turns_the_interval_round(values in samples()) {
            let turned: Vec<f64> = values.iter().map(|x| -x).collect();
            let (plain, turned) = (half_widths(&values, 0.02).unwrap(), half_widths(&turned, 0.02).unwrap());
            assert_close(plain.below, turned.above);
            assert_close(plain.above, turned.below);
        }

        #[test]
        fn symmetric_values_have_a_symmetric_interval(values in samples()) {
            let both: Vec<f64> = values.iter().flat_map(|x| [*x, -*x]).collect();
            let found = half_widths(&both, 0.02).unwrap();
            assert_close(found.below, found.above);
        }

        #[test]
        fn a_stricter_level_is_a_wider_interval(values in samples(), alpha in 0.001_f64..0.3, factor in 0.1_f64..0.99) {
            let (lax, strict) = (half_widths(&values, alpha).unwrap(), half_widths(&values, alpha * factor).unwrap());
            prop_assert!(strict.below >= lax.below && strict.above >= lax.above);
        }

        #[test]
        fn never_narrower_than_student_s(values in samples()) {
            let found = half_widths(&values, 0.02).unwrap();
            let n = values.len() as f64;
            let t = student_quantile(0.99, n - 1.0) * (variance(&values) / n).sqrt();
            // Up to the last digit of s/√n, which is a root of a quotient here.
            prop_assert!(found.below >= t * (1.0 - 1e-12) && found.above >= t * (1.0 - 1e-12));
        }
    }
}
