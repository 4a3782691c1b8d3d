//! Stored parts → published tables.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;

use super::manifest::{Manifest, PartEntry, TableEntry};
use super::soundness;
use crate::error::{Error, Result};
use crate::files;
use crate::plan::{Part, Pipeline, PublishedTable};
use crate::run::{Run, add_axes};
use crate::store::Entry;
use crate::tables::frame::Cell;
use crate::tables::parquet::{self, DigestWriter, TableWriter};
use crate::tables::{Column, ColumnType, Table, TableSchema};

/// One file: all parts in the order of the matrix, axes in front; none where no part has a row of a table that may do without.
pub(super) fn put_file(run: &Run<'_>, table: &PublishedTable, new: &Path) -> Result<Option<TableEntry>> {
    let written = write_file(run, table, new)?;
    let is_optional = |part: Part<'_>| {
        let mut outputs = run.plan.tasks[part.task].work.outputs().iter();
        outputs.any(|output| output.is_optional && output.table() == part.table())
    };
    if written.rows > 0 || !table.parts.iter().all(is_optional) {
        return Ok(Some(written));
    }
    let path = new.join(&written.path);
    files::remove(&path).map_err(Error::io("remove", &path))?;
    Ok(None)
}

fn write_file(run: &Run<'_>, table: &PublishedTable, new: &Path) -> Result<TableEntry> {
    if let (1, Some(part)) = (table.parts.len(), table.parts.iter().next())
        && let Some(entry) = put_stored(run, table, part, new)?
    {
        return Ok(entry);
    }
    let (mut parts, mut entries) = (Vec::new(), Vec::new());
    for part in table.parts.iter() {
        let (read, digest) = run.read(part.task, |entry| {
            let digest = entry.record.table(part.table()).map(|(file, _)| file.digest.clone());
            // Where there is no such table, reading it says so.
            Ok((entry.read_table(part.table())?, digest.unwrap_or_default()))
        })?;
        let key = run.plan.tasks[part.task].key.clone();
        entries.push(PartEntry { key, table: part.table().to_owned(), rows: read.n_rows(), digest });
        parts.push((part.axes().cloned().collect::<Vec<_>>(), Arc::new(read)));
    }
    let path = format!("{}.parquet", table.name);
    let (rows, digest, bytes) = join(&table.name, &table.schema, &key_of(&entries), &parts, &new.join(&path))?;
    Ok(entry(table, path, rows, Some(digest), bytes, entries))
}

/// Writes parts, each with the values of its axes in front, as one table.
pub(super) fn join(
    name: &str,
    schema: &TableSchema,
    key: &str,
    parts: &[(impl AsRef<[Cell]>, Arc<Table>)],
    path: &Path,
) -> Result<(usize, String, u64)> {
    let internal = |message: String| Error::Internal { task: name.to_owned(), message };
    let mut batches = Vec::new();
    for (axes, part) in parts {
        for batch in &part.batches {
            batches.push(add_axes(schema, axes.as_ref(), batch).map_err(internal)?);
        }
    }
    // Many small parts become one row group, not one each.
    if parts.len() > 1 {
        batches = vec![concat_batches(&schema.to_arrow(), &batches).map_err(|error| internal(error.to_string()))?];
    }
    write_table(path, schema, key, &batches)
}

fn entry(
    table: &PublishedTable,
    path: String,
    rows: usize,
    digest: Option<String>,
    bytes: u64,
    parts: Vec<PartEntry>,
) -> TableEntry {
    TableEntry {
        name: table.name.clone(),
        stage: table.stage.clone(),
        path,
        schema: table.schema.clone(),
        n_axes: table.n_axes,
        register: table.register.clone(),
        rows,
        digest,
        bytes,
        parts,
    }
}

/// What a table of these parts says it was made by: the key of its only task, or a digest of all keys.
pub(super) fn key_of(parts: &[PartEntry]) -> String {
    match parts {
        [only] => only.key.as_str().to_owned(),
        parts => {
            let keys: String = parts.iter().map(|part| part.key.as_str()).collect();
            blake3::hash(keys.as_bytes()).to_hex().to_string()
        }
    }
}

/// A table that is published as it lies in the store, which needs no reading and writing anew; None if it is not.
fn put_stored(run: &Run<'_>, table: &PublishedTable, part: Part<'_>, new: &Path) -> Result<Option<TableEntry>> {
    let outputs = run.plan.tasks[part.task].work.outputs();
    if !outputs.iter().any(|output| output.table() == part.table() && *output.schema == table.schema) {
        return Ok(None);
    }
    let kept = KeptPart::sound(run, part)?;
    let path = format!("{}.parquet", table.name);
    kept.put(&new.join(&path))?;
    let (rows, digest) = (kept.entry.rows, kept.entry.digest.clone());
    Ok(Some(entry(table, path, rows, Some(digest), kept.bytes, vec![kept.entry])))
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
    fn sound(run: &Run<'_>, part: Part<'_>) -> Result<Self> {
        let file = format!("{}.parquet", part.table());
        run.read(part.task, |entry| {
            let bytes = entry.read_file(&file)?.len() as u64;
            let (digest, rows) = entry
                .record
                .table(part.table())
                .map_or_else(Default::default, |(file, table)| (file.digest.clone(), table.rows));
            let key = run.plan.tasks[part.task].key.clone();
            Ok(Self {
                result: entry.clone(),
                file: file.clone(),
                bytes,
                entry: PartEntry { key, table: part.table().to_owned(), rows, digest },
            })
        })
    }

    fn put(&self, target: &Path) -> Result<()> {
        self.result.put(&self.file, target)
    }
}

