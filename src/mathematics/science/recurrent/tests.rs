use ndarray::{Array1, Array2};
use serde_json::Value;

use super::*;
use crate::kernels::Backend;
use crate::science::activation::Activation;
use crate::science::initialization::Initialization;
use crate::science::samples::Samples;

/// The loss in double precision from its definition, and everything that the Oja part is made of.
struct Reference {
    loss: f64,
    /// z_t.
    states: Vec<Array1<f64>>,
}

/// W_x, W_h, W_o.
type Weights = [Array2<f64>; 3];

fn sigma(activation: Activation, z: f64) -> f64 {
    match activation {
        Activation::Softplus { beta } => {
            let beta = f64::from(beta);
            z.max(0.0) + libm::log1p(libm::exp(-beta * z.abs())) / beta
        }
        Activation::Tanh => z.tanh(),
        Activation::Relu => z.max(0.0),
        Activation::Sigmoid => 1.0 / (1.0 + libm::exp(-z)),
        Activation::Linear => z,
    }
}

fn reference(a: &RecurrentArchitecture, [w_x, w_h, w_o]: &Weights, pixels: &[u8], label: usize) -> Reference {
    let x: Array1<f64> = pixels.iter().map(|&p| f64::from(p) / 255.0).collect();
    let mut states: Vec<Array1<f64>> = Vec::new();
    for t in 0..a.n_steps() {
        let drive = if t < a.n_input_steps() { w_x.dot(&x) } else { Array1::zeros(a.n_hidden()) };
        states.push(match states.last() {
            None => drive,
            Some(z) => w_h.dot(&z.mapv(|z| sigma(a.activation(), z))) + drive,
        });
    }
    let logits = w_o.dot(&states[a.n_steps() - 1].mapv(|z| sigma(a.activation(), z)));
    let loss = libm::log(logits.iter().map(|&z| libm::exp(z)).sum::<f64>()) - logits[label];
    Reference { loss, states }
}

fn weights_of(network: &RecurrentNetwork) -> Weights {
    [network.input_weights(), network.recurrent_weights(), network.readout_weights()].map(|w| w.mapv(f64::from))
}

/// Images with silent pixels, from a fixed pattern.
fn samples(n: usize, n_pixels: usize, n_classes: usize) -> Samples {
    let pixels = (0..n * n_pixels).map(|i| if i * 7 % 3 == 0 { 0 } else { (i * 89 % 256) as u8 }).collect();
    Samples::new(pixels, (0..n).map(|i| (i * 5 % n_classes) as u16).collect(), n_pixels, n_classes).unwrap()
}

fn architecture(n_steps: usize, n_input_steps: usize, activation: Activation) -> RecurrentArchitecture {
    RecurrentArchitecture::new([11, 6, 4], n_steps, n_input_steps, activation).unwrap()
}

/// W_after − W_before of one sample.
fn change(network: &RecurrentNetwork, rule: RecurrentRule, samples: &Samples) -> Weights {
    let mut trainer = RecurrentTrainer::new(network.clone(), rule);
    trainer.advance(samples, &[1]).unwrap();
    let (before, after) = (weights_of(network), weights_of(trainer.network()));
    [0, 1, 2].map(|m| &after[m] - &before[m])
}

#[track_caller]
fn assert_close(actual: &Array2<f64>, expected: &Array2<f64>, tolerance: f64) {
    let scale = expected.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    let worst = (actual - expected).iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    assert!(worst <= tolerance * scale, "largest deviation {worst:e}, largest number {scale:e}");
}

