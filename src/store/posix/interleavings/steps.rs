//! Which steps depend on each other: only their order makes a difference.

use std::path::{Path, PathBuf};

use crate::files::Step;

/// A step with its paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub step: Step,
    pub paths: Vec<PathBuf>,
    /// Of a lock: whether nobody else may hold it.
    pub alone: bool,
}

/// Whether a step leaves everything as it is, for others too.
fn only_looks(step: Step) -> bool {
    matches!(step, Step::Look | Step::List | Step::Open | Step::Read)
}

pub(super) fn is_of_locks(step: Step) -> bool {
    matches!(step, Step::LockAlone | Step::LockTogether | Step::TryLock | Step::Unlock)
}

/// Whether a step is about all that is below its path.
fn is_about_all_below(step: Step) -> bool {
    matches!(step, Step::Rename | Step::Exchange | Step::RemoveFolder)
}

/// Whether a step lets a name appear in a folder, or disappear from it.
fn changes_names(step: Step) -> bool {
    use Step::{Create, Exchange, Link, MakeFolder, RemoveFile, RemoveFolder, Rename};
    matches!(step, Create | MakeFolder | Link | Rename | Exchange | RemoveFile | RemoveFolder)
}

impl Taken {
    /// Whether it may come out otherwise, or leave other things behind, if the other is taken before it instead of after it.
    /// In doubt it does.
    pub(super) fn depends_on(&self, other: &Self) -> bool {
        // Locks know nothing of what is in the files that they are on.
        match (is_of_locks(self.step), is_of_locks(other.step)) {
            (true, true) => return self.paths == other.paths && (self.alone || other.alone),
            (false, false) => {}
            _ => return false,
        }
        if only_looks(self.step) && only_looks(other.step) {
            return false;
        }
        let pairs = self.paths.iter().flat_map(|one| other.paths.iter().map(move |two| (one, two)));
        pairs.into_iter().any(|(one, two)| {
            one == two || reaches(self.step, one, other.step, two) || reaches(other.step, two, self.step, one)
        })
    }

    /// Whether the two can be possible at the same moment: while a lock is held that is waited for, it is not had.
    pub(super) fn may_meet(&self, other: &Self) -> bool {
        let waits = |step| matches!(step, Step::LockAlone | Step::LockTogether);
        !(self.step == Step::Unlock && waits(other.step) || waits(self.step) && other.step == Step::Unlock)
    }
}

/// Whether a step at a folder has to do with one at a path below it.
fn reaches(step: Step, folder: &Path, other: Step, path: &Path) -> bool {
    path != folder
        && path.starts_with(folder)
        && (is_about_all_below(step) || step == Step::List && changes_names(other) && path.parent() == Some(folder))
}
