use ndarray::{Array1, Array2};

use super::listening::{Listening, run};
use super::*;
use crate::kernels::{Backend, as_flat};
use crate::science::activation::Activation;
use crate::science::feedback::{EquilibriumPropagation, PredictiveCoding, WeightMirror};
use crate::science::initialization::Initialization;
use crate::science::loss::Loss;
use crate::science::network::Architecture;
use crate::science::online::OnlineTrainer;
use crate::science::plasticity::{Coefficient, Synapses, Term, Written};
use crate::science::reference::{Reference, architecture, deviation, input, noise, outer, sigma};
use crate::science::seed::{Purpose, stream};

const SOFTPLUS: Activation = Activation::Softplus { beta: 10.0 };

const MIRROR: WeightMirror = WeightMirror { every: 7, presentations: 20, rate: 0.1, decay: 0.1 };
const PREDICTIVE: PredictiveCoding = PredictiveCoding { steps: 8, rate: 0.2, fixed_prediction: false };
const EQUILIBRIUM: EquilibriumPropagation =
    EquilibriumPropagation { steps: 6, nudged_steps: 4, beta: 0.5, symmetric: true };

fn all() -> Vec<Feedback> {
    vec![
        Feedback::SignSymmetric { scale: 1.0 },
        Feedback::Direct,
        Feedback::Broadcast { std: 1e-2 },
        Feedback::None,
        Feedback::WeightMirror(MIRROR),
        Feedback::PredictiveCoding(PREDICTIVE),
        Feedback::EquilibriumPropagation(EQUILIBRIUM),
        Feedback::EquilibriumPropagation(EquilibriumPropagation { symmetric: false, ..EQUILIBRIUM }),
    ]
}

fn initialized(architecture: &Architecture, feedback: Feedback, seed: u64) -> Network {
    Network::initialize(architecture, &Initialization::Xavier, feedback, seed)
}

fn rule(terms: &[(&str, f64)]) -> Rule {
    let terms: Vec<_> = terms.iter().map(|&(name, c)| (name, Coefficient::Uniform(c))).collect();
    Rule::new(&terms).unwrap()
}

/// Images of three classes that a network can tell apart.
fn prototypes(n: usize, n_pixels: usize, seed: u64) -> Samples {
    let mut random = stream(seed, Purpose::Task, 0);
    let labels: Vec<u16> = (0..n).map(|_| random.below(3) as u16).collect();
    let bright = |label: u16, pixel: usize| if pixel % 3 == usize::from(label) { 150 } else { 30 };
    let pixels = labels.iter().flat_map(|&label| (0..n_pixels).map(move |pixel| bright(label, pixel)));
    let pixels = pixels.map(|mean| (mean + random.below(90)) as u8).collect();
    Samples::new(pixels, labels, n_pixels, 3).unwrap()
}

/// e_0 … e_L of one sample, in a network that does not learn.
fn errors(network: &Network, samples: &Samples, index: usize) -> Vec<Array1<f64>> {
    let mut pathway = Pathway::new(network, &rule(&[]), 3);
    run(&mut pathway, network, samples.active(index), samples.label(index)).unwrap();
    let sizes = network.architecture().sizes();
    let errors = &pathway.signals().errors;
    errors.iter().zip(sizes).map(|(e, &n)| as_flat(e)[..n].iter().map(|&e| f64::from(e)).collect()).collect()
}

fn norm(v: &Array1<f64>) -> f64 {
    v.dot(v).sqrt()
}

