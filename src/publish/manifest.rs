//! `manifest.json`: where every number in a published folder comes from.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files;
use crate::plan::{Equations, Pipeline, Plan, equations};
use crate::store::{Key, KeyMaterial};
use crate::tables::TableSchema;
use crate::tables::frame::Cell;

pub(crate) const FILE: &str = "manifest.json";

/// The format of the manifest itself.
const FORMAT: u32 = 1;

/// `manifest.json`: where every number of a published folder comes from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this format.
    pub format: u32,
    /// The name it is published under.
    pub pipeline: String,
    /// One sentence for people.
    pub title: String,
    /// The figure of the paper that it reproduces.
    pub figure: Option<String>,
    /// What made it.
    pub program: Program,
    /// Equal where a folder would come out equal: nothing has to be written then.
    pub fingerprint: String,
    /// The overrides as they were typed.
    pub overrides: Vec<String>,
    /// The last stage asked for, where not all were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The pipeline file, then the tables of coefficients that were looked up: with the overrides, all that a plan is
    /// made from besides the data sets. Paths are relative to a project.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// The pipeline file with the overrides in it.
    pub document: serde_json::Value,
    /// Pipelines that this one is composed of, by published name.
    pub includes: Vec<String>,
    /// The axes of the matrix with all their values.
    pub axes: Vec<(String, Vec<Cell>)>,
    /// The learning rules that were run.
    #[serde(default)]
    pub equations: Vec<Equations>,
    /// Stages with their tasks, in the order of the file.
    pub stages: Vec<StageEntry>,
    /// The published tables.
    pub tables: Vec<TableEntry>,
    /// The published figures.
    pub figures: Vec<FileEntry>,
    /// Whether its file ends with a digest of itself; those of earlier versions do not.
    #[serde(skip)]
    pub sealed: bool,
}

/// A file that a person, or a tuning pipeline, wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Relative to the project: `pipelines/fig4.toml`.
    pub path: String,
    /// What stands in it.
    pub text: String,
}

/// The program behind a published folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The library behind decompositions, the only numbers that depend on a build.
    pub linear_algebra: String,
}

impl Program {
    /// This program.
    pub fn this() -> Self {
        Self {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            linear_algebra: if cfg!(feature = "openblas") { "openblas" } else { "faer" }.to_owned(),
        }
    }
}

/// A stage and its tasks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StageEntry {
    /// Its name in the pipeline.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// The axes that it depends on.
    pub axes: Vec<String>,
    /// Its tasks, in the order of the matrix.
    pub tasks: Vec<TaskEntry>,
}

/// A task and its identity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskEntry {
    /// The values of the stage's axes.
    pub coordinates: Vec<Cell>,
    /// The digest of its material.
    pub key: Key,
    /// What the key is the digest of: parameters (the seed among them) and inputs.
    pub material: KeyMaterial,
}

/// A published table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableEntry {
    /// Its name.
    pub name: String,
    /// The stage that made it.
    pub stage: String,
    /// Relative to the folder; ends with `/` where it is a folder of parts.
    pub path: String,
    /// Columns with units, axes in front.
    pub schema: TableSchema,
    /// How many of the first columns are axes.
    #[serde(default)]
    pub n_axes: usize,
    /// For folders, which leave axes out: the table that has them, one row for each part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register: Option<String>,
    /// Rows of all parts.
    pub rows: usize,
    /// BLAKE3 of the file; folders have one for each part.
    pub digest: Option<String>,
    /// Size of its file or files.
    pub bytes: u64,
    /// What each task contributed, in the order of the matrix.
    pub parts: Vec<PartEntry>,
}

/// One task's share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartEntry {
    /// The task.
    pub key: Key,
    /// The table of that task.
    pub table: String,
    /// Its rows.
    pub rows: usize,
    /// BLAKE3 of the stored part.
    pub digest: String,
}

/// A published figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its file name.
    pub name: String,
    /// The stage that drew it.
    pub stage: String,
    /// The task that drew it.
    pub key: Key,
    /// BLAKE3 of its content.
    pub digest: String,
    /// Its size.
    pub bytes: u64,
}

/// A table or figure of a published folder, or a part of a table: one file.
#[derive(Debug)]
pub struct Listed<'a> {
    /// Relative to the folder.
    pub path: String,
    /// BLAKE3 of its content.
    pub digest: &'a str,
    /// The table that it is, or is a part of; none for a figure.
    pub table: Option<&'a TableEntry>,
}

/// The columns that make a table a summary: where its curves end is printed.
const SUMMARY: [&str; 6] = ["panel", "series", "x", "mean", "ci_low", "ci_high"];

impl TableEntry {
    /// Whether it has curves in panels, as figures draw them.
    pub fn is_summary(&self) -> bool {
        SUMMARY.into_iter().all(|name| self.schema.column(name).is_some())
    }

    /// The file of the table, or those of its parts, each once.
    pub fn files(&self) -> Vec<Listed<'_>> {
        let listed = |path, digest| Listed { path, digest, table: Some(self) };
        match &self.digest {
            Some(digest) => vec![listed(self.path.clone(), digest)],
            None => {
                let parts: BTreeMap<String, &str> =
                    self.parts.iter().map(|part| (part.file_name(), part.digest.as_str())).collect();
                parts.into_iter().map(|(name, digest)| listed(format!("{}{name}", self.path), digest)).collect()
            }
        }
    }
}

impl PartEntry {
    /// The file of the part in its table's folder.
    pub fn file_name(&self) -> String {
        format!("{}.parquet", self.key.short())
    }
}

