//! All the noise of an episode, from the streams that online learning draws it from, in the same order. It has no derivative.

use crate::science::feedback::WeightMirror;
use crate::science::seed::{Purpose, Stream, stream};

#[derive(Clone, Debug, Default)]
pub(super) struct Noise {
    /// N(0, 1) for each neuron, by sample and layer 0 … L; empty where nobody reads it.
    pub of_neurons: Vec<Vec<Vec<f64>>>,
    /// What layer ℓ − 1 seems to say in a phase, ξ_p, by phase and ℓ − 1; empty where B does not learn from it.
    pub of_mirror: Vec<Vec<Vec<Vec<f64>>>>,
}

/// N(0, 1), rounded to single precision as the kernels have it.
fn normals(n: usize, stream: &mut Stream) -> Vec<f64> {
    let mut drawn = vec![0.0; n];
    stream.normals(&mut drawn);
    drawn.iter().map(|&x| f64::from(x as f32)).collect()
}

impl Noise {
    /// The noise of neurons for `n_steps` samples.
    pub(super) fn draw_of_neurons(&mut self, sizes: &[usize], seed: u64, n_steps: usize) {
        let mut streams: Vec<_> = (0..sizes.len()).map(|layer| stream(seed, Purpose::Noise, layer as u32)).collect();
        let mut sample = || {
            let layers = sizes.iter().zip(&mut streams).enumerate();
            layers.map(|(layer, (&n, stream))| if layer == 0 { Vec::new() } else { normals(n, stream) }).collect()
        };
        self.of_neurons = (0..n_steps).map(|_| sample()).collect();
    }

    /// The phases before `n_steps` samples, of layers from `first` on.
    pub(super) fn draw_of_mirror(
        &mut self,
        mirror: &WeightMirror,
        first: usize,
        sizes: &[usize],
        seed: u64,
        n_steps: usize,
    ) {
        let mut streams: Vec<_> = (1..sizes.len()).map(|layer| stream(seed, Purpose::Mirror, layer as u32)).collect();
        let mut phase = || {
            let layers = (1..).zip(sizes).zip(&mut streams);
            let of_layer = |((layer, n_pre), stream): ((usize, &usize), &mut Stream)| {
                let n = if layer < first { 0 } else { mirror.presentations };
                (0..n).map(|_| normals(*n_pre, &mut *stream)).collect()
            };
            layers.map(of_layer).collect()
        };
        let n_phases = (n_steps as u64).div_ceil(mirror.every);
        self.of_mirror = (0..n_phases).map(|_| phase()).collect();
    }
}
