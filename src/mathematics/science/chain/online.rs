//! Online learning: one sample, one update.
//!
//! Of every step: forward (1); e_L = softmax(z_L) − onehot; then, from the output down, each layer's errors (7), its
//! projection and its plasticity in one pass over its weights.
//!
//! Where the rule allows it, the first layer's steps are carried out many at a time (`first_layer.rs`). Those of other layers
//! wait for the next forward pass (`kernels/waiting.rs`), or the end of a call.

mod memory;
mod norms;

use std::borrow::Cow;
use std::sync::Arc;

use super::first_layer::FirstLayer;
use super::mirror::Mirror;
use super::network::{Network, follow_signs};
use super::pathways::Pathway;
use super::signals::ChainSynapses;
use crate::kernels::program::{Beyond, Evaluator, Operand, Seen, SynapseSignals};
use crate::kernels::{self, Active, ErrorBelow, Lanes, LayerSignals, SynapticRule, Waiting, largest};
use crate::science::InvalidParameter;
use crate::science::activation::Activation;
use crate::science::dynamics::{Online, Synapses};
use crate::science::feedback::Feedback;
pub use crate::science::learner::{Divergence, UpdateNorms};
use crate::science::learner::{Learner, Remembered};
use crate::science::plasticity::{Coefficient, Equation, Rule, Synapses as Moved, Term};
use crate::science::samples::Samples;
use crate::science::tape::{Foreign, Tape};
use norms::Before;

/// While no weight can exceed this, none can have overflowed, and looking is unnecessary.
const SURELY_FINITE: f64 = 1e30;

/// A network that learns.
#[derive(Clone, Debug)]
pub struct OnlineTrainer {
    online: Online<Pathway, PlasticChain>,
    rule: Rule,
}

/// The weights of a chain, moved by the terms of a rule.
#[derive(Clone, Debug)]
struct PlasticChain {
    /// Its first layer as it was before the steps that `first` holds.
    network: Network,
    first: Option<FirstLayer>,
    /// Phases of noise, where B learns in them.
    mirror: Option<Mirror>,
    /// The step of layer ℓ at ℓ − 1, where it waits for the next forward pass; that of the first layer never does.
    waiting: Vec<Waiting>,
    /// The rule of layer ℓ at ℓ − 1, as the kernels take it.
    synaptic: Vec<SynapticRule>,
    /// The terms of layer ℓ at ℓ − 1 that have to be evaluated, with what they read as it was before a step.
    evaluated: Vec<Vec<Evaluated>>,
    /// An upper bound of |w| over W (and B) of layer ℓ at ℓ − 1; over the norms of rows where steps wait for one another.
    bounds: Vec<f64>,
}

/// A term of a layer that no kernel was written for.
#[derive(Clone, Debug)]
struct Evaluated {
    /// What the rule calls it.
    name: Cow<'static, str>,
    coefficient: f32,
    synapses: Moved,
    /// W or B, or B at all.
    reads_weights: bool,
    reads_feedback: bool,
    reads_pre_error: bool,
    evaluator: Evaluator,
}

impl Evaluated {
    /// The terms of a layer.
    fn of_layer(rule: &Rule, layer: usize, sizes: &[usize]) -> Vec<Self> {
        let of = |(term, equation, coefficient): (&Term, &Arc<Equation>, &Coefficient)| {
            let (coefficient, program) = (coefficient.at(layer) as f32, equation.program());
            let reads_feedback = program.reads_matrix(Operand::Feedback);
            (coefficient != 0.0).then(|| Self {
                name: term.name.clone(),
                coefficient,
                synapses: term.synapses,
                reads_weights: program.reads_matrix(Operand::Weights) || reads_feedback,
                reads_feedback,
                reads_pre_error: program.reads(Seen::PreError),
                evaluator: equation.evaluator(sizes[layer - 1], sizes[layer]),
            })
        };
        rule.evaluated().filter_map(of).collect()
    }
}

impl OnlineTrainer {
    /// `network`, to be trained by `rule`. Noise, where the pathway of errors or a term has any, is that of seed 0.
    ///
    /// # Errors
    /// If the rule has not as many coefficients as the network has layers, or reads or moves what the pathway of the network's
    /// errors does not have, or if the network is normalised, which takes batches.
    pub fn new(network: Network, rule: Rule) -> Result<Self, InvalidParameter> {
        Self::with_noise(network, rule, 0)
    }