#[test]
fn the_gradient_part_descends_the_loss_as_central_differences_say() {
    let activations = [Activation::Tanh, Activation::Softplus { beta: 10.0 }, Activation::Sigmoid];
    for (n_steps, n_input_steps) in [(1, 1), (2, 1), (5, 2), (5, 5), (20, 5)] {
        for activation in activations {
            let (a, samples) = (architecture(n_steps, n_input_steps, activation), samples(3, 11, 4));
            let network = RecurrentNetwork::initialize(&a, &Initialization::Xavier, 3);
            // A coefficient of 1 keeps the rounding of W_after − W_before small against the change.
            let actual = change(&network, RecurrentRule::new(1.0, 0.0, OjaTarget::HiddenState).unwrap(), &samples);
            let before = weights_of(&network);
            for matrix in 0..3 {
                let descent = Array2::from_shape_fn(before[matrix].dim(), |at| {
                    let loss = |h: f64| {
                        let mut moved = before.clone();
                        moved[matrix][at] += h;
                        reference(&a, &moved, samples.pixels(1), samples.label(1)).loss
                    };
                    -(loss(1e-5) - loss(-1e-5)) / 2e-5
                });
                if descent.iter().all(|&d| d == 0.0) {
                    // With one time step W_h is not used.
                    assert!(matrix == 1 && n_steps == 1 && actual[1].iter().all(|&d| d == 0.0));
                } else {
                    let scale = descent.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
                    // float32: 1e-5 of the gradient, and half a last digit of weights below 1 (softplus fades with T).
                    assert_close(&actual[matrix], &descent, 2e-5 + 6e-8 / scale);
                }
            }
        }
    }
}

/// Of the three matrices together the length is what it may be at most, each keeps its direction, and Oja's part its length.
#[test]
fn a_clipped_gradient_is_a_shorter_one_and_a_short_one_stays() {
    for n_steps in [1, 7] {
        let (a, samples) = (architecture(n_steps, 1, Activation::Tanh), samples(3, 11, 4));
        let network = RecurrentNetwork::initialize(&a, &Initialization::Xavier, 3);
        let rule = |oja| RecurrentRule::new(1.0, oja, OjaTarget::HiddenState).unwrap();
        let length = |change: &Weights| change.iter().map(|d| d.mapv(|x| x * x).sum()).sum::<f64>().sqrt();
        let whole = change(&network, rule(0.0), &samples);
        let longest = length(&whole);
        let shortened = change(&network, rule(0.0).clipped(0.25 * longest).unwrap(), &samples);
        for (shortened, whole) in shortened.iter().zip(&whole) {
            assert_close(&(4.0 * shortened), whole, 1e-5);
        }
        assert_eq!(change(&network, rule(0.0).clipped(1.01 * longest).unwrap(), &samples), whole);

        let oja = 0.5;
        let oja_part = change(&network, RecurrentRule::new(0.0, oja, OjaTarget::HiddenState).unwrap(), &samples);
        let both = change(&network, rule(oja).clipped(0.25 * longest).unwrap(), &samples);
        for ((both, shortened), oja_part) in both.iter().zip(&shortened).zip(&oja_part) {
            assert_close(both, &(shortened + oja_part), 1e-5);
        }

        let mut trainer = RecurrentTrainer::new(network.clone(), rule(0.0).clipped(0.25 * longest).unwrap());
        let norms = trainer.advance_recording(&samples, &[1]).unwrap();
        let recorded = norms.iter().map(|norms| norms.gradient.powi(2)).sum::<f64>().sqrt();
        assert!((recorded / (0.25 * longest) - 1.0).abs() < 1e-5, "{recorded}, {longest}");
    }
    assert!(RecurrentRule::new(1.0, 0.0, OjaTarget::HiddenState).unwrap().clipped(0.0).is_err());
}

#[test]
fn the_oja_part_is_minus_the_gradient_of_the_reconstruction_error_with_its_code_held_fixed() {
    for target in [OjaTarget::HiddenState, OjaTarget::Activation] {
        let (a, samples) = (architecture(7, 3, Activation::Tanh), samples(3, 11, 4));
        let network = RecurrentNetwork::initialize(&a, &Initialization::Xavier, 3);
        let actual = change(&network, RecurrentRule::new(0.0, 1.0, target).unwrap(), &samples);
        let before = weights_of(&network);
        let states = reference(&a, &before, samples.pixels(1), samples.label(1)).states;
        let activations: Vec<_> = states.iter().map(|z| z.mapv(f64::tanh)).collect();
        let codes: Vec<_> = activations[..6].iter().map(|h| before[1].dot(h)).collect();
        let targets = if target == OjaTarget::HiddenState { &states } else { &activations };
        // C16: ½ Σ ‖z_t − W_hᵀ v_t‖².
        let error = |w: &Array2<f64>| -> f64 {
            targets.iter().zip(&codes).map(|(z, v)| 0.5 * (z - &w.t().dot(v)).mapv(|r| r * r).sum()).sum()
        };
        let descent = Array2::from_shape_fn(before[1].dim(), |at| {
            let shifted = |h: f64| {
                let mut w = before[1].clone();
                w[at] += h;
                error(&w)
            };
            -(shifted(1e-5) - shifted(-1e-5)) / 2e-5
        });
        assert_close(&actual[1], &descent, 1e-5);
        // It is not the gradient of the whole of (6), in which the code moves with W_h.
        let whole = |w: &Array2<f64>| -> f64 {
            let code = |h: &Array1<f64>| w.dot(h);
            targets
                .iter()
                .zip(&activations[..6])
                .map(|(z, h)| 0.5 * (z - &w.t().dot(&code(h))).mapv(|r| r * r).sum())
                .sum()
        };
        let mut w = before[1].clone();
        w[[0, 1]] += 1e-5;
        let up = whole(&w);
        w[[0, 1]] -= 2e-5;
        assert!(((up - whole(&w)) / 2e-5 + descent[[0, 1]]).abs() > 1e-3);
        // Input and readout weights do not take part.
        assert!(actual[0].iter().chain(&actual[2]).all(|&d| d == 0.0));
    }
}

