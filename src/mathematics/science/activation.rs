//! Activation functions σ of the hidden layers. Kernels compute them, so they are defined there.

pub use crate::kernels::Activation;
