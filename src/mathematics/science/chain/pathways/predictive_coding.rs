//! Errors settle together with the activations that they correct: see
//! [`PredictiveCoding`].
//!
//! The free phase is the forward pass, where nothing has to be corrected; terms read its activations, and as settled ones v_ℓ,
//! the onehot at the output.

use crate::kernels::{self, Active, ErrorBelow, Lanes, as_flat_mut, each_lane};
use crate::science::chain::signals::{ChainSynapses, Signals};
use crate::science::dynamics::Dynamics;
use crate::science::feedback::PredictiveCoding;
use crate::science::samples::Samples;

#[derive(Clone, Debug)]
pub(crate) struct Predictive {
    /// With z and settled activations.
    pub signals: Signals,
    settings: PredictiveCoding,
    /// σ(z_ℓ), what the layer below predicts.
    predictions: Vec<Vec<Lanes>>,
    /// Wᵀ e_{ℓ+1} at ℓ.
    corrections: Vec<Vec<Lanes>>,
}

impl Predictive {
    pub(crate) fn new(signals: Signals, settings: PredictiveCoding) -> Self {
        let vectors = || signals.activations.clone();
        Self { settings, predictions: vectors(), corrections: vectors(), signals: signals.settling() }
    }

    /// ε_ℓ and e_ℓ of the present v; predictions are made anew unless they are fixed.
    fn look<S: ChainSynapses>(&mut self, synapses: &mut S, label: usize) {
        let Self { signals, settings, predictions, .. } = self;
        let Signals { architecture, backend, errors, settled, .. } = signals;
        let n_layers = architecture.n_layers();
        for layer in 1..=n_layers {
            // What the image predicts does not change, and what is fixed neither.
            if layer > 1 && !settings.fixed_prediction {
                synapses.send(layer, &settled[layer - 1], &mut predictions[layer]);
                architecture.answer(*backend, layer, &mut predictions[layer]);
            }
            let (prediction, e) = (&predictions[layer], &mut errors[layer]);
            if layer == n_layers {
                e.copy_from_slice(prediction);
                as_flat_mut(e)[label] -= 1.0;
                continue;
            }
            for ((e, v), p) in e.iter_mut().zip(&settled[layer]).zip(prediction) {
                e.0 = each_lane!(k => p.0[k] - v.0[k]);
            }
            kernels::times_slope(*backend, architecture.activation(), prediction, e);
        }
    }

    /// v_ℓ ← v_ℓ − rate (ε_ℓ + Wᵀ e_{ℓ+1}).
    fn step<S: ChainSynapses>(&mut self, synapses: &mut S) {
        let Self { signals, settings, predictions, corrections } = self;
        let Signals { architecture, errors, settled, .. } = signals;
        let rate = settings.rate as f32;
        for layer in 1..architecture.n_layers() {
            synapses.send_back(layer + 1, &errors[layer + 1], &mut corrections[layer]);
        }
        for layer in 1..architecture.n_layers() {
            let others = predictions[layer].iter().zip(&corrections[layer]);
            for (v, (p, c)) in settled[layer].iter_mut().zip(others) {
                v.0 = each_lane!(k => v.0[k] - rate * (v.0[k] - p.0[k] + c.0[k]));
            }
        }
    }
}

impl<S: ChainSynapses> Dynamics<S> for Predictive {
    fn forward(&mut self, synapses: &mut S, image: Active<'_>) -> Result<(), usize> {
        self.signals.forward(synapses, image)
    }

    fn backward(&mut self, synapses: &mut S, image: Active<'_>, label: usize) -> Result<(), usize> {
        self.signals.see(label);
        let n_layers = self.signals.n_layers();
        for layer in 1..=n_layers {
            let y = &self.signals.activations[layer];
            self.predictions[layer].copy_from_slice(y);
            self.signals.settled[layer].copy_from_slice(y);
        }
        for _ in 0..self.settings.steps {
            self.look(synapses, label);
            self.step(synapses);
        }
        self.look(synapses, label);
        let output = &mut self.signals.settled[n_layers];
        output.fill(Lanes::ZERO);
        as_flat_mut(output)[label] = 1.0;
        self.signals.learn(synapses, image, ErrorBelow::IfRead)
    }

    fn check_fit(&self, samples: &Samples) {
        self.signals.check_fit(samples);
    }
}
