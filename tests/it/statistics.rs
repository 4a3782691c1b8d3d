//! What published statistics say of runs that diverge.

use crate::common::Fixture;

/// A rate that leaves float32 within a few samples, beside one that learns, as cells of one surface: an axis that the table
/// of runs has as a column of its own, and that not every combination has.
#[test]
fn divergence_stays_in_its_cell_of_a_surface() {
    const SURFACE: &str = r#"
[pipeline]
name  = "small"
title = "A surface with a cell that diverges"

[matrix]
seed = { first = 0, count = 2 }
combinations = [
  { rule = ["bp"], gradient = [0.01, 1e30] },
  { rule = ["bp_oja"], gradient = [0.01, 1e30], oja = [0.0, 0.001] },
]

[rules.bp]

[rules.bp_oja]

[stages.data]
kind    = "load"
dataset = "tiny"

[stages.train]
kind     = "train"
data     = "data"
layers   = [784, 12, 10]
samples  = 50
schedule = [50]

[stages.surface]
kind          = "bootstrap"
of            = "train_evaluations"
value         = "accuracy"
when_diverged = 0.25
resamples     = 10
"#;
    let fixture = Fixture::new().pipeline(SURFACE).run();
    let surface = fixture.frame("small", "surface");
    let (rule, n_runs) = (surface.cells("rule").unwrap(), surface.numbers("n_runs").unwrap());
    let [gradient, oja, mean, n_diverged] =
        ["gradient", "oja", "mean", "n_diverged"].map(|column| surface.numbers(column).unwrap());
    let cells: Vec<(String, Option<f64>)> = rule.iter().map(ToString::to_string).zip(oja.iter().copied()).collect();
    assert_eq!(surface.n_rows(), 6, "{cells:?}");
    for row in 0..6 {
        let diverges = gradient[row] == Some(1e30);
        assert_eq!(cells[row].0 == "bp", oja[row].is_none(), "an axis that does not apply is null");
        assert_eq!(n_runs[row], Some(2.0));
        assert_eq!(n_diverged[row], Some(if diverges { 2.0 } else { 0.0 }), "{:?} {:?}", gradient[row], cells[row]);
        assert_eq!(mean[row] == Some(0.25), diverges, "what diverged counts as chance, the rest as it is");
    }
}
