//! The types of columns: how a value stands in a row, and how many of them become an array and come back.
//!
//! `table!` names them (`step: Int64`, `loss: Option<Float64>`). Text and vectors are borrowed on both
//! ways: thousands of rows share one `run_id`, and a matrix is read where it lies in the array.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, LargeStringArray,
    ListArray, PrimitiveArray, StringArray, StringViewArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Field, Float32Type, Float64Type, Int32Type, Int64Type, UInt8Type,
};

use super::ColumnType;

/// The type of a column without nulls.
pub trait CellType {
    /// As the schema has it.
    const TYPE: ColumnType;

    /// One value, as a row holds it.
    type Value<'a>: Copy + fmt::Debug + PartialEq;

    /// An array whose type has been checked.
    type Reader<'a>;

    /// An array of values; none is null.
    fn collect<'a>(values: impl Iterator<Item = Option<Self::Value<'a>>>) -> ArrayRef;

    /// As [`CellType::collect`], where none is null.
    fn collect_all<'a>(values: impl Iterator<Item = Self::Value<'a>>) -> ArrayRef {
        Self::collect(values.map(Some))
    }

    /// None if the array is of another type.
    fn reader(array: &dyn Array) -> Option<Self::Reader<'_>>;

    /// The value in a row where there is one.
    fn get<'a>(reader: &Self::Reader<'a>, row: usize) -> Self::Value<'a>;
}

/// What a row can hold: a value of some [`CellType`], or an `Option` of one where the column may be null.
pub trait Cells {
    /// As the schema has it.
    const TYPE: ColumnType;

    /// Whether there can be rows without a value.
    const NULLABLE: bool;

    /// One value, as a row holds it.
    type Value<'a>: Copy + fmt::Debug + PartialEq;

    /// An array that has been checked.
    type Reader<'a>;

    /// The column of many rows.
    fn collect<'a>(values: impl Iterator<Item = Self::Value<'a>>) -> ArrayRef;

    /// Checks type and nulls of an array.
    ///
    /// # Errors
    /// What is wrong, to be put behind the name of the column.
    fn reader(array: &dyn Array) -> Result<Self::Reader<'_>, String>;

    /// The value in a row.
    fn get<'a>(reader: &Self::Reader<'a>, row: usize) -> Self::Value<'a>;
}

impl<T: CellType> Cells for T {
    const TYPE: ColumnType = T::TYPE;
    const NULLABLE: bool = false;

    type Value<'a> = T::Value<'a>;
    type Reader<'a> = T::Reader<'a>;

    fn collect<'a>(values: impl Iterator<Item = Self::Value<'a>>) -> ArrayRef {
        T::collect_all(values)
    }

    fn reader(array: &dyn Array) -> Result<Self::Reader<'_>, String> {
        let reader = T::reader(array).ok_or_else(|| misfit(array, T::TYPE))?;
        match array.logical_nulls().and_then(|nulls| nulls.iter().position(|is_valid| !is_valid)) {
            Some(row) => Err(format!("is null in row {row}, and must not be")),
            None => Ok(reader),
        }
    }

    fn get<'a>(reader: &Self::Reader<'a>, row: usize) -> Self::Value<'a> {
        T::get(reader, row)
    }
}

impl<T: CellType> Cells for Option<T> {
    const TYPE: ColumnType = T::TYPE;
    const NULLABLE: bool = true;

    type Value<'a> = Option<T::Value<'a>>;
    type Reader<'a> = (Option<NullBuffer>, T::Reader<'a>);

    fn collect<'a>(values: impl Iterator<Item = Self::Value<'a>>) -> ArrayRef {
        T::collect(values)
    }

    fn reader(array: &dyn Array) -> Result<Self::Reader<'_>, String> {
        let reader = T::reader(array).ok_or_else(|| misfit(array, T::TYPE))?;
        Ok((array.logical_nulls(), reader))
    }

    fn get<'a>((nulls, reader): &Self::Reader<'a>, row: usize) -> Self::Value<'a> {
        let is_valid = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        is_valid.then(|| T::get(reader, row))
    }
}

fn misfit(array: &dyn Array, wanted: ColumnType) -> String {
    format!("is of type {}, not {}", array.data_type(), wanted.in_words())
}

/// Truth values.
#[derive(Debug)]
pub struct Boolean;

/// Indices and counts.
#[derive(Debug)]
pub struct Int32;

