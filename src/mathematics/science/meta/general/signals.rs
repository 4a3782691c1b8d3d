//! The signals of one sample, and their adjoints.

use super::matrix::add;
use crate::kernels::program::Seen;

/// By layer 0 … L; empty where there is no such signal.
#[derive(Clone, Debug, Default)]
pub(super) struct Signals {
    pub label: usize,
    /// y_ℓ.
    pub y: Vec<Vec<f64>>,
    /// z_ℓ, from layer 1 on.
    pub z: Vec<Vec<f64>>,
    /// e_ℓ; e_0 is 0 where nothing reads it.
    pub e: Vec<Vec<f64>>,
    /// N(0, 1) for each neuron, from layer 1 on, where somebody reads it.
    pub noise: Vec<Vec<f64>>,
    pub loss: f64,
    pub loss_change: f64,
    /// y_ℓ with noise, and z_L in place of y_L, where errors are broadcast.
    pub perturbed: Vec<Vec<f64>>,
}

/// What the query loss has for derivatives with respect to the signals.
#[derive(Clone, Debug)]
pub(super) struct Adjoints {
    pub y: Vec<Vec<f64>>,
    pub z: Vec<Vec<f64>>,
    pub e: Vec<Vec<f64>>,
    pub loss: f64,
    pub loss_change: f64,
}

impl Signals {
    /// A signal at the synapses into `layer`.
    pub(super) fn seen(&self, signal: Seen, layer: usize) -> Vec<f64> {
        match signal {
            Seen::PreActivation => self.y[layer - 1].clone(),
            Seen::PostActivation => self.y[layer].clone(),
            Seen::PreError => self.e[layer - 1].clone(),
            Seen::PostError => self.e[layer].clone(),
            Seen::Potential => self.z[layer].clone(),
            Seen::Label => {
                let mut label = vec![0.0; self.y[layer].len()];
                if layer + 1 == self.y.len() {
                    label[self.label] = 1.0;
                }
                label
            }
            Seen::Noise => self.noise[layer].clone(),
            Seen::Loss => vec![self.loss],
            Seen::LossChange => vec![self.loss_change],
            Seen::SettledPre | Seen::SettledPost => unreachable!("nothing settles here"),
        }
    }
}

impl Adjoints {
    /// 0, of layers of these sizes.
    pub(super) fn zeros(sizes: &[usize]) -> Self {
        let vectors = || sizes.iter().map(|&n| vec![0.0; n]).collect();
        Self { y: vectors(), z: vectors(), e: vectors(), loss: 0.0, loss_change: 0.0 }
    }

    /// To what [`Signals::seen`] gives.
    pub(super) fn add(&mut self, signal: Seen, layer: usize, bar: &[f64]) {
        let to = match signal {
            Seen::PreActivation => &mut self.y[layer - 1],
            Seen::PostActivation => &mut self.y[layer],
            Seen::PreError => &mut self.e[layer - 1],
            Seen::PostError => &mut self.e[layer],
            Seen::Potential => &mut self.z[layer],
            Seen::Loss => return self.loss += bar[0],
            Seen::LossChange => return self.loss_change += bar[0],
            Seen::Label | Seen::Noise => return,
            Seen::SettledPre | Seen::SettledPost => unreachable!("nothing settles here"),
        };
        add(bar, to);
    }
}
