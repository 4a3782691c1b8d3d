//! What would happen to each task: the same prediction for `plan`, `--dry-run` and the run itself.

use rayon::prelude::*;

use super::Plan;
use crate::error::Result;
use crate::store::Store;

/// What happens to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Its result is in the store.
    Cached,
    /// It runs, and its result is stored.
    Run,
    /// It runs only to hand something on in memory; nothing new is stored.
    Replay,
    /// Nobody needs it.
    Idle,
}

/// The disposition of every task of a plan.
#[derive(Clone, Debug)]
pub struct Statuses {
    /// Of each task, in the order of the plan.
    pub of: Vec<Disposition>,
    /// Tasks that run although their result is there.
    pub forced: Vec<bool>,
}

impl Statuses {
    /// Looks every key up. `force` names the stages whose results are made anew although they are there; an empty name
    /// means all stages.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn predict(plan: &Plan, store: &dyn Store, force: Option<&str>) -> Result<Self> {
        let stages = plan.pipelines.iter().flat_map(|pipeline| &pipeline.stages);
        Self::predict_for(plan, stages.flat_map(|stage| stage.grid.tasks.iter().copied()), store, force)
    }

    /// As [`Statuses::predict`], when nothing but these tasks and what they read is wanted.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn predict_for(
        plan: &Plan,
        wanted: impl IntoIterator<Item = usize>,
        store: &dyn Store,
        force: Option<&str>,
    ) -> Result<Self> {
        let n_tasks = plan.tasks.len();
        let (mut needed, mut passing) = (vec![false; n_tasks], vec![false; n_tasks]);
        wanted.into_iter().for_each(|task| needed[task] = true);
        let mut of = vec![Disposition::Idle; n_tasks];
        let is_forced = |task: &super::Task| force.is_some_and(|stage| stage.is_empty() || *stage == *task.stage);
        let forced: Vec<bool> = plan.tasks.iter().map(is_forced).collect();
        // What is wanted anyway is looked up side by side: a file server takes its time for each answer.
        let looked_up: Vec<Option<bool>> = (plan.tasks.par_iter().enumerate())
            .map(|(index, task)| {
                let is_looked_up = needed[index] && task.leaves_a_result() && !forced[index];
                is_looked_up.then(|| store.find(&task.key).map(|found| found.is_some())).transpose()
            })
            .collect::<Result<_>>()?;
        // Readers come after what they read, so going backwards every need is known before its task is looked at.
        for index in (0..n_tasks).rev() {
            let task = &plan.tasks[index];
            let wanted = needed[index] && task.leaves_a_result();
            let cached = (wanted || passing[index])
                && !forced[index]
                && task.leaves_a_result()
                && looked_up[index].map_or_else(|| store.find(&task.key).map(|found| found.is_some()), Ok)?;
            of[index] = match (wanted && !cached, passing[index], wanted && cached) {
                (true, _, _) => Disposition::Run,
                (false, true, _) => Disposition::Replay,
                (false, false, true) => Disposition::Cached,
                (false, false, false) => Disposition::Idle,
            };
            if matches!(of[index], Disposition::Run | Disposition::Replay) {
                for input in &task.inputs {
                    if input.passing { passing[input.task] = true } else { needed[input.task] = true }
                }
                for &part in task.gathered.iter().flat_map(|gathered| gathered.parts.tasks()) {
                    needed[part] = true;
                }
            }
        }
        Ok(Self { of, forced })
    }

    /// How many tasks have this disposition.
    pub fn count(&self, disposition: Disposition) -> usize {
        self.of.iter().filter(|&&other| other == disposition).count()
    }

    /// Whether a task is run, for its result or only to hand something on.
    pub fn runs(&self, task: usize) -> bool {
        matches!(self.of[task], Disposition::Run | Disposition::Replay)
    }
}
