//! What flows between stages: columns in memory, Parquet on disk, a schema for both.

pub mod assemble;
pub mod cells;
pub mod frame;
pub mod parquet;
pub mod row;
pub mod schema;
pub mod sql;
#[cfg(test)]
mod tests;
pub mod vectors;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::error::ArrowError;

pub use assemble::Assembly;
pub(crate) use row::table;
pub use row::{Row, TableError};
pub use schema::{Column, ColumnType, Layout, TableSchema};

/// A table in memory: a schema and batches that follow it.
#[derive(Clone, Debug)]
pub struct Table {
    pub schema: TableSchema,
    pub batches: Vec<RecordBatch>,
}

impl Table {
    pub fn new(schema: TableSchema, batches: Vec<RecordBatch>) -> Self {
        Self { schema, batches }
    }

    pub fn n_rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// All rows in one batch.
    pub fn to_batch(&self) -> Result<RecordBatch, ArrowError> {
        match self.batches.as_slice() {
            [only] => Ok(only.clone()),
            batches => concat_batches(&self.schema.to_arrow(), batches),
        }
    }
}
