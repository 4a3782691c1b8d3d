//! The general inner loop: against differences of itself, online learning, and the kernels.

use super::double::Double;
use super::*;
use crate::science::feedback::WeightMirror;
use crate::science::loss::Loss;
use crate::science::meta::general::GeneralLoop;
use crate::science::plasticity::{Written, WrittenState};
use crate::science::reference::Reference;

const N_CLASSES: usize = 4;

fn written(name: &str, synapses: Synapses, equation: &str, state: &[(&str, f64, &str)]) -> Term {
    let state = state.iter().map(|&(name, start, update)| WrittenState {
        name: name.to_owned(),
        start,
        update: update.to_owned(),
    });
    let written = Written {
        name: name.to_owned(),
        synapses,
        equation: equation.to_owned(),
        parameters: Vec::new(),
        state: state.collect(),
    };
    Term::of_equation(&written).unwrap_or_else(|fault| panic!("{equation}: {fault:?}"))
}

fn rule_of(terms: Vec<(Term, f64)>) -> Rule {
    Rule::with_terms(terms.into_iter().map(|(term, theta)| (term, Coefficient::Uniform(theta))).collect()).unwrap()
}

fn shipped(terms: &[(&str, f64)]) -> Vec<(Term, f64)> {
    terms.iter().map(|&(name, theta)| (Term::named(name).unwrap().clone(), theta)).collect()
}

/// A rule with one written term beside the gradient.
fn beside_gradient(equation: &str, theta: f64, state: &[(&str, f64, &str)]) -> Rule {
    let term = written("mine", Synapses::Forward, equation, state);
    rule_of([shipped(&[("gradient", 0.05)]), vec![(term, theta)]].concat())
}

const MIRROR: WeightMirror = WeightMirror { every: 4, presentations: 6, rate: 0.2, decay: 0.1 };

fn pathways() -> [Feedback; 9] {
    [
        Feedback::Symmetric,
        Feedback::Random,
        Feedback::Plastic,
        Feedback::SignSymmetric { scale: 1.3 },
        Feedback::Direct,
        Feedback::None,
        Feedback::Broadcast { std: 0.1 },
        Feedback::KolenPollack,
        Feedback::WeightMirror(MIRROR),
    ]
}

/// Rules that between them use everything that equations can say.
fn rules() -> Vec<Rule> {
    let remembering = [("theta", 0.1, "0.8 * theta + 0.2 * y_post.^2"), ("trace", 0.0, "0.9 * trace + y_pre")];
    let number = [("level", 0.5, "0.7 * level + 0.3 * mean(y_post) * sum(e_post.^2)")];
    vec![
        rule_of(shipped(&[("gradient", 0.05), ("oja", 0.02), ("decay", 0.004)])),
        rule_of(shipped(&[("gradient", 0.05), ("error_hebb", 0.03), ("decay", 0.004), ("hebb", 0.005)])),
        rule_of(shipped(&NINE.into_iter().zip(THETA).collect::<Vec<_>>())),
        beside_gradient("(y_post .* (y_post - theta)) * trace'", 0.02, &remembering),
        beside_gradient("level * (y_post * y_pre') - level.^2 * W", 0.02, &number),
        beside_gradient("y_post * y_pre' - lower(y_post * y_post') * W", 0.02, &[]),
        beside_gradient("(e_post * y_pre') .* (1 - W.^2) - exp(-z_post.^2) * tanh(W' * y_post)'", 0.02, &[]),
        beside_gradient("diag(y_post - mean(y_post)) * W * diag(y_pre) - 0.1 * abs(W) .* W", 0.02, &[]),
        beside_gradient("(label - y_post) * y_pre' - loss * (noise * y_pre')", 0.01, &[]),
        beside_gradient("threshold(y_post - 0.1) * relu(y_pre - 0.2)' - 0.1 * sign(W)", 0.01, &[]),
        beside_gradient("(y_post' * W * y_pre) * W ./ (2 + W.^2) - e_post * (W' * y_post)'", 0.01, &[]),
        beside_gradient("0.1 * B' - y_post * (B * e_post)'", 0.02, &[]),
        beside_gradient("(W * e_pre) * e_pre'", 0.02, &[]),
        beside_gradient("-loss_change * noise * y_pre'", 0.05, &[]),
        rule_of(
            [
                shipped(&[("gradient", 0.05), ("decay", 0.01)]),
                vec![(
                    written(
                        "follow",
                        Synapses::Feedback,
                        "y_pre * y_post' - lower(y_pre * y_pre') * B + 0.1 * W'",
                        &[],
                    ),
                    0.02,
                )],
            ]
            .concat(),
        ),
    ]
}

