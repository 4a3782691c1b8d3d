//! The values behind a summary, one per run, with the cells that a tuning left to choose from: what claims are judged by.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

use super::series::{RunStates, Series};
use super::spec::Statistic;
use super::task::BootstrapTask;
use crate::stages::measurement::finite;
use crate::stages::tuned::TunedRow;
use crate::tables::frame::{Cell, Frame};
use crate::tables::{Assembly, Column, Row, TableError, TableSchema, table};

/// The axis of cells that a tuning left; 1 is the one that it picked.
pub(in crate::stages) const CELL: &str = "cell";

/// What is compared.
pub(in crate::stages) const PLUS: &str = "plus";

/// What it is compared with.
pub(in crate::stages) const MINUS: &str = "minus";

/// Values are logarithms.
pub(in crate::stages) const LOG: &str = "log";

table! {
    /// What one run adds to a summary; the columns of the group stand in front.
    pub struct ValueRow<'a> in "values" version 1 key() {
        /// `plus`, or `minus` for what it is compared with
        part: Category,
        /// number of the coefficients among those that tuning left; 1 was picked
        cell: Int64,
        /// what the run gave; of a ratio the natural logarithm; null where it diverged and counts as missing
        value: Option<Float64>,
        /// `linear`, or `log` where values are logarithms
        scale: Category,
        /// whether the run had diverged
        diverged: Boolean,
        /// what a run that diverged counts as; null where it counts as missing
        when_diverged: Option<Float64>,
        /// of these coefficients being picked if tuning were done again
        probability: Float64,
        /// coefficients that tuning left
        n_cells: Int32,
        /// trainings with these coefficients while they were tuned
        n_tuned: Int32 in "runs",
        /// trainings among them that failed
        n_tuned_failed: Int32 in "runs",
        /// how far the mean of failed trainings lay below that of the others
        tuning_gap: Option<Float64>,
    }
}

/// What tuning says of the coefficients of runs, by their place on the axes.
pub(super) struct Choices<'a> {
    /// Positions among the keys of a measurement.
    axes: Vec<usize>,
    found: BTreeMap<Vec<Cell>, TunedRow<'a>>,
}

impl<'a> Choices<'a> {
    /// Of a run with these keys; those that a table of choices does not know were written.
    fn of(&self, key: &[Cell]) -> TunedRow<'a> {
        let place: Vec<Cell> = self.axes.iter().map(|&axis| key[axis].clone()).collect();
        self.found.get(&place).copied().unwrap_or(TunedRow::WRITTEN)
    }
}

/// A value and where it stands.
pub(super) struct RunValue<'a> {
    group: Vec<Cell>,
    /// On the axis along which two values are compared.
    compared: Option<Cell>,
    over: Cell,
    part: &'static str,
    cell: i64,
    value: Option<f64>,
    diverged: bool,
    choice: TunedRow<'a>,
}

/// The values of one part of a summary.
struct PartValues {
    part: &'static str,
    /// The keys of one of its measurements.
    key: Vec<Cell>,
    values: Series,
}

impl BootstrapTask {
    /// The table of values: groups in front, then what is compared.
    pub(super) fn value_schema(
        groups: &[Column],
        compared: Option<&Column>,
        over: &Column,
        value: &Column,
        statistic: &Statistic,
    ) -> TableSchema {
        let mut schema = ValueRow::schema();
        if !statistic.is_logarithmic() {
            let own = schema.columns.iter_mut().filter(|column| column.name == "value");
            own.for_each(|column| column.unit = value.unit.clone());
        }
        let nullable = |column: &Column| Column { ..column.clone() }.nullable();
        let placed: Vec<Column> = groups.iter().cloned().chain(compared.map(nullable)).chain([over.clone()]).collect();
        let names = placed.iter().map(|column| column.name.clone());
        schema.key = names.collect();
        let over = schema.key.pop();
        schema.key.extend([CELL.into()].into_iter().chain(over).chain(["part".into()]));
        schema.columns.splice(..0, placed);
        schema
    }

