//! bootstrap tables → claims(claim, statement, condition, estimate, ci_low, ci_high, threshold, holds)
//!
//! A claim is a statement that a run can refute: one or more conditions on rows of bootstrap tables. The program computes
//! the verdict. "Does not hold" is a result like any other; `holds` is null where a condition cannot be judged.

mod judge;
mod spec;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::error::Result;
use crate::spec::node::{Fault, Node, instead_of};
use crate::tables::frame::Frame;
use crate::tables::{Row, table};
use crate::task::{Axes, Kind, Output, Planned, Planning, Reads, Reference, Surroundings, TableId, Work};
pub use judge::overall;
use judge::{judge, withhold};
pub use spec::{ClaimSpec, ConditionSpec};
use spec::{Condition, items, read_claim};

/// `[[claims]]`
pub struct Claims;

table! {
    /// The verdict of a condition in one row of a bootstrap table.
    pub struct ClaimRow<'a> in "claims" version 1 key(claim, condition) {
        /// number of the claim
        claim: Category,
        /// the claim in words
        statement: Text,
        /// what is tested, and in which row of which table
        condition: Text,
        /// the statistic over all runs
        estimate: Option<Float64>,
        /// lower end of its bootstrap interval
        ci_low: Option<Float64>,
        /// upper end of its bootstrap interval
        ci_high: Option<Float64>,
        /// what it is compared with
        threshold: Float64,
        /// the verdict; null if it cannot be judged
        holds: Option<Boolean>,
    }
}

impl Kind for Claims {
    fn name(&self) -> &'static str {
        "claims"
    }

    fn summary(&self) -> &'static str {
        "Compares intervals with thresholds and says which claims hold."
    }

    fn version(&self) -> u32 {
        2
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<Vec<ClaimSpec>>()
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        let mut references = Vec::new();
        for claim in items(parameters) {
            let table = claim.expect_table("a claim")?;
            let nested = table.get("all").map(items).unwrap_or_default();
            for condition in std::iter::once(claim).chain(nested) {
                references.extend(Reference::optional(condition, "of", Reads::Table)?);
            }
        }
        if references.is_empty() {
            let first = items(parameters).first().map_or(&parameters.span, |claim| &claim.span);
            return Err(Fault::at(first, "a claim reads a bootstrap table: `of = \"…\"` is missing"));
        }
        Ok(references)
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let mut conditions = Vec::new();
        for claim in items(planning.parameters) {
            conditions.extend(read_claim(planning, claim)?);
        }
        for condition in conditions.iter().filter(|condition| condition.given.is_some()) {
            let given = condition.given.as_deref().unwrap_or_default();
            let known = || conditions.iter().filter(|other| other.claim != condition.claim && other.given.is_none());
            if !known().any(|other| other.claim == given) {
                let there = instead_of(given, known().map(|other| &other.claim));
                let message = format!("claim `{}` is given `{given}`; {there}", condition.claim);
                return Err(Fault::at(&planning.parameters.span, message));
            }
        }
        let tables =
            planning.tables.iter().map(|table| (table.name.clone(), planning.gathered(&table.name).0)).collect();
        Ok(Planned::new(ClaimsTask { conditions, tables, outputs: [Output::kept("", ClaimRow::schema())] }))
    }
}

#[derive(Debug)]
struct ClaimsTask {
    conditions: Vec<Condition>,
    tables: Vec<(String, TableId)>,
    outputs: [Output; 1],
}

impl Work for ClaimsTask {
    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(&self.conditions).expect("plain data")
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let mut tables = BTreeMap::new();
        for (name, id) in &self.tables {
            tables.insert(name.as_str(), Frame::new(name, context.gathered(*id, Axes::Own)?));
        }
        let mut verdicts = Vec::new();
        for condition in &self.conditions {
            verdicts.extend(judge(condition, &tables[condition.of.as_str()]).map_err(|error| context.internal(error))?);
        }
        withhold(&self.conditions, &mut verdicts);
        verdicts.sort_by(|a, b| natural(&a.claim).cmp(&natural(&b.claim)).then_with(|| a.condition.cmp(&b.condition)));
        let rows: Vec<ClaimRow<'_>> = verdicts
            .iter()
            .map(|verdict| ClaimRow {
                claim: &verdict.claim,
                statement: &verdict.statement,
                condition: &verdict.condition,
                estimate: verdict.row.mean,
                ci_low: verdict.row.ci_low,
                ci_high: verdict.row.ci_high,
                threshold: verdict.threshold,
                holds: verdict.holds,
            })
            .collect();
        context.write("claims", ClaimRow::batch(&rows))
    }
}

/// `C2` before `C10`.
pub fn natural(claim: &str) -> (String, u64) {
    let digits = claim.find(|c: char| c.is_ascii_digit()).unwrap_or(claim.len());
    (claim[..digits].to_owned(), claim[digits..].parse().unwrap_or(0))
}
