//! `ojaflow work` and `ojaflow status`

use std::time::{Duration, Instant};

use serde_json::json;

use super::pipeline::what_follows;
use super::progress::Shown;
use super::terminal::{print, print_exactly, request, running};
use crate::cli::{StatusArgs, WorkArgs};
use crate::error::{Error, Result};
use crate::flow::{Project, Share, Shift, Standing};
use crate::words::{duration, grouped, seconds};

/// Where engines put the number of a job of an array, and the number of the first. One that may run inside another comes
/// before it.
const NUMBERED: [(&str, u32); 5] = [
    ("OJAFLOW_SHARD", 1),
    ("HQ_TASK_ID", 1),
    ("SLURM_ARRAY_TASK_ID", 1),
    ("JOB_COMPLETION_INDEX", 0),
    ("AWS_BATCH_JOB_ARRAY_INDEX", 0),
];

/// Failed tasks that are listed.
const SHOWN: usize = 20;

pub(super) fn work(project: &Project, args: &WorkArgs) -> Result<()> {
    let started = Instant::now();
    let request = request(&args.name, &args.request)?;
    let share = share(&args.shard, |name| std::env::var(name).ok())?;
    let until = args.until.as_deref().map(|text| until(text, started)).transpose()?;
    let shift = Shift { share, until, expect: args.expect.as_deref() };
    let progress = Shown::new(args.run.quiet, args.run.events.as_deref())?;
    let worked = project.work(&request, &shift, &running(&args.run), &progress);
    progress.finish();
    let worked = worked?;
    if args.run.quiet {
        return Ok(());
    }
    let mut text = format!(
        "share {share}: {} tasks run, {} done by others meanwhile, {} of the share from the store, {}",
        worked.executed,
        worked.shared,
        worked.found,
        duration(started.elapsed().as_secs_f64())
    );
    match (worked.left, shift.is_over()) {
        (0, _) => {}
        (left, true) => text += &format!("\nthe time is up: {left} tasks are left to others, or to the final run"),
        (left, false) => text += &format!("\n{left} tasks are left to other workers, which are at them"),
    }
    print(&text)
}

/// `3/8`, or `auto/8` with the number that the engine has set.
fn share(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Share> {
    let wrong = || {
        Error::usage(format!(
            "`--shard {text}`: expected a share and how many there are, for example `--shard 3/8`, or `auto/8`"
        ))
    };
    let (number, of) = text.split_once('/').ok_or_else(wrong)?;
    let of: u32 = of.trim().parse().map_err(|_| wrong())?;
    let number = match number.trim() {
        "auto" => {
            let set = NUMBERED.iter().find_map(|(name, first)| Some((*name, *first, variable(name)?)));
            let Some((name, first, value)) = set else {
                let names: Vec<&str> = NUMBERED.iter().map(|(name, _)| *name).collect();
                return Err(Error::usage(format!(
                    "`--shard {text}`: none of {} is set; say which share, for example `1/{of}`",
                    names.join(", ")
                )));
            };
            let number: Option<u32> = value.trim().parse().ok();
            number.and_then(|number| (number + 1).checked_sub(first)).ok_or_else(|| {
                Error::usage(format!("`--shard {text}`: {name} is `{value}`, which is no number of a job"))
            })?
        }
        number => number.parse().map_err(|_| wrong())?,
    };
    Share::new(number, of).ok_or_else(|| {
        Error::usage(format!("`--shard {text}`: there is no share {number} of {of}; they are 1 to {of}"))
    })
}

fn until(text: &str, started: Instant) -> Result<Instant> {
    let time = seconds(text).and_then(|seconds| started.checked_add(Duration::from_secs_f64(seconds)));
    time.ok_or_else(|| Error::usage(format!("`--until {text}`: expected a time, for example `25m`, `90s` or `2h`")))
}

pub(super) fn status(project: &Project, args: &StatusArgs) -> Result<()> {
    let standing = project.standing(&request(&args.name, &args.request)?)?;
    if args.json { print_exactly(&record(&standing)) } else { print(&text(&standing)) }
}

fn record(standing: &Standing) -> String {
    let failed: Vec<_> = standing.failed.iter().map(|(task, why)| json!({ "task": task, "error": why })).collect();
    let workers: Vec<_> = standing
        .workers
        .iter()
        .map(|worker| json!({ "host": worker.host, "pid": worker.pid, "pipeline": worker.pipeline }))
        .collect();
    let record = json!({
        "pipeline": standing.name,
        "plan": standing.digest,
        "level": standing.level,
        "tasks": standing.tasks,
        "done": standing.done,
        "running": standing.running,
        "failed": failed,
        "left": standing.left,
        "seconds_left": standing.seconds_left,
        "workers": workers,
    });
    serde_json::to_string_pretty(&record).expect("plain data")
}

fn text(standing: &Standing) -> String {
    let Standing { name, tasks, done, running, left, .. } = standing;
    let mut lines = vec![format!(
        "{name}: {} of {} tasks done, {} running, {} failed, {} left",
        grouped(*done as u128),
        grouped(*tasks as u128),
        grouped(*running as u128),
        grouped(standing.failed.len() as u128),
        grouped(*left as u128)
    )];
    if standing.ahead > 0 {
        lines.push(what_follows(standing.level, standing.ahead));
    }
    if standing.seconds_left > 0.0 {
        lines.push(format!("about {} of one core are left", duration(standing.seconds_left)));
    }
    for worker in &standing.workers {
        lines.push(format!("  process {} on {} is at it", worker.pid, worker.host));
    }
    for (task, why) in standing.failed.iter().take(SHOWN) {
        lines.push(format!("  failed: {task}: {why}"));
    }
    if let Some(more @ 1..) = standing.failed.len().checked_sub(SHOWN) {
        lines.push(format!("  and {more} more"));
    }
    if *left == 0 && *running == 0 && standing.failed.is_empty() {
        lines.push(format!("`ojaflow pipeline {name}` publishes it"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_written_or_taken_from_the_engine() {
        let nothing = |_: &str| None;
        assert_eq!(share("3/8", nothing).unwrap(), Share::new(3, 8).unwrap());
        let slurm = |name: &str| (name == "SLURM_ARRAY_TASK_ID").then(|| "8".to_owned());
        assert_eq!(share("auto/8", slurm).unwrap(), Share::new(8, 8).unwrap());
        let kubernetes = |name: &str| (name == "JOB_COMPLETION_INDEX").then(|| "0".to_owned());
        assert_eq!(share("auto/8", kubernetes).unwrap(), Share::new(1, 8).unwrap());
        for (wrong, said) in [
            ("3", "expected a share"),
            ("0/8", "no share 0 of 8"),
            ("9/8", "no share 9"),
            ("1/0", "no share"),
            ("x/8", "expected"),
            ("auto/8", "is set"),
        ] {
            let error = share(wrong, nothing).unwrap_err();
            assert!(error.to_string().contains(said) && error.exit_status() == 2, "{wrong}: {error}");
        }
        assert!(share("auto/4", |_| Some("x".to_owned())).unwrap_err().to_string().contains("no number"));
    }

    #[test]
    fn a_time_has_a_unit() {
        let now = Instant::now();
        assert_eq!(until("25m", now).unwrap() - now, Duration::from_secs(1500));
        for wrong in ["", "m", "-1m", "5 weeks", "nan s", "1e300h"] {
            assert!(until(wrong, now).is_err(), "{wrong}");
        }
    }
}
