//! Many workers at one store: in shares, killed, doubled, with other numbers of shares, and on machines that do not see each
//! other's locks. Whatever they did, the final run publishes the same bytes as one run alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::common::{RACE, SMALL, files_below, ojaflow, published_below, root, text, tiny_data};

/// A folder of outputs, and a pipeline that workers share.
struct Place {
    folder: TempDir,
    pipeline: PathBuf,
    data: PathBuf,
}

impl Place {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pipeline = folder.path().join("small.toml");
        fs::write(&pipeline, text).unwrap();
        Self { folder, pipeline, data: tiny_data() }
    }

    /// A shipped pipeline, over the data that it is for.
    fn shipped(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, pipeline: root().join(format!("pipelines/{name}.toml")), data: root().join("data") }
    }

    fn outputs(&self) -> PathBuf {
        self.folder.path().join("o")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = ojaflow();
        command.current_dir(root()).args(args).arg("--outputs").arg(self.outputs()).arg("--data").arg(&self.data);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn work(&self, shard: &str, more: &[&str]) -> Command {
        let pipeline = self.pipeline.to_str().unwrap();
        self.command(&[&["work", pipeline, "--shard", shard, "--jobs", "1"], more].concat())
    }

    fn pipeline(&self) -> Output {
        self.command(&["pipeline", self.pipeline.to_str().unwrap()]).output().unwrap()
    }

    fn standing(&self) -> serde_json::Value {
        let status = self.command(&["status", self.pipeline.to_str().unwrap(), "--json"]).output().unwrap();
        serde_json::from_slice(&status.stdout).unwrap_or_else(|_| panic!("{}", text(&status.stderr)))
    }

    fn published(&self) -> BTreeMap<PathBuf, blake3::Hash> {
        published_below(&self.outputs())
    }

    /// The final run: what it says, and that it publishes what one run alone does.
    #[track_caller]
    fn ends_as(&self, alone: &BTreeMap<PathBuf, blake3::Hash>) -> String {
        let last = self.pipeline();
        assert!(last.status.success(), "{}", text(&last.stderr));
        assert_eq!(self.published(), *alone);
        let verified = self.command(&["store", "verify"]).output().unwrap();
        assert!(verified.status.success(), "{}", text(&verified.stderr));
        text(&last.stdout)
    }
}

fn alone(place: &Place) -> BTreeMap<PathBuf, blake3::Hash> {
    let other =
        Place { folder: tempfile::tempdir().unwrap(), pipeline: place.pipeline.clone(), data: place.data.clone() };
    assert!(other.pipeline().status.success());
    other.published()
}

