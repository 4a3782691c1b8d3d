//! Conditions × rows of bootstrap tables → verdicts.

use std::collections::BTreeMap;

use serde::Serialize;

use super::spec::Condition;
use crate::stages::bootstrap::OneOrMany;
use crate::tables::frame::{Cell, Frame};
use crate::tables::{TableError, table};

table! {
    /// What a condition reads of a bootstrap table, as it is or out of a query, in which anything may be null.
    pub(super) struct EstimateRow in "bootstrap" version 1 key() {
        /// the statistic over all runs
        mean: Option<Float64>,
        /// lower end of its interval
        ci_low: Option<Float64>,
        /// upper end of its interval
        ci_high: Option<Float64>,
        /// runs that had diverged
        n_diverged: Option<Float64>,
    }
}

impl EstimateRow {
    /// What stands where nothing was measured.
    const NOTHING: Self = Self { mean: None, ci_low: None, ci_high: None, n_diverged: None };
}

/// What is compared with the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Test {
    LowAbove,
    HighBelow,
    EstimateAbove,
    EstimateBelow,
}

impl Test {
    fn in_words(self) -> &'static str {
        match self {
            Self::LowAbove => "ci_low >",
            Self::HighBelow => "ci_high <",
            Self::EstimateAbove => "estimate >",
            Self::EstimateBelow => "estimate <",
        }
    }

    /// Null where the number it looks at is missing.
    fn holds(self, row: &EstimateRow, threshold: f64) -> Option<bool> {
        match self {
            Self::LowAbove => row.ci_low.map(|value| value > threshold),
            Self::HighBelow => row.ci_high.map(|value| value < threshold),
            Self::EstimateAbove => row.mean.map(|value| value > threshold),
            Self::EstimateBelow => row.mean.map(|value| value < threshold),
        }
    }
}

#[derive(Debug)]
pub(super) struct Verdict {
    pub claim: String,
    pub statement: String,
    pub condition: String,
    pub row: EstimateRow,
    pub threshold: f64,
    pub holds: Option<bool>,
}

/// The verdict of a condition in each row that it speaks of.
///
/// # Errors
/// A column is missing or of another type.
pub(super) fn judge(condition: &Condition, table: &Frame) -> Result<Vec<Verdict>, TableError> {
    let rows: Vec<EstimateRow> = table.rows()?;
    let chosen = condition.filter.keys().chain(condition.for_all.keys());
    let columns: BTreeMap<&str, Vec<Cell>> =
        chosen.map(|name| Ok((name.as_str(), table.cells(name)?))).collect::<Result<_, TableError>>()?;
    let keys: BTreeMap<&str, Vec<Cell>> = condition
        .keys
        .iter()
        .filter(|name| table.has(name))
        .map(|name| Ok((name.as_str(), table.cells(name)?)))
        .collect::<Result<_, TableError>>()?;
    let mut verdicts = Vec::new();
    for wanted in products(&condition.for_all) {
        let matching: Vec<usize> = (0..table.n_rows())
            .filter(|&row| {
                condition.filter.iter().all(|(name, allowed)| allowed.contains(&columns[name.as_str()][row]))
                    && wanted.iter().all(|(name, value)| value.matches(&columns[*name][row]))
            })
            .collect();
        let verdict = |row: EstimateRow, which: &[(&str, &Cell)], holds: Option<bool>| Verdict {
            claim: condition.claim.clone(),
            statement: condition.statement.clone(),
            condition: in_words(condition, &wanted, which),
            row,
            threshold: condition.threshold,
            holds,
        };
        if matching.is_empty() {
            // Nothing was measured there: not a refutation, and not a confirmation.
            verdicts.push(verdict(EstimateRow::NOTHING, &[], None));
        }
        // Of several rows each is named by what tells it apart.
        let apart: Vec<(&str, &Vec<Cell>)> = keys
            .iter()
            .map(|(name, cells)| (*name, cells))
            .filter(|(_, cells)| matching.iter().any(|&row| cells[row] != cells[matching[0]]))
            .collect();
        for index in matching {
            let which: Vec<(&str, &Cell)> = apart.iter().map(|(name, cells)| (*name, &cells[index])).collect();
            let row = rows[index];
            let holds = if condition.or_diverged && row.n_diverged.is_some_and(|n| n >= 1.0) {
                Some(true)
            } else {
                condition.test.holds(&row, condition.threshold)
            };
            verdicts.push(verdict(row, &which, holds));
        }
    }
    Ok(verdicts)
}

/// `ci_low > 0.2 in accuracy where step = 600, rule = bp`
fn in_words(condition: &Condition, wanted: &[(&str, &Cell)], which: &[(&str, &Cell)]) -> String {
    let is_named = |name: &str| which.iter().any(|(named, _)| *named == name);
    let place: Vec<String> = condition
        .filter
        .iter()
        .filter(|(name, _)| !is_named(name))
        .map(|(name, allowed)| {
            let values: Vec<String> = allowed.values().iter().map(ToString::to_string).collect();
            format!("{name} = {}", values.join("|"))
        })
        .chain(wanted.iter().chain(which).map(|(name, value)| format!("{name} = {value}")))
        .collect();
    let mut text = format!("{} {} in {}", condition.test.in_words(), condition.threshold, condition.of);
    if !place.is_empty() {
        text += &format!(" where {}", place.join(", "));
    }
    if condition.or_diverged {
        text += ", or diverged";
    }
    if let Some(given) = &condition.given {
        text += &format!(", given {given}");
    }
    text
}

/// Takes back the verdicts of claims whose given claim does not hold.
pub(super) fn withhold(conditions: &[Condition], verdicts: &mut [Verdict]) {
    for condition in conditions {
        let Some(given) = &condition.given else { continue };
        let of_given = verdicts.iter().filter(|verdict| verdict.claim == *given).map(|verdict| verdict.holds);
        if overall(of_given) != Some(true) {
            let own = verdicts.iter_mut().filter(|verdict| verdict.claim == condition.claim);
            own.for_each(|verdict| verdict.holds = None);
        }
    }
}

/// The verdict of a claim from those of its conditions: one that fails refutes it, one that cannot be judged leaves it open.
pub fn overall(conditions: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut verdict = Some(true);
    for condition in conditions {
        match condition {
            Some(false) => return Some(false),
            None => verdict = None,
            Some(true) => {}
        }
    }
    verdict
}

/// Every combination of the values of `for_all`; one empty combination where there is none.
fn products(for_all: &BTreeMap<String, OneOrMany>) -> Vec<Vec<(&str, &Cell)>> {
    let mut products = vec![Vec::new()];
    for (name, values) in for_all {
        products = products
            .into_iter()
            .flat_map(|product: Vec<(&str, &Cell)>| {
                values.values().iter().map(move |value| {
                    let mut product = product.clone();
                    product.push((name.as_str(), value));
                    product
                })
            })
            .collect();
    }
    products
}
