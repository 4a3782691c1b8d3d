//! The files in `runs`: what a run is for and the keys that it counts on. A file that is locked belongs to a living run;
//! one that is not, to a run that ended before it had published.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::key::Key;
use super::heartbeat::may_live;
use super::host::machine_name;
use super::layout::{Layout, RUN, list, name};
use crate::error::{Error, Result};
use crate::files::{self, Lock};
use crate::store::Purpose;

/// A run that left a file.
#[derive(Debug)]
pub(super) struct Recorded {
    pub path: PathBuf,
    pub living: bool,
    /// None where the run had not counted on anything yet.
    pub purpose: Option<Purpose>,
    /// Where it runs, or ran.
    pub place: Option<Place>,
    pub keys: Vec<Key>,
}

/// A process on a machine, for people.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Place {
    pub host: String,
    pub pid: u32,
}

impl Place {
    fn this() -> Self {
        Self { host: machine_name(), pid: std::process::id() }
    }
}

impl Recorded {
    /// Whether it is what a run for the same purpose left that ended before it had published.
    pub(super) fn is_left_by(&self, purpose: &Purpose) -> bool {
        !self.living && self.purpose.as_ref().is_some_and(|other| other.plan == purpose.plan)
    }
}

/// All runs that left a file, living or not.
pub(super) fn recorded(layout: &Layout) -> Result<Vec<Recorded>> {
    let mut runs = Vec::new();
    for path in list(&layout.runs())? {
        if !name(&path).is_some_and(|name| name.starts_with(RUN)) {
            continue;
        }
        let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        let mut lock = match Lock::on(&path) {
            Ok(lock) => lock,
            // That run ended between the listing and now.
            Err(error) if gone(&error) => continue,
            Err(error) => return Err(Error::io("open", &path)(error)),
        };
        // Before the lock is tried: a run that begins locks its file before it says anything, so who has said something and
        // is not locked is dead. The other way round, one that locked it and spoke in between would be taken for dead.
        let content = match lock.content() {
            Ok(content) => content,
            // A folder of that name: it says nothing.
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => Vec::new(),
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        let living = match lock.try_together() {
            Ok(free) => !free || may_live(layout, &path, true),
            Err(error) if files::is_unsupported(&error) => may_live(layout, &path, false),
            Err(error) => return Err(Error::io("lock", &path)(error)),
        };
        let text = String::from_utf8_lossy(&content);
        let keys = text.lines().filter_map(Key::parse).collect();
        let purpose = text.lines().rev().find_map(|line| serde_json::from_str(line).ok());
        let place = text.lines().rev().find_map(|line| serde_json::from_str(line).ok());
        runs.push(Recorded { path, living, purpose, place, keys });
    }
    Ok(runs)
}

/// Removes what dead runs for the same purpose left. Best effort: a file that stays keeps more than it has to.
pub(super) fn forget(layout: &Layout, purpose: &Purpose) {
    let Ok(_shared) = layout.starting() else { return };
    for run in recorded(layout).into_iter().flatten() {
        if run.is_left_by(purpose) {
            let _ = files::remove(&run.path);
        }
    }
}

/// What a run's file says of these keys.
pub(super) fn lines<'a>(purpose: &Purpose, keys: impl IntoIterator<Item = &'a Key>) -> String {
    let (purpose, place) = (serde_json::to_string(purpose), serde_json::to_string(&Place::this()));
    let mut text = format!("{}\n{}\n", purpose.expect("plain data"), place.expect("plain data"));
    keys.into_iter().for_each(|key| text.extend([key.as_str(), "\n"]));
    text
}
