use ndarray::{Array1, Array2};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::kernels::Backend;
use crate::science::activation::Activation;
use crate::science::initialization::Initialization;
use crate::science::plasticity::{Coefficient, Form, Signal, Synapses, Term, Written, WrittenState};
use crate::science::reference::{Reference, architecture, deviation, input, noise, outer};

pub(super) const SOFTPLUS: Activation = Activation::Softplus { beta: 10.0 };
pub(super) const ACTIVATIONS: [Activation; 4] = [SOFTPLUS, Activation::Tanh, Activation::Relu, Activation::Sigmoid];

fn rule(terms: &[(&str, f64)]) -> Rule {
    Rule::new(&terms.iter().map(|&(name, c)| (name, Coefficient::Uniform(c))).collect::<Vec<_>>()).unwrap()
}

pub(super) fn network(sizes: &[usize], activation: Activation, feedback: Feedback) -> Network {
    Network::initialize(&architecture(sizes, activation), &Initialization::Xavier, feedback, 3)
}

/// Every term at once, in sizes that are and are not multiples of the vector width.
#[test]
fn steps_follow_rule_nine_in_double_precision() {
    let samples = noise(40, 37, 10, 1);
    let order: Vec<u32> = (0..40).collect();
    let forward = [("gradient", 0.02), ("error_hebb", -0.03), ("oja", 0.004), ("decay", 0.001), ("hebb", 0.0005)];
    let everything: Vec<_> = forward.into_iter().chain([("feedback_hebb", 0.01), ("feedback_decay", 0.002)]).collect();
    for activation in ACTIVATIONS {
        for (feedback, terms) in [
            (Feedback::Symmetric, &forward[..1]),
            (Feedback::Symmetric, &[forward[0], forward[2]]),
            (Feedback::Symmetric, &forward),
            (Feedback::Random, &forward[..1]),
            (Feedback::Random, &forward),
            (Feedback::Plastic, &everything),
        ] {
            let start = network(&[37, 33, 16, 10], activation, feedback);
            let mut reference = Reference::of(&start);
            let rule = rule(terms);
            for index in 0..order.len() {
                reference.step(&rule, &input(&samples, index), samples.label(index));
            }
            let mut trainer = OnlineTrainer::new(start, rule).unwrap();
            trainer.advance(&samples, &order).unwrap();
            for layer in 1..=3 {
                let found = deviation(&trainer.network().forward_weights(layer), &reference.w[layer - 1]);
                assert!(found < 2e-5, "{activation} {feedback:?} {terms:?}: W of layer {layer} is off by {found:e}");
                if let (Some(b), Some(expected)) = (trainer.network().feedback_weights(layer), &reference.b) {
                    assert!(deviation(&b, &expected[layer - 1]) < 2e-5, "{activation}: B of layer {layer}");
                }
            }
        }
    }
}

/// The gradient term is minus the derivative of the loss, by central differences of the double-precision forward pass;
/// the trainer's step agrees with it.
#[test]
fn gradient_term_descends_the_loss() {
    const H: f64 = 1e-5;
    let samples = noise(1, 9, 4, 2);
    let x = input(&samples, 0);
    for activation in [SOFTPLUS, Activation::Tanh, Activation::Sigmoid] {
        let start = network(&[9, 7, 6, 4], activation, Feedback::Symmetric);
        let reference = Reference::of(&start);
        // Coefficient 1: the update is the gradient itself.
        let mut trainer = OnlineTrainer::new(start.clone(), rule(&[("gradient", 1.0)])).unwrap();
        trainer.advance(&samples, &[0]).unwrap();
        for layer in 1..=3 {
            let (n_out, n_in) = reference.w[layer - 1].dim();
            let difference = Array2::from_shape_fn((n_out, n_in), |at| {
                let loss = |h: f64| {
                    let mut moved = reference.clone();
                    moved.w[layer - 1][at] += h;
                    moved.loss(&x, samples.label(0))
                };
                -(loss(H) - loss(-H)) / (2.0 * H)
            });
            let step = trainer.network().forward_weights(layer) - start.forward_weights(layer);
            assert!(deviation(&step, &difference) < 1e-5, "{activation}: layer {layer}");
        }
    }
}

