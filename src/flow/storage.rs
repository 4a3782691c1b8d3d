//! The kept results of a project.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use super::Project;
use crate::error::Result;
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

/// Seconds since 1970.
#[allow(clippy::disallowed_methods, reason = "says since when a run is unfinished; no result depends on it")]
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Project {
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
