use std::fs;
use std::path::Path as FilePath;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};

use super::bucket::Bucket;
use super::said::Kind;
use super::{Remote, Transferred, Watch};
use crate::error::{Error, Result};
use crate::store::{Caretaking, Entry, Form, Key, KeyMaterial, PosixStore, Purpose, Record, Status, Store, StoredFile};

static NEVER: AtomicBool = AtomicBool::new(false);
const ALONE: Watch<'_> = Watch { interrupt: &NEVER, told: &|_| () };

fn material(n: u32) -> KeyMaterial {
    KeyMaterial { kind: "test".into(), version: 1, parameters: serde_json::json!({ "n": n }), inputs: vec![] }
}

/// A file that travels as a whole.
const SMALL: usize = 100;
/// A file that travels in parts.
const LARGE: usize = 10_000;

fn content(n: u32, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at as u32 * 7 + n) as u8).collect()
}

/// A store in a folder of its own, with results of a small and a large file each.
struct Local {
    folder: tempfile::TempDir,
    store: PosixStore,
}

impl Local {
    fn with(numbers: &[u32]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = PosixStore::new(folder.path());
        let session = store.session(Form::Loose).unwrap();
        for &n in numbers {
            let Status::Miss(slot) = session.open(&material(n).key()).unwrap() else { panic!("hit") };
            let mut pending = slot.begin().unwrap();
            pending.write_file("small.svg", &content(n, SMALL)).unwrap();
            pending.write_file("large.bin", &content(n, LARGE)).unwrap();
            pending.commit(&material(n)).unwrap();
        }
        Self { folder, store }
    }

    fn push(&self, to: &Remote) -> Result<Transferred> {
        to.push(&self.store, &self.store.keys()?, ALONE)
    }

    fn pull(&self, from: &Remote) -> Result<Transferred> {
        from.pull(&*self.store.session(Form::Loose)?, &from.keys(ALONE)?, ALONE)
    }

    fn entry(&self, n: u32) -> Entry {
        self.store.find(&material(n).key()).unwrap().expect("it is there")
    }

    /// Asserts that these results are here, whole, and nothing is left of others.
    fn has(&self, numbers: &[u32]) {
        let verified = self.store.verify().unwrap();
        assert_eq!((verified.results, verified.damaged.len(), verified.strays.len()), (numbers.len(), 0, 0));
        for &n in numbers {
            assert_eq!(self.entry(n).read_file("small.svg").unwrap(), content(n, SMALL));
            assert_eq!(self.entry(n).read_file("large.bin").unwrap(), content(n, LARGE));
        }
        let pending = self.folder.path().join(".store/v1/pending");
        assert!(fs::read_dir(pending).map_or(0, Iterator::count) <= 1, "no more than who is here");
    }
}

fn remote(objects: Arc<dyn ObjectStore>) -> Remote {
    Remote::with(Bucket::new(objects, Path::from("some/prefix"), "s3://bucket/some/prefix", s3())).unwrap()
}

fn s3() -> Kind {
    Kind::S3 { endpoint: None }
}

fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

fn names(objects: &dyn ObjectStore) -> Vec<String> {
    let mut names: Vec<String> =
        block(objects.list(None).map_ok(|object| object.location.to_string()).try_collect()).unwrap();
    names.sort();
    names
}

fn read(objects: &dyn ObjectStore, name: &str) -> Vec<u8> {
    block(async { objects.get(&Path::from(name)).await.unwrap().bytes().await.unwrap() }).to_vec()
}

fn write(objects: &dyn ObjectStore, name: &str, content: Vec<u8>) {
    block(objects.put(&Path::from(name), content.into())).unwrap();
}

fn name_of_record(n: u32) -> String {
    let key = material(n).key();
    format!("some/prefix/results/{}/{key}", &key.as_str()[..2])
}

fn name_of_object(content: &[u8]) -> String {
    let digest = blake3::hash(content).to_hex();
    format!("some/prefix/objects/{}/{digest}", &digest[..2])
}