    /// As [`OnlineTrainer::new`], with the noise of `seed`.
    ///
    /// # Errors
    /// As there.
    pub fn with_noise(network: Network, rule: Rule, seed: u64) -> Result<Self, InvalidParameter> {
        if network.is_normalized() {
            return Err(InvalidParameter::new(
                "batch normalisation has no online form: train without it, or in batches",
            ));
        }
        rule.check_layers(network.n_layers())?;
        network.feedback().check()?.check_rule(&rule)?;
        let pathway = Pathway::new(&network, &rule, seed);
        Ok(Self { online: Online::new(pathway, PlasticChain::new(network, &rule, seed)), rule })
    }

    /// One online step for each index of `order`. How a sequence is cut into calls does not change any number.
    ///
    /// # Errors
    /// If a number is no longer finite; the trainer then stays where it was and returns the same again.
    ///
    /// # Panics
    /// If the samples do not fit the network.
    pub fn advance(&mut self, samples: &Samples, order: &[u32]) -> Result<(), Divergence> {
        self.online.advance(samples, order)
    }

    /// As [`OnlineTrainer::advance`], and the norms of the last step's update, one entry per layer 1 … L; empty if `order`
    /// is.
    ///
    /// # Errors
    /// As [`OnlineTrainer::advance`].
    pub fn advance_recording(&mut self, samples: &Samples, order: &[u32]) -> Result<Vec<UpdateNorms>, Divergence> {
        let Some((last, earlier)) = order.split_last() else { return Ok(Vec::new()) };
        self.advance(samples, earlier)?;
        let before = Before::of(self);
        self.advance(samples, &[*last])?;
        Ok(self.update_norms(&before, samples.active(*last as usize)))
    }

    /// The network as it is now; a copy if steps wait.
    pub fn network(&self) -> Cow<'_, Network> {
        self.online.synapses.network()
    }

    /// The rule by which it learns.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Training samples seen.
    pub fn steps(&self) -> u64 {
        self.online.steps()
    }
}

impl PlasticChain {
    fn new(network: Network, rule: &Rule, seed: u64) -> Self {
        let (sizes, n_layers) = (network.architecture().sizes(), network.n_layers());
        let synaptic: Vec<SynapticRule> = (1..=n_layers).map(|layer| rule.of_layer(layer)).collect();
        let evaluated: Vec<_> = (1..=n_layers).map(|layer| Evaluated::of_layer(rule, layer, sizes)).collect();
        let waits = why_one_by_one(network.architecture().activation(), network.feedback(), rule).is_none();
        let first = waits.then(|| FirstLayer::new(&network, &synaptic[0]));
        let mirror = match network.feedback() {
            Feedback::WeightMirror(settings) => {
                let first = if rule.reads_pre_error(1) { 1 } else { 2 };
                Some(Mirror::new(settings, first..n_layers + 1, seed))
            }
            _ => None,
        };
        let waiting = sizes.windows(2).map(|pair| Waiting::new(pair[0], pair[1])).collect();
        let mut synapses = Self { network, first, mirror, waiting, synaptic, evaluated, bounds: Vec::new() };
        synapses.bounds = (1..=n_layers).map(|layer| synapses.bound(layer)).collect();
        synapses
    }