#[test]
fn feedback_alignment_sends_errors_through_fixed_random_weights() {
    let samples = noise(1, 20, 5, 3);
    let start = network(&[20, 18, 5], Activation::Tanh, Feedback::Random);
    let reference = Reference::of(&start);
    let mut trainer = OnlineTrainer::new(start.clone(), rule(&[("gradient", 1.0)])).unwrap();
    trainer.advance(&samples, &[0]).unwrap();
    let (z, y) = reference.forward(&input(&samples, 0));
    let mut e_2 = y[2].clone();
    e_2[samples.label(0)] -= 1.0;
    let e_1: Array1<f64> = reference.b.as_ref().unwrap()[1].dot(&e_2) * z[0].mapv(|z| 1.0 - z.tanh().powi(2));
    let step = trainer.network().forward_weights(1) - start.forward_weights(1);
    assert!(deviation(&step, &outer(&e_1, &y[0]).mapv(|x| -x)) < 1e-5);
    assert_eq!(trainer.network().feedback_weights(2), start.feedback_weights(2));
}

/// Figure S1, claim C17: under plain backpropagation the whole update is its gradient part. The parts are also checked
/// against whole matrices in double precision.
#[test]
fn update_norms_are_those_of_the_applied_parts() {
    let samples = noise(3, 30, 10, 4);
    for (terms, plain) in [(&[("gradient", 0.05)][..], true), (&[("gradient", 0.05), ("oja", 0.01)], false)] {
        let start = network(&[30, 20, 10], SOFTPLUS, Feedback::Symmetric);
        let mut reference = Reference::of(&start);
        let rule = rule(terms);
        for index in 0..2 {
            reference.step(&rule, &input(&samples, index), samples.label(index));
        }
        let mut trainer = OnlineTrainer::new(start, rule.clone()).unwrap();
        let norms = trainer.advance_recording(&samples, &[0, 1, 2]).unwrap();
        let x = input(&samples, 2);
        let part = |keep: &str| {
            let only = Rule::new(&[(keep, Coefficient::Uniform(rule.coefficient(keep, 1)))]).unwrap();
            reference.update(&only, &x, samples.label(2))
        };
        let whole = reference.update(&rule, &x, samples.label(2));
        let norm = |m: &Array2<f64>| m.iter().map(|x| x * x).sum::<f64>().sqrt();
        for (l, found) in norms.iter().enumerate() {
            assert!((found.gradient / norm(&part("gradient")[l].0) - 1.0).abs() < 1e-4);
            assert!((found.total / norm(&whole[l].0) - 1.0).abs() < 1e-3);
            if plain {
                assert_eq!(found.oja, 0.0);
                // Each weight's own rounding, 6e-8 of weights near 0.3, against updates near 1e-3.
                assert!((found.total / found.gradient - 1.0).abs() < 1e-3);
            } else {
                assert!((found.oja / norm(&part("oja")[l].0) - 1.0).abs() < 1e-4);
            }
        }
    }
}

#[test]
fn looking_and_cutting_into_chunks_do_not_change_the_trained_bytes() {
    let samples = noise(60, 50, 10, 5);
    let order: Vec<u32> = (0..60).rev().collect();
    let start = || {
        let network = network(&[50, 33, 20, 10], SOFTPLUS, Feedback::Symmetric);
        OnlineTrainer::new(network, rule(&[("gradient", 0.01), ("oja", 0.003)])).unwrap()
    };
    let mut straight = start();
    straight.advance(&samples, &order).unwrap();
    let mut watched = start();
    for chunk in order.chunks(7) {
        watched.advance_recording(&samples, chunk).unwrap();
        watched.network().evaluate(&samples, 0..60);
        watched.network().activations(&samples, 0..10, &[1, 3]);
    }
    assert_eq!(watched.network(), straight.network());
    assert_eq!(watched.steps(), 60);
}

