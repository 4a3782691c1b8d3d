//! datasets → runs, episodes, angles: the coefficients of a rule are learned over many tasks (section 2.5, Figure 8).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::images;
use super::parameters::{
    ActivationSpec, Every, FeedbackSpec, InitSpec, Steps, TUNING_SAMPLES, activation_name, axes_of, init_name,
};
use super::rows::{AngleRow, EpisodeRow, MetaRunRow};
use super::training::rules::{CoefficientSpec, WrittenRule, find_tuned, read_rule};
use super::{DataFacts, Known};
use crate::error::Result;
use crate::science::activation::Activation;
use crate::science::diagnostics::WeightDiagnostics;
use crate::science::initialization::Initialization;
use crate::science::meta::{ClassPool, EpisodeRecord, EpisodeStatus, MetaLearner, MetaSettings, TaskSize};
use crate::science::network::Architecture;
use crate::science::plasticity::{Coefficient, Rule, Term};
use crate::spec::node::{Fault, Node, Value, choices};
use crate::tables::cells::Float64;
use crate::tables::{Assembly, Column, ColumnType, Row, TableSchema};
use crate::task::{
    Equation, InputId, Inputs, Kind, Output, Planned, Planning, Reads, Reference, Source, Surroundings, Work,
};

/// `kind = "meta_learn"`
pub struct MetaLearn;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MetaLearnSpec {
    /// The stages that load the data: tasks are drawn from the classes of all of them.
    #[allow(dead_code)]
    data: Vec<String>,
    /// What is taken instead where one of those data sets is not there; their stages say `optional = true`.
    #[allow(dead_code)]
    #[serde(default)]
    otherwise: Vec<String>,
    /// The images that tasks are drawn from.
    #[serde(default)]
    draw_from: DrawFrom,
    /// Units of the hidden layers; input and output are those of the data, an output for each class of the pool.
    hidden: Vec<usize>,
    #[serde(default)]
    activation: ActivationSpec,
    #[serde(default)]
    init: InitSpec,
    #[serde(default)]
    feedback: FeedbackSpec,
    /// A learning rule of `[rules]`: its terms are learned, from its coefficients on.
    rule: String,
    /// The terms that are learned, where these are not all of the rule's; the others keep their coefficients.
    #[serde(default)]
    learned: Option<Vec<String>>,
    /// The name under which the learning rate of this network is tuned.
    #[serde(default)]
    setting: Option<String>,
    /// Adam's step size in the outer loop; looked up among the tuned ones if it is left out and the rule says `tuned`.
    #[serde(default)]
    learning_rate: Option<f64>,
    /// The step size where the rule is tuned, but not for this data.
    #[serde(default)]
    untuned_learning_rate: Option<f64>,
    #[serde(default)]
    seed: u64,
    #[serde(default = "episodes")]
    episodes: u32,
    /// Classes of a task.
    #[serde(default = "classes")]
    classes: usize,
    /// Training samples a class.
    #[serde(default = "training_samples")]
    training_samples: usize,
    /// Query samples a class.
    #[serde(default = "query_samples")]
    query_samples: usize,
    /// λ in the penalty λ Σ|θ|.
    #[serde(default)]
    l1: f64,
    /// Largest norm of the gradient; a longer one is shortened to it.
    #[serde(default)]
    clip: Option<f64>,
    /// Largest norm of the gradient that is trusted; an episode with a longer one is skipped.
    #[serde(default)]
    skip_above: Option<f64>,
    /// Whether the coefficients return to earlier ones after an episode without a gradient.
    #[serde(default)]
    step_back: bool,
    /// Episodes after which the angles between forward and feedback weights are measured.
    #[serde(default = "every_tenth")]
    angles: Steps,
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

fn every_tenth() -> Steps {
    Steps::Every(Every { every: 10 })
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum DrawFrom {
    /// All of the training set but its last 10,000 images.
    #[default]
    Training,
    /// Those last 10,000, for choosing learning rates.
    Tuning,
}

impl Kind for MetaLearn {
    fn name(&self) -> &'static str {
        "meta_learn"
    }

    fn summary(&self) -> &'static str {
        "Learns the coefficients of a plasticity rule over many small tasks, by the exact gradient of what the rule achieves."
    }

    fn version(&self) -> u32 {
        2
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<MetaLearnSpec>()
    }

