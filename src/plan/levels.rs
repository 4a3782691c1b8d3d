//! A plan level by level: see [`crate::task::Sequel`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::compose::{Additions, build_level};
use super::restrict::with_dependencies;
use super::{Plan, Request};
use crate::error::Result;
use crate::tables::Table;
use crate::task::{Addition, Catalogue};

/// The levels of a request, one after the other.
pub struct Levels<'a> {
    catalogue: &'a dyn Catalogue,
    pipelines: &'a Path,
    request: &'a Request,
    additions: Additions,
    passed: usize,
}

/// One level.
#[derive(Debug)]
pub struct Level {
    /// The plan as far as it is known.
    pub plan: Plan,
    /// The level's number, from 1.
    pub number: usize,
    /// The tasks whose results say how it goes on; none if this is the last level.
    pub asking: Vec<usize>,
    /// How many combinations of the matrix all later levels can add, at most: each is a task of the stage that has most.
    pub ahead: usize,
    /// How many levels there usually are, this one and those before it included.
    pub levels: usize,
}

impl Level {
    /// The tasks that the level wants: those that ask, or all where none does.
    pub fn wanted(&self) -> Vec<usize> {
        if !self.asking.is_empty() {
            return self.asking.clone();
        }
        let stages = self.plan.pipelines.iter().flat_map(|pipeline| &pipeline.stages);
        stages.flat_map(|stage| stage.grid.tasks.iter().copied()).collect()
    }
}

impl<'a> Levels<'a> {
    /// Before the first level.
    pub fn new(catalogue: &'a dyn Catalogue, pipelines: &'a Path, request: &'a Request) -> Self {
        Self { catalogue, pipelines, request, additions: Additions::new(), passed: 0 }
    }

    /// The present level. `read` gives a table of a task's result where it is there: a task that is content with its result
    /// asks for nothing any more, and one whose result is there already is not waited for.
    ///
    /// # Errors
    /// All faults of the pipeline, or a result that cannot be read.
    pub fn present(&mut self, read: impl Fn(&Plan, usize, &str) -> Result<Option<Table>>) -> Result<Level> {
        loop {
            let plan = build_level(self.catalogue, self.pipelines, self.request, &self.additions)?;
            let (mut asking, mut ahead, mut levels) = (Vec::new(), 0, 1);
            let mut grown = false;
            for (index, task) in plan.tasks.iter().enumerate() {
                let Some(sequel) = task.work.sequel() else { continue };
                let first = task.work.outputs().first().map(|output| output.table().to_owned()).unwrap_or_default();
                if read(&plan, index, &first)?.is_none() {
                    asking.push(index);
                    levels = levels.max(sequel.levels());
                    // A combination is a task of the stage behind it that has most of them.
                    let mut there: BTreeMap<&str, usize> = BTreeMap::new();
                    for task in with_dependencies(&plan.tasks, [index]) {
                        *there.entry(&plan.tasks[task].stage).or_default() += 1;
                    }
                    ahead += sequel.at_most().saturating_sub(there.into_values().max().unwrap_or(0));
                    continue;
                }
                let missing = || crate::error::Error::Internal {
                    task: task.label.to_string(),
                    message: "a sequel reads a table that its task does not make".to_owned(),
                };
                let more = sequel.more(&|table| read(&plan, index, table)?.ok_or_else(missing))?;
                if more.is_empty() {
                    continue;
                }
                for pipeline in plan
                    .pipelines
                    .iter()
                    .filter(|pipeline| pipeline.stages.iter().any(|stage| stage.grid.tasks.contains(&index)))
                {
                    let known = self.additions.entry(pipeline.name.clone()).or_default();
                    let before: BTreeSet<&Addition> = known.iter().collect();
                    let new: Vec<Addition> = more.iter().filter(|one| !before.contains(one)).cloned().collect();
                    grown |= !new.is_empty();
                    known.extend(new);
                }
            }
            if !grown {
                let number = self.passed + 1;
                return Ok(Level { plan, number, asking, ahead, levels: levels.max(number) });
            }
            self.passed += 1;
        }
    }
}
