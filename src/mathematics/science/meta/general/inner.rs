//! A network learns a task, is asked what it has learned, and the answer is differentiated.

use super::activation::output_error;
use super::chain;
use super::errors::Pathway;
use super::noise::Noise;
use super::signals::{Adjoints, Signals};
use super::state::State;
use super::step::{Learning, Tape};
use crate::kernels::INTENSITY;
use crate::science::feedback::Feedback;
use crate::science::initialization::Initialization;
use crate::science::meta::inner::Sample;
use crate::science::meta::query::{Query, is_largest};
use crate::science::network::{Architecture, Network};
use crate::science::plasticity::Rule;

/// The inner loop of a network that learns by any rule.
#[derive(Clone, Debug)]
pub(in super::super) struct GeneralLoop {
    learning: Learning,
    network: Network,
    n_terms: usize,
    seed: u64,
    noise: Noise,
    theta: Vec<f64>,
    /// y_0 and label of each step.
    samples: Vec<(Vec<f64>, usize)>,
    /// Steps of each segment but the last.
    segment: usize,
    /// The states before each segment, and after the last.
    checkpoints: Vec<State>,
    /// Of the segment at hand: the states before each step, and after the last; what each left behind.
    states: Vec<State>,
    tapes: Vec<Tape>,
    /// V, U, and the adjoint of what neurons remember.
    adjoint: State,
}

impl GeneralLoop {
    /// `learned` are the terms of `rule` whose coefficients change; one that is 0 and does not change takes no part.
    pub(in super::super) fn new(
        architecture: &Architecture,
        feedback: Feedback,
        rule: &Rule,
        learned: &[bool],
    ) -> Self {
        let network = Network::initialize(architecture, &Initialization::Naive { std: 0.0 }, feedback, 0);
        let learning = Learning::new(architecture, feedback, rule, learned);
        Self {
            adjoint: State::of(&network, &learning.terms),
            learning,
            network,
            n_terms: rule.terms().len(),
            seed: 0,
            noise: Noise::default(),
            theta: Vec::new(),
            samples: Vec::new(),
            segment: 1,
            checkpoints: Vec::new(),
            states: Vec::new(),
            tapes: Vec::new(),
        }
    }

    /// Draws W and B anew; the noise of what follows is that of the same seed.
    pub(in super::super) fn initialize(&mut self, initialization: &Initialization, seed: u64) {
        self.network.draw(initialization, seed);
        self.seed = seed;
        self.checkpoints = vec![State::of(&self.network, &self.learning.terms)];
    }

    /// Learns `samples` in their order with the coefficients `theta`, in the order of the rule's terms.
    pub(in super::super) fn train(&mut self, theta: &[f64], samples: &[Sample]) {
        self.theta = theta.to_vec();
        self.samples = samples.iter().copied().map(input).collect();
        self.segment = (1..).find(|n| n * n >= samples.len()).expect("some square is as large");
        self.draw_noise();
        self.checkpoints.truncate(1);
        let begin = &self.checkpoints[0];
        self.states.resize_with(self.segment + 1, || begin.clone());
        self.tapes.resize_with(self.segment, Tape::default);
        for segment in 0..samples.len().div_ceil(self.segment) {
            self.learn_segment(segment);
            self.checkpoints.push(self.states[self.steps_of(segment).len()].clone());
        }
        let end = self.checkpoints.last().expect("there is one more than segments");
        self.network.forward = end.w.iter().map(|w| w.single()).collect();
        self.network.backward = end.b.iter().map(|b| b.single()).collect();
    }

    /// The trained network, in single precision.
    pub(in super::super) fn network(&self) -> &Network {
        &self.network
    }

    fn draw_noise(&mut self) {
        let Pathway { architecture, feedback, .. } = &self.learning.pathway;
        let (sizes, n_steps) = (architecture.sizes(), self.samples.len());
        if self.learning.reads_noise() {
            self.noise.draw_of_neurons(sizes, self.seed, n_steps);
        }
        if let Feedback::WeightMirror(mirror) = feedback {
            self.noise.draw_of_mirror(mirror, self.learning.lowest_mirrored(), sizes, self.seed, n_steps);
        }
    }

