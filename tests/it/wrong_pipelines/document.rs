//! The file as a whole.

use insta::assert_snapshot;

use super::{changed, refused};

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
      × pipelines/small.toml:5:2: unknown section `matrices`; did you mean `matrix`? There are: `pipeline`, `include`, `matrix`, `terms`, `rules`, `stages`, `claims`, `decide`
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
      × pipelines/small.toml:17:11: unknown kind `lode`; did you mean `load`? There are: `load`, `tuned`, `train`, `train_recurrent`, `meta_learn`, `train_batch`, `activations`, `reconstruction_error`, `reconstructions`, `activation_norms`, `weight_diagnostics`, `receptive_fields`, `explained_variance`, `bootstrap`, `race`, `sql`, `figure`
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

#[test]
fn name_too_long_for_a_folder() {
    assert_snapshot!(changed(&[("\"small\"", "\"ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss\"")]), @r#"
      × pipelines/small.toml:2:9: a pipeline's name has at most 150 letters, as it becomes a folder; this one has 200
       ╭─[pipelines/small.toml:2:9]
     1 │ [pipeline]
     2 │ name  = "ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss"
       ·         ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
     3 │ title = "A pipeline to make mistakes in"
       ╰────
    "#);
}
