//! Terms that a pipeline writes as equations: they run, count, are tuned and told as those that are shipped.

use std::fs;

use crate::common::{Fixture, root, text};
use ojaflow::publish::manifest::Manifest;
use ojaflow::tables::frame::{Cell, Frame};
use ojaflow::tables::parquet;
use serde_json::Value;

/// Hebb's term under its own name, and the same equation written by the pipeline.
const WRITTEN: &str = r#"
[pipeline]
name  = "small"
title = "A term of its own"

[matrix]
rule = ["shipped", "written"]
seed = { first = 0, count = 2 }

[terms.my_hebb]
equation = "y_post * y_pre'"

[rules.shipped]
gradient = 0.01
hebb     = -0.0001

[rules.written]
gradient = 0.01
my_hebb  = -0.0001

[stages.data]
kind    = "load"
dataset = "tiny"

[stages.train]
kind      = "train"
data      = "data"
layers    = [784, 12, 10]
samples   = 100
schedule  = { every = 50 }
snapshots = [0, 100]
"#;

/// The equation of the written term, and another that can stand for it.
const HEBB: &str = r#""y_post * y_pre'""#;
const RESIDUAL: &str = r#""-e_post * (y_pre - W' * y_post)'""#;

/// The keys of the trainings of a rule.
fn keys(fixture: &Fixture, rule: &str) -> Vec<String> {
    let start = format!("train rule={rule} ");
    let of_rule = |task: &&Value| task["label"].as_str().expect("a label").starts_with(&start);
    fixture.plan().iter().filter(of_rule).map(|task| task["key"].as_str().expect("a key").to_owned()).collect()
}

#[test]
fn a_written_copy_of_a_shipped_term_ends_with_the_same_weights() {
    let fixture = Fixture::new().pipeline(WRITTEN).run().hits(0).verified();
    let folder = fixture.outputs().join("small");
    let manifest = Manifest::read(&folder).unwrap().expect("published");
    let schema = &manifest.tables.iter().find(|table| table.name == "train_weights").expect("is published").schema;
    let weights = |key: &String| {
        let bytes = fs::read(folder.join(format!("train_weights/{}.parquet", &key[..16]))).unwrap();
        parquet::read(bytes.into(), schema).unwrap().to_batch().unwrap().column_by_name("weights").unwrap().to_data()
    };
    let (shipped, written) = (keys(&fixture, "shipped"), keys(&fixture, "written"));
    assert_eq!((shipped.len(), written.len()), (2, 2));
    for (shipped, written) in shipped.iter().zip(&written) {
        assert_ne!(shipped, written, "the name of a term is in the key");
        assert_eq!(weights(shipped), weights(written), "bit by bit");
    }
    assert_ne!(weights(&shipped[0]), weights(&shipped[1]), "seeds differ");
    // The name stands in the table that has a row for each term.
    let coefficients = fixture.frame("small", "train_coefficients");
    let (terms, values) = (coefficients.cells("term").unwrap(), coefficients.numbers("coefficient").unwrap());
    let mine = terms.iter().zip(values).filter(|(term, _)| **term == Cell::Text("my_hebb".into()));
    assert_eq!(mine.map(|(_, value)| value).collect::<Vec<_>>(), [Some(-0.0001); 4], "two runs, two layers");
}

#[test]
fn the_part_of_a_written_term_is_measured_as_that_of_its_shipped_copy() {
    let fixture = Fixture::new().pipeline(WRITTEN).run();
    let (updates, norms) = (fixture.frame("small", "train_updates"), fixture.frame("small", "train_term_norms"));
    let rows = |frame: &Frame, column: &str, value: &str| -> Vec<usize> {
        let cells = frame.cells(column).unwrap();
        (0..cells.len()).filter(|&row| cells[row] == Cell::Text(value.into())).collect()
    };
    let at = |frame: &Frame, column: &str, rows: &[usize]| -> Vec<Option<f64>> {
        let numbers = frame.numbers(column).unwrap();
        rows.iter().map(|&row| numbers[row]).collect()
    };
    let (shipped, written) = (rows(&updates, "rule", "shipped"), rows(&updates, "rule", "written"));
    let hebb = at(&updates, "hebb_norm", &shipped);
    assert_eq!(hebb.len(), 8, "two runs, two steps, two layers");
    assert!(hebb.iter().all(|norm| norm.is_some_and(|norm| norm > 0.0)), "{hebb:?}");
    assert_eq!(at(&updates, "hebb_norm", &written), [Some(0.0); 8], "without the term it adds nothing");
    for name in ["oja_norm", "error_hebb_norm", "decay_norm", "feedback_hebb_norm", "feedback_decay_norm"] {
        assert_eq!(at(&updates, name, &shipped), [Some(0.0); 8], "{name}");
    }
    assert_eq!(at(&norms, "norm", &rows(&norms, "term", "my_hebb")), hebb, "the same weights, the same parts");
    assert_eq!(at(&norms, "norm", &rows(&norms, "term", "hebb")), hebb);
    let gradient = at(&updates, "gradient_norm", &[shipped, written].concat());
    assert_eq!(at(&norms, "norm", &rows(&norms, "term", "gradient")), gradient);
    assert_eq!(norms.n_rows(), 32, "two terms a rule");
}

