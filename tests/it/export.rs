//! Files for engines, carried out here without one: by a shell that is told which job of an array it is. `tests/engines.sh` gives
//! them to the engines.

use std::fs;
use std::process::{Command, Output};

use ojaflow::publish::manifest::Manifest;

use crate::common::{Fixture, RACE, SMALL, text};

/// What shells and file formats could take for something else.
const TITLE: &str = "pipeline.title=It's \"$HOME\", `id`, {braces} and \\ in one title";

/// The digest of each table that was published under a name.
fn digests(fixture: &Fixture, name: &str) -> Vec<(String, Option<String>)> {
    let manifest = Manifest::read(&fixture.outputs().join(name)).unwrap().expect("published");
    manifest.tables.iter().map(|table| (table.name.clone(), table.digest.clone())).collect()
}

fn exported(fixture: &Fixture, engine: &str, options: &[&str]) {
    let args = ["export", "small", "--to", engine, "--set", TITLE, "--as", "there", "--jobs", "1", "-o", "file"];
    let said = fixture.stdout(&[&args, options].concat());
    assert!(said.contains("start it with"), "{said}");
}

/// Runs a command as an engine does: with its number, and no other word of ours.
fn job(fixture: &Fixture, words: &[&str], number: u32) -> Output {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(fixture.path("")).env("OJAFLOW", env!("CARGO_BIN_EXE_ojaflow"));
    command.env("SLURM_ARRAY_TASK_ID", number.to_string()).output().unwrap()
}

fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn shards_of_a_script_for_slurm_leave_nothing_but_publishing() {
    let alone = Fixture::new().pipeline(SMALL);
    alone.stdout(&["pipeline", "small", "--as", "there"]);
    let fixture = Fixture::new().pipeline(SMALL);
    exported(&fixture, "slurm", &["--shards", "3"]);
    for number in [2, 3, 1] {
        done(&job(&fixture, &["sh", "file", "shard"], number));
    }
    // What lies behind the first gathered table: intervals, a query, claims.
    let said = done(&job(&fixture, &["sh", "file", "last"], 0));
    assert!(said.contains("3 tasks run, 9 from the store"), "{said}");
    assert_eq!(digests(&fixture, "there"), digests(&alone, "there"));
}

#[test]
fn a_level_of_a_race_is_an_array() {
    let fixture = Fixture::new().pipeline(RACE);
    exported(&fixture, "slurm", &["--shards", "2"]);
    let script = fs::read_to_string(fixture.path("file")).unwrap();
    assert!(script.contains("for level in 1 2"), "{script}");
    for _ in 1..=8 {
        (1..=2).for_each(|number| drop(done(&job(&fixture, &["sh", "file", "shard"], number))));
    }
    let said = done(&job(&fixture, &["sh", "file", "last"], 0));
    let alone = Fixture::new().pipeline(RACE);
    alone.stdout(&["pipeline", "small", "--as", "there"]);
    assert_eq!(digests(&fixture, "there"), digests(&alone, "there"), "{said}");
}

#[test]
fn tasks_of_a_job_file_for_hyperqueue_publish() {
    let fixture = Fixture::new().pipeline(SMALL);
    exported(&fixture, "hyperqueue", &["--shards", "2"]);
    let file: toml::Table = fs::read_to_string(fixture.path("file")).unwrap().parse().unwrap();
    for task in file["task"].as_array().unwrap() {
        let words: Vec<&str> = task["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        done(&job(&fixture, &words, 0));
    }
    let manifest = Manifest::read(&fixture.outputs().join("there")).unwrap().expect("published");
    assert_eq!(manifest.overrides, [TITLE]);
}

#[test]
fn a_shard_of_another_plan_is_refused() {
    let fixture = Fixture::new().pipeline(SMALL);
    exported(&fixture, "slurm", &[]);
    let fixture = fixture.edit("samples   = 100", "samples   = 101");
    let output = job(&fixture, &["sh", "file", "shard"], 1);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--expect"), "{}", text(&output.stderr));
}

#[test]
fn a_small_plan_is_one_shard_and_goes_to_stdout() {
    let fixture = Fixture::new().pipeline(SMALL);
    let snakefile = fixture.stdout(&["export", "small", "--to", "snakemake"]);
    assert!(snakefile.contains("\nSHARDS = 1\n") && snakefile.ends_with("> {output:q}\"\n"), "{snakefile}");
    let output = fixture.output(&["export", "small", "--to", "cron"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("hyperqueue"), "{}", text(&output.stderr));
}
