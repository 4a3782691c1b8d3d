//! How large a plan is, before any of it exists.

use std::collections::{BTreeMap, BTreeSet};

use super::axes::own_axes;
use super::compose::PipelineBuilder;
use super::{Disposition, Plan, Statuses};
use crate::spec::node::{Fault, size};
use crate::store::HELD_ONCE;
use crate::task::{Reads, Reference};
use crate::words::grouped;

/// Tasks that are planned without being asked twice: more is a slip of the keyboard.
const MOST_TASKS: u128 = 1_000_000;

/// What a planned task takes at most, with all that is published of it; 550 to 770 in plans of 100,000 trainings and
/// measurements (`tests/it/size.rs`).
const TASK_BYTES: u128 = 1_000;

/// Stages that a message names, those with the most tasks.
const SHOWN: usize = 3;

impl PipelineBuilder<'_, '_> {
    /// Counts the tasks of all stages, in the order in which they will be planned.
    ///
    /// # Errors
    /// There are more than anybody plans by mistake, or than there is memory for.
    pub(super) fn check_size(
        &self,
        order: &[String],
        references: &BTreeMap<String, Vec<Reference>>,
    ) -> Result<(), Fault> {
        let matrix = &self.spec.matrix;
        let mut axes: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        let mut counts: Vec<(&str, u128)> = Vec::new();
        for name in order {
            let stage = self.all_stages().find(|stage| stage.name == *name).expect("ordered by name");
            let kind = self.find_kind(stage).expect("checked before ordering");
            let reads = &references[name];
            let mut here = BTreeSet::new();
            if !reads.iter().any(|reference| reference.reads == Reads::Table) {
                here = own_axes(stage, kind, self.spec);
                let upstream = reads.iter().filter_map(|reference| self.resolve(reference));
                here.extend(upstream.filter_map(|stage| axes.get(stage)).flatten());
            }
            counts.push((name, matrix.count(&here)));
            axes.insert(name, here);
        }
        let before = self.builder.plan.tasks.len() as u128;
        let tasks = counts.iter().map(|(_, count)| *count).fold(before, u128::saturating_add);
        let bytes = tasks.saturating_mul(TASK_BYTES);
        let too_many = tasks > MOST_TASKS && !self.builder.large;
        if !too_many && (tasks <= MOST_TASKS || bytes <= u128::from(self.builder.memory)) {
            return Ok(());
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let stages: Vec<String> =
            counts.iter().take(SHOWN).map(|(name, count)| format!("`{name}` {}", grouped(*count))).collect();
        let mut message = format!("this plan has {} tasks ({}", grouped(tasks), stages.join(", "));
        message += if counts.len() > SHOWN { " …)" } else { ")" };
        message += &format!("; planning them takes about {} of memory", size(u64::try_from(bytes).unwrap_or(u64::MAX)));
        let longest = matrix.axes.iter().max_by_key(|axis| axis.values.len());
        let shorten = longest.map_or("Make it smaller".to_owned(), |axis| {
            format!("Shorten the axis `{}`, which has {} values", axis.name, grouped(axis.values.len() as u128))
        });
        let help = if too_many {
            format!("{shorten}. More than {} tasks are planned only with `--large`.", grouped(MOST_TASKS))
        } else {
            format!("{shorten}; {} may be taken, `--memory` allows more.", size(self.builder.memory))
        };
        let span = longest.map(|axis| axis.length.clone());
        Err(Fault { message, span, help: Some(help) })
    }
}

impl Plan {
    /// A rough number of seconds of one core that a task takes on the kernels that there are.
    pub fn seconds(&self, task: usize) -> f64 {
        let work = &self.tasks[task].work;
        if self.portable_kernels { work.cost() * work.slowdown() } else { work.cost() }
    }

    /// The same of all tasks that will run.
    pub fn seconds_ahead(&self, statuses: &Statuses) -> f64 {
        (0..self.tasks.len()).filter(|&task| statuses.runs(task)).map(|task| self.seconds(task)).sum()
    }

    /// Bytes of memory of so many of the tasks that will run side by side, the largest ones.
    pub fn memory(&self, statuses: &Statuses, jobs: usize) -> u64 {
        self.largest(statuses, jobs).into_iter().fold(0, u64::saturating_add)
    }

    /// How many tasks can be run side by side in so much memory: at most `jobs`, and one at least.
    pub fn fitting(&self, statuses: &Statuses, jobs: usize, memory: u64) -> usize {
        let mut left = memory;
        let largest = self.largest(statuses, jobs);
        let n_fit = largest.iter().take_while(|&&bytes| left.checked_sub(bytes).inspect(|rest| left = *rest).is_some());
        let n_fit = n_fit.count();
        // Fewer tasks than jobs, all of which fit.
        if n_fit == largest.len() { jobs } else { n_fit.max(1) }
    }

    fn largest(&self, statuses: &Statuses, jobs: usize) -> Vec<u64> {
        let running = (0..self.tasks.len()).filter(|&task| statuses.runs(task));
        let mut bytes: Vec<u64> = running.map(|task| self.tasks[task].work.memory()).collect();
        bytes.sort_unstable_by(|a, b| b.cmp(a));
        bytes.truncate(jobs);
        bytes
    }

    /// Bytes that the tasks that will run leave on the disk: in the store, and what is small as much again as published.
    pub fn disk(&self, statuses: &Statuses) -> u64 {
        let running = (0..self.tasks.len()).filter(|&task| statuses.of[task] == Disposition::Run);
        let stored = running.map(|task| self.tasks[task].work.disk());
        stored.map(|bytes| if bytes < HELD_ONCE { 2 * bytes } else { bytes }).fold(0, u64::saturating_add)
    }
}