struct Trial {
    feedback: Feedback,
    architecture: Architecture,
    rule: Rule,
}

impl Trial {
    fn inner(&self) -> GeneralLoop {
        let learned = vec![true; self.rule.terms().len()];
        let mut inner = GeneralLoop::new(&self.architecture, self.feedback, &self.rule, &learned);
        inner.initialize(&Initialization::Xavier, 5);
        inner
    }

    fn loss(&self, theta: &[f64], training: &[Sample], query: &[Sample]) -> f64 {
        let mut inner = self.inner();
        inner.train(theta, training);
        inner.query(query).loss
    }

    /// dL/dθ_k by central differences of fourth order, over so little that few weights change their sign.
    fn difference(&self, k: usize, theta: &[f64], training: &[Sample], query: &[Sample]) -> f64 {
        let h = 1e-6;
        let loss = |h: f64| {
            let mut theta = theta.to_vec();
            theta[k] += h;
            self.loss(&theta, training, query)
        };
        (8.0 * (loss(h) - loss(-h)) - (loss(2.0 * h) - loss(-2.0 * h))) / (12.0 * h)
    }
}

/// Every pathway with every rule that it takes.
fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (number, feedback) in pathways().into_iter().enumerate() {
        for rule in rules() {
            let completed = feedback.completes(rule.terms(), 3);
            if feedback.check_rule(&rule).is_err() || completed.is_err() {
                continue;
            }
            let activation = [SOFTPLUS, Activation::Tanh, Activation::Sigmoid][number % 3];
            let loss = if number % 4 == 3 { Loss::SquaredError } else { Loss::CrossEntropy };
            let architecture = Architecture::new(vec![N_PIXELS, 9, 7, N_CLASSES], activation).unwrap().with_loss(loss);
            trials.push(Trial { feedback, architecture, rule });
        }
    }
    trials
}

#[test]
fn derivatives_through_every_pathway_and_every_rule_agree_with_differences() {
    let images = images(18, N_PIXELS);
    let samples = samples(&images, N_CLASSES);
    let (training, query) = samples.split_at(13);
    for trial in trials() {
        let theta = initial(&trial.rule);
        let mut inner = trial.inner();
        inner.train(&theta, training);
        let loss = inner.query(query).loss;
        assert!(loss.is_finite() && loss == trial.loss(&theta, training, query));
        for (k, found) in inner.differentiate().into_iter().enumerate() {
            let expected = trial.difference(k, &theta, training, query);
            let off = (found - expected).abs() / (expected.abs() + 1e-2);
            let name = &trial.rule.terms()[k].0.name;
            assert!(off < 1e-6, "{:?}, `{name}` of {}: {found} for {expected}", trial.feedback, trial.rule.equation());
        }
    }
}

#[test]
fn it_learns_what_the_online_trainer_learns() {
    let images = images(30, N_PIXELS);
    let training = samples(&images, N_CLASSES);
    let order: Vec<u32> = (0..30).collect();
    let labels = training.iter().map(|&(_, class)| class as u16).collect();
    let set = Samples::new(images.concat(), labels, N_PIXELS, N_CLASSES).unwrap();
    for Trial { feedback, architecture, rule } in trials() {
        let trial = Trial { feedback, architecture, rule };
        let mut inner = trial.inner();
        let followers = feedback.completes(trial.rule.terms(), 3).unwrap();
        let rule = Rule::with_terms([trial.rule.terms().to_vec(), followers].concat()).unwrap();
        let mut trainer = OnlineTrainer::with_noise(inner.network().clone(), rule, 5).unwrap();
        inner.train(&initial(&trial.rule), &training);
        trainer.advance(&set, &order).unwrap();
        let (found, expected) = (inner.network(), trainer.network());
        for layer in 1..=3 {
            let compare = |found: ndarray::Array2<f32>, expected: ndarray::Array2<f32>| {
                let off = (&found - &expected).fold(0.0_f32, |most, off| most.max(off.abs()));
                assert!(off < 1e-5, "{feedback:?}, layer {layer}, {}: {off}", trial.rule.equation());
            };
            compare(found.forward_weights(layer), expected.forward_weights(layer));
            if let Some(b) = expected.feedback_weights(layer) {
                compare(found.feedback_weights(layer).unwrap(), b);
            }
        }
    }
}

