//! A phase of noise, in which B follows Wᵀ ([`WeightMirror`]), and back.
//!
//! B ← (1 − decay) B + rate / (n − 1) Σ_p ξ_p (r_p − r̄)ᵀ, r_p = σ(W ξ_p), at the output W ξ_p.

use super::activation::value;
use super::chain::times_slope;
use super::matrix::{Matrix, add};
use crate::science::feedback::WeightMirror;
use crate::science::network::Architecture;

/// The responses of `layer`, as many as vectors of noise.
fn responses(architecture: &Architecture, layer: usize, w: &Matrix, noise: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let is_output = layer == architecture.n_layers();
    let respond = |z: f64| if is_output { z } else { value(architecture.activation(), z) };
    noise.iter().map(|xi| w.over_pre(xi).into_iter().map(respond).collect()).collect()
}

fn less_their_mean(vectors: &mut [Vec<f64>]) {
    let n = vectors.len() as f64;
    let mut mean = vec![0.0; vectors[0].len()];
    vectors.iter().for_each(|vector| add(vector, &mut mean));
    vectors.iter_mut().for_each(|vector| vector.iter_mut().zip(&mean).for_each(|(x, sum)| *x -= sum / n));
}

/// B of `layer` after a phase with this noise.
pub(super) fn phase(
    architecture: &Architecture,
    settings: &WeightMirror,
    layer: usize,
    w: &Matrix,
    b: &mut Matrix,
    noise: &[Vec<f64>],
) {
    let mut responses = responses(architecture, layer, w, noise);
    less_their_mean(&mut responses);
    b.values_mut().iter_mut().for_each(|b| *b *= 1.0 - settings.decay);
    let share = settings.rate / (noise.len() - 1) as f64;
    for (xi, mut response) in noise.iter().zip(responses) {
        response.iter_mut().for_each(|r| *r *= share);
        b.add_outer(xi, &response);
    }
}

/// From U after the phase to U before it, and to V.
pub(super) fn phase_back(
    architecture: &Architecture,
    settings: &WeightMirror,
    layer: usize,
    w: &Matrix,
    [v, u]: [&mut Matrix; 2],
    noise: &[Vec<f64>],
) {
    let responses = responses(architecture, layer, w, noise);
    let share = settings.rate / (noise.len() - 1) as f64;
    // r̄_p = share Uᵀ ξ_p less the mean over p, as taking a mean away is its own transpose.
    let mut bars: Vec<Vec<f64>> = noise.iter().map(|xi| u.over_pre(xi)).collect();
    less_their_mean(&mut bars);
    for ((xi, response), mut bar) in noise.iter().zip(&responses).zip(bars) {
        bar.iter_mut().for_each(|bar| *bar *= share);
        let z_bar = if layer == architecture.n_layers() { bar } else { times_slope(architecture, response, &bar) };
        v.add_outer(xi, &z_bar);
    }
    u.values_mut().iter_mut().for_each(|u| *u *= 1.0 - settings.decay);
}