#[test]
fn a_key_covers_what_an_equation_says_and_not_how_it_is_spaced() {
    let fixture = Fixture::new().pipeline(WRITTEN);
    let (shipped, written) = (keys(&fixture, "shipped"), keys(&fixture, "written"));
    let of = |fixture: &Fixture| keys(fixture, "written");
    let spaced = "\"\"\"\ny_post\n  *  y_pre '\n\"\"\"";
    let fixture = fixture.edit(HEBB, spaced);
    assert_eq!(of(&fixture), written, "spaces and lines");
    let fixture = fixture.edit(spaced, RESIDUAL);
    assert!(of(&fixture).iter().all(|key| !written.contains(key)), "another equation");
    assert_eq!(keys(&fixture, "shipped"), shipped, "no term of this rule");
    let idle = format!("[terms.idle]\nequation = {RESIDUAL}\n\n[rules.shipped]");
    let fixture = fixture.edit(RESIDUAL, HEBB).edit("[rules.shipped]", &idle);
    assert_eq!(of(&fixture), written, "a term that no rule has");
    let fixture = fixture.edit(HEBB, &format!("{HEBB}\nparameters = {{ rate = 0.1 }}"));
    assert!(of(&fixture).iter().all(|key| !written.contains(key)), "a parameter");
}

#[test]
fn a_key_covers_the_order_in_which_written_terms_are_added_up() {
    let (one, other) = (format!("[terms.one]\nequation = {HEBB}\n"), format!("[terms.other]\nequation = {HEBB}\n"));
    let pipeline = |terms: &str| {
        let fixture = Fixture::new().pipeline(WRITTEN).edit("[rules.shipped]", &format!("{terms}[rules.shipped]"));
        fixture.edit("my_hebb  = -0.0001", "one = 0.1\nother = 0.2")
    };
    let in_order = keys(&pipeline(&format!("{one}{other}")), "written");
    let swapped = keys(&pipeline(&format!("{other}{one}")), "written");
    assert!(in_order.iter().all(|key| !swapped.contains(key)), "a sum of floats depends on the order");
    assert_eq!(in_order.len(), 2);
}

#[test]
fn a_changed_equation_is_named_wherever_changes_are_told() {
    let fixture = Fixture::new().pipeline(WRITTEN).run().edit(HEBB, RESIDUAL);
    let why = fixture.stdout(&["plan", "small", "--why"]);
    let change = r#"terms.my_hebb.equation: "y_post*y_pre'" → "-e_post*(y_pre-W'*y_post)'""#;
    assert!(why.contains("train (2 tasks, the first: train rule=written seed=0)") && why.contains(change), "{why}");
    let diff = fixture.stdout(&["diff", "small", "pipelines/small.toml"]);
    assert!(diff.contains(&format!("terms.my_hebb.equation: {HEBB} → {RESIDUAL}")), "{diff}");
    assert!(diff.contains(&format!("rule=written seed=0: {change}")), "{diff}");
    let listed = fixture.stdout(&["rules", "small"]);
    assert!(listed.contains("-0.01 e_ℓ y_{ℓ-1}ᵀ + 0.0001 e_ℓ (y_{ℓ-1} - W_{ℓ-1,ℓ}ᵀ y_ℓ)ᵀ"), "{listed}");
    let (_, own) = listed.split_once("Terms that this pipeline writes:").expect("there is one");
    assert!(own.contains("my_hebb  -e_ℓ (y_{ℓ-1} - W_{ℓ-1,ℓ}ᵀ y_ℓ)ᵀ"), "{own}");
    assert!(own.contains("moves W_{ℓ-1,ℓ} (n_ℓ × n_{ℓ-1}), reads e_ℓ, y_{ℓ-1}"), "{own}");
    assert!(!fixture.stdout(&["rules"]).contains("my_hebb"), "those of the program are the same everywhere");
}

