//! dataset → runs, coefficients, evaluations, samples, weights, state, updates, term_norms: a feed-forward network learns
//! online, one sample at a time.
//!
//! Beside what is kept, the weights at every step of the schedule are handed on in memory (`trajectory`) to the stages
//! that look at the network while it learns: training again is cheaper than keeping gigabytes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parameters::{Course, Units, chain, kept_with, nowhere, read_data};
use super::rules::{
    CoefficientSpec, Condition, Resolved, as_map, check_pathway, coefficient_in_runs, picked, place_of_term,
    resolve_terms,
};
use super::skeleton::{Recipe, Training};
use super::tables::{Described, plastic_outputs, write_coefficients};
use super::terms::{CanonicalTerms, Numbers, is_written, number_axis};
use crate::error::Result;
use crate::science::InvalidParameter;
use crate::science::feedback::Feedback;
use crate::science::model::Blueprint;
use crate::science::network::{Architecture, Network};
use crate::science::online::{OnlineTrainer, why_one_by_one};
use crate::science::plasticity::{Rule, Term};
use crate::spec::Definitions;
use crate::spec::node::{Fault, Node};
use crate::stages::feedback::FeedbackSpec;
use crate::stages::parameters::{ActivationSpec, InitSpec, LossSpec, Split, Steps, axes_of};
use crate::task::{Equation, Inputs, Kind, Output, Planned, Planning, Reads, Reference, Surroundings};

/// `kind = "train"`
#[derive(Debug)]
pub struct Train;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TrainSpec {
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
    /// Where the errors of hidden layers come from; backpropagation if left out.
    #[serde(default)]
    feedback: FeedbackSpec,
    /// How the output is read and judged; cross-entropy if left out.
    #[serde(default)]
    loss: LossSpec,
    /// A learning rule of `[rules]`; usually an axis of the matrix.
    #[serde(default)]
    rule: Option<String>,
    /// Coefficients of plasticity terms, over those of the rule.
    #[serde(default)]
    coefficients: BTreeMap<String, CoefficientSpec>,
    /// Numbers of the equations that the pipeline writes, by term: `{ bcm = { rate = 0.01 } }`; those of `[terms]` if left out.
    #[serde(default)]
    terms: Numbers,
    /// The name under which the coefficients of this network are tuned; needed where the rule says `tuned`.
    #[serde(default)]
    setting: Option<String>,
    /// Which of the coefficients that tuning left, by their probability; 1 was picked.
    #[serde(default = "picked")]
    cell: usize,
    /// Of initial weights, sample order and noise; trainings that share it are paired. 0 if left out; usually an axis.
    #[serde(default)]
    seed: u64,
    /// Training samples, each seen once.
    samples: u64,
    /// Steps at which accuracy and update norms are measured, and at which other stages can look at the network;
    /// the first and the last if left out.
    #[serde(default)]
    schedule: Option<Steps>,
    /// Steps at which the weights are kept, and what neurons of written terms remember; none if left out.
    #[serde(default = "nowhere")]
    snapshots: Steps,
    /// The images on which accuracy is measured; the test set if left out.
    #[serde(default)]
    evaluate_on: Split,
}

