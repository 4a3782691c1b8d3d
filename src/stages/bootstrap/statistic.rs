//! The values of a group → its statistic, and how many runs stand behind it.

use std::collections::{BTreeMap, BTreeSet};

use super::series::{RunStates, Series};
use super::spec::Statistic;
use super::task::BootstrapTask;
use crate::science::bootstrap::{Interval, Resamples};
use crate::stages::measurement::finite;
use crate::tables::frame::Cell;

impl BootstrapTask {
    /// Averages each run's values over the columns of `mean_over`, in the order of the key. A run that lacks one of them
    /// has no average.
    pub(super) fn mean_over(&self, members: Vec<(Vec<Cell>, Series)>) -> BTreeMap<Vec<Cell>, (Vec<Cell>, Series)> {
        let mut sums: BTreeMap<Vec<Cell>, (Vec<Cell>, Series, u32)> = BTreeMap::new();
        for (key, values) in members {
            let remaining = self.pick(&key, |name| !self.canonical.mean_over.iter().any(|other| other == name));
            match sums.get_mut(&remaining) {
                None => {
                    sums.insert(remaining, (key, values, 1));
                }
                Some((last, sum, n)) => {
                    for (sum, value) in sum.iter_mut().zip(values) {
                        *sum = sum.zip(value).map(|(sum, value)| sum + value);
                    }
                    *n += 1;
                    *last = key;
                }
            }
        }
        sums.into_iter()
            .map(|(remaining, (key, sum, n))| {
                let mean = sum.into_iter().map(|sum| sum.map(|sum| sum / f64::from(n))).collect();
                (remaining, (key, mean))
            })
            .collect()
    }

    /// The statistic of one group, and which runs are in it.
    pub(super) fn statistic(
        &self,
        members: &BTreeMap<Vec<Cell>, (Vec<Cell>, Series)>,
        resamples: &Resamples,
    ) -> Option<(Interval, Vec<bool>)> {
        let of = |column: &str, wanted: &Cell| -> Option<&Series> {
            let index = self.keys.iter().position(|name| name == column)?;
            members.values().find(|(key, _)| key[index].matches(wanted)).map(|(_, values)| values)
        };
        let level = self.canonical.level;
        let present = |values: &Series| values.iter().map(Option::is_some).collect::<Vec<_>>();
        match &self.canonical.statistic {
            Statistic::Mean => {
                let (_, values) = members.values().next()?;
                Some((resamples.interval_of_present(values, level)?, present(values)))
            }
            Statistic::Difference(difference) => {
                let (a, b) = (of(&difference.column, &difference.of)?, of(&difference.column, &difference.minus)?);
                let paired: Series = a.iter().zip(b).map(|(a, b)| a.zip(*b).map(|(a, b)| a - b)).collect();
                Some((resamples.interval_of_present(&paired, level)?, present(&paired)))
            }
            Statistic::Ratio(ratio) => {
                let (a, b) = (of(&ratio.column, &ratio.of)?, of(&ratio.column, &ratio.over)?);
                let paired: Vec<Option<(f64, f64)>> = a.iter().zip(b).map(|(a, b)| a.zip(*b)).collect();
                let used: Vec<bool> = paired.iter().map(Option::is_some).collect();
                used.iter().any(|&used| used).then_some(())?;
                let interval = resamples.interval_of_defined(
                    |runs| {
                        let (mut over, mut under) = (0.0, 0.0);
                        for (a, b) in runs.iter().filter_map(|&run| paired[run as usize]) {
                            over += a;
                            under += b;
                        }
                        finite(over / under)
                    },
                    level,
                )?;
                Some((interval, used))
            }
            Statistic::Spread(_) => {
                let groups: Vec<&Series> = members.values().map(|(_, values)| values).collect();
                let n_runs = groups.first()?.len();
                let used: Vec<bool> =
                    (0..n_runs).map(|run| groups.iter().all(|values| values[run].is_some())).collect();
                used.iter().any(|&used| used).then_some(())?;
                let interval = resamples.interval_of_defined(
                    |runs| {
                        let (mut smallest, mut largest) = (f64::INFINITY, f64::NEG_INFINITY);
                        for values in &groups {
                            let (mut sum, mut n) = (0.0, 0u32);
                            for &run in runs.iter().filter(|&&run| used[run as usize]) {
                                sum += values[run as usize].expect("only complete runs are used");
                                n += 1;
                            }
                            let mean = sum / f64::from(n);
                            smallest = smallest.min(mean);
                            largest = largest.max(mean);
                        }
                        finite(largest / smallest)
                    },
                    level,
                )?;
                Some((interval, used))
            }
        }
    }

    /// Runs in the statistic and those among all runs of its conditions that had diverged.
    pub(super) fn count(
        &self,
        members: &BTreeMap<Vec<Cell>, (Vec<Cell>, Series)>,
        states: &RunStates,
        used: &[bool],
    ) -> (i32, i32) {
        let mut diverged: BTreeSet<(Vec<Cell>, Cell)> = BTreeSet::new();
        for (key, _) in members.values() {
            let condition = self.condition(key);
            let step = self.step_of(key);
            for ((run_condition, seed), state) in states {
                if *run_condition == condition && state.diverged_at.is_some_and(|at| step.is_none_or(|step| step >= at))
                {
                    diverged.insert((run_condition.clone(), seed.clone()));
                }
            }
        }
        (used.iter().filter(|&&used| used).count() as i32, diverged.len() as i32)
    }
}
