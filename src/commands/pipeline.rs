//! `ojaflow pipeline` and `ojaflow plan`

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::progress::Shown;
use super::{environment, outcome, print, request};
use crate::cli::{self, PipelineArgs, PlanArgs, RequestArgs, Roots};
use crate::error::{Error, Result};
use crate::plan::environment::Environment;
use crate::plan::{self, Plan, Statuses, display};
use crate::publish::manifest::Manifest;
use crate::publish::{self, Published, explain};
use crate::run::Run;
use crate::spec::Spec;
use crate::store::{Session, Store};
use crate::words::choices;

/// Set by Ctrl-C; runs look at it between two steps.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

pub fn list(roots: &Roots) -> Result<()> {
    let environment = environment(roots)?;
    let names = plan::names(&roots.pipelines);
    if names.is_empty() {
        return Err(Error::usage(format!(
            "no pipelines in {}: run from the project's root",
            roots.pipelines.display()
        )));
    }
    let mut rows = Vec::new();
    for name in names {
        let file = roots.pipelines.join(format!("{name}.toml"));
        let spec = Spec::load(&file, &[])?;
        // A pipeline that cannot be planned here (a data set that was not imported) is listed all the same.
        let tasks = match plan::build(&environment, &request(&name, &RequestArgs::default())) {
            Ok(plan) => plan.tasks.len().to_string(),
            Err(_) => "–".to_owned(),
        };
        rows.push((name, spec.header.figure.unwrap_or_default(), tasks, spec.header.title));
    }
    let width = |cell: fn(&(String, String, String, String)) -> &str| {
        rows.iter().map(|row| cell(row).chars().count()).max().unwrap_or(0)
    };
    let (names, figures) = (width(|row| &row.0), width(|row| &row.1));
    let mut lines =
        vec![format!("{:<names$}  {:<figures$}  {:>6}  title", "name", "figure", "tasks", figures = figures.max(6))];
    for (name, figure, tasks, title) in &rows {
        lines.push(format!("{name:<names$}  {figure:<figures$}  {tasks:>6}  {title}", figures = figures.max(6)));
    }
    print(&lines.join("\n"))
}

pub fn plan(roots: &Roots, args: &PlanArgs) -> Result<()> {
    let environment = environment(roots)?;
    let plan = plan::build(&environment, &request(&args.name, &args.request))?;
    let store = Store::new(&roots.outputs);
    check_force(&plan, args.force.as_deref())?;
    let statuses = Statuses::predict(&plan, &store, args.force.as_deref())?;
    print(&display(&plan, &statuses, format(args.format)))?;
    if args.why { why(roots, &plan, &statuses) } else { Ok(()) }
}

fn format(asked: cli::Format) -> plan::Format {
    match asked {
        cli::Format::Text => plan::Format::Text,
        cli::Format::Json => plan::Format::Json,
        cli::Format::Dot => plan::Format::Dot,
        cli::Format::Mermaid => plan::Format::Mermaid,
    }
}

fn why(roots: &Roots, plan: &Plan, statuses: &Statuses) -> Result<()> {
    let main = plan.main();
    // A run with overrides is compared with the full run that it departs from.
    let base = main.document["pipeline"]["name"].as_str().unwrap_or(&main.name);
    let published = match Manifest::read(&roots.outputs.join(&main.name))? {
        Some(manifest) => Some(manifest),
        None => Manifest::read(&roots.outputs.join(base))?,
    };
    let changes = explain(plan, statuses, published.as_ref());
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

fn check_force(plan: &Plan, force: Option<&str>) -> Result<()> {
    match force {
        Some(stage) if !stage.is_empty() => {
            let names: Vec<&str> = plan.main().stages.iter().map(|stage| stage.name.as_str()).collect();
            if names.contains(&stage) {
                return Ok(());
            }
            let there = choices(names);
            Err(Error::usage(format!("`--force {stage}`: there is no such stage; there are: {there}")))
        }
        _ => Ok(()),
    }
}

pub fn run(roots: &Roots, name: &str, args: &PipelineArgs) -> Result<()> {
    let started = Instant::now();
    let environment = environment(roots)?;
    let plan = plan::build(&environment, &request(name, &args.request))?;
    check_force(&plan, args.force.as_deref())?;
    if args.dry_run {
        let statuses = Statuses::predict(&plan, &Store::new(&roots.outputs), args.force.as_deref())?;
        return print(&display(&plan, &statuses, if args.json { plan::Format::Json } else { plan::Format::Text }));
    }
    let how =
        How { force: args.force.as_deref(), jobs: args.jobs, quiet: args.quiet || args.json, timings: args.timings };
    let done = carry_out(roots, &environment, &plan, &how)?;
    let seconds = started.elapsed().as_secs_f64();
    let outcome = outcome::Outcome { executed: done.executed, statuses: &done.statuses, seconds };
    if args.json {
        print(&outcome::json(&done.published, &outcome))
    } else if args.quiet {
        Ok(())
    } else {
        print(&outcome::text(&done.published, &outcome, std::io::stdout().is_terminal()))
    }
}

/// How a plan is to be carried out.
pub struct How<'a> {
    pub force: Option<&'a str>,
    /// Tasks side by side; as many as there are cores if left out.
    pub jobs: Option<u32>,
    pub quiet: bool,
    /// Whether to say on stderr what each stage took.
    pub timings: bool,
}

