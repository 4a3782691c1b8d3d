//! What a user waits for: one online step of each network under each rule, an evaluation of MNIST's 10,000 test images, the
//! same of the recurrent network, and an episode of meta-learning. `cargo bench --bench online_step`.

use std::path::Path;

use divan::{Bencher, counter::ItemsCount};
use ojaflow::datasets;
use ojaflow::science::activation::Activation;
use ojaflow::science::initialization::{Feedback, Initialization};
use ojaflow::science::meta::{ClassPool, MetaLearner, MetaSettings, TaskSize};
use ojaflow::science::network::{Architecture, Network};
use ojaflow::science::online::OnlineTrainer;
use ojaflow::science::plasticity::{Coefficient, Rule};
use ojaflow::science::recurrent::{
    OjaTarget, RecurrentArchitecture, RecurrentNetwork, RecurrentRule, RecurrentTrainer,
};
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

fn architecture(sizes: &[usize]) -> Architecture {
    Architecture::new(sizes.to_vec(), Activation::Softplus { beta: 10.0 }).expect("sizes are positive")
}

fn network(sizes: &[usize], feedback: Feedback) -> Network {
    Network::initialize(&architecture(sizes), &Initialization::Xavier, feedback, 1)
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

/// Figure 7's network: 128 hidden units, 50 time steps, 5 of which show the image.
fn recurrent_network() -> RecurrentNetwork {
    let architecture = RecurrentArchitecture::new([784, 128, 10], 50, 5, Activation::Tanh).expect("sizes are positive");
    RecurrentNetwork::initialize(&architecture, &Initialization::Xavier, 1)
}

/// 20 steps a call.
#[divan::bench(args = ["bptt", "bptt_oja"])]
fn recurrent_step(bencher: Bencher, rule: &str) {
    let samples = images(20);
    let order: Vec<u32> = (0..20).collect();
    let oja = if rule == "bptt_oja" { 1e-6 } else { 0.0 };
    let rule = RecurrentRule::new(1e-6, oja, OjaTarget::HiddenState).expect("coefficients are finite");
    let mut trainer = RecurrentTrainer::new(recurrent_network(), rule);
    bencher.counter(ItemsCount::new(order.len())).bench_local(|| trainer.advance(&samples, &order).expect("finite"));
}

#[divan::bench]
fn recurrent_evaluation_of_1_000(bencher: Bencher) {
    let (samples, network) = (images(1_000), recurrent_network());
    bencher.counter(ItemsCount::new(samples.len())).bench_local(|| network.evaluate(&samples, 0..1_000));
}

/// Figure 8's network and task, on MNIST alone: 250 steps, 50 questions, and the exact gradient of their loss.
#[divan::bench(args = ["bp", "rule_9"])]
fn meta_episode(bencher: Bencher, rule: &str) {
    let samples = images(10_000);
    let pool = ClassPool::new(vec![&samples]).expect("one data set");
    let learns_all = rule == "rule_9";
    let mut terms = vec![("gradient", Coefficient::Uniform(1e-3))];
    if learns_all {
        let others = ["error_hebb", "oja", "decay", "feedback_hebb", "feedback_decay"];
        terms.extend(others.map(|name| (name, Coefficient::Uniform(0.0))));
    }
    let settings = MetaSettings {
        architecture: architecture(FIVE),
        initialization: Initialization::Xavier,
        feedback: if learns_all { Feedback::Plastic } else { Feedback::Symmetric },
        task: TaskSize { n_classes: 5, n_training: 50, n_query: 10 },
        learned: terms.iter().map(|(name, _)| (*name).to_owned()).collect(),
        rule: Rule::new(&terms).expect("the terms are shipped ones"),
        learning_rate: 1e-5,
        l1: 0.0,
        clip: Some(1.0),
        skip_above: None,
        step_back: false,
    };
    let mut learner = MetaLearner::new(settings, &pool, 1).expect("the pool is large enough");
    bencher.bench_local(|| learner.run_episode());
}
