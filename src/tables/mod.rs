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
use ndarray::Array2;

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

    /// Columns of numbers, by name, as an array (rows × columns); null is NaN.
    ///
    /// # Errors
    /// There is no such column, or it does not hold numbers.
    pub fn numbers(&self, columns: &[&str]) -> Result<Array2<f64>, TableError> {
        let mut numbers = Array2::from_elem((self.n_rows(), columns.len()), f64::NAN);
        let rows = self.to_batch().expect("the batches of a table follow its schema");
        let frame = frame::Frame::new(self.schema.kind.as_ref(), rows);
        for (mut column, name) in numbers.columns_mut().into_iter().zip(columns) {
            column.iter_mut().zip(frame.numbers(name)?).for_each(|(to, from)| *to = from.unwrap_or(f64::NAN));
        }
        Ok(numbers)
    }

    /// All rows in one batch.
    pub fn to_batch(&self) -> Result<RecordBatch, ArrowError> {
        match self.batches.as_slice() {
            [only] => Ok(only.clone()),
            batches => concat_batches(&self.schema.to_arrow(), batches),
        }
    }
}
