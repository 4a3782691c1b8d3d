//! A chain of dense layers: all that knows that layer ℓ hears layer ℓ − 1 and nobody else.
//!
//! Its weights, its dynamics, online and batch training over them, and what is measured on it. Another shape of network
//! (residual, convolutional) is a neighbour of this folder, behind [`Model`](super::model::Model) and
//! [`Learner`](super::learner::Learner).

pub mod batch;
mod diagnostics;
mod first_layer;
mod mirror;
mod model;
pub mod network;
pub mod online;
mod passes;
mod pathways;
mod reconstruction;
mod settling;
mod signals;

pub use reconstruction::Reconstructions;
