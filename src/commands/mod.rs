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
mod terminal;

use crate::cli::{Cli, Command};
use crate::error::{Error, Result};
use crate::flow::Project;
use crate::kernels::Backend;

pub use schema::{SCHEMA_FILE, schema_text};
pub use terminal::colour;
use terminal::print;

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
