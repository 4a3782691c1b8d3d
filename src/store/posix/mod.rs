//! A folder of results.
//!
//! ```text
//! outputs/.store/v1/
//!   results/<kk>/<key>/   one folder per task: commit.json and the files it lists
//!   packs/<digest>.pack   many small results in one file, where files are dear (`packs`)
//!   pending/<run>/<key>/  results being written; renamed into `results` as a whole, so they appear all at once
//!   runs/<run>            what a run is for and the keys that it counts on; locked for as long as it lives, and gone once
//!                         it has published. Unlocked, it tells of an unfinished run, and keeps its results. Its name says on
//!                         which machine it runs, its time that it still does (`heartbeat`)
//!   leases/<key>          locked by the run that is making this result, and named in it, so that others need not
//!   checkpoints/<kk>/<key>/
//!                         what a long task left before it could finish: `head`, its state, and the pieces of what it had made
//!                         that the head names (`checkpoints`). Removed when the result is there
//!   notes/<name>          what may be lost: which published files were found sound, and when
//!   collecting            locked alone by `gc`, together by runs that start: neither sees the other half done
//! ```
//!
//! Nothing has to be cleaned up after a crash: the locks belong to processes and die with them, and a folder in
//! `pending` whose run is gone is rubbish that anyone may remove. A reader trusts only `commit.json`, and what it
//! reads it checks against the digest that stands there. Other files and folders are none of the store's, and are let be.

mod checkpoints;
mod collect;
mod draft;
mod heartbeat;
mod host;
#[cfg(test)]
mod interleavings;
mod kept;
mod layout;
mod lease;
mod packs;
mod runs;
mod session;
mod share;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::entry::Entry;
use super::key::Key;
use super::{Caretaking, Collected, Collection, Form, PackedUp, Present, Purpose, Session, Store, Verified};
use crate::error::Result;
use crate::files;
use kept::{Found, look};
use layout::{COLLECTED, Layout};
use packs::Packs;
use session::PosixSession;

/// A store in a folder of the file system.
#[derive(Clone, Debug)]
pub struct PosixStore {
    layout: Layout,
    packs: Arc<Packs>,
}

impl PosixStore {
    /// The store behind an outputs folder; nothing is created until something is written.
    pub fn new(outputs: &Path) -> Self {
        Self { layout: Layout::new(outputs), packs: Arc::default() }
    }
}

impl Store for PosixStore {
    fn find(&self, key: &Key) -> Result<Option<Entry>> {
        Ok(match look(&self.layout.folder(key), key)? {
            Found::Sound(entry) => Some(entry),
            Found::Damaged(_) | Found::Nothing => self.packs.find(&self.layout, key)?,
        })
    }

    fn finished(&self, purpose: &Purpose) {
        // Without any such run nothing is written, not even a lock.
        if runs::recorded(&self.layout).is_ok_and(|runs| runs.iter().any(|run| run.is_left_by(purpose))) {
            runs::forget(&self.layout, purpose);
        }
    }

    fn session(&self, form: Form) -> Result<Box<dyn Session>> {
        Ok(Box::new(PosixSession::begin(&self.layout, &self.packs, form)?))
    }

    fn recall(&self, name: &str) -> Option<Vec<u8>> {
        files::read(&self.layout.notes().join(name)).ok()
    }

    fn remember(&self, name: &str, note: &[u8]) {
        let write = || -> io::Result<()> {
            let (notes, pending) = (self.layout.notes(), self.layout.pending());
            files::create_folders(&notes)?;
            // In `pending` first: what a run that dies leaves there, the next collection removes.
            let new = files::Scratch::new_in(&pending, COLLECTED)?;
            let file = new.path().join(name);
            files::write(&file, note)?;
            files::rename(&file, &notes.join(name))
        };
        // Best effort: a store that cannot be written is still read, and what is not noted is looked at again.
        let _ = write();
    }
}

impl Caretaking for PosixStore {
    fn entries(&self) -> Result<Vec<Entry>> {
        self.keys()?.par_iter().filter_map(|key| self.find(key).transpose()).collect()
    }

    fn keys(&self) -> Result<Vec<Key>> {
        let mut keys: BTreeSet<Key> = self.layout.keys()?.into_iter().collect();
        packs::all(&self.layout)?.iter().for_each(|pack| keys.extend(pack.keys().cloned()));
        Ok(keys.into_iter().collect())
    }

    fn verify(&self) -> Result<Verified> {
        collect::verify(&self.layout)
    }

    fn pack(&self) -> Result<PackedUp> {
        collect::pack(&self.layout)
    }

    fn awaited(&self) -> Result<Vec<(Purpose, Vec<Key>)>> {
        let runs = runs::recorded(&self.layout)?;
        Ok(runs.into_iter().filter_map(|run| Some((run.purpose?, run.keys))).collect())
    }

