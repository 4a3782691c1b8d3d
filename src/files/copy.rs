//! The content of a file at a second place.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;

use super::file::{create, open};
use super::fresh::fresh_file;
use super::path::{metadata, remove, rename};
use super::step::{Step, again};

/// A copy of a file in a new one, by reference where both are on one file system that can.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let (mut from, mut to) = (open(from)?, create(to)?);
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

/// A second name for a file or a link; a copy where there can be none (another's file, a file system without links), which
/// appears as a whole.
pub(crate) fn second_name(old: &Path, new: &Path) -> io::Result<()> {
    if again(Step::Link, new, || fs::hard_link(old, new)).is_ok() {
        return Ok(());
    }
    if metadata(old)?.is_symlink() {
        let to = again(Step::Look, old, || fs::read_link(old))?;
        return again(Step::Link, new, || symlink(&to, new));
    }
    let folder = new.parent().unwrap_or(new);
    let beside = fresh_file(folder, ".copy-")?.into_path();
    let copied = copy(old, &beside).and_then(|()| rename(&beside, new));
    if copied.is_err() {
        let _ = remove(&beside);
    }
    copied
}
