//! Activations settle without and with a nudge of the output towards the label: see
//! [`EquilibriumPropagation`].
//!
//! Terms read the free phase, and as settled activations those of the phase with β. e_0 is 0: the image is not nudged.

use crate::kernels::{Active, ErrorBelow, Lanes, all_finite, each_lane};
use crate::science::chain::settling::{Neighbours, Nudge, Sweep};
use crate::science::chain::signals::{ChainSynapses, Signals};
use crate::science::dynamics::Dynamics;
use crate::science::feedback::EquilibriumPropagation;
use crate::science::samples::Samples;

#[derive(Clone, Debug)]
pub(crate) struct Equilibrium {
    /// With z and settled activations.
    pub signals: Signals,
    settings: EquilibriumPropagation,
    /// Whether a term reads z_ℓ = W y_{ℓ-1} of what has settled.
    keeps_potentials: bool,
    /// y of the free phase, and of the phase with −β.
    free: Vec<Vec<Lanes>>,
    opposite: Vec<Vec<Lanes>>,
    scratch: Vec<Vec<Lanes>>,
}

struct OneSample<'a, S>(&'a mut S);

impl<S: ChainSynapses> Neighbours for OneSample<'_, S> {
    fn up(&mut self, layer: usize, y: &[Lanes], z: &mut [Lanes]) {
        self.0.send(layer, y, z);
    }

    fn down(&mut self, layer: usize, y: &[Lanes], out: &mut [Lanes]) {
        self.0.send_back(layer, y, out);
    }
}

impl Equilibrium {
    pub(crate) fn new(signals: Signals, settings: EquilibriumPropagation, keeps_potentials: bool) -> Self {
        let vectors = || signals.activations.clone();
        Self {
            settings,
            keeps_potentials,
            free: vectors(),
            opposite: vectors(),
            scratch: vectors(),
            signals: signals.settling(),
        }
    }

    /// Sweeps from the activations as they are.
    fn settle<S: ChainSynapses>(&mut self, synapses: &mut S, n_sweeps: usize, nudge: Nudge) -> Result<(), usize> {
        let Self { signals, scratch, .. } = self;
        let Signals { architecture, backend, activations, potentials, .. } = signals;
        let n_layers = architecture.n_layers();
        let sweep = Sweep { architecture, backend: *backend, drive: &potentials[1], nudge };
        for _ in 0..n_sweeps {
            sweep.run(&mut OneSample(synapses), activations, scratch);
        }
        if let Some(layer) = (1..=n_layers).find(|&layer| !all_finite(&activations[layer])) {
            return Err(layer);
        }
        if n_layers > 1 {
            potentials[n_layers].copy_from_slice(&activations[n_layers]);
            architecture.answer(*backend, n_layers, &mut activations[n_layers]);
        }
        Ok(())
    }
}

impl<S: ChainSynapses> Dynamics<S> for Equilibrium {
    fn forward(&mut self, synapses: &mut S, image: Active<'_>) -> Result<(), usize> {
        self.signals.forward(synapses, image)?;
        self.settle(synapses, self.settings.steps, None)?;
        let Signals { activations, potentials, .. } = &mut self.signals;
        for layer in (2..potentials.len()).filter(|_| self.keeps_potentials) {
            synapses.send(layer, &activations[layer - 1], &mut potentials[layer]);
        }
        Ok(())
    }

    fn backward(&mut self, synapses: &mut S, image: Active<'_>, label: usize) -> Result<(), usize> {
        let EquilibriumPropagation { nudged_steps, beta, symmetric, .. } = self.settings;
        self.signals.see(label);
        self.free.clone_from(&self.signals.activations);
        let output = self.signals.potentials[self.signals.n_layers()].clone();
        if symmetric {
            self.settle(synapses, nudged_steps, Some((-beta as f32, label)))?;
            self.opposite.clone_from(&self.signals.activations);
            self.signals.activations.clone_from(&self.free);
        } else {
            self.opposite.clone_from(&self.free);
        }
        self.settle(synapses, nudged_steps, Some((beta as f32, label)))?;
        std::mem::swap(&mut self.signals.settled, &mut self.signals.activations);
        self.signals.activations.clone_from(&self.free);
        let n_layers = self.signals.n_layers();
        self.signals.potentials[n_layers] = output;
        let apart = (if symmetric { 2.0 * beta } else { beta }) as f32;
        let Signals { errors, settled, .. } = &mut self.signals;
        for layer in 1..n_layers {
            let phases = self.opposite[layer].iter().zip(&settled[layer]);
            for (e, (minus, plus)) in errors[layer].iter_mut().zip(phases) {
                e.0 = each_lane!(k => (minus.0[k] - plus.0[k]) / apart);
            }
        }
        self.signals.learn(synapses, image, ErrorBelow::Given)
    }

    fn check_fit(&self, samples: &Samples) {
        self.signals.check_fit(samples);
    }
}
