//! An archive → the same run once more, in a scratch folder → is it the same?

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::compare::{Differences, compare};
use super::{Fault, Verified, container};
use crate::datasets::{self, DataSetInfo};
use crate::error::{Error, Result};
use crate::plan::Request;
use crate::publish::Published;
use crate::publish::manifest::{Manifest, TableEntry};
use crate::tables::parquet;

/// An SVG may differ this much, in its own units of about a point: less than anyone can see.
const DRAWING_TOLERANCE: f64 = 0.01;
/// And a PNG drawn from it: of 255, in any pixel.
const PIXEL_TOLERANCE: u8 = 8;

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
    /// Lays the project out in `folder`; `data_dir` is where the data sets are.
    ///
    /// # Errors
    /// A data set of the archive is missing or is another, or the folder cannot be written.
    pub fn out(verified: &Verified, folder: &Path, data_dir: &Path, to: Option<&str>) -> Result<Self> {
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
        let known = datasets::list(data_dir)?;
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
                    data_dir.display()
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

/// How a table or figure that was made again compares with the archived one.
#[derive(Debug)]
pub enum Verdict {
    /// The same bytes.
    Identical,
    /// Every value is the same, the file is not: another version of the program wrote it.
    SameValues,
    /// Within the tolerance that the table, or one that it was made from, states.
    Within {
        /// The largest deviation found, relative to the largest value of its column.
        deviation: f64,
        /// The one that is stated.
        tolerance: f64,
    },
    /// Other values.
    Different(Differences),
    /// A figure that looks different, or a large table of which the archive holds only the digest.
    OtherBytes(&'static str),
    /// The archive has it; this run did not make it.
    Missing,
}

impl Verdict {
    /// Whether it came out as archived, within the tolerance that its table declares.
    pub fn agrees(&self) -> bool {
        matches!(self, Self::Identical | Self::SameValues | Self::Within { .. })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identical => f.write_str("identical"),
            Self::SameValues => f.write_str("the same values in other bytes"),
            Self::Within { deviation, tolerance } => {
                write!(f, "within tolerance: deviates by {deviation:.1e}, {tolerance:e} is stated")
            }
            Self::Different(differences) => write!(f, "DIFFERENT: {differences}"),
            Self::OtherBytes(why) => write!(f, "DIFFERENT: {why}"),
            Self::Missing => f.write_str("MISSING: this run did not make it"),
        }
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.only_old > 0 {
            parts.push(format!("{} rows are gone", self.only_old));
        }
        if self.only_new > 0 {
            parts.push(format!("{} rows are new", self.only_new));
        }
        parts.extend(self.columns_only_old.iter().map(|name| format!("column `{name}` is gone")));
        parts.extend(self.columns_only_new.iter().map(|name| format!("column `{name}` is new")));
        for column in &self.columns {
            let mut text = format!("`{}` in {} of {} rows", column.column, column.rows, self.common_rows);
            if let Some(deviation) = column.deviation {
                text += &format!(" by up to {:.3e} ({:.2e} relative)", deviation.absolute, deviation.relative);
            }
            parts.push(text);
        }
        f.write_str(&if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") })
    }
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
        // `claims` may be a stage that this run stops before.
        if found.is_none() && !new.manifest.stages.iter().any(|made| made.name == table.stage) {
            continue;
        }
        let digests = |table: &TableEntry| -> BTreeMap<String, String> {
            match &table.digest {
                Some(digest) => [(table.path.clone(), digest.clone())].into(),
                None => table
                    .parts
                    .iter()
                    .map(|part| (format!("{}{}.parquet", table.path, part.key.short()), part.digest.clone()))
                    .collect(),
            }
        };
        let again = found.map(digests).unwrap_or_default();
        let differing = digests(table).into_iter().filter(|(path, digest)| again.get(path) != Some(digest));
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
            differing: differing.map(|(path, _)| path).collect(),
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

fn tables(before: &TableEntry, after: &TableEntry, old: Vec<u8>, new: Vec<u8>, tolerance: Option<f64>) -> Verdict {
    let read = |bytes: Vec<u8>, table: &TableEntry| parquet::read(bytes.into(), &table.schema).ok()?.to_batch().ok();
    let (Some(old), Some(new)) = (read(old, before), read(new, after)) else {
        return Verdict::OtherBytes("cannot be read as the table that its manifest describes");
    };
    let key: Vec<&str> = before.schema.key.iter().map(AsRef::as_ref).collect();
    let Ok(differences) = compare(&old, &new, &key) else {
        return Verdict::OtherBytes("cannot be compared: its columns have other types");
    };
    if differences.is_empty() {
        return Verdict::SameValues;
    }
    match tolerance.and_then(|tolerance| Some((differences.within(tolerance)?, tolerance))) {
        Some((deviation, tolerance)) => Verdict::Within { deviation, tolerance },
        None => Verdict::Different(differences),
    }
}

/// Drawings are the same text but for numbers, and these are close. Only where the numbers drawn have a tolerance.
fn drawings(old: &[u8], new: &[u8], tolerance: Option<f64>) -> Verdict {
    let (Ok(old), Ok(new)) = (std::str::from_utf8(old), std::str::from_utf8(new)) else {
        return Verdict::OtherBytes("not an SVG");
    };
    let ((old_words, old_numbers), (new_words, new_numbers)) = (numbers_in(old), numbers_in(new));
    let deviation = old_numbers.iter().zip(&new_numbers).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let alike = old_words == new_words && old_numbers.len() == new_numbers.len() && deviation <= DRAWING_TOLERANCE;
    if alike && tolerance.is_some() {
        Verdict::Within { deviation, tolerance: DRAWING_TOLERANCE }
    } else {
        Verdict::OtherBytes("the drawing is another")
    }
}

/// A text as what stands between its numbers, and the numbers.
fn numbers_in(text: &str) -> (String, Vec<f64>) {
    let (mut words, mut numbers) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let length = rest[start..].find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len() - start);
        let (number, after) = rest[start..].split_at(length);
        words.push_str(&rest[..start]);
        match number.parse() {
            // A sign belongs to the number: −0.001 and 0.001 are close.
            Ok(value) if words.ends_with('-') => {
                words.pop();
                numbers.push(-f64::abs(value));
            }
            Ok(value) => numbers.push(value),
            Err(_) => words.push_str(number),
        }
        words.push('\0');
        rest = after;
    }
    words.push_str(rest);
    (words, numbers)
}

fn pictures(old: &[u8], new: &[u8], tolerance: Option<f64>) -> Verdict {
    let (Some(old), Some(new)) = (pixels(old), pixels(new)) else { return Verdict::OtherBytes("not a PNG") };
    if old == new {
        return Verdict::SameValues;
    }
    let deviation = old.1.iter().zip(&new.1).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
    if old.0 == new.0 && tolerance.is_some() && deviation <= PIXEL_TOLERANCE {
        Verdict::Within { deviation: f64::from(deviation), tolerance: f64::from(PIXEL_TOLERANCE) }
    } else {
        Verdict::OtherBytes("the picture is another")
    }
}

/// Size and samples of a PNG.
fn pixels(bytes: &[u8]) -> Option<((u32, u32), Vec<u8>)> {
    let mut reader = png::Decoder::new(io::Cursor::new(bytes)).read_info().ok()?;
    let mut samples = vec![0; reader.output_buffer_size()?];
    let frame = reader.next_frame(&mut samples).ok()?;
    samples.truncate(frame.buffer_size());
    Some(((frame.width, frame.height), samples))
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
