//! What meta-learning is asked to do.

use super::task::{ClassPool, Sampling, TaskSize};
use crate::science::InvalidParameter;
use crate::science::feedback::Feedback;
use crate::science::initialization::Initialization;
use crate::science::loss::Loss;
use crate::science::network::Architecture;
use crate::science::plasticity::{Coefficient, Rule, Term};

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
                return refuse(format!("`{}` is one number in meta-learning, not one per layer", term.name));
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

    /// The rule with the terms that follow from the pathway of errors, each with the coefficient that it shares.
    pub fn completed_rule(&self) -> Rule {
        let terms = self.rule.terms();
        let following = self.feedback.followers().iter().filter_map(|(follower, leader)| {
            let (_, coefficient) = terms.iter().find(|(term, _)| term.name == *leader)?;
            Some((Term::named(follower).expect("a shipped term").clone(), coefficient.clone()))
        });
        Rule::with_terms(terms.iter().cloned().chain(following).collect())
            .expect("it was checked that none is there twice")
    }

    /// Where the coefficient of the term called `name` stands among those of the rule: its own, or the one that it shares.
    pub fn place_of(&self, name: &str) -> Option<usize> {
        let followers = self.feedback.followers().iter();
        let name = followers.clone().find(|(follower, _)| *follower == name).map_or(name, |(_, leader)| leader);
        self.rule.terms().iter().position(|(term, _)| term.name == name)
    }

    /// How many times longer an episode takes than by the kernels, roughly.
    pub fn effort(&self) -> f64 {
        if self.suits_kernels() {
            return 1.0;
        }
        // Measured on the network of Figure 8.
        let n_evaluated = self.rule.evaluated().count();
        let n_products = self.rule.terms().len() - n_evaluated;
        8.0 + 7.0 * n_products as f64 + 40.0 * n_evaluated as f64
    }

    /// Bytes that matrices in double precision take, roughly, where the kernels cannot be used.
    pub fn memory_of_matrices(&self) -> u64 {
        let units: u64 = self.architecture.sizes().iter().map(|&n| n as u64).sum();
        let steps = (self.task.n_classes as u64).saturating_mul(self.task.n_training as u64);
        let shapes = self.architecture.feedback_shapes(self.feedback);
        let feedback: u64 = shapes.iter().map(|&(n_pre, n_post)| n_pre as u64 * n_post as u64).sum();
        let state = (self.architecture.n_synapses() as u64).saturating_add(feedback).saturating_mul(8);
        // What a step leaves behind: signals, and some vectors for each term.
        let tape = units.saturating_mul(8 * (6 + 6 * self.rule.terms().len() as u64));
        // A checkpoint for each segment, a state and a tape for each step of one; V and U with room, and the trained network.
        let kept = state.saturating_mul(2).saturating_add(tape).saturating_mul(steps.isqrt() + 1);
        let noise = steps.saturating_mul(units).saturating_mul(2 * 8);
        kept.saturating_add(noise).saturating_add(state.saturating_mul(3))
    }

    /// Which coefficients are learned, in the order of the rule's terms.
    pub(super) fn learns(&self) -> Vec<bool> {
        let terms = self.rule.terms().iter();
        terms.map(|(term, _)| self.learned.iter().any(|name| *name == term.name)).collect()
    }
}
