//! What can be wrong with a data set, in words that say which file, what was expected, what was found, and what to do.

use std::io;
use std::path::PathBuf;

use super::idx::{Kind, MAX_ITEMS};
use super::{COLS, ROWS};

/// Why a data set cannot be listed, found, read or imported. The message is complete: it ends with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error(
        "there is no data set `{name}` in {}\n  expected: one of {}\n  found:    `{name}`\n  remedy:   correct the \
         name, or add the set with `ojaflow data import DIR --as {name}`",
        data_dir.display(), quoted_or_none(available)
    )]
    UnknownDataSet { name: String, data_dir: PathBuf, available: Vec<String> },

    #[error(
        "`{name}` cannot name a data set\n  expected: lower-case letters, digits and underscores (it becomes a folder, \
         and a value in tables)\n  found:    `{name}`\n  remedy:   choose a name such as `emnist_balanced`"
    )]
    InvalidName { name: String },

    /// `problem` says what was expected and found, with line and column where there is one.
    #[error("{} does not describe a data set\n{}\n  remedy:   correct it, or take it back with `git checkout -- data` if the set ships with ojaflow; else remove its folder and import the set again", file.display(), indented(problem))]
    InvalidDescription { file: PathBuf, problem: String },

    #[error("{}: {fault}\n  remedy:   {remedy}", file.display())]
    File { file: PathBuf, fault: FileFault, remedy: &'static str },

    #[error(
        "{} holds no complete IDX data set\n  expected: one file for each of\n{}\n  found:    {}\n  remedy:   put the \
         missing files there, under the names that their publisher gave them",
        dir.display(), indented(&missing.join("\n")), found_or_nothing(found)
    )]
    MissingSourceFiles { dir: PathBuf, missing: Vec<String>, found: Vec<String> },

    #[error(
        "{} holds more than one IDX data set\n  expected: the four files of one set\n  found:    {}\n  remedy:   copy \
         the four files that you want into a folder of their own, and import that",
        dir.display(), found.join(", ")
    )]
    AmbiguousSource { dir: PathBuf, found: Vec<String> },

    #[error(
        "{} and {} hold the same thing\n  expected: one file of {what}\n  found:    two\n  remedy:   move one of them \
         elsewhere",
        first.display(), second.display()
    )]
    DuplicateSourceFiles { first: PathBuf, second: PathBuf, what: String },

    #[error(
        "there is another data set `{name}` already, in {}\n  expected: content {existing}\n  found:    content \
         {imported}\n  remedy:   import under another name; results that exist refer to the one that is there",
        folder.display()
    )]
    NameTaken { name: String, folder: PathBuf, existing: String, imported: String },

    #[error(
        "{} is in the way\n  expected: a data set, or nothing\n  found:    a folder or file without `dataset.toml`\n  \
         remedy:   move it elsewhere, or import under another name",
        folder.display()
    )]
    FolderInTheWay { folder: PathBuf },

    /// `action` is an infinitive: "read", "create".
    #[error("cannot {action} {}\n  expected: to be allowed to\n  found:    {source}\n  remedy:   check that it exists, who may {action} it, and the space on the disk", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

/// Where an installed file comes from again.
pub(super) const RESTORE: &str = "restore the data set: `git checkout -- data` for one that ships with ojaflow, \
                                  `ojaflow data import DIR --as NAME` with the name of the set for any other";
/// Where a file that is being imported comes from again.
pub(super) const FETCH_AGAIN: &str = "nothing was imported; get the file again from its publisher, then import again";

