//! What a user waits for: one online step of each network under each rule, and an evaluation of MNIST's 10,000 test images.
//! `cargo bench --bench online_step`.

use std::path::Path;

use divan::{Bencher, counter::ItemsCount};
use ojaflow::datasets;
use ojaflow::science::activation::Activation;
use ojaflow::science::initialization::{Feedback, Initialization};
use ojaflow::science::network::{Architecture, Network};
use ojaflow::science::online::OnlineTrainer;
use ojaflow::science::plasticity::{Coefficient, Rule};
use ojaflow::science::samples::Samples;

const FIVE: &[usize] = &[784, 170, 130, 100, 70, 10];
const TEN: &[usize] = &[784, 170, 150, 130, 120, 110, 100, 90, 80, 70, 10];

fn main() {
    println!("kernels: {}", ojaflow::kernels::backend());
    divan::main();
}

/// The first `n` test images.
fn images(n: usize) -> Samples {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let test = datasets::find(&data, "mnist").and_then(|info| datasets::load(&info)).expect("MNIST is in data/").test;
    let labels = test.labels.into_iter().map(u16::from).collect();
    Samples::new(test.pixels, labels, datasets::PIXELS, 10).expect("images are well formed").slice(0..n)
}

fn network(sizes: &[usize], feedback: Feedback) -> Network {
    let architecture =
        Architecture::new(sizes.to_vec(), Activation::Softplus { beta: 10.0 }).expect("sizes are positive");
    Network::initialize(&architecture, &Initialization::Xavier, feedback, 1)
}

/// 200 steps a call, so that the time of a step is the time of a call over 200; the counter shows steps a second.
fn steps(bencher: Bencher, sizes: &[usize], feedback: Feedback, terms: &[(&str, f64)]) {
    let samples = images(200);
    let order: Vec<u32> = (0..200).collect();
    let terms: Vec<_> = terms.iter().map(|&(name, c)| (name, Coefficient::Uniform(c))).collect();
    let rule = Rule::new(&terms).expect("the terms are shipped ones");
    // Small coefficients: the work does not depend on them, and nothing diverges however long the benchmark runs.
    let mut trainer = OnlineTrainer::new(network(sizes, feedback), rule).expect("the rule fits the network");
    bencher.counter(ItemsCount::new(order.len())).bench_local(|| trainer.advance(&samples, &order).expect("finite"));
}

const NETWORKS: [&[usize]; 2] = [FIVE, TEN];

#[divan::bench(args = [5, 10])]
fn bp(bencher: Bencher, layers: usize) {
    steps(bencher, NETWORKS[layers / 10], Feedback::Symmetric, &[("gradient", 1e-5)]);
}

#[divan::bench(args = [5, 10])]
fn bp_oja(bencher: Bencher, layers: usize) {
    steps(bencher, NETWORKS[layers / 10], Feedback::Symmetric, &[("gradient", 1e-5), ("oja", 1e-5)]);
}

#[divan::bench(args = [5, 10])]
fn feedback_alignment_oja(bencher: Bencher, layers: usize) {
    steps(bencher, NETWORKS[layers / 10], Feedback::Random, &[("gradient", 1e-5), ("oja", 1e-5)]);
}

#[divan::bench(args = [5, 10])]
fn rule_nine(bencher: Bencher, layers: usize) {
    let terms = [
        ("gradient", 1e-5),
        ("error_hebb", 1e-5),
        ("oja", 1e-5),
        ("decay", 1e-7),
        ("feedback_hebb", 1e-5),
        ("feedback_decay", 1e-7),
    ];
    steps(bencher, NETWORKS[layers / 10], Feedback::Plastic, &terms);
}

#[divan::bench(args = [5, 10])]
fn evaluation_of_10_000(bencher: Bencher, layers: usize) {
    let (samples, network) = (images(10_000), network(NETWORKS[layers / 10], Feedback::Symmetric));
    bencher.counter(ItemsCount::new(samples.len())).bench_local(|| network.evaluate(&samples, 0..10_000));
}
