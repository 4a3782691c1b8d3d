//! Switching a published folder from one complete state to the next.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{manifest, views};
use crate::error::{Error, Result};

/// Puts `new` in the place of `folder`. Says where in `workshop` that is now which was there, to go away with it.
///
/// # Errors
/// The place is taken by something that is not a published folder, or cannot be written.
pub(super) fn replace(new: &Path, folder: &Path, workshop: &Path) -> Result<Option<PathBuf>> {
    let writing = |error| Error::io("publish", folder)(error);
    check(folder)?;
    match fs::rename(new, folder) {
        Ok(()) => return Ok(None),
        // Something is there: what was published before, or what another run published this moment.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory
            ) => {}
        Err(error) => return Err(writing(error)),
    }
    check(folder)?;
    match renameat_with(CWD, new, CWD, folder, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(Some(new.to_owned())),
        // Not every file system can exchange two folders; then there is a moment without either.
        Err(_) => {
            let aside = tempfile::tempdir_in(workshop).map_err(writing)?.keep().join("replaced");
            fs::rename(folder, &aside).map_err(writing)?;
            fs::rename(new, folder).map_err(writing)?;
            Ok(Some(aside))
        }
    }
}

/// Whether `folder` can be published to: it is free, empty, or was published before.
///
/// # Errors
/// The place is taken by something else, which is not ours to remove.
pub(super) fn check(folder: &Path) -> Result<()> {
    match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("publish", folder)(error)),
        Ok(_) => {}
    }
    let is_empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if !is_empty && !is_ours(folder) {
        return Err(Error::usage(format!(
            "{} is in the way: nothing in it says that ojaflow published it (no {}, no {}); move it, or choose another \
             name with `--as`",
            folder.display(),
            manifest::FILE,
            views::FILE
        )));
    }
    Ok(())
}

/// Whether a folder was published by this program. One that lost its manifest is known by its views.
pub(super) fn is_ours(folder: &Path) -> bool {
    let begins_as_views =
        || fs::read(folder.join(views::FILE)).is_ok_and(|text| text.starts_with(views::BEGINNING.as_bytes()));
    folder.join(manifest::FILE).is_file() || begins_as_views()
}

/// The published folders in an outputs folder.
pub(super) fn published(outputs: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(outputs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", outputs)(error)),
    };
    let mut folders = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io("list", outputs))?.path();
        if is_ours(&path) {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}
