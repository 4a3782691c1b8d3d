//! `feedback`: where errors come from, as pipelines write it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::science::feedback::{EquilibriumPropagation, Feedback, PredictiveCoding, WeightMirror};

/// `feedback = "symmetric"`, or `feedback = { broadcast = { std = 1e-3 } }` with what a pathway has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "feedback is `\"symmetric\"`, `\"random\"`, `\"plastic\"`, `\"sign_symmetric\"`, `\"direct\"`, `\"broadcast\"`, \
                 `\"none\"`, `\"kolen_pollack\"`, `\"weight_mirror\"`, `\"predictive_coding\"` or \
                 `\"equilibrium_propagation\"`, or one of the last ones with its numbers: `{ broadcast = { std = 1e-3 } }`"
)]
pub enum FeedbackSpec {
    /// By its name, with the usual numbers.
    Named(PlainFeedback),
    /// With numbers of its own.
    Told(ToldFeedback),
}

/// Where errors come from, by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlainFeedback {
    /// Backpropagation: B = Wᵀ.
    #[default]
    Symmetric,
    /// Feedback alignment: B fixed, drawn like W.
    Random,
    /// B drawn like W and learned, by terms that move it, such as `feedback_hebb` and `feedback_decay`.
    Plastic,
    /// B has the signs of Wᵀ, all of one size.
    SignSymmetric,
    /// Direct feedback alignment: the error of the output goes to every layer, through fixed random weights.
    Direct,
    /// Node perturbation: one number for all, the change of the loss that noise makes.
    Broadcast,
    /// Only the output has an error.
    None,
    /// B is moved by what the gradient moves Wᵀ by, and decays as W does.
    KolenPollack,
    /// B follows Wᵀ in phases of noise.
    WeightMirror,
    /// Errors settle with the activations that they correct.
    PredictiveCoding,
    /// Activations settle without and with a nudge towards the label.
    EquilibriumPropagation,
}

/// Where errors come from, with numbers.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToldFeedback {
    /// Signs of Wᵀ.
    SignSymmetric(SignSymmetricSpec),
    /// Node perturbation.
    Broadcast(BroadcastSpec),
    /// Phases of noise.
    WeightMirror(WeightMirrorSpec),
    /// Settling errors.
    PredictiveCoding(PredictiveCodingSpec),
    /// Settling activations.
    EquilibriumPropagation(EquilibriumPropagationSpec),
}

/// `{ sign_symmetric = { … } }`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SignSymmetricSpec {
    /// The size of every feedback weight, as a multiple of √(2 / (n_{ℓ-1} + n_ℓ)).
    scale: f64,
}

impl Default for SignSymmetricSpec {
    fn default() -> Self {
        Self { scale: 1.0 }
    }
}

/// `{ broadcast = { … } }`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BroadcastSpec {
    /// Standard deviation of the noise that is added to every z.
    std: f64,
}

impl Default for BroadcastSpec {
    fn default() -> Self {
        Self { std: 1e-3 }
    }
}

/// `{ weight_mirror = { … } }`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WeightMirrorSpec {
    /// Training samples from one phase of noise to the next.
    every: u64,
    /// Vectors of noise in a phase.
    presentations: usize,
    /// How much of what a phase estimates goes into B.
    rate: f64,
    /// How much of B a phase takes away.
    decay: f64,
}

impl Default for WeightMirrorSpec {
    fn default() -> Self {
        Self { every: 10, presentations: 20, rate: 0.1, decay: 0.1 }
    }
}

/// `{ predictive_coding = { … } }`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PredictiveCodingSpec {
    /// T, steps of relaxation a sample.
    steps: usize,
    /// The size of each.
    rate: f64,
    /// Whether predictions stay those of the forward pass while errors settle.
    fixed_prediction: bool,
}

impl Default for PredictiveCodingSpec {
    fn default() -> Self {
        Self { steps: 20, rate: 0.2, fixed_prediction: false }
    }
}

/// `{ equilibrium_propagation = { … } }`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EquilibriumPropagationSpec {
    /// Sweeps without a nudge.
    steps: usize,
    /// Sweeps of each nudged phase.
    nudged_steps: usize,
    /// β, how strongly the output is nudged towards the label.
    beta: f64,
    /// Whether there are two nudged phases, β and −β, or β alone.
    symmetric: bool,
}

impl Default for EquilibriumPropagationSpec {
    fn default() -> Self {
        Self { steps: 10, nudged_steps: 4, beta: 0.5, symmetric: true }
    }
}

impl Default for FeedbackSpec {
    fn default() -> Self {
        Self::Named(PlainFeedback::Symmetric)
    }
}

impl FeedbackSpec {
    /// As the mathematics takes it, checked, and the numbers that it was told or has by default.
    ///
    /// # Errors
    /// A number makes no sense.
    pub fn check(self) -> Result<(Feedback, Option<Value>), String> {
        let told = match self {
            Self::Told(told) => told,
            Self::Named(plain) => match plain {
                PlainFeedback::Symmetric => return Ok((Feedback::Symmetric, None)),
                PlainFeedback::Random => return Ok((Feedback::Random, None)),
                PlainFeedback::Plastic => return Ok((Feedback::Plastic, None)),
                PlainFeedback::Direct => return Ok((Feedback::Direct, None)),
                PlainFeedback::None => return Ok((Feedback::None, None)),
                PlainFeedback::KolenPollack => return Ok((Feedback::KolenPollack, None)),
                PlainFeedback::SignSymmetric => ToldFeedback::SignSymmetric(SignSymmetricSpec::default()),
                PlainFeedback::Broadcast => ToldFeedback::Broadcast(BroadcastSpec::default()),
                PlainFeedback::WeightMirror => ToldFeedback::WeightMirror(WeightMirrorSpec::default()),
                PlainFeedback::PredictiveCoding => ToldFeedback::PredictiveCoding(PredictiveCodingSpec::default()),
                PlainFeedback::EquilibriumPropagation => {
                    ToldFeedback::EquilibriumPropagation(EquilibriumPropagationSpec::default())
                }
            },
        };
        let (feedback, numbers) = match told {
            ToldFeedback::SignSymmetric(spec) => (Feedback::SignSymmetric { scale: spec.scale }, json!(spec)),
            ToldFeedback::Broadcast(spec) => (Feedback::Broadcast { std: spec.std }, json!(spec)),
            ToldFeedback::WeightMirror(spec) => {
                let WeightMirrorSpec { every, presentations, rate, decay } = spec;
                (Feedback::WeightMirror(WeightMirror { every, presentations, rate, decay }), json!(spec))
            }
            ToldFeedback::PredictiveCoding(spec) => {
                let PredictiveCodingSpec { steps, rate, fixed_prediction } = spec;
                (Feedback::PredictiveCoding(PredictiveCoding { steps, rate, fixed_prediction }), json!(spec))
            }
            ToldFeedback::EquilibriumPropagation(spec) => {
                let EquilibriumPropagationSpec { steps, nudged_steps, beta, symmetric } = spec;
                let settings = EquilibriumPropagation { steps, nudged_steps, beta, symmetric };
                (Feedback::EquilibriumPropagation(settings), json!(spec))
            }
        };
        Ok((feedback.check().map_err(|error| error.to_string())?, Some(numbers)))
    }
}
