//! The parts of a claim → its verdict, look by look.

use super::looks::Looks;
use super::parts::Part;
use super::spec::Condition;
use crate::science::inference::contrast::{Contrast, Estimate, InvalidContrast};
use crate::science::inference::power::{Needed, power_at, runs_needed};
use crate::science::inference::sample;
use crate::science::inference::verdict::{Bound, Judgement, Verdict, combine, judge};

/// A claim after its last look.
#[derive(Debug)]
pub(super) struct Judged {
    pub verdict: Verdict,
    /// The runs at the look that the numbers are of.
    pub look: usize,
    /// Whether the looks were broken off, because no number of runs can decide it.
    pub hopeless: bool,
    /// One a part.
    pub parts: Vec<JudgedPart>,
}

/// A part of a claim at one look.
#[derive(Debug)]
pub(super) struct JudgedPart {
    pub verdict: Verdict,
    /// None where nothing was measured, or a single run.
    pub found: Option<Judgement>,
    /// Runs that have all values.
    pub n_runs: usize,
    /// Standard deviation of the differences of runs.
    pub deviation: f64,
    /// The chance of a verdict with these runs, if the paper's effect is the true one; none where it is not said.
    pub power: Option<f64>,
    /// Runs for a power of 80 %, likewise.
    pub needed: Option<Needed>,
    /// Why there is no verdict although the interval would give one, or anything else worth knowing.
    pub note: &'static str,
}

/// One claim with its conditions, each with its parts.
pub(super) type Claim<'a> = Vec<(&'a Condition, &'a Part)>;

/// Judges a claim at one look after the other, until it is decided.
///
/// # Errors
/// Values of runs that are none.
pub(super) fn judge_claim(claim: &Claim<'_>, looks: &Looks) -> Result<Judged, InvalidContrast> {
    let level = looks.nominal();
    let n_runs = claim.iter().map(|(_, part)| part.runs.len()).max().unwrap_or(0);
    let mut last = None;
    for look in looks.possible(n_runs) {
        let parts = claim
            .iter()
            .map(|(condition, part)| judge_part(condition, part, (look, level, claim.len())))
            .collect::<Result<Vec<_>, _>>()?;
        let verdicts: Vec<Verdict> = parts.iter().map(|part| part.verdict).collect();
        let verdict = combine(&verdicts);
        let cannot = |(condition, part): (&Condition, &JudgedPart)| {
            part.verdict == Verdict::Undecided
                && (condition.probability.is_some()
                    || matches!(part.needed, Some(Needed::CannotDecide { .. }))
                    || part.found.is_some_and(|found| found.is_identical))
        };
        let hopeless =
            verdict == Verdict::Undecided && claim.iter().map(|(condition, _)| *condition).zip(&parts).any(cannot);
        let judged = Judged { verdict, look, hopeless, parts };
        if verdict != Verdict::Undecided || hopeless {
            return Ok(judged);
        }
        last = Some(judged);
    }
    Ok(last.expect("there is always a look"))
}

fn judge_part(
    condition: &Condition,
    part: &Part,
    (look, level, n_parts): (usize, f64, usize),
) -> Result<JudgedPart, InvalidContrast> {
    let nothing =
        |verdict, note| JudgedPart { verdict, found: None, n_runs: 0, deviation: 0.0, power: None, needed: None, note };
    if condition.probability.is_some() {
        return Ok(match part.probability {
            Some(probability) => {
                nothing(likely(probability, condition.bound), "runs do not change it, tuning again does")
            }
            None => nothing(Verdict::Undecided, "nothing is known of it"),
        });
    }
    let diverged_counts = condition.or_diverged && part.any_diverged(look);
    let contrast = match part.contrast(look)? {
        Some(contrast) => contrast,
        None if diverged_counts => return Ok(nothing(Verdict::Holds, "runs diverged, which counts as holding")),
        None => return Ok(nothing(Verdict::Undecided, "nothing was measured")),
    };
    let bound = on_scale(condition.bound, part.is_log);
    let Some(found) = judge(&contrast, bound, level, n_parts, part.failures(look)) else {
        let verdict = if diverged_counts { Verdict::Holds } else { Verdict::Undecided };
        return Ok(JudgedPart { n_runs: contrast.n_runs(), ..nothing(verdict, "a single run says nothing") });
    };
    let differences = contrast.mixture();
    let (n, deviation) = (contrast.n_runs(), sample::variance(&differences).sqrt());
    let variance = found.selection_sd * found.selection_sd;
    let distance =
        condition.paper_effect.map(|effect| distance(bound, if part.is_log { libm::log(effect) } else { effect }));
    let verdict = if diverged_counts { Verdict::Holds } else { found.verdict };
    let note = match () {
        () if diverged_counts => "runs diverged, which counts as holding",
        () if found.is_identical => "identical: both picked the same coefficients",
        () if found.withdrawn_for_failures => "one more failed run would take the verdict back",
        () if picks_disagree(&contrast, &found) => "what was picked and what tuning would pick on average differ",
        () if found.verdict == Verdict::Undecided && sample::is_irregular(&differences) => {
            "skewed or in clusters: power unreliable"
        }
        () => "",
    };
    Ok(JudgedPart {
        verdict,
        found: Some(found),
        n_runs: n,
        deviation,
        power: distance.map(|distance| power_at(n, deviation, variance, distance, level)),
        needed: distance.map(|distance| runs_needed(deviation, n, distance, variance, level)),
        note,
    })
}

/// What is more probable than the bound holds, and is refuted where its contrary is.
fn likely(probability: f64, bound: Bound) -> Verdict {
    match bound {
        Bound::Above(least) if probability > least => Verdict::Holds,
        Bound::Above(least) if 1.0 - probability > least => Verdict::Refuted,
        _ => Verdict::Undecided,
    }
}

/// A bound on the scale on which runs are averaged.
fn on_scale(bound: Bound, is_log: bool) -> Bound {
    if !is_log {
        return bound;
    }
    match bound {
        Bound::Above(low) => Bound::Above(libm::log(low)),
        Bound::Below(high) => Bound::Below(libm::log(high)),
        Bound::Between(low, high) => Bound::Between(libm::log(low), libm::log(high)),
    }
}

/// How far an effect lies from the bound; of two bounds from the nearer.
fn distance(bound: Bound, effect: f64) -> f64 {
    match bound {
        Bound::Above(bound) | Bound::Below(bound) => (effect - bound).abs(),
        Bound::Between(low, high) => (effect - low).abs().min((effect - high).abs()),
    }
}

/// Whether the picked cells lie outside the interval of the procedure, so that one number would mislead.
fn picks_disagree(contrast: &Contrast, found: &Judgement) -> bool {
    let Estimate { estimate, .. } = found.given;
    contrast.n_runs() > 1 && !(found.procedure.low..=found.procedure.high).contains(&estimate)
}

/// The verdict of a claim from those of its conditions as a table has them, null where nothing was decided.
pub fn overall(conditions: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let verdicts: Vec<Verdict> = conditions.into_iter().map(Verdict::from).collect();
    combine(&verdicts).holds()
}

/// A verdict as tables and pages say it, from what [`overall`] and the column `holds` stand for.
pub fn in_one_word(holds: Option<bool>) -> &'static str {
    Verdict::from(holds).word()
}
