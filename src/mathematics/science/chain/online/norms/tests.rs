use ndarray::{Array1, Array2};
use proptest::prelude::*;

use super::super::tests::{ACTIVATIONS, SOFTPLUS, equation, network};
use super::*;
use crate::science::feedback::Feedback;
use crate::science::plasticity::Rule;
use crate::science::reference::{Reference, input, noise, outer};

/// What single precision leaves of a norm: the signals are of single precision, the sums are not.
const TOLERANCE: f64 = 1e-5;

fn frobenius(m: &Array2<f64>) -> f64 {
    m.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn shipped(name: &str) -> Term {
    Term::named(name).unwrap().clone()
}

/// One of each layer, none like another.
fn per_layer(c: f64) -> Coefficient {
    Coefficient::PerLayer(vec![c, -0.5 * c, 2.0 * c])
}

/// A sum of products with a decay, which cancels; one with a state; one that moves B.
fn written() -> [Term; 3] {
    let bcm = ("theta", 0.05, "(1 - rate) * theta + rate * y_post.^2");
    [
        equation(
            "pulled",
            Moved::Forward,
            "y_post * (y_pre - W' * y_post)' + 0.5 * e_post * (e_pre - 2 * y_pre)' - rate * W",
            None,
        ),
        equation("bcm", Moved::Forward, "(y_post .* (y_post - theta)) * y_pre'", Some(bcm)),
        equation("cubic", Moved::Feedback, "-y_pre * e_post' - B.^3 - 0.1 * W'", None),
    ]
}

/// Whole matrices in double precision, each term alone, straight from its formula.
fn expected(reference: &Reference, sample: (&Array1<f64>, usize), term: &Term, theta: &[Array1<f64>]) -> Vec<f64> {
    let (x, label) = sample;
    if Term::named(&term.name).is_ok() {
        let alone = Rule::with_terms(vec![(term.clone(), Coefficient::Uniform(1.0))]).unwrap();
        let changes = reference.update(&alone, x, label).into_iter();
        return changes.map(|(dw, db)| frobenius(if term.synapses == Moved::Forward { &dw } else { &db })).collect();
    }
    let (z, y) = reference.forward(x);
    let e = reference.errors(&z, &y, label);
    let change = |l: usize| {
        let (w, pre, post) = (&reference.w[l], &y[l], &y[l + 1]);
        match &*term.name {
            "pulled" => {
                outer(post, pre) - outer(post, post).dot(w) + outer(&e[l + 1], &(&e[l] - &(pre * 2.0))) * 0.5 - w * 0.1
            }
            "bcm" => outer(&(post * &(post - &theta[l])), pre),
            _ => {
                let b = &reference.b.as_ref().expect("B has weights of its own")[l];
                -outer(pre, &e[l + 1]) - b.mapv(|b| b.powi(3)) - w.t().mapv(|w| 0.1 * w)
            }
        }
    };
    (0..reference.w.len()).map(|l| frobenius(&change(l))).collect()
}

/// With kernels alone, where the first layer's steps wait, and beside terms that have to be evaluated.
#[test]
fn every_part_has_the_norm_of_its_formula_in_double_precision() {
    const STEPS: usize = 5;
    let samples = noise(STEPS, 37, 10, 1);
    let order: Vec<u32> = (0..STEPS as u32).collect();
    let everything = || Term::shipped().iter().cloned().zip([0.02, -0.03, 0.004, 0.001, 0.0005, 0.01, 0.002]);
    let all: Vec<_> = everything().map(|(term, c)| (term, per_layer(c))).collect();
    let beside: Vec<_> =
        all.iter().cloned().chain(written().into_iter().zip([0.003, 0.002, 0.01].map(per_layer))).collect();
    let products: Vec<_> = all.iter().cloned().chain([(written()[0].clone(), per_layer(0.003))]).collect();
    for (terms, seen) in [(all, 7), (products, 8), (beside, 10)] {
        for activation in ACTIVATIONS {
            let mut trainer = OnlineTrainer::new(
                network(&[37, 33, 16, 10], activation, Feedback::Plastic),
                Rule::with_terms(terms.clone()).unwrap(),
            )
            .unwrap();
            let mut theta = [33, 16, 10].map(|n| Array1::from_elem(n, 0.05));
            let mut compared = 0;
            for (step, sample) in order.iter().enumerate() {
                // From the weights of single precision, so that only this step is judged.
                let reference = Reference::of(&trainer.network());
                let (x, label) = (input(&samples, step), samples.label(step));
                let norms = trainer.advance_recording(&samples, &[*sample]).unwrap();
                for (n, (term, coefficient)) in terms.iter().enumerate() {
                    let expected = expected(&reference, (&x, label), term, &theta);
                    for (l, expected) in expected.into_iter().enumerate() {
                        let expected = expected * coefficient.at(l + 1).abs();
                        let (name, found) = &norms[l].terms[n];
                        assert_eq!(*name, term.name);
                        let apart = (found / expected - 1.0).abs();
                        assert!(apart < TOLERANCE, "{activation}, `{name}`, layer {}: {found} is {apart:e} off", l + 1);
                        compared += 1;
                    }
                }
                let y = reference.forward(&x).1;
                theta.iter_mut().zip(&y[1..]).for_each(|(theta, y)| *theta = &*theta * 0.9 + y * y * 0.1);
            }
            assert_eq!(compared, STEPS * 3 * seen);
        }
    }
}

/// Terms that cancel leave the kernels nothing to compute; their parts are what they are all the same, and nothing moves.
#[test]
fn terms_that_cancel_have_their_parts() {
    let samples = noise(1, 37, 10, 3);
    let terms = vec![
        (shipped("oja"), Coefficient::Uniform(0.01)),
        (equation("opposite", Moved::Forward, "y_post * (y_pre - W' * y_post)'", None), Coefficient::Uniform(-0.01)),
        (shipped("error_hebb"), Coefficient::Uniform(0.5)),
        (equation("against", Moved::Forward, "e_post * e_pre'", None), Coefficient::Uniform(-0.5)),
    ];
    let start = network(&[37, 33, 16, 10], SOFTPLUS, Feedback::Random);
    let reference = Reference::of(&start);
    let mut trainer = OnlineTrainer::new(start, Rule::with_terms(terms).unwrap()).unwrap();
    let norms = trainer.advance_recording(&samples, &[0]).unwrap();
    let x = input(&samples, 0);
    for (name, c) in [("oja", 0.01), ("error_hebb", 0.5)] {
        let expected = expected(&reference, (&x, samples.label(0)), &shipped(name), &[]);
        for (found, expected) in norms.iter().zip(expected) {
            assert_eq!(found.total, 0.0);
            let at = if name == "oja" { 0 } else { 2 };
            for (_, norm) in &found.terms[at..at + 2] {
                assert!((norm / (c * expected) - 1.0).abs() < TOLERANCE, "{name}: {norm}, not {}", c * expected);
            }
        }
    }
}

#[test]
fn looking_twice_leaves_what_neurons_remember_alone() {
    let samples = noise(20, 37, 10, 4);
    let order: Vec<u32> = (0..20).collect();
    let start = || {
        let [_, bcm, _] = written();
        let terms = vec![(shipped("gradient"), per_layer(0.02)), (bcm, per_layer(0.01))];
        OnlineTrainer::new(network(&[37, 33, 16, 10], SOFTPLUS, Feedback::Symmetric), Rule::with_terms(terms).unwrap())
            .unwrap()
    };
    let (mut watched, mut straight) = (start(), start());
    straight.advance(&samples, &order).unwrap();
    for sample in &order {
        watched.advance_recording(&samples, &[*sample]).unwrap();
    }
    assert_eq!(watched.network(), straight.network());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The part of a term that is alone is the whole update, but for the rounding of each weight that moves: less than the
    /// 2⁻²³ of it that a decay's multiplication and addition leave, and 1e-5 of the signals.
    #[test]
    fn the_part_of_a_term_that_is_alone_is_the_whole_update(
        n_pixels in prop::sample::select(vec![1_usize, 15, 16, 17, 50]),
        hidden in prop::sample::select(vec![1_usize, 15, 16, 17, 33]),
        activation in prop::sample::select(ACTIVATIONS.to_vec()),
        feedback in prop::sample::select(vec![Feedback::Symmetric, Feedback::Random, Feedback::Plastic]),
        number in 0_usize..8,
        c in prop::sample::select(vec![-0.3, 0.01, 0.1, 0.5]),
        seed in 0_u64..1000,
    ) {
        let samples = noise(3, n_pixels, 10, seed);
        let single = || equation("single", Moved::Forward, "y_post * y_pre' - diag(y_post.^2) * W", None);
        let [pulled, bcm, _] = written();
        let term = match number {
            0 => pulled,
            1 => bcm,
            2 => single(),
            _ => shipped(["gradient", "error_hebb", "oja", "decay", "hebb"][number - 3]),
        };
        let rule = Rule::with_terms(vec![(term.clone(), Coefficient::Uniform(c))]).unwrap();
        let mut trainer = OnlineTrainer::new(network(&[n_pixels, hidden, 10], activation, feedback), rule).unwrap();
        for sample in [0, 1, 2] {
            let before = trainer.network().into_owned();
            let norms = trainer.advance_recording(&samples, &[sample]).unwrap();
            for (l, found) in norms.iter().enumerate() {
                let [(name, part)] = &found.terms[..] else { panic!("one term") };
                let largest = frobenius(&before.forward_weights(l + 1).mapv(f64::from)) + found.total;
                let rounding = 1e-5 * part + largest * 2.0_f64.powi(-23);
                let apart = (part - found.total).abs();
                prop_assert!(apart <= rounding, "`{name}` {part} of {}: {apart:e} > {rounding:e}", found.total);
            }
        }
    }
}
