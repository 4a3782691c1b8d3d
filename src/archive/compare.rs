//! Two states of a table → what differs, column by column.

use std::collections::BTreeMap;

use arrow::array::{Array, RecordBatch, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use crate::tables::cells::{Cells, Float32List, Float64};
use crate::tables::frame::{Cell, Frame};

/// What differs between two tables that stand for the same thing.
#[derive(Debug, Default, PartialEq)]
pub struct Differences {
    /// Rows that are in both.
    pub common_rows: usize,
    /// Rows that only the old table has.
    pub only_old: usize,
    /// Rows that only the new table has.
    pub only_new: usize,
    /// Columns with other values, in the order of the table.
    pub columns: Vec<ColumnDifference>,
    /// Columns that only one of them has.
    pub columns_only_old: Vec<String>,
    /// The same of the new table.
    pub columns_only_new: Vec<String>,
}

/// Other values in one column.
#[derive(Debug, PartialEq)]
pub struct ColumnDifference {
    /// The column.
    pub column: String,
    /// Rows whose value is another.
    pub rows: usize,
    /// For numbers: the largest deviation.
    pub deviation: Option<Deviation>,
    /// Whether a value is null, not a number or of another length where it was not, or is no number at all: then no
    /// tolerance helps.
    pub in_kind: bool,
}

/// How far numbers are apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Deviation {
    /// The largest |a − b|.
    pub absolute: f64,
    /// |a − b| / max(|a|, |b|), the largest over the rows.
    pub relative: f64,
    /// The largest |a − b| over the largest magnitude in the column: decompositions err by a share of their largest
    /// value, so that what is nearly zero has no correct digits.
    pub scaled: f64,
}

impl Deviation {
    fn add(&mut self, a: f64, b: f64) {
        let absolute = (a - b).abs();
        self.absolute = self.absolute.max(absolute);
        self.relative = self.relative.max(absolute / a.abs().max(b.abs()));
    }
}

impl Differences {
    /// Whether both are the same.
    pub fn is_empty(&self) -> bool {
        *self == Self { common_rows: self.common_rows, ..Self::default() }
    }

    /// The largest deviation, if numbers are all that differs and none by more than `tolerance` of its column's scale.
    pub fn within(&self, tolerance: f64) -> Option<f64> {
        let same_shape = self.only_old == 0
            && self.only_new == 0
            && self.columns_only_old.is_empty()
            && self.columns_only_new.is_empty();
        let deviations = self.columns.iter().map(|column| column.deviation.filter(|_| !column.in_kind));
        let largest = deviations.map(|one| one.map(|one| one.scaled)).try_fold(0.0_f64, |max, one| Some(max.max(one?)));
        largest.filter(|largest| same_shape && *largest <= tolerance)
    }
}

/// Compares two tables row by row.
///
/// Rows belong together if they agree in the columns of `key`; where these do not tell rows apart, by position.
///
/// # Errors
/// A batch cannot be taken apart.
pub fn compare(old: &RecordBatch, new: &RecordBatch, key: &[&str]) -> Result<Differences, ArrowError> {
    let names = |batch: &RecordBatch| -> Vec<String> {
        batch.schema().fields().iter().map(|field| field.name().clone()).collect()
    };
    let (old_names, new_names) = (names(old), names(new));
    let missing = |from: &[String], there: &[String]| -> Vec<String> {
        from.iter().filter(|name| !there.contains(name)).cloned().collect()
    };
    let (old_rows, new_rows) = align(old, new, key);
    let mut differences = Differences {
        common_rows: old_rows.len(),
        only_old: old.num_rows() - old_rows.len(),
        only_new: new.num_rows() - new_rows.len(),
        columns: Vec::new(),
        columns_only_old: missing(&old_names, &new_names),
        columns_only_new: missing(&new_names, &old_names),
    };
    let old = take_record_batch(old, &UInt32Array::from(old_rows))?;
    let new = take_record_batch(new, &UInt32Array::from(new_rows))?;
    for name in old_names.iter().filter(|name| new_names.contains(name)) {
        let (Some(a), Some(b)) = (old.column_by_name(name), new.column_by_name(name)) else { continue };
        if let Some(difference) = compare_column(name, plain(a)?.as_ref(), plain(b)?.as_ref()) {
            differences.columns.push(difference);
        }
    }
    Ok(differences)
}

