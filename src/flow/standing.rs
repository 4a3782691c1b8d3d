//! How far a pipeline is, from the store alone: on any machine that sees it, whoever is at work.

use std::collections::BTreeSet;

use super::carry_out::purpose;
use super::{Ahead, Project};
use crate::error::Result;
use crate::plan::{Disposition, Request};
use crate::run::failure_note;
use crate::store::{Caretaking, Key, Present, Store};

/// How far a pipeline is.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The pipeline, as it is published.
    pub name: String,
    /// Tells plans apart.
    pub digest: String,
    /// The level of the plan that is known so far.
    pub level: usize,
    /// How many combinations later levels can add, at most.
    pub ahead: usize,
    /// Results that the level wants.
    pub tasks: usize,
    /// Those that are in the store.
    pub done: usize,
    /// Those that somebody alive is making.
    pub running: usize,
    /// Those that could not be made, by name, and why.
    pub failed: Vec<(String, String)>,
    /// All others.
    pub left: usize,
    /// Seconds on one core of what is not done, by the plan's estimate.
    pub seconds_left: f64,
    /// Who is at work on this pipeline.
    pub workers: Vec<Present>,
}

impl Project {
    /// How far a pipeline is.
    ///
    /// # Errors
    /// All faults of the pipeline, each with its place; or the store cannot be read.
    pub fn standing(&self, request: &Request) -> Result<Standing> {
        let Ahead { level, statuses } = self.plan(request, None)?;
        let (plan, store) = (&level.plan, self.store());
        let leased: BTreeSet<Key> = store.leased()?;
        let (mut running, mut failed, mut left) = (0, Vec::new(), 0);
        for index in (0..plan.tasks.len()).filter(|&index| statuses.of[index] == Disposition::Run) {
            let task = &plan.tasks[index];
            if leased.contains(&task.key) {
                running += 1;
            } else if let Some(why) = store.recall(&failure_note(&task.key)) {
                failed.push((task.label.to_string(), String::from_utf8_lossy(&why).into_owned()));
            } else {
                left += 1;
            }
        }
        let done = statuses.count(Disposition::Cached);
        let plan_id = purpose(plan.main()).plan;
        let workers = store.present()?.into_iter().filter(|run| run.plan == plan_id).collect();
        Ok(Standing {
            name: plan.main().name.clone(),
            digest: plan.digest(),
            level: level.number,
            ahead: level.ahead,
            tasks: done + running + failed.len() + left,
            done,
            running,
            failed,
            left,
            seconds_left: plan.seconds_ahead(&statuses),
            workers,
        })
    }
}
