//! e_{ℓ-1} = (B_{ℓ,ℓ-1} e_ℓ) ⊙ σ′(z_{ℓ-1}), equation (7), from layer to layer: backpropagation, feedback alignment and their
//! relatives, which differ in B alone.
//!
//! A layer hands e_{ℓ-1} down before it changes, and no layer reads another's weights, so all layers learn from the weights
//! before the update.

use crate::kernels::{Active, ErrorBelow};
use crate::science::chain::signals::{ChainSynapses, Signals};
use crate::science::dynamics::Dynamics;
use crate::science::samples::Samples;

#[derive(Clone, Debug)]
pub(crate) struct Layerwise {
    pub signals: Signals,
}

impl<S: ChainSynapses> Dynamics<S> for Layerwise {
    fn forward(&mut self, synapses: &mut S, image: Active<'_>) -> Result<(), usize> {
        self.signals.forward(synapses, image)
    }

    fn backward(&mut self, synapses: &mut S, image: Active<'_>, label: usize) -> Result<(), usize> {
        learn(&mut self.signals, synapses, image, label)
    }

    fn check_fit(&self, samples: &Samples) {
        self.signals.check_fit(samples);
    }
}

/// Each layer learns as the errors pass it.
pub(super) fn learn<S: ChainSynapses>(
    signals: &mut Signals,
    synapses: &mut S,
    image: Active<'_>,
    label: usize,
) -> Result<(), usize> {
    signals.see(label);
    for layer in (2..=signals.n_layers()).rev() {
        let (seen, beyond) = signals.at(layer, ErrorBelow::Wanted);
        synapses.learn_from(layer, seen, beyond)?;
    }
    signals.learn_first(synapses, image, ErrorBelow::IfRead)
}