#[track_caller]
fn well(output: &Output) -> String {
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn shares_one_after_the_other_leave_to_the_final_run_what_is_gathered_and_nothing_else() {
    for more in [&[][..], &["--pack"]] {
        let place = Place::new(SMALL);
        // The first worker finds nobody at work and takes what is open; the others find it done.
        let first = well(&place.work("1/3", more).output().unwrap());
        assert!(first.contains("9 tasks run"), "{first}");
        for shard in ["2/3", "3/3", "1/3"] {
            assert!(well(&place.work(shard, more).output().unwrap()).contains(": 0 tasks run"), "{shard}");
        }
        let standing = place.standing();
        assert_eq!((standing["done"].as_u64(), standing["left"].as_u64()), (Some(9), Some(3)), "{standing}");
        assert!(place.ends_as(&alone(&place)).contains("3 tasks run, 9 from the store"));
        assert_eq!(place.standing()["left"], 0);
    }
}

#[test]
fn a_plan_with_levels_is_worked_through_to_the_end() {
    let place = Place::new(RACE);
    let workers: Vec<Child> = (1..=3).map(|n| place.work(&format!("{n}/3"), &[]).spawn().unwrap()).collect();
    for worker in workers {
        well(&worker.wait_with_output().unwrap());
    }
    // Whoever came last had seen the race to its end, or a worker that comes later does.
    well(&place.work("1/3", &[]).output().unwrap());
    let alone = alone(&place);
    let last = place.ends_as(&alone);
    assert!(last.contains("0 tasks run") || last.contains("1 tasks run"), "{last}");
}

#[test]
fn another_plan_than_the_one_that_was_shared_out_is_refused() {
    let place = Place::new(SMALL);
    let digest = place.standing()["plan"].as_str().unwrap().to_owned();
    well(&place.work("1/2", &["--expect", &digest]).output().unwrap());
    let other = place.work("1/2", &["--expect", &digest, "--set", "rules.bp.gradient=0.02"]).output().unwrap();
    assert_eq!(other.status.code(), Some(2));
    assert!(text(&other.stderr).contains("the plan here is"), "{}", text(&other.stderr));
}

#[test]
fn what_fails_is_named_by_who_keeps_going_and_by_status_and_the_rest_is_done() {
    let two_sets =
        SMALL.replace("[matrix]", "[matrix]\ndataset = [\"tiny\", \"other\"]").replace("dataset = \"tiny\"\n", "");
    let mut place = Place::new(&two_sets);
    place.data = place.folder.path().join("data");
    let tiny = tiny_data().join("tiny");
    for name in ["tiny", "other"] {
        let set = place.data.join(name);
        fs::create_dir_all(&set).unwrap();
        files_below(&tiny).iter().for_each(|file| assert!(fs::copy(tiny.join(file), set.join(file)).is_ok()));
    }
    // Its images are not those that it promises.
    let promise = place.data.join("other/dataset.toml");
    let promised = fs::read_to_string(&promise).unwrap();
    let sha256 = promised.lines().find(|line| line.starts_with("sha256")).unwrap();
    fs::write(&promise, promised.replace(sha256, &format!("sha256 = \"{}\"", "0".repeat(64)))).unwrap();
    for command in [&["pipeline"][..], &["work", "--shard", "1/1"]] {
        let args = [&command[..1], &[place.pipeline.to_str().unwrap(), "--keep-going"], &command[1..]].concat();
        let run = place.command(&args).output().unwrap();
        let said = text(&run.stderr);
        assert_eq!(run.status.code(), Some(1), "{said}");
        assert!(said.contains("1 tasks failed, and") && said.contains("  data dataset=other: "), "{said}");
    }
    let standing = place.standing();
    assert_eq!(standing["done"], 9, "{standing}");
    let failed = standing["failed"].as_array().unwrap();
    assert!(failed.len() == 1 && failed[0]["task"] == "data dataset=other", "{standing}");
    assert!(failed[0]["error"].as_str().unwrap().contains("train-images"), "{standing}");
}

#[test]
fn events_are_lines_of_json_of_each_task() {
    let place = Place::new(SMALL);
    let events = place.folder.path().join("events");
    well(&place.work("1/1", &["--events", events.to_str().unwrap()]).output().unwrap());
    let lines = fs::read_to_string(&events).unwrap();
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).count();
    assert_eq!((of("planned"), of("started"), of("finished"), of("failed")), (1, 9, 9, 0));
    assert!(lines.iter().all(|line| line["time"].as_f64().is_some_and(|time| time > 1.7e9)));
    let refused = place.work("1/1", &["--events", "/nowhere/events"]).output().unwrap();
    assert!(text(&refused.stderr).contains("Choose another place with `--events`"), "{}", text(&refused.stderr));
}

/// The library that hides or refuses locks; none where there is no C compiler.
fn no_locks() -> Option<PathBuf> {
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no_locks.so");
    let source = root().join("tests/fixtures/no_locks.c");
    let aside = library.with_extension(format!("{}.so", std::process::id()));
    let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&aside).arg(source).status();
    (made.is_ok_and(|status| status.success()) && fs::rename(&aside, &library).is_ok()).then_some(library)
}

/// A command as it runs on a machine of its own, where the locks of others are `unseen`, or there are `none`.
fn elsewhere(mut command: Command, host: &str, library: &Path, locks: &str) -> Command {
    command.env("OJAFLOW_HOST", host).env("LD_PRELOAD", library).env("NO_LOCKS", locks);
    command
}