/// Steps and long counts.
#[derive(Debug)]
pub struct Int64;

/// Measured numbers.
#[derive(Debug)]
pub struct Float64;

/// Dictionary-encoded text.
#[derive(Debug)]
pub struct Category;

/// Free text.
#[derive(Debug)]
pub struct Text;

/// Vectors of numbers, each of its own length.
#[derive(Debug)]
pub struct Float32List;

/// Vectors of bytes, each of its own length.
#[derive(Debug)]
pub struct UInt8List;

impl CellType for Boolean {
    const TYPE: ColumnType = ColumnType::Boolean;

    type Value<'a> = bool;
    type Reader<'a> = &'a BooleanArray;

    fn collect<'a>(values: impl Iterator<Item = Option<Self::Value<'a>>>) -> ArrayRef {
        Arc::new(values.collect::<BooleanArray>())
    }

    fn reader(array: &dyn Array) -> Option<&BooleanArray> {
        array.as_boolean_opt()
    }

    fn get<'a>(reader: &Self::Reader<'a>, row: usize) -> Self::Value<'a> {
        reader.value(row)
    }
}

/// As numbers of another width, but never from what is no number, and never with a value changed.
fn numbers<T: ArrowPrimitiveType>(array: &dyn Array) -> Option<PrimitiveArray<T>> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    Some(cast_with_options(array, &T::DATA_TYPE, &options).ok()?.as_primitive::<T>().clone())
}

impl CellType for Int32 {
    const TYPE: ColumnType = ColumnType::Int32;

    type Value<'a> = i32;
    type Reader<'a> = Int32Array;

    fn collect<'a>(values: impl Iterator<Item = Option<Self::Value<'a>>>) -> ArrayRef {
        Arc::new(values.collect::<Int32Array>())
    }

    fn reader(array: &dyn Array) -> Option<Int32Array> {
        array.data_type().is_integer().then(|| numbers::<Int32Type>(array))?
    }

    fn get<'a>(reader: &Self::Reader<'a>, row: usize) -> Self::Value<'a> {
        reader.value(row)
    }
}

impl CellType for Int64 {
    const TYPE: ColumnType = ColumnType::Int64;

    type Value<'a> = i64;
    type Reader<'a> = Int64Array;

    fn collect<'a>(values: impl Iterator<Item = Option<Self::Value<'a>>>) -> ArrayRef {
        Arc::new(values.collect::<Int64Array>())
    }

    fn collect_all<'a>(values: impl Iterator<Item = Self::Value<'a>>) -> ArrayRef {
        Arc::new(Int64Array::from(values.collect::<Vec<_>>()))
    }

    fn reader(array: &dyn Array) -> Option<Int64Array> {
        array.data_type().is_integer().then(|| numbers::<Int64Type>(array))?
    }

    fn get<'a>(reader: &Self::Reader<'a>, row: usize) -> Self::Value<'a> {
        reader.value(row)
    }
}

impl CellType for Float64 {
    const TYPE: ColumnType = ColumnType::Float64;

    type Value<'a> = f64;
    type Reader<'a> = Float64Array;

    fn collect<'a>(values: impl Iterator<Item = Option<Self::Value<'a>>>) -> ArrayRef {
        Arc::new(values.collect::<Float64Array>())
    }

    /// Whole numbers too: what a query has not divided is still what it counted.
    fn reader(array: &dyn Array) -> Option<Float64Array> {
        array.data_type().is_numeric().then(|| numbers::<Float64Type>(array))?
    }

    fn get<'a>(reader: &Self::Reader<'a>, row: usize) -> Self::Value<'a> {
        reader.value(row)
    }
}

