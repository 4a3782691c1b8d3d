//! A committed result as a folder: `commit.json` and the files that it lists.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::super::entry::{Entry, Files};
use super::super::key::Key;
use super::super::record::{FILE, Record};
use super::layout::Layout;
use crate::error::{Error, Result};

/// The folder of a committed result.
#[derive(Debug)]
struct Kept {
    folder: PathBuf,
}

/// A result whose record has been read or written.
pub(super) fn entry(folder: PathBuf, record: Record) -> Entry {
    Entry::new(record, Kept { folder })
}

pub(super) fn find(layout: &Layout, key: &Key) -> Result<Option<Entry>> {
    let folder = layout.folder(key);
    let path = folder.join(FILE);
    match fs::read(&path) {
        // A record that does not parse is a damaged result: the task runs again and replaces it.
        Ok(bytes) => Ok(Record::from_bytes(&bytes, key).map(|record| entry(folder, record))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(Error::io("read", &path)(error)),
    }
}

impl Files for Kept {
    fn place(&self, name: &str) -> String {
        let path = if name.is_empty() { self.folder.clone() } else { self.folder.join(name) };
        path.display().to_string()
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn Read>> {
        Ok(Box::new(File::open(self.folder.join(name))?))
    }

    /// A reflink where the file system has them, else a copy.
    fn copy_to(&self, name: &str, target: &Path) -> Result<()> {
        reflink_copy::reflink_or_copy(self.folder.join(name), target).map_err(Error::io("write", target))?;
        Ok(())
    }
}
