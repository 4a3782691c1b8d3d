//! dataset → runs, evaluations, samples, weights, updates, hidden_norms: a recurrent network learns online to tell what an
//! image was that it was shown long before (delayed classification, section 2.4 of the paper).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parameters::{Course, Units, check_width, expand, kept_with, nowhere, read_data};
use super::rules::{
    BESIDE_TERMS, CLIP, CoefficientSpec, Condition, Resolved, as_map, coefficient_in_runs, picked, resolve_terms,
};
use super::skeleton::{Recipe, Training};
use super::tables::{Described, updating_outputs};
use super::terms::Numbers;
use crate::error::Result;
use crate::science::InvalidParameter;
use crate::science::initialization::Initialization;
use crate::science::model::Blueprint;
use crate::science::recurrent::{OjaTarget, RecurrentArchitecture, RecurrentNetwork, RecurrentRule, RecurrentTrainer};
use crate::science::samples::Samples;
use crate::spec::Definitions;
use crate::spec::node::{Fault, Node};
use crate::stages::measurement::finite;
use crate::stages::parameters::{ActivationSpec, InitSpec, PlainActivation, Split, Steps, axes_of, init_name};
use crate::stages::rows::HiddenNormRow;
use crate::tables::Row;
use crate::task::{Equation, Inputs, Kind, Output, Planned, Planning, Reads, Reference, Surroundings};

/// `kind = "train_recurrent"`
#[derive(Debug)]
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
    /// Of the recurrent weights W_h; as the others if left out.
    #[serde(default)]
    recurrent_init: Option<InitSpec>,
    /// What Oja's rule on the recurrent weights reconstructs.
    #[serde(default)]
    oja_target: OjaTargetSpec,
    /// A learning rule of `[rules]`, of the terms `gradient` and `oja`, and of `clip`, the length to which longer gradients are
    /// shortened; usually an axis of the matrix.
    #[serde(default)]
    rule: Option<String>,
    /// Coefficients of plasticity terms, over those of the rule.
    #[serde(default)]
    coefficients: BTreeMap<String, CoefficientSpec>,
    /// The name under which the coefficients of this network are tuned.
    #[serde(default)]
    setting: Option<String>,
    /// Which of the coefficients that tuning left, by their probability; 1 was picked.
    #[serde(default = "picked")]
    cell: usize,
    #[serde(default)]
    seed: u64,
    /// Training samples, each seen once.
    samples: u64,
    /// Steps at which accuracy and update norms are measured.
    #[serde(default)]
    schedule: Option<Steps>,
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

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
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

/// The terms that backpropagation through time knows, and where it clips.
const TERMS: [&str; 3] = ["gradient", "oja", CLIP];

