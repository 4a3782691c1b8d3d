//! dataset → runs, evaluations, samples, weights, updates, hidden_norms: a recurrent network learns online to tell what an
//! image was that it was shown long before (delayed classification, section 2.4 of the paper).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Known;
use super::dataset::images;
use super::parameters::{ActivationSpec, InitSpec, PlainActivation, Split, Steps, TUNING_SAMPLES};
use super::parameters::{activation_name, init_name};
use super::train::{
    CoefficientSpec, Record, Resolved, RunRow, at_the_end, coefficient_in_runs, evaluations_schema, matrix_rows,
    nowhere, resolve_terms, run_and_step, runs_schema, samples_schema, stops, updates_schema, weights_schema,
    write_samples,
};
use crate::error::Result;
use crate::science::activation::Activation;
use crate::science::initialization::Initialization;
use crate::science::online::{Divergence, UpdateNorms};
use crate::science::recurrent::{OjaTarget, RecurrentArchitecture, RecurrentNetwork, RecurrentRule, RecurrentTrainer};
use crate::science::samples::Samples;
use crate::science::seed::{Purpose, stream};
use crate::spec::node::{Fault, Node};
use crate::tables::parquet::categories;
use crate::tables::{Column, ColumnType, TableSchema};
use crate::task::{
    Equation, Facts, InputId, Inputs, Kind, Output, Planned, Planning, Reads, Reference, Surroundings, Work,
};

/// `kind = "train_recurrent"`
pub struct TrainRecurrent;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TrainRecurrentSpec {
    /// The stage that loads the data.
    #[allow(dead_code)]
    data: String,
    /// Hidden units.
    #[serde(default = "hidden")]
    hidden: usize,
    /// T: the network answers after this many time steps.
    #[serde(default = "time_steps")]
    time_steps: usize,
    /// How many of them, from the first, show the image; the others have no input.
    #[serde(default = "image_steps")]
    image_steps: usize,
    #[serde(default = "tanh")]
    activation: ActivationSpec,
    #[serde(default)]
    init: InitSpec,
    /// What Oja's rule on the recurrent weights reconstructs.
    #[serde(default)]
    oja_target: OjaTargetSpec,
    /// A learning rule of `[rules]`, of the terms `gradient` and `oja`; usually an axis of the matrix.
    #[serde(default)]
    rule: Option<String>,
    /// Coefficients of plasticity terms, over those of the rule.
    #[serde(default)]
    coefficients: BTreeMap<String, CoefficientSpec>,
    /// The name under which the coefficients of this network are tuned.
    #[serde(default)]
    setting: Option<String>,
    #[serde(default)]
    seed: u64,
    /// Training samples, each seen once.
    samples: u64,
    /// Steps at which accuracy and update norms are measured.
    #[serde(default = "at_the_end")]
    schedule: Steps,
    /// Steps at which the weights are kept.
    #[serde(default = "nowhere")]
    snapshots: Steps,
    /// Steps at which the norms of the hidden states are measured, on the first 1,000 held-out images.
    #[serde(default = "nowhere")]
    hidden_norms: Steps,
    /// The images on which accuracy and norms are measured.
    #[serde(default)]
    evaluate_on: Split,
}

/// The network of the paper's Figure 7, where with softplus or relu nothing learns.
fn hidden() -> usize {
    128
}

fn time_steps() -> usize {
    50
}

fn image_steps() -> usize {
    5
}

