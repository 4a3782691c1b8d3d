//! The words by which stages refer to each other.

use crate::spec::node::{Fault, Node, Span};

/// A word in the parameters that names a stage or a table.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The word.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// What it names.
    pub reads: Reads,
    /// Where this one follows from another that was named: a table that stands beside it.
    pub beside: Option<Beside>,
}

/// The table beside which another one has to stand.
#[derive(Clone, Debug)]
pub struct Beside {
    /// Its name.
    pub name: String,
    /// What to name instead, where nothing stands beside it.
    pub help: &'static str,
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
        Ok(Some(Self { name: node.read()?, span: node.span.clone(), reads, beside: None }))
    }

    /// The table of this name that stands beside the one referred to; `help` says what to name where there is none.
    pub fn to_table_beside(&self, name: String, help: &'static str) -> Self {
        Self { name, beside: Some(Beside { name: self.name.clone(), help }), ..self.clone() }
    }
}
