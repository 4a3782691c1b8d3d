//! Parameters that all trainings share, checked, in the order in which they stand in keys.

use std::sync::Arc;

use serde::Serialize;

use super::rules::picked;
use crate::science::activation::Activation;
use crate::science::initialization::Initialization;
use crate::science::network::Architecture;
use crate::spec::node::Fault;
use crate::stages::parameters::{ActivationSpec, InitSpec, Split, Steps};
use crate::stages::parameters::{activation_name, init_name};
use crate::stages::{DataFacts, Known};
use crate::task::{InputId, Inputs, Planning};

/// Snapshots that are left out.
pub(super) fn nowhere() -> Steps {
    Steps::List(Vec::new())
}

/// The snapshots of a cell that tuning left: only the one that it picked keeps weights, the others are there for what they
/// say of the uncertainty.
pub(super) fn kept_with(cell: usize, snapshots: &Steps) -> &Steps {
    static NOWHERE: Steps = Steps::List(Vec::new());
    if cell == picked() { snapshots } else { &NOWHERE }
}

/// The data set that a training learns from.
#[derive(Clone, Debug)]
pub(super) struct Data {
    pub input: InputId,
    pub facts: Arc<DataFacts>,
}

/// Declares the data set as an input.
pub(super) fn read_data(inputs: &mut Inputs<'_, '_>) -> Result<Data, Fault> {
    let (input, dataset) = inputs.read("dataset")?;
    Ok(Data { input, facts: Known::of(&dataset.facts).data.expect("a data set knows its sizes") })
}

/// σ and the initial weights.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Units {
    /// The name of σ in tables.
    pub activation: &'static str,
    /// Of softplus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta: Option<f32>,
    /// The name of the distribution in tables.
    pub init: &'static str,
    /// Of naive initial weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std: Option<f64>,
    #[serde(skip)]
    pub function: Activation,
    #[serde(skip)]
    pub initialization: Initialization,
}

impl Units {
    /// # Errors
    /// A parameter of either makes no sense.
    pub(super) fn plan(planning: &Planning<'_>, activation: ActivationSpec, init: InitSpec) -> Result<Self, Fault> {
        let function = activation.check().map_err(|message| planning.fault("activation", message))?;
        let initialization = init.check().map_err(|message| planning.fault("init", message))?;
        Ok(Self {
            activation: activation_name(function),
            beta: match function {
                Activation::Softplus { beta } => Some(beta),
                _ => None,
            },
            init: init_name(initialization),
            std: initialization.std(),
            function,
            initialization,
        })
    }
}

/// Which samples are seen, and when one looks at what they have done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Course {
    pub seed: u64,
    /// Training samples, each seen once.
    pub samples: u64,
    /// Steps at which the network is scored and handed on.
    pub schedule: Vec<u64>,
    /// Steps at which its weights are kept.
    pub snapshots: Vec<u64>,
    /// Of a recurrent network: steps at which the norms of its hidden states are measured. This is its place in the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden_norms: Option<Vec<u64>>,
    /// The images on which it is scored.
    pub evaluate_on: Split,
    /// Training samples that the data set has.
    #[serde(skip)]
    pub n_training: usize,
}

impl Course {
    /// # Errors
    /// More samples than there are, or none; a step after the last.
    pub(super) fn plan(
        planning: &Planning<'_>,
        data: &DataFacts,
        (seed, samples, evaluate_on): (u64, u64, Split),
        (schedule, snapshots): (Option<&Steps>, &Steps),
    ) -> Result<Self, Fault> {
        let n_training = data.n_train - data.n_tuning();
        if samples == 0 || samples > n_training as u64 {
            let message = format!(
                "{samples} training samples; `{}` has {n_training} (its last {} are the tuning split), each is seen once",
                data.name,
                data.n_tuning()
            );
            return Err(planning.fault("samples", message));
        }
        let steps = |field: &str, steps: &Steps| expand(planning, field, steps, samples);
        let schedule = match schedule {
            Some(schedule) => steps("schedule", schedule)?,
            // Before the first sample and after the last.
            None => vec![0, samples],
        };
        let snapshots = steps("snapshots", snapshots)?;
        Ok(Self { seed, samples, schedule, snapshots, hidden_norms: None, evaluate_on, n_training })
    }

