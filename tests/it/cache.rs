//! What is found in the store and what runs again: one test for each part of a key, and one for each thing that must not
//! be a part of it. Every [`Fixture::run`] checks besides that the plan made before it was right.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use crate::common::{self, Fixture, SMALL, SMALL_TASKS};
use serde_json::Value;

/// Everything that depends on a training.
const ALL_BUT_DATA: [&str; 5] = ["train", "activations", "accuracy", "last", "claims"];
/// Everything that depends on the accuracies only.
const SUMMARIES: [&str; 3] = ["accuracy", "last", "claims"];

// ------------------------------------------------------------------------------------------------------- found and run

#[test]
fn a_second_run_finds_everything() {
    Fixture::new().pipeline(SMALL).run().hits(0).run().hits_all().hits(SMALL_TASKS);
}

#[test]
fn an_edit_taken_back_finds_everything_again() {
    Fixture::new()
        .pipeline(SMALL)
        .run()
        .edit("samples   = 100", "samples   = 100\ninit = \"kaiming\"")
        .run()
        .hits(1)
        .edit("\ninit = \"kaiming\"", "")
        .run()
        .hits_all();
}

#[test]
fn more_seeds_keep_those_that_are_there() {
    // Data and the four trainings with their activations stay; two trainings with activations and all summaries are new.
    Fixture::new().pipeline(SMALL).run().edit("count = 2", "count = 3").run().hits(9).reran(&ALL_BUT_DATA);
}

// --------------------------------------------------------------------------------------- what is part of a key, by stage

/// What would run after an edit of [`SMALL`], where [`SMALL`] itself has been run.
struct After {
    tasks: Vec<Value>,
}

fn after(from: &str, to: &str) -> After {
    static DONE: OnceLock<Fixture> = OnceLock::new();
    let done = DONE.get_or_init(|| Fixture::new().pipeline(SMALL).run());
    let edited = Fixture::new().pipeline(SMALL).edit(from, to);
    let outputs = done.outputs();
    let args = ["plan", "small", "--format", "json", "--outputs", outputs.to_str().unwrap()];
    After { tasks: serde_json::from_str(&edited.stdout(&args)).unwrap() }
}

impl After {
    /// Asserts that these stages, and no others, have a task to run.
    fn runs(self, stages: &[&str]) -> Self {
        let mut found: Vec<&str> = self.running().map(|task| task["stage"].as_str().unwrap()).collect();
        found.dedup();
        assert_eq!(found, stages);
        self
    }

    fn tasks_of(self, stage: &str, expected: usize) -> Self {
        assert_eq!(self.running().filter(|task| task["stage"] == stage).count(), expected, "tasks of {stage}");
        self
    }

    fn runs_nothing(self) {
        self.runs(&[]);
    }

    fn running(&self) -> impl Iterator<Item = &Value> {
        self.tasks.iter().filter(|task| task["status"] != "cached")
    }
}

/// An edit that adds a line to the training.
fn with_training(line: &str) -> After {
    after("samples   = 100", &format!("samples   = 100\n{line}"))
}

#[test]
fn coefficient_invalidates_cache() {
    after("oja      = 0.001", "oja      = 0.002").runs(&ALL_BUT_DATA).tasks_of("train", 2).tasks_of("activations", 2);
}

#[test]
fn term_invalidates_cache() {
    after("oja      = 0.001", "decay    = 0.001").runs(&ALL_BUT_DATA).tasks_of("train", 2);
}

#[test]
fn coefficients_by_layer_invalidate_cache() {
    after("oja      = 0.001", "oja      = [0.001, 0.002]").runs(&ALL_BUT_DATA).tasks_of("train", 2);
}

#[test]
fn layers_invalidate_cache() {
    after("[784, 12, 10]", "[784, 13, 10]").runs(&ALL_BUT_DATA).tasks_of("train", 4);
}

#[test]
fn activation_invalidates_cache() {
    with_training("activation = \"tanh\"").runs(&ALL_BUT_DATA);
}

