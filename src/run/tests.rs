//! The scheduler, driven by fake kinds: exact, and without a network or an image.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{AsArray, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;

use super::context::Context;
use super::journal::Journal;
use super::{Manner, Run, Silent};
use crate::error::{Error, Result};
use crate::plan::{self, Disposition, Levels, Plan, Request, Statuses};
use crate::store::{Caretaking, Collection, Form, PosixStore, Purpose, Store};
use crate::tables::Table;
use crate::tables::frame::{Cell, Frame};
use crate::task::fake::Fakes;
use crate::task::{Axes, InputId, Surroundings, TableId};

const DOUBLES: &str = r#"
[matrix]
value = [1, 2, 3]
[stages.number]
kind = "number"
[stages.double]
kind = "double"
of   = "number"
[stages.total]
kind = "total"
of   = "double"
"#;

/// A project of fake stages in a temporary folder.
struct Bench {
    folder: tempfile::TempDir,
    fakes: Fakes,
    interrupt: Arc<AtomicBool>,
    file: PathBuf,
}

impl Bench {
    fn new(stages: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fake.toml");
        std::fs::write(&file, format!("[pipeline]\nname = \"fake\"\ntitle = \"fake\"\n{stages}")).unwrap();
        Self { folder, fakes: Fakes::default(), interrupt: Arc::default(), file }
    }

    fn store(&self) -> PosixStore {
        PosixStore::new(self.folder.path())
    }

    fn request(&self) -> Request {
        Request::new(self.file.display().to_string())
    }

    fn plan(&self) -> Plan {
        plan::build(&self.fakes, self.folder.path(), &self.request()).unwrap()
    }

    /// Runs on one thread, so that the order is exact, and says which tasks ran.
    fn run_with(&self, plan: &Plan, force: Option<&str>) -> (Result<usize>, Vec<String>) {
        let store = self.store();
        let session = store.session(Form::Loose).unwrap();
        let statuses = Statuses::predict(plan, &store, force).unwrap();
        let run = Run::new(plan, &store, &*session, &statuses, &Silent, &self.interrupt);
        (run.execute(&Manner::side_by_side(1)).map(|done| done.ran), self.fakes.diary.read())
    }

    fn run(&self) -> (Result<usize>, Vec<String>) {
        self.run_with(&self.plan(), None)
    }

    fn number(&self, plan: &Plan, stage: &str, table: &str) -> i64 {
        let task = plan.tasks.iter().find(|task| &*task.stage == stage).unwrap();
        value(&self.store().find(&task.key).unwrap().unwrap().read_table(table).unwrap())
    }

    /// The only file of a task's table in the store.
    fn table_file(&self, plan: &Plan, label: &str, table: &str) -> PathBuf {
        let task = plan.tasks.iter().find(|task| &*task.label == label).unwrap();
        let key = task.key.as_str();
        self.folder.path().join(format!(".store/v1/results/{}/{key}/{table}.parquet", &key[..2]))
    }
}

fn value(table: &Table) -> i64 {
    table.batches[0].column(0).as_primitive::<Int64Type>().value(0)
}

#[test]
fn a_task_runs_after_what_it_reads_and_the_longest_way_to_the_end_comes_first() {
    let bench = Bench::new(DOUBLES);
    let (result, ran) = bench.run();
    assert_eq!(result.unwrap(), 7);
    let stage = |stage: &'static str| [1, 2, 3].map(|value| format!("{stage} value={value}"));
    assert_eq!(ran, [&stage("number")[..], &stage("double"), &["total".to_owned()]].concat());
    assert_eq!(bench.number(&bench.plan(), "total", "total"), 12);
    let bench = Bench::new(&DOUBLES.replace("value = [1, 2, 3]", "plus = [1, 3, 2]").replace("total", "race"));
    let ran = bench.run().1;
    assert_eq!(ran, ["number", "double plus=3", "double plus=2", "double plus=1", "race"]);
}

