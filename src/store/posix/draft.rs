//! A result being written: a folder of its own, renamed into place as a whole.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::super::entry::Entry;
use super::super::pending::{Draft, Sink, Site};
use super::super::record::{FILE, Record};
use super::kept::entry;
use crate::error::{Error, Result};

/// Where a result is written, and where it goes.
#[derive(Debug)]
pub(super) struct Place {
    pub pending: PathBuf,
    pub target: PathBuf,
}

impl Site for Place {
    fn begin(self: Box<Self>) -> Result<Box<dyn Draft>> {
        // A damaged input may be made again twice at the same time: each writer gets a folder of its own.
        fs::create_dir_all(&self.pending).map_err(Error::io("create", &self.pending))?;
        let folder = tempfile::Builder::new()
            .prefix("result-")
            .tempdir_in(&self.pending)
            .map_err(Error::io("create a folder in", &self.pending))?
            .keep();
        Ok(Box::new(Folder { folder, target: self.target, finished: false }))
    }
}

#[derive(Debug)]
struct Folder {
    folder: PathBuf,
    target: PathBuf,
    finished: bool,
}

impl Draft for Folder {
    fn place(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn create(&self, name: &str) -> Result<Box<dyn Sink>> {
        let path = self.folder.join(name);
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        Ok(Box::new(Buffered(BufWriter::with_capacity(1 << 18, file))))
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        write_synced(&self.folder.join(name), content)
    }

    /// The record goes in last, then the whole folder appears under its key in one step.
    fn commit(mut self: Box<Self>, record: Record) -> Result<Entry> {
        write_synced(&self.folder.join(FILE), &record.to_bytes())?;
        let shard = self.target.parent().expect("results lie in shards");
        fs::create_dir_all(shard).map_err(Error::io("create", shard))?;
        match fs::rename(&self.folder, &self.target) {
            Ok(()) => {
                sync_folder(shard);
                self.finished = true;
                Ok(entry(self.target.clone(), record))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => {
                let path = self.target.join(FILE);
                let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
                match Record::from_bytes(&bytes, &record.key) {
                    Some(record) => Ok(entry(self.target.clone(), record)),
                    None => {
                        // What stands there has a damaged record: nobody can use it, so it makes room.
                        let aside = self.folder.with_extension("damaged");
                        fs::rename(&self.target, &aside).map_err(Error::io("move aside", &self.target))?;
                        let moved = fs::rename(&self.folder, &self.target);
                        let _ = fs::remove_dir_all(&aside);
                        moved.map_err(Error::io("publish", &self.target))?;
                        self.finished = true;
                        Ok(entry(self.target.clone(), record))
                    }
                }
            }
            Err(error) => Err(Error::io("publish", &self.target)(error)),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.finished {
            // Best effort: what stays is removed by the next collection.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// One write to the file for many small ones of the table's writer.
struct Buffered(BufWriter<File>);

impl Write for Buffered {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Sink for Buffered {
    fn seal(self: Box<Self>) -> io::Result<()> {
        self.0.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()
    }
}

fn write_synced(path: &Path, content: &[u8]) -> Result<()> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(content)?;
        file.sync_data()
    };
    write().map_err(Error::io("write", path))
}

/// Makes a rename last through a power failure. Where folders cannot be synced, the digests still tell.
fn sync_folder(path: &Path) {
    if let Ok(folder) = File::open(path) {
        let _ = folder.sync_all();
    }
}
