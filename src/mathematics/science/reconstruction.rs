//! How much of its input a layer keeps: the residual of equation (2).

use super::place::Place;

/// Equation (2) of one layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Residual {
    /// ℓ.
    pub layer: usize,
    /// t, of a network that has a time.
    pub time_step: Option<usize>,
    /// J_ℓ: mean over samples of ‖y_{ℓ-1} − Wᵀ σ(W y_{ℓ-1})‖².
    pub error: f64,
    /// Mean over samples of ‖y_{ℓ-1}‖².
    pub signal: f64,
    /// J_ℓ / signal: J alone is not scale-free, a layer whose activations vanish has a small one. None if the signal is 0.
    pub relative_error: Option<f64>,
}

impl Residual {
    /// From Σ‖y_{ℓ-1} − Wᵀ y_ℓ‖² and Σ‖y_{ℓ-1}‖² over `n` samples.
    pub(crate) fn of(place: Place, (error, signal): (f64, f64), n: f64) -> Self {
        Self {
            layer: place.layer,
            time_step: place.time_step,
            error: error / n,
            signal: signal / n,
            relative_error: (signal != 0.0).then(|| error / signal),
        }
    }
}
