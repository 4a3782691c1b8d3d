//! What the kinds look things up in while they plan: the data sets' descriptions and the tuned coefficients.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::coefficients::Coefficients;
use crate::datasets::{self, DataError, DataSetInfo};
use crate::error::Result;
use crate::task::Planning;

/// Things remembered that are looked through for an equal one.
const MOST_REMEMBERED: usize = 16;

/// The data sets and the tuned coefficients of a project.
#[derive(Debug)]
pub struct Environment {
    data_folders: Vec<PathBuf>,
    /// The committed tables of tuned coefficients.
    pub coefficients: Coefficients,
    data_sets: Mutex<BTreeMap<String, DataSetInfo>>,
    /// What tasks planned lately may have in common with the next: trainings that differ in their seeds alone.
    remembered: Mutex<VecDeque<Arc<dyn Any + Send + Sync>>>,
}

impl Environment {
    /// # Errors
    /// The tables of coefficients cannot be read.
    pub fn new(data_folders: Vec<PathBuf>, pipelines_dir: &Path) -> Result<Self> {
        Ok(Self {
            data_folders,
            coefficients: Coefficients::load(pipelines_dir)?,
            data_sets: Mutex::default(),
            remembered: Mutex::default(),
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
        let info = datasets::find(&self.data_folders, name)?;
        known.insert(name.to_owned(), info.clone());
        Ok(info)
    }
}

/// What was remembered lately, if it is this.
pub(super) fn lately<T: Any + Send + Sync>(planning: &Planning<'_>, is_it: impl Fn(&T) -> bool) -> Option<Arc<T>> {
    let remembered = shelf(planning)?.lock().unwrap_or_else(PoisonError::into_inner);
    let known = remembered.iter().find(|any| any.downcast_ref().is_some_and(&is_it))?.clone();
    known.downcast().ok()
}

/// Remembers what tasks planned after this one may have in common with it.
pub(super) fn remember<T: Any + Send + Sync>(planning: &Planning<'_>, common: Arc<T>) -> Arc<T> {
    if let Some(shelf) = shelf(planning) {
        let mut remembered = shelf.lock().unwrap_or_else(PoisonError::into_inner);
        // A sweep has many tasks in a row that are alike; beyond, looking takes longer than it saves.
        if remembered.len() == MOST_REMEMBERED {
            remembered.pop_front();
        }
        remembered.push_back(common.clone());
    }
    common
}

/// None on a bench, where a task is planned alone.
fn shelf<'a>(planning: &Planning<'a>) -> Option<&'a Mutex<VecDeque<Arc<dyn Any + Send + Sync>>>> {
    let resources: &dyn Any = planning.resources;
    resources.downcast_ref::<Environment>().map(|environment| &environment.remembered)
}

/// The environment that this program's catalogue hands to its kinds.
///
/// # Panics
/// If another catalogue planned the stage.
pub(super) fn of<'a>(planning: &Planning<'a>) -> &'a Environment {
    let resources: &'a dyn std::any::Any = planning.resources;
    resources.downcast_ref().expect("the catalogue of these kinds hands an environment to them")
}