    fn axis_parameter(&self, axis: &str) -> Option<Vec<String>> {
        static AXES: LazyLock<BTreeSet<String>> = LazyLock::new(|| axes_of::<MetaLearnSpec>(&[]));
        AXES.contains(axis).then(|| vec![axis.to_owned()])
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        let mut references = references_in(parameters, "data")?;
        if references.is_empty() {
            return Err(Fault::at(&parameters.span, "the key `data`, a list of stages that load data, is missing"));
        }
        references.extend(references_in(parameters, "otherwise")?);
        Ok(references)
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: MetaLearnSpec = planning.parameters.read()?;
        let in_field = |field: &'static str| move |message: String| planning.fault(field, message);
        let mut inputs = Inputs::new(planning);
        let (images, data): (Vec<_>, Vec<_>) = plan_data(planning, &mut inputs)?.into_iter().unzip();
        let n_outputs = data.iter().map(|data| data.n_classes).sum();
        let pool = data.iter().map(|data| data.name.as_str()).collect::<Vec<_>>().join("+");
        let activation = spec.activation.check().map_err(in_field("activation"))?;
        let init = spec.init.check().map_err(in_field("init"))?;
        if let Some(layer) = spec.hidden.iter().position(|&width| width == 0) {
            return Err(planning.fault("hidden", format!("hidden layer {} has no units", layer + 1)));
        }
        let layers = [&[data[0].n_pixels], &spec.hidden[..], &[n_outputs]].concat();
        let architecture = Architecture::new(layers.clone(), activation)
            .map_err(|error| planning.fault("hidden", error.to_string()))?;
        let written = read_rule(planning, &spec.rule)?;
        let learned = learned(&written, spec.learned.as_deref()).map_err(in_field("learned"))?;
        let rule = initial_rule(&written, &learned).map_err(in_field("rule"))?;
        let OuterRate { rate: learning_rate, is_untuned, source } = learning_rate(planning, &spec, &written, &pool)?;
        let task = TaskSize { n_classes: spec.classes, n_training: spec.training_samples, n_query: spec.query_samples };
        if task.n_classes > n_outputs {
            let message = format!("{} classes a task; the pool {pool} has {n_outputs}", task.n_classes);
            return Err(planning.fault("classes", message));
        }
        if spec.episodes == 0 {
            return Err(planning.fault("episodes", "no episode: nothing would be learned"));
        }
        let settings = MetaSettings {
            architecture,
            initialization: init,
            feedback: spec.feedback.feedback(),
            task,
            rule,
            learned,
            learning_rate,
            l1: spec.l1,
            clip: spec.clip,
            skip_above: spec.skip_above,
            step_back: spec.step_back,
        };
        settings.check_numbers().map_err(|error| planning.fault("rule", error.to_string()))?;
        let mut angles = spec.angles.expand(u64::from(spec.episodes)).map_err(in_field("angles"))?;
        // Episodes are counted from 1.
        angles.retain(|&episode| episode > 0);
        let named = |wanted: bool| {
            let terms =
                settings.rule.terms().iter().map(|(term, coefficient)| (term.name.to_string(), coefficient.at(1)));
            terms.filter(|(name, _)| settings.learned.contains(name) == wanted).collect::<BTreeMap<_, _>>()
        };
        Ok(Planned::new(MetaLearnTask {
            canonical: Canonical {
                draw_from: spec.draw_from,
                layers,
                activation: activation_name(activation),
                beta: match activation {
                    Activation::Softplus { beta } => Some(beta),
                    _ => None,
                },
                init: init_name(init),
                std: match init {
                    Initialization::Naive { std } => Some(std),
                    _ => None,
                },
                feedback: spec.feedback.name(),
                learned: named(true),
                fixed: named(false),
                learning_rate,
                seed: spec.seed,
                episodes: spec.episodes,
                classes: task.n_classes,
                training_samples: task.n_training,
                query_samples: task.n_query,
                l1: spec.l1,
                clip: spec.clip,
                skip_above: spec.skip_above,
                step_back: spec.step_back,
                angles,
            },
            outputs: outputs(&settings.rule),
            settings,
            is_untuned,
            images,
            pool,
        })
        .reading(inputs)
        .looked_up_in(source))
    }
}

fn references_in(parameters: &Node, field: &str) -> Result<Vec<Reference>, Fault> {
    let Some(node) = parameters.as_table().and_then(|table| table.get(field)) else { return Ok(Vec::new()) };
    let Value::Array(items) = &node.value else {
        return Err(Fault::at(&node.span, format!("`{field}` is a list of stages, `[\"digits\", \"garments\"]`")));
    };
    let mut references: Vec<Reference> = Vec::new();
    for item in items {
        let name: String = item.read()?;
        if references.iter().any(|earlier| earlier.name == name) {
            return Err(Fault::at(&item.span, format!("`{name}` stands twice in `{field}`")));
        }
        references.push(Reference { name, span: item.span.clone(), reads: Reads::Task });
    }
    Ok(references)
}

