//! `ojaflow data`

use super::print;
use crate::cli::{DataAction, DataArgs, Roots};
use crate::datasets;
use crate::error::{Error, Result};

pub fn execute(roots: &Roots, args: &DataArgs) -> Result<()> {
    match &args.action {
        None => list(roots),
        Some(DataAction::Import { folder, name }) => {
            let info = datasets::import(folder, &roots.data, name)?;
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

fn list(roots: &Roots) -> Result<()> {
    let mut lines = Vec::new();
    let mut damaged = 0;
    for info in datasets::list(&roots.data)? {
        lines.push(format!("{:<16} {}", info.name, info.title));
        lines.push(format!(
            "  {} training and {} test images, {} classes, in {}",
            info.n_train,
            info.n_test,
            info.n_classes,
            info.folder.display()
        ));
        lines.push(format!("  identity {}", info.identity()));
        for status in datasets::verify(&info) {
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
