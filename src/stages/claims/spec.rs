//! Claims as a pipeline states them → conditions, checked.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::looks::Looks;
use crate::science::inference::verdict::Bound;
use crate::spec::node::{Fault, Node, Value, instead_of};
use crate::stages::bootstrap::{OneOrMany, SummaryRow, ValueRow};
use crate::tables::{ColumnType, Row};
use crate::task::{Gathered, Planning, Reads, Reference, TableId};

/// One claim with one condition; `all = [{ … }, …]` holds several.
#[derive(Clone, Debug, JsonSchema)]
pub struct ClaimSpec {
    /// A short name, by which other claims and the table of verdicts call it: `C6`.
    pub id: String,
    /// The claim in words.
    pub statement: String,
    /// Conditions that have to hold together, each with the keys of a condition.
    #[serde(default)]
    pub all: Vec<ConditionSpec>,
    /// Another claim: where that one does not hold, this one cannot be judged.
    #[serde(default)]
    pub given: Option<String>,
    /// What a reader of the verdict should know beside it: what else was tried, a bound that was changed after looking.
    #[serde(default)]
    pub remark: Option<String>,
    /// Its only condition, or its first.
    #[serde(flatten)]
    pub condition: ConditionSpec,
}

/// A condition on the mean over runs that a bootstrap table summarises.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConditionSpec {
    /// The bootstrap table.
    #[serde(default)]
    pub of: Option<String>,
    /// Of another table, which has no runs, the column that says how probable something is: that holds where it lies above
    /// `greater_than`, is refuted where the contrary does, and is undecided between the two.
    #[serde(default)]
    pub probability: Option<String>,
    /// Only rows with these values.
    #[serde(default, rename = "where")]
    pub filter: BTreeMap<String, OneOrMany>,
    /// It has to hold in the row of each of these values.
    #[serde(default)]
    pub for_all: BTreeMap<String, OneOrMany>,
    /// The mean lies above this.
    #[serde(default)]
    pub greater_than: Option<f64>,
    /// The mean lies below this.
    #[serde(default)]
    pub less_than: Option<f64>,
    /// The mean lies between these two.
    #[serde(default)]
    pub between: Option<[f64; 2]>,
    /// A row in which any run diverged counts as holding.
    #[serde(default)]
    pub or_diverged: bool,
    /// What the paper reports, or its figure shows: the power of a test is for this effect.
    #[serde(default)]
    pub paper_effect: Option<f64>,
}

/// `[decide]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideSpec {
    /// Numbers of runs at which claims are judged, in ascending order: the first is that of the pipeline's seeds, and what is
    /// undecided then gets as many more as the next one says. One look, at the runs that there are, if left out.
    #[serde(default)]
    pub looks: Vec<u64>,
    /// How probable it may be that a claim exactly at its bound is judged at any of the looks, for better or worse.
    #[serde(default = "level")]
    pub level: f64,
}

impl Default for DecideSpec {
    fn default() -> Self {
        Self { looks: Vec::new(), level: level() }
    }
}

fn level() -> f64 {
    0.02
}

/// A checked condition: one bound on the rows of one table.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Condition {
    pub claim: String,
    pub statement: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remark: String,
    /// The claim that has to hold for this one to be judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given: Option<String>,
    pub of: String,
    /// The column of the table that holds a probability, where the condition is not about runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<String>,
    /// The values of runs behind the table, or the table of a probability itself.
    #[serde(skip)]
    pub values: TableId,
    #[serde(rename = "where")]
    pub filter: BTreeMap<String, OneOrMany>,
    pub for_all: BTreeMap<String, OneOrMany>,
    /// The columns that tell the rows of the table apart; they follow from the table, whose key the task's key covers.
    #[serde(skip)]
    pub keys: Vec<String>,
    /// The column of the runs; it follows from the table, too. None for a probability.
    #[serde(skip)]
    pub over: Option<String>,
    #[serde(serialize_with = "bound_as_numbers")]
    pub bound: Bound,
    pub or_diverged: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paper_effect: Option<f64>,
}

