//! Whether published files are what was published.

use std::io;
use std::path::Path;

use super::manifest::{self, Listed, Manifest};
use super::seen::Seen;
use super::views;
use crate::error::{Error, Result};
use crate::files;

/// A published file that is not what was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsound {
    /// Relative to the folder.
    pub path: String,
    /// What is wrong with it.
    pub found: String,
}

impl Unsound {
    pub(super) fn new(path: impl Into<String>, found: impl Into<String>) -> Self {
        Self { path: path.into(), found: found.into() }
    }
}

const OTHER_CONTENT: &str = "its digest differs from the one that was published";

/// Reads every file of a published folder and compares it with its digest.
pub fn damage(folder: &Path, manifest: &Manifest) -> Vec<Unsound> {
    look(folder, manifest, &mut Seen::default(), true)
}

/// As [`damage`], without reading again what looks as it did when it was found sound. What people are shown is read always.
pub(super) fn damage_since(folder: &Path, manifest: &Manifest, seen: &mut Seen) -> Vec<Unsound> {
    look(folder, manifest, seen, false)
}

fn look(folder: &Path, manifest: &Manifest, seen: &mut Seen, everything: bool) -> Vec<Unsound> {
    let mut unsound = Vec::new();
    if !manifest.sealed {
        unsound.push(Unsound::new(manifest::FILE, "it has no digest of itself: an earlier version published it"));
    }
    for file in manifest.files() {
        if !everything && !is_shown(&file) && seen.knows(folder, &file.path, file.digest) {
            continue;
        }
        match seen.read(folder, &file.path) {
            Ok(digest) if digest == file.digest => {}
            Ok(_) => unsound.push(Unsound::new(file.path, OTHER_CONTENT)),
            Err(error) => unsound.push(Unsound::new(file.path, in_words(&error))),
        }
    }
    // Earlier versions wrote other views.
    if manifest.sealed {
        match files::read(&folder.join(views::FILE)) {
            Ok(text) if text == views::text(manifest).as_bytes() => {}
            Ok(_) => unsound.push(Unsound::new(views::FILE, "it is not what was published")),
            Err(error) => unsound.push(Unsound::new(views::FILE, in_words(&error))),
        }
    }
    unsound
}

/// Whether its numbers are printed or drawn.
fn is_shown(file: &Listed<'_>) -> bool {
    file.table.is_none_or(|table| table.schema.kind == "claims" || table.is_summary())
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "it is missing".to_owned(),
        _ => error.to_string(),
    }
}

/// The content of a published file, for whoever shows it or goes on from it.
///
/// # Errors
/// It is not what was published.
pub fn read(folder: &Path, path: &str, digest: &str) -> Result<Vec<u8>> {
    let place = folder.join(path);
    let found = match files::read(&place) {
        Ok(bytes) if blake3::hash(&bytes).to_hex().as_str() == digest => return Ok(bytes),
        Ok(_) => "its digest differs from the one in manifest.json".to_owned(),
        Err(error) => in_words(&error),
    };
    Err(Error::Check(format!("{} is not what was published: {found}; run the pipeline again", place.display())))
}
