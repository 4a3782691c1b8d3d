//! What is wrong with one IDX file: what it is, what was expected, what was found.

use std::fmt;
use std::io;

use super::idx::{Kind, MAX_ITEMS};
use super::words::{counted, hex};
use super::{COLS, ROWS};
use crate::words::grouped;

/// What is wrong with one IDX file. Its message has three lines; [`DataError`](super::DataError) adds file and remedy.
#[allow(missing_docs, reason = "the message of a variant says what its fields are")]
#[derive(Debug)]
pub enum FileFault {
    Missing { expected: String },
    NotGzip { found: Vec<u8> },
    UnexpectedGzip,
    CorruptGzip(String),
    ShortHeader { expected: usize, found: usize },
    WrongMagic { kind: Kind, found: u32 },
    WrongImageSize { rows: u32, cols: u32 },
    WrongCount { kind: Kind, expected: u64, found: u64, authority: String },
    UnusableCount { kind: Kind, found: u64 },
    Truncated { kind: Kind, items: u64, expected: u64, found: u64 },
    TooLong { kind: Kind, items: u64, expected: u64 },
    WrongChecksum { expected: String, found: String },
    LabelBeyondClasses { n_classes: usize, label: u8, index: usize },
    ClassesWithoutLabels { n_classes: usize, largest: u8 },
    Unreadable(io::Error),
}

impl std::error::Error for FileFault {}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let [what, expected, found] = self.lines();
        write!(f, "{what}\n  expected: {expected}\n  found:    {found}")
    }
}

impl FileFault {
    /// Whether there was no memory for what is in the file.
    pub(super) fn is_want_of_memory(&self) -> bool {
        matches!(self, Self::Unreadable(error) if error.kind() == io::ErrorKind::OutOfMemory)
    }

    /// What to do about it in a file that is being imported.
    pub(super) fn import_remedy(&self) -> &'static str {
        match self {
            Self::UnexpectedGzip => "add .gz to its name, then import again",
            Self::NotGzip { .. } => {
                "if it was decompressed already, take .gz off its name; else get it again from its publisher"
            }
            Self::WrongMagic { found, .. } if [Kind::Images, Kind::Labels].map(Kind::magic).contains(found) => {
                "exchange the names of the files of images and of labels, if that is what happened"
            }
            Self::WrongMagic { found, .. } if *found >> 16 == 0 => {
                "only grey images of unsigned bytes and labels of one byte can be imported: convert the set"
            }
            Self::WrongImageSize { .. } => "only images of that size can be imported: choose or make such a set",
            Self::WrongCount { .. } => "take the images and the labels of the same split of the same set",
            _ => "nothing was imported; get the file again from its publisher, then import again",
        }
    }

    fn lines(&self) -> [String; 3] {
        match self {
            Self::Missing { expected } => {
                ["the file is missing".into(), format!("a file of {expected}"), "nothing of that name".into()]
            }
            Self::NotGzip { found } => [
                "not compressed, though its name ends in .gz".into(),
                "gzip (1f 8b …)".into(),
                if found.is_empty() { "an empty file".into() } else { format!("{} …", hex(found)) },
            ],
            Self::UnexpectedGzip => [
                "compressed, though its name does not end in .gz".into(),
                "IDX (00 00 08 …)".into(),
                "gzip (1f 8b …)".into(),
            ],
            Self::CorruptGzip(found) => [
                "the gzip stream is corrupt".into(),
                "one stream that decompresses to its end, matches its own checksum, and has nothing after it".into(),
                found.clone(),
            ],
            Self::ShortHeader { expected, found } => [
                "too short for an IDX header".into(),
                counted(*expected as u64, "byte") + " at least",
                counted(*found as u64, "byte"),
            ],
            Self::WrongMagic { kind, found } => [
                format!("not an IDX file of {}", kind.plural()),
                format!("magic number {:#010x}", kind.magic()),
                format!("{found:#010x}, {}", meaning_of_magic(*found)),
            ],
            Self::WrongImageSize { rows, cols } => [
                "images of the wrong size".into(),
                format!("{ROWS} × {COLS} pixels"),
                format!("{rows} × {cols} pixels, says the header"),
            ],
            Self::WrongCount { kind, expected, found, authority } => [
                format!("the wrong number of {}", kind.plural()),
                format!("{}, as {authority} says", kind.count(*expected)),
                format!("{}, says the header", grouped(*found)),
            ],
            Self::UnusableCount { kind, found } => [
                format!("an unusable number of {}", kind.plural()),
                format!("between 1 and {}", grouped(MAX_ITEMS)),
                format!("{}, says the header", grouped(*found)),
            ],
            Self::Truncated { kind, items, expected, found } => [
                "cut off".into(),
                format!("{} uncompressed, for {}", counted(*expected, "byte"), kind.count(*items)),
                counted(*found, "byte"),
            ],
            Self::TooLong { kind, items, expected } => [
                "too long".into(),
                format!("{} uncompressed, for {}", counted(*expected, "byte"), kind.count(*items)),
                "more".into(),
            ],
            Self::WrongChecksum { expected, found } => [
                "other content than the data set's".into(),
                format!("SHA-256 {expected} uncompressed"),
                format!("SHA-256 {found}"),
            ],
            Self::LabelBeyondClasses { n_classes, label, index } => [
                "a label beyond the classes".into(),
                format!("labels below {n_classes}, the n_classes of dataset.toml"),
                format!("label {label} at index {index}"),
            ],
            Self::ClassesWithoutLabels { n_classes, largest } => [
                "fewer classes than dataset.toml says".into(),
                format!("{} as the largest label of both splits, for n_classes = {n_classes}", n_classes - 1),
                format!("{largest} as the largest label"),
            ],
            Self::Unreadable(error) => ["it cannot be read".into(), "a readable file".into(), error.to_string()],
        }
    }
}

/// Names the mistakes that are made: labels in the place of images, pixels of another type, another format.
fn meaning_of_magic(magic: u32) -> &'static str {
    match magic.to_be_bytes() {
        [0, 0, 0x08, 1] => "a file of labels",
        [0, 0, 0x08, 3] => "a file of images",
        [0, 0, 0x08, _] => "IDX with another number of dimensions",
        [0, 0, 0x09..=0x0e, _] => "IDX of something else than unsigned bytes",
        _ => "not IDX at all",
    }
}
