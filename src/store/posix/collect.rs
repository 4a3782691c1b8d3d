//! Removing what nothing refers to, and re-reading what is kept.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::super::key::Key;
use super::super::record::{FILE, Record};
use super::kept::{Found, look};
use super::layout::{COLLECTED, Layout, RUN, list, make_folder, name};
use super::runs::{Recorded, recorded};
use super::{checkpoints, lease, packs, share};
use crate::error::{Error, Result};
use crate::files;
use crate::store::{Collected, Collection, Fate, GIVEN_UP_AFTER, PackedUp, Remembered, Verified};

pub(super) fn collect(layout: &Layout, keep: &BTreeSet<Key>, how: &Collection) -> Result<Collected> {
    let mut collected = Collected::default();
    if !layout.is_there()? {
        return Ok(collected);
    }
    let _alone = if how.dry_run { layout.reading() } else { Some(layout.collecting()?) };
    // Before the runs: what is there now is older than any run that begins from here on, which may happen unseen where there are
    // no locks. Such a run loses nothing that it makes.
    let (pending, there, packs) = (list(&layout.pending())?, layout.keys()?, packs::all(layout)?);
    let left = layout.unfinished()?;
    let runs = recorded(layout)?;
    let mut keep = keep.clone();
    keep.extend(runs.iter().filter(|run| run.living).flat_map(|run| run.keys.iter().cloned()));
    let mut rubbish = leftovers(pending, &runs);
    collected.leftovers = rubbish.len();
    let mut unfinished = Vec::new();
    for run in &runs {
        let Some(purpose) = run.purpose.as_ref().filter(|_| !run.living) else { continue };
        // It ended between publishing and saying so, or another command published the same.
        if run.keys.iter().all(|key| keep.contains(key)) {
            rubbish.push(run.path.clone());
            continue;
        }
        let fate = match how.now.saturating_sub(purpose.since) {
            _ if how.unfinished => Fate::GivenUp,
            age if age > GIVEN_UP_AFTER => Fate::TooOld,
            _ => Fate::Kept,
        };
        if fate != Fate::Kept {
            rubbish.push(run.path.clone());
        }
        // What is kept for its sake alone.
        let keys: BTreeSet<&Key> = run.keys.iter().filter(|key| !keep.contains(key)).collect();
        unfinished.push((keys, Remembered { purpose: purpose.clone(), fate, results: 0, bytes: 0 }));
    }
    // What tasks left is of use to runs that live or are to go on, whoever else refers to the results.
    let goes_on = |run: &&Recorded| run.living || !rubbish.contains(&run.path);
    let awaited: BTreeSet<&Key> = runs.iter().filter(goes_on).flat_map(|run| &run.keys).collect();
    let given_up: Vec<Key> = left.into_iter().filter(|key| !awaited.contains(key)).collect();
    collected.leftovers += given_up.len();
    if !how.dry_run {
        lease::sweep(layout)?;
        for path in &rubbish {
            let _ = files::remove(path);
        }
        for key in &given_up {
            let _ = checkpoints::forget(layout, key);
        }
    }
    for key in there {
        let folder = layout.folder(&key);
        if keep.contains(&key) {
            collected.kept += 1;
            continue;
        }
        let found = look(&folder, &key)?;
        let bytes = if let Found::Sound(entry) = &found { entry.record.bytes() } else { 0 };
        if is_remembered(&mut unfinished, &key, bytes) {
            collected.kept += 1;
            continue;
        }
        if let Found::Sound(entry) = &found {
            let files = entry.record.files.iter().filter(|file| share::has_other_names(&folder.join(&file.name)));
            collected.elsewhere += files.map(|file| file.bytes).sum::<u64>();
        }
        if !how.dry_run {
            remove(layout, &key)?;
        }
        match found {
            Found::Sound(entry) => collected.results.push(entry.record),
            // A result whose record is damaged can be of no use to anyone either.
            Found::Damaged(_) | Found::Nothing => collected.damaged += 1,
        }
    }
    for pack in packs {
        let mut gone = Vec::new();
        let mut stay = Vec::new();
        for entry in pack.entries() {
            let key = &entry.record.key;
            let is_kept = keep.contains(key) || is_remembered(&mut unfinished, key, entry.record.bytes());
            if is_kept { stay.push(entry) } else { gone.push(entry.record) }
        }
        collected.kept += stay.len();
        // As long as most of it is needed, the rest stays with it.
        if gone.len() <= stay.len() {
            collected.beside_others += gone.len();
            continue;
        }
        if !how.dry_run {
            packs::replace(layout, &pack, stay)?;
        }
        collected.results.extend(gone);
    }
    collected.unfinished = unfinished.into_iter().map(|(_, remembered)| remembered).collect();
    Ok(collected)
}