/// A term that the program does not ship changes the weights as numpy's replay of its formula does
/// (`tests/reference/made_up_term_fixture.py`).
#[test]
fn a_made_up_term_changes_the_weights_as_its_replay_in_numpy() {
    let fixture = include_str!("../../../../../tests/reference/fixtures/made_up_term.json");
    let fixture: Value = serde_json::from_str(fixture).unwrap();
    let sizes: Vec<usize> = serde_json::from_value(fixture["sizes"].clone()).unwrap();
    let shapes: Vec<(usize, usize)> = sizes.windows(2).map(|pair| (pair[1], pair[0])).collect();
    let matrices = |name: &str, transposed: bool| -> Vec<Array2<f64>> {
        let values: Vec<Vec<f64>> = serde_json::from_value(fixture[name].clone()).unwrap();
        let shape = |&(rows, columns): &(usize, usize)| if transposed { (columns, rows) } else { (rows, columns) };
        shapes.iter().map(shape).zip(values).map(|(shape, w)| Array2::from_shape_vec(shape, w).unwrap()).collect()
    };
    let single = |matrices: &[Array2<f64>]| matrices.iter().map(|w| w.mapv(|w| w as f32)).collect::<Vec<_>>();
    let (forward, feedback) = (single(&matrices("forward", false)), single(&matrices("feedback", true)));
    let forward: Vec<_> = forward.iter().map(|w| w.view()).collect();
    let feedback: Vec<_> = feedback.iter().map(|b| b.view()).collect();
    let network = Network::from_weights(&architecture(&sizes, Activation::Tanh), &forward, Some(&feedback)).unwrap();
    let pixels: Vec<u8> = serde_json::from_value(fixture["pixels"].clone()).unwrap();
    let labels: Vec<u16> = serde_json::from_value(fixture["labels"].clone()).unwrap();
    let samples = Samples::new(pixels, labels, sizes[0], *sizes.last().unwrap()).unwrap();

    let made_up = Term {
        name: "activity_and_error".into(),
        synapses: Synapses::Forward,
        form: Form::Outer {
            left: vec![(1.0, Signal::PostActivation), (0.5, Signal::PostError)].into(),
            right: vec![(2.0, Signal::PreError), (-1.0, Signal::Projection)].into(),
        },
        plausibility: "made up".into(),
    };
    let gradient = Term::named("gradient").unwrap().clone();
    let coefficients: Vec<f64> = serde_json::from_value(fixture["coefficients"].clone()).unwrap();
    let rule = Rule::with_terms(vec![
        (made_up, Coefficient::PerLayer(coefficients)),
        (gradient, Coefficient::Uniform(fixture["gradient"].as_f64().unwrap())),
    ])
    .unwrap();
    let mut trainer = OnlineTrainer::new(network, rule).unwrap();
    trainer.advance(&samples, &(0..samples.len() as u32).collect::<Vec<_>>()).unwrap();
    for (layer, expected) in (1..).zip(matrices("trained", false)) {
        let found = deviation(&trainer.network().forward_weights(layer), &expected);
        assert!(found < 1e-5, "W of layer {layer} is off by {found:e}");
    }
}

/// A term that is written as an equation.
pub(super) fn equation(name: &str, synapses: Synapses, equation: &str, state: Option<(&str, f64, &str)>) -> Term {
    let state = state.map(|(name, start, update)| WrittenState { name: name.into(), start, update: update.into() });
    Term::of_equation(&Written {
        name: name.into(),
        synapses,
        equation: equation.into(),
        parameters: vec![("rate".into(), 0.1)],
        state: state.into_iter().collect(),
    })
    .unwrap()
}

