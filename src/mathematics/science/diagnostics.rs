//! What learning does to the weights: orthonormality, and how well feedback agrees with them.

use super::tape::{Foreign, Tape};
use crate::kernels::{Backend, InputMajor, Scatter};

/// Diagnostics of the weights into one layer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WeightDiagnostics {
    /// ℓ.
    pub layer: usize,
    /// ‖W Wᵀ − I‖_F: 0 where the incoming weight vectors of layer ℓ are orthonormal.
    pub orthonormality: f64,
    /// Degrees between B_{ℓ,ℓ-1}ᵀ and W_{ℓ-1,ℓ} as flat vectors, 0 where errors travel through Wᵀ; None where there is no such
    /// B, or either is 0 or not finite.
    pub feedback_angle: Option<f64>,
    /// Degrees between e_ℓ as the network's pathway has it and as the gradient of the loss has it, mean over the samples where
    /// both exist; 0 at the output if its error is exact, and with symmetric feedback; None if there is no such sample.
    pub error_angle: Option<f64>,
}

impl WeightDiagnostics {
    /// Keeps them, or takes them up.
    ///
    /// # Errors
    /// Something else was kept.
    pub fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
        tape.size("layer", &mut self.layer)?;
        tape.number("orthonormality", &mut self.orthonormality)?;
        for angle in [&mut self.feedback_angle, &mut self.error_angle] {
            tape.option("angle", angle, |tape, angle| tape.number("degrees", angle))?;
        }
        Ok(())
    }
}

/// ‖W Wᵀ − I‖_F.
pub(crate) fn orthonormality(backend: Backend, w: &InputMajor) -> f64 {
    let mut gram = Scatter::new(backend, w.n_out());
    for i in 0..w.n_in() {
        let row = w.outgoing(i);
        gram.add(|j| f64::from(row[j]));
    }
    let mut squares = 0.0;
    gram.for_each_upper(|i, j, g| squares += if i == j { (g - 1.0).powi(2) } else { 2.0 * g * g });
    libm::sqrt(squares)
}

/// The angle between two vectors; None if either has no direction.
///
/// From |a/‖a‖ − b/‖b‖| and |a/‖a‖ + b/‖b‖| (Kahan), which keeps small angles that an arc cosine would lose.
pub(crate) fn degrees_between(a: &[f32], b: &[f32]) -> Option<f64> {
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
    use super::*;

    #[test]
    fn a_zero_vector_has_no_direction() {
        assert_eq!(degrees_between(&[0.0, 0.0], &[1.0, 0.0]), None);
        assert_eq!(degrees_between(&[f32::INFINITY, 0.0], &[1.0, 0.0]), None);
        assert!((degrees_between(&[1.0, 1.0], &[1.0, 0.0]).unwrap() - 45.0).abs() < 1e-12);
        assert!((degrees_between(&[2.0, 0.0], &[-1.0, 0.0]).unwrap() - 180.0).abs() < 1e-12);
    }
}
