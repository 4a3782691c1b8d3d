//! Pipelines that are wrong, each kind of mistake once: nothing runs, the exit status is 2, and the message names place,
//! fault and choices.
//!
//! Every case is a change of [`SOUND`], so that what is underlined can be compared with what was typed.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;

use crate::common::{self, Fixture, SMALL};

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
    let folder = project(SOUND);
    let output = common::ojaflow().current_dir(folder.path()).args(["plan", "small"]).output().unwrap();
    assert!(output.status.success(), "{}", common::text(&output.stderr));
}

fn project(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("pipelines")).unwrap();
    fs::write(folder.path().join("pipelines/small.toml"), text).unwrap();
    // The committed data sets under a path that is the same everywhere.
    std::os::unix::fs::symlink(common::root().join("data"), folder.path().join("data")).unwrap();
    folder
}

/// The message with which `ojaflow pipeline` refuses a text.
fn refused(text: &str, pipeline: &str, options: &[&str]) -> String {
    let folder = project(text);
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

// ----------------------------------------------------------------------------------------------- the file as a whole

#[test]
fn syntax_error() {
    assert_snapshot!(changed(&[(r#"kind    = "load""#, "kind    = load")]), @r#"
      × pipelines/small.toml:17:11: string values must be quoted, expected literal string
        ╭─[pipelines/small.toml:17:11]
     16 │ [stages.data]
     17 │ kind    = load
        ·           ────
     18 │ dataset = "mnist"
        ╰────
    "#);
}

#[test]
fn bracket_left_open() {
    assert_snapshot!(changed(&[("[784, 40, 30, 10]", "[784, 40, 30, 10")]), @"
      × pipelines/small.toml:24:1: missing comma between array elements, expected `,`
        ╭─[pipelines/small.toml:24:1]
     23 │ layers    = [784, 40, 30, 10
     24 │ samples   = 600
        · ─
     25 │ schedule  = { every = 100 }
        ╰────
      help: A bracket or quote that is opened before this place is not closed.
    ");
}

#[test]
fn key_written_twice() {
    assert_snapshot!(changed(&[("samples   = 600", "samples   = 600\nsamples   = 700")]), @"
      × pipelines/small.toml:25:1: duplicate key
        ╭─[pipelines/small.toml:25:1]
     24 │ samples   = 600
     25 │ samples   = 700
        · ───────
     26 │ schedule  = { every = 100 }
        ╰────
    ");
}

#[test]
fn date() {
    assert_snapshot!(changed(&[("samples   = 600", "samples   = 2024-08-15")]), @"
      × pipelines/small.toml:24:13: a date or time has no use in a pipeline
        ╭─[pipelines/small.toml:24:13]
     23 │ layers    = [784, 40, 30, 10]
     24 │ samples   = 2024-08-15
        ·             ──────────
     25 │ schedule  = { every = 100 }
        ╰────
    ");
}

#[test]
fn integer_beyond_64_bits() {
    assert_snapshot!(changed(&[("samples   = 600", "samples   = 99999999999999999999")]), @"
      × pipelines/small.toml:24:13: this integer does not fit into 64 bits
        ╭─[pipelines/small.toml:24:13]
     23 │ layers    = [784, 40, 30, 10]
     24 │ samples   = 99999999999999999999
        ·             ────────────────────
     25 │ schedule  = { every = 100 }
        ╰────
    ");
}

#[test]
fn unknown_section() {
    assert_snapshot!(changed(&[("[matrix]", "[matrices]")]), @r#"
      × pipelines/small.toml:5:2: unknown section `matrices`; did you mean `matrix`? There are: `pipeline`, `include`, `matrix`, `rules`, `stages`, `claims`
       ╭─[pipelines/small.toml:5:2]
     4 │ 
     5 │ [matrices]
       ·  ────────
     6 │ rule = ["bp", "bp_oja"]
       ╰────
    "#);
}

#[test]
fn no_pipeline_section() {
    assert_snapshot!(changed(&[(r#"[pipeline]
name  = "small"
title = "A pipeline to make mistakes in"
"#, "")]), @r#"
      × pipelines/small.toml:1:1: the section `[pipeline]` with `name` and `title` is missing
       ╭─[pipelines/small.toml:1:1]
     1 │ 
       · ▲
     2 │ [matrix]
     3 │ rule = ["bp", "bp_oja"]
       ╰────
    "#);
}

#[test]
fn unknown_key_of_the_pipeline() {
    assert_snapshot!(changed(&[("title = ", "titel = ")]), @r#"
      × pipelines/small.toml:3:1: unknown key `titel`; did you mean `title`? There are: `name`, `figure`, `title`
       ╭─[pipelines/small.toml:3:1]
     2 │ name  = "small"
     3 │ titel = "A pipeline to make mistakes in"
       · ─────
     4 │ 
       ╰────
    "#);
}

#[test]
fn pipeline_without_title() {
    assert_snapshot!(changed(&[(r#"title = "A pipeline to make mistakes in"
"#, "")]), @r#"
      × pipelines/small.toml:1:1: the key `title` is missing
       ╭─[pipelines/small.toml:1:1]
     1 │ [pipeline]
       · ──────────
     2 │ name  = "small"
       ╰────
    "#);
}

#[test]
fn name_that_leaves_the_folder() {
    assert_snapshot!(changed(&[(r#""small""#, r#""../small""#)]), @r#"
      × pipelines/small.toml:2:9: a pipeline's name is made of letters, digits, `_`, `-` and `.`, as it becomes a folder
       ╭─[pipelines/small.toml:2:9]
     1 │ [pipeline]
     2 │ name  = "../small"
       ·         ──────────
     3 │ title = "A pipeline to make mistakes in"
       ╰────
    "#);
}

#[test]
fn name_that_is_a_number() {
    assert_snapshot!(changed(&[(r#""small""#, "4")]), @r#"
      × pipelines/small.toml:2:9: expected a string, found integer `4`
       ╭─[pipelines/small.toml:2:9]
     1 │ [pipeline]
     2 │ name  = 4
       ·         ─
     3 │ title = "A pipeline to make mistakes in"
       ╰────
    "#);
}

#[test]
fn nothing_to_run() {
    assert_snapshot!(refused(r#"[pipeline]
name = "small"
title = "Nothing"
"#, "small", &[]), @"  × pipelines/small.toml: a pipeline needs `[stages.…]` or `include`");
}

#[test]
fn several_mistakes_at_once() {
    assert_snapshot!(changed(&[(r#""load""#, r#""lode""#), (r#""train_evaluations""#, r#""training_evaluations""#), ("FROM accuracy", "FORM accuracy")]), @r#"
      × pipelines/small.toml:17:11: unknown kind `lode`; did you mean `load`? There are: `load`, `train`, `train_recurrent`, `meta_learn`, `train_batch`, `activations`, `reconstruction_error`, `reconstructions`, `activation_norms`, `weight_diagnostics`, `explained_variance`, `bootstrap`, `best_cell`, `sql`, `figure`
        ╭─[pipelines/small.toml:17:11]
     16 │ [stages.data]
     17 │ kind    = "lode"
        ·           ──────
     18 │ dataset = "mnist"
        ╰────
      × pipelines/small.toml:36:9: `accuracy` reads table `training_evaluations`, which no stage makes; the stages are: `data`, `train`, `activations`, `summary`, `curves`
        ╭─[pipelines/small.toml:36:9]
     35 │ kind  = "bootstrap"
     36 │ of    = "training_evaluations"
        ·         ──────────────────────
     37 │ value = "accuracy"
        ╰────
      help: A table is called after the stage that makes it: `<stage>`, or `<stage>_<table>` where it makes several.
      × pipelines/small.toml:43:6: the query: Expected: end of statement, found: accuracy
        ╭─[pipelines/small.toml:43:6]
     42 │ SELECT 'accuracy' AS panel, rule AS series, step AS x, mean, ci_low, ci_high, n_runs, n_diverged
     43 │ FORM accuracy
        ·      ────────
     44 │ """
        ╰────
    "#);
}

// ----------------------------------------------------------------------------------------- including other pipelines

#[test]
fn include_that_is_no_list() {
    assert_snapshot!(changed(&[("[pipeline]", r#"include = "fig1"
[pipeline]"#)]), @r#"
      × pipelines/small.toml:1:11: `include` is a list of pipelines: `include = ["fig1", "fig2"]`
       ╭─[pipelines/small.toml:1:11]
     1 │ include = "fig1"
       ·           ──────
     2 │ [pipeline]
       ╰────
    "#);
}

#[test]
fn include_of_an_unknown_pipeline() {
    assert_snapshot!(changed(&[("[pipeline]", r#"include = ["fig11"]
[pipeline]"#)]), @r#"
      × pipelines/small.toml:1:12: there is no pipeline `fig11`
       ╭─[pipelines/small.toml:1:12]
     1 │ include = ["fig11"]
       ·            ───────
     2 │ [pipeline]
       ╰────
      help: There are: `small`.
    "#);
}

#[test]
fn pipeline_that_includes_itself() {
    assert_snapshot!(changed(&[("[pipeline]", r#"include = ["small"]
[pipeline]"#)]), @r#"
      × pipelines/small.toml:1:12: pipelines/small.toml includes itself: pipelines/small.toml → pipelines/small.toml
       ╭─[pipelines/small.toml:1:12]
     1 │ include = ["small"]
       ·            ───────
     2 │ [pipeline]
       ╰────
    "#);
}

#[test]
fn unknown_key_of_an_include() {
    assert_snapshot!(changed(&[("[pipeline]", r#"include = [{ pipeline = "other", name = "b" }]
[pipeline]"#)]), @r#"
      × pipelines/small.toml:1:34: unknown key `name`; there are: `pipeline`, `set`, `as`
       ╭─[pipelines/small.toml:1:34]
     1 │ include = [{ pipeline = "other", name = "b" }]
       ·                                  ────
     2 │ [pipeline]
       ╰────
    "#);
}

// -------------------------------------------------------------------------------------------------------- the matrix

#[test]
fn axis_that_sets_nothing() {
    assert_snapshot!(changed(&[("seed = {", "sed = {")]), @r#"
      × pipelines/small.toml:7:1: the axis `sed` sets nothing: no stage of this pipeline has a parameter of that name
       ╭─[pipelines/small.toml:7:1]
     6 │ rule = ["bp", "bp_oja"]
     7 │ sed = { first = 0, count = 3 }
       · ───
     8 │ 
       ╰────
      help: Did you mean `seed`? Name the axis after a parameter (`rule`, `seed`, `init` …), or write its values as bundles: `[matrix.<axis>."<value>"]` with `<stage>.<parameter> = …`.
    "#);
}

#[test]
fn axis_without_values() {
    assert_snapshot!(changed(&[(r#"["bp", "bp_oja"]"#, "[]")]), @"
      × pipelines/small.toml:6:8: this axis has no values: nothing would run
       ╭─[pipelines/small.toml:6:8]
     5 │ [matrix]
     6 │ rule = []
       ·        ──
     7 │ seed = { first = 0, count = 3 }
       ╰────
    ");
}

#[test]
fn axis_value_twice() {
    assert_snapshot!(changed(&[(r#"["bp", "bp_oja"]"#, r#"["bp", "bp"]"#)]), @r#"
      × pipelines/small.toml:6:8: the value `bp` stands twice in this axis
       ╭─[pipelines/small.toml:6:8]
     5 │ [matrix]
     6 │ rule = ["bp", "bp"]
       ·        ────────────
     7 │ seed = { first = 0, count = 3 }
       ╰────
    "#);
}

#[test]
fn axis_that_is_a_number() {
    assert_snapshot!(changed(&[("{ first = 0, count = 3 }", "3")]), @r#"
      × pipelines/small.toml:7:8: an axis is a list of values, a range or a table of bundles, not an integer
       ╭─[pipelines/small.toml:7:8]
     6 │ rule = ["bp", "bp_oja"]
     7 │ seed = 3
       ·        ─
     8 │ 
       ╰────
    "#);
}

#[test]
fn axis_value_that_is_a_list() {
    assert_snapshot!(changed(&[("{ first = 0, count = 3 }", "[[0, 1], [2, 3]]")]), @r#"
      × pipelines/small.toml:7:9: a plain value of an axis is a word or a number, not an array
       ╭─[pipelines/small.toml:7:9]
     6 │ rule = ["bp", "bp_oja"]
     7 │ seed = [[0, 1], [2, 3]]
       ·         ──────
     8 │ 
       ╰────
      help: Give it a name: `[matrix.<axis>."<name>"]` with `<stage>.<parameter> = …` below.
    "#);
}

#[test]
fn axis_value_of_the_wrong_type() {
    assert_snapshot!(changed(&[("{ first = 0, count = 3 }", r#"["one", "two"]"#)]), @r#"
      × pipelines/small.toml:7:9: expected a whole number, 0 or more, found string "one"
       ╭─[pipelines/small.toml:7:9]
     6 │ rule = ["bp", "bp_oja"]
     7 │ seed = ["one", "two"]
       ·         ─────
     8 │ 
       ╰────
      × pipelines/small.toml:7:16: expected a whole number, 0 or more, found string "two"
       ╭─[pipelines/small.toml:7:16]
     6 │ rule = ["bp", "bp_oja"]
     7 │ seed = ["one", "two"]
       ·                ─────
     8 │ 
       ╰────
    "#);
}

#[test]
fn range_without_count() {
    assert_snapshot!(changed(&[("{ first = 0, count = 3 }", "{ first = 0 }")]), @r#"
      × pipelines/small.toml:7:8: the key `count` is missing
       ╭─[pipelines/small.toml:7:8]
     6 │ rule = ["bp", "bp_oja"]
     7 │ seed = { first = 0 }
       ·        ─────────────
     8 │ 
       ╰────
    "#);
}

#[test]
fn range_of_nothing() {
    assert_snapshot!(changed(&[("{ first = 0, count = 3 }", "{ first = 0, count = 0 }")]), @r#"
      × pipelines/small.toml:7:8: `count` is between 1 and 1000000
       ╭─[pipelines/small.toml:7:8]
     6 │ rule = ["bp", "bp_oja"]
     7 │ seed = { first = 0, count = 0 }
       ·        ────────────────────────
     8 │ 
       ╰────
    "#);
}

#[test]
fn range_half_of_each_kind() {
    assert_snapshot!(changed(&[("{ first = 0, count = 3 }", "{ first = 0, to = 3, count = 3 }")]), @r#"
      × pipelines/small.toml:7:8: a range is `{ first, count }` or `{ from, to, count, spacing }`
       ╭─[pipelines/small.toml:7:8]
     6 │ rule = ["bp", "bp_oja"]
     7 │ seed = { first = 0, to = 3, count = 3 }
       ·        ────────────────────────────────
     8 │ 
       ╰────
    "#);
}

#[test]
fn logarithmic_range_from_zero() {
    assert_snapshot!(changed(&[("seed = { first = 0, count = 3 }", r#"gradient = { from = 0, to = 1, count = 3, spacing = "log" }"#)]), @r#"
      × pipelines/small.toml:7:12: the ends of this range must be finite, and positive for `spacing = "log"`
       ╭─[pipelines/small.toml:7:12]
     6 │ rule = ["bp", "bp_oja"]
     7 │ gradient = { from = 0, to = 1, count = 3, spacing = "log" }
       ·            ────────────────────────────────────────────────
     8 │ 
       ╰────
    "#);
}

#[test]
fn bundle_for_an_unknown_stage() {
    assert_snapshot!(changed(&[("[rules.bp]\n", "[matrix.network.wide]\ntrian.layers = [784, 100, 10]\n\n[rules.bp]\n")]), @"
      × pipelines/small.toml:10:1: the bundle `wide` sets parameters of stage `trian`; did you mean `train`? There are: `data`, `train`, `activations`, `accuracy`, `summary`, `curves`
        ╭─[pipelines/small.toml:10:1]
      9 │ [matrix.network.wide]
     10 │ trian.layers = [784, 100, 10]
        · ─────
     11 │ 
        ╰────
    ");
}

#[test]
fn bundle_that_sets_a_bare_value() {
    assert_snapshot!(changed(&[("[rules.bp]\n", "[matrix.network]\nwide.train = 3\n\n[rules.bp]\n")]), @"
      × pipelines/small.toml:10:14: `train`, which names a stage in this bundle, is a table of `key = value`, not an integer
        ╭─[pipelines/small.toml:10:14]
      9 │ [matrix.network]
     10 │ wide.train = 3
        ·              ─
     11 │ 
        ╰────
    ");
}

#[test]
fn bundle_with_an_unknown_key() {
    assert_snapshot!(changed(&[("[rules.bp]\n", "[matrix.network.wide]\ntrain.layer = [784, 100, 10]\n\n[rules.bp]\n")]), @"
      × pipelines/small.toml:10:7: unknown key `layer`; did you mean `layers`? There are: `data`, `layers`, `activation`, `init`, `feedback`, `rule`, `coefficients`, `setting`, `seed`, `samples`, `schedule`, `snapshots`, `evaluate_on`
        ╭─[pipelines/small.toml:10:7]
      9 │ [matrix.network.wide]
     10 │ train.layer = [784, 100, 10]
        ·       ─────
     11 │ 
        ╰────
    ");
}

#[test]
fn axis_also_in_the_combinations() {
    assert_snapshot!(changed(&[(r#"rule = ["bp", "bp_oja"]"#, r#"rule = ["bp", "bp_oja"]
combinations = [{ rule = ["bp"] }]"#)]), @r#"
      × pipelines/small.toml:6:1: `rule` is an axis of `combinations` already; write it in one place
       ╭─[pipelines/small.toml:6:1]
     5 │ [matrix]
     6 │ rule = ["bp", "bp_oja"]
       · ────
     7 │ combinations = [{ rule = ["bp"] }]
       ╰────
    "#);
}

// -------------------------------------------------------------------------------------------- rules and coefficients

#[test]
fn unknown_rule() {
    assert_snapshot!(changed(&[(r#"["bp", "bp_oja"]"#, r#"["bp", "hebb"]"#)]), @r#"
      × pipelines/small.toml:6:15: there is no rule `hebb`; there are: `bp`, `bp_oja`
       ╭─[pipelines/small.toml:6:15]
     5 │ [matrix]
     6 │ rule = ["bp", "hebb"]
       ·               ──────
     7 │ seed = { first = 0, count = 3 }
       ╰────
    "#);
}

#[test]
fn unknown_term() {
    assert_snapshot!(changed(&[("oja      = 0.001", "ojja     = 0.001")]), @"
      × pipelines/small.toml:14:1: rule `bp_oja` has no term `ojja`; did you mean `oja`? There are: `gradient`, `error_hebb`, `oja`, `decay`, `hebb`, `feedback_hebb`, `feedback_decay`, `tuned`
        ╭─[pipelines/small.toml:14:1]
     13 │ gradient = 0.01
     14 │ ojja     = 0.001
        · ────
     15 │ 
        ╰────
    ");
}

#[test]
fn unknown_term_in_a_stage() {
    assert_snapshot!(changed(&[("samples   = 600", "samples   = 600\ncoefficients = { momentum = 0.9 }")]), @"
      × pipelines/small.toml:25:18: there is no plasticity term `momentum`; there are: `gradient`, `error_hebb`, `oja`, `decay`, `hebb`, `feedback_hebb`, `feedback_decay`
        ╭─[pipelines/small.toml:25:18]
     24 │ samples   = 600
     25 │ coefficients = { momentum = 0.9 }
        ·                  ────────
     26 │ schedule  = { every = 100 }
        ╰────
    ");
}

#[test]
fn rule_without_terms() {
    assert_snapshot!(changed(&[("[rules.bp]\ngradient = 0.01\n", "[rules.bp]\n")]), @r#"
      × pipelines/small.toml:6:9: rule `bp` has no plasticity term: the network would not learn
       ╭─[pipelines/small.toml:6:9]
     5 │ [matrix]
     6 │ rule = ["bp", "bp_oja"]
       ·         ────
     7 │ seed = { first = 0, count = 3 }
       ╰────
      help: Give the rule a term (`gradient = 0.01`), or the stage `coefficients = { gradient = 0.01 }`.
    "#);
}

#[test]
fn coefficient_that_is_a_word() {
    assert_snapshot!(changed(&[("oja      = 0.001", r#"oja      = "small""#)]), @r#"
      × pipelines/small.toml:14:12: a coefficient is a number, or a list with a number for each layer
        ╭─[pipelines/small.toml:14:12]
     13 │ gradient = 0.01
     14 │ oja      = "small"
        ·            ───────
     15 │ 
        ╰────
    "#);
}

#[test]
fn infinite_coefficient() {
    assert_snapshot!(changed(&[("oja      = 0.001", "oja      = inf")]), @"
      × pipelines/small.toml:14:12: term `oja`: inf is not a finite coefficient
        ╭─[pipelines/small.toml:14:12]
     13 │ gradient = 0.01
     14 │ oja      = inf
        ·            ───
     15 │ 
        ╰────
    ");
}

#[test]
fn coefficients_for_another_number_of_layers() {
    assert_snapshot!(changed(&[("oja      = 0.001", "oja      = [0.001, 0.002]")]), @"
      × pipelines/small.toml:14:12: term `oja`: 2 coefficients given, one for each of the 3 layers needed
        ╭─[pipelines/small.toml:14:12]
     13 │ gradient = 0.01
     14 │ oja      = [0.001, 0.002]
        ·            ──────────────
     15 │ 
        ╰────
    ");
}

#[test]
fn feedback_terms_with_fixed_feedback() {
    assert_snapshot!(changed(&[("oja      = 0.001", "oja      = 0.001\nfeedback_hebb = 0.001")]), @r#"
      × pipelines/small.toml:15:17: `feedback_hebb` moves feedback weights, which `feedback = "symmetric"` keeps fixed
        ╭─[pipelines/small.toml:15:17]
     14 │ oja      = 0.001
     15 │ feedback_hebb = 0.001
        ·                 ─────
     16 │ 
        ╰────
      help: Give stage `train` `feedback = "plastic"`.
    "#);
}

#[test]
fn tuned_rule_without_a_setting() {
    assert_snapshot!(changed(&[("oja      = 0.001", "tuned    = true")]), @"
      × pipelines/small.toml:12:8: rule `bp_oja` is tuned, so stage `train` has to say its `setting`
        ╭─[pipelines/small.toml:12:8]
     11 │ 
     12 │ [rules.bp_oja]
        ·        ──────
     13 │ gradient = 0.01
        ╰────
    ");
}

#[test]
fn tuned_rule_in_a_setting_nobody_tuned() {
    assert_snapshot!(changed(&[("oja      = 0.001", "tuned    = true"), ("samples   = 600", r#"samples   = 600
setting   = "7_layers""#)]), @"
      × pipelines/small.toml:12:8: no tuned coefficients for mnist / 7_layers / bp_oja
        ╭─[pipelines/small.toml:12:8]
     11 │ 
     12 │ [rules.bp_oja]
        ·        ──────
     13 │ gradient = 0.01
        ╰────
      help: There are: none.
    ");
}

// ------------------------------------------------------------------------------------------------- data and training

#[test]
fn unknown_data_set() {
    assert_snapshot!(changed(&[(r#""mnist""#, r#""mnits""#)]), @r#"
      × pipelines/small.toml:18:11: there is no data set `mnits` in data
      │   expected: one that is there (fashion_mnist, mnist)
      │   found:    `mnits`
      │   remedy:   correct the name; add the set with `ojaflow data import DIR --as NAME`; or name another data folder with `--data`
        ╭─[pipelines/small.toml:18:11]
     17 │ kind    = "load"
     18 │ dataset = "mnits"
        ·           ───────
     19 │ 
        ╰────
      help: Did you mean `mnist`?
    "#);
}

#[test]
fn unknown_kind() {
    assert_snapshot!(changed(&[(r#""train"
data"#, r#""trian"
data"#)]), @r#"
      × pipelines/small.toml:21:13: unknown kind `trian`; did you mean `train`? There are: `load`, `train`, `train_recurrent`, `meta_learn`, `train_batch`, `activations`, `reconstruction_error`, `reconstructions`, `activation_norms`, `weight_diagnostics`, `explained_variance`, `bootstrap`, `best_cell`, `sql`, `figure`
        ╭─[pipelines/small.toml:21:13]
     20 │ [stages.train]
     21 │ kind      = "trian"
        ·             ───────
     22 │ data      = "data"
        ╰────
    "#);
}

#[test]
fn stage_without_kind() {
    assert_snapshot!(changed(&[(r#"kind    = "load"
"#, "")]), @r#"
      × pipelines/small.toml:16:9: stage `data` does not say its `kind`
        ╭─[pipelines/small.toml:16:9]
     15 │ 
     16 │ [stages.data]
        ·         ────
     17 │ dataset = "mnist"
        ╰────
    "#);
}

#[test]
fn stage_name_that_sql_cannot_say() {
    assert_snapshot!(changed(&[("[stages.data]", "[stages.Data-Set]")]), @r#"
      × pipelines/small.toml:16:9: `Data-Set` cannot name a stage: its tables are used in SQL, so take lower-case letters, digits and `_`
        ╭─[pipelines/small.toml:16:9]
     15 │ 
     16 │ [stages.Data-Set]
        ·         ────────
     17 │ kind    = "load"
        ╰────
    "#);
}

#[test]
fn stage_that_is_no_table() {
    assert_snapshot!(changed(&[(r#"[stages.data]
kind    = "load"
dataset = "mnist""#, r#"[stages]
data = "mnist""#)]), @r#"
      × pipelines/small.toml:17:8: `data` is a table of `key = value`, not a string
        ╭─[pipelines/small.toml:17:8]
     16 │ [stages]
     17 │ data = "mnist"
        ·        ───────
     18 │ 
        ╰────
    "#);
}

#[test]
fn keep_that_is_no_boolean() {
    assert_snapshot!(changed(&[(r#"kind    = "load""#, r#"kind    = "load"
keep = "yes""#)]), @r#"
      × pipelines/small.toml:18:8: expected a boolean, found string "yes"
        ╭─[pipelines/small.toml:18:8]
     17 │ kind    = "load"
     18 │ keep = "yes"
        ·        ─────
     19 │ dataset = "mnist"
        ╰────
    "#);
}

#[test]
fn unknown_key_of_a_stage() {
    assert_snapshot!(changed(&[("samples   = 600", "sampels   = 600")]), @"
      × pipelines/small.toml:24:1: unknown key `sampels`; did you mean `samples`? There are: `data`, `layers`, `activation`, `init`, `feedback`, `rule`, `coefficients`, `setting`, `seed`, `samples`, `schedule`, `snapshots`, `evaluate_on`
        ╭─[pipelines/small.toml:24:1]
     23 │ layers    = [784, 40, 30, 10]
     24 │ sampels   = 600
        · ───────
     25 │ schedule  = { every = 100 }
        ╰────
    ");
}

#[test]
fn missing_key_of_a_stage() {
    assert_snapshot!(changed(&[("layers    = [784, 40, 30, 10]\n", "")]), @r#"
      × pipelines/small.toml:20:1: the key `layers` is missing
        ╭─[pipelines/small.toml:20:1]
     19 │ 
     20 │ [stages.train]
        · ──────────────
     21 │ kind      = "train"
        ╰────
    "#);
}

#[test]
fn missing_reference() {
    assert_snapshot!(changed(&[(r#"data      = "data"
"#, "")]), @r#"
      × pipelines/small.toml:20:1: the key `data` is missing
        ╭─[pipelines/small.toml:20:1]
     19 │ 
     20 │ [stages.train]
        · ──────────────
     21 │ kind      = "train"
        ╰────
    "#);
}

#[test]
fn reference_to_an_unknown_stage() {
    assert_snapshot!(changed(&[(r#"data      = "data""#, r#"data      = "images""#)]), @r#"
      × pipelines/small.toml:22:13: stage `train` reads stage `images`; there are: `data`, `activations`, `accuracy`, `summary`, `curves`
        ╭─[pipelines/small.toml:22:13]
     21 │ kind      = "train"
     22 │ data      = "images"
        ·             ────────
     23 │ layers    = [784, 40, 30, 10]
        ╰────
    "#);
}

#[test]
fn reference_to_the_wrong_kind_of_stage() {
    assert_snapshot!(changed(&[(r#"of      = "train""#, r#"of      = "data""#)]), @r#"
      × pipelines/small.toml:30:11: stage `activations` reads `runs`; what it refers to makes: `dataset`
        ╭─[pipelines/small.toml:30:11]
     29 │ kind    = "activations"
     30 │ of      = "data"
        ·           ──────
     31 │ layers  = [1, 2]
        ╰────
    "#);
}

#[test]
fn number_where_a_name_is_wanted() {
    assert_snapshot!(changed(&[(r#"data      = "data""#, "data      = 1")]), @r#"
      × pipelines/small.toml:22:13: expected a string, found integer `1`
        ╭─[pipelines/small.toml:22:13]
     21 │ kind      = "train"
     22 │ data      = 1
        ·             ─
     23 │ layers    = [784, 40, 30, 10]
        ╰────
    "#);
}

#[test]
fn word_where_a_number_is_wanted() {
    assert_snapshot!(changed(&[("samples   = 600", r#"samples   = "many""#)]), @r#"
      × pipelines/small.toml:24:13: expected a whole number, 0 or more, found string "many"
        ╭─[pipelines/small.toml:24:13]
     23 │ layers    = [784, 40, 30, 10]
     24 │ samples   = "many"
        ·             ──────
     25 │ schedule  = { every = 100 }
        ╰────
    "#);
}

#[test]
fn negative_number_of_samples() {
    assert_snapshot!(changed(&[("samples   = 600", "samples   = -600")]), @"
      × pipelines/small.toml:24:13: expected a whole number, 0 or more, found integer `-600`
        ╭─[pipelines/small.toml:24:13]
     23 │ layers    = [784, 40, 30, 10]
     24 │ samples   = -600
        ·             ────
     25 │ schedule  = { every = 100 }
        ╰────
    ");
}

#[test]
fn no_samples() {
    assert_snapshot!(changed(&[("samples   = 600", "samples   = 0")]), @"
      × pipelines/small.toml:24:13: 0 training samples; `mnist` has 50000 (its last 10000 are the tuning split), each is seen once
        ╭─[pipelines/small.toml:24:13]
     23 │ layers    = [784, 40, 30, 10]
     24 │ samples   = 0
        ·             ─
     25 │ schedule  = { every = 100 }
        ╰────
    ");
}

#[test]
fn more_samples_than_the_set_has() {
    assert_snapshot!(changed(&[("samples   = 600", "samples   = 60000")]), @"
      × pipelines/small.toml:24:13: 60000 training samples; `mnist` has 50000 (its last 10000 are the tuning split), each is seen once
        ╭─[pipelines/small.toml:24:13]
     23 │ layers    = [784, 40, 30, 10]
     24 │ samples   = 60000
        ·             ─────
     25 │ schedule  = { every = 100 }
        ╰────
    ");
}

#[test]
fn layer_without_units() {
    assert_snapshot!(changed(&[("[784, 40, 30, 10]", "[784, 0, 30, 10]")]), @r#"
      × pipelines/small.toml:23:13: layer 1 has no units; take at least 1
        ╭─[pipelines/small.toml:23:13]
     22 │ data      = "data"
     23 │ layers    = [784, 0, 30, 10]
        ·             ────────────────
     24 │ samples   = 600
        ╰────
    "#);
}

#[test]
fn first_layer_that_is_not_the_image() {
    assert_snapshot!(changed(&[("[784, 40, 30, 10]", "[40, 30, 10]")]), @r#"
      × pipelines/small.toml:23:13: the first layer is the image: 784 units for `mnist`, found 40
        ╭─[pipelines/small.toml:23:13]
     22 │ data      = "data"
     23 │ layers    = [40, 30, 10]
        ·             ────────────
     24 │ samples   = 600
        ╰────
    "#);
}

#[test]
fn last_layer_with_too_few_classes() {
    assert_snapshot!(changed(&[("[784, 40, 30, 10]", "[784, 40, 30, 9]")]), @r#"
      × pipelines/small.toml:23:13: the last layer needs a unit for each of the 10 classes of `mnist`
        ╭─[pipelines/small.toml:23:13]
     22 │ data      = "data"
     23 │ layers    = [784, 40, 30, 9]
        ·             ────────────────
     24 │ samples   = 600
        ╰────
    "#);
}

#[test]
fn network_without_weights() {
    assert_snapshot!(changed(&[("[784, 40, 30, 10]", "[784]")]), @r#"
      × pipelines/small.toml:23:13: a network has at least two layers, the image and the output
        ╭─[pipelines/small.toml:23:13]
     22 │ data      = "data"
     23 │ layers    = [784]
        ·             ─────
     24 │ samples   = 600
        ╰────
    "#);
}

#[test]
fn unknown_initialisation() {
    assert_snapshot!(changed(&[("samples   = 600", r#"samples   = 600
init = "xaver""#)]), @r#"
      × pipelines/small.toml:25:8: an initialisation is `"xavier"`, `"kaiming"`, `"naive"`, `{ naive = { std = 0.01 } }` or `{ naive = { variance = 1e-4 } }`
        ╭─[pipelines/small.toml:25:8]
     24 │ samples   = 600
     25 │ init = "xaver"
        ·        ───────
     26 │ schedule  = { every = 100 }
        ╰────
    "#);
}

#[test]
fn negative_standard_deviation() {
    assert_snapshot!(changed(&[("samples   = 600", "samples   = 600\ninit = { naive = { std = -0.01 } }")]), @"
      × pipelines/small.toml:25:8: naive initialization: std must be finite and not negative, found -0.01
        ╭─[pipelines/small.toml:25:8]
     24 │ samples   = 600
     25 │ init = { naive = { std = -0.01 } }
        ·        ───────────────────────────
     26 │ schedule  = { every = 100 }
        ╰────
    ");
}

#[test]
fn negative_variance() {
    assert_snapshot!(changed(&[("samples   = 600", "samples   = 600\ninit = { naive = { variance = -0.01 } }")]), @"
      × pipelines/small.toml:25:8: naive initialization: variance must be finite and not negative, found -0.01
        ╭─[pipelines/small.toml:25:8]
     24 │ samples   = 600
     25 │ init = { naive = { variance = -0.01 } }
        ·        ────────────────────────────────
     26 │ schedule  = { every = 100 }
        ╰────
    ");
}

#[test]
fn unknown_activation() {
    assert_snapshot!(changed(&[("samples   = 600", r#"samples   = 600
activation = "gelu""#)]), @r#"
      × pipelines/small.toml:25:14: an activation is `"softplus"`, `"tanh"`, `"relu"`, `"sigmoid"` or `{ softplus = { beta = 10 } }`
        ╭─[pipelines/small.toml:25:14]
     24 │ samples   = 600
     25 │ activation = "gelu"
        ·              ──────
     26 │ schedule  = { every = 100 }
        ╰────
    "#);
}

#[test]
fn softplus_with_beta_zero() {
    assert_snapshot!(changed(&[("samples   = 600", "samples   = 600\nactivation = { softplus = { beta = 0 } }")]), @"
      × pipelines/small.toml:25:14: softplus: beta must be positive and finite, found 0
        ╭─[pipelines/small.toml:25:14]
     24 │ samples   = 600
     25 │ activation = { softplus = { beta = 0 } }
        ·              ───────────────────────────
     26 │ schedule  = { every = 100 }
        ╰────
    ");
}

#[test]
fn unknown_feedback() {
    assert_snapshot!(changed(&[("samples   = 600", r#"samples   = 600
feedback = "fixed""#)]), @r#"
      × pipelines/small.toml:25:12: unknown choice `fixed`; there are: `symmetric`, `random`, `plastic`
        ╭─[pipelines/small.toml:25:12]
     24 │ samples   = 600
     25 │ feedback = "fixed"
        ·            ───────
     26 │ schedule  = { every = 100 }
        ╰────
    "#);
}

#[test]
fn negative_seed() {
    assert_snapshot!(changed(&[("{ first = 0, count = 3 }", "[-1]")]), @r#"
      × pipelines/small.toml:7:9: expected a whole number, 0 or more, found integer `-1`
       ╭─[pipelines/small.toml:7:9]
     6 │ rule = ["bp", "bp_oja"]
     7 │ seed = [-1]
       ·         ──
     8 │ 
       ╰────
    "#);
}

#[test]
fn snapshot_after_the_end() {
    assert_snapshot!(changed(&[("[0, 600]", "[0, 700]")]), @"
      × pipelines/small.toml:26:13: step 700 comes after the last training sample, 600
        ╭─[pipelines/small.toml:26:13]
     25 │ schedule  = { every = 100 }
     26 │ snapshots = [0, 700]
        ·             ────────
     27 │ 
        ╰────
    ");
}

#[test]
fn schedule_that_never_comes_round() {
    assert_snapshot!(changed(&[("{ every = 100 }", "{ every = 0 }")]), @"
      × pipelines/small.toml:25:13: `every = 0` never comes round; take at least 1
        ╭─[pipelines/small.toml:25:13]
     24 │ samples   = 600
     25 │ schedule  = { every = 0 }
        ·             ─────────────
     26 │ snapshots = [0, 600]
        ╰────
    ");
}

#[test]
fn schedule_that_is_a_word() {
    assert_snapshot!(changed(&[("{ every = 100 }", r#""often""#)]), @r#"
      × pipelines/small.toml:25:13: steps are a list, `[0, 200, 5000]`, or an interval, `{ every = 250 }`
        ╭─[pipelines/small.toml:25:13]
     24 │ samples   = 600
     25 │ schedule  = "often"
        ·             ───────
     26 │ snapshots = [0, 600]
        ╰────
    "#);
}

// ------------------------------------------------------------------------------------------------------ measurements

#[test]
fn layer_out_of_range() {
    assert_snapshot!(changed(&[("layers  = [1, 2]", "layers  = [1, 4]")]), @r#"
      × pipelines/small.toml:31:11: layer 4; the network has layers 0 to 3
        ╭─[pipelines/small.toml:31:11]
     30 │ of      = "train"
     31 │ layers  = [1, 4]
        ·           ──────
     32 │ samples = 500
        ╰────
    "#);
}

#[test]
fn no_layers() {
    assert_snapshot!(changed(&[("layers  = [1, 2]", "layers  = []")]), @r#"
      × pipelines/small.toml:31:11: no layers: nothing would be measured
        ╭─[pipelines/small.toml:31:11]
     30 │ of      = "train"
     31 │ layers  = []
        ·           ──
     32 │ samples = 500
        ╰────
    "#);
}

#[test]
fn step_at_which_nobody_looked() {
    assert_snapshot!(changed(&[("layers  = [1, 2]", "layers  = [1, 2]\nsteps   = [150]")]), @"
      × pipelines/small.toml:32:11: step 150: the training neither keeps its weights there (`snapshots = [0, 600]`) nor pauses (`schedule`: 0, 100, 200, 300, 400, 500, 600)
        ╭─[pipelines/small.toml:32:11]
     31 │ layers  = [1, 2]
     32 │ steps   = [150]
        ·           ─────
     33 │ samples = 500
        ╰────
    ");
}

#[test]
fn step_after_the_end() {
    assert_snapshot!(changed(&[("layers  = [1, 2]", "layers  = [1, 2]\nsteps   = [900]")]), @"
      × pipelines/small.toml:32:11: step 900 comes after the last training sample, 600
        ╭─[pipelines/small.toml:32:11]
     31 │ layers  = [1, 2]
     32 │ steps   = [900]
        ·           ─────
     33 │ samples = 500
        ╰────
    ");
}

#[test]
fn more_images_than_the_test_set_has() {
    assert_snapshot!(changed(&[("samples = 500", "samples = 50000")]), @"
      × pipelines/small.toml:32:11: 50000 images; this split of `mnist` has 10000
        ╭─[pipelines/small.toml:32:11]
     31 │ layers  = [1, 2]
     32 │ samples = 50000
        ·           ─────
     33 │ 
        ╰────
    ");
}

#[test]
fn no_weights_to_look_at() {
    assert_snapshot!(changed(&[("snapshots = [0, 600]\n", "")]), @r#"
      × pipelines/small.toml:29:11: the training keeps no weights; give it `snapshots`, or give `steps` of its schedule here
        ╭─[pipelines/small.toml:29:11]
     28 │ kind    = "activations"
     29 │ of      = "train"
        ·           ───────
     30 │ layers  = [1, 2]
        ╰────
    "#);
}

// ----------------------------------------------------------------------------------------- tables, intervals and sql

#[test]
fn unknown_table() {
    assert_snapshot!(changed(&[(r#""train_evaluations""#, r#""train_evaluation""#)]), @r#"
      × pipelines/small.toml:36:9: stage `accuracy` reads table `train_evaluation`; did you mean `train_evaluations`? There are: `data`, `train_runs`, `train_coefficients`, `train_evaluations`, `train_samples`, `train_weights`, `train_updates`, `activations`
        ╭─[pipelines/small.toml:36:9]
     35 │ kind  = "bootstrap"
     36 │ of    = "train_evaluation"
        ·         ──────────────────
     37 │ value = "accuracy"
        ╰────
    "#);
}

#[test]
fn table_of_an_unknown_stage() {
    assert_snapshot!(changed(&[(r#""train_evaluations""#, r#""training_evaluations""#)]), @r#"
      × pipelines/small.toml:36:9: `accuracy` reads table `training_evaluations`, which no stage makes; the stages are: `data`, `train`, `activations`, `summary`, `curves`
        ╭─[pipelines/small.toml:36:9]
     35 │ kind  = "bootstrap"
     36 │ of    = "training_evaluations"
        ·         ──────────────────────
     37 │ value = "accuracy"
        ╰────
      help: A table is called after the stage that makes it: `<stage>`, or `<stage>_<table>` where it makes several.
    "#);
}

#[test]
fn table_that_is_not_kept() {
    assert_snapshot!(changed(&[(r#"kind      = "train""#, r#"kind      = "train"
keep      = false"#)]), @r#"
      × pipelines/small.toml:37:9: table `train_evaluations` is not kept, so it cannot be gathered
        ╭─[pipelines/small.toml:37:9]
     36 │ kind  = "bootstrap"
     37 │ of    = "train_evaluations"
        ·         ───────────────────
     38 │ value = "accuracy"
        ╰────
      help: Take `keep = false` away from the stage that makes it.
    "#);
}

#[test]
fn bootstrap_without_runs() {
    assert_snapshot!(changed(&[(r#"of    = "train_evaluations""#, r#"of    = "train_updates""#)]), @r#"
      × pipelines/small.toml:36:9: the key `runs` is missing: the table that says which runs diverged
        ╭─[pipelines/small.toml:36:9]
     35 │ kind  = "bootstrap"
     36 │ of    = "train_updates"
        ·         ───────────────
     37 │ value = "accuracy"
        ╰────
      help: Write `runs = "<stage>_runs"` with the stage that trained the networks.
    "#);
}

#[test]
fn unknown_column() {
    assert_snapshot!(changed(&[(r#"value = "accuracy""#, r#"value = "acuracy""#)]), @r#"
      × pipelines/small.toml:37:9: table `train_evaluations` has no column `acuracy`; did you mean `accuracy`? There are: `rule`, `seed`, `run_id`, `step`, `accuracy`, `loss`, `n_samples`
        ╭─[pipelines/small.toml:37:9]
     36 │ of    = "train_evaluations"
     37 │ value = "acuracy"
        ·         ─────────
     38 │ 
        ╰────
    "#);
}

#[test]
fn column_that_is_no_number() {
    assert_snapshot!(changed(&[(r#"value = "accuracy""#, r#"value = "rule""#)]), @r#"
      × pipelines/small.toml:37:9: column `rule` of `train_evaluations` is of type category, not a number
        ╭─[pipelines/small.toml:37:9]
     36 │ of    = "train_evaluations"
     37 │ value = "rule"
        ·         ──────
     38 │ 
        ╰────
    "#);
}

#[test]
fn resampling_over_no_axis() {
    assert_snapshot!(changed(&[(r#"value = "accuracy""#, r#"value = "accuracy"
over = "step""#)]), @r#"
      × pipelines/small.toml:38:8: `step` is not an axis of table `train_runs`; did you mean `seed`? There are: `rule`, `seed`
        ╭─[pipelines/small.toml:38:8]
     37 │ value = "accuracy"
     38 │ over = "step"
        ·        ──────
     39 │ 
        ╰────
    "#);
}

#[test]
fn filter_on_an_unknown_column() {
    assert_snapshot!(changed(&[(r#"value = "accuracy""#, r#"value = "accuracy"
where = { stp = 600 }"#)]), @r#"
      × pipelines/small.toml:38:11: table `train_evaluations` has no column `stp`; did you mean `step`? There are: `rule`, `seed`, `run_id`, `step`, `accuracy`, `loss`, `n_samples`
        ╭─[pipelines/small.toml:38:11]
     37 │ value = "accuracy"
     38 │ where = { stp = 600 }
        ·           ───
     39 │ 
        ╰────
    "#);
}

#[test]
fn filter_on_a_value_that_no_axis_has() {
    assert_snapshot!(changed(&[(r#"value = "accuracy""#, r#"value = "accuracy"
where = { rule = "bp_oia" }"#)]), @r#"
      × pipelines/small.toml:38:18: no row of `train_evaluations` has `rule = bp_oia`; did you mean `bp_oja`? There are: `bp`, `bp_oja`
        ╭─[pipelines/small.toml:38:18]
     37 │ value = "accuracy"
     38 │ where = { rule = "bp_oia" }
        ·                  ────────
     39 │ 
        ╰────
    "#);
}

#[test]
fn difference_of_a_value_that_no_axis_has() {
    assert_snapshot!(changed(&[(r#"value = "accuracy""#, r#"value = "accuracy"
difference = { column = "rule", of = "bp_oia", minus = "bp" }"#)]), @r#"
      × pipelines/small.toml:38:38: no row of `train_evaluations` has `rule = bp_oia`; did you mean `bp_oja`? There are: `bp`, `bp_oja`
        ╭─[pipelines/small.toml:38:38]
     37 │ value = "accuracy"
     38 │ difference = { column = "rule", of = "bp_oia", minus = "bp" }
        ·                                      ────────
     39 │ 
        ╰────
    "#);
}

#[test]
fn difference_along_an_unknown_column() {
    assert_snapshot!(changed(&[(r#"value = "accuracy""#, r#"value = "accuracy"
difference = { column = "network", of = "bp_oja", minus = "bp" }"#)]), @r#"
      × pipelines/small.toml:38:14: `network` does not tell rows of `train_evaluations` apart; there are: `rule`, `step`
        ╭─[pipelines/small.toml:38:14]
     37 │ value = "accuracy"
     38 │ difference = { column = "network", of = "bp_oja", minus = "bp" }
        ·              ───────────────────────────────────────────────────
     39 │ 
        ╰────
    "#);
}

#[test]
fn two_statistics() {
    assert_snapshot!(changed(&[(r#"value = "accuracy""#, r#"value = "accuracy"
spread = ["step"]
ratio = { column = "rule", of = "bp", over = "bp_oja" }"#)]), @r#"
      × pipelines/small.toml:34:1: `difference`, `ratio` and `spread` exclude each other
        ╭─[pipelines/small.toml:34:1]
     33 │ 
     34 │ [stages.accuracy]
        · ─────────────────
     35 │ kind  = "bootstrap"
        ╰────
    "#);
}

#[test]
fn level_in_percent() {
    assert_snapshot!(changed(&[(r#"value = "accuracy""#, r#"value = "accuracy"
level = 98"#)]), @r#"
      × pipelines/small.toml:38:9: a level lies between 0 and 1 (0.98 is 98 %), found 98
        ╭─[pipelines/small.toml:38:9]
     37 │ value = "accuracy"
     38 │ level = 98
        ·         ──
     39 │ 
        ╰────
    "#);
}

#[test]
fn no_resamples() {
    assert_snapshot!(changed(&[(r#"value = "accuracy""#, r#"value = "accuracy"
resamples = 0"#)]), @r#"
      × pipelines/small.toml:38:13: between 1 and 1,000,000 resamples, found 0
        ╭─[pipelines/small.toml:38:13]
     37 │ value = "accuracy"
     38 │ resamples = 0
        ·             ─
     39 │ 
        ╰────
    "#);
}

#[test]
fn bootstrap_of_a_query_without_keys() {
    assert_snapshot!(with_more(r#"
[stages.late]
kind  = "sql"
query = "SELECT * FROM train_evaluations WHERE step > 300"

[stages.again]
kind  = "bootstrap"
of    = "late"
runs  = "train_runs"
value = "accuracy"
"#), @r#"
      × pipelines/small.toml:63:9: `late` was made by SQL: say with `keys` which columns tell its rows apart
        ╭─[pipelines/small.toml:63:9]
     62 │ kind  = "bootstrap"
     63 │ of    = "late"
        ·         ──────
     64 │ runs  = "train_runs"
        ╰────
    "#);
}

#[test]
fn sql_that_does_not_parse() {
    assert_snapshot!(changed(&[("FROM accuracy", "FORM accuracy")]), @r#"
      × pipelines/small.toml:43:6: the query: Expected: end of statement, found: accuracy
        ╭─[pipelines/small.toml:43:6]
     42 │ SELECT 'accuracy' AS panel, rule AS series, step AS x, mean, ci_low, ci_high, n_runs, n_diverged
     43 │ FORM accuracy
        ·      ────────
     44 │ """
        ╰────
    "#);
}

#[test]
fn sql_with_an_unknown_column() {
    assert_snapshot!(changed(&[("rule AS series", "rul AS series")]), @r#"
      × pipelines/small.toml:42:29: the query: unable to find column "rul"; valid columns: ["rule", "step", "mean", "ci_low", "ci_high", "n_runs", "n_diverged"]
        ╭─[pipelines/small.toml:42:29]
     41 │ query = """
     42 │ SELECT 'accuracy' AS panel, rul AS series, step AS x, mean, ci_low, ci_high, n_runs, n_diverged
        ·                             ───
     43 │ FROM accuracy
        ╰────
      help: Did you mean `rule`?
    "#);
}

#[test]
fn sql_with_an_unknown_table() {
    assert_snapshot!(changed(&[("FROM accuracy", "FROM acuracy")]), @r#"
      × pipelines/small.toml:43:6: `summary` reads table `acuracy`, which no stage makes; the stages are: `data`, `train`, `activations`, `accuracy`, `curves`
        ╭─[pipelines/small.toml:43:6]
     42 │ SELECT 'accuracy' AS panel, rule AS series, step AS x, mean, ci_low, ci_high, n_runs, n_diverged
     43 │ FROM acuracy
        ·      ───────
     44 │ """
        ╰────
      help: Did you mean `accuracy`? A table is called after the stage that makes it: `<stage>`, or `<stage>_<table>` where it makes several.
    "#);
}

#[test]
fn sql_with_an_unknown_function() {
    assert_snapshot!(changed(&[("step AS x", "stepp(step) AS x")]), @r#"
      × pipelines/small.toml:42:45: the query: unsupported function 'stepp'
        ╭─[pipelines/small.toml:42:45]
     41 │ query = """
     42 │ SELECT 'accuracy' AS panel, rule AS series, stepp(step) AS x, mean, ci_low, ci_high, n_runs, n_diverged
        ·                                             ─────
     43 │ FROM accuracy
        ╰────
    "#);
}

#[test]
fn sql_that_adds_a_word_to_a_number() {
    assert_snapshot!(changed(&[("step AS x", "step + rule AS x")]), @r#"
      × pipelines/small.toml:42:45: the query: arithmetic on dtypes i64 and str is not allowed (lhs: column 'step', rhs: column 'rule'); try an explicit cast first
        ╭─[pipelines/small.toml:42:45]
     41 │ query = """
     42 │ SELECT 'accuracy' AS panel, rule AS series, step + rule AS x, mean, ci_low, ci_high, n_runs, n_diverged
        ·                                             ────
     43 │ FROM accuracy
        ╰────
    "#);
}

#[test]
fn sql_that_changes_something() {
    assert_snapshot!(changed(&[("SELECT 'accuracy'", "DROP TABLE accuracy; SELECT 'accuracy'")]), @r#"
      × pipelines/small.toml:41:9: the query: a query is one SELECT
        ╭─[pipelines/small.toml:41:9]
     40 │ kind  = "sql"
     41 │ query = """
        ·         ───
     42 │ DROP TABLE accuracy; SELECT 'accuracy' AS panel, rule AS series, step AS x, mean, ci_low, ci_high, n_runs, n_diverged
        ╰────
    "#);
}

#[test]
fn sql_that_reads_no_table() {
    assert_snapshot!(changed(&[("rule AS series", "1 AS series"), ("FROM accuracy\n", "")]), @r#"
      × pipelines/small.toml:41:9: the query reads no table
        ╭─[pipelines/small.toml:41:9]
     40 │ kind  = "sql"
     41 │ query = """
        ·         ───
     42 │ SELECT 'accuracy' AS panel, 1 AS series, step AS x, mean, ci_low, ci_high, n_runs, n_diverged
        ╰────
    "#);
}

#[test]
fn stages_that_wait_for_each_other() {
    assert_snapshot!(with_more(r#"
[stages.hen]
kind  = "sql"
query = "SELECT * FROM egg"

[stages.egg]
kind  = "sql"
query = "SELECT * FROM hen"
"#), @r#"
      × pipelines/small.toml:57:9: these stages wait for each other: `hen`, `egg`
        ╭─[pipelines/small.toml:57:9]
     56 │ 
     57 │ [stages.hen]
        ·         ───
     58 │ kind  = "sql"
        ╰────
    "#);
}

#[test]
fn figure_of_a_table_without_curves() {
    assert_snapshot!(changed(&[(r#"of   = "summary""#, r#"of   = "train_runs""#)]), @r#"
      × pipelines/small.toml:48:8: this figure is drawn from the columns `panel`, `series`, `x`, `mean`, `ci_low`, `ci_high`, `n_runs`, `n_diverged`; `train_runs` has no `panel`
        ╭─[pipelines/small.toml:48:8]
     47 │ kind = "figure"
     48 │ of   = "train_runs"
        ·        ────────────
     49 │ 
        ╰────
    "#);
}

#[test]
fn figure_in_an_unknown_colour() {
    assert_snapshot!(changed(&[(r#"of   = "summary""#, r#"of   = "summary"
series = [{ series = "bp", colour = "teal" }]"#)]), @r#"
      × pipelines/small.toml:49:37: unknown choice `teal`; there are: `black`, `blue`, `orange`, `green`, `vermilion`, `purple`, `sky`
        ╭─[pipelines/small.toml:49:37]
     48 │ of   = "summary"
     49 │ series = [{ series = "bp", colour = "teal" }]
        ·                                     ──────
     50 │ 
        ╰────
    "#);
}

#[test]
fn figure_without_columns() {
    assert_snapshot!(changed(&[(r#"of   = "summary""#, r#"of   = "summary"
columns = 0"#)]), @r#"
      × pipelines/small.toml:49:11: a figure has at least one column of panels
        ╭─[pipelines/small.toml:49:11]
     48 │ of   = "summary"
     49 │ columns = 0
        ·           ─
     50 │ 
        ╰────
    "#);
}

// ------------------------------------------------------------------------------------------------------------ claims

#[test]
fn claims_that_are_one_table() {
    assert_snapshot!(changed(&[("[[claims]]", "[claims]")]), @r#"
      × pipelines/small.toml:50:1: claims are written as `[[claims]]`, one after the other
        ╭─[pipelines/small.toml:50:1]
     49 │ 
     50 │ [claims]
        · ────────
     51 │ id           = "S1"
        ╰────
    "#);
}

#[test]
fn claim_without_id() {
    assert_snapshot!(changed(&[(r#"id           = "S1"
"#, "")]), @r#"
      × pipelines/small.toml:50:1: the claim has no `id`
        ╭─[pipelines/small.toml:50:1]
     49 │ 
     50 │ [[claims]]
        · ──────────
     51 │ statement    = "both rules learn something"
        ╰────
    "#);
}

#[test]
fn claim_without_threshold() {
    assert_snapshot!(changed(&[("greater_than = 0.2\n", "")]), @r#"
      × pipelines/small.toml:50:1: claim `S1`: this condition has no threshold
        ╭─[pipelines/small.toml:50:1]
     49 │ 
     50 │ [[claims]]
        · ──────────
     51 │ id           = "S1"
        ╰────
      help: Give one of `greater_than`, `less_than`, `estimate_greater_than`, `estimate_less_than`.
    "#);
}

#[test]
fn claim_that_tests_nothing() {
    assert_snapshot!(changed(&[(r#"of           = "accuracy"
where        = { step = 600 }
greater_than = 0.2
"#, "")]), @r#"
      × pipelines/small.toml:50:1: a claim reads a bootstrap table: `of = "…"` is missing
        ╭─[pipelines/small.toml:50:1]
     49 │ 
     50 │ [[claims]]
        · ──────────
     51 │ id           = "S1"
        ╰────
    "#);
}

#[test]
fn claim_about_an_unknown_table() {
    assert_snapshot!(changed(&[(r#"of           = "accuracy""#, r#"of           = "acuracy""#)]), @r#"
      × pipelines/small.toml:53:16: `claims` reads table `acuracy`, which no stage makes; the stages are: `data`, `train`, `activations`, `accuracy`, `summary`, `curves`
        ╭─[pipelines/small.toml:53:16]
     52 │ statement    = "both rules learn something"
     53 │ of           = "acuracy"
        ·                ─────────
     54 │ where        = { step = 600 }
        ╰────
      help: Did you mean `accuracy`? A table is called after the stage that makes it: `<stage>`, or `<stage>_<table>` where it makes several.
    "#);
}

#[test]
fn claim_about_a_table_without_intervals() {
    assert_snapshot!(changed(&[(r#"of           = "accuracy""#, r#"of           = "train_evaluations""#)]), @r#"
      × pipelines/small.toml:53:16: claim `S1`: `train_evaluations` has no column `mean`: it is not a bootstrap table
        ╭─[pipelines/small.toml:53:16]
     52 │ statement    = "both rules learn something"
     53 │ of           = "train_evaluations"
        ·                ───────────────────
     54 │ where        = { step = 600 }
        ╰────
    "#);
}

#[test]
fn claim_with_an_unknown_column() {
    assert_snapshot!(changed(&[("{ step = 600 }", "{ steps = 600 }")]), @r#"
      × pipelines/small.toml:54:18: claim `S1`: `accuracy` has no column `steps`; did you mean `step`? There are: `rule`, `step`, `mean`, `ci_low`, `ci_high`, `n_runs`, `n_diverged`
        ╭─[pipelines/small.toml:54:18]
     53 │ of           = "accuracy"
     54 │ where        = { steps = 600 }
        ·                  ─────
     55 │ greater_than = 0.2
        ╰────
    "#);
}

#[test]
fn claim_with_an_unknown_key() {
    assert_snapshot!(changed(&[("greater_than", "larger_than")]), @"
      × pipelines/small.toml:55:1: unknown key `larger_than`; there are: `of`, `where`, `for_all`, `greater_than`, `less_than`, `estimate_greater_than`, `estimate_less_than`, `or_diverged`
        ╭─[pipelines/small.toml:55:1]
     54 │ where        = { step = 600 }
     55 │ larger_than = 0.2
        · ───────────
        ╰────
    ");
}

#[test]
fn claim_about_a_value_that_no_axis_has() {
    assert_snapshot!(changed(&[("{ step = 600 }", r#"{ step = 600, rule = "hebb" }"#)]), @r#"
      × pipelines/small.toml:54:37: no row of `accuracy` has `rule = hebb`; there are: `bp`, `bp_oja`
        ╭─[pipelines/small.toml:54:37]
     53 │ of           = "accuracy"
     54 │ where        = { step = 600, rule = "hebb" }
        ·                                     ──────
     55 │ greater_than = 0.2
        ╰────
    "#);
}

// -------------------------------------------------------------------------------------------------- the command line

#[test]
fn unknown_pipeline() {
    assert_snapshot!(refused(SOUND, "smal", &[]), @"
      × there is no pipeline `smal`
      help: Did you mean `small`? There are: `small`.
    ");
}

#[test]
fn path_of_no_file() {
    assert_snapshot!(refused(SOUND, "pipelines/smal.toml", &[]), @"
      × there is no pipeline `pipelines/smal.toml`
      help: No file pipelines/smal.toml.
    ");
}

#[test]
fn override_without_a_value() {
    assert_snapshot!(with_options(&["--set", "matrix.seed.count"]), @"  × `--set matrix.seed.count`: write `key=value`, for example `--set matrix.seed.count=3`");
}

#[test]
fn override_of_an_unknown_key() {
    assert_snapshot!(with_options(&["--set", "stages.train.sampels=700"]), @"
      × --set:1:14: unknown key `sampels`; did you mean `samples`? There are: `data`, `layers`, `activation`, `init`, `feedback`, `rule`, `coefficients`, `setting`, `seed`, `samples`, `schedule`, `snapshots`, `evaluate_on`
       ╭─[--set:1:14]
     1 │ stages.train.sampels = 700
       ·              ───────
       ╰────
    ");
}

#[test]
fn override_of_an_unknown_stage() {
    assert_snapshot!(with_options(&["--set", "stages.trian.samples=700"]), @"
      × --set:1:8: there is no stage `trian` to override; did you mean `train`? There are: `data`, `train`, `activations`, `accuracy`, `summary`, `curves`
       ╭─[--set:1:8]
     1 │ stages.trian.samples = 700
       ·        ─────
       ╰────
    ");
}

#[test]
fn override_of_the_wrong_type() {
    assert_snapshot!(with_options(&["--set", "stages.train.samples=many"]), @r#"
      × --set:1:24: expected a whole number, 0 or more, found string "many"
       ╭─[--set:1:24]
     1 │ stages.train.samples = "many"
       ·                        ──────
       ╰────
    "#);
}

#[test]
fn override_with_an_impossible_value() {
    assert_snapshot!(with_options(&["--set", "stages.train.samples=60000"]), @"
      × --set:1:24: 60000 training samples; `mnist` has 50000 (its last 10000 are the tuning split), each is seen once
       ╭─[--set:1:24]
     1 │ stages.train.samples = 60000
       ·                        ─────
       ╰────
    ");
}

#[test]
fn override_that_is_no_key() {
    assert_snapshot!(with_options(&["--set", "stages train=700"]), @r#"
      × --set:1:8: key with no value, expected `=`
       ╭─[--set:1:8]
     1 │ stages train = "700"
       ·        ─
       ╰────
    "#);
}

#[test]
fn target_that_is_no_stage() {
    assert_snapshot!(with_options(&["--to", "tain"]), @"  × `--to tain`: there is no such stage; did you mean `train`? There are: `data`, `train`, `activations`, `accuracy`, `summary`, `curves`, `claims`");
}

#[test]
fn forced_stage_that_is_none() {
    assert_snapshot!(with_options(&["--force", "tain"]), @"  × `--force tain`: there is no such stage; did you mean `train`? There are: `data`, `train`, `activations`, `accuracy`, `summary`, `curves`, `claims`");
}

#[test]
fn publishing_under_no_name() {
    assert_snapshot!(with_options(&["--as", "../elsewhere"]), @"  × `../elsewhere` cannot name a folder: take letters, digits, `_`, `-`, `.`");
}

#[test]
fn no_jobs() {
    assert_snapshot!(with_options(&["--jobs", "0"]), @"
    error: invalid value '0' for '--jobs <N>': 0 is not in 1..=1024

    For more information, try '--help'.
    ");
}

// ------------------------------------------------------------------------------------------------ what only data can show

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
    let folder = project(SOUND);
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
