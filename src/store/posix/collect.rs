//! Removing what nothing refers to, and re-reading what is kept.

use std::collections::BTreeSet;
use std::fs;

use super::super::entry::Damaged;
use super::super::key::Key;
use super::super::record::FILE;
use super::kept::find;
use super::layout::Layout;
use super::session::living_keys;
use crate::error::{Error, Result};
use crate::store::{Collected, Verified};

pub(super) fn collect(layout: &Layout, keep: &BTreeSet<Key>, dry_run: bool) -> Result<Collected> {
    if !layout.exists() {
        return Ok(Collected::default());
    }
    let (collecting, path) = layout.collecting()?;
    collecting.lock().map_err(Error::io("lock", path))?;
    let (living, rubbish) = living_keys(layout, !dry_run)?;
    let living: BTreeSet<Key> = living.into_iter().collect();
    let mut collected = Collected { leftovers: rubbish.len(), ..Collected::default() };
    for key in layout.keys()? {
        if keep.contains(&key) || living.contains(&key) {
            collected.kept += 1;
            continue;
        }
        // A result whose record is damaged can be of no use to anyone either.
        let entry = find(layout, &key)?;
        if !dry_run {
            remove(layout, &key)?;
        }
        match entry {
            Some(entry) => collected.results.push(entry.record),
            None => collected.leftovers += 1,
        }
    }
    Ok(collected)
}

fn remove(layout: &Layout, key: &Key) -> Result<()> {
    let folder = layout.folder(key);
    // Out of sight in one step: a reader finds the result whole or not at all.
    let aside = layout.pending().join(format!("collected-{}", key.short()));
    fs::create_dir_all(layout.pending()).map_err(Error::io("create", layout.pending()))?;
    fs::rename(&folder, &aside).map_err(Error::io("remove", &folder))?;
    fs::remove_dir_all(&aside).map_err(Error::io("remove", &aside))
}

pub(super) fn verify(layout: &Layout) -> Result<Verified> {
    let mut verified = Verified::default();
    for key in layout.keys()? {
        verified.results += 1;
        let damaged = match find(layout, &key)? {
            Some(entry) => {
                verified.bytes += entry.record.bytes();
                entry.verify()
            }
            None => {
                let place = layout.folder(&key).join(FILE).display().to_string();
                vec![Damaged { place, found: "the commit record is missing or does not match its digest".into() }]
            }
        };
        if !damaged.is_empty() {
            verified.damaged.push((key, damaged));
        }
    }
    Ok(verified)
}
