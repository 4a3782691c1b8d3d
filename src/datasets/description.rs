//! `dataset.toml` ↔ [`DataSetInfo`]: what is known of a data set without reading it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::DataError;
use super::idx::{Kind, MAX_ITEMS};
use super::words::is_name;

/// The name of the description in a data set's folder.
pub(super) const FILE_NAME: &str = "dataset.toml";

const HEADING: &str = "# Sizes and checksums by which ojaflow recognises this data set. See ../README.md.\n";

/// Labels are single bytes.
const MAX_CLASSES: usize = 256;

/// A data set as its `dataset.toml` describes it. [`find`](super::find), [`list`](super::list) and
/// [`import`](super::import()) make it, and have checked that the description agrees with itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSetInfo {
    /// The name that pipelines use; also the name of the folder.
    pub name: String,
    /// For people: "MNIST handwritten digits".
    pub title: String,
    /// Under which the images may be passed on.
    pub licence: Option<String>,
    /// Who made it and where it was taken from.
    pub source: Option<String>,
    /// Largest label of both splits plus one.
    pub n_classes: usize,
    /// Empty, or a name for each class.
    pub class_names: Vec<String>,
    /// Images in the training split.
    pub n_train: usize,
    /// Images in the test split.
    pub n_test: usize,
    /// Where the files are.
    pub folder: PathBuf,
    /// In the order of [`Role::ALL`].
    pub files: [FileInfo; 4],
}

/// One of the four files of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileInfo {
    /// File name in the data set's folder; compressed if it ends in `.gz`.
    pub name: String,
    /// Hex SHA-256 of the uncompressed content, header included.
    pub sha256: String,
    /// Images or labels in the file.
    pub count: u64,
}

/// What each of the four files is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Images to train on.
    TrainImages,
    /// Labels of the images to train on.
    TrainLabels,
    /// Images to test on.
    TestImages,
    /// Labels of the images to test on.
    TestLabels,
}

impl Role {
    /// All four, in the order in which a description lists them.
    pub const ALL: [Self; 4] = [Self::TrainImages, Self::TrainLabels, Self::TestImages, Self::TestLabels];

    /// Its table in `dataset.toml`.
    pub fn key(self) -> &'static str {
        match self {
            Self::TrainImages => "train_images",
            Self::TrainLabels => "train_labels",
            Self::TestImages => "test_images",
            Self::TestLabels => "test_labels",
        }
    }

    /// For messages: "training images".
    pub fn description(self) -> &'static str {
        match self {
            Self::TrainImages => "training images",
            Self::TrainLabels => "training labels",
            Self::TestImages => "test images",
            Self::TestLabels => "test labels",
        }
    }

    /// The file's name in MNIST, compressed, and in every set that was imported.
    pub(super) fn canonical_name(self) -> &'static str {
        match self {
            Self::TrainImages => "train-images-idx3-ubyte.gz",
            Self::TrainLabels => "train-labels-idx1-ubyte.gz",
            Self::TestImages => "t10k-images-idx3-ubyte.gz",
            Self::TestLabels => "t10k-labels-idx1-ubyte.gz",
        }
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::TrainImages | Self::TestImages => Kind::Images,
            Self::TrainLabels | Self::TestLabels => Kind::Labels,
        }
    }
}

/// The description as the file has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    title: String,
    licence: Option<String>,
    source: Option<String>,
    n_classes: usize,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    class_names: Vec<String>,
    train_images: FileInfo,
    train_labels: FileInfo,
    test_images: FileInfo,
    test_labels: FileInfo,
}

/// The identity of four files, in the order of [`Role::ALL`], by their checksums and counts.
pub(crate) fn identity_of(files: [(&str, u64); 4]) -> String {
    let mut digest = Sha256::new().chain_update("ojaflow data set, version 1\n");
    for (role, (sha256, count)) in Role::ALL.iter().zip(files) {
        digest.update(format!("{} {sha256} {count}\n", role.key()));
    }
    format!("{:x}", digest.finalize())
}

impl DataSetInfo {
    /// Hex SHA-256 over the checksums and counts of the four files: the content, whatever its name, folder or
    /// compression. (`n_classes` follows from the labels, and loading checks that it does.)
    pub fn identity(&self) -> String {
        identity_of(self.files.each_ref().map(|file| (file.sha256.as_str(), file.count)))
    }

    /// One of the four files.
    pub fn file(&self, role: Role) -> &FileInfo {
        &self.files[role as usize]
    }

    /// Where one of the four files is.
    pub fn path(&self, role: Role) -> PathBuf {
        self.folder.join(&self.file(role).name)
    }

