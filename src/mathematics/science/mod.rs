//! Pure mathematics: no file, no table, no clock, no global state.
//!
//! Symbols, throughout: layers ℓ = 0 … L, L counting weight matrices; n_ℓ units in layer ℓ; y_ℓ activations, z_ℓ their
//! arguments, e_ℓ errors; W_{ℓ-1,ℓ} (n_ℓ × n_{ℓ-1}) forward and B_{ℓ,ℓ-1} (n_{ℓ-1} × n_ℓ) feedback weights. There are
//! no biases. Equation numbers are those of Shervani-Tabar, Mirhoseini & Rosenbaum, arXiv:2408.08408.

pub mod bootstrap;
pub mod chain;
pub mod decomposition;
pub mod diagnostics;
mod dynamics;
pub mod evaluation;
pub mod feedback;
pub mod inference;
pub mod initialization;
pub mod learner;
mod likeness;
pub mod loss;
pub mod meta;
pub mod model;
pub mod normalization;
pub mod norms;
pub mod optimizer;
mod place;
pub mod plasticity;
pub mod racing;
pub mod reconstruction;
pub mod recurrent;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod same_bits;
pub mod samples;
pub mod seed;
#[cfg(test)]
mod taken_up;
pub mod tape;
#[cfg(test)]
mod theory;

/// Activation functions, which the kernels compute.
pub mod activation {
    pub use crate::kernels::Activation;
}

pub use chain::{batch, network, online};

pub use crate::kernels::InvalidParameter;
