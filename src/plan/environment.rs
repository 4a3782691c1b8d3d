//! What planning may look at besides the pipeline file: the data sets' descriptions and the tuned coefficients.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::coefficients::Coefficients;
use crate::datasets::{self, DataError, DataSetInfo};
use crate::error::Result;

#[derive(Debug)]
pub struct Environment {
    pub data_dir: PathBuf,
    /// Where pipelines are looked up by name.
    pub pipelines_dir: PathBuf,
    pub coefficients: Coefficients,
    data_sets: Mutex<BTreeMap<String, DataSetInfo>>,
}

impl Environment {
    /// # Errors
    /// The tables of coefficients cannot be read.
    pub fn new(data_dir: &Path, pipelines_dir: &Path) -> Result<Self> {
        Ok(Self {
            data_dir: data_dir.to_owned(),
            pipelines_dir: pipelines_dir.to_owned(),
            coefficients: Coefficients::load(&pipelines_dir.join(super::coefficients::FOLDER))?,
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
