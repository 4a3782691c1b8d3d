//! A run's presence in the store: for as long as it lives, nothing that it counts on is collected.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use super::{Key, Store};
use crate::error::{Error, Result};

/// A living run. The operating system gives its lock up when the process ends, however it ends.
#[derive(Debug)]
pub struct Session {
    store: Store,
    name: String,
    lock: File,
}

impl Session {
    /// Registers a run. Waits for a collection that is under way.
    ///
    /// # Errors
    /// The store's folder cannot be created or written.
    pub fn begin(store: &Store) -> Result<Self> {
        let (runs, pending) = (store.runs(), store.pending());
        for folder in [&runs, &pending] {
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        let collecting = store.collecting()?;
        collecting.lock_shared().map_err(Error::io("lock", store.root.join("collecting")))?;
        let file =
            tempfile::Builder::new().prefix("run-").tempfile_in(&runs).map_err(Error::io("create a file in", &runs))?;
        let (lock, path) = file.keep().map_err(|error| Error::io("create a file in", &runs)(error.error))?;
        lock.lock().map_err(Error::io("lock", &path))?;
        let name = path.file_name().and_then(|name| name.to_str()).expect("made from ASCII").to_owned();
        // The shared lock falls here, with `collecting`: from now on this run's own file protects it.
        drop(collecting);
        Ok(Self { store: store.clone(), name, lock })
    }

    /// Keeps results from collection until this run ends.
    ///
    /// # Errors
    /// The list cannot be written.
    pub fn protect<'a>(&self, keys: impl IntoIterator<Item = &'a Key>) -> Result<()> {
        let collecting = self.store.collecting()?;
        collecting.lock_shared().map_err(Error::io("lock", self.store.root.join("collecting")))?;
        let lines: String = keys.into_iter().flat_map(|key| [key.as_str(), "\n"]).collect();
        (&self.lock).write_all(lines.as_bytes()).map_err(Error::io("write", self.path()))
    }

    fn path(&self) -> PathBuf {
        self.store.runs().join(&self.name)
    }

    pub(super) fn pending_folder(&self, key: &Key) -> PathBuf {
        self.store.pending().join(&self.name).join(key.short())
    }

    /// A fresh folder to move something out of the way to.
    pub(super) fn aside(&self) -> Result<PathBuf> {
        let folder = self.store.pending().join(&self.name);
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        let aside = tempfile::Builder::new().prefix("aside-").tempdir_in(&folder);
        Ok(aside.map_err(Error::io("create a folder in", &folder))?.keep())
    }

    /// A folder on the same file system in which something can be prepared before it is moved into place.
    pub fn workshop(&self) -> Result<tempfile::TempDir> {
        let folder = self.store.pending().join(&self.name);
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        tempfile::Builder::new()
            .prefix("publish-")
            .tempdir_in(&folder)
            .map_err(Error::io("create a folder in", &folder))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Best effort: a collection finds the file unlocked and removes what stays.
        let _ = fs::remove_dir_all(self.store.pending().join(&self.name));
        let _ = fs::remove_file(self.path());
    }
}

impl Store {
    /// The file whose lock keeps collections and starting runs apart.
    pub(super) fn collecting(&self) -> Result<File> {
        let path = self.root.join("collecting");
        OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(Error::io("open", &path))
    }

    /// The keys that living runs count on. Traces of dead runs are removed when `sweep` is set.
    pub(super) fn living_keys(&self, sweep: bool) -> Result<(Vec<Key>, Vec<PathBuf>)> {
        let (mut keys, mut living, mut rubbish) = (Vec::new(), Vec::new(), Vec::new());
        for path in super::list(&self.runs())? {
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
        for path in super::list(&self.pending())? {
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
}
