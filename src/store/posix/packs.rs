//! Many results in one file, for file systems on which files are dear: a training leaves seven of them, and quotas of some
//! 200,000 are common.
//!
//! ```text
//! pack    = magic, results, index, tail
//! result  = its commit record, then its files in the order of the record
//! index   = for each result: key (32 bytes), place (8 bytes), length of the record (4 bytes); by key
//! tail    = place of the index (8 bytes), number of results (8 bytes), BLAKE3 of the index (32 bytes), magic
//! ```
//!
//! Numbers are little-endian. A pack is written aside, synced once and moved into `packs` whole; it is never changed. Its name is
//! the digest of its index. A result that lies in a folder of its own goes before the one in a pack: it was made anew.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::super::entry::{Damaged, Entry, Files};
use super::super::key::Key;
use super::super::pending::{Draft, Sink, Site};
use super::super::record::{Record, StoredFile};
use super::draft::Place;
use super::layout::{COLLECTED, Layout, PACK, list, make_folder, name};
use crate::error::{Error, Result};
use crate::files::{self, File, Scratch};

const MAGIC: &[u8; 8] = b"OJAPACK1";
const ROW: usize = 32 + 8 + 4;
const TAIL: usize = 8 + 8 + 32 + 8;

/// So many results at most go into a pack, or so many bytes.
const MOST_RESULTS: usize = 10_000;
const MOST_BYTES: u64 = 256 << 20;

/// A result larger than that lies in a folder of its own: its files are few beside its bytes.
pub(super) const LARGEST: u64 = 8 << 20;

/// What a run commits in a pack is seen by others after so long at the latest, if it commits something then.
const UNSEEN_FOR: Duration = Duration::from_secs(30);

/// A record is text of some kilobytes; one that claims more than that is damage.
const LONGEST_RECORD: u32 = 64 << 20;

/// The packs of a store, as far as they were looked at.
#[derive(Debug, Default)]
pub(super) struct Packs {
    known: Mutex<Known>,
    /// Results in packs that are still being written by this process.
    unsealed: Mutex<BTreeMap<Key, Entry>>,
}

#[derive(Debug, Default)]
struct Known {
    /// When the folder was changed that was listed last.
    listed: Option<SystemTime>,
    packs: Vec<PathBuf>,
    /// By the first digits of the key.
    places: Vec<Placed>,
}

/// Where a result lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Placed {
    /// The first 8 bytes of the key. Whether it is the right result, its record tells.
    begins: u64,
    pack: u32,
    record: u32,
    place: u64,
}

impl Packs {
    /// The result of a key, if a pack has it.
    ///
    /// # Errors
    /// A pack is there and cannot be read.
    pub(super) fn find(&self, layout: &Layout, key: &Key) -> Result<Option<Entry>> {
        if let Some(entry) = self.unsealed().get(key) {
            return Ok(Some(entry.clone()));
        }
        let found = self.known().find(key);
        // Nobody waits for another's reading.
        if let Some(entry) = read(&found, key) {
            return Ok(Some(entry));
        }
        let found = if self.look_again(layout)? { self.known().find(key) } else { Vec::new() };
        Ok(read(&found, key))
    }

