//! What a pipeline may say of meta-learning.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stages::feedback::FeedbackSpec;
use crate::stages::parameters::{ActivationSpec, InitSpec, Steps};
use crate::stages::pool::Stages;
use crate::stages::training::rules::picked;
use crate::stages::training::terms::Numbers;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MetaLearnSpec {
    /// The stages that load the data: tasks are drawn from the classes of all of them.
    #[allow(dead_code)]
    pub(super) data: Stages,
    /// What is taken instead where one of those data sets is not there; their stages say `optional = true`.
    #[allow(dead_code)]
    #[serde(default)]
    pub(super) otherwise: Stages,
    /// The images that tasks are drawn from.
    #[serde(default)]
    pub(super) draw_from: DrawFrom,
    /// Units of the hidden layers; the input is that of the data.
    pub(super) hidden: Vec<usize>,
    /// Outputs of the network, where there are more than classes in the pool: the others are never right.
    #[serde(default)]
    pub(super) outputs: Option<usize>,
    #[serde(default)]
    pub(super) activation: ActivationSpec,
    #[serde(default)]
    pub(super) init: InitSpec,
    #[serde(default)]
    pub(super) feedback: FeedbackSpec,
    /// A learning rule of `[rules]`: its terms are learned, from its coefficients on.
    pub(super) rule: String,
    /// The terms that are learned, where these are not all of the rule's; the others keep their coefficients.
    #[serde(default)]
    pub(super) learned: Option<Vec<String>>,
    #[serde(default)]
    pub(super) terms: Numbers,
    /// The name under which the learning rate of this network is tuned.
    #[serde(default)]
    pub(super) setting: Option<String>,
    /// Which of the rates that tuning left, by their probability; 1 was picked.
    #[serde(default = "picked")]
    pub(super) cell: usize,
    /// Adam's step size in the outer loop; looked up among the tuned ones if it is left out and the rule says `tuned`.
    #[serde(default)]
    pub(super) learning_rate: Option<f64>,
    /// The step size where the rule is tuned, but not for this data.
    #[serde(default)]
    pub(super) untuned_learning_rate: Option<f64>,
    #[serde(default)]
    pub(super) seed: u64,
    #[serde(default = "episodes")]
    pub(super) episodes: u32,
    /// Classes of a task.
    #[serde(default = "classes")]
    pub(super) classes: usize,
    /// Whether a class may come up twice in a task.
    #[serde(default)]
    pub(super) with_replacement: bool,
    /// Whether a class shows new images in every task, or the same ones in all tasks of a seed.
    #[serde(default)]
    pub(super) images: ImagesSpec,
    /// Training samples per class.
    #[serde(default = "training_samples")]
    pub(super) training_samples: usize,
    /// Query samples per class.
    #[serde(default = "query_samples")]
    pub(super) query_samples: usize,
    /// λ in the penalty λ Σ|θ|.
    #[serde(default)]
    pub(super) l1: f64,
    /// Largest norm of the gradient; a longer one is shortened to it.
    #[serde(default)]
    pub(super) clip: Option<f64>,
    /// Largest norm of the gradient that is trusted; an episode with a longer one is skipped.
    #[serde(default)]
    pub(super) skip_above: Option<f64>,
    /// Whether the coefficients return to earlier ones after an episode without a gradient.
    #[serde(default)]
    pub(super) step_back: bool,
    /// Episodes after which the angles between forward and feedback weights are measured; every tenth if left out.
    #[serde(default)]
    pub(super) angles: Option<Steps>,
}

/// Numbers of the paper.
fn episodes() -> u32 {
    600
}

fn classes() -> usize {
    5
}

fn training_samples() -> usize {
    50
}

fn query_samples() -> usize {
    10
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ImagesSpec {
    /// Every task draws its own.
    #[default]
    Fresh,
    /// The same in all tasks of a seed.
    Fixed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum DrawFrom {
    /// All of the training set but its tuning split: the last 10,000 images, or the last fifth where that is less.
    #[default]
    Training,
    /// That tuning split, for choosing learning rates.
    Tuning,
}
