//! A run's presence: a file that it holds locked for as long as it lives, and a folder for what it writes.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

use super::super::key::Key;
use super::super::pending::{Slot, Status};
use super::draft::Place;
use super::fs;
use super::kept::{Found, look};
use super::layout::{Layout, RUN, make_folder};
use super::lease;
use super::runs::{lines, recorded};
use crate::error::{Error, Result};
use crate::store::{Lease, Purpose, Session};

/// A living run. The operating system gives its lock up when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct PosixSession {
    layout: Layout,
    name: String,
    lock: File,
    /// What the run's file says, once it says something.
    purpose: Mutex<Option<Purpose>>,
}

impl PosixSession {
    pub(super) fn begin(layout: &Layout) -> Result<Self> {
        let (runs, pending) = (layout.runs(), layout.pending());
        for folder in [&runs, &pending] {
            make_folder(folder)?;
        }
        let _shared = layout.starting()?;
        let file = fs::temporary(RUN, &runs).map_err(Error::io("create a file in", &runs))?;
        let (lock, path) = file.keep().map_err(|error| Error::io("create a file in", &runs)(error.error))?;
        lock.lock().map_err(Error::io("lock", &path))?;
        let name = path.file_name().and_then(|name| name.to_str()).expect("made from ASCII").to_owned();
        // The shared lock falls here: from now on this run's own file protects it.
        Ok(Self { layout: layout.clone(), name, lock, purpose: Mutex::default() })
    }

    fn path(&self) -> PathBuf {
        self.layout.runs().join(&self.name)
    }

    /// What this run writes.
    fn folder(&self) -> PathBuf {
        self.layout.pending().join(&self.name)
    }

    fn slot(&self, key: &Key, anew: bool) -> Slot {
        let pending = self.folder().join(key.short());
        Slot::new(key.clone(), Place { pending, target: self.layout.folder(key), anew })
    }

    /// A fresh folder of this run.
    fn fresh(&self, prefix: &str) -> Result<TempDir> {
        let folder = self.folder();
        make_folder(&folder)?;
        let fresh = tempfile::Builder::new().prefix(prefix).tempdir_in(&folder);
        fresh.map_err(Error::io("create a folder in", &folder))
    }
}

impl Session for PosixSession {
    /// The file outlives the run unless it finishes. What an unfinished run for the same purpose left goes over to this one.
    fn protect(&self, purpose: &Purpose, keys: &[&Key]) -> Result<()> {
        let _shared = self.layout.starting()?;
        let mut earlier = recorded(&self.layout)?;
        earlier.retain(|run| !run.living && run.purpose.as_ref().is_some_and(|other| other.plan == purpose.plan));
        let all = keys.iter().copied().chain(earlier.iter().flat_map(|run| &run.keys));
        let write = || {
            (&self.lock).write_all(lines(purpose, all).as_bytes())?;
            self.lock.sync_data()
        };
        write().map_err(Error::io("write", self.path()))?;
        *self.purpose.lock().unwrap_or_else(PoisonError::into_inner) = Some(purpose.clone());
        for run in earlier {
            let _ = fs::remove(&run.path);
        }
        Ok(())
    }

    fn lease(&self, key: &Key) -> Option<Lease> {
        lease::take(&self.layout, key)
    }

    fn open(&self, key: &Key) -> Result<Status> {
        Ok(match look(&self.layout.folder(key), key)? {
            Found::Sound(entry) => Status::Hit(entry),
            Found::Damaged(damage) => Status::Miss(self.slot(key, false).in_place_of(damage)),
            Found::Nothing => Status::Miss(self.slot(key, false)),
        })
    }

    fn renew(&self, key: &Key) -> Result<Slot> {
        Ok(self.slot(key, true))
    }

    /// On the file system of the published folders.
    fn workshop(&self) -> Result<TempDir> {
        self.fresh("publish-")
    }

    fn finish(self: Box<Self>) {
        let purpose = self.purpose.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Best effort: a file that stays keeps more than it has to.
        let (Some(purpose), Ok(_shared)) = (purpose, self.layout.starting()) else { return };
        let same = |other: &Purpose| other.plan == purpose.plan;
        for run in recorded(&self.layout).into_iter().flatten() {
            if !run.living && run.purpose.as_ref().is_some_and(same) {
                let _ = fs::remove(&run.path);
            }
        }
    }
}

impl Drop for PosixSession {
    fn drop(&mut self) {
        // Best effort: a collection removes what stays.
        let _ = fs::remove(&self.folder());
        if self.purpose.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            let _ = fs::remove(&self.path());
        }
    }
}