fn tanh() -> ActivationSpec {
    ActivationSpec::Named(PlainActivation::Tanh)
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OjaTargetSpec {
    /// z_t, as the paper's (6) prints it.
    #[default]
    HiddenState,
    /// σ(z_t), which the recurrent weights are applied to.
    Activation,
}

impl OjaTargetSpec {
    fn target(self) -> OjaTarget {
        match self {
            Self::HiddenState => OjaTarget::HiddenState,
            Self::Activation => OjaTarget::Activation,
        }
    }
}

/// Images on which norms are measured, as for every other diagnostic.
const NORM_SAMPLES: usize = 1000;

/// Samples between two looks at whether the user wants to stop: some tens of milliseconds.
const CHUNK: u64 = 100;

/// The terms that backpropagation through time knows.
const TERMS: [&str; 2] = ["gradient", "oja"];

impl Kind for TrainRecurrent {
    fn name(&self) -> &'static str {
        "train_recurrent"
    }

    fn summary(&self) -> &'static str {
        "Trains a recurrent network online on delayed classification, by backpropagation through time with or without Oja's rule."
    }

    fn version(&self) -> u32 {
        1
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<TrainRecurrentSpec>()
    }

    fn axis_parameter(&self, axis: &str) -> Option<Vec<String>> {
        if TERMS.contains(&axis) {
            return Some(vec!["coefficients".to_owned(), axis.to_owned()]);
        }
        let direct = ["rule", "seed", "samples", "init", "activation", "setting", "evaluate_on", "oja_target"];
        let sizes = ["hidden", "time_steps", "image_steps"];
        (direct.contains(&axis) || sizes.contains(&axis)).then(|| vec![axis.to_owned()])
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        Ok(vec![Reference::required(parameters, "data", Reads::Task)?])
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: TrainRecurrentSpec = planning.parameters.read()?;
        let mut inputs = Inputs::new(planning);
        let (images, dataset) = inputs.read("dataset")?;
        let data = Known::of(&dataset.facts).data.expect("a data set knows its sizes");
        let in_field = |field: &'static str| move |message: String| planning.fault(field, message);
        let activation = spec.activation.check().map_err(in_field("activation"))?;
        let init = spec.init.check().map_err(in_field("init"))?;
        if spec.hidden == 0 {
            return Err(planning.fault("hidden", "a recurrent network needs at least one hidden unit"));
        }
        let sizes = [data.n_pixels, spec.hidden, data.n_classes];
        let architecture = RecurrentArchitecture::new(sizes, spec.time_steps, spec.image_steps, activation)
            .map_err(|error| planning.fault("image_steps", error.to_string()))?;
        let Resolved { terms, source } =
            resolve_terms(planning, spec.rule.as_deref(), spec.setting.as_deref(), &spec.coefficients, &data.name)?;
        let field = if spec.coefficients.is_empty() { "rule" } else { "coefficients" };
        let rule = read_rule(&terms, spec.oja_target).map_err(|message| planning.fault(field, message))?;
        let n_training = data.n_train.saturating_sub(TUNING_SAMPLES);
        if spec.samples == 0 || spec.samples > n_training as u64 {
            let message = format!(
                "{} training samples; `{}` has {n_training} (its last {TUNING_SAMPLES} are the tuning split), each is seen once",
                spec.samples, data.name
            );
            return Err(planning.fault("samples", message));
        }
        Ok(Planned::new(TrainRecurrentTask {
            images,
            canonical: Canonical {
                hidden: spec.hidden,
                time_steps: spec.time_steps,
                image_steps: spec.image_steps,
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
                oja_target: spec.oja_target,
                coefficients: terms,
                seed: spec.seed,
                samples: spec.samples,
                schedule: spec.schedule.expand(spec.samples).map_err(in_field("schedule"))?,
                snapshots: spec.snapshots.expand(spec.samples).map_err(in_field("snapshots"))?,
                hidden_norms: spec.hidden_norms.expand(spec.samples).map_err(in_field("hidden_norms"))?,
                evaluate_on: spec.evaluate_on,
            },
            architecture,
            init,
            rule,
            n_training,
            facts: Known { data: Some(data), network: None, layers: None }.into(),
            outputs: outputs(),
        })
        .reading(inputs)
        .looked_up_in(source))
    }
}

/// The coefficients of both terms: one number each, for the three matrices learn together.
fn read_rule(terms: &[(String, CoefficientSpec)], target: OjaTargetSpec) -> Result<RecurrentRule, String> {
    if terms.is_empty() {
        return Err("no plasticity term: the network would not learn; give the rule one, `gradient = 1e-3`".to_owned());
    }
    let mut coefficients = [0.0; 2];
    for (name, coefficient) in terms {
        let Some(index) = TERMS.iter().position(|term| term == name) else {
            return Err(format!("a recurrent network learns by `gradient` and `oja`, not by `{name}`"));
        };
        let CoefficientSpec::Uniform(value) = coefficient else {
            return Err(format!("`{name}` is one number in a recurrent network, not one a layer"));
        };
        coefficients[index] = *value;
    }
    let [gradient, oja] = coefficients;
    RecurrentRule::new(gradient, oja, target.target()).map_err(|error| error.to_string())
}