    /// Reads what has come since the folder was listed last; whether anything may have changed. A pack that is gone stays
    /// known: what cannot be read there is looked for elsewhere.
    fn look_again(&self, layout: &Layout) -> Result<bool> {
        let folder = layout.packs();
        let changed = match files::look(&folder).map_err(Error::io("read", &folder))? {
            None => return Ok(false),
            Some(found) => found.modified().ok(),
        };
        let known: BTreeSet<PathBuf> = {
            let known = self.known();
            if known.listed.is_some() && known.listed == changed {
                return Ok(false);
            }
            known.packs.iter().cloned().collect()
        };
        let new = paths(layout)?.into_iter().filter(|path| !known.contains(path));
        // One that is damaged has nothing for anybody; `store verify` names it.
        let read: Vec<_> = new.filter_map(|path| rows(&path).ok().map(|rows| (path, rows))).collect();
        self.known().learn(read, changed);
        Ok(true)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unsealed(&self) -> MutexGuard<'_, BTreeMap<Key, Entry>> {
        self.unsealed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Takes packs that were not known when the folder was listed.
    fn learn(&mut self, read: Vec<(PathBuf, Vec<Row>)>, listed: Option<SystemTime>) {
        let before = self.packs.len();
        for (path, rows) in read {
            // Another may have read it at the same time.
            if !self.packs[..before].contains(&path) {
                let pack = u32::try_from(self.packs.len()).expect("fewer packs than that");
                self.places.extend(rows.iter().map(|row| Placed { pack, ..row.placed() }));
                self.packs.push(path);
            }
        }
        self.places.sort_unstable();
        self.listed = listed;
    }

    /// Where the result of a key may lie, each time with its pack.
    fn find(&self, key: &Key) -> Vec<(PathBuf, Placed)> {
        let begins = key.beginning();
        let first = self.places.partition_point(|placed| placed.begins < begins);
        let places = self.places[first..].iter().take_while(|placed| placed.begins == begins);
        places.map(|placed| (self.packs[placed.pack as usize].clone(), *placed)).collect()
    }
}

/// The first of some places at which the result of a key lies.
fn read(places: &[(PathBuf, Placed)], key: &Key) -> Option<Entry> {
    places.iter().find_map(|(pack, placed)| entry(pack, key, placed.place, placed.record))
}

/// A pack as a whole.
#[derive(Debug)]
pub(super) struct Pack {
    path: PathBuf,
    rows: io::Result<Vec<Row>>,
}

/// All packs of a store.
///
/// # Errors
/// They cannot be listed.
pub(super) fn all(layout: &Layout) -> Result<Vec<Pack>> {
    Ok(paths(layout)?.into_iter().map(|path| Pack { rows: rows(&path), path }).collect())
}

impl Pack {
    /// The keys of its results.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.rows.iter().flatten().map(|row| &row.key)
    }

    /// Its results, one after the other; those whose records are damaged are not among them.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        self.rows.iter().flatten().filter_map(|row| entry(&self.path, &row.key, row.place, row.record))
    }

    /// What is wrong with it as a whole, or with the records of its results.
    pub(super) fn damage(&self) -> Option<Damaged> {
        let damaged = |found: String| Damaged { place: self.path.display().to_string(), found };
        let rows = match &self.rows {
            Ok(rows) => rows,
            Err(error) => return Some(damaged(error.to_string())),
        };
        let lost = rows.len() - self.entries().count();
        (lost > 0).then(|| damaged(format!("the records of {lost} results do not match their digests")))
    }
}

/// Puts a pack of the results that stay in the place of one. Those that are damaged are of no use to anyone, and made again by
/// who needs them.
///
/// # Errors
/// The store cannot be written.
pub(super) fn replace(layout: &Layout, pack: &Pack, stay: Vec<Entry>) -> Result<()> {
    write(layout, stay.into_iter().map(Ok), |_| Ok(()))?;
    files::remove(&pack.path).map_err(Error::io("remove", &pack.path))
}

/// Puts results into packs, but for those that are damaged, and tells of each pack when it is safe on disk.
///
/// # Errors
/// The store cannot be written, or what the caller said.
pub(super) fn write(
    layout: &Layout,
    entries: impl Iterator<Item = Result<Entry>>,
    mut sealed: impl FnMut(&[Record]) -> Result<()>,
) -> Result<()> {
    let mut entries = entries.peekable();
    while entries.peek().is_some() {
        let mut writing = Writing::new(&layout.pending())?;
        let mut records = Vec::new();
        while !writing.is_full()
            && let Some(entry) = entries.next()
        {
            let entry = entry?;
            let read = |file: &StoredFile| entry.read_file(&file.name).ok();
            if let Some(files) = entry.record.files.iter().map(read).collect::<Option<Vec<_>>>() {
                writing.add(&entry.record, files.iter().map(Vec::as_slice))?;
                records.push(entry.record);
            }
        }
        if !records.is_empty() {
            writing.seal(layout)?;
            sealed(&records)?;
        }
    }
    Ok(())
}

