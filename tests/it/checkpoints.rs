//! A long training that is killed goes on from the last state that it left, and ends with the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::common::{Fixture, flip_a_bit, text};
use ojaflow::science::seed::{Purpose, stream};

/// Every kind of training, with all that each can remember and leave on its way; some seconds of work.
const LONG: &str = r#"
[pipeline]
name  = "small"
title = "Long enough to be killed"

[terms.bcm]
equation = "(y_post .* (y_post - theta)) * y_pre'"
state    = { theta = { start = 0.1, update = "0.9 * theta + 0.1 * y_post.^2" } }

[rules.remembers]
gradient = 0.0001
bcm      = 0.0001

[rules.waits]
gradient = 0.0001
oja      = 0.0001

[matrix.by.noise]
online.rule     = "remembers"
online.feedback = { broadcast = { std = 1.0 } }

[matrix.by.blocks]
online.rule     = "waits"
online.feedback = { weight_mirror = { every = 3, presentations = 5000 } }

[stages.data]
kind    = "load"
dataset = "tiny"

[stages.online]
kind      = "train"
data      = "data"
layers    = [784, 100, 50, 10]
samples   = 200
schedule  = { every = 2 }
snapshots = [0, 50, 100, 150, 200]

[stages.batches]
kind       = "train_batch"
data       = "data"
layers     = [784, 100, 50, 10]
optimizer  = "adam"
rate       = 0.001
batch_norm = true
batch_size = 8
samples    = 200
schedule   = { every = 1 }
snapshots  = [0, 101, 200]

[stages.in_time]
kind         = "train_recurrent"
data         = "data"
hidden       = 60
time_steps   = 300
image_steps  = 3
coefficients = { gradient = 0.01, oja = 0.001, clip = 0.5 }
samples      = 200
schedule     = { every = 1 }
snapshots    = [0, 77, 200]
hidden_norms = { every = 20 }

[stages.norms]
kind    = "activation_norms"
of      = "online"
steps   = { every = 10 }
samples = 50
"#;

/// Seconds of work between two states.
const EVERY: &str = "0.05";

/// The heads that lie in the store.
fn heads(fixture: &Fixture) -> Vec<PathBuf> {
    let files = fixture.files().into_iter().map(|path| fixture.outputs().join(path));
    files
        .filter(|path| path.ends_with("head") && path.components().any(|part| part.as_os_str() == "checkpoints"))
        .collect()
}

fn begin(fixture: &Fixture) -> Child {
    let mut command = fixture.command(&["pipeline", "small", "--jobs", "2"]);
    let command = command.env("OJAFLOW_CHECKPOINT_SECONDS", EVERY);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Until so many new states were left since this was called; false if the run ended before.
fn wait_for_states(run: &mut Child, fixture: &Fixture, states: usize) -> bool {
    let look = || -> Vec<_> {
        heads(fixture).iter().map(|head| fs::metadata(head).and_then(|found| found.modified()).ok()).collect()
    };
    let (mut known, mut seen) = (look(), 0);
    let began = Instant::now();
    while seen < states {
        if run.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "no state was left");
        std::thread::sleep(Duration::from_millis(2));
        let now = look();
        seen += usize::from(now != known);
        known = now;
    }
    true
}

/// What an undisturbed run publishes.
fn undisturbed() -> &'static BTreeMap<String, String> {
    static DIGESTS: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    DIGESTS.get_or_init(|| {
        let fixture = Fixture::new().pipeline(LONG).run();
        assert!(
            !fixture.outputs().join(".store/v1/checkpoints").exists(),
            "a short training leaves nothing on its way"
        );
        fixture.digests("small")
    })
}

#[test]
fn a_training_killed_at_ten_moments_between_checkpoints_ends_with_the_same_bytes() {
    let expected = undisturbed();
    let mut random = stream(18, Purpose::Task, 0);
    let mut went_on = 0;
    let fixture = Fixture::new().pipeline(LONG);
    for moment in 0..10 {
        let mut run = begin(&fixture);
        assert!(wait_for_states(&mut run, &fixture, 1), "moment {moment}: the trainings are long enough");
        std::thread::sleep(Duration::from_millis(u64::from(random.below(40))));
        run.kill().unwrap();
        let said = text(&run.wait_with_output().unwrap().stderr);
        went_on += said.matches("goes on from sample").count();
        assert!(!said.contains("begins anew"), "moment {moment}: {said}");
        if moment == 5 {
            // What an unfinished run is to go on with is no rubbish.
            let there = heads(&fixture).len();
            fixture.stdout(&["store", "gc"]);
            assert_eq!(heads(&fixture).len(), there);
        }
    }
    let run = begin(&fixture).wait_with_output().unwrap();
    let said = text(&run.stderr);
    assert!(run.status.success() && said.contains("goes on from sample"), "{said}");
    assert!(went_on >= 9, "each went on from what the one before had left: {went_on}");
    assert_eq!(fixture.digests("small"), *expected);
    assert!(heads(&fixture).is_empty(), "what was left goes when the result is there");
    fixture.verified();
}

#[test]
fn a_damaged_state_is_not_trusted_and_one_that_nobody_goes_on_with_is_collected() {
    let expected = undisturbed();
    for damage in ["head", "piece-0"] {
        let fixture = Fixture::new().pipeline(LONG);
        let mut run = begin(&fixture);
        assert!(wait_for_states(&mut run, &fixture, 3));
        run.kill().unwrap();
        run.wait().unwrap();
        let places = heads(&fixture).into_iter().map(|head| head.with_file_name(damage)).filter(|place| place.exists());
        let places: Vec<PathBuf> = places.collect();
        assert!(!places.is_empty(), "{damage}");
        places.iter().for_each(|place| flip_a_bit(place));
        let run = begin(&fixture).wait_with_output().unwrap();
        let said = text(&run.stderr);
        assert!(run.status.success() && said.contains("begins anew") && said.contains(damage), "{said}");
        assert_eq!(fixture.digests("small"), *expected, "{damage}");
        assert!(heads(&fixture).is_empty());
    }
    let fixture = Fixture::new().pipeline(LONG);
    let mut run = begin(&fixture);
    assert!(wait_for_states(&mut run, &fixture, 1));
    run.kill().unwrap();
    run.wait().unwrap();
    let announced = fixture.stdout(&["store", "gc", "--unfinished", "--dry-run"]);
    assert!(!heads(&fixture).is_empty() && !announced.contains(" 0 leftovers"), "{announced}");
    fixture.stdout(&["store", "gc", "--unfinished"]);
    assert!(heads(&fixture).is_empty());
    fixture.verified();
}