/// The digest of all that a published folder depends on.
pub(super) fn fingerprint(plan: &Plan, pipeline: &Pipeline) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("ojaflow 2026 published folder v1");
    let mut add = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    add(&serde_json::to_string(&Program::this()).expect("plain data"));
    add(&pipeline.document.to_string());
    add(&pipeline.overrides.join("\n"));
    for stage in &pipeline.stages {
        add(&stage.name);
        for (task, coordinates) in stage.grid.iter() {
            add(plan.tasks[task].key.as_str());
            add(&serde_json::to_string(coordinates).expect("plain data"));
        }
    }
    // A composition shows the claims of its parts.
    for included in plan.pipelines.iter().filter(|other| pipeline.includes.contains(&other.name)) {
        add(&fingerprint(plan, included));
    }
    hasher.finalize().to_hex().to_string()
}

impl Manifest {
    pub(super) fn new(
        plan: &Plan,
        pipeline: &Pipeline,
        sources: Vec<Source>,
        fingerprint: String,
        tables: Vec<TableEntry>,
        figures: Vec<FileEntry>,
    ) -> Self {
        let stages = pipeline.stages.iter().map(|stage| StageEntry {
            name: stage.name.clone(),
            kind: stage.kind.to_owned(),
            axes: stage.grid.axes.clone(),
            tasks: stage
                .grid
                .iter()
                .map(|(task, coordinates)| TaskEntry {
                    coordinates: coordinates.to_vec(),
                    key: plan.tasks[task].key.clone(),
                    material: plan.material(&plan.tasks[task]),
                })
                .collect(),
        });
        Self {
            format: FORMAT,
            pipeline: pipeline.name.clone(),
            title: pipeline.title.clone(),
            figure: pipeline.figure.clone(),
            program: Program::this(),
            fingerprint,
            overrides: pipeline.overrides.clone(),
            to: pipeline.to.clone(),
            sources,
            document: pipeline.document.clone(),
            includes: pipeline.includes.clone(),
            axes: pipeline.axes.iter().map(|(name, values)| (name.clone(), values.to_vec())).collect(),
            equations: equations(plan, pipeline),
            stages: stages.collect(),
            tables,
            figures,
            sealed: true,
        }
    }

    /// What the manifest would say of tasks and parameters, before anything ran.
    pub fn planned(plan: &Plan, pipeline: &Pipeline) -> Self {
        Self::new(plan, pipeline, Vec::new(), fingerprint(plan, pipeline), Vec::new(), Vec::new())
    }

    /// The manifest of a published folder; none where there is no such folder or another version wrote it.
    ///
    /// # Errors
    /// It is there and cannot be read, or is damaged.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        match Self::look(folder)? {
            Look::Sound(manifest) => Ok(Some(*manifest)),
            Look::Absent | Look::OtherVersion => Ok(None),
            Look::Damaged => Err(Error::Check(format!(
                "{} is damaged: it is not what was published; run the pipeline again",
                folder.join(FILE).display()
            ))),
        }
    }

    /// The manifest of a published folder.
    ///
    /// # Errors
    /// As [`Manifest::read`], or there is none of this version.
    pub fn of(folder: &Path) -> Result<Self> {
        Self::read(folder)?.ok_or_else(|| {
            Error::usage(format!("{} is not a published run (no manifest.json of this version)", folder.display()))
        })
    }

    /// What stands in the place of a manifest.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn look(folder: &Path) -> Result<Look> {
        let path = folder.join(FILE);
        let bytes = match files::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Look::Absent);
            }
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        let seal = seal_of(&bytes);
        if seal == Some(false) {
            return Ok(Look::Damaged);
        }
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(manifest) if manifest.format == FORMAT => {
                Ok(Look::Sound(Box::new(Self { sealed: seal.is_some(), ..manifest })))
            }
            // JSON of another shape may be another version's; what is not JSON is nobody's.
            Err(error) if seal.is_none() && !error.is_data() => Ok(Look::Damaged),
            _ => Ok(Look::OtherVersion),
        }
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        files::write(&path, self.to_text().as_bytes()).map_err(Error::io("write", &path))
    }

    /// The manifest as it is written: its last line is the digest of all that stands above it.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a manifest is plain data");
        text.truncate(text.strip_suffix(END_OF_BODY).expect("an object with members").len());
        let seal = blake3::hash(text.as_bytes()).to_hex();
        text + SEAL + seal.as_str() + END_OF_SEAL
    }

    /// The tables and figures that it speaks of, each file once.
    pub fn files(&self) -> Vec<Listed<'_>> {
        let tables = self.tables.iter().flat_map(TableEntry::files);
        let figures =
            self.figures.iter().map(|figure| Listed { path: figure.name.clone(), digest: &figure.digest, table: None });
        tables.chain(figures).collect()
    }

    /// Every result that the folder was made of.
    pub fn keys(&self) -> Vec<Key> {
        self.stages.iter().flat_map(|stage| stage.tasks.iter().map(|task| task.key.clone())).collect()
    }
}

/// What was found in the place of a manifest.
#[derive(Debug)]
pub(super) enum Look {
    /// Nothing.
    Absent,
    /// A manifest of this format. One that an earlier version wrote has no seal to be checked.
    Sound(Box<Manifest>),
    /// Another format.
    OtherVersion,
    /// Something that is not what was written.
    Damaged,
}

const END_OF_BODY: &str = "\n}";
const SEAL: &str = ",\n  \"seal\": \"";
const END_OF_SEAL: &str = "\"\n}\n";

/// Whether a manifest is what was written; none if it does not end with a seal.
fn seal_of(bytes: &[u8]) -> Option<bool> {
    let (rest, seal) = bytes.strip_suffix(END_OF_SEAL.as_bytes())?.split_last_chunk::<64>()?;
    let body = rest.strip_suffix(SEAL.as_bytes())?;
    Some(blake3::hash(body).to_hex().as_bytes() == seal)
}
