//! The errors of a sample, by the pathway that they take, and back.

use std::ops::RangeInclusive;

use super::activation::{input_mask, output_error};
use super::broadcast;
use super::chain::{slope_back, times_slope};
use super::matrix::{Matrix, add, add_scaled};
use super::signals::{Adjoints, Signals};
use crate::science::feedback::{Feedback, OwnWeights};
use crate::science::network::Architecture;

/// Where errors come from in a network.
#[derive(Clone, Debug)]
pub(super) struct Pathway {
    pub architecture: Architecture,
    pub feedback: Feedback,
    /// Whether a term reads e_0.
    pub reads_image_error: bool,
}

impl Pathway {
    /// The layers ℓ through whose B, or Wᵀ, an error comes to layer ℓ − 1, the lowest first.
    fn passed(&self) -> RangeInclusive<usize> {
        let n_layers = self.architecture.n_layers();
        let lowest = match self.feedback {
            Feedback::None => n_layers + 1,
            _ if self.reads_image_error => 1,
            _ => 2,
        };
        lowest..=n_layers
    }

    /// The layer whose error goes into B of `layer`.
    fn source(&self, layer: usize) -> usize {
        match self.feedback.own_weights() {
            OwnWeights::FromOutput => self.architecture.n_layers(),
            _ => layer,
        }
    }

    /// e_0 … e_L; through `through`, B or Wᵀ at ℓ − 1.
    pub(super) fn errors(&self, w: &[Matrix], through: &[Matrix], signals: &mut Signals) {
        let sizes = self.architecture.sizes();
        let n_layers = self.architecture.n_layers();
        signals.e = sizes.iter().map(|&n| vec![0.0; n]).collect();
        signals.loss = self.architecture.loss().of(&signals.z[n_layers], signals.label);
        match self.feedback {
            Feedback::Broadcast { std } => return broadcast::errors(&self.architecture, std, w, signals),
            Feedback::PredictiveCoding(_) | Feedback::EquilibriumPropagation(_) => unreachable!("they settle"),
            _ => signals.e[n_layers] = output_error(&signals.y[n_layers], signals.label),
        }
        for layer in self.passed().rev() {
            let sent = through[layer - 1].over_post(&signals.e[self.source(layer)]);
            signals.e[layer - 1] = self.masked(layer - 1, signals, &sent);
        }
    }

    /// From ē, and the adjoints of the losses, to ȳ, z̄, V, and to U or V of what errors went through, if it has a derivative.
    pub(super) fn errors_back(
        &self,
        w: &[Matrix],
        through: &[Matrix],
        signals: &Signals,
        bar: &mut Adjoints,
        v: &mut [Matrix],
        mut u: Option<&mut [Matrix]>,
    ) {
        let n_layers = self.architecture.n_layers();
        if let Feedback::Broadcast { std } = self.feedback {
            broadcast::errors_back(&self.architecture, std, w, signals, bar, v);
        } else {
            for layer in self.passed() {
                let sent_bar = self.masked(layer - 1, signals, &bar.e[layer - 1]);
                if layer > 1 {
                    let (y, e) = (&signals.y[layer - 1], [&signals.e[layer - 1][..], &bar.e[layer - 1]]);
                    slope_back(&self.architecture, y, e, &mut bar.z[layer - 1]);
                }
                let source = self.source(layer);
                add(&through[layer - 1].over_pre(&sent_bar), &mut bar.e[source]);
                let to = match self.feedback {
                    Feedback::Symmetric => Some(&mut *v),
                    _ => u.as_deref_mut(),
                };
                if let Some(to) = to {
                    to[layer - 1].add_outer(&sent_bar, &signals.e[source]);
                }
            }
            add(&bar.e[n_layers], &mut bar.y[n_layers]);
        }
        let slope = output_error(&signals.y[n_layers], signals.label);
        add_scaled(bar.loss, &slope, &mut bar.z[n_layers]);
    }

    /// x ⊙ σ′(z_ℓ), or times the mask of e_0.
    fn masked(&self, layer: usize, signals: &Signals, x: &[f64]) -> Vec<f64> {
        let (y, activation) = (&signals.y[layer], self.architecture.activation());
        match layer {
            0 => y.iter().zip(x).map(|(&y, x)| x * input_mask(activation, y)).collect(),
            _ => times_slope(&self.architecture, y, x),
        }
    }
}
