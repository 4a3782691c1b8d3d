//! The plasticity terms that a pipeline writes as equations.

use super::Project;
use crate::error::{Error, Result};
use crate::plan::{self, Pipeline};
use crate::science::plasticity::Term;
use crate::spec::Definitions;
use crate::stages::training;

/// The terms that a pipeline defines, in the order of its file; the shipped ones are [`Term::shipped`].
///
/// # Errors
/// What it defines is no term.
pub fn written_terms(pipeline: &Pipeline) -> Result<Vec<Term>> {
    training::written_terms(&pipeline.definitions).map_err(|fault| Error::Spec(vec![fault]))
}

impl Project {
    /// The terms of a library that pipelines include; none if that is the name of a pipeline.
    ///
    /// # Errors
    /// There is no file of that name, or what it defines is no term.
    pub fn library(&self, name: &str) -> Result<Option<Vec<Term>>> {
        let Some(library) = plan::library(&self.pipelines, name)? else { return Ok(None) };
        let definitions = Definitions { terms: library.terms, ..Definitions::default() };
        training::written_terms(&definitions).map(Some).map_err(|fault| Error::Spec(vec![fault]))
    }
}
