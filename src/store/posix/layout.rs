//! Where what lies in the store's folder.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::super::key::Key;
use crate::error::{Error, Result};

/// The layout of the folder; a change of it starts a new folder beside the old one.
const VERSION: &str = "v1";

/// The folders of a store.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(super) fn new(outputs: &Path) -> Self {
        Self { root: outputs.join(".store").join(VERSION) }
    }

    pub(super) fn exists(&self) -> bool {
        self.root.exists()
    }

    fn results(&self) -> PathBuf {
        self.root.join("results")
    }

    pub(super) fn pending(&self) -> PathBuf {
        self.root.join("pending")
    }

    pub(super) fn notes(&self) -> PathBuf {
        self.root.join("notes")
    }

    pub(super) fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// The folder of a result.
    pub(super) fn folder(&self, key: &Key) -> PathBuf {
        self.results().join(&key.as_str()[..2]).join(key.as_str())
    }

    /// The keys of all folders, whether their records are sound or not.
    pub(super) fn keys(&self) -> Result<Vec<Key>> {
        let mut keys = Vec::new();
        for shard in list(&self.results())? {
            let folders = list(&shard)?;
            keys.extend(folders.iter().filter_map(|folder| Key::parse(folder.file_name()?.to_str()?)));
        }
        Ok(keys)
    }

    /// The file whose lock keeps collections and starting runs apart, and its path.
    pub(super) fn collecting(&self) -> Result<(File, PathBuf)> {
        let path = self.root.join("collecting");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        Ok((file.map_err(Error::io("open", &path))?, path))
    }
}

/// The entries of a folder in the order of their names; none if there is no such folder.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let reading = |error| Error::io("list", folder)(error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(reading(error)),
    };
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(reading)?;
    paths.sort();
    Ok(paths)
}
