//! The plasticity terms that a pipeline writes as equations.

use crate::error::{Error, Result};
use crate::plan::Pipeline;
use crate::science::plasticity::Term;
use crate::stages::training;

/// The terms that a pipeline defines, in the order of its file; the shipped ones are [`Term::shipped`].
///
/// # Errors
/// What it defines is no term.
pub fn written_terms(pipeline: &Pipeline) -> Result<Vec<Term>> {
    training::written_terms(&pipeline.definitions).map_err(|fault| Error::Spec(vec![fault]))
}