/// A result that lies at a place of a pack; none if what lies there is none.
fn entry(path: &Path, key: &Key, place: u64, length: u32) -> Option<Entry> {
    let bytes = files::read_part(path, place, length as usize).ok()?;
    let record = Record::from_bytes(&bytes, key)?;
    let first = place + u64::from(length);
    Some(Entry::new(record.clone(), Packed { path: path.to_owned(), open: None, first, record }))
}

/// The packs that there are.
fn paths(layout: &Layout) -> Result<Vec<PathBuf>> {
    let all = list(&layout.packs())?.into_iter();
    Ok(all.filter(|path| name(path).is_some_and(|name| name.ends_with(PACK))).collect())
}

/// A row of an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    key: Key,
    place: u64,
    record: u32,
}

impl Row {
    fn placed(&self) -> Placed {
        Placed { begins: self.key.beginning(), pack: 0, record: self.record, place: self.place }
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        let digits = self.key.as_str();
        let pairs = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]);
        bytes.extend(pairs.map(|pair| u8::from_str_radix(pair, 16).expect("a key is hex digits")));
        bytes.extend(self.place.to_le_bytes());
        bytes.extend(self.record.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let digits: String = bytes.get(..32)?.iter().map(|byte| format!("{byte:02x}")).collect();
        let place = u64::from_le_bytes(bytes.get(32..40)?.try_into().ok()?);
        let record = u32::from_le_bytes(bytes.get(40..44)?.try_into().ok()?);
        Some(Self { key: Key::parse(&digits)?, place, record }).filter(|row| row.record <= LONGEST_RECORD)
    }
}

/// The index of a pack.
fn rows(path: &Path) -> io::Result<Vec<Row>> {
    let damage = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("the pack is damaged: {what}"));
    let length = files::metadata(path)?.len();
    let tail = files::read_part(path, length.checked_sub(TAIL as u64).ok_or_else(|| damage("it is cut off"))?, TAIL)?;
    if &tail[48..] != MAGIC {
        return Err(damage("it does not end like one"));
    }
    let number = |at: usize| u64::from_le_bytes(tail[at..at + 8].try_into().expect("eight bytes"));
    let (place, n_rows) = (number(0), number(8));
    let expected =
        n_rows.checked_mul(ROW as u64).filter(|bytes| place.checked_add(*bytes) == Some(length - TAIL as u64));
    let bytes =
        expected.and_then(|bytes| usize::try_from(bytes).ok()).ok_or_else(|| damage("its index does not fit"))?;
    let index = files::read_part(path, place, bytes)?;
    if blake3::hash(&index).as_bytes() != &tail[16..48] {
        return Err(damage("its index does not match its digest"));
    }
    index.chunks(ROW).map(|row| Row::read(row).ok_or_else(|| damage("its index has no key"))).collect()
}

/// A result in a pack.
#[derive(Debug)]
struct Packed {
    path: PathBuf,
    /// Of a pack that is still written: it is moved when it is done, and this stays.
    open: Option<Arc<File>>,
    /// Where its first file begins.
    first: u64,
    record: Record,
}

impl Packed {
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let before = self.record.files.iter().take_while(|file| file.name != name);
        let place = before.map(|file| file.bytes).fold(self.first, u64::saturating_add);
        let bytes = self.record.file(name).map(|file| file.bytes).ok_or(io::ErrorKind::NotFound)?;
        let bytes = usize::try_from(bytes).map_err(|_| io::ErrorKind::InvalidData)?;
        match &self.open {
            Some(file) => file.part(place, bytes),
            None => files::read_part(&self.path, place, bytes),
        }
    }
}

