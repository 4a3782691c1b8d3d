//! The right to make a result.

use std::fmt::Debug;

/// The right to make a result, until it is dropped.
#[derive(Debug)]
pub struct Lease {
    _held: Option<Box<dyn Debug + Send + Sync>>,
}

impl Lease {
    /// What holds it gives it up when it is dropped.
    pub(super) fn held(held: impl Debug + Send + Sync + 'static) -> Self {
        Self { _held: Some(Box::new(held)) }
    }

    /// Where leases cannot be had: everyone makes what it needs.
    pub(super) fn unheld() -> Self {
        Self { _held: None }
    }
}
