//! What is kept: results by the digest of everything that they depend on.
//!
//! ```text
//! outputs/.store/v1/
//!   results/<kk>/<key>/   one folder a task: commit.json and the files it lists
//!   pending/<run>/<key>/  results being written; renamed into `results` as a whole, so they appear all at once
//!   runs/<run>            a file locked for as long as a run lives; lists the keys it counts on
//!   collecting            locked alone by `gc`, together by runs that start: neither sees the other half done
//! ```
//!
//! Nothing has to be cleaned up after a crash: the locks belong to processes and die with them, and a folder in
//! `pending` whose run is gone is rubbish that anyone may remove. A reader trusts only `commit.json`, and what it
//! reads it checks against the digest that stands there.

mod collect;
mod key;
mod record;
mod result;
mod session;

pub use collect::{Collected, Verified};
pub use key::{Key, KeyMaterial, KeyedInput};
pub use record::{Record, StoredFile};
pub(crate) use result::writing;
pub use result::{Damaged, Entry, Pending, PendingTable, Slot};
pub use session::Session;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The layout of the folder; a change of it starts a new folder beside the old one.
const LAYOUT: &str = "v1";

/// A folder of results.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// What the store knows of a key. Only a miss has a slot to write to, so a result is never written twice by mistake.
#[derive(Debug)]
pub enum Status {
    Hit(Entry),
    Miss(Slot),
}

impl Store {
    /// The store behind an outputs folder; nothing is created until something is written.
    pub fn new(outputs: &Path) -> Self {
        Self { root: outputs.join(".store").join(LAYOUT) }
    }

    fn results(&self) -> PathBuf {
        self.root.join("results")
    }

    fn pending(&self) -> PathBuf {
        self.root.join("pending")
    }

    fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    fn folder(&self, key: &Key) -> PathBuf {
        self.results().join(&key.as_str()[..2]).join(key.as_str())
    }

    /// The committed result of a key, if there is one.
    ///
    /// # Errors
    /// The commit record cannot be read for another reason than that it is absent or damaged.
    pub fn find(&self, key: &Key) -> Result<Option<Entry>> {
        let folder = self.folder(key);
        let path = folder.join(record::FILE);
        match fs::read(&path) {
            // A record that does not parse is a damaged result: the task runs again and replaces it.
            Ok(bytes) => Ok(Record::from_bytes(&bytes, key).map(|record| Entry::new(folder, record))),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(Error::io("read", &path)(error)),
        }
    }

    /// Hit or miss; a miss can be filled on behalf of `session`.
    pub fn status(&self, key: &Key, session: &Session) -> Result<Status> {
        Ok(match self.find(key)? {
            Some(entry) => Status::Hit(entry),
            None => Status::Miss(Slot::new(session.pending_folder(key), self.folder(key), key.clone())),
        })
    }

    /// All committed results, by key.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        self.keys()?.iter().filter_map(|key| self.find(key).transpose()).collect()
    }

    /// The keys of all folders, whether their records are sound or not.
    fn keys(&self) -> Result<Vec<Key>> {
        let mut keys = Vec::new();
        for shard in list(&self.results())? {
            let folders = list(&shard)?;
            keys.extend(folders.iter().filter_map(|folder| Key::parse(folder.file_name()?.to_str()?)));
        }
        Ok(keys)
    }
}

