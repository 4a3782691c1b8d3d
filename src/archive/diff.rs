//! Two published runs, archives or pipelines → what changed: parameters, tasks, tables, numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;

use super::compare::compare;
use super::{Fault, Verified, container};
use crate::error::{Error, Result};
use crate::publish::manifest::{Manifest, StageEntry, TableEntry};
use crate::publish::{self, changed_values};
use crate::tables::{ColumnType, Layout, parquet};

/// Stands for a training, and changes whenever anything about it does: rows are matched without it.
const RUN_ID: &str = "run_id";

/// One of the two.
#[derive(Debug)]
pub struct Side {
    /// As the user named it.
    pub label: String,
    /// The pipeline asked for, then what it includes.
    pub manifests: Vec<Manifest>,
    /// What stands behind the name.
    pub content: Content,
}

/// Where the tables are.
#[derive(Debug)]
pub enum Content {
    /// The folder in which published folders lie.
    Outputs(PathBuf),
    /// An archive, verified.
    Archive(PathBuf, Box<Verified>),
    /// A pipeline that was only planned has none.
    Planned,
}

/// Says what differs, as text for people.
///
/// # Errors
/// An archive or a table cannot be read.
pub fn diff(a: &Side, b: &Side) -> Result<String> {
    let mut text = String::new();
    for (name, side) in [("A", a), ("B", b)] {
        let main = &side.manifests[0];
        put(
            &mut text,
            format_args!("{name}: {}: `{}`, {} {}", side.label, main.pipeline, main.program.name, main.program.version),
        );
    }
    let mut differs = false;
    for (position, old) in a.manifests.iter().enumerate() {
        // The two asked for are compared whatever they are called; what they include, by name.
        let new = if position == 0 {
            b.manifests.first()
        } else {
            b.manifests.iter().find(|new| new.pipeline == old.pipeline)
        };
        let Some(new) = new else {
            put(&mut text, format_args!("\n{}: only in A", old.pipeline));
            differs = true;
            continue;
        };
        let found = pipelines(a, old, b, new)?;
        if !found.is_empty() {
            differs = true;
            if a.manifests.len() > 1 {
                put(&mut text, format_args!("\n== {}", old.pipeline));
            }
            text += &found;
        }
    }
    for new in
        b.manifests.iter().skip(1).filter(|new| a.manifests.iter().skip(1).all(|old| old.pipeline != new.pipeline))
    {
        put(&mut text, format_args!("\n{}: only in B", new.pipeline));
        differs = true;
    }
    if !differs {
        put(&mut text, format_args!("\nno difference"));
    }
    Ok(text.trim_end().to_owned())
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a string");
}

fn pipelines(a: &Side, old: &Manifest, b: &Side, new: &Manifest) -> Result<String> {
    let mut text = String::new();
    let mut section = |heading: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            put(&mut text, format_args!("\n{heading}"));
            lines.iter().for_each(|line| put(&mut text, format_args!("  {line}")));
        }
    };
    let mut program = Vec::new();
    if old.program.version != new.program.version {
        program.push(format!("version: {} → {}", old.program.version, new.program.version));
    }
    if old.program.linear_algebra != new.program.linear_algebra {
        program.push(format!("linear algebra: {} → {}", old.program.linear_algebra, new.program.linear_algebra));
    }
    section("program", program);
    section("pipeline", changed_values(&old.document, &new.document));
    section("tasks", tasks(old, new));
    if !matches!((&a.content, &b.content), (Content::Planned, _) | (_, Content::Planned)) {
        section("tables", tables(a, old, b, new)?);
        section("figures", figures(old, new));
    }
    Ok(text)
}

/// Which tasks have another key, and why.
fn tasks(old: &Manifest, new: &Manifest) -> Vec<String> {
    let mut lines = Vec::new();
    for stage in &old.stages {
        let Some(other) = new.stages.iter().find(|other| other.name == stage.name) else {
            lines.push(format!("{}: only in A", stage.name));
            continue;
        };
        lines.extend(stage_tasks(stage, other));
    }
    lines.extend(
        new.stages
            .iter()
            .filter(|stage| old.stages.iter().all(|other| other.name != stage.name))
            .map(|stage| format!("{}: only in B", stage.name)),
    );
    lines
}

