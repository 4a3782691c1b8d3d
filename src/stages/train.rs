//! dataset → runs, evaluations, samples, weights, updates: a feed-forward network learns online, one sample at a time.
//!
//! Beside what is kept, the weights at every step of the schedule are handed on in memory (`trajectory`) to the stages
//! that look at the network while it learns: training again is cheaper than keeping gigabytes.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, StringArray};
use ndarray::Array2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::images;
use super::parameters::{
    ActivationSpec, FeedbackSpec, InitSpec, Split, Steps, TUNING_SAMPLES, activation_name, init_name,
};
use super::{DataFacts, Known, NetworkFacts, environment};
use crate::error::Result;
use crate::science::activation::Activation;
use crate::science::evaluation::Evaluation;
use crate::science::initialization::{Feedback, Initialization};
use crate::science::network::{Architecture, Network};
use crate::science::online::{Divergence, OnlineTrainer, UpdateNorms};
use crate::science::plasticity::{Coefficient, Rule, Term};
use crate::science::samples::Samples;
use crate::science::seed::{Purpose, stream};
use crate::spec::NamedNode;
use crate::spec::node::{Fault, Node, Span, Value, choices};
use crate::tables::parquet::categories;
use crate::tables::vectors::float32_lists;
use crate::tables::{Column, ColumnType, TableSchema};
use crate::task::{
    Equation, Facts, InputId, Inputs, Kind, Output, Planned, Planning, Reads, Reference, Source, Surroundings, Work,
};

/// `kind = "train"`
pub struct Train;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TrainSpec {
    /// The stage that loads the data.
    #[allow(dead_code)]
    data: String,
    /// Units of every layer, input and output included.
    layers: Vec<usize>,
    #[serde(default)]
    activation: ActivationSpec,
    #[serde(default)]
    init: InitSpec,
    #[serde(default)]
    feedback: FeedbackSpec,
    /// A learning rule of `[rules]`; usually an axis of the matrix.
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
    /// Steps at which accuracy and update norms are measured, and at which other stages can look at the network.
    #[serde(default = "at_the_end")]
    schedule: Steps,
    /// Steps at which the weights are kept.
    #[serde(default = "nowhere")]
    snapshots: Steps,
    /// The images on which accuracy is measured.
    #[serde(default)]
    evaluate_on: Split,
}

pub(super) fn at_the_end() -> Steps {
    Steps::Every(super::parameters::Every { every: u64::MAX })
}

pub(super) fn nowhere() -> Steps {
    Steps::List(Vec::new())
}

/// One number, or one a layer.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged, expecting = "a coefficient is a number, or a list with a number for each layer")]
pub enum CoefficientSpec {
    Uniform(f64),
    PerLayer(Vec<f64>),
}

/// `[rules.<name>]`
#[derive(Debug, Default, JsonSchema)]
pub struct RuleSpec {
    /// Take the coefficients from the committed tables, by data set, setting and the rule's name.
    #[serde(default)]
    pub tuned: bool,
    #[serde(flatten)]
    pub terms: BTreeMap<String, CoefficientSpec>,
}

/// `[rules.<name>]` as it was written.
pub(super) struct WrittenRule<'a> {
    pub terms: BTreeMap<String, CoefficientSpec>,
    /// Whether the rest is looked up among the tuned coefficients.
    pub tuned: bool,
    pub name_span: &'a Span,
}

/// Finds a rule of the pipeline.
///
/// # Errors
/// There is no such rule, or it has a term that does not exist.
pub(super) fn read_rule<'a>(planning: &Planning<'a>, name: &str) -> Result<WrittenRule<'a>, Fault> {
    let rules: &'a [NamedNode] = planning.definitions;
    let Some(named) = rules.iter().find(|named| named.name == name) else {
        let names = rules.iter().map(|named| &named.name);
        return Err(planning.fault("rule", format!("there is no rule `{name}`; there are: {}", choices(names))));
    };
    let Value::Table(table) = &named.node.value else { unreachable!("rules are tables") };
    let mut written = WrittenRule { terms: BTreeMap::new(), tuned: false, name_span: &named.name_span };
    for (key, node) in &table.entries {
        if key.name == "tuned" {
            written.tuned = node.read()?;
        } else if Term::named(&key.name).is_err() {
            let names = Term::shipped().iter().map(|term| term.name.as_ref()).chain(["tuned"]);
            let message = format!("rule `{name}` has no term `{}`; there are: {}", key.name, choices(names));
            return Err(Fault::at(&key.span, message));
        } else {
            written.terms.insert(key.name.clone(), node.read()?);
        }
    }
    Ok(written)
}

