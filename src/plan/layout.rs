//! What of a stage is published, in which tables, and with which axes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::axes::axis_column;
use super::compose::{Built, PipelineBuilder};
use super::{Input, Part, PublishedFile, PublishedTable, Stage};
use crate::spec::StageSpec;
use crate::tables::frame::{Cell, type_of_cells};
use crate::tables::{Layout, TableSchema};
use crate::task::{Kind, Output, Storage};

impl PipelineBuilder<'_, '_> {
    /// Records what of a stage is published, and with which axes.
    pub(super) fn publish(&mut self, stage: &StageSpec, kind: &'static dyn Kind, built: &Built) {
        let matrix = &self.spec.matrix;
        let cell = |axis: usize, value: Option<usize>| {
            value.map_or(Cell::Null, |value| matrix.axes[axis].values[value].label.clone())
        };
        let coordinates: Vec<Arc<[Cell]>> = built
            .order
            .iter()
            .map(|(values, _)| built.axes.iter().zip(&**values).map(|(&axis, &value)| cell(axis, value)).collect())
            .collect();
        let (_, first) = &built.order[0];
        let outputs: Vec<Output> = self.builder.plan.tasks[*first].work.outputs().to_vec();
        let register = outputs.iter().find(|output| output.is_register).map(|output| output.published(&stage.name));
        // What looks at the result of another task is told apart by that one's register.
        let register = register.or_else(|| self.register_behind(*first));
        for output in outputs.iter().filter(|output| stage.keep && output.storage == Storage::Kept) {
            let mut schema = TableSchema::clone(&output.schema);
            // An axis that the table has as a column of its own (`gradient` of `runs`) is not added again.
            let (own, added): (Vec<usize>, Vec<usize>) = match schema.layout {
                Layout::Folder => (Vec::new(), Vec::new()),
                Layout::File => (0..built.axes.len())
                    .partition(|&index| schema.column(&matrix.axes[built.axes[index]].name).is_some()),
            };
            let columns = added.iter().map(|&index| {
                let axis = &matrix.axes[built.axes[index]];
                let nullable = coordinates.iter().any(|cells| cells[index] == Cell::Null);
                let kind = type_of_cells(axis.values.iter().map(|value| &value.label));
                axis_column(self.builder.catalogue.describe_axis(&axis.name), &axis.name, kind, nullable)
            });
            schema.columns.splice(0..0, columns.collect::<Vec<_>>());
            let keys = added.iter().map(|&index| matrix.axes[built.axes[index]].name.clone().into());
            schema.key.splice(0..0, keys.collect::<Vec<_>>());
            let table = self.builder.word(output.table());
            let parts = built.order.iter().zip(&coordinates).map(|((_, task), cells)| Part {
                task: *task,
                table: table.clone(),
                axes: match added.len() == cells.len() {
                    true => cells.clone(),
                    false => added.iter().map(|&index| cells[index].clone()).collect(),
                },
                own_axes: own
                    .iter()
                    .map(|&index| (matrix.axes[built.axes[index]].name.clone(), cells[index].clone()))
                    .collect(),
            });
            let mut values = self.known_values(output.table(), built);
            for &index in &added {
                let axis = &matrix.axes[built.axes[index]];
                values.insert(axis.name.clone(), axis.values.iter().map(|value| value.label.clone()).collect());
            }
            self.values.insert(output.published(&stage.name), values);
            self.tables.push(PublishedTable {
                name: output.published(&stage.name),
                stage: stage.name.clone(),
                parts: parts.collect(),
                n_axes: added.len(),
                register: (schema.layout == Layout::Folder).then(|| register.clone()).flatten(),
                schema,
            });
        }
        for file in self.builder.plan.tasks[*first].work.files() {
            let name = format!("{}.{file}", stage.name);
            self.files.push(PublishedFile { name, stage: stage.name.clone(), task: *first, file });
        }
        self.stages.push(Stage {
            name: stage.name.clone(),
            kind: kind.name(),
            tasks: built.order.iter().map(|(_, task)| *task).collect(),
            axes: built.axes.iter().map(|&axis| matrix.axes[axis].name.clone()).collect(),
            coordinates,
        });
    }

    /// The values that columns of a table can have in the part of any task; of a column of which one task knows nothing,
    /// nothing is known.
    fn known_values(&self, table: &str, built: &Built) -> BTreeMap<String, Vec<Cell>> {
        let of = |task: usize| self.builder.plan.tasks[task].work.known_values(table);
        let mut tasks = built.order.iter().map(|(_, task)| *task);
        let mut values = tasks.next().map(of).unwrap_or_default();
        for task in tasks {
            if values.is_empty() {
                break;
            }
            let more = of(task);
            values.retain(|column, _| more.contains_key(column));
            for (column, known) in &mut values {
                let new: Vec<Cell> = more[column].iter().filter(|cell| !known.contains(cell)).cloned().collect();
                known.extend(new);
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
        let is_it = |part: &Part| part.task == input.task && part.table == input.table;
        let table = self.tables.iter().find(|table| table.parts.iter().any(is_it))?;
        Some(table.name.clone())
    }
}
