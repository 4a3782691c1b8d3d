//! `ojaflow report`

use std::fs;

use super::terminal::print;
use crate::cli::ReportArgs;
use crate::error::{Error, Result};
use crate::flow::Project;
use crate::words::size;

pub(super) fn execute(project: &Project, args: &ReportArgs) -> Result<()> {
    let (page, runs) = project.report(&args.names)?;
    fs::write(&args.output, &page).map_err(Error::io_at("-o FILE", "write", &args.output))?;
    print(&format!("{}  {runs} runs, {}", args.output.display(), size(page.len() as u64)))
}
