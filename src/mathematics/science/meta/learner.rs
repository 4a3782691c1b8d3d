//! The outer loop: an episode learns a task with the present coefficients, and Adam moves them down the gradient of the
//! query loss.

use ndarray::ArrayView2;

use super::inner::{InnerLoop, Sample};
use super::reverse::Reverse;
use super::task::{ClassPool, TaskSize};
use super::{Coefficients, TERMS};
use crate::science::InvalidParameter;
use crate::science::initialization::{Feedback, Initialization};
use crate::science::network::{Architecture, Network};
use crate::science::samples::Samples;

/// What is learned, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct MetaSettings {
    pub architecture: Architecture,
    pub initialization: Initialization,
    /// Symmetric for backpropagation, plastic for rule (9); random with coefficients of W only.
    pub feedback: Feedback,
    pub task: TaskSize,
    /// θ before the first episode.
    pub initial: Coefficients,
    /// Which of [`TERMS`] are learned; the others keep their initial coefficient, and take no part if that is 0.
    pub learned: [bool; 6],
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

/// What became of an episode's gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpisodeStatus {
    /// The coefficients were updated.
    Updated,
    /// They were updated with a gradient that was shortened to the largest norm allowed.
    Clipped,
    /// There was no update: the inner loop ended in numbers that are not finite.
    SkippedDiverged,
    /// There was no update: the loss was finite, its gradient was not, or was longer than is trusted.
    SkippedGradient,
}

impl EpisodeStatus {
    /// The name that stands in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Updated => "updated",
            Self::Clipped => "clipped",
            Self::SkippedDiverged => "skipped_diverged",
            Self::SkippedGradient => "skipped_gradient",
        }
    }
}

/// One episode.
#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeRecord {
    /// Counted from 1.
    pub episode: u32,
    /// The coefficients with which it was run.
    pub coefficients: Coefficients,
    /// Mean cross-entropy over the query samples, without the penalty, in nats; `None` if the inner loop diverged.
    pub query_loss: Option<f64>,
    /// Share of query samples answered correctly; `None` if the inner loop diverged.
    pub query_accuracy: Option<f64>,
    /// Norm of the gradient over the learned coefficients, penalty included, before clipping; `None` if it is not finite.
    pub gradient_norm: Option<f64>,
    pub status: EpisodeStatus,
}

/// Sees the trained network and the query samples.
type Inspection<'f> = &'f mut dyn FnMut(&Network, &Samples);

/// An outer loop under way.
#[derive(Clone, Debug)]
pub struct MetaLearner<'a> {
    settings: MetaSettings,
    pool: &'a ClassPool<'a>,
    seed: u64,
    episodes: u32,
    coefficients: Coefficients,
    adam: Adam,
    /// θ of the episodes that had a gradient and that θ has not stepped back past.
    good: Vec<Coefficients>,
    skipped_in_a_row: u32,
    inner: InnerLoop<f32>,
    reverse: Reverse<f32>,
}

impl<'a> MetaLearner<'a> {
    /// # Errors
    /// If the pool is too small for the tasks or does not fit the network, if feedback coefficients are used without
    /// plastic feedback, if nothing is learned, or if a number makes no sense.
    pub fn new(settings: MetaSettings, pool: &'a ClassPool<'a>, seed: u64) -> Result<Self, InvalidParameter> {
        settings.check(pool)?;
        let inner = InnerLoop::new(&settings.architecture, settings.feedback, settings.learned);
        Ok(Self {
            reverse: Reverse::new(&inner),
            inner,
            coefficients: settings.initial,
            adam: Adam::new(settings.learning_rate),
            good: Vec::new(),
            skipped_in_a_row: 0,
            episodes: 0,
            settings,
            pool,
            seed,
        })
    }

    /// θ as it is now.
    pub fn coefficients(&self) -> &Coefficients {
        &self.coefficients
    }

    /// Episodes run.
    pub fn episodes(&self) -> u32 {
        self.episodes
    }

    /// One episode: a task, a fresh network, the inner loop, the query, its gradient, an update of θ.
    pub fn run_episode(&mut self) -> EpisodeRecord {
        self.episode(None)
    }

    /// As [`MetaLearner::run_episode`], and shows `inspect` the trained network with the query samples. Looking changes
    /// nothing.
    pub fn run_episode_inspecting(&mut self, mut inspect: impl FnMut(&Network, &Samples)) -> EpisodeRecord {
        self.episode(Some(&mut inspect))
    }

    fn episode(&mut self, inspect: Option<Inspection>) -> EpisodeRecord {
        self.episodes += 1;
        let (settings, pool) = (&self.settings, self.pool);
        let task = pool.draw(settings.task, self.seed, self.episodes);
        let samples = |drawn: &[(usize, u32)]| -> Vec<Sample<'a>> {
            drawn.iter().map(|&(class, index)| (pool.pixels(class, index), class)).collect()
        };
        let (training, query_samples) = (samples(&task.training), samples(&task.query));
        self.inner.initialize(&settings.initialization, task.seed);
        self.inner.train(&self.coefficients, &training);
        let query = self.reverse.query(&self.inner, &query_samples);
        if let Some(inspect) = inspect {
            inspect(&self.trained_network(), &as_samples(&query_samples, pool));
        }

