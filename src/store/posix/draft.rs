//! A result being written: a folder of its own, moved into place as a whole.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::super::entry::Entry;
use super::super::pending::{Draft, Sink, Site};
use super::super::record::{FILE, Record};
use super::kept::{Found, entry, look};
use super::layout::make_folder;
use crate::error::{Error, Result};
use crate::files::{self, File};

/// How often a place may change under a commit before it gives up: each time, another run was at work there.
const ATTEMPTS: usize = 8;

/// Where a result is written, and where it goes.
#[derive(Debug)]
pub(super) struct Place {
    pub pending: PathBuf,
    pub target: PathBuf,
    /// Whether the result takes the place of a sound one.
    pub anew: bool,
}

impl Site for Place {
    fn begin(self: Box<Self>) -> Result<Box<dyn Draft>> {
        // A damaged input may be made again twice at the same time: each writer gets a folder of its own.
        make_folder(&self.pending)?;
        let folder =
            files::fresh_folder(&self.pending, "result-").map_err(Error::io("create a folder in", &self.pending))?;
        Ok(Box::new(Folder { folder, target: self.target, anew: self.anew, moved: false }))
    }
}

#[derive(Debug)]
struct Folder {
    folder: PathBuf,
    target: PathBuf,
    anew: bool,
    /// Whether nothing is left at `folder`.
    moved: bool,
}

impl Draft for Folder {
    fn place(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn create(&self, name: &str) -> Result<Box<dyn Sink>> {
        let path = self.folder.join(name);
        let file = files::create(&path).map_err(Error::io("create", &path))?;
        Ok(Box::new(Buffered(BufWriter::with_capacity(1 << 18, file))))
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        write_synced(&self.folder.join(name), content)
    }

    /// The record goes in last, then the whole folder appears under its key in one step.
    fn commit(mut self: Box<Self>, record: Record) -> Result<Entry> {
        write_synced(&self.folder.join(FILE), &record.to_bytes())?;
        let shard = self.target.parent().expect("results lie in shards").to_owned();
        make_folder(&shard)?;
        match self.appear(&record)? {
            Some(earlier) => Ok(earlier),
            None => {
                // Where folders cannot be synced, the digests still tell.
                let _ = files::sync_folder(&shard);
                Ok(entry(&self.target, record))
            }
        }
    }
}

impl Folder {
    /// Moves the folder to its place. Another run's result that stands there is returned instead, unless it is to be made
    /// anew; anything else that is in the way changes places with this result, in one step.
    fn appear(&mut self, record: &Record) -> Result<Option<Entry>> {
        let publishing = |error| Error::io("publish", &self.target)(error);
        for _ in 0..ATTEMPTS {
            match files::rename(&self.folder, &self.target) {
                Ok(()) => {
                    self.moved = true;
                    return Ok(None);
                }
                Err(error) if files::is_in_the_way(&error) => {}
                // A file server may lose its answer and refuse the same move the second time: what lies there tells.
                Err(error) => match look(&self.target, &record.key) {
                    Ok(Found::Sound(_)) if !self.anew => return Ok(None),
                    Ok(Found::Sound(_)) if matches!(files::exists(&self.folder), Ok(false)) => return Ok(None),
                    _ => return Err(publishing(error)),
                },
            }
            match look(&self.target, &record.key)? {
                Found::Sound(earlier) if !self.anew => return Ok(Some(earlier)),
                // It was taken away in this moment.
                Found::Nothing => continue,
                Found::Sound(_) | Found::Damaged(_) => {}
            }
            match files::exchange(&self.folder, &self.target) {
                // What was there lies where this was written, and goes with it.
                Ok(()) => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // Not every file system can exchange two folders; then there is a moment without either.
                Err(_) => {
                    let aside = self.folder.with_extension("replaced");
                    files::rename(&self.target, &aside).map_err(Error::io("move aside", &self.target))?;
                    let moved = files::rename(&self.folder, &self.target);
                    let _ = files::remove(&aside);
                    moved.map_err(publishing)?;
                    self.moved = true;
                    return Ok(None);
                }
            }
        }
        Err(publishing(io::Error::other("other runs keep changing what lies there")))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.moved {
            // Best effort: what stays is removed by the next collection.
            let _ = files::remove(&self.folder);
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
        self.0.into_inner().map_err(io::IntoInnerError::into_error)?.sync()
    }
}

fn write_synced(path: &Path, content: &[u8]) -> Result<()> {
    let write = || {
        let mut file = files::create(path)?;
        file.write_all(content)?;
        file.sync()
    };
    write().map_err(Error::io("write", path))
}
