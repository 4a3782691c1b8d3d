//! `ojaflow data`

use super::terminal::print;
use crate::cli::{DataAction, DataArgs};
use crate::error::{Error, Result};
use crate::flow::{DataSetInfo, Project, tuning_images};

pub(super) fn execute(project: &Project, args: &DataArgs) -> Result<()> {
    match &args.action {
        None => list(project),
        Some(DataAction::Import { folder, name }) => {
            let info = project.import_data(folder, name)?;
            print(&format!(
                "{}: {} training and {} test images of {} classes in {}\nidentity {}\n{}\nUse it in a pipeline with `dataset = \"{}\"`.",
                info.name,
                info.n_train,
                info.n_test,
                info.n_classes,
                info.folder.display(),
                info.identity(),
                splits(&info),
                info.name
            ))
        }
    }
}

/// Which images are for what.
fn splits(info: &DataSetInfo) -> String {
    let tuning = tuning_images(info);
    format!("tuning split: the last {tuning} training images; the other {} are trained on", info.n_train - tuning)
}

fn list(project: &Project) -> Result<()> {
    let mut lines = Vec::new();
    let mut damaged = 0;
    let sets = project.data_sets()?;
    if sets.is_empty() {
        return print(&format!(
            "no data set in {}: run from the project's root, name another folder with `--data DIR`, or add a set with \
             `ojaflow data import DIR --as NAME`",
            project.data.display()
        ));
    }
    for (info, statuses) in sets {
        lines.push(format!("{:<16} {}", info.name, info.title));
        lines.push(format!(
            "  {} training and {} test images, {} classes, in {}",
            info.n_train,
            info.n_test,
            info.n_classes,
            info.folder.display()
        ));
        lines.push(format!("  {}", splits(&info)));
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
