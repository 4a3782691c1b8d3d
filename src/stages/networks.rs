//! Rows of `weights` → networks: what every measurement of a trained network begins with.
//!
//! What a network is, whatever its weights, is known when a measurement is planned; the table holds the matrices by name.

use ndarray::Array2;

use super::NetworkFacts;
use super::parameters::Steps;
use super::rows::{RunRow, WeightRow};
use crate::error::Result;
use crate::science::model::{Model, NamedMatrix};
use crate::spec::node::Fault;
use crate::task::{InputId, Inputs, Planning, Surroundings};

/// Where a measurement finds its networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    runs: InputId,
    /// Snapshots that training keeps, or steps of its schedule that it hands on in memory.
    weights: InputId,
    /// Bytes of all weights in that table: it is in memory as a whole while it is measured.
    pub bytes: u64,
}

/// The steps that a measurement asks for, and where it finds them. Without `steps` it takes the kept snapshots.
///
/// # Errors
/// A step at which training neither keeps the weights nor pauses, or more weights than there is memory for.
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
    let there = if role == "weights" { network.snapshots.len() } else { network.schedule.len() } as u64;
    let bytes = there.saturating_mul(4 * network.n_synapses() as u64);
    planning.check_memory("of", &format!("this network's weights at {there} steps"), bytes.into())?;
    Ok((steps, Source { runs, weights, bytes }))
}

fn abbreviate(steps: &[u64]) -> String {
    let text = |steps: &[u64]| steps.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    if steps.len() <= 8 {
        return text(steps);
    }
    format!("{}, …, {}", text(&steps[..4]), steps[steps.len() - 1])
}

/// Hands each of the networks to `visit`, with its step and the run's id; a run that diverged has none any more.
///
/// # Errors
/// The inputs cannot be read, do not describe such networks, or whatever `visit` returns.
pub fn for_each_network(
    context: &dyn Surroundings,
    source: Source,
    (network, steps): (&NetworkFacts, &[u64]),
    mut visit: impl FnMut(&dyn Model, u64, &str) -> Result<()>,
) -> Result<()> {
    let (runs, weights) = (context.table(source.runs)?, context.table(source.weights)?);
    let runs: Vec<RunRow<'_>> = runs.rows().map_err(|error| context.internal(error))?;
    let weights: Vec<WeightRow<'_>> = weights.rows().map_err(|error| context.internal(error))?;
    let &[RunRow { run_id, .. }] = runs.as_slice() else {
        return Err(context.internal(format!("`runs` has {} rows, not one", runs.len())));
    };
    for &step in steps {
        context.check_interrupted()?;
        let matrices: Vec<&WeightRow<'_>> = weights.iter().filter(|row| row.step == step as i64).collect();
        if matrices.is_empty() {
            continue;
        }
        let matrices = matrices.into_iter().map(named_matrix).collect::<Result<_, _>>();
        let model = matrices
            .and_then(|matrices| network.blueprint.assemble(matrices).map_err(|error| error.to_string()))
            .map_err(|message| context.internal(message))?;
        visit(&*model, step, run_id)?;
    }
    Ok(())
}

fn named_matrix(row: &WeightRow<'_>) -> Result<NamedMatrix, String> {
    let shape = (row.n_out as usize, row.n_in as usize);
    let values = Array2::from_shape_vec(shape, row.weights.to_vec()).map_err(|error| error.to_string())?;
    Ok(NamedMatrix { name: row.matrix.to_owned(), layer: row.layer as usize, values })
}
