//! How large the parts of a step are that was just made: what each term of the rule has added, coefficient included, from the
//! signals of the step and the weights before it, in double precision.
//!
//! A product of two vectors has the product of their norms. A sum of several, or of products and a decay, is added up entry by
//! entry: taken from scalar products of the vectors, what cancels would take the digits with it. What is no such sum is
//! evaluated as in training, in single precision, on a matrix of zeros.

use super::{Evaluated, OnlineTrainer};
use crate::kernels::program::{Beyond, SynapseSignals};
use crate::kernels::{self, Active, InputMajor, Lanes, as_flat, zeros};
use crate::science::dynamics::Online;
use crate::science::learner::UpdateNorms;
use crate::science::network::Network;
use crate::science::plasticity::{Coefficient, Signal, Synapses as Moved, Term};

/// A trainer before a step: its weights, and what its neurons remember.
pub(super) struct Before {
    network: Network,
    evaluated: Vec<Vec<Evaluated>>,
}

impl Before {
    pub(super) fn of(trainer: &OnlineTrainer) -> Self {
        Self { network: trainer.network().into_owned(), evaluated: trainer.online.synapses.evaluated.clone() }
    }

    /// W of a layer, and what errors travel back through.
    fn weights(&self, layer: usize) -> [&InputMajor; 2] {
        [&self.network.forward[layer - 1], self.network.way_back(layer)]
    }
}

/// What the synapses of a layer have seen.
struct Signals<'a> {
    pre_activation: Vec<Lanes>,
    pre_error: Vec<Lanes>,
    projection: Vec<Lanes>,
    activation: Vec<Lanes>,
    error: Vec<Lanes>,
    beyond: Beyond<'a>,
}

impl Signals<'_> {
    fn of(&self, signal: Signal) -> &[f32] {
        as_flat(match signal {
            Signal::PreActivation => &self.pre_activation,
            Signal::PreError => &self.pre_error,
            Signal::Projection => &self.projection,
            Signal::PostActivation => &self.activation,
            Signal::PostError => &self.error,
        })
    }

    /// A weighted sum of signals of one side.
    fn sum(&self, combination: &[(f64, Signal)]) -> Vec<f64> {
        let mut sum = Vec::new();
        for &(factor, signal) in combination {
            let signal = self.of(signal);
            sum.resize(signal.len(), 0.0);
            sum.iter_mut().zip(signal).for_each(|(sum, x)| *sum += factor * f64::from(*x));
        }
        sum
    }
}

impl OnlineTrainer {
    /// Norms of the step that `image` has made, one entry per layer.
    pub(super) fn update_norms(&self, before: &Before, image: Active<'_>) -> Vec<UpdateNorms> {
        let after = self.network();
        let norms = |layer: usize| {
            let signals = self.signals(layer, before, image);
            let part = |(term, coefficient): &(Term, Coefficient)| {
                (term.name.clone(), part(term, coefficient.at(layer), layer, before, &signals))
            };
            let terms: Vec<_> = self.rule.terms().iter().map(part).collect();
            let of = |name: &str| terms.iter().find(|(term, _)| term == name).map_or(0.0, |(_, norm)| *norm);
            UpdateNorms {
                gradient: of("gradient"),
                oja: of("oja"),
                total: distance(&after.forward[layer - 1], &before.network.forward[layer - 1]),
                terms,
            }
        };
        (1..=after.n_layers()).map(norms).collect()
    }

