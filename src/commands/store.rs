//! `ojaflow store`

use std::collections::{BTreeMap, BTreeSet};

use super::print;
use crate::cli::{Roots, StoreAction, StoreArgs};
use crate::error::{Error, Result};
use crate::publish;
use crate::store::{Key, Store};
use crate::words::size;

pub fn execute(roots: &Roots, args: &StoreArgs) -> Result<()> {
    let store = Store::new(&roots.outputs);
    match args.action {
        None | Some(StoreAction::Ls) => list(roots, &store),
        Some(StoreAction::Verify) => verify(&store),
        Some(StoreAction::Gc { dry_run }) => collect(roots, &store, dry_run),
    }
}

/// What is kept, by kind of stage and by the pipelines that refer to it.
fn list(roots: &Roots, store: &Store) -> Result<()> {
    let mut users: BTreeMap<Key, Vec<String>> = BTreeMap::new();
    for (pipeline, keys) in publish::referred_keys(&roots.outputs)? {
        for key in keys {
            users.entry(key).or_default().push(pipeline.clone());
        }
    }
    let mut groups: BTreeMap<(String, String), (usize, u64)> = BTreeMap::new();
    for entry in store.entries()? {
        let mut pipelines = users.get(&entry.record.key).cloned().unwrap_or_default();
        pipelines.dedup();
        let pipelines =
            if pipelines.is_empty() { "nobody (`store gc` removes them)".to_owned() } else { pipelines.join(", ") };
        let group = groups.entry((pipelines, entry.record.material.kind.clone())).or_default();
        group.0 += 1;
        group.1 += entry.record.bytes();
    }
    let mut lines = vec![format!("{:<22} {:>8} {:>10}  kept for", "kind", "results", "size")];
    for ((pipelines, kind), (results, bytes)) in &groups {
        lines.push(format!("{kind:<22} {results:>8} {:>10}  {pipelines}", size(*bytes)));
    }
    let (results, bytes) = groups.values().fold((0, 0), |(n, sum), group| (n + group.0, sum + group.1));
    lines.push(format!("{:<22} {results:>8} {:>10}", "all", size(bytes)));
    print(&lines.join("\n"))
}

fn verify(store: &Store) -> Result<()> {
    let verified = store.verify(|_| {})?;
    let mut lines = vec![format!("{} results, {} read", verified.results, size(verified.bytes))];
    for (_, damaged) in &verified.damaged {
        lines.extend(damaged.iter().map(ToString::to_string));
    }
    print(&lines.join("\n"))?;
    match verified.damaged.len() {
        0 => Ok(()),
        n => Err(Error::Store(format!("{n} results are damaged; the next run that reads them makes them again"))),
    }
}

fn collect(roots: &Roots, store: &Store, dry_run: bool) -> Result<()> {
    let keep: BTreeSet<Key> = publish::referred_keys(&roots.outputs)?.into_iter().flat_map(|(_, keys)| keys).collect();
    let collected = store.collect(&keep, dry_run)?;
    let verb = if dry_run { "would be removed" } else { "removed" };
    print(&format!(
        "{} results ({}) {verb}, {} kept; {} leftovers of runs that died {verb}",
        collected.results.len(),
        size(collected.bytes()),
        collected.kept,
        collected.leftovers
    ))
}
