//! dataset → runs, evaluations, samples, weights: a feed-forward network learns in mini-batches, by an optimiser.
//!
//! The engineering that online plasticity does without: batches, momentum, Adam, batch normalisation, and Oja's term and others
//! as means over a batch. Tables are those of `train`, so that every measurement works on both. A normalised network is
//! more than its matrices: `weights` holds its scales and shifts, too, and calls them `unit_scale` and `unit_shift` where
//! layers are normalised over their units.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::batch_rules::{
    BatchNormSpec, BatchRuleSpec, Beside, NamedOptimizer, OptimizerSpec, described, has_its_own, normalization,
    read_batch_rule,
};
use super::parameters::{Course, Units, chain, kept_with, nowhere, read_data};
use super::rules::{CoefficientSpec, Condition, as_map, coefficient_in_runs, find_rule, find_tuned, picked};
use super::skeleton::{Recipe, Training};
use super::tables::{Described, outputs};
use super::terms::{CanonicalTerms, Numbers, is_written, number_axis};
use crate::error::Result;
use crate::science::InvalidParameter;
use crate::science::batch::{BatchSettings, BatchTrainer};
use crate::science::feedback::Feedback;
use crate::science::model::Blueprint;
use crate::science::network::{Architecture, Network};
use crate::science::normalization::Normalization;
use crate::science::optimizer::Optimizer;
use crate::science::plasticity::{Rule, Synapses, Term};
use crate::spec::Definitions;
use crate::spec::node::{Fault, Node};
use crate::stages::parameters::{ActivationSpec, InitSpec, Split, Steps, axes_of};
use crate::stages::rows::{BatchOptions, EvaluationRow, RunRow, WeightRow};
use crate::tables::{Row, TableSchema};
use crate::task::{Equation, Inputs, Kind, Output, Planned, Planning, Reads, Reference, Source};

/// `kind = "train_batch"`
#[derive(Debug)]
pub struct TrainBatch;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TrainBatchSpec {
    /// The stage that loads the data.
    #[allow(dead_code)]
    data: String,
    /// Units of every layer, input and output included.
    layers: Vec<usize>,
    /// σ of the hidden layers, softplus with β = 10 if left out; the output is what the loss says.
    #[serde(default)]
    activation: ActivationSpec,
    /// The distribution of the initial weights; Xavier if left out.
    #[serde(default)]
    init: InitSpec,
    /// A way of learning of `[rules]`; usually an axis of the matrix.
    #[serde(default)]
    rule: Option<String>,
    /// What turns a mean gradient into an update, over that of the rule; `"sgd"` if neither says so.
    #[serde(default)]
    optimizer: Option<OptimizerSpec>,
    /// Learning rate of the optimiser, over that of the rule; one of the two has to say it.
    #[serde(default)]
    rate: Option<f64>,
    /// Coefficient of Oja's term, mean over the batch, over that of the rule; 0 if neither says so.
    #[serde(default)]
    oja: Option<f64>,
    /// Coefficients of other plasticity terms, means over the batch, over those of the rule.
    #[serde(default)]
    coefficients: BTreeMap<String, CoefficientSpec>,
    /// Numbers of the equations that the pipeline writes, by term: `{ bcm = { rate = 0.01 } }`; those of `[terms]` if left out.
    #[serde(default)]
    terms: Numbers,
    /// Whether hidden layers are normalised over the batch, over what the rule says; no if neither says so.
    #[serde(default)]
    batch_norm: Option<BatchNormSpec>,
    /// Whether hidden layers are normalised over their units, over what the rule says; no if neither says so.
    #[serde(default)]
    layer_norm: Option<bool>,
    /// Samples of a batch, over that of the rule; 25 if neither says so.
    #[serde(default)]
    batch_size: Option<usize>,
    /// The name under which the rates of this network are tuned; needed where the rule says `tuned`.
    #[serde(default)]
    setting: Option<String>,
    /// Which of the coefficients that tuning left, by their probability; 1 was picked.
    #[serde(default = "picked")]
    cell: usize,
    /// Of initial weights and sample order; trainings that share it are paired. 0 if left out; usually an axis.
    #[serde(default)]
    seed: u64,
    /// Training samples, each seen once.
    samples: u64,
    /// Samples after which accuracy is measured, with the weights of the last full batch; the first and the last if left out.
    #[serde(default)]
    schedule: Option<Steps>,
    /// Samples after which the weights are kept; none if left out.
    #[serde(default = "nowhere")]
    snapshots: Steps,
    /// The images on which accuracy is measured; the test set if left out.
    #[serde(default)]
    evaluate_on: Split,
}

