//! What an interval says of a claim: it holds, it is refuted, or nothing was decided.
//!
//! A part of a claim is a bound on a contrast. It **holds** if the interval of the procedure at level α lies wholly on the
//! claimed side, and is **refuted** if the interval at level α/K, K the number of the claim's parts, lies wholly on the
//! other: a claim holds if all its parts hold, which needs no correction, and falls with any of them, which does.
//!
//! No interval is honest about a failure that was not seen yet. If any run failed, those of tuning included, the interval
//! must stay on its side with one more run at the mean + G and with one more at the mean − G, G being the gap between the
//! means of good and of failed runs; otherwise nothing was decided. If both sides are identical, nothing was either.

use super::contrast::{Contrast, Estimate};

/// What a part of a claim says of its contrast, in the unit of the values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// More than this.
    Above(f64),
    /// Less than this.
    Below(f64),
    /// Between the first and the second.
    Between(f64, f64),
}

/// What is known of a claim, or of a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The data say so.
    Holds,
    /// The data say the opposite.
    Refuted,
    /// The data say neither.
    Undecided,
}

/// Runs that failed, of either rule, tuning included: diverged, or whatever else was declared a failure beforehand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Failures {
    /// How many.
    pub n_failed: usize,
    /// G ≥ 0, mean of the good runs minus mean of the failed ones, in the unit of the values.
    pub gap: f64,
}

/// The verdict on one part of a claim, and what it rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// What is known of this part.
    pub verdict: Verdict,
    /// Given what was picked, at level α.
    pub given: Estimate,
    /// Of the procedure, at level α: what the verdict rests on.
    pub procedure: Estimate,
    /// Of the procedure, at level α/K: what a refutation rests on.
    pub procedure_for_refuting: Estimate,
    /// √V: by how much tuning alone spreads the result.
    pub selection_sd: f64,
    /// Both sides picked the same cell, so that there was nothing to compare.
    pub is_identical: bool,
    /// There was a verdict, and one more failed run would have taken it back: therefore undecided.
    pub withdrawn_for_failures: bool,
}

impl Bound {
    /// What an interval at level α and one at level α/K say.
    fn judge(self, at_holding: Estimate, at_refuting: Estimate) -> Verdict {
        let (holds, refuted) = match self {
            Bound::Above(bound) => (at_holding.low > bound, at_refuting.high < bound),
            Bound::Below(bound) => (at_holding.high < bound, at_refuting.low > bound),
            Bound::Between(low, high) => {
                (at_holding.low > low && at_holding.high < high, at_refuting.high < low || at_refuting.low > high)
            }
        };
        match (holds, refuted) {
            (true, _) => Verdict::Holds,
            (false, true) => Verdict::Refuted,
            (false, false) => Verdict::Undecided,
        }
    }
}

/// Judges one of the `parts` (K) of a claim at the two-sided level `alpha` of this look. `None` for fewer than two runs.
///
/// # Panics
/// If `alpha` does not lie between 0 and 1, or if `parts` is 0.
pub fn judge(contrast: &Contrast, bound: Bound, alpha: f64, parts: usize, failures: Failures) -> Option<Judgement> {
    assert!(parts > 0, "a claim has a part");
    let alpha_for_refuting = alpha / parts as f64;
    let procedure = contrast.estimate_procedure(alpha)?;
    let procedure_for_refuting = contrast.estimate_procedure(alpha_for_refuting)?;
    let is_identical = contrast.is_identical();
    let by_intervals = if is_identical { Verdict::Undecided } else { bound.judge(procedure, procedure_for_refuting) };

    let with_one_more = |gap| {
        let holding = contrast.estimate_procedure_with_one_more(gap, alpha)?;
        Some(bound.judge(holding, contrast.estimate_procedure_with_one_more(gap, alpha_for_refuting)?))
    };
    let stays = failures.n_failed == 0
        || (with_one_more(failures.gap)? == by_intervals && with_one_more(-failures.gap)? == by_intervals);
    let withdrawn_for_failures = by_intervals != Verdict::Undecided && !stays;
    Some(Judgement {
        verdict: if withdrawn_for_failures { Verdict::Undecided } else { by_intervals },
        given: contrast.estimate_given(alpha)?,
        procedure,
        procedure_for_refuting,
        selection_sd: contrast.selection_variance().sqrt(),
        is_identical,
        withdrawn_for_failures,
    })
}

