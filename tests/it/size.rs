//! How much a plan takes: counted before it exists, at most a kilobyte a task, and no more than is allowed.

use std::path::Path;
use std::process::Command;

use ojaflow::flow::{Machine, Project, Request};

use crate::common::{self, ojaflow, project, root, text};

/// The folder of the pipelines that a child process of these tests plans, and says how much memory that took.
const TASK: &str = "OJAFLOW_TEST_SIZE";

/// What a planned task may take, bytes.
const MOST_BYTES: f64 = 1000.0;

/// A training a seed.
const TRAININGS: &str = r#"
[pipeline]
name  = "trainings"
title = "A task a seed"

[matrix]
seed = { first = 0, count = 40_000 }

[rules.bp]
gradient = 0.01

[stages.data]
kind    = "load"
dataset = "mnist"

[stages.train]
kind      = "train"
data      = "data"
rule      = "bp"
layers    = [784, 170, 130, 100, 70, 10]
samples   = 5000
schedule  = { every = 250 }
snapshots = [0, 200, 5000]
"#;

/// Three tasks a seed, and two that read them all.
const MEASURED: &str = r#"
[stages.activations]
kind   = "activations"
of     = "train"
layers = [1, 3]
steps  = [5000]

[stages.explained_variance]
kind = "explained_variance"
of   = "activations"

[stages.accuracy]
kind  = "bootstrap"
of    = "train_evaluations"
value = "accuracy"

[stages.variance]
kind  = "bootstrap"
of    = "explained_variance"
runs  = "train_runs"
value = "cumulative_ratio"
"#;

#[test]
fn a_planned_task_takes_at_most_a_kilobyte() {
    if let Some(folder) = std::env::var_os(TASK) {
        return plan_and_tell(Path::new(&folder));
    }
    let measured = format!("{TRAININGS}{MEASURED}").replace("40_000", "15_000");
    for (name, pipeline) in [("trainings", TRAININGS.to_owned()), ("measured", measured)] {
        let folder = project("plan", pipeline.as_bytes());
        // A process of its own: the most memory that one ever held never falls again.
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "size::a_planned_task_takes_at_most_a_kilobyte", "--nocapture", "--test-threads=1"]);
        let output = command.env(TASK, folder.path()).output().unwrap();
        let said = text(&output.stdout);
        assert!(output.status.success(), "{said}\n{}", text(&output.stderr));
        let numbers = said.lines().find_map(|line| line.strip_prefix("peak ")).unwrap_or_else(|| panic!("{said}"));
        let numbers: Vec<f64> = numbers.split(' ').map(|number| number.parse().unwrap()).collect();
        let [few, before, many, after] = numbers[..] else { panic!("{said}") };
        if before > 0.0 {
            let each = (after - before) / (many - few);
            println!("{name}: {each:.0} bytes per task");
            assert!(many > 40_000.0 && each < MOST_BYTES, "{name}: a task of {many} takes {each:.0} bytes");
        }
    }
}

/// `peak FEW BYTES MANY BYTES`: the tasks of two plans, each with the most memory that the process had held by then; 0 where
/// the system does not tell.
fn plan_and_tell(folder: &Path) {
    let project = Project::at(folder);
    let plan = |changes: &[String]| {
        let ahead = project.plan(&Request::new("plan").setting(changes), None).unwrap();
        let peak = Machine::this().unwrap().peak_memory.unwrap_or(0);
        format!("{} {peak}", ahead.level.plan.tasks.len())
    };
    let few = plan(&["matrix.seed.count=300".to_owned()]);
    println!("\npeak {few} {}", plan(&[]));
}

