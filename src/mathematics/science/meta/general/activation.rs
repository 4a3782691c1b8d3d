//! σ and the output in double precision, σ′ and σ″ from the value as in [`Activation`].

use crate::science::activation::Activation;
use crate::science::loss::Loss;

/// y = σ(z).
pub(super) fn value(activation: Activation, z: f64) -> f64 {
    match activation {
        Activation::Softplus { beta } => {
            let beta = f64::from(beta);
            let rectified = if z < 0.0 { 0.0 } else { z };
            rectified + libm::log1p(libm::exp(-beta * z.abs())) / beta
        }
        Activation::Tanh => libm::tanh(z),
        Activation::Relu => {
            if z < 0.0 {
                0.0
            } else {
                z
            }
        }
        Activation::Sigmoid => {
            let t = libm::exp(-z.abs());
            (if z < 0.0 { t } else { 1.0 }) / (1.0 + t)
        }
        Activation::Linear => z,
    }
}

/// σ′(z) from y = σ(z).
pub(super) fn slope(activation: Activation, y: f64) -> f64 {
    match activation {
        Activation::Softplus { beta } => -libm::expm1(-f64::from(beta) * y),
        Activation::Tanh => 1.0 - y * y,
        Activation::Relu => {
            if y > 0.0 {
                1.0
            } else {
                0.0
            }
        }
        Activation::Sigmoid => y * (1.0 - y),
        Activation::Linear => 1.0,
    }
}

/// dσ′/dy; times σ′ it is σ″(z).
pub(super) fn curvature(activation: Activation, y: f64) -> f64 {
    match activation {
        Activation::Softplus { beta } => f64::from(beta) * (1.0 - slope(activation, y)),
        Activation::Tanh => -2.0 * y,
        Activation::Relu | Activation::Linear => 0.0,
        Activation::Sigmoid => 1.0 - 2.0 * y,
    }
}

/// The factor by which e_0 is masked at a pixel of intensity x.
pub(super) fn input_mask(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Softplus { .. } => slope(activation, x),
        _ => 1.0,
    }
}

/// y_L from z_L.
pub(super) fn answer(loss: Loss, z: &[f64]) -> Vec<f64> {
    match loss {
        Loss::SquaredError => z.to_vec(),
        Loss::CrossEntropy => {
            let max = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let exponentials: Vec<f64> = z.iter().map(|z| libm::exp(z - max)).collect();
            let sum: f64 = exponentials.iter().sum();
            exponentials.into_iter().map(|x| x / sum).collect()
        }
    }
}

/// z̄_L from ȳ_L: of the softmax, y ⊙ (ȳ − ȳ · y).
pub(super) fn answer_back(loss: Loss, y: &[f64], y_bar: &[f64]) -> Vec<f64> {
    match loss {
        Loss::SquaredError => y_bar.to_vec(),
        Loss::CrossEntropy => {
            let mean: f64 = y.iter().zip(y_bar).map(|(y, bar)| y * bar).sum();
            y.iter().zip(y_bar).map(|(y, bar)| y * (bar - mean)).collect()
        }
    }
}

/// ∂loss/∂z_L = y_L − onehot, under either loss.
pub(super) fn output_error(y: &[f64], label: usize) -> Vec<f64> {
    let mut error = y.to_vec();
    error[label] -= 1.0;
    error
}
