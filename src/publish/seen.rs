//! Which published files were found sound, and what they looked like then: a file that looks exactly as it did is not read
//! again.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::files::{self, Metadata};
use crate::store::Store;

/// File systems tell times in ticks of up to this length: what changed within the tick in which it was read may change
/// once more and look the same.
const TICK: Duration = Duration::from_millis(20);

/// The published files of one folder, by their paths in it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    files: BTreeMap<String, Sighting>,
    /// Whether there is something to note.
    changed: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Sighting {
    stamp: Stamp,
    /// BLAKE3 of what was read.
    digest: String,
}

/// What of a file changes with its content. Nobody can put the time of the last change of its state back. A file that is held
/// once with the store changes its state with every name that it gets or loses, too: it is read once more then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stamp {
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    inode: u64,
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        Self {
            bytes: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
            inode: file.ino(),
        }
    }

    /// Whether the tick of the last change is over.
    #[allow(clippy::disallowed_methods, reason = "decides whether a file is read again, never what it holds")]
    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (seconds, nanoseconds) = self.changed;
        let changed = Duration::new(seconds.try_into().unwrap_or(0), nanoseconds.try_into().unwrap_or(0));
        now > changed + TICK
    }
}

impl Seen {
    /// What is noted of the folder published under a name; nothing if the note is lost or damaged.
    pub(super) fn recall(store: &dyn Store, name: &str) -> Self {
        let files = store.recall(name).and_then(|note| {
            let (digest, body) = note.split_first_chunk::<64>()?;
            (blake3::hash(body).to_hex().as_bytes() == digest).then_some(())?;
            serde_json::from_slice(body).ok()
        });
        Self { files: files.unwrap_or_default(), changed: false }
    }

    /// Notes what was found.
    pub(super) fn remember(&self, store: &dyn Store, name: &str) {
        if self.changed {
            let body = serde_json::to_vec(&self.files).expect("plain data");
            let mut note = blake3::hash(&body).to_hex().as_bytes().to_vec();
            note.extend(body);
            store.remember(name, &note);
        }
    }

    /// Whether a file looks as it did when this digest was found in it.
    pub(super) fn knows(&self, folder: &Path, path: &str, digest: &str) -> bool {
        self.files.get(path).is_some_and(|known| {
            let looks = files::target(&folder.join(path)).map(|file| Stamp::of(&file));
            known.digest == digest && looks.is_ok_and(|stamp| stamp == known.stamp)
        })
    }

    /// The digest of a file, read from its first byte to its last.
    ///
    /// # Errors
    /// It cannot be read, is no file, or is written meanwhile.
    pub(super) fn read(&mut self, folder: &Path, path: &str) -> io::Result<String> {
        let place = folder.join(path);
        // A pipe would be waited for.
        if !files::target(&place)?.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        let mut file = files::open(&place)?;
        let before = Stamp::of(&file.metadata()?);
        let is_settled = before.is_settled();
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&mut file)?;
        if Stamp::of(&file.metadata()?) != before {
            return Err(io::Error::other("it was written while it was read"));
        }
        let digest = hasher.finalize().to_hex().to_string();
        let sighting = Sighting { stamp: before, digest: digest.clone() };
        if is_settled && self.files.get(path) != Some(&sighting) {
            self.files.insert(path.to_owned(), sighting);
            self.changed = true;
        }
        Ok(digest)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;
    use crate::store::{Form, PosixStore};

    const OLD: SystemTime = UNIX_EPOCH;

    fn write(path: &Path, content: &str) {
        fs::write(path, content).unwrap();
        File::options().write(true).open(path).unwrap().set_modified(OLD).unwrap();
    }

    #[test]
    fn a_file_with_its_old_size_and_time_is_not_taken_for_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, "one");
        std::thread::sleep(2 * TICK);
        let mut seen = Seen::default();
        let digest = seen.read(folder.path(), "a").unwrap();
        assert!(seen.knows(folder.path(), "a", &digest));
        assert!(!seen.knows(folder.path(), "a", "another digest"));
        write(&path, "two");
        assert!(!seen.knows(folder.path(), "a", &digest));
    }

    #[test]
    fn what_changed_this_moment_is_read_again_next_time() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("a"), "one");
        let mut seen = Seen::default();
        let digest = seen.read(folder.path(), "a").unwrap();
        assert!(!seen.knows(folder.path(), "a", &digest));
    }

    #[test]
    fn a_damaged_note_is_no_note() {
        let folder = tempfile::tempdir().unwrap();
        let store = PosixStore::new(folder.path());
        drop(store.session(Form::Loose).unwrap());
        write(&folder.path().join("a"), "one");
        std::thread::sleep(2 * TICK);
        let mut seen = Seen::default();
        let digest = seen.read(folder.path(), "a").unwrap();
        seen.remember(&store, "name");
        assert!(Seen::recall(&store, "name").knows(folder.path(), "a", &digest));
        let mut note = store.recall("name").unwrap();
        note[70] ^= 1;
        store.remember("name", &note);
        assert!(!Seen::recall(&store, "name").knows(folder.path(), "a", &digest));
    }
}
