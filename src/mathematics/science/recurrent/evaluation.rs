//! What the recurrent network answers, and how large its hidden states are, over many images.

use std::ops::Range;

use super::RecurrentNetwork;
use crate::kernels::{self, Lanes, as_flat, each_lane, lanes_for};
use crate::science::dynamics::check_fit;
use crate::science::evaluation::{Evaluation, Tally};
use crate::science::loss::Loss;
use crate::science::samples::Samples;

/// Samples that pass through time together: their states and W_h stay in the second-level cache. No number depends on it.
const BLOCK: usize = 96;

impl RecurrentNetwork {
    /// Accuracy and mean cross-entropy over `samples[range]` of the output after T steps.
    ///
    /// # Panics
    /// If images or classes do not fit the network, or `range` exceeds the samples.
    pub fn evaluate(&self, samples: &Samples, range: Range<usize>) -> Evaluation {
        let (n_outputs, n_steps) = (self.architecture().n_outputs(), self.architecture().n_steps());
        let mut tally = Tally::new(range.len(), n_outputs, Loss::CrossEntropy);
        let start = range.start;
        let mut logits = Vec::new();
        self.for_each_block(samples, range, |first, t, _, h| {
            if t + 1 < n_steps {
                return;
            }
            let n = h.len() / lanes_for(self.architecture().n_hidden());
            logits.resize(n * lanes_for(n_outputs), Lanes::ZERO);
            kernels::forward_batch(self.backend, &self.readout, h, &mut logits);
            let block = first..first + n;
            tally.add(self.backend, &logits, block.map(|image| (image - start, samples.label(image))));
        });
        tally.evaluation()
    }

    /// Mean over `samples[range]` of ‖z_t‖, for t = 1 … T.
    ///
    /// # Panics
    /// As [`RecurrentNetwork::evaluate`].
    pub fn hidden_norms(&self, samples: &Samples, range: Range<usize>) -> Vec<f64> {
        let n_samples = range.len() as f64;
        let mut sums = vec![0.0; self.architecture().n_steps()];
        self.for_each_block(samples, range, |_, t, z, _| {
            for row in z.chunks_exact(lanes_for(self.architecture().n_hidden())) {
                sums[t] += as_flat(row).iter().map(|&z| f64::from(z).powi(2)).sum::<f64>().sqrt();
            }
        });
        sums.into_iter().map(|sum| sum / n_samples).collect()
    }

    /// Calls `visit` with the index of a block's first sample, t counted from 0, and the block's padded rows z_t and h_t:
    /// blocks ascend, and t within each. The same bits as in training.
    pub(super) fn for_each_block(
        &self,
        samples: &Samples,
        range: Range<usize>,
        mut visit: impl FnMut(usize, usize, &[Lanes], &[Lanes]),
    ) {
        let architecture = self.architecture();
        check_fit(samples, architecture.n_inputs(), architecture.n_outputs());
        let (n_hidden, stride) = (architecture.n_hidden(), lanes_for(architecture.n_hidden()));
        let rows = vec![Lanes::ZERO; BLOCK.min(range.len()) * stride];
        let (mut drive, mut z, mut h) = (rows.clone(), rows.clone(), rows);
        for first in range.clone().step_by(BLOCK) {
            let n = BLOCK.min(range.end - first);
            let (drive, z, h) = (&mut drive[..n * stride], &mut z[..n * stride], &mut h[..n * stride]);
            for (s, drive) in drive.chunks_exact_mut(stride).enumerate() {
                kernels::forward_active(self.backend, &self.input, samples.active(first + s), drive);
            }
            for t in 0..architecture.n_steps() {
                if t == 0 {
                    z.copy_from_slice(drive);
                } else {
                    kernels::forward_batch(self.backend, &self.recurrent, h, z);
                    if t < architecture.n_input_steps() {
                        for (z, x) in z.iter_mut().zip(drive.iter()) {
                            z.0 = each_lane!(k => z.0[k] + x.0[k]);
                        }
                    }
                }
                h.copy_from_slice(z);
                kernels::activate(self.backend, architecture.activation(), n_hidden, h);
                visit(first, t, z, h);
            }
        }
    }
}