    fn steps_of(&self, segment: usize) -> std::ops::Range<usize> {
        let first = segment * self.segment;
        first..self.samples.len().min(first + self.segment)
    }

    /// The noise of the phase before step `t`, if there is one.
    fn phase_before(&self, t: usize) -> Option<&[Vec<Vec<f64>>]> {
        let Feedback::WeightMirror(mirror) = &self.learning.pathway.feedback else { return None };
        let t = t as u64;
        t.is_multiple_of(mirror.every).then(|| &self.noise.of_mirror[(t / mirror.every) as usize][..])
    }

    /// The steps of a segment, from the state before it.
    fn learn_segment(&mut self, segment: usize) {
        let (mut states, mut tapes) = (std::mem::take(&mut self.states), std::mem::take(&mut self.tapes));
        states[0].copy_from(&self.checkpoints[segment]);
        for (k, t) in self.steps_of(segment).enumerate() {
            if let Some(noise) = self.phase_before(t) {
                self.learning.phase(&mut states[k], noise);
            }
            let (image, label) = &self.samples[t];
            let signals = &mut tapes[k].signals;
            (signals.y, signals.label) = (vec![image.clone()], *label);
            signals.noise = self.noise.of_neurons.get(t).cloned().unwrap_or_default();
            let (before, after) = states.split_at_mut(k + 1);
            self.learning.step(&self.theta, &before[k], &mut after[0], &mut tapes[k]);
        }
        (self.states, self.tapes) = (states, tapes);
    }

    /// Loss and accuracy of the trained network, and V of that loss: what [`GeneralLoop::differentiate`] starts from.
    pub(in super::super) fn query(&mut self, samples: &[Sample]) -> Query {
        let end = self.checkpoints.last().expect("it was trained");
        let architecture = &self.learning.pathway.architecture;
        let n_layers = architecture.n_layers();
        let n = samples.len() as f64;
        self.adjoint.clear();
        let (mut loss, mut correct) = (0.0, 0_usize);
        for &sample in samples {
            let (image, label) = input(sample);
            let mut signals = Signals { y: vec![image], label, ..Signals::default() };
            chain::forward(architecture, &end.w, &mut signals);
            loss += architecture.loss().of(&signals.z[n_layers], label);
            correct += usize::from(is_largest(&signals.z[n_layers], label));
            let mut bar = Adjoints::zeros(architecture.sizes());
            let error = output_error(&signals.y[n_layers], label);
            bar.z[n_layers] = error.into_iter().map(|e| e / n).collect();
            chain::forward_back(architecture, &end.w, &signals, &mut bar, &mut self.adjoint.w);
        }
        // A network whose weights single precision does not have has diverged, as it would in training.
        let loss = if end.is_finite() { loss / n } else { f64::NAN };
        Query { loss, accuracy: correct as f64 / n }
    }

    /// Derivatives of the query loss with respect to the coefficients, in the order of the rule's terms, after
    /// [`GeneralLoop::query`]; 0 of terms that take no part.
    pub(in super::super) fn differentiate(&mut self) -> Vec<f64> {
        let mut of_theta = vec![0.0; self.n_terms];
        let n_segments = self.checkpoints.len() - 1;
        let (mut adjoint, mut room) = (self.adjoint.clone(), self.adjoint.clone());
        for segment in (0..n_segments).rev() {
            // The last one is still there from training.
            if segment + 1 < n_segments {
                self.learn_segment(segment);
            }
            for (k, t) in self.steps_of(segment).enumerate().rev() {
                let (before, tape) = (&self.states[k], &self.tapes[k]);
                self.learning.step_back(&self.theta, before, tape, &mut adjoint, &mut room, &mut of_theta);
                if let Some(noise) = self.phase_before(t) {
                    self.learning.phase_back(before, noise, &mut adjoint);
                }
            }
        }
        of_theta
    }
}

fn input((pixels, label): Sample) -> (Vec<f64>, usize) {
    (pixels.iter().map(|&pixel| f64::from(INTENSITY[usize::from(pixel)])).collect(), label)
}
