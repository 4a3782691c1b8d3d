//! Phases of noise in which B learns from the responses to it: see [`WeightMirror`].

use std::ops::Range;

use super::network::Network;
use crate::kernels::{self, InputMajor, Lanes, as_flat, as_flat_mut, lanes_for};
use crate::science::feedback::WeightMirror;
use crate::science::seed::{Purpose, Stream, stream};
use crate::science::tape::{Foreign, Tape};

/// The noise of some layers, and room for what comes of it.
#[derive(Clone, Debug)]
pub(super) struct Mirror {
    settings: WeightMirror,
    layers: Range<usize>,
    /// One a layer.
    streams: Vec<Stream>,
    drawn: Vec<f64>,
    noise: Vec<Lanes>,
    responses: Vec<Lanes>,
}

impl Mirror {
    /// For the B of `layers`, with the noise of `seed`.
    pub(super) fn new(settings: WeightMirror, layers: Range<usize>, seed: u64) -> Self {
        let streams = layers.clone().map(|layer| stream(seed, Purpose::Mirror, layer as u32)).collect();
        Self { settings, layers, streams, drawn: Vec::new(), noise: Vec::new(), responses: Vec::new() }
    }

    /// Those whose B learns.
    pub(super) fn layers(&self) -> Range<usize> {
        self.layers.clone()
    }

    /// Keeps where the noise is, or takes it up.
    pub(super) fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
        self.streams.iter_mut().try_for_each(|stream| tape.stream("mirror", stream))
    }

    /// One phase, of a network without steps that wait.
    pub(super) fn phase(&mut self, network: &mut Network) {
        let Self { settings, layers, streams, drawn, noise, responses } = self;
        let (backend, architecture) = (network.backend, network.architecture().clone());
        let n = settings.presentations;
        for (layer, stream) in layers.clone().zip(streams) {
            let (n_pre, n_post) = (architecture.sizes()[layer - 1], architecture.sizes()[layer]);
            noise.clear();
            noise.resize(n * lanes_for(n_pre), Lanes::ZERO);
            drawn.resize(n_pre, 0.0);
            for row in noise.chunks_exact_mut(lanes_for(n_pre)) {
                stream.normals(drawn);
                as_flat_mut(row).iter_mut().zip(&*drawn).for_each(|(to, x)| *to = *x as f32);
            }
            responses.clear();
            responses.resize(n * lanes_for(n_post), Lanes::ZERO);
            kernels::forward_batch(backend, &network.forward[layer - 1], noise, responses);
            // At the output every response is that of a neuron alone: z.
            if layer < architecture.n_layers() {
                kernels::activate(backend, architecture.activation(), n_post, responses);
            }
            less_their_mean(responses, lanes_for(n_post));
            let b = &mut network.backward[layer - 1];
            let mut sum = InputMajor::zeros(n_pre, n_post);
            kernels::outer_sum(backend, noise, responses, &mut sum);
            let (keep, rate) = ((1.0 - settings.decay) as f32, (settings.rate / (n - 1) as f64) as f32);
            for (b, sum) in as_flat_mut(b.lanes_mut()).iter_mut().zip(as_flat(sum.lanes())) {
                *b = keep * *b + rate * sum;
            }
        }
    }
}

/// Takes the mean over rows from every row.
fn less_their_mean(rows: &mut [Lanes], stride: usize) {
    let n = (rows.len() / stride) as f64;
    let mut mean = vec![0.0_f64; as_flat(&rows[..stride]).len()];
    for row in rows.chunks_exact(stride) {
        mean.iter_mut().zip(as_flat(row)).for_each(|(sum, x)| *sum += f64::from(*x));
    }
    for row in rows.chunks_exact_mut(stride) {
        as_flat_mut(row).iter_mut().zip(&mean).for_each(|(x, sum)| *x = (f64::from(*x) - sum / n) as f32);
    }
}
