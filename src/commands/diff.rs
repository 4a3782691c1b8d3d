//! `ojaflow diff`

use super::terminal::print;
use crate::cli::DiffArgs;
use crate::error::Result;
use crate::flow::Project;

pub fn execute(project: &Project, args: &DiffArgs) -> Result<()> {
    print(&project.diff(&args.a, &args.b)?)
}
