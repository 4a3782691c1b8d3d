//! What lies at a path, and what is to lie there.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, RenameFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, renameat_with, utimensat};
use rustix::io::Errno;

use super::Metadata;
use super::file::open;
use super::step::{self, Step, again, between};

/// What lies at a path, a link not followed.
pub(crate) fn metadata(path: &Path) -> io::Result<Metadata> {
    again(Step::Look, path, || fs::symlink_metadata(path))
}

/// What lies at a path, or where a link there leads.
pub(crate) fn target(path: &Path) -> io::Result<Metadata> {
    again(Step::Look, path, || fs::metadata(path))
}

/// What lies at a path, if anything does, a link not followed.
pub(crate) fn look(path: &Path) -> io::Result<Option<Metadata>> {
    present(metadata(path))
}

/// Whether anything lies at a path, be it a link that leads nowhere.
pub(crate) fn exists(path: &Path) -> io::Result<bool> {
    look(path).map(|found| found.is_some())
}

/// Whether there is a folder at a path, or where a link there leads.
pub(crate) fn is_folder(path: &Path) -> io::Result<bool> {
    present(target(path)).map(|found| found.is_some_and(|found| found.is_dir()))
}

/// Whether there is a file at a path, or where a link there leads.
pub(crate) fn is_file(path: &Path) -> io::Result<bool> {
    present(target(path)).map(|found| found.is_some_and(|found| found.is_file()))
}

/// That there is nothing is no error; that it cannot be known is one.
fn present<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_nothing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether an error says that there is nothing at a path: also below a file, or where links go round in a circle.
pub(crate) fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        || error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

/// Whether reading failed for what lies there, not for who reads it.
pub(crate) fn is_damage(error: &io::Error) -> bool {
    is_nothing(error)
        || error.kind() == io::ErrorKind::IsADirectory
        || error.raw_os_error() == Some(Errno::IO.raw_os_error())
}

pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    again(Step::MakeFolder, path, || fs::create_dir(path))
}

/// Creates a folder and those above it, as far as they are not there.
pub(crate) fn create_folders(path: &Path) -> io::Result<()> {
    let error = match (create_folder(path), path.parent()) {
        (Ok(()), _) => return Ok(()),
        (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound => match create_folders(parent) {
            Ok(()) => match create_folder(path) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            },
            Err(error) => return Err(error),
        },
        (Err(error), _) => error,
    };
    if is_folder(path)? { Ok(()) } else { Err(error) }
}

/// The entries of a folder in the order of their names.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    again(Step::List, folder, || {
        let entries = fs::read_dir(folder)?;
        let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    })
}

pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    between(Step::Rename, &[from, to], || step::rename(from, to))
}

/// Two entries change places in one step. Not every file system can: then the error is [unsupported](is_unsupported).
pub(crate) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    between(Step::Exchange, &[one, other], || Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?))
}

/// Whether an error says that this file system, or this system, cannot do such a thing at all.
pub(crate) fn is_unsupported(error: &io::Error) -> bool {
    let codes = [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOLCK].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// Whether something else lies where a folder was to be moved.
pub(crate) fn is_in_the_way(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotADirectory};
    matches!(error.kind(), DirectoryNotEmpty | AlreadyExists | NotADirectory)
}

/// Removes whatever lies there: a file, a link or a folder with all that is in it.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    if !metadata(path)?.is_dir() {
        return again(Step::RemoveFile, path, || fs::remove_file(path));
    }
    for entry in list(path)? {
        // Another may be removing it as well.
        present(remove(&entry))?;
    }
    again(Step::RemoveFolder, path, || fs::remove_dir(path))
}

/// Takes everybody's leave to write a file, and nothing else; an error where the file system takes note of no such thing.
pub(crate) fn make_read_only(file: &Path) -> io::Result<()> {
    const WRITE: u32 = 0o222;
    let mut permissions = metadata(file)?.permissions();
    if permissions.mode() & WRITE != 0 {
        permissions.set_mode(permissions.mode() & !WRITE);
        again(Step::Protect, file, || fs::set_permissions(file, permissions.clone()))?;
        if metadata(file)?.permissions().mode() & WRITE != 0 {
            return Err(io::ErrorKind::Unsupported.into());
        }
    }
    Ok(())
}

/// Sets the time at which a file was changed to the present one, as the file system has it.
pub(crate) fn touch(path: &Path) -> io::Result<()> {
    set_time(path, Timespec { tv_sec: 0, tv_nsec: UTIME_NOW })
}

/// Lets a file look as if nobody had changed it since 1970.
pub(crate) fn antedate(path: &Path) -> io::Result<()> {
    set_time(path, Timespec { tv_sec: 0, tv_nsec: 0 })
}

fn set_time(path: &Path, time: Timespec) -> io::Result<()> {
    let kept = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let times = Timestamps { last_access: kept, last_modification: time };
    again(Step::Touch, path, || Ok(utimensat(CWD, path, &times, AtFlags::empty())?))
}

/// Makes renames in a folder last through a power failure.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    open(path)?.sync()
}
