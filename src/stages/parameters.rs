//! Parameters that several kinds of stages share: how they are written, and what they mean once checked.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::science::activation::Activation;
use crate::science::initialization::Initialization;
use crate::science::loss::Loss;

/// The images that a network is looked at with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// The last images of the training set, which no training sees: 10,000, or a fifth where that is less. For choosing
    /// coefficients.
    Tuning,
    /// The test set: for scoring.
    #[default]
    Test,
}

/// The parameters of `Spec` that take a word or a number, and so can be plain axes of a matrix, from its own JSON Schema.
/// Those in `references` name stages.
pub(super) fn axes_of<Spec: JsonSchema>(references: &[&str]) -> BTreeSet<String> {
    let schema = schemars::schema_for!(Spec);
    let schema = schema.as_value();
    let properties = schema["properties"].as_object().expect("parameters are a table");
    let plain = properties.iter().filter(|(name, property)| {
        !references.contains(&name.as_str()) && takes_a_plain_value(property, &schema["$defs"])
    });
    plain.map(|(name, _)| name.clone()).collect()
}

fn takes_a_plain_value(schema: &Value, definitions: &Value) -> bool {
    const PLAIN: [&str; 4] = ["boolean", "integer", "number", "string"];
    let is_plain = |kind: &Value| kind.as_str().is_some_and(|kind| PLAIN.contains(&kind));
    let definition = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    let alternatives = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|key| schema[key].as_array()).flatten();
    is_plain(&schema["type"])
        || schema["type"].as_array().is_some_and(|kinds| kinds.iter().any(is_plain))
        || schema["const"].is_string()
        || definition.is_some_and(|name| takes_a_plain_value(&definitions[name], definitions))
        || alternatives.into_iter().any(|schema| takes_a_plain_value(schema, definitions))
}

/// Images of a large training set that are kept out of training, at its end.
pub(super) const MOST_TUNING_SAMPLES: usize = 10_000;

/// Images of a training set of `n_train` that are kept out of training, at its end: 10,000, or a fifth where that is less.
pub fn tuning_samples(n_train: usize) -> usize {
    MOST_TUNING_SAMPLES.min(n_train.div_ceil(5))
}

/// Steps at which something is done: a list, or every so many training samples, the first and the last included.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged, expecting = "steps are a list, `[0, 200, 5000]`, or an interval, `{ every = 250 }`")]
pub enum Steps {
    /// These.
    List(Vec<u64>),
    /// At an interval.
    Every(Every),
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
/// An interval.
pub struct Every {
    /// Training samples from one step to the next.
    pub every: u64,
}

/// Steps that an interval may come to: more is a slip of the keyboard.
const MOST_STEPS: u64 = 1_000_000;

impl Steps {
    /// The steps of a training of `samples` steps, ascending.
    ///
    /// # Errors
    /// A step or an interval beyond the end, an interval of 0, or more steps than anybody looks at.
    pub fn expand(&self, samples: u64) -> Result<Vec<u64>, String> {
        match self {
            Self::List(steps) => {
                let mut sorted = steps.clone();
                sorted.sort_unstable();
                sorted.dedup();
                match sorted.last() {
                    Some(&last) if last > samples => {
                        Err(format!("step {last} comes after the last training sample, {samples}"))
                    }
                    _ => Ok(sorted),
                }
            }
            Self::Every(Every { every: 0 }) => Err("`every = 0` never comes round; take at least 1".to_owned()),
            Self::Every(Every { every }) if *every > samples => Err(format!(
                "`every = {every}` comes after the last training sample, {samples}; the beginning and the end are `[0, {samples}]`"
            )),
            Self::Every(Every { every }) if samples / every >= MOST_STEPS => Err(format!(
                "`every = {every}` comes {} times; at most {MOST_STEPS} steps can be listed",
                samples / every
            )),
            Self::Every(Every { every }) => {
                let mut steps: Vec<u64> =
                    (0..=samples).step_by(usize::try_from(*every).unwrap_or(usize::MAX)).collect();
                if steps.last() != Some(&samples) {
                    steps.push(samples);
                }
                Ok(steps)
            }
        }
    }
}

/// `{ softplus = { … } }`
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Softplus {
    /// With its sharpness.
    Softplus(SoftplusBeta),
}

/// The sharpness of softplus, ln(1 + exp(β z)) / β.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SoftplusBeta {
    /// β, positive; 10 if softplus is only named.
    pub beta: f32,
}

/// β of the authors' earlier public code.
pub const SOFTPLUS_BETA: f32 = 10.0;

/// `activation = "tanh"` or `activation = { softplus = { beta = 10 } }`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "an activation is `\"softplus\"`, `\"tanh\"`, `\"relu\"`, `\"sigmoid\"`, `\"linear\"` or `{ softplus = { beta = 10 } }`"
)]
pub enum ActivationSpec {
    /// By its name.
    Named(PlainActivation),
    /// Softplus with a β of its own.
    Softplus(Softplus),
}

/// An activation function by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlainActivation {
    /// β = 10.
    Softplus,
    /// tanh z.
    Tanh,
    /// max(0, z).
    Relu,
    /// 1 / (1 + exp(−z)).
    Sigmoid,
    /// z itself.
    Linear,
}

impl Default for ActivationSpec {
    fn default() -> Self {
        Self::Named(PlainActivation::Softplus)
    }
}

