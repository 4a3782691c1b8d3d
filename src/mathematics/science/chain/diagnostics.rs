//! What learning does to the weights of a chain, and how well its feedback agrees with them.

use std::ops::Range;

use super::passes::Input;
use super::pathways::error_angles;
use crate::kernels::{self, InputMajor, Lanes, as_flat, as_flat_mut, lanes_for};
use crate::science::diagnostics::{WeightDiagnostics, degrees_between, orthonormality};
use crate::science::feedback::Feedback;
use crate::science::network::Network;
use crate::science::samples::Samples;

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
                    orthonormality: orthonormality(self.backend, w),
                    feedback_angle: self.feedback_angle(layer, w),
                    error_angle,
                }
            })
            .collect()
    }

    fn feedback_angle(&self, layer: usize, w: &InputMajor) -> Option<f64> {
        match (self.feedback(), self.backward.get(layer - 1)) {
            (Feedback::Broadcast { .. } | Feedback::None, _) => None,
            (_, None) => Some(0.0),
            // From the output to each layer: only that of the last answers a W.
            (Feedback::Direct, Some(_)) if layer < self.n_layers() => None,
            (_, Some(b)) => degrees_between(as_flat(b.lanes()), as_flat(w.lanes())),
        }
    }

    /// The mean angle at ℓ = 1 … L.
    fn error_angles(&self, samples: &Samples, range: Range<usize>) -> Vec<Option<f64>> {
        let n_layers = self.n_layers();
        match self.feedback() {
            Feedback::Symmetric => return vec![Some(0.0); n_layers],
            feedback if !feedback.is_layerwise() => return error_angles(self, samples, range),
            _ => {}
        }
        let sizes = self.architecture().sizes();
        let mut sums = vec![(0.0_f64, 0_u32); n_layers];
        self.for_each_block(samples, range, Input::LeftOut, |first, y| {
            self.answer_block(y);
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

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2};

    use super::*;
    use crate::science::activation::Activation;
    use crate::science::feedback::Feedback;
    use crate::science::initialization::Initialization;
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
}
