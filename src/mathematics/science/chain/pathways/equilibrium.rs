//! Activations settle without and with a nudge of the output towards the label: see
//! [`EquilibriumPropagation`](crate::science::feedback::EquilibriumPropagation).
//!
//! Terms read the free phase, and as settled activations those of the phase with β. e_0 is 0: the image is not nudged.

use crate::kernels::{self, Active, Backend, ErrorBelow, Lanes, all_finite, as_flat_mut, each_lane};
use crate::science::chain::network::{Architecture, Network};
use crate::science::chain::signals::{ChainSynapses, Signals, answer};
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
    /// y of the phase with −β.
    opposite: Vec<Vec<Lanes>>,
    scratch: Vec<Vec<Lanes>>,
}

/// Where a layer hears from.
trait Neighbours {
    /// z = W y, into layer ℓ > 1.
    fn up(&mut self, layer: usize, y: &[Lanes], z: &mut [Lanes]);
    /// Wᵀ y, from layer ℓ > 1.
    fn down(&mut self, layer: usize, y: &[Lanes], out: &mut [Lanes]);
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

impl Neighbours for &Network {
    fn up(&mut self, layer: usize, y: &[Lanes], z: &mut [Lanes]) {
        kernels::forward_batch(self.backend, &self.forward[layer - 1], y, z);
    }

    fn down(&mut self, layer: usize, y: &[Lanes], out: &mut [Lanes]) {
        kernels::project_batch(self.backend, &self.forward[layer - 1], y, out);
    }
}

/// A nudge: β, and the label.
type Nudge = Option<(f32, usize)>;

struct Sweep<'a> {
    architecture: &'a Architecture,
    backend: Backend,
    /// z_1 of the image.
    drive: &'a [Lanes],
    nudge: Nudge,
}

impl Sweep<'_> {
    /// y_1 … y_{L−1}, each in its turn, and z_L, from those of the layers beside it. `y` is by layers, rows of samples.
    fn run(&self, neighbours: &mut impl Neighbours, y: &mut [Vec<Lanes>], scratch: &mut [Vec<Lanes>]) {
        let n_layers = self.architecture.n_layers();
        for layer in 1..n_layers {
            let (below, above) = y.split_at_mut(layer + 1);
            let (before, z) = below.split_at_mut(layer);
            let z = &mut z[0];
            if layer + 1 < n_layers {
                neighbours.down(layer + 1, &above[0], &mut scratch[layer]);
            } else if let Some((beta, label)) = self.nudge {
                neighbours.up(n_layers, z, &mut above[0]);
                answer(self.architecture, self.backend, n_layers, &mut above[0]);
                as_flat_mut(&mut above[0])[label] -= 1.0;
                neighbours.down(n_layers, &above[0], &mut scratch[layer]);
                scratch[layer].iter_mut().for_each(|x| x.0 = each_lane!(k => -beta * x.0[k]));
            } else {
                scratch[layer].fill(Lanes::ZERO);
            }
            match layer {
                1 => z.copy_from_slice(self.drive),
                _ => neighbours.up(layer, &before[layer - 1], z),
            }
            for (z, down) in z.iter_mut().zip(&scratch[layer]) {
                z.0 = each_lane!(k => z.0[k] + down.0[k]);
            }
            answer(self.architecture, self.backend, layer, z);
        }
        if n_layers > 1 {
            let (below, output) = y.split_at_mut(n_layers);
            neighbours.up(n_layers, &below[n_layers - 1], &mut output[0]);
        }
    }
}

impl Equilibrium {
    pub(crate) fn new(signals: Signals, settings: EquilibriumPropagation, keeps_potentials: bool) -> Self {
        let vectors = || signals.activations.clone();
        Self { settings, keeps_potentials, opposite: vectors(), scratch: vectors(), signals: signals.settling() }
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
            answer(architecture, *backend, n_layers, &mut activations[n_layers]);
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
        let free = self.signals.activations.clone();
        let output = self.signals.potentials[self.signals.n_layers()].clone();
        if symmetric {
            self.settle(synapses, nudged_steps, Some((-beta as f32, label)))?;
            self.opposite.clone_from(&self.signals.activations);
            self.signals.activations.clone_from(&free);
        } else {
            self.opposite.clone_from(&free);
        }
        self.settle(synapses, nudged_steps, Some((beta as f32, label)))?;
        std::mem::swap(&mut self.signals.settled, &mut self.signals.activations);
        self.signals.activations.clone_from(&free);
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

/// Rows of samples, as [`Network::for_each_block`] has them, settled without a nudge: y_1 … y_{L−1} and z_L; `layers[1]` holds
/// z_1.
pub(crate) fn settle_block(network: &Network, settings: EquilibriumPropagation, layers: &mut [Vec<Lanes>]) {
    let architecture = network.architecture();
    let n_layers = architecture.n_layers();
    if n_layers == 1 {
        return;
    }
    let drive = layers[1].clone();
    let mut neighbours = network;
    for layer in 1..n_layers {
        answer(architecture, network.backend, layer, &mut layers[layer]);
        let (below, above) = layers.split_at_mut(layer + 1);
        neighbours.up(layer + 1, &below[layer], &mut above[0]);
    }
    let mut scratch = layers.to_vec();
    let sweep = Sweep { architecture, backend: network.backend, drive: &drive, nudge: None };
    for _ in 0..settings.steps {
        sweep.run(&mut neighbours, layers, &mut scratch);
    }
}
