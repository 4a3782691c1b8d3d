//! Learning rules of a pipeline: `[rules.…]` as written, tuned coefficients filled in, terms in their order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::terms::{self, CanonicalTerms, Numbers};
use crate::science::feedback::Feedback;
use crate::science::plasticity::{Coefficient, Synapses, Term};
use crate::spec::node::{Fault, Node, Span, Value, choices, instead_of};
use crate::spec::{Definitions, NamedNode};
use crate::stages::coefficients::{Survivor, Tuned};
use crate::stages::environment;
use crate::task::{Planning, Source};

/// One number, or one a layer.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged, expecting = "a coefficient is a number, or a list with a number for each layer")]
pub enum CoefficientSpec {
    /// In every layer.
    Uniform(f64),
    /// For each of the layers 1 … L.
    PerLayer(Vec<f64>),
}

/// `[rules.<name>]`
#[derive(Debug, Default, JsonSchema)]
pub struct RuleSpec {
    /// Take the coefficients from the committed tables, by data set, setting and the rule's name.
    #[serde(default)]
    pub tuned: bool,
    /// Coefficients by the names of their terms.
    #[serde(flatten)]
    pub terms: BTreeMap<String, CoefficientSpec>,
}

/// The length to which a recurrent network may shorten its gradient.
pub(super) const CLIP: &str = "clip";

/// Coefficients of rules that belong to no term.
pub(in crate::stages) const BESIDE_TERMS: [&str; 1] = [CLIP];

/// `[rules.<name>]` as it was written.
pub(in crate::stages) struct WrittenRule<'a> {
    pub terms: BTreeMap<String, CoefficientSpec>,
    /// Whether the rest is looked up among the tuned coefficients.
    pub tuned: bool,
    pub name_span: &'a Span,
}

/// Finds a rule of the pipeline.
///
/// # Errors
/// There is no such rule.
pub(super) fn find_rule<'a>(planning: &Planning<'a>, name: &str) -> Result<&'a NamedNode, Fault> {
    let rules: &'a [NamedNode] = &planning.definitions.rules;
    rules.iter().find(|named| named.name == name).ok_or_else(|| {
        let names = rules.iter().map(|named| &named.name);
        planning.fault("rule", format!("there is no rule `{name}`; {}", instead_of(name, names)))
    })
}

/// The names that coefficients of a rule can have, in the order of their definition: of its terms, and its `own`.
fn names<'a>(definitions: &'a Definitions, own: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    terms::names(definitions).chain(own.iter().copied())
}

/// A rule of the pipeline that is made of plasticity terms, and of `own` coefficients that belong to none.
///
/// # Errors
/// There is no such rule, or it has a term that does not exist.
pub(in crate::stages) fn read_rule<'a>(
    planning: &Planning<'a>,
    name: &str,
    own: &[&str],
) -> Result<WrittenRule<'a>, Fault> {
    let named = find_rule(planning, name)?;
    let known = || names(planning.definitions, own);
    let Value::Table(table) = &named.node.value else { unreachable!("rules are tables") };
    let mut written = WrittenRule { terms: BTreeMap::new(), tuned: false, name_span: &named.name_span };
    for (key, node) in &table.entries {
        if key.name == "tuned" {
            written.tuned = node.read()?;
        } else if !known().any(|known| known == key.name) {
            let there = instead_of(&key.name, known().chain(["tuned"]));
            let message = format!("rule `{name}` has no term `{}`; {there}", key.name);
            return Err(Fault::at(&key.span, message));
        } else {
            written.terms.insert(key.name.clone(), node.read()?);
        }
    }
    Ok(written)
}

/// What a table of tuned coefficients is looked up by.
#[derive(Clone, Copy, Debug)]
pub(in crate::stages) struct Condition<'a> {
    pub dataset: &'a str,
    /// What the stage calls its network.
    pub setting: Option<&'a str>,
    /// Which of the coefficients that tuning left, from 1; 1 was picked.
    pub cell: usize,
}

/// The coefficients of tuning's pick.
pub(in crate::stages) fn picked() -> usize {
    1
}