fn counts(came: &Transferred) -> (usize, usize, usize, usize) {
    (came.results, came.there, came.absent, came.damaged.len())
}

#[test]
fn what_is_sent_is_fetched_as_it_was_and_nothing_travels_twice() {
    let folder = tempfile::tempdir().unwrap();
    let files = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
    for objects in [Arc::new(InMemory::new()) as Arc<dyn ObjectStore>, Arc::new(files)] {
        let (remote, here, there) = (remote(objects.clone()), Local::with(&[1, 2, 3]), Local::with(&[3]));
        let sent = here.push(&remote).unwrap();
        assert_eq!((counts(&sent), sent.bytes), ((3, 0, 0, 0), 3 * (SMALL + LARGE) as u64));
        assert_eq!(names(&*objects).len(), 3 + 2 * 3);
        assert_eq!(read(&*objects, &name_of_record(2)), here.entry(2).record.to_bytes(), "as in `commit.json`");
        let fetched = there.pull(&remote).unwrap();
        assert_eq!((counts(&fetched), fetched.bytes), ((2, 1, 0, 0), 2 * (SMALL + LARGE) as u64));
        there.has(&[1, 2, 3]);
        for n in 1..=3 {
            assert_eq!(there.entry(n).record, here.entry(n).record);
        }
        for again in [here.push(&remote).unwrap(), there.pull(&remote).unwrap()] {
            assert_eq!((counts(&again), again.bytes), ((0, 3, 0, 0), 0));
        }
    }
}

#[test]
fn an_interrupted_push_leaves_no_record_without_its_files_and_the_next_one_goes_on() {
    let here = Local::with(&[1, 2]);
    let whole = Arc::new(InMemory::new());
    here.push(&remote(whole.clone())).unwrap();
    // As if it had ended after any number of requests that change something.
    for requests in 0.. {
        let objects = Arc::new(Faulty::new(Fault::EndsAfter(requests)));
        let pushed = here.push(&remote(objects.clone()));
        let kept = names(&objects.inner);
        for record in kept.iter().filter(|name| name.contains("/results/")) {
            let key = Key::parse(record.rsplit('/').next().unwrap()).unwrap();
            let record = Record::from_bytes(&read(&objects.inner, record), &key).expect("whole");
            let is_there = |file: &StoredFile| kept.iter().any(|name| name.ends_with(&file.digest));
            assert!(record.files.iter().all(is_there), "{requests}");
        }
        let done = pushed.is_ok();
        if let Err(error) = pushed {
            assert!(error.to_string().contains("The same command given again goes on"), "{error}");
        }
        let again = here.push(&remote(Arc::new(objects.revived()))).unwrap();
        assert_eq!(again.results + again.there, 2);
        assert_eq!(names(&objects.inner), names(&*whole));
        if done {
            assert!(requests > 6, "parts and records count");
            break;
        }
    }
}

