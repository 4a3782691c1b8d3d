//! A run of meta-learning and the rows that it leaves.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::parameters::{DrawFrom, ImagesSpec};
use crate::error::Result;
use crate::science::InvalidParameter;
use crate::science::diagnostics::WeightDiagnostics;
use crate::science::meta::{ClassPool, EpisodeRecord, EpisodeStatus, MetaLearner, MetaSettings};
use crate::science::plasticity::Rule;
use crate::science::tape::{Foreign, Tape};
use crate::stages::dataset::images;
use crate::stages::rows::{AngleRow, EpisodeRow, MetaRunRow};
use crate::stages::training::terms::CanonicalTerms;
use crate::tables::cells::Float64;
use crate::tables::{Assembly, Column, ColumnType, Row, TableSchema};
use crate::task::{Equation, InputId, Output, Surroundings, Work};

/// Everything that the result depends on besides the data, as it goes into the key.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Canonical {
    pub(super) draw_from: DrawFrom,
    pub(super) layers: Vec<usize>,
    pub(super) activation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) beta: Option<f32>,
    pub(super) init: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) std: Option<f64>,
    pub(super) feedback: &'static str,
    /// The numbers of the pathway of errors, where it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pathway: Option<serde_json::Value>,
    pub(super) learned: BTreeMap<String, f64>,
    pub(super) fixed: BTreeMap<String, f64>,
    /// What those of the terms mean that are not shipped.
    #[serde(skip_serializing_if = "CanonicalTerms::is_empty")]
    pub(super) terms: CanonicalTerms,
    pub(super) learning_rate: f64,
    pub(super) seed: u64,
    pub(super) episodes: u32,
    pub(super) classes: usize,
    pub(super) training_samples: usize,
    pub(super) query_samples: usize,
    pub(super) with_replacement: bool,
    pub(super) images: ImagesSpec,
    pub(super) l1: f64,
    pub(super) clip: Option<f64>,
    pub(super) skip_above: Option<f64>,
    pub(super) step_back: bool,
    pub(super) angles: Vec<u64>,
}

/// Bytes of an episode on the disk, compressed.
const ON_DISK: u64 = 100;

#[derive(Debug)]
pub(super) struct MetaLearnTask {
    pub(super) canonical: Canonical,
    pub(super) settings: MetaSettings,
    /// That of the settings, with what follows from the pathway of errors.
    pub(super) rule: Rule,
    /// Said when it runs; no number depends on it.
    pub(super) is_untuned: bool,
    /// Bytes, roughly.
    pub(super) memory: u64,
    pub(super) images: Vec<InputId>,
    /// Of the pool.
    pub(super) n_classes: usize,
    pub(super) pool: String,
    pub(super) outputs: Vec<Output>,
}

/// The terms that always have a column, so that tables of different conditions stack; further ones of the rule follow them.
const COLUMNS: [&str; 6] = ["gradient", "error_hebb", "oja", "decay", "feedback_hebb", "feedback_decay"];

/// The names of the terms that have a column in the episodes of `rule`.
fn term_columns(rule: &Rule) -> Vec<Cow<'static, str>> {
    let of_rule = rule.terms().iter().map(|(term, _)| term.name.clone());
    let further = of_rule.filter(|name| !COLUMNS.contains(&name.as_ref()));
    COLUMNS.into_iter().map(Cow::Borrowed).chain(further).collect()
}

/// Episodes with a column for each term.
fn episodes_schema(rule: &Rule) -> TableSchema {
    let description = "coefficient with which the episode was run";
    let column = |name| Column { name, ..Column::new("", ColumnType::Float64, "1/sample", description) };
    EpisodeRow::schema().with_columns_before("gradient_norm", term_columns(rule).into_iter().map(column))
}

pub(super) fn outputs(rule: &Rule) -> Vec<Output> {
    vec![
        Output::kept("runs", MetaRunRow::schema()).register(),
        Output::kept("episodes", episodes_schema(rule)),
        Output::kept("angles", AngleRow::schema()),
    ]
}