/// The rows of both that belong together, in the order of the old table.
fn align(old: &RecordBatch, new: &RecordBatch, key: &[&str]) -> (Vec<u32>, Vec<u32>) {
    let (a, b) = (Frame::new("old", old.clone()), Frame::new("new", new.clone()));
    let columns = |frame: &Frame| -> Option<Vec<Vec<Cell>>> { key.iter().map(|name| frame.cells(name).ok()).collect() };
    let by_position = || {
        let n = old.num_rows().min(new.num_rows()) as u32;
        ((0..n).collect(), (0..n).collect())
    };
    let (Some(a), Some(b)) = (columns(&a), columns(&b)) else { return by_position() };
    // Nearly always the same rows in the same order.
    if key.is_empty() || a == b {
        return by_position();
    }
    let index = |columns: &[Vec<Cell>], n: usize| -> Option<BTreeMap<Vec<Cell>, u32>> {
        let mut rows = BTreeMap::new();
        for row in 0..n {
            let cells: Vec<Cell> = columns.iter().map(|column| column[row].clone()).collect();
            if rows.insert(cells, row as u32).is_some() {
                return None;
            }
        }
        Some(rows)
    };
    let (Some(a), Some(b)) = (index(&a, old.num_rows()), index(&b, new.num_rows())) else { return by_position() };
    let mut pairs: Vec<(u32, u32)> = a.iter().filter_map(|(cells, row)| Some((*row, *b.get(cells)?))).collect();
    pairs.sort_unstable();
    pairs.into_iter().unzip()
}

/// Without dictionaries, so that equal texts are equal arrays.
fn plain(array: &arrow::array::ArrayRef) -> Result<arrow::array::ArrayRef, ArrowError> {
    match array.data_type() {
        DataType::Dictionary(_, values) => cast(array, values),
        _ => Ok(array.clone()),
    }
}

fn compare_column(name: &str, a: &dyn Array, b: &dyn Array) -> Option<ColumnDifference> {
    let mut found = ColumnDifference { column: name.to_owned(), rows: 0, deviation: None, in_kind: false };
    if a.data_type() != b.data_type() {
        found.rows = a.len();
        found.in_kind = true;
        return Some(found);
    }
    // Rows of measured numbers, one or a vector a row; of everything else it only matters whether it is the same.
    let (of_a, of_b) = (Measured::of(a), Measured::of(b));
    let mut scale = 0.0_f64;
    for row in 0..a.len() {
        let (Some(of_a), Some(of_b)) = (&of_a, &of_b) else {
            if a.slice(row, 1).to_data() != b.slice(row, 1).to_data() {
                found.rows += 1;
                let whole = a.data_type().is_integer() && a.is_valid(row) && b.is_valid(row);
                match (whole, integer(a, row), integer(b, row)) {
                    (true, Some(a), Some(b)) => found.deviation.get_or_insert_default().add(a, b),
                    _ => found.in_kind = true,
                }
            }
            continue;
        };
        match (of_a.row(row), of_b.row(row)) {
            (None, None) => {}
            (Some(a), Some(b)) if a.len() == b.len() => {
                let mut differs = false;
                for (a, b) in a.into_iter().zip(b) {
                    scale = scale.max(a.abs()).max(b.abs());
                    if a == b || (a.is_nan() && b.is_nan()) {
                        continue;
                    }
                    differs = true;
                    if a.is_finite() && b.is_finite() {
                        found.deviation.get_or_insert_default().add(a, b);
                    } else {
                        found.in_kind = true;
                    }
                }
                found.rows += usize::from(differs);
            }
            _ => {
                found.rows += 1;
                found.in_kind = true;
            }
        }
    }
    if let Some(deviation) = &mut found.deviation {
        if of_a.is_some() {
            deviation.scaled = deviation.absolute / scale;
        } else {
            // Counts and indices have no tolerance.
            found.in_kind = true;
        }
    }
    (found.rows > 0).then_some(found)
}

