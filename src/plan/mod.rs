//! [`Spec`](crate::spec::Spec) → [`Plan`]: every task with its key, before anything runs.
//!
//! The matrix is expanded, references and cycles are checked, parameters become checked types, schemas are known. What
//! the planner predicts is what runs: `ojaflow plan` and `ojaflow pipeline` look at the same plan.

mod axes;
mod compose;
mod display;
mod equations;
mod expand;
mod gather;
mod grid;
mod layout;
mod levels;
mod locate;
mod order;
mod places;
mod restrict;
mod shares;
mod size;
mod status;

pub use compose::{Request, build};
pub use display::{Format, display, status_word, summary};
pub use equations::{Equations, equations};
pub use grid::{Grid, Part, Parts};
pub use levels::{Level, Levels};
pub(crate) use locate::locate;
pub use locate::{carried_names, library, names};
pub use shares::{Components, Share};
pub use status::{Disposition, Statuses};

use std::path::PathBuf;
use std::sync::Arc;

use crate::spec::Definitions;
use crate::store::{Key, KeyMaterial, KeyedInput};
use crate::tables::TableSchema;
use crate::tables::frame::Cell;
use crate::task::{Output, Source, Storage, Work};

/// Everything that would run, equal tasks once.
#[derive(Debug)]
pub struct Plan {
    /// Inputs come before what reads them.
    pub tasks: Vec<Task>,
    /// Included pipelines before the one that includes them; the last is the one asked for.
    pub pipelines: Vec<Pipeline>,
    /// Whether tasks run on portable kernels, which take longer than those that costs were taken on.
    pub portable_kernels: bool,
}

impl Plan {
    /// The pipeline that was asked for.
    pub fn main(&self) -> &Pipeline {
        self.pipelines.last().expect("a plan has at least the pipeline asked for")
    }

    /// What the key of a task is the digest of. Put together when it is asked for: with parameters spelled out it is larger
    /// than all the rest of a task, and a plan may have a million.
    pub fn material(&self, task: &Task) -> KeyMaterial {
        self.material_of((task.kind, task.version), &*task.work, &task.inputs, &task.gathered)
    }

    /// The same of what is not a task yet, for want of a key: work of a kind and its version.
    fn material_of(
        &self,
        (kind, version): (&str, u32),
        work: &dyn Work,
        inputs: &[Input],
        gathered: &[GatheredInput],
    ) -> KeyMaterial {
        let key = |task: usize| self.tasks[task].key.clone();
        let single = inputs.iter().map(|input| KeyedInput {
            role: input.role.to_string(),
            table: input.table.to_string(),
            key: key(input.task),
            axes: Vec::new(),
        });
        let gathered = gathered.iter().flat_map(|table| {
            table.parts.iter().map(|part| KeyedInput {
                role: table.name.clone(),
                table: part.table().to_owned(),
                key: key(part.task),
                axes: part.named_axes(&table.schema),
            })
        });
        KeyMaterial {
            kind: kind.to_owned(),
            version,
            parameters: work.parameters(),
            inputs: single.chain(gathered).collect(),
        }
    }
}

/// One task: a piece of work, what it reads and its identity.
#[derive(Debug)]
pub struct Task {
    /// The digest of everything that its result depends on.
    pub key: Key,
    /// The kind of stage.
    pub kind: &'static str,
    /// The version of the kind.
    pub version: u32,
    /// The stage and its place on the axes, as a person names it.
    pub label: Box<str>,
    /// The stage that it belongs to.
    pub stage: Arc<str>,
    /// What has to be run.
    pub work: Arc<dyn Work>,
    /// Tables of single other tasks that it reads, in the order in which it declared them.
    pub inputs: Box<[Input]>,
    /// Tables that it reads as published.
    pub gathered: Box<[GatheredInput]>,
    /// Whether the stage keeps its tables at all.
    pub keep: bool,
}

impl Task {
    /// Tasks that have to be done, or their results be there, before this one.
    pub fn dependencies(&self) -> impl Iterator<Item = usize> + '_ {
        let parts = self.gathered.iter().flat_map(|gathered| gathered.parts.tasks().iter().copied());
        self.inputs.iter().map(|input| input.task).chain(parts)
    }

    /// Whether an output is stored.
    pub fn keeps(&self, output: &Output) -> bool {
        self.keep && output.storage != Storage::Passing
    }

    /// Whether the task leaves anything in the store.
    pub fn leaves_a_result(&self) -> bool {
        self.keep
    }
}

/// A table that a task reads from one other task.
#[derive(Clone, Debug)]
pub struct Input {
    /// What the task calls it.
    pub role: Arc<str>,
    /// The task that makes it, by its place in the plan.
    pub task: usize,
    /// The table of that task.
    pub table: Arc<str>,
    /// Handed on in memory: the other task runs whenever this one does.
    pub passing: bool,
}

/// A table that a task reads as published: all parts, axes as columns.
#[derive(Clone, Debug)]
pub struct GatheredInput {
    /// Its published name.
    pub name: String,
    /// Its schema, axes in front.
    pub schema: TableSchema,
    /// What it consists of, in the order of the matrix.
    pub parts: Parts,
}

/// One pipeline of a plan, as it is published.
#[derive(Debug)]
pub struct Pipeline {
    /// The folder's name.
    pub name: String,
    /// One sentence for people.
    pub title: String,
    /// The figure of the paper that it reproduces.
    pub figure: Option<String>,
    /// The file that it was read from.
    pub file: PathBuf,
    /// What stands in the file.
    pub text: String,
    /// Other files that something was looked up in.
    pub sources: Vec<Arc<Source>>,
    /// The last stage asked for, where not all were.
    pub to: Option<String>,
    /// What it defines for its stages to name.
    pub definitions: Definitions,
    /// The merged document and the overrides in it.
    pub document: serde_json::Value,
    /// The overrides as they were typed.
    pub overrides: Vec<String>,
    /// Its stages, in the order of the file.
    pub stages: Vec<Stage>,
    /// The tables that it publishes.
    pub tables: Vec<PublishedTable>,
    /// The figures that it publishes.
    pub files: Vec<PublishedFile>,
    /// The axes with all their values.
    pub axes: Vec<(String, Arc<[Cell]>)>,
    /// Included pipelines, by published name.
    pub includes: Vec<String>,
}

/// A stage and its tasks.
#[derive(Debug)]
pub struct Stage {
    /// Its name in the pipeline.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// Its tasks, with their places on the axes that it depends on.
    pub grid: Arc<Grid>,
}

/// A table as it is published: all parts, with the axes in front.
#[derive(Clone, Debug)]
pub struct PublishedTable {
    /// Its name: that of the stage, with that of the table.
    pub name: String,
    /// The stage that makes it.
    pub stage: String,
    /// With axes.
    pub schema: TableSchema,
    /// What it consists of, in the order of the matrix.
    pub parts: Parts,
    /// How many of the schema's first columns are axes.
    pub n_axes: usize,
    /// For folders, which leave axes out: the table that has them, one row for each part.
    pub register: Option<String>,
}

/// A figure.
#[derive(Clone, Debug)]
pub struct PublishedFile {
    /// Its file name in the published folder.
    pub name: String,
    /// The stage that draws it.
    pub stage: String,
    /// The task that draws it, by its place in the plan.
    pub task: usize,
    /// What the task calls the file: `svg`.
    pub file: &'static str,
}

#[cfg(test)]
mod tests;