/// Whether an unfinished run is to find a result again; notes that it counts on it.
fn is_remembered(unfinished: &mut [(BTreeSet<&Key>, Remembered)], key: &Key, bytes: u64) -> bool {
    let mut kept = false;
    for (keys, remembered) in unfinished {
        if keys.contains(key) {
            remembered.results += 1;
            remembered.bytes += bytes;
            kept |= remembered.fate == Fate::Kept;
        }
    }
    kept
}

/// Traces of runs that died: what they had begun to write, and files that say nothing.
fn leftovers(pending: Vec<PathBuf>, runs: &[Recorded]) -> Vec<PathBuf> {
    let mut rubbish: Vec<PathBuf> =
        runs.iter().filter(|run| !run.living && run.purpose.is_none()).map(|run| run.path.clone()).collect();
    let living = |run: &str| runs.iter().any(|other| other.living && name(&other.path) == Some(run));
    for path in pending {
        let Some(name) = name(&path) else { continue };
        if name.starts_with(COLLECTED) || name.starts_with(RUN) && !living(name) {
            rubbish.push(path);
        }
    }
    rubbish
}

fn remove(layout: &Layout, key: &Key) -> Result<()> {
    let folder = layout.folder(key);
    // Out of sight in one step: a reader finds the result whole or not at all.
    let pending = layout.pending();
    make_folder(&pending)?;
    let aside = pending.join(format!("{COLLECTED}{}", key.short()));
    files::rename(&folder, &aside).map_err(Error::io("remove", &folder))?;
    files::remove(&aside).map_err(Error::io("remove", &aside))
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
                let ours =
                    |path: &PathBuf| name(path).is_some_and(|name| name == FILE || entry.record.file(name).is_some());
                verified.strays.extend(list(&folder)?.into_iter().filter(|path| !ours(path)));
                entry.verify()
            }
            Found::Damaged(damaged) => vec![damaged],
            // It was collected after the listing.
            Found::Nothing => continue,
        };
        if !damaged.is_empty() {
            verified.damaged.push((Some(key), damaged));
        }
    }
    for pack in packs::all(layout)? {
        if let Some(damaged) = pack.damage() {
            verified.damaged.push((None, vec![damaged]));
        }
        for entry in pack.entries() {
            verified.results += 1;
            verified.bytes += entry.record.bytes();
            let damaged = entry.verify();
            if !damaged.is_empty() {
                verified.damaged.push((Some(entry.record.key.clone()), damaged));
            }
        }
    }
    Ok(verified)
}

/// Puts small results together. Nobody begins or collects meanwhile; what a living run counts on is left where it looks for it.
pub(super) fn pack(layout: &Layout) -> Result<PackedUp> {
    let mut done = PackedUp::default();
    if !layout.is_there()? {
        return Ok(done);
    }
    let _alone = layout.collecting()?;
    let living: BTreeSet<Key> =
        recorded(layout)?.into_iter().filter(|run| run.living).flat_map(|run| run.keys).collect();
    let keys = layout.keys()?;
    let n_loose = keys.len();
    let small = keys.into_iter().filter(|key| !living.contains(key)).filter_map(|key| {
        let found = look(&layout.folder(&key), &key);
        let small = |found| match found {
            Found::Sound(entry) if entry.record.bytes() <= packs::LARGEST => Some(entry),
            _ => None,
        };
        found.map(small).transpose()
    });
    packs::write(layout, small, |records| {
        done.packs += 1;
        done.results += records.len();
        done.bytes += records.iter().map(Record::bytes).sum::<u64>();
        records.iter().try_for_each(|record| remove(layout, &record.key))
    })?;
    Ok(PackedUp { left: n_loose - done.results, ..done })
}
