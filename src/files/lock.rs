//! Files that are locked. The operating system gives a lock up when the process ends, however it ends.

use std::fs::{OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
#[cfg(test)]
use std::sync::atomic::{AtomicBool, Ordering};

use super::file::{File, open};
use super::fresh::fresh_file;
use super::path::is_unsupported;
use super::step::{self, Step, again};

/// An open file that can be locked, by one alone or by several together. The lock falls when this is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    #[cfg(test)]
    is_held: AtomicBool,
}

impl Lock {
    /// On the file at this path, which is created if it is not there.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let mut how = OpenOptions::new();
        how.create(true).truncate(false).read(true).write(true);
        Ok(Self::new(File::new(path, Step::Create, &how)?))
    }

    /// On a file that is there already.
    pub(crate) fn on(path: &Path) -> io::Result<Self> {
        Ok(Self::new(open(path)?))
    }

    /// On a new file.
    pub(crate) fn fresh(folder: &Path, prefix: &str) -> io::Result<Self> {
        Ok(Self::new(fresh_file(folder, prefix)?))
    }

    fn new(file: File) -> Self {
        Self {
            file,
            #[cfg(test)]
            is_held: AtomicBool::new(false),
        }
    }

    /// Waits until nobody else holds it. On a file system without locks nobody does: whoever asks there must not rely on it.
    pub(crate) fn alone(&self) -> io::Result<()> {
        let file = &self.file.file;
        let locked =
            again(Step::LockAlone, self.path(), || step::wait(self.path(), || file.lock(), || file.try_lock()));
        self.had(locked)
    }

    fn had(&self, locked: io::Result<()>) -> io::Result<()> {
        match locked {
            Err(error) if is_unsupported(&error) => return Ok(()),
            locked => locked?,
        }
        self.held(true);
        Ok(())
    }

    /// Waits until nobody holds it alone; as [`Self::alone`] where there are no locks.
    pub(crate) fn together(&self) -> io::Result<()> {
        let file = &self.file.file;
        let step = Step::LockTogether;
        let locked =
            again(step, self.path(), || step::wait(self.path(), || file.lock_shared(), || file.try_lock_shared()));
        self.had(locked)
    }

    /// Whether nobody else held it, so that it is held now; an [unsupported](is_unsupported) error where there are no locks.
    pub(crate) fn try_alone(&self) -> io::Result<bool> {
        let free =
            again(Step::TryLock, self.path(), || is_free(step::attempt(self.path(), || self.file.file.try_lock())))?;
        self.held(free);
        Ok(free)
    }

    /// Whether nobody held it alone, so that it is held now.
    pub(crate) fn try_together(&self) -> io::Result<bool> {
        let free = again(Step::TryLock, self.path(), || {
            is_free(step::attempt(self.path(), || self.file.file.try_lock_shared()))
        })?;
        self.held(free);
        Ok(free)
    }

    #[cfg(not(test))]
    fn held(&self, _: bool) {}

    /// Giving it up is a step, too.
    #[cfg(test)]
    fn held(&self, is_held: bool) {
        self.is_held.store(is_held, Ordering::Relaxed);
    }

    /// Where the file was opened.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Whether the file has been taken away since it was opened: then the lock is one on nothing. Else, how much is in it.
    pub(crate) fn length(&self) -> io::Result<Option<u64>> {
        let found = self.file.metadata()?;
        Ok((found.nlink() > 0).then_some(found.len()))
    }

    /// All that is in the file, where it was there already.
    pub(crate) fn content(&mut self) -> io::Result<Vec<u8>> {
        self.file.content()
    }

    /// Puts something in the place of all that is in the file, safe or not.
    pub(crate) fn note(&mut self, content: &[u8]) -> io::Result<()> {
        self.file.replace(content)
    }

    /// Appends to the file, safe on disk.
    pub(crate) fn append(&mut self, content: &[u8]) -> io::Result<()> {
        self.file.write_all(content)?;
        self.file.sync()
    }
}

fn is_free(taken: Result<(), TryLockError>) -> io::Result<bool> {
    match taken {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
impl Drop for Lock {
    fn drop(&mut self) {
        if self.is_held.load(Ordering::Relaxed) {
            let _ = step::share(Step::Unlock, &[self.path()], 0);
        }
    }
}
