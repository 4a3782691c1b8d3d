//! runs × trajectory × dataset → weight_diagnostics(run_id, step, layer, orthonormality, feedback_angle, error_angle)

use schemars::JsonSchema;
use serde::Deserialize;

use super::known::at_steps;
use super::measurement::{FORWARD_SLOWDOWN, Measurement, finite, measured};
use super::parameters::{Split, Steps};
use super::rows::{RUN_ID, STEP, WEIGHT_LAYER};
use super::{Known, NetworkFacts};
use crate::error::Result;
use crate::spec::node::{Fault, Node};
use crate::tables::{Row, table};
use crate::task::{Facts, Inputs, Kind, KnownValues, Output, Planned, Planning, Reference, Surroundings, Work};

/// `kind = "weight_diagnostics"`
pub struct WeightDiagnostics;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WeightDiagnosticsSpec {
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
    /// The first so many images of the split, whose errors are compared; 1,000 if left out.
    #[serde(default)]
    samples: Option<usize>,
}

table! {
    /// How orthonormal the weights of a layer are, and how far feedback is from backpropagation.
    pub struct WeightDiagnosticsRow<'a> in "weight_diagnostics" version 1 key(run_id, step, layer) {
        run_id: Category = RUN_ID,
        step: Int64 = STEP,
        layer: Int32 = WEIGHT_LAYER,
        /// |W W^T - I|_F: 0 for orthonormal rows; null if not finite
        orthonormality: Option<Float64>,
        /// between feedback weights and the W^T that they stand for, as flat vectors; null if either is 0 or there is no such W
        feedback_angle: Option<Float64> in "degrees",
        /// between errors of the feedback pathway and the gradient's own, mean over images; null if there are none
        error_angle: Option<Float64> in "degrees",
    }
}

impl Kind for WeightDiagnostics {
    fn name(&self) -> &'static str {
        "weight_diagnostics"
    }

    fn summary(&self) -> &'static str {
        "Measures orthonormality of weights, and angles between feedback and backpropagation."
    }

    fn version(&self) -> u32 {
        2
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<WeightDiagnosticsSpec>()
    }

    fn tables(&self) -> Vec<Output> {
        vec![Output::kept("", WeightDiagnosticsRow::schema())]
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        measured(parameters)
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: WeightDiagnosticsSpec = planning.parameters.read()?;
        let mut inputs = Inputs::new(planning);
        let measurement = Measurement::plan(planning, &mut inputs, spec.steps.as_ref(), spec.split, spec.samples)?;
        planning.check_memory("of", "W Wᵀ of its widest layer", products(&measurement.network).into())?;
        let outputs = [Output::kept("", WeightDiagnosticsRow::schema())];
        Ok(Planned::new(WeightDiagnosticsTask { measurement, outputs }).reading(inputs))
    }
}

#[derive(Debug)]
struct WeightDiagnosticsTask {
    measurement: Measurement,
    outputs: [Output; 1],
}

impl Work for WeightDiagnosticsTask {
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
            let found = network.diagnose_weights(images, first..first + samples);
            let rows: Vec<WeightDiagnosticsRow<'_>> = found
                .iter()
                .map(|diagnostics| WeightDiagnosticsRow {
                    run_id,
                    step: step as i64,
                    layer: diagnostics.layer as i32,
                    orthonormality: finite(diagnostics.orthonormality),
                    feedback_angle: diagnostics.feedback_angle.and_then(finite),
                    error_angle: diagnostics.error_angle.and_then(finite),
                })
                .collect();
            context.write("weight_diagnostics", WeightDiagnosticsRow::batch(&rows))
        })
    }

    fn cost(&self) -> f64 {
        self.measurement.cost(4.0)
    }

    fn slowdown(&self) -> f64 {
        FORWARD_SLOWDOWN
    }

    fn memory(&self) -> u64 {
        self.measurement.memory().saturating_add(products(&self.measurement.network))
    }
}

/// Bytes of W Wᵀ of the widest layer, as it is and with what it is compared to.
fn products(network: &NetworkFacts) -> u64 {
    let widest = network.blueprint.sizes()[1..].iter().max().copied().unwrap_or(0) as u64;
    widest.saturating_mul(widest).saturating_mul(2 * 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::examples::{Matrix, assert_close, trained};

    const IDENTITY: &[&[f32]] = &[&[1.0, 0.0], &[0.0, 1.0]];

    /// The rows of layers 1 and 2 with these forward and feedback weights.
    fn diagnosed(matrices: &[Matrix<'_>]) -> [(Option<f64>, Option<f64>, Option<f64>); 2] {
        let images: [(&[u8], i32); 2] = [(&[255, 255], 0), (&[255, 255], 1)];
        let bench = trained(&[2, 2, 2], &[(0, matrices), (10, &[])], &images, &[(&[0, 0], 0)]);
        let made = bench.run(&WeightDiagnostics, "of = 'train'").unwrap();
        let rows: Vec<WeightDiagnosticsRow<'_>> = made.rows("weight_diagnostics");
        let places: Vec<_> = rows.iter().map(|row| (row.run_id, row.step, row.layer)).collect();
        assert_eq!(places, [("a_run", 0, 1), ("a_run", 0, 2)]);
        [&rows[0], &rows[1]].map(|row| (row.orthonormality, row.feedback_angle, row.error_angle))
    }

    #[test]
    fn orthonormal_rows_are_at_0_and_others_as_far_as_their_gram_matrix() {
        // W W^T - I of 2 I is 3 I, its norm 3 sqrt 2. Feedback through W^T itself has no angle.
        let [first, second] = diagnosed(&[("forward", 1, IDENTITY), ("forward", 2, &[&[2.0, 0.0], &[0.0, 2.0]])]);
        assert_eq!(first, (Some(0.0), Some(0.0), Some(0.0)));
        assert_close([second.0.unwrap()], &[3.0 * 2.0_f64.sqrt()]);
    }

    #[test]
    fn feedback_stands_at_the_angle_that_it_was_given() {
        // B_2 = -W_2^T sends errors back turned round; B_1 is orthogonal to W_1^T as a vector.
        let [first, second] = diagnosed(&[
            ("feedback", 1, &[&[0.0, 1.0], &[1.0, 0.0]]),
            ("feedback", 2, &[&[-1.0, 0.0], &[0.0, -1.0]]),
            ("forward", 1, IDENTITY),
            ("forward", 2, IDENTITY),
        ]);
        assert_close([first.1.unwrap(), second.1.unwrap()], &[90.0, 180.0]);
        assert_close([first.2.unwrap(), second.2.unwrap()], &[180.0, 0.0]);
    }

    #[test]
    fn there_is_no_angle_to_nothing() {
        let nothing: &[&[f32]] = &[&[0.0, 0.0], &[0.0, 0.0]];
        let [first, second] = diagnosed(&[
            ("feedback", 1, nothing),
            ("feedback", 2, nothing),
            ("forward", 1, IDENTITY),
            ("forward", 2, IDENTITY),
        ]);
        assert_eq!((first.1, second.1, first.2), (None, None, None));
    }
}
