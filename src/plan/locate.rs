//! Where a pipeline's file is.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::spec::node::{Fault, Span, choices, suggestion};
use crate::spec::{Library, carried};

/// The file of a pipeline. A name is looked up among the pipelines of the project, and then among those that the program
/// carries; `terms/library` lies in one of their folders; anything else with a separator or `.toml` is a path.
pub(crate) fn locate(pipelines: &Path, name: &str, span: Option<&Span>) -> Result<PathBuf> {
    let in_folder = pipelines.join(format!("{name}.toml"));
    if in_folder.is_file() {
        return Ok(in_folder);
    }
    let as_path = PathBuf::from(name);
    let is_path = name.ends_with(".toml") || name.contains(['/', '\\']);
    if is_path && as_path.is_file() {
        return Ok(as_path);
    }
    let carried = match carried::relative(&as_path).and_then(Path::to_str) {
        Some(relative) => carried::find(relative),
        None => carried::find(&format!("{name}.toml")),
    };
    if let Some(carried) = carried {
        return Ok(carried);
    }
    let (own, carried) = (names(pipelines), carried_names(pipelines));
    let mut fault = Fault { message: format!("there is no pipeline `{name}`"), span: span.cloned(), help: None };
    fault.help = Some(if is_path {
        format!("No file {}.", as_path.display())
    } else {
        let there = match &own[..] {
            [] => format!("{} has none; the program has: {}.", pipelines.display(), choices(&carried)),
            own if carried.is_empty() => format!("There are: {}.", choices(own)),
            own => format!("There are: {}, and those of the program, which `ojaflow pipeline` lists.", choices(own)),
        };
        let all: Vec<String> = own.iter().chain(&carried).cloned().collect();
        suggestion(name, &all).map_or_else(|| there.clone(), |meant| format!("{meant} {there}"))
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

/// The names of the pipelines that the program carries, without those that a folder has itself.
pub fn carried_names(folder: &Path) -> Vec<String> {
    let names = carried::list("").into_iter().filter_map(|(file, _)| Some(file.strip_suffix(".toml")?.to_owned()));
    names.filter(|name| !folder.join(format!("{name}.toml")).is_file()).collect()
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
    fn what_the_program_carries_stands_behind_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(locate(folder.path(), "fig4", None).unwrap(), Path::new("ojaflow:/fig4.toml"));
        assert_eq!(locate(folder.path(), "ojaflow:/fig4.toml", None).unwrap(), Path::new("ojaflow:/fig4.toml"));
        assert_eq!(locate(folder.path(), "terms/library", None).unwrap(), Path::new("ojaflow:/terms/library.toml"));
        std::fs::write(folder.path().join("fig4.toml"), "").unwrap();
        assert_eq!(locate(folder.path(), "fig4", None).unwrap(), folder.path().join("fig4.toml"));
        assert!(!carried_names(folder.path()).contains(&"fig4".to_owned()));
    }

    #[test]
    fn what_is_not_there_is_answered_with_what_is() {
        let folder = tempfile::tempdir().unwrap();
        let help = |name: &str| match locate(folder.path(), name, None) {
            Err(Error::Spec(faults)) => faults[0].help.clone().unwrap(),
            other => panic!("{other:?}"),
        };
        assert!(help("own").contains("has none; the program has: `all`"));
        std::fs::write(folder.path().join("other.toml"), "").unwrap();
        assert_eq!(help("own"), "There are: `other`, and those of the program, which `ojaflow pipeline` lists.");
        assert!(help("fig44").starts_with("Did you mean `fig4`?"));
        assert_eq!(help("own.toml"), "No file own.toml.");
    }
}
