//! What flows between stages: columns in memory, Parquet on disk, a schema for both.

pub mod aside;
pub mod assemble;
pub mod cells;
pub mod frame;
mod memory;
pub mod parquet;
pub mod row;
pub mod schema;
pub mod sql;
#[cfg(test)]
mod tests;

pub use assemble::Assembly;
pub use memory::Table;
pub(crate) use row::table;
pub use row::{Row, TableError};
pub use schema::{Column, ColumnType, Layout, TableSchema};
