//! Whatever happens to a run, the store stays sound and the same command goes on: killed, interrupted, run twice at once,
//! out of disk, on a damaged store.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::common::{self, Fixture, SMALL, SMALL_TASKS, flip_a_bit, text};
use ojaflow::kernels::Backend;
use ojaflow::science::seed::{Purpose, stream};

/// The digests of an undisturbed run of [`SMALL`], with one job on the plain kernels.
fn undisturbed() -> &'static BTreeMap<String, String> {
    static DIGESTS: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    DIGESTS.get_or_init(|| {
        let fixture = Fixture::new().pipeline(SMALL);
        let mut command = fixture.command(&["pipeline", "small", "--jobs", "1", "--quiet"]);
        assert!(command.env("OJAFLOW_KERNELS", "portable").status().unwrap().success());
        fixture.digests("small")
    })
}

/// Results in the store. A commit record that still lies in `pending` is none: the folder is renamed after it.
fn committed(fixture: &Fixture) -> usize {
    let results = Path::new(".store/v1/results");
    fixture.files().iter().filter(|path| path.starts_with(results) && path.ends_with("commit.json")).count()
}

/// Waits until a run has committed so many results; false if it ended before.
fn wait_for(run: &mut Child, fixture: &Fixture, results: usize) -> bool {
    while committed(fixture) < results {
        if run.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

fn nothing_is_pending(fixture: &Fixture) {
    let pending: Vec<PathBuf> =
        fixture.files().into_iter().filter(|path| path.starts_with(".store/v1/pending")).collect();
    assert!(pending.is_empty(), "half done: {pending:?}");
}

// ------------------------------------------------------------------------------------------------- killed, interrupted

#[test]
fn a_run_killed_at_any_moment_goes_on() {
    let mut random = stream(20, Purpose::Task, 0);
    for moment in 0..10 {
        let fixture = Fixture::new().pipeline(SMALL);
        let mut run = fixture.spawn(&["pipeline", "small", "--quiet"]);
        // A random number of results, then a random time into what comes next.
        let results = random.below(SMALL_TASKS as u32) as usize;
        wait_for(&mut run, &fixture, results);
        std::thread::sleep(Duration::from_micros(u64::from(random.below(20_000))));
        run.kill().unwrap();
        run.wait().unwrap();
        let found = committed(&fixture);
        assert!(found >= results, "moment {moment}: what was committed stays");
        let fixture = fixture.run().hits(found);
        assert_eq!(fixture.digests("small"), *undisturbed(), "moment {moment}, {found} results found done");
        fixture.verified();
    }
}

#[test]
fn leftovers_of_a_killed_run_are_collected() {
    let fixture = Fixture::new().pipeline(SMALL);
    let mut run = fixture.spawn(&["pipeline", "small", "--quiet", "--set", "matrix.seed.count=50"]);
    assert!(wait_for(&mut run, &fixture, 5));
    run.kill().unwrap();
    run.wait().unwrap();
    let found = committed(&fixture);
    let collected = fixture.stdout(&["store", "gc"]);
    assert!(collected.starts_with("0 results") && !collected.contains(" 0 leftovers"), "{collected}");
    assert_eq!(committed(&fixture), found, "what an unfinished run made is kept");
    nothing_is_pending(&fixture);
    fixture.run().verified();
}

#[test]
fn what_an_unfinished_run_made_is_safe_from_collection_until_it_is_given_up() {
    let fixture = Fixture::new().pipeline(SMALL);
    let options = ["--set", "matrix.seed.count=60", "--as", "many"];
    let interrupted = |results: usize| {
        let mut run = fixture.spawn(&[&["pipeline", "small"], &options[..]].concat());
        assert!(wait_for(&mut run, &fixture, results));
        signal(&run, "INT");
        assert_eq!(run.wait_with_output().unwrap().status.code(), Some(130));
        committed(&fixture)
    };
    let found = interrupted(5);
    let listed = fixture.stdout(&["store", "ls"]);
    assert!(listed.contains("many (unfinished)") && !listed.contains("nobody"), "{listed}");
    let collected = fixture.stdout(&["store", "gc"]);
    assert!(collected.starts_with(&format!("0 results (0 B) removed, {found} kept")), "{collected}");
    assert!(collected.contains(&format!("{found} results (")), "{collected}");
    assert!(collected.contains("kept for the unfinished run of `many`, begun "), "{collected}");
    assert!(collected.contains("`ojaflow store gc --unfinished` gives them up"), "{collected}");
    // The same command goes on with them, and once it has published, they are kept for what it published.
    let found = interrupted(found + 5);
    assert!(fixture.stdout(&["store", "gc", "--dry-run"]).contains(&format!("{found} results (")));
    let fixture = fixture.with(&["--set", "matrix.seed.count=2", "--as", "many"]).run();
    let collected = fixture.stdout(&["store", "gc", "--dry-run", "--unfinished"]);
    assert!(
        collected.contains("the unfinished run of `many`, begun ") && collected.contains("is given up"),
        "{collected}"
    );
    let runs = fixture.outputs().join(".store/v1/runs");
    let left = || fs::read_dir(&runs).unwrap().next().map(|run| run.unwrap().path());
    let unfinished = fs::read(left().unwrap()).unwrap();
    let fixture = fixture.with(&options).run();
    let collected = fixture.stdout(&["store", "gc"]);
    assert!(!collected.contains("unfinished"), "{collected}");
    assert_eq!(left(), None);
    // One that was killed between publishing and saying so: the next one, with nothing to do, says it.
    fs::write(runs.join("run-killed"), unfinished).unwrap();
    let fixture = fixture.run();
    assert_eq!(left(), None);
    fixture.verified();
}

#[test]
fn an_unfinished_run_is_given_up_when_asked_or_when_it_is_old() {
    let fixture = Fixture::new().pipeline(SMALL);
    let interrupted = || {
        let mut run = fixture.spawn(&["pipeline", "small", "--set", "matrix.seed.count=60", "--as", "many"]);
        assert!(wait_for(&mut run, &fixture, 5));
        run.kill().unwrap();
        run.wait().unwrap();
        committed(&fixture)
    };
    let found = interrupted();
    let announced = fixture.stdout(&["store", "gc", "--unfinished", "--dry-run"]);
    assert!(announced.starts_with(&format!("{found} results (")) && announced.contains("would be removed, 0 kept"));
    assert_eq!(committed(&fixture), found);
    fixture.stdout(&["store", "gc", "--unfinished"]);
    assert_eq!(committed(&fixture), 0);
    let found = interrupted();
    let runs = fixture.outputs().join(".store/v1/runs");
    let record = fs::read_dir(runs).unwrap().next().expect("one unfinished run").unwrap().path();
    let content = fs::read_to_string(&record).unwrap();
    let (head, keys) = content.split_once('\n').unwrap();
    let mut head: serde_json::Value = serde_json::from_str(head).unwrap();
    head["since"] = (head["since"].as_u64().unwrap() - 31 * 24 * 60 * 60).into();
    fs::write(&record, format!("{head}\n{keys}")).unwrap();
    let collected = fixture.stdout(&["store", "gc"]);
    assert!(collected.starts_with(&format!("{found} results (")), "{collected}");
    assert!(
        collected.contains("the unfinished run of `many`, begun 31 days ago, is older than 30 days and given up"),
        "{collected}"
    );
    assert_eq!(committed(&fixture), 0);
}

/// Stops a run with a signal, within a second and with the status that shells know it by, and goes on.
fn stopped_by(name: &str, status: i32) {
    let fixture = Fixture::new().pipeline(SMALL);
    let options = ["--set", "matrix.seed.count=60", "--as", "many"];
    let mut run = fixture.spawn(&[&["pipeline", "small"], &options[..]].concat());
    assert!(wait_for(&mut run, &fixture, 8));
    let asked = Instant::now();
    signal(&run, name);
    let output = run.wait_with_output().unwrap();
    let waited = asked.elapsed();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{message}");
    assert!(waited < Duration::from_secs(1), "stopped after {waited:?}");
    assert!(message.contains("interrupted; what was finished is kept"), "{message}");
    assert!(!fixture.outputs().join("many").exists(), "no partial output");
    nothing_is_pending(&fixture);
    let found = committed(&fixture);
    assert!(found >= 8);
    fixture.with(&options).run().hits(found).verified();
}

#[test]
fn ctrl_c_stops_within_a_second_and_the_next_run_goes_on() {
    stopped_by("INT", 130);
}

#[test]
fn a_polite_kill_and_a_closed_terminal_stop_a_run_likewise() {
    stopped_by("TERM", 143);
    stopped_by("HUP", 129);
}

fn signal(run: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &run.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

// ---------------------------------------------------------------------------------------------------- side by side

#[test]
fn two_runs_at_once_both_succeed_with_one_result_a_key() {
    let fixture = Fixture::new().pipeline(SMALL);
    let runs = [(); 2].map(|()| fixture.spawn(&["pipeline", "small", "--jobs", "2"]));
    for run in runs {
        let output = run.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    assert_eq!(committed(&fixture), SMALL_TASKS);
    nothing_is_pending(&fixture);
    assert_eq!(fixture.digests("small"), *undisturbed());
    fixture.run().hits_all().verified();
}

#[test]
fn four_equal_runs_at_once_compute_each_task_once() {
    let (alone, together) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let digests = |outputs: &Path| {
        let manifest = fs::read(outputs.join("smoke/manifest.json")).unwrap();
        common::digests(&serde_json::from_slice(&manifest).unwrap())
    };
    assert!(smoke(alone.path(), &["--quiet"]).status.success());
    let runs: Vec<std::process::Output> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| smoke(together.path(), &["--json"]))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let mut tasks = 0;
    for output in &runs {
        assert!(output.status.success(), "{}", text(&output.stderr));
        let record: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(record["tasks_run"].as_u64().unwrap() + record["tasks_cached"].as_u64().unwrap(), 25, "{record}");
        tasks += record["tasks_run"].as_u64().unwrap();
    }
    assert_eq!(tasks, 25, "each task once, whoever ran it");
    assert_eq!(digests(together.path()), digests(alone.path()));
    for left in ["leases", "runs", "pending"] {
        let folder = together.path().join(".store/v1").join(left);
        assert!(fs::read_dir(folder).unwrap().next().is_none(), "{left}");
    }
}

/// Whether a run holds the lease of a result that is not there yet.
fn is_at_work(fixture: &Fixture) -> bool {
    let store = fixture.outputs().join(".store/v1");
    let leases = fs::read_dir(store.join("leases")).into_iter().flatten().flatten();
    leases.into_iter().any(|lease| {
        let key = lease.file_name().into_string().unwrap();
        let is_there = store.join("results").join(&key[..2]).join(&key).join("commit.json").exists();
        let is_held = |file: fs::File| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock));
        !is_there && fs::File::open(lease.path()).is_ok_and(is_held)
    })
}

/// Stops a run in the middle of a task, not between two; false if it ended before.
fn stop_at_work(run: &mut Child, fixture: &Fixture) -> bool {
    while run.try_wait().unwrap().is_none() {
        signal(run, "STOP");
        if is_at_work(fixture) {
            return true;
        }
        signal(run, "CONT");
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

/// A run of one job that is stopped in the middle of a task, and another that has done all that it can without it.
fn waiting_for_another() -> (Fixture, Child, Child) {
    let (fixture, holder) = loop {
        let fixture = Fixture::new().pipeline(SMALL);
        let mut holder = fixture.spawn(&["pipeline", "small", "--jobs", "1"]);
        assert!(wait_for(&mut holder, &fixture, 1));
        if stop_at_work(&mut holder, &fixture) {
            break (fixture, holder);
        }
    };
    let mut waiter = fixture.spawn(&["pipeline", "small"]);
    let mut said = String::new();
    let mut stderr = std::io::BufReader::new(waiter.stderr.take().unwrap());
    while !said.contains("another run is making") {
        assert!(std::io::BufRead::read_line(&mut stderr, &mut said).unwrap() > 0, "{said}");
    }
    assert!(said.contains("waiting for it"), "{said}");
    // Nobody reads on: a line more would find a closed pipe, which the program takes for the end of the reader.
    std::thread::spawn(move || std::io::Read::read_to_string(&mut stderr, &mut said));
    (fixture, holder, waiter)
}

#[test]
fn a_holder_that_is_killed_lets_the_others_finish() {
    let (fixture, mut holder, waiter) = waiting_for_another();
    assert!(committed(&fixture) < SMALL_TASKS);
    holder.kill().unwrap();
    holder.wait().unwrap();
    let output = waiter.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(committed(&fixture), SMALL_TASKS);
    assert_eq!(fixture.digests("small"), *undisturbed());
    fixture.run().hits_all().verified();
}

#[test]
fn a_run_that_waits_for_another_can_be_interrupted() {
    let (fixture, holder, waiter) = waiting_for_another();
    let asked = Instant::now();
    signal(&waiter, "INT");
    assert_eq!(waiter.wait_with_output().unwrap().status.code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(1), "stopped after {:?}", asked.elapsed());
    signal(&holder, "CONT");
    assert!(holder.wait_with_output().unwrap().status.success());
    assert_eq!(fixture.digests("small"), *undisturbed());
}

#[test]
fn a_reader_never_sees_half_of_a_published_folder() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    let expected = fixture.digests("small");
    // Both publish the same folder anew, over and over, while it is read.
    let mut writers: Vec<Child> = (0..2).map(|_| publishing_again(&fixture)).collect();
    let mut left = 4;
    let mut reads = 0;
    while left > 0 {
        for writer in &mut writers {
            if writer.try_wait().unwrap().is_some_and(|status| {
                assert!(status.success());
                left -= 1;
                left > 0
            }) {
                *writer = publishing_again(&fixture);
            }
        }
        // Opened once, as a shell's working directory or DuckDB's glob would: the old folder or the new one, never both.
        assert_eq!(fixture.digests("small"), expected);
        let accuracy = fs::read(fixture.outputs().join("small/accuracy.parquet")).expect("the table is there");
        assert_eq!(blake3::hash(&accuracy).to_hex().as_str(), expected["accuracy"]);
        reads += 1;
    }
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    assert!(reads > 10, "read while it was switched");
    fixture.verified();
}

fn publishing_again(fixture: &Fixture) -> Child {
    fixture.spawn(&["pipeline", "small", "--force", "last", "--quiet"])
}

#[test]
fn the_same_digests_with_one_job_and_with_two() {
    for jobs in ["1", "2"] {
        let fixture = Fixture::new().pipeline(SMALL).with(&["--jobs", jobs]).run();
        assert_eq!(fixture.digests("small"), *undisturbed(), "{jobs} jobs");
    }
}

#[test]
fn the_same_digests_on_every_set_of_instructions() {
    for backend in Backend::available() {
        let fixture = Fixture::new().pipeline(SMALL);
        let mut command = fixture.command(&["pipeline", "small", "--quiet"]);
        assert!(command.env("OJAFLOW_KERNELS", backend.to_string()).status().unwrap().success());
        assert_eq!(fixture.digests("small"), *undisturbed(), "{backend}");
    }
}

#[test]
fn instructions_that_there_are_not_are_refused_before_anything_runs() {
    let fixture = Fixture::new().pipeline(SMALL);
    let output = fixture.command(&["pipeline", "small"]).env("OJAFLOW_KERNELS", "abacus").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(message.contains("OJAFLOW_KERNELS") && message.contains("portable"), "{message}");
    assert!(!fixture.outputs().exists());
}

// ------------------------------------------------------------------------------------------------------- damaged results

/// Damages a stored file, runs what reads it, and asserts that the damage is named and repaired.
fn repaired(file: &str, damage: impl Fn(&Path), reader: &[&str]) {
    let fixture = Fixture::new().pipeline(SMALL).run();
    let path = fixture.stored(file);
    damage(&path);
    let verified = fixture.output(&["store", "verify"]);
    assert_eq!(verified.status.code(), Some(1));
    let named = path.strip_prefix(fixture.path("")).unwrap().display().to_string();
    assert!(text(&verified.stdout).contains(&format!("{named} is damaged")), "{}", text(&verified.stdout));
    let output = fixture.output(&[&["pipeline", "small"], reader].concat());
    let message = text(&output.stderr);
    assert!(output.status.success(), "{message}");
    assert!(message.contains(&format!("{named} is damaged")) && message.contains("runs again"), "{message}");
    assert_eq!(fixture.digests("small"), *undisturbed());
    fixture.run().hits_all().verified();
}

#[test]
fn a_flipped_bit_is_noticed_named_and_repaired() {
    repaired("evaluations.parquet", flip_a_bit, &["--force", "accuracy"]);
}

#[test]
fn a_truncated_part_is_noticed_named_and_repaired() {
    let truncate = |path: &Path| fs::write(path, &fs::read(path).unwrap()[..100]).unwrap();
    repaired("runs.parquet", truncate, &["--force", "activations"]);
}

#[test]
fn a_part_that_is_gone_is_noticed_named_and_repaired() {
    repaired("evaluations.parquet", |path| fs::remove_file(path).unwrap(), &["--force", "accuracy"]);
}

#[test]
fn damage_in_a_data_set_does_not_spread_to_what_is_trained_on_it() {
    repaired("dataset.parquet", flip_a_bit, &["--force", "train"]);
}

#[test]
fn damage_does_not_spread_into_what_is_published() {
    repaired("weights.parquet", flip_a_bit, &["--force", "last"]);
}

#[test]
fn a_damaged_commit_record_is_a_result_that_is_not_there() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    let record = fixture.stored("evaluations.parquet").with_file_name("commit.json");
    flip_a_bit(&record);
    let verified = fixture.output(&["store", "verify"]);
    assert_eq!(verified.status.code(), Some(1));
    let found = text(&verified.stdout);
    assert!(found.contains("commit.json is damaged: it does not match its digest"), "{found}");
    let fixture = fixture.run().hits(SMALL_TASKS - 1).reran(&["train"]);
    assert_eq!(fixture.digests("small"), *undisturbed());
    fixture.verified();
}

/// What `smoke` runs, in a store of its own.
fn smoke(outputs: &Path, more: &[&str]) -> std::process::Output {
    let mut command = common::ojaflow();
    command.current_dir(common::root()).args(["pipeline", "smoke", "--outputs"]).arg(outputs).args(more);
    command.output().unwrap()
}

#[test]
fn a_result_without_a_readable_commit_record_is_told_and_made_again_whatever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let outputs = folder.path();
    assert!(smoke(outputs, &["--quiet"]).status.success());
    let manifest = || -> serde_json::Value {
        serde_json::from_slice(&fs::read(outputs.join("smoke/manifest.json")).unwrap()).unwrap()
    };
    let before = common::digests(&manifest());
    let store = |args: &[&str]| {
        let mut command = common::ojaflow();
        command.current_dir(common::root()).arg("store").args(args).arg("--outputs").arg(outputs).output().unwrap()
    };
    let mut records = Vec::new();
    for shard in fs::read_dir(outputs.join(".store/v1/results")).unwrap() {
        let results = fs::read_dir(shard.unwrap().path()).unwrap();
        records.extend(results.map(|result| result.unwrap().path().join("commit.json")));
    }
    assert_eq!(records.len(), 25);
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 3] = [
        ("No such file", |_| {}),
        ("Is a directory", |record| fs::create_dir(record).unwrap()),
        ("symbolic link", |record| std::os::unix::fs::symlink("commit.json", record).unwrap()),
    ];
    let damage = |record: &Path, put: fn(&Path)| {
        fs::remove_file(record).unwrap();
        put(record);
    };
    // One after the other: nobody needs it, as everything is published, and yet the next run makes it again.
    for (index, record) in records.iter().enumerate() {
        damage(record, damages[index % 3].1);
        let output = smoke(outputs, &[]);
        let message = text(&output.stderr);
        assert!(output.status.success(), "{message}");
        let line = format!("{} is damaged: ", record.display());
        assert!(message.contains(&line) && message.contains("runs again"), "{message}");
    }
    // All at once, in each of the ways; the last time, everything is asked for anew besides.
    for (said, put) in damages {
        records.iter().for_each(|record| damage(record, put));
        let verified = store(&["verify"]);
        let found = text(&verified.stdout);
        for record in &records {
            assert!(found.contains(&format!("{} is damaged: ", record.display())), "{found}");
        }
        assert_eq!(found.matches(said).count(), 25, "{found}");
        let promise = "25 results are damaged; the next run that reads them makes them again";
        assert!(text(&verified.stderr).contains(promise), "{}", text(&verified.stderr));
        let output = smoke(outputs, if said == "symbolic link" { &["--force"] } else { &[] });
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("25 tasks run, 0 from the store"), "{}", text(&output.stdout));
        assert!(store(&["verify"]).status.success());
        assert_eq!(common::digests(&manifest()), before);
    }
    let output = smoke(outputs, &[]);
    assert!(text(&output.stdout).contains("0 tasks run, 25 from the store"), "{}", text(&output.stdout));
}

