//! What the kinds look things up in while they plan: the data sets' descriptions and the tuned coefficients.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::coefficients::{self, Coefficients};
use crate::datasets::{self, DataError, DataSetInfo};
use crate::error::Result;
use crate::task::Planning;

/// The data sets and the tuned coefficients of a project.
#[derive(Debug)]
pub struct Environment {
    data_dir: PathBuf,
    /// The committed tables of tuned coefficients.
    pub coefficients: Coefficients,
    data_sets: Mutex<BTreeMap<String, DataSetInfo>>,
}

impl Environment {
    /// # Errors
    /// The tables of coefficients cannot be read.
    pub fn new(data_dir: &Path, pipelines_dir: &Path) -> Result<Self> {
        Ok(Self {
            data_dir: data_dir.to_owned(),
            coefficients: Coefficients::load(&pipelines_dir.join(coefficients::FOLDER))?,
            data_sets: Mutex::default(),
        })
    }

    /// The description of a data set; its images are not read.
    ///
    /// # Errors
    /// There is no such data set, or its description is damaged.
    pub fn data_set(&self, name: &str) -> Result<DataSetInfo, DataError> {
        let mut known = self.data_sets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(info) = known.get(name) {
            return Ok(info.clone());
        }
        let info = datasets::find(&self.data_dir, name)?;
        known.insert(name.to_owned(), info.clone());
        Ok(info)
    }
}

/// The environment that this program's catalogue hands to its kinds.
///
/// # Panics
/// If another catalogue planned the stage.
pub(super) fn of<'a>(planning: &Planning<'a>) -> &'a Environment {
    let resources: &'a dyn std::any::Any = planning.resources;
    resources.downcast_ref().expect("the catalogue of these kinds hands an environment to them")
}
