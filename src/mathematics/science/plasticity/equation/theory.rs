//! The library of terms (`pipelines/terms/library.toml`) against what theory says of each, most for linear neurons.

use ndarray::{Array1, Array2};

use super::*;
use crate::kernels::program::{Beyond, SynapseSignals};
use crate::kernels::{Backend, InputMajor, Lanes, as_flat, as_flat_mut, zeros};
use crate::science::activation::Activation;
use crate::science::feedback::{Feedback, PredictiveCoding};
use crate::science::initialization::Initialization;
use crate::science::loss::Loss;
use crate::science::network::Network;
use crate::science::online::OnlineTrainer;
use crate::science::plasticity::{Coefficient, Rule, Term};
use crate::science::reference::{architecture, input, noise};
use crate::science::samples::Samples;
use crate::science::seed::{Purpose, Stream, stream};

/// A term of the library.
fn library(name: &str) -> Written {
    let text = include_str!("../../../../../pipelines/terms/library.toml");
    let library: toml::Table = text.parse().unwrap();
    let term = library["terms"][name].as_table().unwrap();
    let number = |value: &toml::Value| value.as_float().unwrap();
    let table = |key: &str| term.get(key).and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let state = |(name, state): (String, toml::Value)| WrittenState {
        name,
        start: number(&state["start"]),
        update: state["update"].as_str().unwrap().to_owned(),
    };
    Written {
        name: name.to_owned(),
        synapses: match term.get("synapses").and_then(toml::Value::as_str) {
            None => Synapses::Forward,
            Some("feedback") => Synapses::Feedback,
            Some(other) => panic!("{other}"),
        },
        equation: term["equation"].as_str().unwrap().to_owned(),
        parameters: table("parameters").into_iter().map(|(name, value)| (name, number(&value))).collect(),
        state: table("state").into_iter().map(state).collect(),
    }
}

/// Neurons y = W x.
struct Neurons {
    weights: InputMajor,
    evaluator: Evaluator,
}

impl Neurons {
    fn new(term: &Written, start: &Array2<f64>) -> Self {
        let (n_post, n_pre) = start.dim();
        Self {
            weights: InputMajor::from_fn(n_pre, n_post, |i, j| start[[j, i]] as f32),
            evaluator: Equation::read(term).unwrap().evaluator(n_pre, n_post),
        }
    }

    fn respond(&self, x: &Array1<f64>) -> Array1<f64> {
        self.matrix().dot(x)
    }

    /// A step of size `rate` from x, y and e.
    fn learn_from(&mut self, rate: f64, x: &Array1<f64>, y: &Array1<f64>, e: &Array1<f64>) {
        let [x, y, e] = [x, y, e].map(padded);
        let before = self.weights.clone();
        let nothing = zeros(before.n_in());
        let signals = SynapseSignals {
            weights: &before,
            feedback: &before,
            pre_activation: &x,
            activation: &y,
            pre_error: &nothing,
            error: &e,
            beyond: Beyond::default(),
        };
        self.evaluator.prepare(Backend::Portable, signals);
        self.evaluator.add(Backend::Portable, rate as f32, [None, Some(&before)], &mut self.weights);
    }

    fn learn(&mut self, rate: f64, x: &Array1<f64>) {
        let y = self.respond(x);
        self.learn_from(rate, x, &y, &Array1::zeros(y.len()));
    }

    fn matrix(&self) -> Array2<f64> {
        let (n_pre, n_post) = (self.weights.n_in(), self.weights.n_out());
        Array2::from_shape_fn((n_post, n_pre), |(j, i)| f64::from(as_flat(self.weights.row(i))[j]))
    }
}

fn padded(values: &Array1<f64>) -> Vec<Lanes> {
    let mut lanes = zeros(values.len());
    as_flat_mut(&mut lanes).iter_mut().zip(values).for_each(|(to, from)| *to = *from as f32);
    lanes
}

fn chance() -> Stream {
    stream(5, Purpose::Task, 1)
}

/// Inputs of four numbers with variances 4, 2, 1 and ¼ along the columns of a rotation.
struct Inputs {
    rotation: Array2<f64>,
}

const DEVIATIONS: [f64; 4] = [2.0, std::f64::consts::SQRT_2, 1.0, 0.5];

impl Inputs {
    fn new() -> Self {
        // Two rotations by the same angle: no axis is left as it was.
        let (sin, cos) = (0.7_f64.sin(), 0.7_f64.cos());
        let turn = |a: usize, b: usize| {
            let mut turn = Array2::eye(4);
            (turn[[a, a]], turn[[a, b]], turn[[b, a]], turn[[b, b]]) = (cos, -sin, sin, cos);
            turn
        };
        let rotation = turn(0, 1).dot(&turn(2, 3)).dot(&turn(0, 2)).dot(&turn(1, 3));
        Self { rotation }
    }

