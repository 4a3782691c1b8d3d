//! Online learning: one sample, one update.
//!
//! Of every step: forward (1); e_L = softmax(z_L) − onehot; then, from the output down, each layer's errors (7), its
//! projection and its plasticity in one pass over its weights. A layer hands e_{ℓ-1} down before it changes, and no layer
//! reads another's weights, so all layers learn from the weights before the update.

use super::InvalidParameter;
use super::evaluation::layer_vectors;
use super::initialization::Feedback;
use super::network::Network;
use super::plasticity::Rule;
use super::samples::{INTENSITY, Samples};
use crate::kernels::{self, Active, InputMajor, Lanes, LayerSignals, SynapticRule, all_finite, as_flat, as_flat_mut};

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
    network: Network,
    rule: Rule,
    /// The rule of layer ℓ at ℓ − 1, as the kernels take it.
    synaptic: Vec<SynapticRule>,
    steps: u64,
    diverged: Option<Divergence>,
    /// An upper bound of |w| over W (and B) of layer ℓ at ℓ − 1.
    bounds: Vec<f64>,
    state: State,
}

/// The signals of the current sample, by layer 0 … L.
#[derive(Clone, Debug)]
struct State {
    active: Active,
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
            active: Active::with_capacity(sizes[0]),
            activations: layer_vectors(sizes),
            errors: layer_vectors(sizes),
            projections: layer_vectors(sizes),
        };
        let n_layers = network.n_layers();
        let synaptic = (1..=n_layers).map(|layer| rule.of_layer(layer)).collect();
        let bounds = (0..n_layers).map(|index| largest_weight(&network, index)).collect();
        Ok(Self { network, rule, synaptic, steps: 0, diverged: None, bounds, state })
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
        let before = self.network.forward.clone();
        self.advance(samples, &[*last])?;
        Ok((1..=self.network.n_layers()).map(|layer| self.update_norms(layer, &before[layer - 1])).collect())
    }

    /// The network as it is now.
    pub fn network(&self) -> &Network {
        &self.network
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
        self.forward(samples.pixels(index))
            .and_then(|()| self.learn(samples.label(index)))
            .map_err(|layer| *self.diverged.insert(Divergence { step: self.steps, layer: layer as u32 }))
    }

    /// y_1 … y_L of one image. Fails with the first layer that is not finite.
    fn forward(&mut self, pixels: &[u8]) -> Result<(), usize> {
        let Self { network, state: State { active, activations, .. }, .. } = self;
        let (backend, sizes) = (network.backend, network.architecture().sizes());
        active.read_bytes(pixels, &INTENSITY);
        active.write(&mut activations[0]);
        for layer in 1..sizes.len() {
            let (before, after) = activations.split_at_mut(layer);
            let (weights, z) = (&network.forward[layer - 1], &mut after[0]);
            if layer == 1 {
                kernels::forward_active(backend, weights, active, z);
            } else {
                kernels::forward(backend, weights, &before[layer - 1], z);
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
    fn learn(&mut self, label: usize) -> Result<(), usize> {
        let Self { network, synaptic, bounds, state, .. } = self;
        let State { active, activations, errors, projections } = state;
        let n_layers = synaptic.len();
        errors[n_layers].copy_from_slice(&activations[n_layers]);
        as_flat_mut(&mut errors[n_layers])[label] -= 1.0;
        let function = network.architecture().activation();
        for layer in (1..=n_layers).rev() {
            let (pre_errors, post_errors) = errors.split_at_mut(layer);
            let (rule, weights) = (&synaptic[layer - 1], &mut network.forward[layer - 1]);
            let moved = if layer == 1 && rule.moves_active_inputs_only() {
                [kernels::update_active(network.backend, rule, weights, active, &post_errors[0]), 0.0, 0.0, 0.0]
            } else {
                let signals = LayerSignals {
                    error: &post_errors[0],
                    activation: &activations[layer],
                    pre_activation: &activations[layer - 1],
                    function,
                    pre_is_input: layer == 1,
                    propagate: layer > 1,
                    pre_error: &mut pre_errors[layer - 1],
                    projection: &mut projections[layer - 1],
                };
                kernels::update_layer(network.backend, rule, weights, network.backward.get_mut(layer - 1), signals)
            };
            if (layer > 1 || rule.reads_pre_error()) && !all_finite(&pre_errors[layer - 1]) {
                return Err(layer - 1);
            }
            // |w| grows by no more than (Σ|α|) max|e| + (Σ|γ|) max|y|, whatever the rule.
            let (e, y) = (largest(&post_errors[0]), largest(&activations[layer]));
            let [a, g, b_a, b_g] = moved.map(f64::from);
            let growth = (1.0 - f64::from(rule.forward.decay)).abs().max((1.0 - f64::from(rule.feedback.decay)).abs());
            bounds[layer - 1] = bounds[layer - 1] * growth.max(1.0) + (a + b_a) * e + (g + b_g) * y;
            // False for a NaN bound too, which is then looked into.
            let surely_finite = bounds[layer - 1] < SURELY_FINITE;
            if !surely_finite {
                bounds[layer - 1] = largest_weight(network, layer - 1);
                if !bounds[layer - 1].is_finite() {
                    return Err(layer);
                }
            }
        }
        Ok(())
    }

    /// Norms of the step just made. A rank-1 matrix has the product of its factors' norms.
    fn update_norms(&self, layer: usize, before: &InputMajor) -> UpdateNorms {
        let State { activations, errors, projections, .. } = &self.state;
        let (y, pre) = (as_flat(&activations[layer]), as_flat(&activations[layer - 1]));
        let gradient = self.rule.coefficient("gradient", layer).abs();
        let oja = self.rule.coefficient("oja", layer).abs();
        let residual = pre.iter().zip(as_flat(&projections[layer - 1])).map(|(y, d)| f64::from(*y) - f64::from(*d));
        let squares = |v: &[f32]| v.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
        let after = as_flat(self.network.forward[layer - 1].lanes()).iter();
        let total =
            after.zip(as_flat(before.lanes())).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>();
        UpdateNorms {
            gradient: gradient * (squares(as_flat(&errors[layer])) * squares(pre)).sqrt(),
            // Without the term the projection is not computed.
            oja: if oja == 0.0 { 0.0 } else { oja * (squares(y) * residual.map(|r| r * r).sum::<f64>()).sqrt() },
            total: total.sqrt(),
        }
    }
}

/// max |x|, infinite if any number is not finite.
fn largest(vector: &[Lanes]) -> f64 {
    if !all_finite(vector) {
        return f64::INFINITY;
    }
    f64::from(as_flat(vector).iter().fold(0.0_f32, |m, x| m.max(x.abs())))
}

/// max |w| over W and B of one layer, infinite if any is not finite.
fn largest_weight(network: &Network, index: usize) -> f64 {
    let backward = network.backward.get(index).map_or(0.0, |b| largest(b.lanes()));
    largest(network.forward[index].lanes()).max(backward)
}

#[cfg(test)]
mod tests;