#[test]
fn all_pathways_have_the_same_bits_on_every_processor_and_however_calls_are_cut() {
    let samples = noise(40, 50, 10, 3);
    let order: Vec<u32> = (0..40).collect();
    for feedback in all() {
        for oja in [0.0, 1e-3] {
            let start = initialized(&architecture(&[50, 33, 20, 10], Activation::Tanh), feedback, 2);
            let rule = rule(&[("gradient", 0.02), ("oja", oja)]);
            let mut first: Option<Network> = None;
            for backend in Backend::available() {
                for cut in [40, 1, 13] {
                    let network = start.clone().on(backend).unwrap();
                    let mut trainer = OnlineTrainer::with_noise(network, rule.clone(), 5).unwrap();
                    for order in order.chunks(cut) {
                        trainer.advance(&samples, order).unwrap();
                        let _ = trainer.network();
                    }
                    let found = trainer.network().into_owned().on(Backend::Portable).unwrap();
                    let known = first.get_or_insert_with(|| found.clone());
                    assert!(*known == found, "{feedback:?}, {backend}, {cut}");
                }
            }
            assert!(first.unwrap() != start, "{feedback:?} learns");
        }
    }
}

#[test]
fn noise_is_that_of_the_seed_and_no_other_stream_hears_of_it() {
    let (samples, order) = (noise(20, 30, 5, 3), (0..20).collect::<Vec<u32>>());
    let after = |feedback, seed| {
        let start = initialized(&architecture(&[30, 12, 5], Activation::Tanh), feedback, 2);
        let mut trainer = OnlineTrainer::with_noise(start, rule(&[("gradient", 0.05)]), seed).unwrap();
        trainer.advance(&samples, &order).unwrap();
        trainer.network().into_owned()
    };
    for feedback in [Feedback::Broadcast { std: 1e-2 }, Feedback::WeightMirror(MIRROR)] {
        assert!(after(feedback, 1) == after(feedback, 1));
        assert!(after(feedback, 1) != after(feedback, 2), "{feedback:?}");
    }
    assert!(after(Feedback::Direct, 1) == after(Feedback::Direct, 2));
}

/// Rows of B are computed anew from the signs of W before every step; double precision, whole matrices.
#[test]
fn sign_symmetric_learning_is_that_of_its_definition() {
    let sizes = [30, 17, 12, 6];
    let (samples, order) = (noise(30, 30, 6, 1), (0..30).collect::<Vec<u32>>());
    for terms in [&[("gradient", 0.05)][..], &[("gradient", 0.05), ("error_hebb", 0.01), ("oja", 1e-3)]] {
        let start = initialized(&architecture(&sizes, SOFTPLUS), Feedback::SignSymmetric { scale: 1.5 }, 4);
        let mut reference = Reference::of(&start);
        let mut trainer = OnlineTrainer::new(start, rule(terms)).unwrap();
        trainer.advance(&samples, &order).unwrap();
        for &index in &order {
            let signs = |w: &Array2<f64>| {
                let size = 1.5 * (2.0 / (w.nrows() + w.ncols()) as f64).sqrt();
                w.t().mapv(|w| size * w.signum())
            };
            reference.b = Some(reference.w.iter().map(signs).collect());
            reference.step(&rule(terms), &input(&samples, index as usize), samples.label(index as usize));
        }
        let network = trainer.network();
        for layer in 1..=3 {
            let off = deviation(&network.forward_weights(layer), &reference.w[layer - 1]);
            assert!(off < 1e-4, "{terms:?}, layer {layer}: {off}");
            let (w, b) = (network.forward_weights(layer), network.feedback_weights(layer).unwrap());
            assert!(w.t().iter().zip(&b).all(|(w, b)| w.signum() == b.signum()), "B has the signs of the last W");
        }
    }
}

