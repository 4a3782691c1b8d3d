//! Use by force, at length: kills, races, small disks, and damage of every sort, on the pipelines that people run. Minutes:
//!
//! ```text
//! cargo test --test it -- --ignored --nocapture --test-threads 1 force::
//! ```
//!
//! Each row says how often it tried and how often something was wrong, and none may be. Which files are hit comes from named
//! streams, so every run of these tests does the same.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use ojaflow::science::seed::{Purpose, Stream, stream};
use tempfile::TempDir;

use crate::common::{files_below, ojaflow, published_below, root, text};

/// Results of `smoke`.
const RESULTS: usize = 25;

/// A folder of outputs in which a shipped pipeline is run.
struct Place {
    folder: TempDir,
    pipeline: &'static [&'static str],
}

impl Place {
    fn new(pipeline: &'static [&'static str]) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), pipeline }
    }

    fn smoke() -> Self {
        Self::new(&["smoke"])
    }

    fn outputs(&self) -> PathBuf {
        self.folder.path().join("o")
    }

    fn store(&self) -> PathBuf {
        self.outputs().join(".store/v1/results")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = ojaflow();
        command.current_dir(root()).args(args).arg("--outputs").arg(self.outputs());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn pipeline(&self) -> Command {
        self.command(&[&["pipeline"], self.pipeline, &["--quiet"]].concat())
    }

    fn run(&self) -> Output {
        self.pipeline().output().unwrap()
    }

    fn published(&self) -> BTreeMap<PathBuf, blake3::Hash> {
        published_below(&self.outputs())
    }

    /// Runs, and says what is wrong with what came of it.
    fn wrong_after_a_run(&self, expected: &BTreeMap<PathBuf, blake3::Hash>) -> Option<String> {
        let run = self.run();
        if !run.status.success() {
            return Some(format!("{}: {}", run.status, text(&run.stderr)));
        }
        let published = self.published();
        if published != *expected {
            let other: Vec<_> =
                expected.iter().filter(|(path, digest)| published.get(*path) != Some(*digest)).collect();
            return Some(format!("published otherwise: {other:?}; {} files for {}", published.len(), expected.len()));
        }
        let verified = self.command(&["store", "verify"]).output().unwrap();
        (!verified.status.success()).then(|| text(&verified.stderr))
    }
}

/// The published files of a pipeline that nobody disturbed.
fn undisturbed(pipeline: &'static [&'static str]) -> BTreeMap<PathBuf, blake3::Hash> {
    let place = Place::new(pipeline);
    let run = place.run();
    assert!(run.status.success(), "{}", text(&run.stderr));
    place.published()
}

/// A row of the table: what was tried how often, and what went wrong.
struct Row {
    name: &'static str,
    tries: usize,
    failures: Vec<String>,
}

impl Row {
    fn new(name: &'static str) -> Self {
        Self { name, tries: 0, failures: Vec::new() }
    }

    fn tried(&mut self, how: &str, wrong: Option<String>) {
        self.tries += 1;
        self.failures.extend(wrong.map(|wrong| format!("{how}: {wrong}")));
    }

    fn end(self) {
        println!("{}: {} tries, {} failures", self.name, self.tries, self.failures.len());
        assert!(self.tries > 0 && self.failures.is_empty(), "{}:\n{}", self.name, self.failures.join("\n"));
    }
}

fn pick<'a, T>(random: &mut Stream, from: &'a [T]) -> &'a T {
    &from[random.below(from.len() as u32) as usize]
}

// --------------------------------------------------------------------------------------------------- kills and races

#[test]
#[ignore = "minutes: kills"]
fn killed() {
    let pipeline: &[&str] = &["fig1", "--as", "fig1", "--set", "matrix.seed.count=2"];
    let expected = undisturbed(pipeline);
    let mut row = Row::new("kill -9 twice and run again (fig1 with 2 seeds)");
    let mut random = stream(1, Purpose::Task, 0);
    for round in 0..15 {
        let place = Place::new(pipeline);
        for _ in 0..2 {
            let mut run = place.pipeline().spawn().unwrap();
            std::thread::sleep(Duration::from_millis(u64::from(random.below(6_000))));
            run.kill().unwrap();
            run.wait().unwrap();
        }
        row.tried(&format!("round {round}"), place.wrong_after_a_run(&expected));
    }
    row.end();
}

