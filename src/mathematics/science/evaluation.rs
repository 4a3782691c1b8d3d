//! How well a network classifies, from z_L, the logits of its output.
//!
//! −ln softmax(z)_label = ln Σ_k e^{z_k − max} + (max − z_label). The sums of sixteen samples are multiplied before one logarithm
//! is taken: each lies between 1 and the number of classes, so the product neither overflows nor loses what makes it more than 1.

use super::loss::{Loss, half_squared_distance};
use super::tape::{Foreign, Tape};
use crate::kernels::{self, Backend, Lanes, as_flat, lanes_for};

/// Samples that share a logarithm.
const TOGETHER: usize = 16;

/// How well a network classifies.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Share of samples whose largest output is that of their label; ties go to the smaller class.
    pub accuracy: f64,
    /// Mean [`Loss`]: cross-entropy −ln p_label in nats, or half the squared distance.
    pub loss: f64,
    /// Number of samples.
    pub n_samples: usize,
}

impl Evaluation {
    /// Keeps it, or takes it up.
    ///
    /// # Errors
    /// Something else was kept.
    pub fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
        let mut means = [self.accuracy, self.loss];
        tape.numbers("means", &mut means)?;
        [self.accuracy, self.loss] = means;
        tape.size("samples", &mut self.n_samples)
    }
}

/// Answers to samples, in whatever order they come; they are added up in the order of the samples.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    n_outputs: usize,
    loss: Loss,
    correct: usize,
    /// Σ_k e^{z_k − max} and max − z_label of each sample; 1 and all of the loss where it is no cross-entropy.
    sums: Vec<f64>,
    margins: Vec<f64>,
    /// Room for what is found of the rows of a call.
    found: Vec<(f32, f64)>,
}

impl Tally {
    /// For so many samples.
    pub(crate) fn new(n_samples: usize, n_outputs: usize, loss: Loss) -> Self {
        Self {
            n_outputs,
            loss,
            correct: 0,
            sums: vec![1.0; n_samples],
            margins: vec![0.0; n_samples],
            found: Vec::new(),
        }
    }

    /// The padded rows of logits of some samples; `samples` gives the index and the label of each.
    pub(crate) fn add(&mut self, backend: Backend, logits: &[Lanes], samples: impl Iterator<Item = (usize, usize)>) {
        let Self { n_outputs, loss, correct, sums, margins, found } = self;
        let stride = lanes_for(*n_outputs);
        found.resize(logits.len() / stride, (0.0, 0.0));
        kernels::partition(backend, *n_outputs, logits, found);
        for (((index, label), row), (max, sum)) in samples.zip(logits.chunks_exact(stride)).zip(found) {
            let logits = &as_flat(row)[..*n_outputs];
            *correct += usize::from(arg_max(logits) == label);
            (sums[index], margins[index]) = match loss {
                Loss::CrossEntropy => (*sum, f64::from(*max) - f64::from(logits[label])),
                Loss::SquaredError => (1.0, half_squared_distance(logits, label)),
            };
        }
    }

    /// Means over all samples.
    pub(crate) fn evaluation(self) -> Evaluation {
        let n = self.sums.len() as f64;
        let product = |sums: &[f64]| libm::log(sums.iter().product());
        let loss = self.sums.chunks(TOGETHER).map(product).fold(0.0, |sum, log| sum + log);
        let loss = self.margins.iter().fold(loss, |sum, margin| sum + margin);
        Evaluation { accuracy: self.correct as f64 / n, loss: loss / n, n_samples: self.sums.len() }
    }
}

/// Index of the largest number; the first of equal ones. Where none compares (all NaN), 0.
fn arg_max(logits: &[f32]) -> usize {
    let mut best = 0;
    for (k, &z) in logits.iter().enumerate() {
        if z > logits[best] {
            best = k;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::noise::Noise;
    use crate::kernels::{as_flat_mut, zeros};

    /// Samples given in reverse, in two calls.
    fn evaluate(backend: Backend, logits: &[Vec<f32>], labels: &[usize]) -> Evaluation {
        let (n, n_outputs) = (logits.len(), logits[0].len());
        let mut tally = Tally::new(n, n_outputs, Loss::CrossEntropy);
        for part in (0..n).rev().collect::<Vec<_>>().chunks(n.div_ceil(2)) {
            let mut rows = Vec::new();
            for &sample in part {
                let mut row = zeros(n_outputs);
                as_flat_mut(&mut row)[..n_outputs].copy_from_slice(&logits[sample]);
                rows.extend(row);
            }
            tally.add(backend, &rows, part.iter().map(|&sample| (sample, labels[sample])));
        }
        tally.evaluation()
    }

    #[test]
    fn losses_are_those_of_the_definition_in_double_precision() {
        let mut random = Noise(8);
        for (n, n_outputs, scale) in [(1, 2, 1.0), (40, 10, 5.0), (33, 47, 0.1), (100, 16, 40.0)] {
            let logits: Vec<Vec<f32>> =
                (0..n).map(|_| (0..n_outputs).map(|_| (scale * random.normal()) as f32).collect()).collect();
            let labels: Vec<usize> = (0..n).map(|_| random.below(n_outputs as u64) as usize).collect();
            let truth = logits.iter().zip(&labels).map(|(z, &label)| {
                let max = z.iter().fold(f64::MIN, |max, &z| max.max(f64::from(z)));
                libm::log(z.iter().map(|&z| libm::exp(f64::from(z) - max)).sum::<f64>()) + max - f64::from(z[label])
            });
            let truth = truth.sum::<f64>() / n as f64;
            let found = evaluate(Backend::Portable, &logits, &labels);
            assert!((found.loss / truth - 1.0).abs() < 3e-7, "{} for {truth}", found.loss);
            let hits = logits.iter().zip(&labels).filter(|(z, label)| arg_max(z) == **label).count();
            assert_eq!(found.accuracy, hits as f64 / n as f64);
            for backend in Backend::available() {
                assert_eq!(evaluate(backend, &logits, &labels), found, "{backend}");
            }
        }
    }

    #[test]
    fn ties_go_to_the_smaller_class_and_extreme_logits_stay_finite() {
        assert_eq!(arg_max(&[0.0, 3.0, 3.0]), 1);
        let loss = |logits: &[f32], label| evaluate(Backend::Portable, &[logits.to_vec()], &[label]).loss;
        assert!((loss(&[0.0, 0.0], 1) - std::f64::consts::LN_2).abs() < 1e-15);
        assert_eq!(loss(&[0.0, 1e4], 0), 1e4);
        assert!(loss(&[f32::NAN, 0.0], 1).is_nan());
        // A sample that is nearly sure still counts.
        assert!((loss(&[0.0, 18.0], 1) / libm::exp(-18.0) - 1.0).abs() < 1e-6);
    }
}
