//! The plasticity terms that a pipeline writes as equations.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

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

    /// Begins a file with a term of this name, which pipelines include as `terms/NAME`.
    ///
    /// # Errors
    /// No term can have the name, or the file is there already or cannot be written.
    pub fn begin_term(&self, name: &str) -> Result<PathBuf> {
        training::check_term_name(name).map_err(|fault| Error::Spec(vec![fault]))?;
        if !self.pipelines.is_dir() {
            let pipelines = self.pipelines.display();
            return Err(Error::usage(format!(
                "there is no folder {pipelines}: run from the project's root, or name it with `--pipelines DIR`"
            )));
        }
        let folder = self.pipelines.join("terms");
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        let path = folder.join(format!("{name}.toml"));
        let mut file = match fs::OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let message = format!("{} is there already: edit it, or take another name", path.display());
                return Err(Error::usage(message));
            }
            opened => opened.map_err(Error::io("create", &path))?,
        };
        file.write_all(BEGUN.replace("NAME", name).as_bytes()).map_err(Error::io("write", &path))?;
        Ok(path)
    }
}

/// A file with one term, as it is begun.
const BEGUN: &str = include_str!("begun.toml");