fn stage_tasks(old: &StageEntry, new: &StageEntry) -> Vec<String> {
    // By the values of the axes, whatever their order.
    let by_coordinates = |stage: &StageEntry| -> BTreeMap<String, usize> {
        let named = |index: usize| {
            let mut named: Vec<String> = stage
                .axes
                .iter()
                .zip(&stage.tasks[index].coordinates)
                .map(|(axis, value)| format!("{axis}={value}"))
                .collect();
            named.sort();
            named.join(" ")
        };
        (0..stage.tasks.len()).map(|index| (named(index), index)).collect()
    };
    let (olds, news) = (by_coordinates(old), by_coordinates(new));
    let mut lines = Vec::new();
    // Equal reasons in one line, with the tasks that share them.
    let mut reasons: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (place, &index) in &olds {
        let Some(&other) = news.get(place) else { continue };
        let (before, after) = (&old.tasks[index], &new.tasks[other]);
        if before.key == after.key {
            continue;
        }
        let (before, after) = (&before.material, &after.material);
        let mut changes = Vec::new();
        if before.kind != after.kind || before.version != after.version {
            changes
                .push(format!("{} version {} → {} version {}", before.kind, before.version, after.kind, after.version));
        }
        changes.extend(changed_values(&before.parameters, &after.parameters));
        if changes.is_empty() {
            changes.push("other inputs".to_owned());
        }
        reasons.entry(changes.join("; ")).or_default().push(place);
    }
    for (reason, places) in reasons {
        let which = match places.as_slice() {
            [""] => String::new(),
            [only] => format!(" {only}"),
            places => format!(" {} of {} tasks, the first: {}", places.len(), olds.len(), places[0]),
        };
        lines.push(format!("{}{which}: {reason}", old.name));
    }
    let missing = |from: &BTreeMap<String, usize>, there: &BTreeMap<String, usize>| {
        from.keys().filter(|place| !there.contains_key(*place)).count()
    };
    for (count, side) in [(missing(&olds, &news), "A"), (missing(&news, &olds), "B")] {
        if count > 0 {
            lines.push(format!("{}: {count} tasks only in {side}", old.name));
        }
    }
    lines
}

/// Which tables have other bytes, and what differs in them.
fn tables(a: &Side, old: &Manifest, b: &Side, new: &Manifest) -> Result<Vec<String>> {
    let pairs: Vec<(&TableEntry, &TableEntry)> = old
        .tables
        .iter()
        .filter_map(|table| Some((table, new.tables.iter().find(|other| other.name == table.name)?)))
        .filter(|(old, new)| digests(old) != digests(new))
        .collect();
    let wanted = |side: fn(&(&TableEntry, &TableEntry)) -> String| -> BTreeSet<String> {
        pairs.iter().filter(|(old, _)| old.schema.layout == Layout::File).map(side).collect()
    };
    let mut olds = a.read(old, &wanted(|(old, _)| old.path.clone()))?;
    let mut news = b.read(new, &wanted(|(_, new)| new.path.clone()))?;
    let mut lines = Vec::new();
    for (before, after) in &pairs {
        let name = &before.name;
        if before.schema.layout == Layout::Folder {
            let (ours, theirs) = (digests(before), digests(after));
            lines.push(format!(
                "{name}: {} of {} parts have other bytes",
                ours.difference(&theirs).count(),
                ours.len()
            ));
            continue;
        }
        let short = |table: &TableEntry| table.digest.as_deref().unwrap_or_default()[..16].to_owned();
        lines.push(format!("{name}: {} → {}", short(before), short(after)));
        let (Some(ours), Some(theirs)) = (olds.remove(&before.path), news.remove(&after.path)) else {
            lines.push("    its values are not in the archive".to_owned());
            continue;
        };
        lines.extend(numbers(before, ours, after, theirs).into_iter().map(|line| format!("    {line}")));
    }
    let only = |from: &Manifest, there: &Manifest, side: &str| -> Vec<String> {
        let missing = from.tables.iter().filter(|table| there.tables.iter().all(|other| other.name != table.name));
        missing.map(|table| format!("{}: only in {side}", table.name)).collect()
    };
    lines.extend(only(old, new, "A"));
    lines.extend(only(new, old, "B"));
    Ok(lines)
}

fn digests(table: &TableEntry) -> BTreeSet<&str> {
    match &table.digest {
        Some(digest) => [digest.as_str()].into(),
        None => table.parts.iter().map(|part| part.digest.as_str()).collect(),
    }
}

