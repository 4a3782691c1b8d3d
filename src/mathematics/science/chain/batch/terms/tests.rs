use ndarray::{Array1, Array2};

use super::super::{BatchSettings, BatchTrainer};
use crate::kernels::Backend;
use crate::science::activation::Activation;
use crate::science::feedback::Feedback;
use crate::science::initialization::Initialization;
use crate::science::network::Network;
use crate::science::normalization::Normalization;
use crate::science::online::OnlineTrainer;
use crate::science::optimizer::Optimizer;
use crate::science::plasticity::{Coefficient, Rule, Synapses, Term, Written, WrittenState};
use crate::science::reference::{Reference, architecture, deviation, input, noise, outer};

const SIZES: [usize; 4] = [37, 20, 17, 10];
const SOFTPLUS: Activation = Activation::Softplus { beta: 10.0 };

fn network(activation: Activation) -> Network {
    Network::initialize(&architecture(&SIZES, activation), &Initialization::Xavier, Feedback::Symmetric, 6)
}

fn settings(batch_size: usize, rate: f64) -> BatchSettings {
    BatchSettings { batch_size, optimizer: Optimizer::Sgd { rate }, normalization: None, oja: 0.0 }
}

fn written(name: &str, equation: &str, state: Option<(&str, f64, &str)>) -> Term {
    let state = state.map(|(name, start, update)| WrittenState { name: name.into(), start, update: update.into() });
    Term::of_equation(&Written {
        name: name.into(),
        synapses: Synapses::Forward,
        equation: equation.into(),
        parameters: Vec::new(),
        state: state.into_iter().collect(),
    })
    .unwrap()
}

fn shipped(name: &str) -> Term {
    Term::named(name).unwrap().clone()
}

fn per_layer(c: f64) -> Coefficient {
    Coefficient::PerLayer(vec![c, -0.5 * c, 2.0 * c])
}

/// Shipped terms, a written sum of products, one that reads each weight and one that remembers.
fn everything() -> Vec<(Term, Coefficient)> {
    let bcm = ("theta", 0.05, "0.9 * theta + 0.1 * y_post.^2");
    vec![
        (shipped("error_hebb"), per_layer(0.3)),
        (shipped("oja"), per_layer(0.02)),
        (shipped("decay"), per_layer(0.01)),
        (shipped("hebb"), per_layer(0.02)),
        (written("pulled", "e_post * (y_pre - W' * y_post)' - 0.1 * W", None), per_layer(0.05)),
        (written("single", "y_post * y_pre' - diag(y_post.^2) * W + (e_post * e_pre') .* W", None), per_layer(0.03)),
        (written("bcm", "(y_post .* (y_post - theta)) * y_pre'", Some(bcm)), per_layer(0.05)),
    ]
}

/// The mean over a batch of what the terms make of each sample and the weights before it, whole matrices in double
/// precision; what neurons remember goes from sample to sample, in the order of the batch.
#[test]
fn a_batch_adds_the_mean_of_what_its_samples_would() {
    const BATCH: usize = 4;
    let samples = noise(3 * BATCH, 37, 10, 1);
    let order: Vec<u32> = (0..3 * BATCH as u32).collect();
    for activation in [SOFTPLUS, Activation::Tanh] {
        let start = network(activation);
        let mut reference = Reference::of(&start);
        let mut theta: Vec<Array1<f64>> = SIZES[1..].iter().map(|&n| Array1::from_elem(n, 0.05)).collect();
        let shipped = Rule::with_terms(everything()[..4].to_vec()).unwrap();
        for batch in order.chunks(BATCH) {
            let before = reference.clone();
            for &s in batch {
                let (x, label) = (input(&samples, s as usize), samples.label(s as usize));
                let (z, y) = before.forward(&x);
                let e = before.errors(&z, &y, label);
                let of_shipped = before.update(&shipped, &x, label);
                for l in 0..3 {
                    let (w, pre, post) = (&before.w[l], &y[l], &y[l + 1]);
                    let c = |c: f64| per_layer(c).at(l + 1);
                    let change = &of_shipped[l].0
                        + outer(&e[l + 1], pre) * -0.1
                        + (outer(&e[l + 1], &(pre - &w.t().dot(post))) - w * 0.1) * c(0.05)
                        + (outer(post, pre) - Array2::from_diag(&(post * post)).dot(w) + outer(&e[l + 1], &e[l]) * w)
                            * c(0.03)
                        + outer(&(post * &(post - &theta[l])), pre) * c(0.05);
                    reference.w[l] += &(change / BATCH as f64);
                    theta[l] = &theta[l] * 0.9 + post * post * 0.1;
                }
            }
        }
        let rule = Rule::with_terms(everything()).unwrap();
        let mut bytes = Vec::new();
        for backend in Backend::available() {
            let start = start.clone().on(backend).unwrap();
            let mut trainer = BatchTrainer::with_terms(start, settings(BATCH, 0.1), &rule).unwrap();
            // However it is cut into calls.
            order.chunks(5).for_each(|chunk| trainer.advance(&samples, chunk).unwrap());
            for layer in 1..=3 {
                let found = deviation(&trainer.network().forward_weights(layer), &reference.w[layer - 1]);
                assert!(found < 1e-5, "{activation}: W of layer {layer} is off by {found:e}");
            }
            bytes.push((1..=3).map(|layer| trainer.network().forward_weights(layer)).collect::<Vec<_>>());
        }
        assert!(bytes.windows(2).all(|pair| pair[0] == pair[1]), "other bits on another processor");
    }
}

