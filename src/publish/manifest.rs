//! `manifest.json`: where every number in a published folder comes from.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
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
        for (task, coordinates) in stage.tasks.iter().zip(&stage.coordinates) {
            add(plan.tasks[*task].key.as_str());
            add(&serde_json::to_string(&**coordinates).expect("plain data"));
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
            axes: stage.axes.clone(),
            tasks: stage
                .tasks
                .iter()
                .zip(&stage.coordinates)
                .map(|(&task, coordinates)| TaskEntry {
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
            axes: pipeline.axes.clone(),
            equations: equations(plan, pipeline),
            stages: stages.collect(),
            tables,
            figures,
        }
    }

    /// What the manifest would say of tasks and parameters, before anything ran.
    pub fn planned(plan: &Plan, pipeline: &Pipeline) -> Self {
        Self::new(plan, pipeline, Vec::new(), fingerprint(plan, pipeline), Vec::new(), Vec::new())
    }

    /// The manifest of a published folder; none where there is no such folder or another version wrote it.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        match fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice::<Self>(&bytes).ok().filter(|manifest| manifest.format == FORMAT)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(Error::io("read", &path)(error)),
        }
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        fs::write(&path, self.to_text()).map_err(Error::io("write", &path))
    }

    /// The manifest as it is written.
    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).expect("a manifest is plain data") + "\n"
    }

    /// Whether every file that it speaks of is there, with the size that it had, and it says what it was made from.
    pub(super) fn is_complete(&self, folder: &Path) -> bool {
        let size = |path: &Path| fs::metadata(path).map(|metadata| metadata.len()).ok();
        let figures = self.figures.iter().all(|file| size(&folder.join(&file.name)) == Some(file.bytes));
        let tables = self.tables.iter().all(|table| {
            let path = folder.join(&table.path);
            match table.digest {
                Some(_) => size(&path) == Some(table.bytes),
                None => table.parts.iter().all(|part| path.join(format!("{}.parquet", part.key.short())).is_file()),
            }
        });
        !self.sources.is_empty() && figures && tables && folder.join("views.sql").is_file()
    }

    /// Every result that the folder was made of.
    pub fn keys(&self) -> Vec<Key> {
        self.stages.iter().flat_map(|stage| stage.tasks.iter().map(|task| task.key.clone())).collect()
    }
}
