//! Errors from layer to layer through B, which follows Wᵀ in phases of noise (Akrout et al. 2019): see
//! [`WeightMirror`](crate::science::feedback::WeightMirror).

use super::layerwise;
use crate::kernels::Active;
use crate::science::chain::signals::{ChainSynapses, Signals};
use crate::science::dynamics::Dynamics;
use crate::science::samples::Samples;

#[derive(Clone, Debug)]
pub(crate) struct Mirroring {
    pub signals: Signals,
    /// Samples from one phase to the next.
    pub every: u64,
    /// Samples seen.
    pub seen: u64,
}

impl<S: ChainSynapses> Dynamics<S> for Mirroring {
    fn forward(&mut self, synapses: &mut S, image: Active<'_>) -> Result<(), usize> {
        if self.seen.is_multiple_of(self.every) {
            synapses.mirror();
        }
        self.seen += 1;
        self.signals.forward(synapses, image)
    }

    fn backward(&mut self, synapses: &mut S, image: Active<'_>, label: usize) -> Result<(), usize> {
        layerwise::learn(&mut self.signals, synapses, image, label)
    }

    fn check_fit(&self, samples: &Samples) {
        self.signals.check_fit(samples);
    }
}
