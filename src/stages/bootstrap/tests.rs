use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};

use super::spec::Ratio;
use super::*;
use crate::tables::cells::Category;
use crate::tables::frame::{Cell, Frame};
use crate::tables::parquet::categories;
use crate::task::TableId;

fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn integers(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

/// Two rules, seeds 0 and 1; both runs of `bp` diverged at step 20, and only `bp_oja` has a layer 3.
fn ratio(step: i64) -> Frame {
    let rule = |n: usize| [Some("bp"), Some("bp_oja")].into_iter().flat_map(move |rule| vec![rule; n]);
    let runs = table(vec![
        ("rule", categories(rule(2))),
        ("seed", integers(&[0, 1, 0, 1])),
        ("diverged_at_step", Arc::new(Int64Array::from(vec![Some(20), Some(20), None, None]))),
    ]);
    let rows: Vec<(&str, i64, i64, i64, f64)> = [("bp", 10, 2), ("bp_oja", 10, 3), ("bp_oja", 30, 3)]
        .into_iter()
        .flat_map(|(rule, step, layers)| {
            (0..2).flat_map(move |seed| (1..=layers).map(move |layer| (rule, seed, step, layer, layer as f64)))
        })
        .collect();
    let column = |part: fn(&(&str, i64, i64, i64, f64)) -> i64| integers(&rows.iter().map(part).collect::<Vec<_>>());
    let of = table(vec![
        ("rule", categories(rows.iter().map(|row| Some(row.0)))),
        ("seed", column(|row| row.1)),
        ("step", column(|row| row.2)),
        ("layer", column(|row| row.3)),
        ("norm", Arc::new(rows.iter().map(|row| row.4).collect::<Float64Array>())),
    ]);
    let keys = ["rule", "step", "layer"].map(str::to_owned).to_vec();
    let groups =
        vec![Column::new("rule", ColumnType::Category, "", ""), Column::new("step", ColumnType::Int64, "", "")];
    let value = Column::new("norm", ColumnType::Float64, "activation", "");
    let task = BootstrapTask {
        of: TableId(0),
        runs: TableId(1),
        run_axes: vec!["rule".into()],
        canonical: Canonical {
            value: "norm".into(),
            over: "seed".into(),
            keys: keys.clone(),
            filter: BTreeMap::from([("step".into(), OneOrMany::One(Cell::Integer(step)))]),
            mean_over: Vec::new(),
            statistic: Statistic::Ratio(Ratio { column: "layer".into(), of: Cell::Integer(2), over: Cell::Integer(1) }),
            when_diverged: None,
            resamples: 10,
            level: 0.98,
            seed: 0,
        },
        keys,
        values: BTreeMap::new(),
        outputs: [Output::kept("", summary_schema(&groups, &value, None))],
        groups,
    };
    Frame::new("summary", task.compute(of, runs).unwrap())
}

#[test]
fn a_condition_in_which_every_run_diverged_has_a_row_without_a_statistic() {
    let before = ratio(10);
    assert_eq!(before.numbers("mean").unwrap(), [Some(2.0), Some(2.0)]);
    assert_eq!(before.numbers("n_diverged").unwrap(), [Some(0.0), Some(0.0)]);
    let after = ratio(30);
    assert_eq!(after.values::<Category>("rule").unwrap(), ["bp", "bp_oja"]);
    assert_eq!(after.numbers("mean").unwrap(), [None, Some(2.0)]);
    assert_eq!(after.numbers("n_runs").unwrap(), [Some(0.0), Some(2.0)]);
    assert_eq!(after.numbers("n_diverged").unwrap(), [Some(2.0), Some(0.0)]);
}
