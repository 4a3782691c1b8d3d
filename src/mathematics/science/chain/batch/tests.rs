use ndarray::{Array1, Array2};

use super::*;
use crate::kernels::Backend;
use crate::science::activation::Activation;
use crate::science::initialization::Initialization;
use crate::science::normalization::{BatchNorm, LAYER_EPSILON};
use crate::science::online::OnlineTrainer;
use crate::science::plasticity::{Coefficient, Rule};
use crate::science::reference::{Reference, architecture, deviation, input, noise, sigma};

const SIZES: [usize; 4] = [37, 20, 17, 10];
const N_LAYERS: usize = SIZES.len() - 1;
const SOFTPLUS: Activation = Activation::Softplus { beta: 10.0 };

fn network(activation: Activation) -> Network {
    Network::initialize(&architecture(&SIZES, activation), &Initialization::Xavier, Feedback::Symmetric, 6)
}

fn settings(batch_size: usize, optimizer: Optimizer) -> BatchSettings {
    BatchSettings { batch_size, optimizer, normalization: None, oja: 0.0 }
}

#[test]
fn a_batch_moves_by_the_mean_of_its_samples_updates() {
    let samples = noise(9, 37, 10, 1);
    for oja in [0.0, 0.02] {
        let start = network(SOFTPLUS);
        let reference = Reference::of(&start);
        let rule = Rule::new(&[("gradient", Coefficient::Uniform(0.1)), ("oja", Coefficient::Uniform(oja))]).unwrap();
        let mut trainer =
            BatchTrainer::new(start, BatchSettings { oja, ..settings(9, Optimizer::Sgd { rate: 0.1 }) }).unwrap();
        trainer.advance(&samples, &(0..9).collect::<Vec<_>>()).unwrap();
        for layer in 1..=3 {
            let mut expected = reference.w[layer - 1].clone();
            for s in 0..9 {
                expected += &(&reference.update(&rule, &input(&samples, s), samples.label(s))[layer - 1].0 / 9.0);
            }
            assert!(deviation(&trainer.network().forward_weights(layer), &expected) < 1e-6);
        }
    }
}

#[test]
fn batches_of_one_are_online_learning() {
    let samples = noise(20, 37, 10, 2);
    let order: Vec<u32> = (0..20).collect();
    let mut batch = BatchTrainer::new(network(SOFTPLUS), settings(1, Optimizer::Sgd { rate: 0.05 })).unwrap();
    batch.advance(&samples, &order).unwrap();
    let rule = Rule::new(&[("gradient", Coefficient::Uniform(0.05))]).unwrap();
    let mut online = OnlineTrainer::new(network(SOFTPLUS), rule).unwrap();
    online.advance(&samples, &order).unwrap();
    for layer in 1..=3 {
        let online = online.network().forward_weights(layer).mapv(f64::from);
        assert!(deviation(&batch.network().forward_weights(layer), &online) < 1e-5);
    }
}

/// The mean of vectors, and their variance with the given divisor.
fn mean_and_variance(z: &[Array1<f64>], divisor: f64) -> (Array1<f64>, Array1<f64>) {
    let zero = Array1::<f64>::zeros(z[0].len());
    let mean = z.iter().fold(zero.clone(), |sum, z| sum + z) / z.len() as f64;
    let variance = z.iter().fold(zero, |sum, z| sum + (z - &mean).mapv(|d| d * d)) / divisor;
    (mean, variance)
}

/// The mean loss of a batch with normalised hidden layers (γ = 1, β = 0), in double precision.
fn normalized_loss(w: &[Array2<f64>], activation: Activation, samples: &Samples, epsilon: f64) -> f64 {
    let mut y: Vec<Array1<f64>> = (0..samples.len()).map(|s| input(samples, s)).collect();
    let m = y.len() as f64;
    for (l, w) in w.iter().enumerate() {
        let mut z: Vec<Array1<f64>> = y.iter().map(|y| w.dot(y)).collect();
        if l + 1 < N_LAYERS {
            let (mean, variance) = mean_and_variance(&z, m);
            let std = variance.mapv(|v: f64| (v + epsilon).sqrt());
            z = z.into_iter().map(|z| ((z - &mean) / &std).mapv(|u| sigma(activation, u).0)).collect();
        }
        y = z;
    }
    let loss = |(s, z): (usize, &Array1<f64>)| z.mapv(f64::exp).sum().ln() - z[samples.label(s)];
    y.iter().enumerate().map(loss).sum::<f64>() / m
}

fn weights_of(network: &Network) -> Vec<Array2<f64>> {
    (1..=N_LAYERS).map(|layer| network.forward_weights(layer).mapv(f64::from)).collect()
}

/// One update at a rate of 1 has moved the weights from `start` down the gradient of `loss`, as central differences say.
#[track_caller]
fn assert_descends(trainer: &BatchTrainer, start: &Network, loss: impl Fn(&[Array2<f64>]) -> f64) {
    const H: f64 = 1e-5;
    let weights = weights_of(start);
    for layer in 1..=N_LAYERS {
        let step = trainer.network().forward_weights(layer) - start.forward_weights(layer);
        let difference = Array2::from_shape_fn(step.dim(), |at| {
            let moved_by = |h: f64| {
                let mut moved = weights.clone();
                moved[layer - 1][at] += h;
                loss(&moved)
            };
            -(moved_by(H) - moved_by(-H)) / (2.0 * H)
        });
        let found = deviation(&step, &difference);
        assert!(found < 1e-4, "{}: layer {layer} is off by {found:e}", start.architecture().activation());
    }
}

