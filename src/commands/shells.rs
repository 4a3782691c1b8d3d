//! `ojaflow completions` and `ojaflow man`: what a shell and `man` know of the commands.
//!
//! A shell asks this program for what could come next, so it knows the pipelines that there are at that moment, the stages
//! of the one that was named and the values in its file.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

use clap::{Arg, Command, CommandFactory};
use clap_complete::env::{Bash, CompleteEnv, EnvCompleter, Fish, Zsh};
use clap_complete::{ArgValueCompleter, CompletionCandidate};

use super::roots;
use super::terminal::{print, print_exactly};
use crate::cli::{Cli, Roots, Shell};
use crate::error::{Error, Result};
use crate::flow::{Outline, Project, topics};

/// The variable by which a shell asks.
const ASKED_BY: &str = "OJAFLOW_COMPLETE";

/// Answers a shell that asks what could come next, and ends the program then.
pub(super) fn answer() {
    CompleteEnv::with_factory(|| completing(Cli::command())).var(ASKED_BY).complete();
}

/// The script that has a shell ask.
pub(super) fn completions(shell: Shell) -> Result<()> {
    let shell: &dyn EnvCompleter = match shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    };
    let mut script = Vec::new();
    // By its name, so that the script holds for whichever `ojaflow` is found first.
    shell.write_registration(ASKED_BY, "ojaflow", "ojaflow", "ojaflow", &mut script).map_err(Error::Stdout)?;
    print_exactly(String::from_utf8_lossy(&script).trim_end())
}

/// Manual pages, one a command.
pub(super) fn man(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let command = Cli::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, folder).map_err(Error::io("write into", folder))?;
    print(&format!("manual pages in {0}; `man -l {0}/ojaflow.1` shows the first", folder.display()))
}

/// The command with what its arguments can be, where that is found in files.
fn completing(command: Command) -> Command {
    let name = command.get_name().to_owned();
    command.mut_args(|arg| completed(&name, arg)).mut_subcommands(completing)
}

fn completed(command: &str, arg: Arg) -> Arg {
    // What is one of a few words is known without looking.
    if !arg.get_possible_values().is_empty() || !arg.get_action().takes_values() {
        return arg;
    }
    let candidates: fn() -> Vec<Candidate> = match (command, arg.get_id().as_str()) {
        ("pipeline" | "plan" | "work" | "export" | "status" | "rules" | "push" | "pull", "name") => pipelines,
        ("explain", "methods") => pipelines,
        ("explain", "topic") => explained,
        ("archive", "name") | ("report", "names") => published,
        ("diff", "a" | "b") => published_and_pipelines,
        ("pipeline" | "plan" | "work" | "status" | "push" | "pull", "to" | "force") => stages,
        (_, "set") => keys,
        _ => return arg,
    };
    arg.add(ArgValueCompleter::new(move |begun: &OsStr| beginning_with(begun, candidates())))
}

/// A word, and what it stands for.
type Candidate = (String, String);

fn beginning_with(begun: &OsStr, candidates: Vec<Candidate>) -> Vec<CompletionCandidate> {
    let begun = begun.to_string_lossy();
    let fitting = candidates.into_iter().filter(|(word, _)| word.starts_with(begun.as_ref()));
    fitting.map(|(word, help)| CompletionCandidate::new(word).help((!help.is_empty()).then(|| help.into()))).collect()
}

fn pipelines() -> Vec<Candidate> {
    project().titles()
}

fn explained() -> Vec<Candidate> {
    let topics = topics().into_iter().flat_map(|(_, topics)| topics);
    topics.map(|topic| (topic.name.to_owned(), topic.summary.to_owned())).collect()
}

fn published() -> Vec<Candidate> {
    let folders = project().published_folders().unwrap_or_default();
    let name = |folder: &Path| folder.file_name().map(|name| name.to_string_lossy().into_owned());
    folders.iter().filter_map(|folder| Some((name(folder)?, String::new()))).collect()
}

fn published_and_pipelines() -> Vec<Candidate> {
    let mut both = published();
    for (name, title) in pipelines() {
        match both.iter_mut().find(|(there, _)| *there == name) {
            Some((_, help)) => *help = title,
            None => both.push((name, title)),
        }
    }
    both
}

fn stages() -> Vec<Candidate> {
    outline().stages
}

fn keys() -> Vec<Candidate> {
    outline().keys.into_iter().map(|(path, value)| (format!("{path}="), value)).collect()
}

/// What has been typed, without the name of the program.
fn words() -> Vec<OsString> {
    std::env::args_os().skip_while(|word| word != "--").skip(2).collect()
}

/// The project, as far as what has been typed says where it is.
fn project() -> Project {
    let words = words();
    let told = |option: &str, variable: &str| {
        let after = words.iter().position(|word| word == option).and_then(|at| words.get(at + 1)).cloned();
        after.or_else(|| std::env::var_os(variable)).map(Into::into)
    };
    let roots = Roots {
        outputs: told("--outputs", "OJAFLOW_OUTPUTS").unwrap_or_else(|| "outputs".into()),
        data: told("--data", "OJAFLOW_DATA"),
        pipelines: told("--pipelines", "OJAFLOW_PIPELINES"),
    };
    let named = words.iter().filter_map(|word| word.to_str()).find(|word| word.ends_with(".toml"));
    roots::project(&roots, named)
}

/// What is in the file of the pipeline that has been typed.
fn outline() -> Outline {
    let project = project();
    // Behind the command, which may be called as a pipeline is.
    let typed = words();
    let mut names = typed.iter().skip(1).filter_map(|word| word.to_str()).filter(|word| !word.starts_with('-'));
    names.find_map(|name| project.outline(name)).unwrap_or_default()
}