#[test]
fn strays_in_the_store_stop_nothing() {
    let fixture = Fixture::new().pipeline(SMALL);
    let root = fixture.outputs().join(".store/v1");
    fs::create_dir_all(root.join("results")).unwrap();
    for stray in ["results/.DS_Store", "pending"] {
        fs::write(root.join(stray), "mine").unwrap();
    }
    let fixture = fixture.run().hits(0);
    assert!(fixture.stdout(&["store", "ls"]).contains("small"));
    let verified = fixture.stdout(&["store", "verify"]);
    assert!(verified.contains("results/.DS_Store is not the store's"), "{verified}");
    assert!(verified.contains("pending.stray-1 is not the store's"), "{verified}");
    let collected = fixture.stdout(&["store", "gc"]);
    assert!(collected.starts_with("0 results") && collected.contains(" 0 leftovers"), "{collected}");
    assert_eq!(fs::read_to_string(root.join("pending.stray-1")).unwrap(), "mine");
    fixture.run().hits_all();
}

// ------------------------------------------------------------------------------------------- disks that do not take it

/// Runs a script in which `outputs` can be mounted on, in a name space of its own.
///
/// Mounting takes root, or a kernel that lets users have name spaces; `None` where there is neither.
fn where_mounting_works(fixture: &Fixture, script: &str) -> Option<std::process::Output> {
    fs::create_dir_all(fixture.outputs()).unwrap();
    for unshare in [&["--mount"][..], &["--map-root-user", "--mount"]] {
        let shell = |script: &str| {
            let mut command = Command::new("unshare");
            command.args(unshare).args(["sh", "-c", script]).current_dir(fixture.path(""));
            command.env("OJAFLOW", env!("CARGO_BIN_EXE_ojaflow")).env("OJAFLOW_DATA", common::tiny_data());
            command.output().unwrap()
        };
        if shell("mount -t tmpfs -o size=64k none outputs").status.success() {
            return Some(shell(script));
        }
    }
    None
}