/// What the committed tables say of a condition.
///
/// # Errors
/// The stage does not say its setting, or the condition has not been tuned.
pub(super) fn find_tuned<'a>(
    planning: &Planning<'a>,
    at: &Span,
    rule: &str,
    setting: Option<&str>,
    dataset: &str,
) -> Result<(&'a BTreeMap<String, f64>, &'a Arc<Source>), Fault> {
    let Some(setting) = setting else {
        let message = format!("rule `{rule}` is tuned, so stage `{}` has to say its `setting`", planning.stage);
        return Err(Fault::at(at, message));
    };
    let coefficients = &environment::of(planning).coefficients;
    coefficients.find(dataset, setting, rule).ok_or_else(|| {
        let there = choices(coefficients.conditions());
        Fault::at(at, format!("no tuned coefficients for {dataset} / {setting} / {rule}"))
            .help(format!("There are: {there}."))
    })
}

/// The terms of a rule, resolved.
pub(super) struct Resolved {
    /// By name, in the order in which the terms are defined.
    pub terms: Vec<(String, CoefficientSpec)>,
    /// The file of tuned coefficients in which some of them stand.
    pub source: Option<Arc<Source>>,
}

/// The terms of a rule, resolved.
///
/// # Errors
/// The rule or a term does not exist, or the condition has not been tuned.
pub(super) fn resolve_terms(
    planning: &Planning<'_>,
    rule: Option<&str>,
    setting: Option<&str>,
    overrides: &BTreeMap<String, CoefficientSpec>,
    dataset: &str,
) -> Result<Resolved, Fault> {
    let mut source = None;
    let mut found: BTreeMap<String, CoefficientSpec> = BTreeMap::new();
    if let Some(name) = rule {
        let written = read_rule(planning, name)?;
        found = written.terms;
        if written.tuned {
            let (terms, file) = find_tuned(planning, written.name_span, name, setting, dataset)?;
            source = Some(file.clone());
            for (term, value) in terms {
                found.entry(term.clone()).or_insert(CoefficientSpec::Uniform(*value));
            }
        }
    }
    for (term, value) in overrides {
        found.insert(term.clone(), value.clone());
    }
    for name in found.keys() {
        if Term::named(name).is_err() {
            let names = Term::shipped().iter().map(|term| term.name.as_ref());
            let message = format!("there is no plasticity term `{name}`; there are: {}", choices(names));
            return Err(Fault::at(planning.key_within("coefficients", name), message));
        }
    }
    // In the order of definition, so that a rule means the same however it was written.
    let terms = Term::shipped().iter().filter_map(|term| found.remove_entry(term.name.as_ref())).collect();
    Ok(Resolved { terms, source })
}

/// Where the coefficient of a term was written: in the stage, in the rule, or else where the rule was chosen.
fn place_of_term<'a>(planning: &'a Planning<'_>, rule: Option<&str>, term: &str) -> &'a Span {
    let in_table = |node: Option<&'a Node>| node.and_then(Node::as_table).and_then(|table| table.get(term));
    let stage = in_table(planning.parameters.as_table().and_then(|table| table.get("coefficients")));
    let named = planning.definitions.iter().find(|named| Some(named.name.as_str()) == rule);
    match stage.or_else(|| in_table(named.map(|named| &named.node))) {
        Some(node) => &node.span,
        None => planning.span("rule"),
    }
}

impl CoefficientSpec {
    pub fn coefficient(&self) -> Coefficient {
        match self {
            Self::Uniform(value) => Coefficient::Uniform(*value),
            Self::PerLayer(values) => Coefficient::PerLayer(values.clone()),
        }
    }
}

