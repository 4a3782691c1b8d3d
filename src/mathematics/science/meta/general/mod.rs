//! The inner loop and its derivatives for every rule and every pathway that does not settle, where the kernels of
//! [`InnerLoop`](super::inner::InnerLoop) cannot go: written terms of any form, with what their neurons remember, and errors that
//! come by other ways than B from layer to layer.
//!
//! Plain double precision, whole matrices, one tape for each step: slower than the kernels, and the same on every processor, since
//! it is IEEE operations in a fixed order and functions of one library. What a step does is
//! [`OnlineTrainer`](crate::science::online::OnlineTrainer)'s; beside each formula stands its transpose, named `…_back`, which takes
//! the adjoint of what the formula makes to that of what it reads. An adjoint x̄ is the derivative of the query loss with respect
//! to x, and is added to.
//!
//! The way back needs the weights before every step. They are kept every √n steps, and the steps between are made again, a
//! segment at a time: about 2 √n copies of the weights, and each step made twice.

mod activation;
mod broadcast;
mod chain;
mod elementwise;
mod errors;
mod inner;
mod matrix;
mod mirror;
mod noise;
mod program;
mod rows;
mod signals;
mod state;
mod step;

pub(super) use inner::GeneralLoop;

#[cfg(test)]
mod tests;
