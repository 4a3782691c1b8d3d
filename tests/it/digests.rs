//! A stage whose output changes has to raise its version: a small reference run over every kind of stage is compared with
//! committed digests, and with committed values where decompositions may differ between machines in the last digits.
//!
//! After raising a version (or adding a kind), `OJAFLOW_UPDATE_DIGESTS=1 cargo test --test it digests::` writes
//! `tests/fixtures/digests.json` anew. It refuses where an output changed under an unchanged key.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::common::{Fixture, RACE, root};
use ojaflow::publish::manifest::Manifest;
use ojaflow::stages;
use ojaflow::tables::ColumnType;
use serde::{Deserialize, Serialize};

const UPDATE: &str = "OJAFLOW_UPDATE_DIGESTS";

/// Every kind of stage, on the data set of the tests.
const REFERENCE: &str = r#"
[pipeline]
name  = "small"
title = "Every kind of stage once"

[matrix]
seed = { first = 0, count = 3 }

[rules.rule_9]
gradient      = 0.001
error_hebb    = 0.0
oja           = 0.0
feedback_hebb = 0.0

[stages.data]
kind    = "load"
dataset = "tiny"

[stages.train]
kind         = "train"
data         = "data"
layers       = [784, 12, 11, 10]
coefficients = { gradient = 0.01, oja = 0.001 }
feedback     = "random"
samples      = 120
schedule     = { every = 40 }
snapshots    = [0, 120]

[stages.batch]
kind       = "train_batch"
data       = "data"
layers     = [784, 12, 10]
rate       = 0.05
oja        = 0.001
batch_size = 10
samples    = 120
schedule   = { every = 40 }

[stages.recurrent]
kind         = "train_recurrent"
data         = "data"
hidden       = 12
time_steps   = 8
image_steps  = 3
coefficients = { gradient = 0.001, oja = 0.0001 }
samples      = 60
schedule     = { every = 20 }
snapshots    = [0, 60]
hidden_norms = [60]

[stages.meta]
kind             = "meta_learn"
data             = ["data"]
hidden           = [12]
rule             = "rule_9"
feedback         = "plastic"
learning_rate    = 0.001
episodes         = 4
training_samples = 4
query_samples    = 2
angles           = { every = 2 }

[stages.activations]
kind    = "activations"
of      = "train"
layers  = [1, 2]
steps   = [120]
samples = 50

[stages.residuals]
kind    = "reconstruction_error"
of      = "train"
steps   = [0, 40, 120]
samples = 50

[stages.images]
kind   = "reconstructions"
of     = "train"
layers = [0, 1, 2]
steps  = [120]
samples = 50

[stages.norms]
kind    = "activation_norms"
of      = "train"
steps   = [0, 120]
samples = 50

[stages.diagnostics]
kind    = "weight_diagnostics"
of      = "train"
steps   = [0, 120]
samples = 50

[stages.fields]
kind    = "receptive_fields"
of      = "train"
steps   = [120]
samples = 50

[stages.variance]
kind = "explained_variance"
of   = "activations"

[stages.accuracy]
kind      = "bootstrap"
of        = "train_evaluations"
value     = "accuracy"
resamples = 100

[stages.summary]
kind  = "sql"
query = "SELECT 'p' AS panel, 's' AS series, step AS x, mean, ci_low, ci_high, n_runs, n_diverged FROM accuracy"

[stages.curves]
kind = "figure"
of   = "summary"

[[claims]]
id           = "R1"
statement    = "accuracy is above chance at the end"
of           = "accuracy"
where        = { step = 120 }
greater_than = 0.1
"#;

/// What is committed of one stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Reference {
    kind: String,
    version: u32,
    /// Digest of the keys of its tasks: it changes with the version, the parameters or the inputs.
    keys: String,
    /// Of tables and files whose bytes are the same on every machine.
    #[serde(default)]
    digests: BTreeMap<String, String>,
    /// By table and column, of those that may differ in the last digits.
    #[serde(default)]
    values: BTreeMap<String, BTreeMap<String, Vec<Option<f64>>>>,
}

type References = BTreeMap<String, Reference>;

/// Relative to the largest value of a column, as the schemas state it; here the largest that any of them allows.
const TOLERANCE: f64 = 1e-9;

fn found() -> References {
    [REFERENCE, RACE].into_iter().flat_map(found_of).collect()
}

