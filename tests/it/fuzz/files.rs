//! Files that come from others: data sets to import, archives to verify.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use ojaflow::archive::verify;
use ojaflow::datasets::{find, import, load};
use ojaflow::error::Error;

use super::edits::{Damage, damage};
use super::explore;
use super::store::BASE;
use crate::archives::{files_of, rebagged, sealed, tar_of, tar_with};
use crate::common::root;
use crate::damaged_data::{images, labels, largest_allocation};

/// More memory in one piece than any of these files needs.
const A_LOT: usize = 64 << 20;

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A data set of 12 and 5 images as it lies in a folder, the training half compressed. The first four numbers of an edit
/// mean the content of a file, the next four the file.
fn write_set(folder: &Path, damage: &Damage) {
    let names = [
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ];
    let contents = [images(12), labels(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]), images(5), labels(&[3, 1, 4, 1, 5])];
    for (number, (name, mut content)) in names.iter().zip(contents).enumerate() {
        let edits = |place: usize| damage.iter().filter(move |(at, _)| at % 8 == place).map(|(_, edit)| edit);
        edits(number).for_each(|edit| edit.apply(&mut content));
        if name.ends_with(".gz") {
            content = gz(&content);
        }
        edits(number + 4).for_each(|edit| edit.apply(&mut content));
        fs::write(folder.join(name), content).unwrap();
    }
}

#[test]
fn data_sets_that_are_damaged_before_they_are_imported() {
    explore("data_sets", 120, damage(), |damage| {
        let folder = tempfile::tempdir().unwrap();
        let (source, data) = (folder.path().join("source"), folder.path().join("data"));
        fs::create_dir(&source).unwrap();
        write_set(&source, damage);
        let (imported, largest) = largest_allocation(|| import(&source, &data, "odd"));
        assert!(largest < A_LOT, "{largest} bytes for a few images");
        match imported {
            Ok(info) => {
                assert_eq!(find(&[&data], "odd").unwrap(), info);
                let set = load(&info).expect("what was imported can be loaded");
                assert_eq!((set.train.len(), set.test.len()), (info.n_train, info.n_test));
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                let left: Vec<_> =
                    fs::read_dir(&data).into_iter().flatten().map(|entry| entry.unwrap().file_name()).collect();
                assert!(left.iter().all(|name| name == ".import.lock"), "left behind: {left:?}");
            }
        }
    });
}

/// A sound archive: its bytes, its tar, its files.
type Archive = (Vec<u8>, Vec<u8>, Vec<(String, Vec<u8>)>);

static SOUND: LazyLock<Archive> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.tar.zst");
    BASE.project.archive("small", &[].into(), Some(1_723_680_000), Some(&file)).unwrap();
    let bytes = fs::read(&file).unwrap();
    let tar = tar_of(&bytes);
    let files = files_of(&tar);
    (bytes, tar, files)
});

/// A description of data sets without what is there for people: what has to be right is what is left.
fn without_words(text: &[u8]) -> serde_json::Value {
    let mut sets: serde_json::Value = serde_json::from_slice(text).expect("it was accepted");
    for set in sets.as_array_mut().expect("a list") {
        for words in ["name", "title", "licence", "n_classes"] {
            set.as_object_mut().expect("a table").remove(words);
        }
    }
    sets
}

/// The first number of an edit means the archive as it lies there, the second its tar, sealed again, the others a file
/// inside, in a bag that was made to fit.
#[test]
fn archives_that_are_damaged_or_forged() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = folder.path().join("odd.tar.zst");
    explore("archives", 60, damage(), |damage| {
        let (sound, sound_tar, sound_files) = &*SOUND;
        let inside: Vec<usize> =
            (0..sound_files.len()).filter(|&i| sound_files[i].0.starts_with("small/data/")).collect();
        let n_places = inside.len() + 2;
        let of = |place: usize| damage.iter().filter(move |(at, _)| at % n_places == place).map(|(_, edit)| edit);
        let mut files = sound_files.clone();
        for (place, &index) in inside.iter().enumerate() {
            of(place + 2).for_each(|edit| edit.apply(&mut files[index].1));
        }
        let forged: Vec<&str> =
            files.iter().zip(sound_files).filter(|(now, then)| now != then).map(|(now, _)| now.0.as_str()).collect();
        let mut tar = if forged.is_empty() { sound_tar.clone() } else { tar_with(&rebagged(files.clone())) };
        let before = tar.clone();
        of(1).for_each(|edit| edit.apply(&mut tar));
        let resealed = tar != before;
        let mut bytes = if resealed || !forged.is_empty() { sealed(&tar) } else { sound.clone() };
        let unbroken = bytes.clone();
        of(0).for_each(|edit| edit.apply(&mut bytes));
        File::create(&file).and_then(|mut file| file.write_all(&bytes)).unwrap();
        let (verified, largest) = largest_allocation(|| verify(&file));
        assert!(largest < A_LOT, "{largest} bytes for a small archive");
        match verified {
            Ok(_) => {
                assert!(bytes == unbroken, "accepted although its bytes were changed");
                assert!(!resealed, "accepted although its tar was changed");
                // What no digest in a manifest speaks of can be forged by whoever makes the bag fit: it is there to be read.
                let told = ["manifest.json", "REPRODUCE.md", "Cargo.lock", "ro-crate-metadata.json"];
                let read_only = |now: &(String, Vec<u8>), then: &(String, Vec<u8>)| {
                    told.iter().any(|told| now.0.ends_with(told))
                        || now.0.ends_with("data-sets.json") && without_words(&now.1) == without_words(&then.1)
                };
                let passed: Vec<_> = files
                    .iter()
                    .zip(sound_files)
                    .filter(|(now, then)| now != then && !read_only(now, then))
                    .map(|(now, _)| now.0.as_str())
                    .collect();
                assert!(passed.is_empty(), "accepted with other contents of {passed:?}");
            }
            Err(Error::Check(message)) => assert!(message.contains("odd.tar.zst"), "{message}"),
            Err(other) => panic!("not a fault of the archive: {other}"),
        }
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["odd.tar.zst"], "nothing beside it");
        assert!(!root().join("small").exists(), "nothing was unpacked");
    });
}
