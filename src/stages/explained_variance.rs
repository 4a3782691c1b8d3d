//! activations → explained_variance(run_id, step, layer, component, variance, ratio, cumulative_ratio)

use ndarray::ArrayView2;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Known;
use super::activations::ActivationRow;
use super::known::at_steps_and_layers;
use super::measurement::{LAYERS_IN_TIME, insert_after_layer, write_by_time};
use super::rows::{LAYER, RUN_ID, STEP};
use crate::error::Result;
use crate::science::decomposition::{DecompositionError, TOLERANCE, explained_variance};
use crate::spec::node::{Fault, Node};
use crate::tables::cells::Int32;
use crate::tables::row::values;
use crate::tables::{Row, table};
use crate::task::{
    InputId, Inputs, Kind, KnownValues, Output, Planned, Planning, Reads, Reference, Surroundings, Work,
};

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
        let (activations, there) = inputs.read("activations")?;
        let mut schema = ExplainedVarianceRow::schema();
        let looked_at = Known::of(&there.facts);
        if let Some(samples) = looked_at.samples.filter(|&samples| samples < 2) {
            let message = format!("a covariance needs at least 2 images, and `{}` has {samples}", there.stage);
            return Err(planning
                .fault("of", message)
                .help(format!("Give stage `{}` a larger number of `samples`.", there.stage)));
        }
        let widest = widest(&looked_at).unwrap_or(0) as u64;
        let images = looked_at.samples.unwrap_or(0) as u64;
        // Doubles: the covariance, what is decomposed, the components; what the layer makes of the images, twice.
        let memory = (3 * 8 * widest).saturating_add(2 * 8 * images).saturating_mul(widest);
        planning.check_memory("of", &format!("the covariance of {widest} units"), memory.into())?;
        let values = match (&looked_at.steps, &looked_at.layers) {
            (Some(steps), Some(layers)) => at_steps_and_layers(steps, layers),
            _ => KnownValues::new(),
        };
        let has_time = there.output.schema.column(TIME).is_some();
        if has_time {
            insert_after_layer(&mut schema, LAYERS_IN_TIME);
        }
        let outputs = [Output::kept("", schema)];
        Ok(Planned::new(ExplainedVarianceTask { activations, has_time, memory, values, outputs }).reading(inputs))
    }
}

/// The column of activations that says when, of networks that have a time.
const TIME: &str = "time_step";

#[derive(Debug)]
struct ExplainedVarianceTask {
    activations: InputId,
    has_time: bool,
    memory: u64,
    /// Of what it reads.
    values: KnownValues,
    outputs: [Output; 1],
}

