//! What stands beside a verdict: what it would be for the picked coefficients, failures, power, looks.

use super::claims::{interval, number};
use crate::stages::claims::ClaimRow;

/// Remarks on a part of a claim, each a sentence without its full stop.
pub(super) fn remarks(row: &ClaimRow<'_>) -> Vec<String> {
    let mut remarks = Vec::new();
    if row.picked_estimate.is_some()
        && (row.tuning_sd.is_some_and(|spread| spread > 0.0) || row.picked_estimate != row.estimate)
    {
        let picked = interval(row.picked_estimate, row.picked_low, row.picked_high);
        remarks.push(format!("with the coefficients that tuning picked: {picked}"));
    }
    if row.n_failed > 0 {
        remarks.push(format!("{} of {} runs failed", row.n_failed, row.n_runs));
    }
    if row.n_tuned_failed > 0 {
        remarks.push(format!("{} of {} failed while they were tuned", row.n_tuned_failed, row.n_tuned));
    }
    if row.verdict == "undecided"
        && let Some(effect) = row.paper_effect
    {
        let chance = row.power.map_or(String::new(), |power| format!("{:.0} % ", 100.0 * power));
        let needed = match (row.n_needed, row.n_needed_low, row.n_needed_high) {
            (Some(n), Some(low), Some(high)) => format!("80 % takes about {n} runs ({low} to {high})"),
            _ => {
                let spread = number(row.tuning_sd.unwrap_or_default());
                format!("more runs cannot decide it, as tuning alone spreads it by ±{spread}")
            }
        };
        remarks.push(format!("{chance}power for the paper's {}; {needed}", number(effect)));
    }
    if !row.note.is_empty() {
        remarks.push(row.note.to_owned());
    }
    remarks
}

/// At which runs a claim was looked at, and when it was decided.
pub(super) fn looks(row: &ClaimRow<'_>) -> String {
    let several = row.looks.contains(',');
    let percent = format!("{:.3}", 100.0 * row.level);
    let percent = percent.trim_end_matches('0').trim_end_matches('.');
    match (several, row.decided_at) {
        (false, _) => format!("one look at {} runs, level {percent} %", row.looks),
        (true, Some(at)) => format!("decided at {at} of {} runs, level {percent} % a look", row.looks),
        (true, None) => format!("undecided after looks at {} runs, level {percent} % a look", row.looks),
    }
}
