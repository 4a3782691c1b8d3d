//! Every byte of what is published held against its digest, and what is damaged made anew from the store.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::manifest::{self, Listed, Look, Manifest, TableEntry};
use super::soundness::{Unsound, damage};
use super::{folder, tables, views};
use crate::error::{Error, Result};
use crate::files;
use crate::store::{Damaged, Form, Key, Store};

/// A published folder of which every byte was read.
#[derive(Debug)]
pub struct Checked {
    /// Where it lies.
    pub folder: PathBuf,
    /// How many files it has.
    pub files: usize,
    /// What was damaged, and whether it still is.
    pub findings: Vec<Finding>,
}

/// A damaged file of a published folder.
#[derive(Debug)]
pub struct Finding {
    /// The file, and what was wrong with it.
    pub unsound: Unsound,
    /// Why it could not be made anew from the store; none if it was.
    pub remains: Option<String>,
}

/// Reads everything that is published, and makes anew what is damaged, as far as the store has it.
///
/// # Errors
/// The outputs folder or a manifest cannot be read. Damage is not an error but a finding.
pub fn verify(store: &dyn Store, outputs: &Path) -> Result<Vec<Checked>> {
    folder::published(outputs)?.into_iter().map(|folder| check(store, folder)).collect()
}

fn check(store: &dyn Store, folder: PathBuf) -> Result<Checked> {
    let lost = |folder, found: &str| Checked {
        folder,
        files: 1,
        findings: vec![remaining(Unsound::new(manifest::FILE, found), "it says what the rest was made from")],
    };
    let manifest = match Manifest::look(&folder)? {
        Look::Sound(manifest) => *manifest,
        Look::Absent => return Ok(lost(folder, "it is missing")),
        Look::Damaged => return Ok(lost(folder, "it is not what was published")),
        Look::OtherVersion => return Ok(lost(folder, "another version of ojaflow published it")),
    };
    let mend = |unsound: Unsound| match repair(store, &folder, &manifest, &unsound.path) {
        Ok(()) => Finding { unsound, remains: None },
        Err(reason) => remaining(unsound, &reason),
    };
    let findings = damage(&folder, &manifest).into_iter().map(mend).collect();
    // And `manifest.json`, and `views.sql`.
    let files = manifest.files().len() + 2;
    Ok(Checked { folder, files, findings })
}

fn remaining(unsound: Unsound, reason: &str) -> Finding {
    Finding { unsound, remains: Some(reason.to_owned()) }
}

/// Makes a file anew, in the store's workshop first; says why where it cannot.
fn repair(store: &dyn Store, folder: &Path, manifest: &Manifest, path: &str) -> Result<(), String> {
    let failed = |error: Error| error.to_string();
    if path == manifest::FILE {
        return Err("its pipeline has to be run again".to_owned());
    }
    let target = folder.join(path);
    let parent = target.parent().expect("a file in a folder");
    files::create_folders(parent).map_err(Error::io("create", parent)).map_err(failed)?;
    let session = store.session(Form::Loose).map_err(failed)?;
    let workshop = session.workshop().map_err(failed)?;
    let new = workshop.path().join("new");
    if path == views::FILE {
        files::write(&new, views::text(manifest).as_bytes()).map_err(Error::io("write", &new)).map_err(failed)?;
    } else {
        let files = manifest.files();
        let file = files.iter().find(|file| file.path == path).expect("one of its files was found damaged");
        if !put(store, manifest, file, &new)? {
            let table = file.table.ok_or("the store no longer has it")?;
            if join(store, manifest, table, &new)? != file.digest {
                return Err("what the store has comes out different".to_owned());
            }
        }
    }
    files::rename(&new, &target).map_err(Error::io("replace", &target)).map_err(failed)
}

/// Puts a file that is published as it lies in the store at `new`; whether there is one. It may be the very file that was
/// found damaged, under its other name, so it is read before.
fn put(store: &dyn Store, manifest: &Manifest, file: &Listed<'_>, new: &Path) -> Result<bool, String> {
    let keys: BTreeSet<&Key> = match file.table {
        Some(table) => table.parts.iter().map(|part| &part.key).collect(),
        None => manifest.figures.iter().filter(|figure| figure.name == file.path).map(|figure| &figure.key).collect(),
    };
    for key in keys {
        let Some(entry) = store.find(key).map_err(|error| error.to_string())? else { continue };
        if let Some(kept) = entry.record.files.iter().find(|kept| kept.digest == file.digest) {
            entry.read_file(&kept.name).map_err(damaged_too)?;
            entry.put(&kept.name, new).map_err(|error| error.to_string())?;
            return Ok(true);
        }
    }
    Ok(false)
}

fn damaged_too(damaged: Damaged) -> String {
    format!("in the store, {damaged}")
}

/// Joins the parts of a table again; the digest of what came out.
fn join(store: &dyn Store, manifest: &Manifest, table: &TableEntry, new: &Path) -> Result<String, String> {
    let gone = || "the store no longer has it".to_owned();
    let stage = manifest.stages.iter().find(|stage| stage.name == table.stage).ok_or_else(gone)?;
    // The first columns are axes of the stage, in the stage's order; the parts are in the order of its tasks.
    let axes = table.schema.columns[..table.n_axes]
        .iter()
        .map(|column| stage.axes.iter().position(|axis| *axis == column.name).ok_or_else(gone));
    let axes: Vec<usize> = axes.collect::<Result<_, _>>()?;
    let mut values = Vec::new();
    for (part, task) in table.parts.iter().zip(&stage.tasks) {
        if part.key != task.key {
            return Err(gone());
        }
        values.push(axes.iter().map(|&axis| task.coordinates[axis].clone()).collect::<Vec<_>>());
    }
    if values.len() != table.parts.len() {
        return Err(gone());
    }
    let mut parts = Vec::new();
    for (part, values) in table.parts.iter().zip(&values) {
        let entry = store.find(&part.key).map_err(|error| error.to_string())?.ok_or_else(gone)?;
        parts.push((values.as_slice(), entry.read_table(&part.table).map_err(damaged_too)?.into()));
    }
    let key = tables::key_of(&table.parts);
    let joined = tables::join(&table.name, &table.schema, &key, &parts, new);
    joined.map(|(_, digest, _)| digest).map_err(|error| error.to_string())
}
