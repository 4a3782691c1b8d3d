//! runs × trajectory × dataset → activation_norms(run_id, step, layer, mean_norm, std_norm, …, participation_ratio)

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Known;
use super::known::at_steps_and_layers;
use super::measurement::{
    FORWARD_SLOWDOWN, LAYERS_IN_TIME, Measurement, by_time, finite, measured, plan_layers, plan_places, write_by_time,
};
use super::parameters::{Split, Steps};
use super::rows::{LAYER, RUN_ID, STEP};
use crate::error::Result;
use crate::science::model::Place;
use crate::spec::node::{Fault, Node};
use crate::tables::{Row, table};
use crate::task::{Facts, Inputs, Kind, KnownValues, Output, Planned, Planning, Reference, Surroundings, Work};

/// `kind = "activation_norms"`
pub struct ActivationNorms;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ActivationNormsSpec {
    /// The stage that trains the networks.
    #[allow(dead_code)]
    of: String,
    /// The stage that loads other data than the networks were trained on; their own if left out.
    #[serde(default)]
    #[allow(dead_code)]
    data: Option<String>,
    /// Layers: 0 is the input, L the softmax of the output. The hidden layers if left out.
    #[serde(default)]
    layers: Option<Vec<usize>>,
    /// Steps of the training; its snapshots if left out.
    #[serde(default)]
    steps: Option<Steps>,
    /// The images that the network is shown: the test set if left out.
    #[serde(default)]
    split: Split,
    /// The first so many images of the split; 1,000 if left out.
    #[serde(default)]
    samples: Option<usize>,
    /// Of a recurrent network: the time steps at which it is measured; all if left out.
    #[serde(default)]
    time_steps: Option<Vec<usize>>,
}

table! {
    /// How large and how varied the activations of a layer are.
    pub struct ActivationNormRow<'a> in "activation_norms" version 1 key(run_id, step, layer) {
        run_id: Category = RUN_ID,
        step: Int64 = STEP,
        layer: Int32 = LAYER,
        /// mean over images of the Euclidean norm of y_l; null if not finite
        mean_norm: Option<Float64> in "activation",
        /// its standard deviation over images (population)
        std_norm: Option<Float64> in "activation",
        /// mean over images and units
        mean_activation: Option<Float64> in "activation",
        /// standard deviation over images and units (population)
        std_activation: Option<Float64> in "activation",
        /// tr(C)^2 / tr(C^2) of the covariance C of y_l; null if nothing varies
        participation_ratio: Option<Float64> in "directions",
        /// images measured
        n_samples: Int32 in "images",
    }
}

impl Kind for ActivationNorms {
    fn name(&self) -> &'static str {
        "activation_norms"
    }

    fn summary(&self) -> &'static str {
        "Measures how large and how varied the activations of trained networks are."
    }

    fn version(&self) -> u32 {
        1
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<ActivationNormsSpec>()
    }

    fn tables(&self) -> Vec<Output> {
        vec![Output::kept("", ActivationNormRow::schema())]
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        measured(parameters)
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: ActivationNormsSpec = planning.parameters.read()?;
        let mut inputs = Inputs::new(planning);
        let measurement = Measurement::plan(planning, &mut inputs, spec.steps.as_ref(), spec.split, spec.samples)?
            .at_times(planning, spec.time_steps.as_deref())?;
        let hidden = || (1..measurement.network.n_layers()).collect();
        let layers = plan_layers(planning, &measurement.network, &spec.layers.unwrap_or_else(hidden), 0)?;
        let places = plan_places(planning, &measurement.network, &layers, measurement.time_steps.as_deref())?;
        let schema = by_time(ActivationNormRow::schema(), &measurement.network, LAYERS_IN_TIME);
        let canonical = Canonical { layers, measurement };
        Ok(Planned::new(ActivationNormsTask { canonical, places, outputs: [Output::kept("", schema)] }).reading(inputs))
    }
}

#[derive(Debug, Serialize)]
struct Canonical {
    layers: Vec<usize>,
    #[serde(flatten)]
    measurement: Measurement,
}

#[derive(Debug)]
struct ActivationNormsTask {
    canonical: Canonical,
    places: Vec<Place>,
    outputs: [Output; 1],
}

