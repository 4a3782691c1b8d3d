//! A committed result, as it is read.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::record::Record;
use crate::error::Result;
use crate::tables::Table;
use crate::tables::parquet;

/// The files of one committed result, wherever they lie.
pub(super) trait Files: fmt::Debug + Send + Sync {
    /// What messages call a file of it.
    fn place(&self, name: &str) -> String;
    /// The bytes of a file.
    fn open(&self, name: &str) -> io::Result<Box<dyn Read>>;
    /// Puts a file at a path outside of the store.
    fn put(&self, name: &str, target: &Path) -> Result<()>;
}

/// A committed result.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What was committed, and of what material.
    pub record: Record,
    files: Arc<dyn Files>,
}

impl Entry {
    pub(super) fn new(record: Record, files: impl Files + 'static) -> Self {
        Self { record, files: Arc::new(files) }
    }

    /// The bytes of a file as they lie there, not checked.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(&self, name: &str) -> Result<Box<dyn Read>, Damaged> {
        self.files.open(name).map_err(|error| self.damaged(name, error.to_string()))
    }

    /// Puts a file at a path outside of the store where nothing is yet, as it lies there, not checked. A small one is a
    /// copy; one of a mebibyte or more is held once where the file system can do that, and is read-only then unless the
    /// two share blocks only until one of them is written.
    ///
    /// # Errors
    /// The target cannot be written.
    pub fn put(&self, name: &str, target: &Path) -> Result<()> {
        self.files.put(name, target)
    }

    /// The content of one file, checked against its digest.
    ///
    /// # Errors
    /// The file is not what was committed.
    pub fn read_file(&self, name: &str) -> Result<Vec<u8>, Damaged> {
        let damaged = |found: String| self.damaged(name, found);
        let expected = self.record.file(name).ok_or_else(|| damaged("no such file in its commit record".into()))?;
        // A record may claim any size: room is made for what is there.
        let mut bytes = Vec::new();
        self.open(name)?.read_to_end(&mut bytes).map_err(|error| damaged(error.to_string()))?;
        if bytes.len() as u64 != expected.bytes {
            return Err(damaged(format!("{} bytes where {} were committed", bytes.len(), expected.bytes)));
        }
        if blake3::hash(&bytes).to_hex().as_str() != expected.digest {
            return Err(damaged("its digest differs from the one that was committed".into()));
        }
        Ok(bytes)
    }

    /// One table, checked against its digest.
    ///
    /// # Errors
    /// The file is not what was committed.
    pub fn read_table(&self, name: &str) -> Result<Table, Damaged> {
        let Some((file, table)) = self.record.table(name) else {
            return Err(self.damaged("", format!("no table `{name}` in its commit record")));
        };
        let bytes = Bytes::from(self.read_file(&file.name)?);
        parquet::read(bytes, &table.schema).map_err(|error| self.damaged(&file.name, error.to_string()))
    }

    /// Every file that is not what was committed.
    pub fn verify(&self) -> Vec<Damaged> {
        self.record.files.iter().filter_map(|file| self.read_file(&file.name).err()).collect()
    }

    pub(super) fn damaged(&self, name: &str, found: String) -> Damaged {
        Damaged { place: self.files.place(name), found }
    }
}

/// A kept file is not what was committed.
#[derive(Debug)]
pub struct Damaged {
    /// The file, as messages call it.
    pub place: String,
    /// What is wrong with it.
    pub found: String,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is damaged: {}", self.place, self.found)
    }
}