/// What the committed tables say of a condition, whichever of its cells is meant.
///
/// # Errors
/// The stage does not say its setting, or the condition has not been tuned.
fn find_condition<'a>(
    planning: &Planning<'a>,
    at: &Span,
    rule: &str,
    Condition { dataset, setting, .. }: Condition<'_>,
) -> Result<(&'a Tuned, &'a Arc<Source>), Fault> {
    let Some(setting) = setting else {
        let message = format!("rule `{rule}` is tuned, so stage `{}` has to say its `setting`", planning.stage);
        return Err(Fault::at(at, message));
    };
    let coefficients = &environment::of(planning).coefficients;
    coefficients.find(dataset, setting, rule).ok_or_else(|| {
        // Those that share the most with what was asked for.
        let conditions = coefficients.conditions();
        let beyond = |start: &str| -> BTreeSet<&str> {
            let rest = conditions.iter().filter_map(|condition| condition.strip_prefix(start));
            rest.filter_map(|rest| rest.split(" / ").next()).collect()
        };
        let (here, of_set) = (beyond(&format!("{dataset} / {setting} / ")), beyond(&format!("{dataset} / ")));
        let help = match (here.is_empty(), of_set.is_empty()) {
            (false, _) => format!("In this setting the rules {} are tuned.", choices(here)),
            (true, false) => format!("On `{dataset}` the settings {} are tuned.", choices(of_set)),
            (true, true) => format!("Nothing is tuned on `{dataset}`, but on {}.", choices(beyond(""))),
        };
        Fault::at(at, format!("no tuned coefficients for {dataset} / {setting} / {rule}")).help(help)
    })
}

/// The cell of a condition that is meant, and how many tuning left.
///
/// # Errors
/// As [`find_condition`], or there are fewer cells.
pub(in crate::stages) fn find_survivor<'a>(
    planning: &Planning<'a>,
    at: &Span,
    rule: &str,
    condition: Condition<'_>,
) -> Result<(&'a Tuned, &'a Survivor, &'a Arc<Source>), Fault> {
    let (tuned, source) = find_condition(planning, at, rule, condition)?;
    let survivor = condition.cell.checked_sub(1).and_then(|index| tuned.survivors.get(index)).ok_or_else(|| {
        let message = format!("`cell` is {}; tuning left {} for rule `{rule}`", condition.cell, tuned.survivors.len());
        planning.fault("cell", message)
    })?;
    Ok((tuned, survivor, source))
}

/// The tuned coefficients of a condition.
///
/// # Errors
/// As [`find_survivor`].
pub(in crate::stages) fn find_tuned<'a>(
    planning: &Planning<'a>,
    at: &Span,
    rule: &str,
    condition: Condition<'_>,
) -> Result<(&'a BTreeMap<String, f64>, &'a Arc<Source>), Fault> {
    let (_, survivor, source) = find_survivor(planning, at, rule, condition)?;
    Ok((&survivor.terms, source))
}

/// The terms of a rule, resolved.
pub(super) struct Resolved {
    /// By name, in the order in which the terms are defined.
    pub coefficients: Vec<(String, CoefficientSpec)>,
    /// The terms themselves, without the coefficients that belong to none.
    pub terms: Vec<(Term, Coefficient)>,
    /// Those of them that the pipeline writes itself.
    pub written: CanonicalTerms,
    /// The file of tuned coefficients in which some of them stand.
    pub source: Option<Arc<Source>>,
}