impl Work for ActivationNormsTask {
    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(&self.canonical).expect("plain data")
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn known_values(&self, _: &str) -> KnownValues {
        at_steps_and_layers(&self.canonical.measurement.steps, &self.canonical.layers)
    }

    fn facts(&self) -> Facts {
        let Canonical { layers, measurement } = &self.canonical;
        Known { network: Some(measurement.network.clone()), layers: Some(layers.clone()), ..Known::default() }.into()
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let measurement = &self.canonical.measurement;
        measurement.for_each_network(context, |network, step, data, run_id| {
            let (images, first) = data.held_out(measurement.split);
            let found = network.activation_norms_at(images, first..first + measurement.samples, &self.places);
            let rows: Vec<ActivationNormRow<'_>> = found
                .iter()
                .map(|norms| ActivationNormRow {
                    run_id,
                    step: step as i64,
                    layer: norms.layer as i32,
                    mean_norm: finite(norms.mean_norm),
                    std_norm: finite(norms.std_norm),
                    mean_activation: finite(norms.mean_activation),
                    std_activation: finite(norms.std_activation),
                    participation_ratio: norms.participation_ratio.and_then(finite),
                    n_samples: norms.n_samples as i32,
                })
                .collect();
            write_by_time(context, "activation_norms", &rows, found.iter().map(|norms| norms.time_step))
        })
    }

    fn cost(&self) -> f64 {
        self.canonical.measurement.cost(4.0)
    }

    fn slowdown(&self) -> f64 {
        FORWARD_SLOWDOWN
    }

    fn memory(&self) -> u64 {
        self.canonical.measurement.memory()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::examples::{Matrix, assert_close, trained};

    #[test]
    fn norms_are_those_of_a_triangle_and_of_a_line() {
        // y_1 = (3, 4) and (0, 0): norms 5 and 0, all variation along one line. The third image is not asked for.
        let weights: &[Matrix<'_>] =
            &[("forward", 1, &[&[3.0, 0.0], &[0.0, 4.0]]), ("forward", 2, &[&[0.0, 0.0], &[0.0, 0.0]])];
        let images: [(&[u8], i32); 3] = [(&[255, 255], 0), (&[0, 0], 1), (&[255, 0], 1)];
        let bench = trained(&[2, 2, 2], &[(0, weights), (10, &[])], &images, &[(&[0, 0], 0)]);
        let made = bench.run(&ActivationNorms, "of = 'train'\nsamples = 2").unwrap();
        let rows: Vec<ActivationNormRow<'_>> = made.rows("activation_norms");
        let [row] = rows.as_slice() else { panic!("hidden layers, while there is a network: {rows:?}") };
        assert_eq!((row.run_id, row.step, row.layer, row.n_samples), ("a_run", 0, 1, 2));
        let found = [row.mean_norm, row.std_norm, row.mean_activation, row.std_activation, row.participation_ratio];
        // Of 3, 4, 0, 0: the mean is 7/4, the mean square 25/4.
        let std = (25.0 / 4.0 - 49.0 / 16.0_f64).sqrt();
        assert_close(found.map(Option::unwrap), &[2.5, 2.5, 1.75, std, 1.0]);
    }

    #[test]
    fn independent_units_are_two_directions_and_what_does_not_vary_is_none() {
        let weights: &[Matrix<'_>] =
            &[("forward", 1, &[&[1.0, 0.0], &[0.0, 1.0]]), ("forward", 2, &[&[0.0, 0.0], &[0.0, 0.0]])];
        let images: [(&[u8], i32); 4] = [(&[0, 0], 0), (&[255, 0], 0), (&[0, 255], 1), (&[255, 255], 1)];
        let bench = trained(&[2, 2, 2], &[(0, weights)], &images, &[(&[0, 0], 0)]);
        let made = bench.run(&ActivationNorms, "of = 'train'\nlayers = [0, 2]").unwrap();
        let rows: Vec<ActivationNormRow<'_>> = made.rows("activation_norms");
        assert_eq!(rows.iter().map(|row| row.layer).collect::<Vec<_>>(), [0, 2]);
        assert_close([rows[0].participation_ratio.unwrap()], &[2.0]);
        // The softmax of zeros is (1/2, 1/2) whatever the image.
        assert_eq!(rows[1].participation_ratio, None);
        assert_close([rows[1].mean_norm.unwrap()], &[0.5_f64.sqrt()]);
    }
}
