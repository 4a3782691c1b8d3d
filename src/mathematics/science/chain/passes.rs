//! The forward pass of a chain over many samples: activations, accuracy and loss.

use std::ops::Range;

use ndarray::Array2;

use super::settling::settle_block;
use crate::kernels::{self, Lanes, as_flat, lanes_for};
use crate::science::evaluation::{Evaluation, Tally};
use crate::science::feedback::Feedback;
use crate::science::network::Network;
use crate::science::samples::Samples;

/// Samples that travel through the layers together. The numbers do not depend on it: it is chosen so that the widest
/// activations of a block stay in the second-level cache beside the weights.
const BLOCK: usize = 48;

/// Whether a visitor of blocks reads y_0; the first layer does not need it written out.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Input {
    Written,
    /// There are no rows of y_0.
    LeftOut,
}

impl Network {
    /// Accuracy and mean cross-entropy over `samples[range]`. The network must fit the samples.
    ///
    /// # Panics
    /// If images or classes do not fit the network, or `range` exceeds the samples or is empty.
    pub fn evaluate(&self, samples: &Samples, range: Range<usize>) -> Evaluation {
        let n_samples = range.len();
        let n_outputs = self.architecture().sizes()[self.n_layers()];
        assert!(n_samples > 0, "an evaluation needs at least one sample");
        assert!(samples.n_classes() <= n_outputs, "{} classes, {n_outputs} outputs", samples.n_classes());
        let arrangement = samples.arranged(range.clone());
        let first_layer = |places: Range<usize>, z: &mut [Lanes]| {
            arrangement.forward(self.backend, &self.forward[0], samples.active_rows(), places, z);
        };
        let mut tally = Tally::new(n_samples, n_outputs, self.architecture().loss());
        self.propagate(samples, 0..n_samples, first_layer, |places, layers| {
            let logits = layers.last().expect("a network has layers");
            let images = arrangement.order()[places].iter().map(|&image| image as usize);
            tally.add(self.backend, logits, images.map(|image| (image - range.start, samples.label(image))));
        });
        tally.evaluation()
    }

    /// y_ℓ (n_samples × n_ℓ) of each of `layers`: y_0 is the input, y_L the softmax.
    ///
    /// # Panics
    /// If images do not fit the network, `range` exceeds the samples, or a layer is beyond L.
    pub fn activations(&self, samples: &Samples, range: Range<usize>, layers: &[usize]) -> Vec<Array2<f32>> {
        let sizes = self.architecture().sizes();
        let mut out: Vec<_> = layers.iter().map(|&layer| Array2::zeros((range.len(), sizes[layer]))).collect();
        let start = range.start;
        let input = if layers.contains(&0) { Input::Written } else { Input::LeftOut };
        self.for_each_block(samples, range, input, |first, activations| {
            self.answer_block(activations);
            for (array, &layer) in out.iter_mut().zip(layers) {
                for (s, row) in activations[layer].chunks_exact(lanes_for(sizes[layer])).enumerate() {
                    let mut target = array.row_mut(first - start + s);
                    let target = target.as_slice_mut().expect("rows of a standard-layout array are contiguous");
                    target.copy_from_slice(&as_flat(row)[..sizes[layer]]);
                }
            }
        });
        out
    }

    /// Turns the logits of a block into y_L.
    pub(crate) fn answer_block(&self, layers: &mut [Vec<Lanes>]) {
        let n_outputs = self.architecture().sizes()[self.n_layers()];
        for row in layers[self.n_layers()].chunks_exact_mut(lanes_for(n_outputs)) {
            self.architecture().loss().answer(self.backend, n_outputs, row);
        }
    }

    /// Calls `visit` with the index of a block's first sample and, for ℓ = 0 … L, the block's padded rows: x if it is
    /// wanted, y_1 … y_{L-1}, and the logits z_L. Blocks ascend; nothing is allocated a sample.
    pub(crate) fn for_each_block(
        &self,
        samples: &Samples,
        range: Range<usize>,
        input: Input,
        mut visit: impl FnMut(usize, &mut [Vec<Lanes>]),
    ) {
        let first_layer = |images: Range<usize>, z: &mut [Lanes]| {
            for (image, z) in images.zip(z.chunks_exact_mut(self.forward[0].stride())) {
                kernels::forward_active(self.backend, &self.forward[0], samples.active(image), z);
            }
        };
        let in_stride = lanes_for(self.architecture().sizes()[0]);
        self.propagate(samples, range, first_layer, |images, layers| {
            if input == Input::Written {
                layers[0].resize(images.len() * in_stride, Lanes::ZERO);
                for (image, x) in images.clone().zip(layers[0].chunks_exact_mut(in_stride)) {
                    samples.active(image).write(x);
                }
            }
            visit(images.start, layers);
        });
    }

