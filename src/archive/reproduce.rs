//! An archive → the same run once more, in a scratch folder → is it the same?

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use super::likeness::Verdict;
use super::likeness::{drawings, pictures, tables};
use super::{Fault, Verified, container};
use crate::datasets::{self, DataSetInfo};
use crate::error::{Error, Result};
use crate::plan::Request;
use crate::publish::Published;
use crate::publish::manifest::{Listed, Manifest, TableEntry};
use crate::words::paths;

/// The scratch folder, as a project: the archive's own pipelines, and data sets that are those of the archive.
#[derive(Debug)]
pub struct Laid {
    /// Where its results are published.
    pub outputs: PathBuf,
    /// Where its data sets are.
    pub data: PathBuf,
    /// Where its pipelines are.
    pub pipelines: PathBuf,
    /// What to run in it.
    pub request: Request,
}

impl Laid {
    /// Lays the project out in `folder`; `data_folders` is where data sets are looked up.
    ///
    /// # Errors
    /// A data set of the archive is missing or is another, or the folder cannot be written.
    pub fn out(verified: &Verified, folder: &Path, data_folders: &[PathBuf], to: Option<&str>) -> Result<Self> {
        let main = verified.published.main();
        let project = Self {
            outputs: folder.join("outputs"),
            data: folder.join("data"),
            pipelines: folder.join("pipelines"),
            request: Request {
                pipeline: folder.join(&main.sources[0].path).display().to_string(),
                overrides: main.overrides.clone(),
                publish_as: Some(main.pipeline.clone()),
                to: to.map(str::to_owned).or_else(|| main.to.clone()),
                // What was archived was planned before.
                large: true,
                memory: None,
            },
        };
        let sources = verified.published.sources().map_err(Error::Check)?;
        for source in sources.into_values() {
            let path = folder.join(&source.path);
            let parent = path.parent().expect("a file lies in a folder");
            fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
            fs::write(&path, &source.text).map_err(Error::io("write", &path))?;
        }
        fs::create_dir_all(&project.data).map_err(Error::io("create", &project.data))?;
        // Only what the archive was made from: an optional data set that was absent then is absent now.
        let known = datasets::list(data_folders)?;
        for set in &verified.published.data_sets {
            let named = known.iter().find(|info| info.name == set.name);
            let same = |info: &&DataSetInfo| info.identity() == set.identity;
            let info = named.filter(same).or_else(|| known.iter().find(same)).ok_or_else(|| {
                Error::usage(format!(
                    "the data set `{}` ({}) is {} in {}; REPRODUCE.md in the archive has the checksums of its files, and \
                     `--data DIR` says where to look",
                    set.name,
                    set.title,
                    if named.is_some() { "another one" } else { "missing" },
                    paths(data_folders)
                ))
            })?;
            let (from, to) = (fs::canonicalize(&info.folder), project.data.join(&set.name));
            let from = from.map_err(Error::io("read", &info.folder))?;
            link_folder(&from, &to).map_err(Error::io("create", &to))?;
        }
        Ok(project)
    }
}

#[cfg(unix)]
fn link_folder(from: &Path, to: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(from, to)
}

