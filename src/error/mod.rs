//! One error for the program, by whose fault it is: that decides the exit status and the tone of the message.

mod fault;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::datasets::DataError;
use crate::tables::TableError;
pub use fault::{Fault, Source, Span};

/// What may fail by the fault of user, data, numbers, disk or program.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whatever can go wrong, by whose fault it is.
#[derive(Debug)]
pub enum Error {
    /// The request was wrong: usage, a pipeline file, an override. All faults found, with their places.
    Spec(Vec<Fault>),
    /// A data set is missing or damaged.
    Data(DataError),
    /// A stage met numbers that it cannot work with.
    Numerics {
        /// The task.
        task: String,
        /// What was found, and what it cannot do with it.
        message: String,
    },
    /// A kept result is damaged and could not be made again, or a place where results are kept cannot be reached.
    Store(String),
    /// Something that was checked is not what it should be: an archive, a reproduction.
    Check(String),
    /// The operating system refused: a full disk, a read-only folder.
    Io {
        /// What was tried: "read".
        doing: String,
        /// With which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
        /// The option that the path was chosen with, where it does not lie in the folder of results.
        option: Option<&'static str>,
    },
    /// Whatever the program was to print to does not take it.
    Stdout(io::Error),
    /// Tasks could not be carried out; the others were.
    Failed {
        /// What each is called, and why it failed.
        failures: Vec<(String, String)>,
        /// How many tasks depend on these and were not begun.
        left: usize,
    },
    /// The user pressed Ctrl-C.
    Interrupted,
    /// A broken invariant of the program itself.
    Internal {
        /// Where it showed.
        task: String,
        /// What does not hold.
        message: String,
    },
}

impl Error {
    /// A wrong request that no place in a file can be blamed for.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Spec(vec![Fault { message: message.into(), span: None, help: None }])
    }

    /// Makes an error of the operating system one of this program: `doing` ("read") what to which `path`.
    pub fn io(doing: &str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let (doing, path) = (doing.to_owned(), path.as_ref().to_owned());
        move |source| Self::Io { doing, path, source, option: None }
    }

    /// The same for a path that is chosen with an option of its own (`-o`), which is what has to be given otherwise.
    pub fn io_at(option: &'static str, doing: &str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let (doing, path) = (doing.to_owned(), path.as_ref().to_owned());
        move |source| Self::Io { doing, path, source, option: Some(option) }
    }

    /// 2 for a wrong request, 130 for an interruption, 1 for everything else.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Spec(_) => 2,
            Self::Interrupted => 130,
            _ => 1,
        }
    }
}

/// Failed tasks that a message names.
const FAILURES_SHOWN: usize = 20;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(faults) => {
                for (index, fault) in faults.iter().enumerate() {
                    if index > 0 {
                        writeln!(f)?;
                    }
                    f.write_str(&fault.message)?;
                }
                Ok(())
            }
            Self::Data(error) => error.fmt(f),
            Self::Numerics { task, message } => write!(f, "{task}: {message}"),
            Self::Store(message) | Self::Check(message) => f.write_str(message),
            Self::Io { doing, path, source, option } => {
                write!(f, "cannot {doing} {}: {source}", path.display())?;
                match (source.kind(), option) {
                    (io::ErrorKind::StorageFull, None) => f.write_str(
                        "\nFree some space (`ojaflow store gc` removes results that nothing refers to) and run the \
                         same command again: what was finished is kept.",
                    ),
                    (io::ErrorKind::StorageFull, Some(option)) => {
                        write!(f, "\nFree some space, or choose another place with `{option}`.")
                    }
                    // To see what lies in a folder of results that is somebody else's, another one is of no use.
                    (io::ErrorKind::PermissionDenied, None) if matches!(doing.as_str(), "read" | "list") => Ok(()),
                    (io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem, None) => {
                        f.write_str("\nChoose a folder that can be written with `--outputs DIR`.")
                    }
                    (_, Some(option)) => write!(f, "\nChoose another place with `{option}`."),
                    _ => Ok(()),
                }
            }
            Self::Stdout(source) => {
                write!(f, "cannot write to stdout: {source}\nSend the output to where it can be written.")
            }
            Self::Failed { failures, left } => {
                write!(
                    f,
                    "{} tasks failed, and {left} that depend on them were not begun; all others are done",
                    failures.len()
                )?;
                failures.iter().take(FAILURES_SHOWN).try_for_each(|(task, why)| write!(f, "\n  {task}: {why}"))?;
                match failures.len().saturating_sub(FAILURES_SHOWN) {
                    0 => Ok(()),
                    more => write!(f, "\n  and {more} more"),
                }
            }
            Self::Interrupted => {
                f.write_str("interrupted; what was finished is kept, the same command goes on from there")
            }
            Self::Internal { task, message } => {
                write!(
                    f,
                    "{task}: {message}\nThis is a fault of ojaflow; please report it with the command that led here."
                )
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } | Self::Stdout(source) => Some(source),
            Self::Data(error) => Some(error),
            _ => None,
        }
    }
}

impl From<TableError> for Error {
    fn from(error: TableError) -> Self {
        Self::Check(error.to_string())
    }
}

impl From<DataError> for Error {
    fn from(error: DataError) -> Self {
        Self::Data(error)
    }
}
