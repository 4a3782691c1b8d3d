//! Rules and coefficients.

use insta::assert_snapshot;

use super::changed;

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
      × pipelines/small.toml:15:17: `feedback_hebb` moves feedback weights, and the network's feedback is `symmetric`, where there are no feedback weights to move
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
      help: On `mnist` the settings `10_layers`, `5_layers`, `5_layers_feedback_alignment`, `5_layers_naive`, `any_init`, `broadcast_10`, `broadcast_5`, `direct_10`, `direct_5`, `equilibrium_propagation_5`, `kolen_pollack_10`, `kolen_pollack_5`, `none_10`, `none_5`, `predictive_coding_5`, `random_10`, `random_5`, `rnn`, `rnn_256`, `rnn_32`, `rnn_64`, `rnn_orthogonal`, `sign_symmetric_10`, `sign_symmetric_5`, `symmetric_10`, `symmetric_5`, `weight_mirror_10`, `weight_mirror_5` are tuned.
    ");
}
