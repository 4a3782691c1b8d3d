//! `ojaflow report`

use std::fs;
use std::path::Path;

use super::terminal::print;
use crate::cli::ReportArgs;
use crate::error::{Error, Result};
use crate::flow::Project;
use crate::words::size;

pub(super) fn execute(project: &Project, args: &ReportArgs) -> Result<()> {
    let is_markdown = args.output.extension().is_some_and(|extension| extension == "md");
    if is_markdown || args.table_in.is_some() {
        claims(project, args, is_markdown)?;
    }
    if is_markdown { Ok(()) } else { page(project, args) }
}

/// The claims in Markdown: the table of verdicts where one is asked for, and the page of all parts.
fn claims(project: &Project, args: &ReportArgs, with_page: bool) -> Result<()> {
    let judged = project.claims(&args.names)?;
    let said = |path: &Path| print(&format!("{}  the claims of {} runs", path.display(), judged.n_runs()));
    if let Some(path) = &args.table_in {
        let text = fs::read_to_string(path).map_err(Error::io_at("--table-in FILE", "read", path))?;
        fs::write(path, judged.table_in(&text)?).map_err(Error::io_at("--table-in FILE", "write", path))?;
        said(path)?;
    }
    if with_page {
        fs::write(&args.output, judged.page()).map_err(Error::io_at("-o FILE", "write", &args.output))?;
        judged.write_drawings(&args.output)?;
        said(&args.output)?;
    }
    Ok(())
}

/// The page in HTML.
fn page(project: &Project, args: &ReportArgs) -> Result<()> {
    let (page, runs) = project.report(&args.names)?;
    fs::write(&args.output, &page).map_err(Error::io_at("-o FILE", "write", &args.output))?;
    let runs = if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
    print(&format!("{}  {runs}, {}", args.output.display(), size(page.len() as u64)))
}