    /// The signals of the step just made. What its kernels did not need is computed from the weights before it, to the same
    /// bits.
    fn signals(&self, layer: usize, before: &Before, image: Active<'_>) -> Signals<'_> {
        let Online { dynamics, synapses, .. } = &self.online;
        let backend = before.network.backend;
        let [weights, feedback] = before.weights(layer);
        let dynamics = dynamics.signals();
        let (activation, error) = (dynamics.activations[layer].clone(), dynamics.errors[layer].clone());
        let reads = |signal: Signal| self.rule.terms().iter().any(|(term, _)| term.signals().contains(&signal));
        let mut pre_activation = dynamics.activations[layer - 1].clone();
        let mut pre_error = dynamics.errors[layer - 1].clone();
        if layer == 1 {
            image.write(&mut pre_activation);
        }
        let is_made = synapses.first.is_none() && synapses.synaptic[0].reads_pre_error();
        let is_known = layer > 1 || is_made || !before.network.feedback().makes_image_error();
        if !is_known && reads(Signal::PreError) {
            kernels::project_batch(backend, feedback, &error, &mut pre_error);
            let function = before.network.architecture().activation();
            kernels::times_input_mask(function, &pre_activation, &mut pre_error);
        }
        let mut projection = zeros(weights.n_in());
        if reads(Signal::Projection) {
            kernels::project_batch(backend, weights, &activation, &mut projection);
        }
        Signals { pre_activation, pre_error, projection, activation, error, beyond: dynamics.beyond(layer) }
    }
}

/// The norm of what a term adds to a layer.
fn part(term: &Term, coefficient: f64, layer: usize, before: &Before, signals: &Signals<'_>) -> f64 {
    if coefficient == 0.0 {
        return 0.0;
    }
    let [weights, feedback] = before.weights(layer);
    let moved = match term.synapses {
        Moved::Forward => weights,
        Moved::Feedback => feedback,
    };
    let Some(products) = term.products() else {
        let evaluated = before.evaluated[layer - 1].iter().find(|evaluated| evaluated.name == term.name);
        return evaluated.map_or(0.0, |evaluated| evaluated_part(evaluated, layer, before, signals));
    };
    let factors = products.by_side(term.synapses).map(|(post, pre)| [signals.sum(post), signals.sum(pre)]);
    let factors: Vec<[Vec<f64>; 2]> = factors.collect();
    let norm = match &factors[..] {
        [[post, pre]] if products.decay == 0.0 => (squares(post) * squares(pre)).sqrt(),
        _ => {
            let mut sum = 0.0;
            for i in 0..moved.n_in() {
                let row = as_flat(moved.row(i)).iter().take(moved.n_out()).enumerate();
                sum += row
                    .map(|(j, w)| {
                        let outer = factors.iter().map(|[post, pre]| post[j] * pre[i]).sum::<f64>();
                        (outer - products.decay * f64::from(*w)).powi(2)
                    })
                    .sum::<f64>();
            }
            sum.sqrt()
        }
    };
    coefficient.abs() * norm
}

/// As [`part`], of a term that is no sum of products.
fn evaluated_part(term: &Evaluated, layer: usize, before: &Before, signals: &Signals<'_>) -> f64 {
    let (backend, [weights, feedback]) = (before.network.backend, before.weights(layer));
    let seen = SynapseSignals {
        weights,
        feedback,
        pre_activation: &signals.pre_activation,
        activation: &signals.activation,
        pre_error: &signals.pre_error,
        error: &signals.error,
        beyond: signals.beyond,
    };
    // What it remembers has moved on already; this is as it was.
    let mut evaluator = term.evaluator.clone();
    evaluator.prepare(backend, seen);
    let mut change = InputMajor::zeros(weights.n_in(), weights.n_out());
    evaluator.add(backend, term.coefficient, [Some(weights), Some(feedback)], &mut change);
    squares(&as_flat(change.lanes()).iter().map(|&x| f64::from(x)).collect::<Vec<_>>()).sqrt()
}

fn squares(v: &[f64]) -> f64 {
    v.iter().map(|x| x.powi(2)).sum()
}

/// ‖a − b‖
fn distance(a: &InputMajor, b: &InputMajor) -> f64 {
    let pairs = as_flat(a.lanes()).iter().zip(as_flat(b.lanes()));
    pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests;
