//! Tests of what theory says about Oja's rule in a linear layer, z = W y: claims C14 and C15.

use ndarray::{Array1, Array2};

use super::activation::Activation;
use super::seed::{Purpose, Stream, stream};
use crate::kernels::{
    self, ErrorBelow, InputMajor, Lanes, LayerSignals, PreFactor, RowRule, SynapticRule, as_flat, as_flat_mut, zeros,
};

/// `rows` orthonormal vectors of length `columns`.
fn orthonormal_rows(rows: usize, columns: usize, random: &mut Stream) -> Array2<f64> {
    // Twice, so that rounding leaves nothing of the first round's overlaps.
    orthonormalise(orthonormalise(Array2::from_shape_simple_fn((rows, columns), || random.normal())))
}

/// Gram–Schmidt on the rows.
fn orthonormalise(mut rows: Array2<f64>) -> Array2<f64> {
    for r in 0..rows.nrows() {
        for earlier in 0..r {
            let other = rows.row(earlier).to_owned();
            let overlap = rows.row(r).dot(&other);
            rows.row_mut(r).scaled_add(-overlap, &other);
        }
        let norm = rows.row(r).dot(&rows.row(r)).sqrt();
        rows.row_mut(r).mapv_inplace(|x| x / norm);
    }
    rows
}

fn matrix(w: &Array2<f64>) -> InputMajor {
    InputMajor::from_fn(w.ncols(), w.nrows(), |i, j| w[[j, i]] as f32)
}

fn norm(v: &[Lanes]) -> f64 {
    as_flat(v).iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()
}

/// C14. WᵀW = I, which takes n_ℓ ≥ n_{ℓ-1}, preserves the norm; orthonormal rows of a narrowing layer can only shrink it.
#[test]
fn orthonormal_weights_preserve_norms_and_narrowing_ones_never_raise_them() {
    let mut random = stream(1, Purpose::Task, 0);
    for (narrow, wide) in [(20, 20), (20, 33), (7, 100)] {
        let q = orthonormal_rows(narrow, wide, &mut random);
        let (widening, narrowing) = (matrix(&q.t().to_owned()), matrix(&q));
        for _ in 0..20 {
            let mut input = |n: usize| {
                let mut y = zeros(n);
                as_flat_mut(&mut y)[..n].iter_mut().for_each(|y| *y = random.normal() as f32);
                y
            };
            let (y, mut z) = (input(narrow), zeros(wide));
            kernels::forward(kernels::backend(), &widening, &y, &mut z);
            assert!((norm(&z) / norm(&y) - 1.0).abs() < 1e-6);
            let (y, mut z) = (input(wide), zeros(narrow));
            kernels::forward(kernels::backend(), &narrowing, &y, &mut z);
            assert!(norm(&z) <= norm(&y) * (1.0 + 1e-6));
        }
    }
}

/// C15. Oja's rule alone, decaying rate: the rows become orthonormal and span the leading eigenspace of the *uncentred*
/// second moment. The mean lies where the centred covariance is smallest, so centring would give another space.
#[test]
fn oja_alone_finds_the_leading_eigenspace_of_the_uncentred_second_moment() {
    const N: usize = 8;
    const K: usize = 3;
    let mut random = stream(2, Purpose::Task, 0);
    let axes = orthonormal_rows(N, N, &mut random);
    // Second moments along the axes: 4, 2.25, and 4 from the mean alone; then a gap down to 0.25.
    let deviations = [2.0, 1.5, 0.5, 0.4, 0.3, 0.3, 0.2, 0.1];
    let data: Vec<Array1<f64>> = (0..500)
        .map(|_| {
            let mut x = &axes.row(N - 1) * 2.0;
            for (axis, deviation) in axes.rows().into_iter().zip(deviations) {
                x.scaled_add(deviation * random.normal(), &axis);
            }
            x
        })
        .collect();

    let mut w = matrix(&Array2::from_shape_simple_fn((K, N), || 0.3 * random.normal()));
    for t in 0..40_000_u32 {
        let rate = 0.02 / (1.0 + t as f32 / 1000.0);
        let x = &data[random.below(data.len() as u32) as usize];
        let (mut y_0, mut y_1) = (zeros(N), zeros(K));
        as_flat_mut(&mut y_0).iter_mut().zip(x).for_each(|(y, &x)| *y = x as f32);
        kernels::forward(kernels::backend(), &w, &y_0, &mut y_1);
        let by_activation = PreFactor { activation: rate, error: 0.0, projection: -rate };
        let rule = SynapticRule { forward: RowRule { by_activation, ..RowRule::default() }, ..SynapticRule::default() };
        let signals = LayerSignals {
            error: &zeros(K),
            activation: &y_1,
            pre_activation: &y_0,
            function: Activation::Tanh, // Reaches errors only, of which there are none.
            pre_is_input: true,
            below: ErrorBelow::IfRead,
            pre_error: &mut zeros(N),
            projection: &mut zeros(N),
        };
        kernels::update_layer(kernels::backend(), &rule, &mut w, None, None, signals);
    }
    let w = Array2::from_shape_fn((K, N), |(j, i)| f64::from(w.outgoing(i)[j]));
    let gram = w.dot(&w.t());
    assert!((&gram - &Array2::<f64>::eye(K)).iter().all(|x| x.abs() < 0.01), "rows are not orthonormal: {gram:?}");

    // The leading eigenspace by orthogonal iteration on the empirical second moment.
    let mut moment = Array2::<f64>::zeros((N, N));
    for x in &data {
        moment += &super::reference::outer(x, x);
    }
    let mut basis = orthonormal_rows(K, N, &mut random);
    for _ in 0..200 {
        basis = orthonormalise(basis.dot(&moment));
    }
    let projector = |rows: &Array2<f64>| rows.t().dot(rows);
    let distance = (projector(&w) - projector(&basis)).mapv(|d| d * d).sum().sqrt();
    assert!(distance < 0.05, "the spaces differ by {distance}");
    // The mean's axis is in it: the second moment was not centred.
    let mean_axis = axes.row(N - 1).to_owned();
    assert!(projector(&w).dot(&mean_axis).dot(&mean_axis) > 0.98);
}