/// The entries of a folder in the order of their names; none if there is no such folder.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let reading = |error| Error::io("list", folder)(error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(reading(error)),
    };
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(reading)?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::{Column, ColumnType, Table, TableSchema};
    use arrow::array::{Int64Array, RecordBatch};
    use std::sync::Arc;

    fn schema() -> TableSchema {
        TableSchema::new("numbers", 1, vec![Column::new("n", ColumnType::Int64, "", "a number")], &["n"])
    }

    fn material(n: i64) -> KeyMaterial {
        KeyMaterial { kind: "test".into(), version: 1, parameters: serde_json::json!({ "n": n }), inputs: vec![] }
    }

    fn commit(store: &Store, session: &Session, n: i64) -> Entry {
        let Status::Miss(slot) = store.status(&material(n).key(), session).unwrap() else { panic!("hit") };
        let mut pending = slot.begin().unwrap();
        let batch = RecordBatch::try_new(schema().to_arrow(), vec![Arc::new(Int64Array::from(vec![n]))]).unwrap();
        pending.write_table("numbers", &Table::new(schema(), vec![batch])).unwrap();
        pending.commit(&material(n)).unwrap()
    }

    #[test]
    fn what_is_committed_is_found_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let session = Session::begin(&store).unwrap();
        commit(&store, &session, 7);
        let entry = store.find(&material(7).key()).unwrap().expect("committed");
        let table = entry.read_table("numbers").unwrap();
        assert_eq!(table.n_rows(), 1);
        assert_eq!(table.schema, schema());
        assert!(store.find(&material(8).key()).unwrap().is_none());
    }

    #[test]
    fn a_result_given_up_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let session = Session::begin(&store).unwrap();
        let Status::Miss(slot) = store.status(&material(1).key(), &session).unwrap() else { panic!("hit") };
        let mut pending = slot.begin().unwrap();
        pending.write_file("note.txt", b"half").unwrap();
        drop(pending);
        assert!(store.find(&material(1).key()).unwrap().is_none());
        drop(session);
        assert!(list(&store.pending()).unwrap().is_empty());
    }

    #[test]
    fn two_writers_of_one_key_end_with_one_result() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let (first, second) = (Session::begin(&store).unwrap(), Session::begin(&store).unwrap());
        let Status::Miss(slot) = store.status(&material(1).key(), &second).unwrap() else { panic!("hit") };
        let mut late = slot.begin().unwrap();
        late.write_file("numbers.txt", b"1").unwrap();
        commit(&store, &first, 1);
        let entry = late.commit(&material(1)).unwrap();
        // The first commit stands: the record names its file, not the late one's.
        assert!(entry.read_table("numbers").is_ok());
        assert_eq!(store.entries().unwrap().len(), 1);
    }

    #[test]
    fn damage_is_noticed_on_reading_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let session = Session::begin(&store).unwrap();
        let entry = commit(&store, &session, 1);
        let path = entry.path("numbers.parquet");
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let damaged = entry.read_table("numbers").unwrap_err();
        assert!(damaged.to_string().contains("numbers.parquet"), "{damaged}");
        fs::write(&path, &bytes[..middle]).unwrap();
        assert!(entry.read_table("numbers").is_err());
        let verified = store.verify(|_| {}).unwrap();
        assert_eq!((verified.results, verified.damaged.len()), (1, 1));
        // A damaged result is set aside, and its place can be filled again.
        entry.discard(&session).unwrap();
        commit(&store, &session, 1);
        assert_eq!(store.verify(|_| {}).unwrap().damaged.len(), 0);
    }

    #[test]
    fn collection_keeps_what_is_referred_to_and_what_a_living_run_counts_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let session = Session::begin(&store).unwrap();
        for n in 0..3 {
            commit(&store, &session, n);
        }
        session.protect([&material(0).key()]).unwrap();
        let keep = [material(1).key()].into_iter().collect();
        let collected = store.collect(&keep, false).unwrap();
        assert_eq!(collected.results.len(), 1);
        assert!(store.find(&material(0).key()).unwrap().is_some(), "protected by the run");
        assert!(store.find(&material(1).key()).unwrap().is_some(), "referred to");
        drop(session);
        assert_eq!(store.collect(&keep, true).unwrap().results.len(), 1, "a dry run counts");
        assert!(store.find(&material(0).key()).unwrap().is_some(), "and removes nothing");
        store.collect(&keep, false).unwrap();
        assert!(store.find(&material(0).key()).unwrap().is_none(), "the run is over");
    }
}
