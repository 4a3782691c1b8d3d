//! `ojaflow store`

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::remote;
use super::terminal::print;
use crate::cli::{StoreAction, StoreArgs};
use crate::error::{Error, Result};
use crate::flow::{DiskUse, Fate, GIVEN_UP_AFTER, Project, Use, seconds_since};
use crate::words::{duration, size};

pub(super) fn execute(project: &Project, args: &StoreArgs) -> Result<()> {
    match &args.action {
        None | Some(StoreAction::Ls) => list(project),
        Some(StoreAction::Du) => disk(project),
        Some(StoreAction::Verify { published: None, .. }) => verify(project),
        Some(StoreAction::Verify { published: Some(folder), .. }) => {
            let project = match folder {
                Some(folder) => project.clone().with_outputs(folder),
                None => project.clone(),
            };
            // What is damaged in the store is told as well, whatever is found in front of it.
            let published = verify_published(&project);
            verify(&project).and(published)
        }
        Some(StoreAction::Pack) => pack(project),
        Some(StoreAction::Push { remote, name, request }) => remote::push(project, remote, name.as_deref(), request),
        Some(StoreAction::Pull { remote, name, request }) => remote::pull(project, remote, name.as_deref(), request),
        Some(StoreAction::Check { remote, rounds }) => remote::check(project, remote, *rounds),
        Some(StoreAction::Gc { dry_run, unfinished }) => collect(project, *dry_run, *unfinished),
    }
}

/// What is kept, by kind of stage and by the pipelines that refer to it.
fn list(project: &Project) -> Result<()> {
    let mut groups: Vec<(String, _)> = project
        .kept()?
        .into_iter()
        .map(|kept| {
            let pipelines = if kept.pipelines.is_empty() {
                "nobody (`store gc` removes them)".to_owned()
            } else {
                kept.pipelines.join(", ")
            };
            (pipelines, kept)
        })
        .collect();
    groups.sort_by(|(a, one), (b, other)| (a, &one.kind).cmp(&(b, &other.kind)));
    let mut lines = vec![format!("{:<22} {:>8} {:>10}  kept for", "kind", "results", "size")];
    for (pipelines, kept) in &groups {
        lines.push(format!("{:<22} {:>8} {:>10}  {pipelines}", kept.kind, kept.results, size(kept.bytes)));
    }
    let (results, bytes) = groups.iter().fold((0, 0), |(n, sum), (_, kept)| (n + kept.results, sum + kept.bytes));
    lines.push(format!("{:<22} {results:>8} {:>10}", "all", size(bytes)));
    print(&lines.join("\n"))
}

/// What each pipeline takes of the disk, the largest first.
fn disk(project: &Project) -> Result<()> {
    let DiskUse { pipelines, nobody, all } = project.disk_use()?;
    let mut rows: Vec<(&String, &Use)> = pipelines.iter().collect();
    rows.sort_by_key(|(name, used)| (Reverse(used.alone + used.published), *name));
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max("pipeline".len());
    let mut lines = vec![format!("{:<width$} {:>10} {:>10} {:>10}", "pipeline", "alone", "shared", "published")];
    for (name, Use { alone, shared, published }) in rows {
        lines.push(format!("{name:<width$} {:>10} {:>10} {:>10}", size(*alone), size(*shared), size(*published)));
    }
    if nobody > 0 {
        lines.push(format!("{:<width$} {:>10}  `ojaflow store gc` removes it", "nobody", size(nobody)));
    }
    lines.push(format!("{} takes {} of the disk", project.outputs.display(), size(all)));
    print(&lines.join("\n"))
}

fn verify(project: &Project) -> Result<()> {
    let verified = project.verify_store()?;
    let mut lines = vec![format!("{} results, {} read", verified.results, size(verified.bytes))];
    for (_, damaged) in &verified.damaged {
        lines.extend(damaged.iter().map(ToString::to_string));
    }
    for stray in &verified.strays {
        lines.push(format!("{} is not the store's; it does no harm and is left alone", stray.display()));
    }
    print(&lines.join("\n"))?;
    match verified.damaged.len() {
        0 => Ok(()),
        n => Err(Error::Store(format!("{n} results are damaged; the next run that reads them makes them again"))),
    }
}