/// 2, 2, 2, 4 and 4 runs at once, with a collector beside them or not.
fn at_once(name: &'static str, collects: bool) {
    let expected = undisturbed(&["smoke"]);
    let mut row = Row::new(name);
    let mut collections = 0;
    for n in [2, 2, 2, 4, 4] {
        let place = Place::smoke();
        let mut runs: Vec<_> = (0..n).map(|_| place.pipeline().spawn().unwrap()).collect();
        while collects && runs.iter_mut().any(|run| run.try_wait().unwrap().is_none()) {
            let swept = place.command(&["store", "gc"]).output().unwrap();
            collections += 1;
            row.failures.extend((!swept.status.success()).then(|| format!("gc: {}", text(&swept.stderr))));
        }
        for run in runs {
            let output = run.wait_with_output().unwrap();
            row.tried("a run", (!output.status.success()).then(|| text(&output.stderr)));
        }
        row.failures.extend(place.wrong_after_a_run(&expected));
    }
    if collects {
        println!("{collections} collections");
    }
    row.end();
}

#[test]
#[ignore = "minutes: races"]
fn run_at_once() {
    at_once("2 and 4 runs at once", false);
}

#[test]
#[ignore = "minutes: races with a collector"]
fn run_at_once_beside_a_collector() {
    at_once("2 and 4 runs at once beside `store gc`", true);
}

// ---------------------------------------------------------------------------------------------------------- small disks

#[test]
#[ignore = "minutes: needs to mount"]
fn on_a_disk_that_is_full() {
    let expected = undisturbed(&["smoke"]);
    let mut row = Row::new("full disk, few inodes, limits");
    let options = ["size=1m", "size=10m", "size=18m", "size=20m", "size=22m", "size=64m,nr_inodes=100"];
    for option in options {
        let place = Place::smoke();
        fs::create_dir(place.outputs()).unwrap();
        let run = "\"$0\" pipeline smoke --quiet --outputs \"$1\"";
        let script = format!(
            "mount -t tmpfs -o {option} none \"$1\" || exit 9
             {run} 2> \"$1.first\"; [ $? = 1 ] || exit 3
             grep -q 'No space left on device' \"$1.first\" || exit 4
             \"$0\" store verify --outputs \"$1\" > \"$1.log\" 2>&1 || exit 5
             mount -o remount,size=200m,nr_inodes=10000 \"$1\" || exit 9
             {run} || exit 6
             cp -r \"$1/smoke\" \"$1.smoke\""
        );
        let mut shell = Command::new("unshare");
        shell.args(["--mount", "sh", "-c", &script, env!("CARGO_BIN_EXE_ojaflow")]).arg(place.outputs());
        let output = shell.current_dir(root()).output().unwrap();
        if output.status.code() == Some(9) {
            panic!("mounting takes root: {}", text(&output.stderr));
        }
        let copied: BTreeMap<PathBuf, blake3::Hash> = files_below(&place.folder.path().join("o.smoke"))
            .into_iter()
            .map(|path| {
                let bytes = fs::read(place.folder.path().join("o.smoke").join(&path)).unwrap();
                (Path::new("smoke").join(path), blake3::hash(&bytes))
            })
            .collect();
        let of_smoke: BTreeMap<_, _> = expected.iter().filter(|(path, _)| path.starts_with("smoke")).collect();
        let wrong = match output.status.success() {
            false => Some(format!("{}: {}", output.status, text(&output.stderr))),
            true => (!copied.iter().eq(of_smoke)).then(|| "published otherwise".to_owned()),
        };
        row.tried(option, wrong);
    }
    for limit in ["ulimit -f 400; trap '' XFSZ", "ulimit -f 4000; trap '' XFSZ"] {
        let place = Place::smoke();
        let output = limited(&place, limit);
        let is_clear = output.status.code() == Some(1) && text(&output.stderr).contains("File too large");
        let clear = (!is_clear).then(|| format!("{}: {}", output.status, text(&output.stderr)));
        row.tried(limit, clear.or_else(|| place.wrong_after_a_run(&expected)));
    }
    row.end();
}

fn limited(place: &Place, limit: &str) -> Output {
    let script = format!("{limit}; exec \"$0\" pipeline smoke --quiet --outputs \"$1\"");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_ojaflow")]).arg(place.outputs()).current_dir(root());
    shell.output().unwrap()
}