fn write_table(path: &Path, schema: &TableSchema, key: &str, batches: &[RecordBatch]) -> Result<(usize, String, u64)> {
    let writing = |error| crate::store::writing(path, error);
    // Never over a file that is there: it may be the store's under another name.
    let file = files::create_new(path).map_err(Error::io("create", path))?;
    let mut writer = TableWriter::new(DigestWriter::new(file), schema.clone(), key).map_err(writing)?;
    for batch in batches {
        writer.write(batch).map_err(writing)?;
    }
    let (rows, sink) = writer.finish().map_err(writing)?;
    let (_, digest, bytes) = sink.finish();
    Ok((rows, digest.to_hex().to_string(), bytes))
}

/// A folder with one part per run; none where no part has a row (a training that keeps no weights), which a folder of empty
/// files would only hide.
pub(super) fn put_parts(run: &Run<'_>, table: &PublishedTable, new: &Path) -> Result<Option<TableEntry>> {
    let folder = new.join(&table.name);
    files::create_folder(&folder).map_err(Error::io("create", &folder))?;
    let (mut parts, mut rows, mut bytes) = (Vec::new(), 0, 0);
    for part in table.parts.iter() {
        run.check_interrupted()?;
        let kept = KeptPart::sound(run, part)?;
        let target = folder.join(kept.entry.file_name());
        if !files::exists(&target).map_err(Error::io("read", &target))? {
            kept.put(&target)?;
            bytes += kept.bytes;
            rows += kept.entry.rows;
        }
        parts.push(kept.entry);
    }
    if rows == 0 {
        files::remove(&folder).map_err(Error::io("remove", &folder))?;
        return Ok(None);
    }
    Ok(Some(entry(table, format!("{}/", table.name), rows, None, bytes, parts)))
}

/// Puts the claims of all included pipelines and a composition's own into one table, which takes the place of its own.
pub(super) fn collect_claims(
    earlier: &[(&Path, &Manifest)],
    pipeline: &Pipeline,
    tables: &mut Vec<TableEntry>,
    new: &Path,
) -> Result<()> {
    let is_of_claims = |table: &&TableEntry| table.schema.kind == "claims";
    let included = earlier.iter().filter(|(_, manifest)| pipeline.includes.contains(&manifest.pipeline));
    let mut claims: Vec<(&str, &Path, &TableEntry)> = included
        .filter_map(|(folder, manifest)| {
            let table = manifest.tables.iter().find(is_of_claims)?;
            Some((manifest.pipeline.as_str(), *folder, table))
        })
        .collect();
    if claims.is_empty() {
        return Ok(());
    }
    claims.extend(tables.iter().filter(is_of_claims).map(|table| (pipeline.name.as_str(), new, table)));
    let internal = |message: String| Error::Internal { task: "claims".into(), message };
    let mut schema = claims[0].2.schema.clone();
    if schema.column("pipeline").is_none() {
        let column = Column::new("pipeline", ColumnType::Category, "", "pipeline that the claim belongs to");
        schema.columns.insert(0, column);
        schema.key.insert(0, "pipeline".into());
    }
    let (mut batches, mut parts) = (Vec::new(), Vec::new());
    for (name, folder, table) in claims {
        let bytes = soundness::read(folder, &table.path, table.digest.as_deref().unwrap_or_default())?;
        let read = parquet::read(bytes.into(), &table.schema).map_err(|error| internal(error.to_string()))?;
        for batch in read.batches {
            batches.push(match table.schema.column("pipeline") {
                Some(_) => batch,
                None => add_axes(&schema, &[Cell::Text(name.into())], &batch).map_err(internal)?,
            });
        }
        parts.extend(table.parts.iter().cloned());
    }
    let batches = vec![concat_batches(&schema.to_arrow(), &batches).map_err(|error| internal(error.to_string()))?];
    let path = new.join("claims.parquet");
    if let Some(own) = tables.iter().position(|table| table.schema.kind == "claims") {
        tables.remove(own);
        // Removed, not written over: it may be the store's file under another name.
        files::remove(&path).map_err(Error::io("remove", &path))?;
    }
    let (rows, digest, bytes) = write_table(&path, &schema, &key_of(&parts), &batches)?;
    tables.push(TableEntry {
        name: "claims".into(),
        stage: "claims".into(),
        path: "claims.parquet".into(),
        schema,
        n_axes: 0,
        register: None,
        rows,
        digest: Some(digest),
        bytes,
        parts,
    });
    Ok(())
}