/// Lower and upper end, null where there is none.
fn bound_as_numbers<S: serde::Serializer>(bound: &Bound, serializer: S) -> Result<S::Ok, S::Error> {
    let ends: [Option<f64>; 2] = match *bound {
        Bound::Above(low) => [Some(low), None],
        Bound::Below(high) => [None, Some(high)],
        Bound::Between(low, high) => [Some(low), Some(high)],
    };
    ends.serialize(serializer)
}

/// The entries of a list, or the one thing that stands in its place.
pub(super) fn items(node: &Node) -> Vec<&Node> {
    match &node.value {
        Value::Array(items) => items.iter().collect(),
        _ => vec![node],
    }
}

/// `[[claims]]` and `[decide]` of the parameters.
pub(super) fn sections(parameters: &Node) -> (Vec<&Node>, Option<&Node>) {
    let section = |name| parameters.as_table().and_then(|table| table.get(name));
    (section("claims").map(items).unwrap_or_default(), section("decide"))
}

/// The tables that a condition reads: the summary that it is about, and the values of runs behind it.
pub(super) fn tables_of(condition: &Node) -> Result<Vec<Reference>, Fault> {
    let of = Reference::optional(condition, "of", Reads::Table)?;
    if condition.as_table().is_some_and(|table| table.get("probability").is_some()) {
        return Ok(of.into_iter().collect());
    }
    let values = of
        .as_ref()
        .map(|of| of.to_table_beside(values_behind(&of.name), "The summary of a `bootstrap` has: name one of those."));
    Ok(of.into_iter().chain(values).collect())
}

fn values_behind(summary: &str) -> String {
    format!("{summary}_values")
}

/// How often the claims are looked at.
///
/// # Errors
/// Looks that are none, or a first one that is not that of the pipeline's seeds.
pub(super) fn read_looks(planning: &Planning<'_>, decide: Option<&Node>, over: &str) -> Result<Looks, Fault> {
    let spec: DecideSpec = decide.map(Node::read).transpose()?.unwrap_or_default();
    let place = |field: &str| {
        let table = decide.and_then(Node::as_table);
        table.and_then(|table| table.get(field)).or(decide).map_or(&planning.parameters.span, |node| &node.span)
    };
    if !(spec.level > 0.0 && spec.level < 1.0) {
        let message = format!("a level lies between 0 and 1 (0.02 is 2 %), found {}", spec.level);
        return Err(Fault::at(place("level"), message));
    }
    if spec.looks.windows(2).any(|pair| pair[0] >= pair[1]) || spec.looks.first().is_some_and(|first| *first < 2) {
        let message = "looks are numbers of runs, 2 or more, in ascending order";
        return Err(Fault::at(place("looks"), message));
    }
    let there = planning.matrix.get(over).map(|seeds| seeds.len() as u64);
    if let (Some(first), Some(there)) = (spec.looks.first(), there)
        && *first != there
    {
        let message = format!("the first look is at {first} runs, and the axis `{over}` has {there}");
        return Err(Fault::at(place("looks"), message)
            .help(format!("Say `--set matrix.{over}.count={first}`, or begin the looks with {there}.")));
    }
    Ok(Looks { at: spec.looks.iter().map(|&look| look as usize).collect(), level: spec.level })
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
    let remark: Option<String> = table.remove("remark").map(|(_, node)| node.read()).transpose()?;
    let mut conditions = Vec::new();
    if !table.entries.is_empty() {
        conditions.push(read_condition(planning, &rest, &claim, &statement)?);
    }
    for condition in all.as_ref().map(items).unwrap_or_default() {
        conditions.push(read_condition(planning, condition, &claim, &statement)?);
    }
    if conditions.is_empty() {
        return Err(Fault::at(&node.span, format!("claim `{claim}` tests nothing"))
            .help("Give it `of` and one of `greater_than`, `less_than`, `between`."));
    }
    for condition in &mut conditions {
        condition.given.clone_from(&given);
        condition.remark = remark.clone().unwrap_or_default();
    }
    Ok(conditions)
}

