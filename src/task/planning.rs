//! One task in the making: what a kind is given, and what it returns.

use std::any::Any;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Facts, Inputs, KnownValues, Output, Reference, Work};
use crate::spec::Definitions;
use crate::spec::node::{Fault, Node, Span, choices, nearest, size};
use crate::tables::TableSchema;
use crate::tables::frame::Cell;

/// What a kind is given to plan one task.
pub struct Planning<'a> {
    /// The stage's name.
    pub stage: &'a str,
    /// Its parameters, with the values of the matrix laid over them.
    pub parameters: &'a Node,
    /// What the catalogue gives its kinds to look things up in; they know its type, planning does not.
    pub resources: &'a (dyn Any + Sync),
    /// What the pipeline defines beside its stages: `[rules.…]`, `[terms.…]`.
    pub definitions: &'a Definitions,
    /// The axes of the matrix, each with the values that were written; those that levels add are not among them.
    pub matrix: &'a KnownValues,
    /// Results of the stages referred to, for [`super::Reads::Task`].
    pub available: &'a [Available],
    /// Tables of the stages referred to, for [`super::Reads::Table`], each once, in the order of the references.
    pub tables: &'a [Gathered],
    /// Bytes of memory that the task may take while it runs.
    pub memory: u64,
}

impl fmt::Debug for Planning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Planning").field("stage", &self.stage).finish_non_exhaustive()
    }
}

/// A task as a kind planned it.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What has to be run.
    pub work: Arc<dyn Work>,
    /// What it reads of other tasks: positions among [`Planning::available`], in the order of the task's
    /// [`InputId`](super::InputId)s.
    pub inputs: Vec<usize>,
    /// Files that were looked up for it, which a copy of the plan needs.
    pub sources: Vec<Arc<Source>>,
}

impl Planned {
    /// Work that reads nothing of other tasks, or whole tables only.
    pub fn new(work: impl Work + 'static) -> Self {
        Self { work: Arc::new(work), inputs: Vec::new(), sources: Vec::new() }
    }

    /// The same, reading these inputs.
    pub fn reading(mut self, inputs: Inputs<'_, '_>) -> Self {
        self.inputs = inputs.into_positions();
        self
    }

    /// The same, after a look into these files.
    pub fn looked_up_in(mut self, sources: impl IntoIterator<Item = Arc<Source>>) -> Self {
        self.sources.extend(sources);
        self
    }
}

/// A file that something was looked up in while planning.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// Where it lies, seen from the folder of the pipelines.
    pub path: PathBuf,
    /// What stands in it.
    pub text: String,
}

/// A result that a task may read. Which task makes it is no affair of a kind: tasks that see the same are planned once.
#[derive(Clone, Debug)]
pub struct Available {
    /// The stage referred to.
    pub stage: String,
    /// The kind of table: a task asks for `weights`, whatever the stage that makes them is called.
    pub role: String,
    /// The table.
    pub output: Output,
    /// What is known of it.
    pub facts: Facts,
}

impl Available {
    /// Whether planning sees no difference: not which task makes it, only what it is and what is known of it.
    pub fn same(&self, other: &Self) -> bool {
        self.stage == other.stage
            && self.role == other.role
            && self.output == other.output
            && self.facts.same(&other.facts)
    }
}

/// A published table that a task may read.
#[derive(Clone, Debug)]
pub struct Gathered {
    /// Its published name.
    pub name: String,
    /// Where the parameters name it.
    pub span: Span,
    /// The schema with axes.
    pub schema: TableSchema,
    /// How many of the schema's first columns are axes of the matrix.
    pub n_axes: usize,
    /// Axes of the matrix that the table has as columns of its own.
    pub own_axes: Vec<String>,
    /// The values that columns can have, where that is known before the table is there: axes, and what comes from them.
    pub values: KnownValues,
}

impl Gathered {
    /// Whether `cell` can stand in a column of this table; a column whose values are not known yet can hold anything.
    ///
    /// # Errors
    /// It cannot: the fault, at `span`, names the values that there are.
    pub fn check_value(&self, column: &str, cell: &Cell, span: &Span) -> Result<(), Fault> {
        match self.values.get(column) {
            Some(values) if !values.iter().any(|value| value.matches(cell)) => {
                const SHOWN: usize = 12;
                let values: Vec<String> = values.iter().map(ToString::to_string).collect();
                let meant = nearest(&cell.to_string(), &values).filter(|_| matches!(cell, Cell::Text(_)));
                let there = match meant {
                    Some(meant) => format!("did you mean `{meant}`? There are"),
                    None => "there are".to_owned(),
                };
                let mut message = format!(
                    "no row of `{}` has `{column} = {cell}`; {there}: {}",
                    self.name,
                    choices(values.iter().take(SHOWN))
                );
                if values.len() > SHOWN {
                    message += &format!(", … ({} values)", values.len());
                }
                Err(Fault::at(span, message))
            }
            _ => Ok(()),
        }
    }
}

impl Planning<'_> {
    /// What is known of a table that the task may or may not read.
    pub fn facts_of(&self, reference: &Reference, role: &str) -> Option<&Facts> {
        let found = |available: &&Available| available.stage == reference.name && available.role == role;
        self.available.iter().find(found).map(|available| &available.facts)
    }

    /// The place of a parameter, or of the whole stage where it was left out.
    pub fn span(&self, field: &str) -> &Span {
        self.parameters.as_table().and_then(|table| table.get(field)).map_or(&self.parameters.span, |node| &node.span)
    }

    /// The place of a key inside a parameter (`step` in `where = { step = 600 }`), or of the whole parameter.
    pub fn key_within(&self, field: &str, key: &str) -> &Span {
        let table = self.parameters.as_table().and_then(|table| table.get(field)).and_then(Node::as_table);
        table.and_then(|table| table.key(key)).map_or_else(|| self.span(field), |key| &key.span)
    }

    /// As [`Planning::key_within`], for the value beside the key (`600`).
    pub fn value_within(&self, field: &str, key: &str) -> &Span {
        let table = self.parameters.as_table().and_then(|table| table.get(field)).and_then(Node::as_table);
        table.and_then(|table| table.get(key)).map_or_else(|| self.span(field), |value| &value.span)
    }

    /// That a task of this size can be run.
    ///
    /// # Errors
    /// It takes more memory than there is; the fault underlines the parameter that makes it so large.
    pub fn check_memory(&self, field: &str, what: &str, bytes: u128) -> Result<(), Fault> {
        if bytes <= u128::from(self.memory) {
            return Ok(());
        }
        let (needed, there) = (size(u64::try_from(bytes).unwrap_or(u64::MAX)), size(self.memory));
        let message = format!("about {needed} of memory for {what}; {there} may be taken");
        Err(self
            .fault(field, message)
            .help("Make it smaller, or allow more with `--memory` on a machine that has more."))
    }

    /// A fault at a parameter.
    pub fn fault(&self, field: &str, message: impl Into<String>) -> Fault {
        Fault::at(self.span(field), message)
    }
}