#[cfg(not(unix))]
fn link_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if let Some(name) = path.file_name().filter(|_| path.is_file()) {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// How one table or figure came out.
#[derive(Debug)]
pub struct Outcome {
    /// `fig4/variance`, `fig4/fig4.svg`
    pub name: String,
    /// How it came out.
    pub verdict: Verdict,
}

/// Compares what was published anew with what the archive holds, table by table.
///
/// # Errors
/// The archive is not the one that was verified, or a file cannot be read.
pub fn judge(file: &Path, verified: &Verified, published: &[Published]) -> Result<Vec<Outcome>> {
    let mut comparisons = Vec::new();
    for old in &verified.published.manifests {
        let Some(new) = published.iter().find(|new| new.manifest.pipeline == old.pipeline) else { continue };
        comparisons.extend(comparisons_of(old, new));
    }
    // Only what differs is taken out of the archive: one file at a time, into memory.
    let wanted: BTreeMap<String, usize> = comparisons
        .iter()
        .enumerate()
        .flat_map(|(index, one)| one.differing.iter().map(move |path| (format!("{}/{path}", one.folder), index)))
        .collect();
    if !wanted.is_empty() {
        let prefix = format!("{}/data/", verified.name);
        let again = container::read(file, |path, _, content| {
            let Some((path, index)) = path.strip_prefix(&prefix).and_then(|path| Some((path, *wanted.get(path)?)))
            else {
                return Ok(());
            };
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes).map_err(|error| Fault::entry(path, error.to_string()))?;
            let inside = path.strip_prefix(&format!("{}/", comparisons[index].folder)).unwrap_or(path).to_owned();
            comparisons[index].look_into(&inside, bytes);
            Ok(())
        });
        if again.map_err(|fault| fault.of(file))? != verified.summary {
            return Err(Error::Check(format!("{} changed while it was read", file.display())));
        }
    }
    Ok(comparisons.into_iter().map(Comparison::verdict).collect())
}

/// A table or figure of which some files may differ.
struct Comparison<'a> {
    name: String,
    /// `outputs/fig4`
    folder: String,
    kind: Kind<'a>,
    new_folder: &'a Path,
    tolerance: Option<f64>,
    missing: bool,
    /// Files whose digests differ, relative to the folder.
    differing: Vec<String>,
    /// What was found in those that the archive holds.
    findings: Vec<Verdict>,
}

enum Kind<'a> {
    Table(&'a TableEntry, &'a TableEntry),
    Figure,
}

fn comparisons_of<'a>(old: &'a Manifest, new: &'a Published) -> Vec<Comparison<'a>> {
    let folder = format!("outputs/{}", old.pipeline);
    let tolerances = tolerances(old);
    let made = |stage: &str| stage == "claims" || new.manifest.stages.iter().any(|made| made.name == stage);
    let mut comparisons = Vec::new();
    for table in old.tables.iter().filter(|table| made(&table.stage)) {
        let found = new.manifest.tables.iter().find(|other| other.name == table.name);
        // `claims` may be a stage that this run stops before; earlier versions published folders without a row.
        if found.is_none() && (table.rows == 0 || !new.manifest.stages.iter().any(|made| made.name == table.stage)) {
            continue;
        }
        let again = found.map(TableEntry::files).unwrap_or_default();
        let same =
            |file: &Listed<'_>| again.iter().any(|other| (&other.path, other.digest) == (&file.path, file.digest));
        let differing = table.files().into_iter().filter(|file| !same(file)).map(|file| file.path).collect();
        comparisons.push(Comparison {
            name: format!("{}/{}", old.pipeline, table.name),
            folder: folder.clone(),
            kind: Kind::Table(table, found.unwrap_or(table)),
            new_folder: &new.folder,
            tolerance: table
                .parts
                .iter()
                .filter_map(|part| tolerances.get(part.key.as_str()))
                .copied()
                .reduce(f64::max),
            missing: found.is_none(),
            differing,
            findings: Vec::new(),
        });
    }
    for figure in old.figures.iter().filter(|figure| made(&figure.stage)) {
        let found = new.manifest.figures.iter().find(|other| other.name == figure.name);
        let same = found.is_some_and(|found| found.digest == figure.digest);
        comparisons.push(Comparison {
            name: format!("{}/{}", old.pipeline, figure.name),
            folder: folder.clone(),
            kind: Kind::Figure,
            new_folder: &new.folder,
            tolerance: tolerances.get(figure.key.as_str()).copied(),
            missing: found.is_none(),
            differing: if same || found.is_none() { Vec::new() } else { vec![figure.name.clone()] },
            findings: Vec::new(),
        });
    }
    comparisons
}

