//! `ojaflow report`

use std::fs;

use super::terminal::print;
use crate::cli::ReportArgs;
use crate::error::{Error, Result};
use crate::flow::Project;
use crate::words::size;

pub(super) fn execute(project: &Project, args: &ReportArgs) -> Result<()> {
    if let Some(path) = &args.table_in {
        let judged = project.claims(&args.names)?;
        let text = fs::read_to_string(path).map_err(Error::io_at("--table-in FILE", "read", path))?;
        let text = judged.table_in(&text)?;
        fs::write(path, text).map_err(Error::io_at("--table-in FILE", "write", path))?;
        print(&format!("{}  the claims of {} runs", path.display(), judged.n_runs()))?;
    }
    if args.output.extension().is_some_and(|extension| extension == "md") {
        let judged = project.claims(&args.names)?;
        fs::write(&args.output, judged.page()).map_err(Error::io_at("-o FILE", "write", &args.output))?;
        judged.write_drawings(&args.output)?;
        return print(&format!("{}  the claims of {} runs", args.output.display(), judged.n_runs()));
    }
    let (page, runs) = project.report(&args.names)?;
    fs::write(&args.output, &page).map_err(Error::io_at("-o FILE", "write", &args.output))?;
    print(&format!("{}  {runs} runs, {}", args.output.display(), size(page.len() as u64)))
}
