//! The outer loop: an episode learns a task with the present coefficients, and Adam moves them down the gradient of the
//! query loss.

use super::differentiable::Differentiable;
use super::inner::Sample;
use super::learned_rule::initial;
use super::settings::MetaSettings;
use super::task::ClassPool;
use crate::science::InvalidParameter;
use crate::science::network::Network;
use crate::science::optimizer::{Optimizer, OptimizerState};
use crate::science::samples::Samples;
use crate::science::tape::{Foreign, Tape};

/// What became of an episode's gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EpisodeStatus {
    /// The coefficients were updated.
    #[default]
    Updated,
    /// They were updated with a gradient that was shortened to the largest norm allowed.
    Clipped,
    /// There was no update: the inner loop ended in numbers that are not finite.
    SkippedDiverged,
    /// There was no update: the loss was finite, its gradient was not, or was longer than is trusted.
    SkippedGradient,
}

impl EpisodeStatus {
    const ALL: [Self; 4] = [Self::Updated, Self::Clipped, Self::SkippedDiverged, Self::SkippedGradient];

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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EpisodeRecord {
    /// Counted from 1.
    pub episode: u32,
    /// The coefficients with which it was run, in the order of the rule's terms.
    pub coefficients: Vec<f64>,
    /// Mean cross-entropy over the query samples, without the penalty, in nats; `None` if the inner loop diverged.
    pub query_loss: Option<f64>,
    /// Share of query samples answered correctly; `None` if the inner loop diverged.
    pub query_accuracy: Option<f64>,
    /// Norm of the gradient over the learned coefficients, penalty included, before clipping; `None` if it is not finite.
    pub gradient_norm: Option<f64>,
    /// What became of the gradient.
    pub status: EpisodeStatus,
}

impl EpisodeRecord {
    /// Keeps it, or takes it up.
    ///
    /// # Errors
    /// Something else was kept.
    pub fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
        tape.small_count("episode", &mut self.episode)?;
        tape.list("coefficients", &mut self.coefficients, usize::MAX, |tape, theta| tape.number("theta", theta))?;
        for found in [&mut self.query_loss, &mut self.query_accuracy, &mut self.gradient_norm] {
            tape.option("found", found, |tape, x| tape.number("x", x))?;
        }
        let mut status = self.status.name().to_owned();
        tape.text("status", &mut status)?;
        let known = EpisodeStatus::ALL.into_iter().find(|known| known.name() == status);
        self.status = known.ok_or_else(|| Foreign::new(format!("no episode ends as `{status}`")))?;
        Ok(())
    }
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
    /// θ and which of it is learned, in the order of the rule's terms.
    coefficients: Vec<f64>,
    learned: Vec<bool>,
    /// Adam's memory. A skipped episode does not count as an update.
    adam: OptimizerState<f64>,
    /// θ of the episodes that had a gradient and that θ has not stepped back past.
    good: Vec<Vec<f64>>,
    skipped_in_a_row: u32,
    inner: Differentiable,
}

impl<'a> MetaLearner<'a> {
    /// An outer loop whose tasks, sample orders and initial weights derive from `seed`.
    ///
    /// # Errors
    /// If the pool is too small for the tasks or does not fit the network, if a term reads or moves what the pathway of errors does
    /// not have, if that pathway settles, if nothing is learned, or if a number makes no sense.
    pub fn new(settings: MetaSettings, pool: &'a ClassPool<'a>, seed: u64) -> Result<Self, InvalidParameter> {
        settings.check(pool)?;
        Ok(Self {
            inner: Differentiable::new(&settings),
            coefficients: initial(&settings.rule),
            learned: settings.learns(),
            adam: OptimizerState::default(),
            good: Vec::new(),
            skipped_in_a_row: 0,
            episodes: 0,
            settings,
            pool,
            seed,
        })
    }

    /// Keeps what further episodes depend on, or takes it up into a loop with the same settings, which then goes on as this one
    /// would have, to the last bit. Every episode begins with a network of its own, so none is among it. Writing changes nothing.
    ///
    /// # Errors
    /// It was kept of another loop. This one is then of no use any more.
    pub fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
        tape.small_count("episodes", &mut self.episodes)?;
        tape.numbers("theta", &mut self.coefficients)?;
        let n = self.coefficients.len();
        self.adam.keep(tape, n)?;
        tape.list("good", &mut self.good, usize::MAX, |tape, theta| {
            theta.resize(n, 0.0);
            tape.numbers("theta", theta)
        })?;
        tape.small_count("skipped", &mut self.skipped_in_a_row)
    }

    /// θ as it is now, in the order of the rule's terms.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// The coefficient of the term called `name` as it is now; `None` where the rule has no such term.
    pub fn coefficient(&self, name: &str) -> Option<f64> {
        let at = self.settings.rule.terms().iter().position(|(term, _)| term.name == name)?;
        Some(self.coefficients[at])
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
        let task = pool.draw(settings.task, settings.sampling, self.seed, self.episodes);
        let samples = |drawn: &[(usize, u32)]| -> Vec<Sample<'a>> {
            drawn.iter().map(|&(class, index)| (pool.pixels(class, index), class)).collect()
        };
        let (training, query_samples) = (samples(&task.training), samples(&task.query));
        self.inner.initialize(&settings.initialization, task.seed);
        self.inner.train(&self.coefficients, &training);
        let query = self.inner.query(&query_samples);
        if let Some(inspect) = inspect {
            inspect(self.inner.network(), &as_samples(&query_samples, pool));
        }

        let mut record = EpisodeRecord {
            episode: self.episodes,
            coefficients: self.coefficients.clone(),
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
        let mut gradient = self.inner.differentiate();
        for ((gradient, theta), learned) in gradient.iter_mut().zip(&self.coefficients).zip(&self.learned) {
            // f64::signum(0.0) is 1; the subgradient taken at 0 is 0.
            let sign = if *theta == 0.0 { 0.0 } else { theta.signum() };
            *gradient = if *learned { *gradient + settings.l1 * sign } else { 0.0 };
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
        self.good.push(self.coefficients.clone());
        self.adam.update(Optimizer::adam(settings.learning_rate), &mut self.coefficients, &gradient);
        record
    }

    /// After an episode without a gradient.
    fn skip(&mut self) {
        if self.settings.step_back {
            let distance = 1_usize << self.skipped_in_a_row.min(31);
            self.skipped_in_a_row += 1;
            let back_to = self.good.len().saturating_sub(distance);
            if let Some(earlier) = self.good.get(back_to) {
                self.coefficients.clone_from(earlier);
                self.good.truncate(back_to);
            }
            self.adam.forget_direction();
        }
    }
}

fn as_samples(samples: &[Sample], pool: &ClassPool) -> Samples {
    let pixels = samples.iter().flat_map(|(pixels, _)| *pixels).copied().collect();
    let labels = samples.iter().map(|&(_, class)| class as u16).collect();
    Samples::new(pixels, labels, pool.n_pixels(), pool.n_classes()).expect("they come from checked samples")
}