#[test]
fn direct_and_local_errors_are_those_of_their_definitions() {
    let samples = noise(10, 30, 6, 1);
    for activation in [SOFTPLUS, Activation::Tanh] {
        let direct = initialized(&architecture(&[30, 17, 12, 6], activation), Feedback::Direct, 4);
        let local = initialized(&architecture(&[30, 17, 12, 6], activation), Feedback::None, 4);
        let reference = Reference { b: None, ..Reference::of(&direct) };
        for index in 0..10 {
            let x = input(&samples, index);
            let (z, y) = reference.forward(&x);
            let mut output = y[3].clone();
            output[samples.label(index)] -= 1.0;
            let found = errors(&direct, &samples, index);
            for layer in 1..3 {
                let b = direct.feedback_weights(layer + 1).unwrap().mapv(f64::from);
                let expected = b.dot(&output) * z[layer - 1].mapv(|z| sigma(activation, z).1);
                assert!(norm(&(&found[layer] - &expected)) < 1e-5 * norm(&expected));
            }
            assert!(norm(&(&found[3] - &output)) < 1e-5);
            let found = errors(&local, &samples, index);
            assert!(found[1].iter().chain(&found[2]).all(|e| *e == 0.0));
            assert!(norm(&(&found[3] - &output)) < 1e-5);
        }
    }
    // e_0 is read by the term of errors on both sides.
    let start = initialized(&architecture(&[30, 17, 6], SOFTPLUS), Feedback::Direct, 4);
    let (w, x) = (start.forward_weights(1).mapv(f64::from), input(&samples, 0));
    let e = errors(&start, &samples, 0);
    let mask = x.mapv(|x| 1.0 - libm::exp(-10.0 * x));
    let e_0 = start.feedback_weights(1).unwrap().mapv(f64::from).dot(&e[2]) * mask;
    let mut trainer = OnlineTrainer::new(start, rule(&[("error_hebb", 0.5)])).unwrap();
    trainer.advance(&samples, &[0]).unwrap();
    let expected = &w + &(outer(&e[1], &e_0) * 0.5);
    assert!(deviation(&trainer.network().forward_weights(1), &expected) < 1e-6);
    assert!(norm(&e_0) > 0.0 && e[1].dot(&e[1]) > 0.0);
}

#[test]
fn without_errors_only_the_read_out_learns_by_the_gradient() {
    let samples = prototypes(300, 48, 7);
    let start = initialized(&architecture(&[48, 20, 3], SOFTPLUS), Feedback::None, 4);
    let before = start.evaluate(&samples, 0..300);
    let mut trainer = OnlineTrainer::new(start.clone(), rule(&[("gradient", 0.05)])).unwrap();
    trainer.advance(&samples, &(0..300).collect::<Vec<_>>()).unwrap();
    let network = trainer.network();
    assert_eq!(network.forward_weights(1), start.forward_weights(1));
    assert_ne!(network.forward_weights(2), start.forward_weights(2));
    assert!(network.evaluate(&samples, 0..300).loss < 0.5 * before.loss);
}

/// A linear output and half the squared distance: the delta rule of Widrow and Hoff.
#[test]
fn one_linear_layer_under_the_squared_error_learns_by_the_delta_rule() {
    let samples = noise(50, 20, 4, 6);
    let architecture = architecture(&[20, 4], Activation::Linear).with_loss(Loss::SquaredError);
    let start = initialized(&architecture, Feedback::Symmetric, 4);
    let mut w = start.forward_weights(1).mapv(f64::from);
    let mut trainer = OnlineTrainer::new(start, rule(&[("gradient", 0.02)])).unwrap();
    trainer.advance(&samples, &(0..50).collect::<Vec<_>>()).unwrap();
    let target = |index: usize| Array1::from_shape_fn(4, |k| f64::from(u8::from(k == samples.label(index))));
    for index in 0..50 {
        let x = input(&samples, index);
        w = &w - &(outer(&(w.dot(&x) - target(index)), &x) * 0.02);
    }
    assert!(deviation(&trainer.network().forward_weights(1), &w) < 1e-5);
    let loss: f64 = (0..50)
        .map(|index| {
            let off = w.dot(&input(&samples, index)) - target(index);
            off.dot(&off) / 100.0
        })
        .sum();
    assert!((trainer.network().evaluate(&samples, 0..50).loss / loss - 1.0).abs() < 1e-4);
}

