//! Tables, intervals and SQL.

use insta::assert_snapshot;

use super::{changed, with_more};

#[test]
fn unknown_table() {
    assert_snapshot!(changed(&[(r#""train_evaluations""#, r#""train_evaluation""#)]), @r#"
      × pipelines/small.toml:36:9: stage `accuracy` reads table `train_evaluation`; did you mean `train_evaluations`? There are: `data`, `train_runs`, `train_coefficients`, `train_evaluations`, `train_samples`, `train_weights`, `train_state`, `train_updates`, `train_term_norms`, `activations`
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

#[test]
fn rows_at_a_step_that_is_not_measured() {
    assert_snapshot!(changed(&[("value = \"accuracy\"", "value = \"accuracy\"\nwhere = { step = 999 }")]), @r#"
      × pipelines/small.toml:38:18: no row of `train_evaluations` has `step = 999`; there are: `0`, `100`, `200`, `300`, `400`, `500`, `600`
        ╭─[pipelines/small.toml:38:18]
     37 │ value = "accuracy"
     38 │ where = { step = 999 }
        ·                  ───
     39 │ 
        ╰────
    "#);
}

#[test]
fn rows_of_updates_at_a_step_that_is_not_measured() {
    assert_snapshot!(changed(&[("of    = \"train_evaluations\"\nvalue = \"accuracy\"", "of    = \"train_updates\"\nruns  = \"train_runs\"\nvalue = \"total_norm\"\nwhere = { step = [100, 150] }")]), @r#"
      × pipelines/small.toml:39:18: no row of `train_updates` has `step = 150`; there are: `0`, `100`, `200`, `300`, `400`, `500`, `600`
        ╭─[pipelines/small.toml:39:18]
     38 │ value = "total_norm"
     39 │ where = { step = [100, 150] }
        ·                  ──────────
     40 │ 
        ╰────
    "#);
}
