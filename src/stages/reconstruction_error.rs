//! runs × trajectory × dataset → reconstruction_error(run_id, step, layer, error, signal, relative_error)

use schemars::JsonSchema;
use serde::Deserialize;

use super::Known;
use super::known::at_steps;
use super::measurement::{FORWARD_SLOWDOWN, Measurement, by_time, finite, measured, write_by_time};
use super::parameters::{Split, Steps};
use super::rows::{RUN_ID, STEP};
use crate::error::Result;
use crate::spec::node::{Fault, Node};
use crate::tables::{Row, table};
use crate::task::{Facts, Inputs, Kind, KnownValues, Output, Planned, Planning, Reference, Surroundings, Work};

/// `kind = "reconstruction_error"`
pub struct ReconstructionError;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReconstructionErrorSpec {
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
    /// The first so many images of the split; 1,000 if left out.
    #[serde(default)]
    samples: Option<usize>,
    /// Of a recurrent network: the time steps at which it is measured; all if left out.
    #[serde(default)]
    time_steps: Option<Vec<usize>>,
}

table! {
    /// How much of its input a hidden layer loses.
    pub struct ReconstructionErrorRow<'a> in "reconstruction_error" version 1 key(run_id, step, layer) {
        run_id: Category = RUN_ID,
        step: Int64 = STEP,
        /// hidden layer l, 1 ... L - 1
        layer: Int32,
        /// equation (2): mean over images of |y_{l-1} - W^T f(W y_{l-1})|^2; null if not finite
        error: Option<Float64> in "activation^2",
        /// mean over images of |y_{l-1}|^2
        signal: Option<Float64> in "activation^2",
        /// error / signal; null where the signal is 0
        relative_error: Option<Float64>,
    }
}

impl Kind for ReconstructionError {
    fn name(&self) -> &'static str {
        "reconstruction_error"
    }

    fn summary(&self) -> &'static str {
        "Measures how much of its input each hidden layer loses, equation (2)."
    }

    fn version(&self) -> u32 {
        1
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<ReconstructionErrorSpec>()
    }

    fn tables(&self) -> Vec<Output> {
        vec![Output::kept("", ReconstructionErrorRow::schema())]
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        measured(parameters)
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: ReconstructionErrorSpec = planning.parameters.read()?;
        let mut inputs = Inputs::new(planning);
        let measurement = Measurement::plan(planning, &mut inputs, spec.steps.as_ref(), spec.split, spec.samples)?
            .at_times(planning, spec.time_steps.as_deref())?;
        let schema = by_time(ReconstructionErrorRow::schema(), &measurement.network, LAYERS_IN_TIME);
        Ok(Planned::new(ReconstructionErrorTask { measurement, outputs: [Output::kept("", schema)] }).reading(inputs))
    }
}

/// What is reconstructed in a network that has a time.
const LAYERS_IN_TIME: &str =
    "1: the image from h_t by the transposed W_x; 2: h_t from W_h h_t by the transposed W_h, t < T";

#[derive(Debug)]
struct ReconstructionErrorTask {
    measurement: Measurement,
    outputs: [Output; 1],
}

