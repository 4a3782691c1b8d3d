//! The rule that is learned: where it starts, which of its terms move, and at which rate.

use std::sync::Arc;

use super::parameters::MetaLearnSpec;
use crate::science::feedback::Feedback;
use crate::science::plasticity::{Coefficient, Rule};
use crate::spec::node::{Fault, instead_of};
use crate::stages::rows::EpisodeRow;
use crate::stages::training::rules::{CoefficientSpec, Condition, WrittenRule, check_pathway, find_tuned};
use crate::stages::training::terms::{self, CanonicalTerms};
use crate::tables::Row;
use crate::task::{Planning, Source};

/// The rule before the first episode, and those of its terms that the pipeline writes itself. A term that is neither learned
/// nor has a coefficient takes no part.
///
/// # Errors
/// A coefficient is no single number, a term is none, or it reads or moves what the pathway of errors does not have.
pub(super) fn initial_rule(
    planning: &Planning<'_>,
    spec: &MetaLearnSpec,
    rule: &WrittenRule<'_>,
    learned: &[String],
    feedback: Feedback,
) -> Result<(Rule, CanonicalTerms), Fault> {
    let numbers = &spec.terms;
    numbers.check(planning)?;
    let (mut parts, mut written) = (Vec::new(), CanonicalTerms::default());
    // In the order in which the terms are defined; that of the shipped ones is rule (9)'s.
    for name in terms::names(planning.definitions) {
        let Some(coefficient) = rule.terms.get(name) else { continue };
        let CoefficientSpec::Uniform(value) = coefficient else {
            return Err(planning.fault("rule", format!("`{name}` is one number in meta-learning, not one per layer")));
        };
        let takes_part = *value != 0.0 || learned.iter().any(|learned| learned == name);
        let Some(known) = terms::find(planning.definitions, name, numbers)?.filter(|_| takes_part) else { continue };
        written.add(&known);
        parts.push((known.term, Coefficient::Uniform(*value)));
    }
    if let Some(name) = written.names().find(|name| EpisodeRow::schema().columns.iter().any(|one| one.name == *name)) {
        let message = format!("the rule has a term `{name}`, and `episodes` has a column of that name already");
        return Err(planning.fault("rule", message).help("Give the term another name: it is to have a column there."));
    }
    for (term, _) in &parts {
        check_pathway(planning, Some(&spec.rule), feedback, term)?;
    }
    let rule = Rule::with_terms(parts).map_err(|error| planning.fault("rule", error.to_string()))?;
    Ok((rule, written))
}

/// The names of the terms that are learned.
pub(super) fn learned(rule: &WrittenRule<'_>, wanted: Option<&[String]>) -> Result<Vec<String>, String> {
    let all: Vec<String> = rule.terms.keys().cloned().collect();
    let wanted = wanted.unwrap_or(&all);
    if let Some(unknown) = wanted.iter().find(|name| !rule.terms.contains_key(*name)) {
        return Err(format!("`{unknown}` is no term of the rule; {}", instead_of(unknown, &all)));
    }
    if wanted.is_empty() {
        return Err("no term is learned".to_owned());
    }
    Ok(wanted.to_vec())
}

/// The name of the outer learning rate in the tables of tuned coefficients.
const LEARNING_RATE: &str = "learning_rate";

/// Adam's step size.
pub(super) struct OuterRate {
    pub(super) rate: f64,
    /// Whether it is the one for data that nothing was tuned on.
    pub(super) is_untuned: bool,
    /// The file of tuned coefficients in which it stands.
    pub(super) source: Option<Arc<Source>>,
}

pub(super) fn learning_rate(
    planning: &Planning<'_>,
    spec: &MetaLearnSpec,
    rule: &WrittenRule<'_>,
    pool: &str,
) -> Result<OuterRate, Fault> {
    if let Some(given) = spec.learning_rate {
        return Ok(OuterRate { rate: given, is_untuned: false, source: None });
    }
    if !rule.tuned {
        let message = "the outer loop has no `learning_rate`, and the rule is not `tuned`";
        return Err(Fault::at(&planning.parameters.span, message).help("Give one; the authors' code has 1e-3."));
    }
    let condition = Condition { dataset: pool, setting: spec.setting.as_deref(), cell: spec.cell };
    match find_tuned(planning, rule.name_span, &spec.rule, condition) {
        Ok((found, file)) => {
            let tuned = |rate: &f64| OuterRate { rate: *rate, is_untuned: false, source: Some(file.clone()) };
            found.get(LEARNING_RATE).map(tuned).ok_or_else(|| {
                let message = format!("the tuned coefficients of rule `{}` have no `{LEARNING_RATE}`", spec.rule);
                Fault::at(rule.name_span, message)
            })
        }
        Err(fault) => {
            let untuned = spec.untuned_learning_rate.filter(|_| spec.setting.is_some());
            untuned.map(|rate| OuterRate { rate, is_untuned: true, source: None }).ok_or(fault)
        }
    }
}
