//! Where what lies in the store's folder.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::key::Key;
use super::host::{GONE_AFTER, Host};
use crate::error::{Error, Result};
use crate::files::{self, Lock};

/// The layout of the folder; a change of it starts a new folder beside the old one.
const VERSION: &str = "v1";

/// What the names of runs begin with, in `runs` and in `pending`.
pub(super) const RUN: &str = "run-";
/// What the names of packs end with.
pub(super) const PACK: &str = ".pack";
/// What the names of results begin with that a collection is removing.
pub(super) const COLLECTED: &str = "collected-";

/// The folders of a store.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    root: PathBuf,
    host: Host,
    gone_after: Duration,
}

/// What is in a store by its names: keys of results, and what is none of ours.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The keys of all results, whether they are sound or not.
    pub keys: Vec<Key>,
    /// Files and folders that the store has no name for: of a file manager, of an editor, of a copy that went wrong.
    pub strays: Vec<PathBuf>,
}

impl Layout {
    pub(super) fn new(outputs: &Path) -> Self {
        Self { root: outputs.join(".store").join(VERSION), host: Host::this(), gone_after: GONE_AFTER }
    }

    /// The same folder as another machine has it.
    #[cfg(test)]
    pub(super) fn on(self, host: &str, gone_after: Duration) -> Self {
        Self { host: Host::named(host.as_bytes()), gone_after, ..self }
    }

    /// How long ago a run on another machine may have shown that it lives.
    pub(super) fn gone_after(&self) -> Duration {
        self.gone_after
    }

    /// What the names of this machine's runs begin with.
    pub(super) fn own_run(&self) -> String {
        format!("{RUN}{}-", self.host.as_str())
    }

    /// Whether a run is one of this machine, whose lock is seen here; so are those that do not say where they were.
    pub(super) fn is_home_of(&self, run: &str) -> bool {
        let rest = run.strip_prefix(RUN).unwrap_or(run);
        rest.split_once('-').is_none_or(|(host, _)| host == self.host.as_str())
    }

    /// # Errors
    /// It cannot be known.
    pub(super) fn is_there(&self) -> Result<bool> {
        files::exists(&self.root).map_err(Error::io("read", &self.root))
    }

    fn results(&self) -> PathBuf {
        self.root.join("results")
    }

    pub(super) fn packs(&self) -> PathBuf {
        self.root.join("packs")
    }

    pub(super) fn pending(&self) -> PathBuf {
        self.root.join("pending")
    }

    pub(super) fn notes(&self) -> PathBuf {
        self.root.join("notes")
    }

    pub(super) fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    pub(super) fn leases(&self) -> PathBuf {
        self.root.join("leases")
    }

    fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// The folder of what a task left before it could finish.
    pub(super) fn checkpoint(&self, key: &Key) -> PathBuf {
        self.checkpoints().join(&key.as_str()[..2]).join(key.as_str())
    }

    /// The keys of all tasks that left something.
    pub(super) fn unfinished(&self) -> Result<Vec<Key>> {
        Ok(by_key(&self.checkpoints())?.keys)
    }

    /// The folder of a result.
    pub(super) fn folder(&self, key: &Key) -> PathBuf {
        self.results().join(&key.as_str()[..2]).join(key.as_str())
    }

    /// The keys of all results, whether they are sound or not.
    pub(super) fn keys(&self) -> Result<Vec<Key>> {
        Ok(self.contents()?.keys)
    }

    pub(super) fn contents(&self) -> Result<Contents> {
        let mut contents = by_key(&self.results())?;
        contents.strays.extend(by_key(&self.checkpoints())?.strays);
        let folders = [
            self.results(),
            self.packs(),
            self.pending(),
            self.runs(),
            self.leases(),
            self.checkpoints(),
            self.notes(),
        ];
        for path in list(&self.root)? {
            if path != self.collecting_path() && !(folders.contains(&path) && is_folder(&path)?) {
                contents.strays.push(path);
            }
        }
        let begins = |path: &Path, with: &[&str]| {
            name(path).is_some_and(|name| with.iter().any(|prefix| name.starts_with(prefix)))
        };
        let is_pack = |path: &PathBuf| name(path).is_some_and(|name| name.ends_with(PACK));
        contents.strays.extend(list(&self.packs())?.into_iter().filter(|path| !is_pack(path)));
        contents.strays.extend(list(&self.pending())?.into_iter().filter(|path| !begins(path, &[RUN, COLLECTED])));
        contents.strays.extend(list(&self.runs())?.into_iter().filter(|path| !begins(path, &[RUN])));
        contents
            .strays
            .extend(list(&self.leases())?.into_iter().filter(|path| name(path).and_then(Key::parse).is_none()));
        contents.strays.sort();
        Ok(contents)
    }

