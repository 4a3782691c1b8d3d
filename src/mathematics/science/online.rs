//! Online learning: one sample, one update.
//!
//! Of every step: forward (1); e_L = softmax(z_L) − onehot; then, from the output down, each layer's errors (7), its
//! projection and its plasticity in one pass over its weights. A layer hands e_{ℓ-1} down before it changes, and no layer
//! reads another's weights, so all layers learn from the weights before the update.
//!
//! The first layer, three quarters of all weights, has no layer below that waits for its errors. Where the rule allows it,
//! its steps are carried out sixteen at a time (`kernels/deferred.rs`): after every sixteenth step of a training, wherever
//! calls begin and end, so that neither they nor looking at the network between them change a trained bit.

use std::borrow::Cow;

use super::InvalidParameter;
use super::evaluation::layer_vectors;
use super::initialization::Feedback;
use super::network::Network;
use super::plasticity::Rule;
use super::samples::Samples;
use crate::kernels::{
    self, Active, DEPTH, Deferred, InputMajor, Lanes, LayerSignals, SynapticRule, all_finite, as_flat, as_flat_mut,
    largest, norm,
};

/// A number became infinite or undefined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("diverged: layer {layer} was no longer finite at training sample {step}")]
pub struct Divergence {
    /// Training samples seen when it was first noticed, counting that one.
    pub step: u64,
    /// The layer where: its activations, errors or weights.
    pub layer: u32,
}

/// How large the last update of one layer's W was: Frobenius norms of what was applied, coefficients included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UpdateNorms {
    /// The `gradient` term's part.
    pub gradient: f64,
    /// The `oja` term's part.
    pub oja: f64,
    /// The whole update, W_after − W_before.
    pub total: f64,
}

/// While no weight can exceed this, none can have overflowed, and looking is unnecessary.
const SURELY_FINITE: f64 = 1e30;

/// A network that learns.
#[derive(Clone, Debug)]
pub struct OnlineTrainer {
    /// Its first layer as it was before the steps that `deferred` holds.
    network: Network,
    rule: Rule,
    deferred: Option<Deferred>,
    /// The rule of layer ℓ at ℓ − 1, as the kernels take it.
    synaptic: Vec<SynapticRule>,
    steps: u64,
    diverged: Option<Divergence>,
    /// An upper bound of |w| over W (and B) of layer ℓ at ℓ − 1; over the norms of rows where steps are deferred.
    bounds: Vec<f64>,
    state: State,
}

/// The signals of the current sample, by layer 0 … L.
#[derive(Clone, Debug)]
struct State {
    /// y_0 … y_L.
    activations: Vec<Vec<Lanes>>,
    /// e_0 … e_L.
    errors: Vec<Vec<Lanes>>,
    /// Wᵀ y_{ℓ+1} at ℓ.
    projections: Vec<Vec<Lanes>>,
}

impl OnlineTrainer {
    /// `network`, to be trained by `rule`.
    ///
    /// # Errors
    /// If the rule has not as many coefficients as the network has layers, or moves feedback weights that are not plastic,
    /// or if the network is normalised, which takes batches.
    pub fn new(network: Network, rule: Rule) -> Result<Self, InvalidParameter> {
        if network.is_normalized() {
            return Err(InvalidParameter::new(
                "batch normalisation has no online form: train without it, or in batches",
            ));
        }
        rule.check_layers(network.n_layers())?;
        if rule.moves_feedback() && network.feedback() != Feedback::Plastic {
            return Err(InvalidParameter::new(
                "the rule moves feedback weights: the network's feedback must be plastic, not symmetric or random",
            ));
        }
        let sizes = network.architecture().sizes();
        let state = State {
            activations: layer_vectors(sizes),
            errors: layer_vectors(sizes),
            projections: layer_vectors(sizes),
        };
        let n_layers = network.n_layers();
        let synaptic: Vec<SynapticRule> = (1..=n_layers).map(|layer| rule.of_layer(layer)).collect();
        let deferred = match synaptic[0].feedback.is_zero() {
            true => Deferred::new(synaptic[0].forward, sizes[0], sizes[1]),
            false => None,
        };
        let mut trainer =
            Self { network, rule, deferred, synaptic, steps: 0, diverged: None, bounds: vec![0.0; n_layers], state };
        trainer.bounds = (1..=n_layers).map(|layer| trainer.bound(layer)).collect();
        Ok(trainer)
    }

    /// One online step for each index of `order`. How a sequence is cut into calls does not change any number.
    ///
    /// # Errors
    /// If a number is no longer finite; the trainer then stays where it was and returns the same again.
    ///
    /// # Panics
    /// If the samples do not fit the network.
    pub fn advance(&mut self, samples: &Samples, order: &[u32]) -> Result<(), Divergence> {
        self.check_fit(samples);
        for &index in order {
            self.step(samples, index as usize)?;
        }
        Ok(())
    }

