//! How a run goes about its tasks, and what came of it.

use std::time::Instant;

use crate::error::Error;

/// How a run goes about its tasks.
#[derive(Clone, Copy, Debug)]
pub struct Manner<'a> {
    /// So many tasks side by side.
    pub jobs: usize,
    /// Whether what does not depend on a task that failed is carried out all the same.
    pub keep_going: bool,
    /// From then on nothing is begun, but for what reads what another task has handed on in memory.
    pub until: Option<Instant>,
    /// By task, whether it is left to another run that is at it. All others are waited for.
    pub left_to_others: Option<&'a [bool]>,
}

impl Manner<'_> {
    /// Everything, and nothing more after an error.
    pub fn side_by_side(jobs: usize) -> Self {
        Self { jobs, keep_going: false, until: None, left_to_others: None }
    }

    /// Whether nothing is begun any more.
    pub(super) fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Whether a task that another run is at is left to it.
    pub(super) fn leaves(&self, task: usize) -> bool {
        self.left_to_others.is_some_and(|left| left[task])
    }
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Executed {
    /// Tasks that were carried out.
    pub ran: usize,
    /// Tasks that another run carried out meanwhile.
    pub shared: usize,
    /// Tasks that could not be carried out, in the order of the plan.
    pub failures: Vec<Failure>,
    /// Tasks that were not begun: they depend on one that failed, the time was up, or another run is at them.
    pub left: usize,
}

/// A task that could not be carried out.
#[derive(Debug)]
pub struct Failure {
    /// Its place in the plan.
    pub task: usize,
    /// Why.
    pub error: Error,
}