fn found_of(pipeline: &str) -> References {
    let fixture = Fixture::new().pipeline(pipeline);
    fixture.stdout(&["pipeline", "small"]);
    let folder = fixture.outputs().join("small");
    let manifest = Manifest::read(&folder).unwrap().expect("published");
    let digest_of = |parts: &mut dyn Iterator<Item = &str>| {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(part.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    };
    let mut references = References::new();
    for stage in &manifest.stages {
        let material = &stage.tasks[0].material;
        let mut reference = Reference {
            kind: material.kind.clone(),
            version: material.version,
            keys: digest_of(&mut stage.tasks.iter().map(|task| task.key.as_str())),
            digests: BTreeMap::new(),
            values: BTreeMap::new(),
        };
        for table in manifest.tables.iter().filter(|table| table.stage == stage.name) {
            if table.schema.tolerance().is_none() {
                let digest = digest_of(&mut table.parts.iter().map(|part| part.digest.as_str()));
                reference.digests.insert(table.name.clone(), digest);
                continue;
            }
            let frame = fixture.frame("small", &table.name);
            let numbers = table.schema.columns.iter().filter(|column| column.kind == ColumnType::Float64);
            let values = numbers.map(|column| (column.name.to_string(), frame.numbers(&column.name).unwrap()));
            reference.values.insert(table.name.clone(), values.collect());
        }
        // A PNG is compressed by a library whose next release may do it better; the SVG holds the same drawing.
        for file in manifest.figures.iter().filter(|file| file.stage == stage.name && !file.name.ends_with(".png")) {
            reference.digests.insert(file.name.clone(), file.digest.clone());
        }
        references.insert(stage.name.clone(), reference);
    }
    references
}

fn path() -> PathBuf {
    root().join("tests/fixtures/digests.json")
}

fn committed() -> References {
    let text = fs::read_to_string(path()).unwrap_or_else(|_| "{}".to_owned());
    serde_json::from_str(&text).expect("written by this test")
}

/// Whether a stage's content is what was committed of it.
fn same_content(committed: &Reference, found: &Reference) -> bool {
    let close = |a: &[Option<f64>], b: &[Option<f64>]| {
        let largest = a.iter().flatten().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        a.len() == b.len()
            && a.iter().zip(b).all(|(a, b)| match (a, b) {
                (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE * largest,
                (a, b) => a == b,
            })
    };
    committed.digests == found.digests
        && committed.values.len() == found.values.len()
        && committed.values.iter().all(|(table, columns)| {
            found.values.get(table).is_some_and(|others| {
                columns.len() == others.len()
                    && columns.iter().all(|(name, values)| others.get(name).is_some_and(|other| close(values, other)))
            })
        })
}

/// Outputs that changed although nothing in their keys did: the same key would stand for two contents.
fn broken_promises(committed: &References, found: &References) -> Vec<String> {
    found
        .iter()
        .filter_map(|(stage, now)| {
            let before = committed.get(stage).filter(|before| before.keys == now.keys)?;
            (!same_content(before, now)).then(|| {
                format!(
                    "the output of `{kind}` changed while its version stayed {version}: raise `version()` in \
                     src/stages/{kind}.rs, then run `{UPDATE}=1 cargo test --test it digests::`",
                    kind = now.kind,
                    version = now.version
                )
            })
        })
        .collect()
}

/// Stages whose keys are not the committed ones.
fn out_of_date(committed: &References, found: &References) -> Vec<String> {
    let stages = committed.keys().chain(found.keys());
    let mut changed: Vec<String> = stages
        .filter(|stage| committed.get(*stage).map(|before| &before.keys) != found.get(*stage).map(|now| &now.keys))
        .map(|stage| format!("the keys of stage `{stage}` changed: run `{UPDATE}=1 cargo test --test it digests::`"))
        .collect();
    changed.sort();
    changed.dedup();
    changed
}

#[test]
fn an_output_changes_only_with_the_version_of_its_stage() {
    let (committed, found) = (committed(), found());
    let broken = broken_promises(&committed, &found);
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    if std::env::var_os(UPDATE).is_some() {
        let mut text = serde_json::to_string_pretty(&found).unwrap();
        text.push('\n');
        fs::create_dir_all(path().parent().unwrap()).unwrap();
        fs::write(path(), text).unwrap();
        return;
    }
    let changed = out_of_date(&committed, &found);
    assert!(changed.is_empty(), "{}", changed.join("\n"));
}

#[test]
fn the_reference_run_has_every_kind_of_stage() {
    let committed = committed();
    for kind in stages::kinds() {
        assert!(
            committed.values().any(|stage| stage.kind == kind.name()),
            "`{}` is not in the reference run of tests/it/digests.rs",
            kind.name()
        );
    }
}

#[test]
fn a_changed_output_is_told_from_a_raised_version() {
    let committed = committed();
    let train = |change: fn(&mut Reference)| {
        let mut found = committed.clone();
        change(found.get_mut("train").unwrap());
        (broken_promises(&committed, &found).len(), out_of_date(&committed, &found).len())
    };
    assert_eq!(train(|_| {}), (0, 0));
    let other_output = |train: &mut Reference| drop(train.digests.insert("train_runs".into(), "0".repeat(64)));
    assert_eq!(train(other_output), (1, 0), "the same key for another output is refused, update or not");
    let raised = |train: &mut Reference| {
        train.version += 1;
        train.keys = "1".repeat(64);
        train.digests.insert("train_runs".into(), "0".repeat(64));
    };
    assert_eq!(train(raised), (0, 1), "a raised version asks for an update");
}

#[test]
fn decompositions_are_compared_within_their_tolerance() {
    let committed = committed();
    let variance = |factor: f64| {
        let mut found = committed.clone();
        let column =
            found.get_mut("variance").unwrap().values.get_mut("variance").unwrap().get_mut("variance").unwrap();
        column[0] = column[0].map(|value| value * factor);
        broken_promises(&committed, &found).len()
    };
    assert_eq!(variance(1.0 + 1e-12), 0);
    assert_eq!(variance(1.0 + 1e-6), 1);
}