/// The terms of a rule, resolved, with `numbers` of their equations. `own` are coefficients of the kind that belong to no term.
///
/// # Errors
/// The rule or a term does not exist or is no term, or the condition has not been tuned.
pub(super) fn resolve_terms(
    planning: &Planning<'_>,
    rule: Option<&str>,
    condition: Condition<'_>,
    overrides: &BTreeMap<String, CoefficientSpec>,
    numbers: &Numbers,
    own: &[&str],
) -> Result<Resolved, Fault> {
    numbers.check(planning)?;
    let known = || names(planning.definitions, own);
    let mut source = None;
    let mut found: BTreeMap<String, CoefficientSpec> = BTreeMap::new();
    if let Some(name) = rule {
        let written = read_rule(planning, name, own)?;
        found = written.terms;
        if written.tuned {
            let (terms, file) = find_tuned(planning, written.name_span, name, condition)?;
            source = Some(file.clone());
            for (term, value) in terms {
                found.entry(term.clone()).or_insert(CoefficientSpec::Uniform(*value));
            }
        }
    }
    for (term, value) in overrides {
        found.insert(term.clone(), value.clone());
    }
    for name in found.keys() {
        if !known().any(|known| known == name) {
            let message = format!("there is no plasticity term `{name}`; {}", instead_of(name, known()));
            return Err(Fault::at(planning.key_within("coefficients", name), message));
        }
    }
    if let Some(value) = found.get("gradient").and_then(CoefficientSpec::lowest).filter(|&value| value < 0.0) {
        let message = format!("`gradient` is {value}: the network would climb the loss that it is to descend");
        return Err(Fault::at(place_of_term(planning, rule, "gradient"), message)
            .help("A learning rate is positive; every other term may have either sign."));
    }
    // In the order of definition, so that a rule means the same however it was written.
    let coefficients: Vec<_> = known().filter_map(|name| found.remove_entry(name)).collect();
    let (mut terms, mut written) = (Vec::new(), CanonicalTerms::default());
    for (name, coefficient) in &coefficients {
        let Some(known) = terms::find(planning.definitions, name, numbers)? else { continue };
        written.add(&known);
        terms.push((known.term, coefficient.coefficient()));
    }
    Ok(Resolved { coefficients, terms, written, source })
}

/// Where the coefficient of a term was written: in the stage, in the rule, or else where the rule was chosen.
pub(super) fn place_of_term<'a>(planning: &'a Planning<'_>, rule: Option<&str>, term: &str) -> &'a Span {
    let in_table = |node: Option<&'a Node>| node.and_then(Node::as_table).and_then(|table| table.get(term));
    let stage = in_table(planning.parameters.as_table().and_then(|table| table.get("coefficients")));
    let named = planning.definitions.rules.iter().find(|named| Some(named.name.as_str()) == rule);
    match stage.or_else(|| in_table(named.map(|named| &named.node))) {
        Some(node) => &node.span,
        None => planning.span("rule"),
    }
}

/// That a term can learn from the errors of a pathway.
///
/// # Errors
/// It reads or moves what the pathway does not have.
pub(in crate::stages) fn check_pathway(
    planning: &Planning<'_>,
    rule: Option<&str>,
    feedback: Feedback,
    term: &Term,
) -> Result<(), Fault> {
    let Some(why) = feedback.refuses(term) else { return Ok(()) };
    let fault = Fault::at(place_of_term(planning, rule, &term.name), format!("`{}` {why}", term.name));
    let help = format!("Give stage `{}` `feedback = \"plastic\"`.", planning.stage);
    Err(if term.synapses == Synapses::Feedback { fault.help(help) } else { fault })
}

impl CoefficientSpec {
    /// The smallest number.
    fn lowest(&self) -> Option<f64> {
        match self {
            Self::Uniform(value) => Some(*value),
            Self::PerLayer(values) => values.iter().copied().reduce(f64::min),
        }
    }

    /// As the mathematics takes it.
    pub fn coefficient(&self) -> Coefficient {
        match self {
            Self::Uniform(value) => Coefficient::Uniform(*value),
            Self::PerLayer(values) => Coefficient::PerLayer(values.clone()),
        }
    }
}

impl From<Coefficient> for CoefficientSpec {
    fn from(coefficient: Coefficient) -> Self {
        match coefficient {
            Coefficient::Uniform(value) => Self::Uniform(value),
            Coefficient::PerLayer(values) => Self::PerLayer(values),
        }
    }
}

/// Coefficients as they stand in keys: by term.
pub(super) fn as_map<S: serde::Serializer>(
    terms: &[(String, CoefficientSpec)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(terms.iter().map(|(name, value)| (name, value)))
}

/// What stands in a column of `runs` that is called as a term: 0 without the term, nothing where it differs by layer.
pub(super) fn coefficient_in_runs(coefficients: &[(String, CoefficientSpec)], column: &str) -> Option<f64> {
    match coefficients.iter().find(|(name, _)| name == column) {
        None => Some(0.0),
        Some((_, CoefficientSpec::Uniform(value))) => Some(*value),
        Some((_, CoefficientSpec::PerLayer(_))) => None,
    }
}
