//! What learning does to the weights: orthonormality, and how well feedback agrees with them.

use std::ops::Range;

use super::evaluation::Input;
use super::network::Network;
use super::samples::Samples;
use crate::kernels::{self, InputMajor, Lanes, Scatter, as_flat, as_flat_mut, lanes_for};

/// Diagnostics of the weights into one layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightDiagnostics {
    /// ℓ.
    pub layer: usize,
    /// ‖W Wᵀ − I‖_F: 0 where the incoming weight vectors of layer ℓ are orthonormal.
    pub orthonormality: f64,
    /// Degrees between B_{ℓ,ℓ-1}ᵀ and W_{ℓ-1,ℓ} as flat vectors, 0 with symmetric feedback; None if either is 0 or not
    /// finite.
    pub feedback_angle: Option<f64>,
    /// Degrees between e_ℓ sent back through B from the output down and through Wᵀ from the output down, mean over the
    /// samples where both exist; 0 at the output and with symmetric feedback; None if there is no such sample.
    pub error_angle: Option<f64>,
}

impl Network {
    /// Diagnostics of the layers ℓ = 1 … L, errors over `samples[range]`.
    ///
    /// # Panics
    /// If images or classes do not fit the network, or `range` exceeds the samples.
    pub fn weight_diagnostics(&self, samples: &Samples, range: Range<usize>) -> Vec<WeightDiagnostics> {
        let error_angles = self.error_angles(samples, range);
        (1..=self.n_layers())
            .zip(error_angles)
            .map(|(layer, error_angle)| {
                let w = &self.forward[layer - 1];
                WeightDiagnostics {
                    layer,
                    orthonormality: self.orthonormality(w),
                    feedback_angle: match self.backward.get(layer - 1) {
                        None => Some(0.0),
                        Some(b) => degrees_between(as_flat(b.lanes()), as_flat(w.lanes())),
                    },
                    error_angle,
                }
            })
            .collect()
    }

    fn orthonormality(&self, w: &InputMajor) -> f64 {
        let mut gram = Scatter::new(self.backend, w.n_out());
        for i in 0..w.n_in() {
            let row = w.outgoing(i);
            gram.add(|j| f64::from(row[j]));
        }
        let mut squares = 0.0;
        gram.for_each_upper(|i, j, g| squares += if i == j { (g - 1.0).powi(2) } else { 2.0 * g * g });
        libm::sqrt(squares)
    }

    /// The mean angle at ℓ = 1 … L.
    fn error_angles(&self, samples: &Samples, range: Range<usize>) -> Vec<Option<f64>> {
        let n_layers = self.n_layers();
        if self.backward.is_empty() {
            return vec![Some(0.0); n_layers];
        }
        let sizes = self.architecture().sizes();
        let mut sums = vec![(0.0_f64, 0_u32); n_layers];
        self.for_each_block(samples, range, Input::LeftOut, |first, y| {
            self.softmax_block(y);
            let mut through_b = y[n_layers].clone();
            for (s, e) in through_b.chunks_exact_mut(lanes_for(sizes[n_layers])).enumerate() {
                as_flat_mut(e)[samples.label(first + s)] -= 1.0;
            }
            let mut through_w = through_b.clone();
            for layer in (1..=n_layers).rev() {
                if layer < n_layers {
                    through_b = self.back(&self.backward[layer], &through_b, &y[layer]);
                    through_w = self.back(&self.forward[layer], &through_w, &y[layer]);
                }
                let stride = lanes_for(sizes[layer]);
                for (b, w) in through_b.chunks_exact(stride).zip(through_w.chunks_exact(stride)) {
                    // The same vector has the angle 0, which rounding would blur.
                    let angle = if layer == n_layers { Some(0.0) } else { degrees_between(as_flat(b), as_flat(w)) };
                    if let Some(angle) = angle {
                        sums[layer - 1].0 += angle;
                        sums[layer - 1].1 += 1;
                    }
                }
            }
        });
        sums.into_iter().map(|(sum, n)| (n > 0).then(|| sum / f64::from(n))).collect()
    }

