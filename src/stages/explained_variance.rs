//! activations → explained_variance(run_id, step, layer, component, variance, ratio, cumulative_ratio)

use ndarray::ArrayView2;
use schemars::JsonSchema;
use serde::Deserialize;

use super::activations::ActivationRow;
use super::rows::{LAYER, RUN_ID, STEP};
use crate::error::Result;
use crate::science::decomposition::{DecompositionError, TOLERANCE, explained_variance};
use crate::spec::node::{Fault, Node};
use crate::tables::{Row, table};
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

table! {
    /// A principal component of the activations of a layer.
    pub struct ExplainedVarianceRow<'a> in "explained_variance" version 1 key(run_id, step, layer, component)
        tolerance(TOLERANCE)
    {
        run_id: Category = RUN_ID,
        step: Int64 = STEP,
        layer: Int32 = LAYER,
        /// principal component, 1 explains most
        component: Int32,
        /// variance along the component (divisor N - 1)
        variance: Float64 in "activation^2",
        /// its share of the total variance; null if that is 0
        ratio: Option<Float64>,
        /// share of the components up to this one
        cumulative_ratio: Option<Float64>,
    }
}

#[cfg(test)]
fn old_schema() -> TableSchema {
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
        Ok(Planned::new(ExplainedVarianceTask { activations, outputs: [Output::kept("", ExplainedVarianceRow::schema())] }).reading(inputs))
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
        let rows: Vec<ActivationRow<'_>> = table.rows().map_err(|error| context.internal(error))?;
        // The table is sorted by step and layer: consecutive rows of one network and layer are one matrix.
        for layer in rows.chunk_by(|a, b| (a.step, a.layer) == (b.step, b.layer)) {
            context.check_interrupted()?;
            write_components(context, layer)?;
        }
        Ok(())
    }

    fn cost(&self) -> f64 {
        0.5
    }
}

/// The principal components of a layer from what it makes of images, one row an image.
fn write_components(context: &dyn Surroundings, images: &[ActivationRow<'_>]) -> Result<()> {
    let &[ActivationRow { run_id, step, layer, n_units, .. }, ..] = images else { return Ok(()) };
    let mut values = Vec::with_capacity(images.len() * n_units as usize);
    for image in images {
        values.extend_from_slice(image.activation);
    }
    // One row an image, one column a unit.
    let view = ArrayView2::from_shape((images.len(), n_units as usize), &values);
    let found = match explained_variance(view.map_err(|error| context.internal(error))?) {
        Ok(found) => found,
        // A network about to diverge: its activations have no variance to explain, and no row says so.
        Err(error @ DecompositionError::NotFinite { .. }) => {
            context.notice(&format!("layer {layer} at step {step}: {error}"));
            return Ok(());
        }
        Err(error) => return Err(context.numerics(error)),
    };
    let rows: Vec<ExplainedVarianceRow<'_>> = found
        .variance
        .iter()
        .enumerate()
        .map(|(index, &variance)| ExplainedVarianceRow {
            run_id,
            step,
            layer,
            component: index as i32 + 1,
            variance,
            ratio: found.ratio[index],
            cumulative_ratio: found.cumulative_ratio[index],
        })
        .collect();
    context.write("explained_variance", ExplainedVarianceRow::batch(&rows))
}
