//! Mini-batches, with the engineering that the introduction names: momentum, Adam, batch normalisation (section 2.3), and
//! layer normalisation, which works with batches of one, too.
//!
//! The gradient term is the mean over the batch, moved by an [`Optimizer`]; Oja's term and others, if wanted, are means over the
//! batch with coefficients of their own, added beside the optimiser. Feedback is symmetric.

mod terms;

use std::borrow::Cow;

use terms::{BatchSignals, Terms};

use crate::kernels::{self, INTENSITY, InputMajor, Lanes, all_finite, as_flat, as_flat_mut, lanes_for};
use crate::science::InvalidParameter;
use crate::science::feedback::Feedback;
use crate::science::learner::{Divergence, Learner, UpdateNorms};
use crate::science::network::Network;
use crate::science::normalization::{Normalization, NormalizedLayer};
use crate::science::optimizer::{Optimizer, OptimizerState};
use crate::science::plasticity::{Coefficient, Notation, Rule, Synapses, Term, Wanted};
use crate::science::samples::Samples;
use crate::science::tape::{Foreign, Tape};

/// How to train in mini-batches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchSettings {
    /// Samples a batch, m.
    pub batch_size: usize,
    /// What turns the mean gradient into an update.
    pub optimizer: Optimizer,
    /// Normalisation of z_ℓ in the hidden layers, if wanted.
    pub normalization: Option<Normalization>,
    /// Coefficient of the Oja term, mean over the batch; 0 for none.
    pub oja: f64,
}

impl BatchSettings {
    /// The same, if they make sense.
    ///
    /// # Errors
    /// If the batch is empty (or has one sample, with batch normalisation, which has then no variance), or a parameter is
    /// out of range.
    pub fn check(self) -> Result<Self, InvalidParameter> {
        self.optimizer.check()?;
        let least = match self.normalization {
            Some(Normalization::Batch(constants)) => constants.check().map(|_| 2)?,
            Some(Normalization::Layer) | None => 1,
        };
        if self.batch_size < least {
            return Err(InvalidParameter::new(format!(
                "batch size: at least {least} is needed here, found {}",
                self.batch_size
            )));
        }
        if !self.oja.is_finite() {
            return Err(InvalidParameter::new(format!("oja: {} is not a finite coefficient", self.oja)));
        }
        Ok(self)
    }

    /// What a batch does to W, with the coefficients as numbers, one equation a line: G is the mean gradient, ⟨⟩ a mean over the
    /// batch, a hat Adam's bias correction. `beside` are the terms beside the optimiser.
    pub fn equation(&self, beside: &Rule) -> String {
        self.written(beside, Notation::Plain).join("\n")
    }

    /// As [`BatchSettings::equation`], in LaTeX, one equation an entry.
    pub fn latex(&self, beside: &Rule) -> Vec<String> {
        self.written(beside, Notation::Latex)
    }

    fn written(&self, beside: &Rule, notation: Notation) -> Vec<String> {
        let [open, close] = match notation {
            Notation::Plain => ["⟨", "⟩"],
            Notation::Latex => [r"\langle ", r" \rangle"],
        };
        let shipped =
            |name, coefficient| Rule::new(&[(name, Coefficient::Uniform(coefficient))]).expect("a shipped term");
        // The term has a minus in front of it, and its coefficient stands in the optimiser.
        let gradient = shipped("gradient", -1.0).sum(Synapses::Forward, notation);
        let gradient = gradient.strip_prefix("1 ").expect("a coefficient stands in front");
        let (mut lines, mut update) = self.optimizer.written(notation);
        lines.insert(0, format!("G = {open}{gradient}{close}"));
        let oja = (self.oja != 0.0).then(|| shipped("oja", self.oja));
        for rule in oja.iter().chain((!beside.terms().is_empty()).then_some(beside)) {
            update.push_str(&format!(" + {open}{}{close}", rule.sum(Synapses::Forward, notation)));
        }
        lines.extend(beside.updates(notation));
        lines.push(format!("{} = {update}", notation.change(Synapses::Forward)));
        lines
    }
}

/// Why a term cannot stand beside an optimiser; none if it can.
pub fn refuses(term: &Term) -> Option<String> {
    if term.synapses == Synapses::Feedback {
        return Some(
            "moves feedback weights, and mini-batch training is backpropagation, which has none of its own".to_owned(),
        );
    }
    let is_kept = |wanted: &Wanted| *wanted == Wanted::Feedback;
    (!term.wants().iter().all(is_kept)).then(|| {
        "reads z, the label, noise, the loss or settled activations, which mini-batches do not keep by the sample"
            .to_owned()
    })
}

/// A network that learns from mini-batches.
#[derive(Clone, Debug)]
pub struct BatchTrainer {
    network: Network,
    settings: BatchSettings,
    normalized: Vec<NormalizedLayer>,
    /// Beside the optimiser and Oja's term.
    terms: Option<Terms>,
    /// One a layer.
    optimizer_states: Vec<OptimizerState>,
    gradients: Vec<InputMajor>,
    /// Samples of the batch that is not full yet.
    pending: Vec<u32>,
    steps: u64,
    diverged: Option<Divergence>,
}