#[test]
#[cfg(target_os = "linux")]
fn a_collection_on_another_machine_takes_nothing_from_a_run_whose_lock_it_does_not_see() {
    let library = no_locks().expect("a C compiler, which building the program needs as well");
    for locks in ["unseen", "none"] {
        let place = Place::new(&SMALL.replace("count = 2", "count = 12").replace("samples   = 100", "samples   = 200"));
        let mut workers: Vec<Child> = (1..=2)
            .map(|n| {
                elsewhere(place.work(&format!("{n}/2"), &[]), &format!("host {n}"), &library, locks).spawn().unwrap()
            })
            .collect();
        while workers.iter_mut().any(|worker| worker.try_wait().unwrap().is_none()) {
            let collection = place.command(&["store", "gc", "--unfinished"]);
            let collection = elsewhere(collection, "another", &library, locks).output().unwrap();
            let said = well(&collection);
            // What one that has ended left unfinished is given up, as was asked for.
            let are_both_at_work = workers.iter_mut().all(|worker| worker.try_wait().unwrap().is_none());
            assert!(!are_both_at_work || said.starts_with("0 results"), "{locks}: {said}");
        }
        for worker in workers {
            well(&worker.wait_with_output().unwrap());
        }
        place.ends_as(&alone(&place));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn one_that_was_paused_until_it_was_taken_for_dead_looks_again_and_ends_with_the_same() {
    let library = no_locks().expect("a C compiler, which building the program needs as well");
    let small = SMALL.replace("count = 2", "count = 40").replace("samples   = 100", "samples   = 200");
    let expected = alone(&Place::new(&small));
    for is_worker in [true, false] {
        let place = Place::new(&small);
        let pipeline = place.pipeline.to_str().unwrap();
        let command = match is_worker {
            true => place.work("1/2", &[]),
            false => place.command(&["pipeline", pipeline, "--jobs", "1"]),
        };
        let paused = elsewhere(command, "a host", &library, "unseen").spawn().unwrap();
        let signal = |name: &str| {
            let sent = Command::new("kill").args([name, &paused.id().to_string()]).status().unwrap();
            assert!(sent.success(), "it has ended already");
        };
        // It counts on something, and some of that is made.
        let results = place.outputs().join(".store/v1/results");
        while !results.is_dir() || files_below(&results).len() < 8 {
            std::thread::sleep(Duration::from_millis(5));
        }
        signal("-STOP");
        let runs = place.outputs().join(".store/v1/runs");
        for run in files_below(&runs) {
            let file = fs::File::options().append(true).open(runs.join(run)).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        }
        let collection = place.command(&["store", "gc", "--unfinished"]);
        let said = well(&elsewhere(collection, "another", &library, "unseen").output().unwrap());
        assert!(!said.starts_with("0 results"), "{said}");
        signal("-CONT");
        let woken = paused.wait_with_output().unwrap();
        well(&woken);
        assert!(text(&woken.stderr).contains("was taken for dead while it was paused"), "{}", text(&woken.stderr));
        place.ends_as(&expected);
    }
}

/// Kills, doubles, other numbers of shares and collections elsewhere, on pipelines that people run. Minutes.
#[test]
#[ignore = "takes minutes"]
fn workers_by_force() {
    for (name, more) in [("smoke", &[][..]), ("smoke", &["--pack"])] {
        let place = Place::shipped(name);
        let alone = alone(&place);
        let (mut kills, mut wrong) = (0, Vec::new());
        for moment in 0..20 {
            let place = Place::shipped(name);
            // Two do the same share, and one the other; the number of shares changes meanwhile.
            let mut doomed = place.work("1/2", more).spawn().unwrap();
            let others: Vec<Child> =
                ["1/2", "2/2", "3/5"].iter().map(|shard| place.work(shard, more).spawn().unwrap()).collect();
            std::thread::sleep(Duration::from_millis(40 * moment));
            kills += usize::from(doomed.try_wait().unwrap().is_none());
            doomed.kill().unwrap();
            doomed.wait().unwrap();
            let collection = place.command(&["store", "gc"]).output().unwrap();
            well(&collection);
            for other in others {
                well(&other.wait_with_output().unwrap());
            }
            let last = place.pipeline();
            if !last.status.success() || place.published() != alone {
                wrong.push(moment);
            }
        }
        println!("{name} {more:?}: 20 moments, {kills} killed at work, wrong afterwards: {wrong:?}");
        assert!(kills > 5 && wrong.is_empty());
    }
}