    /// e_ℓ = (M e_{ℓ+1}) ⊙ σ′(z_ℓ) for a block, equation (7); M as the kernels hold W_{ℓ,ℓ+1} or B_{ℓ+1,ℓ}.
    fn back(&self, matrix: &InputMajor, error: &[Lanes], y: &[Lanes]) -> Vec<Lanes> {
        let mut e = vec![Lanes::ZERO; y.len()];
        kernels::project_batch(self.backend, matrix, error, &mut e);
        kernels::times_slope(self.backend, self.architecture().activation(), y, &mut e);
        e
    }
}

/// The angle between two vectors; None if either has no direction.
///
/// From |a/‖a‖ − b/‖b‖| and |a/‖a‖ + b/‖b‖| (Kahan), which keeps small angles that an arc cosine would lose.
fn degrees_between(a: &[f32], b: &[f32]) -> Option<f64> {
    let norm = |v: &[f32]| libm::sqrt(v.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>());
    let (norm_a, norm_b) = (norm(a), norm(b));
    let (mut difference, mut sum) = (0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a) / norm_a, f64::from(b) / norm_b);
        (difference, sum) = (difference + (a - b).powi(2), sum + (a + b).powi(2));
    }
    let degrees = (2.0 * libm::atan2(libm::sqrt(difference), libm::sqrt(sum))).to_degrees();
    degrees.is_finite().then_some(degrees)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2};

    use super::*;
    use crate::science::activation::Activation;
    use crate::science::initialization::{Feedback, Initialization};
    use crate::science::reference::{Reference, architecture, input, noise};

    #[test]
    fn angles_and_orthonormality_are_those_of_their_definitions() {
        let architecture = architecture(&[40, 30, 20, 10], Activation::Tanh);
        let network = Network::initialize(&architecture, &Initialization::Xavier, Feedback::Random, 4);
        let samples = noise(60, 40, 10, 1);
        let through_b = Reference::of(&network);
        let through_w = Reference { b: None, ..through_b.clone() };
        let found = network.weight_diagnostics(&samples, 0..60);
        let degrees = |a: &Array1<f64>, b: &Array1<f64>| (a.dot(b) / (a.dot(a) * b.dot(b)).sqrt()).acos().to_degrees();
        for (l, found) in found.iter().enumerate() {
            let (w, b) = (&through_b.w[l], &through_b.b.as_ref().unwrap()[l]);
            let gram = w.dot(&w.t()) - Array2::<f64>::eye(w.nrows());
            assert!((found.orthonormality / gram.mapv(|g| g * g).sum().sqrt() - 1.0).abs() < 1e-6);
            let flat = |m: &Array2<f64>| m.iter().copied().collect::<Array1<f64>>();
            let angle = degrees(&flat(&b.t().to_owned()), &flat(w));
            assert!((found.feedback_angle.unwrap() - angle).abs() < 1e-4);
            let mut mean = 0.0;
            for s in 0..60 {
                let (z, y) = through_b.forward(&input(&samples, s));
                let label = samples.label(s);
                mean +=
                    degrees(&through_b.errors(&z, &y, label)[l + 1], &through_w.errors(&z, &y, label)[l + 1]) / 60.0;
            }
            // At the output both are the same vector, where an arc cosine is blurred.
            let tolerance = if l == 2 { 1e-5 } else { 1e-3 };
            assert!((found.error_angle.unwrap() - mean).abs() < tolerance, "{found:?} {mean}");
        }
    }

    #[test]
    fn symmetric_feedback_and_orthonormal_rows_have_nothing_to_report() {
        let w = Array2::from_shape_fn((10, 40), |(j, i)| if i == j { 1.0 } else { 0.0 });
        let network = Network::from_weights(&architecture(&[40, 10], Activation::Tanh), &[w.view()], None).unwrap();
        let found = network.weight_diagnostics(&noise(3, 40, 10, 2), 0..3)[0];
        assert_eq!((found.orthonormality, found.feedback_angle, found.error_angle), (0.0, Some(0.0), Some(0.0)));
    }

    #[test]
    fn a_zero_vector_has_no_direction() {
        assert_eq!(degrees_between(&[0.0, 0.0], &[1.0, 0.0]), None);
        assert_eq!(degrees_between(&[f32::INFINITY, 0.0], &[1.0, 0.0]), None);
        assert!((degrees_between(&[1.0, 1.0], &[1.0, 0.0]).unwrap() - 45.0).abs() < 1e-12);
        assert!((degrees_between(&[2.0, 0.0], &[-1.0, 0.0]).unwrap() - 180.0).abs() < 1e-12);
    }
}
