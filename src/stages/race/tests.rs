//! Races over made-up scores of trainings.

use super::*;
use crate::stages::coefficients::CoefficientTable;
use crate::tables::Table;
use crate::task::bench::{Bench, Made};

/// A training: rule, gradient, oja, seed, score, whether it diverged.
type Training = (&'static str, f64, Option<f64>, i64, f64, bool);

fn schema() -> crate::tables::TableSchema {
    let axis = |name: &'static str, kind| Column::new(name, kind, "", "");
    let words = ["dataset", "setting", "rule"].map(|name| axis(name, ColumnType::Category));
    let numbers = ["gradient", "oja"].map(|name| axis(name, ColumnType::Float64).nullable());
    let columns = words.into_iter().chain(numbers).chain([axis("seed", ColumnType::Int64)]);
    let mut schema = ValueRow::schema().with_columns_before("part", columns);
    schema.key = ["dataset", "setting", "rule", "gradient", "oja", "seed"].map(Into::into).to_vec();
    schema
}

fn bench(trainings: &[Training]) -> Bench {
    let row = |training: &Training| ValueRow {
        part: "plus",
        cell: 1,
        value: Some(training.4),
        scale: "linear",
        diverged: training.5,
        when_diverged: Some(0.1),
        probability: 1.0,
        n_cells: 1,
        n_tuned: 0,
        n_tuned_failed: 0,
        tuning_gap: None,
    };
    use crate::tables::cells::Category;
    let rows: Vec<ValueRow<'_>> = trainings.iter().map(row).collect();
    let batch = Assembly::new(schema())
        .rows(&rows)
        .column::<Category>("dataset", trainings.iter().map(|_| "mnist"))
        .column::<Category>("setting", trainings.iter().map(|_| "deep"))
        .column::<Category>("rule", trainings.iter().map(|training| training.0))
        .column::<Option<Float64>>("gradient", trainings.iter().map(|training| Some(training.1)))
        .column::<Option<Float64>>("oja", trainings.iter().map(|training| training.2))
        .column::<Int64>("seed", trainings.iter().map(|training| training.3))
        .batch()
        .unwrap();
    let floats = |values: &[f64]| values.iter().map(|value| Cell::Float(*value)).collect::<Vec<_>>();
    Bench::new()
        .published("scores", schema(), 6, batch)
        .axis("dataset", [Cell::Text("mnist".into())])
        .axis("setting", [Cell::Text("deep".into())])
        .axis("rule", ["bp", "oja"].map(|rule| Cell::Text(rule.into())))
        .axis("gradient", floats(&GRADIENTS))
        .axis("oja", floats(&OJA))
        .axis("seed", (100..103).map(Cell::Integer))
}

const GRADIENTS: [f64; 3] = [1e-3, 2e-3, 4e-3];
const OJA: [f64; 3] = [0.0, 1e-4, 1e-3];
const PARAMETERS: &str = "of = 'scores'\ncoefficients = ['gradient', 'oja']\nextra = 60";

/// BP is best at 2e-3; Oja's rule without its term, and else at 1e-4. Seeds differ, and cells a little.
fn score(rule: &str, gradient: f64, oja: Option<f64>, seed: i64) -> f64 {
    let noise =
        ((seed * 7919 + (gradient * 1e6) as i64 * 31 + oja.map_or(0, |oja| (oja * 1e7) as i64) * 17) % 101) as f64;
    let of_oja = match oja {
        Some(oja) if oja > 5e-4 => -0.10,
        Some(oja) if oja > 0.0 => -0.03,
        _ => 0.0,
    };
    0.8 - 0.1 * (gradient / 2e-3).ln().abs() + of_oja + 0.0001 * noise - if rule == "bp" { 0.05 } else { 0.0 }
}

/// Plays a race to its end: what it wants is trained, what it has is judged.
fn race() -> (Vec<Training>, Made) {
    let train =
        |rule: &'static str, gradient, oja, seed| (rule, gradient, oja, seed, score(rule, gradient, oja, seed), false);
    let mut trainings: Vec<Training> = Vec::new();
    for seed in 100..103 {
        for gradient in GRADIENTS {
            trainings.push(train("bp", gradient, None, seed));
            trainings.extend(OJA.map(|oja| train("oja", gradient, Some(oja), seed)));
        }
    }
    for _ in 0..30 {
        let made = bench(&trainings).run(&RaceKind, PARAMETERS).unwrap();
        let frame = made.frame("cells");
        let (gradients, ojas) = (frame.numbers("gradient").unwrap(), frame.numbers("oja").unwrap());
        let rows: Vec<CellRow<'_>> = frame.rows().unwrap();
        let before = trainings.len();
        for (index, row) in rows.iter().enumerate() {
            let rule = if row.rule == "bp" { "bp" } else { "oja" };
            let seeds = 100 + i64::from(row.n)..100 + i64::from(row.n + row.wanted);
            trainings.extend(seeds.map(|seed| train(rule, gradients[index].unwrap(), ojas[index], seed)));
        }
        if trainings.len() == before {
            return (trainings, made);
        }
    }
    panic!("the race does not end");
}

#[test]
fn rules_of_a_setting_get_the_same_trainings_and_each_its_best_cells() {
    let (trainings, made) = race();
    let of = |rule: &str| trainings.iter().filter(|training| training.0 == rule).count();
    assert_eq!((of("bp"), of("oja")), (3 * 9 + 60, 3 * 9 + 60), "three for each of nine cells, and sixty");
    let frame = made.frame("race");
    let rows: Vec<BestRow<'_>> = frame.rows().unwrap();
    let cells = frame.numbers("gradient").unwrap().into_iter().zip(frame.numbers("oja").unwrap());
    let found: Vec<_> =
        rows.iter().zip(cells).map(|(row, (gradient, oja))| (row.rule, row.choice, gradient, oja, row.edge)).collect();
    assert_eq!(
        found,
        [
            ("bp", "best", Some(2e-3), None, "inside"),
            ("oja", "best", Some(2e-3), Some(0.0), "zero"),
            ("oja", "best_positive", Some(2e-3), Some(1e-4), "inside"),
        ]
    );
    assert!(rows.iter().all(|row| row.n_trainings == 87 && row.n > 20 && row.error > 0.0));
}

#[test]
fn what_is_committed_can_be_read_again_and_leaves_out_the_cells_without_the_term() {
    let (_, made) = race();
    let text = format!("pipeline = \"tune\"\nstart = \"s\"\n{}", std::str::from_utf8(&made.files["toml"]).unwrap());
    let table: CoefficientTable = Node::parse("t", text).unwrap().read().unwrap();
    let oja = &table.coefficients[1];
    assert_eq!((oja.rule.as_str(), oja.trainings), ("oja", 87));
    assert_eq!((oja.best["oja"], oja.best_positive.as_ref().unwrap()["oja"]), (0.0, 1e-4));
    assert_eq!(Some(&oja.survivors[0].terms), oja.best_positive.as_ref());
    assert!(oja.survivors.iter().all(|cell| cell.terms["oja"] > 0.0 && cell.n > 20));
    // With the cells that leave the term out, the best stands first, and all of them share one certainty.
    assert_eq!(oja.picks[0].terms, oja.best);
    assert!((oja.picks.iter().map(|pick| pick.probability).sum::<f64>() - 1.0).abs() < 1e-9, "{:?}", oja.picks);
    let sum: f64 = oja.survivors.iter().map(|cell| cell.probability).sum();
    assert!((sum - 1.0).abs() < 1e-12, "{sum}");
    assert_eq!(table.coefficients[0].best_positive, None, "a rule that cannot leave the term out");
}

#[test]
fn what_a_race_wants_becomes_combinations_of_the_matrix() {
    let start: Vec<Training> = GRADIENTS
        .iter()
        .map(|&gradient| ("bp", gradient, None, 100, score("bp", gradient, None, 100), false))
        .collect();
    let bench = bench(&start);
    let made = bench.run(&RaceKind, PARAMETERS).unwrap();
    let planned = bench.plan(&RaceKind, PARAMETERS).unwrap();
    let read = |table: &str| -> Result<Table> { Ok(made.tables[table].clone()) };
    let more = planned.work.sequel().unwrap().more(&read).unwrap();
    assert_eq!(more.len(), 6, "two more seeds for three cells");
    let first: Vec<String> = more[0].places.iter().map(|(name, cell)| format!("{name}={cell}")).collect();
    assert_eq!(first, ["dataset=mnist", "setting=deep", "rule=bp", "gradient=0.001", "seed=101"]);
}

#[test]
fn failures_are_counted_and_their_gap_is_told() {
    let mut trainings: Vec<Training> = Vec::new();
    for seed in 100..103 {
        for gradient in GRADIENTS {
            let lost = gradient == 2e-3 && seed == 101;
            trainings.push((
                "bp",
                gradient,
                None,
                seed,
                if lost { 0.1 } else { score("bp", gradient, None, seed) },
                lost,
            ));
        }
    }
    // No trainings beyond the first round: it ends there.
    let made =
        bench(&trainings).run(&RaceKind, "of = 'scores'\ncoefficients = ['gradient', 'oja']\nextra = 0").unwrap();
    let rows: Vec<CellRow<'_>> = made.rows("cells");
    let failed: Vec<i32> = rows.iter().map(|row| row.n_failed).collect();
    assert_eq!(failed, [0, 1, 0]);
    assert!(rows.iter().all(|row| row.wanted == 0));
    let text = std::str::from_utf8(&made.files["toml"]).unwrap();
    assert!(text.contains("failed = 1, gap = 0.6") || !text.contains("2e-3, probability"), "{text}");
}

#[test]
fn a_table_without_a_coefficient_or_a_grid_that_does_not_ascend_is_refused() {
    let fault = |bench: Bench, parameters: &str| bench.run(&RaceKind, parameters).unwrap_err().to_string();
    let unknown = fault(bench(&[]), "of = 'scores'\ncoefficients = ['decay']");
    assert!(unknown.starts_with("`scores` has no column `decay`; there are: "), "{unknown}");
    let falling = bench(&[]).axis("gradient", [Cell::Float(2e-3), Cell::Float(1e-3)]);
    let refused = fault(falling, PARAMETERS);
    assert!(refused.starts_with("the axis `gradient` is no grid"), "{refused}");
}