/// Feedback alignment's theory is of linear networks (Lillicrap et al. 2016; Refinetti et al. 2021).
#[test]
fn direct_feedback_comes_to_agree_with_the_gradient() {
    let architecture = architecture(&[48, 30, 30, 3], Activation::Linear).with_loss(Loss::SquaredError);
    let samples = prototypes(1500, 48, 11);
    let (mut before, mut after) = (0.0, 0.0);
    for seed in 0..20 {
        // What is learned outgrows what was drawn.
        let drawn = initialized(&architecture, Feedback::Direct, seed);
        let small: Vec<_> = (1..=3).map(|layer| drawn.forward_weights(layer) * 0.1).collect();
        let feedback: Vec<_> = (1..=3).map(|layer| drawn.feedback_weights(layer).unwrap()).collect();
        let views = [&small, &feedback].map(|all| all.iter().map(|matrix| matrix.view()).collect::<Vec<_>>());
        let start = Network::of_feedback(&architecture, Feedback::Direct, &views[0], &views[1]).unwrap();
        let angle = |network: &Network| {
            let found = error_angles(network, &samples, 1400..1500);
            (found[0].unwrap() + found[1].unwrap()) / 2.0
        };
        before += angle(&start) / 20.0;
        let mut trainer = OnlineTrainer::new(start, rule(&[("gradient", 0.01)])).unwrap();
        trainer.advance(&samples, &(0..1400).collect::<Vec<_>>()).unwrap();
        after += angle(&trainer.network()) / 20.0;
    }
    assert!((before - 90.0).abs() < 5.0 && after < 60.0, "from {before} to {after} degrees");
}

/// W and Bᵀ receive the same and forget alike, so that what they differ in only fades.
#[test]
fn kolen_and_pollacks_feedback_becomes_the_transpose_at_the_rate_of_decay() {
    let samples = noise(200, 30, 6, 1);
    let start = initialized(&architecture(&[30, 20, 12, 6], SOFTPLUS), Feedback::KolenPollack, 4);
    let decay = 0.01;
    let terms = rule(&[("gradient", 0.02), ("decay", decay)]).terms().to_vec();
    let more = Feedback::KolenPollack.completes(&terms, 3).unwrap();
    let mut trainer =
        OnlineTrainer::new(start, Rule::with_terms(terms.into_iter().chain(more).collect()).unwrap()).unwrap();
    let apart = |network: &Network| -> Vec<f64> {
        let apart = |layer| {
            let (w, b) = (network.forward_weights(layer), network.feedback_weights(layer).unwrap());
            w.t().iter().zip(&b).map(|(w, b)| f64::from(w - b).powi(2)).sum::<f64>().sqrt()
        };
        (1..=3).map(apart).collect()
    };
    let before = apart(&trainer.network());
    for t in [50_u32, 200] {
        let seen = trainer.steps() as u32;
        trainer.advance(&samples, &(seen..t).collect::<Vec<_>>()).unwrap();
        for (before, now) in before.iter().zip(apart(&trainer.network())) {
            let expected = (1.0 - decay).powi(t as i32);
            assert!((now / before / expected - 1.0).abs() < 1e-3, "{t}: {} for {expected}", now / before);
        }
    }
    let without = rule(&[("gradient", 0.02)]).terms().to_vec();
    assert!(Feedback::KolenPollack.completes(&without, 3).unwrap_err().to_string().contains("has no `decay`"));
}

