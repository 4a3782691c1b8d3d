//! A downloaded IDX data set → `data/<name>/`, whole or not at all.
//!
//! The new folder is written under a hidden name beside its place and renamed into it, so that a reader sees either
//! nothing or a complete set. Imports into one data folder take turns; whatever hidden folder one of them finds was
//! left by a process that was killed, and is removed.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::TempDir;

use super::DataError;
use super::description::{DataSetInfo, FILE_NAME, FileInfo, Role};
use super::idx::{self, Idx};
use super::load::verify;
use super::registry::known;
use super::source::Source;
use super::words::is_name;

const TEMPORARY_PREFIX: &str = ".import-";
const LOCK: &str = ".import.lock";

/// Takes the IDX data set in `dir` (28 × 28 images, labels from 0 to 255) into `data_dir` as `name`, compressed.
///
/// Pixels and labels stay as published; the number of classes is the largest label plus one. If the same content is
/// there under that name already, its damaged files, if any, are repaired and its title and licence kept.
///
/// # Errors
/// A name that is not `[a-z0-9_]+`; no set, several sets or a damaged one in `dir`; other content under that name; a
/// folder that cannot be written. `data_dir` is then as it was.
pub fn import(dir: &Path, data_dir: &Path, name: &str) -> Result<DataSetInfo, DataError> {
    if !is_name(name) {
        return Err(DataError::InvalidName { name: name.to_owned() });
    }
    let content = Content::read(&Source::find(dir)?)?;
    let info = content.describe(name, &data_dir.join(name));
    take_over(&content, info, data_dir)
}

/// Takes the IDX data set in `dir` over if it is one that the program knows by its checksums, under its own name and with its
/// own description; none if it is another.
///
/// # Errors
/// As [`import`].
pub fn adopt(dir: &Path, data_dir: &Path) -> Result<Option<DataSetInfo>, DataError> {
    let content = Content::read(&Source::find(dir)?)?;
    let found = content.describe("", dir).identity();
    let Some(mut info) = known().into_iter().find(|known| known.identity() == found) else { return Ok(None) };
    info.folder = data_dir.join(&info.name);
    take_over(&content, info, data_dir).map(Some)
}

fn take_over(content: &Content, info: DataSetInfo, data_dir: &Path) -> Result<DataSetInfo, DataError> {
    let folder = info.folder.clone();
    at(data_dir, "create", fs::create_dir_all(data_dir))?;
    let _turn = take_turn(data_dir)?;
    at(data_dir, "clear", remove_leftovers(data_dir))?;
    if fs::symlink_metadata(&folder).is_ok() {
        return content.repair(&info, data_dir);
    }
    at(&folder, "create", content.install(&info, data_dir))?;
    DataSetInfo::read(&folder)
}

/// The four files of a source, checked, in the order of [`Role::ALL`].
struct Content {
    files: [Idx; 4],
    origin: String,
}

impl Content {
    fn read(source: &Source) -> Result<Self, DataError> {
        let read = |role: Role, expected: Option<(u64, &str)>| {
            let file = source.path(role);
            idx::read(&file, role.kind(), expected).map_err(|fault| {
                let remedy = fault.import_remedy().to_owned();
                DataError::File { file, fault, remedy }
            })
        };
        // The labels come first and say how many images there must be: a wrong header is refused before a large read.
        let read_split = |images: Role, labels: Role| {
            let (labels_name, labels) = (source.file_name(labels), read(labels, None)?);
            Ok::<_, DataError>((read(images, Some((labels.count, labels_name)))?, labels))
        };
        let (train_images, train_labels) = read_split(Role::TrainImages, Role::TrainLabels)?;
        let (test_images, test_labels) = read_split(Role::TestImages, Role::TestLabels)?;
        let origin = format!("imported from {}", Role::ALL.map(|role| source.file_name(role)).join(", "));
        Ok(Self { files: [train_images, train_labels, test_images, test_labels], origin })
    }

    fn describe(&self, name: &str, folder: &Path) -> DataSetInfo {
        let [train_images, train_labels, test_images, test_labels] = &self.files;
        let largest = train_labels.body.iter().chain(&test_labels.body).max().expect("a file holds at least one label");
        let files = Role::ALL.map(|role| {
            let idx = &self.files[role as usize];
            FileInfo { name: role.canonical_name().to_owned(), sha256: idx.sha256.clone(), count: idx.count }
        });
        DataSetInfo {
            name: name.to_owned(),
            title: name.to_owned(),
            licence: None,
            source: Some(self.origin.clone()),
            n_classes: usize::from(*largest) + 1,
            class_names: Vec::new(),
            n_train: train_images.count as usize,
            n_test: test_images.count as usize,
            folder: folder.to_owned(),
            files,
        }
    }