impl Kind for Train {
    fn name(&self) -> &'static str {
        "train"
    }

    fn summary(&self) -> &'static str {
        "Trains a feed-forward network online, one sample at a time, by a plasticity rule."
    }

    fn version(&self) -> u32 {
        2
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<TrainSpec>()
    }

    fn axis_parameter(&self, axis: &str) -> Option<Vec<String>> {
        if Term::named(axis).is_ok() {
            return Some(vec!["coefficients".to_owned(), axis.to_owned()]);
        }
        let direct = ["rule", "seed", "samples", "init", "activation", "feedback", "setting", "evaluate_on"];
        direct.contains(&axis).then(|| vec![axis.to_owned()])
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        Ok(vec![Reference::required(parameters, "data", Reads::Task)?])
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: TrainSpec = planning.parameters.read()?;
        let mut inputs = Inputs::new(planning);
        let (images, dataset) = inputs.read("dataset")?;
        let data = Known::of(&dataset.facts).data.expect("a data set knows its sizes");
        let in_field = |field: &'static str| move |message: String| planning.fault(field, message);
        check_layers(planning, &spec.layers, &data)?;
        let activation = spec.activation.check().map_err(in_field("activation"))?;
        let init = spec.init.check().map_err(in_field("init"))?;
        let architecture = Architecture::new(spec.layers.clone(), activation)
            .map_err(|error| planning.fault("layers", error.to_string()))?;
        let Resolved { terms, source } =
            resolve_terms(planning, spec.rule.as_deref(), spec.setting.as_deref(), &spec.coefficients, &data.name)?;
        let names: Vec<(&str, Coefficient)> =
            terms.iter().map(|(name, value)| (name.as_str(), value.coefficient())).collect();
        let field = if spec.coefficients.is_empty() { "rule" } else { "coefficients" };
        if names.is_empty() {
            let what = spec.rule.as_ref().map_or("there is".to_owned(), |name| format!("rule `{name}` has"));
            return Err(planning
                .fault(field, format!("{what} no plasticity term: the network would not learn"))
                .help("Give the rule a term (`gradient = 0.01`), or the stage `coefficients = { gradient = 0.01 }`."));
        }
        // Checked here and not only when it runs, and term by term, so that the fault underlines the one coefficient.
        for (name, coefficient) in &names {
            let at = || place_of_term(planning, spec.rule.as_deref(), name);
            let alone = Rule::new(&[(*name, coefficient.clone())])
                .and_then(|alone| alone.check_layers(architecture.n_layers()).map(|()| alone))
                .map_err(|error| Fault::at(at(), error.to_string()))?;
            if alone.moves_feedback() && spec.feedback != FeedbackSpec::Plastic {
                let kept = spec.feedback.name();
                let message = format!("`{name}` moves feedback weights, which `feedback = \"{kept}\"` keeps fixed");
                let help = format!("Give stage `{}` `feedback = \"plastic\"`.", planning.stage);
                return Err(Fault::at(at(), message).help(help));
            }
        }
        let rule = Rule::new(&names).map_err(|error| planning.fault(field, error.to_string()))?;
        let n_training = data.n_train.saturating_sub(TUNING_SAMPLES);
        if spec.samples == 0 || spec.samples > n_training as u64 {
            let message = format!(
                "{} training samples; `{}` has {n_training} (its last {TUNING_SAMPLES} are the tuning split), each is seen once",
                spec.samples, data.name
            );
            return Err(planning.fault("samples", message));
        }
        let schedule = spec.schedule.expand(spec.samples).map_err(in_field("schedule"))?;
        let snapshots = spec.snapshots.expand(spec.samples).map_err(in_field("snapshots"))?;
        let facts =
            NetworkFacts { sizes: spec.layers.clone(), schedule: schedule.clone(), snapshots: snapshots.clone() };
        Ok(Planned::new(TrainTask {
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
                feedback: spec.feedback.name(),
                coefficients: terms,
                seed: spec.seed,
                samples: spec.samples,
                schedule,
                snapshots,
                evaluate_on: spec.evaluate_on,
            },
            architecture,
            init,
            feedback: spec.feedback.feedback(),
            n_training,
            facts: Known { data: Some(data), network: Some(Arc::new(facts)), layers: None }.into(),
            rule,
        })
        .reading(inputs)
        .looked_up_in(source))
    }
}