/// By Stein's lemma Σ ξ (σ(Wξ) − mean)ᵀ is Wᵀ times each neuron's mean slope, so columns of B point along rows of W.
#[test]
fn a_mirror_of_noise_turns_feedback_towards_the_transpose() {
    let mirror = WeightMirror { every: 1, presentations: 50, rate: 0.02, decay: 0.02 };
    for activation in [SOFTPLUS, Activation::Tanh, Activation::Linear] {
        let mut means = Vec::new();
        for seed in 0..5 {
            let network =
                initialized(&architecture(&[30, 25, 20, 10], activation), Feedback::WeightMirror(mirror), seed);
            let samples = noise(600, 30, 10, 1);
            let angles = |network: &Network| -> Vec<f64> {
                let found = network.weight_diagnostics(&samples, 0..1);
                found[1..].iter().map(|found| found.feedback_angle.unwrap()).collect()
            };
            let before = angles(&network);
            // Nothing but the mirror moves any weight.
            let mut trainer = OnlineTrainer::with_noise(network, rule(&[("decay", 0.0)]), seed).unwrap();
            trainer.advance(&samples, &(0..600).collect::<Vec<_>>()).unwrap();
            let after = angles(&trainer.network());
            assert!(before.iter().all(|angle| (angle - 90.0).abs() < 15.0), "{before:?}");
            means.extend(after);
        }
        let most = means.iter().copied().fold(0.0, f64::max);
        assert!(most < 15.0, "{activation}: {means:?}");
    }
}

/// Millidge, Tschantz & Buckley (2022).
#[test]
fn predictive_coding_with_fixed_predictions_settles_to_backpropagation() {
    let samples = noise(10, 40, 10, 2);
    let settled = PredictiveCoding { steps: 200, rate: 0.3, fixed_prediction: true };
    for activation in [SOFTPLUS, Activation::Tanh] {
        let network = initialized(&architecture(&[40, 30, 20, 10], activation), Feedback::PredictiveCoding(settled), 4);
        let exact = network.with_symmetric_feedback();
        for index in 0..10 {
            let (found, expected) = (errors(&network, &samples, index), errors(&exact, &samples, index));
            for layer in 1..=3 {
                let off = norm(&(&found[layer] - &expected[layer])) / norm(&expected[layer]);
                assert!(off < 1e-5, "{activation}, layer {layer}: {off}");
            }
        }
        let angles = network.weight_diagnostics(&samples, 0..10);
        assert!(angles.iter().all(|found| found.error_angle.unwrap() < 1e-2), "{angles:?}");
    }
}

/// Without fixed predictions errors are the slopes of the energy ½ Σ ‖ε‖² + loss at its minimum over v, as the energy itself
/// says, in double precision.
#[test]
fn predictive_coding_settles_where_its_energy_has_no_slope() {
    let samples = noise(5, 20, 4, 2);
    let settings = PredictiveCoding { steps: 2000, rate: 0.1, fixed_prediction: false };
    let network =
        initialized(&architecture(&[20, 14, 9, 4], Activation::Tanh), Feedback::PredictiveCoding(settings), 4);
    let w = Reference::of(&network).w;
    for index in 0..5 {
        let e = errors(&network, &samples, index);
        let mut pathway = Pathway::new(&network, &rule(&[]), 0);
        run(&mut pathway, &network, samples.active(index), samples.label(index)).unwrap();
        let value = |layer: usize| -> Array1<f64> {
            let n = network.architecture().sizes()[layer];
            as_flat(&pathway.signals().settled[layer])[..n].iter().map(|&v| f64::from(v)).collect()
        };
        let x = input(&samples, index);
        let (v1, v2) = (value(1), value(2));
        let energy = |v1: &Array1<f64>, v2: &Array1<f64>| {
            let off = [v1 - &w[0].dot(&x).mapv(libm::tanh), v2 - &w[1].dot(v1).mapv(libm::tanh)];
            let z: Vec<f32> = w[2].dot(v2).iter().map(|&z| z as f32).collect();
            let exact = z.iter().zip(&w[2].dot(v2)).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-6);
            assert!(exact);
            let z = w[2].dot(v2);
            let loss = libm::log(z.iter().map(|z| libm::exp(*z)).sum::<f64>()) - z[samples.label(index)];
            off.iter().map(|off| off.dot(off) / 2.0).sum::<f64>() + loss
        };
        let slope = |k: usize, first: bool| {
            let moved = |h: f64| {
                let (mut v1, mut v2) = (v1.clone(), v2.clone());
                if first {
                    v1[k] += h
                } else {
                    v2[k] += h
                }
                energy(&v1, &v2)
            };
            (moved(1e-5) - moved(-1e-5)) / 2e-5
        };
        let steepest = (0..14).map(|k| slope(k, true)).chain((0..9).map(|k| slope(k, false)));
        let steepest = steepest.fold(0.0_f64, |most, slope| most.max(slope.abs()));
        assert!(steepest < 1e-5, "{steepest}");
        // e_ℓ = −ε_ℓ ⊙ σ′(z_ℓ)
        let z = w[1].dot(&v1);
        let expected = (z.mapv(libm::tanh) - &v2) * z.mapv(|z| 1.0 - libm::tanh(z).powi(2));
        assert!(norm(&(&e[2] - &expected)) < 1e-5 && norm(&expected) > 1e-3);
    }
}

