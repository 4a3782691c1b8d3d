//! Rows of `runs` and `weights` → networks: what every measurement of a trained network begins with.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use ndarray::ArrayView2;
use serde::Deserialize;

use super::NetworkFacts;
use super::parameters::Steps;
use super::rows::{RunRow, WeightRow};
use crate::error::Result;
use crate::science::activation::Activation;
use crate::science::network::{Architecture, Network};
use crate::spec::node::Fault;
use crate::tables::{Row, Table};
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
    /// The run.
    pub run_id: String,
    architecture: Architecture,
    /// Rows of `weights` by step.
    steps: BTreeMap<u64, Vec<RecordBatch>>,
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
        let (runs, weights) = (context.table(source.runs)?, context.table(source.weights)?);
        Self::from_tables(&runs, &weights).map_err(|message| context.internal(message))
    }

    fn from_tables(runs: &Table, weights: &Table) -> Result<Self, String> {
        let runs: Vec<RunRow<'_>> = runs.rows().map_err(|error| error.to_string())?;
        let run = runs.first().ok_or("`runs` has no row")?;
        let sizes: Vec<usize> = serde_json::from_str(run.layer_sizes).map_err(|error| error.to_string())?;
        let options: Options = serde_json::from_str(run.options).map_err(|error| error.to_string())?;
        let activation = match run.activation {
            "softplus" => Activation::Softplus { beta: options.beta.ok_or("a softplus network without beta")? },
            "tanh" => Activation::Tanh,
            "relu" => Activation::Relu,
            "sigmoid" => Activation::Sigmoid,
            other => return Err(format!("unknown activation `{other}`")),
        };
        let architecture = Architecture::new(sizes, activation).map_err(|error| error.to_string())?;
        let mut steps: BTreeMap<u64, Vec<RecordBatch>> = BTreeMap::new();
        for batch in &weights.batches {
            let rows = WeightRow::read(batch).map_err(|error| error.to_string())?;
            let mut start = 0;
            for of_step in rows.chunk_by(|a, b| a.step == b.step) {
                steps.entry(of_step[0].step as u64).or_default().push(batch.slice(start, of_step.len()));
                start += of_step.len();
            }
        }
        Ok(Self { run_id: run.run_id.to_owned(), architecture, steps })
    }

    /// The network after `step` samples; none if the run diverged before.
    ///
    /// # Errors
    /// The matrices of that step are incomplete.
    pub fn at(&self, step: u64) -> Result<Option<Network>, String> {
        let Some(batches) = self.steps.get(&step) else { return Ok(None) };
        let mut rows: Vec<WeightRow<'_>> = Vec::new();
        for batch in batches {
            rows.extend(WeightRow::read(batch).map_err(|error| error.to_string())?);
        }
        rows.sort_by_key(|row| row.layer);
        let of = |matrix: &'static str| rows.iter().filter(move |row| row.matrix == matrix);
        let matrices = |matrix: &'static str| -> Result<Vec<ArrayView2<'_, f32>>, String> {
            of(matrix)
                .map(|row| {
                    ArrayView2::from_shape((row.n_out as usize, row.n_in as usize), row.weights)
                        .map_err(|error| error.to_string())
                })
                .collect()
        };
        let (forward, feedback) = (matrices("forward")?, matrices("feedback")?);
        let feedback = (!feedback.is_empty()).then_some(&feedback[..]);
        let network = Network::from_weights(&self.architecture, &forward, feedback);
        let pairs: Vec<_> = of("scale")
            .zip(of("shift"))
            .map(|(scale, shift)| (scale.weights.to_vec(), shift.weights.to_vec()))
            .collect();
        let network = network
            .and_then(|network| if pairs.is_empty() { Ok(network) } else { network.with_scales_and_shifts(&pairs) });
        network.map(Some).map_err(|error| error.to_string())
    }
}
