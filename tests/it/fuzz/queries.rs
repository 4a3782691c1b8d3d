//! SQL: queries from a grammar of what people write, and with slips in them.

use std::sync::LazyLock;

use arrow::array::RecordBatch;
use ojaflow::tables::sql::{Query, empty};
use proptest::prelude::*;

use super::edits::{slipped, slips};
use super::explore;
use super::pipelines::plan;
use super::store::BASE;
use crate::common::SMALL;

const COLUMNS: &[&str] = &[
    "rule",
    "seed",
    "step",
    "accuracy",
    "loss",
    "n_samples",
    "mean",
    "ci_low",
    "ci_high",
    "n_runs",
    "run_id",
    "layer",
    "total_norm",
    "options",
    "\"rule\"",
    "a.step",
    "b.rule",
    "train_runs.seed",
    "*",
    "nothing",
];
const TABLES: &[&str] =
    &["train_evaluations", "train_runs", "train_updates", "train_samples", "accuracy", "\"accuracy\""];
const FUNCTIONS: &[&str] = &[
    "SUM",
    "AVG",
    "MIN",
    "MAX",
    "COUNT",
    "STDDEV",
    "VARIANCE",
    "MEDIAN",
    "FIRST",
    "LAST",
    "ABS",
    "ROUND",
    "FLOOR",
    "LN",
    "EXP",
    "SQRT",
    "UPPER",
    "LENGTH",
    "CONCAT",
    "COALESCE",
    "NULLIF",
    "GREATEST",
    "LEAST",
    "SUBSTR",
    "REPLACE",
    "POW",
    "MOD",
    "SIGN",
    "STRPOS",
    "LEFT",
    "QUANTILE_CONT",
    "ROW_NUMBER",
    "RANK",
    "ARRAY_AGG",
    "CORR",
    "IF",
    "DATE_PART",
    "RANDOM",
];
const TYPES: &[&str] =
    &["DOUBLE", "BIGINT", "VARCHAR", "BOOLEAN", "DATE", "FLOAT", "TINYINT", "UUID", "DECIMAL(10, 2)"];

fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    prop::sample::select(words).prop_map(str::to_owned)
}

fn expression() -> impl Strategy<Value = String> {
    let value =
        &["0", "1", "-1", "2.5", "1e308", "'bp'", "''", "'é−'", "NULL", "TRUE", "100", "9223372036854775807", "'1e3'"]
            [..];
    let leaf = prop_oneof![3 => one_of(COLUMNS), 2 => one_of(value)];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let operator = one_of(&["+", "-", "*", "/", "%", "=", "<", ">=", "<>", "AND", "OR", "||", "LIKE", "//"]);
        let list = prop::collection::vec(inner.clone(), 0..4).prop_map(|items| items.join(", "));
        prop_oneof![
            3 => (inner.clone(), operator, inner.clone()).prop_map(|(a, operator, b)| format!("({a} {operator} {b})")),
            3 => (one_of(FUNCTIONS), list.clone()).prop_map(|(function, list)| format!("{function}({list})")),
            1 => (one_of(FUNCTIONS), list.clone(), one_of(COLUMNS), one_of(COLUMNS))
                .prop_map(|(function, list, a, b)| format!("{function}({list}) OVER (PARTITION BY {a} ORDER BY {b})")),
            1 => (inner.clone(), one_of(TYPES)).prop_map(|(a, kind)| format!("CAST({a} AS {kind})")),
            1 => (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("CASE WHEN {a} THEN {b} ELSE {c} END")),
            1 => (inner.clone(), list).prop_map(|(a, list)| format!("{a} IN ({list})")),
            1 => (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("{a} BETWEEN {b} AND {c}")),
            1 => inner.clone().prop_map(|a| format!("{a} IS NOT NULL")),
            1 => inner.clone().prop_map(|a| format!("NOT {a}")),
            1 => inner.prop_map(|a| format!("(SELECT MAX(step) FROM train_evaluations WHERE {a})")),
        ]
    })
}