/// Widths that fit the data: pixels in, classes out.
pub fn check_layers(planning: &Planning<'_>, layers: &[usize], data: &DataFacts) -> Result<(), Fault> {
    if layers.len() < 2 {
        return Err(planning.fault("layers", "a network has at least two layers, the image and the output"));
    }
    if layers.first() != Some(&data.n_pixels) {
        let message =
            format!("the first layer is the image: {} units for `{}`, found {}", data.n_pixels, data.name, layers[0]);
        return Err(planning.fault("layers", message));
    }
    if layers.last() < Some(&data.n_classes) {
        let message =
            format!("the last layer needs a unit for each of the {} classes of `{}`", data.n_classes, data.name);
        return Err(planning.fault("layers", message));
    }
    if let Some(layer) = layers.iter().position(|&width| width == 0) {
        return Err(planning.fault("layers", format!("layer {layer} has no units; take at least 1")));
    }
    Ok(())
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
    feedback: &'static str,
    #[serde(serialize_with = "as_map")]
    coefficients: Vec<(String, CoefficientSpec)>,
    seed: u64,
    samples: u64,
    schedule: Vec<u64>,
    snapshots: Vec<u64>,
    evaluate_on: Split,
}

pub(super) fn as_map<S: serde::Serializer>(
    terms: &[(String, CoefficientSpec)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(terms.iter().map(|(name, value)| (name, value)))
}

#[derive(Debug)]
struct TrainTask {
    images: InputId,
    canonical: Canonical,
    architecture: Architecture,
    init: Initialization,
    feedback: Feedback,
    n_training: usize,
    facts: Facts,
    rule: Rule,
}

const RUN_ID: Column = Column::new("run_id", ColumnType::Category, "", "the training run");
const STEP: Column =
    Column::new("step", ColumnType::Int64, "samples", "training samples seen; 0 is the initial network");

/// The columns that most tables of measurements begin with.
pub fn run_and_step() -> [Column; 2] {
    [RUN_ID, STEP]
}

/// Terms whose coefficients are columns of `runs`. Those of other terms stand in `coefficients`, and are columns where they
/// are axes: so a new term changes no table of a run that does without it, and no key.
pub(super) const COEFFICIENT_COLUMNS: [&str; 7] =
    ["gradient", "error_hebb", "oja", "decay", "hebb", "feedback_hebb", "feedback_decay"];

/// One row a run.
pub fn runs_schema() -> TableSchema {
    let mut columns = vec![
        RUN_ID,
        Column::new("n_layers", ColumnType::Int32, "", "layers of weights, L"),
        Column::new("layer_sizes", ColumnType::Text, "units", "units of layers 0 ... L, as a JSON list"),
        Column::new("activation", ColumnType::Category, "", "activation function of the hidden layers"),
        Column::new("init", ColumnType::Category, "", "distribution of the initial weights"),
        Column::new(
            "feedback",
            ColumnType::Category,
            "",
            "feedback weights B: symmetric (transposed W), random or plastic",
        ),
    ];
    for name in COEFFICIENT_COLUMNS {
        let description = "coefficient of this plasticity term; 0 without it, null where it differs by layer";
        columns.push(Column::new(name, ColumnType::Float64, "1/sample", description).nullable());
    }
    columns.extend([
        Column::new("options", ColumnType::Text, "", "other parameters, as JSON"),
        Column::new("samples", ColumnType::Int64, "samples", "length of the training"),
        Column::new("status", ColumnType::Category, "", "completed or diverged"),
        Column::new("diverged_at_step", ColumnType::Int64, "samples", "first step with a number that is not finite")
            .nullable(),
        Column::new("diverged_at_layer", ColumnType::Int32, "", "layer of that number").nullable(),
    ]);
    TableSchema::new("runs", 1, columns, &["run_id"])
}

fn coefficients_schema() -> TableSchema {
    TableSchema::new(
        "coefficients",
        1,
        vec![
            RUN_ID,
            Column::new("term", ColumnType::Category, "", "plasticity term"),
            Column::new("layer", ColumnType::Int32, "", "layer of weights, 1 ... L"),
            Column::new("coefficient", ColumnType::Float64, "1/sample", "its coefficient in this layer"),
        ],
        &["run_id", "term", "layer"],
    )
}

pub(super) fn evaluations_schema() -> TableSchema {
    TableSchema::new(
        "evaluations",
        1,
        vec![
            RUN_ID,
            STEP,
            Column::new("accuracy", ColumnType::Float64, "", "share of images classified correctly"),
            Column::new("loss", ColumnType::Float64, "nats", "mean cross-entropy").nullable(),
            Column::new("n_samples", ColumnType::Int32, "images", "images evaluated"),
        ],
        &["run_id", "step"],
    )
}

pub(super) fn samples_schema() -> TableSchema {
    TableSchema::new(
        "samples",
        1,
        vec![
            RUN_ID,
            Column::new("step", ColumnType::Int64, "samples", "from 1: the step at which the sample was seen"),
            Column::new("sample_index", ColumnType::Int32, "", "its position in the training set"),
        ],
        &["run_id", "step"],
    )
}

/// One row a matrix and step, vectors row-major.
pub fn weights_schema() -> TableSchema {
    TableSchema::new(
        "weights",
        1,
        vec![
            RUN_ID,
            STEP,
            Column::new("matrix", ColumnType::Category, "", "forward (W), feedback (B), input, recurrent or readout"),
            Column::new("layer", ColumnType::Int32, "", "l of W_{l-1,l} and B_{l,l-1}"),
            Column::new("n_out", ColumnType::Int32, "", "rows of the matrix"),
            Column::new("n_in", ColumnType::Int32, "", "columns of the matrix"),
            Column::new("weights", ColumnType::Float32List, "", "the matrix, row-major (n_out x n_in)"),
        ],
        &["run_id", "step", "matrix", "layer"],
    )
    .in_folder()
}

pub(super) fn updates_schema() -> TableSchema {
    TableSchema::new(
        "updates",
        1,
        vec![
            RUN_ID,
            Column::new("step", ColumnType::Int64, "samples", "the step whose update is measured, from 1"),
            Column::new("layer", ColumnType::Int32, "", "layer of weights, 1 ... L"),
            Column::new(
                "gradient_norm",
                ColumnType::Float64,
                "",
                "Frobenius norm of the gradient part, coefficient included",
            ),
            Column::new("oja_norm", ColumnType::Float64, "", "Frobenius norm of the Oja part, coefficient included"),
            Column::new("total_norm", ColumnType::Float64, "", "Frobenius norm of W after minus W before the step"),
        ],
        &["run_id", "step", "layer"],
    )
}

/// The tables of every training; a network has no say in them.
static OUTPUTS: LazyLock<Vec<Output>> = LazyLock::new(|| {
    let mut trajectory = weights_schema();
    trajectory.kind = "trajectory".into();
    vec![
        Output::kept("runs", runs_schema()).register(),
        Output::kept("coefficients", coefficients_schema()),
        Output::kept("evaluations", evaluations_schema()),
        Output::kept("samples", samples_schema()),
        Output::kept("weights", weights_schema()),
        Output::kept("updates", updates_schema()),
        Output::passing("trajectory", trajectory),
    ]
});

impl Work for TrainTask {
    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(&self.canonical).expect("plain data")
    }

    fn outputs(&self) -> &[Output] {
        &OUTPUTS
    }

    fn facts(&self) -> Facts {
        self.facts.clone()
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let data = images(context, self.images)?;
        let order = stream(self.canonical.seed, Purpose::SampleOrder, 0)
            .without_replacement(self.n_training as u32, self.canonical.samples as u32);
        let network = Network::initialize(&self.architecture, &self.init, self.feedback, self.canonical.seed);
        let mut trainer = OnlineTrainer::new(network, self.rule.clone()).map_err(|error| context.numerics(error))?;
        let mut record = Record::default();
        let mut divergence = None;
        let (held_out, first) = data.held_out(self.canonical.evaluate_on);
        for step in stops(&[&self.canonical.schedule, &self.canonical.snapshots], self.canonical.samples) {
            context.check_interrupted()?;
            let seen = trainer.steps() as usize;
            match trainer.advance_recording(&data.train, &order[seen..step as usize]) {
                Ok(norms) => {
                    if self.canonical.schedule.contains(&step) {
                        record.updates(step, &norms);
                    }
                }
                Err(diverged) => {
                    divergence = Some(diverged);
                    break;
                }
            }
            let Canonical { schedule, snapshots, .. } = &self.canonical;
            let network = trainer.network();
            if schedule.contains(&step) {
                record.score_and_hand_on(context, step, &network, (held_out, first))?;
            }
            if snapshots.contains(&step) {
                context.write_columns("weights", weight_rows(context.run_id(), step, &network))?;
            }
        }
        let seen = divergence.map_or(order.len(), |divergence| divergence.step as usize);
        self.write_run(context, divergence)?;
        record.write(context)?;
        write_samples(context, &order[..seen])
    }

    fn equation(&self) -> Option<Equation> {
        let needs = match self.feedback {
            Feedback::Symmetric => "Weight transport: errors travel back through the transposed forward weights.",
            Feedback::Random => "No weight transport for errors: feedback weights are random and stay fixed.",
            Feedback::Plastic => {
                "No weight transport for errors: feedback weights are learned beside the forward ones."
            }
        };
        let online = "No batches and no optimiser state: one sample, one update.";
        Some(Equation { plain: self.rule.equation(), latex: self.rule.latex(), needs: vec![needs, online] })
    }

    fn cost(&self) -> f64 {
        let sizes = self.architecture.sizes();
        let synapses: usize = sizes.windows(2).map(|pair| pair[0] * pair[1]).sum();
        // About a nanosecond for four synapses, in training and for each image of an evaluation.
        let evaluated = self.canonical.schedule.len() as f64 * 10_000.0 / 8.0;
        synapses as f64 * 2.5e-10 * (self.canonical.samples as f64 + evaluated)
    }
}