#[test]
fn what_a_task_shares_is_what_its_readers_get_and_only_where_there_are_any() {
    let bench = Bench::new(DOUBLES);
    let plan = bench.plan();
    let store = bench.store();
    let session = store.session(Form::Loose).unwrap();
    let statuses = Statuses::predict(&plan, &store, None).unwrap();
    let run = Run::new(&plan, &store, &*session, &statuses, &Silent, &bench.interrupt);
    let task = |stage: &str| plan.tasks.iter().find(|task| &*task.stage == stage).unwrap();
    let context = |stage: &str| Context::new(&run, task(stage), None, &[], Journal::default());
    let (number, double, total) = (context("number"), context("double"), context("total"));
    assert!(number.is_shared("numbers") && !number.is_shared("stream"));
    assert!(!total.is_shared("total"));
    number.share("numbers", Arc::new(7_i64));
    let decode = |_: &Table| unreachable!("nothing has run, so there is no table to decode");
    assert_eq!(*double.shared(InputId(0), &decode).unwrap().downcast::<i64>().unwrap(), 7);
}

#[test]
fn what_is_handed_on_in_memory_is_read_at_once() {
    let bench = Bench::new(&DOUBLES.replace("of   = \"number\"", "of   = \"number\"\npassing = true"));
    let one = |value: i64| [format!("number value={value}"), format!("double value={value}")];
    let expected: Vec<String> = [1, 2, 3].into_iter().flat_map(one).chain(["total".to_owned()]).collect();
    assert_eq!(bench.run().1, expected);
}

#[test]
fn what_is_kept_is_not_made_again_and_a_changed_parameter_makes_its_readers_run() {
    let bench = Bench::new(DOUBLES);
    bench.run().0.unwrap();
    assert_eq!(bench.run().1, Vec::<String>::new());
    let changed = bench.request().set("stages.double.plus=1");
    let plan = plan::build(&bench.fakes, bench.folder.path(), &changed).unwrap();
    let ran = bench.run_with(&plan, None).1;
    assert_eq!(ran, ["double value=1", "double value=2", "double value=3", "total"]);
    assert_eq!(bench.number(&plan, "total", "total"), 15);
}

#[test]
fn a_forced_stage_runs_although_its_results_are_there_and_alone() {
    let bench = Bench::new(DOUBLES);
    bench.run().0.unwrap();
    let ran = bench.run_with(&bench.plan(), Some("double")).1;
    assert_eq!(ran, ["double value=1", "double value=2", "double value=3"]);
}

#[test]
fn a_table_in_passing_is_handed_on_in_memory_and_not_stored() {
    let bench = Bench::new(&DOUBLES.replace("of   = \"number\"", "of   = \"number\"\npassing = true"));
    let (result, ran) = bench.run();
    assert_eq!((result.unwrap(), ran.len()), (7, 7), "each number is made once, though it is kept and handed on");
    let plan = bench.plan();
    assert_eq!(bench.number(&plan, "total", "total"), 12);
    assert!(bench.table_file(&plan, "number value=1", "numbers").is_file());
    assert!(!bench.table_file(&plan, "number value=1", "stream").is_file());
}

#[test]
fn what_was_handed_on_is_replayed_for_a_reader_that_comes_later() {
    let bench = Bench::new(&DOUBLES.replace("of   = \"number\"", "of   = \"number\"\npassing = true"));
    bench.run().0.unwrap();
    let changed = bench.request().set("stages.double.plus=1");
    let plan = plan::build(&bench.fakes, bench.folder.path(), &changed).unwrap();
    let statuses = Statuses::predict(&plan, &bench.store(), None).unwrap();
    assert_eq!(statuses.count(Disposition::Replay), 3);
    let kept = std::fs::metadata(bench.table_file(&plan, "number value=1", "numbers")).unwrap().modified().unwrap();
    assert_eq!(bench.run_with(&plan, None).1.len(), 7);
    assert_eq!(bench.number(&plan, "total", "total"), 15);
    let after = std::fs::metadata(bench.table_file(&plan, "number value=1", "numbers")).unwrap().modified().unwrap();
    assert_eq!(kept, after, "a replay stores nothing");
}

