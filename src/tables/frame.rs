//! A table as columns of plain values, for the few places that group rows by keys: bootstrap, claims, figures.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use arrow::error::ArrowError;
use serde::{Deserialize, Serialize};

use super::ColumnType;
use super::parquet::categories;

/// One cell of a key column. Ordered (nulls first) so that groups have a fixed order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cell {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(#[serde(with = "shared_text")] Arc<str>),
}

/// Shared strings as plain ones.
mod shared_text {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
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

/// Columns by name over the rows of one batch.
#[derive(Debug)]
pub struct Frame {
    batch: RecordBatch,
}

impl Frame {
    pub fn new(batch: RecordBatch) -> Self {
        Self { batch }
    }

    pub fn n_rows(&self) -> usize {
        self.batch.num_rows()
    }

    pub fn has(&self, name: &str) -> bool {
        self.batch.column_by_name(name).is_some()
    }

    /// A column of key values.
    pub fn cells(&self, name: &str) -> Option<Vec<Cell>> {
        let array = self.batch.column_by_name(name)?;
        let array = match array.data_type() {
            DataType::Dictionary(_, _) | DataType::Utf8View | DataType::LargeUtf8 => {
                cast(array, &DataType::Utf8).ok()?
            }
            DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
                cast(array, &DataType::Int64).ok()?
            }
            DataType::Float32 => cast(array, &DataType::Float64).ok()?,
            _ => array.clone(),
        };
        let mut interned: BTreeMap<String, Arc<str>> = BTreeMap::new();
        let mut text = |value: &str| match interned.get(value) {
            Some(shared) => Cell::Text(shared.clone()),
            None => {
                let shared: Arc<str> = value.into();
                interned.insert(value.to_owned(), shared.clone());
                Cell::Text(shared)
            }
        };
        let cell = |row: usize| -> Option<Cell> {
            if array.is_null(row) {
                return Some(Cell::Null);
            }
            Some(match array.data_type() {
                DataType::Boolean => Cell::Boolean(array.as_boolean().value(row)),
                DataType::Int32 => Cell::Integer(array.as_primitive::<Int32Type>().value(row).into()),
                DataType::Int64 => Cell::Integer(array.as_primitive::<Int64Type>().value(row)),
                DataType::Float64 => Cell::Float(array.as_primitive::<Float64Type>().value(row)),
                DataType::Utf8 => text(array.as_string::<i32>().value(row)),
                _ => return None,
            })
        };
        (0..self.n_rows()).map(cell).collect()
    }

    /// A column of numbers; null stays null.
    pub fn numbers(&self, name: &str) -> Option<Vec<Option<f64>>> {
        let array = cast(self.batch.column_by_name(name)?, &DataType::Float64).ok()?;
        Some(array.as_primitive::<Float64Type>().iter().collect())
    }

    /// A column of strings; null stays null.
    pub fn strings(&self, name: &str) -> Option<Vec<Option<String>>> {
        let array = cast(self.batch.column_by_name(name)?, &DataType::Utf8).ok()?;
        Some(array.as_string::<i32>().iter().map(|value| value.map(str::to_owned)).collect())
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
                categories(texts.iter().map(Option::as_deref))
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
            assert_eq!(Frame::new(batch).cells("c").unwrap(), cells);
        }
    }

    #[test]
    fn integers_and_floats_of_the_same_value_match() {
        assert!(Cell::Integer(2).matches(&Cell::Float(2.0)));
        assert!(!Cell::Integer(2).matches(&Cell::Text("2".into())));
        assert_eq!(type_of_cells(&[Cell::Integer(1), Cell::Float(0.5)]), ColumnType::Float64);
    }
}