    pub(super) fn collecting_path(&self) -> PathBuf {
        self.root.join("collecting")
    }

    /// Keeps collections out while a run starts, ends or says what it counts on.
    pub(super) fn starting(&self) -> Result<Lock> {
        let lock = self.lock()?;
        lock.together().map_err(Error::io("lock", lock.path()))?;
        Ok(lock)
    }

    /// Keeps everyone out who starts, ends or says what it counts on.
    pub(super) fn collecting(&self) -> Result<Lock> {
        let lock = self.lock()?;
        lock.alone().map_err(Error::io("lock", lock.path()))?;
        Ok(lock)
    }

    /// Keeps collections out, as far as that can be had without writing.
    pub(super) fn reading(&self) -> Option<Lock> {
        Lock::on(&self.collecting_path()).ok().filter(|lock| lock.together().is_ok())
    }

    fn lock(&self) -> Result<Lock> {
        let path = self.collecting_path();
        let lock = match Lock::at(&path) {
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                make_way(&path)?;
                Lock::at(&path)
            }
            lock => lock,
        };
        lock.map_err(Error::io("open", &path))
    }
}

/// What lies in a folder by its key, and by the first digits of that.
fn by_key(folder: &Path) -> Result<Contents> {
    let mut contents = Contents::default();
    for shard in list(folder)? {
        let digits = if is_folder(&shard)? { name(&shard).filter(|name| is_shard(name)) } else { None };
        let Some(digits) = digits else {
            contents.strays.push(shard);
            continue;
        };
        for folder in list(&shard)? {
            match name(&folder).and_then(Key::parse).filter(|key| key.as_str().starts_with(digits)) {
                Some(key) => contents.keys.push(key),
                None => contents.strays.push(folder),
            }
        }
    }
    Ok(contents)
}

fn is_shard(name: &str) -> bool {
    name.len() == 2 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_folder(path: &Path) -> Result<bool> {
    files::is_folder(path).map_err(Error::io("read", path))
}

pub(super) fn name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

/// The entries of a folder in the order of their names; none if there is no such folder.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    match files::list(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        entries => entries.map_err(Error::io("list", folder)),
    }
}

/// Creates a folder of the store. A file that has its name is not ours to remove: it gets another one.
pub(super) fn make_folder(path: &Path) -> Result<()> {
    let Err(error) = files::create_folders(path) else { return Ok(()) };
    let in_the_way = path.ancestors().find(|ancestor| files::metadata(ancestor).is_ok_and(|found| found.is_file()));
    match in_the_way {
        Some(file) => {
            make_way(file)?;
            files::create_folders(path).map_err(Error::io("create", path))
        }
        None => Err(Error::io("create", path)(error)),
    }
}

/// Gives what lies at `path` a name that the store does not use.
fn make_way(path: &Path) -> Result<()> {
    let other = |n: u32| path.with_file_name(format!("{}.stray-{n}", path.file_name().unwrap_or_default().display()));
    let free = (1..).map(other).find(|other| files::metadata(other).is_err()).expect("numbers do not end");
    match files::rename(path, &free) {
        // Another run was faster.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        moved => moved.map_err(Error::io("move out of the way", path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_at_home_where_its_name_says() {
        let on = |host: &str| Layout::new(Path::new("outputs")).on(host, GONE_AFTER);
        let (here, there) = (on("here"), on("there"));
        let run = format!("{}0123456789ab", here.own_run());
        assert!(here.is_home_of(&run) && !there.is_home_of(&run));
        assert!(there.is_home_of("run-0123456789ab"), "of a version that did not say");
        assert_eq!(Host::this(), Host::this());
    }
}
