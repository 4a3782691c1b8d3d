//! The mathematics of ojaflow: [`science`] on arrays, over [`kernels`], the few hot loops.
//!
//! It opens no file, names no table and reads no clock; a package of its own, it could not if it wanted to.

pub mod kernels;
pub mod science;
