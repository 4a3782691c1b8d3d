//! Where pipelines and data sets are, as far as the options do not say.

use std::fs;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;

use crate::cli::Roots;
use crate::flow::Project;

/// The project that a command works on. A pipeline that is given as a file brings its own surroundings along: what is not
/// here is looked for beside it. Data sets that are not there either are looked for where the user and the installation keep
/// them, unless a folder was named.
pub(super) fn project(roots: &Roots, pipeline: Option<&str>) -> Project {
    let folder = pipeline.map(Path::new).filter(|file| file.is_file()).and_then(Path::parent);
    let folder = folder.map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    // In `own/pipelines/fig.toml` and in `own/fig.toml` the data sets are those in `own/data`.
    let beside = folder.map_or_else(Vec::new, |folder| vec![folder.join("data"), folder.join("../data")]);
    // Many folders have a `data`; that of a project has data sets in it.
    let found = || [PathBuf::from("data")].into_iter().chain(beside).find(|folder| has_data_sets(folder));
    let pipelines = || [Some(Path::new("pipelines")).filter(|here| here.is_dir()), folder].into_iter().flatten().next();
    Project {
        outputs: roots.outputs.clone(),
        data: roots.data.clone().or_else(found).unwrap_or_else(|| "data".into()),
        shared_data: if roots.data.is_some() { Vec::new() } else { shared_data() },
        pipelines: roots.pipelines.clone().unwrap_or_else(|| pipelines().unwrap_or(Path::new("pipelines")).to_owned()),
    }
}

/// Where a user keeps data sets for all projects: `~/.local/share/ojaflow/data`, or where `XDG_DATA_HOME` says.
pub(super) fn user_data() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.data_dir().join("ojaflow").join("data"))
}

/// The user's data folder, and that of the installation: `share/ojaflow/data` beside the `bin` that the program lies in, which
/// the wheel `ojaflow-data` fills.
fn shared_data() -> Vec<PathBuf> {
    let program = std::env::current_exe().ok();
    let installed = program.as_deref().and_then(Path::parent).and_then(Path::parent);
    let installed = installed.map(|prefix| prefix.join("share").join("ojaflow").join("data"));
    user_data().into_iter().chain(installed).filter(|folder| folder.is_dir()).collect()
}

fn has_data_sets(folder: &Path) -> bool {
    let sets = fs::read_dir(folder).into_iter().flatten().flatten();
    sets.into_iter().any(|set| set.path().join("dataset.toml").is_file())
}