impl TrainTask {
    fn write_run(&self, context: &dyn Surroundings, divergence: Option<Divergence>) -> Result<()> {
        let canonical = &self.canonical;
        let row = RunRow {
            layers: &canonical.layers,
            activation: canonical.activation,
            init: canonical.init,
            feedback: canonical.feedback,
            coefficient: &|column| coefficient_in_runs(&canonical.coefficients, column),
            beside: Vec::new(),
            options: serde_json::json!({
                "beta": canonical.beta,
                "std": canonical.std,
                "seed": canonical.seed,
                "evaluate_on": canonical.evaluate_on,
                "equation": self.rule.equation(),
            }),
            samples: canonical.samples,
            divergence,
        };
        row.write(context)?;
        let (run_id, n_layers) = (context.run_id(), self.architecture.n_layers());
        let rows: Vec<(&str, usize, f64)> = canonical
            .coefficients
            .iter()
            .flat_map(|(name, value)| {
                let value = value.coefficient();
                (1..=n_layers).map(move |layer| (name.as_str(), layer, value.at(layer)))
            })
            .collect();
        context.write_columns(
            "coefficients",
            vec![
                categories(rows.iter().map(|_| Some(run_id))),
                categories(rows.iter().map(|row| Some(row.0))),
                Arc::new(rows.iter().map(|row| row.1 as i32).collect::<Int32Array>()),
                Arc::new(rows.iter().map(|row| row.2).collect::<Float64Array>()),
            ],
        )
    }
}

