//! The runs without which claims are not judged: with coefficients that tuning left as well, and at the next look.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;

use super::judge::{Claim, Judged};
use super::looks::Looks;
use super::parts::{Part, SideRuns};
use super::spec::Condition;
use super::{ClaimsTask, Verdict};
use crate::error::{Error, Result};
use crate::stages::bootstrap::CELL;
use crate::tables::frame::{Cell, Frame, type_of_cells};
use crate::tables::{Assembly, Column, Table, TableError, TableSchema};
use crate::task::{Addition, Others, Output, Planning, Sequel, TableId};

/// Cells that tuning leaves, at most.
const MOST_CELLS: usize = 6;

/// An axis of the matrix.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    name: String,
    column: Column,
    n_written: usize,
}

/// The axes of the matrix that a pipeline wrote.
pub(super) fn axes(planning: &Planning<'_>) -> Vec<Axis> {
    let axis = |(name, written): (&String, &std::sync::Arc<[Cell]>)| {
        let column = Column { name: name.clone().into(), kind: type_of_cells(written.iter()), ..AXIS };
        Axis { name: name.clone(), column, n_written: written.len() }
    };
    planning.matrix.iter().map(axis).collect()
}

const AXIS: Column =
    Column::new("axis", crate::tables::ColumnType::Category, "", "axis of the matrix; null where it does not apply")
        .nullable();

/// One row for each combination of the matrix that is wanted.
pub(super) fn schema(axes: &[Axis]) -> TableSchema {
    TableSchema::new("wanted", 1, axes.iter().map(|axis| axis.column.clone()).collect(), &[])
}

/// Combinations of the matrix: what stands on each axis, in the order of the axes.
#[derive(Debug, Default)]
pub(super) struct Wanted(BTreeSet<Vec<Cell>>);

/// The tables of values, and the axes of the matrix.
type Around<'a> = (&'a BTreeMap<TableId, Frame>, &'a [Axis]);

impl Wanted {
    /// Adds what a claim wants. One whose cells were not all trained is not judged before they are.
    pub(super) fn add(
        &mut self,
        claim: &Claim<'_>,
        judged: &Judged,
        looks: &Looks,
        around: Around<'_>,
    ) -> Result<(), TableError> {
        let is_complete = claim.iter().all(|(_, part)| part.is_complete());
        let next = looks.after(judged.look).filter(|_| judged.verdict == Verdict::Undecided && !judged.hopeless);
        for (condition, part) in claim {
            if !is_complete {
                self.add_part(condition, part, &part.runs, around)?;
            } else if let Some(next) = next {
                self.add_part(condition, part, &runs_until(part, next), around)?;
            }
        }
        Ok(())
    }

    /// All cells of a part, in these runs.
    fn add_part(
        &mut self,
        condition: &Condition,
        part: &Part,
        runs: &[Cell],
        (tables, axes): Around<'_>,
    ) -> Result<(), TableError> {
        let table = &tables[&condition.values];
        for side in part.sides() {
            let missing: Vec<(i64, &Cell)> = missing(side, runs).collect();
            if missing.is_empty() {
                continue;
            }
            let place = |axis: &Axis| -> Result<Cell, TableError> {
                if Some(&axis.name) == condition.over.as_ref() || axis.name == CELL || !table.has(&axis.name) {
                    return Ok(Cell::Null);
                }
                Ok(table.cells(&axis.name)?[side.row].clone())
            };
            let places = axes.iter().map(place).collect::<Result<Vec<_>, _>>()?;
            for (cell, run) in missing {
                let combination = axes.iter().zip(&places).map(|(axis, place)| match axis.name.as_str() {
                    name if Some(name) == condition.over.as_deref() => run.clone(),
                    CELL => Cell::Integer(cell),
                    _ => place.clone(),
                });
                self.0.insert(combination.collect());
            }
        }
        Ok(())
    }

    pub(super) fn table(&self, axes: &[Axis], output: &Output) -> Result<RecordBatch, TableError> {
        let mut table = Assembly::new(output.schema.clone());
        for (index, axis) in axes.iter().enumerate() {
            let cells: Vec<Cell> = self.0.iter().map(|combination| combination[index].clone()).collect();
            table = table.cells(&axis.name, &cells);
        }
        table.batch()
    }
}

/// What a side has not been trained with yet.
fn missing<'a>(side: &'a SideRuns, runs: &'a [Cell]) -> impl Iterator<Item = (i64, &'a Cell)> {
    (1..=side.n_cells).flat_map(move |cell| {
        let there = side.cells.get(&cell);
        let is_missing = move |run: &&Cell| there.is_none_or(|there| !there.has(run));
        runs.iter().filter(is_missing).map(move |run| (cell, run))
    })
}

/// So many runs: those that are there, and the seeds behind them.
fn runs_until(part: &Part, n_runs: usize) -> Vec<Cell> {
    let mut runs = part.runs.clone();
    if let Some(Cell::Integer(last)) = runs.last().cloned() {
        runs.extend((1..).map(|more| Cell::Integer(last + more)).take(n_runs.saturating_sub(part.runs.len())));
    }
    runs
}

impl ClaimsTask {
    /// Whether runs have an axis of cells that tuning left.
    pub(super) fn has_cells(&self) -> bool {
        self.axes.iter().any(|axis| axis.name == CELL)
    }
}

impl Sequel for ClaimsTask {
    fn more(&self, read: &dyn Fn(&str) -> Result<Table>) -> Result<Vec<Addition>> {
        let damaged = |error: &dyn std::fmt::Display| Error::Store(error.to_string());
        let frame = Frame::new("wanted", read("wanted")?.to_batch().map_err(|error| damaged(&error))?);
        let columns = self.axes.iter().map(|axis| frame.cells(&axis.name)).collect::<Result<Vec<_>, _>>();
        let columns = columns.map_err(|error| damaged(&error))?;
        let addition = |row: usize| -> Addition {
            let places = self.axes.iter().zip(&columns).map(|(axis, cells)| (axis.name.clone(), cells[row].clone()));
            let places = places.filter(|(_, cell)| *cell != Cell::Null).collect();
            Addition { places, others: Others::Null }
        };
        Ok((0..frame.n_rows()).map(addition).collect())
    }

    fn at_most(&self) -> usize {
        let written: usize = self.axes.iter().map(|axis| axis.n_written).product();
        let cells = if self.has_cells() { MOST_CELLS } else { 1 };
        let (first, last) = (self.looks.at.first().copied().unwrap_or(1), self.looks.at.last().copied().unwrap_or(1));
        (written * cells).saturating_mul(last.div_ceil(first))
    }

    /// A look each, and one more for the cells that tuning left.
    fn levels(&self) -> usize {
        self.looks.at.len().max(1) + usize::from(self.has_cells())
    }
}
