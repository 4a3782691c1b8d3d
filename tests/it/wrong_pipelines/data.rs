//! What only data can show.

use std::fs;

use insta::assert_snapshot;

use super::{SOUND, changed};
use crate::common::{self, Fixture, SMALL};

/// The message with which a run of [`SMALL`] fails on its data, after a change of its last query.
fn fails_on_data(query: &str) -> String {
    let fixture = Fixture::new().pipeline(SMALL).edit("SELECT rule, mean FROM accuracy WHERE step = 100", query);
    let output = fixture.output(&["pipeline", "small", "--quiet"]);
    let message = common::text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "a wrong request\n{message}");
    message
}

#[test]
fn query_that_fails_on_rows() {
    assert_snapshot!(fails_on_data("SELECT rule, CAST(status AS BIGINT) AS status FROM train_runs"), @r#"
      × pipelines/small.toml:44:9: the query: conversion from `str` to `i64` failed in column 'status' for 4 out of 4 values: ["completed", "completed", … "completed"]
        ╭─[pipelines/small.toml:44:9]
     43 │ kind  = "sql"
     44 │ query = "SELECT rule, CAST(status AS BIGINT) AS status FROM train_runs"
        ·         ───────────────────────────────────────────────────────────────
     45 │ 
        ╰────
      help: It can be planned, but fails on the rows of `last`.
    "#);
}

#[test]
fn runs_and_measurements_may_be_one_table() {
    let query = "SELECT rule, mean FROM accuracy WHERE step = 100";
    let counted = "[stages.seen]\nkind = \"bootstrap\"\nof = \"train_runs\"\nruns = \"train_runs\"\n\
                   value = \"samples\"\nkeys = [\"rule\"]\nresamples = 99\n\n[stages.last]";
    let fixture =
        Fixture::new().pipeline(SMALL).edit("[stages.last]", counted).edit(query, "SELECT rule, mean FROM seen");
    let means = fixture.run().frame("small", "last").numbers("mean").unwrap();
    assert_eq!(means, [Some(100.0), Some(100.0)]);
}

#[test]
fn runs_that_do_not_say_which_diverged() {
    assert_snapshot!(changed(&[("value = \"accuracy\"", "value = \"accuracy\"\nruns = \"train_updates\"")]), @r#"
      × pipelines/small.toml:38:8: `train_updates` does not say which runs diverged: it has no column `diverged_at_step`
        ╭─[pipelines/small.toml:38:8]
     37 │ value = "accuracy"
     38 │ runs = "train_updates"
        ·        ───────────────
     39 │ 
        ╰────
      help: Write `runs = "<stage>_runs"` with the stage that trained the networks.
    "#);
}

#[test]
fn figure_of_a_column_that_is_no_number() {
    assert_snapshot!(changed(&[("step AS x", "rule AS x")]), @r#"
      × pipelines/small.toml:48:8: column `x` of `summary` is of type category, not a number
        ╭─[pipelines/small.toml:48:8]
     47 │ kind = "figure"
     48 │ of   = "summary"
        ·        ─────────
     49 │ 
        ╰────
    "#);
}

#[test]
fn two_pipelines_under_one_name() {
    let both = "include = [{ pipeline = \"small\", as = \"one\" }, { pipeline = \"other\", as = \"one\" }]\n\n\
                [pipeline]\nname = \"both\"\ntitle = \"two of one name\"\n";
    let folder = common::project("small", SOUND.as_bytes());
    let pipelines = folder.path().join("pipelines");
    fs::write(pipelines.join("other.toml"), SOUND.replace("count = 3", "count = 2")).unwrap();
    fs::write(pipelines.join("both.toml"), both).unwrap();
    let output = common::ojaflow().current_dir(folder.path()).args(["plan", "both"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_snapshot!(common::text(&output.stderr), @r#"
      × pipelines/both.toml:1:48: pipelines/small.toml and pipelines/other.toml are both published as `one`
       ╭─[pipelines/both.toml:1:48]
     1 │ include = [{ pipeline = "small", as = "one" }, { pipeline = "other", as = "one" }]
       ·                                                ──────────────────────────────────
     2 │ 
       ╰────
      help: Give one of them another name: `as = "…"` where it is included, or `--as`.
    "#);
}