    fn draw(&self, random: &mut Stream) -> Array1<f64> {
        let along: Array1<f64> = DEVIATIONS.iter().map(|deviation| deviation * random.normal()).collect();
        self.rotation.dot(&along)
    }

    fn eigenvector(&self, number: usize) -> Array1<f64> {
        self.rotation.column(number).to_owned()
    }
}

fn small(n_post: usize, n_pre: usize, random: &mut Stream) -> Array2<f64> {
    Array2::from_shape_simple_fn((n_post, n_pre), || 0.1 * random.normal())
}

fn length(v: &Array1<f64>) -> f64 {
    v.dot(v).sqrt()
}

#[test]
fn single_neurons_of_oja_all_become_the_leading_eigenvector() {
    let (inputs, mut random) = (Inputs::new(), chance());
    let mut neurons = Neurons::new(&library("oja_single"), &small(3, 4, &mut random));
    (0..20_000).for_each(|_| neurons.learn(0.002, &inputs.draw(&mut random)));
    for row in neurons.matrix().rows() {
        let row = row.to_owned();
        assert!((length(&row) - 1.0).abs() < 0.03, "{row}");
        assert!(row.dot(&inputs.eigenvector(0)).abs() > 0.99, "{row}");
    }
}

#[test]
fn rows_of_sanger_become_the_eigenvectors_in_their_order() {
    let (inputs, mut random) = (Inputs::new(), chance());
    let mut neurons = Neurons::new(&library("sanger"), &small(3, 4, &mut random));
    for step in 0..60_000 {
        neurons.learn(if step < 30_000 { 0.002 } else { 0.0005 }, &inputs.draw(&mut random));
    }
    let matrix = neurons.matrix();
    for (number, row) in matrix.rows().into_iter().enumerate() {
        let row = row.to_owned();
        assert!((length(&row) - 1.0).abs() < 0.03, "{number}: {row}");
        assert!(row.dot(&inputs.eigenvector(number)).abs() > 0.99, "{number}: {row}");
    }
}

#[test]
fn a_neuron_of_bcm_responds_to_one_of_two_inputs() {
    let mut random = chance();
    let inputs = [Array1::from(vec![1.0, 0.2]), Array1::from(vec![0.2, 1.0])];
    let mut neurons = Neurons::new(&library("bcm"), &Array2::from_elem((1, 2), 0.4));
    for _ in 0..60_000 {
        neurons.learn(0.002, &inputs[random.below(2) as usize]);
    }
    let mut responses = inputs.map(|x| neurons.respond(&x)[0]);
    responses.sort_by(f64::total_cmp);
    // y (y − θ) has the mean 0 for each: θ = y or y = 0, with θ the mean of y², which is y² / 2.
    assert!(responses[0].abs() < 0.1 && (responses[1] - 2.0).abs() < 0.1, "{responses:?}");
}

#[test]
fn anti_hebb_lets_a_response_die_out() {
    let x = Array1::from(vec![0.6, -0.8]);
    let mut neurons = Neurons::new(&library("anti_hebb"), &Array2::from_elem((1, 2), 1.5));
    let first = neurons.respond(&x)[0];
    (0..50).for_each(|_| neurons.learn(0.02, &x));
    let expected = first * (1.0_f64 - 0.02 * x.dot(&x)).powi(50);
    assert!((neurons.respond(&x)[0] - expected).abs() < 1e-5 * first.abs());
}

#[test]
fn the_covariance_rule_adds_up_the_covariance_whatever_the_means() {
    let (inputs, mut random) = (Inputs::new(), chance());
    let means = Array1::from(vec![3.0, -1.0, 0.5, 2.0]);
    let read_out = Array2::from_shape_fn((2, 4), |(j, i)| if i == j { 1.0 } else { 0.3 });
    let mut neurons = Neurons::new(&library("covariance"), &Array2::zeros((2, 4)));
    let (settling, n) = (1000, 40_000);
    for step in 0..settling + n {
        let x = &inputs.draw(&mut random) + &means;
        let y = read_out.dot(&x);
        let rate = if step < settling { 0.0 } else { 1.0 / f64::from(n) };
        neurons.learn_from(rate, &x, &y, &Array1::zeros(2));
    }
    let variances = Array2::from_diag(&DEVIATIONS.iter().map(|d| d * d).collect::<Array1<f64>>());
    let expected = read_out.dot(&inputs.rotation.dot(&variances).dot(&inputs.rotation.t()));
    let off = (&neurons.matrix() - &expected).mapv(f64::abs).fold(0.0, |a: f64, b| a.max(*b));
    assert!(off < 0.12, "{} where {expected} is right", neurons.matrix());
}

