//! Who stands between the program and the operating system in a test.

use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustix::io::Errno;

use super::path;
use super::step::Step;

/// Who is asked before each step in a folder.
pub(crate) trait Watch: Send + Sync {
    /// On whichever thread the step is to be taken.
    fn before(&self, step: Step, paths: &[&Path]) -> Verdict;

    /// Whether a lock at this path is thought to be had whoever holds it: a fault put in on purpose, or a file system that
    /// does not show the locks of other machines.
    fn is_blind_to(&self, _path: &Path) -> bool {
        false
    }

    /// A fault put in on purpose: what is moved to this path comes piece by piece.
    fn cuts(&self, _path: &Path) -> bool {
        false
    }

    /// Numbers that differ from each other, and are the same each time the same is done.
    fn number(&self) -> u64;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Go,
    /// For reading and writing: half of the bytes.
    Half,
    Fail(Errno),
}

/// By folder, so that tests side by side do not meet.
static WATCHED: RwLock<Vec<(PathBuf, Arc<dyn Watch>)>> = RwLock::new(Vec::new());

/// A folder is watched until this is dropped.
pub(crate) struct Watching {
    folder: PathBuf,
}

#[must_use]
pub(crate) fn watch(folder: &Path, watch: Arc<dyn Watch>) -> Watching {
    WATCHED.write().unwrap_or_else(PoisonError::into_inner).push((folder.to_owned(), watch));
    Watching { folder: folder.to_owned() }
}

impl Drop for Watching {
    fn drop(&mut self) {
        WATCHED.write().unwrap_or_else(PoisonError::into_inner).retain(|(folder, _)| *folder != self.folder);
    }
}

fn watch_of(path: &Path) -> Option<Arc<dyn Watch>> {
    let watched = WATCHED.read().unwrap_or_else(PoisonError::into_inner);
    watched.iter().find(|(folder, _)| path.starts_with(folder)).map(|(_, watch)| watch.clone())
}

pub(super) fn share(step: Step, paths: &[&Path], bytes: usize) -> io::Result<usize> {
    match watch_of(paths[0]).map_or(Verdict::Go, |watch| watch.before(step, paths)) {
        Verdict::Go => Ok(bytes),
        Verdict::Half => Ok(bytes.div_ceil(2)),
        Verdict::Fail(error) => Err(error.into()),
    }
}

pub(super) fn wait(
    path: &Path,
    lock: impl Fn() -> io::Result<()>,
    try_lock: impl Fn() -> Result<(), TryLockError>,
) -> io::Result<()> {
    let Some(watch) = watch_of(path) else { return lock() };
    if watch.is_blind_to(path) {
        return Ok(());
    }
    match try_lock() {
        Err(TryLockError::WouldBlock) => panic!("who lets a step be taken knows that {} is free", path.display()),
        Err(TryLockError::Error(error)) => Err(error),
        Ok(()) => Ok(()),
    }
}

pub(super) fn attempt(path: &Path, try_lock: impl Fn() -> Result<(), TryLockError>) -> Result<(), TryLockError> {
    if watch_of(path).is_some_and(|watch| watch.is_blind_to(path)) { Ok(()) } else { try_lock() }
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    if !watch_of(to).is_some_and(|watch| watch.cuts(to)) {
        return std::fs::rename(from, to);
    }
    let entries = path::list(from)?;
    path::create_folder(to)?;
    let name = |path: &Path| path.file_name().expect("an entry of a folder").to_owned();
    entries.iter().try_for_each(|entry| path::rename(entry, &to.join(name(entry))))?;
    std::fs::remove_dir(from)
}

/// The machine does not lose power in a test.
pub(super) fn sync(path: &Path, sync: impl Fn() -> io::Result<()>) -> io::Result<()> {
    if watch_of(path).is_some() { Ok(()) } else { sync() }
}

pub(super) fn number(folder: &Path) -> Option<u64> {
    watch_of(folder).map(|watch| watch.number())
}

/// A folder for a test that is to be quick: in memory, where there is such a file system.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("there is a folder for temporary files")
}

/// Copies all that is in a folder, past whoever watches.
pub(crate) fn copy_all(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&target).expect("it is new");
            copy_all(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("it is new");
        }
    }
}