/// The steps at which training pauses, ascending: those at which something is looked at, and the last sample.
pub(super) fn stops(looked_at: &[&[u64]], samples: u64) -> Vec<u64> {
    let mut stops = looked_at.concat();
    stops.push(samples);
    stops.sort_unstable();
    stops.dedup();
    stops
}

/// What stands in a column of [`COEFFICIENT_COLUMNS`]: 0 without the term, nothing where it differs by layer.
pub(super) fn coefficient_in_runs(coefficients: &[(String, CoefficientSpec)], column: &str) -> Option<f64> {
    match coefficients.iter().find(|(name, _)| name == column) {
        None => Some(0.0),
        Some((_, CoefficientSpec::Uniform(value))) => Some(*value),
        Some((_, CoefficientSpec::PerLayer(_))) => None,
    }
}

/// The row of `runs` that a training writes at its end.
pub(super) struct RunRow<'a> {
    pub layers: &'a [usize],
    pub activation: &'a str,
    pub init: &'a str,
    pub feedback: &'a str,
    /// The number in one of [`COEFFICIENT_COLUMNS`].
    pub coefficient: &'a dyn Fn(&str) -> Option<f64>,
    /// Columns that a kind of training has beside the others, in front of `options`.
    pub beside: Vec<ArrayRef>,
    pub options: serde_json::Value,
    pub samples: u64,
    pub divergence: Option<Divergence>,
}

