//! How well a network classifies, from the logits of its output.

/// How well a network classifies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Share of samples whose largest output is that of their label; ties go to the smaller class.
    pub accuracy: f64,
    /// Mean cross-entropy −ln p_label, in nats.
    pub loss: f64,
    /// Number of samples.
    pub n_samples: usize,
}

/// Answers to samples, in whatever order they come; they are added up in the order of the samples.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    correct: usize,
    /// Cross-entropy of each sample, in nats.
    losses: Vec<f64>,
}

impl Tally {
    /// For so many samples.
    pub(crate) fn new(n_samples: usize) -> Self {
        Self { correct: 0, losses: vec![0.0; n_samples] }
    }

    /// The logits of sample `index` and its label.
    pub(crate) fn add(&mut self, index: usize, logits: &[f32], label: usize) {
        self.correct += usize::from(arg_max(logits) == label);
        self.losses[index] = cross_entropy(logits, label);
    }

    /// Means over all samples.
    pub(crate) fn evaluation(self) -> Evaluation {
        let n = self.losses.len() as f64;
        let loss = self.losses.iter().fold(0.0, |sum, loss| sum + loss);
        Evaluation { accuracy: self.correct as f64 / n, loss: loss / n, n_samples: self.losses.len() }
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

/// −ln softmax(z)_label = ln Σ e^{z_k − max} − (z_label − max), in double precision.
fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    let max = f64::from(logits[arg_max(logits)]);
    let sum: f64 = logits.iter().map(|&z| libm::exp(f64::from(z) - max)).sum();
    libm::log(sum) - (f64::from(logits[label]) - max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_smaller_class_and_extreme_logits_stay_finite() {
        assert_eq!(arg_max(&[0.0, 3.0, 3.0]), 1);
        assert!((cross_entropy(&[0.0, 0.0], 1) - std::f64::consts::LN_2).abs() < 1e-15);
        assert_eq!(cross_entropy(&[0.0, 1e4], 0), 1e4);
    }
}
