//! The command line.

use insta::assert_snapshot;

use super::{SOUND, refused, with_options};

#[test]
fn unknown_pipeline() {
    assert_snapshot!(refused(SOUND, "smal", &[]), @"
     × there is no pipeline `smal`
     help: Did you mean `small`? There are: `small`, and those of the program, which `ojaflow pipeline` lists.
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
      × --set:1:14: unknown key `sampels`; did you mean `samples`? There are: `data`, `layers`, `activation`, `init`, `feedback`, `loss`, `rule`, `coefficients`, `terms`, `setting`, `cell`, `seed`, `samples`, `schedule`, `snapshots`, `evaluate_on`
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

#[test]
fn publishing_under_a_name_too_long_for_a_folder() {
    assert_snapshot!(with_options(&["--as", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]), @"
      × `--as`: the name to publish under has at most 150 letters, as it becomes a folder; this one has 300
    ");
}
