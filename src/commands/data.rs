//! `ojaflow data`

use super::roots::user_data;
use super::terminal::print;
use crate::cli::{DataAction, DataArgs, Roots};
use crate::error::{Error, Result};
use crate::flow::{DataSetInfo, Project, tuning_images};
use crate::words::paths;

pub(super) fn execute(project: &Project, roots: &Roots, args: &DataArgs) -> Result<()> {
    match &args.action {
        None => list(project),
        Some(DataAction::Import { folder, name }) => print(&taken_over(&project.import_data(folder, name)?)),
        Some(DataAction::Fetch { source }) => {
            let data = match &roots.data {
                Some(data) => data.clone(),
                None => {
                    user_data().ok_or_else(|| Error::usage("this user has no home: say where to with `--data DIR`"))?
                }
            };
            let project = Project { data, ..project.clone() };
            let sets: Vec<String> = project.fetch_data(source)?.iter().map(taken_over).collect();
            print(&sets.join("\n\n"))
        }
    }
}

/// What is said of a data set that is new here.
fn taken_over(info: &DataSetInfo) -> String {
    format!(
        "{}: {} training and {} test images of {} classes in {}\nidentity {}\n{}\nUse it in a pipeline with `dataset = \"{}\"`.",
        info.name,
        info.n_train,
        info.n_test,
        info.n_classes,
        info.folder.display(),
        info.identity(),
        splits(info),
        info.name
    )
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
            "no data set in {}\n\
             MNIST and Fashion-MNIST come with `pip install ojaflow-data` or `ojaflow data fetch FOLDER_OR_URL`; another set \
             with `ojaflow data import DIR --as NAME`; another folder is named with `--data DIR`",
            paths(&project.data_folders())
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
