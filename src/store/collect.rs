//! Removing what nothing refers to, and re-reading what is kept.

use std::collections::BTreeSet;
use std::fs;

use super::{Damaged, Key, Record, Store};
use crate::error::{Error, Result};

/// What a collection removed, or would remove.
#[derive(Debug, Default)]
pub struct Collected {
    pub results: Vec<Record>,
    pub kept: usize,
    /// Traces of runs that died, and results without a sound commit record.
    pub leftovers: usize,
}

impl Collected {
    pub fn bytes(&self) -> u64 {
        self.results.iter().map(Record::bytes).sum()
    }
}

/// What re-reading every result found.
#[derive(Debug, Default)]
pub struct Verified {
    pub results: usize,
    pub bytes: u64,
    pub damaged: Vec<(Key, Vec<Damaged>)>,
}

impl Store {
    /// Removes every result whose key is neither in `keep` nor counted on by a living run.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn collect(&self, keep: &BTreeSet<Key>, dry_run: bool) -> Result<Collected> {
        if !self.root.exists() {
            return Ok(Collected::default());
        }
        let collecting = self.collecting()?;
        collecting.lock().map_err(Error::io("lock", self.root.join("collecting")))?;
        let (living, rubbish) = self.living_keys(!dry_run)?;
        let living: BTreeSet<Key> = living.into_iter().collect();
        let mut collected = Collected { leftovers: rubbish.len(), ..Collected::default() };
        for key in self.keys()? {
            if keep.contains(&key) || living.contains(&key) {
                collected.kept += 1;
                continue;
            }
            // A result whose record is damaged can be of no use to anyone either.
            let entry = self.find(&key)?;
            if !dry_run {
                self.remove(&key)?;
            }
            match entry {
                Some(entry) => collected.results.push(entry.record),
                None => collected.leftovers += 1,
            }
        }
        Ok(collected)
    }

    fn remove(&self, key: &Key) -> Result<()> {
        let folder = self.folder(key);
        // Out of sight in one step: a reader finds the result whole or not at all.
        let aside = self.pending().join(format!("collected-{}", key.short()));
        fs::create_dir_all(self.pending()).map_err(Error::io("create", self.pending()))?;
        fs::rename(&folder, &aside).map_err(Error::io("remove", &folder))?;
        fs::remove_dir_all(&aside).map_err(Error::io("remove", &aside))
    }

    /// Reads every file of every result and compares it with its digest. `progress` sees each result's size.
    ///
    /// # Errors
    /// The store cannot be listed. Damage is not an error but a finding.
    pub fn verify(&self, mut progress: impl FnMut(u64)) -> Result<Verified> {
        let mut verified = Verified::default();
        for key in self.keys()? {
            verified.results += 1;
            let damaged = match self.find(&key)? {
                Some(entry) => {
                    verified.bytes += entry.record.bytes();
                    progress(entry.record.bytes());
                    entry.verify()
                }
                None => {
                    let path = self.folder(&key).join(super::record::FILE);
                    vec![Damaged { path, found: "the commit record is missing or does not match its digest".into() }]
                }
            };
            if !damaged.is_empty() {
                verified.damaged.push((key, damaged));
            }
        }
        Ok(verified)
    }
}