/// The loss once the free phase has settled, in double precision.
fn settled_loss(w: &[Array2<f64>], x: &Array1<f64>, label: usize) -> f64 {
    let n_layers = w.len();
    let mut y: Vec<Array1<f64>> = vec![x.clone()];
    for w in &w[..n_layers - 1] {
        let z = w.dot(y.last().unwrap());
        y.push(z.mapv(libm::tanh));
    }
    for _ in 0..400 {
        for layer in 1..n_layers {
            let mut z = w[layer - 1].dot(&y[layer - 1]);
            if layer + 1 < n_layers {
                z += &w[layer].t().dot(&y[layer + 1]);
            }
            y[layer] = z.mapv(libm::tanh);
        }
    }
    let z = w[n_layers - 1].dot(&y[n_layers - 1]);
    libm::log(z.iter().map(|z| libm::exp(*z)).sum::<f64>()) - z[label]
}

/// Both parts of the gradient, against finite differences of the loss at the settled free state.
#[test]
fn equilibrium_propagation_finds_the_gradient_up_to_the_order_of_its_nudge() {
    let samples = noise(3, 12, 4, 2);
    let sizes = [12, 9, 7, 4];
    let off = |beta: f64, symmetric: bool| {
        let settings = EquilibriumPropagation { steps: 200, nudged_steps: 200, beta, symmetric };
        let feedback = Feedback::EquilibriumPropagation(settings);
        let start = initialized(&architecture(&sizes, Activation::Tanh), feedback, 4);
        let mut squares = [0.0_f64; 2];
        for index in 0..3 {
            let (x, label) = (input(&samples, index), samples.label(index));
            let mut w = Reference::of(&start).w;
            let terms = rule(&[("gradient", 1.0)]).terms().to_vec();
            let more = feedback.completes(&terms, 3).unwrap();
            let rule = Rule::with_terms(terms.into_iter().chain(more).collect()).unwrap();
            let mut trainer = OnlineTrainer::new(start.clone(), rule).unwrap();
            trainer.advance(&samples, &[index as u32]).unwrap();
            for layer in 1..=3 {
                let after = trainer.network().forward_weights(layer).mapv(f64::from);
                for place in [(0, 0), (1, 2), (3, 5), (2, 4)] {
                    let slope = {
                        let mut at = |h: f64| {
                            w[layer - 1][place] += h;
                            let loss = settled_loss(&w, &x, label);
                            w[layer - 1][place] -= h;
                            loss
                        };
                        (at(1e-5) - at(-1e-5)) / 2e-5
                    };
                    let found = w[layer - 1][place] - after[place];
                    squares[0] += (found - slope).powi(2);
                    squares[1] += slope.powi(2);
                }
            }
        }
        (squares[0] / squares[1]).sqrt()
    };
    let order = |symmetric: bool| {
        let (large, small) = (off(0.1, symmetric), off(0.025, symmetric));
        ((large / small).log2() / 2.0, small)
    };
    let ((one_sided, left), (symmetric, less)) = (order(false), order(true));
    assert!((one_sided - 1.0).abs() < 0.2 && left < 0.1, "O(β^{one_sided}), {left}");
    assert!((symmetric - 2.0).abs() < 0.3 && less < left / 5.0, "O(β^{symmetric}), {less}");
}

