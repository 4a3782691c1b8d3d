//! Plans that grow by what they find: races to their end, claims looked at until they are decided.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use crate::common::{Fixture, RACE, text};
use ojaflow::tables::cells::{Category, Int32, Text};

/// Two rules tuned beforehand, one of which has two cells left, and a claim about their difference.
const CLAIM: &str = r#"
[pipeline]
name  = "small"
title = "A claim to decide"

[matrix]
rule = ["slow", "fast"]
cell = [1]
seed = { first = 0, count = 3 }

[rules.slow]
tuned = true

[rules.fast]
tuned = true

[stages.data]
kind    = "load"
dataset = "tiny"

[stages.tuning]
kind    = "tuned"
data    = "data"
setting = "small"

[stages.train]
kind     = "train"
data     = "data"
setting  = "small"
layers   = [784, 12, 10]
samples  = 60
schedule = [60]

[stages.gain]
kind          = "bootstrap"
of            = "train_evaluations"
selection     = "tuning"
value         = "accuracy"
difference    = { column = "rule", of = "fast", minus = "slow" }
when_diverged = 0.1
resamples     = 20

[[claims]]
id           = "G1"
statement    = "the faster rule ends higher"
of           = "gain"
greater_than = -0.9
paper_effect = 0.1
"#;

const COEFFICIENTS: &str = r#"
pipeline = "made_up"
start = "made up"
key = "made up"

[[coefficients]]
dataset = "tiny"
setting = "small"
rule = "slow"
trainings = 9
best = { gradient = 1e-3 }
survivors = [{ terms = { gradient = 1e-3 }, probability = 1, n = 9, mean = 0.3, error = 0.01 }]

[[coefficients]]
dataset = "tiny"
setting = "small"
rule = "fast"
trainings = 9
best = { gradient = 3e-2 }
survivors = [
  { terms = { gradient = 3e-2 }, probability = 0.75, n = 5, mean = 0.8, error = 0.01 },
  { terms = { gradient = 2e-2 }, probability = 0.25, n = 4, mean = 0.7, error = 0.01, failed = 1, gap = 0.4 },
]
"#;

fn fixture(pipeline: &str) -> Fixture {
    let fixture = Fixture::new().pipeline(pipeline);
    let folder = fixture.path("pipelines/coefficients");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("made_up.toml"), COEFFICIENTS).unwrap();
    fixture
}

/// How many runs there are of each rule and cell.
fn trained(fixture: &Fixture, name: &str) -> BTreeMap<(String, String), usize> {
    let runs = fixture.frame(name, "train_runs");
    let (rules, cells) = (runs.cells("rule").unwrap(), runs.cells("cell").unwrap());
    let mut count = BTreeMap::new();
    for (rule, cell) in rules.iter().zip(&cells) {
        *count.entry((rule.to_string(), cell.to_string())).or_default() += 1;
    }
    count
}

fn counts(found: &[(&str, &str, usize)]) -> BTreeMap<(String, String), usize> {
    found.iter().map(|(rule, cell, n)| (((*rule).to_owned(), (*cell).to_owned()), *n)).collect()
}

#[test]
fn a_claim_trains_what_tuning_left_and_says_so_beforehand() {
    let fixture = fixture(CLAIM);
    let plan = fixture.stdout(&["plan", "small"]);
    assert!(plan.contains("level 1; what follows depends on its results: at most 30 runs more"), "{plan}");
    let printed = fixture.stdout(&["pipeline", "small"]);
    assert_eq!(trained(&fixture, "small"), counts(&[("slow", "1", 3), ("fast", "1", 3), ("fast", "2", 3)]));
    assert!(printed.contains("one look at 3 runs, level 2 %"), "{printed}");
    assert!(printed.contains("with the coefficients that tuning picked"), "{printed}");
    let values = fixture.frame("small", "gain_values");
    assert_eq!(values.n_rows(), 9);
    assert!(!fixture.outputs().join("small/claims_wanted.parquet").exists(), "what is wanted is no result");
    // Nothing is left to do, and the plan says so.
    assert!(fixture.stdout(&["pipeline", "small"]).contains("0 tasks run"));
    assert!(!fixture.stdout(&["plan", "small"]).contains("level"));
}

