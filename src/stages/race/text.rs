//! The committed form of what races found: one table per condition, as a person would write it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::standing::Found;
use crate::stages::coefficients::{Pick, Survivor, Tuned};

/// What races that are over found, with coefficients of these names.
pub(super) fn tuned(found: &[Found], names: &[String]) -> Vec<Tuned> {
    let over = found.iter().filter_map(|found| Some((found, found.best?)));
    let tuned = over.map(|(found, (best, positive))| {
        let terms = |cell: usize| found.cells[cell].terms(names);
        let [dataset, setting, rule] = found.condition.clone();
        Tuned {
            dataset,
            setting,
            rule,
            trainings: found.trainings() as u64,
            best: terms(best),
            best_positive: found.is_optional.then(|| terms(positive)),
            picks: if found.is_optional { found.picks(names) } else { Vec::new() },
            survivors: found
                .survivors()
                .into_iter()
                .map(|(cell, probability)| cell.survivor(names, probability))
                .collect(),
        }
    });
    tuned.collect()
}

pub(super) fn coefficients_text(key: &str, tuned: impl IntoIterator<Item = Tuned>) -> String {
    let mut text = format!("key = \"{key}\"\n");
    for Tuned { dataset, setting, rule, trainings, best, best_positive, picks, survivors } in tuned {
        let mut line = |arguments: std::fmt::Arguments<'_>| writeln!(text, "{arguments}").expect("writing to a string");
        line(format_args!("\n[[coefficients]]\ndataset = \"{dataset}\"\nsetting = \"{setting}\"\nrule = \"{rule}\""));
        line(format_args!("trainings = {trainings}\nbest = {}", terms_text(&best)));
        if let Some(positive) = best_positive {
            line(format_args!("best_positive = {}", terms_text(&positive)));
        }
        if !picks.is_empty() {
            line(format_args!("picks = ["));
            for Pick { terms, probability } in picks {
                line(format_args!("  {{ terms = {}, probability = {probability} }},", terms_text(&terms)));
            }
            line(format_args!("]"));
        }
        line(format_args!("survivors = ["));
        for Survivor { terms, probability, n, mean, error, failed, gap } in survivors {
            let failed = match gap {
                _ if failed == 0 => String::new(),
                Some(gap) => format!(", failed = {failed}, gap = {gap:.4}"),
                None => format!(", failed = {failed}"),
            };
            line(format_args!(
                "  {{ terms = {}, probability = {probability}, n = {n}, mean = {mean:.4}, error = {error:.4}{failed} }},",
                terms_text(&terms)
            ));
        }
        line(format_args!("]"));
    }
    text
}

fn terms_text(terms: &BTreeMap<String, f64>) -> String {
    let terms: Vec<String> = terms.iter().map(|(name, value)| format!("{name} = {value:e}")).collect();
    format!("{{ {} }}", terms.join(", "))
}
