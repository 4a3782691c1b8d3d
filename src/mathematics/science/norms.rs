//! How large and how varied a layer's activations are (Figure 6).

use ndarray::Array2;

use super::place::Place;
use crate::kernels::{Backend, Scatter};

/// Statistics of y_ℓ over samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ActivationNorms {
    /// ℓ; 0 is the input, L the softmax.
    pub layer: usize,
    /// t, of a network that has a time.
    pub time_step: Option<usize>,
    /// Mean over samples of ‖y_ℓ‖.
    pub mean_norm: f64,
    /// Its standard deviation over samples (population).
    pub std_norm: f64,
    /// Mean over samples and units.
    pub mean_activation: f64,
    /// Standard deviation over samples and units (population).
    pub std_activation: f64,
    /// (Σλ)² / Σλ² over the eigenvalues λ of the centred covariance, that is tr(C)² / tr(C²): the number of directions
    /// that matter, 1 … n_ℓ. None if nothing varies, or not finite.
    pub participation_ratio: Option<f64>,
    /// Number of samples.
    pub n_samples: usize,
}

impl ActivationNorms {
    /// Statistics of a layer from its activations (n_samples × n_ℓ): means first, deviations from them second.
    pub(crate) fn of(place: Place, backend: Backend, y: &Array2<f32>) -> Self {
        let n_samples = y.nrows();
        let (n, n_units) = (n_samples as f64, y.ncols());
        let y = y.as_slice().expect("activations are in standard layout");
        let (norms, mut means) = norms_and_sums(y, n_units);
        means.iter_mut().for_each(|mean| *mean /= n);
        let mut scatter = Scatter::new(backend, n_units);
        for y in y.chunks_exact(n_units) {
            scatter.add(|k| f64::from(y[k]) - means[k]);
        }

        let (mut trace, mut trace_of_square) = (0.0, 0.0);
        scatter.for_each_upper(|i, j, c| {
            let twice = if i == j { 1.0 } else { 2.0 };
            trace += if i == j { c } else { 0.0 };
            trace_of_square += twice * c * c;
        });
        let (mean_norm, std_norm) = mean_and_std(&norms);
        let (mean_activation, spread_of_means) = mean_and_std(&means);
        // Variance over samples and units: within units, plus between their means.
        let variance = trace / (n * n_units as f64) + spread_of_means.powi(2);
        let ratio = trace * trace / trace_of_square;
        Self {
            layer: place.layer,
            time_step: place.time_step,
            mean_norm,
            std_norm,
            mean_activation,
            std_activation: libm::sqrt(variance),
            participation_ratio: ratio.is_finite().then_some(ratio),
            n_samples,
        }
    }
}

/// The norm of each row of `n_units` numbers, and the sum of all rows; all sums ascend.
fn norms_and_sums(rows: &[f32], n_units: usize) -> (Vec<f64>, Vec<f64>) {
    /// Rows side by side: the sum of one alone would wait for itself at every number.
    const TOGETHER: usize = 8;
    let mut norms = Vec::with_capacity(rows.len() / n_units);
    let mut sums = vec![0.0; n_units];
    for rows in rows.chunks(TOGETHER * n_units) {
        let n_rows = rows.len() / n_units;
        let mut squares = [0.0; TOGETHER];
        for k in 0..n_units {
            for r in 0..n_rows {
                let y = f64::from(rows[r * n_units + k]);
                squares[r] += y * y;
                sums[k] += y;
            }
        }
        norms.extend(squares[..n_rows].iter().map(|&squares| libm::sqrt(squares)));
    }
    (norms, sums)
}

/// Mean and population standard deviation.
fn mean_and_std(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, libm::sqrt(values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n))
}

#[cfg(test)]
mod tests {
    use ndarray::Axis;

    use super::*;
    use crate::science::activation::Activation;
    use crate::science::feedback::Feedback;
    use crate::science::initialization::Initialization;
    use crate::science::network::Network;
    use crate::science::reference::{Reference, architecture, input, noise};
    use crate::science::samples::Samples;

    #[test]
    fn statistics_are_those_of_their_definitions() {
        let architecture = architecture(&[40, 30, 10], Activation::Softplus { beta: 10.0 });
        let network = Network::initialize(&architecture, &Initialization::Xavier, Feedback::Symmetric, 4);
        let samples = noise(100, 40, 10, 1);
        let reference = Reference::of(&network);
        for found in network.activation_norms(&samples, 0..100, &[0, 1, 2]) {
            let mut y = Array2::zeros((100, architecture.sizes()[found.layer]));
            for s in 0..100 {
                y.row_mut(s).assign(&reference.forward(&input(&samples, s)).1[found.layer]);
            }
            let norms = y.map_axis(Axis(1), |row| row.dot(&row).sqrt());
            let centred = &y - &y.mean_axis(Axis(0)).unwrap();
            let covariance = centred.t().dot(&centred) / 100.0;
            let ratio = covariance.diag().sum().powi(2) / covariance.dot(&covariance).diag().sum();
            for (a, b) in [
                (found.mean_norm, norms.mean().unwrap()),
                (found.std_norm, norms.std(0.0)),
                (found.mean_activation, y.mean().unwrap()),
                (found.std_activation, y.std(0.0)),
                (found.participation_ratio.unwrap(), ratio),
            ] {
                assert!((a / b - 1.0).abs() < 1e-5, "layer {}: {a} against {b}", found.layer);
            }
        }
    }

    /// Two independent pixels of equal variance make two directions; a constant image makes none.
    #[test]
    fn participation_ratio_counts_directions() {
        let network = Network::initialize(
            &architecture(&[2, 1], Activation::Tanh),
            &Initialization::Xavier,
            Feedback::Symmetric,
            0,
        );
        let corners = Samples::new(vec![0, 0, 0, 255, 255, 0, 255, 255], vec![0; 4], 2, 1).unwrap();
        let ratio = |range| network.activation_norms(&corners, range, &[0])[0].participation_ratio;
        assert_eq!(ratio(0..4), Some(2.0));
        assert_eq!(ratio(0..2), Some(1.0));
        assert_eq!(ratio(0..1), None);
    }
}
