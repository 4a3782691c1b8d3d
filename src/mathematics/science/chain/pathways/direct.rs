//! e_ℓ = (B_{ℓ+1} e_L) ⊙ σ′(z_ℓ): the error of the output goes to every layer at once (Nøkland 2016). e_0 as with the others.

use crate::kernels::{self, Active, ErrorBelow};
use crate::science::chain::signals::{ChainSynapses, Signals};
use crate::science::dynamics::Dynamics;
use crate::science::samples::Samples;

#[derive(Clone, Debug)]
pub(crate) struct Direct {
    pub signals: Signals,
    /// Whether a term reads e_0.
    pub reads_image_error: bool,
}

impl<S: ChainSynapses> Dynamics<S> for Direct {
    fn forward(&mut self, synapses: &mut S, image: Active<'_>) -> Result<(), usize> {
        self.signals.forward(synapses, image)
    }

    fn backward(&mut self, synapses: &mut S, image: Active<'_>, label: usize) -> Result<(), usize> {
        let Self { signals, reads_image_error } = self;
        signals.see(label);
        let n_layers = signals.n_layers();
        let (below, output) = signals.errors.split_at_mut(n_layers);
        let first = if *reads_image_error { 0 } else { 1 };
        for (layer, error) in below.iter_mut().enumerate().skip(first) {
            synapses.send_back(layer + 1, &output[0], error);
        }
        (1..n_layers).for_each(|layer| signals.times_slope(layer));
        if *reads_image_error {
            image.write(&mut signals.activations[0]);
            let Signals { architecture, activations, errors, .. } = &mut *signals;
            kernels::times_input_mask(architecture.activation(), &activations[0], &mut errors[0]);
        }
        signals.learn(synapses, image, ErrorBelow::Given)
    }

    fn check_fit(&self, samples: &Samples) {
        self.signals.check_fit(samples);
    }
}