    fn present(&self) -> Result<Vec<Present>> {
        let runs = runs::recorded(&self.layout)?.into_iter().filter(|run| run.living);
        let present = |run: runs::Recorded| {
            let (purpose, place) = (run.purpose?, run.place.unwrap_or_default());
            Some(Present { host: place.host, pid: place.pid, pipeline: purpose.pipeline, plan: purpose.plan })
        };
        Ok(runs.filter_map(present).collect())
    }

    fn leased(&self) -> Result<BTreeSet<Key>> {
        lease::held(&self.layout)
    }

    fn collect(&self, keep: &BTreeSet<Key>, how: &Collection) -> Result<Collected> {
        collect::collect(&self.layout, keep, how)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{Fate, GIVEN_UP_AFTER, KeyMaterial, Remembered, Slot, Status};
    use super::layout::list;
    use super::*;
    use crate::tables::{Column, ColumnType, Table, TableSchema};
    use arrow::array::{Int64Array, RecordBatch};

    fn schema() -> TableSchema {
        TableSchema::new("numbers", 1, vec![Column::new("n", ColumnType::Int64, "", "a number")], &["n"])
    }

    fn material(n: i64) -> KeyMaterial {
        KeyMaterial { kind: "test".into(), version: 1, parameters: serde_json::json!({ "n": n }), inputs: vec![] }
    }

    fn commit(session: &dyn Session, n: i64) -> Entry {
        let Status::Miss(slot) = session.open(&material(n).key()).unwrap() else { panic!("hit") };
        commit_to(slot, n)
    }

    fn commit_to(slot: Slot, n: i64) -> Entry {
        let mut pending = slot.begin().unwrap();
        let batch = RecordBatch::try_new(schema().to_arrow(), vec![Arc::new(Int64Array::from(vec![n]))]).unwrap();
        pending.write_table("numbers", &Table::new(schema(), vec![batch])).unwrap();
        pending.commit(&material(n)).unwrap()
    }

    #[test]
    fn what_is_committed_is_found_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = PosixStore::new(folder.path());
        let session = store.session(Form::Loose).unwrap();
        commit(&*session, 7);
        let entry = store.find(&material(7).key()).unwrap().expect("committed");
        let table = entry.read_table("numbers").unwrap();
        assert_eq!(table.n_rows(), 1);
        assert_eq!(table.schema, schema());
        assert!(store.find(&material(8).key()).unwrap().is_none());
    }