#[test]
fn gradients_through_batch_normalisation_agree_with_finite_differences() {
    let samples = noise(6, 37, 10, 3);
    for activation in [SOFTPLUS, Activation::Tanh] {
        let start = network(activation);
        let constants = BatchNorm { momentum: 0.1, epsilon: 1e-3 };
        let with = BatchSettings {
            normalization: Some(Normalization::Batch(constants)),
            ..settings(6, Optimizer::Sgd { rate: 1.0 })
        };
        let mut trainer = BatchTrainer::new(start.clone(), with).unwrap();
        trainer.advance(&samples, &[0, 1, 2, 3, 4, 5]).unwrap();
        assert_descends(&trainer, &start, |w| normalized_loss(w, activation, &samples, constants.epsilon));
    }
}

/// The mean loss of a batch with hidden layers that are normalised over their units (γ = 1, β = 0), in double precision.
fn layer_normalized_loss(w: &[Array2<f64>], activation: Activation, samples: &Samples) -> f64 {
    let loss = |s: usize| {
        let mut y = input(samples, s);
        for (l, w) in w.iter().enumerate() {
            y = w.dot(&y);
            if l + 1 < N_LAYERS {
                let n = y.len() as f64;
                let mean = y.sum() / n;
                let variance = y.mapv(|z| (z - mean).powi(2)).sum() / n;
                y = y.mapv(|z| sigma(activation, (z - mean) / (variance + LAYER_EPSILON).sqrt()).0);
            }
        }
        y.mapv(f64::exp).sum().ln() - y[samples.label(s)]
    };
    (0..samples.len()).map(loss).sum::<f64>() / samples.len() as f64
}

#[test]
fn gradients_through_layer_normalisation_agree_with_finite_differences() {
    for (n_samples, activation) in [(1, SOFTPLUS), (1, Activation::Tanh), (6, Activation::Tanh)] {
        let samples = noise(n_samples, 37, 10, 3);
        let start = network(activation);
        let with = BatchSettings {
            normalization: Some(Normalization::Layer),
            ..settings(n_samples, Optimizer::Sgd { rate: 1.0 })
        };
        let mut trainer = BatchTrainer::new(start.clone(), with).unwrap();
        let before = trainer.network().evaluate(&samples, 0..n_samples).loss;
        let expected = layer_normalized_loss(&weights_of(&start), activation, &samples);
        assert!((before / expected - 1.0).abs() < 1e-5, "evaluation normalises as training does: {before}, {expected}");
        trainer.advance(&samples, &(0..n_samples as u32).collect::<Vec<_>>()).unwrap();
        assert_descends(&trainer, &start, |w| layer_normalized_loss(w, activation, &samples));
    }
}

/// ∂/∂γ and ∂/∂β: a step along them, with W held, lowers the loss as much as they say.
#[test]
fn scales_and_shifts_of_layer_normalisation_descend_the_loss() {
    let samples = noise(1, 37, 10, 3);
    let pair = |trainer: &BatchTrainer, layer| trainer.network().scale_and_shift(layer).unwrap();
    let with =
        BatchSettings { normalization: Some(Normalization::Layer), ..settings(1, Optimizer::Sgd { rate: 1e-2 }) };
    let start = network(Activation::Tanh);
    let mut trainer = BatchTrainer::new(start.clone(), with).unwrap();
    let before = trainer.network().clone();
    trainer.advance(&samples, &[0]).unwrap();
    let moved: Vec<_> = (1..N_LAYERS).map(|layer| pair(&trainer, layer)).collect();
    let still: Vec<_> = (1..N_LAYERS).map(|layer| before.scale_and_shift(layer).unwrap()).collect();
    let squares: f32 = moved
        .iter()
        .zip(&still)
        .flat_map(|(new, old)| [(&new.0, &old.0), (&new.1, &old.1)])
        .flat_map(|(new, old)| new.iter().zip(old).map(|(new, old)| ((new - old) / 1e-2).powi(2)))
        .sum();
    let after = start.with_scales_and_shifts(&moved, true).unwrap();
    let gained = before.evaluate(&samples, 0..1).loss - after.evaluate(&samples, 0..1).loss;
    let promised = 1e-2 * f64::from(squares);
    assert!((gained / promised - 1.0).abs() < 0.05, "{gained} of {promised}");
}

