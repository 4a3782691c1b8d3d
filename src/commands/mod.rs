//! What each command does, from parsed options to printed lines.

mod archive;
mod begin;
mod data;
mod diff;
mod events;
mod export;
mod fold;
mod outcome;
mod pipeline;
mod progress;
mod remote;
mod report;
mod roots;
mod rules;
mod store;
mod terminal;
mod work;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command, StoreAction, StoreArgs};
use crate::error::{Error, Result};
use crate::flow::{Machine, described, schema_text};
use terminal::{colour, interrupted_by, print_exactly, say};

/// Parses the command line, carries the command out, and says on stderr what went wrong; the exit status says whose fault
/// it is.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match execute(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&described(&error, colour()));
            ExitCode::from(
                interrupted_by().filter(|_| matches!(error, Error::Interrupted)).unwrap_or(error.exit_status()),
            )
        }
    }
}

/// The pipeline that a command names.
fn named(command: &Command) -> Option<&str> {
    match command {
        Command::Pipeline(args) => args.name.as_deref(),
        Command::Plan(args) => Some(&args.name),
        Command::Work(args) => Some(&args.name),
        Command::Export(args) => Some(&args.name),
        Command::Status(args) => Some(&args.name),
        Command::Rules(args) => args.name.as_deref(),
        Command::Store(StoreArgs { action: Some(StoreAction::Push { name, .. } | StoreAction::Pull { name, .. }) }) => {
            name.as_deref()
        }
        Command::Diff(args) => [&args.a, &args.b].into_iter().map(String::as_str).find(|name| name.ends_with(".toml")),
        _ => None,
    }
}

fn execute(cli: &Cli) -> Result<()> {
    // A wrong `OJAFLOW_KERNELS` is a wrong request, to be refused before anything starts.
    Machine::this()?;
    let project = &roots::project(&cli.roots, named(&cli.command));
    match &cli.command {
        Command::Pipeline(args) => match &args.name {
            Some(name) => pipeline::run(project, name, args),
            None => pipeline::list(project),
        },
        Command::Init(args) => begin::project(args),
        Command::New(args) => begin::pipeline(project, args),
        Command::Plan(args) => pipeline::plan(project, args),
        Command::Work(args) => work::work(project, args),
        Command::Export(args) => export::execute(project, args),
        Command::Status(args) => work::status(project, args),
        Command::Data(args) => data::execute(project, &cli.roots, args),
        Command::Store(args) => store::execute(project, args),
        Command::Archive(args) => archive::archive(project, args),
        Command::Verify(args) => archive::check(args),
        Command::Reproduce(args) => archive::reproduce(project, args),
        Command::Diff(args) => diff::execute(project, args),
        Command::Report(args) => report::execute(project, args),
        Command::Rules(args) => rules::execute(project, args),
        Command::Schema => print_exactly(&schema_text()),
    }
}
