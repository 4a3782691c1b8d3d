use std::collections::BTreeMap;

use arrow::array::RecordBatch;

use super::judge::{Test, Verdict, judge, overall, withhold};
use super::spec::Condition;
use super::{ClaimRow, Claims, natural};
use crate::error::{Error, Result};
use crate::spec::node::Node;
use crate::stages::bootstrap::{OneOrMany, SummaryRow};
use crate::tables::cells::Int32;
use crate::tables::frame::{Cell, Frame};
use crate::tables::{Assembly, Column, ColumnType, Row};
use crate::task::bench::{Bench, Made};

/// A made-up bootstrap table: layer 1 clearly positive, layer 2 straddling 0, layer 3 with a single run left, layer 4 diverged.
fn table() -> Frame {
    Frame::new("t", summary())
}

fn summary() -> RecordBatch {
    let layer = Column::new("layer", ColumnType::Int32, "", "");
    let row = |mean, ci_low, ci_high, n_diverged| SummaryRow { mean, ci_low, ci_high, n_runs: 3, n_diverged };
    let rows = [
        row(Some(2.0), Some(1.5), Some(2.5), 0),
        row(Some(0.5), Some(-0.5), Some(1.5), 0),
        row(Some(1.0), None, None, 1),
        row(None, None, None, 3),
    ];
    let table = Assembly::new(SummaryRow::schema().with_columns_before("mean", [layer]));
    table.rows(&rows).column::<Int32>("layer", 1..=4).batch().unwrap()
}

fn verdicts(test: Test, threshold: f64, layers: &[i64], or_diverged: bool) -> Vec<Option<bool>> {
    let layers = OneOrMany::Many(layers.iter().map(|&layer| Cell::Integer(layer)).collect());
    let condition = Condition {
        claim: "C".into(),
        statement: "s".into(),
        given: None,
        of: "t".into(),
        filter: BTreeMap::new(),
        for_all: [("layer".to_owned(), layers)].into(),
        keys: vec!["layer".to_owned()],
        test,
        threshold,
        or_diverged,
    };
    judge(&condition, &table()).unwrap().into_iter().map(|verdict| verdict.holds).collect()
}

#[test]
fn each_kind_of_test_holds_and_fails_on_its_own_bound() {
    assert_eq!(verdicts(Test::LowAbove, 1.4, &[1], false), [Some(true)]);
    assert_eq!(verdicts(Test::LowAbove, 1.5, &[1], false), [Some(false)], "strictly above");
    assert_eq!(verdicts(Test::HighBelow, 2.6, &[1], false), [Some(true)]);
    assert_eq!(verdicts(Test::HighBelow, 2.5, &[1], false), [Some(false)], "strictly below");
    assert_eq!(verdicts(Test::EstimateAbove, 1.9, &[1], false), [Some(true)]);
    assert_eq!(verdicts(Test::EstimateAbove, 2.1, &[1], false), [Some(false)]);
    assert_eq!(verdicts(Test::EstimateBelow, 2.1, &[1], false), [Some(true)]);
    assert_eq!(verdicts(Test::EstimateBelow, 1.9, &[1], false), [Some(false)]);
}

#[test]
fn what_was_not_measured_cannot_be_judged() {
    assert_eq!(verdicts(Test::LowAbove, 0.0, &[3], false), [None], "a single run has no interval");
    assert_eq!(verdicts(Test::EstimateAbove, 0.0, &[3], false), [Some(true)], "but it has an estimate");
    assert_eq!(verdicts(Test::LowAbove, 0.0, &[9], false), [None], "no such layer");
    assert_eq!(verdicts(Test::LowAbove, 0.0, &[4], false), [None], "all runs diverged");
    assert_eq!(verdicts(Test::LowAbove, 0.0, &[4], true), [Some(true)], "where divergence is the claim");
    assert_eq!(verdicts(Test::LowAbove, 0.0, &[3], true), [Some(true)], "one run is enough");
}

#[test]
fn a_claim_over_several_rows_needs_all_of_them() {
    assert_eq!(verdicts(Test::LowAbove, 0.0, &[1, 2], false), [Some(true), Some(false)]);
    assert_eq!(overall([Some(true), Some(false), None]), Some(false));
    assert_eq!(overall([Some(true), None]), None);
    assert_eq!(overall([Some(true), Some(true)]), Some(true));
}

#[test]
fn a_claim_is_judged_only_where_the_one_it_is_given_holds() {
    let condition = |claim: &str, given: Option<&str>, threshold: f64, layer: i64| Condition {
        claim: claim.into(),
        statement: "s".into(),
        given: given.map(str::to_owned),
        of: "t".into(),
        filter: [("layer".to_owned(), OneOrMany::One(Cell::Integer(layer)))].into(),
        for_all: BTreeMap::new(),
        keys: vec!["layer".to_owned()],
        test: Test::LowAbove,
        threshold,
        or_diverged: false,
    };
    let judged = |threshold_of_given: f64, layer_of_given: i64| -> Vec<Option<bool>> {
        let given = condition("C11", None, threshold_of_given, layer_of_given);
        let conditions = [given, condition("C12", Some("C11"), 1.0, 1)];
        let mut verdicts: Vec<Verdict> = conditions.iter().flat_map(|one| judge(one, &table()).unwrap()).collect();
        withhold(&conditions, &mut verdicts);
        verdicts.into_iter().map(|verdict| verdict.holds).collect()
    };
    assert_eq!(judged(1.0, 1), [Some(true), Some(true)]);
    assert_eq!(judged(2.0, 1), [Some(false), None]);
    assert_eq!(judged(1.0, 9), [None, None], "what cannot be judged is no ground to stand on");
}

