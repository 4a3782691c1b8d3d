//! The data sets of a project.

use std::path::Path;

use super::Project;
use crate::datasets::{self, DataError, FileStatus};

pub use crate::datasets::DataSetInfo;
use crate::error::{Error, Result};
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
        let sets = datasets::list(&self.data_folders())?;
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

    /// Takes over those data sets that come with the program from a folder or a web server, which has them in itself or in
    /// folders of their names: whatever has the right checksums.
    ///
    /// # Errors
    /// There is none of them, it cannot be read, or `data` cannot be written.
    pub fn fetch_data(&self, source: &str) -> Result<Vec<DataSetInfo>> {
        let is_url = source.starts_with("http://") || source.starts_with("https://");
        let names: Vec<String> = datasets::known().into_iter().map(|info| info.name).collect();
        let (mut taken, mut others) = (Vec::new(), Vec::new());
        for part in names.iter().map(String::as_str).chain([""]) {
            let scratch;
            let folder = if is_url {
                scratch = tempfile::tempdir().map_err(Error::io("create a folder in", std::env::temp_dir()))?;
                let url = format!("{}/{part}", source.trim_end_matches('/'));
                if !datasets::download(&url, scratch.path())? {
                    continue;
                }
                scratch.path().to_owned()
            } else {
                Path::new(source).join(part)
            };
            match datasets::adopt(&folder, &self.data) {
                Ok(Some(info)) => taken.push(info),
                Ok(None) => others.push(format!("another set in {}", Path::new(source).join(part).display())),
                // Not a place that somebody named.
                Err(DataError::Io { action: "read", .. } | DataError::MissingSourceFiles { .. }) if !is_url => {}
                Err(error) => return Err(error.into()),
            }
        }
        if taken.is_empty() {
            let found = if others.is_empty() { "none of these files".to_owned() } else { others.join(", ") };
            return Err(DataError::NothingKnown { origin: source.to_owned(), found }.into());
        }
        Ok(taken)
    }
}
