use std::borrow::Cow;

use super::inner::{InnerLoop, Sample};
use super::learned_rule::{LearnedRule, initial};
use super::query::Query;
use super::reverse::Reverse;
use super::*;
use crate::kernels::Backend;
use crate::science::activation::Activation;
use crate::science::feedback::Feedback;
use crate::science::initialization::Initialization;
use crate::science::network::{Architecture, Network};
use crate::science::online::OnlineTrainer;
use crate::science::plasticity::{Coefficient, Form, Rule, Signal, Synapses, Term};
use crate::science::samples::Samples;

mod double;
mod episodes;
mod general;
mod gradients;

const SOFTPLUS: Activation = Activation::Softplus { beta: 10.0 };

/// Not a multiple of what kernels take together.
const N_PIXELS: usize = 15;

/// The terms of rule (9), θ0 … θ5.
const NINE: [&str; 6] = ["gradient", "error_hebb", "oja", "decay", "feedback_hebb", "feedback_decay"];

/// Coefficients at which every term matters, none to be lost in another's rounding.
const THETA: [f64; 6] = [0.05, 0.03, 0.02, 0.004, 0.03, 0.006];

fn rule_nine(theta: [f64; 6]) -> Rule {
    let terms: Vec<_> = NINE.into_iter().zip(theta).map(|(name, theta)| (name, Coefficient::Uniform(theta))).collect();
    Rule::new(&terms).unwrap()
}

/// The named ones of rule (9), with their coefficients of [`THETA`].
fn of_rule_nine(names: &[&str]) -> Rule {
    let terms = NINE.into_iter().zip(THETA).filter(|(name, _)| names.contains(name));
    Rule::new(&terms.map(|(name, theta)| (name, Coefficient::Uniform(theta))).collect::<Vec<_>>()).unwrap()
}

/// Shipped terms, and terms that nobody ships: `cross` and `cross_feedback` combine every signal with every other that fits,
/// `predicted` is e_ℓ (Wᵀ y_ℓ)ᵀ.
fn made_up(coefficients: &[(&str, f64)]) -> Rule {
    use Signal::*;
    let outer = |left: &[(f64, Signal)], right: &[(f64, Signal)]| Form::Outer {
        left: Cow::Owned(left.to_vec()),
        right: Cow::Owned(right.to_vec()),
    };
    let term = |name: &'static str, synapses, form| Term {
        name: Cow::Borrowed(name),
        synapses,
        form,
        plausibility: Cow::Borrowed("made up"),
    };
    let own = [
        term(
            "cross",
            Synapses::Forward,
            outer(
                &[(0.5, PostError), (0.3, PostActivation)],
                &[(1.0, PreError), (-0.7, Projection), (0.4, PreActivation)],
            ),
        ),
        term(
            "cross_feedback",
            Synapses::Feedback,
            outer(
                &[(0.6, PreError), (0.5, Projection), (-0.2, PreActivation)],
                &[(0.8, PostActivation), (-0.5, PostError)],
            ),
        ),
        term("predicted", Synapses::Forward, outer(&[(1.0, PostError)], &[(1.0, Projection)])),
    ];
    let terms = coefficients.iter().map(|&(name, coefficient)| {
        let term = own.iter().find(|term| term.name == name).unwrap_or_else(|| Term::named(name).unwrap());
        (term.clone(), Coefficient::Uniform(coefficient))
    });
    Rule::with_terms(terms.collect()).unwrap()
}

/// Images with many silent pixels, in an order that leaves gaps of one step and of many.
fn images(n: usize, n_pixels: usize) -> Vec<Vec<u8>> {
    let lit = |s: usize, i: usize| (s * 7 + i * 5 + s * i).is_multiple_of(3) && (i != 2 || s.is_multiple_of(11));
    (0..n).map(|s| (0..n_pixels).map(|i| if lit(s, i) { (37 * s + 91 * i) as u8 | 1 } else { 0 }).collect()).collect()
}

fn samples(images: &[Vec<u8>], n_classes: usize) -> Vec<Sample<'_>> {
    images.iter().enumerate().map(|(s, pixels)| (&pixels[..], s * s % n_classes)).collect()
}

