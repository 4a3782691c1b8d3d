//! Ways of learning in mini-batches as they are written: optimisers and normalisation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Deserialize;

use super::rules::{CoefficientSpec, place_of_term};
use super::terms::{self, CanonicalTerms, Numbers};
use crate::science::batch::refuses;
use crate::science::normalization::{BatchNorm, Normalization};
use crate::science::optimizer::Optimizer;
use crate::science::plasticity::{Coefficient, Rule, Term};
use crate::spec::NamedNode;
use crate::spec::node::{Fault, instead_of};
use crate::task::Planning;

/// `[rules.<name>]` of a stage that learns in mini-batches; coefficients of terms beside the optimiser may stand in it as well.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = with_terms)]
pub struct BatchRuleSpec {
    /// Take `rate` and `oja` from the committed tables, by data set, setting and the rule's name.
    #[serde(default)]
    pub(super) tuned: bool,
    /// What turns a mean gradient into an update; `"sgd"` if left out.
    #[serde(default)]
    pub(super) optimizer: Option<OptimizerSpec>,
    /// Learning rate of the optimiser.
    #[serde(default)]
    pub(super) rate: Option<f64>,
    /// Coefficient of Oja's term, mean over the batch.
    #[serde(default)]
    pub(super) oja: Option<f64>,
    /// Normalise the hidden layers over the batch.
    #[serde(default)]
    pub(super) batch_norm: Option<BatchNormSpec>,
    /// Normalise the hidden layers over their units, for which a batch of one is enough.
    #[serde(default)]
    pub(super) layer_norm: Option<bool>,
    /// Samples of a batch.
    #[serde(default)]
    pub(super) batch_size: Option<usize>,
}

/// A coefficient may stand under any other name.
fn with_terms(schema: &mut schemars::Schema) {
    schema.insert("additionalProperties".to_owned(), serde_json::json!({ "$ref": "#/$defs/CoefficientSpec" }));
}

/// A rule for mini-batches as it was written, and the coefficients of its terms.
///
/// # Errors
/// It has a key that is neither a parameter nor a term, or a value that is none.
pub(super) fn read_batch_rule(
    planning: &Planning<'_>,
    NamedNode { name, node, .. }: &NamedNode,
) -> Result<(BatchRuleSpec, BTreeMap<String, CoefficientSpec>), Fault> {
    static OWN: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let schema = schemars::schema_for!(BatchRuleSpec);
        let properties = schema.as_value()["properties"].as_object().expect("parameters are a table").clone();
        properties.into_iter().map(|(name, _)| name).collect()
    });
    let known = || terms::names(planning.definitions);
    let (mut own, mut coefficients) = (node.clone(), BTreeMap::new());
    for (key, node) in node.as_table().map_or(&[][..], |table| &table.entries) {
        if OWN.contains(&key.name) {
            continue;
        }
        if !known().any(|known| known == key.name) {
            let there = instead_of(&key.name, OWN.iter().map(String::as_str).chain(known()));
            let message =
                format!("rule `{name}` for mini-batches has neither a parameter nor a term `{}`; {there}", key.name);
            return Err(Fault::at(&key.span, message));
        }
        coefficients.insert(key.name.clone(), node.read()?);
        own.as_table_mut().map(|table| table.remove(&key.name));
    }
    Ok((own.read()?, coefficients))
}

/// The terms beside an optimiser.
#[derive(Debug)]
pub(super) struct Beside {
    /// By name, in the order in which the terms are defined.
    pub coefficients: Vec<(String, CoefficientSpec)>,
    /// Those of them that the pipeline writes itself.
    pub written: CanonicalTerms,
    pub rule: Rule,
}

/// Whether a shipped term is none that can stand beside an optimiser by its name: what the optimiser moves by, and what has a
/// parameter of its own.
pub(super) fn has_its_own(term: &str) -> bool {
    ["gradient", "oja"].contains(&term)
}

impl Beside {
    /// The terms of a rule and of a stage, whose coefficients come first.
    ///
    /// # Errors
    /// One is no term, or none that a batch can carry out in a network of so many layers.
    pub(super) fn plan(
        planning: &Planning<'_>,
        rule: Option<&str>,
        mut found: BTreeMap<String, CoefficientSpec>,
        overrides: &BTreeMap<String, CoefficientSpec>,
        numbers: &Numbers,
        n_layers: usize,
    ) -> Result<Self, Fault> {
        numbers.check(planning)?;
        let known = || terms::names(planning.definitions);
        for (name, value) in overrides {
            if !known().any(|known| known == name) {
                let message = format!("there is no plasticity term `{name}`; {}", instead_of(name, known()));
                return Err(Fault::at(planning.key_within("coefficients", name), message));
            }
            found.insert(name.clone(), value.clone());
        }
        let mut written = CanonicalTerms::default();
        let mut parts: Vec<(Term, Coefficient)> = Vec::new();
        let coefficients: Vec<_> = known().filter_map(|name| found.remove_entry(name)).collect();
        for (name, coefficient) in &coefficients {
            let fault = |message: String| Fault::at(place_of_term(planning, rule, name), message);
            if has_its_own(name) {
                let own = if name == "oja" { "oja" } else { "rate" };
                let message =
                    format!("`{name}` is no term beside an optimiser: its coefficient is the parameter `{own}`");
                return Err(fault(message));
            }
            let Some(known) = terms::find(planning.definitions, name, numbers)? else { continue };
            written.add(&known);
            let part = (known.term, coefficient.coefficient());
            Rule::with_terms(vec![part.clone()])
                .and_then(|alone| alone.check_layers(n_layers))
                .map_err(|error| fault(error.to_string()))?;
            if let Some(why) = refuses(&part.0) {
                return Err(fault(format!("`{name}` {why}")));
            }
            parts.push(part);
        }
        let rule = Rule::with_terms(parts).map_err(|error| planning.fault("rule", error.to_string()))?;
        Ok(Self { coefficients, written, rule })
    }
}

