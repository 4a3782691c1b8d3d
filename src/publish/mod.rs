//! Results → the folder that people open, switched in one step from one complete state to the next.

mod explain;
#[cfg(test)]
mod faults;
mod folder;
mod guests;
pub mod manifest;
mod repair;
mod seen;
mod soundness;
mod tables;
mod views;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::files;
use crate::plan::{Pipeline, Plan};
use crate::run::Run;
use crate::store::Store;
use crate::tables::Layout;
pub use explain::{Change, changed_values, explain};
use manifest::{FileEntry, Look, Manifest, Source};
pub use repair::{Checked, Finding, verify};
use seen::Seen;
pub use soundness::{Unsound, damage, read};

/// What was published, or found as it would be.
#[derive(Debug)]
pub struct Published {
    /// Where it lies.
    pub folder: PathBuf,
    /// What it holds.
    pub manifest: Manifest,
    /// Whether anything was written.
    pub changed: bool,
}

/// Whether everything that a plan publishes has a place to go to: better said before an hour of work than after it.
///
/// # Errors
/// A folder is in the way that was not published by this program.
pub fn check_places(plan: &Plan, outputs: &Path) -> Result<()> {
    plan.pipelines.iter().try_for_each(|pipeline| folder::check(&outputs.join(&pipeline.name)))
}

/// What stands where a pipeline is to be published.
enum Standing {
    /// What would be published, and every file of it is sound.
    Current(Box<Manifest>),
    /// What would be published, but for these files.
    Damaged(Vec<Unsound>),
    /// Nothing, or something else.
    Other,
}

fn standing(plan: &Plan, pipeline: &Pipeline, store: &dyn Store, folder: &Path) -> Result<Standing> {
    if folder::is_unsettled(folder)? {
        return Ok(Standing::Other);
    }
    let found = match Manifest::look(folder)? {
        Look::Sound(found) => *found,
        Look::Damaged => {
            return Ok(Standing::Damaged(vec![Unsound::new(manifest::FILE, "it is not what was published")]));
        }
        Look::Absent if folder::is_ours(folder)? => {
            return Ok(Standing::Damaged(vec![Unsound::new(manifest::FILE, "it is missing")]));
        }
        Look::Absent | Look::OtherVersion => return Ok(Standing::Other),
    };
    // The same plan may be written otherwise by now (a comment, another tuning with the same outcome): what is archived
    // is what was published, so that has to be what a fresh run would publish.
    if !found.sealed || found.fingerprint != manifest::fingerprint(plan, pipeline) || found.sources != sources(pipeline)
    {
        return Ok(Standing::Other);
    }
    let mut seen = Seen::recall(store, &pipeline.name);
    let unsound = soundness::damage_since(folder, &found, &mut seen);
    seen.remember(store, &pipeline.name);
    Ok(if unsound.is_empty() { Standing::Current(Box::new(found)) } else { Standing::Damaged(unsound) })
}

/// What a plan would publish, if all of it is there and sound; then nothing has to be written, not even to the store.
///
/// # Errors
/// A manifest cannot be read.
pub fn published_already(plan: &Plan, store: &dyn Store, outputs: &Path) -> Result<Option<Vec<Published>>> {
    let mut published = Vec::new();
    for pipeline in &plan.pipelines {
        let folder = outputs.join(&pipeline.name);
        match standing(plan, pipeline, store, &folder)? {
            Standing::Current(manifest) => published.push(Published { folder, manifest: *manifest, changed: false }),
            Standing::Damaged(_) | Standing::Other => return Ok(None),
        }
    }
    Ok(Some(published))
}