/// By key: the tolerance of a task's tables, or that of what it was made from.
fn tolerances(manifest: &Manifest) -> BTreeMap<&str, f64> {
    let mut tolerances: BTreeMap<&str, f64> = BTreeMap::new();
    for table in &manifest.tables {
        if let Some(tolerance) = table.schema.tolerance() {
            tolerances.extend(table.parts.iter().map(|part| (part.key.as_str(), tolerance)));
        }
    }
    // Stages may stand in the file in any order: until nothing is added.
    loop {
        let tasks = manifest.stages.iter().flat_map(|stage| &stage.tasks);
        let inherited: Vec<(&str, f64)> = tasks
            .filter(|task| !tolerances.contains_key(task.key.as_str()))
            .filter_map(|task| {
                let inputs = task.material.inputs.iter().filter_map(|input| tolerances.get(input.key.as_str()));
                Some((task.key.as_str(), inputs.copied().reduce(f64::max)?))
            })
            .collect();
        if inherited.is_empty() {
            return tolerances;
        }
        tolerances.extend(inherited);
    }
}

impl Comparison<'_> {
    /// Takes a differing file of the archive and finds out what differs.
    fn look_into(&mut self, path: &str, old: Vec<u8>) {
        let new_path = self.new_folder.join(path);
        let Ok(new) = fs::read(&new_path) else {
            self.findings.push(Verdict::OtherBytes("one of its files is not there"));
            return;
        };
        let finding = match &self.kind {
            Kind::Table(before, after) => tables(before, after, old, new, self.tolerance),
            Kind::Figure if path.ends_with(".svg") => drawings(&old, &new, self.tolerance),
            Kind::Figure => pictures(&old, &new, self.tolerance),
        };
        self.findings.push(finding);
    }

    fn verdict(self) -> Outcome {
        let rank = |verdict: &Verdict| match verdict {
            Verdict::Identical => 0,
            Verdict::SameValues => 1,
            Verdict::Within { .. } => 2,
            _ => 3,
        };
        let verdict = if self.missing {
            Verdict::Missing
        } else if self.differing.is_empty() {
            Verdict::Identical
        } else if self.findings.len() < self.differing.len() {
            Verdict::OtherBytes("another digest; the archive does not hold its values (see `archive --with`)")
        } else {
            self.findings.into_iter().max_by_key(rank).expect("as many as files that differ")
        };
        Outcome { name: self.name, verdict }
    }
}

/// Where the archive was made by another version of the program, or with other mathematics: worth a word before the
/// comparison.
pub fn caveats(verified: &Verified) -> Vec<String> {
    let (then, now) = (&verified.published.main().program, crate::publish::manifest::Program::this());
    let mut caveats = Vec::new();
    if then.version != now.version {
        caveats.push(format!("the archive was made by ojaflow {}, this is {}", then.version, now.version));
    }
    if then.linear_algebra != now.linear_algebra {
        caveats.push(format!("decompositions were made by {}, here by {}", then.linear_algebra, now.linear_algebra));
    }
    caveats
}

/// What the archive's keys and the plan's have in common: says which stages became others since.
pub fn changed_stages(verified: &Verified, published: &[Published]) -> Vec<String> {
    let mut changed = Vec::new();
    for old in &verified.published.manifests {
        let Some(new) = published.iter().find(|new| new.manifest.pipeline == old.pipeline) else { continue };
        for stage in &new.manifest.stages {
            let before = old.stages.iter().find(|other| other.name == stage.name);
            let Some((before, after)) = before.and_then(|b| Some((b.tasks.first()?, stage.tasks.first()?))) else {
                continue;
            };
            if before.material.version != after.material.version {
                changed.push(format!(
                    "`{}` is version {} of `{}`, in the archive version {}",
                    stage.name, after.material.version, after.material.kind, before.material.version
                ));
            }
        }
    }
    changed
}