#[test]
fn homeostatic_scaling_brings_the_mean_activation_to_its_target_and_keeps_the_direction() {
    let mut random = chance();
    let start = Array2::from_shape_vec((2, 2), vec![0.5, 1.0, 0.02, 0.01]).unwrap();
    let mut neurons = Neurons::new(&library("homeostatic_scaling"), &start);
    for _ in 0..20_000 {
        let x = Array1::from_shape_simple_fn(2, || f64::from(random.below(1000)) / 1000.0);
        neurons.learn(0.01, &x);
    }
    let mean = neurons.respond(&Array1::from_elem(2, 0.4995));
    assert!(mean.iter().all(|mean| (mean - 0.1).abs() < 0.005), "{mean}");
    for (row, begun) in neurons.matrix().rows().into_iter().zip(start.rows()) {
        assert!((row[0] / row[1] - begun[0] / begun[1]).abs() < 1e-3);
    }
}

#[test]
fn the_instar_becomes_the_mean_input_of_an_active_neuron() {
    let mut random = chance();
    let mut neurons = Neurons::new(&library("instar"), &Array2::zeros((2, 3)));
    for _ in 0..20_000 {
        let x = Array1::from_shape_simple_fn(3, || f64::from(random.below(1000)) / 1000.0);
        neurons.learn_from(0.001, &x, &Array1::from(vec![1.0, 0.0]), &Array1::zeros(2));
    }
    let matrix = neurons.matrix();
    assert!(matrix.row(0).iter().all(|w| (w - 0.4995).abs() < 0.03), "{matrix}");
    assert!(matrix.row(1).iter().all(|w| *w == 0.0), "a silent neuron learns nothing");
}

#[test]
fn constant_decay_takes_the_same_from_every_synapse() {
    let start = Array2::from_shape_vec((1, 3), vec![0.5, -0.25, 0.0]).unwrap();
    let mut neurons = Neurons::new(&library("constant_decay"), &start);
    (0..8).for_each(|_| neurons.learn(0.015_625, &Array1::zeros(3)));
    assert_eq!(neurons.matrix().into_raw_vec_and_offset().0, [0.375, -0.125, 0.0]);
}

#[test]
fn an_eligibility_trace_remembers_inputs_by_powers() {
    let mut neurons = Neurons::new(&library("eligibility"), &Array2::zeros((1, 2)));
    let (y, silent) = (Array1::zeros(1), Array1::zeros(1));
    let inputs = [[1.0, 0.0], [0.0, 2.0], [0.5, 0.0]].map(|x| Array1::from(x.to_vec()));
    inputs.iter().for_each(|x| neurons.learn_from(1.0, x, &y, &silent));
    neurons.learn_from(1.0, &Array1::zeros(2), &y, &Array1::from(vec![-1.0]));
    let expected = [0.81 + 0.5, 1.8];
    assert!(neurons.matrix().iter().zip(expected).all(|(w, expected)| (w - expected).abs() < 1e-6));
}

/// A network after it has seen these samples once.
fn trained(start: &Network, terms: Vec<(Term, Coefficient)>, samples: &Samples) -> Network {
    let mut trainer = OnlineTrainer::with_noise(start.clone(), Rule::with_terms(terms).unwrap(), 3).unwrap();
    trainer.advance(samples, &(0..samples.len() as u32).collect::<Vec<_>>()).unwrap();
    trainer.network().into_owned()
}

fn of_library(name: &str, coefficient: f64) -> (Term, Coefficient) {
    (Term::of_equation(&library(name)).unwrap(), Coefficient::Uniform(coefficient))
}

fn gradient(coefficient: f64) -> (Term, Coefficient) {
    (Term::named("gradient").unwrap().clone(), Coefficient::Uniform(coefficient))
}

/// label − y is −e_L under either loss.
#[test]
fn the_delta_rule_is_the_gradient_of_one_layer() {
    let samples = noise(40, 20, 4, 6);
    for loss in [Loss::CrossEntropy, Loss::SquaredError] {
        let architecture = architecture(&[20, 4], Activation::Linear).with_loss(loss);
        let start = Network::initialize(&architecture, &Initialization::Xavier, Feedback::Symmetric, 4);
        let by_delta = trained(&start, vec![of_library("delta", 0.02)], &samples).forward_weights(1);
        let by_gradient = trained(&start, vec![gradient(0.02)], &samples).forward_weights(1);
        let off = (&by_delta - &by_gradient).fold(0.0_f32, |most, off| most.max(off.abs()));
        assert!(off < 1e-6 && by_delta != start.forward_weights(1), "{loss:?}: {off}");
    }
}

