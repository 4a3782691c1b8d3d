//! The kept results of a project.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Project;
use crate::error::{Error, Result};
use crate::publish;
use crate::store::{Caretaking, Collection, Key, PackedUp, Verified};

/// Results of one kind that the same pipelines refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The kind of stage.
    pub kind: String,
    /// The published pipelines and unfinished runs that refer to them; none, and the next collection removes them.
    pub pipelines: Vec<String>,
    /// How many they are.
    pub results: usize,
    /// Their size.
    pub bytes: u64,
}

pub use crate::store::{Collected as Swept, Fate, GIVEN_UP_AFTER};

/// What one pipeline, published or unfinished, takes of the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Bytes of results that nobody else refers to: what removing the folder and collecting would free.
    pub alone: u64,
    /// Bytes of results that others refer to as well.
    pub shared: u64,
    /// Bytes of its published folder beside those that it holds together with the store.
    pub published: u64,
}

/// Who takes how much of the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskUse {
    /// By published name; an unfinished run says so.
    pub pipelines: BTreeMap<String, Use>,
    /// Bytes of results that nobody refers to.
    pub nobody: u64,
    /// Bytes that all of the outputs folder takes: each file once, whatever the number of its names.
    pub all: u64,
}

/// Seconds since 1970.
#[allow(clippy::disallowed_methods, reason = "says since when a run is unfinished; no result depends on it")]
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Project {
    /// What takes the disk, and for whom.
    ///
    /// # Errors
    /// The store or a published folder cannot be read.
    pub fn disk_use(&self) -> Result<DiskUse> {
        let mut found = DiskUse::default();
        for Kept { pipelines, bytes, .. } in self.kept()? {
            match &pipelines[..] {
                [] => found.nobody += bytes,
                [only] => found.pipelines.entry(only.clone()).or_default().alone += bytes,
                several => {
                    several.iter().for_each(|name| found.pipelines.entry(name.clone()).or_default().shared += bytes)
                }
            }
        }
        for folder in publish::folders(&self.outputs)? {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let published = Files::of(&folder).map_err(Error::io("read", &folder))?.alone();
            found.pipelines.entry(name).or_default().published += published;
        }
        found.all = Files::of(&self.outputs).map_err(Error::io("read", &self.outputs))?.all();
        Ok(found)
    }

    /// What is kept, by kind of stage and by the pipelines that refer to it.
    ///
    /// # Errors
    /// The store or a published folder cannot be read.
    pub fn kept(&self) -> Result<Vec<Kept>> {
        let mut users: BTreeMap<Key, Vec<String>> = BTreeMap::new();
        for (pipeline, keys) in publish::referred_keys(&self.outputs)? {
            for key in keys {
                users.entry(key).or_default().push(pipeline.clone());
            }
        }
        for (purpose, keys) in self.store().awaited()? {
            for key in keys {
                users.entry(key).or_default().push(format!("{} (unfinished)", purpose.pipeline));
            }
        }
        let mut groups: BTreeMap<(Vec<String>, String), (usize, u64)> = BTreeMap::new();
        for entry in self.store().entries()? {
            let mut pipelines = users.get(&entry.record.key).cloned().unwrap_or_default();
            pipelines.sort();
            pipelines.dedup();
            let group = groups.entry((pipelines, entry.record.material.kind.clone())).or_default();
            group.0 += 1;
            group.1 += entry.record.bytes();
        }
        let kept = |((pipelines, kind), (results, bytes))| Kept { kind, pipelines, results, bytes };
        Ok(groups.into_iter().map(kept).collect())
    }

    /// Reads every kept result again and compares it with its digest.
    ///
    /// # Errors
    /// The store cannot be listed. Damage is not an error but a finding.
    pub fn verify_store(&self) -> Result<Verified> {
        self.store().verify()
    }

    /// Puts small results together that no living run counts on, so that there are fewer files.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn pack_store(&self) -> Result<PackedUp> {
        self.store().pack()
    }

    /// Removes what no published pipeline, no run in flight and no unfinished run refers to; with `dry_run`, only says what
    /// would go, and with `unfinished`, unfinished runs are given up.
    ///
    /// # Errors
    /// The store or a published folder cannot be read or written.
    pub fn sweep_store(&self, dry_run: bool, unfinished: bool) -> Result<Swept> {
        let keep: BTreeSet<Key> =
            publish::referred_keys(&self.outputs)?.into_iter().flat_map(|(_, keys)| keys).collect();
        self.store().collect(&keep, &Collection { dry_run, unfinished, now: now() })
    }
}

/// How long ago something was, in seconds.
pub fn seconds_since(time: u64) -> u64 {
    now().saturating_sub(time)
}

/// The files below a folder, by what tells a file with two names from two files.
#[derive(Debug, Default)]
struct Files(BTreeMap<Identity, (u64, u64)>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identity {
    #[cfg(unix)]
    Inode(u64, u64),
    #[cfg(not(unix))]
    Path(PathBuf),
}

impl Files {
    /// A folder that is not there has none.
    fn of(folder: &Path) -> io::Result<Self> {
        let mut files = Self::default();
        let mut waiting = vec![folder.to_owned()];
        while let Some(folder) = waiting.pop() {
            let entries = match fs::read_dir(&folder) {
                // A run at work takes away what it has finished with.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let path = entry?.path();
                let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
                if metadata.is_dir() {
                    waiting.push(path);
                } else if metadata.is_file() {
                    files.add(path, &metadata);
                }
            }
        }
        Ok(files)
    }

    #[cfg(unix)]
    fn add(&mut self, _: PathBuf, metadata: &fs::Metadata) {
        use std::os::unix::fs::MetadataExt as _;
        // Blocks have 512 bytes, whatever the file system.
        self.0.insert(Identity::Inode(metadata.dev(), metadata.ino()), (512 * metadata.blocks(), metadata.nlink()));
    }

    #[cfg(not(unix))]
    fn add(&mut self, path: PathBuf, metadata: &fs::Metadata) {
        self.0.insert(Identity::Path(path), (metadata.len(), 1));
    }

    /// Bytes of those that have one name.
    fn alone(&self) -> u64 {
        self.0.values().filter(|(_, names)| *names == 1).map(|(bytes, _)| bytes).sum()
    }

    fn all(&self) -> u64 {
        self.0.values().map(|(bytes, _)| bytes).sum()
    }
}
