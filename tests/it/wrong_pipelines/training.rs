//! Data and training.

use insta::assert_snapshot;

use super::changed;

#[test]
fn unknown_data_set() {
    assert_snapshot!(changed(&[(r#""mnist""#, r#""mnits""#)]), @r#"
      × pipelines/small.toml:18:11: there is no data set `mnits` in data
      │   expected: one that is there (fashion_mnist, mnist)
      │   found:    `mnits`
      │   remedy:   correct the name; get MNIST and Fashion-MNIST with `pip install ojaflow-data` or `ojaflow data fetch`; add another set with `ojaflow data import DIR --as NAME`; or name another data folder with `--data`
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
      × pipelines/small.toml:21:13: unknown kind `trian`; did you mean `train`? There are: `load`, `tuned`, `train`, `train_recurrent`, `meta_learn`, `train_batch`, `activations`, `reconstruction_error`, `reconstructions`, `activation_norms`, `weight_diagnostics`, `receptive_fields`, `explained_variance`, `bootstrap`, `race`, `sql`, `figure`
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
      × pipelines/small.toml:24:1: unknown key `sampels`; did you mean `samples`? There are: `data`, `layers`, `activation`, `init`, `feedback`, `loss`, `rule`, `coefficients`, `terms`, `setting`, `cell`, `seed`, `samples`, `schedule`, `snapshots`, `evaluate_on`
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
      × pipelines/small.toml:25:8: an initialisation is `"xavier"`, `"kaiming"`, `"orthogonal"`, `"naive"`, `{ naive = { std = 0.01 } }` or `{ naive = { variance = 1e-4 } }`
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
      × pipelines/small.toml:25:14: an activation is `"softplus"`, `"tanh"`, `"relu"`, `"sigmoid"`, `"linear"` or `{ softplus = { beta = 10 } }`
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
      × pipelines/small.toml:25:12: feedback is `"symmetric"`, `"random"`, `"plastic"`, `"sign_symmetric"`, `"direct"`, `"broadcast"`, `"none"`, `"kolen_pollack"`, `"weight_mirror"`, `"predictive_coding"` or `"equilibrium_propagation"`, or one of the last ones with its numbers: `{ broadcast = { std = 1e-3 } }`
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

#[test]
fn schedule_beyond_the_samples() {
    assert_snapshot!(changed(&[("{ every = 100 }", "{ every = 2500 }")]), @"
      × pipelines/small.toml:25:13: `every = 2500` comes after the last training sample, 600; the beginning and the end are `[0, 600]`
        ╭─[pipelines/small.toml:25:13]
     24 │ samples   = 600
     25 │ schedule  = { every = 2500 }
        ·             ────────────────
     26 │ snapshots = [0, 600]
        ╰────
    ");
}

#[test]
fn negative_rate() {
    assert_snapshot!(changed(&[("[rules.bp]\ngradient = 0.01", "[rules.bp]\ngradient = -0.01")]), @"
      × pipelines/small.toml:10:12: `gradient` is -0.01: the network would climb the loss that it is to descend
        ╭─[pipelines/small.toml:10:12]
      9 │ [rules.bp]
     10 │ gradient = -0.01
        ·            ─────
     11 │ 
        ╰────
      help: A learning rate is positive; every other term may have either sign.
    ");
}

#[test]
fn negative_rate_of_one_layer() {
    assert_snapshot!(changed(&[("[rules.bp]\ngradient = 0.01", "[rules.bp]\ngradient = [0.01, 0.01, -0.01]")]), @"
      × pipelines/small.toml:10:12: `gradient` is -0.01: the network would climb the loss that it is to descend
        ╭─[pipelines/small.toml:10:12]
      9 │ [rules.bp]
     10 │ gradient = [0.01, 0.01, -0.01]
        ·            ───────────────────
     11 │ 
        ╰────
      help: A learning rate is positive; every other term may have either sign.
    ");
}

#[test]
fn negative_rate_in_mini_batches() {
    assert_snapshot!(changed(&[("rule = [\"bp\", \"bp_oja\"]\n", ""), ("layers    = [784, 40, 30, 10]", "layers    = [784, 40, 30, 10]\nrule      = \"bp\""), ("[stages.activations]", "[stages.batches]\nkind       = \"train_batch\"\ndata       = \"data\"\nlayers     = [784, 10]\nrate       = -0.05\nbatch_size = 10\nsamples    = 600\n\n[stages.activations]")]), @r#"
      × pipelines/small.toml:32:14: optimizer: rate must be finite and not negative, found -0.05
        ╭─[pipelines/small.toml:32:14]
     31 │ layers     = [784, 10]
     32 │ rate       = -0.05
        ·              ─────
     33 │ batch_size = 10
        ╰────
      × pipelines/small.toml:50:29: the query: unable to find column "rule"; valid columns: ["step", "mean", "ci_low", "ci_high", "n_runs", "n_diverged"]
        ╭─[pipelines/small.toml:50:29]
     49 │ query = """
     50 │ SELECT 'accuracy' AS panel, rule AS series, step AS x, mean, ci_low, ci_high, n_runs, n_diverged
        ·                             ────
     51 │ FROM accuracy
        ╰────
    "#);
}

#[test]
fn a_pathway_with_numbers_that_make_no_sense() {
    assert_snapshot!(changed(&[("samples   = 600", r#"samples   = 600
feedback = { broadcast = { std = -0.1 } }"#)]), @"
      × pipelines/small.toml:25:12: `std` must be a positive number, found -0.1
        ╭─[pipelines/small.toml:25:12]
     24 │ samples   = 600
     25 │ feedback = { broadcast = { std = -0.1 } }
        ·            ──────────────────────────────
     26 │ schedule  = { every = 100 }
        ╰────
    ");
    assert_snapshot!(changed(&[("samples   = 600", r#"samples   = 600
feedback = { direct = { std = 0.1 } }"#)]), @r#"
      × pipelines/small.toml:25:12: feedback is `"symmetric"`, `"random"`, `"plastic"`, `"sign_symmetric"`, `"direct"`, `"broadcast"`, `"none"`, `"kolen_pollack"`, `"weight_mirror"`, `"predictive_coding"` or `"equilibrium_propagation"`, or one of the last ones with its numbers: `{ broadcast = { std = 1e-3 } }`
        ╭─[pipelines/small.toml:25:12]
     24 │ samples   = 600
     25 │ feedback = { direct = { std = 0.1 } }
        ·            ──────────────────────────
     26 │ schedule  = { every = 100 }
        ╰────
    "#);
}

#[test]
fn terms_that_read_what_their_pathway_does_not_give() {
    let with = |feedback: &str, term: &str| {
        changed(&[
            ("samples   = 600", &format!("samples   = 600\nfeedback = \"{feedback}\"")),
            ("oja      = 0.001", &format!("oja      = 0.001\n{term} = 0.001")),
        ])
    };
    assert_snapshot!(with("direct", "feedback_hebb"), @r#"
      × pipelines/small.toml:15:17: `feedback_hebb` moves feedback weights, and the network's feedback is `direct`, which keeps feedback weights fixed or derives them from the forward weights
        ╭─[pipelines/small.toml:15:17]
     14 │ oja      = 0.001
     15 │ feedback_hebb = 0.001
        ·                 ─────
     16 │ 
        ╰────
      help: Give stage `train` `feedback = "plastic"`.
    "#);
    assert_snapshot!(with("none", "error_hebb"), @"
      × pipelines/small.toml:15:14: `error_hebb` reads e_{ℓ-1}, and `none` gives an error to the output alone
        ╭─[pipelines/small.toml:15:14]
     14 │ oja      = 0.001
     15 │ error_hebb = 0.001
        ·              ─────
     16 │ 
        ╰────
    ");
    assert_snapshot!(with("kolen_pollack", "hebb"), @r#"
      × pipelines/small.toml:6:9: under `kolen_pollack` both sides learn by `gradient` and forget by `decay`: the rule has no `decay`
       ╭─[pipelines/small.toml:6:9]
     5 │ [matrix]
     6 │ rule = ["bp", "bp_oja"]
       ·         ────
     7 │ seed = { first = 0, count = 3 }
       ╰────
    "#);
}