#[test]
fn batches_of_one_learn_by_a_rule_as_online_learning_does() {
    let samples = noise(20, 37, 10, 2);
    let order: Vec<u32> = (0..20).collect();
    let rule = Rule::with_terms(everything()).unwrap();
    let mut batch = BatchTrainer::with_terms(network(SOFTPLUS), settings(1, 0.05), &rule).unwrap();
    batch.advance(&samples, &order).unwrap();
    let with_gradient = [(shipped("gradient"), Coefficient::Uniform(0.05))].into_iter().chain(everything());
    let mut online = OnlineTrainer::new(network(SOFTPLUS), Rule::with_terms(with_gradient.collect()).unwrap()).unwrap();
    online.advance(&samples, &order).unwrap();
    for layer in 1..=3 {
        let online = online.network().forward_weights(layer).mapv(f64::from);
        assert!(deviation(&batch.network().forward_weights(layer), &online) < 2e-5, "layer {layer}");
    }
}

/// Errors are derivatives by z, also where a layer is normalised between z and y: what a term makes of them is what the gradient
/// of the layer below is made of.
#[test]
fn errors_of_normalised_layers_are_those_of_their_gradients() {
    let samples = noise(1, 37, 10, 3);
    let with = |rate: f64| BatchSettings { normalization: Some(Normalization::Layer), ..settings(1, rate) };
    let start = network(Activation::Tanh);
    let step = |trainer: &BatchTrainer, layer: usize| {
        (trainer.network().forward_weights(layer) - start.forward_weights(layer)).mapv(f64::from)
    };
    let mut plain = BatchTrainer::new(start.clone(), with(1.0)).unwrap();
    let y: Vec<_> = plain.network().activations(&samples, 0..1, &[0, 1, 2]);
    plain.advance(&samples, &[0]).unwrap();
    let rule = Rule::new(&[("error_hebb", Coefficient::Uniform(1.0))]).unwrap();
    let mut hebb = BatchTrainer::with_terms(start.clone(), with(0.0), &rule).unwrap();
    hebb.advance(&samples, &[0]).unwrap();
    // A gradient step of 1 is −e_ℓ y_{ℓ-1}ᵀ.
    let e = |layer: usize| {
        let y = y[layer - 1].row(0).mapv(f64::from);
        step(&plain, layer).dot(&y) / -y.dot(&y)
    };
    for layer in [2, 3] {
        let found = step(&hebb, layer).mapv(|x| x as f32);
        let expected = outer(&e(layer), &e(layer - 1));
        assert!(deviation(&found, &expected) < 1e-3, "layer {layer}: {:e}", deviation(&found, &expected));
    }
}

#[test]
fn what_a_batch_cannot_carry_out_is_refused() {
    let refused = |terms: Vec<(Term, Coefficient)>| {
        let rule = Rule::with_terms(terms).unwrap();
        BatchTrainer::with_terms(network(SOFTPLUS), settings(2, 0.1), &rule).unwrap_err().to_string()
    };
    assert!(refused(vec![(shipped("feedback_decay"), Coefficient::Uniform(0.1))]).contains("feedback weights"));
    assert!(refused(vec![(shipped("hebb"), Coefficient::PerLayer(vec![0.1; 2]))]).contains("each of the 3 layers"));
}
