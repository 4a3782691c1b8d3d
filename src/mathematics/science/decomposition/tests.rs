use std::f64::consts::{SQRT_2, TAU};

use ndarray::Array2;

use super::*;

/// n_samples × variances.len() activations whose covariance is diagonal with exactly these variances: cosines of different
/// whole frequencies are centred and orthogonal over their period.
fn with_diagonal_covariance(n_samples: usize, variances: &[f64]) -> Array2<f64> {
    Array2::from_shape_fn((n_samples, variances.len()), |(i, k)| {
        let phase = TAU * ((k + 1) * i % n_samples) as f64 / n_samples as f64;
        (2.0 * variances[k] * (n_samples - 1) as f64 / n_samples as f64).sqrt() * phase.cos()
    })
}

/// An orthogonal n × n matrix: a product of reflections at directions that fill the space irregularly.
fn orthogonal(n: usize) -> Array2<f64> {
    (1..=3).fold(Array2::eye(n), |q, round| {
        let v = Array1::from_shape_fn(n, |i| ((i * i * 7 + i * round * 13 + round) % 17) as f64 / 17.0 - 0.45);
        let v = &v / v.dot(&v).sqrt();
        let column = v.insert_axis(Axis(1));
        &q - &(2.0 * q.dot(&column).dot(&column.t()))
    })
}

/// Eigenvalues, descending, by cyclic Jacobi rotations (Golub & Van Loan, 8.5): shares no step with tridiagonal solvers.
fn jacobi_eigenvalues(mut a: Array2<f64>) -> Vec<f64> {
    let n = a.nrows();
    for _sweep in 0..30 {
        for p in 0..n {
            for q in p + 1..n {
                if a[[p, q]] == 0.0 {
                    continue;
                }
                let tau = (a[[q, q]] - a[[p, p]]) / (2.0 * a[[p, q]]);
                let t = tau.signum() / (tau.abs() + tau.hypot(1.0));
                let (c, s) = (1.0 / t.hypot(1.0), t / t.hypot(1.0));
                for k in 0..n {
                    let (kp, kq) = (a[[k, p]], a[[k, q]]);
                    (a[[k, p]], a[[k, q]]) = (c * kp - s * kq, s * kp + c * kq);
                }
                for k in 0..n {
                    let (pk, qk) = (a[[p, k]], a[[q, k]]);
                    (a[[p, k]], a[[q, k]]) = (c * pk - s * qk, s * pk + c * qk);
                }
            }
        }
    }
    let mut values = a.diag().to_vec();
    values.sort_by(|a, b| b.total_cmp(a));
    values
}

#[track_caller]
fn assert_near(actual: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len());
    for (k, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!((a - e).abs() <= tolerance * expected[0].abs(), "component {k}: {a} instead of {e}");
    }
}

#[test]
fn a_known_covariance_returns_its_variances() {
    // float32 activations carry 6e-8 of rounding; the blocks must not show, so 600 samples are more than two.
    let variances = [9.0, 4.0, 1.0, 0.25];
    let x = with_diagonal_covariance(600, &variances).mapv(|x| x as f32);
    let result = explained_variance(x.view()).unwrap();
    assert_near(&result.variance, &variances, 1e-6);
    let ratio: Vec<f64> = result.ratio.iter().map(|r| r.unwrap()).collect();
    assert_near(&ratio, &variances.map(|v| v / 14.25), 1e-6);
    assert_eq!(result.cumulative_ratio.last(), Some(&Some(1.0)));
}

#[test]
fn a_rotation_and_a_shift_change_no_variance() {
    let variances: Vec<f64> = (0..20).map(|k| 10.0 * 0.7f64.powi(k)).collect();
    let x = with_diagonal_covariance(300, &variances);
    let rotated = x.dot(&orthogonal(20)).mapv(|x| (x + 5.0) as f32);
    let result = explained_variance(rotated.view()).unwrap();
    assert_near(&result.variance, &variances, 1e-6);
}

#[test]
fn agrees_with_jacobi_rotations_to_the_last_digits() {
    for n_units in [1, 2, 3, 17, 50, 150] {
        let x = Array2::from_shape_fn((400, n_units), |(i, j)| {
            ((i * 31 + j * 17) as f64 * 0.731).sin() as f32 * (1.0 + j as f32) + SQRT_2 as f32 * (i % 7) as f32
        });
        let expected = jacobi_eigenvalues(covariance(x.view()).unwrap());
        assert_near(&explained_variance(x.view()).unwrap().variance, &expected, 1e-13);
    }
}

#[test]
fn agrees_with_numpy_and_scipy() {
    let fixture = include_str!("../../../../tests/reference/fixtures/pca_explained_variance.json");
    let fixture: serde_json::Value = serde_json::from_str(fixture).unwrap();
    let floats = |name: &str| -> Vec<f64> { serde_json::from_value(fixture[name].clone()).unwrap() };
    let shape = (fixture["n_samples"].as_u64().unwrap() as usize, fixture["n_units"].as_u64().unwrap() as usize);
    let x = Array2::from_shape_vec(shape, floats("activations")).unwrap().mapv(|x| x as f32);

    let result = explained_variance(x.view()).unwrap();
    assert_near(&result.variance, &floats("variance"), TOLERANCE);
    let unwrap = |shares: Vec<Option<f64>>| shares.into_iter().map(|r| r.unwrap()).collect::<Vec<_>>();
    assert_near(&unwrap(result.ratio), &floats("ratio"), TOLERANCE);
    assert_near(&unwrap(result.cumulative_ratio), &floats("cumulative_ratio"), TOLERANCE);
}

#[test]
fn fewer_samples_than_units_leave_variances_of_zero_and_none_below() {
    let x = Array2::from_shape_fn((5, 12), |(i, j)| ((i * 5 + j * 3) % 11) as f32);
    let variance = explained_variance(x.view()).unwrap().variance;
    assert!(variance[3] > 1e-3 && variance[4] < 1e-12 * variance[0]);
    assert!(variance.iter().all(|v| *v >= 0.0));
}

#[test]
fn constant_activations_have_no_ratios() {
    let result = explained_variance(Array2::from_elem((7, 3), 1.5).view()).unwrap();
    assert_eq!(result.variance, [0.0; 3]);
    assert_eq!((result.ratio, result.cumulative_ratio), (vec![None; 3], vec![None; 3]));
}

#[test]
fn what_has_no_covariance_is_refused_with_the_reason() {
    let refusal = |x: Array2<f32>| explained_variance(x.view()).unwrap_err().to_string();
    assert_eq!(refusal(Array2::zeros((1, 4))), "a covariance needs at least 2 samples, got 1");
    assert_eq!(refusal(Array2::zeros((4, 0))), "a covariance needs at least 1 unit");
    let mut x = Array2::zeros((4, 3));
    x[[2, 1]] = f32::NAN;
    assert!(refusal(x).starts_with("the activation of unit 1 is NaN at sample 2"));
}