impl Work for ReconstructionErrorTask {
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
        let Measurement { split, samples, ref time_steps, .. } = self.measurement;
        self.measurement.for_each_network(context, |network, step, data, run_id| {
            let (images, first) = data.held_out(split);
            let residuals =
                network.residuals_at(images, first..first + samples, time_steps.as_deref().unwrap_or_default());
            let rows: Vec<ReconstructionErrorRow<'_>> = residuals
                .iter()
                .map(|residual| ReconstructionErrorRow {
                    run_id,
                    step: step as i64,
                    layer: residual.layer as i32,
                    error: finite(residual.error),
                    signal: finite(residual.signal),
                    relative_error: residual.relative_error.and_then(finite),
                })
                .collect();
            let times = residuals.iter().map(|residual| residual.time_step);
            write_by_time(context, "reconstruction_error", &rows, times)
        })
    }

    fn cost(&self) -> f64 {
        self.measurement.cost(3.0)
    }

    fn slowdown(&self) -> f64 {
        FORWARD_SLOWDOWN
    }

    fn memory(&self) -> u64 {
        self.measurement.memory()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::examples::{Matrix, assert_close, trained, trained_in_time};

    #[test]
    fn orthonormal_weights_lose_nothing_half_of_them_half_and_none_all() {
        let output: Matrix<'_> = ("forward", 3, &[&[0.0, 0.0]]);
        let rotation: Matrix<'_> = ("forward", 1, &[&[0.0, 1.0], &[1.0, 0.0]]);
        let half: Matrix<'_> = ("forward", 1, &[&[1.0, 0.0], &[0.0, 0.0]]);
        let nothing: Matrix<'_> = ("forward", 2, &[&[0.0, 0.0], &[0.0, 0.0]]);
        let bench = trained(
            &[2, 2, 2, 1],
            &[(0, &[rotation, nothing, output]), (10, &[half, nothing, output]), (20, &[])],
            &[(&[255, 255], 0), (&[255, 255], 0), (&[0, 0], 0)],
            &[(&[0, 0], 0)],
        );
        let made = bench.run(&ReconstructionError, "of = 'train'\nsamples = 2").unwrap();
        let row = |step, layer, error, signal, relative_error| ReconstructionErrorRow {
            run_id: "a_run",
            step,
            layer,
            error: Some(error),
            signal: Some(signal),
            relative_error: Some(relative_error),
        };
        // |y_0|^2 = 2 for (1, 1), of which the second unit has 1. Layer 2 keeps nothing of what layer 1 is. The output is
        // no hidden layer, the black image is the third.
        let expected =
            [row(0, 1, 0.0, 2.0, 0.0), row(0, 2, 2.0, 2.0, 1.0), row(10, 1, 1.0, 2.0, 0.5), row(10, 2, 1.0, 1.0, 1.0)];
        assert_eq!(made.rows::<ReconstructionErrorRow<'_>>("reconstruction_error"), expected);
    }

    #[test]
    fn without_a_signal_no_share_of_it_is_lost() {
        let weights: &[Matrix<'_>] = &[("forward", 1, &[&[1.0]]), ("forward", 2, &[&[1.0]])];
        let bench = trained(&[1, 1, 1], &[(0, weights)], &[(&[0], 0)], &[(&[0], 0)]);
        let made = bench.run(&ReconstructionError, "of = 'train'").unwrap();
        let rows: Vec<ReconstructionErrorRow<'_>> = made.rows("reconstruction_error");
        assert_eq!((rows[0].error, rows[0].signal, rows[0].relative_error), (Some(0.0), Some(0.0), None));
    }

    #[test]
    fn what_is_not_finite_is_null() {
        // 1e30 squared is beyond single precision.
        let weights: &[Matrix<'_>] = &[("forward", 1, &[&[1e30]]), ("forward", 2, &[&[1.0]])];
        let bench = trained(&[1, 1, 1], &[(0, weights)], &[(&[255], 0)], &[(&[0], 0)]);
        let made = bench.run(&ReconstructionError, "of = 'train'").unwrap();
        let rows: Vec<ReconstructionErrorRow<'_>> = made.rows("reconstruction_error");
        assert_eq!((rows[0].error, rows[0].signal, rows[0].relative_error), (None, Some(1.0), None));
    }

    /// x − W_xᵀ h_t = 1 − 2 · 2, 1 − 2 · 1, 1 − 2 · ½; h_t − W_hᵀ W_h h_t = ¾ h_t, and W_h is not applied to h_3.
    #[test]
    fn a_network_in_time_loses_the_image_and_its_own_past_by_time_step() {
        let bench = trained_in_time(&[(&[255], 0)]);
        let made = bench.run(&ReconstructionError, "of = 'train'").unwrap();
        let rows: Vec<ReconstructionErrorRow> = made.rows("reconstruction_error");
        assert_eq!(rows.iter().map(|row| row.layer).collect::<Vec<_>>(), [1, 1, 1, 2, 2]);
        assert_close(rows.iter().map(|row| row.error.unwrap()), &[9.0, 1.0, 0.0, 2.25, 0.5625]);
        assert_close(rows.iter().map(|row| row.signal.unwrap()), &[1.0, 1.0, 1.0, 4.0, 1.0]);
        let key = &made.tables["reconstruction_error"].schema.key;
        assert_eq!(key, &["run_id", "step", "layer", "time_step"]);
    }
}
