//! A run's presence: a file that it holds locked for as long as it lives, and a folder for what it writes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use tempfile::TempDir;

use super::super::entry::Entry;
use super::super::key::Key;
use super::super::pending::{Slot, Status};
use super::draft::Place;
use super::kept;
use super::layout::{Layout, list};
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
    pub fn begin(layout: &Layout) -> Result<Self> {
        let (runs, pending) = (layout.runs(), layout.pending());
        for folder in [&runs, &pending] {
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        let (collecting, path) = layout.collecting()?;
        collecting.lock_shared().map_err(Error::io("lock", path))?;
        let file =
            tempfile::Builder::new().prefix("run-").tempfile_in(&runs).map_err(Error::io("create a file in", &runs))?;
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

    /// A fresh folder of this run.
    fn fresh(&self, prefix: &str) -> Result<TempDir> {
        let folder = self.folder();
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
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
        Ok(match kept::find(&self.layout, key)? {
            Some(entry) => Status::Hit(entry),
            None => {
                let place = Place { pending: self.folder().join(key.short()), target: self.layout.folder(key) };
                Status::Miss(Slot::new(key.clone(), place))
            }
        })
    }

    fn discard(&self, entry: &Entry) -> Result<()> {
        let folder = self.layout.folder(&entry.record.key);
        let aside = self.fresh("aside-")?.keep();
        match fs::rename(&folder, aside.join("damaged")) {
            Ok(()) => {
                let _ = fs::remove_dir_all(&aside);
                Ok(())
            }
            // Another run noticed the damage first.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io("move aside", &folder)(error)),
        }
    }

    /// On the file system of the published folders.
    fn workshop(&self) -> Result<TempDir> {
        self.fresh("publish-")
    }
}

impl Drop for PosixSession {
    fn drop(&mut self) {
        // Best effort: a collection finds the file unlocked and removes what stays.
        let _ = fs::remove_dir_all(self.folder());
        let _ = fs::remove_file(self.path());
    }
}

/// The keys that living runs count on. Traces of dead runs are removed when `sweep` is set.
pub(super) fn living_keys(layout: &Layout, sweep: bool) -> Result<(Vec<Key>, Vec<PathBuf>)> {
    let (mut keys, mut living, mut rubbish) = (Vec::new(), Vec::new(), Vec::new());
    for path in list(&layout.runs())? {
        let file = match File::open(&path) {
            Ok(file) => file,
            // That run ended between the listing and now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io("open", &path)(error)),
        };
        if file.try_lock_shared().is_ok() {
            rubbish.push(path);
            continue;
        }
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        keys.extend(text.lines().filter_map(Key::parse));
        living.push(path.file_name().map(ToOwned::to_owned));
    }
    for path in list(&layout.pending())? {
        if !living.contains(&path.file_name().map(ToOwned::to_owned)) {
            rubbish.push(path);
        }
    }
    if sweep {
        for path in &rubbish {
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
    Ok((keys, rubbish))
}