#[test]
fn what_is_damaged_there_is_named_and_not_taken_and_the_others_travel() {
    let here = Local::with(&[1, 2]);
    let (small, large) = (name_of_object(&content(1, SMALL)), name_of_object(&content(1, LARGE)));
    let flipped = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        bytes
    };
    let committed = blake3::hash(&content(1, LARGE)).to_hex().to_string();
    let found = blake3::hash(&flipped(&content(1, LARGE))).to_hex().to_string();
    type Change<'a> = &'a dyn Fn(&dyn ObjectStore);
    let cases: [(&str, Change<'_>, Vec<&str>); 6] = [
        (&large, &|o| write(o, &large, flipped(&read(o, &large))), vec![&committed, &found]),
        (&large, &|o| write(o, &large, content(1, LARGE - 1)), vec!["9999 bytes where 10000 were committed"]),
        (&small, &|o| write(o, &small, Vec::new()), vec!["0 bytes where 100 were committed"]),
        (&small, &|o| block(o.delete(&Path::from(small.as_str()))).unwrap(), vec!["it is not there"]),
        (
            &name_of_record(1),
            &|o| write(o, &name_of_record(1), flipped(&read(o, &name_of_record(1)))),
            vec!["its digest is", "where it says"],
        ),
        (
            &name_of_record(1),
            &|o| write(o, &name_of_record(1), read(o, &name_of_record(2))),
            vec!["it is the record of"],
        ),
    ];
    for (name, damage, words) in cases {
        let objects = Arc::new(InMemory::new());
        let (remote, there) = (remote(objects.clone()), Local::with(&[]));
        here.push(&remote).unwrap();
        damage(&*objects);
        let fetched = there.pull(&remote).unwrap();
        assert_eq!(counts(&fetched), (1, 0, 0, 1), "{name}");
        let (key, damaged) = &fetched.damaged[0];
        assert_eq!((key, damaged.len()), (&material(1).key(), 1));
        let said = damaged[0].to_string();
        let url = format!("s3://bucket/{name}");
        assert!(said.starts_with(&url) && words.iter().all(|word| said.contains(word)), "{said}");
        there.has(&[2]);
    }
}

#[test]
fn what_is_damaged_here_is_not_sent() {
    for file in ["small.svg", "large.bin"] {
        for cut in [false, true] {
            let here = Local::with(&[1, 2]);
            let key = material(1).key();
            let place = format!(".store/v1/results/{}/{key}/{file}", &key.as_str()[..2]);
            let place = here.folder.path().join(place);
            let mut bytes = fs::read(&place).unwrap();
            bytes[SMALL / 2] ^= 1;
            bytes.truncate(bytes.len() - usize::from(cut));
            fs::write(&place, bytes).unwrap();
            let objects = Arc::new(InMemory::new());
            let sent = here.push(&remote(objects.clone())).unwrap();
            assert_eq!(counts(&sent), (1, 0, 0, 1), "{file}");
            assert!(sent.damaged[0].1[0].place.contains(file));
            assert!(!names(&*objects).contains(&name_of_record(1)));
            let there = Local::with(&[]);
            there.pull(&remote(objects)).unwrap();
            there.has(&[2]);
        }
    }
}

/// A record as anybody can write one: its digest is right.
fn forged(n: u32, files: &[(&str, &str, u64)]) -> Vec<u8> {
    let file = |&(name, digest, bytes): &(&str, &str, u64)| StoredFile {
        name: name.to_owned(),
        digest: digest.to_owned(),
        bytes,
        table: None,
    };
    Record { key: material(n).key(), material: material(n), files: files.iter().map(file).collect() }.to_bytes()
}

#[test]
fn a_hostile_remote_writes_nothing_and_breaks_nothing() {
    let payload = b"taken over".to_vec();
    let digest = blake3::hash(&payload).to_hex().to_string();
    let size = payload.len() as u64;
    let signed = |body: &[u8]| [blake3::hash(body).to_hex().as_bytes(), b"\n", body].concat();
    let long = "a".repeat(300);
    let deep = "[".repeat(100_000);
    let mut records: Vec<Vec<u8>> = ["../../escaped", "/tmp/escaped", "..", ".", "", "commit.json", ".hidden", "a/b"]
        .into_iter()
        .chain(["a\\b", "a\0b", "a\nb", "a\u{1b}[2J", &long, "tab\tle"])
        .map(|name| forged(1, &[(name, &digest, size)]))
        .collect();
    records.extend([
        forged(1, &[("a", &digest, size), ("a", &digest, size)]),
        forged(1, &[("a", "../../../../etc/passwd", size)]),
        forged(1, &[("a", "", size)]),
        forged(1, &[("a", &digest.to_uppercase(), size)]),
        forged(1, &[("a", &digest, u64::MAX)]),
        forged(1, &[("a", &digest, size - 1)]),
        forged(2, &[("a", &digest, size)]),
        signed(b"{}"),
        signed(b"null"),
        signed(deep.as_bytes()),
        signed(&[0xff, 0xfe]),
        signed(b""),
        b"\n".to_vec(),
        b"no line at all".to_vec(),
        vec![b'x'; 5000],
        Vec::new(),
    ]);
    for record in records {
        let objects = Arc::new(InMemory::new());
        write(&*objects, &name_of_object(&payload), payload.clone());
        write(&*objects, &name_of_record(1), record.clone());
        let there = Local::with(&[]);
        let fetched = there.pull(&remote(objects)).unwrap();
        let said = String::from_utf8_lossy(&record).into_owned();
        assert_eq!(counts(&fetched), (0, 0, 0, 1), "{said}");
        let message = fetched.damaged[0].1[0].to_string();
        assert!(!message.contains(char::is_control) && message.len() < 600, "{message}");
        there.has(&[]);
        assert!(!there.folder.path().join("escaped").exists() && !FilePath::new("/tmp/escaped").exists());
    }
}