impl RunRow<'_> {
    /// Writes the row, and tells the user of a divergence.
    pub fn write(self, context: &dyn Surroundings) -> Result<()> {
        let text = |value: String| Arc::new(StringArray::from(vec![value])) as ArrayRef;
        let mut columns: Vec<ArrayRef> = vec![
            categories([Some(context.run_id())]),
            Arc::new(Int32Array::from(vec![self.layers.len() as i32 - 1])),
            text(serde_json::to_string(self.layers).expect("integers serialise")),
            categories([Some(self.activation)]),
            categories([Some(self.init)]),
            categories([Some(self.feedback)]),
        ];
        for column in COEFFICIENT_COLUMNS {
            columns.push(Arc::new(Float64Array::from(vec![(self.coefficient)(column)])));
        }
        columns.extend(self.beside);
        let divergence = self.divergence;
        columns.extend([
            text(self.options.to_string()),
            Arc::new(Int64Array::from(vec![self.samples as i64])) as ArrayRef,
            categories([Some(if divergence.is_some() { "diverged" } else { "completed" })]),
            Arc::new(Int64Array::from(vec![divergence.map(|divergence| divergence.step as i64)])),
            Arc::new(Int32Array::from(vec![divergence.map(|divergence| divergence.layer as i32)])),
        ]);
        if let Some(divergence) = divergence {
            context.notice(&divergence.to_string());
        }
        context.write_columns("runs", columns)
    }
}

/// The rows that a training gathers while it goes on.
#[derive(Default)]
pub(super) struct Record {
    evaluations: Vec<(u64, Evaluation)>,
    updates: Vec<(u64, usize, UpdateNorms)>,
}

impl Record {
    pub fn evaluation(&mut self, step: u64, found: Evaluation) {
        self.evaluations.push((step, found));
    }

    /// What happens at a scheduled step: the network is scored on the held-out images from `first` on, and handed on.
    pub fn score_and_hand_on(
        &mut self,
        context: &dyn Surroundings,
        step: u64,
        network: &Network,
        (held_out, first): (&Samples, usize),
    ) -> Result<()> {
        // A replay only hands weights on: nobody would read its scores.
        if context.wants("evaluations") {
            self.evaluation(step, network.evaluate(held_out, first..held_out.len()));
        }
        if context.wants("trajectory") {
            context.write_columns("trajectory", weight_rows(context.run_id(), step, network))?;
        }
        Ok(())
    }

    pub fn updates(&mut self, step: u64, norms: &[UpdateNorms]) {
        self.updates.extend(norms.iter().enumerate().map(|(index, norms)| (step, index + 1, *norms)));
    }

    pub fn write(&self, context: &dyn Surroundings) -> Result<()> {
        self.write_evaluations(context)?;
        let (run_id, updates) = (context.run_id(), &self.updates);
        let norms = |part: fn(&UpdateNorms) -> f64| -> ArrayRef {
            Arc::new(updates.iter().map(|row| part(&row.2)).collect::<Float64Array>())
        };
        context.write_columns(
            "updates",
            vec![
                categories(updates.iter().map(|_| Some(run_id))),
                Arc::new(updates.iter().map(|row| row.0 as i64).collect::<Int64Array>()),
                Arc::new(updates.iter().map(|row| row.1 as i32).collect::<Int32Array>()),
                norms(|norms| norms.gradient),
                norms(|norms| norms.oja),
                norms(|norms| norms.total),
            ],
        )
    }

