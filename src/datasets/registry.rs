//! The data folder: which data sets there are.

use std::fs;
use std::io;
use std::path::Path;

use super::description::FILE_NAME;
use super::{DataError, DataSetInfo};

/// Every data set in `data_dir`, by name. A folder that does not exist holds none; whatever has no `dataset.toml` is
/// no data set.
///
/// # Errors
/// A `dataset.toml` that cannot be read or contradicts itself, or a folder that cannot be read.
pub fn list(data_dir: &Path) -> Result<Vec<DataSetInfo>, DataError> {
    names(data_dir)?.iter().map(|name| DataSetInfo::read(&data_dir.join(name))).collect()
}

/// The data set `name` of `data_dir`. Only its description is read.
///
/// # Errors
/// [`DataError::UnknownDataSet`] with the names that there are, or what [`list`] returns.
pub fn find(data_dir: &Path, name: &str) -> Result<DataSetInfo, DataError> {
    let available = names(data_dir)?;
    if !available.iter().any(|other| other == name) {
        return Err(DataError::UnknownDataSet { name: name.to_owned(), data_dir: data_dir.to_owned(), available });
    }
    DataSetInfo::read(&data_dir.join(name))
}

fn names(data_dir: &Path) -> Result<Vec<String>, DataError> {
    let unreadable = |error| DataError::Io { action: "read", path: data_dir.to_owned(), error };
    let entries = match fs::read_dir(data_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Hidden folders are imports that are being written.
        if !name.starts_with('.') && entry.path().join(FILE_NAME).is_file() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_sets_are_listed_by_name() {
        let sets = list(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data")).unwrap();
        let names: Vec<&str> = sets.iter().map(|set| set.name.as_str()).collect();
        assert!(names.is_sorted() && names.contains(&"mnist") && names.contains(&"fashion_mnist"), "{names:?}");
    }

    #[test]
    fn a_missing_folder_holds_no_set() {
        let folder = tempfile::tempdir().unwrap();
        assert!(list(&folder.path().join("absent")).unwrap().is_empty());
    }

    #[test]
    fn what_has_no_description_is_no_set() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("notes")).unwrap();
        fs::write(folder.path().join("README.md"), "").unwrap();
        assert!(list(folder.path()).unwrap().is_empty());
    }
}
