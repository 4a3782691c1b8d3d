//! What a declaration promises: the schema, and rows that come back from a batch as they went in.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, LargeStringArray, RecordBatch, StringViewArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int8Type};
use proptest::prelude::*;

use super::cells::{Category, Float64};
use super::frame::Cell;
use super::*;

const RUN_ID: Column = Column::new("anything", ColumnType::Text, "", "the training run");

table! {
    /// One column of each type.
    struct EveryType<'a> in "every_type" version 3 key(run_id, step) in folder tolerance(1e-9) {
        run_id: Category = RUN_ID,
        /// samples seen
        step: Int64 in "samples",
        /// a count
        count: Option<Int32>,
        /// a number
        number: Option<Float64> in "nats",
        /// a verdict
        verdict: Option<Boolean>,
        /// free text
        text: Option<Text>,
        /// a vector
        vector: Option<Float32List>,
        /// an image
        image: UInt8List in "1/255",
    }
}

table! {
    /// Numbers alone need no lifetime.
    struct Interval in "interval" version 1 key() {
        /// lower end
        ci_low: Option<Float64>,
        /// upper end
        ci_high: Option<Float64>,
    }
}

/// A row that owns what [`EveryType`] borrows.
#[derive(Clone, Debug)]
struct Owned {
    run_id: String,
    step: i64,
    count: Option<i32>,
    number: Option<f64>,
    verdict: Option<bool>,
    text: Option<String>,
    vector: Option<Vec<f32>>,
    image: Vec<u8>,
}

impl Owned {
    fn row(&self) -> EveryType<'_> {
        EveryType {
            run_id: &self.run_id,
            step: self.step,
            count: self.count,
            number: self.number,
            verdict: self.verdict,
            text: self.text.as_deref(),
            vector: self.vector.as_deref(),
            image: &self.image,
        }
    }
}

fn any_row() -> impl Strategy<Value = Owned> {
    let keys = ("[a-c]", any::<i64>(), any::<Option<i32>>());
    let values = (proptest::option::of(-1e9..1e9), any::<Option<bool>>(), any::<Option<String>>());
    let vector = proptest::option::of(proptest::collection::vec(-1.0f32..1.0, 0..5));
    (keys, values, vector, any::<Vec<u8>>()).prop_map(
        |((run_id, step, count), (number, verdict, text), vector, image)| Owned {
            run_id,
            step,
            count,
            number,
            verdict,
            text,
            vector,
            image,
        },
    )
}

proptest! {
    #[test]
    fn rows_come_back_from_a_batch_as_they_went_in(
        owned in proptest::collection::vec(any_row(), 0..20),
        cut in 0usize..20,
    ) {
        let rows: Vec<EveryType<'_>> = owned.iter().map(Owned::row).collect();
        let batch = EveryType::batch(&rows);
        EveryType::schema().check(&batch).unwrap();
        prop_assert_eq!(&EveryType::read(&batch).unwrap(), &rows);
        // A slice has offsets that do not begin at 0.
        let cut = cut.min(rows.len());
        let rest = batch.slice(cut, rows.len() - cut);
        prop_assert_eq!(EveryType::read(&rest).unwrap(), &rows[cut..]);
        // And a table is its batches, one after another.
        let table = Table::new(EveryType::schema(), vec![batch.slice(0, cut), rest]);
        prop_assert_eq!(table.rows::<EveryType<'_>>().unwrap(), rows);
    }
}

#[test]
fn the_schema_is_what_was_declared() {
    let columns = vec![
        Column::new("run_id", ColumnType::Category, "", "the training run"),
        Column::new("step", ColumnType::Int64, "samples", "samples seen"),
        Column::new("count", ColumnType::Int32, "", "a count").nullable(),
        Column::new("number", ColumnType::Float64, "nats", "a number").nullable(),
        Column::new("verdict", ColumnType::Boolean, "", "a verdict").nullable(),
        Column::new("text", ColumnType::Text, "", "free text").nullable(),
        Column::new("vector", ColumnType::Float32List, "", "a vector").nullable(),
        Column::new("image", ColumnType::UInt8List, "1/255", "an image"),
    ];
    let expected = TableSchema::new("every_type", 3, columns, &["run_id", "step"]).in_folder().with_tolerance(1e-9);
    assert_eq!(EveryType::schema(), expected);
}

fn with(batch: &RecordBatch, name: &str, array: Option<ArrayRef>) -> RecordBatch {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).filter_map(|(field, column)| {
        let column = if field.name() == name { array.clone()? } else { column.clone() };
        Some((field.name().clone(), column, true))
    });
    RecordBatch::try_from_iter_with_nullable(columns.collect::<Vec<_>>()).unwrap()
}

fn one_row() -> RecordBatch {
    let row = EveryType {
        run_id: "a",
        step: 7,
        count: None,
        number: Some(0.5),
        verdict: None,
        text: Some("words"),
        vector: None,
        image: &[1, 2],
    };
    EveryType::batch(&[row])
}

