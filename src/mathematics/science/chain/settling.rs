//! Activations that hear from the layers on both sides, found by sweeps: see
//! [`EquilibriumPropagation`]. One sample at a time in training, rows of them where a
//! network is measured.

use super::network::{Architecture, Network};
use crate::kernels::{self, Backend, Lanes, as_flat_mut, each_lane};
use crate::science::feedback::EquilibriumPropagation;

/// Where a layer hears from.
pub(super) trait Neighbours {
    /// z = W y, into layer ℓ > 1.
    fn up(&mut self, layer: usize, y: &[Lanes], z: &mut [Lanes]);
    /// Wᵀ y, from layer ℓ > 1.
    fn down(&mut self, layer: usize, y: &[Lanes], out: &mut [Lanes]);
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
pub(super) type Nudge = Option<(f32, usize)>;

pub(super) struct Sweep<'a> {
    pub architecture: &'a Architecture,
    pub backend: Backend,
    /// z_1 of the image.
    pub drive: &'a [Lanes],
    pub nudge: Nudge,
}

impl Sweep<'_> {
    /// y_1 … y_{L−1}, each in its turn, and z_L, from those of the layers beside it. `y` is by layers, rows of samples.
    pub(super) fn run(&self, neighbours: &mut impl Neighbours, y: &mut [Vec<Lanes>], scratch: &mut [Vec<Lanes>]) {
        let n_layers = self.architecture.n_layers();
        for layer in 1..n_layers {
            let (below, above) = y.split_at_mut(layer + 1);
            let (before, z) = below.split_at_mut(layer);
            let z = &mut z[0];
            if layer + 1 < n_layers {
                neighbours.down(layer + 1, &above[0], &mut scratch[layer]);
            } else if let Some((beta, label)) = self.nudge {
                neighbours.up(n_layers, z, &mut above[0]);
                self.architecture.answer(self.backend, n_layers, &mut above[0]);
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
            self.architecture.answer(self.backend, layer, z);
        }
        if n_layers > 1 {
            let (below, output) = y.split_at_mut(n_layers);
            neighbours.up(n_layers, &below[n_layers - 1], &mut output[0]);
        }
    }
}

/// Rows of samples, as [`Network::for_each_block`] has them, settled without a nudge: y_1 … y_{L−1} and z_L; `layers[1]` holds
/// z_1.
pub(super) fn settle_block(network: &Network, settings: EquilibriumPropagation, layers: &mut [Vec<Lanes>]) {
    let architecture = network.architecture();
    let n_layers = architecture.n_layers();
    if n_layers == 1 {
        return;
    }
    let drive = layers[1].clone();
    let mut neighbours = network;
    for layer in 1..n_layers {
        architecture.answer(network.backend, layer, &mut layers[layer]);
        let (below, above) = layers.split_at_mut(layer + 1);
        neighbours.up(layer + 1, &below[layer], &mut above[0]);
    }
    let mut scratch = layers.to_vec();
    let sweep = Sweep { architecture, backend: network.backend, drive: &drive, nudge: None };
    for _ in 0..settings.steps {
        sweep.run(&mut neighbours, layers, &mut scratch);
    }
}
