//! One number for all neurons: e_ℓ = (Δloss / s²) ξ_ℓ, where ξ_ℓ ~ N(0, s²) was added to every z_ℓ, the output's too, and Δloss
//! is what that did to the loss (node perturbation; Williams 1992, Hiratani et al. 2022).
//!
//! Its mean is the gradient of the loss with respect to z_ℓ up to O(s²). Terms read the activations without noise.

use crate::kernels::{Active, ErrorBelow, Lanes, all_finite, as_flat, as_flat_mut};
use crate::science::chain::signals::{ChainSynapses, Signals};
use crate::science::dynamics::Dynamics;
use crate::science::samples::Samples;

#[derive(Clone, Debug)]
pub(crate) struct Broadcast {
    /// With noise, losses and z.
    pub signals: Signals,
    /// s.
    pub std: f64,
    /// y_1 … y_L with noise.
    perturbed: Vec<Vec<Lanes>>,
}

impl Broadcast {
    pub(crate) fn new(signals: Signals, std: f64) -> Self {
        assert!(signals.extras.noise && signals.extras.loss, "both are what errors are made of");
        Self { perturbed: signals.activations.clone(), signals, std }
    }

    /// The loss with noise.
    fn perturb<S: ChainSynapses>(&mut self, synapses: &mut S, label: usize) -> Result<f64, usize> {
        let Self { signals, std, perturbed } = self;
        let Signals { architecture, backend, potentials, noise, .. } = signals;
        let n_layers = architecture.n_layers();
        for layer in 1..=n_layers {
            let (before, after) = perturbed.split_at_mut(layer);
            let z = &mut after[0];
            if layer == 1 {
                z.copy_from_slice(&potentials[1]);
            } else {
                synapses.send(layer, &before[layer - 1], z);
            }
            let s = *std as f32;
            as_flat_mut(z).iter_mut().zip(as_flat(&noise[layer])).for_each(|(z, noise)| *z += s * noise);
            if !all_finite(z) {
                return Err(layer);
            }
            if layer < n_layers {
                architecture.answer(*backend, layer, z);
            }
        }
        let z = &as_flat(&perturbed[n_layers])[..architecture.sizes()[n_layers]];
        Ok(architecture.loss().of(z, label))
    }
}

impl<S: ChainSynapses> Dynamics<S> for Broadcast {
    fn forward(&mut self, synapses: &mut S, image: Active<'_>) -> Result<(), usize> {
        self.signals.forward(synapses, image)
    }

    fn backward(&mut self, synapses: &mut S, image: Active<'_>, label: usize) -> Result<(), usize> {
        self.signals.see(label);
        let perturbed = self.perturb(synapses, label)?;
        let Self { signals, std, .. } = self;
        signals.loss_change = perturbed - signals.loss;
        let told = (signals.loss_change / *std) as f32;
        for (error, noise) in signals.errors.iter_mut().zip(&signals.noise).skip(1) {
            as_flat_mut(error).iter_mut().zip(as_flat(noise)).for_each(|(e, noise)| *e = told * noise);
        }
        signals.learn(synapses, image, ErrorBelow::Given)
    }

    fn check_fit(&self, samples: &Samples) {
        self.signals.check_fit(samples);
    }
}
