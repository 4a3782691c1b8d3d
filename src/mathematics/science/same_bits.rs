//! Trainings and inference, and one digest of all that they end with: the same on every instruction set, and on every architecture.
//!
//! What another architecture makes of them is known to a process there only. `tests/aarch64.sh` takes the line that this
//! prints here and lets a process there, under emulation, hold its own against it.

use super::activation::Activation;
use super::feedback::{Feedback, WeightMirror};
use super::inference::contrast::{Contrast, Side, Survivor, selection_probabilities};
use super::inference::looks::nominal_level;
use super::inference::power::power_at;
use super::initialization::Initialization;
use super::meta::{ClassPool, MetaLearner, MetaSettings, Sampling, TaskSize};
use super::network::{Architecture, Network};
use super::online::OnlineTrainer;
use super::plasticity::{Coefficient, Rule, Synapses, Term, Written, WrittenState};
use super::recurrent::{OjaTarget, RecurrentArchitecture, RecurrentNetwork, RecurrentRule, RecurrentTrainer};
use super::reference::noise;
use super::seed::{Purpose, stream};
use crate::kernels::Backend;

/// The variable that holds the digest to be met.
const EXPECTED: &str = "OJAFLOW_DIGEST_OF_TRAININGS";

const TERMS: [(&str, f64); 6] = [
    ("gradient", 0.02),
    ("error_hebb", -0.03),
    ("oja", 0.004),
    ("decay", 0.001),
    ("feedback_hebb", 0.01),
    ("feedback_decay", 0.002),
];

fn rule(terms: &[(&str, f64)]) -> Rule {
    Rule::new(&terms.iter().map(|&(name, c)| (name, Coefficient::Uniform(c))).collect::<Vec<_>>()).unwrap()
}

/// Weights, and means of an evaluation, by their bits.
#[derive(Default)]
struct Bits(blake3::Hasher);

impl Bits {
    fn weights(&mut self, weights: impl IntoIterator<Item = f32>) {
        weights.into_iter().for_each(|w| _ = self.0.update(&w.to_bits().to_le_bytes()));
    }

    fn numbers(&mut self, numbers: &[f64]) {
        numbers.iter().for_each(|x| _ = self.0.update(&x.to_bits().to_le_bytes()));
    }
}

/// Online learning of a chain with each function and pathway, and of a network in time.
fn trainings(backend: Backend, bits: &mut Bits) {
    let (samples, order) = (noise(150, 61, 10, 1), (0..150).collect::<Vec<u32>>());
    let rules = [(Feedback::Symmetric, &TERMS[..1]), (Feedback::Random, &TERMS[..4]), (Feedback::Plastic, &TERMS)];
    for activation in [Activation::Softplus { beta: 10.0 }, Activation::Tanh, Activation::Relu, Activation::Sigmoid] {
        for (feedback, terms) in rules {
            let architecture = Architecture::new(vec![61, 50, 33, 16, 10], activation).unwrap();
            let network = Network::initialize(&architecture, &Initialization::Xavier, feedback, 3).on(backend).unwrap();
            let mut trainer = OnlineTrainer::new(network, rule(terms)).unwrap();
            trainer.advance(&samples, &order).unwrap();
            let network = trainer.network();
            for layer in 1..=4 {
                bits.weights(network.forward_weights(layer));
                bits.weights(network.feedback_weights(layer).into_iter().flatten());
            }
            let found = network.evaluate(&samples, 0..samples.len());
            bits.numbers(&[found.accuracy, found.loss]);
        }
    }
    let architecture = RecurrentArchitecture::new([61, 37, 10], 8, 3, Activation::Tanh).unwrap();
    let network = RecurrentNetwork::initialize(&architecture, &Initialization::Xavier, 1).on(backend).unwrap();
    let mut trainer = RecurrentTrainer::new(network, RecurrentRule::new(0.02, 0.01, OjaTarget::HiddenState).unwrap());
    trainer.advance(&samples, &order).unwrap();
    let network = trainer.network();
    bits.weights(
        network.input_weights().into_iter().chain(network.recurrent_weights()).chain(network.readout_weights()),
    );
    let found = network.evaluate(&samples, 0..samples.len());
    bits.numbers(&[found.accuracy, found.loss]);
}

