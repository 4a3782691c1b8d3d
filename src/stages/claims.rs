//! bootstrap tables → claims(claim, statement, condition, estimate, ci_low, ci_high, threshold, holds)
//!
//! A claim is a statement that a run can refute: one or more conditions on rows of bootstrap tables. The program computes
//! the verdict. "Does not hold" is a result like any other; `holds` is null where a condition cannot be judged.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, StringArray};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bootstrap::OneOrMany;
use crate::error::Result;
use crate::spec::node::{Fault, Node, Value, choices};
use crate::tables::frame::{Cell, Frame};
use crate::tables::parquet::categories;
use crate::tables::{Column, ColumnType, TableSchema};
use crate::task::{Axes, Kind, Output, Planned, Planning, Reads, Reference, Surroundings, TableId, Work};

/// `[[claims]]`
pub struct Claims;

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

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Test {
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
    fn holds(self, row: &Row, threshold: f64) -> Option<bool> {
        match self {
            Self::LowAbove => row.ci_low.map(|value| value > threshold),
            Self::HighBelow => row.ci_high.map(|value| value < threshold),
            Self::EstimateAbove => row.estimate.map(|value| value > threshold),
            Self::EstimateBelow => row.estimate.map(|value| value < threshold),
        }
    }
}

/// A checked condition: one test on the rows of one table.
#[derive(Clone, Debug, Serialize)]
struct Condition {
    claim: String,
    statement: String,
    /// The claim that has to hold for this one to be judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    given: Option<String>,
    of: String,
    #[serde(rename = "where")]
    filter: BTreeMap<String, OneOrMany>,
    for_all: BTreeMap<String, OneOrMany>,
    test: Test,
    threshold: f64,
    or_diverged: bool,
}

fn schema() -> TableSchema {
    TableSchema::new(
        "claims",
        1,
        vec![
            Column::new("claim", ColumnType::Category, "", "number of the claim"),
            Column::new("statement", ColumnType::Text, "", "the claim in words"),
            Column::new("condition", ColumnType::Text, "", "what is tested, and in which row of which table"),
            Column::new("estimate", ColumnType::Float64, "", "the statistic over all runs").nullable(),
            Column::new("ci_low", ColumnType::Float64, "", "lower end of its bootstrap interval").nullable(),
            Column::new("ci_high", ColumnType::Float64, "", "upper end of its bootstrap interval").nullable(),
            Column::new("threshold", ColumnType::Float64, "", "what it is compared with"),
            Column::new("holds", ColumnType::Boolean, "", "the verdict; null if it cannot be judged").nullable(),
        ],
        &["claim", "condition"],
    )
}

impl Kind for Claims {
    fn name(&self) -> &'static str {
        "claims"
    }

    fn summary(&self) -> &'static str {
        "Compares intervals with thresholds and says which claims hold."
    }

    fn version(&self) -> u32 {
        1
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
                let there = choices(known().map(|other| &other.claim));
                let message = format!("claim `{}` is given `{given}`; there are: {there}", condition.claim);
                return Err(Fault::at(&planning.parameters.span, message));
            }
        }
        let tables =
            planning.tables.iter().map(|table| (table.name.clone(), planning.gathered(&table.name).0)).collect();
        Ok(Planned::new(ClaimsTask { conditions, tables, outputs: [Output::kept("", schema())] }))
    }
}

fn items(node: &Node) -> Vec<&Node> {
    match &node.value {
        Value::Array(items) => items.iter().collect(),
        _ => vec![node],
    }
}

fn read_claim(planning: &Planning<'_>, node: &Node) -> Result<Vec<Condition>, Fault> {
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
    for needed in ["mean", "ci_low", "ci_high", "n_diverged"] {
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
                let there = choices(table.schema.column_names());
                let message = format!("claim `{claim}`: `{of}` has no column `{name}`; there are: {there}");
                return Err(Fault::at(key, message));
            }
            for cell in wanted.values() {
                table.check_value(name, cell, value)?;
            }
        }
    }
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
            tables.insert(name.as_str(), Frame::new(context.gathered(*id, Axes::Own)?));
        }
        let mut verdicts = Vec::new();
        for condition in &self.conditions {
            verdicts.extend(judge(condition, &tables[condition.of.as_str()]));
        }
        withhold(&self.conditions, &mut verdicts);
        verdicts.sort_by(|a, b| natural(&a.claim).cmp(&natural(&b.claim)).then_with(|| a.condition.cmp(&b.condition)));
        let number = |part: fn(&Verdict) -> Option<f64>| -> ArrayRef {
            Arc::new(verdicts.iter().map(part).collect::<Float64Array>())
        };
        context.write_columns(
            "claims",
            vec![
                categories(verdicts.iter().map(|verdict| Some(verdict.claim.as_str()))),
                Arc::new(verdicts.iter().map(|verdict| Some(verdict.statement.as_str())).collect::<StringArray>()),
                Arc::new(verdicts.iter().map(|verdict| Some(verdict.condition.as_str())).collect::<StringArray>()),
                number(|verdict| verdict.row.estimate),
                number(|verdict| verdict.row.ci_low),
                number(|verdict| verdict.row.ci_high),
                number(|verdict| Some(verdict.threshold)),
                Arc::new(verdicts.iter().map(|verdict| verdict.holds).collect::<BooleanArray>()),
            ],
        )
    }
}

