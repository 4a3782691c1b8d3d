//! runs × trajectory × dataset → reconstruction_error(run_id, step, layer, error, signal, relative_error)

use schemars::JsonSchema;
use serde::Deserialize;

use super::Known;
use super::activations::measured;
use super::measurement::{Measurement, finite};
use super::parameters::{Split, Steps};
use super::rows::{RUN_ID, STEP};
use crate::error::Result;
use crate::spec::node::{Fault, Node};
use crate::tables::{Row, table};
use crate::task::{Facts, Inputs, Kind, Output, Planned, Planning, Reference, Surroundings, Work};

/// `kind = "reconstruction_error"`
pub struct ReconstructionError;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReconstructionErrorSpec {
    /// The stage that trains the networks.
    #[allow(dead_code)]
    of: String,
    /// Other data than the networks were trained on.
    #[serde(default)]
    #[allow(dead_code)]
    data: Option<String>,
    /// Steps of the training; its snapshots if left out.
    #[serde(default)]
    steps: Option<Steps>,
    #[serde(default)]
    split: Split,
    /// The first so many images of the split; 1,000 if left out.
    #[serde(default)]
    samples: Option<usize>,
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

#[cfg(test)]
fn old_schema() -> TableSchema {
    let mut columns = Vec::from(run_and_step());
    columns.extend([
        Column::new("layer", ColumnType::Int32, "", "hidden layer l, 1 ... L - 1"),
        Column::new(
            "error",
            ColumnType::Float64,
            "activation^2",
            "equation (2): mean over images of |y_{l-1} - W^T f(W y_{l-1})|^2; null if not finite",
        )
        .nullable(),
        Column::new("signal", ColumnType::Float64, "activation^2", "mean over images of |y_{l-1}|^2").nullable(),
        Column::new("relative_error", ColumnType::Float64, "", "error / signal; null where the signal is 0").nullable(),
    ]);
    TableSchema::new("reconstruction_error", 1, columns, &["run_id", "step", "layer"])
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

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        measured(parameters)
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: ReconstructionErrorSpec = planning.parameters.read()?;
        let mut inputs = Inputs::new(planning);
        let measurement = Measurement::plan(planning, &mut inputs, spec.steps.as_ref(), spec.split, spec.samples)?;
        Ok(Planned::new(ReconstructionErrorTask { measurement, outputs: [Output::kept("", ReconstructionErrorRow::schema())] }).reading(inputs))
    }
}

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

    fn facts(&self) -> Facts {
        Known { network: Some(self.measurement.network.clone()), ..Known::default() }.into()
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let Measurement { split, samples, .. } = self.measurement;
        self.measurement.for_each_network(context, |network, step, data, run_id| {
            let (images, first) = data.held_out(split);
            let residuals = network.residuals(images, first..first + samples);
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
            context.write("reconstruction_error", ReconstructionErrorRow::batch(&rows))
        })
    }

    fn cost(&self) -> f64 {
        self.measurement.cost(3.0)
    }
}
