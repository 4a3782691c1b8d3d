//! Plans with levels: a task whose result asks for more tasks.
//!
//! A level is a whole plan: every task with its key, known before anything runs. When its tasks are done, those that have a
//! [`Sequel`] look at their own results and may add combinations to the matrix; the plan of the next level is the same
//! pipeline over the larger matrix. What a level ran is a hit in the next one, and as a sequel is a function of results
//! and of parameters that stand in the task's key, the same levels follow on every machine.

use crate::error::Result;
use crate::tables::Table;
use crate::tables::frame::Cell;

/// One combination that is added to the matrix: axes by name, each with its value. An axis that it leaves out is null; where
/// every combination that was written has a value of it, stages that depend on it are not concerned.
pub type Addition = Vec<(String, Cell)>;

/// How the next level follows from the result of a task.
pub trait Sequel {
    /// The combinations that the result asks for; none where it is content.
    ///
    /// # Errors
    /// The result is not what the task makes.
    fn more(&self, read: &dyn Fn(&str) -> Result<Table>) -> Result<Vec<Addition>>;

    /// How many combinations there can be in the end, those that were written included, whatever the results are.
    fn at_most(&self) -> usize;
}