/// What `ojaflow plan` says of a shipped pipeline with these options, and how it ended.
fn planned(options: &[&str]) -> (Option<i32>, String) {
    let outputs = tempfile::tempdir().unwrap();
    let output = ojaflow().current_dir(root()).arg("plan").args(options).arg("--outputs").arg(outputs.path()).output();
    let output = output.unwrap();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn a_plan_of_absurd_size_is_refused_before_it_exists() {
    for (name, count, said) in [
        ("tune", "1000000", "720,000,009 tasks (`train` 720,000,000"),
        ("tune_meta", "1000000", "20,000,007 tasks (`meta` 20,000,000"),
        ("fig6", "65536", "2,621,466 tasks (`train` 655,360"),
    ] {
        let (status, message) = planned(&[name, "--set", &format!("matrix.seed={{ first = 0, count = {count} }}")]);
        assert_eq!(status, Some(2), "{message}");
        assert!(message.contains(said) && message.contains("GB of memory"), "{message}");
        assert!(message.contains("planned only with `--large`"), "{message}");
        assert!(message.contains("[--set:1:"), "what was typed is underlined: {message}");
    }
    let large = ["tune", "--large", "--memory", "1GB", "--set", "matrix.seed.count=1000000"];
    let (status, message) = planned(&large);
    assert_eq!(status, Some(2), "{message}");
    assert!(message.contains("about 720.00 GB of memory") && message.contains("1.00 GB may be taken"), "{message}");
}

#[test]
fn a_plan_says_how_much_disk_and_memory_it_takes() {
    let (status, message) = planned(&["smoke"]);
    assert_eq!(status, Some(0), "{message}");
    let summary = message.lines().last().unwrap();
    assert!(summary.contains(" of one core, ") && summary.contains(" of disk, "), "{summary}");
    assert!(summary.ends_with("of memory a task"), "{summary}");
}

#[test]
fn a_size_of_memory_is_a_number_with_a_unit() {
    let (status, message) = planned(&["smoke", "--memory", "much"]);
    assert_eq!(status, Some(2));
    assert!(message.contains("`--memory much`: expected a size, for example `--memory 8GB`"), "{message}");
}

#[test]
fn a_task_that_takes_more_memory_than_there_is_is_refused_with_what_makes_it_large() {
    for (name, change, underlined) in [
        ("smoke", "stages.train.layers=[784,1000000000,10]", "[784,1000000000,10]"),
        (
            "smoke",
            "stages.activations.steps={every=1} stages.train.schedule={every=1} stages.train.layers=[784,2000,10]",
            "of      = \"train\"",
        ),
        ("fig7", "stages.train.hidden=1000000", "1000000"),
        ("fig7", "stages.train.time_steps=10000000", "10000000"),
        ("fig8", "stages.meta.training_samples=100000000", "100000000"),
        ("fig8", "stages.meta.episodes=1000000000", "1000000000"),
        ("fig8", "stages.meta.hidden=[10000000]", "[10000000]"),
    ] {
        let changes = change.split(' ').flat_map(|change| ["--set", change]);
        let (status, message) = planned(&[name, "--memory", "500MB"].into_iter().chain(changes).collect::<Vec<_>>());
        assert_eq!(status, Some(2), "{change}: {message}");
        assert!(
            message.contains(" of memory for ") && message.contains("; 500.0 MB may be taken"),
            "{change}: {message}"
        );
        let lines: Vec<&str> = message.lines().collect();
        let marks = lines.iter().position(|line| line.contains("──") && line.trim_start().starts_with('·'));
        let above = lines[marks.unwrap_or_else(|| panic!("{change}: {message}")) - 1];
        assert!(above.contains(underlined), "{change}: {message}");
    }
    // As many jobs as there is memory for.
    let outputs = tempfile::tempdir().unwrap();
    let mut run = ojaflow();
    run.current_dir(root()).args(["pipeline", "smoke", "--jobs", "64", "--memory", "150MB", "--outputs"]);
    let output = run.arg(outputs.path()).output().unwrap();
    let message = common::text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("`--jobs 64`: that many tasks side by side take about"), "{message}");
}

/// On x86-64 the portable kernels are no match for the others, and the estimate knows.
#[cfg(all(target_arch = "x86_64", not(target_feature = "fma")))]
#[test]
fn the_estimate_knows_portable_kernels() {
    let summary = |kernels: Option<&str>| {
        let outputs = tempfile::tempdir().unwrap();
        let mut plan = ojaflow();
        plan.current_dir(root()).args(["plan", "fig7", "--outputs"]).arg(outputs.path());
        plan.envs(kernels.map(|kernels| ("OJAFLOW_KERNELS", kernels)));
        text(&plan.output().unwrap().stdout)
    };
    let portable = summary(Some("portable"));
    assert!(portable.contains("portable kernels: without AVX2 this takes about 3"), "{portable}");
    assert!(portable.contains(" h of one core"), "{portable}");
    if Machine::this().unwrap().kernels != "portable" {
        let usual = summary(None);
        assert!(usual.contains(" min of one core") && !usual.contains("portable"), "{usual}");
    }
}
