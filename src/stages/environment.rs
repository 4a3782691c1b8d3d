//! What the kinds look things up in while they plan: the data sets' descriptions and the tuned coefficients.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::NetworkFacts;
use super::coefficients::{self, Coefficients};
use crate::datasets::{self, DataError, DataSetInfo};
use crate::error::Result;
use crate::task::Planning;

/// Networks that are looked through for an equal one.
const MOST_NETWORKS: usize = 16;

/// The data sets and the tuned coefficients of a project.
#[derive(Debug)]
pub struct Environment {
    data_dir: PathBuf,
    /// The committed tables of tuned coefficients.
    pub coefficients: Coefficients,
    data_sets: Mutex<BTreeMap<String, DataSetInfo>>,
    /// Networks that many tasks have in common: runs that differ in their seeds alone know the same of themselves.
    networks: Mutex<Vec<Arc<NetworkFacts>>>,
}

impl Environment {
    /// # Errors
    /// The tables of coefficients cannot be read.
    pub fn new(data_dir: &Path, pipelines_dir: &Path) -> Result<Self> {
        Ok(Self {
            data_dir: data_dir.to_owned(),
            coefficients: Coefficients::load(&pipelines_dir.join(coefficients::FOLDER))?,
            data_sets: Mutex::default(),
            networks: Mutex::default(),
        })
    }

    /// The same facts, shared with whoever said them lately.
    fn once(&self, facts: NetworkFacts) -> Arc<NetworkFacts> {
        let mut networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = networks.iter().find(|known| ***known == facts) {
            return known.clone();
        }
        let facts = Arc::new(facts);
        // A sweep over networks has each of them for many tasks in a row; beyond, looking takes longer than it saves.
        if networks.len() == MOST_NETWORKS {
            networks.remove(0);
        }
        networks.push(facts.clone());
        facts
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

/// Facts of a network, shared with the tasks that know the same.
pub(super) fn once(planning: &Planning<'_>, facts: NetworkFacts) -> Arc<NetworkFacts> {
    let resources: &dyn std::any::Any = planning.resources;
    match resources.downcast_ref::<Environment>() {
        Some(environment) => environment.once(facts),
        // A training on a bench, alone.
        None => Arc::new(facts),
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
