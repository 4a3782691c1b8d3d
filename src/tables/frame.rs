//! A table as columns of plain values, for the few places that group rows by keys: bootstrap, claims, figures.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::cells::{Boolean, Category, CellType, Cells, Float64, Int64};
use super::row::{find, values};
use super::{ColumnType, Row, Table, TableError};

/// One cell of a key column. Ordered (nulls first) so that groups have a fixed order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cell {
    /// No value.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A measured number.
    Float(f64),
    /// A word; many rows share one.
    Text(#[serde(with = "shared_text")] Arc<str>),
}

/// Shared strings as plain ones.
mod shared_text {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
        Ok(String::deserialize(deserializer)?.into())
    }
}

impl schemars::JsonSchema for Cell {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Cell".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["boolean", "number", "string", "null"] })
    }
}

impl Eq for Cell {}

impl Ord for Cell {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Boolean(a), Self::Boolean(b)) => a.cmp(b),
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => a.total_cmp(b),
            (Self::Integer(a), Self::Float(b)) => (*a as f64).total_cmp(b),
            (Self::Float(a), Self::Integer(b)) => a.total_cmp(&(*b as f64)),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Cell {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Cell {
    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Boolean(_) => 1,
            Self::Integer(_) | Self::Float(_) => 2,
            Self::Text(_) => 3,
        }
    }

    /// Equal as a person means it: an integer in a TOML file matches a float column that holds the same number.
    pub fn matches(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }

    /// The number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
        }
    }
}

/// Columns by name over the rows of one batch, for tables whose columns only the pipeline knows.
#[derive(Debug)]
pub struct Frame {
    table: String,
    batch: RecordBatch,
}

impl Frame {
    /// `table` names the batch in errors.
    pub fn new(table: impl Into<String>, batch: RecordBatch) -> Self {
        Self { table: table.into(), batch }
    }

    /// What the batch is called in errors.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Rows of the batch.
    pub fn n_rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// The names of the columns, in their order.
    pub fn columns(&self) -> Vec<String> {
        self.batch.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    /// Whether there is such a column.
    pub fn has(&self, name: &str) -> bool {
        self.batch.column_by_name(name).is_some()
    }

    /// The rows as a declared type, which may have fewer columns than the batch.
    ///
    /// # Errors
    /// A column is missing, of another type, or null where it must not be.
    pub fn rows<'a, R: Row<'a>>(&'a self) -> Result<Vec<R>, TableError> {
        R::read(&self.batch).map_err(|error| TableError { table: self.table.clone(), ..error })
    }

    /// The values of a column.
    ///
    /// # Errors
    /// The column is missing, of another type, or null where it must not be.
    pub fn values<C: Cells>(&self, name: &str) -> Result<Vec<C::Value<'_>>, TableError> {
        values::<C>(&self.batch, &self.table, name)
    }

    /// A column of key values.
    ///
    /// # Errors
    /// The column is missing, or holds vectors.
    pub fn cells(&self, name: &str) -> Result<Vec<Cell>, TableError> {
        let error = |what: String| TableError::new(&self.table, name, what);
        let array = find(&self.batch, &self.table, name)?;
        match array.data_type() {
            DataType::Boolean => Ok(self.keys::<Boolean>(name, Cell::Boolean)?),
            kind if kind.is_integer() => Ok(self.keys::<Int64>(name, Cell::Integer)?),
            kind if kind.is_floating() => Ok(self.keys::<Float64>(name, Cell::Float)?),
            DataType::List(_) => Err(error("holds vectors, which are no keys".to_owned())),
            _ => {
                // Thousands of rows share a text.
                let mut known: BTreeMap<&str, Arc<str>> = BTreeMap::new();
                self.keys::<Category>(name, |text| Cell::Text(known.entry(text).or_insert_with(|| text.into()).clone()))
            }
        }
    }

    fn keys<'a, T: CellType>(
        &'a self,
        name: &str,
        mut cell: impl FnMut(T::Value<'a>) -> Cell,
    ) -> Result<Vec<Cell>, TableError> {
        let values = self.values::<Option<T>>(name)?;
        Ok(values.into_iter().map(|value| value.map_or(Cell::Null, &mut cell)).collect())
    }

    /// A column of numbers; null stays null.
    ///
    /// # Errors
    /// The column is missing, or holds no numbers.
    pub fn numbers(&self, name: &str) -> Result<Vec<Option<f64>>, TableError> {
        self.values::<Option<Float64>>(name)
    }
}

