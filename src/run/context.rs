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
use crate::tables::frame::{Cell, cells_to_array, type_of_cells};
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
        gather(self.run, self.gathered_input(name)?, false, |error| self.internal(error))
    }

    /// The same, but the columns that are axes of the matrix hold the axis' values, also where the table has such a column of
    /// its own (`gradient` of `runs`, which is 0 where a rule has no such axis; the axis is null there). So rows of
    /// different tables that belong together are equal in all axes.
    ///
    /// # Errors
    /// A part can neither be read nor be made again.
    pub fn gathered_by_axes(&self, name: &str) -> Result<RecordBatch> {
        gather(self.run, self.gathered_input(name)?, true, |error| self.internal(error))
    }

    fn gathered_input(&self, name: &str) -> Result<&GatheredInput> {
        let gathered = self.task.gathered.iter().find(|gathered| gathered.name == name);
        gathered.ok_or_else(|| self.internal(format!("reads `{name}`, which it did not plan to")))
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
            .map(|output| output.schema.as_ref())
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
            TableSchema::clone(&output.expect("checked when it was written").schema)
        };
        Ok(handed_on.into_iter().map(|(name, batches)| (name.clone(), Table::new(schema(&name), batches))).collect())
    }
}

/// All parts of a table in one batch, axes in front. With `by_axes`, columns of the table's own that are axes hold the axis'
/// values, which are null where it does not apply.
fn gather(
    run: &Run<'_>,
    gathered: &GatheredInput,
    by_axes: bool,
    internal: impl Fn(String) -> Error,
) -> Result<RecordBatch> {
    let mut schema = gathered.schema.clone();
    let own_axes: Vec<String> = match gathered.parts.first() {
        Some(part) if by_axes => part.own_axis_names().collect(),
        _ => Vec::new(),
    };
    let position = |name: &str| gathered.schema.columns.iter().position(|column| column.name == name);
    let positions: Vec<usize> = own_axes.iter().filter_map(|name| position(name)).collect();
    for (axis, &column) in positions.iter().enumerate() {
        let values = gathered.parts.iter().map(|part| &part.own_axes[axis].1);
        schema.columns[column].kind = type_of_cells(values);
        schema.columns[column].nullable = true;
    }
    let mut batches = Vec::with_capacity(gathered.parts.len());
    for part in &gathered.parts {
        let table = run.obtain(part.task, &part.table, false)?;
        let mut values: Vec<(usize, &Cell)> = part.axes.iter().enumerate().collect();
        values.extend(positions.iter().copied().zip(part.own_axes.iter().map(|(_, cell)| cell)));
        for batch in &table.batches {
            batches.push(set_columns(&schema, &values, batch).map_err(&internal)?);
        }
    }
    concat_batches(&schema.to_arrow(), &batches).map_err(|error| internal(error.to_string()))
}

/// A part's rows with the values of its axes in front.
pub(crate) fn add_axes(schema: &TableSchema, axes: &[Cell], batch: &RecordBatch) -> Result<RecordBatch, String> {
    set_columns(schema, &axes.iter().enumerate().collect::<Vec<_>>(), batch)
}

/// A batch whose columns in these places are one value throughout. Places in front of the batch's own columns come first,
/// in ascending order.
fn set_columns(schema: &TableSchema, values: &[(usize, &Cell)], batch: &RecordBatch) -> Result<RecordBatch, String> {
    let n_added = schema.columns.len() - batch.num_columns();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.columns.len());
    let repeated = |column: usize, cell: &Cell| {
        let cells = vec![cell.clone(); batch.num_rows()];
        cells_to_array(&cells, schema.columns[column].kind).map_err(|error| error.to_string())
    };
    let (added, own) = values.split_at(n_added);
    for &(column, cell) in added {
        columns.push(repeated(column, cell)?);
    }
    columns.extend(batch.columns().iter().cloned());
    for &(column, cell) in own {
        columns[column] = repeated(column, cell)?;
    }
    RecordBatch::try_new(schema.to_arrow(), columns).map_err(|error| error.to_string())
}
