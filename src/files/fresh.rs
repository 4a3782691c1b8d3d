//! Files and folders whose names are nobody else's.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use super::file::File;
use super::path::{create_folder, remove};
use super::step::{self, Step};

/// How often a name may be another's already. Names are 48 random bits, so the first is free.
const ATTEMPTS: usize = 16;

/// A new file in a folder, its name beginning with `prefix`.
pub(crate) fn fresh_file(folder: &Path, prefix: &str) -> io::Result<File> {
    let mut how = std::fs::OpenOptions::new();
    how.write(true).create_new(true);
    fresh(folder, prefix, |path| File::new(path, Step::Create, &how))
}

/// A new folder in a folder, its name beginning with `prefix`.
pub(crate) fn fresh_folder(folder: &Path, prefix: &str) -> io::Result<PathBuf> {
    fresh(folder, prefix, |path| create_folder(path).map(|()| path.to_owned()))
}

fn fresh<T>(folder: &Path, prefix: &str, create: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
    let mut attempt = 1;
    loop {
        // The standard library seeds its hashers from the system's random numbers, each anew.
        let number = step::number(folder).unwrap_or_else(|| RandomState::new().hash_one(()) >> 16);
        match create(&folder.join(format!("{prefix}{number:012x}"))) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < ATTEMPTS => attempt += 1,
            made => return made,
        }
    }
}

/// A new folder that goes away, with all that is in it, when this is dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub(crate) fn new_in(folder: &Path, prefix: &str) -> io::Result<Self> {
        Ok(Self { path: fresh_folder(folder, prefix)? })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Best effort: what stays is where somebody looks for what was left behind.
        let _ = remove(&self.path);
    }
}