#[test]
fn an_archive_holds_the_terms_and_is_reproduced() {
    let fixture = Fixture::new().pipeline(WRITTEN).run();
    fixture.stdout(&["archive", "small", "-o", "small.tar.zst"]);
    fs::remove_dir_all(fixture.path("pipelines")).unwrap();
    fs::remove_dir_all(fixture.outputs()).unwrap();
    let reproduced = fixture.stdout(&["reproduce", "small.tar.zst"]);
    assert!(reproduced.contains("8 identical, 0 within tolerance"), "{reproduced}");
}

/// Oja's rule for single neurons and BCM, which remembers something: no kernel was written for either.
const FROM_LIBRARY: &str = "[rules.shipped]\noja_single = 0.001\nbcm = 0.001";

fn with_library() -> Fixture {
    let fixture = Fixture::new().pipeline(&format!("include = [\"terms/library\"]\n{WRITTEN}"));
    let fixture = fixture.edit("[rules.shipped]", FROM_LIBRARY);
    fs::create_dir_all(fixture.path("pipelines/terms")).unwrap();
    fs::copy(root().join("pipelines/terms/library.toml"), fixture.path("pipelines/terms/library.toml")).unwrap();
    fixture
}

#[test]
fn terms_of_a_library_are_used_changed_told_archived_and_reproduced() {
    let fixture = with_library();
    let listed = fixture.stdout(&["rules", "small"]);
    assert!(listed.contains("y_ℓ ⊙ (y_ℓ - θ) y_{ℓ-1}ᵀ") && listed.contains("θ ← (1 - rate) θ + rate y_ℓ²"), "{listed}");
    let library = fixture.stdout(&["rules", "terms/library"]);
    assert!(library.contains("sanger") && library.contains("include = [\"terms/library\"]"), "{library}");
    let fixture = fixture.run().verified();
    let alone = Fixture::new().pipeline(WRITTEN).run();
    assert_ne!(fixture.digests("small"), alone.digests("small"), "the terms do something");
    let again = with_library();
    again.stdout(&["pipeline", "small", "--jobs", "1"]);
    assert_eq!(again.digests("small"), fixture.digests("small"));
    // A changed library changes what uses it, and is named.
    let library = fixture.path("pipelines/terms/library.toml");
    let text = fs::read_to_string(&library).unwrap();
    fs::write(&library, text.replace("- diag(y_post.^2) * W", "- 2 * diag(y_post.^2) * W")).unwrap();
    let why = fixture.stdout(&["plan", "small", "--why"]);
    assert!(why.contains("terms.oja_single.equation"), "{why}");
    fs::write(&library, text).unwrap();
    fixture.stdout(&["archive", "small", "-o", "small.tar.zst"]);
    fs::remove_dir_all(fixture.path("pipelines")).unwrap();
    fs::remove_dir_all(fixture.outputs()).unwrap();
    let reproduced = fixture.stdout(&["reproduce", "small.tar.zst"]);
    assert!(reproduced.contains("9 identical, 0 within tolerance"), "{reproduced}");
}

#[test]
fn what_neurons_remember_is_kept_with_the_weights() {
    let fixture = with_library().run();
    let state = fixture.frame("small", "train_state");
    let column = |name: &str| state.cells(name).unwrap();
    // Two runs by the library's rule, two snapshots, two layers; a shipped term and Oja's for single neurons remember nothing.
    assert_eq!(state.n_rows(), 8);
    let same = |name: &str, value: &str| column(name).iter().all(|cell| *cell == Cell::Text(value.into()));
    assert!(same("rule", "shipped") && same("term", "bcm") && same("name", "theta") && same("side", "post"));
    let numbers = |name: &str| -> Vec<f64> { state.numbers(name).unwrap().into_iter().flatten().collect() };
    assert_eq!(numbers("step"), [0.0, 0.0, 100.0, 100.0, 0.0, 0.0, 100.0, 100.0]);
    assert_eq!(numbers("layer"), [1.0, 2.0].repeat(4));
    assert_eq!(numbers("n_values"), [12.0, 10.0].repeat(4));
    let without = Fixture::new().pipeline(WRITTEN).run();
    assert!(!without.outputs().join("small/train_state.parquet").exists(), "no neuron remembers anything");
}

