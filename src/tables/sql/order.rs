//! The total order of rows: by all columns from left to right, lists last; NULL first, then numbers upwards with -0.0 before
//! 0.0 and NaN last, text by its bytes, false before true. Rows that tie in it are equal in every bit.

use arrow::array::{Array, ArrayRef, DynComparator, make_comparator};
use arrow::compute::SortOptions;
use arrow::row::{RowConverter, SortField};
use polars::prelude::{Column, DataFrame, IdxCa, PlSmallStr};
use std::cmp::Ordering;

use super::columns::{export, with_one_nan};

/// The rows in their total order.
///
/// # Errors
/// A column has a type that tables do not use.
pub(super) fn sorted(frame: DataFrame) -> Result<DataFrame, String> {
    let order = order(frame.columns(), frame.height())?;
    if order.is_sorted() {
        return Ok(frame);
    }
    frame.take(&IdxCa::from_vec(PlSmallStr::EMPTY, order)).map_err(|error| error.to_string())
}

/// Of each row, its place in the total order of these columns.
///
/// # Errors
/// A column has a type that tables do not use.
pub(super) fn places(columns: &[Column], n_rows: usize) -> Result<Vec<u32>, String> {
    let mut places = vec![0; n_rows];
    for (place, row) in (0_u32..).zip(order(columns, n_rows)?) {
        places[row as usize] = place;
    }
    Ok(places)
}

/// Row numbers, in the order of their rows.
fn order(columns: &[Column], n_rows: usize) -> Result<Vec<u32>, String> {
    let mut order: Vec<u32> = (0..u32::try_from(n_rows).map_err(|_| "more than 4294967295 rows")?).collect();
    let arrays = columns.iter().map(|column| Ok(with_one_nan(export(column)?)));
    let arrays = arrays.collect::<Result<Vec<ArrayRef>, String>>()?;
    // A list may be a whole matrix: it is looked at only where all else ties, and never copied.
    let (nested, plain): (Vec<_>, Vec<_>) = arrays.into_iter().partition(|array| array.data_type().is_nested());
    let fields = plain.iter().map(|array| SortField::new(array.data_type().clone())).collect();
    let message = |error: arrow::error::ArrowError| error.to_string();
    let rows = RowConverter::new(fields).and_then(|converter| converter.convert_columns(&plain)).map_err(message)?;
    let up = SortOptions { descending: false, nulls_first: true };
    let nested: Vec<DynComparator> =
        nested.iter().map(|array| make_comparator(array, array, up)).collect::<Result<_, _>>().map_err(message)?;
    let compare_plain =
        |a: usize, b: usize| if plain.is_empty() { Ordering::Equal } else { rows.row(a).cmp(&rows.row(b)) };
    // Rows that still tie are equal, so their order is nobody's to see.
    order.sort_by(|&a, &b| {
        let (a, b) = (a as usize, b as usize);
        nested.iter().fold(compare_plain(a, b), |found, compare| found.then_with(|| compare(a, b)))
    });
    Ok(order)
}