/// Everything that the result depends on, as it goes into the key.
#[derive(Clone, Debug, Serialize)]
struct Canonical {
    hidden: usize,
    time_steps: usize,
    image_steps: usize,
    activation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    beta: Option<f32>,
    init: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    std: Option<f64>,
    oja_target: OjaTargetSpec,
    #[serde(serialize_with = "super::train::as_map")]
    coefficients: Vec<(String, CoefficientSpec)>,
    seed: u64,
    samples: u64,
    schedule: Vec<u64>,
    snapshots: Vec<u64>,
    hidden_norms: Vec<u64>,
    evaluate_on: Split,
}

#[derive(Debug)]
struct TrainRecurrentTask {
    images: InputId,
    canonical: Canonical,
    architecture: RecurrentArchitecture,
    init: Initialization,
    rule: RecurrentRule,
    n_training: usize,
    facts: Facts,
    outputs: Vec<Output>,
}

fn hidden_norms_schema() -> TableSchema {
    let [run_id, step] = run_and_step();
    TableSchema::new(
        "hidden_norms",
        1,
        vec![
            run_id,
            step,
            Column::new("time", ColumnType::Int32, "", "time step t of the network, 1 ... T"),
            Column::new("mean_norm", ColumnType::Float64, "", "mean over images of the Euclidean norm of z_t")
                .nullable(),
            Column::new("n_samples", ColumnType::Int32, "images", "images in the mean"),
        ],
        &["run_id", "step", "time"],
    )
}

/// W_x, W_h and W_o count as layers 1, 2 and 3 of the unrolled network, in every table.
fn outputs() -> Vec<Output> {
    vec![
        Output::kept("runs", runs_schema()).register(),
        Output::kept("evaluations", evaluations_schema()),
        Output::kept("samples", samples_schema()),
        Output::kept("weights", weights_schema()),
        Output::kept("updates", updates_schema()),
        Output::kept("hidden_norms", hidden_norms_schema()),
    ]
}

impl Work for TrainRecurrentTask {
    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(&self.canonical).expect("plain data")
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn facts(&self) -> Facts {
        self.facts.clone()
    }

    fn equation(&self) -> Option<Equation> {
        Some(Equation {
            plain: self.rule.equation().replace("; ", "\n"),
            latex: self.rule.latex(),
            needs: vec![
                "Weight transport: errors travel back through the transposed recurrent and readout weights.",
                "Non-local in time: errors run backwards through all hidden states, which have to be remembered.",
                "No batches and no optimiser state: one sample, one update.",
            ],
        })
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let canonical = &self.canonical;
        let data = images(context, self.images)?;
        let order = stream(canonical.seed, Purpose::SampleOrder, 0)
            .without_replacement(self.n_training as u32, canonical.samples as u32);
        let network = RecurrentNetwork::initialize(&self.architecture, &self.init, canonical.seed);
        let mut trainer = RecurrentTrainer::new(network, self.rule);
        let mut record = Record::default();
        let mut divergence = None;
        let (held_out, first) = data.held_out(canonical.evaluate_on);
        let Canonical { schedule, snapshots, hidden_norms, samples, .. } = &self.canonical;
        for step in stops(&[schedule, snapshots, hidden_norms], *samples) {
            match advance(&mut trainer, context, &data.train, &order[..step as usize])? {
                Ok(norms) if canonical.schedule.contains(&step) => record.updates(step, &norms),
                Ok(_) => {}
                Err(diverged) => {
                    divergence = Some(diverged);
                    break;
                }
            }
            if canonical.schedule.contains(&step) {
                context.check_interrupted()?;
                record.evaluation(step, trainer.network().evaluate(held_out, first..held_out.len()));
            }
            if canonical.hidden_norms.contains(&step) {
                let end = held_out.len().min(first + NORM_SAMPLES);
                let norms = trainer.network().hidden_norms(held_out, first..end);
                context.write_columns("hidden_norms", norm_rows(context.run_id(), step, &norms, end - first))?;
            }
            if canonical.snapshots.contains(&step) {
                context.write_columns("weights", weight_rows(context.run_id(), step, trainer.network()))?;
            }
        }
        let seen = divergence.map_or(order.len(), |divergence| divergence.step as usize);
        self.write_run(context, divergence)?;
        record.write(context)?;
        write_samples(context, &order[..seen])
    }