impl Work for MetaLearnTask {
    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(&self.canonical).expect("plain data")
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn equation(&self) -> Option<Equation> {
        let slow = "It is differentiated by plain matrices in double precision, ten to a hundred times slower than by kernels: those take sums \
                    of products of y, e and Wᵀ y, and errors that come from layer to layer through Wᵀ or B.";
        Some(Equation {
            plain: self.rule.equation(),
            latex: self.rule.latex(),
            needs: vec![
                "These are the coefficients before the first episode; the outer loop learns them.",
                "The outer loop differentiates a whole inner loop and keeps Adam's moments: it stands for evolution, not \
                 for a synapse.",
            ],
            slow: (!self.settings.suits_kernels()).then(|| slow.to_owned()),
        })
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        if self.is_untuned {
            let rate = self.canonical.learning_rate;
            context.notice(&format!("the outer learning rate {rate} has not been tuned for {}", self.pool));
        }
        let mut sets = Vec::new();
        for &input in &self.images {
            sets.push(images(context, input)?);
        }
        let parts = sets.iter().map(|set| {
            let range = match self.canonical.draw_from {
                DrawFrom::Training => 0..set.n_training(),
                DrawFrom::Tuning => set.n_training()..set.train.len(),
            };
            (&set.train, range)
        });
        let pool = ClassPool::within(parts.collect()).map_err(|error| context.numerics(error))?;
        let begin = || -> Result<OuterLoop<'_>, InvalidParameter> {
            let learner = MetaLearner::new(self.settings.clone(), &pool, self.canonical.seed)?;
            Ok(OuterLoop { learner, episodes: Vec::new(), angles: Vec::new() })
        };
        let mut outer = begin().map_err(|error| context.numerics(error))?;
        let taken_up = context.take_up(&mut |state| {
            let mut earlier = begin().map_err(|error| error.to_string())?;
            Tape::read(state, |tape| earlier.keep(tape)).map_err(|error| error.to_string())?;
            outer = earlier;
            Ok(())
        })?;
        if taken_up {
            let (seen, all) = (outer.learner.episodes(), self.canonical.episodes);
            context.notice(&format!("goes on from episode {seen} of {all}, where it was stopped"));
        }
        for episode in outer.learner.episodes() + 1..=self.canonical.episodes {
            if context.is_time_to_leave() {
                context.leave(&Tape::written(|tape| outer.keep(tape)));
            }
            context.check_interrupted()?;
            let OuterLoop { learner, episodes, angles } = &mut outer;
            if self.canonical.angles.contains(&u64::from(episode)) {
                episodes.push(learner.run_episode_inspecting(|network, query| {
                    let found = network.weight_diagnostics(query, 0..query.len());
                    angles.extend(found.into_iter().map(|layer| (episode, layer)));
                }));
            } else {
                episodes.push(learner.run_episode());
            }
        }
        self.write_run(context, &outer.episodes)?;
        write_episodes(context, &self.settings, &outer.episodes)?;
        write_angles(context, &outer.angles)
    }

    fn cost(&self) -> f64 {
        let synapses: usize = self.canonical.layers.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let task = self.settings.task;
        let samples = task.n_classes * (task.n_training + task.n_query);
        // Forward, plasticity and reverse passes: about a nanosecond a synapse and sample.
        synapses as f64 * samples as f64 * f64::from(self.canonical.episodes) * 9e-10 * self.settings.effort()
    }

    fn slowdown(&self) -> f64 {
        // Plain matrices have no kernels.
        if self.settings.suits_kernels() { 12.0 } else { 1.0 }
    }

    fn memory(&self) -> u64 {
        self.memory
    }

    fn disk(&self) -> u64 {
        20_000 + u64::from(self.canonical.episodes) * ON_DISK
    }
}

/// What is learned, and what it has done so far.
struct OuterLoop<'a> {
    learner: MetaLearner<'a>,
    episodes: Vec<EpisodeRecord>,
    angles: Vec<(u32, WeightDiagnostics)>,
}

