//! What of a stage is published, in which tables, and with which axes.

use std::sync::Arc;

use super::axes::axis_column;
use super::compose::{Built, PipelineBuilder};
use super::places::Places;
use super::{Grid, Input, Parts, PublishedFile, PublishedTable, Stage};
use crate::spec::StageSpec;
use crate::spec::matrix::Axis;
use crate::spec::node::{Fault, instead_of};
use crate::tables::frame::{Cell, type_of_cells};
use crate::tables::{Layout, TableSchema};
use crate::task::{Kind, KnownValues, Output, Storage};

/// The tables of a stage that are published, and those that are not.
fn split<'a>(stage: &StageSpec, kept: Vec<&'a Output>) -> Result<(Vec<&'a Output>, Vec<&'a Output>), Fault> {
    let Some(wanted) = &stage.publish else { return Ok((kept, Vec::new())) };
    // What follows the stage's name, or that name.
    let name_of = |output: &&'a Output| if output.suffix.is_empty() { stage.name.as_str() } else { output.suffix };
    if let Some((unknown, span)) = wanted.iter().find(|(name, _)| kept.iter().all(|output| name_of(output) != name)) {
        let message = format!("stage `{}` makes no table `{unknown}`", stage.name);
        return Err(Fault::at(span, format!("{message}; {}", instead_of(unknown, kept.iter().map(name_of)))));
    }
    let (published, left_out): (Vec<&Output>, Vec<&Output>) =
        kept.into_iter().partition(|output| wanted.iter().any(|(name, _)| name == name_of(output)));
    if let Some(register) = left_out.iter().find(|output| output.is_register) {
        let name = name_of(register);
        let message = format!("`{name}` is published always: it tells apart what other tables are about");
        return Err(Fault::at(wanted.first().map_or(&stage.name_span, |(_, span)| span), message)
            .help(format!("Add `\"{name}\"` to the list.")));
    }
    Ok((published, left_out))
}

impl PipelineBuilder<'_, '_> {
    /// Records where the tasks of a stage are, and what of it is published with which axes.
    ///
    /// # Errors
    /// The stage publishes a table that it does not make, or leaves out the one by which its others are told apart.
    pub(super) fn publish(
        &mut self,
        stage: &StageSpec,
        kind: &'static dyn Kind,
        places: Places,
        tasks: Vec<usize>,
    ) -> Result<(), Fault> {
        let matrix = &self.spec.matrix;
        let axes: Vec<&Axis> = places.axes.iter().map(|&axis| &matrix.axes[axis]).collect();
        let cell =
            |(axis, value): (&&Axis, Option<usize>)| value.map_or(Cell::Null, |value| axis.values[value].label.clone());
        let cells = (0..places.len()).flat_map(|place| axes.iter().zip(places.values(place)).map(cell)).collect();
        let names = axes.iter().map(|axis| axis.name.clone()).collect();
        let grid = Arc::new(Grid::new(names, tasks, cells));
        let first = grid.tasks[0];
        let work = self.builder.plan.tasks[first].work.clone();
        let kept: Vec<&Output> =
            work.outputs().iter().filter(|output| stage.keep && output.storage == Storage::Kept).collect();
        let (published, unpublished) = split(stage, kept)?;
        let register = work.outputs().iter().find(|output| output.is_register);
        let register = register.map(|output| output.published(&stage.name));
        // What looks at the result of another task is told apart by that one's register.
        let register = register.or_else(|| self.register_behind(first));
        for output in published {
            let mut schema = TableSchema::clone(&output.schema);
            // An axis that the table has as a column of its own (`gradient` of `runs`) is not added again.
            let (own, added): (Vec<usize>, Vec<usize>) = match schema.layout {
                Layout::Folder => (Vec::new(), Vec::new()),
                Layout::File => (0..axes.len()).partition(|&axis| schema.column(&axes[axis].name).is_some()),
            };
            let columns = added.iter().map(|&axis| {
                let nullable = (0..places.len()).any(|place| grid.coordinates(place)[axis] == Cell::Null);
                let kind = type_of_cells(axes[axis].values.iter().map(|value| &value.label));
                let name = &axes[axis].name;
                axis_column(self.builder.catalogue.describe_axis(name), name, kind, nullable)
            });
            schema.columns.splice(0..0, columns.collect::<Vec<_>>());
            schema.key.splice(0..0, added.iter().map(|&axis| axes[axis].name.clone().into()).collect::<Vec<_>>());
            let mut values = self.known_values(output.table(), &grid.tasks);
            for &axis in &added {
                values.insert(axes[axis].name.clone(), self.labels[places.axes[axis]].clone());
            }
            self.values.insert(output.published(&stage.name), values);
            let n_axes = added.len();
            self.tables.push(PublishedTable {
                name: output.published(&stage.name),
                stage: stage.name.clone(),
                parts: Parts::new(grid.clone(), self.builder.word(output.table()), added, own),
                n_axes,
                register: (schema.layout == Layout::Folder).then(|| register.clone()).flatten(),
                schema,
            });
        }
        for file in work.files() {
            let name = format!("{}.{file}", stage.name);
            self.files.push(PublishedFile { name, stage: stage.name.clone(), task: first, file });
        }
        self.stages.push(Stage { name: stage.name.clone(), kind: kind.name(), grid: grid.clone() });
        let unpublished = unpublished.iter().map(|output| output.published(&stage.name)).collect();
        self.built.insert(stage.name.clone(), Built { places, grid, keep: stage.keep, unpublished });
        Ok(())
    }

    /// The values that columns of a table can have in the part of any task; of a column of which one task knows nothing,
    /// nothing is known.
    fn known_values(&self, table: &str, tasks: &[usize]) -> KnownValues {
        let of = |task: usize| self.builder.plan.tasks[task].work.known_values(table);
        let mut values = of(tasks[0]);
        for pair in tasks.windows(2) {
            let [before, task] = [pair[0], pair[1]].map(|task| &self.builder.facts[task]);
            if values.is_empty() || task.same(before) {
                continue;
            }
            let more = of(pair[1]);
            values.retain(|column, _| more.contains_key(column));
            for (column, known) in &mut values {
                let new = || more[column].iter().filter(|cell| !known.contains(cell));
                if new().next().is_some() {
                    *known = known.iter().chain(new()).cloned().collect();
                }
            }
        }
        values
    }

    /// The published register of the task that another one looks at.
    fn register_behind(&self, task: usize) -> Option<String> {
        let tasks = &self.builder.plan.tasks;
        let of_input =
            |input: &Input| tasks[input.task].work.outputs().iter().find(|output| output.table() == &*input.table);
        let input = tasks[task].inputs.iter().find(|input| of_input(input).is_some_and(|output| output.is_register))?;
        let is_it = |parts: &Parts| parts.table() == &*input.table && parts.tasks().contains(&input.task);
        let table = self.tables.iter().find(|table| is_it(&table.parts))?;
        Some(table.name.clone())
    }
}
