//! activations → explained_variance(run_id, step, layer, component, variance, ratio, cumulative_ratio)

use std::sync::Arc;

use arrow::array::{Array, AsArray, Float64Array, Int32Array, Int64Array};
use arrow::datatypes::{Int32Type, Int64Type};
use ndarray::ArrayView2;
use schemars::JsonSchema;
use serde::Deserialize;

use super::train::run_and_step;
use crate::error::Result;
use crate::science::decomposition::{DecompositionError, TOLERANCE, explained_variance};
use crate::spec::node::{Fault, Node};
use crate::tables::frame::Frame;
use crate::tables::parquet::categories;
use crate::tables::vectors::float32_values;
use crate::tables::{Column, ColumnType, TableSchema};
use crate::task::{InputId, Inputs, Kind, Output, Planned, Planning, Reads, Reference, Surroundings, Work};

/// `kind = "explained_variance"`
pub struct ExplainedVariance;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ExplainedVarianceSpec {
    /// The stage that records activations.
    #[allow(dead_code)]
    of: String,
}

fn schema() -> TableSchema {
    let mut columns = Vec::from(run_and_step());
    columns.extend([
        Column::new("layer", ColumnType::Int32, "", "layer of the network; 0 is the input"),
        Column::new("component", ColumnType::Int32, "", "principal component, 1 explains most"),
        Column::new("variance", ColumnType::Float64, "activation^2", "variance along the component (divisor N - 1)"),
        Column::new("ratio", ColumnType::Float64, "", "its share of the total variance; null if that is 0").nullable(),
        Column::new("cumulative_ratio", ColumnType::Float64, "", "share of the components up to this one").nullable(),
    ]);
    TableSchema::new("explained_variance", 1, columns, &["run_id", "step", "layer", "component"])
        .with_tolerance(TOLERANCE)
}

impl Kind for ExplainedVariance {
    fn name(&self) -> &'static str {
        "explained_variance"
    }

    fn summary(&self) -> &'static str {
        "Principal component analysis of recorded activations."
    }

    fn version(&self) -> u32 {
        1
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<ExplainedVarianceSpec>()
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        Ok(vec![Reference::required(parameters, "of", Reads::Task)?])
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let _: ExplainedVarianceSpec = planning.parameters.read()?;
        let mut inputs = Inputs::new(planning);
        let (activations, _) = inputs.read("activations")?;
        Ok(Planned::new(ExplainedVarianceTask { activations, outputs: [Output::kept("", schema())] }).reading(inputs))
    }
}

#[derive(Debug)]
struct ExplainedVarianceTask {
    activations: InputId,
    outputs: [Output; 1],
}

impl Work for ExplainedVarianceTask {
    fn parameters(&self) -> serde_json::Value {
        serde_json::json!({})
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let table = context.table(self.activations)?;
        // The table is sorted by step and layer, and a batch never mixes them: consecutive batches are one matrix.
        let mut group: Option<Group> = None;
        for batch in &table.batches {
            context.check_interrupted()?;
            let column =
                |name: &str| batch.column_by_name(name).ok_or_else(|| context.internal(format!("no column `{name}`")));
            let steps = column("step")?.as_primitive::<Int64Type>();
            let layers = column("layer")?.as_primitive::<Int32Type>();
            let widths = column("n_units")?.as_primitive::<Int32Type>();
            let vectors = column("activation")?;
            let run_ids = Frame::new(batch.clone()).strings("run_id").unwrap_or_default();
            let mut row = 0;
            while row < batch.num_rows() {
                let key = (steps.value(row), layers.value(row));
                let end = (row..batch.num_rows()).find(|&next| (steps.value(next), layers.value(next)) != key);
                let end = end.unwrap_or(batch.num_rows());
                if group.as_ref().is_none_or(|group| group.key != key) {
                    if let Some(done) = group.take() {
                        done.write(context)?;
                    }
                    let run_id = run_ids[row].clone().unwrap_or_default();
                    group = Some(Group { run_id, key, n_units: widths.value(row) as usize, values: Vec::new() });
                }
                let part = vectors.slice(row, end - row);
                group.as_mut().expect("just set").values.extend(float32_values(&part));
                row = end;
            }
        }
        match group {
            Some(last) => last.write(context),
            None => Ok(()),
        }
    }

    fn cost(&self) -> f64 {
        0.5
    }
}

/// The activations of one layer at one step.
struct Group {
    run_id: String,
    key: (i64, i32),
    n_units: usize,
    values: Vec<f32>,
}

impl Group {
    fn write(self, context: &dyn Surroundings) -> Result<()> {
        let (step, layer) = self.key;
        let n_samples = self.values.len() / self.n_units.max(1);
        let view =
            ArrayView2::from_shape((n_samples, self.n_units), &self.values).map_err(|error| context.internal(error))?;
        let found = match explained_variance(view) {
            Ok(found) => found,
            // A network about to diverge: its activations have no variance to explain, and no row says so.
            Err(error @ DecompositionError::NotFinite { .. }) => {
                context.notice(&format!("layer {layer} at step {step}: {error}"));
                return Ok(());
            }
            Err(error) => return Err(context.numerics(error)),
        };
        let n = found.variance.len();
        context.write_columns(
            "explained_variance",
            vec![
                categories((0..n).map(|_| Some(self.run_id.as_str()))),
                Arc::new(Int64Array::from(vec![step; n])),
                Arc::new(Int32Array::from(vec![layer; n])),
                Arc::new((1..=n as i32).collect::<Int32Array>()),
                Arc::new(Float64Array::from(found.variance)),
                Arc::new(Float64Array::from(found.ratio)),
                Arc::new(Float64Array::from(found.cumulative_ratio)),
            ],
        )
    }
}
