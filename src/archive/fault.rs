//! What can be wrong with an archive.

use std::fmt;
use std::path::Path;

use crate::error::Error;

/// What is wrong with an archive: at a file in it, or as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file in the archive that it is in.
    pub entry: Option<String>,
    /// What is wrong.
    pub message: String,
}

impl Fault {
    pub(super) fn entry(entry: &str, message: impl Into<String>) -> Self {
        Self { entry: Some(entry.to_owned()), message: message.into() }
    }

    pub(super) fn archive(message: impl Into<String>) -> Self {
        Self { entry: None, message: message.into() }
    }

    /// Says where, if nothing better is known.
    pub(super) fn within(self, place: &str) -> Self {
        if self.entry.as_deref() == Some("") { Self::archive(format!("{place}: {}", self.message)) } else { self }
    }

    pub(super) fn of(self, file: &Path) -> Error {
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