/// The verdict on a claim from those on its parts: it holds if all do, and is refuted if any is. A claim without parts is
/// undecided.
pub fn combine(parts: &[Verdict]) -> Verdict {
    if parts.contains(&Verdict::Refuted) {
        Verdict::Refuted
    } else if !parts.is_empty() && parts.iter().all(|part| *part == Verdict::Holds) {
        Verdict::Holds
    } else {
        Verdict::Undecided
    }
}

#[cfg(test)]
mod tests {
    use super::super::contrast::{Side, Survivor};
    use super::*;

    const NONE_FAILED: Failures = Failures { n_failed: 0, gap: 0.0 };

    /// Twenty differences about `mean` with standard deviation 0.1: half-width at 2 % 0.057.
    fn about(mean: f64) -> Contrast {
        let values = (0..20).map(|i| mean + if i % 2 == 0 { 0.0975 } else { -0.0975 }).collect();
        Contrast::new(Side::of_one_cell(values).unwrap(), None).unwrap()
    }

    fn verdict(contrast: &Contrast, bound: Bound) -> Verdict {
        judge(contrast, bound, 0.02, 1, NONE_FAILED).unwrap().verdict
    }

    #[test]
    fn an_interval_is_on_one_side_or_undecided() {
        for (mean, above) in [(0.06, Verdict::Holds), (0.05, Verdict::Undecided), (-0.06, Verdict::Refuted)] {
            assert_eq!(verdict(&about(mean), Bound::Above(0.0)), above);
            assert_eq!(verdict(&about(-mean), Bound::Below(0.0)), above);
        }
        let between = Bound::Between(-0.1, 0.1);
        let expected = [(0.0, Verdict::Holds), (0.05, Verdict::Undecided), (0.2, Verdict::Refuted)];
        for (mean, within) in expected {
            assert_eq!(verdict(&about(mean), between), within);
            assert_eq!(verdict(&about(-mean), between), within);
        }
    }

    #[test]
    fn of_several_parts_a_refutation_needs_a_stricter_level() {
        let of_parts = |mean, parts| judge(&about(mean), Bound::Above(0.0), 0.02, parts, NONE_FAILED).unwrap().verdict;
        assert_eq!((of_parts(-0.06, 1), of_parts(-0.06, 4)), (Verdict::Refuted, Verdict::Undecided));
        assert_eq!((of_parts(0.06, 1), of_parts(0.06, 4)), (Verdict::Holds, Verdict::Holds));
    }

    #[test]
    fn a_claim_holds_with_all_its_parts_and_falls_with_any() {
        use Verdict::{Holds, Refuted, Undecided};
        assert_eq!(combine(&[Holds, Holds]), Holds);
        assert_eq!(combine(&[Holds, Undecided]), Undecided);
        assert_eq!(combine(&[Undecided, Refuted, Holds]), Refuted);
        assert_eq!(combine(&[]), Undecided);
    }

    #[test]
    fn where_a_run_failed_one_more_must_not_change_the_verdict() {
        let judged =
            |mean, n_failed, gap| judge(&about(mean), Bound::Above(0.0), 0.02, 1, Failures { n_failed, gap }).unwrap();
        let near = judged(0.06, 1, 0.4);
        assert_eq!((near.verdict, near.withdrawn_for_failures), (Verdict::Undecided, true));
        // Far enough from the bound; no run failed; a gap that is none.
        for judged in [judged(0.3, 1, 0.4), judged(0.06, 0, 0.4), judged(0.06, 1, 0.0)] {
            assert_eq!((judged.verdict, judged.withdrawn_for_failures), (Verdict::Holds, false));
        }
        let undecided = judged(0.0, 1, 0.4);
        assert_eq!((undecided.verdict, undecided.withdrawn_for_failures), (Verdict::Undecided, false));
    }

    #[test]
    fn rules_that_picked_the_same_cell_are_undecided_whatever_the_bound() {
        let side = || Side::new(vec![Survivor { probability: 1.0, values: vec![0.8, 0.9, 0.7] }]).unwrap();
        let contrast = Contrast::new(side(), Some(side())).unwrap();
        for bound in [Bound::Above(-0.1), Bound::Below(-0.1), Bound::Between(-0.1, 0.1)] {
            let judged = judge(&contrast, bound, 0.02, 1, NONE_FAILED).unwrap();
            assert!(judged.is_identical);
            assert_eq!((judged.verdict, judged.procedure.estimate), (Verdict::Undecided, 0.0));
        }
    }

    #[test]
    fn one_run_is_no_judgement() {
        let contrast = Contrast::new(Side::of_one_cell(vec![0.8]).unwrap(), None).unwrap();
        assert_eq!(judge(&contrast, Bound::Above(0.0), 0.02, 1, NONE_FAILED), None);
    }
}
