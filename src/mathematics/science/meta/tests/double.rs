//! The inner loop again, independently: double precision, whole matrices, every term from its form, no trajectory and no
//! sparing; differentiated by finite differences.

use ndarray::{Array1, Array2};

use super::*;
use crate::science::reference::{Reference, outer};

/// A network and its rule.
pub(super) struct Double<'a> {
    pub start: Reference,
    pub rule: &'a Rule,
}

pub(super) fn input(pixels: &[u8]) -> Array1<f64> {
    pixels.iter().map(|&pixel| f64::from(pixel) / 255.0).collect()
}

impl Double<'_> {
    /// Mean query loss after learning `training` with coefficients `theta`.
    pub(super) fn loss(&self, theta: &[f64], training: &[Sample], query: &[Sample]) -> f64 {
        let mut network = self.start.clone();
        for &(pixels, label) in training {
            self.step(&mut network, theta, &input(pixels), label);
        }
        let losses = query.iter().map(|&(pixels, label)| network.loss(&input(pixels), label));
        losses.sum::<f64>() / query.len() as f64
    }

    /// dL/dθ_k by central differences of fourth order: truncation of order h⁴, rounding of order 1e-16 / h.
    pub(super) fn derivative(&self, k: usize, theta: &[f64], training: &[Sample], query: &[Sample]) -> f64 {
        let loss = |h: f64| {
            let mut theta = theta.to_vec();
            theta[k] += h;
            self.loss(&theta, training, query)
        };
        let h = 2e-5;
        (8.0 * (loss(h) - loss(-h)) - (loss(2.0 * h) - loss(-2.0 * h))) / (12.0 * h)
    }

    fn step(&self, network: &mut Reference, theta: &[f64], x: &Array1<f64>, label: usize) {
        let (z, y) = network.forward(x);
        let e = network.errors(&z, &y, label);
        let before = network.clone();
        for (l, w) in before.w.iter().enumerate() {
            let signal = |signal: Signal| match signal {
                Signal::PreActivation => y[l].clone(),
                Signal::PreError => e[l].clone(),
                Signal::Projection => w.t().dot(&y[l + 1]),
                Signal::PostActivation => y[l + 1].clone(),
                Signal::PostError => e[l + 1].clone(),
            };
            let combined = |parts: &[(f64, Signal)]| -> Array1<f64> {
                parts.iter().map(|&(factor, part)| signal(part) * factor).reduce(|a, b| a + b).unwrap()
            };
            for ((term, _), &theta) in self.rule.terms().iter().zip(theta) {
                let change = |matrix: &Array2<f64>| match &term.form {
                    Form::Decay => matrix * -theta,
                    Form::Written(_) => unreachable!("these tests make terms of signals"),
                    Form::Outer { left, right } => outer(&combined(left), &combined(right)) * theta,
                };
                match term.synapses {
                    Synapses::Forward => network.w[l] += &change(w),
                    Synapses::Feedback => {
                        let change = change(&before.b.as_ref().unwrap()[l]);
                        network.b.as_mut().unwrap()[l] += &change;
                    }
                }
            }
        }
    }
}
