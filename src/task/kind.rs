//! A kind of stage, and the words by which stages refer to each other.

use std::any::Any;

use super::{Planned, Planning};
use crate::spec::node::{Fault, Node, Span};

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
    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault>;
}

/// The kinds that a pipeline can name, and what they look things up in while they plan.
pub trait Catalogue: Sync {
    /// All kinds, in flow order.
    fn kinds(&self) -> &[&'static dyn Kind];

    /// The kind of the stage that `[[claims]]` stands for.
    fn claims(&self) -> &'static dyn Kind;

    /// What the kinds, and nobody else, know how to use: see [`Planning::resources`].
    fn resources(&self) -> &(dyn Any + Sync);

    /// What the column of an axis means, where it has a meaning beyond its name.
    fn describe_axis(&self, _axis: &str) -> Option<&'static str> {
        None
    }
}

impl dyn Catalogue + '_ {
    /// The kind that a pipeline file names.
    pub fn kind(&self, name: &str) -> Option<&'static dyn Kind> {
        self.kinds().iter().copied().find(|kind| kind.name() == name)
    }
}

/// A word in the parameters that names a stage or a table.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The word.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// What it names.
    pub reads: Reads,
}

/// What a [`Reference`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Each task reads the matching task of that stage.
    Task,
    /// One task reads the table as published: all parts, axes as columns.
    Table,
}

impl Reference {
    /// The reference in a required parameter.
    ///
    /// # Errors
    /// It is missing, or not a name.
    pub fn required(parameters: &Node, field: &str, reads: Reads) -> Result<Self, Fault> {
        Self::optional(parameters, field, reads)?
            .ok_or_else(|| Fault::at(&parameters.span, format!("the key `{field}` is missing")))
    }

    /// The reference in a parameter that may be left out.
    ///
    /// # Errors
    /// It is not a name.
    pub fn optional(parameters: &Node, field: &str, reads: Reads) -> Result<Option<Self>, Fault> {
        let Some(node) = parameters.as_table().and_then(|table| table.get(field)) else { return Ok(None) };
        Ok(Some(Self { name: node.read()?, span: node.span.clone(), reads }))
    }
}
