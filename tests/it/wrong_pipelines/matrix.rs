//! The matrix.

use insta::assert_snapshot;

use super::changed;

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
      × pipelines/small.toml:10:7: unknown key `layer`; did you mean `layers`? There are: `data`, `layers`, `activation`, `init`, `feedback`, `loss`, `rule`, `coefficients`, `terms`, `setting`, `cell`, `seed`, `samples`, `schedule`, `snapshots`, `evaluate_on`
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