#[test]
fn beta_invalidates_cache() {
    with_training("activation = { softplus = { beta = 9 } }").runs(&ALL_BUT_DATA);
}

#[test]
fn init_invalidates_cache() {
    with_training("init = \"kaiming\"").runs(&ALL_BUT_DATA);
}

#[test]
fn feedback_invalidates_cache() {
    with_training("feedback = \"random\"").runs(&ALL_BUT_DATA);
}

#[test]
fn seed_invalidates_cache() {
    after("first = 0", "first = 2").runs(&ALL_BUT_DATA).tasks_of("train", 4);
}

#[test]
fn samples_invalidate_cache() {
    after("samples   = 100", "samples   = 110").runs(&ALL_BUT_DATA);
}

#[test]
fn schedule_invalidates_cache() {
    after("{ every = 50 }", "{ every = 25 }").runs(&ALL_BUT_DATA);
}

#[test]
fn snapshots_invalidate_cache() {
    after("[0, 100]", "[0, 50, 100]").runs(&ALL_BUT_DATA);
}

#[test]
fn evaluate_on_invalidates_cache() {
    with_training("evaluate_on = \"tuning\"").runs(&ALL_BUT_DATA);
}

#[test]
fn measured_layers_invalidate_cache() {
    after("layers  = [1]", "layers  = [1, 2]").runs(&["activations"]).tasks_of("activations", 4);
}

#[test]
fn measured_steps_invalidate_cache() {
    after("steps   = [100]", "steps   = [0, 100]").runs(&["activations"]);
}

#[test]
fn measured_samples_invalidate_cache() {
    after("samples = 50", "samples = 40").runs(&["activations"]);
}

#[test]
fn measured_split_invalidates_cache() {
    after("samples = 50", "samples = 50\nsplit = \"tuning\"").runs(&["activations"]);
}

#[test]
fn value_invalidates_cache() {
    after("value     = \"accuracy\"", "value     = \"loss\"").runs(&SUMMARIES);
}

#[test]
fn where_invalidates_cache() {
    after("resamples = 99", "resamples = 99\nwhere = { step = 100 }").runs(&SUMMARIES);
}

#[test]
fn difference_invalidates_cache() {
    let paired = "[[claims]]\nid = \"S2\"\nstatement = \"s\"\nof = \"gain\"\nless_than = 1\n\n[stages.gain]\nkind = \"bootstrap\"\n\
                  of = \"train_evaluations\"\nvalue = \"accuracy\"\n\
                  difference = { column = \"rule\", of = \"bp_oja\", minus = \"bp\" }\n\n[[claims]]";
    after("[[claims]]", paired).runs(&["gain", "claims"]);
}

#[test]
fn mean_over_invalidates_cache() {
    let averaged = "resamples = 99\n\n[stages.mean]\nkind = \"bootstrap\"\nof = \"train_evaluations\"\n\
                    value = \"accuracy\"\nresamples = 99\nmean_over = [\"step\"]";
    after("resamples = 99", averaged).runs(&["mean"]);
}

#[test]
fn when_diverged_invalidates_cache() {
    after("resamples = 99", "resamples = 99\nwhen_diverged = 0.1").runs(&SUMMARIES);
}

#[test]
fn resamples_invalidate_cache() {
    after("resamples = 99", "resamples = 51").runs(&SUMMARIES);
}

#[test]
fn level_invalidates_cache() {
    after("resamples = 99", "resamples = 99\nlevel = 0.95").runs(&SUMMARIES);
}

#[test]
fn resampling_seed_invalidates_cache() {
    after("resamples = 99", "resamples = 99\nseed = 1").runs(&SUMMARIES);
}

#[test]
fn query_invalidates_cache() {
    after("WHERE step = 100", "WHERE step = 50").runs(&["last"]);
}

#[test]
fn threshold_invalidates_cache() {
    after("greater_than = -100.0", "greater_than = 0.5").runs(&["claims"]);
}

