//! What an archive is of: a published run with everything that it is composed of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::part::Part;
use crate::datasets::{self, DataSetInfo, Role};
use crate::error::{Error, Result};
use crate::publish::manifest::{Manifest, Source};
use crate::words::paths;

/// Names in the payload.
pub(super) const CRATE: &str = "ro-crate-metadata.json";
pub(super) const INSTRUCTIONS: &str = "REPRODUCE.md";
pub(super) const LOCK: &str = "Cargo.lock";
pub(super) const DATA_SETS: &str = "data-sets.json";

/// A published pipeline with everything that it is composed of.
#[derive(Debug)]
pub struct Published {
    /// The one asked for first, then what it includes, in the order of the file.
    pub manifests: Vec<Manifest>,
    /// Where each of them lies.
    pub(super) folders: Vec<PathBuf>,
    /// The data sets that were trained on.
    pub data_sets: Vec<DataSet>,
}

/// A data set as an archive names it: by what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSet {
    /// The name that pipelines use.
    pub name: String,
    /// For people.
    pub title: String,
    /// The licence of the images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// The digest of the four checksums, as it enters the keys.
    pub identity: String,
    /// Images in the training split.
    pub n_train: usize,
    /// Images in the test split.
    pub n_test: usize,
    /// Different labels.
    pub n_classes: usize,
    /// Its four files.
    pub files: Vec<DataFile>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// `train_images` …
    pub role: String,
    /// Of the uncompressed content.
    pub sha256: String,
    pub count: u64,
}

impl DataSet {
    fn new(info: &DataSetInfo) -> Self {
        let file = |role: Role| {
            let file = info.file(role);
            DataFile { role: role.key().to_owned(), sha256: file.sha256.clone(), count: file.count }
        };
        Self {
            name: info.name.clone(),
            title: info.title.clone(),
            licence: info.licence.clone(),
            identity: info.identity(),
            n_train: info.n_train,
            n_test: info.n_test,
            n_classes: info.n_classes,
            files: Role::ALL.map(file).into(),
        }
    }

    /// What in this description is not so, by its own checksums and counts.
    pub(super) fn contradiction(&self) -> Option<&'static str> {
        let roles: Vec<&str> = self.files.iter().map(|file| file.role.as_str()).collect();
        let files: Option<[(&str, u64); 4]> =
            self.files.iter().map(|file| (file.sha256.as_str(), file.count)).collect::<Vec<_>>().try_into().ok();
        let Some(files) = files.filter(|_| roles == Role::ALL.map(Role::key)) else {
            return Some("does not name the four files of a data set");
        };
        if datasets::identity_of(files) != self.identity {
            return Some("gives checksums that are not those of the identity beside them");
        }
        let count = |role: Role| usize::try_from(files[role as usize].1);
        let counts = [(Role::TrainImages, self.n_train), (Role::TestImages, self.n_test)];
        let other = counts.into_iter().any(|(role, stated)| count(role) != Ok(stated));
        other.then_some("states numbers of images that are not those of its files")
    }
}

/// Reads what was published in `folder`, and beside it what it includes.
///
/// # Errors
/// A folder is missing or was published by an earlier version, or a data set is in none of `data_folders`.
pub fn gather(folder: &Path, data_folders: &[PathBuf]) -> Result<Published> {
    let (mut manifests, mut folders) = (Vec::new(), Vec::new());
    let outputs = folder.parent().unwrap_or(Path::new("."));
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        if folders.contains(&folder) {
            continue;
        }
        let manifest = published(&folder)?;
        waiting.extend(manifest.includes.iter().rev().map(|name| outputs.join(name)));
        manifests.push(manifest);
        folders.push(folder);
    }
    let data_sets = data_sets(&manifests, data_folders)?;
    Ok(Published { manifests, folders, data_sets })
}

/// The manifest of a folder that was published by this version.
fn published(folder: &Path) -> Result<Manifest> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let manifest = Manifest::read(folder)?.ok_or_else(|| {
        Error::usage(format!(
            "{} is not a published run (no manifest.json of this version); run `ojaflow pipeline {name}` first",
            folder.display()
        ))
    })?;
    if manifest.sources.is_empty() {
        return Err(Error::usage(format!(
            "{} was published by an earlier version, which did not keep the pipeline's text; run `ojaflow pipeline \
             {name}` again (nothing is computed that is in the store)",
            folder.display()
        )));
    }
    Ok(manifest)
}

