//! y_ℓ = σ(z_ℓ), z_ℓ = W_{ℓ-1,ℓ} y_{ℓ-1}, and back.

use super::activation::{answer, answer_back, curvature, slope, value};
use super::matrix::{Matrix, add};
use super::signals::{Adjoints, Signals};
use crate::science::network::Architecture;

/// Makes y_1 … y_L and z_1 … z_L of y_0.
pub(super) fn forward(architecture: &Architecture, w: &[Matrix], signals: &mut Signals) {
    let n_layers = w.len();
    signals.y.truncate(1);
    signals.z = vec![Vec::new()];
    for (layer, w) in (1..).zip(w) {
        let z = w.over_pre(&signals.y[layer - 1]);
        signals.y.push(match layer < n_layers {
            true => z.iter().map(|&z| value(architecture.activation(), z)).collect(),
            false => answer(architecture.loss(), &z),
        });
        signals.z.push(z);
    }
}

/// From ȳ and z̄ to V.
pub(super) fn forward_back(
    architecture: &Architecture,
    w: &[Matrix],
    signals: &Signals,
    bar: &mut Adjoints,
    v: &mut [Matrix],
) {
    let n_layers = w.len();
    for layer in (1..=n_layers).rev() {
        let (y, y_bar) = (&signals.y[layer], &bar.y[layer]);
        let through = match layer < n_layers {
            true => times_slope(architecture, y, y_bar),
            false => answer_back(architecture.loss(), y, y_bar),
        };
        add(&through, &mut bar.z[layer]);
        v[layer - 1].add_outer(&signals.y[layer - 1], &bar.z[layer]);
        // The image has no derivative.
        if layer > 1 {
            add(&w[layer - 1].over_post(&bar.z[layer]), &mut bar.y[layer - 1]);
        }
    }
}

/// x ⊙ σ′(z), from y.
pub(super) fn times_slope(architecture: &Architecture, y: &[f64], x: &[f64]) -> Vec<f64> {
    y.iter().zip(x).map(|(&y, x)| x * slope(architecture.activation(), y)).collect()
}

/// z̄ that comes through σ′(z) in e = v ⊙ σ′(z): ē ⊙ v ⊙ σ″(z) = ē ⊙ e ⊙ dσ′/dy.
pub(super) fn slope_back(architecture: &Architecture, y: &[f64], [e, e_bar]: [&[f64]; 2], z_bar: &mut [f64]) {
    for (k, z_bar) in z_bar.iter_mut().enumerate() {
        *z_bar += e[k] * e_bar[k] * curvature(architecture.activation(), y[k]);
    }
}
