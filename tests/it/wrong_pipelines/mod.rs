//! Pipelines that are wrong, each kind of mistake once: nothing runs, the exit status is 2, and the message names place,
//! fault and choices.
//!
//! Every case is a change of [`SOUND`], so that what is underlined can be compared with what was typed.

mod claims;
mod command_line;
mod data;
mod document;
mod includes;
mod matrix;
mod measurements;
mod rules;
mod tables;
mod terms;
mod training;

use std::path::Path;

use crate::common;

/// The pipeline that mistakes are made in. As it stands here, it can be planned.
const SOUND: &str = r#"[pipeline]
name  = "small"
title = "A pipeline to make mistakes in"

[matrix]
rule = ["bp", "bp_oja"]
seed = { first = 0, count = 3 }

[rules.bp]
gradient = 0.01

[rules.bp_oja]
gradient = 0.01
oja      = 0.001

[stages.data]
kind    = "load"
dataset = "mnist"

[stages.train]
kind      = "train"
data      = "data"
layers    = [784, 40, 30, 10]
samples   = 600
schedule  = { every = 100 }
snapshots = [0, 600]

[stages.activations]
kind    = "activations"
of      = "train"
layers  = [1, 2]
samples = 500

[stages.accuracy]
kind  = "bootstrap"
of    = "train_evaluations"
value = "accuracy"

[stages.summary]
kind  = "sql"
query = """
SELECT 'accuracy' AS panel, rule AS series, step AS x, mean, ci_low, ci_high, n_runs, n_diverged
FROM accuracy
"""

[stages.curves]
kind = "figure"
of   = "summary"

[[claims]]
id           = "S1"
statement    = "both rules learn something"
of           = "accuracy"
where        = { step = 600 }
greater_than = 0.2
"#;

#[test]
fn the_pipeline_without_a_mistake_is_planned() {
    let folder = common::project("small", SOUND.as_bytes());
    let output = common::ojaflow().current_dir(folder.path()).args(["plan", "small"]).output().unwrap();
    assert!(output.status.success(), "{}", common::text(&output.stderr));
}

/// The message with which `ojaflow pipeline` refuses a text.
fn refused(text: &str, pipeline: &str, options: &[&str]) -> String {
    let folder = common::project("small", text.as_bytes());
    let run = |command: &str| {
        common::ojaflow().current_dir(folder.path()).args([command, pipeline]).args(options).output().unwrap()
    };
    let output = run("pipeline");
    let message = common::text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "a wrong request\n{message}");
    assert!(output.stdout.is_empty(), "nothing on stdout");
    assert!(!Path::new(&folder.path().join("outputs")).exists(), "nothing is written");
    message
}

/// The message after replacing parts of the sound pipeline.
fn changed(replacements: &[(&str, &str)]) -> String {
    let mut text = SOUND.to_owned();
    for (from, to) in replacements {
        assert!(text.contains(from), "`{from}` stands in the pipeline");
        text = text.replacen(from, to, 1);
    }
    refused(&text, "small", &[])
}

/// The message after adding to the end of the sound pipeline.
fn with_more(text: &str) -> String {
    refused(&format!("{SOUND}{text}"), "small", &[])
}

/// The message of the sound pipeline with wrong options.
fn with_options(options: &[&str]) -> String {
    refused(SOUND, "small", options)
}
