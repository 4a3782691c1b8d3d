//! `ojaflow archive`, `ojaflow verify` and `ojaflow reproduce`

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::pipeline::{self, How};
use super::print;
use crate::archive::container::Summary;
use crate::archive::reproduce::{self, Project, Verdict};
use crate::archive::{self, Part};
use crate::cli::{self, ArchiveArgs, ReproduceArgs, Roots, VerifyArgs};
use crate::error::{Error, Result};
use crate::kernels::Backend;
use crate::plan;
use crate::plan::environment::Environment;
use crate::publish::manifest;
use crate::words::size;

/// What distributions and journals set so that what is built again comes out the same.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

pub fn archive(roots: &Roots, args: &ArchiveArgs) -> Result<()> {
    let folder = published_folder(roots, &args.name)?;
    let time = source_date()?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let target = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.tar.zst")));
    let with: BTreeSet<Part> = args.with.iter().copied().map(part).collect();
    let started = Instant::now();
    let summary = archive::archive(&folder, &roots.data, &with, time, &target)?;
    measured(args.measurements.as_deref(), &summary, started, None)?;
    if time.is_none() {
        eprintln!(
            "note: the archive carries no date; RO-Crate asks for one: {EPOCH}=$(git log -1 --format=%ct) ojaflow archive …"
        );
    }
    print(&format!(
        "{}  {} files, {} in {}\nsha256 of the tar: {}",
        target.display(),
        summary.files,
        size(summary.tar_bytes),
        size(summary.file_bytes),
        summary.tar_sha256
    ))
}

fn part(asked: cli::Part) -> Part {
    match asked {
        cli::Part::Weights => Part::Weights,
        cli::Part::Activations => Part::Activations,
        cli::Part::Images => Part::Images,
    }
}

pub fn verify(args: &VerifyArgs) -> Result<()> {
    let verified = archive::verify(&args.file)?;
    let main = verified.published.main();
    print(&format!(
        "{}: sound; {} files, {}; `{}` by ojaflow {}\nsha256 of the tar: {}",
        args.file.display(),
        verified.summary.files,
        size(verified.summary.tar_bytes),
        verified.name,
        main.program.version,
        verified.summary.tar_sha256
    ))
}

pub fn reproduce(roots: &Roots, args: &ReproduceArgs) -> Result<()> {
    let verified = archive::verify(&args.file)?;
    eprintln!("{}: sound, {}", args.file.display(), verified.summary.tar_sha256);
    for caveat in reproduce::caveats(&verified) {
        eprintln!("note: {caveat}");
    }
    // Dropped at the end, and the scratch folder with it.
    let scratch;
    let folder = match &args.keep {
        Some(folder) => {
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
            if fs::read_dir(folder).map_err(Error::io("list", folder))?.next().is_some() {
                return Err(Error::usage(format!("{} is not empty; choose a new folder", folder.display())));
            }
            folder.as_path()
        }
        None => {
            scratch = tempfile::Builder::new().prefix("ojaflow-").tempdir();
            let scratch = scratch.as_ref().map_err(|error| Error::Io {
                doing: "create a folder in".into(),
                path: std::env::temp_dir(),
                source: io::Error::new(error.kind(), error.to_string()),
            })?;
            scratch.path()
        }
    };
    let project = Project::lay_out(&verified, folder, &roots.data, args.to.as_deref())?;
    let environment = Environment::new(&project.data, &project.pipelines)?;
    let plan = plan::build(&environment, &project.request)?;
    let how = How { force: None, jobs: args.jobs, quiet: false, timings: false };
    let started = Instant::now();
    let again = Roots { outputs: project.outputs, data: project.data, pipelines: project.pipelines };
    let done = pipeline::carry_out(&again, &environment, &plan, &how)?;
    measured(args.measurements.as_deref(), &verified.summary, started, Some(done.executed))?;
    for change in reproduce::changed_stages(&verified, &done.published) {
        eprintln!("note: {change}");
    }
    let outcomes = reproduce::judge(&args.file, &verified, &done.published)?;
    let width = outcomes.iter().map(|outcome| outcome.name.chars().count()).max().unwrap_or(0);
    let mut lines: Vec<String> =
        outcomes.iter().map(|outcome| format!("{:<width$}  {}", outcome.name, outcome.verdict)).collect();
    let count = |wanted: fn(&Verdict) -> bool| outcomes.iter().filter(|outcome| wanted(&outcome.verdict)).count();
    let differing = count(|verdict| !verdict.agrees());
    lines.push(format!(
        "{} identical, {} within tolerance, {} with the same values, {differing} different",
        count(|verdict| matches!(verdict, Verdict::Identical)),
        count(|verdict| matches!(verdict, Verdict::Within { .. })),
        count(|verdict| matches!(verdict, Verdict::SameValues)),
    ));
    print(&lines.join("\n"))?;
    match differing {
        0 => Ok(()),
        _ => Err(Error::Check(format!(
            "{}: {differing} of {} tables and figures came out different",
            args.file.display(),
            outcomes.len()
        ))),
    }
}

/// Writes what an archive must not hold: the machine, how long it took, how much memory.
fn measured(file: Option<&Path>, summary: &Summary, started: Instant, tasks_run: Option<usize>) -> Result<()> {
    let Some(file) = file else { return Ok(()) };
    let backend = Backend::choose().map_err(|error| Error::usage(error.to_string()))?;
    let record = serde_json::json!({
        "tar_sha256": summary.tar_sha256,
        "archive_bytes": summary.file_bytes,
        "seconds": started.elapsed().as_secs_f64(),
        "tasks_run": tasks_run,
        "peak_memory_bytes": peak_memory(),
        "machine": {
            "system": std::env::consts::OS,
            "architecture": std::env::consts::ARCH,
            "processor": processor(),
            "cores": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            "kernels": backend.to_string(),
        },
    });
    let text = serde_json::to_string_pretty(&record).expect("plain data") + "\n";
    fs::write(file, text).map_err(Error::io("write", file))
}

/// Where Linux tells.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Where Linux tells.
fn processor() -> Option<String> {
    let information = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = information.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(line.trim_start_matches([' ', '\t', ':']).to_owned())
}

/// The folder of a published run: by name, or by path.
pub fn published_folder(roots: &Roots, name: &str) -> Result<PathBuf> {
    let by_name = roots.outputs.join(name);
    let by_path = PathBuf::from(name);
    let is_published = |folder: &Path| folder.join(manifest::FILE).is_file();
    // `outputs/fig4/` and `.` name a folder as well, and its last part names the pipeline.
    match [by_name, by_path].into_iter().find(|folder| is_published(folder)) {
        Some(folder) => std::fs::canonicalize(&folder).map_err(Error::io("read", &folder)),
        None => Err(Error::usage(format!(
            "`{name}` is not a published run: no {} in {}; run `ojaflow pipeline {name}` first",
            manifest::FILE,
            roots.outputs.join(name).display()
        ))),
    }
}

/// Seconds since 1970 from the environment, if it says.
fn source_date() -> Result<Option<u64>> {
    match std::env::var(EPOCH) {
        Err(_) => Ok(None),
        Ok(text) => text.trim().parse().map(Some).map_err(|_| {
            Error::usage(format!("{EPOCH}={text}: expected seconds since 1970, for example $(git log -1 --format=%ct)"))
        }),
    }
}
