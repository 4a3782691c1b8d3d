//! What a request came to.

use crate::error::{Error, Result};
use crate::plan::{Disposition, Statuses};
use crate::publish::{self, Published};
use crate::spec::node::instead_of;
use crate::tables::{Table, parquet};

/// A request carried out.
#[derive(Debug)]
pub struct Outcome {
    /// How many tasks were run; the others were in the store.
    pub executed: usize,
    /// How many tasks another run carried out meanwhile, whose results were taken over.
    pub shared: usize,
    /// What happened to each task of the plan.
    pub statuses: Statuses,
    /// The published folders: included pipelines first, the one asked for last.
    pub published: Vec<Published>,
}

impl Outcome {
    pub(super) fn new((executed, shared): (usize, usize), statuses: Statuses, published: Vec<Published>) -> Self {
        Self { executed, shared, statuses, published }
    }

    /// How many results were in the store when they were needed.
    pub fn found(&self) -> usize {
        self.statuses.count(Disposition::Cached) + self.shared
    }

    /// A published table of the pipeline that was asked for; of a folder of parts, all parts.
    ///
    /// # Errors
    /// There is no such table, or it cannot be read.
    pub fn table(&self, name: &str) -> Result<Table> {
        let published = self.published.last().expect("a request publishes at least the pipeline asked for");
        let tables = &published.manifest.tables;
        let Some(entry) = tables.iter().find(|table| table.name == name) else {
            let there = instead_of(name, tables.iter().map(|table| &table.name));
            return Err(Error::usage(format!("`{}` has no table `{name}`; {there}", published.manifest.pipeline)));
        };
        let files = published.manifest.files().into_iter().filter(|file| file.table.is_some_and(|of| of.name == name));
        let mut batches = Vec::new();
        for file in files {
            let bytes = publish::read(&published.folder, &file.path, file.digest)?;
            let damaged = |error| Error::Store(format!("{} is damaged: {error}", file.path));
            batches.extend(parquet::read(bytes.into(), &entry.schema).map_err(damaged)?.batches);
        }
        Ok(Table::new(entry.schema.clone(), batches))
    }
}
