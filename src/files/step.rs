//! One call to the operating system. In tests someone may stand in between; in the program nobody does, and what is here for
//! their sake comes to nothing.

#[cfg(not(test))]
use std::fs::TryLockError;
use std::io;
use std::path::Path;

#[cfg(test)]
pub(super) use super::watch::{attempt, number, rename, share, sync, wait};

/// What is about to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Look,
    List,
    Open,
    Create,
    MakeFolder,
    Read,
    Write,
    Clone,
    Sync,
    Link,
    Protect,
    /// Sets the time of a file to the present one.
    Touch,
    Rename,
    Exchange,
    RemoveFile,
    RemoveFolder,
    /// Waits until the lock can be had alone, or together with others.
    LockAlone,
    LockTogether,
    /// Takes the lock if it can be had now.
    TryLock,
    #[cfg(test)]
    Unlock,
}

/// Takes a step, and again where a signal came first.
pub(super) fn again<T>(step: Step, path: &Path, call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    between(step, &[path], call)
}

/// A step that two paths have a part in.
pub(super) fn between<T>(step: Step, paths: &[&Path], mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    piece(step, paths, 0, |_| call())
}

/// Reads or writes at most so many bytes; `call` is told how many.
pub(super) fn piece<T>(
    step: Step,
    paths: &[&Path],
    bytes: usize,
    mut call: impl FnMut(usize) -> io::Result<T>,
) -> io::Result<T> {
    loop {
        match share(step, paths, bytes).and_then(&mut call) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Whether a step may be taken with these paths; of reading and writing, how many of so many bytes.
#[cfg(not(test))]
pub(super) fn share(_: Step, _: &[&Path], bytes: usize) -> io::Result<usize> {
    Ok(bytes)
}

/// Waits for a lock.
#[cfg(not(test))]
pub(super) fn wait(
    _: &Path,
    lock: impl Fn() -> io::Result<()>,
    _: impl Fn() -> Result<(), TryLockError>,
) -> io::Result<()> {
    lock()
}

/// Takes a lock if it can be had now.
#[cfg(not(test))]
pub(super) fn attempt(_: &Path, try_lock: impl Fn() -> Result<(), TryLockError>) -> Result<(), TryLockError> {
    try_lock()
}

/// Moves something.
#[cfg(not(test))]
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

/// Sees to it that something is safe on disk.
#[cfg(not(test))]
pub(super) fn sync(_: &Path, sync: impl Fn() -> io::Result<()>) -> io::Result<()> {
    sync()
}

/// What a new name in a folder is to end with; none where any will do.
#[cfg(not(test))]
pub(super) fn number(_: &Path) -> Option<u64> {
    None
}