/// `C2` before `C10`.
pub fn natural(claim: &str) -> (String, u64) {
    let digits = claim.find(|c: char| c.is_ascii_digit()).unwrap_or(claim.len());
    (claim[..digits].to_owned(), claim[digits..].parse().unwrap_or(0))
}

#[derive(Clone, Debug, Default)]
struct Row {
    estimate: Option<f64>,
    ci_low: Option<f64>,
    ci_high: Option<f64>,
    n_diverged: i64,
}

#[derive(Debug)]
struct Verdict {
    claim: String,
    statement: String,
    condition: String,
    row: Row,
    threshold: f64,
    holds: Option<bool>,
}

/// The verdict of a condition in each row that it speaks of.
fn judge(condition: &Condition, table: &Frame) -> Vec<Verdict> {
    let numbers = |name: &str| table.numbers(name).expect("checked when planned");
    let (estimate, low, high, diverged) =
        (numbers("mean"), numbers("ci_low"), numbers("ci_high"), numbers("n_diverged"));
    let columns: BTreeMap<&str, Vec<Cell>> = condition
        .filter
        .keys()
        .chain(condition.for_all.keys())
        .map(|name| (name.as_str(), table.cells(name).expect("checked when planned")))
        .collect();
    let mut verdicts = Vec::new();
    for wanted in products(&condition.for_all) {
        let place: Vec<String> = condition
            .filter
            .iter()
            .map(|(name, allowed)| {
                let values: Vec<String> = allowed.values().iter().map(ToString::to_string).collect();
                format!("{name} = {}", values.join("|"))
            })
            .chain(wanted.iter().map(|(name, value)| format!("{name} = {value}")))
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
        let verdict = |row: Row, holds: Option<bool>| Verdict {
            claim: condition.claim.clone(),
            statement: condition.statement.clone(),
            condition: text.clone(),
            row,
            threshold: condition.threshold,
            holds,
        };
        let matching: Vec<usize> = (0..table.n_rows())
            .filter(|&row| {
                condition.filter.iter().all(|(name, allowed)| allowed.contains(&columns[name.as_str()][row]))
                    && wanted.iter().all(|(name, value)| value.matches(&columns[*name][row]))
            })
            .collect();
        if matching.is_empty() {
            // Nothing was measured there: not a refutation, and not a confirmation.
            verdicts.push(verdict(Row::default(), None));
        }
        for row in matching {
            let row = Row {
                estimate: estimate[row],
                ci_low: low[row],
                ci_high: high[row],
                n_diverged: diverged[row].unwrap_or(0.0) as i64,
            };
            let holds = if condition.or_diverged && row.n_diverged > 0 {
                Some(true)
            } else {
                condition.test.holds(&row, condition.threshold)
            };
            verdicts.push(verdict(row, holds));
        }
    }
    verdicts
}