#[test]
fn a_full_disk_is_a_clear_error_and_the_store_stays_sound() {
    // Full while the data set is written, while networks are trained, and while results are published.
    for kilobytes in [128, 512, 900] {
        let fixture = Fixture::new().pipeline(SMALL);
        let script = format!(
            "mount -t tmpfs -o size={kilobytes}k none outputs
             $OJAFLOW pipeline small; echo \"exit status $?\" >&2
             $OJAFLOW store verify >&2; echo \"verified $?\" >&2
             mount -o remount,size=64m outputs
             $OJAFLOW pipeline small --quiet && cat outputs/small/manifest.json"
        );
        let Some(output) = where_mounting_works(&fixture, &script) else {
            eprintln!("no mounting here; the limit on file sizes below stands in for a small disk");
            return;
        };
        let message = text(&output.stderr);
        assert!(message.contains("exit status 1") && message.contains("verified 0"), "{kilobytes} kB\n{message}");
        assert!(message.contains("No space left on device"), "{kilobytes} kB\n{message}");
        assert!(message.contains("Free some space") && message.contains("outputs/"), "{kilobytes} kB\n{message}");
        let manifest = serde_json::from_slice(&output.stdout).expect("the manifest of the run after it");
        assert_eq!(common::digests(&manifest), *undisturbed(), "{kilobytes} kB");
    }
}

