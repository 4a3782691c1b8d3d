//! dataset → runs, evaluations, samples, weights: a feed-forward network learns in mini-batches, by an optimiser.
//!
//! The engineering that online plasticity does without: batches, momentum, Adam, batch normalisation, and Oja's term as
//! the mean over a batch. Tables are those of `train`, so that every measurement works on both. A normalised network is
//! more than its matrices: `weights` holds its scales and shifts, too.

use std::sync::Arc;

use arrow::array::{BooleanArray, Float64Array, Int32Array};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::images;
use super::parameters::{ActivationSpec, InitSpec, Split, Steps, TUNING_SAMPLES, activation_name, init_name};
use super::train::{
    Record, RunRow, at_the_end, check_layers, evaluations_schema, find_tuned, nowhere, runs_schema, samples_schema,
    stops, weight_rows, weights_schema, write_samples,
};
use super::{Known, NetworkFacts};
use crate::error::Result;
use crate::science::activation::Activation;
use crate::science::batch::{BatchSettings, BatchTrainer};
use crate::science::initialization::{Feedback, Initialization};
use crate::science::network::{Architecture, Network};
use crate::science::normalization::BatchNorm;
use crate::science::online::Divergence;
use crate::science::optimizer::Optimizer;
use crate::science::seed::{Purpose, stream};
use crate::spec::node::{Fault, Node, choices};
use crate::tables::parquet::categories;
use crate::tables::{Column, ColumnType, TableSchema};
use crate::task::{
    Facts, InputId, Inputs, Kind, Output, Planned, Planning, Reads, Reference, Source, Surroundings, Work,
};

/// `kind = "train_batch"`
pub struct TrainBatch;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TrainBatchSpec {
    /// The stage that loads the data.
    #[allow(dead_code)]
    data: String,
    /// Units of every layer, input and output included.
    layers: Vec<usize>,
    #[serde(default)]
    activation: ActivationSpec,
    #[serde(default)]
    init: InitSpec,
    /// A way of learning of `[rules]`; usually an axis of the matrix.
    #[serde(default)]
    rule: Option<String>,
    /// Over that of the rule, as are the next three.
    #[serde(default)]
    optimizer: Option<OptimizerSpec>,
    /// Learning rate of the optimiser.
    #[serde(default)]
    rate: Option<f64>,
    /// Coefficient of Oja's term, mean over the batch.
    #[serde(default)]
    oja: Option<f64>,
    #[serde(default)]
    batch_norm: Option<BatchNormSpec>,
    #[serde(default = "batch_size")]
    batch_size: usize,
    /// The name under which the rates of this network are tuned.
    #[serde(default)]
    setting: Option<String>,
    #[serde(default)]
    seed: u64,
    /// Training samples, each seen once.
    samples: u64,
    /// Samples after which accuracy is measured, with the weights of the last full batch.
    #[serde(default = "at_the_end")]
    schedule: Steps,
    /// Samples after which the weights are kept.
    #[serde(default = "nowhere")]
    snapshots: Steps,
    /// The images on which accuracy is measured.
    #[serde(default)]
    evaluate_on: Split,
}

/// Divides the steps of the figures' schedule.
fn batch_size() -> usize {
    25
}

/// `[rules.<name>]` of a stage that learns in mini-batches.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchRuleSpec {
    /// Take `rate` and `oja` from the committed tables, by data set, setting and the rule's name.
    #[serde(default)]
    tuned: bool,
    /// What turns a mean gradient into an update; `"sgd"` if left out.
    #[serde(default)]
    optimizer: Option<OptimizerSpec>,
    /// Learning rate of the optimiser.
    #[serde(default)]
    rate: Option<f64>,
    /// Coefficient of Oja's term, mean over the batch.
    #[serde(default)]
    oja: Option<f64>,
    /// Normalise the hidden layers over the batch.
    #[serde(default)]
    batch_norm: Option<BatchNormSpec>,
}

