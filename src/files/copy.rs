//! The content of a file at a second place.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;

use super::file::{File, create_new, open};
use super::fresh::fresh_file;
use super::path::{metadata, remove, rename};
use super::step::{Step, again};

/// A copy of a file in a new one, by reference where both are on one file system that can. It has the usual mode, whatever
/// that of the first is.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fill(&mut create_new(to)?, from)
}

/// A copy of a file that shares its blocks; an error, and no file, where the file system has no such thing.
pub(crate) fn clone(from: &Path, to: &Path) -> io::Result<()> {
    let from = open(from)?;
    create_new(to)?.clone_of(&from).or_else(|error| remove(to).and(Err(error)))
}

fn fill(to: &mut File, from: &Path) -> io::Result<()> {
    let mut from = open(from)?;
    if to.clone_of(&from).is_ok() {
        return Ok(());
    }
    let mut buffer = vec![0; 1 << 18];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            bytes => to.write_all(&buffer[..bytes])?,
        }
    }
}

/// A second name of a file.
pub(crate) fn link(file: &Path, name: &Path) -> io::Result<()> {
    again(Step::Link, name, || fs::hard_link(file, name))
}

/// A second name for a file or a link; a copy where there can be none (another's file, a file system without links), which
/// appears as a whole.
pub(crate) fn second_name(old: &Path, new: &Path) -> io::Result<()> {
    if link(old, new).is_ok() {
        return Ok(());
    }
    if metadata(old)?.is_symlink() {
        let to = again(Step::Look, old, || fs::read_link(old))?;
        return again(Step::Link, new, || symlink(&to, new));
    }
    let folder = new.parent().unwrap_or(new);
    let mut copy = fresh_file(folder, ".copy-")?;
    let filled = fill(&mut copy, old);
    let beside = copy.into_path();
    let copied = filled.and_then(|()| rename(&beside, new));
    if copied.is_err() {
        let _ = remove(&beside);
    }
    copied
}
