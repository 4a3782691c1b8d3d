//! `ojaflow data`

use super::terminal::print;
use crate::cli::{DataAction, DataArgs};
use crate::error::{Error, Result};
use crate::flow::Project;

pub fn execute(project: &Project, args: &DataArgs) -> Result<()> {
    match &args.action {
        None => list(project),
        Some(DataAction::Import { folder, name }) => {
            let info = project.import_data(folder, name)?;
            print(&format!(
                "{}: {} training and {} test images of {} classes in {}\nidentity {}\nUse it in a pipeline with `dataset = \"{}\"`.",
                info.name,
                info.n_train,
                info.n_test,
                info.n_classes,
                info.folder.display(),
                info.identity(),
                info.name
            ))
        }
    }
}

fn list(project: &Project) -> Result<()> {
    let mut lines = Vec::new();
    let mut damaged = 0;
    for (info, statuses) in project.data_sets()? {
        lines.push(format!("{:<16} {}", info.name, info.title));
        lines.push(format!(
            "  {} training and {} test images, {} classes, in {}",
            info.n_train,
            info.n_test,
            info.n_classes,
            info.folder.display()
        ));
        lines.push(format!("  identity {}", info.identity()));
        for status in statuses {
            match status.problem {
                None => lines.push(format!("  checksum holds   {}", status.file.name)),
                Some(problem) => {
                    damaged += 1;
                    lines.push(format!("  DAMAGED          {}\n{problem}", status.file.name));
                }
            }
        }
    }
    print(&lines.join("\n"))?;
    match damaged {
        0 => Ok(()),
        n => Err(Error::Store(format!("{n} files of data sets are damaged"))),
    }
}
