//! A committed result as a folder: `commit.json` and the files that it lists.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::super::entry::{Damaged, Entry, Files};
use super::super::key::Key;
use super::super::record::{FILE, Record};
use super::share;
use crate::error::{Error, Result};
use crate::files;

/// The folder of a committed result.
#[derive(Debug)]
struct Kept {
    folder: PathBuf,
}

/// What lies where a result belongs.
#[derive(Debug)]
pub(super) enum Found {
    /// A result with a sound record.
    Sound(Entry),
    /// Something without one: of no use to anyone, so whoever makes the result may put it there instead.
    Damaged(Damaged),
    Nothing,
}

/// A result whose record has been read or written.
pub(super) fn entry(folder: &Path, record: Record) -> Entry {
    Entry::new(record, Kept { folder: folder.to_owned() })
}

/// Looks where the result of `key` belongs.
pub(super) fn look(folder: &Path, key: &Key) -> Result<Found> {
    let path = folder.join(FILE);
    let damaged = |found: String| Found::Damaged(Damaged { place: path.display().to_string(), found });
    match files::read(&path) {
        Ok(bytes) => Ok(match Record::from_bytes(&bytes, key) {
            Some(record) => Found::Sound(entry(folder, record)),
            None => damaged("it does not match its digest".to_owned()),
        }),
        Err(error) if files::is_damage(&error) => {
            let is_there = files::exists(folder).map_err(Error::io("read", folder))?;
            Ok(if is_there { damaged(error.to_string()) } else { Found::Nothing })
        }
        Err(error) => Err(Error::io("read", &path)(error)),
    }
}

impl Files for Kept {
    fn place(&self, name: &str) -> String {
        let path = if name.is_empty() { self.folder.clone() } else { self.folder.join(name) };
        path.display().to_string()
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn Read>> {
        Ok(Box::new(files::open(&self.folder.join(name))?))
    }

    fn put(&self, name: &str, target: &Path) -> Result<()> {
        share::put(&self.folder.join(name), target).map_err(Error::io("write", target))
    }
}