#[test]
fn a_term_that_an_included_library_has_too_is_refused() {
    let own = "[terms.bcm]\nequation = \"y_post * y_pre'\"\n";
    let twice = with_library().edit("[rules.shipped]", &format!("{own}[rules.shipped]"));
    let refused = twice.output(&["plan", "small"]);
    assert!(!refused.status.success());
    let said = text(&refused.stderr);
    assert!(said.contains("the term `bcm` stands in pipelines/terms/library.toml too"), "{said}");
}

#[test]
fn the_coefficient_of_a_written_term_is_an_axis() {
    let fixture = Fixture::new()
        .pipeline(WRITTEN)
        .edit(r#"rule = ["shipped", "written"]"#, "rule = [\"written\"]\nmy_hebb = [-0.001, -0.0001]")
        .edit("my_hebb  = -0.0001\n", "")
        .run();
    assert_eq!(fixture.frame("small", "train_runs").n_rows(), 4);
    let coefficients = fixture.frame("small", "train_coefficients");
    let (terms, values) = (coefficients.cells("term").unwrap(), coefficients.numbers("coefficient").unwrap());
    let axis = coefficients.numbers("my_hebb").unwrap();
    let mine: Vec<_> = (0..terms.len()).filter(|&row| terms[row] == Cell::Text("my_hebb".into())).collect();
    assert_eq!(mine.len(), 8, "four runs, two layers");
    assert!(mine.iter().all(|&row| values[row] == axis[row]), "the axis sets the coefficient");
    let wrong = fixture.edit("my_hebb = [", "my_heb = [").output(&["plan", "small"]);
    assert!(text(&wrong.stderr).contains("Did you mean `my_hebb`?"), "{}", text(&wrong.stderr));
    // A name that is a parameter as well stays that of the parameter.
    let seeded = Fixture::new().pipeline(&WRITTEN.replace("my_hebb", "seed")).plan();
    let seeds = seeded.iter().filter(|task| task["stage"] == "train").map(|task| task["parameters"]["seed"].as_u64());
    assert_eq!(seeds.collect::<Vec<_>>(), [Some(0), Some(1), Some(0), Some(1)]);
}

#[test]
fn tuned_coefficients_of_a_written_term_are_those_of_the_rule() {
    let written = keys(&Fixture::new().pipeline(WRITTEN), "written");
    let fixture = Fixture::new()
        .pipeline(WRITTEN)
        .edit("gradient = 0.01\nmy_hebb  = -0.0001", "tuned = true")
        .edit("samples   = 100", "samples   = 100\nsetting   = \"s\"");
    fs::create_dir(fixture.path("pipelines/coefficients")).unwrap();
    let table = r#"
pipeline = "tuning"
start    = "s"
key      = "k"

[[coefficients]]
dataset   = "tiny"
setting   = "s"
rule      = "written"
trainings = 3
best      = { gradient = 0.01, my_hebb = -0.0001 }
survivors = [{ terms = { gradient = 0.01, my_hebb = -0.0001 }, probability = 1.0, n = 3, mean = 0.5, error = 0.1 }]
"#;
    fs::write(fixture.path("pipelines/coefficients/tuning.toml"), table).unwrap();
    assert_eq!(keys(&fixture, "written"), written);
}

#[test]
fn meta_learning_learns_the_coefficient_of_a_written_term() {
    let stage = |rule: &str| {
        format!(
            "[stages.meta_{rule}]\nkind = \"meta_learn\"\ndata = [\"data\"]\nhidden = [12]\nrule = \"{rule}\"\n\
             learning_rate = 0.001\nepisodes = 3\ntraining_samples = 4\nquery_samples = 2\n"
        )
    };
    let (head, _) = WRITTEN.split_once("[stages.train]").unwrap();
    let head = head.replace("rule = [\"shipped\", \"written\"]\n", "");
    let pipeline = format!("{head}{}{}", stage("shipped"), stage("written"));
    let fixture = Fixture::new().pipeline(&pipeline).run();
    let column = |table: &str, name: &str| fixture.frame("small", table).numbers(name).unwrap();
    let learned = column("meta_written_episodes", "my_hebb");
    assert_eq!(learned, column("meta_shipped_episodes", "hebb"));
    assert!(learned.windows(2).any(|two| two[0] != two[1]), "it is learned: {learned:?}");
    // Its column cannot be one that is there already.
    let wrong = Fixture::new().pipeline(&pipeline.replace("my_hebb", "status")).output(&["plan", "small"]);
    let message = text(&wrong.stderr);
    assert!(message.contains("the rule has a term `status`, and `episodes` has a column of that name"), "{message}");
}

/// The training of [`WRITTEN`] in mini-batches.
const IN_BATCHES: &str = "kind      = \"train_batch\"\nrate      = 0.01\nbatch_size = 10";

fn in_batches() -> Fixture {
    let fixture = Fixture::new().pipeline(WRITTEN).edit("kind      = \"train\"", IN_BATCHES);
    fixture.edit("gradient = 0.01\nhebb ", "hebb ").edit("gradient = 0.01\n", "")
}

#[test]
fn mini_batches_learn_by_written_terms_beside_the_optimiser() {
    let fixture = in_batches().run().hits(0).verified();
    let losses = |fixture: &Fixture, rule: &str| -> Vec<Option<f64>> {
        let frame = fixture.frame("small", "train_evaluations");
        let (rules, values) = (frame.cells("rule").unwrap(), frame.numbers("loss").unwrap());
        let of_rule = rules.iter().zip(values).filter(|(found, _)| **found == Cell::Text(rule.into()));
        of_rule.map(|(_, loss)| loss).collect()
    };
    let written = losses(&fixture, "written");
    assert_eq!(written, losses(&fixture, "shipped"), "a copy is the shipped term");
    let (shipped_keys, written_keys) = (keys(&fixture, "shipped"), keys(&fixture, "written"));
    let fixture = fixture.edit("my_hebb  = -0.0001", "my_hebb  = 0.0");
    let without = fixture.run();
    assert_ne!(losses(&without, "written"), written, "it does something");
    let fixture = without.edit("my_hebb  = 0.0", "my_hebb  = -0.0001").edit(HEBB, RESIDUAL);
    assert!(keys(&fixture, "written").iter().all(|key| !written_keys.contains(key)), "its equation is in the key");
    assert_eq!(keys(&fixture, "shipped"), shipped_keys);
    // Without a term the key is what it was before terms were.
    let plain = |text: &str| Fixture::new().pipeline(text).plan();
    let head = WRITTEN.split_once("[terms.my_hebb]").unwrap().0.replace("rule = [\"shipped\", \"written\"]\n", "");
    let stages = WRITTEN.split_once("[stages.data]").unwrap().1.replace("kind      = \"train\"", IN_BATCHES);
    let plan = plain(&format!("{head}[stages.data]{stages}"));
    let parameters = &plan.iter().find(|task| task["stage"] == "train").expect("a training")["parameters"];
    assert!(parameters["oja"] == 0.0 && parameters.get("coefficients").is_none() && parameters.get("terms").is_none());
}

#[test]
fn the_coefficient_of_a_term_in_mini_batches_is_an_axis() {
    let fixture = in_batches()
        .edit(
            r#"rule = ["shipped", "written"]"#,
            "rule = [\"written\"]\nmy_hebb = [-0.001, -0.0001]\ndecay = [0.0, 0.1]",
        )
        .edit("my_hebb  = -0.0001\n", "")
        .run();
    let runs = fixture.frame("small", "train_runs");
    assert_eq!(runs.n_rows(), 8);
    let options = runs.cells("options").unwrap();
    let (mine, decay) = (runs.numbers("my_hebb").unwrap(), runs.numbers("decay").unwrap());
    for (options, (mine, decay)) in options.iter().zip(mine.iter().zip(decay)) {
        let Cell::Text(options) = options else { panic!("options are text") };
        let options: Value = serde_json::from_str(options).unwrap();
        assert_eq!(options["coefficients"]["my_hebb"].as_f64(), *mine);
        assert_eq!(options["coefficients"]["decay"].as_f64(), decay);
        assert!(options["beside_optimizer"].as_str().unwrap().starts_with("ΔW_{ℓ-1,ℓ} = "));
    }
}

#[test]
fn what_mini_batches_cannot_learn_by_is_refused_at_its_place() {
    let said = |line: &str, place: &str| {
        let refused = in_batches().edit("my_hebb  = -0.0001", line).output(&["plan", "small"]);
        assert!(!refused.status.success());
        let said = text(&refused.stderr);
        assert!(said.contains(place), "{said}");
        said
    };
    let gradient = said("gradient = 0.01", "small.toml:17:12");
    assert!(gradient.contains("`gradient` is no term beside an optimiser: its coefficient is the parameter `rate`"));
    let feedback = said("feedback_decay = 0.01", "small.toml:17:18");
    assert!(feedback.contains("`feedback_decay` moves feedback weights"), "{feedback}");
    let unknown = said("my_hebbb = 0.01", "small.toml:17:1");
    assert!(unknown.contains("neither a parameter nor a term `my_hebbb`; did you mean `my_hebb`?"), "{unknown}");
    let layers = said("my_hebb = [0.1, 0.2, 0.3]", "small.toml:17:11");
    assert!(layers.contains("3 coefficients given, one for each of the 2 layers needed"), "{layers}");
    let number = said("optimizer = 0.01", "small.toml:17:13");
    assert!(!number.contains("term"), "a parameter is read as one: {number}");
}

/// What kernels cannot carry out: a term whose neurons remember, and errors by other ways than B from layer to layer.
#[test]
fn meta_learning_takes_any_term_and_any_pathway_that_does_not_settle() {
    let pathways = [
        ("direct", "\"direct\""),
        ("broadcast", "{ broadcast = { std = 0.01 } }"),
        ("kolen_pollack", "\"kolen_pollack\""),
    ];
    let head = r#"
[pipeline]
name  = "small"
title = "Any term, any pathway"

[terms.bcm]
equation   = "(y_post .* (y_post - theta)) * y_pre'"
parameters = { rate = 0.01 }
state      = { theta = { start = 0.1, update = "(1 - rate) * theta + rate * y_post.^2" } }

[rules.mine]
gradient = 0.01
decay    = 0.0001
bcm      = 0.0

[stages.data]
kind    = "load"
dataset = "tiny"
"#;
    let stage = |(name, feedback): (&str, &str)| {
        format!(
            "\n[stages.{name}]\nkind = \"meta_learn\"\ndata = [\"data\"]\nhidden = [12]\nrule = \"mine\"\n\
             feedback = {feedback}\nlearning_rate = 0.001\nepisodes = 3\ntraining_samples = 4\nquery_samples = 2\n"
        )
    };
    let pipeline = format!("{head}{}", pathways.map(stage).concat());
    let [once, again] = [0, 1].map(|_| Fixture::new().pipeline(&pipeline).run());
    assert_eq!(once.digests("small"), again.digests("small"));
    let once = once.run().hits_all();
    for (name, _) in pathways {
        let column = |column: &str| once.frame("small", &format!("{name}_episodes")).numbers(column).unwrap();
        let learned = column("bcm");
        assert!(learned[0] == Some(0.0) && learned[1] != learned[2], "{name}: it is learned: {learned:?}");
        if name == "kolen_pollack" {
            assert_eq!(column("feedback_hebb"), column("gradient"), "what follows is moved along");
            assert_eq!(column("feedback_decay"), column("decay"));
        }
    }
    let key = |pipeline: &str, label: &str| {
        let plan = Fixture::new().pipeline(pipeline).plan();
        let task = plan.iter().find(|task| task["label"].as_str().is_some_and(|found| found.starts_with(label)));
        task.expect("it is planned")["key"].as_str().expect("a key").to_owned()
    };
    assert_ne!(key(&pipeline, "broadcast"), key(&pipeline.replace("std = 0.01", "std = 0.02"), "broadcast"));
    assert_eq!(key(&pipeline, "direct"), key(&pipeline.replace("std = 0.01", "std = 0.02"), "direct"));

    let refused = |from: &str, to: &str| {
        let wrong = Fixture::new().pipeline(&pipeline.replace(from, to)).output(&["plan", "small"]);
        text(&wrong.stderr).to_owned()
    };
    let message = refused("\"direct\"", "\"predictive_coding\"");
    assert!(
        message.contains("does not differentiate through `predictive_coding`, whose activations settle"),
        "{message}"
    );
    let message = refused("decay    = 0.0001", "decay = 0.0001\nfeedback_hebb = 0.1");
    assert!(message.contains("`feedback_hebb` moves feedback weights"), "{message}");
    let message = refused("decay    = 0.0001", "");
    assert!(message.contains("under `kolen_pollack`") && message.contains("the rule has no `decay`"), "{message}");
}

#[test]
fn a_term_that_is_begun_is_listed_and_runs_when_a_pipeline_includes_it() {
    let fixture = Fixture::new().pipeline(WRITTEN);
    let said = fixture.stdout(&["rules", "new", "mine"]);
    assert!(said.contains("y_ℓ y_{ℓ-1}ᵀ - diag(y_ℓ²) W_{ℓ-1,ℓ}"), "{said}");
    assert!(said.contains("include = [\"terms/mine\"]") && said.contains("ojaflow rules terms/mine"), "{said}");
    let file = fixture.path("pipelines/terms/mine.toml");
    let begun = fs::read_to_string(&file).unwrap();
    assert!(fixture.stdout(&["rules", "terms/mine"]).contains("mine  y_ℓ y_{ℓ-1}ᵀ"));
    let options = ["--set", "include=[\"terms/mine\"]", "--set", "rules.written.mine=0.001"];
    let listed = fixture.stdout(&[&["rules", "small"], &options[..]].concat());
    assert!(listed.contains("+ 0.001 (y_ℓ y_{ℓ-1}ᵀ - diag(y_ℓ²) W_{ℓ-1,ℓ})"), "{listed}");
    fixture.stdout(&[&["pipeline", "small"], &options[..]].concat());
    // What stands in its comments is right, too.
    fs::write(&file, begun.replace("# parameters", "parameters").replace("# state", "state")).unwrap();
    let told = fixture.stdout(&["rules", "terms/mine"]);
    assert!(told.contains("mean_post ← (1 - rate) mean_post + rate y_ℓ"), "{told}");
    fs::write(&file, begun.replace("# synapses", "synapses")).unwrap();
    let turned = text(&fixture.output(&["rules", "terms/mine"]).stderr);
    assert!(turned.contains("the equation is n_ℓ × n_{ℓ-1}, but B is n_{ℓ-1} × n_ℓ"), "{turned}");
    fs::write(&file, &begun).unwrap();
    for (name, why) in [
        ("mine", "is there already"),
        ("oja", "a shipped term has the name `oja`"),
        ("tuned", "a rule says something else by it"),
        ("../mine", "cannot name a term"),
        ("Mine", "cannot name a term"),
    ] {
        let refused = fixture.output(&["rules", "new", name]);
        assert_eq!(refused.status.code(), Some(2), "{name}");
        assert!(text(&refused.stderr).contains(why), "{name}: {}", text(&refused.stderr));
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), begun, "nothing is written over");
    assert_eq!(fs::read_dir(fixture.path("pipelines/terms")).unwrap().count(), 1);
}

