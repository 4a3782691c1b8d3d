//! Removing what nothing refers to, and re-reading what is kept.

use std::collections::BTreeSet;

use super::super::key::Key;
use super::super::record::FILE;
use super::kept::{Found, look};
use super::layout::{COLLECTED, Layout, list, make_folder, name};
use super::session::living_keys;
use super::{fs, share};
use crate::error::{Error, Result};
use crate::store::{Collected, Verified};

pub(super) fn collect(layout: &Layout, keep: &BTreeSet<Key>, dry_run: bool) -> Result<Collected> {
    if !layout.exists() {
        return Ok(Collected::default());
    }
    let _lock = match dry_run {
        true => layout.collecting_seen(),
        false => {
            let (collecting, path) = layout.collecting()?;
            collecting.lock().map_err(Error::io("lock", path))?;
            Some(collecting)
        }
    };
    let (living, rubbish) = living_keys(layout, !dry_run)?;
    let living: BTreeSet<Key> = living.into_iter().collect();
    let mut collected = Collected { leftovers: rubbish.len(), ..Collected::default() };
    for key in layout.keys()? {
        if keep.contains(&key) || living.contains(&key) {
            collected.kept += 1;
            continue;
        }
        // A result whose record is damaged can be of no use to anyone either.
        let folder = layout.folder(&key);
        let found = look(&folder, &key)?;
        if let Found::Sound(entry) = &found {
            let files = entry.record.files.iter().filter(|file| share::has_other_names(&folder.join(&file.name)));
            collected.elsewhere += files.map(|file| file.bytes).sum::<u64>();
        }
        if !dry_run {
            remove(layout, &key)?;
        }
        match found {
            Found::Sound(entry) => collected.results.push(entry.record),
            Found::Damaged(_) | Found::Nothing => collected.leftovers += 1,
        }
    }
    Ok(collected)
}

fn remove(layout: &Layout, key: &Key) -> Result<()> {
    let folder = layout.folder(key);
    // Out of sight in one step: a reader finds the result whole or not at all.
    let pending = layout.pending();
    make_folder(&pending)?;
    let aside = pending.join(format!("{COLLECTED}{}", key.short()));
    fs::rename(&folder, &aside).map_err(Error::io("remove", &folder))?;
    fs::remove(&aside).map_err(Error::io("remove", &aside))
}

pub(super) fn verify(layout: &Layout) -> Result<Verified> {
    let contents = layout.contents()?;
    let mut verified = Verified { strays: contents.strays, ..Verified::default() };
    for key in contents.keys {
        verified.results += 1;
        let folder = layout.folder(&key);
        let damaged = match look(&folder, &key)? {
            Found::Sound(entry) => {
                verified.bytes += entry.record.bytes();
                let ours = |path: &std::path::PathBuf| {
                    name(path).is_some_and(|name| name == FILE || entry.record.file(name).is_some())
                };
                verified.strays.extend(list(&folder)?.into_iter().filter(|path| !ours(path)));
                entry.verify()
            }
            Found::Damaged(damaged) => vec![damaged],
            // It was collected after the listing.
            Found::Nothing => continue,
        };
        if !damaged.is_empty() {
            verified.damaged.push((key, damaged));
        }
    }
    Ok(verified)
}