impl OuterLoop<'_> {
    fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
        self.learner.keep(tape)?;
        tape.list("records", &mut self.episodes, usize::MAX, |tape, episode| episode.keep(tape))?;
        tape.list("angles", &mut self.angles, usize::MAX, |tape, (episode, found)| {
            tape.small_count("episode", episode)?;
            found.keep(tape)
        })
    }
}

impl MetaLearnTask {
    fn write_run(&self, context: &dyn Surroundings, episodes: &[EpisodeRecord]) -> Result<()> {
        let canonical = &self.canonical;
        let count = |wanted: &[EpisodeStatus]| {
            episodes.iter().filter(|episode| wanted.contains(&episode.status)).count() as i64
        };
        let n_skipped = count(&[EpisodeStatus::SkippedDiverged, EpisodeStatus::SkippedGradient]);
        if n_skipped > 0 {
            context.notice(&format!(
                "{n_skipped} of {} episodes were skipped: numbers not finite, or a gradient too long",
                episodes.len()
            ));
        }
        let mut options = serde_json::json!({
            "beta": canonical.beta,
            "std": canonical.std,
            "seed": canonical.seed,
            "draw_from": canonical.draw_from,
            "learned": canonical.learned,
            "fixed": canonical.fixed,
            "classes": canonical.classes,
            "training_samples": canonical.training_samples,
            "query_samples": canonical.query_samples,
            "with_replacement": canonical.with_replacement,
            "images": canonical.images,
            "l1": canonical.l1,
            "clip": canonical.clip,
            "skip_above": canonical.skip_above,
            "step_back": canonical.step_back,
            "equation": self.rule.equation(),
        });
        if let Some(pathway) = &canonical.pathway {
            options["pathway"] = pathway.clone();
        }
        let n_layers = canonical.layers.len() - 1;
        let row = MetaRunRow {
            run_id: context.run_id(),
            n_layers: n_layers as i32,
            layer_sizes: &serde_json::to_string(&canonical.layers).expect("integers serialise"),
            activation: canonical.activation,
            init: canonical.init,
            feedback: canonical.feedback,
            pool: &self.pool,
            n_classes: self.n_classes as i32,
            n_outputs: canonical.layers[n_layers] as i32,
            episodes: canonical.episodes.into(),
            outer_rate: canonical.learning_rate,
            n_updated: count(&[EpisodeStatus::Updated, EpisodeStatus::Clipped]),
            n_clipped: count(&[EpisodeStatus::Clipped]),
            n_skipped,
            options: &options.to_string(),
            status: "completed",
            diverged_at_step: None,
        };
        context.write("runs", MetaRunRow::batch(&[row]))
    }
}

fn write_episodes(context: &dyn Surroundings, settings: &MetaSettings, episodes: &[EpisodeRecord]) -> Result<()> {
    let rule = &settings.rule;
    let rows: Vec<EpisodeRow<'_>> = episodes
        .iter()
        .map(|episode| EpisodeRow {
            run_id: context.run_id(),
            episode: episode.episode.into(),
            query_loss: episode.query_loss,
            query_accuracy: episode.query_accuracy,
            gradient_norm: episode.gradient_norm,
            status: episode.status.name(),
        })
        .collect();
    let mut table = Assembly::new(episodes_schema(rule)).rows(&rows);
    for name in term_columns(rule) {
        let index = settings.place_of(&name);
        let coefficients = episodes.iter().map(|episode| index.map_or(0.0, |index| episode.coefficients[index]));
        table = table.column::<Float64>(&name, coefficients);
    }
    context.write("episodes", table.batch().map_err(|error| context.internal(error))?)
}

fn write_angles(context: &dyn Surroundings, angles: &[(u32, WeightDiagnostics)]) -> Result<()> {
    let rows: Vec<AngleRow<'_>> = angles
        .iter()
        .map(|(episode, found)| AngleRow {
            run_id: context.run_id(),
            episode: (*episode).into(),
            layer: found.layer as i32,
            feedback_angle: found.feedback_angle,
            error_angle: found.error_angle,
        })
        .collect();
    context.write("angles", AngleRow::batch(&rows))
}