impl Files for Packed {
    fn place(&self, name: &str) -> String {
        format!("{} ({} {name})", self.path.display(), self.record.key.short())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn Read>> {
        Ok(Box::new(Cursor::new(self.read(name)?)))
    }

    fn put(&self, name: &str, target: &Path) -> Result<()> {
        self.read(name).and_then(|bytes| files::write(target, &bytes)).map_err(Error::io("write", target))
    }
}

/// A pack while it is written, aside.
#[derive(Debug)]
struct Writing {
    folder: Scratch,
    file: Arc<File>,
    end: u64,
    rows: Vec<Row>,
    begun: Instant,
}

impl Writing {
    /// In a folder for what is being written.
    fn new(pending: &Path) -> Result<Self> {
        make_folder(pending)?;
        let creating = |error| Error::io("create a file in", pending)(error);
        let folder = Scratch::new_in(pending, COLLECTED).map_err(creating)?;
        let file = files::create(&folder.path().join("pack")).map_err(creating)?;
        let mut writing = Self { folder, file: Arc::new(file), end: 0, rows: Vec::new(), begun: Instant::now() };
        writing.append(MAGIC)?;
        Ok(writing)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        (&*self.file).write_all(bytes).map_err(Error::io("write", self.file.path()))?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Appends a result: its record, and its files in the order of the record.
    ///
    /// # Errors
    /// The disk does not take it.
    fn add<'a>(&mut self, record: &Record, files: impl IntoIterator<Item = &'a [u8]>) -> Result<Entry> {
        let place = self.end;
        let bytes = record.to_bytes();
        let length = u32::try_from(bytes.len()).expect("a record is text of some kilobytes");
        self.append(&bytes)?;
        let first = self.end;
        for file in files {
            self.append(file)?;
        }
        self.rows.push(Row { key: record.key.clone(), place, record: length });
        let (path, open) = (self.file.path().to_owned(), Some(self.file.clone()));
        Ok(Entry::new(record.clone(), Packed { path, open, first, record: record.clone() }))
    }

    /// Whether there is no room for more.
    fn is_full(&self) -> bool {
        self.rows.len() >= MOST_RESULTS || self.end >= MOST_BYTES
    }

    /// Whether others have waited long enough to see what is in it.
    fn is_due(&self) -> bool {
        self.begun.elapsed() >= UNSEEN_FOR
    }

    /// Moves the pack to its place, safe on disk.
    ///
    /// # Errors
    /// The disk does not take it, or it cannot be moved.
    fn seal(mut self, layout: &Layout) -> Result<()> {
        self.rows.sort();
        let mut index = Vec::with_capacity(self.rows.len() * ROW);
        self.rows.iter().for_each(|row| row.write(&mut index));
        let digest = blake3::hash(&index);
        let mut tail = self.end.to_le_bytes().to_vec();
        tail.extend((self.rows.len() as u64).to_le_bytes());
        tail.extend(digest.as_bytes());
        tail.extend(MAGIC);
        self.append(&index)?;
        self.append(&tail)?;
        self.file.sync().map_err(Error::io("write", self.file.path()))?;
        let packs = layout.packs();
        make_folder(&packs)?;
        let target = packs.join(format!("{}{PACK}", &digest.to_hex()[..32]));
        files::rename(&self.folder.path().join("pack"), &target).map_err(Error::io("publish", &target))?;
        // Where folders cannot be synced, the digests still tell.
        let _ = files::sync_folder(&packs);
        Ok(())
    }
}

/// The pack that a run writes its results into, one after the other.
#[derive(Debug)]
pub(super) struct Packing {
    layout: Layout,
    packs: Arc<Packs>,
    pending: PathBuf,
    now: Mutex<Option<Writing>>,
}

impl Packing {
    pub(super) fn new(layout: &Layout, packs: &Arc<Packs>, pending: &Path) -> Self {
        Self { layout: layout.clone(), packs: packs.clone(), pending: pending.to_owned(), now: Mutex::default() }
    }

