//! What meta-learning is asked to do.

use super::task::{ClassPool, Sampling, TaskSize};
use crate::science::InvalidParameter;
use crate::science::feedback::Feedback;
use crate::science::initialization::Initialization;
use crate::science::loss::Loss;
use crate::science::network::Architecture;
use crate::science::plasticity::{Coefficient, Rule};

/// What is learned, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct MetaSettings {
    /// The networks that learn: an output for each class of the pool, and further ones that are never right where it has more.
    pub architecture: Architecture,
    /// Their weights before a task.
    pub initialization: Initialization,
    /// Symmetric for backpropagation, plastic for rule (9). Any pathway that does not settle; noise is that of the episode's seed.
    pub feedback: Feedback,
    /// What they learn in an episode.
    pub task: TaskSize,
    /// How the classes and samples of a task are drawn.
    pub sampling: Sampling,
    /// The terms, with their coefficients before the first episode: one for all layers.
    pub rule: Rule,
    /// Names of the terms whose coefficients are learned; the others keep theirs, and take no part if that is 0.
    pub learned: Vec<String>,
    /// Adam's step size.
    pub learning_rate: f64,
    /// λ in λ Σ|θ_k| over the learned coefficients.
    pub l1: f64,
    /// Largest gradient norm: a longer gradient is shortened to it.
    pub clip: Option<f64>,
    /// Largest gradient norm that is trusted: an episode with a longer gradient is skipped. Where online learning is chaotic
    /// the gradient through it grows exponentially with its length and points nowhere; shortened by `clip` it would still
    /// move the coefficients, at random.
    pub skip_above: Option<f64>,
    /// What follows a skipped episode. Left alone, coefficients at which networks diverge let the next one diverge too, and
    /// nothing is ever learned again. If this is set, they return to those of the last episode that had a gradient; if that
    /// is skipped as well, to those two episodes before, then four, and so on; and Adam forgets its direction.
    pub step_back: bool,
}

impl MetaSettings {
    pub(super) fn check(&self, pool: &ClassPool) -> Result<(), InvalidParameter> {
        let refuse = |message: String| Err(InvalidParameter::new(message));
        pool.check(self.task, self.sampling)?;
        let (inputs, outputs) = (self.architecture.sizes()[0], self.architecture.sizes()[self.architecture.n_layers()]);
        if inputs != pool.n_pixels() || outputs < pool.n_classes() || pool.n_classes() > usize::from(u16::MAX) {
            return refuse(format!(
                "a network of {inputs} inputs and {outputs} outputs does not fit a pool of {} classes with {} pixels",
                pool.n_classes(),
                pool.n_pixels()
            ));
        }
        self.check_numbers()
    }

    /// What can be checked before there is a pool: coefficients, feedback and the settings of the outer loop.
    ///
    /// # Errors
    /// As [`MetaLearner::new`](super::MetaLearner::new).
    pub fn check_numbers(&self) -> Result<(), InvalidParameter> {
        let refuse = |message: String| Err(InvalidParameter::new(message));
        if self.learned.is_empty() {
            return refuse("meta-learning needs at least one learned coefficient".into());
        }
        let terms = self.rule.terms();
        if let Some(unknown) = self.learned.iter().find(|name| terms.iter().all(|(term, _)| term.name != **name)) {
            let names: Vec<_> = terms.iter().map(|(term, _)| format!("`{}`", term.name)).collect();
            return refuse(format!("`{unknown}` is no term of the rule; there are: {}", names.join(", ")));
        }
        if self.feedback.settles() {
            return refuse(format!(
                "under `{}` activations settle step by step, which meta-learning does not differentiate through",
                self.feedback.name()
            ));
        }
        let mut taking_part = Vec::new();
        for ((term, coefficient), learned) in terms.iter().zip(self.learns()) {
            let &Coefficient::Uniform(theta) = coefficient else {
                return refuse(format!("`{}` is one number in meta-learning, not one a layer", term.name));
            };
            let takes_part = learned || theta != 0.0;
            if let Some(why) = self.feedback.refuses(term).filter(|_| takes_part) {
                return refuse(format!("`{}` {why}", term.name));
            }
            taking_part.push((term.clone(), Coefficient::Uniform(f64::from(u8::from(takes_part)))));
        }
        self.feedback.completes(&taking_part, self.architecture.n_layers())?;
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return refuse(format!(
                "the outer learning rate must be positive and finite, found {}",
                self.learning_rate
            ));
        }
        if !(self.l1 >= 0.0 && self.l1.is_finite()) {
            return refuse(format!("the penalty must be finite and not negative, found {}", self.l1));
        }
        match [self.clip, self.skip_above].into_iter().flatten().find(|norm| *norm <= 0.0 || norm.is_nan()) {
            Some(norm) => refuse(format!("the largest gradient norm must be positive, found {norm}")),
            None => Ok(()),
        }
    }

    /// Whether kernels carry out the inner loop and its derivatives. Otherwise it takes much longer.
    pub fn suits_kernels(&self) -> bool {
        let is_fed_back = matches!(self.feedback, Feedback::Symmetric | Feedback::Random | Feedback::Plastic);
        is_fed_back && self.architecture.loss() == Loss::CrossEntropy && self.rule.evaluated().next().is_none()
    }

    /// Which coefficients are learned, in the order of the rule's terms.
    pub(super) fn learns(&self) -> Vec<bool> {
        let terms = self.rule.terms().iter();
        terms.map(|(term, _)| self.learned.iter().any(|name| *name == term.name)).collect()
    }
}