/// Samples of a batch: divides the steps of the figures' schedule.
const BATCH_SIZE: usize = 25;

/// The rule that the stage names, with tuned rates filled in.
#[derive(Default)]
struct Resolved {
    rule: BatchRuleSpec,
    /// Coefficients of terms that are no parameters of the rule.
    terms: BTreeMap<String, CoefficientSpec>,
    /// The file of tuned coefficients in which some of them stand.
    source: Option<Arc<Source>>,
}

fn resolve_rule(planning: &Planning<'_>, spec: &TrainBatchSpec, dataset: &str) -> Result<Resolved, Fault> {
    let Some(name) = &spec.rule else { return Ok(Resolved::default()) };
    let named = find_rule(planning, name)?;
    let (mut rule, mut terms) = read_batch_rule(planning, named)?;
    if !rule.tuned {
        return Ok(Resolved { rule, terms, source: None });
    }
    let (tuned, file) = find_tuned(
        planning,
        &named.name_span,
        name,
        Condition { dataset, setting: spec.setting.as_deref(), cell: spec.cell },
    )?;
    rule.rate = rule.rate.or(tuned.get("rate").copied());
    rule.oja = rule.oja.or(tuned.get("oja").copied());
    for (term, value) in tuned.iter().filter(|(term, _)| !["rate", "oja"].contains(&term.as_str())) {
        terms.entry(term.clone()).or_insert(CoefficientSpec::Uniform(*value));
    }
    Ok(Resolved { rule, terms, source: Some(file.clone()) })
}

