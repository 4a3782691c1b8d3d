//! Ways of learning in mini-batches as they are written: optimisers and normalisation.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::science::normalization::{BatchNorm, Normalization};
use crate::science::optimizer::Optimizer;

/// `[rules.<name>]` of a stage that learns in mini-batches.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
    Sgd,
    /// 0.9 of the velocity is kept.
    Momentum,
    /// The decays and epsilon of its paper.
    Adam,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum DetailedOptimizer {
    Momentum(MomentumSpec),
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
    #[serde(default)]
    beta1: Option<f64>,
    #[serde(default)]
    beta2: Option<f64>,
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
    Switch(bool),
    Constants(BatchNormConstants),
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchNormConstants {
    /// Share of the newest batch in the running statistics; 0.1 if left out.
    #[serde(default)]
    momentum: Option<f64>,
    /// Added to the variance; 1e-5 if left out.
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
