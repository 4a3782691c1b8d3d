//! Tables and queries that nobody would write, and that are full of ties.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch};
use ojaflow::science::seed::{Purpose, Stream, stream};
use ojaflow::tables::cells::{Category, Cells};

/// Tables `a` and `b` with few different keys, so that rows tie; `x` and `w` are numbers of any magnitude, whose sums depend
/// on their order, and `z` holds NULL, NaN, both zeros and little else.
pub fn made_up_tables(seed: u64, n_rows: usize) -> Vec<(&'static str, RecordBatch)> {
    let mut random = stream(seed, Purpose::Task, 0);
    let rules = ["bp", "bp_oja", "oja", "rule_9"];
    let mut table = |n_rows: usize, n_steps: u32| {
        let rule: Vec<Option<&str>> =
            (0..n_rows).map(|_| (random.below(20) > 0).then(|| rules[random.below(4) as usize])).collect();
        let seed: Int32Array = (0..n_rows).map(|_| Some(random.below(5) as i32)).collect();
        let step: Int64Array =
            (0..n_rows).map(|_| (random.below(30) > 0).then(|| i64::from(random.below(n_steps)))).collect();
        let mut number = || -> Float64Array {
            let mut one = || {
                let magnitude = 10_f64.powi(random.below(36) as i32 - 18);
                (random.below(25) > 0).then(|| (random.uniform_f64() - 0.5) * magnitude)
            };
            (0..n_rows).map(|_| one()).collect()
        };
        let (x, w) = (number(), number());
        let special = [None, Some(f64::NAN), Some(-f64::NAN), Some(0.0), Some(-0.0), Some(1.0), Some(-2.5)];
        let z: Float64Array = (0..n_rows).map(|_| special[random.below(7) as usize]).collect();
        RecordBatch::try_from_iter_with_nullable([
            ("rule", <Option<Category> as Cells>::collect(rule.into_iter()), true),
            ("seed", Arc::new(seed) as ArrayRef, true),
            ("step", Arc::new(step) as ArrayRef, true),
            ("x", Arc::new(x) as ArrayRef, true),
            ("w", Arc::new(w) as ArrayRef, true),
            ("z", Arc::new(z) as ArrayRef, true),
        ])
        .unwrap()
    };
    // Few rows of `b` meet one of `a`, whatever the size, so that a join stays of that size.
    let n_steps = (n_rows as u32 / 40).max(5);
    vec![("a", table(n_rows, n_steps)), ("b", table(n_rows / 2, n_steps))]
}