/// Every file of every published folder; what was damaged, and whether the store had it.
fn verify_published(project: &Project) -> Result<()> {
    let checked = project.verify_published()?;
    let files: usize = checked.iter().map(|one| one.files).sum();
    let mut lines = vec![format!("{} published folders, {files} files read", checked.len())];
    let (mut repaired, mut remaining) = (0, 0);
    for one in &checked {
        for finding in &one.findings {
            let outcome = match &finding.remains {
                None => {
                    repaired += 1;
                    "made anew from the store".to_owned()
                }
                Some(reason) => {
                    remaining += 1;
                    format!("{reason}: run the pipeline again")
                }
            };
            let place = one.folder.join(&finding.unsound.path);
            lines.push(format!("{} is damaged: {}; {outcome}", place.display(), finding.unsound.found));
        }
    }
    print(&lines.join("\n"))?;
    match (repaired, remaining) {
        (0, 0) => Ok(()),
        (_, 0) => Err(Error::Store(format!("{repaired} published files were damaged; all are sound again"))),
        (_, n) => Err(Error::Store(format!(
            "{n} published files are damaged; the next run of their pipeline makes them again"
        ))),
    }
}

fn pack(project: &Project) -> Result<()> {
    let done = project.pack_store()?;
    let mut text = format!("{} results ({}) put together in {} packs", done.results, size(done.bytes), done.packs);
    if done.left > 0 {
        text += &format!(
            "; {} lie on their own as before: they are large, damaged, or a run is at work on them",
            done.left
        );
    }
    print(&text)
}

fn collect(project: &Project, dry_run: bool, unfinished: bool) -> Result<()> {
    let collected = project.sweep_store(dry_run, unfinished)?;
    let verb = if dry_run { "would be removed" } else { "removed" };
    let mut lines = vec![format!(
        "{} results ({}) {verb}, {} kept; {} leftovers of runs that died {verb}",
        collected.results.len(),
        size(collected.bytes()),
        collected.kept,
        collected.leftovers
    )];
    if collected.elsewhere > 0 {
        let held = size(collected.elsewhere);
        lines.push(format!("  {held} of that are no space won: published folders elsewhere hold the same files"));
    }
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for record in &collected.results {
        *kinds.entry(&record.material.kind).or_default() += 1;
    }
    if !kinds.is_empty() {
        let kinds: Vec<String> = kinds.into_iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        lines.push(format!("  no published pipeline and no run refers to {}", kinds.join(", ")));
    }
    if collected.beside_others > 0 {
        lines.push(format!("  {} more stay in packs of which most is needed", collected.beside_others));
    }
    if collected.damaged > 0 {
        lines.push(format!("  {} results without a sound commit record {verb}", collected.damaged));
    }
    for one in collected.unfinished.iter().filter(|one| one.results > 0) {
        let (run, ago) = (&one.purpose.pipeline, age(seconds_since(one.purpose.since)));
        let what = format!("{} results ({})", one.results, size(one.bytes));
        lines.push(match one.fate {
            Fate::Kept => format!(
                "  {what} kept for the unfinished run of `{run}`, begun {ago} ago: the same command goes on with them, \
                 `ojaflow store gc --unfinished` gives them up"
            ),
            Fate::GivenUp => format!("  the unfinished run of `{run}`, begun {ago} ago, is given up: {what}"),
            Fate::TooOld => format!(
                "  the unfinished run of `{run}`, begun {ago} ago, is older than {} and given up: {what}",
                age(GIVEN_UP_AFTER)
            ),
        });
    }
    print(&lines.join("\n"))
}

/// `3 days`, or less in finer units.
fn age(seconds: u64) -> String {
    const DAY: u64 = 24 * 60 * 60;
    if seconds < 2 * DAY { duration(seconds as f64) } else { format!("{} days", seconds / DAY) }
}