/// A plan carried out.
pub struct Done {
    pub executed: usize,
    pub statuses: Statuses,
    pub published: Vec<Published>,
}

/// Runs what has to run and publishes it.
pub fn carry_out(roots: &Roots, environment: &Environment, plan: &Plan, how: &How<'_>) -> Result<Done> {
    let store = Store::new(&roots.outputs);
    publish::check_places(plan, &roots.outputs)?;
    // Ctrl-C (or a polite kill) stops between two steps; nothing half done stays.
    let _ = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed));
    let session = Session::begin(&store)?;
    session.protect(plan.tasks.iter().map(|task| &task.key))?;
    let statuses = Statuses::predict(plan, &store, how.force)?;
    if !how.quiet {
        eprintln!("{}: {}", plan.main().name, plan::summary(plan, &statuses));
        if let Some(equations) = super::rules::in_brief(plan) {
            eprintln!("{equations}");
        }
    }
    let progress = Shown::new(plan, &statuses, how.quiet);
    let run = Run::new(plan, &store, &session, &statuses, environment, &progress, &INTERRUPTED);
    let executed = run.execute(how.jobs.map_or_else(cores, |jobs| jobs as usize));
    let published = executed.and_then(|executed| Ok((executed, publish_all(roots, &run)?)));
    progress.finish();
    if how.timings {
        eprintln!("{}", progress.timings());
    }
    let (executed, published) = published?;
    Ok(Done { executed, statuses, published })
}

fn publish_all(roots: &Roots, run: &Run<'_>) -> Result<Vec<Published>> {
    let mut published: Vec<Published> = Vec::new();
    for pipeline in &run.plan.pipelines {
        let one = publish::publish(run, pipeline, &roots.outputs, &published)?;
        install_coefficients(roots, pipeline, &one)?;
        published.push(one);
    }
    Ok(published)
}

/// A tuning pipeline as it is committed writes the table of coefficients that other pipelines read.
fn install_coefficients(roots: &Roots, pipeline: &plan::Pipeline, published: &Published) -> Result<()> {
    let committed = pipeline.file == roots.pipelines.join(format!("{}.toml", pipeline.name));
    if !committed || !pipeline.overrides.is_empty() {
        return Ok(());
    }
    for file in pipeline.files.iter().filter(|file| file.file == "toml") {
        let path = published.folder.join(&file.name);
        let found = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let text = format!(
            "# Written by `ojaflow pipeline {0}`: the best cell of each condition on the tuning split. Do not edit; run it again.\n\
             pipeline = \"{0}\"\n{found}",
            pipeline.name
        );
        let folder = roots.pipelines.join(plan::coefficients::FOLDER);
        let target = folder.join(format!("{}.toml", pipeline.name));
        if std::fs::read_to_string(&target).is_ok_and(|old| old == text) {
            continue;
        }
        std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        // Beside the target, then into its place: a reader sees the old table or the new one.
        let mut new = tempfile::NamedTempFile::new_in(&folder).map_err(Error::io("create a file in", &folder))?;
        std::io::Write::write_all(&mut new, text.as_bytes()).map_err(Error::io("write", &target))?;
        new.persist(&target).map_err(|error| Error::io("write", &target)(error.error))?;
    }
    Ok(())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
