//! runs × trajectory × dataset → receptive_fields(run_id, step, unit, norm, selectivity, n_pixels, pixels)
//!
//! What each neuron of the first layer is connected to, as an image, and how much of its response a class explains.

use schemars::JsonSchema;
use serde::Deserialize;

use super::known::at_steps;
use super::measurement::{FORWARD_SLOWDOWN, Measurement, finite, measured};
use super::parameters::{Split, Steps};
use super::rows::{RUN_ID, STEP};
use super::{Known, NetworkFacts};
use crate::error::Result;
use crate::science::model::{Blueprint, Model, Parameter, Place};
use crate::science::samples::Samples;
use crate::spec::node::{Fault, Node};
use crate::tables::{Row, table};
use crate::task::{Facts, Inputs, Kind, KnownValues, Output, Planned, Planning, Reference, Surroundings, Work};

/// `kind = "receptive_fields"`
pub struct ReceptiveFields;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReceptiveFieldsSpec {
    /// The stage that trains the networks.
    #[allow(dead_code)]
    of: String,
    /// The stage that loads other data than the networks were trained on; their own if left out.
    #[serde(default)]
    #[allow(dead_code)]
    data: Option<String>,
    /// Steps of the training; its snapshots if left out.
    #[serde(default)]
    steps: Option<Steps>,
    /// The images that the network is shown: the test set if left out.
    #[serde(default)]
    split: Split,
    /// The first so many images of the split, to which responses are compared; 1,000 if left out.
    #[serde(default)]
    samples: Option<usize>,
}

table! {
    /// What a neuron of the first layer is connected to, and answers to.
    pub struct ReceptiveFieldRow<'a> in "receptive_fields" version 1 key(run_id, step, unit) {
        run_id: Category = RUN_ID,
        step: Int64 = STEP,
        /// neuron of layer 1, from 0
        unit: Int32,
        /// of its incoming weights; null if not finite
        norm: Option<Float64>,
        /// share of the variance of its activation that the image's class explains; null if it has none
        selectivity: Option<Float64>,
        /// pixels of the image
        n_pixels: Int32 in "pixels",
        /// its incoming weights, row-major
        pixels: Float32List,
    }
}

impl Kind for ReceptiveFields {
    fn name(&self) -> &'static str {
        "receptive_fields"
    }

    fn summary(&self) -> &'static str {
        "Shows the incoming weights of the first layer's neurons as images, and how selective they are for a class."
    }

    fn version(&self) -> u32 {
        1
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<ReceptiveFieldsSpec>()
    }

    fn tables(&self) -> Vec<Output> {
        vec![Output::kept("", ReceptiveFieldRow::schema())]
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        measured(parameters)
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: ReceptiveFieldsSpec = planning.parameters.read()?;
        let mut inputs = Inputs::new(planning);
        let measurement = Measurement::plan(planning, &mut inputs, spec.steps.as_ref(), spec.split, spec.samples)?;
        if let Blueprint::Recurrent(_) = measurement.network.blueprint {
            return Err(planning.fault("of", "this stage does not train a feed-forward network"));
        }
        let outputs = [Output::kept("", ReceptiveFieldRow::schema())];
        Ok(Planned::new(ReceptiveFieldsTask { measurement, outputs }).reading(inputs))
    }
}

#[derive(Debug)]
struct ReceptiveFieldsTask {
    measurement: Measurement,
    outputs: [Output; 1],
}

impl Work for ReceptiveFieldsTask {
    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(&self.measurement).expect("plain data")
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn known_values(&self, _: &str) -> KnownValues {
        at_steps(&self.measurement.steps)
    }

    fn facts(&self) -> Facts {
        Known { network: Some(self.measurement.network.clone()), ..Known::default() }.into()
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let Measurement { split, samples, .. } = self.measurement;
        self.measurement.for_each_network(context, |network, step, data, run_id| {
            let (images, first) = data.held_out(split);
            let fields = incoming(network);
            let responses = network.activations_at(images, first..first + samples, &[Place::layer(1)]).swap_remove(0);
            let mut rows: Vec<ReceptiveFieldRow<'_>> = Vec::new();
            for (unit, pixels) in fields.iter().enumerate() {
                let squares: f64 = pixels.iter().map(|&w| f64::from(w).powi(2)).sum();
                let responses: Vec<f64> = responses.column(unit).iter().map(|&y| f64::from(y)).collect();
                rows.push(ReceptiveFieldRow {
                    run_id,
                    step: step as i64,
                    unit: unit as i32,
                    norm: finite(libm::sqrt(squares)),
                    selectivity: selectivity(&responses, images, first).and_then(finite),
                    n_pixels: pixels.len() as i32,
                    pixels,
                });
            }
            context.write("receptive_fields", ReceptiveFieldRow::batch(&rows))
        })
    }

