//! The inner loop and its derivatives: against double precision, JAX and online learning, on every backend.

use ndarray::{Array2, ArrayView2};

use super::double::Double;
use super::*;
use crate::science::reference::Reference;

/// What single precision leaves of a derivative: 3e-4 of it, or 3e-6.
#[track_caller]
fn assert_close(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= 3e-4 * expected.abs() + 3e-6, "{what}: {found} against {expected}");
}

#[test]
fn every_derivative_agrees_with_differences_of_the_whole_inner_loop_in_double_precision() {
    for (number, case) in cases().iter().enumerate() {
        let (query, gradient) = case.run(crate::kernels::backend());
        let images = images(case.n_steps + 6, N_PIXELS);
        let samples = samples(&images, 4);
        let (training, questions) = samples.split_at(case.n_steps);
        let double = Double { start: Reference::of(&case.inner().network), rule: &case.rule };
        let theta = case.theta();
        let loss = double.loss(&theta, training, questions);
        assert!((query.loss - loss).abs() < 1e-5, "case {number}: {} against {loss}", query.loss);
        for (k, &derivative) in gradient.iter().enumerate() {
            let difference = double.derivative(k, &theta, training, questions);
            assert_close(derivative, difference, &format!("case {number}, `{}`", case.rule.terms()[k].0.name));
        }
    }
}

#[test]
fn gradients_agree_with_automatic_differentiation_in_jax() {
    let fixture = include_str!("../../../../../tests/reference/fixtures/meta_gradients.json");
    let fixture: serde_json::Value = serde_json::from_str(fixture).unwrap();
    let sizes: Vec<usize> = serde_json::from_value(fixture["sizes"].clone()).unwrap();
    let pixels: Vec<u8> = serde_json::from_value(fixture["pixels"].clone()).unwrap();
    let labels: Vec<usize> = serde_json::from_value(fixture["labels"].clone()).unwrap();
    let matrices = |name: &str| -> Vec<Vec<f64>> { serde_json::from_value(fixture[name].clone()).unwrap() };
    let samples: Vec<Sample> = pixels.chunks_exact(sizes[0]).zip(labels).collect();
    let (training, questions) = samples.split_at(fixture["n_training"].as_u64().unwrap() as usize);
    let shapes = || sizes.windows(2).map(|n| (n[0], n[1]));
    let w: Vec<Array2<f64>> =
        shapes().zip(matrices("weights")).map(|((i, j), w)| Array2::from_shape_vec((j, i), w).unwrap()).collect();
    let b: Vec<Array2<f64>> =
        shapes().zip(matrices("feedback")).map(|((i, j), b)| Array2::from_shape_vec((i, j), b).unwrap()).collect();
    let single = |matrices: &[Array2<f64>]| matrices.iter().map(|m| m.mapv(|x| x as f32)).collect::<Vec<_>>();

    for case in fixture["cases"].as_array().unwrap() {
        let activation = match case["activation"].as_str().unwrap() {
            "tanh" => Activation::Tanh,
            _ => Activation::Softplus { beta: fixture["softplus_beta"].as_f64().unwrap() as f32 },
        };
        let theta: [f64; 6] = serde_json::from_value(case["theta"].clone()).unwrap();
        let expected: Vec<f64> = serde_json::from_value(case["gradient"].clone()).unwrap();
        let expected_loss = case["loss"].as_f64().unwrap();
        let symmetric = case["feedback"] == "symmetric";
        let n_terms = if symmetric { 4 } else { 6 };
        let terms: Vec<_> = NINE.into_iter().zip(theta.map(Coefficient::Uniform)).take(n_terms).collect();
        let rule = Rule::new(&terms).unwrap();
        let theta = &theta[..n_terms];

        // The plain reference first, to the precision of its differences.
        let b = (!symmetric).then(|| b.clone());
        let double = Double { start: Reference { activation, w: w.clone(), b: b.clone() }, rule: &rule };
        assert!((double.loss(theta, training, questions) - expected_loss).abs() < 1e-12);
        for (k, expected) in expected.iter().enumerate().take(n_terms) {
            let difference = double.derivative(k, theta, training, questions);
            let margin = 1e-7 * expected.abs() + 1e-10;
            assert!((difference - expected).abs() <= margin, "{difference} {expected}");
        }

        let architecture = Architecture::new(sizes.clone(), activation).unwrap();
        let feedback = if symmetric { Feedback::Symmetric } else { Feedback::Plastic };
        let mut inner = InnerLoop::new(&architecture, feedback, LearnedRule::new(&rule, &vec![true; n_terms]));
        let (w, b) = (single(&w), b.map(|b| single(&b)));
        inner.network = Network::from_weights(&architecture, &views(&w), b.as_deref().map(views).as_deref()).unwrap();
        let mut reverse = Reverse::new(&inner);
        inner.train(theta, training);
        let loss = reverse.query(&inner, questions).loss;
        assert!((loss - expected_loss).abs() < 1e-5, "{loss} against {expected_loss}");
        for (k, found) in reverse.differentiate(&mut inner).into_iter().enumerate() {
            assert_close(found, expected[k], NINE[k]);
        }
    }
}

#[test]
fn backends_agree_to_the_last_bit() {
    for (number, case) in cases().iter().enumerate() {
        let portable = case.run(Backend::Portable);
        for backend in Backend::available() {
            assert_eq!(case.run(backend), portable, "case {number} on {backend}");
        }
    }
}

#[test]
fn the_weights_end_where_they_began() {
    for case in cases().iter().filter(|case| case.n_steps != 1) {
        let images = images(case.n_steps, N_PIXELS);
        let mut inner = case.inner();
        let start = inner.network.clone();
        let mut reverse = Reverse::new(&inner);
        inner.train(&case.theta(), &samples(&images, 4));
        assert_ne!(inner.network, start);
        reverse.query(&inner, &samples(&images, 4));
        reverse.differentiate(&mut inner);
        assert_eq!(inner.network, start);
    }
}

