//! Measurements.

use insta::assert_snapshot;

use super::changed;

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

#[test]
fn a_layer_that_was_not_recorded() {
    assert_snapshot!(changed(&[("[stages.summary]", "[stages.variances]\nkind = \"explained_variance\"\nof   = \"activations\"\n\n[stages.shares]\nkind  = \"bootstrap\"\nof    = \"variances\"\nruns  = \"train_runs\"\nvalue = \"ratio\"\nwhere = { layer = 3 }\n\n[stages.summary]")]), @r#"
      × pipelines/small.toml:48:19: no row of `variances` has `layer = 3`; there are: `1`, `2`
        ╭─[pipelines/small.toml:48:19]
     47 │ value = "ratio"
     48 │ where = { layer = 3 }
        ·                   ─
     49 │ 
        ╰────
    "#);
}

#[test]
fn a_covariance_of_one_image() {
    assert_snapshot!(changed(&[("samples = 500", "samples = 1"), ("[stages.summary]", "[stages.variances]\nkind = \"explained_variance\"\nof   = \"activations\"\n\n[stages.summary]")]), @r#"
      × pipelines/small.toml:41:8: a covariance needs at least 2 images, and `activations` has 1
        ╭─[pipelines/small.toml:41:8]
     40 │ kind = "explained_variance"
     41 │ of   = "activations"
        ·        ─────────────
     42 │ 
        ╰────
      help: Give stage `activations` a larger number of `samples`.
    "#);
}

#[test]
fn an_interval_beyond_the_end_of_the_training() {
    assert_snapshot!(changed(&[("layers  = [1, 2]", "layers  = [1, 2]\nsteps   = { every = 900 }")]), @"
      × pipelines/small.toml:32:11: `every = 900` comes after the last training sample, 600; the beginning and the end are `[0, 600]`
        ╭─[pipelines/small.toml:32:11]
     31 │ layers  = [1, 2]
     32 │ steps   = { every = 900 }
        ·           ───────────────
     33 │ samples = 500
        ╰────
    ");
}