#[test]
fn an_undecided_claim_is_looked_at_again_until_the_looks_end() {
    // Three runs of a few percent scatter decide nothing within so narrow a band.
    let undecided = CLAIM.replace("greater_than = -0.9", "between = [-0.9, 0.0001]");
    let fixture = fixture(&undecided.replace("paper_effect = 0.1", ""));
    let printed = fixture.stdout(&["pipeline", "small", "--decide", "--looks", "3,6,9", "--as", "decided"]);
    let claims = fixture.frame("decided", "claims");
    let (verdict, looks) =
        (claims.values::<Category>("verdict").unwrap()[0], claims.values::<Text>("looks").unwrap()[0]);
    assert_eq!(looks, "3, 6, 9");
    let at = claims.values::<Option<Int32>>("decided_at").unwrap()[0];
    let runs = claims.values::<Int32>("n_runs").unwrap()[0];
    match verdict {
        "undecided" => assert_eq!((at, runs), (None, 9), "{printed}"),
        _ => assert_eq!(at, Some(runs), "{printed}"),
    }
    let n = usize::try_from(runs).unwrap();
    assert_eq!(trained(&fixture, "decided"), counts(&[("slow", "1", n), ("fast", "1", n), ("fast", "2", n)]));
    assert!(
        fixture
            .stdout(&["pipeline", "small", "--decide", "--looks", "3,6,9", "--as", "decided"])
            .contains("0 tasks run")
    );
    // An archive of it is run again to the same bytes, level by level.
    let archive = fixture.path("decided.tar.zst");
    fixture.stdout(&["archive", "decided", "-o", archive.to_str().unwrap()]);
    let reproduced = fixture.stdout(&["reproduce", archive.to_str().unwrap()]);
    assert!(reproduced.contains("12 identical, 0 within tolerance"), "{reproduced}");
}

#[test]
fn what_tuning_alone_spreads_too_far_is_not_looked_at_again() {
    let fixture = fixture(&CLAIM.replace("greater_than = -0.9", "between = [-0.9, 0.0001]"));
    let printed = fixture.stdout(&["pipeline", "small", "--decide", "--looks", "3,6,9", "--as", "decided"]);
    assert!(printed.contains("more runs cannot decide it, as tuning alone spreads it by"), "{printed}");
    assert_eq!(trained(&fixture, "decided"), counts(&[("slow", "1", 3), ("fast", "1", 3), ("fast", "2", 3)]));
}

#[test]
fn looks_that_do_not_begin_with_the_pipeline_s_seeds_are_refused() {
    let fixture = fixture(CLAIM);
    let output = fixture.output(&["pipeline", "small", "--decide", "--looks", "4,8"]);
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(message.contains("the first look is at 4 runs, and the axis `seed` has 3"), "{message}");
    let output = fixture.output(&["pipeline", "small", "--looks", "3,6"]);
    assert_eq!(output.status.code(), Some(2), "looks are for `--decide`");
}

#[test]
fn a_race_killed_at_any_moment_ends_with_the_same_table() {
    let best = |fixture: &Fixture| fs::read(fixture.outputs().join("small/race.toml")).unwrap();
    let undisturbed = Fixture::new().pipeline(RACE);
    let started = Instant::now();
    undisturbed.stdout(&["pipeline", "small"]);
    let whole = started.elapsed();
    for moment in 1..=10 {
        let fixture = Fixture::new().pipeline(RACE);
        let mut run = fixture.spawn(&["pipeline", "small", "--quiet"]);
        std::thread::sleep(whole.mul_f64(f64::from(moment) / 11.0).max(Duration::from_millis(5)));
        run.kill().unwrap();
        run.wait().unwrap();
        fixture.stdout(&["pipeline", "small"]);
        assert!(best(&fixture) == best(&undisturbed), "killed at moment {moment}");
    }
}