impl Kind for TrainRecurrent {
    fn name(&self) -> &'static str {
        "train_recurrent"
    }

    fn summary(&self) -> &'static str {
        "Trains a recurrent network online on delayed classification, by backpropagation through time with or without Oja's rule."
    }

    fn version(&self) -> u32 {
        2
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<TrainRecurrentSpec>()
    }

    fn axis_parameter(&self, axis: &str, _: &Definitions) -> Option<Vec<String>> {
        static AXES: LazyLock<BTreeSet<String>> = LazyLock::new(|| axes_of::<TrainRecurrentSpec>(&["data"]));
        if TERMS.contains(&axis) {
            return Some(vec!["coefficients".to_owned(), axis.to_owned()]);
        }
        AXES.contains(axis).then(|| vec![axis.to_owned()])
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        Ok(vec![Reference::required(parameters, "data", Reads::Task)?])
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: TrainRecurrentSpec = planning.parameters.read()?;
        let mut inputs = Inputs::new(planning);
        let data = read_data(&mut inputs)?;
        let units = Units::plan(planning, spec.activation, spec.init)?;
        let recurrent = spec.recurrent_init.map(|init| init.check().map(|init| (init_name(init), init)));
        let recurrent = recurrent.transpose().map_err(|message| planning.fault("recurrent_init", message))?;
        if spec.hidden == 0 {
            return Err(planning.fault("hidden", "a recurrent network needs at least one hidden unit"));
        }
        let sizes = [data.facts.n_pixels, spec.hidden, data.facts.n_classes];
        check_width(planning, "hidden", &[sizes[0], sizes[1], sizes[1], sizes[2]])?;
        let what = format!("what happens in {} time steps", spec.time_steps);
        planning.check_memory("time_steps", &what, history(spec.time_steps, spec.hidden).into())?;
        let architecture = RecurrentArchitecture::new(sizes, spec.time_steps, spec.image_steps, units.function)
            .map_err(|error| planning.fault("image_steps", error.to_string()))?;
        let rule = spec.rule.as_deref();
        let condition = Condition { dataset: &data.facts.name, setting: spec.setting.as_deref(), cell: spec.cell };
        let Resolved { coefficients, source, .. } =
            resolve_terms(planning, rule, condition, &spec.coefficients, &Numbers::default(), &BESIDE_TERMS)?;
        let field = if spec.coefficients.is_empty() { "rule" } else { "coefficients" };
        let rule = rule_of(&coefficients, spec.oja_target).map_err(|message| planning.fault(field, message))?;
        let mut course = Course::plan(
            planning,
            &data.facts,
            (spec.seed, spec.samples, spec.evaluate_on),
            (spec.schedule.as_ref(), kept_with(spec.cell, &spec.snapshots)),
        )?;
        course.hidden_norms = Some(expand(planning, "hidden_norms", &spec.hidden_norms, spec.samples)?);
        let recipe = Recurrent {
            canonical: Canonical {
                hidden: spec.hidden,
                time_steps: spec.time_steps,
                image_steps: spec.image_steps,
                units,
                recurrent_init: recurrent.map(|(name, _)| name),
                recurrent_std: recurrent.and_then(|(_, init)| init.std()),
                recurrent: recurrent.map(|(_, init)| init),
                oja_target: spec.oja_target,
                clipped_by: rule.is_clipped().then_some("norm of all gradients together"),
                coefficients,
                course,
            },
            architecture,
            rule,
        };
        let training = Training::new(planning, "hidden", recipe, data)?;
        Ok(Planned::new(training).reading(inputs).looked_up_in(source))
    }
}

/// Bytes of all that errors need on their way back through time: z, h, e and what both terms make of them.
fn history(n_steps: usize, n_hidden: usize) -> u64 {
    (n_steps as u64).saturating_mul(n_hidden.next_multiple_of(16) as u64).saturating_mul(6 * 4)
}

/// The coefficients of both terms, one number each, for the three matrices learn together; and where the gradient is clipped.
fn rule_of(terms: &[(String, CoefficientSpec)], target: OjaTargetSpec) -> Result<RecurrentRule, String> {
    if terms.is_empty() {
        return Err("no plasticity term: the network would not learn; give the rule one, `gradient = 1e-3`".to_owned());
    }
    let mut coefficients = [None; TERMS.len()];
    for (name, coefficient) in terms {
        let Some(index) = TERMS.iter().position(|term| term == name) else {
            return Err(format!("a recurrent network learns by `gradient` and `oja`, not by `{name}`"));
        };
        let CoefficientSpec::Uniform(value) = coefficient else {
            return Err(format!("`{name}` is one number in a recurrent network, not one per layer"));
        };
        coefficients[index] = Some(*value);
    }
    let [gradient, oja, clip] = coefficients;
    let rule = RecurrentRule::new(gradient.unwrap_or(0.0), oja.unwrap_or(0.0), target.target());
    let rule = match clip {
        Some(longest) => rule.and_then(|rule| rule.clipped(longest)),
        None => rule,
    };
    rule.map_err(|error| error.to_string())
}

/// Everything that the result depends on, as it goes into the key.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Canonical {
    hidden: usize,
    time_steps: usize,
    image_steps: usize,
    #[serde(flatten)]
    units: Units,
    /// The name of the distribution of W_h, where it is not that of the other weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    recurrent_init: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recurrent_std: Option<f64>,
    #[serde(skip)]
    recurrent: Option<Initialization>,
    oja_target: OjaTargetSpec,
    /// What clipping measures.
    #[serde(skip_serializing_if = "Option::is_none")]
    clipped_by: Option<&'static str>,
    #[serde(serialize_with = "as_map")]
    coefficients: Vec<(String, CoefficientSpec)>,
    #[serde(flatten)]
    course: Course,
}

/// A network in time, two terms.
#[derive(Clone, Debug, PartialEq)]
struct Recurrent {
    canonical: Canonical,
    architecture: RecurrentArchitecture,
    rule: RecurrentRule,
}