/// The loss of a case, and its derivatives.
fn run(case: &Case, images: &[Vec<u8>]) -> (Query, Vec<f64>) {
    let samples = samples(images, 4);
    let learned = vec![true; case.rule.terms().len()];
    let mut inner = GeneralLoop::new(&case.architecture(), case.feedback, &case.rule, &learned);
    inner.initialize(&Initialization::Xavier, 5);
    inner.train(&case.theta(), &samples[..case.n_steps]);
    let query = inner.query(&samples[case.n_steps..]);
    (query, inner.differentiate())
}

#[test]
fn it_agrees_with_the_kernels_where_they_can_go() {
    for (number, case) in cases().iter().enumerate() {
        let (query, gradient) = case.run(crate::kernels::backend());
        let (found, derivatives) = run(case, &images(case.n_steps + 6, N_PIXELS));
        assert!((found.loss - query.loss).abs() < 1e-5 && found.accuracy == query.accuracy, "case {number}");
        for (k, (found, expected)) in derivatives.into_iter().zip(gradient).enumerate() {
            let off = (found - expected).abs() / (expected.abs() + 0.01);
            assert!(off < 1e-4, "case {number}, `{}`: {found} for {expected}", case.rule.terms()[k].0.name);
        }
    }
}

/// Nothing is shared with it, and it starts from the same numbers.
#[test]
fn it_agrees_with_differences_of_an_independent_implementation() {
    for (number, case) in cases().iter().enumerate() {
        let images = images(case.n_steps + 6, N_PIXELS);
        let samples = samples(&images, 4);
        let (training, questions) = samples.split_at(case.n_steps);
        let double = Double { start: Reference::of(&case.inner().network), rule: &case.rule };
        for (k, found) in run(case, &images).1.into_iter().enumerate() {
            let expected = double.derivative(k, &case.theta(), training, questions);
            let off = (found - expected).abs() / (expected.abs() + 0.01);
            assert!(off < 1e-6, "case {number}, `{}`: {found} for {expected}", case.rule.terms()[k].0.name);
        }
    }
}

/// Segments are made again on the way back; so is nothing of what was before.
#[test]
fn an_inner_loop_that_was_used_gives_the_same_bytes() {
    let images = images(18, N_PIXELS);
    let samples = samples(&images, N_CLASSES);
    let run = |inner: &mut GeneralLoop, theta: &[f64], n: usize| {
        inner.initialize(&Initialization::Xavier, 8);
        inner.train(theta, &samples[..n]);
        let query = inner.query(&samples[13..]);
        (query, inner.differentiate())
    };
    for trial in trials() {
        let theta = initial(&trial.rule);
        let (mut fresh, mut used) = (trial.inner(), trial.inner());
        run(&mut used, &vec![1e4; theta.len()], 13);
        run(&mut used, &theta, 5);
        assert_eq!(run(&mut used, &theta, 13), run(&mut fresh, &theta, 13));
    }
}

/// Figure 8's network, as many steps as in an episode.
#[test]
#[ignore = "ten seconds"]
fn at_full_size_it_agrees_with_the_kernels() {
    let images = gradients::patches(270);
    let samples = samples(&images, 5);
    let (training, questions) = samples.split_at(250);
    let architecture = Architecture::new(vec![784, 170, 130, 100, 70, 47], SOFTPLUS).unwrap();
    for (rule, feedback, theta) in gradients::conditions() {
        let learned = vec![true; theta.len()];
        let mut kernels = InnerLoop::new(&architecture, feedback, LearnedRule::new(&rule, &learned));
        let mut reverse = Reverse::new(&kernels);
        let mut general = GeneralLoop::new(&architecture, feedback, &rule, &learned);
        let start = std::time::Instant::now();
        general.initialize(&Initialization::Xavier, 5);
        general.train(&theta, training);
        general.query(questions);
        let found = general.differentiate();
        let of_general = start.elapsed();
        let start = std::time::Instant::now();
        kernels.initialize(&Initialization::Xavier, 5);
        kernels.train(&theta, training);
        reverse.query(&kernels, questions);
        let expected = reverse.differentiate(&mut kernels);
        println!("{} terms: {of_general:?}, kernels {:?}", theta.len(), start.elapsed());
        for (k, (found, expected)) in found.into_iter().zip(expected).enumerate() {
            let off = (found - expected).abs() / expected.abs();
            println!("  `{}`: {found} for {expected}", rule.terms()[k].0.name);
            assert!(off < 1e-3, "`{}`: {found} for {expected}", rule.terms()[k].0.name);
        }
    }
}
