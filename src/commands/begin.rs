//! `ojaflow init`, `ojaflow new` and `ojaflow rules new`

use super::rules;
use super::terminal::print;
use crate::cli::{InitArgs, NewArgs};
use crate::error::Result;
use crate::flow::Project;

pub(super) fn project(args: &InitArgs) -> Result<()> {
    let written = Project::begin(&args.folder)?;
    let mut lines: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
    lines.push(format!("\nTo try it: cd {} && ojaflow pipeline first", args.folder.display()));
    print(&lines.join("\n"))
}

pub(super) fn pipeline(project: &Project, args: &NewArgs) -> Result<()> {
    let NewArgs { name, from } = args;
    let path = project.begin_pipeline(name, from)?;
    print(&format!(
        "{} is a copy of {from} to be changed.\n\
         `ojaflow explain` says what can stand in it, `ojaflow plan {name}` checks it and shows what would run,\n\
         `ojaflow pipeline {name}` runs it: what it has in common with runs that were made is not computed again.",
        path.display()
    ))
}

/// Begins a file with a term, and says how it is used.
pub(super) fn term(project: &Project, name: &str) -> Result<()> {
    let file = project.begin_term(name)?;
    let library = format!("terms/{name}");
    let term = project.library(&library)?.expect("a file of terms is a library");
    let what = format!("{} has a term to begin with:", file.display());
    let mut said = format!(
        "{}\n\n\
         Write your equation there (docs/rules.md); `ojaflow rules {library}` checks it and prints what is carried out.\n\
         A pipeline uses it with `include = [\"{library}\"]` as its first line, and a rule with `{name} = 0.001`.",
        rules::terms(&what, &term, false)
    );
    let options = format!("--set 'include=[\"{library}\"]' --set rules.bp.{name}=0.001");
    said.push_str(&format!("\nTo try it at once: ojaflow pipeline smoke {options}"));
    print(&said)
}
