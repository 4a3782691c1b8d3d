//! What a task sees of the run: its inputs by role, its outputs by name, and whether it should stop.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;

use super::Run;
use super::data::DataSplits;
use crate::error::{Error, Result};
use crate::plan::{GatheredInput, Task};
use crate::store::{Pending, PendingTable};
use crate::tables::frame::cells_to_array;
use crate::tables::{Table, TableSchema};

/// The surroundings of one task.
pub struct Context<'a> {
    run: &'a Run<'a>,
    task: &'a Task,
    outputs: RefCell<Outputs>,
}

struct Outputs {
    pending: Option<Pending>,
    writers: BTreeMap<String, PendingTable>,
    handed_on: BTreeMap<String, Vec<RecordBatch>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(run: &'a Run<'a>, task: &'a Task, pending: Option<Pending>, wanted: &[String]) -> Self {
        let handed_on = wanted.iter().map(|name| (name.clone(), Vec::new())).collect();
        Self { run, task, outputs: RefCell::new(Outputs { pending, writers: BTreeMap::new(), handed_on }) }
    }

    /// `run_id` of a training: the first 16 hex digits of its key.
    pub fn run_id(&self) -> &str {
        self.task.key.short()
    }

    /// The task's key.
    pub fn key(&self) -> &str {
        self.task.key.as_str()
    }

    pub fn label(&self) -> &str {
        &self.task.label
    }

    pub fn environment(&self) -> &crate::plan::environment::Environment {
        self.run.environment
    }

    /// Tells the user something worth a line.
    pub fn notice(&self, text: &str) {
        self.run.progress.notice(&format!("{}: {text}", self.task.label));
    }

    /// To be called every few milliseconds of work.
    ///
    /// # Errors
    /// The user wants to stop.
    pub fn check_interrupted(&self) -> Result<()> {
        self.run.check_interrupted()
    }

    /// An error of the numbers themselves.
    pub fn numerics(&self, message: impl ToString) -> Error {
        Error::Numerics { task: self.task.label.clone(), message: message.to_string() }
    }

    /// A broken promise between stages.
    pub fn internal(&self, message: impl ToString) -> Error {
        Error::Internal { task: self.task.label.clone(), message: message.to_string() }
    }

    /// The table that the task planned to read in this role.
    ///
    /// # Errors
    /// It can neither be read nor be made again.
    pub fn table(&self, role: &str) -> Result<Arc<Table>> {
        let input = self.input(role)?;
        self.run.obtain(input.task, &input.table, input.passing)
    }

    /// As [`Context::table`], in one batch.
    pub fn batch(&self, role: &str) -> Result<RecordBatch> {
        self.table(role)?.to_batch().map_err(|error| self.internal(error))
    }

    /// The images of the data set in this role, decoded once for all tasks of the run.
    pub fn data(&self, role: &str) -> Result<Arc<DataSplits>> {
        let input = self.input(role)?;
        let key = &self.run.plan.tasks[input.task].key;
        self.run.state.data.get(key, || {
            let table = self.run.obtain(input.task, &input.table, input.passing)?;
            DataSplits::from_table(&table).map_err(|error| self.internal(error))
        })
    }

    fn input(&self, role: &str) -> Result<&crate::plan::Input> {
        let input = self.task.inputs.iter().find(|input| input.role == role);
        input.ok_or_else(|| self.internal(format!("reads `{role}`, which it did not plan to")))
    }

    /// A table as published: all parts in the order of the matrix, axes as columns.
    ///
    /// # Errors
    /// A part can neither be read nor be made again.
    pub fn gathered(&self, name: &str) -> Result<RecordBatch> {
        let gathered = self.task.gathered.iter().find(|gathered| gathered.name == name);
        let gathered = gathered.ok_or_else(|| self.internal(format!("reads `{name}`, which it did not plan to")))?;
        gather(self.run, gathered, |error| self.internal(error))
    }

    /// Whether anybody waits for a table that is handed on in memory.
    pub fn hands_on(&self, table: &str) -> bool {
        self.outputs.borrow().handed_on.contains_key(table)
    }

    /// Whether what the task writes is stored; otherwise it runs only to hand tables on in memory.
    pub fn stores(&self) -> bool {
        self.outputs.borrow().pending.is_some()
    }