    /// Writes the whole set beside its place, then renames it into it.
    fn install(&self, info: &DataSetInfo, data_dir: &Path) -> io::Result<()> {
        let temporary = temporary_folder(data_dir)?;
        // A folder of its own within: a temporary one can be read by its owner only.
        let folder = temporary.path().join(&info.name);
        fs::create_dir(&folder)?;
        for role in Role::ALL {
            self.write(role, &folder.join(&info.file(role).name))?;
        }
        write_description(info, &folder.join(FILE_NAME))?;
        fs::rename(&folder, &info.folder)
    }

    /// The name is taken: by the same content, of which every damaged file is replaced, or by something that stays.
    fn repair(&self, imported: &DataSetInfo, data_dir: &Path) -> Result<DataSetInfo, DataError> {
        let folder = &imported.folder;
        if !folder.join(FILE_NAME).is_file() {
            return Err(DataError::FolderInTheWay { folder: folder.clone() });
        }
        let mut existing = DataSetInfo::read(folder)?;
        if existing.identity() != imported.identity() {
            return Err(DataError::NameTaken {
                name: existing.name.clone(),
                folder: folder.clone(),
                existing: existing.identity(),
                imported: imported.identity(),
            });
        }
        let replace = |path: &Path, write: &dyn Fn(&Path) -> io::Result<()>| {
            let temporary = temporary_folder(data_dir)?;
            let new = temporary.path().join(path.file_name().expect("a described file has a plain name"));
            write(&new)?;
            fs::rename(&new, path)
        };
        if existing.n_classes != imported.n_classes {
            existing.n_classes = imported.n_classes;
            existing.class_names.clear();
            let path = folder.join(FILE_NAME);
            at(&path, "repair", replace(&path, &|new| write_description(&existing, new)))?;
        }
        for status in verify(&existing).into_iter().filter(|status| status.problem.is_some()) {
            let path = existing.path(status.role);
            at(&path, "repair", replace(&path, &|new| self.write(status.role, new)))?;
        }
        Ok(existing)
    }

    fn write(&self, role: Role, path: &Path) -> io::Result<()> {
        idx::write(path, role.kind(), &self.files[role as usize].body)
    }
}

fn write_description(info: &DataSetInfo, path: &Path) -> io::Result<()> {
    fs::write(path, info.to_toml())?;
    File::open(path)?.sync_all()
}

/// Until the returned file is closed, no other process imports into `data_dir`; a process that dies closes it.
fn take_turn(data_dir: &Path) -> Result<File, DataError> {
    let path = data_dir.join(LOCK);
    let file = at(&path, "create", File::options().create(true).append(true).open(&path))?;
    at(&path, "lock", file.lock())?;
    Ok(file)
}

