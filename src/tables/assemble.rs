//! Tables with columns that only the pipeline knows, put together by name.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};

use super::cells::Cells;
use super::frame::{Cell, cells_to_array};
use super::{Row, TableError, TableSchema};

/// The columns of one batch, each put in under its name, in any order. What stands where in the table is the schema's
/// matter: a column that it does not have, of another type, twice or not at all is an error that names it.
#[derive(Debug)]
pub struct Assembly {
    schema: Arc<TableSchema>,
    columns: Vec<Option<ArrayRef>>,
    error: Option<TableError>,
}

impl Assembly {
    /// A batch of this schema, without columns yet.
    pub fn new(schema: impl Into<Arc<TableSchema>>) -> Self {
        let schema = schema.into();
        Self { columns: vec![None; schema.columns.len()], schema, error: None }
    }

    /// All columns of a declared row.
    #[must_use]
    pub fn rows<'a, R: Row<'a>>(self, rows: &[R]) -> Self {
        R::columns(rows).into_iter().fold(self, |assembly, (name, array)| assembly.array(name, Ok(array)))
    }

    /// One column.
    #[must_use]
    pub fn column<'a, C: Cells>(self, name: &str, values: impl IntoIterator<Item = C::Value<'a>>) -> Self {
        let array = C::collect(values.into_iter());
        self.array(name, Ok(array))
    }

    /// One column of keys, of the type that the schema gives it.
    #[must_use]
    pub fn cells(self, name: &str, cells: &[Cell]) -> Self {
        let Some(column) = self.schema.column(name) else {
            return self.array(name, Ok(Arc::new(arrow::array::NullArray::new(0))));
        };
        let array = cells_to_array(cells, column.kind).map_err(|error| error.to_string());
        self.array(name, array)
    }

    fn array(mut self, name: &str, array: Result<ArrayRef, String>) -> Self {
        if self.error.is_none() {
            self.error = self.put(name, array).err().map(|what| TableError::new(&*self.schema.kind, name, what));
        }
        self
    }

    fn put(&mut self, name: &str, array: Result<ArrayRef, String>) -> Result<(), String> {
        let Some(index) = self.schema.columns.iter().position(|column| column.name == name) else {
            let there: Vec<String> = self.schema.column_names().map(|name| format!("`{name}`")).collect();
            return Err(format!("is none of this table's: {}", there.join(", ")));
        };
        let (column, array) = (&self.schema.columns[index], array?);
        if *array.data_type() != column.kind.to_arrow() {
            return Err(format!("is of type {}, not {}", array.data_type(), column.kind.in_words()));
        }
        if let Some(other) = self.columns.iter().flatten().next().filter(|other| other.len() != array.len()) {
            return Err(format!("has {} rows, others have {}", array.len(), other.len()));
        }
        if !column.nullable && array.null_count() > 0 {
            return Err("must not be null".to_owned());
        }
        match self.columns[index].replace(array) {
            Some(_) => Err("was put in twice".to_owned()),
            None => Ok(()),
        }
    }

    /// The batch, its columns in the order of the schema.
    ///
    /// # Errors
    /// The first column that did not fit, or one that is missing.
    pub fn batch(self) -> Result<RecordBatch, TableError> {
        let Self { schema, columns, error } = self;
        if let Some(error) = error {
            return Err(error);
        }
        let present = schema.columns.iter().zip(columns).map(|(column, array)| {
            array.ok_or_else(|| TableError::new(&*schema.kind, &*column.name, "was not put in"))
        });
        let columns = present.collect::<Result<Vec<_>, _>>()?;
        Ok(RecordBatch::try_new(schema.to_arrow(), columns).expect("types, nulls and lengths were checked"))
    }
}
