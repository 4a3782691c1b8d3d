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

impl Failures {
    /// No run failed.
    pub const NONE: Self = Self { n_failed: 0, gap: 0.0 };
}

impl Verdict {
    /// As a truth value, none where nothing was decided.
    pub fn holds(self) -> Option<bool> {
        match self {
            Self::Holds => Some(true),
            Self::Refuted => Some(false),
            Self::Undecided => None,
        }
    }

    /// As tables and pages say it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Refuted => "refuted",
            Self::Undecided => "undecided",
        }
    }
}

impl From<Option<bool>> for Verdict {
    /// The verdict that [`Verdict::holds`] stands for.
    fn from(holds: Option<bool>) -> Self {
        match holds {
            Some(true) => Self::Holds,
            Some(false) => Self::Refuted,
            None => Self::Undecided,
        }
    }
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
mod tests;
