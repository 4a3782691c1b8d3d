//! Why a data set cannot be used, in words that say where, what was expected, what was found, and what to do about it.

use std::io;
use std::path::PathBuf;

use super::FileFault;
use super::words::{indented, listed};

/// Why a data set cannot be listed, found, read or imported. The message is complete: it ends with the remedy.
#[allow(missing_docs, reason = "the message of a variant says what its fields are")]
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error(
        "there is no data set `{name}` in {}\n  \
         expected: one that is there ({})\n  \
         found:    `{name}`\n  \
         remedy:   correct the name; get MNIST and Fashion-MNIST with `pip install ojaflow-data` or `ojaflow data fetch`; \
         add another set with `ojaflow data import DIR --as NAME`; or name another data folder with `--data`",
        listed(folders, "no folder"),
        listed(available, "none is")
    )]
    UnknownDataSet { name: String, folders: Vec<String>, available: Vec<String> },

    #[error(
        "`{name}` cannot name a data set\n  \
         expected: lower-case letters, digits and underscores: it becomes a folder, and a value in tables\n  \
         found:    `{name}`\n  \
         remedy:   choose a name such as `emnist_balanced`"
    )]
    InvalidName { name: String },

    #[error(
        "{}: the name of this folder cannot name a data set\n  \
         expected: lower-case letters, digits and underscores\n  \
         found:    `{name}`\n  \
         remedy:   rename the folder, or move it out of the data folder",
        folder.display()
    )]
    InvalidFolderName { name: String, folder: PathBuf },

    /// `problem` says what was expected and found, with line and column where there is one.
    #[error(
        "{} does not describe a data set\n{}\n  \
         remedy:   correct it; if the set ships with ojaflow, `git checkout -- {}` takes it back; if not, remove its \
         folder and import the set again",
        file.display(), indented(problem, 2), file.display()
    )]
    InvalidDescription { file: PathBuf, problem: String },

    #[error("{}: {fault}\n  remedy:   {remedy}", file.display())]
    File { file: PathBuf, fault: FileFault, remedy: String },

    #[error(
        "{} holds no complete IDX data set\n  \
         expected: one file for each purpose; there is none for\n{}\n  \
         found:    {}\n  \
         remedy:   put the missing files there under the names that their publisher gave them, or name the folder \
         that holds all four",
        dir.display(), indented(&missing.join("\n"), 14), listed(found, "an empty folder")
    )]
    MissingSourceFiles { dir: PathBuf, missing: Vec<String>, found: Vec<String> },

    #[error(
        "{} holds more than one IDX data set\n  \
         expected: the four files of one set\n  \
         found:    {}\n  \
         remedy:   copy the four files that are meant into a folder of their own, and import that",
        dir.display(), found.join(", ")
    )]
    AmbiguousSource { dir: PathBuf, found: Vec<String> },

    #[error(
        "{} holds two files of {purpose}\n  \
         expected: one\n  \
         found:    {first} and {second}\n  \
         remedy:   move one of them elsewhere",
        dir.display()
    )]
    DuplicateSourceFiles { dir: PathBuf, purpose: String, first: String, second: String },

    #[error(
        "{} holds another data set\n  \
         expected: content {imported}, that of the set to be imported\n  \
         found:    content {existing}\n  \
         remedy:   import under another name than `{name}`: results refer to the set that is there",
        folder.display()
    )]
    NameTaken { name: String, folder: PathBuf, existing: String, imported: String },

    #[error(
        "{} is in the way\n  \
         expected: a data set, or nothing\n  \
         found:    something without a dataset.toml\n  \
         remedy:   move it elsewhere, or import under another name",
        folder.display()
    )]
    FolderInTheWay { folder: PathBuf },

    #[error(
        "cannot fetch {url}\n  \
         expected: a file of a data set\n  \
         found:    {found}\n  \
         remedy:   check the address and the network; or download the files with a browser, and name their folder"
    )]
    Download { url: String, found: String },

    #[error(
        "{origin} has neither MNIST nor Fashion-MNIST\n  \
         expected: in it, or in `mnist` and `fashion_mnist` below it, four files with the checksums of one of them\n  \
         found:    {found}\n  \
         remedy:   name another place; a set of your own is taken over with `ojaflow data import DIR --as NAME`"
    )]
    NothingKnown { origin: String, found: String },

    /// `action` is a verb: "read", "create".
    #[error(
        "cannot {action} {}\n  \
         expected: a path that the program can {action}\n  \
         found:    {error}\n  \
         remedy:   check the path, the permissions and the free space, then try again",
        path.display()
    )]
    Io { action: &'static str, path: PathBuf, error: io::Error },
}