    /// The network with the steps that wait.
    fn written(&self) -> Cow<'_, Network> {
        match &self.first {
            Some(first) if first.pending() > 0 => {
                let mut network = self.network.clone();
                first.write(network.backend, &mut network.forward[0], network.backward.first_mut());
                Cow::Owned(network)
            }
            _ => Cow::Borrowed(&self.network),
        }
    }

    /// The same, with B as it will be when errors pass it next.
    fn network(&self) -> Cow<'_, Network> {
        let mut network = self.written();
        if let Feedback::SignSymmetric { .. } = network.feedback() {
            network.to_mut().follow_signs();
        }
        network
    }

    /// A step with terms that have to be evaluated. They read the weights as they were before it.
    fn learn_evaluating(
        &mut self,
        layer: usize,
        mut signals: LayerSignals<'_>,
        beyond: Beyond<'_>,
    ) -> Result<(), usize> {
        let Self { network, waiting, synaptic, evaluated, bounds, .. } = self;
        let (backend, rule, terms) = (network.backend, &synaptic[layer - 1], &mut evaluated[layer - 1]);
        let is_layerwise = network.feedback().is_layerwise();
        let weights = &mut network.forward[layer - 1];
        let mut feedback = network.backward.get_mut(layer - 1).filter(|_| is_layerwise);
        if signals.below == ErrorBelow::IfRead && terms.iter().any(|term| term.reads_pre_error) {
            signals.below = ErrorBelow::Wanted;
        }
        // One term that moves W can read each row before it does, if the step of the shipped terms can wait.
        // B never waits, so what reads it must not find it moved.
        let is_alone = terms.len() == 1 && terms[0].synapses == Moved::Forward && rule.forward.decay == 0.0;
        let is_alone = is_alone && (rule.feedback.is_zero() || !terms[0].reads_feedback);
        let waiting = (is_alone && layer > 1).then(|| &mut waiting[layer - 1]);
        let reads = terms.iter().any(|term| term.reads_weights);
        let before = (reads && waiting.is_none()).then(|| (weights.clone(), feedback.as_deref().cloned()));
        let passed =
            kernels::update_layer(backend, rule, weights, feedback.as_deref_mut(), waiting, signals.reborrow());
        if !passed.finite {
            return Err(layer - 1);
        }
        let bound = &mut bounds[layer - 1];
        *bound = *bound * growth(rule) + passed.reach;
        for Evaluated { coefficient, synapses, evaluator, .. } in terms {
            let (old, old_feedback) = match &before {
                Some((weights, feedback)) => (weights, feedback.as_ref()),
                None => (&*weights, feedback.as_deref()),
            };
            let seen = SynapseSignals {
                weights: old,
                // Where B has no weights of its own, it is Wᵀ, which lies as W does.
                feedback: old_feedback.unwrap_or(old),
                pre_activation: signals.pre_activation,
                activation: signals.activation,
                pre_error: signals.pre_error,
                error: signals.error,
                beyond,
            };
            evaluator.prepare(backend, seen);
            let reach = match (synapses, &mut feedback, &before) {
                (Moved::Feedback, Some(feedback), Some((weights, old))) => {
                    evaluator.add(backend, *coefficient, [Some(weights), old.as_ref()], feedback)
                }
                (Moved::Feedback, Some(feedback), None) => {
                    evaluator.add(backend, *coefficient, [Some(weights), None], feedback)
                }
                (_, _, Some((old, feedback))) => {
                    evaluator.add(backend, *coefficient, [Some(old), Some(feedback.as_ref().unwrap_or(old))], weights)
                }
                (_, feedback, None) => evaluator.add(backend, *coefficient, [None, feedback.as_deref()], weights),
            };
            *bound += reach;
        }
        self.check_bound(layer)
    }

    /// Looks at the weights of a layer whose bound says that they may have overflowed.
    fn check_bound(&mut self, layer: usize) -> Result<(), usize> {
        // False for a NaN bound too, which is then looked into.
        let surely_finite = self.bounds[layer - 1] < SURELY_FINITE;
        if !surely_finite {
            self.settle();
            self.bounds[layer - 1] = self.bound(layer);
            if !self.bounds[layer - 1].is_finite() {
                return Err(layer);
            }
        }
        Ok(())
    }

    /// Keeps weights, steps that wait and what neurons remember, or takes them up. Between calls no step of a hidden layer waits.
    fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
        let Self { network, first, mirror, waiting: _, synaptic: _, evaluated, bounds } = self;
        network.keep(tape)?;
        first.iter_mut().try_for_each(|first| first.keep(tape))?;
        mirror.iter_mut().try_for_each(|mirror| mirror.keep(tape))?;
        for Evaluated { evaluator, .. } in evaluated.iter_mut().flatten() {
            evaluator.states_mut().iter_mut().try_for_each(|state| tape.lanes("state", state))?;
        }
        tape.numbers("bounds", bounds)
    }

    /// What [`Self::bounds`] bounds, from the weights themselves; infinite if any is not finite.
    fn bound(&self, layer: usize) -> f64 {
        let network = if layer == 1 { self.network() } else { Cow::Borrowed(&self.network) };
        let backward = network.backward.get(layer - 1).map_or(0.0, |b| largest(b.lanes()));
        let forward = &network.forward[layer - 1];
        let largest = f64::from(largest(forward.lanes()).max(backward));
        if layer == 1 && self.first.is_some() { largest * (forward.n_out() as f64).sqrt() } else { largest }
    }
}

/// Why the steps of a first layer cannot wait for one another and be carried out many at a time; none if they can.
pub fn why_one_by_one(activation: Activation, feedback: Feedback, rule: &Rule) -> Option<String> {
    let synaptic = rule.of_layer(1);
    if let Some((term, ..)) = rule.evaluated().find(|(.., coefficient)| coefficient.at(1) != 0.0) {
        let name = &term.name;
        return Some(format!(
            "`{name}` is no sum of products of signals, and reads all weights as they were before each step"
        ));
    }
    // What goes back through weights that move by terms alone can be worked out from the steps that wait.
    let moves_by_terms = match feedback {
        Feedback::Symmetric | Feedback::Random | Feedback::Plastic | Feedback::KolenPollack => true,
        Feedback::PredictiveCoding(_) => true,
        _ => !synaptic.reads_pre_error() && synaptic.feedback.is_zero(),
    };
    if !moves_by_terms {
        return Some(format!("e_0 comes as `{}` has it, not through weights that terms alone move", feedback.name()));
    }
    if !synaptic.treats_silence_alike(activation) {
        return Some(match synaptic.feedback.reads_projection() {
            true => "feedback weights are moved through Wᵀ y".to_owned(),
            false => format!("a term reads e_0, which {activation} units do not mask where pixels are silent"),
        });
    }
    None
}

