//! A table in memory.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::error::ArrowError;

use super::schema::TableSchema;

/// A table in memory: a schema and batches that follow it.
#[derive(Clone, Debug)]
pub struct Table {
    /// What its columns are.
    pub schema: TableSchema,
    /// Its rows, in order.
    pub batches: Vec<RecordBatch>,
}

impl Table {
    /// Batches that follow the schema.
    pub fn new(schema: TableSchema, batches: Vec<RecordBatch>) -> Self {
        Self { schema, batches }
    }

    /// How many rows there are in all.
    pub fn n_rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// All rows in one batch.
    ///
    /// # Errors
    /// The batches do not follow the schema.
    pub fn to_batch(&self) -> Result<RecordBatch, ArrowError> {
        match self.batches.as_slice() {
            [only] => Ok(only.clone()),
            batches => concat_batches(&self.schema.to_arrow(), batches),
        }
    }
}
