//! Data sets that are damaged, incomplete or forged: each is refused, and each message names the file, what was
//! expected, what was found, and the remedy.

#![allow(unsafe_code, reason = "an allocator that notes what it is asked for")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use insta::assert_snapshot;
use ojaflow::datasets::{DataError, DataSetInfo, Role, find, import, list, load, verify};
use tempfile::TempDir;

// ---------------------------------------------------------------------------------------------- unknown and misnamed

#[test]
fn unknown_data_set() {
    let sets = Fixture::new();
    assert_snapshot!(sets.message(find(&[sets.data()], "smal")), @"
     there is no data set `smal` in data
       expected: one that is there (small)
       found:    `smal`
       remedy:   correct the name; get MNIST and Fashion-MNIST with `pip install ojaflow-data` or `ojaflow data fetch`; add another set with `ojaflow data import DIR --as NAME`; or name another data folder with `--data`
    ");
}

#[test]
fn unknown_data_set_in_an_empty_folder() {
    let sets = Fixture::new();
    assert_snapshot!(sets.message(find(&[sets.path("elsewhere")], "mnist")), @"
     there is no data set `mnist` in elsewhere
       expected: one that is there (none is)
       found:    `mnist`
       remedy:   correct the name; get MNIST and Fashion-MNIST with `pip install ojaflow-data` or `ojaflow data fetch`; add another set with `ojaflow data import DIR --as NAME`; or name another data folder with `--data`
    ");
}

#[test]
fn import_under_a_name_that_is_no_name() {
    let sets = Fixture::new();
    assert_snapshot!(sets.message(import(&sets.source(), &sets.data(), "EMNIST balanced")), @"
    `EMNIST balanced` cannot name a data set
      expected: lower-case letters, digits and underscores: it becomes a folder, and a value in tables
      found:    `EMNIST balanced`
      remedy:   choose a name such as `emnist_balanced`
    ");
}

// ------------------------------------------------------------------------------------------- files of an installed set

#[test]
fn missing_file() {
    let sets = Fixture::new();
    fs::remove_file(sets.installed(Role::TestLabels)).unwrap();
    assert_snapshot!(sets.load_message(), @"
    data/small/t10k-labels-idx1-ubyte.gz: the file is missing
      expected: a file of 2 labels
      found:    nothing of that name
      remedy:   `ojaflow data import DIR --as small` repairs it from the original files; if the set ships with ojaflow, so does `git checkout -- data/small`
    ");
}

#[test]
fn empty_file() {
    let sets = Fixture::new();
    fs::write(sets.installed(Role::TrainImages), "").unwrap();
    assert_snapshot!(sets.load_message(), @"
    data/small/train-images-idx3-ubyte.gz: not compressed, though its name ends in .gz
      expected: gzip (1f 8b …)
      found:    an empty file
      remedy:   `ojaflow data import DIR --as small` repairs it from the original files; if the set ships with ojaflow, so does `git checkout -- data/small`
    ");
}

#[test]
fn compressed_file_cut_off() {
    let sets = Fixture::new();
    sets.damage(Role::TrainImages, |gzip| gzip.truncate(gzip.len() / 2));
    assert_snapshot!(sets.load_message(), @"
    data/small/train-images-idx3-ubyte.gz: the gzip stream is corrupt
      expected: one stream that decompresses to its end, matches its own checksum, and has nothing after it
      found:    a stream that ends in the middle
      remedy:   `ojaflow data import DIR --as small` repairs it from the original files; if the set ships with ojaflow, so does `git checkout -- data/small`
    ");
}

#[test]
fn compressed_file_without_its_checksum() {
    let sets = Fixture::new();
    sets.damage(Role::TrainLabels, |gzip| gzip.truncate(gzip.len() - 8));
    assert_snapshot!(sets.load_message(), @"
    data/small/train-labels-idx1-ubyte.gz: the gzip stream is corrupt
      expected: one stream that decompresses to its end, matches its own checksum, and has nothing after it
      found:    a stream that ends in the middle
      remedy:   `ojaflow data import DIR --as small` repairs it from the original files; if the set ships with ojaflow, so does `git checkout -- data/small`
    ");
}

#[test]
fn flipped_bit_in_the_compressed_checksum() {
    let sets = Fixture::new();
    sets.damage(Role::TrainImages, |gzip| {
        let crc = gzip.len() - 8;
        gzip[crc] ^= 1;
    });
    assert_snapshot!(sets.load_message(), @"
    data/small/train-images-idx3-ubyte.gz: the gzip stream is corrupt
      expected: one stream that decompresses to its end, matches its own checksum, and has nothing after it
      found:    corrupt gzip stream does not have a matching checksum
      remedy:   `ojaflow data import DIR --as small` repairs it from the original files; if the set ships with ojaflow, so does `git checkout -- data/small`
    ");
}

#[test]
fn bytes_after_the_compressed_stream() {
    let sets = Fixture::new();
    sets.damage(Role::TestImages, |gzip| gzip.extend_from_slice(b"appended by mistake"));
    assert_snapshot!(sets.load_message(), @"
    data/small/t10k-images-idx3-ubyte.gz: the gzip stream is corrupt
      expected: one stream that decompresses to its end, matches its own checksum, and has nothing after it
      found:    invalid gzip header
      remedy:   `ojaflow data import DIR --as small` repairs it from the original files; if the set ships with ojaflow, so does `git checkout -- data/small`
    ");
}

#[test]
fn decompressed_under_its_compressed_name() {
    let sets = Fixture::new();
    fs::write(sets.installed(Role::TrainLabels), labels(&[0, 1, 2])).unwrap();
    assert_snapshot!(sets.load_message(), @"
    data/small/train-labels-idx1-ubyte.gz: not compressed, though its name ends in .gz
      expected: gzip (1f 8b …)
      found:    00 00 …
      remedy:   `ojaflow data import DIR --as small` repairs it from the original files; if the set ships with ojaflow, so does `git checkout -- data/small`
    ");
}

#[test]
fn header_cut_off() {
    let sets = Fixture::new();
    sets.rewrite(Role::TestImages, |idx| idx.truncate(11));
    assert_snapshot!(sets.load_message(), @"
    data/small/t10k-images-idx3-ubyte.gz: too short for an IDX header
      expected: 16 bytes at least
      found:    11 bytes
      remedy:   `ojaflow data import DIR --as small` repairs it from the original files; if the set ships with ojaflow, so does `git checkout -- data/small`
    ");
}

#[test]
fn pixels_cut_off() {
    let sets = Fixture::new();
    sets.rewrite(Role::TrainImages, |idx| idx.truncate(2000));
    assert_snapshot!(sets.load_message(), @"
    data/small/train-images-idx3-ubyte.gz: cut off
      expected: 2,368 bytes uncompressed, for 3 images
      found:    2,000 bytes
      remedy:   `ojaflow data import DIR --as small` repairs it from the original files; if the set ships with ojaflow, so does `git checkout -- data/small`
    ");
}

#[test]
fn a_label_too_many() {
    let sets = Fixture::new();
    sets.rewrite(Role::TrainLabels, |idx| idx.push(0));
    assert_snapshot!(sets.load_message(), @"
    data/small/train-labels-idx1-ubyte.gz: too long
      expected: 11 bytes uncompressed, for 3 labels
      found:    more
      remedy:   `ojaflow data import DIR --as small` repairs it from the original files; if the set ships with ojaflow, so does `git checkout -- data/small`
    ");
}

#[test]
fn images_and_labels_exchanged() {
    let sets = Fixture::new();
    fs::copy(sets.installed(Role::TestLabels), sets.installed(Role::TestImages)).unwrap();
    assert_snapshot!(sets.load_message(), @"
    data/small/t10k-images-idx3-ubyte.gz: not an IDX file of images
      expected: magic number 0x00000803
      found:    0x00000801, a file of labels
      remedy:   `ojaflow data import DIR --as small` repairs it from the original files; if the set ships with ojaflow, so does `git checkout -- data/small`
    ");
}

#[test]
fn labels_of_four_bytes() {
    let sets = Fixture::new();
    sets.rewrite(Role::TrainLabels, |idx| idx[2] = 0x0c);
    assert_snapshot!(sets.load_message(), @"
    data/small/train-labels-idx1-ubyte.gz: not an IDX file of labels
      expected: magic number 0x00000801
      found:    0x00000c01, IDX of something else than unsigned bytes
      remedy:   `ojaflow data import DIR --as small` repairs it from the original files; if the set ships with ojaflow, so does `git checkout -- data/small`
    ");
}

#[test]
fn colour_images() {
    let sets = Fixture::new();
    sets.rewrite(Role::TrainImages, |idx| idx[3] = 4);
    assert_snapshot!(sets.load_message(), @"
    data/small/train-images-idx3-ubyte.gz: not an IDX file of images
      expected: magic number 0x00000803
      found:    0x00000804, IDX with another number of dimensions
      remedy:   `ojaflow data import DIR --as small` repairs it from the original files; if the set ships with ojaflow, so does `git checkout -- data/small`
    ");
}

#[test]
fn images_of_32_by_32_pixels() {
    let sets = Fixture::new();
    sets.rewrite(Role::TrainImages, |idx| (idx[11], idx[15]) = (32, 32));
    assert_snapshot!(sets.load_message(), @"
    data/small/train-images-idx3-ubyte.gz: images of the wrong size
      expected: 28 × 28 pixels
      found:    32 × 32 pixels, says the header
      remedy:   `ojaflow data import DIR --as small` repairs it from the original files; if the set ships with ojaflow, so does `git checkout -- data/small`
    ");
}

#[test]
fn header_that_claims_four_billion_images() {
    let sets = Fixture::new();
    sets.rewrite(Role::TrainImages, |idx| idx[4..8].fill(0xff));
    assert_snapshot!(sets.load_message(), @"
    data/small/train-images-idx3-ubyte.gz: the wrong number of images
      expected: 3 images, as dataset.toml says
      found:    4,294,967,295, says the header
      remedy:   `ojaflow data import DIR --as small` repairs it from the original files; if the set ships with ojaflow, so does `git checkout -- data/small`
    ");
}

#[test]
fn label_beyond_the_classes() {
    let sets = Fixture::new();
    sets.rewrite(Role::TrainLabels, |idx| idx[9] = 77);
    assert_snapshot!(sets.load_message(), @"
    data/small/train-labels-idx1-ubyte.gz: a label beyond the classes
      expected: labels below 3, the n_classes of dataset.toml
      found:    label 77 at index 1
      remedy:   `ojaflow data import DIR --as small` repairs it from the original files; if the set ships with ojaflow, so does `git checkout -- data/small`
    ");
}

#[test]
fn other_pixels_in_a_sound_file() {
    let sets = Fixture::new();
    sets.rewrite(Role::TrainImages, |idx| idx[500] ^= 1);
    assert_snapshot!(sets.load_message(), @"
    data/small/train-images-idx3-ubyte.gz: other content than the data set's
      expected: SHA-256 65f2a4e68bc6e564074891ad490205b04c4eccc931ac45c9893e63f71fe3faaf uncompressed
      found:    SHA-256 5b4ca809e4750eb625dbe73abb7af20b82604092d0b9dcf8abc74019904b6250
      remedy:   `ojaflow data import DIR --as small` repairs it from the original files; if the set ships with ojaflow, so does `git checkout -- data/small`
    ");
}

// ----------------------------------------------------------------------------------------------------- dataset.toml

#[test]
fn more_classes_than_labels() {
    let sets = Fixture::new();
    sets.edit_description("n_classes = 3", "n_classes = 20");
    assert_snapshot!(sets.load_message(), @"
    data/small/train-labels-idx1-ubyte.gz: fewer classes than dataset.toml says
      expected: 19 as the largest label of both splits, for n_classes = 20
      found:    2 as the largest label
      remedy:   `ojaflow data import DIR --as small` repairs it from the original files; if the set ships with ojaflow, so does `git checkout -- data/small`
    ");
}

#[test]
fn description_that_is_not_toml() {
    let sets = Fixture::new();
    sets.edit_description("n_classes = 3", "n_classes: 3");
    assert_snapshot!(sets.load_message(), @"
    data/small/dataset.toml does not describe a data set
      TOML parse error at line 4, column 12
        |
      4 | n_classes: 3
        |            ^
      key with no value, expected `=`
      remedy:   correct it; if the set ships with ojaflow, `git checkout -- data/small/dataset.toml` takes it back; if not, remove its folder and import the set again
    ");
}

#[test]
fn description_with_an_unknown_key() {
    let sets = Fixture::new();
    sets.edit_description("n_classes = 3", "n_clases = 3");
    assert_snapshot!(sets.load_message(), @"
    data/small/dataset.toml does not describe a data set
      TOML parse error at line 4, column 1
        |
      4 | n_clases = 3
        | ^^^^^^^^
      unknown field `n_clases`, expected one of `title`, `licence`, `source`, `n_classes`, `class_names`, `train_images`, `train_labels`, `test_images`, `test_labels`
      remedy:   correct it; if the set ships with ojaflow, `git checkout -- data/small/dataset.toml` takes it back; if not, remove its folder and import the set again
    ");
}

#[test]
fn description_whose_counts_disagree() {
    let sets = Fixture::new();
    sets.edit_description("count = 2", "count = 4");
    assert_snapshot!(sets.load_message(), @"
    data/small/dataset.toml does not describe a data set
      `count` in [test_images] and [test_labels]
      expected: a label for each image
      found:    4 images and 2 labels
      remedy:   correct it; if the set ships with ojaflow, `git checkout -- data/small/dataset.toml` takes it back; if not, remove its folder and import the set again
    ");
}

#[test]
fn description_that_leads_out_of_the_folder() {
    let sets = Fixture::new();
    sets.edit_description("\"t10k-images-idx3-ubyte.gz\"", "\"../../t10k-images-idx3-ubyte.gz\"");
    assert_snapshot!(sets.load_message(), @"
    data/small/dataset.toml does not describe a data set
      `name` in [test_images]
      expected: the plain name of a file in the same folder
      found:    `../../t10k-images-idx3-ubyte.gz`
      remedy:   correct it; if the set ships with ojaflow, `git checkout -- data/small/dataset.toml` takes it back; if not, remove its folder and import the set again
    ");
}

#[test]
fn description_that_tests_on_the_training_images() {
    let sets = Fixture::new();
    sets.edit_description("\"t10k-images-idx3-ubyte.gz\"", "\"train-images-idx3-ubyte.gz\"");
    assert_snapshot!(sets.load_message(), @"
    data/small/dataset.toml does not describe a data set
      `name` in [test_images]
      expected: a file of its own
      found:    `train-images-idx3-ubyte.gz`, named twice
      remedy:   correct it; if the set ships with ojaflow, `git checkout -- data/small/dataset.toml` takes it back; if not, remove its folder and import the set again
    ");
}

#[test]
fn description_with_half_a_checksum() {
    let sets = Fixture::new();
    let checksum = sets.info().file(Role::TrainImages).sha256.clone();
    sets.edit_description(&checksum, &checksum[..32]);
    assert_snapshot!(sets.load_message(), @"
    data/small/dataset.toml does not describe a data set
      `sha256` in [train_images]
      expected: 64 lower-case hexadecimal digits
      found:    `65f2a4e68bc6e564074891ad490205b0`
      remedy:   correct it; if the set ships with ojaflow, `git checkout -- data/small/dataset.toml` takes it back; if not, remove its folder and import the set again
    ");
}

#[test]
fn description_with_a_name_too_few() {
    let sets = Fixture::new();
    sets.edit_description("n_classes = 3", "n_classes = 3\nclass_names = [\"circle\", \"square\"]");
    assert_snapshot!(sets.load_message(), @"
    data/small/dataset.toml does not describe a data set
      `class_names`
      expected: no names or 3, the `n_classes`
      found:    2 names
      remedy:   correct it; if the set ships with ojaflow, `git checkout -- data/small/dataset.toml` takes it back; if not, remove its folder and import the set again
    ");
}

#[test]
fn folder_whose_name_is_no_name() {
    let sets = Fixture::new();
    fs::rename(sets.data().join("small"), sets.data().join("small (copy)")).unwrap();
    assert_snapshot!(sets.message(list(&[sets.data()])), @"
    data/small (copy): the name of this folder cannot name a data set
      expected: lower-case letters, digits and underscores
      found:    `small (copy)`
      remedy:   rename the folder, or move it out of the data folder
    ");
}

// ----------------------------------------------------------------------------------------------------------- imports

#[test]
fn import_from_nowhere() {
    let sets = Fixture::new();
    assert_snapshot!(sets.message(import(&sets.path("dwonloads"), &sets.data(), "other")), @"
    cannot read dwonloads
      expected: a path that the program can read
      found:    No such file or directory (os error 2)
      remedy:   check the path, the permissions and the free space, then try again
    ");
}

#[test]
fn import_of_a_folder_without_idx_files() {
    let sets = Fixture::new();
    let folder = sets.folder("archive", &[("gzip.zip", b"PK"), ("readme.txt", b"")]);
    fs::create_dir(folder.join("gzip")).unwrap();
    assert_snapshot!(sets.message(import(&folder, &sets.data(), "other")), @"
    archive holds no complete IDX data set
      expected: one file for each purpose; there is none for
                  …train-images-idx3-ubyte[.gz]
                  …train-labels-idx1-ubyte[.gz]
                  …t10k-images-idx3-ubyte[.gz] or …test-images-idx3-ubyte[.gz]
                  …t10k-labels-idx1-ubyte[.gz] or …test-labels-idx1-ubyte[.gz]
      found:    gzip.zip, gzip/, readme.txt
      remedy:   put the missing files there under the names that their publisher gave them, or name the folder that holds all four
    ");
}

#[test]
fn import_without_the_test_labels() {
    let sets = Fixture::new();
    fs::remove_file(sets.source().join("t10k-labels-idx1-ubyte")).unwrap();
    assert_snapshot!(sets.import_message(), @"
    source holds no complete IDX data set
      expected: one file for each purpose; there is none for
                  …t10k-labels-idx1-ubyte[.gz] or …test-labels-idx1-ubyte[.gz]
      found:    t10k-images-idx3-ubyte, train-images-idx3-ubyte, train-labels-idx1-ubyte
      remedy:   put the missing files there under the names that their publisher gave them, or name the folder that holds all four
    ");
}

#[test]
fn import_from_a_folder_of_several_sets() {
    let sets = Fixture::new();
    let names = ["balanced", "letters"].map(|set| {
        ["train-images-idx3", "train-labels-idx1", "test-images-idx3", "test-labels-idx1"]
            .map(|file| format!("emnist-{set}-{file}-ubyte.gz"))
    });
    let files: Vec<(&str, &[u8])> = names.iter().flatten().map(|name| (name.as_str(), &b""[..])).collect();
    let folder = sets.folder("emnist", &files);
    assert_snapshot!(sets.message(import(&folder, &sets.data(), "emnist")), @"
    emnist holds more than one IDX data set
      expected: the four files of one set
      found:    emnist-balanced-* (4 of 4 files), emnist-letters-* (4 of 4 files)
      remedy:   copy the four files that are meant into a folder of their own, and import that
    ");
}

#[test]
fn import_with_one_file_twice() {
    let sets = Fixture::new();
    fs::write(sets.source().join("train-labels-idx1-ubyte.gz"), gzip(&labels(&[0, 1, 2]))).unwrap();
    assert_snapshot!(sets.import_message(), @"
    source holds two files of training labels
      expected: one
      found:    train-labels-idx1-ubyte and train-labels-idx1-ubyte.gz
      remedy:   move one of them elsewhere
    ");
}

#[test]
fn import_with_fewer_images_than_labels() {
    let sets = Fixture::new();
    fs::write(sets.source().join("train-labels-idx1-ubyte"), labels(&[0, 1, 2, 2])).unwrap();
    assert_snapshot!(sets.import_message(), @"
    source/train-images-idx3-ubyte: the wrong number of images
      expected: 4 images, as train-labels-idx1-ubyte says
      found:    3, says the header
      remedy:   take the images and the labels of the same split of the same set
    ");
}

#[test]
fn import_of_compressed_files_without_gz() {
    let sets = Fixture::new();
    fs::write(sets.source().join("train-labels-idx1-ubyte"), gzip(&labels(&[0, 1, 2]))).unwrap();
    assert_snapshot!(sets.import_message(), @"
    source/train-labels-idx1-ubyte: compressed, though its name does not end in .gz
      expected: IDX (00 00 08 …)
      found:    gzip (1f 8b …)
      remedy:   add .gz to its name, then import again
    ");
}

#[test]
fn import_of_a_decompressed_file_with_gz() {
    let sets = Fixture::new();
    let plain = sets.source().join("t10k-images-idx3-ubyte");
    fs::rename(&plain, plain.with_extension("gz")).unwrap();
    assert_snapshot!(sets.import_message(), @"
    source/t10k-images-idx3-ubyte.gz: not compressed, though its name ends in .gz
      expected: gzip (1f 8b …)
      found:    00 00 …
      remedy:   if it was decompressed already, take .gz off its name; else get it again from its publisher
    ");
}

#[test]
fn import_of_images_and_labels_exchanged() {
    let sets = Fixture::new();
    fs::write(sets.source().join("train-labels-idx1-ubyte"), images(3)).unwrap();
    assert_snapshot!(sets.import_message(), @"
    source/train-labels-idx1-ubyte: not an IDX file of labels
      expected: magic number 0x00000801
      found:    0x00000803, a file of images
      remedy:   exchange the names of the files of images and of labels, if that is what happened
    ");
}

#[test]
fn import_of_labels_of_four_bytes() {
    let sets = Fixture::new();
    fs::write(sets.source().join("t10k-labels-idx1-ubyte"), [0, 0, 0x0c, 1, 0, 0, 0, 1, 0, 0, 0, 7]).unwrap();
    assert_snapshot!(sets.import_message(), @"
    source/t10k-labels-idx1-ubyte: not an IDX file of labels
      expected: magic number 0x00000801
      found:    0x00000c01, IDX of something else than unsigned bytes
      remedy:   only grey images of unsigned bytes and labels of one byte can be imported: convert the set
    ");
}

#[test]
fn import_of_images_of_32_by_32_pixels() {
    let sets = Fixture::new();
    let header = [0x803, 3, 32, 32].map(u32::to_be_bytes).concat();
    fs::write(sets.source().join("train-images-idx3-ubyte"), header).unwrap();
    assert_snapshot!(sets.import_message(), @"
    source/train-images-idx3-ubyte: images of the wrong size
      expected: 28 × 28 pixels
      found:    32 × 32 pixels, says the header
      remedy:   only images of that size can be imported: choose or make such a set
    ");
}

#[test]
fn import_of_a_web_page_saved_as_data() {
    let sets = Fixture::new();
    fs::write(sets.source().join("train-labels-idx1-ubyte"), "<!DOCTYPE html><title>404 Not Found</title>").unwrap();
    assert_snapshot!(sets.import_message(), @"
    source/train-labels-idx1-ubyte: not an IDX file of labels
      expected: magic number 0x00000801
      found:    0x3c21444f, not IDX at all
      remedy:   nothing was imported; get the file again from its publisher, then import again
    ");
}

#[test]
fn import_of_no_image() {
    let sets = Fixture::new();
    fs::write(sets.source().join("train-labels-idx1-ubyte"), labels(&[])).unwrap();
    assert_snapshot!(sets.import_message(), @"
    source/train-labels-idx1-ubyte: an unusable number of labels
      expected: between 1 and 2,097,152
      found:    0, says the header
      remedy:   nothing was imported; get the file again from its publisher, then import again
    ");
}

#[test]
fn import_of_four_billion_labels() {
    let sets = Fixture::new();
    let header = [&[0, 0, 8, 1][..], &[0xff; 4]].concat();
    fs::write(sets.source().join("train-labels-idx1-ubyte"), header).unwrap();
    assert_snapshot!(sets.import_message(), @"
    source/train-labels-idx1-ubyte: an unusable number of labels
      expected: between 1 and 2,097,152
      found:    4,294,967,295, says the header
      remedy:   nothing was imported; get the file again from its publisher, then import again
    ");
}

#[test]
fn import_over_another_set() {
    let sets = Fixture::new();
    fs::write(sets.source().join("t10k-labels-idx1-ubyte"), labels(&[2, 2])).unwrap();
    assert_snapshot!(sets.message(import(&sets.source(), &sets.data(), "small")), @"
    data/small holds another data set
      expected: content 2ed21b242089e32e586a6b5dcfc307e4d947a9a3a41a410c89b382e5ac08353e, that of the set to be imported
      found:    content 0b4e25072444688cc57a98ddc24b0f356b8027a4dd04faba1cd2d03bacf6faff
      remedy:   import under another name than `small`: results refer to the set that is there
    ");
}

#[test]
fn import_over_something_else() {
    let sets = Fixture::new();
    fs::create_dir(sets.data().join("other")).unwrap();
    assert_snapshot!(sets.import_message(), @"
    data/other is in the way
      expected: a data set, or nothing
      found:    something without a dataset.toml
      remedy:   move it elsewhere, or import under another name
    ");
}

#[test]
fn import_into_a_file() {
    let sets = Fixture::new();
    fs::write(sets.path("file"), "").unwrap();
    assert_snapshot!(sets.message(import(&sets.source(), &sets.path("file"), "other")), @"
    cannot create file
      expected: a path that the program can create
      found:    File exists (os error 17)
      remedy:   check the path, the permissions and the free space, then try again
    ");
}

// ------------------------------------------------------------------------------------------------------- every damage

#[test]
fn no_single_flipped_bit_changes_what_is_loaded() {
    let sets = Fixture::new();
    let sound = load(&sets.info()).unwrap();
    let paths = Role::ALL.map(|role| sets.installed(role)).into_iter().chain([sets.description()]);
    let (mut n_refused, mut n_harmless) = (0, 0);
    for path in paths {
        let original = fs::read(&path).unwrap();
        for index in 0..original.len() {
            let mut damaged = original.clone();
            damaged[index] ^= 1 << (index % 8);
            fs::write(&path, damaged).unwrap();
            match find(&[sets.data()], "small").and_then(|info| load(&info)) {
                Err(_) => n_refused += 1,
                // The title, a time in a gzip header: nothing that is loaded.
                Ok(set) => {
                    n_harmless += 1;
                    assert_eq!(set, sound, "byte {index} of {}", path.display());
                }
            }
        }
        fs::write(&path, original).unwrap();
    }
    assert!(n_refused > 4 * n_harmless, "{n_refused} refused, {n_harmless} harmless");
}

#[test]
fn verification_finds_each_damaged_file_and_only_those() {
    let sets = Fixture::new();
    let info = sets.info();
    for damaged in [&[][..], &[Role::TrainLabels], &[Role::TestImages], &[Role::TrainImages, Role::TestLabels]] {
        let sound: Vec<_> = damaged.iter().map(|&role| fs::read(sets.installed(role)).unwrap()).collect();
        damaged.iter().for_each(|&role| sets.damage(role, |gzip| gzip.truncate(20)));
        let found: Vec<Role> = verify(&info).iter().filter(|s| s.problem.is_some()).map(|s| s.role).collect();
        assert_eq!(found, damaged);
        damaged.iter().zip(sound).for_each(|(&role, bytes)| fs::write(sets.installed(role), bytes).unwrap());
    }
}

// ------------------------------------------------------------------------------------------------------------ memory

/// What a file of a few kilobytes may make the program allocate in one piece: a decompressor's window and buffers.
const SMALL: usize = 256 << 10;

#[test]
fn a_forged_count_allocates_nothing() {
    let sets = Fixture::new();
    sets.rewrite(Role::TrainImages, |idx| idx[4..8].fill(0xff));
    let info = sets.info();
    let (result, largest) = largest_allocation(|| load(&info));
    assert!(result.is_err() && largest < SMALL, "{largest} bytes");
}

#[test]
fn a_count_within_the_limit_allocates_no_more_than_there_is() {
    let sets = Fixture::new();
    let two_million: u32 = 2_000_000;
    for name in ["train-labels-idx1-ubyte", "train-images-idx3-ubyte"] {
        let path = sets.source().join(name);
        let mut idx = fs::read(&path).unwrap();
        idx[4..8].copy_from_slice(&two_million.to_be_bytes());
        fs::write(&path, idx).unwrap();
    }
    let (result, largest) = largest_allocation(|| import(&sets.source(), &sets.data(), "other"));
    assert!(result.is_err() && largest < SMALL, "{largest} bytes");
}

#[test]
fn a_gzip_bomb_is_read_no_further_than_its_header_allows() {
    let sets = Fixture::new();
    sets.rewrite(Role::TrainImages, |idx| idx.resize(64 << 20, 0));
    let info = sets.info();
    let (result, largest) = largest_allocation(|| load(&info));
    assert!(largest < SMALL, "{largest} bytes");
    assert_snapshot!(sets.message(result), @"
    data/small/train-images-idx3-ubyte.gz: too long
      expected: 2,368 bytes uncompressed, for 3 images
      found:    more
      remedy:   `ojaflow data import DIR --as small` repairs it from the original files; if the set ships with ojaflow, so does `git checkout -- data/small`
    ");
}

/// The system's allocator, noting the largest request of each thread.
struct NotingAllocator;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn note(size: usize) {
    // A thread that is ending has no cell any more, and nothing to measure.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(size)));
}

// SAFETY: every call is handed on unchanged to the system's allocator; noting a number allocates nothing.
unsafe impl GlobalAlloc for NotingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promises about `layout` are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System`, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: `pointer` came from `System`, with this layout; the caller vouches for `size`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: NotingAllocator = NotingAllocator;

pub fn largest_allocation<T>(work: impl FnOnce() -> T) -> (T, usize) {
    LARGEST.set(0);
    let result = work();
    (result, LARGEST.get())
}

// ----------------------------------------------------------------------------------------------------------- fixture

/// A set of three training and two test images in three classes: as a download, and installed as `small`.
struct Fixture {
    root: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let sets = Self { root: tempfile::tempdir().unwrap() };
        let source = sets.folder(
            "source",
            &[
                ("train-images-idx3-ubyte", &images(3)),
                ("train-labels-idx1-ubyte", &labels(&[0, 1, 2])),
                ("t10k-images-idx3-ubyte", &images(2)),
                ("t10k-labels-idx1-ubyte", &labels(&[2, 0])),
            ],
        );
        import(&source, &sets.data(), "small").unwrap();
        sets
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn source(&self) -> PathBuf {
        self.path("source")
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn folder(&self, name: &str, files: &[(&str, &[u8])]) -> PathBuf {
        let folder = self.path(name);
        fs::create_dir(&folder).unwrap();
        files.iter().for_each(|(name, bytes)| fs::write(folder.join(name), bytes).unwrap());
        folder
    }

    fn info(&self) -> DataSetInfo {
        find(&[self.data()], "small").unwrap()
    }

    fn installed(&self, role: Role) -> PathBuf {
        self.info().path(role)
    }

    fn description(&self) -> PathBuf {
        self.data().join("small/dataset.toml")
    }

    /// Changes the bytes of an installed file as they are on the disk.
    fn damage(&self, role: Role, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.installed(role)).unwrap();
        change(&mut bytes);
        fs::write(self.installed(role), bytes).unwrap();
    }

    /// Changes the uncompressed content of an installed file.
    fn rewrite(&self, role: Role, change: impl FnOnce(&mut Vec<u8>)) {
        self.damage(role, |bytes| {
            let mut idx = Vec::new();
            GzDecoder::new(&bytes[..]).read_to_end(&mut idx).unwrap();
            change(&mut idx);
            *bytes = gzip(&idx);
        });
    }

    /// Replaces the first `old` in dataset.toml.
    fn edit_description(&self, old: &str, new: &str) {
        let text = fs::read_to_string(self.description()).unwrap();
        assert!(text.contains(old), "{text}");
        fs::write(self.description(), text.replacen(old, new, 1)).unwrap();
    }

    fn load_message(&self) -> String {
        self.message(find(&[self.data()], "small").and_then(|info| load(&info)))
    }

    fn import_message(&self) -> String {
        self.message(import(&self.source(), &self.data(), "other"))
    }

    /// The message of the error, with paths from the fixture's root on.
    fn message<T>(&self, result: Result<T, DataError>) -> String {
        let error = result.err().expect("the data set is refused");
        let root = format!("{}{}", self.root.path().display(), std::path::MAIN_SEPARATOR);
        error.to_string().replace(&root, "")
    }
}

pub fn images(count: u32) -> Vec<u8> {
    let header = [0x803, count, 28, 28].map(u32::to_be_bytes).concat();
    header.into_iter().chain((0..count * 28 * 28).map(|i| (i % 253) as u8)).collect()
}

pub fn labels(labels: &[u8]) -> Vec<u8> {
    let header = [0x801, labels.len() as u32].map(u32::to_be_bytes).concat();
    [&header, labels].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