        let mut record = EpisodeRecord {
            episode: self.episodes,
            coefficients: self.coefficients,
            query_loss: None,
            query_accuracy: None,
            gradient_norm: None,
            status: EpisodeStatus::SkippedDiverged,
        };
        if !query.loss.is_finite() {
            self.skip();
            return record;
        }
        (record.query_loss, record.query_accuracy) = (Some(query.loss), Some(query.accuracy));
        let mut gradient = self.reverse.differentiate(&mut self.inner);
        for ((gradient, theta), learned) in gradient.iter_mut().zip(&self.coefficients).zip(settings.learned) {
            // f64::signum(0.0) is 1; the subgradient taken at 0 is 0.
            let sign = if *theta == 0.0 { 0.0 } else { theta.signum() };
            *gradient = if learned { *gradient + settings.l1 * sign } else { 0.0 };
        }
        let norm = libm::sqrt(gradient.iter().map(|g| g * g).sum());
        if !norm.is_finite() {
            record.status = EpisodeStatus::SkippedGradient;
            self.skip();
            return record;
        }
        record.gradient_norm = Some(norm);
        if settings.skip_above.is_some_and(|largest| norm > largest) {
            record.status = EpisodeStatus::SkippedGradient;
            self.skip();
            return record;
        }
        record.status = EpisodeStatus::Updated;
        if let Some(largest) = settings.clip.filter(|&largest| norm > largest) {
            gradient.iter_mut().for_each(|g| *g *= largest / norm);
            record.status = EpisodeStatus::Clipped;
        }
        self.skipped_in_a_row = 0;
        self.good.push(self.coefficients);
        self.adam.update(&mut self.coefficients, &gradient);
        record
    }

    /// After an episode without a gradient.
    fn skip(&mut self) {
        if self.settings.step_back {
            let distance = 1_usize << self.skipped_in_a_row.min(31);
            self.skipped_in_a_row += 1;
            let back_to = self.good.len().saturating_sub(distance);
            if let Some(&earlier) = self.good.get(back_to) {
                self.coefficients = earlier;
                self.good.truncate(back_to);
            }
            self.adam.forget_direction();
        }
    }

    fn trained_network(&self) -> Network {
        let (w, b) = (self.inner.forward_weights(), self.inner.feedback_weights());
        let w: Vec<ArrayView2<f32>> = w.iter().map(|w| w.view()).collect();
        let b: Vec<ArrayView2<f32>> = b.iter().map(|b| b.view()).collect();
        let feedback = if b.is_empty() { None } else { Some(&b[..]) };
        Network::from_weights(&self.settings.architecture, &w, feedback)
            .expect("the matrices were made for this architecture")
    }
}

fn as_samples(samples: &[Sample], pool: &ClassPool) -> Samples {
    let pixels = samples.iter().flat_map(|(pixels, _)| *pixels).copied().collect();
    let labels = samples.iter().map(|&(_, class)| class as u16).collect();
    Samples::new(pixels, labels, pool.n_pixels(), pool.n_classes()).expect("they come from checked samples")
}

impl MetaSettings {
    fn check(&self, pool: &ClassPool) -> Result<(), InvalidParameter> {
        let refuse = |message: String| Err(InvalidParameter::new(message));
        pool.check(self.task)?;
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
    /// As [`MetaLearner::new`].
    pub fn check_numbers(&self) -> Result<(), InvalidParameter> {
        let refuse = |message: String| Err(InvalidParameter::new(message));
        if !self.learned.contains(&true) {
            return refuse("meta-learning needs at least one learned coefficient".into());
        }
        for ((name, &theta), learned) in TERMS.iter().zip(&self.initial).zip(self.learned) {
            if !theta.is_finite() {
                return refuse(format!("`{name}` must be finite, found {theta}"));
            }
            if name.starts_with("feedback") && self.feedback != Feedback::Plastic && (learned || theta != 0.0) {
                return refuse(format!("`{name}` moves feedback weights: feedback must be plastic"));
            }
        }
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
}

/// Adam (Kingma & Ba 2015, algorithm 1) with its usual β1 = 0.9, β2 = 0.999, ε = 1e-8. A skipped episode does not count.
#[derive(Clone, Debug)]
pub(super) struct Adam {
    learning_rate: f64,
    steps: i32,
    mean: Coefficients,
    square: Coefficients,
}

impl Adam {
    const BETA_1: f64 = 0.9;
    const BETA_2: f64 = 0.999;
    const EPSILON: f64 = 1e-8;

    pub fn new(learning_rate: f64) -> Self {
        Self { learning_rate, steps: 0, mean: [0.0; 6], square: [0.0; 6] }
    }

    pub fn forget_direction(&mut self) {
        self.mean = [0.0; 6];
    }

    pub fn update(&mut self, theta: &mut Coefficients, gradient: &Coefficients) {
        self.steps += 1;
        let unbias = |beta: f64| 1.0 - libm::pow(beta, f64::from(self.steps));
        let (unbias_1, unbias_2) = (unbias(Self::BETA_1), unbias(Self::BETA_2));
        for k in 0..theta.len() {
            self.mean[k] = Self::BETA_1 * self.mean[k] + (1.0 - Self::BETA_1) * gradient[k];
            self.square[k] = Self::BETA_2 * self.square[k] + (1.0 - Self::BETA_2) * gradient[k] * gradient[k];
            let spread = libm::sqrt(self.square[k] / unbias_2) + Self::EPSILON;
            theta[k] -= self.learning_rate * (self.mean[k] / unbias_1) / spread;
        }
    }
}