impl BatchTrainer {
    /// `network`, to be trained as `settings` say.
    ///
    /// # Errors
    /// If the settings make no sense, or the network's feedback is not symmetric.
    pub fn new(network: Network, settings: BatchSettings) -> Result<Self, InvalidParameter> {
        Self::with_terms(network, settings, &Rule::with_terms(Vec::new())?)
    }

    /// As [`BatchTrainer::new`], with the terms of `rule` beside the optimiser: each adds its coefficient times the mean over
    /// the batch of what it makes of every sample and of the weights before the batch. What neurons remember moves on from
    /// sample to sample, in the order of the batch.
    ///
    /// # Errors
    /// As [`BatchTrainer::new`], or the rule has not as many coefficients as the network has layers, or moves feedback
    /// weights, which a symmetric network has not.
    pub fn with_terms(mut network: Network, settings: BatchSettings, rule: &Rule) -> Result<Self, InvalidParameter> {
        let settings = settings.check()?;
        rule.check_layers(network.n_layers())?;
        let refused = rule.terms().iter().find_map(|(term, _)| Some((term, refuses(term)?)));
        if let Some((term, why)) = refused {
            return Err(InvalidParameter::new(format!("term `{}` {why}", term.name)));
        }
        if network.feedback() != Feedback::Symmetric {
            return Err(InvalidParameter::new(
                "mini-batch training is backpropagation: its feedback must be symmetric",
            ));
        }
        let mut normalized = Vec::new();
        if let Some(over) = settings.normalization {
            let hidden = &network.architecture().sizes()[1..network.n_layers()];
            normalized.extend(hidden.iter().map(|&size| NormalizedLayer::new(over, size)));
        }
        network.normalization = normalized.iter().map(NormalizedLayer::evaluated).collect();
        Ok(Self {
            settings,
            normalized,
            terms: (!rule.terms().is_empty()).then(|| Terms::new(rule, network.architecture().sizes())),
            optimizer_states: vec![OptimizerState::default(); network.n_layers()],
            gradients: network.forward.clone(),
            network,
            pending: Vec::with_capacity(settings.batch_size),
            steps: 0,
            diverged: None,
        })
    }

    /// Sees the samples of `order`; every `batch_size` of them make an update. How a sequence is cut into calls does not
    /// change any number: what does not fill a batch waits for the next call, which must bring the same samples.
    ///
    /// # Errors
    /// If a number is no longer finite; the trainer then stays where it was and returns the same again.
    ///
    /// # Panics
    /// If the samples do not fit the network.
    pub fn advance(&mut self, samples: &Samples, order: &[u32]) -> Result<(), Divergence> {
        if let Some(divergence) = self.diverged {
            return Err(divergence);
        }
        let sizes = self.network.architecture().sizes();
        assert_eq!(samples.n_pixels(), sizes[0], "the images do not fit the network's input");
        assert!(samples.n_classes() <= sizes[sizes.len() - 1], "more classes than outputs");
        for &index in order {
            self.steps += 1;
            self.pending.push(index);
            if self.pending.len() == self.settings.batch_size {
                let learned = self.learn(samples);
                self.pending.clear();
                if let Err(layer) = learned {
                    return Err(*self.diverged.insert(Divergence { step: self.steps, layer: layer as u32 }));
                }
            }
        }
        Ok(())
    }

