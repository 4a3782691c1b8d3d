//! Terms that are written as equations. Each is checked although no rule has it.

use insta::assert_snapshot;

use super::with_more;

#[test]
fn an_equation_that_cannot_be_read() {
    assert_snapshot!(
        with_more(
            r#"[terms.mine]
equation = "y_post * y_prre'"
"#
        ),
        @r#"
      × pipelines/small.toml:57:22: term `mine`: nothing is called `y_prre`
        ╭─[pipelines/small.toml:57:22]
     56 │ [terms.mine]
     57 │ equation = "y_post * y_prre'"
        ·                      ──────
        ╰────
      help: There are `y_pre`, `y_post`, `e_pre`, `e_post`, `z_post`, `label`, `noise`, `loss`, `loss_change`, `settled_pre`, `settled_post`, `W`, `B`. Others stand in `parameters` or `state`.
    "#
    );
}

#[test]
fn the_name_of_a_shipped_term() {
    assert_snapshot!(
        with_more(
            r#"[terms.oja]
equation = "y_post * y_pre'"
"#
        ),
        @r#"
      × pipelines/small.toml:56:8: a shipped term has the name `oja`
        ╭─[pipelines/small.toml:56:8]
     55 │ greater_than = 0.2
     56 │ [terms.oja]
        ·        ───
     57 │ equation = "y_post * y_pre'"
        ╰────
      help: Give this one another name: what a shipped term means is the same in every pipeline.
    "#
    );
}

#[test]
fn a_name_that_means_something_else_in_a_rule() {
    assert_snapshot!(
        with_more(
            r#"[terms.tuned]
equation = "y_post * y_pre'"
"#
        ),
        @r#"
      × pipelines/small.toml:56:8: `tuned` cannot name a term: a rule says something else by it
        ╭─[pipelines/small.toml:56:8]
     55 │ greater_than = 0.2
     56 │ [terms.tuned]
        ·        ─────
     57 │ equation = "y_post * y_pre'"
        ╰────
      help: What rules have beside terms: `clip`, `tuned`.
    "#
    );
}

#[test]
fn a_name_that_is_no_identifier() {
    assert_snapshot!(
        with_more(
            r#"[terms.Own-Term]
equation = "y_post * y_pre'"
"#
        ),
        @r#"
      × pipelines/small.toml:56:8: `Own-Term` cannot name a term: it names a coefficient and a column, so take lower-case letters, digits and `_`
        ╭─[pipelines/small.toml:56:8]
     55 │ greater_than = 0.2
     56 │ [terms.Own-Term]
        ·        ────────
     57 │ equation = "y_post * y_pre'"
        ╰────
    "#
    );
}

#[test]
fn an_unknown_key_of_a_term() {
    assert_snapshot!(
        with_more(
            r#"[terms.mine]
equation = "y_post * y_pre'"
gain     = 2
"#
        ),
        @r#"
      × pipelines/small.toml:58:1: unknown key `gain`; there are: `equation`, `synapses`, `parameters`, `state`
        ╭─[pipelines/small.toml:58:1]
     57 │ equation = "y_post * y_pre'"
     58 │ gain     = 2
        · ────
        ╰────
    "#
    );
}

#[test]
fn synapses_that_there_are_not() {
    assert_snapshot!(
        with_more(
            r#"[terms.mine]
equation = "y_post * y_pre'"
synapses = "backward"
"#
        ),
        @r#"
      × pipelines/small.toml:58:12: unknown choice `backward`; there are: `forward`, `feedback`
        ╭─[pipelines/small.toml:58:12]
     57 │ equation = "y_post * y_pre'"
     58 │ synapses = "backward"
        ·            ──────────
        ╰────
    "#
    );
}

#[test]
fn a_term_without_an_equation() {
    assert_snapshot!(
        with_more(
            r#"[terms.mine]
synapses = "feedback"
"#
        ),
        @r#"
      × pipelines/small.toml:56:1: the key `equation` is missing
        ╭─[pipelines/small.toml:56:1]
     55 │ greater_than = 0.2
     56 │ [terms.mine]
        · ────────────
     57 │ synapses = "feedback"
        ╰────
    "#
    );
}

#[test]
fn a_parameter_that_is_no_number() {
    assert_snapshot!(
        with_more(
            r#"[terms.mine]
equation = "y_post * y_pre'"
parameters = { rate = inf }
"#
        ),
        @r#"
      × pipelines/small.toml:58:16: `rate` is inf, not a finite number
        ╭─[pipelines/small.toml:58:16]
     57 │ equation = "y_post * y_pre'"
     58 │ parameters = { rate = inf }
        ·                ────
        ╰────
    "#
    );
}

