//! Beside `tests/reference/inference_fixture.py`, which computes the same from the equations with numpy and scipy.

use serde_json::Value;

use super::contrast::{Contrast, Side, Survivor, selection_probabilities};
use super::interval::half_widths;
use super::looks::nominal_level;

fn fixture() -> Value {
    serde_json::from_str(include_str!("../../../../tests/reference/fixtures/inference.json")).unwrap()
}

fn number(of: &Value, key: &str) -> f64 {
    of[key].as_f64().unwrap()
}

#[track_caller]
fn assert_close(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-11 * expected.abs().max(0.01), "{found} instead of {expected}");
}

#[test]
fn half_widths_are_numpy_s() {
    for case in fixture()["intervals"].as_array().unwrap() {
        let values: Vec<f64> = serde_json::from_value(case["values"].clone()).unwrap();
        let found = half_widths(&values, number(case, "alpha")).unwrap();
        assert_close(found.below, number(case, "below"));
        assert_close(found.above, number(case, "above"));
    }
}

#[test]
fn contrasts_are_numpy_s_from_tuning_to_interval() {
    let fixture = fixture();
    for case in fixture["contrasts"].as_array().unwrap() {
        let seed = case["seed"].as_str().unwrap().parse().unwrap();
        let side = |described: &Value| {
            let table = |key: &str| -> Vec<Vec<f64>> { serde_json::from_value(described[key].clone()).unwrap() };
            let probabilities = selection_probabilities(&table("scores"), seed, 400);
            let expected: Vec<f64> = serde_json::from_value(described["probabilities"].clone()).unwrap();
            assert_eq!(probabilities, expected);
            let survivors = probabilities.into_iter().zip(table("values"));
            Side::new(survivors.map(|(probability, values)| Survivor { probability, values }).collect()).unwrap()
        };
        let contrast = Contrast::new(side(&case["sides"][0]), Some(side(&case["sides"][1]))).unwrap();
        let found = contrast.estimate_procedure(number(case, "alpha")).unwrap();
        assert_close(contrast.selection_variance(), number(case, "selection_variance"));
        assert_close(found.estimate, number(case, "estimate"));
        assert_close(found.low, number(case, "low"));
        assert_close(found.high, number(case, "high"));
    }
}

/// Against another way of integrating, which is good to some 1e-7.
#[test]
fn nominal_levels_are_those_of_the_multivariate_normal() {
    for case in fixture()["levels"].as_array().unwrap() {
        let looks: Vec<usize> = serde_json::from_value(case["looks"].clone()).unwrap();
        let found = nominal_level(&looks, number(case, "total"));
        let expected = number(case, "level");
        assert!((found - expected).abs() < 1e-6, "{looks:?}: {found} instead of {expected}");
    }
}