/// Episodes of meta-learning, with their gradients, on the instructions of this process: by the kernels and by plain matrices.
fn episodes(bits: &mut Bits) {
    episodes_of(Feedback::Plastic, rule(&TERMS.map(|(name, c)| (name, c / 20.0))), bits);
    let state = WrittenState { name: "theta".into(), start: 0.1, update: "tanh(0.9 * theta + exp(-y_post))".into() };
    let written = Written {
        name: "written".into(),
        synapses: Synapses::Forward,
        equation: "(y_post .* (y_post - theta)) * y_pre' - lower(y_post * y_post') * W ./ (1 + mean(e_post).^2)".into(),
        parameters: Vec::new(),
        state: vec![state],
    };
    let terms = ["gradient", "decay"].map(|name| (Term::named(name).unwrap().clone(), Coefficient::Uniform(1e-3)));
    let written = (Term::of_equation(&written).unwrap(), Coefficient::Uniform(1e-3));
    let rule = Rule::with_terms([&terms[..], &[written]].concat()).unwrap();
    let mirror = WeightMirror { every: 4, presentations: 5, rate: 0.1, decay: 0.1 };
    for feedback in [Feedback::Broadcast { std: 0.1 }, Feedback::WeightMirror(mirror), Feedback::KolenPollack] {
        episodes_of(feedback, rule.clone(), bits);
    }
}

fn episodes_of(feedback: Feedback, rule: Rule, bits: &mut Bits) {
    let samples = noise(200, 61, 5, 2);
    let pool = ClassPool::new(vec![&samples]).unwrap();
    let settings = MetaSettings {
        architecture: Architecture::new(vec![61, 20, 17, 5], Activation::Softplus { beta: 10.0 }).unwrap(),
        initialization: Initialization::Xavier,
        feedback,
        task: TaskSize { n_classes: 3, n_training: 15, n_query: 5 },
        sampling: Sampling::default(),
        learned: rule.terms().iter().map(|(term, _)| term.name.to_string()).collect(),
        rule,
        learning_rate: 1e-4,
        l1: 0.0,
        clip: Some(1.0),
        skip_above: None,
        step_back: false,
    };
    let mut learner = MetaLearner::new(settings, &pool, 1).unwrap();
    for _ in 0..5 {
        let episode = learner.run_episode();
        bits.numbers(&[episode.query_loss.unwrap(), episode.gradient_norm.unwrap()]);
        bits.numbers(&episode.coefficients);
    }
}

/// From tuning scores to an interval at the level of a look.
fn inference(bits: &mut Bits) {
    let mut stream = stream(5, Purpose::Task, 0);
    let mut numbers = |n: usize| -> Vec<f64> { (0..n).map(|_| stream.normal()).collect() };
    let scores: Vec<Vec<f64>> = (0..4).map(|_| numbers(27)).collect();
    let survivors = selection_probabilities(&scores, 1, 400)
        .into_iter()
        .map(|probability| Survivor { probability, values: numbers(40) });
    let contrast = Contrast::new(Side::new(survivors.collect()).unwrap(), None).unwrap();
    let alpha = nominal_level(&[20, 40, 80, 160], 0.02);
    let found = contrast.estimate_procedure(alpha).unwrap();
    let spread = contrast.selection_variance();
    bits.numbers(&[alpha, found.estimate, found.low, found.high, spread, power_at(40, 1.0, spread, 0.5, alpha)]);
}

#[test]
fn trainings_end_with_the_same_bits_everywhere() {
    let digest = |backend: Backend| {
        let mut bits = Bits::default();
        trainings(backend, &mut bits);
        episodes(&mut bits);
        inference(&mut bits);
        bits.0.finalize().to_hex().to_string()
    };
    let expected = digest(Backend::Portable);
    for backend in Backend::available() {
        assert_eq!(digest(backend), expected, "{backend}");
    }
    println!("digest of trainings: {expected}");
    if let Ok(elsewhere) = std::env::var(EXPECTED) {
        assert_eq!(expected, elsewhere, "another architecture ends with other bits");
    }
}
