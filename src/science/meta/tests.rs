use super::inner::{InnerLoop, Sample};
use super::reverse::{Query, Reverse};
use super::*;
use crate::science::activation::Activation;
use crate::science::initialization::{Feedback, Initialization};
use crate::science::network::Architecture;

const SOFTPLUS: Activation = Activation::Softplus { beta: 10.0 };

/// Coefficients at which every term matters, none to be lost in another's rounding.
const THETA: Coefficients = [0.05, 0.03, 0.02, 0.004, 0.03, 0.006];

/// Images with many silent pixels, in an order that leaves gaps of one step and of many.
fn images(n: usize, n_pixels: usize) -> Vec<Vec<u8>> {
    let lit = |s: usize, i: usize| (s * 7 + i * 5 + s * i) % 3 == 0 && !(i == 2 && s % 11 != 0);
    (0..n).map(|s| (0..n_pixels).map(|i| if lit(s, i) { (37 * s + 91 * i) as u8 | 1 } else { 0 }).collect()).collect()
}

fn samples(images: &[Vec<u8>], n_classes: usize) -> Vec<Sample<'_>> {
    images.iter().enumerate().map(|(s, pixels)| (&pixels[..], s * s % n_classes)).collect()
}

struct Case {
    activation: Activation,
    feedback: Feedback,
    learned: [bool; 6],
    n_steps: usize,
}

impl Case {
    fn inner<F: real::Real>(&self) -> InnerLoop<F> {
        let architecture = Architecture::new(vec![12, 9, 17, 5, 4], self.activation).unwrap();
        let mut inner = InnerLoop::new(&architecture, self.feedback, self.learned);
        inner.initialize(&Initialization::Xavier, 5);
        inner
    }

    fn theta(&self) -> Coefficients {
        std::array::from_fn(|k| if self.learned[k] { THETA[k] } else { 0.0 })
    }

    /// Query loss after the loop with coefficients `theta`, and its derivatives.
    fn run<F: real::Real>(&self, theta: &Coefficients) -> (Query, [f64; 6]) {
        let images = images(self.n_steps + 6, 12);
        let samples = samples(&images, 4);
        let mut inner = self.inner::<F>();
        let mut reverse = Reverse::new(&inner);
        inner.train(theta, &samples[..self.n_steps]);
        let query = reverse.query(&inner, &samples[self.n_steps..]);
        (query, reverse.differentiate(&mut inner))
    }

    /// dL/dθ_k by central differences of fourth order.
    fn difference(&self, k: usize) -> f64 {
        let loss = |h: f64| {
            let mut theta = self.theta();
            theta[k] += h;
            self.run::<f64>(&theta).0.loss
        };
        let h = 2e-5;
        (8.0 * (loss(h) - loss(-h)) - (loss(2.0 * h) - loss(-2.0 * h))) / (12.0 * h)
    }
}

fn cases() -> Vec<Case> {
    let (all, no_oja) = ([true; 6], [true, true, false, true, true, true]);
    let forward_only = [true, true, true, true, false, false];
    let case = |activation, feedback, learned, n_steps| Case { activation, feedback, learned, n_steps };
    vec![
        // More steps than two checkpoint intervals; fewer than one; exactly one; one.
        case(SOFTPLUS, Feedback::Plastic, all, 60),
        case(SOFTPLUS, Feedback::Plastic, all, 7),
        case(SOFTPLUS, Feedback::Plastic, all, 25),
        case(SOFTPLUS, Feedback::Plastic, all, 1),
        case(SOFTPLUS, Feedback::Plastic, no_oja, 60),
        case(SOFTPLUS, Feedback::Plastic, [true, false, true, true, true, true], 30),
        case(SOFTPLUS, Feedback::Random, forward_only, 30),
        case(SOFTPLUS, Feedback::Symmetric, [true, false, false, false, false, false], 60),
        case(SOFTPLUS, Feedback::Symmetric, forward_only, 30),
        case(SOFTPLUS, Feedback::Symmetric, [true, true, false, true, false, false], 30),
        case(Activation::Tanh, Feedback::Plastic, all, 30),
        case(Activation::Tanh, Feedback::Plastic, no_oja, 30),
        case(Activation::Sigmoid, Feedback::Plastic, all, 30),
        case(Activation::Sigmoid, Feedback::Symmetric, forward_only, 30),
    ]
}

#[test]
fn every_derivative_agrees_with_differences_of_the_whole_inner_loop() {
    for (number, case) in cases().iter().enumerate() {
        let (_, gradient) = case.run::<f64>(&case.theta());
        for k in 0..6 {
            if !case.learned[k] {
                assert_eq!(gradient[k], 0.0);
                continue;
            }
            let difference = case.difference(k);
            // B learns after it was used, so one step does not depend on θ4 and θ5 at all, and both sides are exactly 0.
            let error = (gradient[k] - difference).abs();
            assert!(error <= 1e-8 * difference.abs(), "case {number}, θ{k}: {} against {difference}", gradient[k]);
        }
    }
}