/// BCM, whose threshold follows at some rate.
const BCM: &str = r#"
[terms.bcm]
equation   = "(y_post .* (y_post - theta)) * y_pre'"
parameters = { rate = 0.01 }
state      = { theta = { start = 0.1, update = "(1 - rate) * theta + rate * y_post.^2" } }

[rules.written]
gradient = 0.01
bcm      = 0.0001
"#;

fn with_bcm() -> Fixture {
    let written = "[rules.written]\ngradient = 0.01\nmy_hebb  = -0.0001\n";
    Fixture::new()
        .pipeline(WRITTEN)
        .edit(written, BCM)
        .edit(r#"rule = ["shipped", "written"]"#, r#"rule = ["written"]"#)
}

#[test]
fn a_number_of_a_written_term_is_an_axis() {
    let once = with_bcm();
    let as_defined = keys(&once, "written");
    let fixture = with_bcm().edit("rule = [\"written\"]", "rule = [\"written\"]\nbcm_rate = [0.01, 0.5]").run();
    let both = keys(&fixture, "written");
    assert_eq!(both.len(), 4);
    assert!(as_defined.iter().all(|key| both.contains(key)), "the number of the definition is the same training");
    assert_eq!(fixture.frame("small", "train_runs").numbers("bcm_rate").unwrap()[..2], [Some(0.01), Some(0.01)]);
    let listed = fixture.stdout(&["rules", "small"]);
    assert!(listed.contains("rate = 0.01") && listed.contains("rate = 0.5"), "{listed}");
    // It does something: the weights of one seed differ.
    let accuracies = |rate: f64| -> Vec<_> {
        let evaluations = fixture.frame("small", "train_evaluations");
        let rates = evaluations.numbers("bcm_rate").unwrap();
        let losses = evaluations.numbers("loss").unwrap();
        rates.into_iter().zip(losses).filter(|(of, _)| *of == Some(rate)).map(|(_, loss)| loss).collect()
    };
    assert_ne!(accuracies(0.01), accuracies(0.5));
    let misspelt = fixture.edit("bcm_rate = [", "bcm_rat = [").output(&["plan", "small"]);
    assert!(text(&misspelt.stderr).contains("Did you mean `bcm_rate`?"), "{}", text(&misspelt.stderr));
}

#[test]
fn a_stage_sets_the_numbers_of_written_terms() {
    let defined = with_bcm();
    let keys_of = |fixture: &Fixture| keys(fixture, "written");
    let by_stage = |terms: &str| with_bcm().edit("samples   = 100", &format!("samples   = 100\nterms = {terms}"));
    assert_eq!(keys_of(&by_stage("{ bcm = { rate = 0.01 } }")), keys_of(&defined));
    assert_eq!(keys_of(&by_stage("{}")), keys_of(&defined));
    let faster = by_stage("{ bcm = { rate = 0.2 } }");
    assert!(keys_of(&faster).iter().all(|key| !keys_of(&defined).contains(key)));
    let by_definition = with_bcm().edit("rate = 0.01 }", "rate = 0.2 }");
    assert_eq!(keys_of(&by_definition), keys_of(&faster), "wherever the number stands");
    // What changed is told.
    let fixture = with_bcm().run().edit("samples   = 100", "samples   = 100\nterms = { bcm = { rate = 0.2 } }");
    let why = fixture.stdout(&["plan", "small", "--why"]);
    assert!(why.contains("terms.bcm.parameters.rate: 0.01 → 0.2"), "{why}");
    let diff = fixture.stdout(&["diff", "small", "pipelines/small.toml"]);
    assert!(diff.contains("terms.bcm.parameters.rate: 0.01 → 0.2"), "{diff}");
    assert!(fixture.stdout(&["rules", "small"]).contains("rate = 0.2"));
    // A number that no rule of the stage has changes nothing.
    let idle = "[terms.idle]\nequation = \"c * y_post * y_pre'\"\nparameters = { c = 1 }\n\n[terms.bcm]";
    let other = with_bcm().edit("[terms.bcm]", idle);
    let other = other.edit("samples   = 100", "samples   = 100\nterms = { idle = { c = 2 } }");
    assert_eq!(keys_of(&other), keys_of(&defined));
}

#[test]
fn a_name_that_could_be_two_numbers_is_neither() {
    let two = "[terms.a]\nequation = \"b_c * W\"\nparameters = { b_c = 1 }\n\n\
               [terms.a_b]\nequation = \"c * W\"\nparameters = { c = 1 }\n\n[terms.bcm]";
    let fixture =
        with_bcm().edit("[terms.bcm]", two).edit("rule = [\"written\"]", "rule = [\"written\"]\na_b_c = [1, 2]");
    let refused = text(&fixture.output(&["plan", "small"]).stderr);
    assert!(refused.contains("the axis `a_b_c` sets nothing"), "{refused}");
}

#[test]
fn ten_rules_from_papers_run_as_they_stand() {
    let fixture = Fixture::new();
    let path = root().join("examples/ten_rules.toml");
    let path = path.to_str().expect("a path in UTF-8");
    let few = [
        "--set",
        "stages.data.dataset=tiny",
        "--set",
        "stages.train.samples=100",
        "--set",
        "stages.train.schedule.every=50",
        "--set",
        "stages.train.snapshots=[0]",
    ];
    let listed = fixture.stdout(&[&["rules", path], &few[..]].concat());
    assert_eq!(listed.matches("× 2 runs").count(), 11, "{listed}");
    fixture.stdout(&[&["pipeline", path, "--to", "train", "--as", "ten"], &few[..]].concat());
    let runs = fixture.frame("ten", "train_runs");
    assert_eq!(runs.n_rows(), 22);
    assert_eq!(runs.numbers("diverged_at_step").unwrap(), [None; 22]);
    // Each does something of its own.
    let evaluations = fixture.frame("ten", "train_evaluations");
    let (rules, steps) = (evaluations.cells("rule").unwrap(), evaluations.numbers("step").unwrap());
    let losses = evaluations.numbers("loss").unwrap();
    let mut last: Vec<(&Cell, u64)> = (0..losses.len())
        .filter(|&row| steps[row] == Some(100.0))
        .map(|row| (&rules[row], losses[row].expect("is finite").to_bits()))
        .collect();
    last.sort_by_key(|(_, loss)| *loss);
    last.dedup_by_key(|(_, loss)| *loss);
    assert_eq!(last.len(), 22, "no two rules end with the same loss: {last:?}");
}