/// The data sets of the pool: those of `data` if all are there, those of `otherwise` if not.
fn plan_data(planning: &Planning<'_>, inputs: &mut Inputs<'_, '_>) -> Result<Vec<(InputId, Arc<DataFacts>)>, Fault> {
    let is_there = |reference: &Reference| {
        let data = planning.facts_of(reference, "dataset").and_then(|facts| Known::of(facts).data);
        data.is_none_or(|data| data.n_train > 0)
    };
    let (preferred, otherwise) =
        (references_in(planning.parameters, "data")?, references_in(planning.parameters, "otherwise")?);
    let chosen = if otherwise.is_empty() || preferred.iter().all(is_there) { preferred } else { otherwise };
    let mut found = Vec::new();
    for reference in &chosen {
        let (input, dataset) = inputs.read_of(reference, "dataset")?;
        let data = Known::of(&dataset.facts).data.expect("a data set knows its sizes");
        if data.n_train <= TUNING_SAMPLES {
            let message = format!(
                "`{}` has {} training images; the last {TUNING_SAMPLES} are the tuning split, so more are needed",
                data.name, data.n_train
            );
            return Err(Fault::at(&reference.span, message));
        }
        found.push((input, data));
    }
    Ok(found)
}

/// The rule before the first episode. A term that is neither learned nor has a coefficient takes no part.
fn initial_rule(written: &WrittenRule<'_>, learned: &[String]) -> Result<Rule, String> {
    let mut terms = Vec::new();
    // In the order of the shipped terms, which is that of rule (9).
    for name in Term::shipped().iter().map(|term| term.name.as_ref()) {
        let Some(coefficient) = written.terms.get(name) else { continue };
        let CoefficientSpec::Uniform(value) = coefficient else {
            return Err(format!("`{name}` is one number in meta-learning, not one a layer"));
        };
        if *value != 0.0 || learned.iter().any(|learned| learned == name) {
            terms.push((name, Coefficient::Uniform(*value)));
        }
    }
    Rule::new(&terms).map_err(|error| error.to_string())
}

/// The names of the terms that are learned.
fn learned(rule: &WrittenRule<'_>, wanted: Option<&[String]>) -> Result<Vec<String>, String> {
    let all: Vec<String> = rule.terms.keys().cloned().collect();
    let wanted = wanted.unwrap_or(&all);
    if let Some(unknown) = wanted.iter().find(|name| !rule.terms.contains_key(*name)) {
        return Err(format!("`{unknown}` is no term of the rule; there are: {}", choices(&all)));
    }
    if wanted.is_empty() {
        return Err("no term is learned".to_owned());
    }
    Ok(wanted.to_vec())
}

/// The name of the outer learning rate in the tables of tuned coefficients.
const LEARNING_RATE: &str = "learning_rate";

/// Adam's step size.
struct OuterRate {
    rate: f64,
    /// Whether it is the one for data that nothing was tuned on.
    is_untuned: bool,
    /// The file of tuned coefficients in which it stands.
    source: Option<Arc<Source>>,
}

fn learning_rate(
    planning: &Planning<'_>,
    spec: &MetaLearnSpec,
    rule: &WrittenRule<'_>,
    pool: &str,
) -> Result<OuterRate, Fault> {
    if let Some(given) = spec.learning_rate {
        return Ok(OuterRate { rate: given, is_untuned: false, source: None });
    }
    if !rule.tuned {
        let message = "the outer loop has no `learning_rate`, and the rule is not `tuned`";
        return Err(Fault::at(&planning.parameters.span, message).help("Give one; the authors' code has 1e-3."));
    }
    match find_tuned(planning, rule.name_span, &spec.rule, spec.setting.as_deref(), pool) {
        Ok((found, file)) => {
            let tuned = |rate: &f64| OuterRate { rate: *rate, is_untuned: false, source: Some(file.clone()) };
            found.get(LEARNING_RATE).map(tuned).ok_or_else(|| {
                let message = format!("the tuned coefficients of rule `{}` have no `{LEARNING_RATE}`", spec.rule);
                Fault::at(rule.name_span, message)
            })
        }
        Err(fault) => {
            let untuned = spec.untuned_learning_rate.filter(|_| spec.setting.is_some());
            untuned.map(|rate| OuterRate { rate, is_untuned: true, source: None }).ok_or(fault)
        }
    }
}