/// What is wrong with one IDX file.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    #[error("the file is missing\n  expected: a file of {expected}\n  found:    nothing of that name")]
    Missing { expected: String },

    #[error("not compressed\n  expected: gzip (1f 8b …), since the name ends in .gz\n  found:    {}", hex(found))]
    NotGzip { found: Vec<u8> },

    #[error(
        "compressed, but its name does not say so\n  expected: IDX (00 00 08 …), or a name that ends in .gz\n  found:    gzip (1f 8b …)"
    )]
    UnexpectedGzip,

    #[error(
        "the gzip stream is corrupt\n  expected: a stream that decompresses to its end and matches its own check sum\n  found:    {0}"
    )]
    CorruptGzip(String),

    #[error("too short for an IDX header\n  expected: {expected} bytes of header\n  found:    {}", count(*found as u64, "byte"))]
    ShortHeader { expected: usize, found: usize },

    #[error("not an IDX file of {}\n  expected: magic number {:#010x}\n  found:    {}", kind.plural(), kind.magic(), describe_magic(*found))]
    WrongMagic { kind: Kind, found: u32 },

    #[error(
        "images of the wrong size\n  expected: {ROWS} × {COLS} pixels\n  found:    {rows} × {cols} pixels, says the header"
    )]
    WrongImageSize { rows: u32, cols: u32 },

    #[error("wrong number of {}\n  expected: {}, says {authority}\n  found:    {}, says the header", kind.plural(), grouped(*expected), grouped(*found))]
    WrongCount { kind: Kind, expected: u64, found: u64, authority: String },

    #[error("an unusable number of {}\n  expected: between 1 and {}\n  found:    {}, says the header", kind.plural(), grouped(MAX_ITEMS), grouped(*found))]
    UnusableCount { kind: Kind, found: u64 },

    #[error("cut off\n  expected: {} uncompressed, for {}\n  found:    {}", count(*expected, "byte"), kind.count(*items), count(*found, "byte"))]
    Truncated { kind: Kind, items: u64, expected: u64, found: u64 },

    #[error("too long\n  expected: {} uncompressed, for {}\n  found:    more", count(*expected, "byte"), kind.count(*items))]
    TooLong { kind: Kind, items: u64, expected: u64 },

    #[error("other content than the data set's\n  expected: SHA-256 {expected}\n  found:    SHA-256 {found}")]
    WrongChecksum { expected: String, found: String },

    #[error(
        "a label beyond the classes\n  expected: labels below {n_classes}, the n_classes of dataset.toml\n  found:    label {label} at index {index}"
    )]
    LabelBeyondClasses { n_classes: usize, label: u8, index: usize },

    #[error("fewer classes than described\n  expected: labels up to {}, for the n_classes of dataset.toml\n  found:    labels up to {largest}", n_classes - 1)]
    ClassesWithoutLabels { n_classes: usize, largest: u8 },

    #[error("it cannot be read\n  expected: a readable file\n  found:    {0}")]
    Unreadable(io::Error),
}

/// `60000` → `60,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 byte`, `2,000 bytes`.
pub(super) fn count(number: u64, singular: &str) -> String {
    format!("{} {singular}{}", grouped(number), if number == 1 { "" } else { "s" })
}

fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "an empty file".to_owned();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// Names the mistakes that are made: the two files of a split exchanged, pixels of another type, another format.
fn describe_magic(magic: u32) -> String {
    let meaning = match magic.to_be_bytes() {
        [0, 0, 0x08, 1] => "a file of labels: are the two files exchanged?",
        [0, 0, 0x08, 3] => "a file of images: are the two files exchanged?",
        [0, 0, 0x08, _] => "IDX, but of another number of dimensions",
        [0, 0, 0x09..=0x0e, _] => "IDX, but not of unsigned bytes",
        _ => "not an IDX file",
    };
    format!("{magic:#010x} ({meaning})")
}

fn quoted_or_none(names: &[String]) -> String {
    if names.is_empty() {
        return "none, the folder holds no data set".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn found_or_nothing(names: &[String]) -> String {
    const SHOWN: usize = 12;
    match names.len() {
        0 => "nothing".to_owned(),
        n if n <= SHOWN => names.join(", "),
        n => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
    }
}

fn indented(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_in_threes() {
        let numbers = [0, 12, 123, 1234, 60_000, 4_294_967_295];
        assert_eq!(numbers.map(grouped), ["0", "12", "123", "1,234", "60,000", "4,294,967,295"]);
    }

    #[test]
    fn long_listings_are_cut() {
        let names: Vec<String> = (0..20).map(|i| format!("file{i}")).collect();
        assert!(found_or_nothing(&names).ends_with("file11 and 8 more"));
    }
}
