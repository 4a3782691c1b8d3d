//! Rows of `runs` and `weights` → networks: what every measurement of a trained network begins with.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use ndarray::{Array2, ArrayView2};
use serde::Deserialize;

use super::NetworkFacts;
use super::parameters::Steps;
use crate::error::Result;
use crate::science::activation::Activation;
use crate::science::network::{Architecture, Network};
use crate::spec::node::Fault;
use crate::tables::frame::{Cell, Frame};
use crate::tables::vectors::float32_row;
use crate::task::{InputId, Inputs, Planning, Surroundings};

/// Where a measurement finds its networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    runs: InputId,
    /// Snapshots that training keeps, or steps of its schedule that it hands on in memory.
    weights: InputId,
}

/// The steps that a measurement asks for, and where it finds them. Without `steps` it takes the kept snapshots.
///
/// # Errors
/// A step at which training neither keeps the weights nor pauses.
pub fn plan_steps(
    planning: &Planning<'_>,
    inputs: &mut Inputs<'_, '_>,
    network: &NetworkFacts,
    steps: Option<&Steps>,
) -> Result<(Vec<u64>, Source), Fault> {
    let last = network.schedule.last().max(network.snapshots.last()).copied().unwrap_or(0);
    let steps = match steps {
        None if network.snapshots.is_empty() => {
            return Err(planning.fault(
                "of",
                "the training keeps no weights; give it `snapshots`, or give `steps` of its schedule here",
            ));
        }
        None => network.snapshots.clone(),
        Some(steps) => steps.expand(last).map_err(|message| planning.fault("steps", message))?,
    };
    if steps.is_empty() {
        return Err(planning.fault("steps", "no steps: nothing would be measured"));
    }
    let role = if steps.iter().all(|step| network.snapshots.contains(step)) {
        "weights"
    } else if let Some(step) = steps.iter().find(|step| !network.schedule.contains(step)) {
        let message = format!(
            "step {step}: the training neither keeps its weights there (`snapshots = {:?}`) nor pauses (`schedule`: {})",
            network.snapshots,
            abbreviate(&network.schedule)
        );
        return Err(planning.fault("steps", message));
    } else {
        "trajectory"
    };
    let (runs, _) = inputs.read("runs")?;
    let (weights, _) = inputs.read(role)?;
    Ok((steps, Source { runs, weights }))
}

fn abbreviate(steps: &[u64]) -> String {
    let text = |steps: &[u64]| steps.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    if steps.len() <= 8 {
        return text(steps);
    }
    format!("{}, …, {}", text(&steps[..4]), steps[steps.len() - 1])
}

/// The networks of one run, by step.
#[derive(Debug)]
pub struct Networks {
    pub run_id: String,
    architecture: Architecture,
    weights: RecordBatch,
    /// Rows of `weights` by step.
    rows: BTreeMap<u64, Vec<Row>>,
}

#[derive(Debug)]
struct Row {
    index: usize,
    matrix: String,
    layer: usize,
    shape: (usize, usize),
}

#[derive(Deserialize)]
struct Options {
    beta: Option<f32>,
}

impl Networks {
    /// Reads the inputs `runs` and `weights` (or `trajectory`) of a task.
    ///
    /// # Errors
    /// They cannot be read, or do not describe networks.
    pub fn read(context: &dyn Surroundings, source: Source) -> Result<Self> {
        let runs = context.batch(source.runs)?;
        let weights = context.batch(source.weights)?;
        Self::from_tables(runs, weights).map_err(|message| context.internal(message))
    }

    fn from_tables(runs: RecordBatch, weights: RecordBatch) -> Result<Self, String> {
        let runs = Frame::new(runs);
        let text = |name: &str| -> Result<String, String> {
            let column = runs.strings(name).ok_or_else(|| format!("`runs` has no column `{name}`"))?;
            column.into_iter().next().flatten().ok_or_else(|| format!("`runs` has no row with `{name}`"))
        };
        let sizes: Vec<usize> = serde_json::from_str(&text("layer_sizes")?).map_err(|error| error.to_string())?;
        let options: Options = serde_json::from_str(&text("options")?).map_err(|error| error.to_string())?;
        let activation = match text("activation")?.as_str() {
            "softplus" => Activation::Softplus { beta: options.beta.ok_or("a softplus network without beta")? },
            "tanh" => Activation::Tanh,
            "relu" => Activation::Relu,
            "sigmoid" => Activation::Sigmoid,
            other => return Err(format!("unknown activation `{other}`")),
        };
        let architecture = Architecture::new(sizes, activation).map_err(|error| error.to_string())?;
        let frame = Frame::new(weights.clone());
        let integers = |name: &str| -> Result<Vec<i64>, String> {
            let cells = frame.cells(name).ok_or_else(|| format!("`weights` has no column `{name}`"))?;
            Ok(cells.into_iter().map(|cell| if let Cell::Integer(value) = cell { value } else { 0 }).collect())
        };
        let matrices = frame.strings("matrix").ok_or("`weights` has no column `matrix`")?;
        let (steps, layers, n_out, n_in) =
            (integers("step")?, integers("layer")?, integers("n_out")?, integers("n_in")?);
        let mut rows: BTreeMap<u64, Vec<Row>> = BTreeMap::new();
        for index in 0..weights.num_rows() {
            rows.entry(steps[index] as u64).or_default().push(Row {
                index,
                matrix: matrices[index].clone().unwrap_or_default(),
                layer: layers[index] as usize,
                shape: (n_out[index] as usize, n_in[index] as usize),
            });
        }
        Ok(Self { run_id: text("run_id")?, architecture, weights, rows })
    }

    /// The network after `step` samples; none if the run diverged before.
    ///
    /// # Errors
    /// The matrices of that step are incomplete.
    pub fn at(&self, step: u64) -> Result<Option<Network>, String> {
        let Some(rows) = self.rows.get(&step) else { return Ok(None) };
        let column = self.weights.column_by_name("weights").ok_or("`weights` has no column `weights`")?;
        let matrices = |kind: &str| -> Result<Vec<Array2<f32>>, String> {
            let mut rows: Vec<&Row> = rows.iter().filter(|row| row.matrix == kind).collect();
            rows.sort_by_key(|row| row.layer);
            rows.iter()
                .map(|row| {
                    Array2::from_shape_vec(row.shape, float32_row(column, row.index)).map_err(|error| error.to_string())
                })
                .collect()
        };
        let (forward, feedback) = (matrices("forward")?, matrices("feedback")?);
        let (scales, shifts) = (matrices("scale")?, matrices("shift")?);
        let forward: Vec<ArrayView2<'_, f32>> = forward.iter().map(|matrix| matrix.view()).collect();
        let feedback: Vec<ArrayView2<'_, f32>> = feedback.iter().map(|matrix| matrix.view()).collect();
        let feedback = (!feedback.is_empty()).then_some(&feedback[..]);
        let network = Network::from_weights(&self.architecture, &forward, feedback);
        let vector = |matrix: Array2<f32>| matrix.into_raw_vec_and_offset().0;
        let pairs: Vec<_> =
            scales.into_iter().zip(shifts).map(|(scale, shift)| (vector(scale), vector(shift))).collect();
        let network = network
            .and_then(|network| if pairs.is_empty() { Ok(network) } else { network.with_scales_and_shifts(&pairs) });
        network.map(Some).map_err(|error| error.to_string())
    }
}