fn numbers(old: &TableEntry, ours: Vec<u8>, new: &TableEntry, theirs: Vec<u8>) -> Vec<String> {
    let read = |bytes: Vec<u8>, table: &TableEntry| -> Option<RecordBatch> {
        let batch = parquet::read(bytes.into(), &table.schema).ok()?.to_batch().ok()?;
        let kept = (0..batch.num_columns()).filter(|&at| batch.schema().field(at).name() != RUN_ID).collect::<Vec<_>>();
        batch.project(&kept).ok()
    };
    let (Some(ours), Some(theirs)) = (read(ours, old), read(theirs, new)) else {
        return vec!["cannot be read as the table that its manifest describes".to_owned()];
    };
    let is_there = |name: &&str| [&ours, &theirs].iter().all(|batch| batch.column_by_name(name).is_some());
    let mut key: Vec<&str> = old.schema.key.iter().map(AsRef::as_ref).filter(is_there).collect();
    if key.is_empty() {
        // A query's table names no key: what it did not compute tells its rows apart.
        let told_apart = old.schema.columns.iter().filter(|column| column.kind != ColumnType::Float64);
        key = told_apart.map(|column| column.name.as_ref()).filter(is_there).collect();
    }
    let Ok(differences) = compare(&ours, &theirs, &key) else {
        return vec!["cannot be compared: its columns have other types".to_owned()];
    };
    if differences.is_empty() {
        return vec![format!("the same values, apart from `{RUN_ID}`, keys and metadata")];
    }
    let mut lines = Vec::new();
    if differences.only_old > 0 {
        lines.push(format!("{} rows only in A", differences.only_old));
    }
    if differences.only_new > 0 {
        lines.push(format!("{} rows only in B", differences.only_new));
    }
    lines.extend(differences.columns_only_old.iter().map(|name| format!("{name}: only in A")));
    lines.extend(differences.columns_only_new.iter().map(|name| format!("{name}: only in B")));
    for column in &differences.columns {
        let mut line = format!("{}: {} of {} rows", column.column, column.rows, differences.common_rows);
        if let Some(deviation) = column.deviation {
            line += &format!(", by up to {:.4e} ({:.2e} relative)", deviation.absolute, deviation.relative);
        }
        lines.push(line);
    }
    lines
}

fn figures(old: &Manifest, new: &Manifest) -> Vec<String> {
    let mut lines = Vec::new();
    for figure in &old.figures {
        match new.figures.iter().find(|other| other.name == figure.name) {
            Some(other) if other.digest == figure.digest => {}
            Some(other) => lines.push(format!("{}: {} → {}", figure.name, &figure.digest[..16], &other.digest[..16])),
            None => lines.push(format!("{}: only in A", figure.name)),
        }
    }
    let added = new.figures.iter().filter(|figure| old.figures.iter().all(|other| other.name != figure.name));
    lines.extend(added.map(|figure| format!("{}: only in B", figure.name)));
    lines
}

impl Side {
    /// The content of files of a pipeline's folder, as far as they are there.
    fn read(&self, manifest: &Manifest, wanted: &BTreeSet<String>) -> Result<BTreeMap<String, Vec<u8>>> {
        let mut found = BTreeMap::new();
        match &self.content {
            Content::Planned => {}
            Content::Outputs(outputs) => {
                let folder = outputs.join(&manifest.pipeline);
                for file in manifest.files().into_iter().filter(|file| wanted.contains(&file.path)) {
                    let content = publish::read(&folder, &file.path, file.digest)?;
                    found.insert(file.path, content);
                }
            }
            Content::Archive(file, verified) => {
                let prefix = format!("{}/data/outputs/{}/", verified.name, manifest.pipeline);
                let read = container::read(file, |path, _, content| {
                    let Some(path) = path.strip_prefix(&prefix).filter(|path| wanted.contains(*path)) else {
                        return Ok(());
                    };
                    let mut bytes = Vec::new();
                    content.read_to_end(&mut bytes).map_err(|error| Fault::entry(path, error.to_string()))?;
                    found.insert(path.to_owned(), bytes);
                    Ok(())
                });
                if read.map_err(|fault| fault.of(file))? != verified.summary {
                    return Err(Error::Check(format!("{} changed while it was read", file.display())));
                }
            }
        }
        Ok(found)
    }

    /// What was published in a folder.
    ///
    /// # Errors
    /// A folder that it includes is missing.
    pub fn published(label: &str, folder: &Path) -> Result<Self> {
        let outputs = folder.parent().unwrap_or(Path::new(".")).to_owned();
        let mut manifests: Vec<Manifest> = Vec::new();
        let mut waiting = vec![folder.to_owned()];
        while let Some(folder) = waiting.pop() {
            let manifest = Manifest::of(&folder)?;
            if manifests.iter().any(|known| known.pipeline == manifest.pipeline) {
                continue;
            }
            waiting.extend(manifest.includes.iter().rev().map(|name| outputs.join(name)));
            manifests.push(manifest);
        }
        Ok(Self { label: label.to_owned(), manifests, content: Content::Outputs(outputs) })
    }
}
