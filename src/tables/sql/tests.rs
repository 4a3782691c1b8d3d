use super::*;
use crate::tables::cells::{Category, Cells};
use arrow::array::{Array, ArrayRef, Float64Array, Int64Array};
use std::sync::Arc;

fn table() -> RecordBatch {
    let rules = <Option<Category> as Cells>::collect([Some("bp"), Some("bp_oja"), None].into_iter());
    RecordBatch::try_from_iter_with_nullable([
        ("rule", rules, true),
        ("step", Arc::new(Int64Array::from(vec![3, 1, 2])) as ArrayRef, true),
        ("accuracy", Arc::new(Float64Array::from(vec![Some(0.5), None, Some(0.25)])) as ArrayRef, true),
    ])
    .unwrap()
}

#[test]
fn all_types_and_nulls_survive_the_way_to_polars_and_back() {
    let query = Query::parse("SELECT rule, step, accuracy FROM t ORDER BY step DESC").unwrap();
    let back = query.run(&[("t", table())]).unwrap();
    let frame = crate::tables::frame::Frame::new("t", back);
    assert_eq!(frame.numbers("step").unwrap(), [Some(3.0), Some(2.0), Some(1.0)]);
    assert_eq!(frame.numbers("accuracy").unwrap(), [Some(0.5), Some(0.25), None]);
    assert_eq!(frame.values::<Option<Category>>("rule").unwrap(), [Some("bp"), None, Some("bp_oja")]);
}

#[test]
fn rows_without_an_order_are_sorted() {
    let query = Query::parse("SELECT step FROM t").unwrap();
    let back = query.run(&[("t", table())]).unwrap();
    let steps = crate::tables::frame::Frame::new("t", back).numbers("step").unwrap();
    assert_eq!(steps, [Some(1.0), Some(2.0), Some(3.0)]);
}

#[test]
fn the_tables_that_a_query_reads_are_known_without_running_it() {
    let text = "WITH best AS (SELECT * FROM a) SELECT * FROM best JOIN b USING (x) WHERE y IN (SELECT y FROM c)";
    assert_eq!(Query::parse(text).unwrap().tables, ["a", "b", "c"]);
    assert!(Query::parse("DROP TABLE a").is_err());
}

#[test]
fn a_column_knows_the_expressions_behind_it() {
    let text = "SELECT 'a' AS panel, step AS x FROM t UNION ALL SELECT CONCAT('y', layer), step FROM u";
    let query = Query::parse(text).unwrap();
    assert_eq!(query.expressions(0), ["'a'", "CONCAT('y', layer)"]);
    assert_eq!(query.expressions(1), ["step"]);
    assert!(Query::parse("SELECT * FROM t").unwrap().expressions(0).is_empty());
}

#[test]
fn an_unknown_column_is_named() {
    let error = Query::parse("SELECT wrong FROM t").unwrap().run(&[("t", table())]).unwrap_err();
    assert!(error.contains("wrong"), "{error}");
}

/// `rows` of a table, each a rule, a step and an accuracy.
fn rows(rows: &[(&str, i64, Option<f64>)]) -> RecordBatch {
    let rules = <Option<Category> as Cells>::collect(rows.iter().map(|row| Some(row.0)));
    let steps: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>());
    let accuracies: ArrayRef = Arc::new(rows.iter().map(|row| row.2).collect::<Float64Array>());
    RecordBatch::try_from_iter_with_nullable([
        ("rule", rules, true),
        ("step", steps, true),
        ("accuracy", accuracies, true),
    ])
    .unwrap()
}

const TIES: &[(&str, i64, Option<f64>)] = &[
    ("oja", 2, Some(0.5)),
    ("bp", 2, Some(f64::NAN)),
    ("bp", 1, Some(0.0)),
    ("oja", 1, None),
    ("bp", 1, Some(-0.0)),
    ("bp", 2, Some(0.5)),
    ("bp", 1, None),
    ("oja", 2, Some(-1.0)),
];

