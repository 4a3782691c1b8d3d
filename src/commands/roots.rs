//! Where pipelines and data sets are, as far as the options do not say.

use std::path::{Path, PathBuf};

use crate::cli::Roots;
use crate::flow::Project;

/// The project that a command works on. A pipeline that is given as a file brings its own surroundings along: what is not
/// here is looked for beside it.
pub(super) fn project(roots: &Roots, pipeline: Option<&str>) -> Project {
    let folder = pipeline.map(Path::new).filter(|file| file.is_file()).and_then(Path::parent);
    let beside = |name: &str| {
        let folder = folder?;
        [folder.join(name), folder.join("..").join(name)].into_iter().find(|candidate| candidate.is_dir())
    };
    let here = |name: &str| Some(PathBuf::from(name)).filter(|candidate| candidate.is_dir());
    let data = roots.data.clone().or_else(|| here("data")).or_else(|| beside("data"));
    let pipelines = roots.pipelines.clone().or_else(|| here("pipelines"));
    // Whatever its name is, the folder of the file is where others beside it are found.
    let pipelines = pipelines.or_else(|| folder.map(Path::to_owned));
    Project {
        outputs: roots.outputs.clone(),
        data: data.unwrap_or_else(|| "data".into()),
        pipelines: pipelines.unwrap_or_else(|| "pipelines".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_here_is_looked_for_beside_the_pipeline() {
        let folder = tempfile::tempdir().unwrap();
        let pipelines = folder.path().join("pipelines");
        std::fs::create_dir_all(&pipelines).unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let file = pipelines.join("own.toml");
        std::fs::write(&file, "").unwrap();
        let roots = |data: Option<&str>| Roots { outputs: "o".into(), data: data.map(PathBuf::from), pipelines: None };
        // Tests run in the project's own folder, which has data.
        assert_eq!(project(&roots(None), file.to_str()).data, Path::new("data"));
        assert_eq!(project(&roots(Some("given")), file.to_str()).data, Path::new("given"));
        assert_eq!(project(&roots(None), Some("fig1")).pipelines, Path::new("pipelines"));
    }
}