#[test]
fn what_is_wrong_with_a_table_is_said_with_table_and_column() {
    let message = |batch: &RecordBatch| EveryType::read(batch).unwrap_err().to_string();
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![7.0]));
    assert_eq!(
        message(&with(&one_row(), "step", Some(floats))),
        "table `every_type`: column `step` is of type Float64, not int64"
    );
    let missing: ArrayRef = Arc::new(Int32Array::from(vec![None]));
    assert_eq!(
        message(&with(&one_row(), "step", Some(missing))),
        "table `every_type`: column `step` is null in row 0, and must not be"
    );
    assert_eq!(
        message(&with(&one_row(), "image", None)),
        "table `every_type`: column `image` is missing; there are: `run_id`, `step`, `count`, `number`, `verdict`, \
         `text`, `vector`"
    );
}

#[test]
fn text_and_numbers_are_read_in_every_form_that_queries_give_them() {
    let narrow: ArrayRef = Arc::new(Int32Array::from(vec![7]));
    let dictionary: DictionaryArray<Int8Type> = [Some("a")].into_iter().collect();
    for text in [
        Arc::new(LargeStringArray::from(vec!["a"])) as ArrayRef,
        Arc::new(StringViewArray::from(vec!["a"])),
        cast(&one_row().column(0).clone(), &DataType::Utf8).unwrap(),
        Arc::new(dictionary),
    ] {
        let batch = with(&with(&one_row(), "run_id", Some(text.clone())), "step", Some(narrow.clone()));
        let row = EveryType::read(&batch).unwrap()[0];
        assert_eq!((row.run_id, row.step, row.text), ("a", 7, Some("words")), "{}", text.data_type());
    }
    // What is counted can be read as a measured number, but text is no number even where it looks like one.
    assert_eq!(row::values::<Float64>(&one_row(), "t", "step").unwrap(), [7.0]);
    let digits: ArrayRef = Arc::new(StringViewArray::from(vec!["7"]));
    let error = EveryType::read(&with(&one_row(), "step", Some(digits))).unwrap_err();
    assert_eq!(error.column, "step");
}

/// A summary by rule, as a pipeline would have it.
fn summary() -> TableSchema {
    let mut schema = Interval::schema();
    schema.columns.insert(0, Column::new("rule", ColumnType::Category, "", "learning rule"));
    schema.with_columns_before("ci_high", [Column::new("n_runs", ColumnType::Int32, "runs", "runs")])
}

#[test]
fn columns_of_a_pipeline_find_their_places_by_name() {
    let intervals = [Interval { ci_low: Some(1.0), ci_high: Some(2.0) }, Interval { ci_low: None, ci_high: None }];
    let batch = Assembly::new(summary())
        .column::<super::cells::Int32>("n_runs", [20, 1])
        .rows(&intervals)
        .cells("rule", &[Cell::Text("bp".into()), Cell::Text("oja".into())])
        .batch()
        .unwrap();
    summary().check(&batch).unwrap();
    assert_eq!(Interval::read(&batch).unwrap(), intervals);
    assert_eq!(row::values::<Category>(&batch, "t", "rule").unwrap(), ["bp", "oja"]);
}

#[test]
fn a_column_that_does_not_fit_is_named_when_a_table_is_put_together() {
    let message = |assembly: Assembly| assembly.batch().unwrap_err().to_string();
    let whole = || Assembly::new(summary()).rows(&[Interval { ci_low: None, ci_high: None }]);
    let rule = |assembly: Assembly| assembly.column::<Category>("rule", ["bp"]);
    let runs = |assembly: Assembly| assembly.column::<super::cells::Int32>("n_runs", [1]);
    assert!(runs(rule(whole())).batch().is_ok());
    assert_eq!(message(rule(whole())), "table `interval`: column `n_runs` was not put in");
    assert_eq!(message(rule(rule(whole()))), "table `interval`: column `rule` was put in twice");
    assert_eq!(
        message(whole().column::<Category>("rul", ["bp"])),
        "table `interval`: column `rul` is none of this table's: `rule`, `ci_low`, `n_runs`, `ci_high`"
    );
    assert_eq!(
        message(whole().column::<Float64>("n_runs", [1.0])),
        "table `interval`: column `n_runs` is of type Float64, not int32"
    );
    assert_eq!(message(whole().cells("rule", &[Cell::Null])), "table `interval`: column `rule` must not be null");
    assert_eq!(
        message(rule(whole()).column::<super::cells::Int32>("n_runs", [1, 2])),
        "table `interval`: column `n_runs` has 2 rows, others have 1"
    );
    assert_eq!(
        message(whole().cells("none", &[])),
        "table `interval`: column `none` is none of this table's: `rule`, `ci_low`, `n_runs`, `ci_high`"
    );
}
