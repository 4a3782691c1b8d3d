//! How long planning takes: 100,000 tasks, from the text to every task's key, nothing run. It should stay near a second.
//! `cargo bench --bench plan`.

use std::path::Path;
use std::time::Instant;

use ojaflow::plan::{Request, build};
use ojaflow::stages::Shipped;
use ojaflow::stages::environment::Environment;

const REPETITIONS: usize = 5;

/// The network and schedule of Figure 1 under one rule, a training a seed.
const TRAININGS: &str = r#"
[pipeline]
name  = "trainings"
title = "A task a seed"

[matrix]
seed = { first = 0, count = 100_000 }

[rules.bp]
gradient = 0.01

[stages.data]
kind    = "load"
dataset = "mnist"

[stages.train]
kind      = "train"
data      = "data"
rule      = "bp"
layers    = [784, 170, 130, 100, 70, 10]
samples   = 5000
schedule  = { every = 250 }
snapshots = [0, 200, 5000]
"#;

/// The same number of tasks, but each training is looked at by two stages more, and its tables are gathered.
const MEASUREMENTS: &str = r#"
[pipeline]
name  = "measurements"
title = "Three tasks a seed"

[matrix]
seed = { first = 0, count = 33_333 }

[rules.bp]
gradient = 0.01

[stages.data]
kind    = "load"
dataset = "mnist"

[stages.train]
kind      = "train"
data      = "data"
rule      = "bp"
layers    = [784, 170, 130, 100, 70, 10]
samples   = 5000
schedule  = { every = 250 }
snapshots = [0, 200, 5000]

[stages.activations]
kind   = "activations"
of     = "train"
layers = [1, 3]
steps  = [5000]

[stages.explained_variance]
kind = "explained_variance"
of   = "activations"

[stages.accuracy]
kind  = "bootstrap"
of    = "train_evaluations"
value = "accuracy"
"#;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pipelines = root.join("pipelines");
    let environment = Environment::new(vec![root.join("data")], &pipelines).expect("the committed tables read");
    let catalogue = Shipped::new(environment);
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    for (name, text) in [("trainings", TRAININGS), ("measurements", MEASUREMENTS)] {
        let file = folder.path().join(format!("{name}.toml"));
        std::fs::write(&file, text).expect("the folder can be written");
        let request = Request::new(file.display().to_string());
        let (mut seconds, mut tasks) = (Vec::new(), 0);
        for _ in 0..REPETITIONS {
            let start = Instant::now();
            let plan = build(&catalogue, &pipelines, &request).expect("the pipeline is sound");
            seconds.push(start.elapsed().as_secs_f64());
            tasks = plan.tasks.len();
        }
        seconds.sort_by(f64::total_cmp);
        println!(
            "{name}: {tasks} tasks planned in {:.2} s (median of {REPETITIONS}; fastest {:.2} s)",
            seconds[REPETITIONS / 2],
            seconds[0]
        );
    }
}