#[test]
fn fifty_samples_end_where_automatic_differentiation_in_jax_ends() {
    let fixture = include_str!("../../../../tests/reference/fixtures/rnn_training.json");
    let fixture: Value = serde_json::from_str(fixture).unwrap();
    let sizes: [usize; 3] = serde_json::from_value(fixture["sizes"].clone()).unwrap();
    let [n_inputs, n_hidden, n_outputs] = sizes;
    let shapes = [(n_hidden, n_inputs), (n_hidden, n_hidden), (n_outputs, n_hidden)];
    let matrices = |source: &Value| -> Vec<Array2<f64>> {
        let names = ["input", "recurrent", "readout"];
        let read = |(name, shape): (&str, _)| {
            Array2::from_shape_vec(shape, serde_json::from_value(source[name].clone()).unwrap()).unwrap()
        };
        names.into_iter().zip(shapes).map(read).collect()
    };
    let pixels: Vec<u8> = serde_json::from_value(fixture["pixels"].clone()).unwrap();
    let labels: Vec<u16> = serde_json::from_value(fixture["labels"].clone()).unwrap();
    let order: Vec<u32> = serde_json::from_value(fixture["order"].clone()).unwrap();
    let samples = Samples::new(pixels, labels, n_inputs, n_outputs).unwrap();
    let start: Vec<Array2<f32>> = matrices(&fixture["start"]).iter().map(|w| w.mapv(|w| w as f32)).collect();

    for case in fixture["cases"].as_array().unwrap() {
        let number = |name: &str| case[name].as_f64().unwrap();
        let activation = match case["activation"].as_str().unwrap() {
            "tanh" => Activation::Tanh,
            _ => Activation::Softplus { beta: fixture["softplus_beta"].as_f64().unwrap() as f32 },
        };
        let target = match case["oja_target"].as_str().unwrap() {
            "hidden_state" => OjaTarget::HiddenState,
            _ => OjaTarget::Activation,
        };
        let times = (number("n_steps") as usize, number("n_input_steps") as usize);
        let a = RecurrentArchitecture::new(sizes, times.0, times.1, activation).unwrap();
        let network = RecurrentNetwork::from_weights(&a, start[0].view(), start[1].view(), start[2].view()).unwrap();
        let rule = RecurrentRule::new(number("gradient"), number("oja"), target).unwrap();
        let mut trainer = RecurrentTrainer::new(network, rule);
        trainer.advance(&samples, &order).unwrap();

        for (actual, expected) in weights_of(trainer.network()).iter().zip(matrices(case)) {
            assert_close(actual, &expected, 1e-5);
        }
        let norms = trainer.network().hidden_norms(&samples, 0..1);
        let expected: Vec<f64> = serde_json::from_value(case["norms_of_sample_0"].clone()).unwrap();
        assert!(norms.iter().zip(&expected).all(|(n, e)| (n - e).abs() < 1e-5 * e), "{norms:?} {expected:?}");
        assert_eq!(norms.len(), expected.len());
        let loss = trainer.network().evaluate(&samples, 0..1).loss;
        assert!((loss - number("loss_of_sample_0")).abs() < 1e-5);
    }
}

