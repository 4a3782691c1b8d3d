//! Parse, run, exit status.

use std::process::ExitCode;

use clap::Parser;
use ojaflow::cli::Cli;
use ojaflow::commands;
use ojaflow::error::Error;
use ojaflow::spec::report::render;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match commands::execute(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            match &error {
                Error::Spec(faults) => eprintln!("{}", render(faults, commands::colour())),
                other => eprintln!("ojaflow: {other}"),
            }
            ExitCode::from(error.exit_status())
        }
    }
}