impl Kind for Train {
    fn name(&self) -> &'static str {
        "train"
    }

    fn summary(&self) -> &'static str {
        "Trains a feed-forward network online, one sample at a time, by a plasticity rule."
    }

    fn version(&self) -> u32 {
        6
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<TrainSpec>()
    }

    fn tables(&self) -> Vec<Output> {
        OUTPUTS.clone()
    }

    fn axis_parameter(&self, axis: &str, definitions: &Definitions) -> Option<Vec<String>> {
        static AXES: LazyLock<BTreeSet<String>> = LazyLock::new(|| axes_of::<TrainSpec>(&["data"]));
        // A pipeline's own term never takes the place of a parameter.
        let is_term = Term::named(axis).is_ok() || (!AXES.contains(axis) && is_written(definitions, axis));
        if is_term {
            return Some(vec!["coefficients".to_owned(), axis.to_owned()]);
        }
        if AXES.contains(axis) { Some(vec![axis.to_owned()]) } else { number_axis(definitions, axis) }
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        Ok(vec![Reference::required(parameters, "data", Reads::Task)?])
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: TrainSpec = planning.parameters.read()?;
        let mut inputs = Inputs::new(planning);
        let data = read_data(&mut inputs)?;
        let (units, architecture) = chain(planning, &spec.layers, (spec.activation, spec.init), &data.facts)?;
        let architecture = architecture.with_loss(spec.loss.loss());
        let (feedback, pathway) = spec.feedback.check().map_err(|message| planning.fault("feedback", message))?;
        let Resolved { mut coefficients, mut terms, written, source } = resolve_terms(
            planning,
            spec.rule.as_deref(),
            Condition { dataset: &data.facts.name, setting: spec.setting.as_deref(), cell: spec.cell },
            &spec.coefficients,
            &spec.terms,
            &[],
        )?;
        let field = if spec.coefficients.is_empty() { "rule" } else { "coefficients" };
        if terms.is_empty() {
            let what = spec.rule.as_ref().map_or("there is".to_owned(), |name| format!("rule `{name}` has"));
            return Err(planning
                .fault(field, format!("{what} no plasticity term: the network would not learn"))
                .help("Give the rule a term (`gradient = 0.01`), or the stage `coefficients = { gradient = 0.01 }`."));
        }
        // Checked here and not only when it runs, and term by term, so that the fault underlines the one coefficient.
        for (term, coefficient) in &terms {
            let at = || place_of_term(planning, spec.rule.as_deref(), &term.name);
            Rule::with_terms(vec![(term.clone(), coefficient.clone())])
                .and_then(|alone| alone.check_layers(architecture.n_layers()))
                .map_err(|error| Fault::at(at(), error.to_string()))?;
            check_pathway(planning, spec.rule.as_deref(), feedback, term)?;
        }
        let completed = feedback.completes(&terms, architecture.n_layers());
        for (term, coefficient) in completed.map_err(|error| planning.fault(field, error.to_string()))? {
            coefficients.push((term.name.to_string(), coefficient.clone().into()));
            terms.push((term, coefficient));
        }
        let rule = Rule::with_terms(terms).map_err(|error| planning.fault(field, error.to_string()))?;
        let course = Course::plan(
            planning,
            &data.facts,
            (spec.seed, spec.samples, spec.evaluate_on),
            (spec.schedule.as_ref(), kept_with(spec.cell, &spec.snapshots)),
        )?;
        let recipe = Online {
            canonical: Canonical {
                layers: spec.layers,
                units,
                feedback: feedback.name(),
                pathway,
                loss: spec.loss,
                coefficients,
                terms: written,
                course,
            },
            feedback,
            architecture,
            rule,
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
    feedback: &'static str,
    /// The numbers of the pathway of errors, where it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pathway: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "is_default")]
    loss: LossSpec,
    #[serde(serialize_with = "as_map")]
    coefficients: Vec<(String, CoefficientSpec)>,
    /// What those that are not shipped mean.
    #[serde(skip_serializing_if = "CanonicalTerms::is_empty")]
    terms: CanonicalTerms,
    #[serde(flatten)]
    course: Course,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A chain of layers, a rule.
#[derive(Clone, Debug, PartialEq)]
struct Online {
    canonical: Canonical,
    architecture: Architecture,
    feedback: Feedback,
    rule: Rule,
}

/// The tables of every online training; a network has no say in them.
static OUTPUTS: LazyLock<Vec<Output>> = LazyLock::new(plastic_outputs);

impl Recipe for Online {
    type Learner = OnlineTrainer;

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
        Blueprint::Chain(self.architecture.clone(), self.feedback)
    }

    fn outputs(&self) -> &'static [Output] {
        &OUTPUTS
    }

    fn learner(&self) -> Result<OnlineTrainer, InvalidParameter> {
        let Canonical { units, course, .. } = &self.canonical;
        let network = Network::initialize(&self.architecture, &units.initialization, self.feedback, course.seed);
        OnlineTrainer::with_noise(network, self.rule.clone(), course.seed)
    }

    fn describe(&self) -> Described<'_> {
        let Canonical { units, feedback, pathway, loss, coefficients, course, .. } = &self.canonical;
        let mut options = serde_json::json!({
            "beta": units.beta,
            "std": units.std,
            "seed": course.seed,
            "evaluate_on": course.evaluate_on,
            "equation": self.rule.equation(),
        });
        if let Some(pathway) = pathway {
            options["pathway"] = pathway.clone();
        }
        if !is_default(loss) {
            options["loss"] = serde_json::to_value(loss).expect("a word");
        }
        Described {
            units,
            feedback,
            coefficient: Box::new(|column| coefficient_in_runs(coefficients, column)),
            batches: None,
            options,
        }
    }

    fn conclude(&self, context: &dyn Surroundings) -> Result<()> {
        let n_layers = self.architecture.n_layers();
        write_coefficients(context, n_layers, &self.canonical.coefficients)
    }

    fn equation(&self) -> Option<Equation> {
        let needs = self.feedback.needs();
        let online = "No batches and no optimiser state: one sample, one update.";
        let one_by_one = why_one_by_one(self.architecture.activation(), self.feedback, &self.rule);
        Some(Equation {
            plain: self.rule.equation(),
            latex: self.rule.latex(),
            needs: vec![needs, online],
            slow: one_by_one.map(|why| format!("The first layer learns step by step, not many at a time: {why}.")),
        })
    }

    fn slowdown(&self) -> f64 {
        // Measured on the networks of the paper.
        30.0
    }

    fn cost(&self) -> f64 {
        // About a nanosecond for four synapses, in training and for each image of an evaluation.
        self.canonical.course.cost(self.architecture.n_synapses(), 2.5e-10, self.feedback.effort())
    }
}