#[test]
fn a_server_that_sends_more_than_it_said_fills_no_disk() {
    let here = Local::with(&[1]);
    let objects = Arc::new(Faulty::new(Fault::SendsForEver));
    here.push(&remote(Arc::new(objects.revived()))).unwrap();
    let there = Local::with(&[]);
    let fetched = there.pull(&remote(objects)).unwrap();
    assert_eq!(counts(&fetched), (0, 0, 0, 1));
    assert!(fetched.damaged[0].1[0].found.contains("more than"), "{:?}", fetched.damaged);
    there.has(&[]);
}

#[test]
fn names_that_are_none_of_ours_are_let_be() {
    let here = Local::with(&[1]);
    let objects = Arc::new(InMemory::new());
    here.push(&remote(objects.clone())).unwrap();
    let key = material(2).key();
    for stray in ["results/README", "results/zz/README", &format!("results/zz/{key}"), &format!("results/{key}")] {
        write(&*objects, &format!("some/prefix/{stray}"), b"mine".to_vec());
    }
    let there = Local::with(&[]);
    assert_eq!(counts(&there.pull(&remote(objects)).unwrap()), (1, 0, 0, 0));
}

#[test]
fn many_keys_are_listed_instead_of_asked_for() {
    let here = Local::with(&[1]);
    let objects = Arc::new(InMemory::new());
    let keys: Vec<Key> = (0..600).map(|n| material(n).key()).collect();
    let sent = remote(objects.clone()).push(&here.store, &keys, ALONE).unwrap();
    assert_eq!(counts(&sent), (1, 0, 599, 0));
    let there = Local::with(&[]);
    let fetched = remote(objects).pull(&*there.store.session(Form::Loose).unwrap(), &keys, ALONE).unwrap();
    assert_eq!(counts(&fetched), (1, 0, 599, 0));
    there.has(&[1]);
}

#[test]
fn a_raised_flag_stops_and_leaves_nothing_half_done() {
    let here = Local::with(&[1, 2]);
    let objects = Arc::new(InMemory::new());
    here.push(&remote(objects)).unwrap();
    let stop = AtomicBool::new(true);
    let silent = Arc::new(Faulty::new(Fault::NeverAnswers));
    let watch = Watch { interrupt: &stop, told: &|_| () };
    let there = Local::with(&[]);
    let keys = [material(1).key()];
    let stopped = remote(silent).pull(&*there.store.session(Form::Loose).unwrap(), &keys, watch);
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
    there.has(&[]);
}

#[test]
fn what_was_fetched_survives_a_collection_while_the_session_counts_on_it() {
    let (here, there) = (Local::with(&[1]), Local::with(&[]));
    let remote = remote(Arc::new(InMemory::new()));
    here.push(&remote).unwrap();
    let session = there.store.session(Form::Loose).unwrap();
    let key = material(1).key();
    session.protect(&Purpose { pipeline: "p".into(), plan: "p".into(), since: 0 }, &[&key]).unwrap();
    remote.pull(&*session, &[key], ALONE).unwrap();
    drop(session);
    let how = crate::store::Collection { dry_run: false, unfinished: false, now: 1 };
    assert_eq!(there.store.collect(&[].into(), &how).unwrap().results.len(), 0);
    there.has(&[1]);
}

