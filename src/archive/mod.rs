//! A published run ↔ one file that anyone can check, open in other tools, and run again.
//!
//! ```text
//! outputs/fig4/ ──contents──▶ files ──bag, research_object──▶ + their description ──container──▶ fig4.tar.zst
//!                                                                                   │
//!                            reproduce: run again, compare table by table ◀── verify ◀┘
//! ```
//!
//! An archive is a BagIt 1.0 bag whose payload is an RO-Crate 1.1 with the Provenance Run Crate profile:
//!
//! ```text
//! fig4/bagit.txt, bag-info.txt, manifest-sha256.txt, tagmanifest-sha256.txt
//! fig4/data/REPRODUCE.md                the commands, and what to expect
//! fig4/data/ro-crate-metadata.json      every task as an action with its instrument, inputs and results
//! fig4/data/Cargo.lock                  the versions of everything that the program was built from
//! fig4/data/data-sets.json              checksums of the images; the images themselves are not inside
//! fig4/data/pipelines/fig4.toml         and the tables of coefficients that it looked up
//! fig4/data/outputs/fig4/               the published folder: manifest, tables, figures
//! ```
//!
//! Nothing measured and nothing of the machine goes in: no time but SOURCE_DATE_EPOCH, no path, no host. The manifest
//! is taken as it was published, because it holds none of these either. What is left out of the published folder:
//! `views.sql`, which names folders of this machine, and, unless asked for, the large tables that running again makes
//! ([`Part`]).

mod bag;
pub mod compare;
pub mod container;
mod contents;
pub mod diff;
mod instructions;
pub mod reproduce;
mod research_object;
mod verify;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::publish::manifest::TableEntry;

pub use contents::{DataSet, Published, gather};
pub use verify::{Verified, verify};

/// Large tables that an archive may or may not hold. Their digests stand in the manifest either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Part {
    Weights,
    Activations,
    /// The pixels of the data sets.
    Images,
}

impl Part {
    /// The part that a table belongs to; none for what every archive holds.
    pub fn of(table: &TableEntry) -> Option<Self> {
        match table.schema.kind.as_ref() {
            "dataset" => Some(Self::Images),
            "activations" => Some(Self::Activations),
            // Whatever else is published as a folder is large as well.
            "weights" => Some(Self::Weights),
            _ => (table.schema.layout == crate::tables::Layout::Folder).then_some(Self::Weights),
        }
    }
}

/// What is wrong with an archive: at a file in it, or as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub entry: Option<String>,
    pub message: String,
}

impl Fault {
    fn entry(entry: &str, message: impl Into<String>) -> Self {
        Self { entry: Some(entry.to_owned()), message: message.into() }
    }

    fn archive(message: impl Into<String>) -> Self {
        Self { entry: None, message: message.into() }
    }

    /// Says where, if nothing better is known.
    fn within(self, place: &str) -> Self {
        if self.entry.as_deref() == Some("") { Self::archive(format!("{place}: {}", self.message)) } else { self }
    }

    fn of(self, file: &Path) -> Error {
        Error::Check(match self.entry {
            Some(entry) => format!("{}: `{entry}` {}", file.display(), self.message),
            None => format!("{}: {}", file.display(), self.message),
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.entry {
            Some(entry) => write!(f, "`{entry}` {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Makes the archive of a published folder.
///
/// # Errors
/// The folder is not what was published, a data set is missing, or the file cannot be written.
pub fn archive(
    folder: &Path,
    data_dir: &Path,
    with: &BTreeSet<Part>,
    time: Option<u64>,
    target: &Path,
) -> Result<container::Summary> {
    let published = gather(folder, data_dir)?;
    let payload = published.payload(with, time)?;
    let members = bag::pack(&published, payload, time);
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Beside the target, then into its place: an archive is there as a whole or not at all.
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    // Temporary files are for their owner alone unless told otherwise; an archive is made to be passed on.
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(parent).map_err(Error::io("create a file in", parent))?;
    let summary =
        container::write(file.as_file_mut(), &members, time.unwrap_or(0)).map_err(Error::io("write", target))?;
    file.persist(target).map_err(|error| Error::io("write", target)(error.error))?;
    Ok(summary)
}