impl Table {
    /// Columns of numbers, by name, as an array (rows × columns); null is NaN.
    ///
    /// # Errors
    /// There is no such column, or it does not hold numbers.
    pub fn numbers(&self, columns: &[&str]) -> Result<Array2<f64>, TableError> {
        let mut numbers = Array2::from_elem((self.n_rows(), columns.len()), f64::NAN);
        let rows = self.to_batch().expect("the batches of a table follow its schema");
        let frame = Frame::new(self.schema.kind.as_ref(), rows);
        for (mut column, name) in numbers.columns_mut().into_iter().zip(columns) {
            column.iter_mut().zip(frame.numbers(name)?).for_each(|(to, from)| *to = from.unwrap_or(f64::NAN));
        }
        Ok(numbers)
    }
}

/// The narrowest column type that holds all cells.
pub fn type_of_cells<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> ColumnType {
    let mut found = None;
    for cell in cells {
        let kind = match cell {
            Cell::Null => continue,
            Cell::Boolean(_) => ColumnType::Boolean,
            Cell::Integer(_) => ColumnType::Int64,
            Cell::Float(_) => ColumnType::Float64,
            Cell::Text(_) => ColumnType::Category,
        };
        found = match (found, kind) {
            (None, kind) => Some(kind),
            (Some(ColumnType::Int64), ColumnType::Float64) | (Some(ColumnType::Float64), ColumnType::Int64) => {
                Some(ColumnType::Float64)
            }
            (Some(same), kind) if same == kind => Some(same),
            _ => Some(ColumnType::Category),
        };
    }
    found.unwrap_or(ColumnType::Category)
}

/// Cells as an arrow column of the given type.
///
/// # Errors
/// When a cell does not fit the type.
pub fn cells_to_array(cells: &[Cell], kind: ColumnType) -> Result<ArrayRef, ArrowError> {
    let misfit = |cell: &Cell| ArrowError::InvalidArgumentError(format!("{cell} is not {}", kind.in_words()));
    let integer = |cell: &Cell| match cell {
        Cell::Null => Ok(None),
        Cell::Integer(value) => Ok(Some(*value)),
        other => Err(misfit(other)),
    };
    Ok(match kind {
        ColumnType::Boolean => Arc::new(
            cells
                .iter()
                .map(|cell| match cell {
                    Cell::Null => Ok(None),
                    Cell::Boolean(value) => Ok(Some(*value)),
                    other => Err(misfit(other)),
                })
                .collect::<Result<BooleanArray, _>>()?,
        ),
        ColumnType::Int32 => {
            let narrow =
                |cell: &Cell| integer(cell)?.map(|value| i32::try_from(value).map_err(|_| misfit(cell))).transpose();
            Arc::new(cells.iter().map(narrow).collect::<Result<Int32Array, _>>()?)
        }
        ColumnType::Int64 => Arc::new(cells.iter().map(integer).collect::<Result<Int64Array, _>>()?),
        ColumnType::Float64 => Arc::new(
            cells
                .iter()
                .map(|cell| match cell {
                    Cell::Null => Ok(None),
                    cell => cell.as_f64().map(Some).ok_or_else(|| misfit(cell)),
                })
                .collect::<Result<Float64Array, _>>()?,
        ),
        ColumnType::Category | ColumnType::Text => {
            let texts: Vec<Option<String>> = cells
                .iter()
                .map(|cell| match cell {
                    Cell::Null => None,
                    cell => Some(cell.to_string()),
                })
                .collect();
            if kind == ColumnType::Category {
                <Category as CellType>::collect(texts.iter().map(Option::as_deref))
            } else {
                Arc::new(StringArray::from(texts))
            }
        }
        ColumnType::Float32List | ColumnType::UInt8List => {
            return Err(ArrowError::InvalidArgumentError("a vector is not a key".to_owned()));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_one_type_survive_the_way_through_an_array() {
        for (cells, kind) in [
            (vec![Cell::Integer(3), Cell::Null, Cell::Integer(-1)], ColumnType::Int64),
            (vec![Cell::Float(0.5), Cell::Null], ColumnType::Float64),
            (vec![Cell::Text("bp".into()), Cell::Text("bp_oja".into()), Cell::Null], ColumnType::Category),
            (vec![Cell::Boolean(true), Cell::Null], ColumnType::Boolean),
        ] {
            assert_eq!(type_of_cells(&cells), kind);
            let array = cells_to_array(&cells, kind).unwrap();
            let batch = RecordBatch::try_from_iter_with_nullable([("c", array, true)]).unwrap();
            assert_eq!(Frame::new("t", batch).cells("c").unwrap(), cells);
        }
    }

    #[test]
    fn integers_and_floats_of_the_same_value_match() {
        assert!(Cell::Integer(2).matches(&Cell::Float(2.0)));
        assert!(!Cell::Integer(2).matches(&Cell::Text("2".into())));
        assert_eq!(type_of_cells(&[Cell::Integer(1), Cell::Float(0.5)]), ColumnType::Float64);
    }
}