#[test]
fn what_settles_one_at_a_time_settles_the_same_in_blocks() {
    let samples = noise(60, 30, 6, 2);
    let feedback = Feedback::EquilibriumPropagation(EQUILIBRIUM);
    let network = initialized(&architecture(&[30, 20, 12, 6], Activation::Tanh), feedback, 4);
    let blocks = network.activations(&samples, 0..60, &[1, 2, 3]);
    let mut pathway = Pathway::new(&network, &rule(&[]), 0);
    for index in 0..60 {
        pathway.forward(&mut Listening(&network), samples.active(index)).unwrap();
        for (layer, block) in (1..).zip(&blocks) {
            let y = as_flat(&pathway.signals().activations[layer]);
            let close = block.row(index).iter().zip(y).all(|(a, b)| (a - b).abs() < 1e-5);
            assert!(close, "sample {index}, layer {layer}");
        }
    }
    let feedforward = network.with_symmetric_feedback().activations(&samples, 0..60, &[1, 2, 3]);
    assert!(feedforward[0] != blocks[0], "the layers above are heard");
}

/// The mean over noise is the gradient, within what chance allows: along the gradient, and all components together.
#[test]
fn node_perturbation_has_the_gradient_for_its_mean() {
    let samples = noise(1, 20, 4, 2);
    let network = initialized(&architecture(&[20, 12, 8, 4], Activation::Tanh), Feedback::Broadcast { std: 1e-3 }, 4);
    let exact = errors(&network.with_symmetric_feedback(), &samples, 0);
    let mut pathway = Pathway::new(&network, &rule(&[]), 9);
    let n = 20_000;
    let sizes = network.architecture().sizes().to_vec();
    let mut sums: Vec<[Array1<f64>; 2]> = sizes.iter().map(|&n| [Array1::zeros(n), Array1::zeros(n)]).collect();
    let (mut along, mut along_squared) = (0.0, 0.0);
    for _ in 0..n {
        run(&mut pathway, &network, samples.active(0), samples.label(0)).unwrap();
        let mut projected = 0.0;
        for layer in 1..=3 {
            let e = &as_flat(&pathway.signals().errors[layer])[..sizes[layer]];
            let e: Array1<f64> = e.iter().map(|&e| f64::from(e)).collect();
            projected += e.dot(&exact[layer]);
            sums[layer][0] += &e;
            sums[layer][1] += &(&e * &e);
        }
        along += projected;
        along_squared += projected * projected;
    }
    let n = f64::from(n);
    let (mean, error) = (along / n, ((along_squared / n - (along / n).powi(2)) / n).sqrt());
    let truth: f64 = exact[1..].iter().map(|e| e.dot(e)).sum();
    assert!((mean - truth).abs() < 3.0 * error && error < 0.05 * truth, "{mean} ± {error} for {truth}");
    let mut scores = Vec::new();
    for layer in 1..=3 {
        for k in 0..sizes[layer] {
            let (mean, square) = (sums[layer][0][k] / n, sums[layer][1][k] / n);
            scores.push((mean - exact[layer][k]) / ((square - mean * mean) / n).sqrt());
        }
    }
    let squares = scores.iter().map(|score| score * score).sum::<f64>() / scores.len() as f64;
    let most = scores.iter().fold(0.0_f64, |most, score| most.max(score.abs()));
    // Of 24 normal scores the mean square lies within 1 ± 3 · √(2/24), and none beyond 4 in all likelihood.
    assert!((squares - 1.0).abs() < 0.87 && most < 4.0, "{squares}, {most}");
}

