//! A folder that somebody downloaded → the four IDX files in it, by the names that publishers give them.
//!
//! `[prefix-]{train,t10k,test}-{images-idx3,labels-idx1}-ubyte[.gz]`, where `.idx` may stand for `-idx`. Nothing is
//! guessed: a folder that holds anything but exactly one set is refused, with what is there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::DataError;
use super::description::Role;

/// File names without prefix and `.gz`, and what they are for.
const NAMES: [(&str, Role); 6] = [
    ("train-images-idx3-ubyte", Role::TrainImages),
    ("train-labels-idx1-ubyte", Role::TrainLabels),
    ("t10k-images-idx3-ubyte", Role::TestImages),
    ("test-images-idx3-ubyte", Role::TestImages),
    ("t10k-labels-idx1-ubyte", Role::TestLabels),
    ("test-labels-idx1-ubyte", Role::TestLabels),
];

/// The files of the one data set in a folder.
#[derive(Debug)]
pub(super) struct Source {
    dir: PathBuf,
    /// In the order of [`Role::ALL`].
    names: [String; 4],
}

impl Source {
    /// # Errors
    /// No set, an incomplete one, several, or two files for one purpose in `dir`; or `dir` cannot be read.
    pub(super) fn find(dir: &Path) -> Result<Self, DataError> {
        let listing = listing(dir)?;
        let mut sets: BTreeMap<String, BTreeMap<Role, String>> = BTreeMap::new();
        for name in &listing {
            let Some((prefix, role)) = parse(name) else { continue };
            if let Some(first) = sets.entry(prefix).or_default().insert(role, name.clone()) {
                let (dir, purpose) = (dir.to_owned(), role.description().to_owned());
                return Err(DataError::DuplicateSourceFiles { dir, purpose, first, second: name.clone() });
            }
        }
        if sets.len() > 1 {
            let found = sets.iter().map(|(prefix, files)| describe(prefix, files.len())).collect();
            return Err(DataError::AmbiguousSource { dir: dir.to_owned(), found });
        }
        let mut files = sets.into_values().next().unwrap_or_default();
        let missing: Vec<String> =
            Role::ALL.into_iter().filter(|role| !files.contains_key(role)).map(looked_for).collect();
        if !missing.is_empty() {
            return Err(DataError::MissingSourceFiles { dir: dir.to_owned(), missing, found: listing });
        }
        let names = Role::ALL.map(|role| files.remove(&role).expect("no file is missing"));
        Ok(Self { dir: dir.to_owned(), names })
    }

    pub(super) fn path(&self, role: Role) -> PathBuf {
        self.dir.join(self.file_name(role))
    }

    pub(super) fn file_name(&self, role: Role) -> &str {
        &self.names[role as usize]
    }
}

/// What is in `dir`, sorted; folders end in `/`.
fn listing(dir: &Path) -> Result<Vec<String>, DataError> {
    let unreadable = |error| DataError::Io { action: "read", path: dir.to_owned(), error };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        names.push(if entry.path().is_dir() { name + "/" } else { name });
    }
    names.sort();
    Ok(names)
}

/// The prefix, which tells sets in one folder apart, and the purpose of a file.
fn parse(file_name: &str) -> Option<(String, Role)> {
    let name = file_name.strip_suffix(".gz").unwrap_or(file_name).replace(".idx", "-idx");
    NAMES.iter().find_map(|&(suffix, role)| {
        let prefix = name.strip_suffix(suffix)?;
        (prefix.is_empty() || prefix.ends_with(['-', '_', '.'])).then(|| (prefix.to_owned(), role))
    })
}

fn looked_for(role: Role) -> String {
    let names: Vec<String> =
        NAMES.iter().filter(|(_, r)| *r == role).map(|(name, _)| format!("…{name}[.gz]")).collect();
    names.join(" or ")
}

fn describe(prefix: &str, n_files: usize) -> String {
    let prefix = if prefix.is_empty() { "train-* and t10k-*".to_owned() } else { format!("{prefix}*") };
    format!("{prefix} ({n_files} of 4 files)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_known_sets_are_understood() {
        for (name, prefix, role) in [
            ("train-images-idx3-ubyte", "", Role::TrainImages),
            ("t10k-labels-idx1-ubyte.gz", "", Role::TestLabels),
            ("t10k-images.idx3-ubyte", "", Role::TestImages),
            ("emnist-balanced-train-labels-idx1-ubyte.gz", "emnist-balanced-", Role::TrainLabels),
            ("emnist-balanced-test-images-idx3-ubyte", "emnist-balanced-", Role::TestImages),
        ] {
            assert_eq!(parse(name), Some((prefix.to_owned(), role)), "{name}");
        }
    }

    #[test]
    fn other_names_are_left_alone() {
        for name in [
            "README.md",
            "emnist-balanced-mapping.txt",
            "train-images-idx3-ubyte.zip",
            "train-labels-idx3-ubyte",
            "constrain-images-idx3-ubyte",
            "train-images-idx3-ubyte/",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}
