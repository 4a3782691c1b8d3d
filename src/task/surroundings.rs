//! What a task sees while it runs.

use std::any::Any;
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::{Axes, InputId, TableId};
use crate::error::{Error, Result};
use crate::store::Key;
use crate::tables::{Table, TableSchema};

/// Something decoded from an input once, for all tasks of a run that read it.
pub type Shared = Arc<dyn Any + Send + Sync>;

/// What a task sees while it runs: tables in, rows out, a word to the user, and whether it should stop.
pub trait Surroundings {
    /// The task's key.
    fn key(&self) -> &Key;

    /// The task as a person names it.
    fn label(&self) -> &str;

    /// A table of another task.
    ///
    /// # Errors
    /// It can neither be read nor be made again.
    fn table(&self, input: InputId) -> Result<Arc<Table>>;

    /// What `decode` makes of a table, made once for all tasks of the run that read it.
    ///
    /// # Errors
    /// The table cannot be had, or `decode` fails.
    fn shared(&self, input: InputId, decode: &dyn Fn(&Table) -> Result<Shared>) -> Result<Shared>;

    /// Whether a task of this run reads an output, and may ask for what it is decoded into.
    fn is_shared(&self, output: &str) -> bool;

    /// What [`Surroundings::shared`] gives of an output from now on: whoever makes a table may have at hand what readers would
    /// decode it into. It must be what they would.
    fn share(&self, output: &str, decoded: Shared);

    /// A table as published: all parts in the order of the matrix, axes as columns.
    ///
    /// # Errors
    /// A part can neither be read nor be made again.
    fn gathered(&self, table: TableId, axes: Axes) -> Result<RecordBatch>;

    /// Whether anybody reads what is written to this output: it is kept, or another task waits for it. A task that runs
    /// again only to hand something on in memory need not compute the rest.
    fn wants(&self, output: &str) -> bool;

    /// The schema of an output.
    ///
    /// # Errors
    /// The task did not plan to write it.
    fn schema(&self, output: &str) -> Result<&TableSchema>;

    /// Appends rows to an output.
    ///
    /// # Errors
    /// The rows do not fit the schema, or cannot be written.
    fn write(&self, output: &str, rows: RecordBatch) -> Result<()>;

    /// Adds a file that is not a table.
    ///
    /// # Errors
    /// It cannot be written.
    fn write_file(&self, name: &str, content: &[u8]) -> Result<()>;

    /// Tells the user something worth a line.
    fn notice(&self, text: &str);

    /// Tells the user how it goes, for as long as the task runs: an accuracy after so many samples. Nothing that is kept.
    fn measured(&self, what: &'static str, step: u64, value: f64);
    /// Whether there is something that an earlier try left of this task; asked by a task that can go on from where it was, before
    /// it writes anything. `take` is shown the state and says whether it can be gone on with. If so, all rows that had been
    /// written by then are written, and so is what is [left](Surroundings::leave) from now on. If not, the user is told why,
    /// and the task begins anew.
    ///
    /// # Errors
    /// The rows cannot be written.
    fn take_up(&self, _take: &mut dyn FnMut(&[u8]) -> Result<(), String>) -> Result<bool> {
        Ok(false)
    }

    /// Whether so much work has been done since a state was last left that it is time for the next; to be asked as often as
    /// [`Surroundings::check_interrupted`], and before it. Never, unless the task has asked what there is to
    /// [take up](Surroundings::take_up).
    fn is_time_to_leave(&self) -> bool {
        false
    }

    /// Leaves a state from which the task can go on, and all rows written so far; files that are not tables are not among them.
    /// It saves work and nothing else: where it cannot be left, the user is told, and the task goes on.
    fn leave(&self, _state: &[u8]) {}

    /// To be called every few milliseconds of work.
    ///
    /// # Errors
    /// The user wants to stop.
    fn check_interrupted(&self) -> Result<()>;
}

impl dyn Surroundings + '_ {
    /// `run_id` of a training: the first 16 hex digits of its key.
    pub fn run_id(&self) -> &str {
        self.key().short()
    }

    /// A table in one batch.
    ///
    /// # Errors
    /// As [`Surroundings::table`].
    pub fn batch(&self, input: InputId) -> Result<RecordBatch> {
        self.table(input)?.to_batch().map_err(|error| self.internal(error))
    }

    /// An error of the numbers themselves.
    pub fn numerics(&self, message: impl ToString) -> Error {
        Error::Numerics { task: self.label().to_owned(), message: message.to_string() }
    }

    /// A broken promise between stages.
    pub fn internal(&self, message: impl ToString) -> Error {
        Error::Internal { task: self.label().to_owned(), message: message.to_string() }
    }
}