#[test]
fn a_record_that_another_is_writing_and_gives_up_is_written_after_all() {
    let here = Local::with(&[1]);
    let objects = Arc::new(Faulty::new(Fault::ConflictsOnce));
    assert_eq!(counts(&here.push(&remote(objects.clone())).unwrap()), (1, 0, 0, 0));
    assert!(names(&objects.inner).contains(&name_of_record(1)));
}

#[test]
fn a_store_that_does_what_it_says_is_fit_and_no_probe_stays() {
    let folder = tempfile::tempdir().unwrap();
    let files = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
    for objects in [Arc::new(InMemory::new()) as Arc<dyn ObjectStore>, Arc::new(files)] {
        let raced = remote(objects.clone()).check(200, ALONE).unwrap();
        assert_eq!((raced.rounds, raced.unanswered), (200, 0));
        assert!(names(&*objects).is_empty());
    }
}

#[test]
fn a_store_in_which_two_win_or_the_loser_stands_is_refused() {
    for (fault, words) in [
        (Fault::Overwrites, "took the place of an object"),
        (Fault::OverwritesWhenMany, "writers were told they had won"),
        (Fault::RefusesAndWrites, "its bytes are there nevertheless"),
        (Fault::RefusesAndWritesWhenMany, "that was told it had lost"),
        (Fault::KnowsNoCondition, "it knows no conditional put"),
        (Fault::ListsNothing, "is not listed"),
        (Fault::RemovesNothing, "what was removed is there afterwards"),
    ] {
        let objects = Arc::new(Faulty::new(fault));
        let refused = remote(objects.clone()).check(5, ALONE).unwrap_err();
        let said = refused.to_string();
        assert!(said.starts_with("s3://bucket/some/prefix is not fit for results: "), "{said}");
        assert!(said.contains(words) && said.contains("If-None-Match") && refused.exit_status() == 1, "{said}");
        if fault != Fault::RemovesNothing {
            assert!(names(&objects.inner).is_empty(), "{fault:?}");
        }
    }
}

#[test]
fn a_wrong_url_is_a_wrong_request() {
    for (url, word) in [
        ("bucket/prefix", "relative URL"),
        ("", "relative URL"),
        ("/mnt/results", "relative URL"),
        ("ftp://host/x", "`ftp:`"),
        ("memory:///x", "`memory:`"),
        ("http://host/x", "`http:`"),
        ("s3://", "s3"),
        ("s3://bucket/a/../b", "`..`"),
        ("s3://bucket/a?versionId=1", "`?`"),
        ("file://host/x", "file"),
    ] {
        let error = Remote::open(url).unwrap_err();
        let said = error.to_string();
        assert_eq!(error.exit_status(), 2, "{said}");
        assert!(said.contains(word) && said.contains("file:///mnt/shared/results"), "{said}");
    }
    let secret = Remote::open("s3://me:hunter2@bucket/x").unwrap_err().to_string();
    assert!(!secret.contains("hunter2"), "{secret}");
}

// ------------------------------------------------------------------------------------------------ stores with faults

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// After so many requests that change something, none is answered with success any more.
    EndsAfter(usize),
    NeverAnswers,
    SendsForEver,
    ConflictsOnce,
    Overwrites,
    /// Only where several ask for the same at a time.
    OverwritesWhenMany,
    RefusesAndWrites,
    RefusesAndWritesWhenMany,
    KnowsNoCondition,
    ListsNothing,
    RemovesNothing,
}

#[derive(Debug)]
struct Faulty {
    inner: Arc<InMemory>,
    fault: Fault,
    requests: Arc<AtomicUsize>,
    /// By name, how often a conditional put was asked for.
    asked: Mutex<std::collections::BTreeMap<String, usize>>,
}

