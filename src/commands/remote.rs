//! `ojaflow store push`, `pull` and `check`

use std::cell::Cell;
use std::time::Instant;

use super::progress::QUIET_TIME;
use super::terminal::{interruptible, print, request, say};
use crate::cli::RequestArgs;
use crate::error::{Error, Result};
use crate::flow::{Project, Request, Transferred, WRITERS, Watch};
use crate::words::{grouped, size};

pub(super) fn push(project: &Project, remote: &str, name: Option<&str>, args: &RequestArgs) -> Result<()> {
    let request = of_pipeline(name, args)?;
    let sent = watched("sent", |watch| project.push(remote, request.as_ref(), watch))?;
    let mut lines = vec![travelled(&sent, "sent to", remote)];
    if sent.absent > 0 {
        let what = if name.is_some() { "of the plan are not in this store" } else { "have no sound record here" };
        lines.push(format!("  {} {what}", grouped(sent.absent as u64)));
    }
    told(lines, &sent, "were not sent: the next run that reads them makes them again, then push again".to_owned())
}

pub(super) fn pull(project: &Project, remote: &str, name: Option<&str>, args: &RequestArgs) -> Result<()> {
    let request = of_pipeline(name, args)?;
    let fetched = watched("fetched", |watch| project.pull(remote, request.as_ref(), watch))?;
    let mut lines = vec![travelled(&fetched, "fetched from", remote)];
    if fetched.absent > 0 {
        lines.push(format!("  {} of the plan are not there", grouped(fetched.absent as u64)));
    }
    let remedy = format!(
        "on {remote} are damaged and were not taken\n\
         Remove the objects that are named there, and `results/…` of each; then push again from a store that has them."
    );
    told(lines, &fetched, remedy)
}

pub(super) fn check(project: &Project, remote: &str, rounds: u32) -> Result<()> {
    let watch = Watch { interrupt: interruptible(), told: &|_| () };
    let raced = project.check_remote(remote, rounds as usize, watch)?;
    let mut lines = vec![
        format!("{remote} is fit for results"),
        "  what is put is read, listed and removed, and a conditional put fails where something is".to_owned(),
        format!("  in each of {} races of {WRITERS} writers one won, and its bytes stood", raced.rounds),
    ];
    if raced.unanswered > 0 {
        lines.push(format!("  in {} of them the answer to the winner was lost", raced.unanswered));
    }
    print(&lines.join("\n"))
}

/// Whose results travel, if not all of the store.
fn of_pipeline(name: Option<&str>, args: &RequestArgs) -> Result<Option<Request>> {
    match name {
        Some(name) => request(name, args).map(Some),
        None if request("", args)? == Request::new("") => Ok(None),
        None => Err(Error::usage("say which pipeline the options are for: `ojaflow store push REMOTE NAME --set …`")),
    }
}

/// Says now and then how far it is.
fn watched(verb: &str, transfer: impl FnOnce(Watch<'_>) -> Result<Transferred>) -> Result<Transferred> {
    let last = Cell::new(Instant::now());
    let told = |so_far: &Transferred| {
        if last.get().elapsed() >= QUIET_TIME {
            last.set(Instant::now());
            let (done, of) = (grouped(so_far.done as u64), grouped(so_far.of as u64));
            say(&format!("  {done} of {of} results, {} {verb}", size(so_far.bytes)));
        }
    };
    transfer(Watch { interrupt: interruptible(), told: &told })
}

fn travelled(came: &Transferred, verb: &str, remote: &str) -> String {
    let (results, there) = (grouped(came.results as u64), grouped(came.there as u64));
    let already = if came.there > 0 { format!(", {there} were there already") } else { String::new() };
    format!("{results} results ({}) {verb} {remote}{already}", size(came.bytes))
}

/// Prints what came of it; what is damaged is an error, after everything else has travelled.
fn told(mut lines: Vec<String>, came: &Transferred, remedy: String) -> Result<()> {
    for (key, damaged) in &came.damaged {
        lines.extend(damaged.iter().map(ToString::to_string));
        lines.push(format!("  it is of results/{}/{key}", &key.as_str()[..2]));
    }
    print(&lines.join("\n"))?;
    match came.damaged.len() {
        0 => Ok(()),
        n => Err(Error::Store(format!("{n} results {remedy}"))),
    }
}