#[test]
fn the_advice_on_a_full_disk_keeps_what_was_finished() {
    let fixture = Fixture::new().pipeline(SMALL);
    // Full when results are published, or shortly before.
    let script = "mount -t tmpfs -o size=900k none outputs
         $OJAFLOW pipeline small; echo \"exit status $?\" >&2
         $OJAFLOW store gc --dry-run >&2
         mount -o remount,ro outputs; $OJAFLOW store gc --dry-run >&2 || echo \"needs to write\" >&2
         mount -o remount,rw outputs; $OJAFLOW store gc >&2 || echo \"cannot collect\" >&2
         ls outputs/.store/v1/results/*/*/commit.json | wc -l >&2
         mount -o remount,size=64m outputs
         $OJAFLOW pipeline small --json";
    let Some(output) = where_mounting_works(&fixture, script) else { return };
    let message = text(&output.stderr);
    assert!(message.contains("exit status 1") && message.contains("No space left on device"), "{message}");
    assert!(!message.contains("needs to write") && !message.contains("cannot collect"), "{message}");
    assert_eq!(message.matches("kept for the unfinished run of `small`, begun ").count(), 3, "{message}");
    assert!(message.contains("0 results (0 B) removed"), "{message}");
    let finished: u64 = message.lines().rev().find_map(|line| line.trim().parse().ok()).expect("a count");
    assert!(finished > 3, "{message}");
    let record: serde_json::Value = serde_json::from_slice(&output.stdout).expect("the record of the run after it");
    assert_eq!(record["tasks_cached"], finished, "{message}");
    assert_eq!(record["tasks_run"], SMALL_TASKS as u64 - finished);
}