#[test]
fn written_equations_are_carried_out_as_their_formulas_in_double_precision() {
    let samples = noise(30, 37, 10, 1);
    let uniform = |term: Term, c: f64| (term, Coefficient::Uniform(c));
    let forward = |name: &str, text: &str, c: f64| uniform(equation(name, Synapses::Forward, text, None), c);
    let bcm = ("theta", 0.05, "(1 - rate) * theta + rate * y_post.^2");
    for feedback in [Feedback::Symmetric, Feedback::Random, Feedback::Plastic] {
        let mut terms = vec![
            uniform(Term::named("gradient").unwrap().clone(), 0.02),
            forward("single", "y_post * y_pre' - diag(y_post.^2) * W", 0.004),
            forward("sanger", "y_post * y_pre' - lower(y_post * y_post') * W", 0.003),
            forward("both", "(e_post * e_pre') .* W", -0.5),
            uniform(equation("bcm", Synapses::Forward, "(y_post .* (y_post - theta)) * y_pre'", Some(bcm)), 0.002),
        ];
        if feedback == Feedback::Plastic {
            terms.push(uniform(equation("b", Synapses::Feedback, "-y_pre * e_post' - B.^3 - 0.1 * W'", None), 0.01));
        }
        let start = network(&[37, 33, 16, 10], SOFTPLUS, feedback);
        let mut reference = Reference::of(&start);
        let sizes = [33, 16, 10];
        let mut theta: Vec<Array1<f64>> = sizes.iter().map(|&n| Array1::from_elem(n, 0.05)).collect();
        for index in 0..30 {
            let (z, y) = reference.forward(&input(&samples, index));
            let e = reference.errors(&z, &y, samples.label(index));
            let before = reference.clone();
            for l in 0..3 {
                let (w, pre, post) = (&before.w[l], &y[l], &y[l + 1]);
                let hebb = outer(post, pre);
                let mut lower = outer(post, post);
                lower.indexed_iter_mut().filter(|((i, j), _)| j > i).for_each(|(_, x)| *x = 0.0);
                reference.w[l] += &(outer(&e[l + 1], pre) * -0.02
                    + (&hebb - Array2::from_diag(&(post * post)).dot(w)) * 0.004
                    + (&hebb - lower.dot(w)) * 0.003
                    + outer(&e[l + 1], &e[l]) * w * -0.5
                    + outer(&(post * &(post - &theta[l])), pre) * 0.002);
                if let (Feedback::Plastic, Some(b)) = (feedback, &mut reference.b) {
                    let old = &before.b.as_ref().unwrap()[l];
                    b[l] += &((-outer(pre, &e[l + 1]) - old.mapv(|b| b.powi(3)) - w.t().mapv(|w| 0.1 * w)) * 0.01);
                }
                theta[l] = &theta[l] * 0.9 + post * post * 0.1;
            }
        }
        let order: Vec<u32> = (0..30).collect();
        let rule = Rule::with_terms(terms).unwrap();
        let mut bytes = Vec::new();
        for backend in Backend::available() {
            let mut network = start.clone();
            network.backend = backend;
            let mut trainer = OnlineTrainer::new(network, rule.clone()).unwrap();
            // However it is cut into calls.
            trainer.advance(&samples, &order[..11]).unwrap();
            trainer.advance_recording(&samples, &order[11..]).unwrap();
            let trained = trainer.network();
            for layer in 1..=3 {
                let found = deviation(&trained.forward_weights(layer), &reference.w[layer - 1]);
                assert!(found < 2e-5, "{feedback:?}: W of layer {layer} is off by {found:e}");
                if let (Some(b), Some(expected)) = (trained.feedback_weights(layer), &reference.b) {
                    assert!(deviation(&b, &expected[layer - 1]) < 2e-5, "{feedback:?}: B of layer {layer}");
                }
            }
            bytes.push((1..=3).map(|layer| trained.forward_weights(layer)).collect::<Vec<_>>());
        }
        assert!(bytes.windows(2).all(|pair| pair[0] == pair[1]), "other bits on another processor");
    }
}

