//! The few hot loops, behind a safe interface, returning the same bits on every processor.
//!
//! A kernel is a body generic over the trait `Simd`, compiled once for each [`Backend`]. Sums run in an
//! order that the mathematics fixes (an output adds its inputs in ascending order; a dot product adds sixteen partial
//! sums in one tree), never in one that a block size, a register count or a thread chooses.

// Loops count rather than iterate: what the compiler leaves as a call of `next` is not compiled with a backend's instructions.
// And a copy of a few numbers is a loop rather than a call that costs more than the numbers do.
#![allow(clippy::needless_range_loop, clippy::manual_memcpy)]

mod activate;
mod activation;
mod active;
mod active_pairs;
mod backend;
mod batch_product;
mod bits;
mod block;
pub(crate) mod elementary;
mod errors_back;
mod forward;
mod fused;
mod intensity;
mod invalid;
mod lanes;
mod layer_update;
mod matrix;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(test)]
pub(crate) mod noise;
mod outer_sum;
#[doc(hidden)]
pub mod probes;
mod product_adjoint;
pub(crate) mod program;
mod row_adjoint;
mod row_groups;
mod row_step;
mod rows;
mod scatter;
mod simd;
mod synaptic_rule;
mod waiting;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use activate::{activate, input_masks, partition, softmax};
pub use activation::Activation;
pub(crate) use active::{Active, ActiveRows};
pub(crate) use active_pairs::{ActivePairs, forward_pair};
pub use backend::{Backend, backend};
pub(crate) use backend::{Kernel, dispatch};
pub(crate) use batch_product::{forward_batch, project_batch, times_input_mask, times_slope};
pub(crate) use bits::pair_alike;
pub(crate) use block::{
    Block, BlockAdjoint, Forwarded, NO_STEPS, Propagate, PropagateBack, Propagated, STEPS, Seen, Shares, StepLanes,
};
pub(crate) use errors_back::errors_back;
pub(crate) use forward::{forward, forward_active, forward_turning};
pub(crate) use intensity::INTENSITY;
pub use invalid::InvalidParameter;
pub(crate) use lanes::{
    Lanes, WIDTH, all_finite, as_flat, as_flat_mut, each_lane, each_tile, lanes_for, largest, norm, zeros,
};
pub(crate) use layer_update::{ErrorBelow, LayerSignals, update_layer};
pub(crate) use matrix::InputMajor;
pub(crate) use outer_sum::outer_sum;
pub(crate) use product_adjoint::{ProductAdjoint, add_outer, forward_back};
pub(crate) use row_adjoint::{Differentiated, RowAdjoint, Scale, step_rows_back};
pub(crate) use row_step::{RowStep, step_rows};
pub(crate) use rows::matrix_product;
pub(crate) use scatter::Scatter;
pub(crate) use simd::Simd;
pub(crate) use synaptic_rule::{PreFactor, RowRule, SynapticRule};
pub(crate) use waiting::Waiting;