#[test]
fn a_file_that_cannot_grow_is_a_clear_error_and_the_store_stays_sound() {
    let fixture = Fixture::new().pipeline(SMALL);
    // Blocks of 512 bytes; not even the data set fits. The signal is ignored, so that the write itself fails.
    let limited = "trap '' XFSZ; ulimit -f 7; exec \"$0\" pipeline small";
    let mut command = Command::new("sh");
    command.args(["-c", limited, env!("CARGO_BIN_EXE_ojaflow")]).current_dir(fixture.path(""));
    let output = command.env("OJAFLOW_DATA", common::tiny_data()).output().unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("dataset.parquet") && message.contains("File too large"), "{message}");
    nothing_is_pending(&fixture);
    fixture.assert_verified();
    let fixture = fixture.run().hits(0);
    assert_eq!(fixture.digests("small"), *undisturbed());
}

#[test]
fn a_read_only_folder_is_a_clear_error() {
    let fixture = Fixture::new().pipeline(SMALL);
    let script = "mount -t tmpfs -o ro none outputs; $OJAFLOW pipeline small; echo \"exit status $?\" >&2";
    let message = match where_mounting_works(&fixture, script) {
        Some(output) => text(&output.stderr),
        None => {
            // Without root, permissions are enough.
            let mut permissions = fs::metadata(fixture.outputs()).unwrap().permissions();
            permissions.set_readonly(true);
            fs::set_permissions(fixture.outputs(), permissions).unwrap();
            let output = fixture.output(&["pipeline", "small"]);
            format!("{}exit status {}", text(&output.stderr), output.status.code().unwrap())
        }
    };
    assert!(message.contains("exit status 1"), "{message}");
    assert!(message.contains("cannot create outputs/.store"), "{message}");
    assert!(message.contains("Choose a folder that can be written with `--outputs DIR`"), "{message}");
}