    #[test]
    fn a_result_given_up_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let store = PosixStore::new(folder.path());
        let session = store.session(Form::Loose).unwrap();
        let Status::Miss(slot) = session.open(&material(1).key()).unwrap() else { panic!("hit") };
        let mut pending = slot.begin().unwrap();
        pending.write_file("note.txt", b"half").unwrap();
        drop(pending);
        assert!(store.find(&material(1).key()).unwrap().is_none());
        drop(session);
        assert!(list(&store.layout.pending()).unwrap().is_empty());
    }

    #[test]
    fn two_writers_of_one_key_end_with_one_result() {
        let folder = tempfile::tempdir().unwrap();
        let store = PosixStore::new(folder.path());
        let (first, second) = (store.session(Form::Loose).unwrap(), store.session(Form::Loose).unwrap());
        let Status::Miss(slot) = second.open(&material(1).key()).unwrap() else { panic!("hit") };
        let mut late = slot.begin().unwrap();
        late.write_file("numbers.txt", b"1").unwrap();
        commit(&*first, 1);
        let entry = late.commit(&material(1)).unwrap();
        // The first commit stands: the record names its file, not the late one's.
        assert!(entry.read_table("numbers").is_ok());
        assert_eq!(store.entries().unwrap().len(), 1);
    }

    #[test]
    fn damage_is_noticed_on_reading_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = PosixStore::new(folder.path());
        let session = store.session(Form::Loose).unwrap();
        let entry = commit(&*session, 1);
        let path = store.layout.folder(&entry.record.key).join("numbers.parquet");
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let damaged = entry.read_table("numbers").unwrap_err();
        assert!(damaged.to_string().contains("numbers.parquet"), "{damaged}");
        fs::write(&path, &bytes[..middle]).unwrap();
        assert!(entry.read_table("numbers").is_err());
        let verified = store.verify().unwrap();
        assert_eq!((verified.results, verified.damaged.len()), (1, 1));
        // A result that is made anew takes its place.
        commit_to(session.renew(&material(1).key()).unwrap(), 1);
        assert_eq!(store.verify().unwrap().damaged.len(), 0);
        assert_eq!(fs::read_dir(store.layout.pending()).unwrap().count(), 1, "the damaged one is gone");
    }

    #[test]
    fn whatever_lies_in_the_place_of_a_result_makes_room_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = PosixStore::new(folder.path());
        let session = store.session(Form::Loose).unwrap();
        let key = material(1).key();
        let place = store.layout.folder(&key);
        let link = |to: &str, from: &Path| std::os::unix::fs::symlink(to, from).unwrap();
        let in_the_way: [&dyn Fn(); 7] = [
            &|| fs::create_dir_all(&place).unwrap(),
            &|| fs::write(&place, "a file").unwrap(),
            &|| link(key.as_str(), &place),
            &|| link("nowhere", &place),
            &|| fs::create_dir_all(place.join("commit.json")).unwrap(),
            &|| {
                fs::create_dir(&place).unwrap();
                link("commit.json", &place.join("commit.json"));
            },
            &|| {
                fs::create_dir(&place).unwrap();
                fs::write(place.join("numbers.parquet"), "without a record").unwrap();
            },
        ];
        for (case, put) in in_the_way.into_iter().enumerate() {
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            put();
            assert!(store.find(&key).unwrap().is_none(), "{case}");
            assert_eq!(store.verify().unwrap().damaged.len(), 1, "{case}");
            let Status::Miss(slot) = session.open(&key).unwrap() else { panic!("{case}: hit") };
            assert!(slot.damage().is_some_and(|damage| damage.to_string().contains(key.as_str())), "{case}");
            let entry = commit_to(slot, 1);
            assert!(entry.read_table("numbers").is_ok() && store.verify().unwrap().damaged.is_empty(), "{case}");
            fs::remove_dir_all(&place).unwrap();
        }
        assert!(list(&store.layout.pending()).unwrap().iter().all(|run| list(run).unwrap().len() <= 1));
    }

    #[test]
    fn strays_are_named_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join(".store/v1");
        fs::create_dir_all(root.join("results/zz")).unwrap();
        fs::create_dir_all(root.join("collecting")).unwrap();
        fs::create_dir_all(root.join("runs")).unwrap();
        for stray in [".DS_Store", "results/.DS_Store", "pending", "runs/notes", "results/zz/a"] {
            fs::write(root.join(stray), "mine").unwrap();
        }
        let store = PosixStore::new(folder.path());
        assert_eq!(store.entries().unwrap().len(), 0);
        let session = store.session(Form::Loose).unwrap();
        store.remember("a note", b"is the store's");
        assert!(store.recall("a note").is_some());
        let entry = commit(&*session, 1);
        let beside = store.layout.folder(&entry.record.key).join("Thumbs.db");
        fs::write(&beside, "mine").unwrap();
        assert_eq!(store.entries().unwrap().len(), 1);
        let expected = [
            ".DS_Store",
            "collecting.stray-1",
            "pending.stray-1",
            "results/.DS_Store",
            "results/zz",
            "runs/notes",
            beside.strip_prefix(&root).unwrap().to_str().unwrap(),
        ];
        let strays = || -> Vec<_> {
            let verified = store.verify().unwrap();
            assert!(verified.damaged.is_empty());
            verified.strays.iter().map(|path| path.strip_prefix(&root).unwrap().display().to_string()).collect()
        };
        assert_eq!(strays(), expected);
        let keep = [entry.record.key.clone()].into_iter().collect();
        assert_eq!(store.collect(&keep, &SWEEP).unwrap().leftovers, 0);
        drop(session);
        assert_eq!(strays(), expected, "a collection takes none of them");
        assert_eq!(fs::read_to_string(root.join("pending.stray-1")).unwrap(), "mine");
    }

    const NOW: u64 = 1_800_000_000;
    const SWEEP: Collection = Collection { dry_run: false, unfinished: false, now: NOW };

    fn purpose(pipeline: &str) -> Purpose {
        Purpose { pipeline: pipeline.into(), plan: pipeline.into(), since: NOW }
    }

    #[test]
    fn collection_keeps_what_is_referred_to_and_what_a_living_run_counts_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = PosixStore::new(folder.path());
        let session = store.session(Form::Loose).unwrap();
        for n in 0..3 {
            commit(&*session, n);
        }
        session.protect(&purpose("living"), &[&material(0).key()]).unwrap();
        let keep = [material(1).key()].into_iter().collect();
        let collected = store.collect(&keep, &SWEEP).unwrap();
        assert_eq!(collected.results.len(), 1);
        assert!(store.find(&material(0).key()).unwrap().is_some(), "protected by the run");
        assert!(store.find(&material(1).key()).unwrap().is_some(), "referred to");
        assert!(
            store.collect(&keep, &Collection { unfinished: true, ..SWEEP }).unwrap().results.is_empty(),
            "it lives"
        );
        session.finish();
        let dry = Collection { dry_run: true, ..SWEEP };
        assert_eq!(store.collect(&keep, &dry).unwrap().results.len(), 1, "a dry run counts");
        assert!(store.find(&material(0).key()).unwrap().is_some(), "and removes nothing");
        store.collect(&keep, &SWEEP).unwrap();
        assert!(store.find(&material(0).key()).unwrap().is_none(), "the run is over");
    }

    #[test]
    fn what_an_unfinished_run_made_is_kept_until_it_is_given_up_or_old_or_the_same_plan_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let store = PosixStore::new(folder.path());
        let none = BTreeSet::new();
        let unfinished = |n: i64| {
            let session = store.session(Form::Loose).unwrap();
            session.protect(&purpose(&format!("p{n}")), &[&material(n).key()]).unwrap();
            commit(&*session, n);
        };
        let there = || [0, 1, 2].map(|n| store.find(&material(n).key()).unwrap().is_some());
        for n in 0..3 {
            unfinished(n);
        }
        let collected = store.collect(&none, &SWEEP).unwrap();
        assert_eq!((collected.results.len(), collected.kept, collected.leftovers), (0, 3, 0));
        let told = |remembered: &Remembered| {
            assert!(remembered.results == 1 && remembered.bytes > 0);
            (remembered.purpose.pipeline.clone(), remembered.fate)
        };
        let mut fates: Vec<_> = collected.unfinished.iter().map(told).collect();
        fates.sort();
        assert_eq!(fates, ["p0", "p1", "p2"].map(|name| (name.to_owned(), Fate::Kept)));
        // Begun again and finished: its results are no longer kept for its sake.
        let again = store.session(Form::Loose).unwrap();
        again.protect(&purpose("p1"), &[]).unwrap();
        assert_eq!(store.awaited().unwrap().len(), 3, "the new one stands for the old one");
        store.collect(&none, &SWEEP).unwrap();
        assert_eq!(there(), [true; 3], "and keeps what the old one made");
        again.finish();
        assert_eq!(store.awaited().unwrap().len(), 2);
        store.collect(&none, &SWEEP).unwrap();
        assert_eq!(there(), [true, false, true]);
        // All that it made is published by now: there is nothing left to remember.
        unfinished(1);
        let published = [material(1).key()].into();
        let collected = store.collect(&published, &SWEEP).unwrap();
        assert_eq!((collected.unfinished.len(), collected.results.len(), store.awaited().unwrap().len()), (2, 0, 2));
        store.collect(&none, &SWEEP).unwrap();
        assert_eq!(there(), [true, false, true]);
        // Too old, in two steps: not on the last day, but on the next.
        unfinished(1);
        let later = |seconds: u64| Collection { now: NOW + GIVEN_UP_AFTER + seconds, ..SWEEP };
        assert!(store.collect(&none, &later(0)).unwrap().results.is_empty());
        let dry = Collection { dry_run: true, ..later(1) };
        let announced = store.collect(&none, &dry).unwrap();
        assert!(announced.results.len() == 3 && announced.unfinished.iter().all(|one| one.fate == Fate::TooOld));
        assert_eq!(there(), [true; 3]);
        let given_up = store.collect(&none, &Collection { unfinished: true, ..SWEEP }).unwrap();
        assert!(given_up.results.len() == 3 && given_up.unfinished.iter().all(|one| one.fate == Fate::GivenUp));
        assert_eq!((there(), store.awaited().unwrap().len()), ([false; 3], 0));
    }

    #[test]
    fn a_lease_is_held_by_one_run_at_a_time_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let store = PosixStore::new(folder.path());
        let (first, second) = (store.session(Form::Loose).unwrap(), store.session(Form::Loose).unwrap());
        let key = material(1).key();
        let held = first.lease(&key).expect("free");
        assert!(second.lease(&key).is_none() && first.lease(&key).is_none());
        assert!(second.lease(&material(2).key()).is_some());
        drop(held);
        assert!(list(&store.layout.leases()).unwrap().is_empty());
        drop(second.lease(&key).expect("free again"));
        // What a run left that was killed.
        fs::write(store.layout.leases().join(key.as_str()), "").unwrap();
        store.collect(&BTreeSet::new(), &SWEEP).unwrap();
        assert!(list(&store.layout.leases()).unwrap().is_empty());
        // Many hands, one holder at any time.
        let (held, taken) = (std::sync::Mutex::new(()), std::sync::atomic::AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let session = store.session(Form::Loose).unwrap();
                    for _ in 0..200 {
                        // However long whoever holds it is kept waiting by a busy machine.
                        let lease = std::iter::repeat_with(|| session.lease(&key)).find_map(|lease| {
                            if lease.is_none() {
                                std::thread::yield_now();
                            }
                            lease
                        });
                        let alone = held.try_lock().expect("nobody else holds it");
                        taken.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        drop(alone);
                        drop(lease);
                    }
                });
            }
        });
        assert_eq!(taken.into_inner(), 4 * 200);
    }
}
