//! What the output of a network is, and how far it is from the label.

use crate::kernels::{self, Backend, Lanes};

/// How the output is read and judged. Either way the error of the output is e_L = y_L − onehot, the derivative of the loss
/// with respect to z_L.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loss {
    /// y_L = softmax(z_L); −ln y_label, in nats.
    #[default]
    CrossEntropy,
    /// y_L = z_L; ½ ‖y_L − onehot‖².
    SquaredError,
}

impl Loss {
    /// y_L in place of z_L, one padded row.
    pub(crate) fn answer(self, backend: Backend, n_outputs: usize, z: &mut [Lanes]) {
        match self {
            Loss::CrossEntropy => kernels::softmax(backend, n_outputs, z),
            Loss::SquaredError => {}
        }
    }

    /// The loss of one sample, from z_L.
    pub(crate) fn of<T: Copy + Into<f64>>(self, z: &[T], label: usize) -> f64 {
        match self {
            Loss::CrossEntropy => {
                let max = z.iter().map(|&z| z.into()).fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = z.iter().map(|&z| libm::exp(z.into() - max)).sum();
                libm::log(sum) + max - z[label].into()
            }
            Loss::SquaredError => half_squared_distance(z, label),
        }
    }
}

/// ½ ‖y − onehot‖².
pub(crate) fn half_squared_distance<T: Copy + Into<f64>>(y: &[T], label: usize) -> f64 {
    let target = |k: usize| if k == label { 1.0 } else { 0.0 };
    y.iter().enumerate().map(|(k, &y)| (y.into() - target(k)).powi(2)).sum::<f64>() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{as_flat, as_flat_mut, zeros};

    /// e_L = y_L − onehot is the slope of either loss.
    #[test]
    fn errors_of_the_output_are_the_slopes_of_the_loss() {
        let z = [0.3_f32, -1.2, 0.8, 0.1];
        for loss in [Loss::CrossEntropy, Loss::SquaredError] {
            let mut y = zeros(4);
            as_flat_mut(&mut y)[..4].copy_from_slice(&z);
            loss.answer(Backend::Portable, 4, &mut y);
            for k in 0..4 {
                let h = 1.0 / 1024.0;
                let at = |h: f32| {
                    let mut z = z;
                    z[k] += h;
                    loss.of(&z, 2)
                };
                let slope = (at(h) - at(-h)) / f64::from(2.0 * h);
                let error = f64::from(as_flat(&y)[k]) - if k == 2 { 1.0 } else { 0.0 };
                assert!((slope - error).abs() < 1e-5, "{loss:?} {k}: {slope} {error}");
            }
        }
    }
}
