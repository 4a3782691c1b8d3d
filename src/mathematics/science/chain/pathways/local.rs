//! Only the output has an error: e_ℓ = 0 before it. What layers learn then, they learn from activations.

use crate::kernels::{Active, ErrorBelow};
use crate::science::chain::signals::{ChainSynapses, Signals};
use crate::science::dynamics::Dynamics;
use crate::science::samples::Samples;

#[derive(Clone, Debug)]
pub(crate) struct Local {
    /// Errors are zero from the beginning.
    pub signals: Signals,
}

impl<S: ChainSynapses> Dynamics<S> for Local {
    fn forward(&mut self, synapses: &mut S, image: Active<'_>) -> Result<(), usize> {
        self.signals.forward(synapses, image)
    }

    fn backward(&mut self, synapses: &mut S, image: Active<'_>, label: usize) -> Result<(), usize> {
        self.signals.see(label);
        self.signals.learn(synapses, image, ErrorBelow::Given)
    }

    fn check_fit(&self, samples: &Samples) {
        self.signals.check_fit(samples);
    }
}
