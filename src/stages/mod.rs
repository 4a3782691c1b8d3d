//! The nodes of a pipeline, in flow order, one kind a file.
//!
//! A [`Kind`] is what `kind = "…"` names in a pipeline file. Given checked parameters and the results it will read, it
//! plans a piece of [`Work`]; work knows its parameters in canonical form and the tables it makes before it runs.
//! A stage reads tables, calls `science`, writes tables; the mathematics is not here.

pub mod activation_norms;
pub mod activations;
pub mod best_cell;
pub mod bootstrap;
pub mod claims;
pub mod explained_variance;
pub mod figure;
pub mod load;
pub mod measurement;
pub mod meta_learn;
pub mod networks;
pub mod parameters;
pub mod reconstruction_error;
pub mod reconstructions;
pub mod rows;
pub mod sql;
pub mod train;
pub mod train_batch;
pub mod train_recurrent;
pub mod weight_diagnostics;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::plan::environment::Environment;
use crate::run::Context;
use crate::spec::NamedNode;
use crate::spec::node::{Fault, Node, Span, choices};
use crate::store::Key;
use crate::tables::TableSchema;
use crate::tables::frame::Cell;

/// All kinds of stages, in flow order.
pub fn kinds() -> &'static [&'static dyn Kind] {
    &[
        &load::Load,
        &train::Train,
        &train_recurrent::TrainRecurrent,
        &meta_learn::MetaLearn,
        &train_batch::TrainBatch,
        &activations::Activations,
        &reconstruction_error::ReconstructionError,
        &reconstructions::Reconstructions,
        &activation_norms::ActivationNorms,
        &weight_diagnostics::WeightDiagnostics,
        &explained_variance::ExplainedVariance,
        &bootstrap::Bootstrap,
        &best_cell::BestCell,
        &sql::Sql,
        &figure::FigureKind,
    ]
}

/// The kind that a pipeline file names.
pub fn kind(name: &str) -> Option<&'static dyn Kind> {
    kinds().iter().copied().find(|kind| kind.name() == name)
}

/// A kind of stage.
pub trait Kind: Sync {
    /// The word after `kind =`.
    fn name(&self) -> &'static str;

    /// One sentence for the reference.
    fn summary(&self) -> &'static str;

    /// To be raised whenever the same parameters and inputs give other results than before.
    fn version(&self) -> u32;

    /// The JSON Schema of the parameters.
    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema;

    /// Where a plain axis of this name goes: the path of a parameter, if this kind has it.
    fn axis_parameter(&self, _axis: &str) -> Option<Vec<String>> {
        None
    }

    /// The stages or tables that the parameters refer to.
    ///
    /// # Errors
    /// A reference that is missing or not a name.
    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault>;

    /// Checks the parameters of one task.
    ///
    /// # Errors
    /// The first parameter that is wrong, with its place.
    fn plan(&self, planning: &Planning<'_>) -> Result<Box<dyn Work>, Fault>;
}

/// A word in the parameters that names a stage or a table.
#[derive(Clone, Debug)]
pub struct Reference {
    pub name: String,
    pub span: Span,
    pub reads: Reads,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Each task reads the matching task of that stage.
    Task,
    /// One task reads the table as published: all parts, axes as columns.
    Table,
}

impl Reference {
    /// The reference in a required parameter.
    pub fn required(parameters: &Node, field: &str, reads: Reads) -> Result<Self, Fault> {
        Self::optional(parameters, field, reads)?
            .ok_or_else(|| Fault::at(&parameters.span, format!("the key `{field}` is missing")))
    }

    /// The reference in a parameter that may be left out.
    pub fn optional(parameters: &Node, field: &str, reads: Reads) -> Result<Option<Self>, Fault> {
        let Some(node) = parameters.as_table().and_then(|table| table.get(field)) else { return Ok(None) };
        Ok(Some(Self { name: node.read()?, span: node.span.clone(), reads }))
    }
}

/// What a task makes.
#[derive(Clone, Debug)]
pub struct Output {
    /// What follows the stage's name in the table's name; empty where a stage makes one table.
    pub suffix: &'static str,
    /// Shared: a plan of 100,000 tasks would otherwise be mostly copies of it.
    pub schema: Arc<TableSchema>,
    pub storage: Storage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Kept in the store and published.
    Kept,
    /// Handed on in memory to the stages that read it, then dropped.
    Passing,
}

impl Output {
    pub fn kept(suffix: &'static str, schema: impl Into<Arc<TableSchema>>) -> Self {
        Self { suffix, schema: schema.into(), storage: Storage::Kept }
    }

    pub fn passing(suffix: &'static str, schema: impl Into<Arc<TableSchema>>) -> Self {
        Self { suffix, schema: schema.into(), storage: Storage::Passing }
    }

    /// The name under which a result holds this table: it does not depend on what a person called the stage.
    pub fn table(&self) -> &str {
        if self.suffix.is_empty() { &self.schema.kind } else { self.suffix }
    }