/// What is measured of a rule of one term is what the weights have moved by.
#[test]
fn norms_of_updates_are_measured_under_every_pathway() {
    let samples = noise(9, 30, 6, 2);
    let written = |equation: &str| {
        let written = Written {
            name: "own".to_owned(),
            synapses: Synapses::Forward,
            equation: equation.to_owned(),
            parameters: Vec::new(),
            state: Vec::new(),
        };
        Term::of_equation(&written).unwrap()
    };
    for feedback in all() {
        let mut terms = vec![
            Term::named("gradient").unwrap().clone(),
            Term::named("error_hebb").unwrap().clone(),
            written("tanh(z_post) * e_pre' + label * y_pre'"),
            written("-(loss * noise) * y_pre'"),
        ];
        terms.push(match feedback {
            Feedback::Broadcast { .. } => written("-loss_change * noise * y_pre'"),
            feedback if feedback.settles() => written("tanh(settled_post) * settled_pre'"),
            _ => written("sign(e_post) * y_pre'"),
        });
        for term in terms.into_iter().filter(|term| feedback.refuses(term).is_none()) {
            let start = initialized(&architecture(&[30, 17, 12, 6], Activation::Tanh), feedback, 4);
            let text = term.equation();
            let rule = Rule::with_terms(vec![(term, Coefficient::Uniform(0.02))]).unwrap();
            let mut trainer = OnlineTrainer::with_noise(start, rule, 3).unwrap();
            let order: Vec<u32> = (0..9).collect();
            let norms = trainer.advance_recording(&samples, &order).unwrap();
            for (layer, norms) in (1..).zip(&norms) {
                let (_, part) = &norms.terms[0];
                // Weights of single precision blur a small change.
                assert!(
                    (part - norms.total).abs() < 1e-4 * norms.total + 2e-6,
                    "{feedback:?}, {text}, {layer}: {norms:?}"
                );
            }
            assert!(norms.iter().any(|norms| norms.total > 1e-5), "{feedback:?}, {text}");
        }
    }
}

#[test]
fn a_number_that_is_not_finite_ends_training_under_every_pathway() {
    let samples = noise(30, 30, 6, 2);
    for feedback in all() {
        let start = initialized(&architecture(&[30, 20, 12, 6], Activation::Relu), feedback, 4);
        let mut trainer = OnlineTrainer::new(start, rule(&[("hebb", 50.0)])).unwrap();
        let order: Vec<u32> = (0..30).collect();
        let divergence = trainer.advance(&samples, &order).unwrap_err();
        assert!(divergence.step > 1 && (1..=3).contains(&divergence.layer), "{feedback:?}: {divergence}");
        assert_eq!(trainer.advance(&samples, &order).unwrap_err(), divergence);
    }
}

#[test]
fn an_easy_problem_is_learned_under_every_pathway_that_teaches_hidden_layers() {
    let samples = prototypes(2000, 48, 7);
    let order: Vec<u32> = (0..1500).collect();
    for feedback in all() {
        let (activation, rate) = match feedback {
            Feedback::EquilibriumPropagation(_) => (Activation::Tanh, 0.03),
            Feedback::Broadcast { .. } => (SOFTPLUS, 0.01),
            _ => (SOFTPLUS, 0.05),
        };
        let start = initialized(&architecture(&[48, 20, 15, 3], activation), feedback, 1);
        let before = start.evaluate(&samples, 1500..2000);
        let terms = rule(&[("gradient", rate)]).terms().to_vec();
        let more = feedback.completes(&terms, 3).unwrap();
        let rule = Rule::with_terms(terms.into_iter().chain(more).collect()).unwrap();
        let mut trainer = OnlineTrainer::new(start, rule).unwrap();
        trainer.advance(&samples, &order).unwrap();
        let after = trainer.network().evaluate(&samples, 1500..2000);
        assert!(after.accuracy > 0.9 && after.loss < 0.5 * before.loss, "{feedback:?}: {before:?} → {after:?}");
    }
}