impl Faulty {
    fn new(fault: Fault) -> Self {
        Self { inner: Arc::default(), fault, requests: Arc::default(), asked: Mutex::default() }
    }

    /// The same objects, sound.
    fn revived(&self) -> Self {
        Self { inner: self.inner.clone(), ..Self::new(Fault::None) }
    }

    fn change(&self) -> object_store::Result<()> {
        changed(self.fault, &self.requests)
    }
}

fn changed(fault: Fault, requests: &AtomicUsize) -> object_store::Result<()> {
    match fault {
        Fault::EndsAfter(most) if requests.fetch_add(1, Ordering::Relaxed) >= most => {
            Err(object_store::Error::Generic { store: "test", source: "the line is cut".into() })
        }
        _ => Ok(()),
    }
}

fn exists(path: &Path) -> object_store::Error {
    object_store::Error::AlreadyExists { path: path.to_string(), source: "412".into() }
}

impl std::fmt::Display for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, to: &Path, content: PutPayload, mut how: PutOptions) -> object_store::Result<PutResult> {
        self.change()?;
        let is_conditional = matches!(how.mode, PutMode::Create);
        let nth = {
            let mut asked = self.asked.lock().unwrap();
            let nth = asked.entry(to.to_string()).or_default();
            *nth += usize::from(is_conditional);
            *nth
        };
        let is_race = !to.as_ref().ends_with("-0");
        match self.fault {
            Fault::Overwrites if is_conditional => how.mode = PutMode::Overwrite,
            Fault::OverwritesWhenMany if is_conditional && is_race && nth < 3 => how.mode = PutMode::Overwrite,
            Fault::KnowsNoCondition if is_conditional => {
                return Err(object_store::Error::NotImplemented {
                    operation: "If-None-Match".into(),
                    implementer: "test".into(),
                });
            }
            Fault::ConflictsOnce if is_conditional && nth == 1 => return Err(exists(to)),
            Fault::RefusesAndWrites if is_conditional => {
                self.inner.put(to, content).await?;
                return Err(exists(to));
            }
            Fault::RefusesAndWritesWhenMany if is_conditional && is_race && nth > 1 => {
                self.inner.put(to, content).await?;
                return Err(exists(to));
            }
            _ => {}
        }
        self.inner.put_opts(to, content, how).await
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        how: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.change()?;
        let inner = self.inner.put_multipart_opts(to, how).await?;
        Ok(Box::new(FaultyUpload { inner, fault: self.fault, requests: self.requests.clone() }))
    }

    async fn get_opts(&self, from: &Path, how: GetOptions) -> object_store::Result<GetResult> {
        let head = how.head;
        let mut got = self.inner.get_opts(from, how).await?;
        if self.fault == Fault::SendsForEver && !head && from.as_ref().contains("/objects/") {
            let piece = bytes::Bytes::from(vec![7; 1 << 10]);
            let for_ever = futures_util::stream::repeat_with(move || Ok(piece.clone()));
            got.payload = object_store::GetResultPayload::Stream(Box::pin(for_ever));
        }
        Ok(got)
    }

    fn delete_stream(
        &self,
        names: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        if self.fault == Fault::RemovesNothing { names } else { self.inner.delete_stream(names) }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        match self.fault {
            Fault::NeverAnswers => std::future::pending().await,
            Fault::ListsNothing => self.inner.list_with_delimiter(Some(&Path::from("nothing"))).await,
            _ => self.inner.list_with_delimiter(prefix).await,
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, how).await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    fault: Fault,
    requests: Arc<AtomicUsize>,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, part: PutPayload) -> object_store::UploadPart {
        match changed(self.fault, &self.requests) {
            Ok(()) => self.inner.put_part(part),
            Err(error) => Box::pin(async { Err(error) }),
        }
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        changed(self.fault, &self.requests)?;
        self.inner.complete().await
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        self.inner.abort().await
    }
}
