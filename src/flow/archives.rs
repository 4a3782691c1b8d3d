//! Archives of published runs: written, and run again.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::{Options, Project};
use crate::archive::container::Summary;
use crate::archive::reproduce::{self, Laid};
use crate::archive::{self, Part, Verified};
use crate::error::{Error, Result};
use crate::run::Progress;

/// What distributions and journals set so that what is built again comes out the same.
pub const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// How a person says where an archive is run again.
const KEEP: &str = "--keep DIR";

/// An archive as it was written.
#[derive(Debug)]
pub struct Archived {
    /// Its name if no other was asked for, without an ending.
    pub name: String,
    /// Sizes and digest.
    pub summary: Summary,
}

/// An archive run again.
#[derive(Debug)]
pub struct Reproduced {
    /// Tasks run.
    pub executed: usize,
    /// Stages whose results are made by another version of their kind than the archive's.
    pub changed: Vec<String>,
    /// What became of each table and figure.
    pub outcomes: Vec<reproduce::Outcome>,
}

/// Seconds since 1970 that an archive is to carry as its date, if [`EPOCH`] says.
///
/// # Errors
/// It is not a number.
pub fn archive_date() -> Result<Option<u64>> {
    match std::env::var(EPOCH) {
        Err(_) => Ok(None),
        Ok(text) => text.trim().parse().map(Some).map_err(|_| {
            Error::usage(format!("{EPOCH}={text}: expected seconds since 1970, for example $(git log -1 --format=%ct)"))
        }),
    }
}

impl Project {
    /// Puts a published run into one file, `NAME.tar.zst` unless `target` says otherwise.
    ///
    /// # Errors
    /// The run is not published or not what was published, or the file cannot be written.
    pub fn archive(
        &self,
        name: &str,
        with: &BTreeSet<Part>,
        date: Option<u64>,
        target: Option<&Path>,
    ) -> Result<Archived> {
        let folder = self.published_folder(name)?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let beside = format!("{name}.tar.zst");
        let target = target.unwrap_or(Path::new(&beside));
        let summary = archive::archive(&folder, &self.data_folders(), with, date, target)?;
        Ok(Archived { name, summary })
    }

    /// Runs a verified archive again, in `keep` (which must be empty or new) or in a scratch folder, with this project's data
    /// sets, and compares table by table. `to` is the last stage wanted.
    ///
    /// # Errors
    /// The folder is not empty, a data set is not the archive's, or the run fails. A difference is not an error but a finding.
    pub fn reproduce(
        &self,
        file: &Path,
        verified: &Verified,
        (to, keep): (Option<&str>, Option<&Path>),
        options: &Options<'_>,
        progress: &dyn Progress,
    ) -> Result<Reproduced> {
        // Dropped at the end, and the scratch folder with it.
        let scratch;
        let folder = match keep {
            Some(folder) => {
                fs::create_dir_all(folder).map_err(Error::io_at(KEEP, "create", folder))?;
                if fs::read_dir(folder).map_err(Error::io_at(KEEP, "list", folder))?.next().is_some() {
                    return Err(Error::usage(format!("{} is not empty; choose a new folder", folder.display())));
                }
                folder
            }
            None => {
                scratch = tempfile::Builder::new().prefix("ojaflow-").tempdir();
                let scratch = scratch.as_ref().map_err(|error| {
                    let error = io::Error::new(error.kind(), error.to_string());
                    Error::io_at(KEEP, "create a folder in", std::env::temp_dir())(error)
                })?;
                scratch.path()
            }
        };
        let Laid { outputs, data, pipelines, request } = Laid::out(verified, folder, &self.data_folders(), to)?;
        let done = Project { outputs, data, shared_data: Vec::new(), pipelines }.run(&request, options, progress)?;
        Ok(Reproduced {
            executed: done.executed,
            changed: reproduce::changed_stages(verified, &done.published),
            outcomes: reproduce::judge(file, verified, &done.published)?,
        })
    }
}