#[test]
#[ignore = "minutes: limits"]
fn with_few_files_and_little_memory() {
    let expected = undisturbed(&["smoke"]);
    let mut row = Row::new("20 open files, 600 MB of addresses");
    for limit in ["ulimit -n 20", "ulimit -v 600000"] {
        let place = Place::smoke();
        let output = limited(&place, limit);
        let failed = (!output.status.success()).then(|| format!("{}: {}", output.status, text(&output.stderr)));
        row.tried(limit, failed.or_else(|| place.wrong_after_a_run(&expected)));
    }
    row.end();
}

// --------------------------------------------------------------------------------------------------------------- damage

const DAMAGES: [&str; 10] = ["flip", "cut", "empty", "append", "zero", "random", "delete", "folder", "symlink", "loop"];

/// Damages a file.
fn damage(path: &Path, how: &str, random: &mut Stream) {
    let Ok(mut bytes) = fs::read(path) else { return };
    // A result may be shared with the published folder: what is damaged is this name, not its other ones.
    fs::remove_file(path).unwrap();
    let length = bytes.len().max(1) as u32;
    bytes.resize(length as usize, 0);
    match how {
        "flip" => bytes[random.below(length) as usize] ^= 1 << random.below(8),
        "cut" => bytes.truncate(random.below(length) as usize),
        "empty" => bytes.clear(),
        "append" => bytes.extend(b"more"),
        "zero" => bytes.fill(0),
        "random" => bytes.fill_with(|| random.below(256) as u8),
        "delete" => return,
        "folder" => return fs::create_dir(path).unwrap(),
        "symlink" => return symlink("nowhere", path).unwrap(),
        "loop" => return symlink(path, path).unwrap(),
        other => panic!("no damage is called {other}"),
    }
    fs::write(path, bytes).unwrap();
}

/// Damages a file under all of its names, as nobody can who minds that it is read-only.
fn damage_in_place(path: &Path, how: &str, random: &mut Stream) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    let mut bytes = fs::read(path).unwrap();
    let at = random.below(bytes.len() as u32) as usize;
    match how {
        "flip" => bytes[at] ^= 1 << random.below(8),
        "cut" => bytes.truncate(at),
        "append" => bytes.extend(b"more"),
        "zero" => bytes.fill(0),
        other => panic!("no damage in place is called {other}"),
    }
    fs::write(path, bytes).unwrap();
}

/// Damages one to eight of the files that there are each time, and says which and how.
fn damage_some(files: impl Fn() -> Vec<PathBuf>, random: &mut Stream) -> Vec<String> {
    let n = 1 + random.below(8);
    let one = |_| {
        let (files, how) = (files(), *pick(random, &DAMAGES));
        let file = pick(random, &files);
        damage(file, how, random);
        format!("{how} {}", file.display())
    };
    (0..n).map(one).collect()
}

/// Files of the store's results, commit records included.
fn stored(place: &Place) -> Vec<PathBuf> {
    files_below(&place.store()).into_iter().map(|path| place.store().join(path)).collect()
}

/// Makes a stage look at what is damaged, which a run with nothing to do would not.
fn forget_what_is_published(place: &Place) {
    fs::remove_dir_all(place.outputs().join("smoke")).unwrap();
}

#[test]
#[ignore = "minutes: damage of the store"]
fn damaged_stores() {
    let place = Place::smoke();
    place.run();
    let expected = place.published();
    let mut row = Row::new("store damage, 1 to 8 files");
    let mut random = stream(2, Purpose::Task, 0);
    for round in 0..80 {
        let done = damage_some(|| stored(&place), &mut random);
        forget_what_is_published(&place);
        row.tried(&format!("round {round}: {done:?}"), place.wrong_after_a_run(&expected));
    }
    row.end();
}