    /// The name under which the table of a stage is published.
    pub fn published(&self, stage: &str) -> String {
        if self.suffix.is_empty() { stage.to_owned() } else { format!("{stage}_{}", self.suffix) }
    }
}

/// What is known of a result before it exists, for the checks of those who read it.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub data: Option<Arc<DataFacts>>,
    pub network: Option<Arc<NetworkFacts>>,
    /// Steps and layers of a table of measurements.
    pub layers: Option<Vec<usize>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct DataFacts {
    pub name: String,
    pub n_train: usize,
    pub n_test: usize,
    pub n_classes: usize,
    pub n_pixels: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NetworkFacts {
    pub sizes: Vec<usize>,
    /// Steps at which the network can be looked at in passing.
    pub schedule: Vec<u64>,
    /// Steps at which its weights are kept.
    pub snapshots: Vec<u64>,
}

impl NetworkFacts {
    pub fn n_layers(&self) -> usize {
        self.sizes.len() - 1
    }
}

/// A learning rule as a task runs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Equation {
    /// With its coefficients, one equation a line.
    pub plain: String,
    /// The same in LaTeX, one equation an entry.
    pub latex: Vec<String>,
    /// What a brain would need for it beyond what its terms say.
    pub needs: Vec<&'static str>,
}

/// One task in the making.
pub struct Planning<'a> {
    pub stage: &'a str,
    pub parameters: &'a Node,
    pub environment: &'a Environment,
    /// `[rules.…]` of the pipeline.
    pub rules: &'a [NamedNode],
    /// Results of the stages referred to, for [`Reads::Task`].
    pub available: &'a [Available],
    /// Tables of the stages referred to, for [`Reads::Table`].
    pub tables: &'a [Gathered],
    /// The roles in `available` that the task reads.
    pub used: RefCell<Vec<usize>>,
}

/// A result that a task may read.
#[derive(Clone, Debug)]
pub struct Available {
    /// The stage referred to.
    pub stage: String,
    /// The kind of table: a task asks for `weights`, whatever the stage that makes them is called.
    pub role: String,
    pub task: usize,
    pub key: Key,
    pub output: Output,
    pub facts: Facts,
}

/// A published table that a task may read.
#[derive(Clone, Debug)]
pub struct Gathered {
    pub name: String,
    pub span: Span,
    /// The schema with axes.
    pub schema: TableSchema,
    /// How many of the schema's first columns are axes of the matrix.
    pub n_axes: usize,
    /// Axes of the matrix that the table has as columns of its own.
    pub own_axes: Vec<String>,
    /// The values that columns can have, where that is known before the table is there: axes, and what comes from them.
    pub values: BTreeMap<String, Vec<Cell>>,
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
                let mut there = choices(values.iter().take(SHOWN).map(ToString::to_string));
                if values.len() > SHOWN {
                    there += &format!(", … ({} values)", values.len());
                }
                let message = format!("no row of `{}` has `{column} = {cell}`; there are: {there}", self.name);
                Err(Fault::at(span, message))
            }
            _ => Ok(()),
        }
    }
}

impl Planning<'_> {
    /// Says that the task reads this role.
    ///
    /// # Errors
    /// No stage referred to makes such a table.
    pub fn input(&self, role: &str) -> Result<&Available, Fault> {
        let Some(index) = self.available.iter().position(|available| available.role == role) else {
            let roles: Vec<&str> = self.available.iter().map(|available| available.role.as_str()).collect();
            let of = self
                .parameters
                .as_table()
                .and_then(|table| table.get("of"))
                .map_or(&self.parameters.span, |of| &of.span);
            let message = format!("stage `{}` reads `{role}`; what it refers to makes: {}", self.stage, choices(roles));
            return Err(Fault::at(of, message));
        };
        Ok(self.using(index))
    }

    /// As [`Planning::input`], of one of several stages that make such a table. The second that a task uses has the role
    /// `<role>_2` when it runs, the third `<role>_3`.
    ///
    /// # Errors
    /// The stage makes no such table.
    pub fn input_of(&self, reference: &Reference, role: &str) -> Result<&Available, Fault> {
        let is_it = |available: &Available| available.stage == reference.name && available.role == role;
        match self.available.iter().position(is_it) {
            Some(index) => Ok(self.using(index)),
            None => {
                let message = format!("stage `{}` reads `{role}`; `{}` makes none", self.stage, reference.name);
                Err(Fault::at(&reference.span, message))
            }
        }
    }

    /// What is known of a table that the task may or may not read.
    pub fn facts_of(&self, reference: &Reference, role: &str) -> Option<&Facts> {
        let found = |available: &&Available| available.stage == reference.name && available.role == role;
        self.available.iter().find(found).map(|available| &available.facts)
    }

    fn using(&self, index: usize) -> &Available {
        let mut used = self.used.borrow_mut();
        if !used.contains(&index) {
            used.push(index);
        }
        &self.available[index]
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

    /// A fault at a parameter.
    pub fn fault(&self, field: &str, message: impl Into<String>) -> Fault {
        Fault::at(self.span(field), message)
    }
}

/// One checked task: it only has to be run.
pub trait Work: Send + Sync + fmt::Debug {
    /// All parameters that the result depends on, defaults filled in.
    fn parameters(&self) -> serde_json::Value;

    fn outputs(&self) -> &[Output];

    fn facts(&self) -> Facts {
        Facts::default()
    }

    /// The values that columns of the table can have, of a task that reads whole tables; see [`Gathered::values`].
    fn known_values(&self) -> BTreeMap<String, Vec<Cell>> {
        BTreeMap::new()
    }

    /// The learning rule, of a task that trains.
    fn equation(&self) -> Option<Equation> {
        None
    }

    /// Names of files beside the tables (figures).
    fn files(&self) -> &[&'static str] {
        &[]
    }

    /// Reads inputs from the context, writes outputs to it.
    ///
    /// # Errors
    /// An input cannot be read, an output not be written, or the numbers are not what the stage can work with.
    fn run(&self, context: &Context<'_>) -> crate::error::Result<()>;

    /// A rough cost in seconds, for the estimate of the time left.
    fn cost(&self) -> f64 {
        0.05
    }
}
