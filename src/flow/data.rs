//! The data sets of a project.

use std::path::Path;

use super::Project;
use crate::datasets::{self, FileStatus};

pub use crate::datasets::DataSetInfo;
use crate::error::Result;
use crate::stages::parameters::tuning_samples;

/// Images at the end of a data set's training images that no training sees: its tuning split.
pub fn tuning_images(info: &DataSetInfo) -> usize {
    tuning_samples(info.n_train)
}

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
