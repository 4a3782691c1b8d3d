//! Claims as a pipeline states them → conditions, checked.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::judge::{EstimateRow, Test};
use crate::spec::node::{Fault, Node, Value, instead_of};
use crate::stages::bootstrap::{OneOrMany, SummaryRow};
use crate::tables::Row;
use crate::task::Planning;

/// One claim with one condition; `all = [{ … }, …]` holds several.
#[derive(Clone, Debug, JsonSchema)]
pub struct ClaimSpec {
    /// `C6`.
    pub id: String,
    /// The claim in words.
    pub statement: String,
    /// Conditions that have to hold together, each with the keys of a condition.
    #[serde(default)]
    pub all: Vec<ConditionSpec>,
    /// Another claim: where that one does not hold, this one cannot be judged.
    #[serde(default)]
    pub given: Option<String>,
    /// Its only condition, or its first.
    #[serde(flatten)]
    pub condition: ConditionSpec,
}

/// A condition on rows of a bootstrap table.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConditionSpec {
    /// The bootstrap table.
    #[serde(default)]
    pub of: Option<String>,
    /// Only rows with these values.
    #[serde(default, rename = "where")]
    pub filter: BTreeMap<String, OneOrMany>,
    /// It has to hold in the row of each of these values.
    #[serde(default)]
    pub for_all: BTreeMap<String, OneOrMany>,
    /// `ci_low` lies above this.
    #[serde(default)]
    pub greater_than: Option<f64>,
    /// `ci_high` lies below this.
    #[serde(default)]
    pub less_than: Option<f64>,
    /// The estimate itself lies above this.
    #[serde(default)]
    pub estimate_greater_than: Option<f64>,
    /// The estimate itself lies below this.
    #[serde(default)]
    pub estimate_less_than: Option<f64>,
    /// A row in which any run diverged counts as holding.
    #[serde(default)]
    pub or_diverged: bool,
}

/// A checked condition: one test on the rows of one table.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Condition {
    pub claim: String,
    pub statement: String,
    /// The claim that has to hold for this one to be judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given: Option<String>,
    pub of: String,
    #[serde(rename = "where")]
    pub filter: BTreeMap<String, OneOrMany>,
    pub for_all: BTreeMap<String, OneOrMany>,
    /// The columns that tell the rows of the table apart; they follow from the table, whose key the task's key covers.
    #[serde(skip)]
    pub keys: Vec<String>,
    pub test: Test,
    pub threshold: f64,
    pub or_diverged: bool,
}

/// The entries of a list, or the one thing that stands in its place.
pub(super) fn items(node: &Node) -> Vec<&Node> {
    match &node.value {
        Value::Array(items) => items.iter().collect(),
        _ => vec![node],
    }
}

/// The conditions of a claim.
///
/// # Errors
/// The first key that is missing, unknown or wrong, with its place.
pub(super) fn read_claim(planning: &Planning<'_>, node: &Node) -> Result<Vec<Condition>, Fault> {
    // The keys of the claim itself are taken off, so that what remains is a condition and unknown keys are refused.
    let mut rest = node.clone();
    let table = rest.as_table_mut().expect("references were read from tables");
    let mut text = |name: &str| -> Result<String, Fault> {
        let missing = || Fault::at(&node.span, format!("the claim has no `{name}`"));
        table.remove(name).ok_or_else(missing)?.1.read()
    };
    let (claim, statement) = (text("id")?, text("statement")?);
    let all = table.remove("all").map(|(_, node)| node);
    let given: Option<String> = table.remove("given").map(|(_, node)| node.read()).transpose()?;
    let mut conditions = Vec::new();
    if !table.entries.is_empty() {
        conditions.extend(read_condition(planning, &rest, &claim, &statement)?);
    }
    for condition in all.as_ref().map(items).unwrap_or_default() {
        conditions.extend(read_condition(planning, condition, &claim, &statement)?);
    }
    if conditions.is_empty() {
        return Err(Fault::at(&node.span, format!("claim `{claim}` tests nothing")).help(
            "Give it `of` and one of `greater_than`, `less_than`, `estimate_greater_than`, `estimate_less_than`.",
        ));
    }
    conditions.iter_mut().for_each(|condition: &mut Condition| condition.given.clone_from(&given));
    Ok(conditions)
}

fn read_condition(planning: &Planning<'_>, node: &Node, claim: &str, statement: &str) -> Result<Vec<Condition>, Fault> {
    let spec: ConditionSpec = node.read()?;
    let Some(of) = spec.of else {
        return Err(Fault::at(&node.span, format!("claim `{claim}`: the key `of`, a bootstrap table, is missing")));
    };
    let (_, table) = planning.gathered(&of);
    for needed in EstimateRow::schema().column_names() {
        if table.schema.column(needed).is_none() {
            let message = format!("claim `{claim}`: `{of}` has no column `{needed}`: it is not a bootstrap table");
            return Err(Fault::at(&table.span, message));
        }
    }
    for (field, selection) in [("where", &spec.filter), ("for_all", &spec.for_all)] {
        for (name, wanted) in selection {
            let written = node.as_table().and_then(|table| table.get(field)).and_then(Node::as_table);
            let key = written.and_then(|table| table.key(name)).map_or(&node.span, |key| &key.span);
            let value = written.and_then(|table| table.get(name)).map_or(&node.span, |value| &value.span);
            if table.schema.column(name).is_none() {
                let there = instead_of(name, table.schema.column_names());
                let message = format!("claim `{claim}`: `{of}` has no column `{name}`; {there}");
                return Err(Fault::at(key, message));
            }
            for cell in wanted.values() {
                table.check_value(name, cell, value)?;
            }
        }
    }
    let of_a_summary = SummaryRow::schema();
    let is_key = |name: &&str| of_a_summary.column(name).is_none();
    let keys: Vec<String> = table.schema.column_names().filter(is_key).map(str::to_owned).collect();
    let tests = [
        (Test::LowAbove, spec.greater_than),
        (Test::HighBelow, spec.less_than),
        (Test::EstimateAbove, spec.estimate_greater_than),
        (Test::EstimateBelow, spec.estimate_less_than),
    ];
    let conditions: Vec<Condition> = tests
        .into_iter()
        .filter_map(|(test, threshold)| {
            Some(Condition {
                claim: claim.to_owned(),
                statement: statement.to_owned(),
                given: None,
                of: of.clone(),
                filter: spec.filter.clone(),
                for_all: spec.for_all.clone(),
                keys: keys.clone(),
                test,
                threshold: threshold?,
                or_diverged: spec.or_diverged,
            })
        })
        .collect();
    if conditions.is_empty() {
        return Err(Fault::at(&node.span, format!("claim `{claim}`: this condition has no threshold"))
            .help("Give one of `greater_than`, `less_than`, `estimate_greater_than`, `estimate_less_than`."));
    }
    Ok(conditions)
}