    /// The steps at which training pauses, ascending: those at which something is looked at, and the last sample.
    pub(super) fn stops(&self) -> Vec<u64> {
        let mut stops =
            [&self.schedule[..], &self.snapshots, self.hidden_norms.as_deref().unwrap_or_default()].concat();
        stops.push(self.samples);
        stops.sort_unstable();
        stops.dedup();
        stops
    }

    /// A rough cost in seconds of a chain: so much for a synapse and a training sample, an eighth for an evaluated image. Both
    /// take `times` as long where activations settle.
    pub(super) fn cost(&self, n_synapses: usize, a_synapse: f64, times: [f64; 2]) -> f64 {
        let evaluated = self.schedule.len() as f64 * 10_000.0 / 8.0;
        n_synapses as f64 * a_synapse * (self.samples as f64 * times[0] + evaluated * times[1])
    }
}

/// Steps of a training of so many samples.
///
/// # Errors
/// A step after the last, at the parameter `field`.
pub(super) fn expand(planning: &Planning<'_>, field: &str, steps: &Steps, samples: u64) -> Result<Vec<u64>, Fault> {
    steps.expand(samples).map_err(|message| planning.fault(field, message))
}

/// That a chain of these layers is no larger than the machine, and its size a number at all.
///
/// # Errors
/// At the parameter `field`.
pub(in crate::stages) fn check_width(planning: &Planning<'_>, field: &str, layers: &[usize]) -> Result<(), Fault> {
    let synapses = layers.windows(2).map(|pair| pair[0] as u128 * pair[1] as u128).fold(0, u128::saturating_add);
    planning.check_memory(field, &format!("a network of {synapses} weights"), synapses.saturating_mul(4 * 4))
}

/// A chain of layers that fits the data.
///
/// # Errors
/// Its widths do not, or a parameter of its units makes no sense.
pub(super) fn chain(
    planning: &Planning<'_>,
    layers: &[usize],
    (activation, init): (ActivationSpec, InitSpec),
    data: &DataFacts,
) -> Result<(Units, Architecture), Fault> {
    check_layers(planning, layers, data)?;
    let units = Units::plan(planning, activation, init)?;
    let architecture = Architecture::new(layers.to_vec(), units.function);
    Ok((units, architecture.map_err(|error| planning.fault("layers", error.to_string()))?))
}

/// Widths that fit the data: pixels in, classes out.
fn check_layers(planning: &Planning<'_>, layers: &[usize], data: &DataFacts) -> Result<(), Fault> {
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
    check_width(planning, "layers", layers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::node::Node;

    /// What planning says with a data set of 125 images, the last 25 of which are for tuning.
    fn fault<T>(check: impl Fn(&Planning<'_>, &DataFacts) -> Result<T, Fault>) -> Option<String> {
        let parameters = Node::parse("test", "").unwrap();
        let planning = Planning {
            stage: "train",
            parameters: &parameters,
            resources: &(),
            definitions: &crate::spec::Definitions::default(),
            matrix: &crate::task::KnownValues::new(),
            available: &[],
            tables: &[],
            memory: 1_000_000_000,
        };
        let data = DataFacts { name: "d".to_owned(), n_train: 125, n_test: 60, n_classes: 10, n_pixels: 784 };
        check(&planning, &data).err().map(|fault| fault.message)
    }

    #[test]
    fn a_training_sees_at_least_one_sample_and_none_of_those_for_tuning() {
        let course = |samples: u64| {
            fault(|planning, data| Course::plan(planning, data, (0, samples, Split::Test), (None, &nowhere())))
        };
        assert_eq!(course(1), None);
        assert_eq!(course(100), None, "all that there are");
        assert!(course(101).unwrap().starts_with("101 training samples; `d` has 100"));
        assert!(course(0).unwrap().starts_with("0 training samples"));
    }

    #[test]
    fn a_chain_begins_with_the_image_and_ends_with_a_unit_for_each_class() {
        let layers = |layers: &[usize]| fault(|planning, data| check_layers(planning, layers, data));
        assert_eq!(layers(&[784, 10]), None);
        assert_eq!(layers(&[784, 12, 11]), None, "more units than classes");
        assert!(layers(&[784, 9]).unwrap().contains("a unit for each of the 10 classes"));
        assert!(layers(&[783, 10]).unwrap().contains("the first layer is the image"));
        assert!(layers(&[784, 0, 10]).unwrap().contains("layer 1 has no units"));
        assert!(layers(&[784]).unwrap().contains("at least two layers"));
    }
}
