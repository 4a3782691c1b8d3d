//! The pipelines, terms and tables of coefficients that the program carries, so that it works in any folder.
//!
//! They are looked up behind a project's own, and read like files in a folder that is called `ojaflow:`. A build for debugging
//! reads those of its sources, so that editing one takes no rebuild.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

const FOLDER: &str = "ojaflow:/";

/// The path of a file that the program carries, named as seen from the folder of the pipelines: `terms/library.toml`.
pub fn find(relative: &str) -> Option<PathBuf> {
    files::text(relative).map(|_| PathBuf::from(format!("{FOLDER}{relative}")))
}

/// The TOML files that it carries in a folder, or beside all folders where that is empty, by file name.
pub fn list(folder: &str) -> Vec<(String, PathBuf)> {
    let path = |name: &str| Path::new(folder).join(name).to_string_lossy().into_owned();
    let mut names = files::names(folder);
    names.retain(|name| name.ends_with(".toml"));
    names.sort();
    names.into_iter().map(|name| (name.clone(), PathBuf::from(format!("{FOLDER}{}", path(&name))))).collect()
}

/// A carried file as seen from the folder of the pipelines; none for files that lie in a file system.
pub fn relative(path: &Path) -> Option<&Path> {
    path.to_str()?.strip_prefix(FOLDER).map(Path::new)
}

/// The text of a file, carried or not.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path) -> Result<String> {
    match relative(path).and_then(Path::to_str).and_then(files::text) {
        Some(text) => Ok(text),
        None => std::fs::read_to_string(path).map_err(Error::io("read", path)),
    }
}

#[cfg(not(debug_assertions))]
mod files {
    use include_dir::{Dir, include_dir};

    static PIPELINES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/pipelines");

    pub(super) fn text(relative: &str) -> Option<String> {
        Some(PIPELINES.get_file(relative)?.contents_utf8()?.to_owned())
    }

    pub(super) fn names(folder: &str) -> Vec<String> {
        let folder = if folder.is_empty() { Some(&PIPELINES) } else { PIPELINES.get_dir(folder) };
        let files = folder.into_iter().flat_map(Dir::files);
        files.filter_map(|file| Some(file.path().file_name()?.to_str()?.to_owned())).collect()
    }
}

#[cfg(debug_assertions)]
mod files {
    use std::fs;
    use std::path::{Component, Path};

    const PIPELINES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines");

    pub(super) fn text(relative: &str) -> Option<String> {
        let stays_inside = Path::new(relative).components().all(|part| matches!(part, Component::Normal(_)));
        if stays_inside { fs::read_to_string(Path::new(PIPELINES).join(relative)).ok() } else { None }
    }

    pub(super) fn names(folder: &str) -> Vec<String> {
        let entries = fs::read_dir(Path::new(PIPELINES).join(folder)).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_carried_is_what_the_folder_of_the_pipelines_has() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines");
        for part in ["", "terms", "coefficients"] {
            let entries = fs::read_dir(folder.join(part)).unwrap().map(|entry| entry.unwrap().path());
            let mut there: Vec<PathBuf> =
                entries.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
            there.sort();
            let carried = list(part);
            let names = there.iter().map(|path| path.file_name().unwrap().to_str().unwrap());
            assert!(names.eq(carried.iter().map(|(name, _)| name.as_str())), "{part}");
            for (file, (_, path)) in there.iter().zip(&carried) {
                assert_eq!(read(path).unwrap(), fs::read_to_string(file).unwrap());
                assert_eq!(relative(path), file.strip_prefix(&folder).ok());
            }
        }
    }

    #[test]
    fn other_names_are_not_carried() {
        assert_eq!(find("fig4.toml"), Some(PathBuf::from("ojaflow:/fig4.toml")));
        assert_eq!(find("../Cargo.toml"), None);
        assert!(read(Path::new("ojaflow:/absent.toml")).is_err());
    }
}