    /// Commits a result: this process finds it from now on, others when the pack is sealed.
    ///
    /// # Errors
    /// The disk does not take it.
    pub(super) fn add(&self, record: &Record, files: &[Vec<u8>]) -> Result<Entry> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writing = match now.take() {
            Some(writing) => writing,
            None => Writing::new(&self.pending)?,
        };
        let entry = writing.add(record, files.iter().map(Vec::as_slice))?;
        self.packs.unsealed().insert(record.key.clone(), entry.clone());
        match writing.is_full() || writing.is_due() {
            true => self.seal_one(writing)?,
            false => *now = Some(writing),
        }
        Ok(entry)
    }

    /// Lets others see what was committed.
    ///
    /// # Errors
    /// The disk does not take it.
    pub(super) fn seal(&self) -> Result<()> {
        let writing = self.now.lock().unwrap_or_else(PoisonError::into_inner).take();
        writing.map_or(Ok(()), |writing| self.seal_one(writing))
    }

    fn seal_one(&self, writing: Writing) -> Result<()> {
        let keys: Vec<Key> = writing.rows.iter().map(|row| row.key.clone()).collect();
        writing.seal(&self.layout)?;
        let mut unsealed = self.packs.unsealed();
        keys.iter().for_each(|key| {
            unsealed.remove(key);
        });
        Ok(())
    }
}

/// Where a result begins that is to lie in a pack: in memory, until it is known how large it is.
#[derive(Debug)]
pub(super) struct Gathering {
    place: Place,
    packing: Arc<Packing>,
}

impl Gathering {
    pub(super) fn new(place: Place, packing: &Arc<Packing>) -> Self {
        Self { place, packing: packing.clone() }
    }
}

impl Site for Gathering {
    fn begin(self: Box<Self>) -> Result<Box<dyn Draft>> {
        Ok(Box::new(Gathered { place: self.place, packing: self.packing, files: Arc::default() }))
    }
}

/// Files by name.
type Contents = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

#[derive(Debug)]
struct Gathered {
    place: Place,
    packing: Arc<Packing>,
    files: Contents,
}

impl Draft for Gathered {
    fn place(&self, name: &str) -> PathBuf {
        self.place.pending.join(name)
    }

    fn create(&self, name: &str) -> Result<Box<dyn Sink>> {
        Ok(Box::new(Growing { name: name.to_owned(), bytes: Vec::new(), files: self.files.clone() }))
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), content.to_vec());
        Ok(())
    }

    fn commit(self: Box<Self>, record: Record) -> Result<Entry> {
        let mut files = std::mem::take(&mut *self.files.lock().unwrap_or_else(PoisonError::into_inner));
        if record.bytes() > LARGEST {
            let draft = Box::new(self.place).begin()?;
            for (name, content) in &files {
                draft.write(name, content)?;
            }
            return draft.commit(record);
        }
        let in_order =
            record.files.iter().map(|file| files.remove(&file.name).expect("a file of the record was written"));
        let in_order: Vec<Vec<u8>> = in_order.collect();
        self.packing.add(&record, &in_order)
    }
}

/// A file of a draft in memory.
struct Growing {
    name: String,
    bytes: Vec<u8>,
    files: Contents,
}

