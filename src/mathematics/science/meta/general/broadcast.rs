//! Node perturbation: e_ℓ = (Δloss / s) ξ_ℓ, where s ξ_ℓ was added to every z_ℓ and Δloss is what that did to the loss; and back,
//! through the pass with noise and the one without.

use super::activation::{answer, output_error, value};
use super::chain::times_slope;
use super::matrix::{Matrix, add, add_scaled, dot};
use super::signals::{Adjoints, Signals};
use crate::science::network::Architecture;

pub(super) fn errors(architecture: &Architecture, std: f64, w: &[Matrix], signals: &mut Signals) {
    let n_layers = w.len();
    let mut perturbed = vec![Vec::new()];
    for (layer, w) in (1..).zip(w) {
        let mut z = match layer {
            1 => signals.z[1].clone(),
            _ => w.over_pre(&perturbed[layer - 1]),
        };
        add_scaled(std, &signals.noise[layer], &mut z);
        if layer < n_layers {
            z.iter_mut().for_each(|z| *z = value(architecture.activation(), *z));
        }
        perturbed.push(z);
    }
    signals.loss_change = architecture.loss().of(&perturbed[n_layers], signals.label) - signals.loss;
    signals.perturbed = perturbed;
    let told = signals.loss_change / std;
    for (e, noise) in signals.e.iter_mut().zip(&signals.noise).skip(1) {
        *e = noise.iter().map(|noise| told * noise).collect();
    }
}

pub(super) fn errors_back(
    architecture: &Architecture,
    std: f64,
    w: &[Matrix],
    signals: &Signals,
    bar: &mut Adjoints,
    v: &mut [Matrix],
) {
    let n_layers = w.len();
    let told: f64 = bar.e.iter().zip(&signals.noise).skip(1).map(|(e, noise)| dot(e, noise)).sum();
    let change = bar.loss_change + told / std;
    bar.loss -= change;
    let Signals { perturbed, label, .. } = signals;
    let mut z_bar = output_error(&answer(architecture.loss(), &perturbed[n_layers]), *label);
    z_bar.iter_mut().for_each(|z| *z *= change);
    for layer in (2..=n_layers).rev() {
        v[layer - 1].add_outer(&perturbed[layer - 1], &z_bar);
        z_bar = times_slope(architecture, &perturbed[layer - 1], &w[layer - 1].over_post(&z_bar));
    }
    // z_1 is the same in both passes but for the noise.
    add(&z_bar, &mut bar.z[1]);
}