/// `"adam"`, or `{ adam = { beta1 = 0.9 } }`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum OptimizerSpec {
    Named(NamedOptimizer),
    Detailed(DetailedOptimizer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum NamedOptimizer {
    /// Plain gradient descent, by the mean over the batch.
    Sgd,
    /// 0.9 of the velocity is kept.
    Momentum,
    /// The decays and epsilon of its paper.
    Adam,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum DetailedOptimizer {
    /// Momentum with a share of its own.
    Momentum(MomentumSpec),
    /// Adam with constants of its own.
    Adam(AdamSpec),
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MomentumSpec {
    /// Share of the velocity that is kept.
    momentum: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AdamSpec {
    /// Share of the running mean of gradients that is kept; 0.9 if left out.
    #[serde(default)]
    beta1: Option<f64>,
    /// Share of the running mean of their squares that is kept; 0.999 if left out.
    #[serde(default)]
    beta2: Option<f64>,
    /// Added to the root of the latter; 1e-8 if left out.
    #[serde(default)]
    epsilon: Option<f64>,
}

/// The usual share of the velocity that momentum keeps.
const MOMENTUM: f64 = 0.9;

impl OptimizerSpec {
    /// With this learning rate.
    pub(super) fn optimizer(self, rate: f64) -> Optimizer {
        match self {
            Self::Named(NamedOptimizer::Sgd) => Optimizer::Sgd { rate },
            Self::Named(NamedOptimizer::Momentum) => Optimizer::Momentum { rate, momentum: MOMENTUM },
            Self::Named(NamedOptimizer::Adam) => Optimizer::adam(rate),
            Self::Detailed(DetailedOptimizer::Momentum(MomentumSpec { momentum })) => {
                Optimizer::Momentum { rate, momentum }
            }
            Self::Detailed(DetailedOptimizer::Adam(spec)) => match Optimizer::adam(rate) {
                Optimizer::Adam { rate, beta1, beta2, epsilon } => Optimizer::Adam {
                    rate,
                    beta1: spec.beta1.unwrap_or(beta1),
                    beta2: spec.beta2.unwrap_or(beta2),
                    epsilon: spec.epsilon.unwrap_or(epsilon),
                },
                other => other,
            },
        }
    }
}

/// The name and the constants of an optimiser, as they stand in keys and in `options`.
pub(super) fn described(optimizer: Optimizer) -> serde_json::Value {
    match optimizer {
        Optimizer::Sgd { .. } => serde_json::json!({ "name": "sgd" }),
        Optimizer::Momentum { momentum, .. } => serde_json::json!({ "name": "momentum", "momentum": momentum }),
        Optimizer::Adam { beta1, beta2, epsilon, .. } => {
            serde_json::json!({ "name": "adam", "beta1": beta1, "beta2": beta2, "epsilon": epsilon })
        }
    }
}

/// `true`, or its constants.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum BatchNormSpec {
    /// With the usual constants, or not at all.
    Switch(bool),
    /// With constants of its own.
    Constants(BatchNormConstants),
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchNormConstants {
    /// Share of the newest batch in the running statistics; 0.1 if left out.
    #[serde(default)]
    momentum: Option<f64>,
    /// Added to the variance; 1e-5 if left out.
    /// Added to the root of the latter; 1e-8 if left out.
    #[serde(default)]
    epsilon: Option<f64>,
}

impl BatchNormSpec {
    /// None where it is switched off.
    pub(super) fn constants(self) -> Option<BatchNorm> {
        let usual = BatchNorm::default();
        match self {
            Self::Switch(on) => on.then_some(usual),
            Self::Constants(BatchNormConstants { momentum, epsilon }) => Some(BatchNorm {
                momentum: momentum.unwrap_or(usual.momentum),
                epsilon: epsilon.unwrap_or(usual.epsilon),
            }),
        }
    }
}

/// What of both is switched on.
///
/// # Errors
/// Both are.
pub(super) fn normalization(
    batch_norm: Option<BatchNormSpec>,
    layer_norm: Option<bool>,
) -> Result<Option<Normalization>, &'static str> {
    match (batch_norm.and_then(BatchNormSpec::constants), layer_norm.unwrap_or(false)) {
        (Some(_), true) => Err("a layer is normalised over the batch or over its units, not over both"),
        (Some(constants), false) => Ok(Some(Normalization::Batch(constants))),
        (None, true) => Ok(Some(Normalization::Layer)),
        (None, false) => Ok(None),
    }
}