#[test]
fn a_read_only_store_still_plans() {
    let fixture = Fixture::new().pipeline(SMALL);
    let script = "mount -t tmpfs -o ro none outputs; $OJAFLOW plan small && $OJAFLOW pipeline small --dry-run";
    if let Some(output) = where_mounting_works(&fixture, script) {
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    // Planning writes nothing, wherever it is done.
    fixture.stdout(&["plan", "small", "--why"]);
    assert!(fixture.files().is_empty());
}

#[test]
fn a_foreign_folder_in_the_way_is_not_touched() {
    let fixture = Fixture::new().pipeline(SMALL);
    fs::create_dir_all(fixture.outputs().join("small")).unwrap();
    fs::write(fixture.outputs().join("small/notes.txt"), "mine").unwrap();
    let output = fixture.output(&["pipeline", "small"]);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("outputs/small is in the way") && message.contains("--as"), "{message}");
    assert_eq!(fixture.files(), [PathBuf::from("small/notes.txt")], "said before anything is done");
    let fixture = fixture.with(&["--as", "elsewhere"]).run().hits(0);
    assert_eq!(fs::read_to_string(fixture.outputs().join("small/notes.txt")).unwrap(), "mine");
    assert_eq!(fixture.digests("elsewhere"), *undisturbed());
}

