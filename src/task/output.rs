//! What a task makes.

use std::sync::Arc;

use crate::tables::TableSchema;

/// One table that a task makes.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// What follows the stage's name in the table's name; empty where a stage makes one table.
    pub suffix: &'static str,
    /// Shared: a plan of 100,000 tasks would otherwise be mostly copies of it.
    pub schema: Arc<TableSchema>,
    /// Whether it stays.
    pub storage: Storage,
    /// Whether it has one row for the task itself, which the task's other tables refer to: folders of parts, which leave the
    /// axes out, are joined to them through it.
    pub is_register: bool,
    /// Whether it is published only where some part of it has a row: what most tasks of its kind have nothing to say in.
    pub is_optional: bool,
}

/// Whether a table stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Kept in the store and published.
    Kept,
    /// Handed on in memory to the stages that read it, then dropped.
    Passing,
    /// Kept in the store for the task's own [`Sequel`](super::Sequel); nobody else reads it, and it is not published.
    Private,
}

impl Output {
    /// A table that is kept and published.
    pub fn kept(suffix: &'static str, schema: impl Into<Arc<TableSchema>>) -> Self {
        Self { suffix, schema: schema.into(), storage: Storage::Kept, is_register: false, is_optional: false }
    }

    /// A table that is handed on in memory only.
    pub fn passing(suffix: &'static str, schema: impl Into<Arc<TableSchema>>) -> Self {
        Self { suffix, schema: schema.into(), storage: Storage::Passing, is_register: false, is_optional: false }
    }

    /// A table that only says how the plan goes on.
    pub fn private(suffix: &'static str, schema: impl Into<Arc<TableSchema>>) -> Self {
        Self { suffix, schema: schema.into(), storage: Storage::Private, is_register: false, is_optional: false }
    }

    /// The same, as the table with one row for each task; see [`Output::is_register`].
    pub fn register(mut self) -> Self {
        self.is_register = true;
        self
    }

    /// The same, published only where it has a row; see [`Output::is_optional`].
    pub fn optional(mut self) -> Self {
        self.is_optional = true;
        self
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