/// Publishes one pipeline of a finished run.
///
/// # Errors
/// A result cannot be read or made again, or the folder not be written.
pub fn publish(run: &Run<'_>, pipeline: &Pipeline, outputs: &Path, earlier: &[Published]) -> Result<Published> {
    let folder = outputs.join(&pipeline.name);
    let workshop = run.session.workshop()?;
    folder::settle(&folder, workshop.path())?;
    let found = match standing(run.plan, pipeline, run.store, &folder)? {
        Standing::Current(manifest) if !run.statuses.forced.contains(&true) => {
            return Ok(Published { folder, manifest: *manifest, changed: false });
        }
        Standing::Current(manifest) => Some(manifest),
        Standing::Damaged(unsound) => {
            run.progress.notice(&made_new(&folder, &unsound));
            None
        }
        Standing::Other => None,
    };
    let new = workshop.path().join(&pipeline.name);
    files::create_folder(&new).map_err(Error::io("create", &new))?;
    let mut tables = Vec::new();
    for table in &pipeline.tables {
        run.check_interrupted()?;
        tables.extend(match table.schema.layout {
            Layout::File => tables::put_file(run, table, &new)?,
            Layout::Folder => tables::put_parts(run, table, &new)?,
        });
    }
    if !pipeline.includes.is_empty() {
        let earlier: Vec<_> = earlier.iter().map(|one| (one.folder.as_path(), &one.manifest)).collect();
        tables::collect_claims(&earlier, pipeline, &mut tables, &new)?;
    }
    let mut files = Vec::new();
    for file in &pipeline.files {
        let content = run.read(file.task, |entry| entry.read_file(file.file))?;
        let path = new.join(&file.name);
        files::write(&path, &content).map_err(Error::io("write", &path))?;
        files.push(FileEntry {
            name: file.name.clone(),
            stage: file.stage.clone(),
            key: run.plan.tasks[file.task].key.clone(),
            digest: blake3::hash(&content).to_hex().to_string(),
            bytes: content.len() as u64,
        });
    }
    let manifest =
        Manifest::new(run.plan, pipeline, sources(pipeline), manifest::fingerprint(run.plan, pipeline), tables, files);
    let path = new.join(views::FILE);
    files::write(&path, views::text(&manifest).as_bytes()).map_err(Error::io("write", &path))?;
    manifest.write(&new)?;
    if let Some(found) = &found {
        confirm(run, found, &manifest);
    }
    // Before the switch, so that they are never in neither folder; and once more what came in between.
    let own = guests::own_files(&folder)?;
    let mut kept = guests::bring_along(&folder, own.as_ref(), &new)?;
    if let Some(old) = folder::replace(&new, &folder)? {
        kept.extend(guests::bring_along(&old, own.as_ref(), &folder)?);
        folder::dispose(&old, workshop.path())?;
    }
    if !kept.is_empty() {
        let files = kept.join(", ");
        run.progress.notice(&format!("kept in {}, although ojaflow did not publish it: {files}", folder.display()));
    }
    Ok(Published { folder, manifest, changed: true })
}

/// `outputs/fig4 is made new from the store, for what was published is damaged: claims.parquet (it is missing)`
fn made_new(folder: &Path, unsound: &[Unsound]) -> String {
    const NAMED: usize = 5;
    let mut files: Vec<String> =
        unsound.iter().take(NAMED).map(|file| format!("{} ({})", file.path, file.found)).collect();
    if unsound.len() > NAMED {
        files.push(format!("and {} more", unsound.len() - NAMED));
    }
    format!("{} is made new from the store, because files in it were damaged: {}", folder.display(), files.join(", "))
}

/// The files that the plan was made from, as a project holds them, wherever they were on this machine.
fn sources(pipeline: &Pipeline) -> Vec<Source> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut sources = vec![Source { path: format!("pipelines/{}", name(&pipeline.file)), text: pipeline.text.clone() }];
    let looked_up_in = |source: &Arc<crate::task::Source>| Source {
        path: format!("pipelines/{}", source.path.display()),
        text: source.text.clone(),
    };
    sources.extend(pipeline.sources.iter().map(looked_up_in));
    sources
}

/// What was made anew has to come out as before; where it does not, the user hears of it.
fn confirm(run: &Run<'_>, before: &Manifest, after: &Manifest) {
    for (old, new) in before.tables.iter().zip(&after.tables) {
        let differing = old.parts.iter().zip(&new.parts).filter(|(old, new)| old.digest != new.digest).count();
        if differing > 0 {
            let expected = match new.schema.tolerance() {
                Some(tolerance) => format!("; its numbers may differ by {tolerance:e} relative between builds"),
                None => "; its bytes should have been the same: please report this".to_owned(),
            };
            run.progress.notice(&format!("{differing} parts of `{}` differ from before{expected}", new.name));
        }
    }
}

/// The published folders in an outputs folder, by name.
///
/// # Errors
/// The outputs folder cannot be listed.
pub fn folders(outputs: &Path) -> Result<Vec<PathBuf>> {
    folder::published(outputs)
}

/// The keys that published pipelines refer to, for the collection of the rest.
///
/// # Errors
/// A manifest cannot be read, is damaged or gone: what it refers to is not known.
pub fn referred_keys(outputs: &Path) -> Result<Vec<(String, Vec<crate::store::Key>)>> {
    let mut referred = Vec::new();
    for folder in folder::published(outputs)? {
        let place = folder.join(manifest::FILE);
        if !files::exists(&place).map_err(Error::io("read", &place))? {
            return Err(Error::Check(format!(
                "{} lost its {}, which says what it was made from; run the pipeline again, or remove the folder",
                folder.display(),
                manifest::FILE
            )));
        }
        if let Some(manifest) = Manifest::read(&folder)? {
            referred.push((manifest.pipeline.clone(), manifest.keys()));
        }
    }
    Ok(referred)
}