/// Only for whoever has the turn: nobody else writes a temporary folder then.
fn remove_leftovers(data_dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(data_dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn temporary_folder(data_dir: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempdir_in(data_dir)
}

fn at<T>(path: &Path, action: &'static str, result: io::Result<T>) -> Result<T, DataError> {
    result.map_err(|error| DataError::Io { action, path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::idx::{Kind, encode};
    use crate::datasets::{PIXELS, find, list, load};

    const PLAIN: [&str; 4] =
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];
    const EMNIST: [&str; 4] = [
        "emnist-letters-train-images-idx3-ubyte.gz",
        "emnist-letters-train-labels-idx1-ubyte.gz",
        "emnist-letters-test-images-idx3-ubyte.gz",
        "emnist-letters-test-labels-idx1-ubyte.gz",
    ];

    /// A source folder and an empty data folder.
    struct Folders {
        source: TempDir,
        data: TempDir,
    }

    impl Folders {
        /// One image a label; the pixels of image i have the value 10 i.
        fn new(names: [&str; 4], train: &[u8], test: &[u8]) -> Self {
            let folders = Self { source: tempfile::tempdir().unwrap(), data: tempfile::tempdir().unwrap() };
            let pixels = |labels: &[u8]| (0..labels.len()).flat_map(|i| [10 * i as u8; PIXELS]).collect::<Vec<_>>();
            let contents = [
                (Kind::Images, pixels(train)),
                (Kind::Labels, train.to_vec()),
                (Kind::Images, pixels(test)),
                (Kind::Labels, test.to_vec()),
            ];
            for (name, (kind, body)) in names.iter().zip(contents) {
                idx::write(&folders.source.path().join(name), kind, &body).unwrap();
            }
            folders
        }

        fn import(&self, name: &str) -> Result<DataSetInfo, DataError> {
            import(self.source.path(), self.data.path(), name)
        }

        /// The data folder without the lock.
        fn entries(&self) -> Vec<String> {
            let entries = fs::read_dir(self.data.path()).unwrap();
            let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.retain(|name| name != LOCK);
            names.sort();
            names
        }
    }

    #[test]
    fn an_imported_set_is_found_and_holds_what_the_source_holds() {
        let folders = Folders::new(PLAIN, &[0, 2, 1], &[1, 2]);
        let info = folders.import("small").unwrap();
        assert_eq!(find(&[folders.data.path()], "small").unwrap(), info);
        assert_eq!((info.n_train, info.n_test, info.n_classes), (3, 2, 3));
        let set = load(&info).unwrap();
        assert_eq!(set.train.labels, [0, 2, 1]);
        assert_eq!(set.train.image(2), [20; PIXELS]);
        assert_eq!(set.test.labels, [1, 2]);
        assert_eq!(set.test.image(1), [10; PIXELS]);
    }

    #[test]
    fn checksums_are_of_the_uncompressed_source() {
        use sha2::{Digest, Sha256};
        let info = Folders::new(PLAIN, &[0, 1], &[1]).import("small").unwrap();
        let expected = format!("{:x}", Sha256::digest(encode(Kind::Labels, &[0, 1])));
        assert_eq!(info.file(Role::TrainLabels).sha256, expected);
    }

    #[test]
    fn emnist_names_are_taken_and_labels_from_one_stay() {
        let folders = Folders::new(EMNIST, &[1, 26], &[3]);
        fs::write(folders.source.path().join("emnist-letters-mapping.txt"), "1 65 97").unwrap();
        let info = folders.import("emnist_letters").unwrap();
        assert_eq!(info.n_classes, 27, "label 0 is a class without images");
        assert_eq!(load(&info).unwrap().train.labels, [1, 26]);
    }

    #[test]
    fn content_decides_the_identity_not_names_or_compression() {
        let plain = Folders::new(PLAIN, &[0, 1], &[1]).import("plain").unwrap();
        let compressed = Folders::new(EMNIST, &[0, 1], &[1]).import("compressed").unwrap();
        assert_eq!(plain.identity(), compressed.identity());
    }

    #[test]
    fn importing_the_same_again_changes_nothing() {
        let folders = Folders::new(PLAIN, &[0, 1], &[1]);
        let first = folders.import("small").unwrap();
        let modified = || fs::metadata(first.path(Role::TrainImages)).unwrap().modified().unwrap();
        let before = modified();
        assert_eq!(folders.import("small").unwrap(), first);
        assert_eq!(modified(), before);
    }

    #[test]
    fn importing_the_same_again_repairs_damage() {
        let folders = Folders::new(PLAIN, &[0, 1], &[1]);
        let info = folders.import("small").unwrap();
        fs::write(info.path(Role::TrainImages), "damaged").unwrap();
        fs::remove_file(info.path(Role::TestLabels)).unwrap();
        let description = fs::read_to_string(info.folder.join(FILE_NAME)).unwrap();
        fs::write(info.folder.join(FILE_NAME), description.replace("n_classes = 2", "n_classes = 9")).unwrap();
        assert_eq!(folders.import("small").unwrap(), info);
        load(&find(&[folders.data.path()], "small").unwrap()).unwrap();
        assert_eq!(folders.entries(), ["small"]);
    }

    #[test]
    fn another_set_of_that_name_stays() {
        let folders = Folders::new(PLAIN, &[0, 1], &[1]);
        let first = folders.import("small").unwrap();
        let other = Folders::new(PLAIN, &[0, 1], &[0]);
        let error = import(other.source.path(), folders.data.path(), "small").unwrap_err();
        assert!(matches!(error, DataError::NameTaken { .. }), "{error}");
        assert_eq!(load(&first).unwrap().test.labels, [1]);
        assert_eq!(folders.entries(), ["small"]);
    }

    #[test]
    fn a_refused_source_leaves_nothing() {
        let folders = Folders::new(PLAIN, &[0, 1], &[1]);
        fs::write(folders.source.path().join(PLAIN[2]), [0, 0, 8, 3]).unwrap();
        folders.import("small").unwrap_err();
        assert_eq!(folders.entries(), [""; 0]);
    }

    #[test]
    fn what_a_killed_import_left_is_removed_and_never_listed() {
        let folders = Folders::new(PLAIN, &[0, 1], &[1]);
        let leftover = folders.data.path().join(".import-k1ll3d/small");
        fs::create_dir_all(&leftover).unwrap();
        fs::write(leftover.join(FILE_NAME), "title = ").unwrap();
        assert!(list(&[folders.data.path()]).unwrap().is_empty());
        folders.import("small").unwrap();
        assert_eq!(folders.entries(), ["small"]);
    }

    #[test]
    fn two_imports_of_one_name_at_once_both_succeed() {
        let folders = Folders::new(PLAIN, &[0, 1], &[1]);
        std::thread::scope(|scope| {
            let imports: Vec<_> = (0..4).map(|_| scope.spawn(|| folders.import("small").unwrap())).collect();
            let identities: Vec<_> = imports.into_iter().map(|import| import.join().unwrap().identity()).collect();
            assert!(identities.windows(2).all(|pair| pair[0] == pair[1]));
        });
        assert_eq!(folders.entries(), ["small"]);
    }
}