#[test]
fn content_of_the_data_set_invalidates_cache() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    // The same name, one label more of class 1: other checksums, another data set.
    let changed = fixture.path("changed");
    copy(&common::tiny_data(), &changed);
    let source = fixture.path("source");
    copy(&changed.join("tiny"), &source);
    fs::remove_file(source.join("dataset.toml")).unwrap();
    common::edit_gz(&source.join("t10k-labels-idx1-ubyte.gz"), |bytes| bytes[8] = 1);
    fs::remove_dir_all(changed.join("tiny")).unwrap();
    let changed = changed.to_str().unwrap();
    fixture.stdout(&["data", "import", source.to_str().unwrap(), "--as", "tiny", "--data", changed]);
    fixture.with(&["--data", changed]).run().hits(0);
}

// ---------------------------------------------------------------------------------------- what is not part of any key

#[test]
fn how_a_number_is_written_does_not_invalidate_cache() {
    after("oja      = 0.001", "oja      = 1e-3").runs_nothing();
}

#[test]
fn how_a_schedule_is_written_does_not_invalidate_cache() {
    after("{ every = 50 }", "[100, 0, 50, 50]").runs_nothing();
}

#[test]
fn how_an_axis_is_written_does_not_invalidate_cache() {
    after("{ first = 0, count = 2 }", "[0, 1]").runs_nothing();
}

#[test]
fn a_default_spelled_out_does_not_invalidate_cache() {
    with_training("init = \"xavier\"\nactivation = { softplus = { beta = 10 } }\nfeedback = \"symmetric\"")
        .runs_nothing();
}

#[test]
fn a_comment_does_not_invalidate_cache() {
    after("[matrix]", "# two rules, two seeds\n[matrix]").runs_nothing();
}

#[test]
fn the_title_does_not_invalidate_cache() {
    after("Small enough", "Still small enough").runs_nothing();
}

#[test]
fn a_rule_by_another_name_is_trained_once() {
    // Training does not know what its rule is called. Summaries do: the name stands in their rows.
    let renamed = SMALL.replace("bp_oja", "with_oja");
    let fixture = Fixture::new().pipeline(SMALL).run().pipeline(&renamed).run();
    fixture.hits(9).reran(&SUMMARIES);
}

#[test]
fn renaming_a_stage_does_not_invalidate_cache() {
    let renamed =
        SMALL.replace("[stages.train]", "[stages.learning]").replace("of      = \"train\"", "of = \"learning\"");
    let renamed = renamed.replace("train_evaluations", "learning_evaluations");
    let fixture = Fixture::new().pipeline(SMALL).run().pipeline(&renamed).run();
    // What gathers tables names them in its key, so the interval over `learning_evaluations` is worked out again.
    fixture.hits(9).reran(&SUMMARIES);
}

#[test]
fn order_of_the_rules_does_not_invalidate_a_training() {
    let fixture = Fixture::new().pipeline(SMALL).run().edit("[\"bp\", \"bp_oja\"]\nseed", "[\"bp_oja\", \"bp\"]\nseed");
    // Rows come in another order, so what gathers them runs.
    fixture.run().hits(9).reran(&SUMMARIES);
}

#[test]
fn job_count_does_not_invalidate_cache() {
    Fixture::new().pipeline(SMALL).with(&["--jobs", "1"]).run().with(&["--jobs", "3"]).run().hits_all();
}

#[test]
fn place_of_the_data_does_not_invalidate_cache() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    let elsewhere = fixture.path("elsewhere");
    copy(&common::tiny_data(), &elsewhere);
    fixture.with(&["--data", elsewhere.to_str().unwrap()]).run().hits_all();
}

#[test]
fn name_of_the_data_set_does_not_invalidate_cache() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    let elsewhere = fixture.path("elsewhere");
    copy(&common::tiny_data(), &elsewhere);
    fs::rename(elsewhere.join("tiny"), elsewhere.join("digits")).unwrap();
    let elsewhere = elsewhere.to_str().unwrap();
    fixture.edit("\"tiny\"", "\"digits\"").with(&["--data", elsewhere]).run().hits_all();
}