/// `"adam"`, or `{ adam = { beta1 = 0.9 } }`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
enum OptimizerSpec {
    Named(NamedOptimizer),
    Detailed(DetailedOptimizer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum NamedOptimizer {
    Sgd,
    /// 0.9 of the velocity is kept.
    Momentum,
    /// The decays and epsilon of its paper.
    Adam,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum DetailedOptimizer {
    Momentum(MomentumSpec),
    Adam(AdamSpec),
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MomentumSpec {
    /// Share of the velocity that is kept.
    momentum: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AdamSpec {
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
    fn optimizer(self, rate: f64) -> Optimizer {
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
fn described(optimizer: Optimizer) -> serde_json::Value {
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
enum BatchNormSpec {
    Switch(bool),
    Constants(BatchNormConstants),
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BatchNormConstants {
    /// Share of the newest batch in the running statistics; 0.1 if left out.
    #[serde(default)]
    momentum: Option<f64>,
    /// Added to the variance; 1e-5 if left out.
    #[serde(default)]
    epsilon: Option<f64>,
}

impl BatchNormSpec {
    fn constants(self) -> Option<BatchNorm> {
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

/// The rule that the stage names, with tuned rates filled in.
fn resolve_rule(
    planning: &Planning<'_>,
    spec: &TrainBatchSpec,
    dataset: &str,
) -> Result<(BatchRuleSpec, Option<Arc<Source>>), Fault> {
    let Some(name) = &spec.rule else { return Ok((BatchRuleSpec::default(), None)) };
    let mut source = None;
    let Some(named) = planning.definitions.iter().find(|named| named.name == *name) else {
        let names = planning.definitions.iter().map(|named| &named.name);
        return Err(planning.fault("rule", format!("there is no rule `{name}`; there are: {}", choices(names))));
    };
    let mut rule: BatchRuleSpec = named.node.read()?;
    if rule.tuned {
        let (terms, file) = find_tuned(planning, &named.name_span, name, spec.setting.as_deref(), dataset)?;
        source = Some(file.clone());
        rule.rate = rule.rate.or(terms.get("rate").copied());
        rule.oja = rule.oja.or(terms.get("oja").copied());
    }
    Ok((rule, source))
}

impl Kind for TrainBatch {
    fn name(&self) -> &'static str {
        "train_batch"
    }

    fn summary(&self) -> &'static str {
        "Trains a feed-forward network in mini-batches: momentum, Adam, batch normalisation."
    }

    fn version(&self) -> u32 {
        1
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<TrainBatchSpec>()
    }

    fn axis_parameter(&self, axis: &str) -> Option<Vec<String>> {
        const DIRECT: [&str; 12] = [
            "rule",
            "optimizer",
            "rate",
            "oja",
            "batch_norm",
            "batch_size",
            "seed",
            "samples",
            "init",
            "activation",
            "setting",
            "evaluate_on",
        ];
        DIRECT.contains(&axis).then(|| vec![axis.to_owned()])
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        Ok(vec![Reference::required(parameters, "data", Reads::Task)?])
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: TrainBatchSpec = planning.parameters.read()?;
        let mut inputs = Inputs::new(planning);
        let (images, dataset) = inputs.read("dataset")?;
        let data = Known::of(&dataset.facts).data.expect("a data set knows its sizes");
        let in_field = |field: &'static str| move |message: String| planning.fault(field, message);
        check_layers(planning, &spec.layers, &data)?;
        let activation = spec.activation.check().map_err(in_field("activation"))?;
        let init = spec.init.check().map_err(in_field("init"))?;
        let architecture = Architecture::new(spec.layers.clone(), activation)
            .map_err(|error| planning.fault("layers", error.to_string()))?;
        let (rule, source) = resolve_rule(planning, &spec, &data.name)?;
        let Some(rate) = spec.rate.or(rule.rate) else {
            return Err(planning
                .fault("rate", "no learning rate")
                .help("Give `rate = …`, an axis `rate`, or a rule with a rate or `tuned = true`."));
        };
        let sgd = OptimizerSpec::Named(NamedOptimizer::Sgd);
        let settings = BatchSettings {
            batch_size: spec.batch_size,
            optimizer: spec.optimizer.or(rule.optimizer).unwrap_or(sgd).optimizer(rate),
            batch_norm: spec.batch_norm.or(rule.batch_norm).and_then(BatchNormSpec::constants),
            oja: spec.oja.or(rule.oja).unwrap_or(0.0),
        };
        settings.check().map_err(|error| Fault::at(&planning.parameters.span, error.to_string()))?;
        let n_training = data.n_train.saturating_sub(TUNING_SAMPLES);
        if spec.samples == 0 || spec.samples > n_training as u64 {
            let message = format!(
                "{} training samples; `{}` has {n_training} (its last {TUNING_SAMPLES} are the tuning split), each is seen once",
                spec.samples, data.name
            );
            return Err(planning.fault("samples", message));
        }
        if !spec.samples.is_multiple_of(spec.batch_size as u64) {
            let message = format!("{} samples do not fill batches of {}", spec.samples, spec.batch_size);
            return Err(planning.fault("samples", message));
        }
        let schedule = spec.schedule.expand(spec.samples).map_err(in_field("schedule"))?;
        let snapshots = spec.snapshots.expand(spec.samples).map_err(in_field("snapshots"))?;
        let facts =
            NetworkFacts { sizes: spec.layers.clone(), schedule: schedule.clone(), snapshots: snapshots.clone() };
        Ok(Planned::new(TrainBatchTask {
            images,
            canonical: Canonical {
                layers: spec.layers,
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
                optimizer: described(settings.optimizer),
                rate,
                oja: settings.oja,
                batch_norm: settings.batch_norm.map(|constants| [constants.momentum, constants.epsilon]),
                batch_size: spec.batch_size,
                seed: spec.seed,
                samples: spec.samples,
                schedule,
                snapshots,
                evaluate_on: spec.evaluate_on,
            },
            settings,
            architecture,
            init,
            n_training,
            facts: Known { data: Some(data), network: Some(Arc::new(facts)), layers: None }.into(),
            outputs: outputs(),
        })
        .reading(inputs)
        .looked_up_in(source))
    }
}

/// Everything that the result depends on, as it goes into the key.
#[derive(Clone, Debug, Serialize)]
struct Canonical {
    layers: Vec<usize>,
    activation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    beta: Option<f32>,
    init: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    std: Option<f64>,
    optimizer: serde_json::Value,
    rate: f64,
    oja: f64,
    /// Momentum and epsilon.
    batch_norm: Option<[f64; 2]>,
    batch_size: usize,
    seed: u64,
    samples: u64,
    schedule: Vec<u64>,
    snapshots: Vec<u64>,
    evaluate_on: Split,
}

#[derive(Debug)]
struct TrainBatchTask {
    images: InputId,
    canonical: Canonical,
    settings: BatchSettings,
    architecture: Architecture,
    init: Initialization,
    n_training: usize,
    facts: Facts,
    outputs: Vec<Output>,
}

/// `runs` of online training, with what batches have beside it.
fn batch_runs_schema() -> TableSchema {
    let mut schema = runs_schema();
    let options = schema.columns.iter().position(|column| column.name == "options").expect("runs have options");
    schema.columns.splice(
        options..options,
        [
            Column::new("optimizer", ColumnType::Category, "", "what turns a mean gradient into an update"),
            Column::new("rate", ColumnType::Float64, "1/batch", "learning rate of the optimiser"),
            Column::new("batch_size", ColumnType::Int32, "samples", "samples a batch"),
            Column::new("batch_norm", ColumnType::Boolean, "", "whether the hidden layers are normalised"),
        ],
    );
    schema
}

/// `weights`, with the vectors of a normalised network.
fn batch_weights_schema() -> TableSchema {
    let mut schema = weights_schema();
    for column in schema.columns.iter_mut().filter(|column| column.name == "matrix") {
        column.description =
            "forward (W); scale and shift (n_out x 1) of y = f(scale * W y + shift) where normalised".into();
    }
    schema
}

fn outputs() -> Vec<Output> {
    let mut trajectory = batch_weights_schema();
    trajectory.kind = "trajectory".into();
    vec![
        Output::kept("runs", batch_runs_schema()).register(),
        Output::kept("evaluations", evaluations_schema()),
        Output::kept("samples", samples_schema()),
        Output::kept("weights", batch_weights_schema()),
        Output::passing("trajectory", trajectory),
    ]
}

impl Work for TrainBatchTask {
    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(&self.canonical).expect("plain data")
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn facts(&self) -> Facts {
        self.facts.clone()
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let canonical = &self.canonical;
        let data = images(context, self.images)?;
        let order = stream(canonical.seed, Purpose::SampleOrder, 0)
            .without_replacement(self.n_training as u32, canonical.samples as u32);
        let network = Network::initialize(&self.architecture, &self.init, Feedback::Symmetric, canonical.seed);
        let mut trainer = BatchTrainer::new(network, self.settings).map_err(|error| context.numerics(error))?;
        let mut record = Record::default();
        let mut divergence = None;
        let (held_out, first) = data.held_out(canonical.evaluate_on);
        for step in stops(&[&canonical.schedule, &canonical.snapshots], canonical.samples) {
            context.check_interrupted()?;
            let seen = trainer.steps() as usize;
            if let Err(diverged) = trainer.advance(&data.train, &order[seen..step as usize]) {
                divergence = Some(diverged);
                break;
            }
            if canonical.schedule.contains(&step) {
                record.score_and_hand_on(context, step, trainer.network(), (held_out, first))?;
            }
            if canonical.snapshots.contains(&step) {
                context.write_columns("weights", weight_rows(context.run_id(), step, trainer.network()))?;
            }
        }
        let seen = divergence.map_or(order.len(), |divergence| divergence.step as usize);
        self.write_run(context, divergence)?;
        record.write_evaluations(context)?;
        write_samples(context, &order[..seen])
    }

    fn cost(&self) -> f64 {
        let sizes = self.architecture.sizes();
        let synapses: usize = sizes.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let evaluated = self.canonical.schedule.len() as f64 * 10_000.0 / 8.0;
        synapses as f64 * 2e-10 * (self.canonical.samples as f64 + evaluated)
    }
}

impl TrainBatchTask {
    fn write_run(&self, context: &dyn Surroundings, divergence: Option<Divergence>) -> Result<()> {
        let canonical = &self.canonical;
        let optimizer = canonical.optimizer["name"].as_str();
        let row = RunRow {
            layers: &canonical.layers,
            activation: canonical.activation,
            init: canonical.init,
            feedback: "symmetric",
            coefficient: &|column| match column {
                // Under plain gradient descent the rate is the term's coefficient; an optimiser has no such number.
                "gradient" => (optimizer == Some("sgd")).then_some(canonical.rate),
                "oja" => Some(canonical.oja),
                _ => Some(0.0),
            },
            beside: vec![
                categories([optimizer]),
                Arc::new(Float64Array::from(vec![canonical.rate])),
                Arc::new(Int32Array::from(vec![canonical.batch_size as i32])),
                Arc::new(BooleanArray::from(vec![canonical.batch_norm.is_some()])),
            ],
            options: serde_json::json!({
                "beta": canonical.beta,
                "std": canonical.std,
                "seed": canonical.seed,
                "evaluate_on": canonical.evaluate_on,
                "optimizer": canonical.optimizer,
                "batch_norm": canonical.batch_norm,
            }),
            samples: canonical.samples,
            divergence,
        };
        row.write(context)
    }
}