#[test]
fn what_people_do_to_a_published_folder_cannot_harm_the_store() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    let published = fixture.outputs().join("small");
    for part in fs::read_dir(published.join("weights").with_file_name("train_weights")).unwrap() {
        flip_a_bit(&part.unwrap().path());
    }
    fs::write(published.join("accuracy.parquet"), "edited").unwrap();
    fixture.assert_verified();
    // An edited size is noticed, and the folder published anew from the store.
    let fixture = fixture.run().hits_all();
    assert_eq!(fixture.record()["pipelines"][0]["changed"], true);
    let accuracy = fs::read(published.join("accuracy.parquet")).unwrap();
    assert_eq!(blake3::hash(&accuracy).to_hex().as_str(), undisturbed()["accuracy"]);
}

// ----------------------------------------------------------------------------------------------------------- collection

#[test]
fn collection_removes_what_nothing_refers_to() {
    let fixture = Fixture::new().pipeline(SMALL).run().edit("oja      = 0.001", "oja      = 0.002").run();
    // Two trainings, two recordings, interval, query and claims of the first run have lost their place.
    let listed = fixture.stdout(&["store", "ls"]);
    assert!(listed.contains("small") && listed.contains("nobody (`store gc` removes them)"), "{listed}");
    let announced = fixture.stdout(&["store", "gc", "--dry-run"]);
    assert!(announced.starts_with("7 results") && announced.contains("would be removed, 12 kept"), "{announced}");
    assert_eq!(committed(&fixture), SMALL_TASKS + 7);
    let removed = fixture.stdout(&["store", "gc"]);
    assert!(removed.starts_with("7 results") && removed.contains(") removed, 12 kept"), "{removed}");
    assert_eq!(committed(&fixture), SMALL_TASKS);
    assert!(!fixture.stdout(&["store", "ls"]).contains("nobody"));
    fixture.run().hits_all().verified();
}

#[test]
fn collection_beside_a_living_run_removes_nothing_that_it_needs() {
    let fixture = Fixture::new().pipeline(SMALL);
    let options = ["--set", "matrix.seed.count=30", "--as", "many"];
    let mut run = fixture.spawn(&[&["pipeline", "small"], &options[..]].concat());
    assert!(wait_for(&mut run, &fixture, 3));
    let mut collections = 0;
    while run.try_wait().unwrap().is_none() {
        let collected = fixture.stdout(&["store", "gc"]);
        // The last one may come when the run has ended, and its keys stand in the manifest instead.
        assert!(collected.starts_with("0 results"), "{collected}");
        collections += 1;
    }
    let output = run.wait_with_output().unwrap();
    let message = text(&output.stderr);
    assert!(output.status.success(), "{message}");
    assert!(collections > 0 && !message.contains("runs again"), "{message}");
    fixture.with(&options).run().hits_all().verified();
}