#[test]
fn kernels_do_not_invalidate_cache() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    let output = fixture.command(&["pipeline", "small", "--json"]).env("OJAFLOW_KERNELS", "portable").output().unwrap();
    let record: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(record["tasks_run"], 0);
}

// --------------------------------------------------------------------------------------------- options of a run

#[test]
fn forcing_a_stage_runs_it_and_nothing_else() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    let before = fixture.digests("small");
    let fixture = fixture.with(&["--force", "train"]).run().hits(SMALL_TASKS - 4).reran(&["train"]);
    assert_eq!(fixture.digests("small"), before, "what is made anew comes out as before");
}

#[test]
fn forcing_everything_runs_everything() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    let before = fixture.digests("small");
    let fixture = fixture.with(&["--force"]).run().hits(0);
    assert_eq!(fixture.digests("small"), before);
}

/// What each stage took is told on request; of what was found, nothing.
#[test]
fn timings_count_what_ran() {
    let fixture = Fixture::new().pipeline(SMALL);
    let rows = || -> Vec<(String, usize)> {
        let output = fixture.command(&["pipeline", "small", "--timings"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let table = said.split("worker time").nth(1).unwrap_or_else(|| panic!("no timings in:\n{said}"));
        let mut rows: Vec<_> = table
            .lines()
            .skip(1)
            .map(|row| row.split_whitespace().take(2).collect::<Vec<_>>())
            .map(|cells| (cells[0].to_owned(), cells[1].parse().unwrap()))
            .collect();
        rows.sort();
        rows
    };
    let first = rows();
    assert_eq!(first.iter().map(|(_, tasks)| tasks).sum::<usize>(), SMALL_TASKS);
    assert!(first.contains(&("train".into(), 4)) && first.contains(&("data".into(), 1)), "{first:?}");
    assert_eq!(rows(), []);
}

#[test]
fn running_to_a_stage_leaves_out_what_it_does_not_need() {
    let fixture = Fixture::new().pipeline(SMALL).with(&["--to", "accuracy"]).run().hits(0);
    let fixture = fixture.reran(&["data", "train", "accuracy"]);
    assert!(!fixture.outputs().join("small").exists(), "a part does not pass for the whole");
    assert_eq!(fixture.published_beside().len(), 1);
    fixture.with(&[]).run().hits(6);
}

#[test]
fn a_dry_run_says_what_the_plan_says_and_writes_nothing() {
    let fixture = Fixture::new().pipeline(SMALL);
    let dry = fixture.stdout(&["pipeline", "small", "--dry-run", "--json"]);
    assert_eq!(dry, fixture.stdout(&["plan", "small", "--format", "json"]));
    assert!(!fixture.outputs().exists());
}

#[test]
fn the_plan_predicts_what_runs_by_key() {
    let fixture = Fixture::new().pipeline(SMALL).run().edit("oja      = 0.001", "oja      = 0.002");
    let stored = |fixture: &Fixture| -> Vec<String> {
        let results = fixture.files().into_iter().filter(|path| path.ends_with("commit.json"));
        results.map(|path| path.iter().nth(4).unwrap().to_str().unwrap().to_owned()).collect()
    };
    let before = stored(&fixture);
    let plan = fixture.plan();
    let mut expected: Vec<&str> =
        plan.iter().filter(|task| task["status"] == "run").map(|task| task["key"].as_str().unwrap()).collect();
    expected.sort_unstable();
    assert_eq!(expected.len(), 7, "two trainings, two recordings, interval, query, claims");
    let fixture = fixture.run();
    let new: Vec<String> = stored(&fixture).into_iter().filter(|key| !before.contains(key)).collect();
    assert_eq!(new, expected);
}

#[test]
fn why_names_the_coefficient_that_changed() {
    let fixture = Fixture::new().pipeline(SMALL).run().edit("oja      = 0.001", "oja      = 0.002");
    let why = fixture.stdout(&["plan", "small", "--why"]);
    let reasons = &why[why.find("\n\n").expect("reasons stand below the table")..];
    insta::assert_snapshot!(reasons.trim(), @r"
    train (2 tasks, the first: train rule=bp_oja seed=0)
        coefficients.oja: 0.001 → 0.002
    activations (2 tasks, the first: activations rule=bp_oja seed=0)
        its input `runs` changed; its input `weights` changed
    accuracy
        2 parts of its input `train_evaluations` changed; 2 parts of its input `train_runs` changed
    last
        its input `accuracy` changed
    claims
        its input `accuracy` changed; its input `accuracy_values` changed
    ");
}

#[test]
fn why_knows_a_result_that_is_gone() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    fs::remove_dir_all(fixture.stored("evaluations.parquet").parent().unwrap()).unwrap();
    let why = fixture.stdout(&["plan", "small", "--why"]);
    assert!(why.contains("its result is no longer in the store"), "{why}");
}

#[test]
fn an_override_is_published_beside_the_full_run() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    let full = fixture.digests("small");
    let fixture = fixture.with(&["--set", "matrix.seed.count=1"]).run();
    let beside = fixture.published_beside();
    let [name] = beside.as_slice() else { panic!("{beside:?}") };
    let digits = name.strip_prefix("small~").expect("the pipeline's name, `~`, eight digits");
    assert!(digits.len() == 8 && digits.chars().all(|c| c.is_ascii_hexdigit()), "{name}");
    assert_eq!(fixture.manifest(name)["overrides"], serde_json::json!(["matrix.seed.count=1"]));
    assert_eq!(fixture.digests("small"), full, "the full run stays");
    // The same override is the same folder; another is another.
    let fixture = fixture.run().hits_all().with(&["--set", "matrix.seed.count=3"]).run();
    assert_eq!(fixture.published_beside().len(), 2);
}

#[test]
fn an_override_shares_tasks_with_the_full_run() {
    Fixture::new().pipeline(SMALL).run().with(&["--set", "matrix.seed.count=1"]).run().hits(5).reran(&SUMMARIES);
}

#[test]
fn a_run_is_published_under_the_name_asked_for() {
    let fixture = Fixture::new().pipeline(SMALL).with(&["--set", "matrix.seed.count=1", "--as", "one"]).run();
    assert_eq!(fixture.manifest("one")["pipeline"], "one");
    assert!(fixture.published_beside().is_empty());
}

#[test]
fn included_pipelines_share_their_tasks() {
    let other = SMALL.replace("\"small\"", "\"other\"").replace("WHERE step = 100", "WHERE step = 0");
    let both = "include = [\"first\", \"other\"]\n[pipeline]\nname = \"both\"\ntitle = \"Two in one\"\n";
    let first = SMALL.replace("\"small\"", "\"first\"");
    let fixture = Fixture::new().beside("first", &first).beside("other", &other).pipeline(both).run();
    // The two differ in their query only.
    assert_eq!(fixture.record()["tasks_run"], SMALL_TASKS + 1);
    assert_eq!(fixture.manifest("both")["includes"], serde_json::json!(["first", "other"]));
    // Both make the same claim: each verdict says of which it is.
    let said = fixture.stdout(&["pipeline", "small"]);
    assert!(said.contains("(first)\n") && said.contains("(other)\n"), "{said}");
    for part in ["first", "other"] {
        let stdout = fixture.stdout(&["pipeline", part, "--json"]);
        let record: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((&record["tasks_run"], &record["pipelines"][0]["changed"]), (&0.into(), &false.into()), "{part}");
    }
    fixture.run().hits_all();
}

#[test]
fn an_include_with_an_override_is_published_under_its_own_name() {
    let first = SMALL.replace("\"small\"", "\"first\"");
    let both = "include = [\"first\", { pipeline = \"first\", set = [\"matrix.seed.count=1\"], as = \"first_one\" }]\n\
                [pipeline]\nname = \"both\"\ntitle = \"Two in one\"\n";
    let fixture = Fixture::new().beside("first", &first).pipeline(both).run();
    assert_eq!(fixture.manifest("first_one")["overrides"], serde_json::json!(["matrix.seed.count=1"]));
    assert_eq!(fixture.manifest("first")["overrides"], serde_json::json!([]));
}

// --------------------------------------------------------------------------------------- tables that are not stored

const VARIANCE: &str = "samples = 50\n\n[stages.variance]\nkind = \"explained_variance\"\nof = \"activations\"";

#[test]
fn a_stage_that_keeps_nothing_hands_on_in_memory_and_is_replayed() {
    let fixture = Fixture::new()
        .pipeline(SMALL)
        .edit("samples = 50", VARIANCE)
        .edit("kind    = \"activations\"", "kind    = \"activations\"\nkeep    = false")
        .run();
    assert_eq!(fixture.count_planned("replay"), 4);
    let stored = |fixture: &Fixture| fixture.files().iter().any(|path| path.ends_with("activations.parquet"));
    assert!(!stored(&fixture) && !fixture.outputs().join("small/activations").exists());
    let before = fixture.digests("small");
    // Nobody needs what was handed on, so nothing is made again; asked for the variance anew, its input is.
    let fixture = fixture.run().hits_all().with(&["--force", "variance"]).run().reran(&["activations", "variance"]);
    assert_eq!((fixture.count_planned("replay"), fixture.count_planned("run")), (4, 4));
    assert!(!stored(&fixture));
    assert_eq!(fixture.digests("small"), before);
}

#[test]
fn what_is_kept_and_what_is_handed_on_come_out_the_same() {
    let kept = Fixture::new().pipeline(SMALL).edit("samples = 50", VARIANCE).run();
    let handed_on = Fixture::new()
        .pipeline(SMALL)
        .edit("samples = 50", VARIANCE)
        .edit("kind    = \"activations\"", "kind    = \"activations\"\nkeep    = false")
        .run();
    assert_eq!(kept.digests("small")["variance"], handed_on.digests("small")["variance"]);
}

#[test]
fn a_network_looked_at_in_passing_is_trained_again_when_asked_for_anew() {
    // Step 50 is on the schedule but no snapshot: its weights go from training to recording in memory.
    let fixture = Fixture::new().pipeline(SMALL).edit("steps   = [100]", "steps   = [50]").run().hits(0);
    let before = fixture.digests("small");
    assert!(!fixture.files().iter().any(|path| path.ends_with("trajectory.parquet")), "never stored");
    let fixture = fixture.run().hits_all().edit("samples = 50", "samples = 40").run().reran(&["train", "activations"]);
    assert_eq!(fixture.count_planned("replay"), 4, "trained again, and nothing of it stored anew");
    let after = fixture.digests("small");
    assert_eq!(after["train_evaluations"], before["train_evaluations"]);
}

/// Copies a folder of data sets.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn the_tuning_split_of_a_small_set_is_said_and_keyed_and_that_of_a_large_one_keeps_its_keys() {
    let said = |data: &Path| {
        let output = common::ojaflow().arg("data").arg("--data").arg(data).output().unwrap();
        common::text(&output.stdout)
    };
    let small = said(&common::tiny_data());
    assert!(small.contains("tuning split: the last 50 training images; the other 200 are trained on"), "{small}");
    let shipped = said(&common::root().join("data"));
    assert_eq!(
        shipped.matches("the last 10000 training images; the other 50000 are trained on").count(),
        2,
        "{shipped}"
    );
    let keyed = |dataset: &str, data: &Path| {
        let text = format!(
            "[pipeline]\nname = \"small\"\ntitle = \"t\"\n[stages.data]\nkind = \"load\"\ndataset = \"{dataset}\"\n"
        );
        let folder = common::project("small", text.as_bytes());
        let mut plan = common::ojaflow();
        plan.current_dir(folder.path()).args(["plan", "small", "--format", "json", "--data"]).arg(data);
        let plan: serde_json::Value = serde_json::from_slice(&plan.output().unwrap().stdout).unwrap();
        plan.to_string().matches("tuning_images\":50").count()
    };
    assert_eq!(keyed("tiny", &common::tiny_data()), 1);
    assert_eq!(keyed("mnist", &common::root().join("data")), 0, "its keys are older than the share");
}