/// The data sets behind the keys, found by what is in them.
fn data_sets(manifests: &[Manifest], data_folders: &[PathBuf]) -> Result<Vec<DataSet>> {
    let identities = identities(manifests);
    let words: BTreeSet<&str> = manifests.iter().flat_map(|manifest| strings(&manifest.document)).collect();
    let known = datasets::list(data_folders)?;
    // A copy under a name that no pipeline mentions is of no interest to it.
    let mut found: Vec<DataSet> = known
        .iter()
        .filter(|info| identities.contains(info.identity().as_str()) && words.contains(info.name.as_str()))
        .map(DataSet::new)
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(missing) = identities.iter().find(|identity| found.iter().all(|set| set.identity != **identity)) {
        return Err(Error::usage(format!(
            "no data set in {} has the identity {missing} of the one that was trained on; name the folder that has it \
             with `--data DIR`",
            paths(data_folders)
        )));
    }
    Ok(found)
}

/// The identities of the data sets that tasks have loaded.
pub(super) fn identities(manifests: &[Manifest]) -> BTreeSet<&str> {
    let stages = manifests.iter().flat_map(|manifest| &manifest.stages).filter(|stage| stage.kind == "load");
    let named = stages.flat_map(|stage| &stage.tasks).filter_map(|task| task.material.parameters["identity"].as_str());
    // An optional data set that was not there has no checksums.
    named.filter(|identity| *identity != "absent").collect()
}

/// All strings in a document.
fn strings(document: &serde_json::Value) -> Vec<&str> {
    match document {
        serde_json::Value::String(text) => vec![text],
        serde_json::Value::Array(items) => items.iter().flat_map(strings).collect(),
        serde_json::Value::Object(members) => {
            // A bundle of an axis is named by its key.
            members.iter().flat_map(|(key, value)| std::iter::once(key.as_str()).chain(strings(value))).collect()
        }
        _ => Vec::new(),
    }
}

impl Published {
    /// What an archive holds, from its own texts: enough to say what else has to be inside.
    pub fn from_parts(manifests: Vec<Manifest>, data_sets: Vec<DataSet>) -> Self {
        Self { manifests, folders: Vec::new(), data_sets }
    }

    /// The pipeline asked for.
    pub fn main(&self) -> &Manifest {
        self.manifests.first().expect("gathered with at least one")
    }

    /// The pipelines' files and coefficients, each once.
    ///
    /// # Errors
    /// Two pipelines were made from different versions of one file.
    pub fn sources(&self) -> Result<BTreeMap<&str, &Source>, String> {
        let mut sources: BTreeMap<&str, &Source> = BTreeMap::new();
        for manifest in &self.manifests {
            for source in &manifest.sources {
                if sources.insert(&source.path, source).is_some_and(|other| other != source) {
                    return Err(format!(
                        "{} has changed between the runs that `{}` is composed of; run `ojaflow pipeline {}` again",
                        source.path,
                        self.main().pipeline,
                        self.main().pipeline
                    ));
                }
            }
        }
        Ok(sources)
    }
}

/// A file of a published folder.
#[derive(Debug)]
pub(super) struct FileOf<'a> {
    /// Relative to the folder.
    pub path: String,
    pub blake3: &'a str,
    pub part: Option<Part>,
}

/// The tables and figures that a manifest speaks of, each file once; of the large ones those that `with` wants.
pub(super) fn files(manifest: &Manifest, with: impl Fn(Part) -> bool) -> Vec<FileOf<'_>> {
    let listed = manifest.files().into_iter().map(|file| FileOf {
        path: file.path,
        blake3: file.digest,
        part: file.table.and_then(Part::of),
    });
    listed.filter(|file| file.part.is_none_or(&with)).collect()
}

/// JSON for people, with a line break at its end.
pub(super) fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("plain data") + "\n"
}
