//! Switching a published folder from one complete state to the next.

use std::io;
use std::path::{Path, PathBuf};

use super::{guests, manifest, views};
use crate::error::{Error, Result};
use crate::files;

/// How often a place may change under a publication before it gives up: each time, another run was at work there.
const ATTEMPTS: usize = 8;

/// Puts `new` in the place of `folder`. Says where that is now which was there: what its user put into it is to be brought
/// along, then it is to go.
///
/// # Errors
/// The place is taken by something that is not a published folder, or cannot be written.
pub(super) fn replace(new: &Path, folder: &Path) -> Result<Option<PathBuf>> {
    let writing = |error| Error::io("publish", folder)(error);
    let mut old = None;
    for _ in 0..ATTEMPTS {
        check(folder)?;
        match files::rename(new, folder) {
            Ok(()) => return Ok(old),
            // Something is there: what was published before, or what another run published this moment.
            Err(error) if files::is_in_the_way(&error) => {}
            Err(error) => {
                if let Some(old) = old {
                    let _ = files::rename(&old, folder);
                }
                return Err(writing(error));
            }
        }
        match files::exchange(new, folder) {
            Ok(()) => return Ok(Some(new.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) if files::is_unsupported(&error) => {}
            Err(error) => return Err(writing(error)),
        }
        // Then there is a moment without either. Who dies in it leaves the old folder where the next run looks for it.
        let aside = aside(folder);
        files::rename(folder, &aside).map_err(Error::io("move aside", folder))?;
        old = Some(aside);
    }
    Err(writing(io::Error::other("other runs keep changing what lies there")))
}

/// Where the old folder waits while the new one takes its place. No pipeline can have that name.
fn aside(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push("~replaced");
    folder.with_file_name(name)
}

/// Whether a run that was killed left the old folder aside.
///
/// # Errors
/// It cannot be known.
pub(super) fn is_unsettled(folder: &Path) -> Result<bool> {
    files::exists(&aside(folder)).map_err(Error::io("read", folder))
}

/// Puts back what was left aside; where the new folder is in its place already, what the user put into the old one goes
/// along, and the rest to the `workshop`.
///
/// # Errors
/// It cannot be moved.
pub(super) fn settle(folder: &Path, workshop: &Path) -> Result<()> {
    if !is_unsettled(folder)? {
        return Ok(());
    }
    let aside = aside(folder);
    match files::rename(&aside, folder) {
        Ok(()) => return Ok(()),
        Err(error) if files::is_in_the_way(&error) => {}
        Err(error) => return Err(Error::io("put back", &aside)(error)),
    }
    guests::bring_along(&aside, guests::own_files(&aside)?.as_ref(), folder)?;
    dispose(&aside, workshop)
}

/// Moves a folder that is no longer needed to the workshop: in one step, so that no half of it is left.
pub(super) fn dispose(folder: &Path, workshop: &Path) -> Result<()> {
    let moving = |error| Error::io("move aside", folder)(error);
    let place = files::fresh_folder(workshop, "replaced-").map_err(moving)?.join("folder");
    files::rename(folder, &place).map_err(moving)
}

/// Whether `folder` can be published to: it is free, empty, or was published before.
///
/// # Errors
/// The place is taken by something else, which is not ours to remove.
pub(super) fn check(folder: &Path) -> Result<()> {
    if !files::exists(folder).map_err(Error::io("publish", folder))? {
        return Ok(());
    }
    let is_empty = match files::list(folder) {
        Ok(entries) => entries.is_empty(),
        Err(error) if files::is_nothing(&error) => false,
        Err(error) => return Err(Error::io("list", folder)(error)),
    };
    if !is_empty && !is_ours(folder)? {
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
///
/// # Errors
/// It cannot be known.
pub(super) fn is_ours(folder: &Path) -> Result<bool> {
    let manifest = folder.join(manifest::FILE);
    match files::is_file(&manifest) {
        Ok(true) => return Ok(true),
        Ok(false) => {}
        // Nobody who may not look into it has published it: `lost+found`, where results have a disk of their own.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(false),
        Err(error) => return Err(Error::io("read", &manifest)(error)),
    }
    let views = folder.join(views::FILE);
    if !files::is_file(&views).map_err(Error::io("read", &views))? {
        return Ok(false);
    }
    let text = files::read(&views).map_err(Error::io("read", &views))?;
    Ok(text.starts_with(views::BEGINNING.as_bytes()))
}

/// The published folders in an outputs folder.
pub(super) fn published(outputs: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = match files::list(outputs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", outputs)(error)),
    };
    for path in std::mem::take(&mut folders) {
        if is_ours(&path)? {
            folders.push(path);
        }
    }
    Ok(folders)
}
