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

use crate::cli::{Cli, Command, RequestArgs, Roots};
use crate::error::{Error, Result};
use crate::kernels::Backend;
use crate::plan::Request;
use crate::plan::environment::Environment;

pub use schema::{SCHEMA_FILE, schema_text};

/// Carries a command out.
///
/// # Errors
/// Whatever went wrong; [`Error::exit_status`] says whose fault it is.
pub fn execute(cli: &Cli) -> Result<()> {
    // A wrong `OJAFLOW_KERNELS` is a wrong request, to be refused before anything starts.
    Backend::choose().map_err(|error| Error::usage(error.to_string()))?;
    match &cli.command {
        Command::Pipeline(args) => match &args.name {
            Some(name) => pipeline::run(&cli.roots, name, args),
            None => pipeline::list(&cli.roots),
        },
        Command::Plan(args) => pipeline::plan(&cli.roots, args),
        Command::Data(args) => data::execute(&cli.roots, args),
        Command::Store(args) => store::execute(&cli.roots, args),
        Command::Archive(args) => archive::archive(&cli.roots, args),
        Command::Verify(args) => archive::verify(args),
        Command::Reproduce(args) => archive::reproduce(&cli.roots, args),
        Command::Diff(args) => diff::execute(&cli.roots, args),
        Command::Report(args) => report::execute(&cli.roots, args),
        Command::Rules(args) => rules::execute(&cli.roots, args),
        Command::Schema => print(&schema_text()),
    }
}

fn environment(roots: &Roots) -> Result<Environment> {
    Environment::new(&roots.data, &roots.pipelines)
}

fn request(name: &str, args: &RequestArgs) -> Request {
    Request {
        pipeline: name.to_owned(),
        overrides: args.set.clone(),
        publish_as: args.publish_as.clone(),
        to: args.to.clone(),
    }
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
