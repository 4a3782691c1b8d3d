//! How many runs a verdict would need, and how probable one is with the runs there are.
//!
//! With s the standard deviation of the paired differences D_i, V the variance that picking adds, d the distance of the
//! effect from the bound, and z = z(1 − α/2), the mean of n runs lies beyond the bound's interval with probability
//!
//!   Φ(d / √(s²/n + V) − z),
//!
//! which is 80 % where d = (z + 0.842) √(s²/n + V), so that
//!
//!   N = s² / ((d / (z + 0.842))² − V) + z²/2;
//!
//! z²/2 is what Student's t costs beyond the normal (Guenther, Sample size formulas for normal theory t tests, The American
//! Statistician 35, 1981). If the denominator is not positive, no number of runs decides. d is to be fixed beforehand, the
//! paper's effect minus the bound: an observed effect that is small by luck would ask for many runs, one that is large for
//! none. On skewed or bimodal data all this is unreliable.

use super::distributions::{chi_squared_quantile, normal_cdf, normal_quantile};

/// The power that N is for.
const POWER: f64 = 0.8;

/// N is given with the range that the uncertainty of s leaves, from this quantile of χ² and the one as far from the top.
const TAIL_OF_RANGE: f64 = 0.1;

/// What a verdict needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Needed {
    /// More figure runs.
    Runs {
        /// N, rounded up, for the s that was measured.
        n: usize,
        /// N for s √((n − 1)/χ²) at the 90 % point of χ²: s may be that small.
        low: usize,
        /// The same at the 10 % point: s may be that large.
        high: usize,
    },
    /// More figure runs cannot decide it: tuning alone spreads the result by ± `spread`.
    CannotDecide {
        /// √V, in the unit of the values.
        spread: f64,
    },
}

/// Figure runs for which a verdict at the two-sided level `alpha` has a power of 80 %, if the effect lies `distance` from
/// the bound.
///
/// `s` is the sample standard deviation of `n` paired differences, `selection_variance` is V; all in the unit of the values.
///
/// # Panics
/// If `n` is less than 2, or if `alpha` does not lie between 0 and 1.
pub fn runs_needed(s: f64, n: usize, distance: f64, selection_variance: f64, alpha: f64) -> Needed {
    assert!(n >= 2, "a standard deviation needs two runs, got {n}");
    let z = normal_quantile(1.0 - alpha / 2.0);
    let resolvable = distance / (z + normal_quantile(POWER));
    let variance_of_mean = resolvable * resolvable - selection_variance;
    if variance_of_mean <= 0.0 {
        return Needed::CannotDecide { spread: selection_variance.sqrt() };
    }
    let dof = n as f64 - 1.0;
    let runs = |variance: f64| (variance / variance_of_mean + 0.5 * z * z).ceil() as usize;
    let with_chi_squared_at = |p| runs(s * s * dof / chi_squared_quantile(p, dof));
    Needed::Runs {
        n: runs(s * s),
        low: with_chi_squared_at(1.0 - TAIL_OF_RANGE),
        high: with_chi_squared_at(TAIL_OF_RANGE),
    }
}

/// Probability that `n` runs give a verdict at the two-sided level `alpha` for an effect that lies `distance` from the
/// bound; normal approximation. 0 without runs.
///
/// # Panics
/// If `alpha` does not lie between 0 and 1.
pub fn power_at(n: usize, s: f64, selection_variance: f64, distance: f64, alpha: f64) -> f64 {
    let z = normal_quantile(1.0 - alpha / 2.0);
    let deviation = (s * s / n as f64 + selection_variance).sqrt();
    // Without any scatter the bound is met exactly, and nothing lies beyond it.
    let deviations = if distance == 0.0 { 0.0 } else { distance.abs() / deviation };
    if n == 0 { 0.0 } else { normal_cdf(deviations - z) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: z(0.99) = 2.3263, z(0.8) = 0.8416; (0.083 / (0.03 / 3.1680))² + 2.706 = 79.5.
    #[test]
    fn runs_by_hand() {
        let Needed::Runs { n, low, high } = runs_needed(0.083, 20, 0.03, 0.0, 0.02) else { panic!("V is 0") };
        assert_eq!(n, 80);
        // χ² with 19 degrees of freedom: 11.651 and 27.204 at 10 and 90 %, so 76.82 · 19/27.204 and 76.82 · 19/11.651.
        assert_eq!((low, high), (57, 128));
    }

    #[test]
    fn where_picking_spreads_further_than_the_distance_runs_do_not_help() {
        let found = runs_needed(0.083, 20, 0.03, 0.0001, 0.02);
        assert_eq!(found, Needed::CannotDecide { spread: 0.01 });
        assert_eq!(runs_needed(0.083, 20, 0.0, 0.0, 0.02), Needed::CannotDecide { spread: 0.0 });
        let Needed::Runs { n, .. } = runs_needed(0.083, 20, 0.03, 0.00005, 0.02) else { panic!("0.0095² exceeds V") };
        assert!(n > 80, "{n}");
    }

    #[test]
    fn the_runs_that_are_needed_have_the_power_they_are_for() {
        for (distance, v) in [(0.02, 0.0), (0.05, 0.0), (0.05, 0.0001)] {
            let Needed::Runs { n, .. } = runs_needed(0.083, 20, distance, v, 0.006) else { panic!("V is small") };
            let power = power_at(n, 0.083, v, distance, 0.006);
            // z²/2 = 3.8 runs on top, and one by rounding up.
            assert!((0.8..0.86).contains(&power), "{n} runs: {power}");
        }
    }

    #[test]
    fn at_the_bound_a_verdict_is_as_probable_as_a_false_one() {
        assert!((power_at(20, 0.083, 0.0, 0.0, 0.02) - 0.01).abs() < 1e-12);
        assert_eq!(power_at(0, 0.083, 0.0, 0.05, 0.02), 0.0);
        assert!(power_at(20, 0.083, 0.0, 0.05, 0.02) < power_at(40, 0.083, 0.0, 0.05, 0.02));
    }
}
