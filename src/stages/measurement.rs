//! What the stages that look at networks while they learn have in common: which networks, with which images.

use std::sync::Arc;

use serde::Serialize;

use super::dataset::{DataSplits, images};
use super::networks::{Source, for_each_network, plan_steps};
use super::parameters::{Split, Steps};
use super::{Known, NetworkFacts};
use crate::error::Result;
use crate::science::model::{Blueprint, Model, Place};
use crate::spec::node::{Fault, Node};
use crate::tables::cells::Int32;
use crate::tables::{Assembly, Column, ColumnType, Row, TableSchema};
use crate::task::{InputId, Inputs, Planning, Reads, Reference, Surroundings};

/// Images that norms, residuals and diagnostics are taken over, unless a pipeline says otherwise.
pub const SAMPLES: usize = 1000;

/// How many times longer passes through a network take with portable kernels.
pub(super) const FORWARD_SLOWDOWN: f64 = 22.0;

/// The layers of a network that has a time.
pub(super) const LAYERS_IN_TIME: &str =
    "0 is the input, 1 the hidden state z_t, 2 its activation h_t, 3 the softmax of the output";

/// The networks and images of a measurement, checked.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// Steps of the training, ascending.
    pub steps: Vec<u64>,
    /// Which images.
    pub split: Split,
    /// The first so many images of the split.
    pub samples: usize,
    /// Times of a network that has a time, where they matter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_steps: Option<Vec<usize>>,
    #[serde(skip)]
    source: Source,
    #[serde(skip)]
    data: InputId,
    /// What is known of the networks.
    #[serde(skip)]
    pub network: Arc<NetworkFacts>,
}

impl Measurement {
    /// # Errors
    /// A step at which the training neither keeps its weights nor pauses, or more images than there are.
    pub fn plan(
        planning: &Planning<'_>,
        inputs: &mut Inputs<'_, '_>,
        steps: Option<&Steps>,
        split: Split,
        samples: Option<usize>,
    ) -> Result<Self, Fault> {
        let network = plan_network(planning, inputs)?;
        let (steps, source) = plan_steps(planning, inputs, &network, steps)?;
        let (data, samples) = match samples {
            // A small imported data set may have fewer than the usual number.
            None => {
                let (data, there) = plan_samples(planning, inputs, split, None)?;
                (data, there.min(SAMPLES))
            }
            Some(samples) => plan_samples(planning, inputs, split, Some(samples))?,
        };
        let measurement = Self { steps, split, samples, time_steps: None, source, data, network };
        let what = format!("looking at this network with {samples} images");
        planning.check_memory("of", &what, measurement.memory().into())?;
        Ok(measurement)
    }

    /// The same, of networks that have a time at these times; at all if `time_steps` is left out.
    ///
    /// # Errors
    /// As [`plan_time_steps`].
    pub fn at_times(mut self, planning: &Planning<'_>, time_steps: Option<&[usize]>) -> Result<Self, Fault> {
        self.time_steps = plan_time_steps(planning, &self.network, time_steps)?;
        Ok(self)
    }

    /// Hands each network to `measure`, with the step, the data and the run's id; a run that diverged has none any more.
    ///
    /// # Errors
    /// The inputs cannot be read, or whatever `measure` returns.
    pub fn for_each_network(
        &self,
        context: &dyn Surroundings,
        mut measure: impl FnMut(&dyn Model, u64, &DataSplits, &str) -> Result<()>,
    ) -> Result<()> {
        let data = images(context, self.data)?;
        for_each_network(context, self.source, (&self.network, &self.steps), |model, step, run_id| {
            measure(model, step, &data, run_id)
        })
    }

    /// A rough number of bytes: the networks as they are read, one put together, and what its layers make of the images,
    /// there and back.
    pub fn memory(&self) -> u64 {
        let units: usize = self.network.blueprint.sizes().iter().sum();
        let (units, times) = (units as u64, self.network.blueprint.n_time_steps().unwrap_or(1) as u64);
        let states = units.saturating_mul(self.samples as u64).saturating_mul(times).saturating_mul(2 * 4);
        states.saturating_add(self.source.bytes).saturating_add(4 * self.network.n_synapses() as u64)
    }

    /// A rough cost in seconds: a forward pass of all images at every step, `passes` times.
    pub fn cost(&self, passes: f64) -> f64 {
        let synapses: usize = self.network.blueprint.sizes().windows(2).map(|pair| pair[0] * pair[1]).sum();
        let passes = passes * self.network.blueprint.n_time_steps().unwrap_or(1) as f64;
        1e-11 * passes * (synapses * self.samples * self.steps.len()) as f64
    }
}

/// What is not finite (a network about to diverge) has no value: null, never NaN.
pub fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// References of a stage that looks at a training: `of`, and `data` where it looks with other images.
pub fn measured(parameters: &Node) -> Result<Vec<Reference>, Fault> {
    let mut references = Vec::from_iter(Reference::optional(parameters, "data", Reads::Task)?);
    references.push(Reference::required(parameters, "of", Reads::Task)?);
    Ok(references)
}

