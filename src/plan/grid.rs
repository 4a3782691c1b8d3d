//! The tasks of a stage in the order of the matrix, and what of them its tables publish. All of it is held once a stage,
//! whatever the number of its tables: a plan may have a million tasks.

use std::sync::Arc;

use crate::tables::TableSchema;
use crate::tables::frame::Cell;

/// The tasks of a stage, each with its place on the axes.
#[derive(Debug)]
pub struct Grid {
    /// The axes that the stage depends on.
    pub axes: Vec<String>,
    /// Its tasks, by their places in the plan, in the order of the matrix.
    pub tasks: Vec<usize>,
    /// The values of the axes: as many for each task as there are axes.
    cells: Vec<Cell>,
}

impl Grid {
    pub(super) fn new(axes: Vec<String>, tasks: Vec<usize>, cells: Vec<Cell>) -> Self {
        assert_eq!(cells.len(), axes.len() * tasks.len(), "a value for each task on each axis");
        Self { axes, tasks, cells }
    }

    /// The values of the axes at which the stage has its task number `index`; null where an axis does not apply.
    pub fn coordinates(&self, index: usize) -> &[Cell] {
        &self.cells[index * self.axes.len()..][..self.axes.len()]
    }

    /// Every task, by its place in the plan, with the values of its axes.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &[Cell])> {
        self.tasks.iter().enumerate().map(|(index, &task)| (task, self.coordinates(index)))
    }
}

/// The parts of a published table: one table of each task of a stage, in the order of the matrix.
#[derive(Clone, Debug)]
pub struct Parts {
    grid: Arc<Grid>,
    table: Arc<str>,
    added: Vec<usize>,
    own: Vec<usize>,
}

impl Parts {
    /// `added` and `own` are positions among the grid's axes: of those that publishing adds as columns, and of those that
    /// the table has as columns of its own.
    pub(super) fn new(grid: Arc<Grid>, table: Arc<str>, added: Vec<usize>, own: Vec<usize>) -> Self {
        Self { grid, table, added, own }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.grid.tasks.len()
    }

    /// Whether there is none: a stage has a task at least.
    pub fn is_empty(&self) -> bool {
        self.grid.tasks.is_empty()
    }

    /// The tasks, by their places in the plan.
    pub fn tasks(&self) -> &[usize] {
        &self.grid.tasks
    }

    /// The table of each of the tasks.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The names of the axes that the table has as columns of its own.
    pub fn own_axes(&self) -> impl Iterator<Item = &str> {
        self.own.iter().map(|&axis| self.grid.axes[axis].as_str())
    }

    /// All parts.
    pub fn iter(&self) -> impl Iterator<Item = Part<'_>> {
        self.grid.iter().map(|(task, coordinates)| Part { task, coordinates, all: self })
    }
}

/// One task's share of a published table.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The task, by its place in the plan.
    pub task: usize,
    coordinates: &'a [Cell],
    all: &'a Parts,
}

impl<'a> Part<'a> {
    /// The table of that task.
    pub fn table(&self) -> &'a str {
        &self.all.table
    }

    /// The values of the columns that publishing adds, in the order of the schema.
    pub fn axes(&self) -> impl Iterator<Item = &'a Cell> {
        let Self { coordinates, all, .. } = *self;
        all.added.iter().map(|&axis| &coordinates[axis])
    }

    /// The values of the axes that the table has as columns of its own (a coefficient that was swept); null where an axis
    /// does not apply, whatever the table says of itself there.
    pub fn own_axes(&self) -> impl Iterator<Item = (&'a str, &'a Cell)> {
        let Self { coordinates, all, .. } = *self;
        all.own.iter().map(|&axis| (all.grid.axes[axis].as_str(), &coordinates[axis]))
    }

    /// The axes with their values, as they stand in the key of a task that reads this part.
    pub(super) fn named_axes(&self, schema: &TableSchema) -> Vec<(String, serde_json::Value)> {
        let added = schema.columns.iter().map(|column| column.name.to_string()).zip(self.axes());
        let own = self.own_axes().map(|(name, cell)| (name.to_owned(), cell));
        let json = |cell: &Cell| serde_json::to_value(cell).expect("a cell is plain data");
        added.chain(own).map(|(name, cell)| (name, json(cell))).collect()
    }
}
