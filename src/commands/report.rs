//! `ojaflow report`

use std::fs;
use std::path::PathBuf;

use super::archive::published_folder;
use super::print;
use crate::cli::{ReportArgs, Roots};
use crate::error::{Error, Result};
use crate::publish;
use crate::report;
use crate::words::size;

pub fn execute(roots: &Roots, args: &ReportArgs) -> Result<()> {
    let folders: Vec<PathBuf> = match args.names.as_slice() {
        [] => publish::folders(&roots.outputs)?,
        names => names.iter().map(|name| published_folder(roots, name)).collect::<Result<_>>()?,
    };
    if folders.is_empty() {
        return Err(Error::usage(format!("nothing is published in {}: run a pipeline first", roots.outputs.display())));
    }
    let page = report::page(&folders)?;
    fs::write(&args.output, &page).map_err(Error::io("write", &args.output))?;
    print(&format!("{}  {} runs, {}", args.output.display(), folders.len(), size(page.len() as u64)))
}