    /// Takes samples through the layers, a block of places at a time. `first_layer` fills in z_1 of the samples at some places.
    /// What `visit` gets is described at [`Network::for_each_block`], but for x, which is left out.
    fn propagate(
        &self,
        samples: &Samples,
        places: Range<usize>,
        first_layer: impl Fn(Range<usize>, &mut [Lanes]),
        mut visit: impl FnMut(Range<usize>, &mut [Vec<Lanes>]),
    ) {
        let sizes = self.architecture().sizes();
        assert_eq!(samples.n_pixels(), sizes[0], "the images do not fit the network's input");
        let mut layers: Vec<Vec<Lanes>> = vec![Vec::new(); sizes.len()];
        let settles = match self.feedback() {
            Feedback::EquilibriumPropagation(settings) => Some(settings),
            _ => None,
        };
        for first in places.clone().step_by(BLOCK) {
            let block = first..places.end.min(first + BLOCK);
            for (layer, size) in layers.iter_mut().zip(sizes).skip(1) {
                layer.resize(block.len() * lanes_for(*size), Lanes::ZERO);
            }
            first_layer(block.clone(), &mut layers[1]);
            if let Some(settings) = settles {
                settle_block(self, settings, &mut layers);
                visit(block, &mut layers);
                continue;
            }
            for layer in 1..self.n_layers() {
                let (y, z) = layers.split_at_mut(layer + 1);
                let y = &mut y[layer];
                if let Some(normalization) = self.normalization.get(layer - 1) {
                    normalization.apply(y);
                }
                kernels::activate(self.backend, self.architecture().activation(), sizes[layer], y);
                kernels::forward_batch(self.backend, &self.forward[layer], y, &mut z[0]);
            }
            visit(block, &mut layers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::science::activation::Activation;
    use crate::science::feedback::Feedback;
    use crate::science::initialization::Initialization;
    use crate::science::online::OnlineTrainer;
    use crate::science::plasticity::{Coefficient, Rule};
    use crate::science::reference::{Reference, architecture, input, noise};
    use crate::science::seed::{Purpose, stream};

    const SOFTPLUS: Activation = Activation::Softplus { beta: 10.0 };

    #[test]
    fn blocks_and_single_samples_agree_with_double_precision() {
        let architecture = architecture(&[40, 33, 17, 10], SOFTPLUS);
        let network = Network::initialize(&architecture, &Initialization::Kaiming, Feedback::Symmetric, 2);
        let samples = noise(103, 40, 10, 8);
        let reference = Reference::of(&network);
        let (mut correct, mut loss) = (0, 0.0);
        let found = network.activations(&samples, 2..103, &[3, 0, 2]);
        for s in 0..101 {
            let (_, y) = reference.forward(&input(&samples, s + 2));
            let label = samples.label(s + 2);
            correct += usize::from(y[3].iter().all(|p| *p <= y[3][label]));
            loss -= y[3][label].ln() / 101.0;
            for (found, layer) in found.iter().zip([3, 0, 2]) {
                let scale = y[layer].iter().fold(0.0_f64, |m, y| m.max(y.abs()));
                assert!(found.row(s).iter().zip(&y[layer]).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-5 * scale));
            }
        }
        let evaluation = network.evaluate(&samples, 2..103);
        assert_eq!((evaluation.n_samples, evaluation.accuracy), (101, correct as f64 / 101.0));
        assert!((evaluation.loss - loss).abs() < 1e-5 * loss);
        // A sample's numbers do not depend on its neighbours in a block.
        let alone = network.activations(&samples, 60..61, &[3]);
        assert_eq!(alone[0].row(0), found[0].row(58));
    }

    /// Three noisy prototypes: an easy problem is learned, which a sign or an index at fault would prevent.
    #[test]
    fn a_separable_problem_is_learned_with_and_without_oja() {
        let mut random = stream(5, Purpose::Task, 0);
        let labels: Vec<u16> = (0..600).map(|_| random.below(3) as u16).collect();
        let bright = |label: u16, pixel: u16| if pixel % 3 == label { 160 } else { 40 };
        let pixels = labels.iter().flat_map(|&label| (0..48).map(move |pixel| bright(label, pixel)));
        let pixels = pixels.map(|mean| (mean + random.below(90)) as u8).collect();
        let samples = Samples::new(pixels, labels, 48, 3).unwrap();
        let order: Vec<u32> = (0..400).collect();
        for oja in [0.0, 1e-3] {
            let network = Network::initialize(
                &architecture(&[48, 30, 20, 3], SOFTPLUS),
                &Initialization::Xavier,
                Feedback::Symmetric,
                1,
            );
            let before = network.evaluate(&samples, 400..600);
            let rule = Rule::new(&[("gradient", Coefficient::Uniform(0.05)), ("oja", Coefficient::Uniform(oja))]);
            let mut trainer = OnlineTrainer::new(network, rule.unwrap()).unwrap();
            trainer.advance(&samples, &order).unwrap();
            let after = trainer.network().evaluate(&samples, 400..600);
            assert!(after.accuracy > 0.95 && after.loss < 0.3 * before.loss, "{before:?} → {after:?}");
        }
    }
}
