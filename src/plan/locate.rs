//! Where a pipeline's file is.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::spec::Library;
use crate::spec::node::{Fault, Span, choices, suggestion};

/// The file of a pipeline. A name is looked up among the pipelines; `terms/library` lies in
/// one of their folders; anything else with a separator or `.toml` is a path.
pub(super) fn locate(pipelines: &Path, name: &str, span: Option<&Span>) -> Result<PathBuf> {
    let in_folder = pipelines.join(format!("{name}.toml"));
    // `terms/library` lies in a folder of the pipelines'.
    let is_path = name.ends_with(".toml") || name.contains(['/', '\\']) && !in_folder.is_file();
    let file = if is_path { PathBuf::from(name) } else { in_folder };
    if file.is_file() {
        return Ok(file);
    }
    let known = names(pipelines);
    let mut fault = Fault { message: format!("there is no pipeline `{name}`"), span: span.cloned(), help: None };
    fault.help = Some(if is_path {
        format!("No file {}.", file.display())
    } else if known.is_empty() {
        format!("No pipelines in {}: run from the project's root.", pipelines.display())
    } else {
        let there = format!("There are: {}.", choices(&known));
        suggestion(name, &known).map_or_else(|| there.clone(), |meant| format!("{meant} {there}"))
    });
    Err(Error::Spec(vec![fault]))
}

/// The library of terms of that name or path; none where it is a pipeline.
///
/// # Errors
/// There is no such file, or it cannot be read.
pub fn library(pipelines: &Path, name: &str) -> Result<Option<Library>> {
    Library::load(&locate(pipelines, name, None)?)
}

/// The names of the pipelines in a folder.
pub fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let toml = path.extension()? == "toml" && path.is_file();
            toml.then(|| path.file_stem().map(|stem| stem.to_string_lossy().into_owned())).flatten()
        })
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_among_the_pipelines_and_a_path_is_taken_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.toml");
        std::fs::write(&file, "").unwrap();
        std::fs::write(folder.path().join("notes.txt"), "").unwrap();
        assert_eq!(locate(folder.path(), "own", None).unwrap(), file);
        assert_eq!(locate(Path::new("nowhere"), file.to_str().unwrap(), None).unwrap(), file);
        assert_eq!(names(folder.path()), ["own"]);
    }

    #[test]
    fn what_is_not_there_is_answered_with_what_is() {
        let folder = tempfile::tempdir().unwrap();
        let help = |name: &str| match locate(folder.path(), name, None) {
            Err(Error::Spec(faults)) => faults[0].help.clone().unwrap(),
            other => panic!("{other:?}"),
        };
        assert!(help("own").contains("run from the project's root"));
        std::fs::write(folder.path().join("other.toml"), "").unwrap();
        assert_eq!(help("own"), "There are: `other`.");
        assert_eq!(help("own.toml"), "No file own.toml.");
    }
}