/// With momentum 1 the running statistics are the last batch's (its variance with divisor m − 1), and evaluation uses them.
#[test]
fn evaluation_normalises_by_running_statistics() {
    let samples = noise(30, 37, 10, 4);
    let start = network(Activation::Tanh);
    let constants = BatchNorm { momentum: 1.0, epsilon: 1e-5 };
    let still = BatchSettings {
        normalization: Some(Normalization::Batch(constants)),
        ..settings(30, Optimizer::Sgd { rate: 0.0 })
    };
    let mut trainer = BatchTrainer::new(start.clone(), still).unwrap();
    trainer.advance(&samples, &(0..30).collect::<Vec<_>>()).unwrap();
    assert!(trainer.network().is_normalized());
    let w = start.forward_weights(1).mapv(f64::from);
    let z: Vec<Array1<f64>> = (0..30).map(|s| w.dot(&input(&samples, s))).collect();
    let (mean, variance) = mean_and_variance(&z, 29.0);
    let y = &trainer.network().activations(&samples, 0..30, &[1])[0];
    for (s, z) in z.iter().enumerate() {
        let expected = (z - &mean) / variance.mapv(|v: f64| (v + 1e-5).sqrt());
        assert!(y.row(s).iter().zip(&expected).all(|(y, u)| (f64::from(*y) - u.tanh()).abs() < 1e-5));
    }
    assert!(OnlineTrainer::new(trainer.network().clone(), Rule::new(&[]).unwrap()).is_err());
}

#[test]
fn chunks_and_backends_do_not_show() {
    let samples = noise(50, 37, 10, 5);
    let order: Vec<u32> = (0..50).collect();
    let everything = BatchSettings {
        batch_size: 8,
        optimizer: Optimizer::adam(0.01),
        normalization: Some(Normalization::Batch(BatchNorm::default())),
        oja: 0.01,
    };
    let over_units = BatchSettings { normalization: Some(Normalization::Layer), ..everything };
    let run = |settings, backend, chunk| {
        let mut trainer = BatchTrainer::new(network(SOFTPLUS).on(backend).unwrap(), settings).unwrap();
        order.chunks(chunk).for_each(|chunk| trainer.advance(&samples, chunk).unwrap());
        assert_eq!(trainer.steps(), 50);
        trainer.network().clone().on(Backend::Portable).unwrap()
    };
    for settings in [everything, over_units] {
        let expected = run(settings, Backend::Portable, 50);
        for backend in Backend::available() {
            assert_eq!(run(settings, backend, 50), expected, "{backend}");
            assert_eq!(run(settings, backend, 7), expected, "{backend}");
        }
    }
}

#[test]
fn divergence_is_noticed_and_wrong_settings_are_refused() {
    let samples = noise(40, 37, 10, 6);
    let order: Vec<u32> = (0..40).collect();
    let mut trainer = BatchTrainer::new(network(Activation::Relu), settings(4, Optimizer::Sgd { rate: 1e20 })).unwrap();
    let divergence = trainer.advance(&samples, &order).unwrap_err();
    assert!(divergence.step.is_multiple_of(4) && divergence.step < 40);
    assert_eq!(trainer.advance(&samples, &order), Err(divergence));

    let refused = |settings| BatchTrainer::new(network(SOFTPLUS), settings).unwrap_err().to_string();
    let sgd = Optimizer::Sgd { rate: 0.1 };
    assert!(refused(settings(0, sgd)).contains("at least 1"));
    assert!(
        refused(BatchSettings { normalization: Some(Normalization::Batch(BatchNorm::default())), ..settings(1, sgd) })
            .contains("at least 2")
    );
    assert!(refused(BatchSettings { oja: f64::NAN, ..settings(4, sgd) }).contains("oja"));
    let random = Network::initialize(&architecture(&SIZES, SOFTPLUS), &Initialization::Xavier, Feedback::Random, 0);
    assert!(BatchTrainer::new(random, settings(4, sgd)).is_err());
}

#[test]
fn the_equation_is_that_of_the_optimiser_and_the_terms_beside_it() {
    let by = |optimizer| BatchSettings { batch_size: 10, optimizer, normalization: None, oja: 0.5 };
    let nothing = Rule::new(&[]).unwrap();
    assert_eq!(
        by(Optimizer::adam(0.01)).equation(&nothing).lines().collect::<Vec<_>>(),
        [
            "G = ⟨e_ℓ y_{ℓ-1}ᵀ⟩",
            "M ← 0.9 M + (1 - 0.9) G",
            "S ← 0.999 S + (1 - 0.999) G²",
            "ΔW_{ℓ-1,ℓ} = -0.01 M̂ / (√Ŝ + 1e-8) + ⟨0.5 y_ℓ (y_{ℓ-1} - W_{ℓ-1,ℓ}ᵀ y_ℓ)ᵀ⟩",
        ]
    );
    let decay = Rule::new(&[("decay", Coefficient::Uniform(0.125))]).unwrap();
    let momentum = BatchSettings { oja: 0.0, ..by(Optimizer::Momentum { rate: 0.1, momentum: 0.9 }) };
    assert_eq!(
        momentum.latex(&decay),
        [
            r"G = \langle \mathbf{e}_\ell \mathbf{y}_{\ell-1}^T \rangle",
            r"V \leftarrow 0.9 V + G",
            r"\Delta \mathbf{W}_{\ell-1,\ell} = -0.1 V + \langle -0.125 \mathbf{W}_{\ell-1,\ell} \rangle",
        ]
    );
}