/// One SELECT of any kind: groups, aggregates, windows, joins, sets, DISTINCT, with and without orders and limits.
pub fn made_up_query(random: &mut Stream) -> String {
    let pick = |random: &mut Stream, choices: &[&str]| choices[random.below(choices.len() as u32) as usize].to_owned();
    let several = |random: &mut Stream, choices: &[&str], most: u32| -> Vec<String> {
        let mut left: Vec<&str> = choices.to_vec();
        let n = 1 + random.below(most.min(choices.len() as u32));
        (0..n).map(|_| left.remove(random.below(left.len() as u32) as usize).to_owned()).collect()
    };
    let condition = [
        "",
        "",
        "",
        "WHERE x > 0",
        "WHERE z <= 1",
        "WHERE step > 2 AND rule <> 'bp'",
        "WHERE rule IS NOT NULL",
        "WHERE step IN (SELECT step FROM b ORDER BY w DESC LIMIT 7)",
        "WHERE rule IN (SELECT rule FROM b WHERE z = 1)",
    ];
    let from =
        ["a", "a", "a", "b", "(SELECT * FROM a LIMIT 900) AS q", "(SELECT * FROM a ORDER BY z DESC OFFSET 10) AS q"];
    let limit = ["", "", "LIMIT 5", "LIMIT 40 OFFSET 3", "OFFSET 7", "LIMIT 1"];
    let direction = ["", " DESC", " NULLS FIRST", " DESC NULLS LAST"];
    let aggregates = [
        "SUM(x)",
        "AVG(x)",
        "STDDEV(x)",
        "VARIANCE(x)",
        "SUM(x * w)",
        "AVG(w - x)",
        "CORR(x, w)",
        "COVAR_POP(x, w)",
        "COVAR_SAMP(x, w)",
        "MEDIAN(x)",
        "QUANTILE_CONT(x, 0.3)",
        "MIN(z)",
        "MAX(z)",
        "MIN(x)",
        "COUNT(*)",
        "COUNT(z)",
        "COUNT(DISTINCT seed)",
        "FIRST(x)",
        "LAST(z)",
        "FIRST(rule)",
        "SUM(x) FILTER (WHERE z = 1)",
        "SUM(seed)",
        "STRING_AGG(rule, '-' ORDER BY step DESC)",
        "STRING_AGG(DISTINCT rule, '-')",
        "SUM(z)",
        "TOTAL(x)",
        "ARRAY_AGG(seed)",
        "ARRAY_AGG(seed ORDER BY step DESC)",
    ];
    let windows = [
        "ROW_NUMBER() OVER (PARTITION BY rule ORDER BY step)",
        "ROW_NUMBER() OVER (ORDER BY z DESC)",
        "SUM(x) OVER (PARTITION BY seed ORDER BY step)",
        "LAG(x) OVER (PARTITION BY rule ORDER BY seed)",
        "LEAD(x) OVER (ORDER BY step, seed)",
        "AVG(x) OVER (PARTITION BY rule, seed)",
        "RANK() OVER (ORDER BY step)",
        "FIRST_VALUE(x) OVER (PARTITION BY rule ORDER BY z)",
        "COUNT(*) OVER (PARTITION BY rule)",
        "MAX(z) OVER (PARTITION BY rule ORDER BY step)",
        "SUM(w) OVER (ORDER BY rule DESC)",
    ];
    let keys = ["rule", "seed", "step", "z"];
    let columns = ["rule", "seed", "step", "x", "w", "z"];
    let source = format!("{} {}", pick(random, &from), pick(random, &condition));
    let order = |random: &mut Stream, names: &[String]| -> String {
        if random.below(3) == 0 {
            return String::new();
        }
        let name = &names[random.below(names.len() as u32) as usize];
        format!("ORDER BY {name}{}", pick(random, &direction))
    };
    let tail = pick(random, &limit);
    match random.below(10) {
        0..=3 => {
            let keys = several(random, &keys, 3);
            let names = several(random, &aggregates, 4);
            let aggregates: Vec<String> = names.iter().enumerate().map(|(i, a)| format!("{a} AS v{i}")).collect();
            let having = pick(random, &["", "", "HAVING COUNT(*) > 3", "HAVING SUM(x) > 0"]);
            let order = order(random, &keys);
            let keys = keys.join(", ");
            format!("SELECT {keys}, {} FROM {source} GROUP BY {keys} {having} {order} {tail}", aggregates.join(", "))
        }
        4 => {
            let names = several(random, &aggregates, 5);
            let aggregates: Vec<String> = names.iter().enumerate().map(|(i, a)| format!("{a} AS v{i}")).collect();
            format!("SELECT {} FROM {source}", aggregates.join(", "))
        }
        5 => {
            let columns = several(random, &columns, 4);
            let distinct = pick(random, &["", "DISTINCT "]);
            let order = order(random, &columns);
            format!("SELECT {distinct}{} FROM {source} {order} {tail}", columns.join(", "))
        }
        6 => {
            let columns = several(random, &columns, 3);
            let window = pick(random, &windows);
            let order = order(random, &columns);
            format!("SELECT {}, {window} AS v FROM {source} {order} {tail}", columns.join(", "))
        }
        7 => {
            let join = pick(random, &["JOIN", "LEFT JOIN", "FULL JOIN", "RIGHT JOIN"]);
            let aggregate = pick(random, &["SUM(a.x * b.w)", "AVG(b.x)", "FIRST(b.x)", "STDDEV(a.x)", "LAST(a.z)"]);
            match random.below(3) {
                0 => format!(
                    "SELECT a.rule AS rule, a.step AS step, a.x AS x, b.x AS y FROM a {join} b ON a.rule = b.rule AND a.step = b.step AND a.seed = b.seed {tail}"
                ),
                1 => format!(
                    "SELECT a.rule AS rule, {aggregate} AS v FROM a {join} b ON a.step = b.step AND a.rule = b.rule GROUP BY a.rule {tail}"
                ),
                _ => format!("SELECT {aggregate} AS v FROM a {join} b ON a.step = b.step"),
            }
        }
        8 => {
            let set = pick(random, &["UNION", "UNION ALL", "INTERSECT", "EXCEPT"]);
            let columns = several(random, &columns, 3);
            let order = order(random, &columns);
            let columns = columns.join(", ");
            let set = format!("SELECT {columns} FROM a {set} SELECT {columns} FROM b");
            match random.below(2) {
                0 => format!("{set} {order} {tail}"),
                _ => format!("WITH q AS ({set} {tail}) SELECT * FROM q {order}"),
            }
        }
        _ => {
            let key = pick(random, &keys);
            let order = pick(random, &["", "ORDER BY seed DESC", "ORDER BY z"]);
            match random.below(2) {
                0 => format!("SELECT DISTINCT ON ({key}) rule, seed, step, x, z FROM {source} {order} {tail}"),
                _ => format!(
                    "WITH best AS (SELECT {key}, SUM(x) AS total FROM a GROUP BY {key} ORDER BY total DESC LIMIT 6) \
                     SELECT best.{key} AS k, best.total AS total, COUNT(*) AS n, AVG(b.x) AS mean FROM best JOIN b ON \
                     best.{key} = b.{key} GROUP BY best.{key}, best.total"
                ),
            }
        }
    }
}
