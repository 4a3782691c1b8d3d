//! Arrays ↔ list columns: the rows of a matrix as vectors of a table, and back.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Float32Array, ListArray, UInt8Array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Float32Type, Int32Type, UInt8Type};

/// A list column of float32 vectors, each of its own length.
pub fn float32_lists(values: Vec<f32>, lengths: impl IntoIterator<Item = usize>) -> ArrayRef {
    let item = Arc::new(Field::new("item", DataType::Float32, false));
    Arc::new(ListArray::new(item, OffsetBuffer::from_lengths(lengths), Arc::new(Float32Array::from(values)), None))
}

/// A list column of byte vectors of one length.
pub fn uint8_lists(values: Vec<u8>, length: usize) -> ArrayRef {
    let item = Arc::new(Field::new("item", DataType::UInt8, false));
    let rows = values.len().checked_div(length).unwrap_or(0);
    Arc::new(ListArray::new(
        item,
        OffsetBuffer::from_lengths(std::iter::repeat_n(length, rows)),
        Arc::new(UInt8Array::from(values)),
        None,
    ))
}

/// The vector in `row` of a list column of float32.
pub fn float32_row(column: &ArrayRef, row: usize) -> Vec<f32> {
    column.as_list::<i32>().value(row).as_primitive::<Float32Type>().values().to_vec()
}

/// All values of a list column of bytes, row after row.
pub fn uint8_values(column: &ArrayRef) -> Vec<u8> {
    let list = column.as_list::<i32>();
    let (first, last) = (list.value_offsets()[0] as usize, list.value_offsets()[list.len()] as usize);
    list.values().as_primitive::<UInt8Type>().values()[first..last].to_vec()
}

/// All values of a list column of float32, row after row.
pub fn float32_values(column: &ArrayRef) -> Vec<f32> {
    let list = column.as_list::<i32>();
    let (first, last) = (list.value_offsets()[0] as usize, list.value_offsets()[list.len()] as usize);
    list.values().as_primitive::<Float32Type>().values()[first..last].to_vec()
}

/// Builds a dictionary array from strings.
pub fn categories<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
    let array: DictionaryArray<Int32Type> = values.into_iter().collect();
    Arc::new(array)
}
