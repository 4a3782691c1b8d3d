//! Plans with levels: a task whose result asks for more tasks.
//!
//! A level is a whole plan: every task with its key, known before anything runs. When its tasks are done, those that have a
//! [`Sequel`] look at their own results and may add combinations to the matrix; the plan of the next level is the same
//! pipeline over the larger matrix. What a level ran is a hit in the next one, and as a sequel is a function of results
//! and of parameters that stand in the task's key, the same levels follow on every machine.

use crate::error::Result;
use crate::tables::Table;
use crate::tables::frame::Cell;

/// What is added to the matrix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Addition {
    /// Axes by name, each with its value.
    pub places: Vec<(String, Cell)>,
    /// The axes beside them.
    pub others: Others,
}

/// What becomes of the axes that an addition does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Others {
    /// They are null: one combination; where every combination that was written has a value of such an axis, stages that
    /// depend on it are not concerned.
    Null,
    /// They take every value that was written beside the values named: as many combinations as there are.
    Every,
}

/// How the next level follows from the result of a task.
pub trait Sequel {
    /// The combinations that the result asks for; none where it is content.
    ///
    /// # Errors
    /// The result is not what the task makes.
    fn more(&self, read: &dyn Fn(&str) -> Result<Table>) -> Result<Vec<Addition>>;

    /// How many combinations there can be in the end, those that were written included, whatever the results are.
    fn at_most(&self) -> usize;

    /// How many levels there usually are; there may be fewer, or a few more.
    fn levels(&self) -> usize;
}
