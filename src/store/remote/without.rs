//! In place of remotes, in a program that was built without them.

use super::{Raced, Transferred, Watch};
use crate::error::{Error, Result};
use crate::store::{Key, Session, Store};

/// There is none.
#[derive(Debug)]
pub enum Remote {}

impl Remote {
    /// # Errors
    /// Always.
    pub fn open(url: &str) -> Result<Self> {
        Err(Error::usage(format!(
            "`{url}`: this ojaflow was built without object stores; build it with `cargo build --features remote`"
        )))
    }

    /// As messages call it.
    pub fn url(&self) -> &str {
        match *self {}
    }

    /// Tries whether anybody is there.
    pub fn reach(&self, _: Watch<'_>) -> Result<()> {
        match *self {}
    }

    /// The keys of all results.
    pub fn keys(&self, _: Watch<'_>) -> Result<Vec<Key>> {
        match *self {}
    }

    /// Sends results.
    pub fn push(&self, _: &dyn Store, _: &[Key], _: Watch<'_>) -> Result<Transferred> {
        match *self {}
    }

    /// Fetches results.
    pub fn pull(&self, _: &dyn Session, _: &[Key], _: Watch<'_>) -> Result<Transferred> {
        match *self {}
    }

    /// Tries whether it is fit.
    pub fn check(&self, _: usize, _: Watch<'_>) -> Result<Raced> {
        match *self {}
    }
}