fn integer(array: &dyn Array, row: usize) -> Option<f64> {
    let cell = array.slice(row, 1);
    Some(Float64::get(&<Float64 as Cells>::reader(&*cell).ok()?, 0))
}

/// A column of measured numbers.
enum Measured<'a> {
    One(<Option<Float64> as Cells>::Reader<'a>),
    Many(<Option<Float32List> as Cells>::Reader<'a>),
}

impl<'a> Measured<'a> {
    fn of(array: &'a dyn Array) -> Option<Self> {
        match array.data_type() {
            DataType::Float64 => Option::<Float64>::reader(array).ok().map(Self::One),
            DataType::List(_) => Option::<Float32List>::reader(array).ok().map(Self::Many),
            _ => None,
        }
    }

    /// The numbers of a row; none where it is null.
    fn row(&self, row: usize) -> Option<Vec<f64>> {
        match self {
            Self::One(reader) => Option::<Float64>::get(reader, row).map(|value| vec![value]),
            Self::Many(reader) => {
                let values = Option::<Float32List>::get(reader, row)?;
                Some(values.iter().copied().map(f64::from).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, Int32Array, StringArray};

    use super::*;

    fn table(layers: Vec<i32>, errors: Vec<Option<f64>>) -> RecordBatch {
        let columns: [(&str, ArrayRef); 2] =
            [("layer", Arc::new(Int32Array::from(layers))), ("error", Arc::new(Float64Array::from(errors)))];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn the_largest_deviation_is_absolute_relative_and_of_the_columns_scale() {
        let old = table(vec![1, 2, 3], vec![Some(100.0), Some(1.0), Some(4.0)]);
        let new = table(vec![1, 2, 3], vec![Some(100.0), Some(2.0), Some(5.0)]);
        let differences = compare(&old, &new, &["layer"]).unwrap();
        let [column] = differences.columns.as_slice() else { panic!("{differences:?}") };
        assert_eq!((column.column.as_str(), column.rows, column.in_kind), ("error", 2, false));
        assert_eq!(column.deviation, Some(Deviation { absolute: 1.0, relative: 0.5, scaled: 0.01 }));
        assert_eq!(differences.within(0.01), Some(0.01));
        assert_eq!(differences.within(0.009), None);
    }

    #[test]
    fn rows_are_matched_by_key_whatever_their_order() {
        let old = table(vec![1, 2, 3], vec![Some(1.0), Some(2.0), Some(3.0)]);
        let new = table(vec![3, 4, 1], vec![Some(3.0), Some(4.0), Some(1.5)]);
        let differences = compare(&old, &new, &["layer"]).unwrap();
        assert_eq!((differences.common_rows, differences.only_old, differences.only_new), (2, 1, 1));
        assert_eq!(differences.columns[0].rows, 1);
        assert_eq!(differences.within(1.0), None, "rows are missing");
    }

    #[test]
    fn null_is_never_close_to_a_number() {
        let old = table(vec![1], vec![Some(1e-300)]);
        let differences = compare(&old, &table(vec![1], vec![None]), &["layer"]).unwrap();
        assert!(differences.columns[0].in_kind);
        assert_eq!(differences.within(f64::INFINITY), None);
        assert!(compare(&old, &old, &[]).unwrap().is_empty());
    }

    #[test]
    fn columns_that_came_or_went_are_named() {
        let old = table(vec![1], vec![Some(1.0)]);
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["bp"]));
        let new = RecordBatch::try_from_iter([("layer", old.column(0).clone()), ("rule", texts)]).unwrap();
        let differences = compare(&old, &new, &["layer"]).unwrap();
        assert_eq!(
            (differences.columns_only_old, differences.columns_only_new),
            (vec!["error".into()], vec!["rule".into()])
        );
    }

    #[test]
    fn counts_have_no_tolerance() {
        let new = table(vec![2], vec![Some(1.0)]);
        let differences = compare(&table(vec![1], vec![Some(1.0)]), &new, &[]).unwrap();
        assert_eq!(differences.columns[0].deviation.unwrap().absolute, 1.0);
        assert_eq!(differences.within(1.0), None);
    }
}
