//! What each command does, from parsed options to printed lines.

mod archive;
mod data;
mod diff;
mod outcome;
mod pipeline;
mod progress;
mod report;
mod rules;
mod schema;
mod store;

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::{Cli, Command, RequestArgs};
use crate::error::{Error, Result};
use crate::flow::{Options, Project, Request};
use crate::kernels::Backend;

pub use schema::{SCHEMA_FILE, schema_text};

/// Carries a command out.
///
/// # Errors
/// Whatever went wrong; [`Error::exit_status`] says whose fault it is.
pub fn execute(cli: &Cli) -> Result<()> {
    // A wrong `OJAFLOW_KERNELS` is a wrong request, to be refused before anything starts.
    Backend::choose().map_err(|error| Error::usage(error.to_string()))?;
    let roots = &cli.roots;
    let project =
        &Project { outputs: roots.outputs.clone(), data: roots.data.clone(), pipelines: roots.pipelines.clone() };
    match &cli.command {
        Command::Pipeline(args) => match &args.name {
            Some(name) => pipeline::run(project, name, args),
            None => pipeline::list(project),
        },
        Command::Plan(args) => pipeline::plan(project, args),
        Command::Data(args) => data::execute(project, args),
        Command::Store(args) => store::execute(project, args),
        Command::Archive(args) => archive::archive(project, args),
        Command::Verify(args) => archive::verify(args),
        Command::Reproduce(args) => archive::reproduce(project, args),
        Command::Diff(args) => diff::execute(project, args),
        Command::Report(args) => report::execute(project, args),
        Command::Rules(args) => rules::execute(project, args),
        Command::Schema => print(&schema_text()),
    }
}

fn request(name: &str, args: &RequestArgs) -> Request {
    Request {
        pipeline: name.to_owned(),
        overrides: args.set.clone(),
        publish_as: args.publish_as.clone(),
        to: args.to.clone(),
    }
}

/// Raised by Ctrl-C; runs look at it between two steps.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How a run is carried out for the terminal: Ctrl-C (or a polite kill) stops it between two steps, and nothing half done
/// stays.
fn options(jobs: Option<u32>, force: Option<&str>) -> Options<'_> {
    let _ = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed));
    Options { force, jobs: jobs.map(|jobs| jobs as usize), interrupt: Some(&INTERRUPTED) }
}

/// Prints to stdout. A reader that has gone away (`| head`) is not an error.
fn print(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::io("write to", "stdout")(error)),
        _ => Ok(()),
    }
}

/// Whether stderr is a terminal that shows colours.
pub fn colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}
