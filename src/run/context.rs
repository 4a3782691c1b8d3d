//! What a task sees of the run: its inputs by role, its outputs by name, and whether it should stop.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;

use super::Run;
use super::journal::Journal;
use crate::error::{Error, Result};
use crate::plan::{GatheredInput, Input, Task};
use crate::store::{Key, Pending, PendingTable};
use crate::tables::frame::{Cell, cells_to_array, type_of_cells};
use crate::tables::{Table, TableSchema};
use crate::task::{Axes, InputId, Shared, Surroundings, TableId};

/// The surroundings of one task within a run.
pub(super) struct Context<'a> {
    run: &'a Run<'a>,
    task: &'a Task,
    outputs: RefCell<Outputs>,
}

struct Outputs {
    pending: Option<Pending>,
    writers: BTreeMap<String, PendingTable>,
    handed_on: BTreeMap<String, Vec<RecordBatch>>,
    journal: Journal,
}

impl<'a> Context<'a> {
    /// `journal`: what this task may leave on its way.
    pub(super) fn new(
        run: &'a Run<'a>,
        task: &'a Task,
        pending: Option<Pending>,
        wanted: &[String],
        journal: Journal,
    ) -> Self {
        let handed_on = wanted.iter().map(|name| (name.clone(), Vec::new())).collect();
        Self { run, task, outputs: RefCell::new(Outputs { pending, writers: BTreeMap::new(), handed_on, journal }) }
    }

    fn internal(&self, message: impl ToString) -> Error {
        Error::Internal { task: self.task.label.to_string(), message: message.to_string() }
    }

    fn input(&self, InputId(index): InputId) -> Result<&Input> {
        self.task
            .inputs
            .get(index)
            .ok_or_else(|| self.internal(format!("reads input {index}, which it did not declare")))
    }

    fn output_schema(&self, table: &str) -> Result<&'a TableSchema> {
        let output = self.task.work.outputs().iter().find(|output| output.table() == table);
        output
            .map(|output| output.schema.as_ref())
            .ok_or_else(|| self.internal(format!("writes `{table}`, which it did not plan to")))
    }

    /// Ends the task: commits what is stored, returns what is handed on.
    pub(super) fn finish(self) -> Result<Vec<(String, Table)>> {
        let task = self.task;
        let Outputs { pending, mut writers, handed_on, journal } = self.outputs.into_inner();
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
            pending.commit(&self.run.plan.material(task))?;
        }
        if journal.is_in_store() {
            // What was committed among others is safe only when they are.
            self.run.session.settle()?;
            self.run.session.forget(&task.key);
        }
        let schema = |name: &str| {
            let output = task.work.outputs().iter().find(|output| output.table() == name);
            TableSchema::clone(&output.expect("checked when it was written").schema)
        };
        Ok(handed_on.into_iter().map(|(name, batches)| (name.clone(), Table::new(schema(&name), batches))).collect())
    }
}