/// e_ℓ is (Δloss / s) times the noise.
#[test]
fn node_perturbation_written_out_is_its_gradient() {
    let (samples, s) = (noise(30, 20, 4, 6), 0.125);
    let start = Network::initialize(
        &architecture(&[20, 9, 4], Activation::Tanh),
        &Initialization::Xavier,
        Feedback::Broadcast { std: s },
        4,
    );
    let written = trained(&start, vec![of_library("node_perturbation", 0.01 / s)], &samples);
    let shipped = trained(&start, vec![gradient(0.01)], &samples);
    for layer in 1..=2 {
        let off = &written.forward_weights(layer) - &shipped.forward_weights(layer);
        assert!(off.iter().all(|off| off.abs() < 1e-5), "{off}");
    }
    assert_ne!(written.forward_weights(1), start.forward_weights(1));
}

/// The step of a sample is the slope of ½ Σ ‖v_ℓ − σ(W v_{ℓ-1})‖² + loss, by finite differences of that energy at its minimum
/// over v, which is found in double precision.
#[test]
fn predictive_coding_moves_weights_down_its_energy() {
    let samples = noise(1, 12, 3, 2);
    let settings = PredictiveCoding { steps: 1000, rate: 0.1, fixed_prediction: false };
    let start = Network::initialize(
        &architecture(&[12, 8, 5, 3], Activation::Tanh),
        &Initialization::Xavier,
        Feedback::PredictiveCoding(settings),
        4,
    );
    let after = trained(&start, vec![of_library("predictive_coding", 1.0)], &samples);
    let (x, label) = (input(&samples, 0), samples.label(0));
    let mut w: Vec<Array2<f64>> = (1..=3).map(|layer| start.forward_weights(layer).mapv(f64::from)).collect();
    let tanh = |z: Array1<f64>| z.mapv(libm::tanh);
    let slope = |z: Array1<f64>| z.mapv(|z| 1.0 - libm::tanh(z).powi(2));
    let mut v = [tanh(w[0].dot(&x)), tanh(w[1].dot(&tanh(w[0].dot(&x))))];
    for _ in 0..4000 {
        let z = w[2].dot(&v[1]);
        let p = z.mapv(libm::exp);
        let mut output = &p / p.sum();
        output[label] -= 1.0;
        let off = [&v[0] - &tanh(w[0].dot(&x)), &v[1] - &tanh(w[1].dot(&v[0]))];
        let down = &off[1] * &slope(w[1].dot(&v[0]));
        v[1] = &v[1] - &((&off[1] + &w[2].t().dot(&output)) * 0.1);
        v[0] = &v[0] - &((&off[0] - &w[1].t().dot(&down)) * 0.1);
    }
    let energy = |w: &[Array2<f64>]| {
        let off = [&v[0] - &tanh(w[0].dot(&x)), &v[1] - &tanh(w[1].dot(&v[0]))];
        let z = w[2].dot(&v[1]);
        off.iter().map(|off| off.dot(off) / 2.0).sum::<f64>() + libm::log(z.mapv(libm::exp).sum()) - z[label]
    };
    for layer in 0..3 {
        let after = after.forward_weights(layer + 1);
        for place in [(0, 0), (1, 2), (2, 4)] {
            let start = w[layer][place];
            let mut at = |h: f64| {
                w[layer][place] = start + h;
                let energy = energy(&w);
                w[layer][place] = start;
                energy
            };
            let expected = (at(-1e-5) - at(1e-5)) / 2e-5;
            let found = f64::from(after[place]) - start;
            assert!((found - expected).abs() < 1e-5, "layer {}, {place:?}: {found} for {expected}", layer + 1);
        }
    }
}

#[test]
fn every_term_of_the_library_is_tried_here_or_is_a_sum_of_products() {
    let text = include_str!("../../../../../pipelines/terms/library.toml");
    let library_text: toml::Table = text.parse().unwrap();
    let here = include_str!("theory.rs");
    for name in library_text["terms"].as_table().unwrap().keys() {
        let equation = Equation::read(&library(name)).unwrap();
        let is_tried = here.contains(&format!("library(\"{name}\""));
        // Their kernels are those of the shipped terms, with tests of their own.
        assert!(is_tried || equation.products().is_some(), "{name}");
    }
}
