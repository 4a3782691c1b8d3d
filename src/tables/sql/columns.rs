//! Columns between arrow and Polars, by the Arrow C data interface and without copies.

#![allow(unsafe_code, reason = "columns cross between two implementations of Arrow through their C interface")]

use arrow::array::{Array, ArrayRef, Float64Array, RecordBatch, make_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi, to_ffi};
use polars::prelude::{Column as PolarsColumn, CompatLevel, DataFrame, PlSmallStr, Series};
use polars_arrow::ffi as polars_ffi;
use std::sync::Arc;

use crate::tables::ColumnType;

/// A table as Polars holds it, without copies but for categories, which are plain strings in SQL.
pub(super) fn to_polars(batch: &RecordBatch) -> Result<DataFrame, String> {
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        let array = match array.data_type() {
            DataType::Dictionary(_, _) => cast(array, &DataType::Utf8).map_err(|error| error.to_string())?,
            _ => array.clone(),
        };
        let series = import(field.name(), &array)?;
        columns.push(PolarsColumn::from(series));
    }
    DataFrame::new(batch.num_rows(), columns).map_err(|error| error.to_string())
}

fn import(name: &str, array: &ArrayRef) -> Result<Series, String> {
    let (ffi_array, ffi_schema) = to_ffi(&array.to_data()).map_err(|error| error.to_string())?;
    // SAFETY: both crates lay these structs out as the Arrow C data interface prescribes (repr(C)); ownership moves with
    // the value, and the importing side calls the release callback that the exporting side put into it.
    let (ffi_array, ffi_schema) = unsafe {
        (
            std::mem::transmute::<FFI_ArrowArray, polars_ffi::ArrowArray>(ffi_array),
            std::mem::transmute::<FFI_ArrowSchema, polars_ffi::ArrowSchema>(ffi_schema),
        )
    };
    // SAFETY: the schema was just exported by arrow and describes exactly this array.
    let array = unsafe {
        let field = polars_ffi::import_field_from_c(&ffi_schema).map_err(|error| error.to_string())?;
        polars_ffi::import_array_from_c(ffi_array, field.dtype).map_err(|error| error.to_string())?
    };
    Series::from_arrow(PlSmallStr::from_str(name), array).map_err(|error| error.to_string())
}

/// A result as tables hold it: strings as categories, whole numbers of 64 bits, floats of 64.
pub(super) fn from_polars(frame: &DataFrame) -> Result<RecordBatch, String> {
    let mut columns: Vec<(String, ArrayRef, bool)> = Vec::with_capacity(frame.width());
    for column in frame.columns() {
        let array = export(column)?;
        let target = match array.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ColumnType::Category.to_arrow(),
            DataType::UInt32
            | DataType::UInt64
            | DataType::Int8
            | DataType::Int16
            | DataType::UInt8
            | DataType::UInt16 => DataType::Int64,
            DataType::Float32 => DataType::Float64,
            DataType::LargeList(item) => {
                DataType::List(Arc::new(item.as_ref().clone().with_name("item").with_nullable(false)))
            }
            other => other.clone(),
        };
        // arrow casts views to dictionaries by way of plain strings.
        let array = match (array.data_type(), &target) {
            (DataType::Utf8View | DataType::LargeUtf8, DataType::Dictionary(_, _)) => {
                cast(&array, &DataType::Utf8).map_err(|error| error.to_string())?
            }
            _ => array,
        };
        let array = with_one_nan(cast(&array, &target).map_err(|error| error.to_string())?);
        columns.push((column.name().to_string(), array, true));
    }
    RecordBatch::try_from_iter_with_nullable(columns).map_err(|error| error.to_string())
}

/// A column in one piece, as arrow reads it, without copies.
pub(super) fn export(column: &PolarsColumn) -> Result<ArrayRef, String> {
    let series = column.as_materialized_series().rechunk();
    let array = series.to_arrow(0, CompatLevel::newest());
    let field = polars_arrow::datatypes::Field::new(series.name().clone(), array.dtype().clone(), true);
    let (ffi_array, ffi_schema) = (polars_ffi::export_array_to_c(array), polars_ffi::export_field_to_c(&field));
    // SAFETY: as in `import`, in the other direction.
    let data = unsafe {
        let array = std::mem::transmute::<polars_ffi::ArrowArray, FFI_ArrowArray>(ffi_array);
        let schema = std::mem::transmute::<polars_ffi::ArrowSchema, FFI_ArrowSchema>(ffi_schema);
        from_ffi(array, &schema).map_err(|error| error.to_string())?
    };
    Ok(make_array(data))
}

/// There is one NaN: which bits 0/0 has is a matter of the processor.
pub(super) fn with_one_nan(array: ArrayRef) -> ArrayRef {
    match array.as_any().downcast_ref::<Float64Array>() {
        Some(floats) if floats.values().iter().any(|value| value.is_nan()) => {
            Arc::new(floats.unary::<_, Float64Type>(|value| if value.is_nan() { f64::NAN } else { value }))
        }
        _ => array,
    }
}