fn read_condition(planning: &Planning<'_>, node: &Node, claim: &str, statement: &str) -> Result<Condition, Fault> {
    let spec: ConditionSpec = node.read()?;
    let Some(of) = spec.of.clone() else {
        return Err(Fault::at(&node.span, format!("claim `{claim}`: the key `of`, a bootstrap table, is missing")));
    };
    let (id, table) = planning.gathered(&of);
    check_selection(node, claim, (&spec, table))?;
    let condition = Condition {
        claim: claim.to_owned(),
        statement: statement.to_owned(),
        remark: String::new(),
        given: None,
        of: of.clone(),
        probability: spec.probability,
        values: id,
        filter: spec.filter,
        for_all: spec.for_all,
        keys: Vec::new(),
        over: None,
        bound: bound(node, claim, (spec.greater_than, spec.less_than, spec.between))?,
        or_diverged: spec.or_diverged,
        paper_effect: spec.paper_effect,
    };
    if let Some(column) = &condition.probability {
        let place = node.as_table().and_then(|table| table.get("probability")).map_or(&node.span, |value| &value.span);
        if table.schema.column(column).is_none_or(|column| column.kind != ColumnType::Float64) {
            let there = instead_of(column, table.schema.column_names());
            return Err(Fault::at(place, format!("claim `{claim}`: `{of}` has no numbers `{column}`; {there}")));
        }
        if !matches!(condition.bound, Bound::Above(least) if (0.5..1.0).contains(&least)) {
            let message =
                format!("claim `{claim}`: something probable is so by more than a half: `greater_than = 0.9`");
            return Err(Fault::at(place, message));
        }
        return Ok(condition);
    }
    let (values, behind) = planning.gathered(&values_behind(&of));
    if table.schema.kind != SummaryRow::schema().kind || behind.schema.kind != ValueRow::schema().kind {
        return Err(Fault::at(&table.span, format!("claim `{claim}`: `{of}` is not a bootstrap table")));
    }
    let of_a_value = ValueRow::schema();
    let keys: Vec<String> = table.schema.key.iter().map(ToString::to_string).collect();
    // What a value's key has beside the summary's: what is compared, the run, and which of the parts and cells it is.
    let over = behind.schema.key.iter().rfind(|name| of_a_value.column(name).is_none()).map(ToString::to_string);
    Ok(Condition { values, keys, over: Some(over.expect("a value belongs to a run")), ..condition })
}

/// That the table has what `where` and `for_all` select by.
fn check_selection(node: &Node, claim: &str, (spec, table): (&ConditionSpec, &Gathered)) -> Result<(), Fault> {
    let of = &table.name;
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
    Ok(())
}

/// The one bound of a condition.
fn bound(
    node: &Node,
    claim: &str,
    (above, below, between): (Option<f64>, Option<f64>, Option<[f64; 2]>),
) -> Result<Bound, Fault> {
    match (above, below, between) {
        (Some(bound), None, None) => Ok(Bound::Above(bound)),
        (None, Some(bound), None) => Ok(Bound::Below(bound)),
        (None, None, Some([low, high])) if low < high => Ok(Bound::Between(low, high)),
        (None, None, Some([low, high])) => {
            Err(Fault::at(&node.span, format!("claim `{claim}`: nothing lies between {low} and {high}")))
        }
        (None, None, None) => Err(Fault::at(&node.span, format!("claim `{claim}`: this condition has no threshold"))
            .help("Give one of `greater_than`, `less_than`, `between`.")),
        _ => Err(Fault::at(&node.span, format!("claim `{claim}`: this condition has more than one threshold"))
            .help("Write `between = [low, high]`, or a condition of its own for each in `all`.")),
    }
}
