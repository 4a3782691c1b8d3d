//! `ojaflow archive`, `ojaflow verify` and `ojaflow reproduce`

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::progress::Shown;
use super::terminal::{options, print, say};
use crate::cli::{self, ArchiveArgs, ReproduceArgs, VerifyArgs};
use crate::error::{Error, Result};
use crate::flow::{
    Archived, EPOCH, Machine, Part, Project, Reproduced, Summary, Verdict, archive_date, caveats, verify,
};
use crate::words::size;

pub(super) fn archive(project: &Project, args: &ArchiveArgs) -> Result<()> {
    let time = archive_date()?;
    let with: BTreeSet<Part> = args.with.iter().copied().map(part).collect();
    let started = Instant::now();
    let Archived { name, summary } = project.archive(&args.name, &with, time, args.output.as_deref())?;
    let target = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.tar.zst")));
    measured(args.measurements.as_deref(), &summary, started, None)?;
    if time.is_none() {
        say(&format!(
            "note: the archive carries no date; RO-Crate asks for one: {EPOCH}=$(git log -1 --format=%ct) ojaflow archive …"
        ));
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

pub(super) fn check(args: &VerifyArgs) -> Result<()> {
    let verified = verify(&args.file)?;
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

pub(super) fn reproduce(project: &Project, args: &ReproduceArgs) -> Result<()> {
    let verified = verify(&args.file)?;
    say(&format!("{}: sound, {}", args.file.display(), verified.summary.tar_sha256));
    for caveat in caveats(&verified) {
        say(&format!("note: {caveat}"));
    }
    let options = options(args.jobs);
    let progress = Shown::new(false, None)?;
    let started = Instant::now();
    let places = (args.to.as_deref(), args.keep.as_deref());
    let again = project.reproduce(&args.file, &verified, places, &options, &progress);
    progress.finish();
    let Reproduced { executed, changed, outcomes } = again?;
    measured(args.measurements.as_deref(), &verified.summary, started, Some(executed))?;
    for change in changed {
        say(&format!("note: {change}"));
    }
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
    let machine = Machine::this()?;
    let record = serde_json::json!({
        "tar_sha256": summary.tar_sha256,
        "archive_bytes": summary.file_bytes,
        "seconds": started.elapsed().as_secs_f64(),
        "tasks_run": tasks_run,
        "peak_memory_bytes": machine.peak_memory,
        "machine": {
            "system": std::env::consts::OS,
            "architecture": std::env::consts::ARCH,
            "processor": machine.processor,
            "cores": machine.cores,
            "kernels": machine.kernels,
        },
    });
    let text = serde_json::to_string_pretty(&record).expect("plain data") + "\n";
    fs::write(file, text).map_err(Error::io_at("--measurements FILE", "write", file))
}