/// How many images of a split are looked at.
///
/// # Errors
/// More than the split has, or none.
pub fn plan_samples(
    planning: &Planning<'_>,
    inputs: &mut Inputs<'_, '_>,
    split: Split,
    samples: Option<usize>,
) -> Result<(InputId, usize), Fault> {
    let (input, dataset) = inputs.read("dataset")?;
    let data = Known::of(&dataset.facts).data.expect("a data set knows its sizes");
    let there = match split {
        Split::Test => data.n_test,
        Split::Tuning => data.n_tuning(),
    };
    match samples {
        None => Ok((input, there)),
        Some(samples) if (1..=there).contains(&samples) => Ok((input, samples)),
        Some(samples) => {
            Err(planning.fault("samples", format!("{samples} images; this split of `{}` has {there}", data.name)))
        }
    }
}

/// Layers that the network has.
///
/// # Errors
/// A layer outside of `lowest` … L, or none at all.
pub fn plan_layers(
    planning: &Planning<'_>,
    network: &NetworkFacts,
    layers: &[usize],
    lowest: usize,
) -> Result<Vec<usize>, Fault> {
    let n_layers = network.n_layers();
    if let Some(layer) = layers.iter().find(|layer| !(lowest..=n_layers).contains(layer)) {
        return Err(planning.fault("layers", format!("layer {layer}; the network has layers {lowest} to {n_layers}")));
    }
    let mut layers = layers.to_vec();
    layers.sort_unstable();
    layers.dedup();
    if layers.is_empty() { Err(planning.fault("layers", "no layers: nothing would be measured")) } else { Ok(layers) }
}

/// The network behind the stage's input.
///
/// # Errors
/// The stage referred to does not train a network.
pub fn plan_network(planning: &Planning<'_>, inputs: &mut Inputs<'_, '_>) -> Result<Arc<NetworkFacts>, Fault> {
    let (_, runs) = inputs.read("runs")?;
    Known::of(&runs.facts).network.ok_or_else(|| planning.fault("of", "this stage does not train a network"))
}

/// The times at which a network is measured: none of a network without time, all of one with if they are left out.
///
/// # Errors
/// Times of a network without time, a time that the network does not reach, or no times at all.
pub fn plan_time_steps(
    planning: &Planning<'_>,
    network: &NetworkFacts,
    time_steps: Option<&[usize]>,
) -> Result<Option<Vec<usize>>, Fault> {
    let fault = |message: String| Err(planning.fault("time_steps", message));
    let Some(last) = network.blueprint.n_time_steps() else {
        return match time_steps {
            None => Ok(None),
            Some(_) => {
                fault("a feed-forward network has no time; only recurrent networks have `time_steps`".to_owned())
            }
        };
    };
    let mut times = time_steps.map_or_else(|| (1..=last).collect(), <[usize]>::to_vec);
    times.sort_unstable();
    times.dedup();
    if times.is_empty() {
        return fault("no time steps: nothing would be measured".to_owned());
    }
    match times.iter().find(|time| !(1..=last).contains(*time)) {
        Some(time) => fault(format!("time step {time}; the network has time steps 1 to {last}")),
        None => Ok(Some(times)),
    }
}

/// Where the layers are to be measured, ascending.
///
/// # Errors
/// A layer that is not there at any of the times.
pub fn plan_places(
    planning: &Planning<'_>,
    network: &NetworkFacts,
    layers: &[usize],
    time_steps: Option<&[usize]>,
) -> Result<Vec<Place>, Fault> {
    let mut all = Vec::new();
    for &layer in layers {
        let places = network.blueprint.places(layer, time_steps.unwrap_or_default());
        if places.is_empty() {
            let message = format!(
                "layer {layer} is there at none of these time steps: the input while it is shown, the output at the last"
            );
            return Err(planning.fault("time_steps", message));
        }
        all.extend(places);
    }
    Ok(all)
}

/// When in the time of the network.
const TIME_STEP: Column = Column::new("time_step", ColumnType::Int32, "", "time step t of the network, 1 ... T");

/// A table with a row for each layer, as it is of a network that has a time: by time step, too, and with its own layers.
pub fn by_time(mut schema: TableSchema, network: &NetworkFacts, layers: &'static str) -> TableSchema {
    if let Blueprint::Recurrent(_) = network.blueprint {
        insert_after_layer(&mut schema, layers);
    }
    schema
}

/// Adds the column `time_step` behind `layer`, to columns and key, and says which layers there are.
pub fn insert_after_layer(schema: &mut TableSchema, layers: &'static str) {
    let column = schema.columns.iter().position(|column| column.name == "layer").expect("measured by layer");
    let key = schema.key.iter().position(|name| name == "layer").expect("measured by layer");
    schema.columns[column].description = layers.into();
    schema.columns.insert(column + 1, TIME_STEP);
    schema.key.insert(key + 1, "time_step".into());
}

/// Writes rows to a table that may have a column `time_step`.
///
/// # Errors
/// They cannot be written.
pub fn write_by_time<'a, R: Row<'a>>(
    context: &dyn Surroundings,
    output: &str,
    rows: &[R],
    time_steps: impl Iterator<Item = Option<usize>>,
) -> Result<()> {
    let schema = context.schema(output)?;
    if schema.column("time_step").is_none() {
        return context.write(output, R::batch(rows));
    }
    let times = time_steps.map(|time| time.expect("a place in time") as i32);
    let batch = Assembly::new(schema.clone()).rows(rows).column::<Int32>("time_step", times).batch();
    context.write(output, batch.map_err(|error| context.internal(error))?)
}