/// Everything that the result depends on besides the data, as it goes into the key.
#[derive(Clone, Debug, Serialize)]
struct Canonical {
    draw_from: DrawFrom,
    layers: Vec<usize>,
    activation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    beta: Option<f32>,
    init: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    std: Option<f64>,
    feedback: &'static str,
    learned: BTreeMap<String, f64>,
    fixed: BTreeMap<String, f64>,
    learning_rate: f64,
    seed: u64,
    episodes: u32,
    classes: usize,
    training_samples: usize,
    query_samples: usize,
    l1: f64,
    clip: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")] // results from before it was an option keep their keys
    skip_above: Option<f64>,
    step_back: bool,
    angles: Vec<u64>,
}

#[derive(Debug)]
struct MetaLearnTask {
    canonical: Canonical,
    settings: MetaSettings,
    /// Said when it runs; no number depends on it.
    is_untuned: bool,
    images: Vec<InputId>,
    pool: String,
    outputs: Vec<Output>,
}

/// The terms that always have a column, so that tables of different conditions stack; further ones of the rule follow them.
const COLUMNS: [&str; 6] = ["gradient", "error_hebb", "oja", "decay", "feedback_hebb", "feedback_decay"];

/// The names of the terms that have a column in the episodes of `rule`, which is made of shipped terms.
fn term_columns(rule: &Rule) -> Vec<&'static str> {
    let is_further = |name: &&str| !COLUMNS.contains(name) && rule.terms().iter().any(|(term, _)| term.name == *name);
    COLUMNS.into_iter().chain(Term::shipped().iter().map(|term| term.name.as_ref()).filter(is_further)).collect()
}

/// Episodes with a column for each term.
fn episodes_schema(rule: &Rule) -> TableSchema {
    let description = "coefficient with which the episode was run";
    let column = |name| Column::new(name, ColumnType::Float64, "1/sample", description);
    EpisodeRow::schema().with_columns_before("gradient_norm", term_columns(rule).into_iter().map(column))
}

fn outputs(rule: &Rule) -> Vec<Output> {
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
        let rule = &self.settings.rule;
        Some(Equation {
            plain: rule.equation(),
            latex: rule.latex(),
            needs: vec![
                "These are the coefficients before the first episode; the outer loop learns them.",
                "The outer loop differentiates a whole inner loop and keeps Adam's moments: it stands for evolution, not \
                 for a synapse.",
            ],
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
        let mut learner = MetaLearner::new(self.settings.clone(), &pool, self.canonical.seed)
            .map_err(|error| context.numerics(error))?;
        let mut episodes = Vec::new();
        let mut angles: Vec<(u32, WeightDiagnostics)> = Vec::new();
        for episode in 1..=self.canonical.episodes {
            context.check_interrupted()?;
            if self.canonical.angles.contains(&u64::from(episode)) {
                episodes.push(learner.run_episode_inspecting(|network, query| {
                    let found = network.weight_diagnostics(query, 0..query.len());
                    angles.extend(found.into_iter().map(|layer| (episode, layer)));
                }));
            } else {
                episodes.push(learner.run_episode());
            }
        }
        self.write_run(context, &episodes)?;
        write_episodes(context, &self.settings.rule, &episodes)?;
        write_angles(context, &angles)
    }

    fn cost(&self) -> f64 {
        let synapses: usize = self.canonical.layers.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let task = self.settings.task;
        let samples = task.n_classes * (task.n_training + task.n_query);
        // Forward, plasticity and reverse passes: about a nanosecond a synapse and sample.
        synapses as f64 * samples as f64 * f64::from(self.canonical.episodes) * 9e-10
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
            "l1": canonical.l1,
            "clip": canonical.clip,
            "step_back": canonical.step_back,
            "equation": self.settings.rule.equation(),
        });
        // Like the key, the table of a run without it is what it was before there was the option.
        if let Some(norm) = canonical.skip_above {
            options["skip_above"] = norm.into();
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
            n_classes: canonical.layers[n_layers] as i32,
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

fn write_episodes(context: &dyn Surroundings, rule: &Rule, episodes: &[EpisodeRecord]) -> Result<()> {
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
        let index = rule.terms().iter().position(|(term, _)| term.name == name);
        let coefficients = episodes.iter().map(|episode| index.map_or(0.0, |index| episode.coefficients[index]));
        table = table.column::<Float64>(name, coefficients);
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
