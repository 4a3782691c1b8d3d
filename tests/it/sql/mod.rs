//! An `sql` stage gives the same rows in the same order, always: queries made up at random over tables made up at random
//! run in processes that differ in the number of Polars' threads and in the order in which the rows of the tables arrive.
//!
//! A short run is a test like any other, a long one is
//! `cargo test --test it sql::the_long_run -- --ignored --nocapture`.

mod made_up;
mod sandbox;

use std::process::Command;
use std::time::Instant;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::row::{RowConverter, SortField};
use ojaflow::science::seed::{Purpose, Stream, stream};
use ojaflow::tables::sql::Query;

use crate::common::text;
use made_up::{made_up_query, made_up_tables};

/// What a process of a run is told: `seed rows queries shuffle`.
const TASK: &str = "OJAFLOW_TEST_SQL";

#[test]
fn the_same_rows_give_the_same_bytes() {
    if let Ok(task) = std::env::var(TASK) {
        return run_task(&task);
    }
    let runs = [(1, 1), (2, 2), (8, 3)];
    let checked = compare_runs(1, 2_000, 50, &runs);
    assert!(checked.answered >= 48, "{checked:?}: a query that is refused shows nothing");
}

#[test]
#[ignore = "takes minutes: `cargo test --test it sql::the_long_run -- --ignored --nocapture`"]
fn the_long_run() {
    let threads = [1, 2, 8, 20];
    for (seed, n_rows, n_queries, n_runs) in
        [(11, 100, 400, 20), (12, 10_000, 80, 20), (13, 100_000, 20, 20), (14, 1_000_000, 6, 20)]
    {
        let start = Instant::now();
        let runs: Vec<_> = (0..n_runs).map(|run| (threads[run % threads.len()], run)).collect();
        let checked = compare_runs(seed, n_rows, n_queries, &runs);
        println!(
            "{n_rows} rows: {n_runs} runs of {n_queries} queries with 1, 2, 8 and 20 threads, {} answered with {} rows, \
             equal bytes ({} s)",
            checked.answered,
            checked.n_rows,
            start.elapsed().as_secs()
        );
        assert!(checked.answered * 10 >= n_queries * 9, "{checked:?}");
    }
}

#[derive(Debug)]
struct Checked {
    answered: usize,
    n_rows: usize,
}

/// Runs the same queries in one process a run, (threads, shuffle of the rows), and compares what they print.
fn compare_runs(seed: u64, n_rows: usize, n_queries: usize, runs: &[(usize, usize)]) -> Checked {
    let mut first: Option<Vec<String>> = None;
    for &(threads, shuffle) in runs {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "sql::the_same_rows_give_the_same_bytes", "--nocapture", "--test-threads=1"]);
        command.env("POLARS_MAX_THREADS", threads.to_string());
        command.env(TASK, format!("{seed} {n_rows} {n_queries} {shuffle}"));
        let output = command.output().unwrap();
        let stdout = text(&output.stdout);
        assert!(output.status.success(), "{stdout}\n{}", text(&output.stderr));
        let lines: Vec<String> = stdout.lines().filter(|line| line.starts_with("query ")).map(str::to_owned).collect();
        assert_eq!(lines.len(), n_queries, "{stdout}");
        match &first {
            None => first = Some(lines),
            Some(first) => {
                for (a, b) in first.iter().zip(&lines) {
                    assert_eq!(a, b, "with {} and with {threads} threads", runs[0].0);
                }
            }
        }
    }
    let lines = first.expect("at least one run");
    let rows: Vec<usize> = lines.iter().filter_map(|line| line.split(' ').nth(2)?.parse().ok()).collect();
    Checked { answered: rows.len(), n_rows: rows.iter().sum() }
}

/// `query INDEX ROWS DIGEST TEXT` a query, or `query INDEX refused TEXT: MESSAGE`.
fn run_task(task: &str) {
    let numbers: Vec<u64> = task.split(' ').map(|number| number.parse().unwrap()).collect();
    let [seed, n_rows, n_queries, shuffle] = numbers[..] else { panic!("{task}") };
    let tables = made_up_tables(seed, n_rows as usize);
    let mut order = stream(shuffle, Purpose::Task, 1);
    let tables: Vec<_> = tables.into_iter().map(|(name, batch)| (name, shuffled(&batch, &mut order))).collect();
    let mut random = stream(seed, Purpose::Task, 2);
    // The harness has begun a line.
    println!();
    for index in 0..n_queries {
        let written = made_up_query(&mut random);
        match Query::parse(&written).and_then(|query| query.run(&tables)) {
            Ok(result) => println!("query {index} {} {} {written}", result.num_rows(), digest(&result)),
            Err(message) => println!("query {index} refused {written}: {}", message.lines().next().unwrap_or_default()),
        }
    }
}

fn digest(batch: &RecordBatch) -> String {
    let fields = batch.columns().iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let rows = RowConverter::new(fields).unwrap().convert_columns(batch.columns()).unwrap();
    let mut hasher = blake3::Hasher::new();
    for field in batch.schema().fields() {
        hasher.update(field.name().as_bytes());
    }
    for row in &rows {
        hasher.update(row.as_ref());
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

fn shuffled(batch: &RecordBatch, random: &mut Stream) -> RecordBatch {
    let mut order: Vec<u32> = (0..batch.num_rows() as u32).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, random.below(last as u32 + 1) as usize);
    }
    take_record_batch(batch, &UInt32Array::from(order)).unwrap()
}