#[test]
fn of_several_rows_each_verdict_says_which() {
    let judged = |filter: &[i64]| -> Vec<String> {
        let layers = OneOrMany::Many(filter.iter().map(|&layer| Cell::Integer(layer)).collect());
        let condition = Condition {
            claim: "C".into(),
            statement: "s".into(),
            given: None,
            of: "t".into(),
            filter: [("layer".to_owned(), layers)].into_iter().filter(|_| !filter.is_empty()).collect(),
            for_all: BTreeMap::new(),
            keys: vec!["layer".to_owned()],
            test: Test::LowAbove,
            threshold: 1.0,
            or_diverged: false,
        };
        judge(&condition, &table()).unwrap().into_iter().map(|verdict| verdict.condition).collect()
    };
    assert_eq!(judged(&[]), [1, 2, 3, 4].map(|layer| format!("ci_low > 1 in t where layer = {layer}")));
    assert_eq!(judged(&[2, 3]), [2, 3].map(|layer| format!("ci_low > 1 in t where layer = {layer}")));
    assert_eq!(judged(&[2]), ["ci_low > 1 in t where layer = 2"]);
    assert_eq!(judged(&[7, 8]), ["ci_low > 1 in t where layer = 7|8"], "nothing was measured there");
}

#[test]
fn claims_are_listed_by_number() {
    let mut claims = ["C10", "C2", "C1"];
    claims.sort_by_key(|claim| natural(claim));
    assert_eq!(claims, ["C1", "C2", "C10"]);
}

/// `[[claims]]` over the table `t`.
fn made(claims: &str) -> Result<Made> {
    let layer = Column::new("layer", ColumnType::Int32, "", "");
    let document = Node::parse("claims", claims).unwrap();
    let schema = SummaryRow::schema().with_columns_before("mean", [layer]);
    let bench = Bench::new().published("t", schema, 0, summary());
    bench.run_node(&Claims, document.as_table().unwrap().get("claims").unwrap())
}

#[test]
fn verdicts_are_rows_in_the_order_of_claims_with_the_numbers_that_they_rest_on() {
    let made = made(
        "[[claims]]\nid = 'C10'\nstatement = 'ten'\nof = 't'\nwhere = { layer = 4 }\ngreater_than = 0.0\nor_diverged = true\n\
         [[claims]]\nid = 'C2'\nstatement = 'two'\nof = 't'\nfor_all = { layer = [1, 2] }\ngreater_than = 0.0\n\
         [[claims]]\nid = 'C3'\nstatement = 'three'\ngiven = 'C2'\nall = [{ of = 't', where = { layer = 1 }, less_than = 3 }]",
    );
    let made = made.unwrap();
    let row = |claim, statement, condition, numbers: [Option<f64>; 3], threshold, holds| ClaimRow {
        claim,
        statement,
        condition,
        estimate: numbers[0],
        ci_low: numbers[1],
        ci_high: numbers[2],
        threshold,
        holds,
    };
    let first = [Some(2.0), Some(1.5), Some(2.5)];
    let expected = [
        row("C2", "two", "ci_low > 0 in t where layer = 1", first, 0.0, Some(true)),
        row("C2", "two", "ci_low > 0 in t where layer = 2", [Some(0.5), Some(-0.5), Some(1.5)], 0.0, Some(false)),
        // It would hold, but the claim that it is given does not.
        row("C3", "three", "ci_high < 3 in t where layer = 1, given C2", first, 3.0, None),
        row("C10", "ten", "ci_low > 0 in t where layer = 4, or diverged", [None; 3], 0.0, Some(true)),
    ];
    assert_eq!(made.rows::<ClaimRow<'_>>("claims"), expected);
}

#[test]
fn a_claim_that_tests_nothing_or_something_unknown_is_refused() {
    let fault = |claim: &str| match made(&format!("[[claims]]\nid = 'C1'\nstatement = 's'\n{claim}")) {
        Err(Error::Spec(faults)) => faults[0].message.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(fault(""), "a claim reads a bootstrap table: `of = \"…\"` is missing");
    assert_eq!(fault("of = 't'"), "claim `C1`: this condition has no threshold");
    assert_eq!(
        fault("of = 't'\nless_than = 1.0\nwhere = { rule = 'bp' }"),
        "claim `C1`: `t` has no column `rule`; there are: `layer`, `mean`, `ci_low`, `ci_high`, `n_runs`, `n_diverged`"
    );
    assert!(fault("of = 't'\nless_than = 1.0\ngiven = 'C9'").starts_with("claim `C1` is given `C9`; there are"));
}