impl Kind for TrainBatch {
    fn name(&self) -> &'static str {
        "train_batch"
    }

    fn summary(&self) -> &'static str {
        "Trains a feed-forward network in mini-batches: momentum, Adam, batch or layer normalisation."
    }

    fn version(&self) -> u32 {
        2
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<TrainBatchSpec>()
    }

    fn tables(&self) -> Vec<Output> {
        OUTPUTS.clone()
    }

    fn axis_parameter(&self, axis: &str, definitions: &Definitions) -> Option<Vec<String>> {
        static AXES: LazyLock<BTreeSet<String>> = LazyLock::new(|| axes_of::<TrainBatchSpec>(&["data"]));
        if AXES.contains(axis) {
            return Some(vec![axis.to_owned()]);
        }
        let moves_weights = |term: &Term| term.synapses == Synapses::Forward && !has_its_own(&term.name);
        let is_term = Term::named(axis).is_ok_and(moves_weights) || is_written(definitions, axis);
        if is_term {
            return Some(vec!["coefficients".to_owned(), axis.to_owned()]);
        }
        number_axis(definitions, axis)
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        Ok(vec![Reference::required(parameters, "data", Reads::Task)?])
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: TrainBatchSpec = planning.parameters.read()?;
        let mut inputs = Inputs::new(planning);
        let data = read_data(&mut inputs)?;
        let (units, architecture) = chain(planning, &spec.layers, (spec.activation, spec.init), &data.facts)?;
        let Resolved { rule, terms, source } = resolve_rule(planning, &spec, &data.facts.name)?;
        let n_layers = architecture.n_layers();
        let Beside { coefficients, written, rule: beside } =
            Beside::plan(planning, spec.rule.as_deref(), terms, &spec.coefficients, &spec.terms, n_layers)?;
        let Some(rate) = spec.rate.or(rule.rate) else {
            return Err(planning
                .fault("rate", "no learning rate")
                .help("Give `rate = …`, an axis `rate`, or a rule with a rate or `tuned = true`."));
        };
        let normalization = normalization(spec.batch_norm.or(rule.batch_norm), spec.layer_norm.or(rule.layer_norm))
            .map_err(|message| planning.fault("layer_norm", message))?;
        let batch_size = spec.batch_size.or(rule.batch_size).unwrap_or(BATCH_SIZE);
        let sgd = OptimizerSpec::Named(NamedOptimizer::Sgd);
        let settings = BatchSettings {
            batch_size,
            optimizer: spec.optimizer.or(rule.optimizer).unwrap_or(sgd).optimizer(rate),
            normalization,
            oja: spec.oja.or(rule.oja).unwrap_or(0.0),
        };
        let wrong = |field: &'static str, is_wrong: bool| is_wrong.then_some(field);
        let field = wrong("rate", spec.rate.is_some_and(|rate| !(rate >= 0.0 && rate.is_finite())))
            .or(wrong("oja", spec.oja.is_some_and(|oja| !oja.is_finite())))
            .or(wrong("batch_size", spec.batch_size.is_some_and(|size| size < 2)))
            .unwrap_or("optimizer");
        settings.check().map_err(|error| planning.fault(field, error.to_string()))?;
        let course = Course::plan(
            planning,
            &data.facts,
            (spec.seed, spec.samples, spec.evaluate_on),
            (spec.schedule.as_ref(), kept_with(spec.cell, &spec.snapshots)),
        )?;
        if !spec.samples.is_multiple_of(batch_size as u64) {
            let message = format!("{} samples do not fill batches of {batch_size}", spec.samples);
            return Err(planning.fault("samples", message));
        }
        let recipe = Batches {
            canonical: Canonical {
                layers: spec.layers,
                units,
                optimizer: described(settings.optimizer),
                rate,
                oja: settings.oja,
                coefficients,
                terms: written,
                batch_norm: match normalization {
                    Some(Normalization::Batch(constants)) => Some([constants.momentum, constants.epsilon]),
                    _ => None,
                },
                layer_norm: normalization == Some(Normalization::Layer),
                batch_size,
                course,
            },
            settings,
            beside,
            architecture,
        };
        let training = Training::new(planning, "layers", recipe, data)?;
        Ok(Planned::new(training).reading(inputs).looked_up_in(source))
    }
}

/// Everything that the result depends on, as it goes into the key.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Canonical {
    layers: Vec<usize>,
    #[serde(flatten)]
    units: Units,
    optimizer: serde_json::Value,
    rate: f64,
    oja: f64,
    /// Of other terms.
    #[serde(serialize_with = "as_map", skip_serializing_if = "Vec::is_empty")]
    coefficients: Vec<(String, CoefficientSpec)>,
    /// What those that are not shipped mean.
    #[serde(skip_serializing_if = "CanonicalTerms::is_empty")]
    terms: CanonicalTerms,
    /// Momentum and epsilon.
    batch_norm: Option<[f64; 2]>,
    #[serde(skip_serializing_if = "is_off")]
    layer_norm: bool,
    batch_size: usize,
    #[serde(flatten)]
    course: Course,
}

/// Whether a switch is off, so that keys are what they were before it was there.
fn is_off(switch: &bool) -> bool {
    !switch
}

/// A chain of layers, an optimiser and the terms beside it.
#[derive(Clone, Debug, PartialEq)]
struct Batches {
    canonical: Canonical,
    settings: BatchSettings,
    beside: Rule,
    architecture: Architecture,
}