/// Alone it moves W in place, while the step of the shipped terms waits for the next forward pass.
#[test]
fn one_equation_beside_shipped_terms_reads_the_weights_before_the_step() {
    let samples = noise(30, 37, 10, 4);
    let order: Vec<u32> = (0..30).collect();
    for (name, text) in [
        ("single", "y_post * y_pre' - diag(y_post.^2) * W"),
        ("sanger", "y_post * y_pre' - lower(y_post * y_post') * W"),
        ("through", "(W * y_pre) * (B * e_post)' - W.^3"),
    ] {
        for feedback in [Feedback::Symmetric, Feedback::Plastic] {
            let term = equation(name, Synapses::Forward, text, None);
            let mut terms: Vec<(Term, Coefficient)> = [("gradient", 0.02), ("oja", 0.004)]
                .map(|(name, c)| (Term::named(name).unwrap().clone(), Coefficient::Uniform(c)))
                .into();
            terms.push((term, Coefficient::Uniform(0.01)));
            let mut shipped = vec![("gradient", 0.02), ("oja", 0.004)];
            if feedback == Feedback::Plastic {
                shipped.push(("feedback_hebb", 0.05));
                terms.push((Term::named("feedback_hebb").unwrap().clone(), Coefficient::Uniform(0.05)));
            }
            let start = network(&[37, 33, 16, 10], SOFTPLUS, feedback);
            let mut reference = Reference::of(&start);
            let shipped = rule(&shipped);
            for index in 0..30 {
                let (x, label) = (input(&samples, index), samples.label(index));
                let (z, y) = reference.forward(&x);
                let e = reference.errors(&z, &y, label);
                let before = reference.clone();
                reference.step(&shipped, &x, label);
                for l in 0..3 {
                    let (w, pre, post) = (&before.w[l], &y[l], &y[l + 1]);
                    let mut lower = outer(post, post);
                    lower.indexed_iter_mut().filter(|((i, j), _)| j > i).for_each(|(_, x)| *x = 0.0);
                    let back = before.b.as_ref().map_or_else(|| w.t().to_owned(), |b| b[l].clone());
                    let change = match name {
                        "single" => outer(post, pre) - Array2::from_diag(&(post * post)).dot(w),
                        "sanger" => outer(post, pre) - lower.dot(w),
                        _ => outer(&w.dot(pre), &back.dot(&e[l + 1])) - w.mapv(|w| w.powi(3)),
                    };
                    reference.w[l] += &(change * 0.01);
                }
            }
            let mut trainer = OnlineTrainer::new(start, Rule::with_terms(terms).unwrap()).unwrap();
            trainer.advance(&samples, &order[..7]).unwrap();
            trainer.advance(&samples, &order[7..]).unwrap();
            for layer in 1..=3 {
                let found = deviation(&trainer.network().forward_weights(layer), &reference.w[layer - 1]);
                assert!(found < 2e-5, "{name}, {feedback:?}: W of layer {layer} is off by {found:e}");
            }
        }
    }
}

#[test]
fn a_copy_of_a_shipped_term_gives_the_same_weights_byte_for_byte() {
    let samples = noise(60, 37, 10, 2);
    let order: Vec<u32> = (0..60).collect();
    let written = |name: &str, text: &str| equation(name, Synapses::Forward, text, None);
    let start = network(&[37, 33, 16, 10], SOFTPLUS, Feedback::Symmetric);
    let trained = |terms: [Term; 2]| {
        let terms = terms.into_iter().zip([0.02, 0.004]).map(|(term, c)| (term, Coefficient::Uniform(c))).collect();
        let mut trainer = OnlineTrainer::new(start.clone(), Rule::with_terms(terms).unwrap()).unwrap();
        trainer.advance(&samples, &order).unwrap();
        trainer.network().into_owned()
    };
    let shipped = trained(["gradient", "oja"].map(|name| Term::named(name).unwrap().clone()));
    let copies = [written("descent", "-e_post * y_pre'"), written("subspace", "y_post * (y_pre - W' * y_post)'")];
    let copied = trained(copies);
    for layer in 1..=3 {
        assert_eq!(copied.forward_weights(layer), shipped.forward_weights(layer));
    }
}

#[test]
fn divergence_names_the_first_sample_and_stays() {
    let samples = noise(200, 30, 10, 7);
    let order: Vec<u32> = (0..200).collect();
    let start = || {
        OnlineTrainer::new(network(&[30, 20, 10], Activation::Relu, Feedback::Random), rule(&[("hebb", 30.0)])).unwrap()
    };
    let mut whole = start();
    let first = whole.advance(&samples, &order).unwrap_err();
    assert!(first.step > 1 && first.step < 200 && first.step == whole.steps(), "{first:?}");
    assert_eq!(whole.advance(&samples, &order), Err(first));
    let mut pieces = start();
    let noticed = order.chunks(3).find_map(|chunk| pieces.advance(&samples, chunk).err());
    assert_eq!(noticed, Some(first));
    assert_eq!(whole.network(), pieces.network());
}

/// An overflowing weight behind a silent input would never show in an activation: it must be found in the weights.
#[test]
fn a_weight_that_overflows_unseen_is_found() {
    let samples = Samples::new(vec![0, 255], vec![0], 2, 2).unwrap();
    let w = ndarray::array![[3e38_f32, 0.1], [0.1, 0.1]];
    let architecture = architecture(&[2, 2], SOFTPLUS);
    let network = Network::from_weights(&architecture, &[w.view()], None).unwrap();
    for terms in [("decay", -0.5), ("oja", -4.0)] {
        let mut trainer = OnlineTrainer::new(network.clone(), rule(&[terms])).unwrap();
        assert_eq!(trainer.advance(&samples, &[0]), Err(Divergence { step: 1, layer: 1 }), "{terms:?}");
    }
}