impl ActivationSpec {
    /// σ, checked.
    ///
    /// # Errors
    /// β is not a positive number.
    pub fn check(self) -> Result<Activation, String> {
        let activation = match self {
            Self::Named(PlainActivation::Softplus) => Activation::Softplus { beta: SOFTPLUS_BETA },
            Self::Named(PlainActivation::Tanh) => Activation::Tanh,
            Self::Named(PlainActivation::Relu) => Activation::Relu,
            Self::Named(PlainActivation::Sigmoid) => Activation::Sigmoid,
            Self::Named(PlainActivation::Linear) => Activation::Linear,
            Self::Softplus(Softplus::Softplus(SoftplusBeta { beta })) => Activation::Softplus { beta },
        };
        activation.check().map_err(|error| error.to_string())
    }
}

/// The name of an activation in tables.
pub fn activation_name(activation: Activation) -> &'static str {
    match activation {
        Activation::Softplus { .. } => "softplus",
        Activation::Tanh => "tanh",
        Activation::Relu => "relu",
        Activation::Sigmoid => "sigmoid",
        Activation::Linear => "linear",
    }
}

/// A distribution of initial weights by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlainInit {
    /// After Glorot and Bengio (2010).
    #[default]
    Xavier,
    /// N(0, std 0.01).
    Naive,
    /// After He et al. (2015).
    Kaiming,
    /// Orthonormal rows or columns, after Saxe et al. (2014).
    Orthogonal,
}

/// `init = "xavier"` or `init = { naive = { variance = 0.01 } }`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "an initialisation is `\"xavier\"`, `\"kaiming\"`, `\"orthogonal\"`, `\"naive\"`, `{ naive = { std = 0.01 } }` or `{ naive = { variance = 1e-4 } }`"
)]
pub enum InitSpec {
    /// By its name.
    Named(PlainInit),
    /// Naive with a spread of its own.
    Naive(NaiveInit),
}

/// `{ naive = { … } }`
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NaiveInit {
    /// With its spread.
    Naive(NaiveSpread),
}

/// How far naive initial weights spread about 0.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NaiveSpread {
    /// As a standard deviation.
    Std(f64),
    /// As a variance.
    Variance(f64),
}

impl Default for InitSpec {
    fn default() -> Self {
        Self::Named(PlainInit::Xavier)
    }
}

/// The paper's N(0, 0.01), read as a standard deviation.
pub const NAIVE_STD: f64 = 0.01;

impl InitSpec {
    /// The distribution, checked.
    ///
    /// # Errors
    /// A spread is not finite, or negative.
    pub fn check(self) -> Result<Initialization, String> {
        let init = match self {
            Self::Named(PlainInit::Xavier) => Initialization::Xavier,
            Self::Named(PlainInit::Naive) => Initialization::Naive { std: NAIVE_STD },
            Self::Named(PlainInit::Kaiming) => Initialization::Kaiming,
            Self::Named(PlainInit::Orthogonal) => Initialization::Orthogonal,
            Self::Naive(NaiveInit::Naive(NaiveSpread::Std(std))) => Initialization::Naive { std },
            Self::Naive(NaiveInit::Naive(NaiveSpread::Variance(variance))) => {
                if !(variance.is_finite() && variance >= 0.0) {
                    let wrong = "naive initialization: variance must be finite and not negative, found";
                    return Err(format!("{wrong} {variance}"));
                }
                Initialization::Naive { std: libm::sqrt(variance) }
            }
        };
        init.check().map_err(|error| error.to_string())
    }
}

/// The name of an initialisation in tables.
pub fn init_name(init: Initialization) -> &'static str {
    match init {
        Initialization::Xavier => "xavier",
        Initialization::Naive { .. } => "naive",
        Initialization::Kaiming => "kaiming",
        Initialization::Orthogonal => "orthogonal",
    }
}

/// `loss = "cross_entropy"`: how the output is read and judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LossSpec {
    /// The output is a softmax; −ln of the label's probability.
    #[default]
    CrossEntropy,
    /// The output is linear; half the squared distance to the label's onehot.
    SquaredError,
}

impl LossSpec {
    /// As the mathematics takes it.
    pub fn loss(self) -> Loss {
        match self {
            Self::CrossEntropy => Loss::CrossEntropy,
            Self::SquaredError => Loss::SquaredError,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tuning_split_is_ten_thousand_images_or_a_fifth() {
        let sizes = [60_000, 50_000, 49_999, 16_000, 6_000, 11, 1, 0];
        assert_eq!(sizes.map(tuning_samples), [10_000, 10_000, 10_000, 3_200, 1_200, 3, 1, 0]);
    }

    #[test]
    fn steps_are_sorted_once_each_and_end_with_the_last_sample_where_they_come_at_an_interval() {
        let list = |steps: &[u64]| Steps::List(steps.to_vec()).expand(100);
        assert_eq!(list(&[100, 0, 50, 0]), Ok(vec![0, 50, 100]));
        assert_eq!(list(&[101]), Err("step 101 comes after the last training sample, 100".to_owned()));
        let every = |every: u64| Steps::Every(Every { every }).expand(100);
        assert_eq!(every(50), Ok(vec![0, 50, 100]));
        assert_eq!(every(40), Ok(vec![0, 40, 80, 100]));
        assert_eq!(every(100), Ok(vec![0, 100]));
        assert!(every(101).unwrap_err().ends_with("the beginning and the end are `[0, 100]`"));
        assert!(every(0).unwrap_err().contains("never comes round"));
        let many = Steps::Every(Every { every: 1 }).expand(1_000_000_000);
        assert!(many.unwrap_err().starts_with("`every = 1` comes 1000000000 times"));
    }
}