/// Takes back the verdicts of claims whose given claim does not hold.
fn withhold(conditions: &[Condition], verdicts: &mut [Verdict]) {
    for condition in conditions {
        let Some(given) = &condition.given else { continue };
        let of_given = verdicts.iter().filter(|verdict| verdict.claim == *given).map(|verdict| verdict.holds);
        if overall(of_given) != Some(true) {
            let own = verdicts.iter_mut().filter(|verdict| verdict.claim == condition.claim);
            own.for_each(|verdict| verdict.holds = None);
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int32Array, RecordBatch};

    /// A made-up bootstrap table: layer 1 clearly positive, layer 2 straddling 0, layer 3 with a single run, layer 4 diverged.
    fn table() -> Frame {
        let floats = |values: [Option<f64>; 4]| Arc::new(values.into_iter().collect::<Float64Array>()) as ArrayRef;
        Frame::new(
            RecordBatch::try_from_iter_with_nullable([
                ("layer", Arc::new(Int32Array::from(vec![1, 2, 3, 4])) as ArrayRef, true),
                ("mean", floats([Some(2.0), Some(0.5), Some(1.0), None]), true),
                ("ci_low", floats([Some(1.5), Some(-0.5), None, None]), true),
                ("ci_high", floats([Some(2.5), Some(1.5), None, None]), true),
                ("n_diverged", Arc::new(Int32Array::from(vec![0, 0, 0, 3])) as ArrayRef, true),
            ])
            .unwrap(),
        )
    }

    fn verdicts(test: Test, threshold: f64, layers: &[i64], or_diverged: bool) -> Vec<Option<bool>> {
        let layers = OneOrMany::Many(layers.iter().map(|&layer| Cell::Integer(layer)).collect());
        let condition = Condition {
            claim: "C".into(),
            statement: "s".into(),
            given: None,
            of: "t".into(),
            filter: BTreeMap::new(),
            for_all: [("layer".to_owned(), layers)].into(),
            test,
            threshold,
            or_diverged,
        };
        judge(&condition, &table()).into_iter().map(|verdict| verdict.holds).collect()
    }

    #[test]
    fn each_kind_of_test_holds_and_fails_on_its_own_bound() {
        assert_eq!(verdicts(Test::LowAbove, 1.4, &[1], false), [Some(true)]);
        assert_eq!(verdicts(Test::LowAbove, 1.5, &[1], false), [Some(false)], "strictly above");
        assert_eq!(verdicts(Test::HighBelow, 2.6, &[1], false), [Some(true)]);
        assert_eq!(verdicts(Test::HighBelow, 2.5, &[1], false), [Some(false)], "strictly below");
        assert_eq!(verdicts(Test::EstimateAbove, 1.9, &[1], false), [Some(true)]);
        assert_eq!(verdicts(Test::EstimateAbove, 2.1, &[1], false), [Some(false)]);
        assert_eq!(verdicts(Test::EstimateBelow, 2.1, &[1], false), [Some(true)]);
        assert_eq!(verdicts(Test::EstimateBelow, 1.9, &[1], false), [Some(false)]);
    }

    #[test]
    fn what_was_not_measured_cannot_be_judged() {
        assert_eq!(verdicts(Test::LowAbove, 0.0, &[3], false), [None], "a single run has no interval");
        assert_eq!(verdicts(Test::EstimateAbove, 0.0, &[3], false), [Some(true)], "but it has an estimate");
        assert_eq!(verdicts(Test::LowAbove, 0.0, &[9], false), [None], "no such layer");
        assert_eq!(verdicts(Test::LowAbove, 0.0, &[4], false), [None], "all runs diverged");
        assert_eq!(verdicts(Test::LowAbove, 0.0, &[4], true), [Some(true)], "where divergence is the claim");
    }

    #[test]
    fn a_claim_over_several_rows_needs_all_of_them() {
        assert_eq!(verdicts(Test::LowAbove, 0.0, &[1, 2], false), [Some(true), Some(false)]);
        assert_eq!(overall([Some(true), Some(false), None]), Some(false));
        assert_eq!(overall([Some(true), None]), None);
        assert_eq!(overall([Some(true), Some(true)]), Some(true));
    }

    #[test]
    fn a_claim_is_judged_only_where_the_one_it_is_given_holds() {
        let condition = |claim: &str, given: Option<&str>, threshold: f64| Condition {
            claim: claim.into(),
            statement: "s".into(),
            given: given.map(str::to_owned),
            of: "t".into(),
            filter: [("layer".to_owned(), OneOrMany::One(Cell::Integer(1)))].into(),
            for_all: BTreeMap::new(),
            test: Test::LowAbove,
            threshold,
            or_diverged: false,
        };
        let judged = |threshold_of_given: f64| -> Vec<Option<bool>> {
            let conditions = [condition("C11", None, threshold_of_given), condition("C12", Some("C11"), 1.0)];
            let mut verdicts: Vec<Verdict> = conditions.iter().flat_map(|one| judge(one, &table())).collect();
            withhold(&conditions, &mut verdicts);
            verdicts.into_iter().map(|verdict| verdict.holds).collect()
        };
        assert_eq!(judged(1.0), [Some(true), Some(true)]);
        assert_eq!(judged(2.0), [Some(false), None]);
    }

    #[test]
    fn claims_are_listed_by_number() {
        let mut claims = ["C10", "C2", "C1"];
        claims.sort_by_key(|claim| natural(claim));
        assert_eq!(claims, ["C1", "C2", "C10"]);
    }
}