fn select() -> impl Strategy<Value = String> {
    let item = (expression(), prop::option::of(one_of(&["x", "mean", "step", "\"a b\"", "é"])))
        .prop_map(|(expression, name)| name.map_or(expression.clone(), |name| format!("{expression} AS {name}")));
    let join = (
        one_of(&["JOIN", "LEFT JOIN", "FULL JOIN", "CROSS JOIN", "SEMI JOIN", "ANTI JOIN", "NATURAL JOIN"]),
        one_of(TABLES),
        one_of(COLUMNS),
    )
        .prop_map(|(join, table, column)| format!(" {join} {table} AS b USING ({column})"));
    let clause =
        |word: &'static str| prop::option::weighted(0.3, expression().prop_map(move |e| format!(" {word} {e}")));
    let limit =
        prop::option::weighted(0.2, one_of(&[" LIMIT 0", " LIMIT 2", " LIMIT 3 OFFSET 2", " LIMIT 99999999999"]));
    let order = prop::option::weighted(0.3, (expression(), one_of(&["", " DESC", " NULLS FIRST"])))
        .prop_map(|order| order.map(|(by, how)| format!(" ORDER BY {by}{how}")));
    (
        (any::<bool>(), prop::collection::vec(item, 1..4), one_of(TABLES), prop::option::weighted(0.3, join)),
        (clause("WHERE"), clause("GROUP BY"), clause("HAVING"), order, limit),
    )
        .prop_map(|((distinct, items, table, join), (condition, group, having, order, limit))| {
            let distinct = if distinct { "DISTINCT " } else { "" };
            let clauses = [join, condition, group, having, order, limit].map(Option::unwrap_or_default).concat();
            format!("SELECT {distinct}{} FROM {table} AS a{clauses}", items.join(", "))
        })
}

fn queries() -> impl Strategy<Value = String> {
    let simple = prop_oneof![
        6 => select(),
        1 => (select(), select()).prop_map(|(a, b)| format!("{a} UNION ALL {b}")),
        1 => (select(), select()).prop_map(|(a, b)| format!("WITH x AS ({a}) {b}")),
        1 => (select(), select()).prop_map(|(a, b)| format!("{a} INTERSECT {b}")),
        1 => select().prop_map(|a| format!("SELECT * FROM ({a}) AS y")),
        1 => one_of(&["DROP TABLE accuracy", "COPY accuracy TO 'x'", "SELECT 1; SELECT 2", "EXPLAIN SELECT 1", "SHOW TABLES", "TABLE accuracy"]),
    ];
    (simple, prop::option::weighted(0.3, slips()))
        .prop_map(|(query, slips)| slips.map_or(query.clone(), |slips| slipped(&query, &slips)))
}

/// The tables of a run, with and without rows.
static ROWS: LazyLock<Vec<(String, RecordBatch, RecordBatch)>> = LazyLock::new(|| {
    let tables = ["train_evaluations", "train_runs", "train_updates", "train_samples", "accuracy"];
    let read = |name: &str| {
        let table = BASE.outcome.table(name).unwrap();
        (name.to_owned(), empty(&table.schema), table.to_batch().unwrap())
    };
    tables.map(read).into()
});

#[test]
fn queries_of_every_shape() {
    explore("queries", 120, queries(), |text| {
        if let Ok(query) = Query::parse(text) {
            let known = |name: &String| ROWS.iter().any(|(known, ..)| known == name);
            if !query.tables.is_empty() && query.tables.iter().all(known) {
                let run = |filled: bool| {
                    let tables = ROWS.iter().filter(|(name, ..)| query.tables.contains(name));
                    let batch = |(name, none, rows): &'static (String, RecordBatch, RecordBatch)| {
                        (name.as_str(), if filled { rows.clone() } else { none.clone() })
                    };
                    query.run(&tables.map(batch).collect::<Vec<_>>())
                };
                // What has been planned on empty tables is what comes of full ones, or an error that is said.
                if let (Ok(planned), Ok(made)) = (run(false), run(true)) {
                    assert_eq!(planned.schema(), made.schema(), "another schema with rows than without");
                }
            }
        }
        let quoted = toml::Value::String(text.clone());
        let odd =
            format!("{}\n[stages.odd]\nkind = \"sql\"\nquery = {quoted}\n", SMALL.replace("\"tiny\"", "\"mnist\""));
        drop(plan(&odd, &[]));
    });
}