impl Write for Growing {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.bytes.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Growing {
    fn seal(self: Box<Self>) -> io::Result<()> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(self.name, self.bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::super::super::{Caretaking, Collection, Form, KeyMaterial, PosixStore, Purpose, Session, Status, Store};
    use super::*;

    const SWEEP: Collection = Collection { dry_run: false, unfinished: true, now: 1_800_000_000 };

    fn material(n: u64) -> KeyMaterial {
        KeyMaterial { kind: "test".into(), version: 1, parameters: serde_json::json!({ "n": n }), inputs: vec![] }
    }

    fn content(n: u64, name: &str) -> Vec<u8> {
        format!("{name} of result {n}").repeat(1 + (n as usize % 5)).into_bytes()
    }

    fn fill(session: &dyn Session, n: u64) {
        let Status::Miss(slot) = session.open(&material(n).key()).unwrap() else { panic!("hit") };
        let mut pending = slot.begin().unwrap();
        // Not in the order of the record.
        for name in ["b", "a", "c"] {
            pending.write_file(name, &content(n, name)).unwrap();
        }
        pending.commit(&material(n)).unwrap();
    }

    fn is_right(store: &PosixStore, n: u64) -> bool {
        let Some(entry) = store.find(&material(n).key()).unwrap() else { return false };
        ["a", "b", "c"].iter().all(|name| entry.read_file(name).is_ok_and(|found| found == content(n, name)))
    }

    fn packed(n: u64) -> (tempfile::TempDir, PosixStore, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let store = PosixStore::new(folder.path());
        let session = store.session(Form::Packed).unwrap();
        (0..n).for_each(|n| fill(&*session, n));
        drop(session);
        let [pack] = &paths(&store.layout).unwrap()[..] else { panic!("one pack") };
        let pack = pack.clone();
        (folder, store, pack)
    }

    #[test]
    fn what_is_committed_in_a_pack_is_found_at_once_by_its_run_and_by_others_when_it_is_settled() {
        let folder = tempfile::tempdir().unwrap();
        let (mine, other) = (PosixStore::new(folder.path()), PosixStore::new(folder.path()));
        let session = mine.session(Form::Packed).unwrap();
        (0..20).for_each(|n| fill(&*session, n));
        let held = mine.find(&material(3).key()).unwrap().unwrap();
        assert!((0..20).all(|n| is_right(&mine, n)) && !(0..20).any(|n| is_right(&other, n)));
        session.settle().unwrap();
        assert!((0..20).all(|n| is_right(&mine, n) && is_right(&other, n)));
        assert_eq!(held.read_file("a").unwrap(), content(3, "a"), "what was found before the pack was moved");
        assert_eq!(other.entries().unwrap().len(), 20);
        assert_eq!(paths(&mine.layout).unwrap().len(), 1);
        // A second pack, and one that is dropped without being settled.
        fill(&*session, 20);
        drop(session);
        assert!(is_right(&other, 20));
        let verified = other.verify().unwrap();
        assert_eq!((verified.results, verified.damaged.len(), verified.strays.len()), (21, 0, 0));
        let target = folder.path().join("published");
        other.find(&material(7).key()).unwrap().unwrap().put("b", &target).unwrap();
        assert_eq!(fs::read(target).unwrap(), content(7, "b"));
    }

    #[test]
    fn what_is_large_or_made_anew_lies_in_a_folder_of_its_own_and_goes_first() {
        let (_folder, store, pack) = packed(3);
        let session = store.session(Form::Packed).unwrap();
        let Status::Miss(slot) = session.open(&material(9).key()).unwrap() else { panic!("hit") };
        let mut pending = slot.begin().unwrap();
        pending.write_file("large", &vec![7; LARGEST as usize + 1]).unwrap();
        pending.commit(&material(9)).unwrap();
        assert!(store.layout.folder(&material(9).key()).is_dir());
        let mut bytes = fs::read(&pack).unwrap();
        let at = bytes.windows(14).position(|window| window == b"a of result 1a").unwrap();
        bytes[at] ^= 1;
        fs::write(&pack, bytes).unwrap();
        assert!(is_right(&store, 0) && !is_right(&store, 1));
        assert_eq!(store.verify().unwrap().damaged[0].0, Some(material(1).key()));
        let mut pending = session.renew(&material(1).key()).unwrap().begin().unwrap();
        ["a", "b", "c"].iter().for_each(|name| pending.write_file(name, &content(1, name)).unwrap());
        pending.commit(&material(1)).unwrap();
        assert!(is_right(&store, 1));
    }

    #[test]
    fn loose_results_are_put_together_but_for_those_that_a_living_run_counts_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = PosixStore::new(folder.path());
        let session = store.session(Form::Loose).unwrap();
        (0..6).for_each(|n| fill(&*session, n));
        drop(session);
        let living = store.session(Form::Loose).unwrap();
        let purpose = Purpose { pipeline: "p".into(), plan: "p".into(), since: 0 };
        living.protect(&purpose, &[&material(5).key()]).unwrap();
        let done = store.pack().unwrap();
        assert_eq!((done.results, done.packs, done.left), (5, 1, 1));
        assert!((0..6).all(|n| is_right(&store, n)));
        assert_eq!(store.layout.keys().unwrap(), [material(5).key()]);
        assert_eq!(store.pack().unwrap().results, 0);
        assert_eq!(store.verify().unwrap().damaged.len(), 0);
    }

