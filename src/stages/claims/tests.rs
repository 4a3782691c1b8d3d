//! Claims over made-up runs, against what is computed by hand.

use super::{ClaimRow, Claims, natural, overall};
use crate::error::{Error, Result};
use crate::spec::node::Node;
use crate::stages::bootstrap::{SummaryRow, ValueRow};
use crate::tables::cells::{Category, Float64, Int32, Int64};
use crate::tables::frame::{Cell, Frame};
use crate::tables::{Assembly, Column, ColumnType, Row, TableSchema};
use crate::task::bench::{Bench, Made};

/// A value of a run: layer, rule, cell, seed, value, probability of the cell, cells that there are.
#[derive(Clone, Copy)]
struct Value(i32, &'static str, i64, i64, Option<f64>, f64, i32);

/// The schemas of a bootstrap by layer, of a difference of rules, and of the values behind it.
fn schemas() -> (TableSchema, TableSchema) {
    let layer = || Column::new("layer", ColumnType::Int32, "", "");
    let rule = Column::new("rule", ColumnType::Category, "", "");
    let seed = Column::new("seed", ColumnType::Int64, "", "");
    let mut summary = SummaryRow::schema().with_columns_before("mean", [layer()]);
    summary.key = vec!["layer".into()];
    let mut values = ValueRow::schema().with_columns_before("part", [layer(), rule, seed]);
    values.key = ["layer", "rule", "seed", "part", "cell"].map(Into::into).to_vec();
    (summary, values)
}

fn bench(values: &[Value], scale: &'static str) -> Bench {
    let row = |value: &Value| ValueRow {
        part: if value.1 == "bp" { "minus" } else { "plus" },
        cell: value.2,
        value: value.4,
        scale,
        diverged: value.4.is_none(),
        when_diverged: None,
        probability: value.5,
        n_cells: value.6,
        n_tuned: 20,
        n_tuned_failed: 0,
        tuning_gap: None,
    };
    let rows: Vec<ValueRow<'_>> = values.iter().map(row).collect();
    let (summary, schema) = schemas();
    let batch = Assembly::new(schema.clone())
        .rows(&rows)
        .column::<Int32>("layer", values.iter().map(|value| value.0))
        .column::<Category>("rule", values.iter().map(|value| value.1))
        .column::<Int64>("seed", values.iter().map(|value| value.3))
        .batch()
        .unwrap();
    let summaries =
        Assembly::new(summary.clone()).rows::<SummaryRow>(&[]).column::<Int32>("layer", []).batch().unwrap();
    Bench::new().published("t", summary, 0, summaries).published("t_values", schema, 0, batch)
}

/// `[[claims]]` and `[decide]` over the tables of a bench.
fn judged(bench: &Bench, text: &str) -> Result<Made> {
    bench.run_node(&Claims, &Node::parse("claims", text).unwrap())
}

/// Twenty runs whose differences from BP have this mean and scatter by 0.1: half of a 98 % interval is 0.057.
fn about(layer: i32, mean: f64) -> Vec<Value> {
    let run = |seed: i64| if seed % 2 == 0 { mean + 0.0975 } else { mean - 0.0975 };
    let of = |rule, value: fn(f64) -> f64| {
        (0..20).map(move |seed| Value(layer, rule, 1, seed, Some(value(run(seed))), 1.0, 1))
    };
    of("oja", |value| value + 0.5).chain(of("bp", |_| 0.5)).collect()
}

fn verdicts(made: &Made) -> Vec<(String, String)> {
    let rows: Vec<ClaimRow<'_>> = made.rows("claims");
    rows.iter().map(|row| (row.condition.to_owned(), row.verdict.to_owned())).collect()
}

fn verdict(values: &[Value], condition: &str) -> String {
    let text = format!("[[claims]]\nid = 'C1'\nstatement = 's'\nof = 't'\n{condition}");
    let made = judged(&bench(values, "linear"), &text).unwrap();
    verdicts(&made).remove(0).1
}

#[test]
fn an_interval_beyond_its_bound_holds_one_on_the_other_side_refutes_and_one_across_it_decides_nothing() {
    let values = about(1, 0.1);
    assert_eq!(verdict(&values, "greater_than = 0.04"), "holds");
    assert_eq!(verdict(&values, "greater_than = 0.05"), "undecided");
    assert_eq!(verdict(&values, "greater_than = 0.2"), "refuted");
    assert_eq!(verdict(&values, "less_than = 0.2"), "holds");
    assert_eq!(verdict(&values, "less_than = 0.04"), "refuted");
    assert_eq!(verdict(&values, "between = [0.0, 0.2]"), "holds");
    assert_eq!(verdict(&values, "between = [0.0, 0.12]"), "undecided");
    assert_eq!(verdict(&values, "between = [0.2, 0.3]"), "refuted");
}

#[test]
fn what_was_not_measured_is_undecided_unless_its_divergence_is_the_claim() {
    let diverged = [Value(4, "oja", 1, 0, None, 1.0, 1), Value(4, "bp", 1, 0, None, 1.0, 1)];
    assert_eq!(verdict(&diverged, "where = { layer = 4 }\ngreater_than = 0.0"), "undecided");
    assert_eq!(verdict(&diverged, "where = { layer = 4 }\ngreater_than = 0.0\nor_diverged = true"), "holds");
    assert_eq!(verdict(&about(1, 0.1), "where = { layer = 9 }\ngreater_than = 0.0"), "undecided", "no such layer");
    assert_eq!(verdict(&about(1, 0.1)[..1], "greater_than = 0.0"), "undecided", "one side only, and one run");
}

#[test]
fn a_claim_of_several_parts_needs_all_of_them_and_shares_the_level_of_a_refutation() {
    let values = [about(1, 0.1), about(2, 0.3), about(10, 0.5)].concat();
    let text = "[[claims]]\nid = 'C1'\nstatement = 's'\nof = 't'\nfor_all = { layer = [1, 2, 10] }\ngreater_than = 0.2";
    let made = judged(&bench(&values, "linear"), text).unwrap();
    let rows: Vec<ClaimRow<'_>> = made.rows("claims");
    let found: Vec<&str> = rows.iter().map(|row| row.verdict).collect();
    assert_eq!(rows[0].condition, "> 0.2 in t where layer = 1");
    assert_eq!(found, ["refuted", "holds", "holds"]);
    assert_eq!(overall(rows.iter().map(|row| row.holds)), Some(false));
    // t(1 − 0.02/6, 19) is 3.03 instead of 2.54.
    let half = |high: Option<f64>| high.unwrap() - rows[0].estimate.unwrap();
    assert!((half(rows[0].refute_high) / half(rows[0].ci_high) - 3.03 / 2.54).abs() < 0.01);
}

#[test]
fn ratios_are_judged_by_their_logarithms() {
    let values: Vec<Value> = about(1, 1.0).into_iter().filter(|value| value.1 == "oja").collect();
    let text = |condition: &str| format!("[[claims]]\nid = 'C1'\nstatement = 's'\nof = 't'\n{condition}");
    let made = judged(&bench(&values, "log"), &text("greater_than = 4.0")).unwrap();
    let row = made.rows::<ClaimRow<'_>>("claims")[0];
    // The values are 1.5 ± 0.0975: their mean is that of logarithms.
    assert!((row.estimate.unwrap() - 1.5_f64.exp()).abs() < 1e-9, "{row:?}");
    assert_eq!((row.verdict, row.threshold), ("holds", 4.0));
    assert!(row.ci_low.unwrap() > 4.0 && row.ci_low < row.estimate);
}

/// A table beside that of the runs, which says how probable something is in either network.
fn with_probabilities(probabilities: [f64; 2]) -> Bench {
    let network = Column::new("network", ColumnType::Category, "", "");
    let share = Column::new("share", ColumnType::Float64, "", "");
    let schema = TableSchema::new("shares", 1, vec![network, share], &["network"]);
    let batch = Assembly::new(schema.clone())
        .column::<Category>("network", ["small", "large"])
        .column::<Float64>("share", probabilities)
        .batch()
        .unwrap();
    bench(&about(1, 0.1), "linear").published("shares", schema, 0, batch)
}

#[test]
fn a_probability_holds_above_its_bound_and_is_refuted_where_its_contrary_is_as_probable() {
    let judge = |share: f64, condition: &str| {
        let text = format!(
            "[[claims]]\nid = 'C1'\nstatement = 's'\nall = [{{ of = 't', greater_than = 0.04 }}, \
             {{ of = 'shares', probability = 'share', {condition} }}]"
        );
        judged(&with_probabilities([share, 0.5]), &text)
    };
    for (share, expected) in [(0.95, "holds"), (0.9, "undecided"), (0.2, "undecided"), (0.05, "refuted")] {
        let made = judge(share, "where = { network = 'small' }, greater_than = 0.9").unwrap();
        let rows: Vec<ClaimRow<'_>> = made.rows("claims");
        assert_eq!(rows[0].condition, "> 0.04 in t");
        assert_eq!(rows[1].condition, "share > 0.9 in shares where network = small");
        assert_eq!((rows[1].verdict, rows[1].estimate, rows[1].n_runs), (expected, Some(share), 0));
    }
    let made = judge(0.95, "greater_than = 0.9").unwrap();
    let row = made.rows::<ClaimRow<'_>>("claims")[1];
    assert_eq!((row.verdict, row.note), ("undecided", "nothing is known of it"), "two rows are no answer");
    let refused = |condition: &str| judge(0.95, condition).unwrap_err().to_string();
    assert!(refused("less_than = 0.9").contains("more than a half"));
    assert!(refused("greater_than = 0.3").contains("more than a half"));
    assert!(refused("where = { layer = 1 }, greater_than = 0.9").contains("no column `layer`"));
}

/// Two cells of Oja's rule: the one that was picked gains 0.1, the other, as probable, 0.3.
fn with_another_cell() -> Vec<Value> {
    let mut values = about(1, 0.1);
    values.iter_mut().filter(|value| value.1 == "oja").for_each(|value| (value.5, value.6) = (0.5, 2));
    let other = values.clone().into_iter().filter(|value| value.1 == "oja");
    let other: Vec<Value> =
        other.map(|value| Value(1, "oja", 2, value.3, value.4.map(|value| value + 0.2), 0.5, 2)).collect();
    [values, other].concat()
}

#[test]
fn the_verdict_is_about_the_tuning_as_well() {
    let text = "[[claims]]\nid = 'C1'\nstatement = 's'\nof = 't'\ngreater_than = 0.04\npaper_effect = 0.1";
    let made = judged(&bench(&with_another_cell(), "linear"), text).unwrap();
    let row = made.rows::<ClaimRow<'_>>("claims")[0];
    assert!((row.picked_estimate.unwrap() - 0.1).abs() < 1e-12 && row.picked_low.unwrap() > 0.04);
    // Half of either, and the two lie 0.1 from that: √V is 0.1, t(0.99, 19) = 2.54, so 0.2 ± √(0.057² + 0.254²).
    assert!((row.estimate.unwrap() - 0.2).abs() < 1e-12);
    assert!((row.tuning_sd.unwrap() - 0.1).abs() < 1e-9, "{row:?}");
    let half = f64::hypot(0.05678, 2.53948 * 0.1);
    assert!((row.ci_low.unwrap() - (0.2 - half)).abs() < 1e-3, "{row:?}");
    assert_eq!((row.verdict, row.n_needed), ("undecided", None));
    assert!(row.power.unwrap() < 0.1, "{row:?}");
}

fn axes(bench: Bench) -> Bench {
    let integers = |n: i64| (0..n).map(Cell::Integer);
    let words = ["bp", "oja"].map(|word| Cell::Text(word.into()));
    bench.axis("rule", words).axis("cell", [Cell::Integer(1)]).axis("seed", integers(20)).axis("panel", integers(2))
}

/// What a claim asks for: rule, cell and seed of each run.
fn wanted(made: &Made) -> Vec<(String, i64, i64)> {
    let frame: Frame = made.frame("wanted");
    let (rules, cells, seeds) =
        (frame.cells("rule").unwrap(), frame.cells("cell").unwrap(), frame.cells("seed").unwrap());
    assert!(frame.cells("panel").unwrap().iter().all(|cell| *cell == Cell::Null), "an axis that runs do not have");
    let integer = |cell: &Cell| if let Cell::Integer(value) = cell { *value } else { panic!("{cell}") };
    (0..frame.n_rows()).map(|row| (rules[row].to_string(), integer(&cells[row]), integer(&seeds[row]))).collect()
}

const CLAIM: &str = "[[claims]]\nid = 'C1'\nstatement = 's'\nof = 't'\ngreater_than = 0.09\n";

#[test]
fn a_claim_asks_for_the_cells_that_tuning_left() {
    let mut values = with_another_cell();
    values.retain(|value| value.2 == 1);
    let made = judged(&axes(bench(&values, "linear")), CLAIM).unwrap();
    let asked = wanted(&made);
    assert_eq!(asked.len(), 20);
    assert!(asked.iter().all(|(rule, cell, _)| (rule.as_str(), *cell) == ("oja", 2)));
    // With them it is judged, and asks for nothing.
    let made = judged(&axes(bench(&with_another_cell(), "linear")), CLAIM).unwrap();
    assert_eq!(wanted(&made), []);
}

#[test]
fn an_undecided_claim_asks_for_the_runs_of_its_next_look_and_a_decided_one_for_none() {
    let decide = "[decide]\nlooks = [20, 40]\n";
    let made = judged(&axes(bench(&about(1, 0.1), "linear")), &format!("{decide}{CLAIM}")).unwrap();
    let row = made.rows::<ClaimRow<'_>>("claims")[0];
    assert_eq!((row.verdict, row.looks, row.decided_at), ("undecided", "20, 40", None));
    assert!((row.level - 0.01137).abs() < 1e-5);
    let asked = wanted(&made);
    assert_eq!(asked.len(), 40, "twenty more runs of two rules");
    assert!(asked.iter().all(|(_, cell, seed)| *cell == 1 && (20..40).contains(seed)));
    let made = judged(&axes(bench(&about(1, 0.3), "linear")), &format!("{decide}{CLAIM}")).unwrap();
    let row = made.rows::<ClaimRow<'_>>("claims")[0];
    assert_eq!((row.verdict, row.decided_at), ("holds", Some(20)));
    assert_eq!(wanted(&made), []);
}

#[test]
fn what_was_decided_at_an_early_look_is_not_judged_again() {
    // Twenty runs that decide it, and twenty that would take it back.
    let early = about(1, 0.3);
    let late = about(1, -0.5).into_iter().map(|value| Value(1, value.1, 1, value.3 + 20, value.4, 1.0, 1));
    let values: Vec<Value> = early.into_iter().chain(late).collect();
    let made = judged(&axes(bench(&values, "linear")), &format!("[decide]\nlooks = [20, 40]\n{CLAIM}")).unwrap();
    let row = made.rows::<ClaimRow<'_>>("claims")[0];
    assert_eq!((row.verdict, row.decided_at, row.n_runs), ("holds", Some(20), 20));
}

#[test]
fn a_claim_is_judged_only_where_the_one_it_is_given_holds() {
    let values = [about(1, 0.1), about(2, 0.5)].concat();
    let text = |bound: f64| {
        format!(
            "[[claims]]\nid = 'C11'\nstatement = 's'\nof = 't'\nwhere = {{ layer = 1 }}\ngreater_than = {bound}\n\
             [[claims]]\nid = 'C12'\nstatement = 's'\ngiven = 'C11'\nof = 't'\nwhere = {{ layer = 2 }}\ngreater_than = 0.0"
        )
    };
    let found = |bound: f64| -> Vec<String> {
        let made = judged(&bench(&values, "linear"), &text(bound)).unwrap();
        verdicts(&made).into_iter().map(|(_, verdict)| verdict).collect()
    };
    assert_eq!(found(0.0), ["holds", "holds"]);
    assert_eq!(found(0.1), ["undecided", "undecided"]);
    assert_eq!(found(0.3), ["refuted", "undecided"]);
}

#[test]
fn rules_that_picked_the_same_are_not_compared() {
    let mut values = about(1, 0.0);
    values.iter_mut().for_each(|value| value.4 = Some(0.5));
    let made = judged(&bench(&values, "linear"), CLAIM).unwrap();
    let row = made.rows::<ClaimRow<'_>>("claims")[0];
    assert_eq!(row.verdict, "undecided");
    assert!(row.note.starts_with("identical"), "{}", row.note);
}

#[test]
fn claims_are_listed_by_number() {
    let mut claims = ["C10", "C2", "C1"];
    claims.sort_by_key(|claim| natural(claim));
    assert_eq!(claims, ["C1", "C2", "C10"]);
}

#[test]
fn a_claim_that_tests_nothing_or_something_unknown_is_refused() {
    let fault = |claim: &str| {
        let text = format!("[[claims]]\nid = 'C1'\nstatement = 's'\n{claim}");
        match judged(&axes(bench(&about(1, 0.1), "linear")), &text) {
            Err(Error::Spec(faults)) => faults[0].message.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(fault(""), "a claim reads a bootstrap table: `of = \"…\"` is missing");
    assert_eq!(fault("of = 't'"), "claim `C1`: this condition has no threshold");
    assert_eq!(
        fault("of = 't'\nless_than = 1\ngreater_than = 0"),
        "claim `C1`: this condition has more than one threshold"
    );
    assert_eq!(fault("of = 't'\nbetween = [1, 0]"), "claim `C1`: nothing lies between 1 and 0");
    assert!(
        fault("of = 't'\nless_than = 1.0\nwhere = { rule = 'bp' }").starts_with("claim `C1`: `t` has no column `rule`")
    );
    assert!(fault("of = 't'\nless_than = 1.0\ngiven = 'C9'").starts_with("claim `C1` is given `C9`; there are"));
    let looks = |looks: &str| fault(&format!("of = 't'\nless_than = 1.0\n[decide]\n{looks}"));
    assert!(looks("looks = [40, 80]").starts_with("the first look is at 40 runs, and the axis `seed` has 20"));
    assert!(looks("looks = [20, 20]").starts_with("looks are numbers of runs"));
    assert!(looks("level = 1.0").starts_with("a level lies between 0 and 1"));
}