    fn cost(&self) -> f64 {
        let architecture = &self.architecture;
        let (hidden, time) = (architecture.n_hidden() as f64, architecture.n_steps() as f64);
        // Products of W_h and of the sums over time for each training sample, W_h alone for each evaluated image.
        let trained = self.canonical.samples as f64 * 5.0;
        let evaluated = self.canonical.schedule.len() as f64 * 10_000.0;
        hidden * hidden * time * 5e-11 * (trained + evaluated)
    }
}

impl TrainRecurrentTask {
    fn write_run(&self, context: &dyn Surroundings, divergence: Option<Divergence>) -> Result<()> {
        let canonical = &self.canonical;
        let architecture = &self.architecture;
        let row = RunRow {
            layers: &[architecture.n_inputs(), canonical.hidden, canonical.hidden, architecture.n_outputs()],
            activation: canonical.activation,
            init: canonical.init,
            feedback: "symmetric",
            coefficient: &|column| coefficient_in_runs(&canonical.coefficients, column),
            beside: Vec::new(),
            options: serde_json::json!({
                "hidden": canonical.hidden,
                "time_steps": canonical.time_steps,
                "image_steps": canonical.image_steps,
                "oja_target": canonical.oja_target,
                "beta": canonical.beta,
                "std": canonical.std,
                "seed": canonical.seed,
                "evaluate_on": canonical.evaluate_on,
                "equation": self.rule.equation(),
            }),
            samples: canonical.samples,
            divergence,
        };
        row.write(context)
    }
}

/// Trains until all of `order` has been seen, and measures the last update on the way.
fn advance(
    trainer: &mut RecurrentTrainer,
    context: &dyn Surroundings,
    samples: &Samples,
    order: &[u32],
) -> Result<std::result::Result<Vec<UpdateNorms>, Divergence>> {
    let mut norms = Vec::new();
    while trainer.steps() < order.len() as u64 {
        context.check_interrupted()?;
        let seen = trainer.steps();
        let next = (order.len() as u64).min(seen + CHUNK);
        let chunk = &order[seen as usize..next as usize];
        let advanced = if next == order.len() as u64 {
            trainer.advance_recording(samples, chunk).map(|found| norms = found)
        } else {
            trainer.advance(samples, chunk)
        };
        if let Err(divergence) = advanced {
            return Ok(Err(divergence));
        }
    }
    Ok(Ok(norms))
}

fn norm_rows(run_id: &str, step: u64, norms: &[f64], n_samples: usize) -> Vec<ArrayRef> {
    let n = norms.len();
    vec![
        categories((0..n).map(|_| Some(run_id))),
        Arc::new(Int64Array::from(vec![step as i64; n])),
        Arc::new((1..=n as i32).collect::<Int32Array>()),
        // Weights can be finite and the states that they lead to not.
        Arc::new(norms.iter().map(|norm| Some(*norm).filter(|norm| norm.is_finite())).collect::<Float64Array>()),
        Arc::new(Int32Array::from(vec![n_samples as i32; n])),
    ]
}

/// In the order of the table's key.
fn weight_rows(run_id: &str, step: u64, network: &RecurrentNetwork) -> Vec<ArrayRef> {
    let matrices = [
        ("input", 1, network.input_weights()),
        ("readout", 3, network.readout_weights()),
        ("recurrent", 2, network.recurrent_weights()),
    ];
    matrix_rows(run_id, step, &matrices)
}