    #[test]
    fn a_collection_writes_a_pack_anew_when_most_of_it_is_needed_no_longer() {
        let (_folder, store, pack) = packed(10);
        let keep = |numbers: std::ops::Range<u64>| numbers.map(|n| material(n).key()).collect::<BTreeSet<Key>>();
        let collected = store.collect(&keep(0..6), &SWEEP).unwrap();
        assert_eq!((collected.kept, collected.results.len(), collected.beside_others), (6, 0, 4));
        let dry = store.collect(&keep(0..2), &Collection { dry_run: true, ..SWEEP }).unwrap();
        assert!(dry.results.len() == 8 && pack.exists());
        let collected = store.collect(&keep(0..2), &SWEEP).unwrap();
        assert_eq!((collected.kept, collected.results.len()), (2, 8));
        assert!(!pack.exists() && (0..2).all(|n| is_right(&store, n)) && !(2..10).any(|n| is_right(&store, n)));
        let again = PosixStore { packs: Arc::default(), ..store.clone() };
        assert!((0..2).all(|n| is_right(&again, n)));
        store.collect(&BTreeSet::new(), &SWEEP).unwrap();
        assert_eq!((paths(&store.layout).unwrap().len(), store.entries().unwrap().len()), (0, 0));
    }

    #[test]
    fn whatever_byte_of_a_pack_is_wrong_nothing_wrong_is_taken_from_it_and_it_is_named() {
        let (_folder, store, pack) = packed(4);
        let sound = fs::read(&pack).unwrap();
        for at in (0..sound.len()).step_by(7).chain(sound.len() - TAIL - 2 * ROW..sound.len()) {
            let mut bytes = sound.clone();
            bytes[at] ^= 0x20;
            fs::write(&pack, &bytes).unwrap();
            let store = PosixStore { packs: Arc::default(), ..store.clone() };
            let verified = store.verify().unwrap();
            let is_found = |n: u64| store.find(&material(n).key()).unwrap();
            let taken = (0..4).filter_map(is_found).flat_map(|entry| {
                let names = ["a", "b", "c"];
                names.map(|name| entry.read_file(name).map(|found| (entry.record.clone(), name, found)))
            });
            for (record, name, found) in taken.flatten() {
                let n = record.material.parameters["n"].as_u64().unwrap();
                assert_eq!(found, content(n, name), "byte {at}");
            }
            assert!(!verified.damaged.is_empty() || at < MAGIC.len(), "byte {at} is not missed");
        }
        for length in [0, 1, TAIL - 1, TAIL, sound.len() / 2, sound.len() - 1] {
            fs::write(&pack, &sound[..length]).unwrap();
            let store = PosixStore { packs: Arc::default(), ..store.clone() };
            assert!((0..4).all(|n| store.find(&material(n).key()).unwrap().is_none()), "{length}");
            assert_eq!(store.verify().unwrap().damaged.len(), 1, "{length}");
        }
    }
}