#[test]
fn feedback_terms_need_plastic_feedback_and_a_coefficient_for_each_layer() {
    for feedback in [Feedback::Symmetric, Feedback::Random] {
        let error =
            OnlineTrainer::new(network(&[4, 3], SOFTPLUS, feedback), rule(&[("feedback_hebb", 0.1)])).unwrap_err();
        assert!(error.to_string().contains("`feedback_hebb` moves feedback weights"));
    }
    let rule = Rule::new(&[("oja", Coefficient::PerLayer(vec![0.1; 3]))]).unwrap();
    assert!(OnlineTrainer::new(network(&[4, 3], SOFTPLUS, Feedback::Symmetric), rule).is_err());
}

#[test]
fn a_first_layer_that_learns_step_by_step_says_why() {
    let why = |activation, feedback, terms: &[(&str, f64)]| why_one_by_one(activation, feedback, &rule(terms));
    let errors = [("gradient", 0.1), ("error_hebb", 0.1)];
    assert_eq!(why(SOFTPLUS, Feedback::Plastic, &errors), None);
    assert_eq!(why(Activation::Tanh, Feedback::Direct, &[("gradient", 0.1), ("oja", 0.1)]), None);
    assert!(
        why(Activation::Tanh, Feedback::Symmetric, &errors).unwrap().contains("a term reads e_0, which tanh units")
    );
    assert!(why(SOFTPLUS, Feedback::Direct, &errors).unwrap().contains("e_0 comes as `direct` has it"));
    let written = Written {
        name: "own".to_owned(),
        synapses: Moved::Forward,
        equation: "tanh(y_post) * y_pre'".to_owned(),
        parameters: Vec::new(),
        state: Vec::new(),
    };
    let of = |coefficient: Coefficient| {
        let rule = Rule::with_terms(vec![(Term::of_equation(&written).unwrap(), coefficient)]).unwrap();
        why_one_by_one(SOFTPLUS, Feedback::Symmetric, &rule)
    };
    assert!(of(Coefficient::Uniform(0.1)).unwrap().starts_with("`own` is no sum of products"));
    assert_eq!(of(Coefficient::PerLayer(vec![0.0, 0.1])), None, "other layers do not matter");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// All backends of this machine train and evaluate to the same bits.
    #[test]
    fn backends_agree_to_the_last_bit(
        n_pixels in prop::sample::select(vec![1_usize, 15, 16, 17, 50, 113]),
        hidden in prop::sample::select(vec![1_usize, 15, 16, 17, 100, 170]),
        narrow in prop::sample::select(vec![1_usize, 7, 16, 33]),
        activation in prop::sample::select(ACTIVATIONS.to_vec()),
        feedback in prop::sample::select(vec![Feedback::Symmetric, Feedback::Random, Feedback::Plastic]),
        terms in prop::sample::subsequence(vec![("gradient", 0.02), ("error_hebb", 0.01), ("oja", 0.005), ("decay", 0.01)], 1..=4),
        seed in 0_u64..1000,
    ) {
        let samples = noise(9, n_pixels, 10, seed);
        let mut terms = terms;
        if feedback == Feedback::Plastic {
            terms.extend([("feedback_hebb", 0.02), ("feedback_decay", 0.01)]);
        }
        let mut results = Backend::available().map(|backend| {
            let start = network(&[n_pixels, hidden, narrow, 10], activation, feedback).on(backend).unwrap();
            let mut trainer = OnlineTrainer::new(start, rule(&terms)).unwrap();
            // More than are put off at most, and some that still are.
            trainer.advance(&samples, &[0, 3, 1, 2, 8, 7, 0, 4, 5, 6, 1, 1, 2, 3, 4, 8, 7, 0, 2]).unwrap();
            let network = trainer.network().into_owned();
            let evaluation = network.evaluate(&samples, 0..9);
            let activations = network.activations(&samples, 1..9, &[0, 1, 2, 3]);
            (network.on(Backend::Portable).unwrap(), evaluation, activations)
        });
        let first = results.next().unwrap();
        for other in results {
            prop_assert!(other == first);
        }
    }
}