#[test]
fn a_parameter_and_a_state_of_one_name() {
    assert_snapshot!(
        with_more(
            r#"[terms.mine]
equation = "y_post * y_pre'"
parameters = { rate = 0.1 }
state = { rate = { start = 0, update = "rate" } }
"#
        ),
        @r#"
      × pipelines/small.toml:59:11: term `mine`: `rate` is a parameter, so it cannot be a value of the state as well
        ╭─[pipelines/small.toml:59:11]
     58 │ parameters = { rate = 0.1 }
     59 │ state = { rate = { start = 0, update = "rate" } }
        ·           ────
        ╰────
    "#
    );
}

#[test]
fn a_term_that_is_no_table() {
    assert_snapshot!(
        with_more(
            r#"[terms]
mine = "y_post * y_pre'"
"#
        ),
        @r#"
      × pipelines/small.toml:57:8: `mine` is a table of `key = value`, not a string
        ╭─[pipelines/small.toml:57:8]
     56 │ [terms]
     57 │ mine = "y_post * y_pre'"
        ·        ─────────────────
        ╰────
    "#
    );
}

/// The small pipeline with a term that has a number, and a stage that sets `terms`.
fn with_numbers(terms: &str) -> String {
    let more = format!(
        r#"[terms.bcm]
equation   = "(y_post .* (y_post - theta)) * y_pre'"
parameters = {{ rate = 0.01 }}
state      = {{ theta = {{ start = 0.1, update = "(1 - rate) * theta + rate * y_post.^2" }} }}
[stages.again]
kind    = "train"
data    = "data"
layers  = [784, 12, 10]
samples = 100
coefficients = {{ gradient = 0.01, bcm = 0.001 }}
terms   = {terms}
"#
    );
    with_more(&more)
}

#[test]
fn a_number_of_a_term_that_there_is_not() {
    assert_snapshot!(with_numbers("{ bmc = { rate = 0.1 } }"), @r#"
     × pipelines/small.toml:66:13: this pipeline writes no term `bmc`; did you mean `bcm`? There are: `bcm`
       ╭─[pipelines/small.toml:66:13]
    65 │ coefficients = { gradient = 0.01, bcm = 0.001 }
    66 │ terms   = { bmc = { rate = 0.1 } }
       ·             ───
       ╰────
    "#);
}

#[test]
fn a_number_that_the_term_has_not() {
    assert_snapshot!(with_numbers("{ bcm = { rat = 0.1 } }"), @r#"
     × pipelines/small.toml:66:21: term `bcm` has no parameter `rat`; did you mean `rate`? There are: `rate`
       ╭─[pipelines/small.toml:66:21]
    65 │ coefficients = { gradient = 0.01, bcm = 0.001 }
    66 │ terms   = { bcm = { rat = 0.1 } }
       ·                     ───
       ╰────
    "#);
}

#[test]
fn a_number_of_a_shipped_term() {
    assert_snapshot!(with_numbers("{ oja = { rate = 0.1 } }"), @r#"
     × pipelines/small.toml:66:13: `oja` is a shipped term, whose equation has no numbers to set; there are: `bcm`
       ╭─[pipelines/small.toml:66:13]
    65 │ coefficients = { gradient = 0.01, bcm = 0.001 }
    66 │ terms   = { oja = { rate = 0.1 } }
       ·             ───
       ╰────
    "#);
}

#[test]
fn a_number_that_is_none() {
    assert_snapshot!(with_numbers("{ bcm = { rate = inf } }"), @r#"
     × pipelines/small.toml:66:21: `rate` is inf, not a finite number
       ╭─[pipelines/small.toml:66:21]
    65 │ coefficients = { gradient = 0.01, bcm = 0.001 }
    66 │ terms   = { bcm = { rate = inf } }
       ·                     ────
       ╰────
    "#);
}

#[test]
fn a_number_that_is_a_word() {
    assert_snapshot!(with_numbers("{ bcm = { rate = \"fast\" } }"), @r#"
     × pipelines/small.toml:66:28: expected a number, found string "fast"
       ╭─[pipelines/small.toml:66:28]
    65 │ coefficients = { gradient = 0.01, bcm = 0.001 }
    66 │ terms   = { bcm = { rate = "fast" } }
       ·                            ──────
       ╰────
    "#);
}