/// `runs` of online training, with what batches have beside it.
fn runs_schema() -> TableSchema {
    RunRow::schema().with_columns_before("options", BatchOptions::schema().columns)
}

/// `weights`, with the vectors of a normalised network.
fn weights_schema() -> TableSchema {
    let matrix = "forward (W); scale and shift (n_out x 1) of y = f(scale * W y + shift) where normalised";
    WeightRow::schema().describing("matrix", None, matrix)
}

static OUTPUTS: LazyLock<Vec<Output>> =
    LazyLock::new(|| outputs(runs_schema(), EvaluationRow::schema(), weights_schema()));

impl Recipe for Batches {
    type Learner = BatchTrainer;

    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(&self.canonical).expect("plain data")
    }

    fn course(&self) -> &Course {
        &self.canonical.course
    }

    fn course_mut(&mut self) -> &mut Course {
        &mut self.canonical.course
    }

    fn blueprint(&self) -> Blueprint {
        Blueprint::Chain(self.architecture.clone(), Feedback::Symmetric)
    }

    fn outputs(&self) -> &'static [Output] {
        &OUTPUTS
    }

    fn learner(&self) -> Result<BatchTrainer, InvalidParameter> {
        let Canonical { units, course, .. } = &self.canonical;
        let network = Network::initialize(&self.architecture, &units.initialization, Feedback::Symmetric, course.seed);
        BatchTrainer::with_terms(network, self.settings, &self.beside)
    }

    fn describe(&self) -> Described<'_> {
        let Canonical { units, optimizer, rate, oja, batch_norm, layer_norm, batch_size, course, coefficients, .. } =
            &self.canonical;
        let name = optimizer["name"].as_str().expect("an optimiser has a name");
        let mut options = serde_json::json!({
            "beta": units.beta,
            "std": units.std,
            "seed": course.seed,
            "evaluate_on": course.evaluate_on,
            "optimizer": optimizer,
            "batch_norm": batch_norm,
        });
        if *layer_norm {
            options["layer_norm"] = true.into();
        }
        if !coefficients.is_empty() {
            let by_term = coefficients.iter().map(|(name, value)| (name.clone(), serde_json::json!(value))).collect();
            options["beside_optimizer"] = self.beside.equation().into();
            options["coefficients"] = serde_json::Value::Object(by_term);
        }
        Described {
            units,
            feedback: "symmetric",
            coefficient: Box::new(move |column| match column {
                // Under plain gradient descent the rate is the term's coefficient; an optimiser has no such number.
                "gradient" => (name == "sgd").then_some(*rate),
                "oja" => Some(*oja),
                other => coefficient_in_runs(coefficients, other),
            }),
            batches: Some(BatchOptions {
                optimizer: name,
                rate: *rate,
                batch_size: *batch_size as i32,
                batch_norm: batch_norm.is_some(),
            }),
            options,
        }
    }

    fn equation(&self) -> Option<Equation> {
        let batches = "Batches: synapses wait for many samples, and remember what each of them did.";
        let mut needs = vec![Feedback::Symmetric.needs(), batches];
        if !matches!(self.settings.optimizer, Optimizer::Sgd { .. }) {
            needs.push("Optimiser state: every synapse keeps running means of its own gradient.");
        }
        needs.extend(self.settings.normalization.map(|normalization| match normalization {
            Normalization::Batch(_) => {
                "Normalisation: every neuron knows its input's mean and variance over the batch."
            }
            Normalization::Layer => "Normalisation: every neuron knows the mean and variance of its layer's inputs.",
        }));
        Some(Equation {
            plain: self.settings.equation(&self.beside),
            latex: self.settings.latex(&self.beside),
            needs,
            slow: None,
        })
    }

    fn slowdown(&self) -> f64 {
        // Measured on the networks of the paper.
        28.0
    }

    fn cost(&self) -> f64 {
        self.canonical.course.cost(self.architecture.n_synapses(), 2e-10, [1.0, 1.0])
    }
}