    fn cost(&self) -> f64 {
        self.measurement.cost(1.0)
    }

    fn slowdown(&self) -> f64 {
        FORWARD_SLOWDOWN
    }

    fn memory(&self) -> u64 {
        self.measurement.memory().saturating_add(first_layer(&self.measurement.network))
    }

    fn disk(&self) -> u64 {
        first_layer(&self.measurement.network).saturating_mul(self.measurement.steps.len() as u64)
    }
}

/// Bytes of W_{0,1}.
fn first_layer(network: &NetworkFacts) -> u64 {
    let sizes = network.blueprint.sizes();
    (sizes[0] as u64).saturating_mul(sizes[1] as u64).saturating_mul(4)
}

/// The rows of W_{0,1}.
fn incoming(network: &dyn Model) -> Vec<Vec<f32>> {
    let mut fields = Vec::new();
    network.visit(&mut |Parameter { name, layer, values }| {
        if (name, layer) == ("forward", 1) {
            fields = values.rows().into_iter().map(|row| row.to_vec()).collect();
        }
    });
    fields
}

/// η²: the variance of the classes' means about the mean of all, each counting as often as it occurs, over the variance of all;
/// None where nothing varies. The image of `responses[k]` is number `first` + k.
fn selectivity(responses: &[f64], images: &Samples, first: usize) -> Option<f64> {
    let n = responses.len() as f64;
    let mean = responses.iter().sum::<f64>() / n;
    let mut classes = vec![(0.0, 0.0); images.n_classes()];
    for (k, response) in responses.iter().enumerate() {
        let (sum, count) = &mut classes[images.label(first + k)];
        *sum += response;
        *count += 1.0;
    }
    let between: f64 =
        classes.iter().filter(|(_, count)| *count > 0.0).map(|(sum, count)| count * (sum / count - mean).powi(2)).sum();
    let all: f64 = responses.iter().map(|response| (response - mean).powi(2)).sum();
    (all > 0.0).then(|| between / all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::examples::{assert_close, trained};

    /// The first of two rectified units answers to the first pixel, which tells the classes apart; the second to one that is lit in
    /// half of either; a third to nothing.
    #[test]
    fn a_field_is_a_row_of_weights_and_a_unit_is_as_selective_as_its_classes_differ() {
        let weights: &[&[f32]] = &[&[3.0, 0.0], &[0.0, 0.5], &[0.0, 0.0]];
        let last: &[&[f32]] = &[&[1.0, 0.0, 0.0], &[0.0, 1.0, 0.0]];
        let images: [(&[u8], i32); 4] = [(&[255, 0], 0), (&[255, 255], 0), (&[0, 255], 1), (&[0, 0], 1)];
        let bench = trained(&[2, 3, 2], &[(5, &[("forward", 1, weights), ("forward", 2, last)])], &images, &images);
        let made = bench.run(&ReceptiveFields, "of = 'train'\nsteps = [5]\nsamples = 4").unwrap();
        let rows: Vec<ReceptiveFieldRow<'_>> = made.rows("receptive_fields");
        assert_eq!(
            rows.iter().map(|row| (row.unit, row.pixels)).collect::<Vec<_>>(),
            [(0, weights[0]), (1, weights[1]), (2, weights[2])]
        );
        assert_close(rows.iter().filter_map(|row| row.norm), &[3.0, 0.5, 0.0]);
        assert_close(rows.iter().filter_map(|row| row.selectivity), &[1.0, 0.0]);
        assert_eq!(rows[2].selectivity, None, "a silent unit has none");
    }

    #[test]
    fn half_of_a_response_that_follows_the_class_half_the_time() {
        let images = Samples::new(vec![0; 4], vec![0, 0, 1, 1], 1, 2).unwrap();
        // Means 1 and 3 about 2, and ±1 about each.
        assert_close(selectivity(&[0.0, 2.0, 2.0, 4.0], &images, 0), &[0.5]);
    }
}