    /// As [`OnlineTrainer::advance`], and the norms of the last step's update, one entry a layer 1 … L; empty if `order`
    /// is.
    ///
    /// # Errors
    /// As [`OnlineTrainer::advance`].
    pub fn advance_recording(&mut self, samples: &Samples, order: &[u32]) -> Result<Vec<UpdateNorms>, Divergence> {
        let Some((last, earlier)) = order.split_last() else { return Ok(Vec::new()) };
        self.advance(samples, earlier)?;
        let before = self.network().into_owned().forward;
        self.advance(samples, &[*last])?;
        if self.deferred.is_some() {
            // What a step that is put off does not need.
            let State { activations, projections, .. } = &mut self.state;
            samples.active(*last as usize).write(&mut activations[0]);
            kernels::project_batch(self.network.backend, &before[0], &activations[1], &mut projections[0]);
        }
        let network = self.network();
        Ok((1..=network.n_layers()).map(|layer| self.update_norms(layer, &before, &network.forward)).collect())
    }

    /// The network as it is now; a copy if steps are deferred.
    pub fn network(&self) -> Cow<'_, Network> {
        match &self.deferred {
            Some(deferred) if deferred.pending() > 0 => {
                let mut network = self.network.clone();
                deferred.write(network.backend, &mut network.forward[0]);
                Cow::Owned(network)
            }
            _ => Cow::Borrowed(&self.network),
        }
    }

    /// The rule by which it learns.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Training samples seen.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    fn check_fit(&self, samples: &Samples) {
        let sizes = self.network.architecture().sizes();
        let outputs = sizes[self.network.n_layers()];
        assert_eq!(samples.n_pixels(), sizes[0], "the images do not fit the network's input");
        assert!(samples.n_classes() <= outputs, "{} classes, {outputs} outputs", samples.n_classes());
    }

    fn step(&mut self, samples: &Samples, index: usize) -> Result<(), Divergence> {
        if let Some(divergence) = self.diverged {
            return Err(divergence);
        }
        self.steps += 1;
        let active = samples.active(index);
        self.forward(active)
            .and_then(|()| self.learn(active, samples.label(index)))
            .map_err(|layer| *self.diverged.insert(Divergence { step: self.steps, layer: layer as u32 }))
    }

    /// y_1 … y_L of one image. Fails with the first layer that is not finite.
    fn forward(&mut self, active: Active<'_>) -> Result<(), usize> {
        let Self { network, deferred, state: State { activations, .. }, .. } = self;
        let (backend, sizes) = (network.backend, network.architecture().sizes());
        if deferred.is_none() {
            active.write(&mut activations[0]);
        }
        for layer in 1..sizes.len() {
            let (before, after) = activations.split_at_mut(layer);
            let (weights, z) = (&network.forward[layer - 1], &mut after[0]);
            match deferred {
                Some(deferred) if layer == 1 => deferred.forward(backend, weights, active, z),
                None if layer == 1 => kernels::forward_active(backend, weights, active, z),
                _ => kernels::forward(backend, weights, &before[layer - 1], z),
            }
            if !all_finite(z) {
                return Err(layer);
            }
            if layer < network.n_layers() {
                kernels::activate(backend, network.architecture().activation(), sizes[layer], z);
            } else {
                kernels::softmax(backend, sizes[layer], z);
            }
        }
        Ok(())
    }

    /// Errors and plasticity, from the output down. Fails with the first layer that is not finite.
    fn learn(&mut self, active: Active<'_>, label: usize) -> Result<(), usize> {
        let State { activations, errors, .. } = &mut self.state;
        let n_layers = self.network.n_layers();
        errors[n_layers].copy_from_slice(&activations[n_layers]);
        as_flat_mut(&mut errors[n_layers])[label] -= 1.0;
        for layer in (2..=n_layers).rev() {
            self.learn_layer(layer)?;
        }
        self.learn_first_layer(active)
    }

    /// e_{ℓ-1} and the step of one layer.
    fn learn_layer(&mut self, layer: usize) -> Result<(), usize> {
        let Self { network, synaptic, bounds, state, .. } = self;
        let State { activations, errors, projections } = state;
        let (pre_errors, post_errors) = errors.split_at_mut(layer);
        let rule = &synaptic[layer - 1];
        let signals = LayerSignals {
            error: &post_errors[0],
            activation: &activations[layer],
            pre_activation: &activations[layer - 1],
            function: network.architecture().activation(),
            pre_is_input: layer == 1,
            propagate: layer > 1,
            pre_error: &mut pre_errors[layer - 1],
            projection: &mut projections[layer - 1],
        };
        let (weights, feedback) = (&mut network.forward[layer - 1], network.backward.get_mut(layer - 1));
        let moved = kernels::update_layer(network.backend, rule, weights, feedback, signals);
        if (layer > 1 || rule.reads_pre_error()) && !all_finite(&pre_errors[layer - 1]) {
            return Err(layer - 1);
        }
        // |w| grows by no more than (Σ|α|) max|e| + (Σ|γ|) max|y|, whatever the rule.
        let (e, y) = (f64::from(largest(&post_errors[0])), f64::from(largest(&activations[layer])));
        let [a, g, b_a, b_g] = moved.map(f64::from);
        let growth = (1.0 - f64::from(rule.forward.decay)).abs().max((1.0 - f64::from(rule.feedback.decay)).abs());
        bounds[layer - 1] = bounds[layer - 1] * growth.max(1.0) + (a + b_a) * e + (g + b_g) * y;
        self.check_bound(layer)
    }

    /// The step of the first layer: put off where it can be, and every so often all that was put off is carried out.
    fn learn_first_layer(&mut self, active: Active<'_>) -> Result<(), usize> {
        let Some(deferred) = &mut self.deferred else { return self.learn_layer(1) };
        let Self { network, synaptic, bounds, state, steps, .. } = self;
        let (error, activation) = (&state.errors[1], &state.activations[1]);
        deferred.push(network.backend, active, error, activation);
        // A row w becomes w + (w · y) o + x q, and no pixel exceeds 1.
        let (e, y) = (norm(error), norm(activation));
        let longest =
            |by_error: f32, by_activation: f32| f64::from(by_error.abs()) * e + f64::from(by_activation.abs()) * y;
        let kernels::RowRule { by_error, by_activation, .. } = synaptic[0].forward;
        let o = longest(by_error.projection, by_activation.projection);
        let q = longest(by_error.activation, by_activation.activation);
        bounds[0] = bounds[0] * (1.0 + o * y) + q;
        if steps.is_multiple_of(DEPTH as u64) {
            deferred.apply(network.backend, &mut network.forward[0]);
        }
        self.check_bound(1)
    }

    /// Looks at the weights of a layer whose bound says that they may have overflowed.
    fn check_bound(&mut self, layer: usize) -> Result<(), usize> {
        // False for a NaN bound too, which is then looked into.
        let surely_finite = self.bounds[layer - 1] < SURELY_FINITE;
        if !surely_finite {
            self.bounds[layer - 1] = self.bound(layer);
            if !self.bounds[layer - 1].is_finite() {
                return Err(layer);
            }
        }
        Ok(())
    }

    /// What [`Self::bounds`] bounds, from the weights themselves; infinite if any is not finite.
    fn bound(&self, layer: usize) -> f64 {
        let network = if layer == 1 { self.network() } else { Cow::Borrowed(&self.network) };
        let backward = network.backward.get(layer - 1).map_or(0.0, |b| largest(b.lanes()));
        let forward = &network.forward[layer - 1];
        let largest = f64::from(largest(forward.lanes()).max(backward));
        if layer == 1 && self.deferred.is_some() { largest * (forward.n_out() as f64).sqrt() } else { largest }
    }

    /// Norms of the step just made, from the weights before and after it. A rank-1 matrix has the product of its factors'
    /// norms.
    fn update_norms(&self, layer: usize, before: &[InputMajor], after: &[InputMajor]) -> UpdateNorms {
        let State { activations, errors, projections, .. } = &self.state;
        let (y, pre) = (as_flat(&activations[layer]), as_flat(&activations[layer - 1]));
        let gradient = self.rule.coefficient("gradient", layer).abs();
        let oja = self.rule.coefficient("oja", layer).abs();
        let residual = pre.iter().zip(as_flat(&projections[layer - 1])).map(|(y, d)| f64::from(*y) - f64::from(*d));
        let squares = |v: &[f32]| v.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
        let after = as_flat(after[layer - 1].lanes()).iter();
        let total = after
            .zip(as_flat(before[layer - 1].lanes()))
            .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
            .sum::<f64>();
        UpdateNorms {
            gradient: gradient * (squares(as_flat(&errors[layer])) * squares(pre)).sqrt(),
            // Without the term the projection is not computed.
            oja: if oja == 0.0 { 0.0 } else { oja * (squares(y) * residual.map(|r| r * r).sum::<f64>()).sqrt() },
            total: total.sqrt(),
        }
    }
}

#[cfg(test)]
mod tests;