    /// The network after the last full batch, normalised by its running statistics where it is normalised.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Training samples seen, those that wait for their batch included.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// One update from the pending batch. Fails with the first layer that is not finite.
    fn learn(&mut self, samples: &Samples) -> Result<(), usize> {
        let Self { network, settings, normalized, terms, optimizer_states, gradients, pending, .. } = self;
        let sizes = network.architecture().sizes().to_vec();
        let (backend, function, n_layers) = (network.backend, network.architecture().activation(), network.n_layers());
        let m = pending.len();
        let rows = |size: usize| vec![Lanes::ZERO; m * lanes_for(size)];

        let mut y: Vec<Vec<Lanes>> = sizes.iter().map(|&size| rows(size)).collect();
        for (row, &index) in y[0].chunks_exact_mut(lanes_for(sizes[0])).zip(pending.iter()) {
            let pixels = samples.pixels(index as usize);
            as_flat_mut(row).iter_mut().zip(pixels).for_each(|(x, &pixel)| *x = INTENSITY[usize::from(pixel)]);
        }
        for layer in 1..=n_layers {
            let (below, z) = y.split_at_mut(layer);
            kernels::forward_batch(backend, &network.forward[layer - 1], &below[layer - 1], &mut z[0]);
            if !all_finite(&z[0]) {
                return Err(layer);
            }
            if layer == n_layers {
                z[0].chunks_exact_mut(lanes_for(sizes[layer])).for_each(|z| kernels::softmax(backend, sizes[layer], z));
            } else {
                if let Some(normalized) = normalized.get_mut(layer - 1) {
                    normalized.forward(&mut z[0]);
                }
                kernels::activate(backend, function, sizes[layer], &mut z[0]);
            }
        }

        let mut error = y[n_layers].clone();
        for (row, &index) in error.chunks_exact_mut(lanes_for(sizes[n_layers])).zip(pending.iter()) {
            as_flat_mut(row)[samples.label(index as usize)] -= 1.0;
        }
        for layer in (1..=n_layers).rev() {
            let weights = &mut network.forward[layer - 1];
            // What the layer below is told, before its weights or these change: ∂/∂y_{ℓ-1}, then ∂/∂u_{ℓ-1}.
            let mut below = rows(sizes[layer - 1]);
            if layer > 1 {
                kernels::project_batch(backend, weights, &error, &mut below);
                kernels::times_slope(backend, function, &y[layer - 1], &mut below);
                if let Some(normalized) = normalized.get_mut(layer - 2) {
                    normalized.backward(settings.optimizer, &mut below);
                }
            }
            let change = terms.as_mut().map(|terms| {
                if layer == 1 && terms.read_input_error() {
                    kernels::project_batch(backend, weights, &error, &mut below);
                    kernels::times_input_mask(function, &y[0], &mut below);
                }
                let (pre_activation, activation) = (&y[layer - 1][..], &y[layer][..]);
                let signals = BatchSignals { pre_activation, activation, pre_error: &below, error: &error };
                terms.change(backend, layer, weights, signals)
            });
            let oja = (settings.oja != 0.0).then(|| oja_sum(backend, weights, &y[layer - 1], &y[layer]));
            kernels::outer_sum(backend, &y[layer - 1], &error, &mut gradients[layer - 1]);
            as_flat_mut(gradients[layer - 1].lanes_mut()).iter_mut().for_each(|g| *g /= m as f32);
            let w = as_flat_mut(weights.lanes_mut());
            optimizer_states[layer - 1].update(settings.optimizer, w, as_flat(gradients[layer - 1].lanes()));
            if let Some(oja) = oja {
                let rate = (settings.oja / m as f64) as f32;
                w.iter_mut().zip(as_flat(oja.lanes())).for_each(|(w, oja)| *w += rate * oja);
            }
            if let Some(change) = change {
                w.iter_mut().zip(as_flat(change.lanes())).for_each(|(w, change)| *w += change);
            }
            if !all_finite(weights.lanes()) {
                return Err(layer);
            }
            if layer > 1 && !all_finite(&below) {
                return Err(layer - 1);
            }
            error = below;
        }
        network.normalization = normalized.iter().map(NormalizedLayer::evaluated).collect();
        Ok(())
    }
}

impl Learner for BatchTrainer {
    type Model = Network;

    fn advance(&mut self, samples: &Samples, order: &[u32]) -> Result<(), Divergence> {
        BatchTrainer::advance(self, samples, order)
    }

    /// Without norms: an update is that of a batch and of its optimiser.
    fn advance_recording(&mut self, samples: &Samples, order: &[u32]) -> Result<Vec<UpdateNorms>, Divergence> {
        BatchTrainer::advance(self, samples, order).map(|()| Vec::new())
    }

    fn steps(&self) -> u64 {
        BatchTrainer::steps(self)
    }

    fn model(&self) -> Cow<'_, Network> {
        Cow::Borrowed(&self.network)
    }

    fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
        let Self { network, settings, normalized, terms, optimizer_states, gradients: _, pending, steps, diverged } =
            self;
        tape.count("steps", steps)?;
        Divergence::keep(tape, diverged)?;
        network.keep(tape)?;
        for (state, weights) in optimizer_states.iter_mut().zip(&network.forward) {
            state.keep(tape, as_flat(weights.lanes()).len())?;
        }
        normalized.iter_mut().try_for_each(|normalized| normalized.keep(tape))?;
        terms.iter_mut().try_for_each(|terms| terms.keep(tape))?;
        // The samples of the batch that is not full.
        tape.list("pending", pending, settings.batch_size - 1, |tape, sample| {
            tape.bits("sample", std::slice::from_mut(sample))
        })
    }
}

/// Σ_s y_s (y_{ℓ-1,s} − Wᵀ y_s)ᵀ, in the layout of W.
fn oja_sum(backend: kernels::Backend, weights: &InputMajor, pre: &[Lanes], post: &[Lanes]) -> InputMajor {
    let mut residual = vec![Lanes::ZERO; pre.len()];
    kernels::project_batch(backend, weights, post, &mut residual);
    for (d, y) in as_flat_mut(&mut residual).iter_mut().zip(as_flat(pre)) {
        *d = y - *d;
    }
    let mut sum = weights.clone();
    kernels::outer_sum(backend, &residual, post, &mut sum);
    sum
}

#[cfg(test)]
mod tests;
