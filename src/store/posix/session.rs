//! A run's presence: a file that it holds locked for as long as it lives, and a folder for what it writes.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use tempfile::TempDir;

use super::super::key::Key;
use super::super::pending::{Slot, Status};
use super::draft::Place;
use super::fs;
use super::kept::{Found, look};
use super::layout::{COLLECTED, Layout, RUN, list, make_folder, name};
use crate::error::{Error, Result};
use crate::store::Session;

/// A living run. The operating system gives its lock up when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct PosixSession {
    layout: Layout,
    name: String,
    lock: File,
}

impl PosixSession {
    pub(super) fn begin(layout: &Layout) -> Result<Self> {
        let (runs, pending) = (layout.runs(), layout.pending());
        for folder in [&runs, &pending] {
            make_folder(folder)?;
        }
        let (collecting, path) = layout.collecting()?;
        collecting.lock_shared().map_err(Error::io("lock", path))?;
        let file = fs::temporary(RUN, &runs).map_err(Error::io("create a file in", &runs))?;
        let (lock, path) = file.keep().map_err(|error| Error::io("create a file in", &runs)(error.error))?;
        lock.lock().map_err(Error::io("lock", &path))?;
        let name = path.file_name().and_then(|name| name.to_str()).expect("made from ASCII").to_owned();
        // The shared lock falls here, with `collecting`: from now on this run's own file protects it.
        drop(collecting);
        Ok(Self { layout: layout.clone(), name, lock })
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
    fn protect(&self, keys: &[&Key]) -> Result<()> {
        let (collecting, path) = self.layout.collecting()?;
        collecting.lock_shared().map_err(Error::io("lock", path))?;
        let lines: String = keys.iter().flat_map(|key| [key.as_str(), "\n"]).collect();
        (&self.lock).write_all(lines.as_bytes()).map_err(Error::io("write", self.path()))
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
}

impl Drop for PosixSession {
    fn drop(&mut self) {
        // Best effort: a collection finds the file unlocked and removes what stays.
        let _ = fs::remove(&self.folder());
        let _ = fs::remove(&self.path());
    }
}

/// The keys that living runs count on. Traces of dead runs are removed when `sweep` is set.
pub(super) fn living_keys(layout: &Layout, sweep: bool) -> Result<(Vec<Key>, Vec<PathBuf>)> {
    let (mut keys, mut living, mut rubbish) = (Vec::new(), Vec::new(), Vec::new());
    for path in list(&layout.runs())? {
        let Some(run) = name(&path).filter(|name| name.starts_with(RUN)) else { continue };
        let file = match fs::open(&path) {
            Ok(file) => file,
            // That run ended between the listing and now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io("open", &path)(error)),
        };
        if file.try_lock_shared().is_ok() {
            rubbish.push(path);
            continue;
        }
        let text = fs::read(&path).map_err(Error::io("read", &path))?;
        keys.extend(String::from_utf8_lossy(&text).lines().filter_map(Key::parse));
        living.push(run.to_owned());
    }
    for path in list(&layout.pending())? {
        let Some(name) = name(&path) else { continue };
        if name.starts_with(COLLECTED) || name.starts_with(RUN) && !living.iter().any(|run| run == name) {
            rubbish.push(path);
        }
    }
    if sweep {
        for path in &rubbish {
            let _ = fs::remove(path);
        }
    }
    Ok((keys, rubbish))
}