    /// Appends rows to an output.
    ///
    /// # Errors
    /// The rows do not fit the schema, or cannot be written.
    pub fn write(&self, table: &str, columns: Vec<ArrayRef>) -> Result<()> {
        let schema = self.schema(table)?;
        let batch = RecordBatch::try_new(schema.to_arrow(), columns).map_err(|error| self.internal(error))?;
        schema.check(&batch).map_err(|message| self.internal(message))?;
        self.write_batch(table, batch)
    }

    /// As [`Context::write`], for a whole batch.
    pub fn write_batch(&self, table: &str, batch: RecordBatch) -> Result<()> {
        let schema = self.schema(table)?;
        let mut outputs = self.outputs.borrow_mut();
        let Outputs { pending, writers, handed_on } = &mut *outputs;
        if let Some(pending) = pending
            && Run::keeps_outputs(self.task, table)
        {
            if !writers.contains_key(table) {
                writers.insert(table.to_owned(), pending.begin_table(table, schema)?);
            }
            let writer = writers.get_mut(table).expect("just inserted");
            pending.write_batch(table, writer, &batch)?;
        }
        if let Some(batches) = handed_on.get_mut(table) {
            batches.push(batch);
        }
        Ok(())
    }

    /// Adds a file that is not a table.
    pub fn write_file(&self, name: &str, content: &[u8]) -> Result<()> {
        match &mut self.outputs.borrow_mut().pending {
            Some(pending) => pending.write_file(name, content),
            None => Ok(()),
        }
    }

    fn schema(&self, table: &str) -> Result<&'a TableSchema> {
        let output = self.task.work.outputs().iter().find(|output| output.table() == table);
        output
            .map(|output| &output.schema)
            .ok_or_else(|| self.internal(format!("writes `{table}`, which it did not plan to")))
    }

    /// Ends the task: commits what is stored, returns what is handed on.
    pub(super) fn finish(self) -> Result<Vec<(String, Table)>> {
        let task = self.task;
        let Outputs { pending, mut writers, handed_on } = self.outputs.into_inner();
        if let Some(mut pending) = pending {
            for output in task.work.outputs().iter().filter(|output| task.keeps(output)) {
                let name = output.table();
                let writer = match writers.remove(name) {
                    Some(writer) => writer,
                    // A table without rows is a table all the same.
                    None => pending.begin_table(name, &output.schema)?,
                };
                pending.finish_table(name, &output.schema, writer)?;
            }
            pending.commit(&task.material)?;
        }
        let schema = |name: &str| {
            let output = task.work.outputs().iter().find(|output| output.table() == name);
            output.expect("checked when it was written").schema.clone()
        };
        Ok(handed_on.into_iter().map(|(name, batches)| (name.clone(), Table::new(schema(&name), batches))).collect())
    }
}

/// All parts of a table in one batch, axes in front.
pub(crate) fn gather(
    run: &Run<'_>,
    gathered: &GatheredInput,
    internal: impl Fn(String) -> Error,
) -> Result<RecordBatch> {
    let schema = gathered.schema.to_arrow();
    let mut batches = Vec::with_capacity(gathered.parts.len());
    for part in &gathered.parts {
        let table = run.obtain(part.task, &part.table, false)?;
        for batch in &table.batches {
            let with_axes = add_axes(&gathered.schema, part.axes.as_slice(), batch).map_err(&internal)?;
            batches.push(with_axes);
        }
    }
    concat_batches(&schema, &batches).map_err(|error| internal(error.to_string()))
}

/// A part's rows with the values of its axes in front.
pub(crate) fn add_axes(
    schema: &TableSchema,
    axes: &[crate::tables::frame::Cell],
    batch: &RecordBatch,
) -> Result<RecordBatch, String> {
    let mut columns = Vec::with_capacity(schema.columns.len());
    for (cell, column) in axes.iter().zip(&schema.columns) {
        let cells = vec![cell.clone(); batch.num_rows()];
        columns.push(cells_to_array(&cells, column.kind).map_err(|error| error.to_string())?);
    }
    columns.extend(batch.columns().iter().cloned());
    RecordBatch::try_new(schema.to_arrow(), columns).map_err(|error| error.to_string())
}