impl Surroundings for Context<'_> {
    fn key(&self) -> &Key {
        &self.task.key
    }

    fn label(&self) -> &str {
        &self.task.label
    }

    fn table(&self, input: InputId) -> Result<Arc<Table>> {
        let input = self.input(input)?;
        self.run.obtain(input.task, &input.table, input.passing)
    }

    fn shared(&self, input: InputId, decode: &dyn Fn(&Table) -> Result<Shared>) -> Result<Shared> {
        let planned = self.input(input)?;
        let key = &self.run.plan.tasks[planned.task].key;
        self.run.state.decoded.get((key, &planned.table), || decode(&*self.table(input)?))
    }

    fn is_shared(&self, output: &str) -> bool {
        let (plan, statuses) = (self.run.plan, self.run.statuses);
        let is_it = |input: &Input| *input.table == *output && plan.tasks[input.task].key == self.task.key;
        plan.tasks.iter().enumerate().any(|(index, task)| statuses.runs(index) && task.inputs.iter().any(is_it))
    }

    fn share(&self, output: &str, decoded: Shared) {
        self.run.state.decoded.put((&self.task.key, output), decoded);
    }

    fn gathered(&self, TableId(index): TableId, axes: Axes) -> Result<RecordBatch> {
        let table = self.task.gathered.get(index);
        let table = table.ok_or_else(|| self.internal(format!("reads table {index}, which it did not refer to")))?;
        gather(self.run, table, axes == Axes::Matrix, |error| self.internal(error))
    }

    fn wants(&self, output: &str) -> bool {
        let outputs = self.outputs.borrow();
        outputs.handed_on.contains_key(output) || (outputs.pending.is_some() && Run::keeps_outputs(self.task, output))
    }

    fn schema(&self, output: &str) -> Result<&TableSchema> {
        self.output_schema(output)
    }

    fn write(&self, output: &str, rows: RecordBatch) -> Result<()> {
        let schema = self.output_schema(output)?;
        schema.check(&rows).map_err(|message| self.internal(message))?;
        let mut outputs = self.outputs.borrow_mut();
        let Outputs { pending, writers, handed_on, journal } = &mut *outputs;
        let is_kept = pending.is_some() && Run::keeps_outputs(self.task, output);
        let is_handed_on = handed_on.contains_key(output);
        if is_kept || is_handed_on {
            journal.wrote(output, &rows, is_handed_on);
        }
        if let Some(pending) = pending
            && is_kept
        {
            if !writers.contains_key(output) {
                writers.insert(output.to_owned(), pending.begin_table(output, schema)?);
            }
            let writer = writers.get_mut(output).expect("just inserted");
            pending.write_batch(output, writer, &rows)?;
        }
        if let Some(batches) = handed_on.get_mut(output) {
            batches.push(rows);
        }
        Ok(())
    }

    fn write_file(&self, name: &str, content: &[u8]) -> Result<()> {
        match &mut self.outputs.borrow_mut().pending {
            Some(pending) => pending.write_file(name, content),
            None => Ok(()),
        }
    }

    fn notice(&self, text: &str) {
        self.run.progress.notice(&format!("{}: {text}", self.task.label));
    }

    fn measured(&self, what: &'static str, step: u64, value: f64) {
        self.run.progress.measured(self.task, what, step, value);
    }

    fn take_up(&self, take: &mut dyn FnMut(&[u8]) -> Result<(), String>) -> Result<bool> {
        let wanted: Vec<&str> = self.task.work.outputs().iter().map(|output| output.table()).collect();
        let wanted: Vec<&str> = wanted.into_iter().filter(|output| self.wants(output)).collect();
        let Some(found) = self.outputs.borrow_mut().journal.open(self.run.session, &self.task.key, &wanted) else {
            return Ok(false);
        };
        let schema = |output: &str| self.output_schema(output).map_err(|error| error.to_string());
        let rows = found.and_then(|mut found| {
            let rows = found.rows(schema)?;
            take(&found.state)?;
            Ok((rows, found.trail))
        });
        match rows {
            Ok((rows, trail)) => {
                for (output, rows) in rows {
                    self.write(&output, rows)?;
                }
                self.outputs.borrow_mut().journal.goes_on(trail);
                Ok(true)
            }
            Err(why) => {
                self.notice(&format!("what it left cannot be gone on with: {why}; it begins anew"));
                self.run.session.forget(&self.task.key);
                Ok(false)
            }
        }
    }

    fn is_time_to_leave(&self) -> bool {
        self.outputs.borrow().journal.is_due(self.run.interrupted.load(Ordering::Relaxed))
    }

    fn leave(&self, state: &[u8]) {
        let schema = |output: &str| self.output_schema(output);
        let left = self.outputs.borrow_mut().journal.leave(self.run.session, &self.task.key, schema, state);
        if let Err(error) = left {
            self.notice(&format!("{error}; it goes on, and begins anew if it is stopped"));
        }
    }

    fn check_interrupted(&self) -> Result<()> {
        self.run.check_interrupted()
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
    let own_axes: Vec<&str> = if by_axes { gathered.parts.own_axes().collect() } else { Vec::new() };
    let position = |name: &str| gathered.schema.columns.iter().position(|column| column.name == name);
    let positions: Vec<usize> = own_axes.into_iter().filter_map(position).collect();
    for (axis, &column) in positions.iter().enumerate() {
        let values = gathered.parts.iter().filter_map(|part| part.own_axes().nth(axis)).map(|(_, cell)| cell);
        schema.columns[column].kind = type_of_cells(values);
        schema.columns[column].nullable = true;
    }
    let mut batches = Vec::with_capacity(gathered.parts.len());
    for part in gathered.parts.iter() {
        let table = run.obtain(part.task, part.table(), false)?;
        let mut values: Vec<(usize, &Cell)> = part.axes().enumerate().collect();
        values.extend(positions.iter().copied().zip(part.own_axes().map(|(_, cell)| cell)));
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
