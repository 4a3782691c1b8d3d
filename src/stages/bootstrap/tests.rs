//! Summaries of made-up measurements, against what is computed by hand.

use super::*;
use crate::error::{Error, Result};
use crate::tables::frame::Cell;
use crate::tables::{Row, table};
use crate::task::bench::{Bench, Made};

table! {
    /// How large something is in a layer of a run.
    struct NormRow<'a> in "norms" version 1 key(rule, seed, step, layer) {
        /// axis
        rule: Category,
        /// axis
        seed: Int64,
        /// samples seen
        step: Int64 in "samples",
        /// layer
        layer: Int32,
        /// what is measured
        norm: Option<Float64> in "activation",
        /// no number
        note: Category,
    }
}

table! {
    /// A run, and when it diverged.
    struct SeedRow<'a> in "runs" version 1 key(rule, seed) {
        /// axis
        rule: Category,
        /// axis
        seed: Int64,
        /// if it did
        diverged_at_step: Option<Int64>,
    }
}

table! {
    /// Where a summary stands, as long as rules and steps are told apart.
    struct PlaceRow<'a> in "bootstrap" version 1 key() {
        /// axis
        rule: Category,
        /// samples seen
        step: Int64,
    }
}

/// A value: rule, seed, step, layer, norm.
type Value = (&'static str, i64, i64, i32, f64);

/// Measurements of runs, which diverged at these steps.
fn bench(values: &[Value], runs: &[(&str, i64, Option<i64>)]) -> Bench {
    let rows = values.iter().map(|&(rule, seed, step, layer, norm)| NormRow {
        rule,
        seed,
        step,
        layer,
        norm: Some(norm),
        note: "",
    });
    let runs = runs.iter().map(|&(rule, seed, diverged_at_step)| SeedRow { rule, seed, diverged_at_step });
    Bench::new().published("norms", NormRow::schema(), 2, NormRow::batch(&rows.collect::<Vec<_>>())).published(
        "norm_runs",
        SeedRow::schema(),
        2,
        SeedRow::batch(&runs.collect::<Vec<_>>()),
    )
}

fn run(bench: &Bench, parameters: &str) -> Result<Made> {
    bench.run(&Bootstrap, &format!("of = 'norms'\nruns = 'norm_runs'\nvalue = 'norm'\n{parameters}"))
}

/// Rule, step, mean, runs and diverged runs of each row.
fn found(made: &Made) -> Vec<(&str, i64, Option<f64>, i32, i32)> {
    let places: Vec<PlaceRow<'_>> = made.rows("bootstrap");
    let summaries: Vec<SummaryRow> = made.rows("bootstrap");
    places
        .iter()
        .zip(summaries)
        .map(|(place, row)| (place.rule, place.step, row.mean, row.n_runs, row.n_diverged))
        .collect()
}

/// `bp` has 1, 2, 6, `oja` 10 more than that, seed by seed.
fn pairs() -> Bench {
    let of = |rule, more: f64| {
        [1.0, 2.0, 6.0].map(|norm| norm + more).into_iter().zip(0..).map(move |(norm, seed)| (rule, seed, 5, 1, norm))
    };
    let values: Vec<Value> = of("bp", 0.0).chain(of("oja", 10.0)).collect();
    let runs: Vec<_> = values.iter().map(|value| (value.0, value.1, None)).collect();
    bench(&values, &runs)
}

#[test]
fn a_mean_over_seeds_lies_in_an_interval_between_the_smallest_and_the_largest() {
    let made = run(&pairs(), "resamples = 2000").unwrap();
    assert_eq!(found(&made), [("bp", 5, Some(3.0), 3, 0), ("oja", 5, Some(13.0), 3, 0)]);
    let schema = &made.tables["bootstrap"].schema;
    let names: Vec<&str> = schema.column_names().collect();
    assert_eq!(names, ["rule", "step", "layer", "mean", "ci_low", "ci_high", "n_runs", "n_diverged"]);
    assert_eq!(schema.key, ["rule", "step", "layer"]);
    assert_eq!(schema.column("ci_low").unwrap().unit, "activation");
    // One of 27 resamples is three times the smallest value: more than the 1 % below an interval of 98 %.
    let rows: Vec<SummaryRow> = made.rows("bootstrap");
    assert_eq!((rows[0].ci_low, rows[0].ci_high), (Some(1.0), Some(6.0)));
    // Of the 27 equally likely sums of three, 13 are at most 8 and 10 at least 10: both bounds of a level of 0.05 are 9 / 3
    // for any draw that is near that.
    let narrow = run(&pairs(), "resamples = 2000\nlevel = 0.05").unwrap();
    let rows: Vec<SummaryRow> = narrow.rows("bootstrap");
    assert_eq!((rows[0].ci_low, rows[0].ci_high), (Some(3.0), Some(3.0)));
}

#[test]
fn a_difference_is_taken_seed_by_seed() {
    let made = run(&pairs(), "difference = { column = 'rule', of = 'oja', minus = 'bp' }").unwrap();
    // The runs differ by far more than chance would allow, but paired there is nothing left to it.
    let exact = SummaryRow { mean: Some(10.0), ci_low: Some(10.0), ci_high: Some(10.0), n_runs: 3, n_diverged: 0 };
    assert_eq!(made.rows::<SummaryRow>("bootstrap"), [exact]);
    let turned = run(&pairs(), "difference = { column = 'rule', of = 'bp', minus = 'oja' }").unwrap();
    assert_eq!(turned.rows::<SummaryRow>("bootstrap")[0].mean, Some(-10.0));
}

/// Layers 1 and 2 of two seeds: 1 and 2, 4 and 2; seed 1 has no layer 3.
fn layers() -> Bench {
    let value = |seed, layer, norm| ("bp", seed, 5, layer, norm);
    let values = [value(0, 1, 1.0), value(1, 1, 2.0), value(0, 2, 4.0), value(1, 2, 2.0), value(0, 3, 7.0)];
    bench(&values, &[("bp", 0, None), ("bp", 1, None)])
}

#[test]
fn a_ratio_is_that_of_means_and_not_the_mean_of_ratios() {
    let made = run(&layers(), "ratio = { column = 'layer', of = 2, over = 1 }").unwrap();
    assert_eq!(found(&made), [("bp", 5, Some(2.0), 2, 0)], "6 to 3; the mean of 4 and 1 would be 2.5");
}

#[test]
fn a_spread_is_the_largest_mean_over_the_smallest_of_runs_that_have_all() {
    let two = run(&layers(), "spread = ['layer']\nwhere = { layer = [1, 2] }").unwrap();
    assert_eq!(found(&two), [("bp", 5, Some(2.0), 2, 0)]);
    let three = run(&layers(), "spread = ['layer']").unwrap();
    assert_eq!(found(&three), [("bp", 5, Some(7.0), 1, 0)], "seed 0 alone has three layers");
}

#[test]
fn values_are_averaged_over_columns_within_a_run_first() {
    let made = run(&layers(), "mean_over = ['layer']\nwhere = { layer = [1, 2] }").unwrap();
    // 5/2 and 4/2.
    assert_eq!(found(&made), [("bp", 5, Some(2.25), 2, 0)]);
    // A run that lacks a layer has no average over three.
    let made = run(&layers(), "mean_over = ['layer']").unwrap();
    assert_eq!(found(&made), [("bp", 5, Some(4.0), 1, 0)]);
}

#[test]
fn a_single_run_has_no_interval() {
    let made = run(&bench(&[("bp", 0, 5, 1, 4.0)], &[("bp", 0, None)]), "").unwrap();
    let alone = SummaryRow { mean: Some(4.0), ci_low: None, ci_high: None, n_runs: 1, n_diverged: 0 };
    assert_eq!(made.rows::<SummaryRow>("bootstrap"), [alone]);
}

#[test]
fn a_run_that_diverged_counts_as_told_from_that_step_on_and_is_counted() {
    let values = [("bp", 0, 10, 1, 1.0), ("bp", 1, 10, 1, 3.0), ("bp", 0, 20, 1, 1.0)];
    let diverged = bench(&values, &[("bp", 0, None), ("bp", 1, Some(20))]);
    let left_out = run(&diverged, "").unwrap();
    assert_eq!(found(&left_out), [("bp", 10, Some(2.0), 2, 0), ("bp", 20, Some(1.0), 1, 1)]);
    let as_chance = run(&diverged, "when_diverged = 0.0").unwrap();
    assert_eq!(found(&as_chance), [("bp", 10, Some(2.0), 2, 0), ("bp", 20, Some(0.5), 2, 1)]);
}

/// Two rules, seeds 0 and 1; both runs of `bp` diverged at step 20, and only `bp_oja` has a layer 3.
#[test]
fn a_condition_in_which_every_run_diverged_has_a_row_without_a_statistic() {
    let mut values: Vec<Value> = Vec::new();
    for (rule, step, layers) in [("bp", 10, 2), ("bp_oja", 10, 3), ("bp_oja", 30, 3)] {
        for seed in [0, 1] {
            values.extend((1..=layers).map(|layer| (rule, seed, step, layer, f64::from(layer))));
        }
    }
    let bench = bench(&values, &[("bp", 0, Some(20)), ("bp", 1, Some(20)), ("bp_oja", 0, None), ("bp_oja", 1, None)]);
    let ratio = "ratio = { column = 'layer', of = 2, over = 1 }\n";
    let before = run(&bench, &format!("{ratio}where = {{ step = 10 }}")).unwrap();
    assert_eq!(found(&before), [("bp", 10, Some(2.0), 2, 0), ("bp_oja", 10, Some(2.0), 2, 0)]);
    let after = run(&bench, &format!("{ratio}where = {{ step = 30 }}")).unwrap();
    assert_eq!(found(&after), [("bp", 30, None, 0, 2), ("bp_oja", 30, Some(2.0), 2, 0)]);
    // But it has none in a layer that its network does not have: two of `bp`, three of `bp_oja`.
    let layers = run(&bench, "where = { step = 30 }").unwrap();
    let of_bp = ("bp", 30, None, 0, 2);
    let of_oja = [1.0, 2.0, 3.0].map(|layer| ("bp_oja", 30, Some(layer), 2, 0));
    assert_eq!(found(&layers), [&[of_bp, of_bp], &of_oja[..]].concat());
}

#[test]
fn what_cannot_be_summarised_is_refused_with_what_there_is() {
    let fault = |parameters: &str| match pairs().run(&Bootstrap, parameters) {
        Err(Error::Spec(faults)) => faults[0].message.clone(),
        other => panic!("{other:?}"),
    };
    let with = |rest: &str| fault(&format!("of = 'norms'\nruns = 'norm_runs'\n{rest}"));
    assert_eq!(with("value = 'note'"), "column `note` of `norms` is of type category, not a number");
    assert!(
        with("value = 'norms'").starts_with("table `norms` has no column `norms`; did you mean `norm`? There are: ")
    );
    let not_an_axis = with("value = 'norm'\nover = 'layer'");
    assert!(not_an_axis.starts_with("`layer` is not an axis of table `norm_runs`; there are: "), "{not_an_axis}");
    assert_eq!(
        with("value = 'norm'\nspread = ['layer']\nratio = { column = 'layer', of = 2, over = 1 }"),
        "`difference`, `ratio` and `spread` exclude each other"
    );
    assert!(with("value = 'norm'\nmean_over = ['note']").starts_with("`note` does not tell rows of `norms` apart"));
    assert!(with("value = 'norm'\nresamples = 0").starts_with("between 1 and 1,000,000 resamples"));
    assert!(with("value = 'norm'\nlevel = 1.0").starts_with("a level lies between 0 and 1"));
    assert!(fault("of = 'norms'\nvalue = 'norm'").starts_with("the key `runs` is missing"));
    assert!(fault("of = 'norms'\nruns = 'norms'\nvalue = 'norm'").contains("has no column `diverged_at_step`"));
}

#[test]
fn what_a_filter_takes_away_no_longer_counts_as_a_value_of_its_column() {
    let parameters = "of = 'norms'\nruns = 'norm_runs'\nvalue = 'norm'\nwhere = { rule = 'bp' }";
    let parameters = Node::parse("test", parameters).unwrap();
    let rules = ["bp", "oja"].map(|rule| Cell::Text(rule.into()));
    let gathered = |name: &str, schema| Gathered {
        name: name.to_owned(),
        span: parameters.span.clone(),
        schema,
        n_axes: 2,
        own_axes: Vec::new(),
        values: [("rule".to_owned(), rules.to_vec().into())].into(),
    };
    let planning = Planning {
        stage: "stage",
        parameters: &parameters,
        resources: &(),
        definitions: &crate::spec::Definitions::default(),
        matrix: &crate::task::KnownValues::new(),
        available: &[],
        tables: &[gathered("norms", NormRow::schema()), gathered("norm_runs", SeedRow::schema())],
        memory: u64::MAX,
    };
    let planned = Bootstrap.plan(&planning).unwrap();
    assert_eq!(*planned.work.known_values("estimates")["rule"], [Cell::Text("bp".into())]);
}

#[test]
fn the_values_behind_a_difference_stand_beside_it() {
    let made = run(&pairs(), "difference = { column = 'rule', of = 'oja', minus = 'bp' }").unwrap();
    let values: Vec<ValueRow<'_>> = made.rows("values");
    assert_eq!(values.len(), 6);
    let found: Vec<(&str, Option<f64>)> = values.iter().map(|row| (row.part, row.value)).collect();
    let of = |part, values: [f64; 3]| values.map(|value| (part, Some(value)));
    assert_eq!(found, [of("minus", [1.0, 2.0, 6.0]), of("plus", [11.0, 12.0, 16.0])].concat());
    assert!(values.iter().all(|row| row.scale == "linear" && !row.diverged && row.probability == 1.0 && row.cell == 1));
}

#[test]
fn the_values_behind_a_ratio_are_logarithms() {
    let made = run(&pairs(), "ratio = { column = 'rule', of = 'oja', over = 'bp' }").unwrap();
    let values: Vec<ValueRow<'_>> = made.rows("values");
    let found: Vec<(&str, &str, Option<f64>)> = values.iter().map(|row| (row.part, row.scale, row.value)).collect();
    assert_eq!(found[0], ("minus", "log", Some(0.0)));
    assert_eq!(found[5], ("plus", "log", Some(libm::log(16.0))));
}
