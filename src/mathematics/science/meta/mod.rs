//! Meta-learning: an outer loop finds the coefficients with which an inner loop learns (section 2.5, Figure 8).
//!
//! An episode draws a task ([`ClassPool`]), trains a fresh network on it online, asks it about query samples, and moves the
//! coefficients down the exact gradient of the query loss ([`MetaLearner`]). Any [`Rule`](super::plasticity::Rule) can be
//! learned; the paper's, as it is read here, is
//!
//! - ΔW = −θ0 e_ℓ y_{ℓ-1}ᵀ + θ1 e_ℓ e_{ℓ-1}ᵀ + θ2 (y_ℓ y_{ℓ-1}ᵀ − y_ℓ y_ℓᵀ W) − θ3 W,
//! - ΔB = −θ4 y_{ℓ-1} e_ℓᵀ − θ5 B.
//!
//! The paper prints y_ℓ e_{ℓ-1}ᵀ for the first term of ΔB, which has the shape of W and would not align B with it.
//! Backpropagation is the same with symmetric feedback and θ0 alone.

mod differentiable;
mod first_layer;
mod general;
mod inner;
mod learned_rule;
mod learner;
mod query;
mod reverse;
mod settings;
mod step;
mod task;

pub use learner::{EpisodeRecord, EpisodeStatus, MetaLearner};
pub use settings::MetaSettings;
pub use task::{ClassPool, Sampling, Task, TaskSize};

#[cfg(test)]
mod tests;
