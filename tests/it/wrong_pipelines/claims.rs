//! Claims.

use insta::assert_snapshot;

use super::changed;

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
      help: Give one of `greater_than`, `less_than`, `between`.
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
      × pipelines/small.toml:53:16: stage `claims` reads `train_evaluations_values` beside `train_evaluations`, which has no such table beside it
        ╭─[pipelines/small.toml:53:16]
     52 │ statement    = "both rules learn something"
     53 │ of           = "train_evaluations"
        ·                ───────────────────
     54 │ where        = { step = 600 }
        ╰────
      help: The summary of a `bootstrap` has: name one of those.
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
      × pipelines/small.toml:55:1: unknown key `larger_than`; there are: `of`, `probability`, `where`, `for_all`, `greater_than`, `less_than`, `between`, `or_diverged`, `paper_effect`
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