    pub fn write_evaluations(&self, context: &dyn Surroundings) -> Result<()> {
        let (run_id, evaluations) = (context.run_id(), &self.evaluations);
        // A network can be finite and its loss not (logits of 1e30): there is no number to write then.
        let loss = |found: &Evaluation| Some(found.loss).filter(|loss| loss.is_finite());
        context.write_columns(
            "evaluations",
            vec![
                categories(evaluations.iter().map(|_| Some(run_id))),
                Arc::new(evaluations.iter().map(|row| row.0 as i64).collect::<Int64Array>()),
                Arc::new(evaluations.iter().map(|row| row.1.accuracy).collect::<Float64Array>()),
                Arc::new(evaluations.iter().map(|row| loss(&row.1)).collect::<Float64Array>()),
                Arc::new(evaluations.iter().map(|row| row.1.n_samples as i32).collect::<Int32Array>()),
            ],
        )
    }
}

/// Which training sample was seen at which step, up to the last one seen.
pub(super) fn write_samples(context: &dyn Surroundings, seen: &[u32]) -> Result<()> {
    let run_id = context.run_id();
    context.write_columns(
        "samples",
        vec![
            categories(seen.iter().map(|_| Some(run_id))),
            Arc::new((1..=seen.len() as i64).collect::<Int64Array>()),
            Arc::new(seen.iter().map(|&index| index as i32).collect::<Int32Array>()),
        ],
    )
}

/// The weights of a network as rows of the `weights` table, sorted by its key.
pub fn weight_rows(run_id: &str, step: u64, network: &Network) -> Vec<ArrayRef> {
    let mut matrices = Vec::new();
    for layer in 1..=network.n_layers() {
        matrices.extend(network.feedback_weights(layer).map(|matrix| ("feedback", layer, matrix)));
    }
    for layer in 1..=network.n_layers() {
        matrices.push(("forward", layer, network.forward_weights(layer)));
    }
    // y = σ(scale ⊙ W y + shift): a normalised network is not its matrices alone.
    let normalized: Vec<_> =
        (1..=network.n_layers()).filter_map(|layer| Some((layer, network.scale_and_shift(layer)?))).collect();
    let column = |values: &[f32]| Array2::from_shape_fn((values.len(), 1), |(unit, _)| values[unit]);
    matrices.extend(normalized.iter().map(|(layer, (scale, _))| ("scale", *layer, column(scale))));
    matrices.extend(normalized.iter().map(|(layer, (_, shift))| ("shift", *layer, column(shift))));
    matrix_rows(run_id, step, &matrices)
}

/// Named matrices of layers as rows of the `weights` table; they have to come sorted by name and layer.
pub(super) fn matrix_rows(run_id: &str, step: u64, matrices: &[(&str, usize, Array2<f32>)]) -> Vec<ArrayRef> {
    let lengths: Vec<usize> = matrices.iter().map(|(_, _, matrix)| matrix.len()).collect();
    let mut values = Vec::with_capacity(lengths.iter().sum());
    for (_, _, matrix) in matrices {
        values.extend(matrix.iter());
    }
    vec![
        categories(matrices.iter().map(|_| Some(run_id))),
        Arc::new(Int64Array::from(vec![step as i64; matrices.len()])),
        categories(matrices.iter().map(|(name, _, _)| Some(*name))),
        Arc::new(matrices.iter().map(|(_, layer, _)| *layer as i32).collect::<Int32Array>()),
        Arc::new(matrices.iter().map(|(_, _, matrix)| matrix.nrows() as i32).collect::<Int32Array>()),
        Arc::new(matrices.iter().map(|(_, _, matrix)| matrix.ncols() as i32).collect::<Int32Array>()),
        float32_lists(values, lengths),
    ]
}
