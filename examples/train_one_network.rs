//! One network learns online, by a rule put together here, and its tables are read:
//! `cargo run --example train_one_network`.

use ojaflow::error::Result;
use ojaflow::flow::{Options, Project, Request, Silent};

const PIPELINE: &str = r#"
[pipeline]
name  = "one_network"
title = "One network, one run"

[stages.data]
kind    = "load"
dataset = "mnist"

[stages.train]
kind         = "train"
data         = "data"
layers       = [784, 100, 50, 10]
coefficients = { gradient = 0.01, oja = 0.001 }
samples      = 2000
schedule     = { every = 500 }
snapshots    = [2000]
"#;

fn main() -> Result<()> {
    let folder = std::env::temp_dir().join("ojaflow-example");
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let file = folder.join("one_network.toml");
    std::fs::write(&file, PIPELINE).expect("the folder can be written");

    let project = Project::at(env!("CARGO_MANIFEST_DIR")).with_outputs(folder.join("outputs"));
    let request = Request::new(file.display().to_string());
    let outcome = project.run(&request, &Options::default(), &Silent)?;

    println!("{:>8} {:>10} {:>8}", "samples", "accuracy", "loss");
    for row in outcome.table("train_evaluations")?.numbers(&["step", "accuracy", "loss"])?.rows() {
        println!("{:>8} {:>10.4} {:>8.4}", row[0], row[1], row[2]);
    }
    // A matrix a row: its place in the network and its shape; the values stand in the column `weights`.
    for row in outcome.table("train_weights")?.numbers(&["layer", "n_out", "n_in"])?.rows() {
        println!("W of layer {}: {} x {}", row[0], row[1], row[2]);
    }
    Ok(())
}