/// W_x, W_h and W_o count as layers 1, 2 and 3 of the unrolled network, in every table.
static OUTPUTS: LazyLock<Vec<Output>> = LazyLock::new(|| {
    let mut outputs = updating_outputs();
    outputs.insert(outputs.len() - 1, Output::kept("hidden_norms", HiddenNormRow::schema()));
    outputs
});

impl Recipe for Recurrent {
    type Learner = RecurrentTrainer;

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
        Blueprint::Recurrent(self.architecture.clone())
    }

    fn outputs(&self) -> &'static [Output] {
        &OUTPUTS
    }

    fn learner(&self) -> Result<RecurrentTrainer, InvalidParameter> {
        let Canonical { units, recurrent, course, .. } = &self.canonical;
        let others = units.initialization;
        let initializations = [others, recurrent.unwrap_or(others), others];
        let network = RecurrentNetwork::initialize_each(&self.architecture, initializations, course.seed);
        Ok(RecurrentTrainer::new(network, self.rule))
    }

    fn describe(&self) -> Described<'_> {
        let Canonical { hidden, time_steps, image_steps, units, oja_target, coefficients, course, .. } =
            &self.canonical;
        let mut options = serde_json::json!({
            "hidden": hidden,
            "time_steps": time_steps,
            "image_steps": image_steps,
            "oja_target": oja_target,
            "beta": units.beta,
            "std": units.std,
            "seed": course.seed,
            "evaluate_on": course.evaluate_on,
            "equation": self.rule.equation(),
        });
        if self.rule.is_clipped() {
            options[CLIP] = coefficient_in_runs(coefficients, CLIP).into();
        }
        if let Some(name) = self.canonical.recurrent_init {
            options["recurrent_init"] = name.into();
            options["recurrent_std"] = self.canonical.recurrent_std.into();
        }
        Described {
            units,
            feedback: "symmetric",
            coefficient: Box::new(|column| coefficient_in_runs(coefficients, column)),
            batches: None,
            options,
        }
    }

    fn look(
        &self,
        context: &dyn Surroundings,
        step: u64,
        network: &RecurrentNetwork,
        (held_out, first): (&Samples, usize),
    ) -> Result<()> {
        let looked_at = self.canonical.course.hidden_norms.as_deref().unwrap_or_default();
        if !looked_at.contains(&step) || !context.wants("hidden_norms") {
            return Ok(());
        }
        let end = held_out.len().min(first + NORM_SAMPLES);
        let row = |(time, norm)| HiddenNormRow {
            run_id: context.run_id(),
            step: step as i64,
            time,
            // Weights can be finite and the states that they lead to not.
            mean_norm: finite(norm),
            n_samples: (end - first) as i32,
        };
        let norms = network.hidden_norms(held_out, first..end);
        let rows: Vec<_> = (1..).zip(norms).map(row).collect();
        context.write("hidden_norms", HiddenNormRow::batch(&rows))
    }

    fn equation(&self) -> Option<Equation> {
        let mut needs = vec![
            "Weight transport: errors travel back through the transposed recurrent and readout weights.",
            "Non-local in time: errors run backwards through all hidden states, which have to be remembered.",
            "No batches and no optimiser state: one sample, one update.",
        ];
        if self.rule.is_clipped() {
            needs.push("Clipping: no synapse learns before the length of the whole gradient is known to all.");
        }
        Some(Equation { plain: self.rule.equation().replace("; ", "\n"), latex: self.rule.latex(), needs, slow: None })
    }

    fn history(&self) -> u64 {
        history(self.canonical.time_steps, self.canonical.hidden)
    }

    fn slowdown(&self) -> f64 {
        // Measured on the networks of the paper.
        32.0
    }

    fn cost(&self) -> f64 {
        let architecture = &self.architecture;
        let (hidden, time) = (architecture.n_hidden() as f64, architecture.n_steps() as f64);
        // Products of W_h and of the sums over time for each training sample, W_h alone for each evaluated image.
        let Course { samples, schedule, .. } = &self.canonical.course;
        let (trained, evaluated) = (*samples as f64 * 5.0, schedule.len() as f64 * 10_000.0);
        hidden * hidden * time * 5e-11 * (trained + evaluated)
    }
}
