//! What would run.

use super::{Project, memory, portable_kernels};
use crate::error::{Error, Result};
use crate::plan::{self, Level, Levels, Plan, Request, Statuses};
use crate::publish::manifest::Manifest;
use crate::publish::{Change, explain};
use crate::spec::Spec;
use crate::spec::node::instead_of;
use crate::store::Store;
use crate::tables::Table;

/// What lies ahead: the present level of a plan, and what happens to each of its tasks.
#[derive(Debug)]
pub struct Ahead {
    /// The level; most plans have one.
    pub level: Level,
    /// What happens to each task.
    pub statuses: Statuses,
}

/// A pipeline of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The figure of the paper that it reproduces.
    pub figure: Option<String>,
    /// One sentence.
    pub title: String,
    /// How many tasks it has; none if it cannot be planned here (a data set that was not imported).
    pub tasks: Option<usize>,
    /// Whether it comes with the program, and no file of the project.
    pub is_carried: bool,
}

impl Project {
    /// The pipelines that there are: the project's own, then those that the program carries.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn pipelines(&self) -> Result<Vec<Listed>> {
        let catalogue = self.catalogue()?;
        let own = plan::names(&self.pipelines).into_iter().map(|name| (name, false));
        let carried = plan::carried_names(&self.pipelines).into_iter().map(|name| (name, true));
        let listed = |(name, is_carried): (String, bool)| {
            let spec = Spec::load(&plan::locate(&self.pipelines, &name, None)?, &[])?;
            let tasks = plan::build(&catalogue, &self.pipelines, &Request::new(&name)).ok();
            let tasks = tasks.map(|plan| plan.tasks.len());
            Ok(Listed { name, figure: spec.header.figure, title: spec.header.title, tasks, is_carried })
        };
        own.chain(carried).map(listed).collect()
    }

    /// What a request would run now, and what is there already: the same prediction that a run goes by. `force` names a
    /// stage whose results are made anew although they are there; an empty name means all stages.
    ///
    /// # Errors
    /// All faults of the pipeline, each with its place; or the store cannot be read.
    pub fn plan(&self, request: &Request, force: Option<&str>) -> Result<Ahead> {
        let catalogue = self.catalogue()?;
        let store = self.store();
        let request = &on_this_machine(request);
        let mut level = Levels::new(&catalogue, &self.pipelines, request).present(reader(&store))?;
        level.plan.portable_kernels = portable_kernels();
        check_force(&level.plan, force)?;
        let statuses = Statuses::predict_for(&level.plan, level.wanted(), &store, force)?;
        Ok(Ahead { level, statuses })
    }

    /// Why tasks of a plan would run: what changed since the pipeline was published.
    ///
    /// # Errors
    /// What was published cannot be read.
    pub fn why(&self, ahead: &Ahead) -> Result<Vec<Change>> {
        let main = ahead.level.plan.main();
        // A run with overrides is compared with the full run that it departs from.
        let base = main.document["pipeline"]["name"].as_str().unwrap_or(&main.name);
        let published = match Manifest::read(&self.outputs.join(&main.name))? {
            Some(manifest) => Some(manifest),
            None => Manifest::read(&self.outputs.join(base))?,
        };
        Ok(explain(&ahead.level.plan, &ahead.statuses, published.as_ref()))
    }
}

/// The same request, with the memory that there is where it says nothing of it.
pub(super) fn on_this_machine(request: &Request) -> Request {
    Request { memory: request.memory.or_else(memory), ..request.clone() }
}

/// Gives tables of results that are in the store; damage counts as absence, as it does for the run.
pub(super) fn reader(store: &dyn Store) -> impl Fn(&Plan, usize, &str) -> Result<Option<Table>> + '_ {
    |plan, task, table| Ok(store.find(&plan.tasks[task].key)?.and_then(|entry| entry.read_table(table).ok()))
}

pub(super) fn check_force(plan: &Plan, force: Option<&str>) -> Result<()> {
    match force {
        Some(stage) if !stage.is_empty() => {
            let names: Vec<&str> = plan.main().stages.iter().map(|stage| stage.name.as_str()).collect();
            if names.contains(&stage) {
                return Ok(());
            }
            let there = instead_of(stage, names);
            Err(Error::usage(format!("`--force {stage}`: there is no such stage; {there}")))
        }
        _ => Ok(()),
    }
}