impl Work for ExplainedVarianceTask {
    fn parameters(&self) -> serde_json::Value {
        serde_json::json!({})
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn known_values(&self, _: &str) -> KnownValues {
        self.values.clone()
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let table = context.table(self.activations)?;
        let rows: Vec<ActivationRow<'_>> = table.rows().map_err(|error| context.internal(error))?;
        let mut times: Vec<i32> = Vec::new();
        for batch in table.batches.iter().filter(|_| self.has_time) {
            times.extend(values::<Int32>(batch, "activations", TIME).map_err(|error| context.internal(error))?);
        }
        let places: Vec<_> = (0..rows.len()).map(|row| (rows[row].step, rows[row].layer, times.get(row))).collect();
        // The table is sorted by step, layer and time: consecutive rows of one place are one matrix.
        let mut first = 0;
        for place in places.chunk_by(|a, b| a == b) {
            context.check_interrupted()?;
            let time = place[0].2.map(|&time| time as usize);
            write_components(context, &rows[first..first + place.len()], time)?;
            first += place.len();
        }
        Ok(())
    }

    fn cost(&self) -> f64 {
        0.5
    }

    fn memory(&self) -> u64 {
        self.memory
    }
}

/// Units of the widest layer that was looked at.
fn widest(looked_at: &Known) -> Option<usize> {
    let (network, layers) = looked_at.network.as_ref().zip(looked_at.layers.as_ref())?;
    let sizes = network.blueprint.sizes();
    layers.iter().filter_map(|&layer| sizes.get(layer)).max().copied()
}

/// The principal components of a layer from what it makes of images, one row an image.
fn write_components(context: &dyn Surroundings, images: &[ActivationRow<'_>], time: Option<usize>) -> Result<()> {
    let &[ActivationRow { run_id, step, layer, n_units, .. }, ..] = images else { return Ok(()) };
    let mut values = Vec::with_capacity(images.len() * n_units as usize);
    for image in images {
        values.extend_from_slice(image.activation);
    }
    // One row per image, one column per unit.
    let view = ArrayView2::from_shape((images.len(), n_units as usize), &values);
    let found = match explained_variance(view.map_err(|error| context.internal(error))?) {
        Ok(found) => found,
        // A network about to diverge: its activations have no variance to explain, and no row says so.
        Err(error @ DecompositionError::NotFinite { .. }) => {
            let when = time.map_or(String::new(), |time| format!(", time step {time}"));
            context.notice(&format!("layer {layer} at step {step}{when}: {error}"));
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
    write_by_time(context, "explained_variance", &rows, rows.iter().map(|_| time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::stages::Known;
    use crate::stages::examples::assert_close;
    use crate::tables::Table;
    use crate::task::bench::{Bench, Made};

    /// Recorded activations, a batch for each of `parts`.
    fn explained(parts: &[&[(i64, i32, &[f32])]]) -> Result<Made> {
        let batches = parts.iter().map(|part| {
            let rows = part.iter().zip(0..).map(|(&(step, layer, activation), sample_index)| ActivationRow {
                run_id: "a_run",
                step,
                layer,
                sample_index,
                n_units: activation.len() as i32,
                activation,
            });
            ActivationRow::batch(&rows.collect::<Vec<_>>())
        });
        let table = Table::new(ActivationRow::schema(), batches.collect());
        Bench::new().made("look", "activations", table, Known::default()).run(&ExplainedVariance, "of = 'look'")
    }

    #[test]
    fn a_cross_has_the_variances_of_its_axes_and_a_matrix_may_lie_in_two_batches() {
        // ±3 along (1, 1)/√2 and ±1 across, N = 4: variances 2·9/3 and 2·1/3. Then a layer of one unit: 0, 2, of variance 2.
        let (long, short) = (3.0 / 2.0_f32.sqrt(), 1.0 / 2.0_f32.sqrt());
        let made = explained(&[
            &[(0, 1, &[long, long]), (0, 1, &[-long, -long]), (0, 1, &[short, -short])],
            &[(0, 1, &[-short, short]), (0, 2, &[0.0]), (0, 2, &[2.0])],
            &[(5, 2, &[0.0]), (5, 2, &[4.0])],
        ]);
        let made = made.unwrap();
        let rows: Vec<ExplainedVarianceRow<'_>> = made.rows("explained_variance");
        let places: Vec<_> = rows.iter().map(|row| (row.run_id, row.step, row.layer, row.component)).collect();
        assert_eq!(places, [("a_run", 0, 1, 1), ("a_run", 0, 1, 2), ("a_run", 0, 2, 1), ("a_run", 5, 2, 1)]);
        assert_close(rows.iter().map(|row| row.variance), &[6.0, 2.0 / 3.0, 2.0, 8.0]);
        assert_close(rows.iter().map(|row| row.ratio.unwrap()), &[0.9, 0.1, 1.0, 1.0]);
        assert_close(rows.iter().map(|row| row.cumulative_ratio.unwrap()), &[0.9, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn what_does_not_vary_has_no_shares_and_what_is_not_finite_no_rows() {
        let made = explained(&[&[(0, 1, &[1.0]), (0, 1, &[1.0]), (0, 2, &[1.0]), (0, 2, &[f32::INFINITY])]]).unwrap();
        let rows: Vec<ExplainedVarianceRow<'_>> = made.rows("explained_variance");
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].variance, rows[0].ratio, rows[0].cumulative_ratio), (0.0, None, None));
        assert_eq!(made.notices.len(), 1);
        assert!(made.notices[0].starts_with("layer 2 at step 0: "), "{:?}", made.notices);
    }

    #[test]
    fn a_single_image_has_no_variance_and_that_is_an_error_of_the_numbers() {
        assert!(matches!(explained(&[&[(0, 1, &[1.0, 2.0])]]), Err(Error::Numerics { .. })));
    }
}
