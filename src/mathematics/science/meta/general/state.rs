//! What a step changes, and the adjoints of it: W, B, and what neurons remember.

use super::matrix::Matrix;
use super::program::{LayerTerm, Memory};
use crate::science::network::Network;

#[derive(Clone, Debug)]
pub(super) struct State {
    /// W_{ℓ-1,ℓ} at ℓ − 1.
    pub w: Vec<Matrix>,
    /// B_{ℓ,ℓ-1} at ℓ − 1, or B_ℓ from the output; empty where there is no such matrix.
    pub b: Vec<Matrix>,
    /// Of each term of layer ℓ at ℓ − 1.
    pub memory: Vec<Vec<Memory>>,
}

impl State {
    /// Before the first sample.
    pub(super) fn of(network: &Network, terms: &[Vec<LayerTerm>]) -> Self {
        Self {
            w: network.forward.iter().map(Matrix::of).collect(),
            b: network.backward.iter().map(Matrix::of).collect(),
            memory: terms.iter().map(|terms| terms.iter().map(LayerTerm::memory).collect()).collect(),
        }
    }

    /// Takes over everything of a state of the same network.
    pub(super) fn copy_from(&mut self, other: &Self) {
        let matrices = self.w.iter_mut().chain(&mut self.b).zip(other.w.iter().chain(&other.b));
        matrices.for_each(|(to, from)| to.copy_from(from));
        self.memory.clone_from(&other.memory);
    }

    pub(super) fn clear(&mut self) {
        self.w.iter_mut().chain(&mut self.b).for_each(|matrix| matrix.values_mut().fill(0.0));
        self.memory.iter_mut().flatten().flatten().for_each(|values| values.fill(0.0));
    }

    /// Whether all weights are numbers that the weights of a network can have.
    pub(super) fn is_finite(&self) -> bool {
        let is_finite = |matrix: &Matrix| matrix.values().iter().all(|&w| (w as f32).is_finite());
        self.w.iter().chain(&self.b).all(is_finite)
    }
}