/// The most by which decay makes a weight grow.
fn growth(rule: &SynapticRule) -> f64 {
    let of = |decay: f32| (1.0 - f64::from(decay)).abs();
    of(rule.forward.decay).max(of(rule.feedback.decay)).max(1.0)
}

impl Synapses for PlasticChain {
    fn receive(&mut self, image: Active<'_>, z: &mut [Lanes]) {
        let Self { network, first, .. } = self;
        match first {
            Some(first) => first.forward(network, image, z),
            None => kernels::forward_active(network.backend, &network.forward[0], image, z),
        }
    }

    fn send(&mut self, layer: usize, y: &[Lanes], z: &mut [Lanes]) {
        let Self { network, waiting, .. } = self;
        waiting[layer - 1].forward(network.backend, &mut network.forward[layer - 1], y, z);
    }

    fn learn(&mut self, layer: usize, signals: LayerSignals<'_>) -> Result<(), usize> {
        self.learn_from(layer, signals, Beyond::default())
    }

    fn settle(&mut self) {
        let Self { network, waiting, .. } = self;
        for (waiting, weights) in waiting.iter_mut().zip(&mut network.forward) {
            waiting.apply(network.backend, weights);
        }
    }

    fn learn_from_image(&mut self, image: Active<'_>, error: &[Lanes], activation: &[Lanes]) -> Result<bool, usize> {
        let Self { network, first: Some(first), bounds, .. } = self else { return Ok(false) };
        let [factor, summand] = first.learn(network, image, error, activation);
        bounds[0] = bounds[0] * factor + summand;
        self.check_bound(1).map(|()| true)
    }
}

impl ChainSynapses for PlasticChain {
    fn learn_from(&mut self, layer: usize, signals: LayerSignals<'_>, beyond: Beyond<'_>) -> Result<(), usize> {
        if let Feedback::SignSymmetric { scale } = self.network.feedback() {
            let Network { forward, backward, .. } = &mut self.network;
            follow_signs(&forward[layer - 1], scale, &mut backward[layer - 1]);
        }
        if !self.evaluated[layer - 1].is_empty() {
            return self.learn_evaluating(layer, signals, beyond);
        }
        let Self { network, waiting, synaptic, bounds, .. } = self;
        let rule = &synaptic[layer - 1];
        let is_layerwise = network.feedback().is_layerwise();
        let weights = &mut network.forward[layer - 1];
        let feedback = network.backward.get_mut(layer - 1).filter(|_| is_layerwise);
        // An image passes through the rows of its lit pixels only, so it cannot move the others by the way.
        let waiting = (layer > 1).then(|| &mut waiting[layer - 1]);
        let passed = kernels::update_layer(network.backend, rule, weights, feedback, waiting, signals);
        if !passed.finite {
            return Err(layer - 1);
        }
        bounds[layer - 1] = bounds[layer - 1] * growth(rule) + passed.reach;
        self.check_bound(layer)
    }

    fn send_back(&mut self, layer: usize, v: &[Lanes], out: &mut [Lanes]) {
        kernels::project_batch(self.network.backend, self.network.way_back(layer), v, out);
    }

    fn mirror(&mut self) {
        self.settle();
        let Some(mut mirror) = self.mirror.take() else { return };
        mirror.phase(&mut self.network);
        for layer in mirror.layers() {
            self.bounds[layer - 1] = self.bound(layer);
        }
        self.mirror = Some(mirror);
    }
}

impl Learner for OnlineTrainer {
    type Model = Network;

    fn advance(&mut self, samples: &Samples, order: &[u32]) -> Result<(), Divergence> {
        OnlineTrainer::advance(self, samples, order)
    }

    fn advance_recording(&mut self, samples: &Samples, order: &[u32]) -> Result<Vec<UpdateNorms>, Divergence> {
        OnlineTrainer::advance_recording(self, samples, order)
    }

    fn steps(&self) -> u64 {
        OnlineTrainer::steps(self)
    }

    fn state(&self) -> Vec<Remembered<'_>> {
        OnlineTrainer::state(self)
    }

    fn model(&self) -> Cow<'_, Network> {
        self.network()
    }

    fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
        self.online.keep(tape)?;
        self.online.dynamics.keep(tape)?;
        self.online.synapses.keep(tape)
    }
}

#[cfg(test)]
mod tests;