/// Text in any of the forms in which files and queries give it.
#[derive(Debug)]
pub enum TextReader<'a> {
    /// What free text is written as.
    Plain(&'a StringArray),
    /// With 64-bit offsets.
    Large(&'a LargeStringArray),
    /// What Polars computes.
    View(&'a StringViewArray),
    /// What categories are written as.
    Dictionary(Int64Array, Box<TextReader<'a>>),
}

impl<'a> TextReader<'a> {
    fn new(array: &'a dyn Array) -> Option<Self> {
        if let Some(dictionary) = array.as_any_dictionary_opt() {
            let values = Self::new(dictionary.values().as_ref())?;
            return Some(Self::Dictionary(numbers::<Int64Type>(dictionary.keys())?, Box::new(values)));
        }
        match array.data_type() {
            DataType::Utf8 => Some(Self::Plain(array.as_string())),
            DataType::LargeUtf8 => Some(Self::Large(array.as_string())),
            DataType::Utf8View => Some(Self::View(array.as_string_view())),
            _ => None,
        }
    }

    fn get(&self, row: usize) -> &'a str {
        match self {
            Self::Plain(array) => array.value(row),
            Self::Large(array) => array.value(row),
            Self::View(array) => array.value(row),
            Self::Dictionary(keys, values) => values.get(keys.value(row) as usize),
        }
    }
}

impl CellType for Category {
    const TYPE: ColumnType = ColumnType::Category;

    type Value<'a> = &'a str;
    type Reader<'a> = TextReader<'a>;

    fn collect<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
        Arc::new(values.collect::<DictionaryArray<Int32Type>>())
    }

    fn reader(array: &dyn Array) -> Option<TextReader<'_>> {
        TextReader::new(array)
    }

    fn get<'a>(reader: &Self::Reader<'a>, row: usize) -> &'a str {
        reader.get(row)
    }
}

impl CellType for Text {
    const TYPE: ColumnType = ColumnType::Text;

    type Value<'a> = &'a str;
    type Reader<'a> = TextReader<'a>;

    fn collect<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
        Arc::new(values.collect::<StringArray>())
    }

    fn reader(array: &dyn Array) -> Option<TextReader<'_>> {
        TextReader::new(array)
    }

    fn get<'a>(reader: &Self::Reader<'a>, row: usize) -> &'a str {
        reader.get(row)
    }
}

/// A list column whose elements have no nulls.
#[derive(Debug)]
pub struct ListReader<'a, T: ArrowPrimitiveType> {
    offsets: &'a [i32],
    values: &'a [T::Native],
}

impl<'a, T: ArrowPrimitiveType> ListReader<'a, T> {
    fn new(array: &'a dyn Array) -> Option<Self> {
        let list = array.as_list_opt::<i32>()?;
        let values = list.values().as_primitive_opt::<T>()?;
        (values.null_count() == 0).then(|| Self { offsets: list.value_offsets(), values: values.values() })
    }

    fn get(&self, row: usize) -> &'a [T::Native] {
        &self.values[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }
}

/// One copy of each vector as a whole, into a buffer of just the right size.
fn lists<'a, T: ArrowPrimitiveType>(vectors: impl Iterator<Item = Option<&'a [T::Native]>>) -> ArrayRef {
    let vectors: Vec<Option<&[T::Native]>> = vectors.collect();
    let lengths = || vectors.iter().map(|vector| vector.map_or(0, <[_]>::len));
    let mut values = Vec::with_capacity(lengths().sum());
    for vector in vectors.iter().flatten() {
        values.extend_from_slice(vector);
    }
    let nulls = vectors.iter().any(Option::is_none).then(|| vectors.iter().map(Option::is_some).collect());
    let item = Arc::new(Field::new("item", T::DATA_TYPE, false));
    let values = PrimitiveArray::<T>::new(ScalarBuffer::from(values), None);
    Arc::new(ListArray::new(item, OffsetBuffer::from_lengths(lengths()), Arc::new(values), nulls))
}

impl CellType for Float32List {
    const TYPE: ColumnType = ColumnType::Float32List;

    type Value<'a> = &'a [f32];
    type Reader<'a> = ListReader<'a, Float32Type>;

    fn collect<'a>(values: impl Iterator<Item = Option<&'a [f32]>>) -> ArrayRef {
        lists::<Float32Type>(values)
    }

    fn reader(array: &dyn Array) -> Option<Self::Reader<'_>> {
        ListReader::new(array)
    }

    fn get<'a>(reader: &Self::Reader<'a>, row: usize) -> &'a [f32] {
        reader.get(row)
    }
}

impl CellType for UInt8List {
    const TYPE: ColumnType = ColumnType::UInt8List;

    type Value<'a> = &'a [u8];
    type Reader<'a> = ListReader<'a, UInt8Type>;

    fn collect<'a>(values: impl Iterator<Item = Option<&'a [u8]>>) -> ArrayRef {
        lists::<UInt8Type>(values)
    }

    fn reader(array: &dyn Array) -> Option<Self::Reader<'_>> {
        ListReader::new(array)
    }

    fn get<'a>(reader: &Self::Reader<'a>, row: usize) -> &'a [u8] {
        reader.get(row)
    }
}