#[test]
fn a_damaged_result_is_made_again_when_it_is_read() {
    let bench = Bench::new(DOUBLES);
    bench.run().0.unwrap();
    let plan = bench.plan();
    std::fs::write(bench.table_file(&plan, "double value=2", "doubled"), "not a table").unwrap();
    let ran = bench.run_with(&plan, Some("total")).1;
    assert_eq!(ran, ["total", "double value=2"], "the damage shows when the sum is taken");
    assert_eq!(bench.number(&plan, "total", "total"), 12);
}

#[test]
fn a_failure_stops_what_waits_for_it_and_keeps_what_is_done() {
    let bench = Bench::new(DOUBLES);
    *bench.fakes.diary.fails.lock().unwrap() = Some("double value=2".to_owned());
    let (result, ran) = bench.run();
    assert_eq!(result.unwrap_err().to_string(), "double value=2: as it was told");
    assert_eq!(ran, ["number value=1", "number value=2", "number value=3", "double value=1"]);
    *bench.fakes.diary.fails.lock().unwrap() = None;
    assert_eq!(bench.run().1, ["double value=2", "double value=3", "total"]);
}

#[test]
fn an_interruption_is_no_failure_and_the_next_run_goes_on() {
    let bench = Bench::new(DOUBLES);
    *bench.fakes.diary.interrupts.lock().unwrap() = Some(("double value=2".to_owned(), bench.interrupt.clone()));
    let (result, ran) = bench.run();
    assert!(matches!(result, Err(Error::Interrupted)));
    assert_eq!(ran.len(), 4);
    *bench.fakes.diary.interrupts.lock().unwrap() = None;
    bench.interrupt.store(false, Ordering::Relaxed);
    let (result, ran) = bench.run();
    assert_eq!((result.unwrap(), ran.len()), (3, 3));
}

