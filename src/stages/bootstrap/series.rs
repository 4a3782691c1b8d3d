//! Rows of measurements → for each measurement its values, one per run.

use std::collections::{BTreeMap, BTreeSet};

use super::summary::DIVERGED;
use super::task::BootstrapTask;
use crate::tables::TableError;
use crate::tables::cells::Int64;
use crate::tables::frame::{Cell, Frame};

/// One seed of one condition.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunState {
    /// The first step with a number that is not finite.
    pub diverged_at: Option<i64>,
}

/// The state of each run, by the cells of the axes that tell runs apart and by its seed.
pub(super) type RunStates = BTreeMap<(Vec<Cell>, Cell), RunState>;

/// The values of one measurement, one per run; none where a run has none.
pub(super) type Series = Vec<Option<f64>>;

/// Where the runs of a condition were measured (its layers), whatever the step.
type Measured = BTreeMap<Vec<Cell>, BTreeSet<Vec<Cell>>>;

impl BootstrapTask {
    /// The seeds in ascending order, and the state of each run by the axes that tell runs apart.
    pub(super) fn read_runs(&self, runs: &Frame) -> Result<(Vec<Cell>, RunStates), TableError> {
        let over = runs.cells(&self.canonical.over)?;
        let axes = self.run_axes.iter().map(|name| runs.cells(name)).collect::<Result<Vec<_>, _>>()?;
        let diverged_at = runs.values::<Option<Int64>>(DIVERGED)?;
        let mut states = BTreeMap::new();
        for row in 0..runs.n_rows() {
            let condition: Vec<Cell> = axes.iter().map(|cells| cells[row].clone()).collect();
            let passes = self
                .run_axes
                .iter()
                .zip(&condition)
                .all(|(name, cell)| self.canonical.filter.get(name).is_none_or(|allowed| allowed.contains(cell)));
            if passes {
                states.insert((condition, over[row].clone()), RunState { diverged_at: diverged_at[row] });
            }
        }
        let seeds: BTreeSet<Cell> = states.keys().map(|(_, seed)| seed.clone()).collect();
        Ok((seeds.into_iter().collect(), states))
    }

    /// The values of every measurement, with what diverged runs count as filled in.
    pub(super) fn read_series(
        &self,
        of: &Frame,
        seeds: &[Cell],
        states: &RunStates,
    ) -> Result<BTreeMap<Vec<Cell>, Series>, TableError> {
        let keys = self.keys.iter().map(|name| of.cells(name)).collect::<Result<Vec<_>, _>>()?;
        let over = of.cells(&self.canonical.over)?;
        let values = of.numbers(&self.canonical.value)?;
        let filters = self
            .canonical
            .filter
            .iter()
            .map(|(name, allowed)| Ok((name.as_str(), of.cells(name)?, allowed)))
            .collect::<Result<Vec<_>, TableError>>()?;
        let mut series: BTreeMap<Vec<Cell>, Series> = BTreeMap::new();
        let mut measured = Measured::default();
        let position: BTreeMap<&Cell, usize> = seeds.iter().enumerate().map(|(index, seed)| (seed, index)).collect();
        for row in 0..of.n_rows() {
            let passes = |is_step: bool| {
                let mut relevant = filters.iter().filter(|(name, ..)| (*name == "step") == is_step);
                relevant.all(|(_, cells, allowed)| allowed.contains(&cells[row]))
            };
            if !passes(false) {
                continue;
            }
            let Some(&run) = position.get(&over[row]) else { continue };
            let key: Vec<Cell> = keys.iter().map(|cells| cells[row].clone()).collect();
            let condition = self.condition(&key);
            measured
                .entry(condition)
                .or_default()
                .insert(self.pick(&key, |name| !self.is_axis(name) && name != "step"));
            if !passes(true) {
                continue;
            }
            series.entry(key).or_insert_with(|| vec![None; seeds.len()])[run] =
                values[row].filter(|value| value.is_finite());
        }
        self.fill(&mut series, &measured, seeds, states);
        Ok(series)
    }

    /// Diverged runs have no rows after their last step: they count as `value` from then on, or as missing. Either way
    /// what all runs of a condition are missing from appears, so that the result can say so.
    fn fill(&self, series: &mut BTreeMap<Vec<Cell>, Series>, measured: &Measured, seeds: &[Cell], states: &RunStates) {
        // Every condition is measured at every step at which any condition was: one in which all runs diverged has no rows
        // of its own there.
        let rest: BTreeSet<Vec<Cell>> = series.keys().map(|key| self.pick(key, |name| !self.is_axis(name))).collect();
        let conditions: BTreeSet<&Vec<Cell>> = states.keys().map(|(condition, _)| condition).collect();
        for condition in conditions {
            let any_diverged = seeds.iter().any(|seed| {
                states.get(&(condition.clone(), seed.clone())).is_some_and(|run| run.diverged_at.is_some())
            });
            if !any_diverged {
                continue;
            }
            for rest in &rest {
                let key = self.merge(condition, rest);
                // But not in layers that its network does not have.
                let place = self.pick(&key, |name| !self.is_axis(name) && name != "step");
                if measured.get(condition).is_some_and(|places| !places.contains(&place)) {
                    continue;
                }
                let values = series.entry(key.clone()).or_insert_with(|| vec![None; seeds.len()]);
                for (index, seed) in seeds.iter().enumerate() {
                    let Some(RunState { diverged_at: Some(at) }) = states.get(&(condition.clone(), seed.clone()))
                    else {
                        continue;
                    };
                    if values[index].is_none() && self.step_of(&key).is_none_or(|step| step >= *at) {
                        values[index] = self.canonical.when_diverged;
                    }
                }
            }
        }
    }

    pub(super) fn is_axis(&self, name: &str) -> bool {
        self.run_axes.iter().any(|axis| axis == name)
    }

    /// The cells of a key that tell groups of runs apart, in the order of the table of runs.
    pub(super) fn condition(&self, key: &[Cell]) -> Vec<Cell> {
        let place = |axis: &String| self.keys.iter().position(|name| name == axis).expect("an axis of the table");
        self.run_axes.iter().map(|axis| key[place(axis)].clone()).collect()
    }

    /// The training step of a measurement, where it has one.
    pub(super) fn step_of(&self, key: &[Cell]) -> Option<i64> {
        let index = self.keys.iter().position(|name| name == "step")?;
        match key[index] {
            Cell::Integer(step) => Some(step),
            _ => None,
        }
    }

    /// The cells of a key whose columns are wanted.
    pub(super) fn pick(&self, key: &[Cell], wanted: impl Fn(&str) -> bool) -> Vec<Cell> {
        self.keys.iter().zip(key).filter(|(name, _)| wanted(name)).map(|(_, cell)| cell.clone()).collect()
    }

    /// A key from the cells of its axes and of its other columns.
    fn merge(&self, condition: &[Cell], rest: &[Cell]) -> Vec<Cell> {
        let mut rest = rest.iter();
        self.keys
            .iter()
            .map(|name| match self.run_axes.iter().position(|axis| axis == name) {
                Some(axis) => condition[axis].clone(),
                None => rest.next().expect("as many as there are other columns").clone(),
            })
            .collect()
    }
}
