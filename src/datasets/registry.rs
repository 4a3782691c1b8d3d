//! The data folder: which data sets there are.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::description::FILE_NAME;
use super::{DataError, DataSetInfo};

/// Every data set in these folders, by name; of those that have the same name the one in the earlier folder. A folder that does
/// not exist holds none; whatever has no `dataset.toml` is no data set.
///
/// # Errors
/// A `dataset.toml` that cannot be read or contradicts itself, or a folder that cannot be read.
pub fn list(folders: &[impl AsRef<Path>]) -> Result<Vec<DataSetInfo>, DataError> {
    available(folders)?.into_values().map(|folder| DataSetInfo::read(&folder)).collect()
}

/// The data set `name` of the first of these folders that has it. Only its description is read.
///
/// # Errors
/// [`DataError::UnknownDataSet`] with the names that there are, or what [`list`] returns.
pub fn find(folders: &[impl AsRef<Path>], name: &str) -> Result<DataSetInfo, DataError> {
    let available = available(folders)?;
    let Some(folder) = available.get(name) else {
        return Err(DataError::UnknownDataSet {
            name: name.to_owned(),
            folders: folders.iter().map(|folder| folder.as_ref().display().to_string()).collect(),
            available: available.into_keys().collect(),
        });
    };
    DataSetInfo::read(folder)
}

/// The data sets that come with the program, as far as it carries them: their descriptions, not their images. They lie nowhere.
pub fn known() -> Vec<DataSetInfo> {
    let read = |(name, text)| DataSetInfo::parse(name, text).expect("the committed descriptions are sound");
    [
        ("fashion_mnist", include_str!("../../data/fashion_mnist/dataset.toml")),
        ("mnist", include_str!("../../data/mnist/dataset.toml")),
    ]
    .map(read)
    .to_vec()
}

/// Where the data sets are, by name.
fn available(folders: &[impl AsRef<Path>]) -> Result<BTreeMap<String, PathBuf>, DataError> {
    let mut available = BTreeMap::new();
    for folder in folders.iter().map(AsRef::as_ref) {
        for name in names(folder)? {
            let path = folder.join(&name);
            available.entry(name).or_insert(path);
        }
    }
    Ok(available)
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
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_sets_are_listed_by_name() {
        let sets = list(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("data")]).unwrap();
        let names: Vec<&str> = sets.iter().map(|set| set.name.as_str()).collect();
        assert!(names.is_sorted() && names.contains(&"mnist") && names.contains(&"fashion_mnist"), "{names:?}");
    }

    #[test]
    fn a_missing_folder_holds_no_set() {
        let folder = tempfile::tempdir().unwrap();
        assert!(list(&[folder.path().join("absent")]).unwrap().is_empty());
    }

    #[test]
    fn what_has_no_description_is_no_set() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("notes")).unwrap();
        fs::write(folder.path().join("README.md"), "").unwrap();
        assert!(list(&[folder.path()]).unwrap().is_empty());
    }

    #[test]
    fn of_the_same_name_the_one_in_the_earlier_folder_counts() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
        let own = tempfile::tempdir().unwrap();
        fs::create_dir(own.path().join("mnist")).unwrap();
        fs::copy(shipped.join("mnist/dataset.toml"), own.path().join("mnist/dataset.toml")).unwrap();
        let folders = [own.path(), &shipped];
        assert_eq!(find(&folders, "mnist").unwrap().folder, own.path().join("mnist"));
        assert_eq!(find(&folders, "fashion_mnist").unwrap().folder, shipped.join("fashion_mnist"));
        assert_eq!(list(&folders).unwrap().iter().filter(|set| set.name == "mnist").count(), 1);
    }
}
