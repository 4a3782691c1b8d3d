//! `ojaflow pipeline` and `ojaflow plan`

use std::io::IsTerminal;
use std::time::Instant;

use super::outcome;
use super::progress::Shown;
use super::terminal::{print, print_exactly, request, running, say};
use crate::cli::{self, PipelineArgs, PlanArgs};
use crate::error::Result;
use crate::flow::{Ahead, Format, Listed, Options, Project, display};
use crate::words::grouped;

pub(super) fn list(project: &Project) -> Result<()> {
    let listed = project.pipelines()?;
    let (carried, own): (Vec<_>, Vec<_>) = listed.iter().partition(|listed| listed.is_carried);
    let figure = |listed: &Listed| listed.figure.clone().unwrap_or_default();
    let width = |cell: fn(&Listed) -> usize| listed.iter().map(cell).max().unwrap_or(0);
    let names = width(|listed| listed.name.chars().count());
    let figures = width(|listed| listed.figure.as_ref().map_or(0, |figure| figure.chars().count())).max(6);
    let row = |listed: &Listed| {
        let tasks = listed.tasks.map_or_else(|| "–".to_owned(), |tasks| tasks.to_string());
        format!("{:<names$}  {:<figures$}  {tasks:>6}  {}", listed.name, figure(listed), listed.title)
    };
    let mut lines = vec![format!("{:<names$}  {:<figures$}  {:>6}  title", "name", "figure", "tasks")];
    lines.extend(own.iter().map(|listed| row(listed)));
    if !own.is_empty() && !carried.is_empty() {
        lines.push("\nwith the program:".to_owned());
    }
    lines.extend(carried.iter().map(|listed| row(listed)));
    print(&lines.join("\n"))
}

pub(super) fn plan(project: &Project, args: &PlanArgs) -> Result<()> {
    let ahead = project.plan(&request(&args.name, &args.request)?, args.force.as_deref())?;
    show(&ahead, format(args.format))?;
    if args.why { why(project, &ahead) } else { Ok(()) }
}

fn format(asked: cli::Format) -> Format {
    match asked {
        cli::Format::Text => Format::Text,
        cli::Format::Json => Format::Json,
        cli::Format::Dot => Format::Dot,
        cli::Format::Mermaid => Format::Mermaid,
    }
}

/// Prints the present level, and what later ones can add at most.
fn show(ahead: &Ahead, format: Format) -> Result<()> {
    let mut text = display(&ahead.level.plan, &ahead.statuses, format);
    if !ahead.level.asking.is_empty() && format == Format::Text {
        text += &format!("\n{}", what_follows(ahead.level.number, ahead.level.ahead));
    }
    match format {
        Format::Text => print(&text),
        Format::Json | Format::Dot | Format::Mermaid => print_exactly(&text),
    }
}

/// What is known of the levels behind the present one.
pub(super) fn what_follows(level: usize, at_most: usize) -> String {
    format!("level {level}; what follows depends on its results: at most {} runs more", grouped(at_most as u64))
}

fn why(project: &Project, ahead: &Ahead) -> Result<()> {
    let changes = project.why(ahead)?;
    if changes.is_empty() {
        return print("\nnothing would run");
    }
    let mut lines = vec![String::new()];
    for change in changes {
        let tasks = match change.tasks.as_slice() {
            [only] => only.clone(),
            tasks => format!("{} ({} tasks, the first: {})", change.stage, tasks.len(), tasks[0]),
        };
        lines.push(format!("{tasks}\n    {}", change.reason));
    }
    print(&lines.join("\n"))
}

pub(super) fn run(project: &Project, name: &str, args: &PipelineArgs) -> Result<()> {
    let started = Instant::now();
    let request = request(name, &args.request)?;
    if args.dry_run {
        let ahead = project.plan(&request, args.force.as_deref())?;
        return show(&ahead, if args.json { Format::Json } else { Format::Text });
    }
    let progress = Shown::new(args.run.quiet || args.json, args.run.events.as_deref())?;
    let options = Options { force: args.force.as_deref(), ..running(&args.run) };
    let done = project.run(&request, &options, &progress);
    progress.finish();
    if args.timings {
        say(&progress.timings());
    }
    let done = done?;
    let outcome =
        outcome::Outcome { executed: done.executed, found: done.found(), seconds: started.elapsed().as_secs_f64() };
    if args.json {
        print_exactly(&outcome::json(&done.published, &outcome)?)
    } else if args.run.quiet {
        Ok(())
    } else {
        print(&outcome::text(&done.published, &outcome, std::io::stdout().is_terminal())?)
    }
}