/// An inner loop of a small network. All terms of the rule are learned.
struct Case {
    activation: Activation,
    feedback: Feedback,
    rule: Rule,
    n_steps: usize,
}

impl Case {
    fn architecture(&self) -> Architecture {
        Architecture::new(vec![N_PIXELS, 20, 17, 5, 4], self.activation).unwrap()
    }

    fn inner(&self) -> InnerLoop {
        let learned = vec![true; self.rule.terms().len()];
        let mut inner = InnerLoop::new(&self.architecture(), self.feedback, LearnedRule::new(&self.rule, &learned));
        inner.initialize(&Initialization::Xavier, 5);
        inner
    }

    fn theta(&self) -> Vec<f64> {
        initial(&self.rule)
    }

    /// Query loss after the loop, and its derivatives.
    fn run(&self, backend: Backend) -> (Query, Vec<f64>) {
        let images = images(self.n_steps + 6, N_PIXELS);
        let samples = samples(&images, 4);
        let mut inner = self.inner();
        inner.network.backend = backend;
        let mut reverse = Reverse::new(&inner);
        inner.train(&self.theta(), &samples[..self.n_steps]);
        let query = reverse.query(&inner, &samples[self.n_steps..]);
        (query, reverse.differentiate(&mut inner))
    }
}

fn cases() -> Vec<Case> {
    let case = |activation, feedback, rule, n_steps| Case { activation, feedback, rule, n_steps };
    let all = || rule_nine(THETA);
    let no_oja = || of_rule_nine(&["gradient", "error_hebb", "decay", "feedback_hebb", "feedback_decay"]);
    let forward_only = || of_rule_nine(&NINE[..4]);
    let everything = [("gradient", 0.05), ("hebb", 0.01), ("cross", 0.02), ("decay", 0.01), ("cross_feedback", 0.02)];
    vec![
        // More steps than two checkpoint intervals; fewer than a block of the first layer; exactly two; one.
        case(SOFTPLUS, Feedback::Plastic, all(), 140),
        case(SOFTPLUS, Feedback::Plastic, all(), 7),
        case(SOFTPLUS, Feedback::Plastic, all(), 32),
        case(SOFTPLUS, Feedback::Plastic, all(), 1),
        case(SOFTPLUS, Feedback::Plastic, no_oja(), 60),
        case(
            SOFTPLUS,
            Feedback::Plastic,
            of_rule_nine(&["gradient", "oja", "decay", "feedback_hebb", "feedback_decay"]),
            30,
        ),
        case(SOFTPLUS, Feedback::Random, forward_only(), 30),
        case(SOFTPLUS, Feedback::Symmetric, of_rule_nine(&["gradient"]), 60),
        case(SOFTPLUS, Feedback::Symmetric, forward_only(), 30),
        case(SOFTPLUS, Feedback::Symmetric, of_rule_nine(&["gradient", "error_hebb", "decay"]), 30),
        case(Activation::Tanh, Feedback::Plastic, all(), 30),
        case(Activation::Tanh, Feedback::Plastic, no_oja(), 30),
        case(Activation::Sigmoid, Feedback::Plastic, all(), 30),
        case(Activation::Sigmoid, Feedback::Symmetric, forward_only(), 30),
        // As learning begins: coefficients of 0 have derivatives.
        case(SOFTPLUS, Feedback::Plastic, rule_nine([0.05, 0.0, 0.0, 0.0, 0.0, 0.0]), 30),
        // Other terms: W moved through Wᵀ y by errors too, B by every signal, B decaying beside it, one term written twice.
        case(SOFTPLUS, Feedback::Plastic, made_up(&[("gradient", 0.05), ("hebb", 0.01), ("predicted", 0.02)]), 30),
        case(SOFTPLUS, Feedback::Symmetric, made_up(&[("gradient", 0.05), ("predicted", -0.02), ("decay", 0.01)]), 30),
        case(SOFTPLUS, Feedback::Plastic, made_up(&everything), 30),
        case(Activation::Tanh, Feedback::Plastic, made_up(&everything), 30),
        case(SOFTPLUS, Feedback::Symmetric, made_up(&everything[..4]), 30),
        case(SOFTPLUS, Feedback::Plastic, made_up(&[("cross", 0.02), ("feedback_decay", 0.01), ("hebb", 0.0)]), 30),
    ]
}
