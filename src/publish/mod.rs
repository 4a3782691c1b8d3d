//! Results → the folder that people open, switched in one step from one complete state to the next.

mod explain;
mod folder;
pub mod manifest;
mod views;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;

use crate::error::{Error, Result};
use crate::plan::{Part, Pipeline, Plan, PublishedTable};
use crate::run::{Run, add_axes};
use crate::store::Entry;
use crate::tables::parquet::{DigestWriter, TableWriter};
use crate::tables::{Column, ColumnType, Layout, TableSchema};
pub use explain::{Change, changed_values, explain};
use manifest::{FileEntry, Manifest, PartEntry, Source, TableEntry};

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

/// Publishes one pipeline of a finished run.
///
/// # Errors
/// A result cannot be read or made again, or the folder not be written.
pub fn publish(run: &Run<'_>, pipeline: &Pipeline, outputs: &Path, earlier: &[Published]) -> Result<Published> {
    let folder = outputs.join(&pipeline.name);
    let expected = manifest::fingerprint(run.plan, pipeline);
    let sources = sources(pipeline);
    // The same plan may be written otherwise by now (a comment, another tuning with the same outcome): what is archived
    // is what was published, so that has to be what a fresh run would publish.
    let is_current = |found: &Manifest| found.fingerprint == expected && found.sources == sources;
    let found = Manifest::read(&folder)?.filter(|found| is_current(found) && found.is_complete(&folder));
    let forced = run.statuses.forced.contains(&true);
    if let Some(found) = &found
        && !forced
    {
        return Ok(Published { folder, manifest: found.clone(), changed: false });
    }
    let workshop = run.session.workshop()?;
    let new = workshop.path().join(&pipeline.name);
    fs::create_dir(&new).map_err(Error::io("create", &new))?;
    let mut tables = Vec::new();
    for table in &pipeline.tables {
        run.check_interrupted()?;
        tables.push(match table.schema.layout {
            Layout::File => write_file(run, table, &new)?,
            Layout::Folder => copy_folder(run, table, &new)?,
        });
    }
    if !pipeline.includes.is_empty() {
        tables.extend(collect_claims(earlier, &pipeline.includes, &new)?);
    }
    let mut files = Vec::new();
    for file in &pipeline.files {
        let content = run.read(file.task, |entry| entry.read_file(file.file))?;
        let path = new.join(&file.name);
        fs::write(&path, &content).map_err(Error::io("write", &path))?;
        files.push(FileEntry {
            name: file.name.clone(),
            stage: file.stage.clone(),
            key: run.plan.tasks[file.task].key.clone(),
            digest: blake3::hash(&content).to_hex().to_string(),
            bytes: content.len() as u64,
        });
    }
    views::write(&new, &folder, pipeline, &tables)?;
    let manifest = Manifest::new(run.plan, pipeline, sources, expected, tables, files);
    manifest.write(&new)?;
    if let Some(found) = &found {
        confirm(run, found, &manifest);
    }
    folder::replace(&new, &folder, workshop.path())?;
    Ok(Published { folder, manifest, changed: true })
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

/// One file: all parts in the order of the matrix, axes in front.
fn write_file(run: &Run<'_>, table: &PublishedTable, new: &Path) -> Result<TableEntry> {
    if let [part] = &table.parts[..]
        && let Some(entry) = copy_file(run, table, part, new)?
    {
        return Ok(entry);
    }
    let internal = |message: String| Error::Internal { task: table.name.clone(), message };
    let mut parts = Vec::new();
    let mut batches = Vec::new();
    for part in table.parts.iter() {
        let read = run.obtain(part.task, &part.table, false)?;
        for batch in &read.batches {
            batches.push(add_axes(&table.schema, &part.axes, batch).map_err(internal)?);
        }
        parts.push(part_entry(run, part.task, &part.table, read.n_rows())?);
    }
    let path = new.join(format!("{}.parquet", table.name));
    let key = key_of(&parts);
    // Many small parts become one row group, not one each.
    let batches = if parts.len() > 1 {
        vec![concat_batches(&table.schema.to_arrow(), &batches).map_err(|error| internal(error.to_string()))?]
    } else {
        batches
    };
    let (rows, digest, bytes) = write_table(&path, &table.schema, &key, &batches)?;
    Ok(TableEntry {
        name: table.name.clone(),
        stage: table.stage.clone(),
        path: format!("{}.parquet", table.name),
        schema: table.schema.clone(),
        rows,
        digest: Some(digest),
        bytes,
        parts,
    })
}

/// What a table of these parts says it was made by: the key of its only task, or a digest of all keys.
fn key_of(parts: &[PartEntry]) -> String {
    match parts {
        [only] => only.key.as_str().to_owned(),
        parts => {
            let keys: String = parts.iter().map(|part| part.key.as_str()).collect();
            blake3::hash(keys.as_bytes()).to_hex().to_string()
        }
    }
}

/// A table that is published as it lies in the store, which needs no reading and writing anew; None if it is not.
fn copy_file(run: &Run<'_>, table: &PublishedTable, part: &Part, new: &Path) -> Result<Option<TableEntry>> {
    let outputs = run.plan.tasks[part.task].work.outputs();
    if !outputs.iter().any(|output| output.table() == &*part.table && *output.schema == table.schema) {
        return Ok(None);
    }
    let kept = KeptPart::sound(run, part)?;
    let path = format!("{}.parquet", table.name);
    kept.copy_to(&new.join(&path))?;
    Ok(Some(TableEntry {
        name: table.name.clone(),
        stage: table.stage.clone(),
        path,
        schema: table.schema.clone(),
        rows: kept.entry.rows,
        digest: Some(kept.entry.digest.clone()),
        bytes: kept.bytes,
        parts: vec![kept.entry],
    }))
}

/// The file of one part in the store.
struct KeptPart {
    result: Entry,
    file: String,
    bytes: u64,
    entry: PartEntry,
}

impl KeptPart {
    /// The part, made again if its bytes are not those that were stored: damage must not spread into what people open.
    fn sound(run: &Run<'_>, part: &Part) -> Result<Self> {
        let file = format!("{}.parquet", part.table);
        run.read(part.task, |entry| {
            let bytes = entry.read_file(&file)?.len() as u64;
            let (digest, rows) = entry
                .record
                .table(&part.table)
                .map_or_else(Default::default, |(file, table)| (file.digest.clone(), table.rows));
            let key = run.plan.tasks[part.task].key.clone();
            Ok(Self {
                result: entry.clone(),
                file: file.clone(),
                bytes,
                entry: PartEntry { key, table: part.table.to_string(), rows, digest },
            })
        })
    }

    fn copy_to(&self, target: &Path) -> Result<()> {
        self.result.copy_to(&self.file, target)
    }
}

fn write_table(path: &Path, schema: &TableSchema, key: &str, batches: &[RecordBatch]) -> Result<(usize, String, u64)> {
    let writing = |error| crate::store::writing(path, error);
    let file = fs::File::create(path).map_err(Error::io("create", path))?;
    let mut writer = TableWriter::new(DigestWriter::new(file), schema.clone(), key).map_err(writing)?;
    for batch in batches {
        writer.write(batch).map_err(writing)?;
    }
    let (rows, sink) = writer.finish().map_err(writing)?;
    let (_, digest, bytes) = sink.finish();
    Ok((rows, digest.to_hex().to_string(), bytes))
}

/// A folder with one part a run.
fn copy_folder(run: &Run<'_>, table: &PublishedTable, new: &Path) -> Result<TableEntry> {
    let folder = new.join(&table.name);
    fs::create_dir(&folder).map_err(Error::io("create", &folder))?;
    let (mut parts, mut rows, mut bytes) = (Vec::new(), 0, 0);
    for part in table.parts.iter() {
        run.check_interrupted()?;
        let kept = KeptPart::sound(run, part)?;
        let target = folder.join(format!("{}.parquet", kept.entry.key.short()));
        if !target.exists() {
            kept.copy_to(&target)?;
            bytes += kept.bytes;
            rows += kept.entry.rows;
        }
        parts.push(kept.entry);
    }
    Ok(TableEntry {
        name: table.name.clone(),
        stage: table.stage.clone(),
        path: format!("{}/", table.name),
        schema: table.schema.clone(),
        rows,
        digest: None,
        bytes,
        parts,
    })
}

fn part_entry(run: &Run<'_>, task: usize, table: &str, rows: usize) -> Result<PartEntry> {
    let key = run.plan.tasks[task].key.clone();
    let entry = run.store.find(&key)?;
    let digest = entry.as_ref().and_then(|entry| entry.record.table(table)).map(|(file, _)| file.digest.clone());
    Ok(PartEntry { key, table: table.to_owned(), rows, digest: digest.unwrap_or_default() })
}

/// The claims of all included pipelines in one table.
fn collect_claims(earlier: &[Published], includes: &[String], new: &Path) -> Result<Option<TableEntry>> {
    let mut batches: Vec<RecordBatch> = Vec::new();
    let mut parts = Vec::new();
    let mut schema: Option<TableSchema> = None;
    for published in earlier.iter().filter(|published| includes.contains(&published.manifest.pipeline)) {
        let Some(table) = published.manifest.tables.iter().find(|table| table.schema.kind == "claims") else {
            continue;
        };
        let path = published.folder.join(&table.path);
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        let internal = |message: String| Error::Internal { task: "claims".into(), message };
        let read =
            crate::tables::parquet::read(bytes.into(), &table.schema).map_err(|error| internal(error.to_string()))?;
        let schema = schema.get_or_insert_with(|| {
            let mut schema = table.schema.clone();
            if schema.column("pipeline").is_none() {
                schema
                    .columns
                    .insert(0, Column::new("pipeline", ColumnType::Category, "", "pipeline that the claim belongs to"));
                schema.key.insert(0, "pipeline".into());
            }
            schema
        });
        for batch in &read.batches {
            let batch = if table.schema.column("pipeline").is_some() {
                batch.clone()
            } else {
                let name = crate::tables::frame::Cell::Text(published.manifest.pipeline.as_str().into());
                add_axes(schema, &[name], batch).map_err(internal)?
            };
            batches.push(batch);
        }
        parts.extend(table.parts.iter().cloned());
    }
    let Some(schema) = schema else { return Ok(None) };
    let path = new.join("claims.parquet");
    let key = key_of(&parts);
    let batches = vec![
        concat_batches(&schema.to_arrow(), &batches)
            .map_err(|error| Error::Internal { task: "claims".into(), message: error.to_string() })?,
    ];
    let (rows, digest, bytes) = write_table(&path, &schema, &key, &batches)?;
    Ok(Some(TableEntry {
        name: "claims".into(),
        stage: "claims".into(),
        path: "claims.parquet".into(),
        schema,
        rows,
        digest: Some(digest),
        bytes,
        parts,
    }))
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
/// A manifest cannot be read.
pub fn referred_keys(outputs: &Path) -> Result<Vec<(String, Vec<crate::store::Key>)>> {
    let mut referred = Vec::new();
    for folder in folder::published(outputs)? {
        if let Some(manifest) = Manifest::read(&folder)? {
            referred.push((manifest.pipeline.clone(), manifest.keys()));
        }
    }
    Ok(referred)
}
