//! `ojaflow export`

use std::fs;

use super::terminal::{changed, print, print_exactly};
use crate::cli::{self, ExportArgs};
use crate::error::{Error, Result};
use crate::flow::{Engine, Project};

pub(super) fn execute(project: &Project, args: &ExportArgs) -> Result<()> {
    let (engine, start) = match args.to {
        cli::Engine::Slurm => (Engine::Slurm, "sh"),
        cli::Engine::HyperQueue => (Engine::HyperQueue, "hq job submit-file"),
        cli::Engine::Snakemake => (Engine::Snakemake, "snakemake --executor slurm --jobs 100 -s"),
    };
    let exported = project.export(&changed(&args.name, &args.changes)?, engine, args.shards, args.jobs)?;
    let Some(file) = &args.output else { return print_exactly(exported.text.trim_end()) };
    fs::write(file, &exported.text).map_err(Error::io_at("-o FILE", "write", file))?;
    let file = file.display();
    print(&format!("{file}  {}\nstart it with `{start} {file}`", exported.sentence))
}