/// The rows of the result as text, with the rows of the table given in this and in the opposite order.
fn printed(query: &str) -> Vec<String> {
    let query = Query::parse(query).unwrap();
    let run = |table: RecordBatch| {
        let result = query.run(&[("t", table)]).unwrap();
        let columns: Vec<_> = result
            .columns()
            .iter()
            .map(|column| {
                // Floats with their sign, which a formatter may drop.
                let text = |row| match column.as_any().downcast_ref::<Float64Array>() {
                    Some(floats) if !floats.is_null(row) => format!("{:?}", floats.value(row)),
                    _ => arrow::util::display::array_value_to_string(column, row).unwrap(),
                };
                (0..result.num_rows()).map(text).collect::<Vec<_>>()
            })
            .collect();
        (0..result.num_rows())
            .map(|row| columns.iter().map(|column| column[row].as_str()).collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
    };
    let mut backwards = TIES.to_vec();
    backwards.reverse();
    let found = run(rows(TIES));
    assert_eq!(found, run(rows(&backwards)), "the order in which rows are given is seen in: {}", query.text());
    found
}

#[test]
fn ties_of_an_order_fall_to_the_other_columns_from_left_to_right() {
    let found = printed("SELECT rule, step, accuracy FROM t ORDER BY step DESC");
    assert_eq!(
        found,
        ["bp 2 0.5", "bp 2 NaN", "oja 2 -1.0", "oja 2 0.5", "bp 1 ", "bp 1 -0.0", "bp 1 0.0", "oja 1 "],
        "NULL, then -0.0 before 0.0, then NaN"
    );
    // What is ordered by need not be selected, and an alias or a place may name it.
    assert_eq!(printed("SELECT rule FROM t ORDER BY step DESC, accuracy").len(), 8);
    assert_eq!(
        printed("SELECT accuracy AS a FROM t ORDER BY 1 DESC"),
        ["", "", "NaN", "0.5", "0.5", "-0.0", "0.0", "-1.0"]
    );
    assert_eq!(printed("SELECT DISTINCT rule FROM t ORDER BY step"), ["bp", "oja"]);
}

#[test]
fn a_limit_comes_after_the_completed_order() {
    let all = printed("SELECT rule, step, accuracy FROM t ORDER BY step DESC");
    for (limit, expected) in [("LIMIT 3", 0..3), ("LIMIT 2 OFFSET 5", 5..7), ("OFFSET 6", 6..8)] {
        let query = format!("SELECT rule, step, accuracy FROM t ORDER BY step DESC {limit}");
        assert_eq!(printed(&query), all[expected], "{limit}");
    }
    // Without an order, that of all columns.
    assert_eq!(printed("SELECT step, rule FROM t LIMIT 3"), ["1 bp", "1 bp", "1 bp"]);
    assert_eq!(printed("SELECT rule, SUM(step) AS s FROM t GROUP BY rule LIMIT 1"), ["bp 7"]);
    assert_eq!(printed("SELECT COUNT(*) AS n FROM t LIMIT 1"), ["8"]);
    assert_eq!(
        printed("SELECT * FROM (SELECT step, rule FROM t FETCH FIRST 4 ROWS ONLY) AS q"),
        ["1 bp", "1 bp", "1 bp", "1 oja"]
    );
    assert_eq!(printed("WITH q AS (SELECT step, accuracy FROM t LIMIT 2) SELECT accuracy FROM q"), ["", ""]);
    assert_eq!(printed("SELECT step FROM t UNION ALL SELECT step FROM t OFFSET 15"), ["2"]);
}

#[test]
fn what_depends_on_the_order_of_rows_has_one() {
    assert_eq!(
        printed("SELECT rule, FIRST(accuracy) AS f, LAST(accuracy) AS l FROM t GROUP BY rule"),
        ["bp  NaN", "oja  0.5"]
    );
    assert_eq!(
        printed("SELECT DISTINCT ON (rule) rule, step, accuracy FROM t"),
        ["bp 1 ", "oja 1 "],
        "the first of each"
    );
    assert_eq!(
        printed("SELECT DISTINCT ON (rule) rule, step, accuracy FROM t ORDER BY rule, step DESC"),
        ["bp 2 0.5", "oja 2 -1.0"]
    );
    // Ties of a window fall to the order of the table, upwards whatever the window's direction.
    for direction in ["", "DESC"] {
        let query = format!(
            "SELECT ROW_NUMBER() OVER (PARTITION BY step ORDER BY rule {direction}) AS n, rule, accuracy FROM t WHERE step = 1"
        );
        let expected = if direction.is_empty() {
            ["1 bp ", "2 bp -0.0", "3 bp 0.0", "4 oja "]
        } else {
            ["1 oja ", "2 bp ", "3 bp -0.0", "4 bp 0.0"]
        };
        assert_eq!(printed(&query), expected);
    }
    assert_eq!(
        printed("SELECT step, LAG(accuracy) OVER (ORDER BY step) AS before FROM t WHERE rule = 'bp' ORDER BY step"),
        ["1 ", "1 ", "1 -0.0", "2 0.0", "2 0.5"]
    );
    assert_eq!(
        printed("SELECT SUM(step) OVER (ORDER BY rule) AS s, rule FROM t"),
        ["1 bp", "2 bp", "3 bp", "5 bp", "7 bp", "8 oja", "10 oja", "12 oja"]
    );
    assert_eq!(
        printed("SELECT STRING_AGG(rule, ',' ORDER BY step DESC) AS rules FROM t"),
        ["bp,bp,oja,oja,bp,bp,bp,oja"],
        "ties within an aggregate fall to the order of the table"
    );
    assert_eq!(
        printed("SELECT STRING_AGG(rule, ',' ORDER BY accuracy) FILTER (WHERE step = 2) AS rules FROM t"),
        ["oja,bp,oja,bp"]
    );
    // The smaller of two zeros is one of them.
    assert_eq!(printed("SELECT MIN(accuracy) AS low FROM t WHERE step = 1").len(), 1);
}

#[test]
fn neither_clock_nor_chance_is_a_function() {
    for call in [
        "NOW()",
        "CURRENT_TIMESTAMP",
        "CURRENT_TIMESTAMP()",
        "CURRENT_DATE",
        "CURRENT_DATE()",
        "CURRENT_TIME",
        "LOCALTIMESTAMP",
        "TODAY()",
        "RANDOM()",
        "RAND()",
        "SETSEED(1)",
        "UUID()",
        "GEN_RANDOM_UUID()",
    ] {
        let refused = Query::parse(&format!("SELECT {call} AS x, step FROM t"));
        let refused = refused.and_then(|query| query.run(&[("t", rows(TIES))]));
        assert!(refused.is_err(), "{call} gives {refused:?}");
    }
    let sample = Query::parse("SELECT * FROM t TABLESAMPLE BERNOULLI (50)");
    assert!(sample.and_then(|query| query.run(&[("t", rows(TIES))])).is_err());
}

#[test]
fn the_largest_of_nothing_is_refused() {
    for query in ["SELECT GREATEST() FROM t AS a", "SELECT step FROM t WHERE least() > 1"] {
        let error = Query::parse(query).unwrap_err();
        assert!(error.contains("at least one argument"), "{error}");
    }
    assert!(Query::parse("SELECT GREATEST(step, 1) FROM t").is_ok());
}

#[test]
fn a_function_is_no_table() {
    let error = Query::parse("WITH read_csv AS (SELECT * FROM t) SELECT * FROM read_csv('x.csv')").unwrap_err();
    assert_eq!(error, "`read_csv` is called as a function, but a query reads nothing but tables, by their names");
    // A name is a name: this reads nothing but `t`.
    let query = Query::parse("WITH read_csv AS (SELECT step FROM t) SELECT * FROM read_csv LIMIT 1").unwrap();
    assert_eq!(query.tables, ["t"]);
    assert_eq!(query.run(&[("t", rows(TIES))]).unwrap().num_rows(), 1);
}

#[test]
fn a_panic_of_polars_is_one_of_the_caller_and_the_next_query_runs() {
    let caught = std::panic::catch_unwind(|| thread::on_one_thread(|| panic!("inside")));
    assert_eq!(*caught.unwrap_err().downcast_ref::<&str>().unwrap(), "inside");
    assert_eq!(printed("SELECT COUNT(*) AS n FROM t"), ["8"]);
}