    /// Reads `folder/dataset.toml` and checks that it agrees with itself; no other file is touched.
    pub(super) fn read(folder: &Path) -> Result<Self, DataError> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !is_name(&name) {
            return Err(DataError::InvalidFolderName { name, folder: folder.to_owned() });
        }
        let file = folder.join(FILE_NAME);
        let text =
            fs::read_to_string(&file).map_err(|error| DataError::Io { action: "read", path: file.clone(), error })?;
        let info = Self::parse(&name, &text).map_err(|problem| DataError::InvalidDescription { file, problem })?;
        Ok(Self { folder: folder.to_owned(), ..info })
    }

    /// What a description says, checked, of a data set that lies nowhere yet.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, String> {
        let description: Description = toml::from_str(text).map_err(|error| error.to_string())?;
        description.check()?;
        Ok(description.into_info(name.to_owned(), Path::new("")))
    }

    /// The text of `dataset.toml`.
    pub(super) fn to_toml(&self) -> String {
        let [train_images, train_labels, test_images, test_labels] = self.files.clone();
        let description = Description {
            title: self.title.clone(),
            licence: self.licence.clone(),
            source: self.source.clone(),
            n_classes: self.n_classes,
            class_names: self.class_names.clone(),
            train_images,
            train_labels,
            test_images,
            test_labels,
        };
        let text =
            toml::to_string(&description).expect("strings, numbers and tables after them can be written as TOML");
        format!("{HEADING}{text}")
    }
}

impl Description {
    fn files(&self) -> [&FileInfo; 4] {
        [&self.train_images, &self.train_labels, &self.test_images, &self.test_labels]
    }

    fn check(&self) -> Result<(), String> {
        let problem =
            |what: &str, expected: &str, found: String| Err(format!("{what}\nexpected: {expected}\nfound:    {found}"));
        if !(1..=MAX_CLASSES).contains(&self.n_classes) {
            return problem("`n_classes`", "between 1 and 256", self.n_classes.to_string());
        }
        if !self.class_names.is_empty() && self.class_names.len() != self.n_classes {
            let expected = format!("no names or {}, the `n_classes`", self.n_classes);
            return problem("`class_names`", &expected, format!("{} names", self.class_names.len()));
        }
        let mut names = BTreeSet::new();
        for (role, file) in Role::ALL.iter().zip(self.files()) {
            // A path would lead out of the folder, and `..` out of the project.
            if Path::new(&file.name).file_name() != Some(file.name.as_ref()) || file.name.contains('\\') {
                let what = format!("`name` in [{}]", role.key());
                return problem(&what, "the plain name of a file in the same folder", format!("`{}`", file.name));
            }
            if !names.insert(&file.name) {
                let what = format!("`name` in [{}]", role.key());
                return problem(&what, "a file of its own", format!("`{}`, named twice", file.name));
            }
            if file.sha256.len() != 64 || !file.sha256.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
                let what = format!("`sha256` in [{}]", role.key());
                return problem(&what, "64 lower-case hexadecimal digits", format!("`{}`", file.sha256));
            }
            if !(1..=MAX_ITEMS).contains(&file.count) {
                let what = format!("`count` in [{}]", role.key());
                return problem(&what, &format!("between 1 and {MAX_ITEMS}"), file.count.to_string());
            }
        }
        for [images, labels] in [[Role::TrainImages, Role::TrainLabels], [Role::TestImages, Role::TestLabels]] {
            let [n_images, n_labels] = [images, labels].map(|role| self.files()[role as usize].count);
            if n_images != n_labels {
                let what = format!("`count` in [{}] and [{}]", images.key(), labels.key());
                return problem(&what, "a label for each image", format!("{n_images} images and {n_labels} labels"));
            }
        }
        Ok(())
    }

    fn into_info(self, name: String, folder: &Path) -> DataSetInfo {
        DataSetInfo {
            name,
            title: self.title,
            licence: self.licence,
            source: self.source,
            n_classes: self.n_classes,
            class_names: self.class_names,
            // Counts fit: `check` bounds them by MAX_ITEMS.
            n_train: self.train_images.count as usize,
            n_test: self.test_images.count as usize,
            folder: folder.to_owned(),
            files: [self.train_images, self.train_labels, self.test_images, self.test_labels],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped(name: &str) -> DataSetInfo {
        DataSetInfo::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)).unwrap()
    }

    #[test]
    fn shipped_descriptions_are_in_the_format_that_import_writes() {
        for name in ["mnist", "fashion_mnist"] {
            let info = shipped(name);
            assert_eq!(info.to_toml(), fs::read_to_string(info.folder.join(FILE_NAME)).unwrap(), "{name}");
        }
    }

    #[test]
    fn identity_follows_content() {
        let mnist = shipped("mnist");
        assert_ne!(mnist.identity(), shipped("fashion_mnist").identity());
        for index in 0..4 {
            let mut other = mnist.clone();
            other.files[index].sha256 = "0".repeat(64);
            assert_ne!(other.identity(), mnist.identity(), "checksum {index}");
            let mut other = mnist.clone();
            other.files[index].count += 1;
            assert_ne!(other.identity(), mnist.identity(), "count {index}");
        }
    }

    #[test]
    fn identity_ignores_names_and_words() {
        let mnist = shipped("mnist");
        let mut renamed = mnist.clone();
        renamed.name = "digits".to_owned();
        renamed.title = "Digits".to_owned();
        renamed.folder = PathBuf::from("elsewhere/digits");
        renamed.class_names.clear();
        renamed.files[0].name = "images".to_owned();
        assert_eq!(renamed.identity(), mnist.identity());
    }
}