#[test]
fn every_backend_cut_and_recording_trains_the_same_bits() {
    let a = RecurrentArchitecture::new([50, 37, 10], 8, 3, Activation::Tanh).unwrap();
    let samples = samples(9, 50, 10);
    let order: Vec<u32> = (0..40).map(|i| i * 4 % 9).collect();
    let rule = RecurrentRule::new(0.02, 0.01, OjaTarget::HiddenState).unwrap();
    let trainer = |backend| {
        let network = RecurrentNetwork::initialize(&a, &Initialization::Xavier, 1).on(backend).unwrap();
        RecurrentTrainer::new(network, rule)
    };
    let mut whole = trainer(Backend::Portable);
    whole.advance(&samples, &order).unwrap();
    let expected = (weights_of(whole.network()), whole.network().evaluate(&samples, 0..9));
    for backend in Backend::available() {
        let mut cut = trainer(backend);
        cut.advance(&samples, &order[..7]).unwrap();
        cut.advance_recording(&samples, &order[7..30]).unwrap();
        cut.network().evaluate(&samples, 2..5);
        cut.advance(&samples, &order[30..]).unwrap();
        assert_eq!(cut.steps(), 40);
        assert_eq!((weights_of(cut.network()), cut.network().evaluate(&samples, 0..9)), expected, "{backend}");
    }
}

#[test]
fn norms_of_the_parts_are_those_of_trainers_with_one_part_only() {
    let (a, samples) = (architecture(7, 3, Activation::Tanh), samples(3, 11, 4));
    let network = RecurrentNetwork::initialize(&a, &Initialization::Xavier, 3);
    let rule = |gradient, oja| RecurrentRule::new(gradient, oja, OjaTarget::HiddenState).unwrap();
    let recorded = RecurrentTrainer::new(network.clone(), rule(0.5, 0.3)).advance_recording(&samples, &[1]).unwrap();
    let norms = |rule| change(&network, rule, &samples).map(|d| d.mapv(|d| d * d).sum().sqrt());
    let (both, gradient, oja) = (norms(rule(0.5, 0.3)), norms(rule(0.5, 0.0)), norms(rule(0.0, 0.3)));
    for (matrix, norms) in recorded.iter().enumerate() {
        assert!((norms.total - both[matrix]).abs() <= 1e-12 * both[matrix]);
        assert!((norms.gradient - gradient[matrix]).abs() < 1e-5 * gradient[matrix]);
        assert!((norms.oja - oja[matrix]).abs() <= 1e-5 * oja[matrix]);
    }
}

#[test]
fn divergence_names_step_and_matrix_and_stays() {
    let (a, samples) = (architecture(7, 3, Activation::Relu), samples(3, 11, 4));
    let network = RecurrentNetwork::initialize(&a, &Initialization::Xavier, 3);
    let mut trainer = RecurrentTrainer::new(network, RecurrentRule::new(1e3, 1e3, OjaTarget::HiddenState).unwrap());
    let divergence = trainer.advance(&samples, &[0, 1, 2, 0, 1, 2, 0, 1, 2, 0]).unwrap_err();
    assert!(divergence.step < 10 && (1..=3).contains(&divergence.layer), "{divergence}");
    assert_eq!((trainer.steps(), trainer.advance(&samples, &[0])), (divergence.step, Err(divergence)));
}

#[test]
fn impossible_shapes_times_and_coefficients_are_refused() {
    let build = |sizes, steps, shown| RecurrentArchitecture::new(sizes, steps, shown, Activation::Tanh).map(|_| ());
    assert!(build([11, 0, 4], 5, 1).unwrap_err().to_string().contains("[11, 0, 4]"));
    assert!(build([11, 6, 4], 5, 6).unwrap_err().to_string().contains("at most all of the 5 time steps, found 6"));
    assert!(build([11, 6, 4], 5, 0).is_err());
    assert!(RecurrentRule::new(f64::NAN, 0.0, OjaTarget::HiddenState).is_err());
    let a = architecture(5, 1, Activation::Tanh);
    let zeros = |shape| Array2::<f32>::zeros(shape);
    let error = RecurrentNetwork::from_weights(&a, zeros((6, 11)).view(), zeros((6, 5)).view(), zeros((4, 6)).view());
    assert_eq!(error.unwrap_err().to_string(), "recurrent weights: 6 × 5 given, 6 × 6 needed");
}