    /// What the table of choices says, by place on the axes that it shares with the measurements.
    pub(super) fn choices<'a>(&self, selection: &'a Frame) -> Result<Choices<'a>, TableError> {
        let shared = |axis: &usize| self.is_axis(&self.keys[*axis]) && selection.has(&self.keys[*axis]);
        let axes: Vec<usize> = (0..self.keys.len()).filter(shared).collect();
        let places = axes.iter().map(|&axis| selection.cells(&self.keys[axis])).collect::<Result<Vec<_>, _>>()?;
        let rows: Vec<TunedRow<'a>> = selection.rows()?;
        let place = |index: usize| places.iter().map(|cells| cells[index].clone()).collect();
        let found = rows.into_iter().enumerate().map(|(index, row)| (place(index), row)).collect();
        Ok(Choices { axes, found })
    }

    /// Only what belongs to the coefficients that were picked.
    pub(super) fn picked(
        &self,
        mut members: BTreeMap<Vec<Cell>, (Vec<Cell>, Series)>,
    ) -> BTreeMap<Vec<Cell>, (Vec<Cell>, Series)> {
        if let Some(index) = self.keys.iter().position(|key| key == CELL) {
            members.retain(|_, (key, _)| key[index].matches(&Cell::Integer(1)));
        }
        members
    }

    /// The values of a group, run by run.
    pub(super) fn values<'a>(
        &self,
        group: &[Cell],
        members: &BTreeMap<Vec<Cell>, (Vec<Cell>, Series)>,
        (seeds, states): (&[Cell], &RunStates),
        choices: Option<&Choices<'a>>,
    ) -> Vec<RunValue<'a>> {
        let parts = self.parts(members);
        let cell_of = |key: &[Cell]| match self.keys.iter().position(|name| name == CELL).map(|index| &key[index]) {
            Some(Cell::Integer(cell)) => *cell,
            _ => 1,
        };
        let compared = self.compared().and_then(|name| self.keys.iter().position(|key| key == name));
        let mut all = Vec::new();
        for PartValues { part, key, values } in &parts {
            let choice = choices.map_or(TunedRow::WRITTEN, |choices| choices.of(key));
            let condition = self.condition(key);
            for (seed, value) in seeds.iter().zip(values) {
                let Some(state) = states.get(&(condition.clone(), seed.clone())) else { continue };
                let diverged = state.diverged_at.is_some_and(|at| self.step_of(key).is_none_or(|step| step >= at));
                all.push(RunValue {
                    group: group.to_vec(),
                    compared: compared.map(|index| key[index].clone()),
                    over: seed.clone(),
                    part,
                    cell: cell_of(key),
                    value: *value,
                    diverged,
                    choice,
                });
            }
        }
        // The order of the table's key.
        all.sort_by(|a, b| (&a.compared, a.cell, &a.over).cmp(&(&b.compared, b.cell, &b.over)));
        all
    }

    /// The values of the parts of a statistic; ratios as logarithms, so that a difference is what is left of them.
    fn parts(&self, members: &BTreeMap<Vec<Cell>, (Vec<Cell>, Series)>) -> Vec<PartValues> {
        let two_parts = |column: &str, plus: &Cell, minus: &Cell, of: fn(f64) -> Option<f64>| -> Vec<PartValues> {
            let Some(index) = self.keys.iter().position(|name| name == column) else { return Vec::new() };
            let part = |key: &Vec<Cell>| match &key[index] {
                cell if cell.matches(plus) => Some(PLUS),
                cell if cell.matches(minus) => Some(MINUS),
                _ => None,
            };
            let found = members.values().filter_map(|(key, values)| {
                let values = values.iter().map(|value| value.and_then(of)).collect();
                Some(PartValues { part: part(key)?, key: key.clone(), values })
            });
            found.collect()
        };
        match &self.canonical.statistic {
            Statistic::Mean => {
                let part = |(key, values): &(Vec<Cell>, Series)| PartValues {
                    part: PLUS,
                    key: key.clone(),
                    values: values.clone(),
                };
                members.values().map(part).collect()
            }
            Statistic::Difference(one) => two_parts(&one.column, &one.of, &one.minus, Some),
            Statistic::Ratio(one) => two_parts(&one.column, &one.of, &one.over, logarithm),
            Statistic::Spread(_) => self.spreads(members),
        }
    }

    /// The logarithm of each run's largest value over its smallest; of runs that have all of them.
    fn spreads(&self, members: &BTreeMap<Vec<Cell>, (Vec<Cell>, Series)>) -> Vec<PartValues> {
        let cell = self.keys.iter().position(|name| name == CELL);
        let mut by_cell: BTreeMap<Option<&Cell>, Vec<&(Vec<Cell>, Series)>> = BTreeMap::new();
        for member in members.values() {
            by_cell.entry(cell.map(|index| &member.0[index])).or_default().push(member);
        }
        let of_run = |members: &[&(Vec<Cell>, Series)], run: usize| -> Option<f64> {
            let all: Option<Vec<f64>> = members.iter().map(|(_, values)| values[run]).collect();
            let all = all?;
            let largest = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            logarithm(largest / all.iter().copied().fold(f64::INFINITY, f64::min))
        };
        let parts = by_cell.into_values().map(|members| {
            let (key, n_runs) = (members[members.len() - 1].0.clone(), members[0].1.len());
            PartValues { part: PLUS, key, values: (0..n_runs).map(|run| of_run(&members, run)).collect() }
        });
        parts.collect()
    }

    /// The column along which two values are compared.
    pub(super) fn compared(&self) -> Option<&str> {
        self.canonical.statistic.compared()
    }

    /// Values behind the cells that say where they stand.
    pub(super) fn value_table(&self, values: &[RunValue<'_>]) -> Result<RecordBatch, TableError> {
        let scale = if self.canonical.statistic.is_logarithmic() { LOG } else { "linear" };
        let rows: Vec<ValueRow<'_>> = values
            .iter()
            .map(|one| ValueRow {
                part: one.part,
                cell: one.cell,
                value: one.value,
                scale,
                diverged: one.diverged,
                when_diverged: self.canonical.when_diverged,
                probability: one.choice.probability,
                n_cells: one.choice.n_cells,
                n_tuned: one.choice.n_tuned,
                n_tuned_failed: one.choice.n_failed,
                tuning_gap: one.choice.gap,
            })
            .collect();
        let mut table = Assembly::new(self.outputs[1].schema.clone()).rows(&rows);
        for (index, column) in self.groups.iter().enumerate() {
            let cells: Vec<Cell> = values.iter().map(|one| one.group[index].clone()).collect();
            table = table.cells(&column.name, &cells);
        }
        if let Some(compared) = self.compared() {
            let cells: Vec<Cell> = values.iter().map(|one| one.compared.clone().unwrap_or(Cell::Null)).collect();
            table = table.cells(compared, &cells);
        }
        let over: Vec<Cell> = values.iter().map(|one| one.over.clone()).collect();
        table.cells(&self.canonical.over, &over).batch()
    }
}

fn logarithm(value: f64) -> Option<f64> {
    finite(value).filter(|value| *value > 0.0).map(libm::log)
}
