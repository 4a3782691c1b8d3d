//! A kind of stage.

use std::any::Any;

use super::{Output, Planned, Planning, Reference};
use crate::spec::Definitions;
use crate::spec::node::{Fault, Node};

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

    /// The tables that it makes, for the reference: without columns that follow from its parameters or from what it reads.
    fn tables(&self) -> Vec<Output> {
        Vec::new()
    }

    /// Where a plain axis of this name goes: the path of a parameter, if this kind has it in a pipeline that defines so much.
    fn axis_parameter(&self, _axis: &str, _definitions: &Definitions) -> Option<Vec<String>> {
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

    /// What is wrong with what a pipeline defines, whether or not a stage names it.
    fn check(&self, _definitions: &Definitions) -> Vec<Fault> {
        Vec::new()
    }

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
