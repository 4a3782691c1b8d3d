//! The data sets of a project.

use std::path::Path;

use super::Project;
use crate::datasets::{self, DataSetInfo, FileStatus};
use crate::error::Result;

impl Project {
    /// The data sets that there are, each with what became of its checksums.
    ///
    /// # Errors
    /// A description cannot be read.
    pub fn data_sets(&self) -> Result<Vec<(DataSetInfo, Vec<FileStatus>)>> {
        let sets = datasets::list(&self.data)?;
        Ok(sets
            .into_iter()
            .map(|info| {
                let statuses = datasets::verify(&info);
                (info, statuses)
            })
            .collect())
    }

    /// Takes an IDX data set over from a folder, under a name that pipelines will use.
    ///
    /// # Errors
    /// The files are not such a data set, or cannot be written.
    pub fn import_data(&self, folder: &Path, name: &str) -> Result<DataSetInfo> {
        Ok(datasets::import(folder, &self.data, name)?)
    }
}