#[test]
fn the_inner_loop_learns_what_the_online_trainer_learns() {
    for (number, case) in cases().iter().enumerate() {
        let images = images(case.n_steps, N_PIXELS);
        let samples = samples(&images, 4);
        let mut inner = case.inner();
        let network = inner.network.clone();
        inner.train(&case.theta(), &samples);

        let mut trainer = OnlineTrainer::new(network, case.rule.clone()).unwrap();
        let labels = samples.iter().map(|&(_, class)| class as u16).collect();
        let order: Vec<u32> = (0..case.n_steps as u32).collect();
        trainer.advance(&Samples::new(images.concat(), labels, N_PIXELS, 4).unwrap(), &order).unwrap();

        let expected = trainer.network();
        for layer in 1..=expected.n_layers() {
            let worst = |a: Array2<f32>, b: Array2<f32>| (&a - &b).fold(0.0_f32, |m, d| m.max(d.abs()));
            let w = worst(inner.network.forward_weights(layer), expected.forward_weights(layer));
            assert!(w < 3e-6, "case {number}, W of layer {layer}: {w}");
            if let (Some(found), Some(b)) = (inner.network.feedback_weights(layer), expected.feedback_weights(layer)) {
                assert!(worst(found, b) < 3e-6, "case {number}, B of layer {layer}");
            }
        }
    }
}

#[test]
fn an_inner_loop_that_diverged_leaves_nothing_behind() {
    let images = images(36, N_PIXELS);
    let samples = samples(&images, 4);
    let run = |inner: &mut InnerLoop, reverse: &mut Reverse, theta: &[f64]| {
        inner.initialize(&Initialization::Xavier, 8);
        inner.train(theta, &samples[..30]);
        let query = reverse.query(inner, &samples[30..]);
        (query, reverse.differentiate(inner))
    };
    for case in cases().iter().filter(|case| case.n_steps >= 60 && case.rule.terms().len() > 1) {
        let theta = case.theta();
        let (mut fresh, mut used) = (case.inner(), case.inner());
        let (mut of_fresh, mut of_used) = (Reverse::new(&fresh), Reverse::new(&used));
        assert!(!run(&mut used, &mut of_used, &vec![1e4; theta.len()]).0.loss.is_finite());
        assert_eq!(run(&mut used, &mut of_used, &theta), run(&mut fresh, &mut of_fresh, &theta));
    }
}

fn views(matrices: &[Array2<f32>]) -> Vec<ArrayView2<'_, f32>> {
    matrices.iter().map(|matrix| matrix.view()).collect()
}

/// Images of the size of MNIST's, lit in a patch that moves, so that most pixels are silent at a step and few always.
pub(super) fn patches(n: usize) -> Vec<Vec<u8>> {
    let lit = |s: usize, row: usize, column: usize| {
        let (row, column) = (row.abs_diff(8 + s % 13), column.abs_diff(8 + s * s % 11));
        row < 7 && column < 6 && !(row * 3 + column * 5 + s).is_multiple_of(4)
    };
    let pixel = |s: usize, i: usize| if lit(s, i / 28, i % 28) { (37 * s + 91 * i) as u8 | 1 } else { 0 };
    (0..n).map(|s| (0..784).map(|i| pixel(s, i)).collect()).collect()
}

/// Every condition of Figure 8, with the coefficients that it learns.
pub(super) fn conditions() -> [(Rule, Feedback, Vec<f64>); 4] {
    let without = ["gradient", "error_hebb", "decay", "feedback_hebb", "feedback_decay"];
    [
        (of_rule_nine(&["gradient"]), Feedback::Symmetric, vec![0.019]),
        (of_rule_nine(&["gradient", "oja"]), Feedback::Symmetric, vec![0.011, 0.0034]),
        (rule_nine([0.0; 6]), Feedback::Plastic, vec![0.019, 0.045, 0.0055, -0.0015, 0.014, 0.0023]),
        (of_rule_nine(&without), Feedback::Plastic, vec![0.038, 0.10, -0.0014, 0.043, 0.0031]),
    ]
}

/// Figure 8's network, as many steps as in an episode, coefficients as they are learned.
#[test]
#[ignore = "three minutes"]
fn at_full_size_derivatives_agree_with_differences_in_double_precision() {
    let images = patches(270);
    let samples = samples(&images, 5);
    let (training, questions) = samples.split_at(250);
    let architecture = Architecture::new(vec![784, 170, 130, 100, 70, 47], SOFTPLUS).unwrap();
    for (rule, feedback, theta) in conditions() {
        let learned = vec![true; theta.len()];
        let mut inner = InnerLoop::new(&architecture, feedback, LearnedRule::new(&rule, &learned));
        inner.initialize(&Initialization::Xavier, 5);
        let double = Double { start: Reference::of(&inner.network), rule: &rule };
        let mut reverse = Reverse::new(&inner);
        inner.train(&theta, training);
        let loss = reverse.query(&inner, questions).loss;
        let expected = double.loss(&theta, training, questions);
        assert!((loss - expected).abs() < 1e-5 * expected, "{loss} against {expected}");
        for (k, found) in reverse.differentiate(&mut inner).into_iter().enumerate() {
            let expected = double.derivative(k, &theta, training, questions);
            println!("{} terms, `{}`: {found} against {expected}", theta.len(), rule.terms()[k].0.name);
            let deviation = (found - expected).abs() / expected.abs();
            assert!(deviation < 1e-3, "`{}`: {found} against {expected}", rule.terms()[k].0.name);
        }
    }
}
