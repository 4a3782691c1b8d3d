//! Signals of a chain: y_ℓ = σ(W_{ℓ-1,ℓ} y_{ℓ-1}), equation (1), and e_{ℓ-1} = (B_{ℓ,ℓ-1} e_ℓ) ⊙ σ′(z_{ℓ-1}), equation (7).
//!
//! A layer hands e_{ℓ-1} down before it changes, and no layer reads another's weights, so all layers learn from the weights
//! before the update.

use super::network::Architecture;
use crate::kernels::{self, Active, Backend, Lanes, LayerSignals, all_finite, as_flat_mut, zeros};
use crate::science::dynamics::{self, Dynamics, Synapses};
use crate::science::samples::Samples;

/// The signals of the current sample, by layer 0 … L.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    architecture: Architecture,
    backend: Backend,
    /// y_0 … y_L; y_0 is written when a layer asks for it.
    pub activations: Vec<Vec<Lanes>>,
    /// e_0 … e_L.
    pub errors: Vec<Vec<Lanes>>,
    /// Wᵀ y_{ℓ+1} at ℓ, where a term reads it.
    pub projections: Vec<Vec<Lanes>>,
}

impl Chain {
    pub(super) fn new(architecture: &Architecture, backend: Backend) -> Self {
        let layer_vectors = || architecture.sizes().iter().map(|&size| zeros(size)).collect::<Vec<_>>();
        Self {
            architecture: architecture.clone(),
            backend,
            activations: layer_vectors(),
            errors: layer_vectors(),
            projections: layer_vectors(),
        }
    }

    /// What the synapses into `layer` see.
    fn signals(&mut self, layer: usize) -> LayerSignals<'_> {
        let Self { architecture, activations, errors, projections, .. } = self;
        let (pre_errors, post_errors) = errors.split_at_mut(layer);
        LayerSignals {
            error: &post_errors[0],
            activation: &activations[layer],
            pre_activation: &activations[layer - 1],
            function: architecture.activation(),
            pre_is_input: layer == 1,
            propagate: layer > 1,
            pre_error: &mut pre_errors[layer - 1],
            projection: &mut projections[layer - 1],
        }
    }
}

impl<S: Synapses> Dynamics<S> for Chain {
    /// y_1 … y_L.
    fn forward(&mut self, synapses: &mut S, image: Active<'_>) -> Result<(), usize> {
        let Self { architecture, backend, activations, .. } = self;
        let sizes = architecture.sizes();
        for layer in 1..sizes.len() {
            let (before, after) = activations.split_at_mut(layer);
            let z = &mut after[0];
            if layer == 1 {
                synapses.receive(image, z);
            } else {
                synapses.send(layer, &before[layer - 1], z);
            }
            if !all_finite(z) {
                return Err(layer);
            }
            if layer < architecture.n_layers() {
                kernels::activate(*backend, architecture.activation(), sizes[layer], z);
            } else {
                kernels::softmax(*backend, sizes[layer], z);
            }
        }
        Ok(())
    }

    /// e_L … e_1.
    fn backward(&mut self, synapses: &mut S, image: Active<'_>, label: usize) -> Result<(), usize> {
        let n_layers = self.architecture.n_layers();
        self.errors[n_layers].copy_from_slice(&self.activations[n_layers]);
        as_flat_mut(&mut self.errors[n_layers])[label] -= 1.0;
        for layer in (2..=n_layers).rev() {
            synapses.learn(layer, self.signals(layer))?;
        }
        if synapses.learn_from_image(image, &self.errors[1], &self.activations[1])? {
            return Ok(());
        }
        image.write(&mut self.activations[0]);
        synapses.learn(1, self.signals(1))
    }

    fn check_fit(&self, samples: &Samples) {
        let sizes = self.architecture.sizes();
        dynamics::check_fit(samples, sizes[0], sizes[sizes.len() - 1]);
    }
}