/// Runs a plan so many times at once, and says which tasks ran.
fn at_once(bench: &Bench, plan: &Plan, runs: usize) -> Vec<String> {
    let store = bench.store();
    let statuses = Statuses::predict(plan, &store, None).unwrap();
    let counted: Vec<usize> = std::thread::scope(|scope| {
        let run = || {
            let session = store.session(Form::Loose).unwrap();
            let run = Run::new(plan, &store, &*session, &statuses, &Silent, &bench.interrupt);
            let executed = run.execute(&Manner::side_by_side(2)).unwrap();
            assert_eq!(
                executed.ran + executed.shared,
                (0..plan.tasks.len()).filter(|&task| statuses.runs(task)).count()
            );
            executed.ran
        };
        let runs: Vec<_> = (0..runs).map(|_| scope.spawn(run)).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let mut ran = bench.fakes.diary.read();
    assert_eq!(counted.iter().sum::<usize>(), ran.len());
    ran.sort();
    ran
}

#[test]
fn runs_at_once_share_the_work_and_end_with_the_same_results() {
    let passing = DOUBLES.replace("of   = \"number\"", "of   = \"number\"\npassing = true");
    for stages in [DOUBLES, &passing] {
        for _ in 0..20 {
            let bench = Bench::new(stages);
            let plan = bench.plan();
            let mut labels: Vec<String> = plan.tasks.iter().map(|task| task.label.to_string()).collect();
            labels.sort();
            assert_eq!(at_once(&bench, &plan, 4), labels, "each task once");
            let store = bench.store();
            assert_eq!(store.entries().unwrap().len(), 7);
            assert_eq!(bench.number(&plan, "total", "total"), 12);
            assert_eq!(store.verify().unwrap().damaged.len(), 0);
            // What was handed on is replayed, by one run for all.
            if stages != DOUBLES {
                let changed = bench.request().set("stages.double.plus=1");
                let plan = plan::build(&bench.fakes, bench.folder.path(), &changed).unwrap();
                assert_eq!(at_once(&bench, &plan, 4), labels, "each task once");
                assert_eq!(bench.number(&plan, "total", "total"), 15);
            }
        }
    }
}

#[test]
fn what_another_run_is_making_is_done_last_and_taken_over_when_that_run_ends() {
    let bench = Bench::new(DOUBLES);
    let plan = bench.plan();
    let store = bench.store();
    let other = store.session(Form::Loose).unwrap();
    let held = plan.tasks.iter().find(|task| *task.label == *"number value=1").unwrap();
    let lease = other.lease(&held.key).expect("free");
    std::thread::scope(|scope| {
        let run = scope.spawn(|| bench.run_with(&plan, None));
        let there = |label: &str| {
            let task = plan.tasks.iter().find(|task| *task.label == *label).unwrap();
            store.find(&task.key).unwrap().is_some()
        };
        while !there("double value=3") {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert!(!there("number value=1") && !there("total"));
        drop(lease);
        let (result, ran) = run.join().unwrap();
        assert_eq!((result.unwrap(), ran.len()), (7, 7));
        assert_eq!(&ran[4..], ["number value=1", "double value=1", "total"]);
    });
    // Who waits can be interrupted.
    let lease = other.lease(&held.key).expect("free");
    std::thread::scope(|scope| {
        let run = scope.spawn(|| bench.run_with(&plan, Some("")));
        std::thread::sleep(std::time::Duration::from_millis(50));
        bench.interrupt.store(true, Ordering::Relaxed);
        assert!(matches!(run.join().unwrap().0, Err(Error::Interrupted)));
    });
    drop(lease);
}

#[test]
fn a_plan_with_levels_grows_by_its_results_and_comes_out_the_same_from_the_store() {
    let bench = Bench::new(
        "[matrix]\nvalue = [1, 2]\n[stages.number]\nkind = \"number\"\n[stages.race]\nkind = \"race\"\nof = \"number_numbers\"\nuntil = 4\n\
         [stages.total]\nkind = \"total\"\nof = \"number_numbers\"",
    );
    let store = bench.store();
    let request = bench.request();
    let reader = |plan: &Plan, task: usize, table: &str| -> Result<Option<Table>> {
        Ok(store.find(&plan.tasks[task].key)?.and_then(|entry| entry.read_table(table).ok()))
    };
    let mut ran = Vec::new();
    let mut levels = Levels::new(&bench.fakes, bench.folder.path(), &request);
    let last = loop {
        let level = levels.present(reader).unwrap();
        // Four values in the end, at most.
        let values = level.plan.tasks.iter().filter(|task| &*task.stage == "number").count();
        assert_eq!(level.ahead, if level.asking.is_empty() { 0 } else { 4 - values });
        let session = store.session(Form::Loose).unwrap();
        let statuses = Statuses::predict_for(&level.plan, level.wanted(), &store, None).unwrap();
        Run::new(&level.plan, &store, &*session, &statuses, &Silent, &bench.interrupt)
            .execute(&Manner::side_by_side(1))
            .unwrap();
        ran.push(bench.fakes.diary.read());
        if level.asking.is_empty() {
            break level;
        }
    };
    let expected: [&[&str]; 4] = [
        &["number value=1", "number value=2", "race"],
        &["number value=102", "race"],
        &["number value=103", "race"],
        &["total"],
    ];
    assert_eq!(ran, expected);
    assert_eq!(last.number, 3, "three matrices were planned: two, three and four values");
    assert_eq!(bench.number(&last.plan, "total", "total"), 1 + 2 + 102 + 103);
    // From the store alone, the same plan is found at once.
    let again = Levels::new(&bench.fakes, bench.folder.path(), &request).present(reader).unwrap();
    assert_eq!((again.number, again.asking.len()), (3, 0));
    let keys = |plan: &Plan| plan.tasks.iter().map(|task| task.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&again.plan), keys(&last.plan));
}

#[test]
fn all_stages_are_forced_by_no_name() {
    let bench = Bench::new(DOUBLES);
    bench.run().0.unwrap();
    assert_eq!(bench.run_with(&bench.plan(), Some("")).1.len(), 7);
}

#[test]
fn what_another_run_has_filled_in_the_meantime_is_left_as_it_is() {
    let bench = Bench::new(DOUBLES);
    let (plan, store) = (bench.plan(), bench.store());
    let before = Statuses::predict(&plan, &store, None).unwrap();
    bench.run().0.unwrap();
    let session = store.session(Form::Loose).unwrap();
    Run::new(&plan, &store, &*session, &before, &Silent, &bench.interrupt).execute(&Manner::side_by_side(1)).unwrap();
    assert_eq!(bench.fakes.diary.read(), Vec::<String>::new());
}

#[test]
fn what_is_handed_on_is_held_for_all_its_readers_and_no_longer() {
    let two = "[stages.number]\nkind = \"number\"\n[stages.one]\nkind = \"double\"\nof = \"number\"\npassing = true\n\
               [stages.two]\nkind = \"double\"\nof = \"number\"\npassing = true\nplus = 1\n";
    for (stages, tasks) in [(two, 3), (DOUBLES, 7)] {
        let bench = Bench::new(stages);
        let (plan, store) = (bench.plan(), bench.store());
        let session = store.session(Form::Loose).unwrap();
        let statuses = Statuses::predict(&plan, &store, None).unwrap();
        let run = Run::new(&plan, &store, &*session, &statuses, &Silent, &bench.interrupt);
        run.execute(&Manner::side_by_side(1)).unwrap();
        assert_eq!(bench.fakes.diary.read().len(), tasks, "each once");
        assert!(run.state.passing.lock().unwrap().is_empty(), "what nobody waits for any more is memory lost");
    }
}

#[test]
fn a_task_that_is_replayed_needs_what_it_reads_itself() {
    let chain = "[stages.number]\nkind = \"number\"\n[stages.one]\nkind = \"double\"\nof = \"number\"\n\
                 [stages.two]\nkind = \"double\"\nof = \"one\"\npassing = true\n";
    let bench = Bench::new(chain);
    bench.run().0.unwrap();
    let changed = bench.request().set("stages.two.plus=1").set("stages.number.value=0");
    let plan = plan::build(&bench.fakes, bench.folder.path(), &changed).unwrap();
    let two = plan.tasks.iter().position(|task| &*task.stage == "two").unwrap();
    let statuses = Statuses::predict_for(&plan, [two], &bench.store(), None).unwrap();
    assert_eq!(statuses.of, [Disposition::Cached, Disposition::Replay, Disposition::Run]);
    assert_eq!(bench.run_with(&plan, None).1, ["one", "two"]);
    assert_eq!(bench.number(&plan, "two", "doubled"), 1);
}

#[test]
fn a_task_without_rows_leaves_a_table_without_rows() {
    let bench = Bench::new(&DOUBLES.replace("of   = \"double\"", "of   = \"number_numbers\""));
    *bench.fakes.diary.silent.lock().unwrap() = Some("number value=2".to_owned());
    bench.run().0.unwrap();
    let plan = bench.plan();
    assert!(bench.table_file(&plan, "number value=2", "numbers").is_file());
    assert_eq!(bench.number(&plan, "total", "total"), 1 + 3);
}

/// What the first task of a stage sees of a run over `bench` in which nothing is stored.
fn seen<T>(bench: &Bench, stage: &str, wanted: &[String], look: impl FnOnce(&dyn Surroundings) -> T) -> T {
    let (plan, store) = (bench.plan(), bench.store());
    let session = store.session(Form::Loose).unwrap();
    let statuses = Statuses::predict(&plan, &store, None).unwrap();
    let run = Run::new(&plan, &store, &*session, &statuses, &Silent, &bench.interrupt);
    let task = plan.tasks.iter().find(|task| &*task.stage == stage).unwrap();
    look(&Context::new(&run, task, None, wanted, Journal::default()))
}

#[test]
fn a_replay_is_asked_only_for_what_it_hands_on_and_rows_of_another_schema_are_refused() {
    let bench = Bench::new(DOUBLES);
    seen(&bench, "number", &["stream".to_owned()], |number| {
        assert_eq!((number.wants("stream"), number.wants("numbers")), (true, false));
        let words = StringArray::from(vec!["three"]);
        let rows = RecordBatch::try_from_iter([("number", Arc::new(words) as _)]).unwrap();
        let refused = number.write("stream", rows).unwrap_err();
        assert!(matches!(refused, Error::Internal { .. }), "{refused:?}");
    });
}

#[test]
fn a_column_that_is_an_axis_is_seen_as_the_table_has_it_or_as_the_matrix_has_it() {
    let bundles = "[matrix.number.one]\nnumber.value = 1\n[matrix.number.two]\nnumber.value = 2\n[stages.number]\n\
                   kind = \"number\"\n[stages.total]\nkind = \"total\"\nof = \"number_numbers\"\n";
    let bench = Bench::new(bundles);
    bench.run().0.unwrap();
    seen(&bench, "total", &[], |total| {
        let own = total.gathered(TableId(0), Axes::Own).unwrap();
        assert_eq!(own.column(0).as_primitive::<Int64Type>().values(), &[1, 2]);
        let by_matrix = Frame::new("numbers", total.gathered(TableId(0), Axes::Matrix).unwrap());
        assert_eq!(by_matrix.cells("number").unwrap(), [Cell::Text("one".into()), Cell::Text("two".into())]);
    });
}

#[test]
fn who_keeps_going_does_all_that_does_not_depend_on_what_failed() {
    let bench = Bench::new(DOUBLES);
    let (plan, store) = (bench.plan(), bench.store());
    *bench.fakes.diary.fails.lock().unwrap() = Some("number value=2".to_owned());
    let carry_out = |keep_going| {
        let session = store.session(Form::Loose).unwrap();
        let statuses = Statuses::predict(&plan, &store, None).unwrap();
        let run = Run::new(&plan, &store, &*session, &statuses, &Silent, &bench.interrupt);
        run.execute(&Manner { keep_going, ..Manner::side_by_side(1) })
    };
    let done = carry_out(true).unwrap();
    assert_eq!(bench.fakes.diary.read(), ["number value=1", "number value=3", "double value=1", "double value=3"]);
    let failed: Vec<&str> = done.failures.iter().map(|failure| &*plan.tasks[failure.task].label).collect();
    assert_eq!((done.ran, done.shared, failed, done.left), (4, 0, vec!["number value=2"], 2));
    let note = store.recall(&super::failure_note(&plan.tasks[done.failures[0].task].key)).expect("the store knows");
    assert!(String::from_utf8(note).unwrap().contains("as it was told"));
    assert!(matches!(carry_out(false), Err(Error::Numerics { .. })));
}

#[test]
fn when_the_time_is_up_nothing_is_begun_but_what_was_handed_on_is_read() {
    let bench = Bench::new(&DOUBLES.replace("of   = \"number\"", "of   = \"number\"\npassing = true"));
    let (plan, store) = (bench.plan(), bench.store());
    let session = store.session(Form::Loose).unwrap();
    let statuses = Statuses::predict(&plan, &store, None).unwrap();
    let run = Run::new(&plan, &store, &*session, &statuses, &Silent, &bench.interrupt);
    let over = Manner { until: Some(std::time::Instant::now()), ..Manner::side_by_side(1) };
    let done = run.execute(&over).unwrap();
    assert_eq!((done.ran, done.left, bench.fakes.diary.read().len()), (0, 7, 0));
}

#[test]
fn what_another_run_is_at_is_left_to_it() {
    let bench = Bench::new(DOUBLES);
    let (plan, store) = (bench.plan(), bench.store());
    let other = store.session(Form::Loose).unwrap();
    let held = plan.tasks.iter().find(|task| *task.label == *"number value=1").unwrap();
    let _lease = other.lease(&held.key).expect("free");
    assert!(store.leased().unwrap().contains(&held.key));
    let statuses = Statuses::predict(&plan, &store, None).unwrap();
    let session = store.session(Form::Loose).unwrap();
    let run = Run::new(&plan, &store, &*session, &statuses, &Silent, &bench.interrupt);
    let left = vec![true; plan.tasks.len()];
    let done = run.execute(&Manner { left_to_others: Some(&left), ..Manner::side_by_side(1) }).unwrap();
    assert_eq!((done.ran, done.left), (4, 3), "and nobody waits for it");
}

/// What a sweep costs apart from its trainings, by its size: kinds that do nothing, results in packs. `OJAFLOW_SWEEP=1000000` goes
/// that far.
#[test]
#[ignore = "takes minutes"]
fn a_sweep_by_its_size() {
    let largest = std::env::var("OJAFLOW_SWEEP").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    println!(
        "| results | files | bytes | plan | run | status | listing | collection |\n|---|---|---|---|---|---|---|---|"
    );
    for n in (3..).map(|power| 10_usize.pow(power)).take_while(|n| *n <= largest) {
        let bench = Bench::new(&format!(
            "[matrix]\nvalue = {{ first = 0, count = {n} }}\n[stages.number]\nkind = \"number\"\n"
        ));
        let started = std::time::Instant::now();
        let mut lap = {
            let mut last = started;
            move || {
                let seconds = last.elapsed().as_secs_f64();
                last = std::time::Instant::now();
                seconds
            }
        };
        let request = Request { large: true, ..bench.request() };
        let plan = plan::build(&bench.fakes, bench.folder.path(), &request).unwrap();
        let store = bench.store();
        let statuses = Statuses::predict(&plan, &store, None).unwrap();
        let planned = lap();
        let session = store.session(Form::Packed).unwrap();
        let keys: Vec<_> = plan.tasks.iter().map(|task| &task.key).collect();
        let purpose = Purpose { pipeline: "fake".into(), plan: "fake".into(), since: 0 };
        session.protect(&purpose, &keys).unwrap();
        let run = Run::new(&plan, &store, &*session, &statuses, &Silent, &bench.interrupt);
        let done = run.execute(&Manner::side_by_side(2)).unwrap();
        session.settle().unwrap();
        let ran = lap();
        // As another process has it.
        let other = bench.store();
        let there = Statuses::predict(&plan, &other, None).unwrap();
        let looked = lap();
        let entries = other.entries().unwrap();
        let listed = lap();
        let how = Collection { dry_run: false, unfinished: false, now: 0 };
        let collected = other.collect(&Default::default(), &how).unwrap();
        let swept = lap();
        assert_eq!((done.ran, there.count(Disposition::Cached), entries.len(), collected.kept), (n, n, n, n));
        let (files, bytes) = size_of(&bench.folder.path().join(".store"));
        println!(
            "| {n} | {files} | {bytes} | {planned:.2} s | {ran:.1} s | {looked:.2} s | {listed:.2} s | {swept:.2} s |"
        );
    }
}

/// Files below a folder, and their size.
fn size_of(folder: &std::path::Path) -> (usize, u64) {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.fold((0, 0), |(files, bytes), path| {
        let (more, larger) = if path.is_dir() { size_of(&path) } else { (1, path.metadata().unwrap().len()) };
        (files + more, bytes + larger)
    })
}