#[test]
#[ignore = "minutes: damage of commit records"]
fn commit_records() {
    let place = Place::smoke();
    place.run();
    let expected = place.published();
    let mut random = stream(3, Purpose::Task, 0);
    let records =
        || -> Vec<PathBuf> { stored(&place).into_iter().filter(|path| path.ends_with("commit.json")).collect() };
    assert_eq!(records().len(), RESULTS);
    let mut row = Row::new("commit record removed");
    for number in 0..RESULTS {
        fs::remove_file(&records()[number]).unwrap();
        forget_what_is_published(&place);
        row.tried(&format!("record {number}"), place.wrong_after_a_run(&expected));
    }
    row.end();

    let mut row = Row::new("commit record edited");
    for number in 0..24 {
        let path = &records()[number];
        let mut bytes = fs::read(path).unwrap();
        let digits: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at].is_ascii_digit()).collect();
        let at = *pick(&mut random, &digits);
        bytes[at] = b'0' + (bytes[at] - b'0' + 1) % 10;
        fs::write(path, bytes).unwrap();
        forget_what_is_published(&place);
        row.tried(&format!("digit {at} of record {number}"), place.wrong_after_a_run(&expected));
    }
    row.end();

    let mut row = Row::new("results exchanged");
    for number in 0..8 {
        let (records, other) = (records(), random.below(RESULTS as u32 - 1) as usize);
        let (a, b) = (records[number].parent().unwrap(), records[(number + 1 + other) % RESULTS].parent().unwrap());
        let aside = place.folder.path().join("aside");
        if a != b {
            fs::rename(a, &aside).unwrap();
            fs::rename(b, a).unwrap();
            fs::rename(&aside, b).unwrap();
        }
        forget_what_is_published(&place);
        row.tried(&format!("result {number}"), place.wrong_after_a_run(&expected));
    }
    row.end();
}

#[test]
#[ignore = "minutes: damage of what is published"]
fn damaged_outputs() {
    let place = Place::smoke();
    place.run();
    let expected = place.published();
    let files: Vec<PathBuf> =
        expected.keys().filter(|path| path.starts_with("smoke")).map(|path| place.outputs().join(path)).collect();
    let mut random = stream(4, Purpose::Task, 0);
    let mut row = Row::new("damage of what is published, 1 to 8 files");
    for round in 0..40 {
        let done = damage_some(|| files.clone(), &mut random);
        row.tried(&format!("round {round}: {done:?}"), place.wrong_after_a_run(&expected));
    }
    row.end();

    let mut row = Row::new("each published file flipped, cut, deleted");
    for file in &files {
        for how in ["flip", "cut", "delete"] {
            damage(file, how, &mut random);
            row.tried(&format!("{how} {}", file.display()), place.wrong_after_a_run(&expected));
        }
    }
    row.end();

    let mut row = Row::new("what is held once damaged in place, under its published and its stored name");
    for how in ["flip", "cut", "append", "zero"] {
        let large = |path: &PathBuf| fs::metadata(path).unwrap().len() >= 1 << 20;
        let names = || files.iter().cloned().chain(stored(&place)).filter(large).collect::<Vec<_>>();
        for name in 0..names().len() {
            let file = &names()[name];
            damage_in_place(file, how, &mut random);
            let wrong = place.wrong_after_a_run(&expected);
            row.tried(&format!("{how} {}", file.display()), wrong);
        }
    }
    row.end();
}

#[test]
#[ignore = "minutes: junk"]
fn junk() {
    let expected = undisturbed(&["smoke"]);
    let mut row = Row::new("junk in the store and in outputs");
    for name in [
        ".store/v1/results/.DS_Store",
        ".store/v1/results/00/stray",
        ".store/v1/pending/stray",
        ".store/v1/stray",
        ".store/stray",
        "stray",
        ".DS_Store",
    ] {
        let place = Place::smoke();
        place.run();
        let path = place.outputs().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "junk").unwrap();
        let mut expected = expected.clone();
        if !name.starts_with(".store") {
            expected.insert(name.into(), blake3::hash(b"junk"));
        }
        let listed = place.command(&["store", "ls"]).output().unwrap();
        let swept = place.command(&["store", "gc"]).output().unwrap();
        let refused = [listed, swept].into_iter().find(|output| !output.status.success());
        row.tried(name, refused.map(|output| text(&output.stderr)).or_else(|| place.wrong_after_a_run(&expected)));
    }
    let place = Place::smoke();
    fs::create_dir_all(place.outputs().join(".store/v1")).unwrap();
    fs::write(place.outputs().join(".store/v1/pending"), "a file").unwrap();
    let run = place.run();
    // Nothing can be put there; what counts is that it is said, and that nothing is lost.
    row.tried(
        "`pending` is a file",
        (run.status.code() != Some(1) && !run.status.success()).then(|| text(&run.stderr)),
    );
    row.end();
}
