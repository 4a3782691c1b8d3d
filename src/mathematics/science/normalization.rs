//! Batch normalisation (Ioffe & Szegedy 2015), with which section 2.3 compares Oja's rule.
//!
//! Of each hidden unit, over the m samples of a batch: ẑ = (z − μ) / √(v + ε), u = γ ẑ + β, y = σ(u). μ and v (divisor m)
//! are the batch's in training; for evaluation, running means of μ and of v · m / (m − 1) take their place.

use super::InvalidParameter;
use super::network::ScaleAndShift;
use super::optimizer::{Optimizer, OptimizerState};
use crate::kernels::{Lanes, as_flat, as_flat_mut, zeros};

/// The constants of batch normalisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm {
    /// Share of the newest batch in the running statistics, in (0, 1].
    pub momentum: f64,
    /// Added to the variance.
    pub epsilon: f64,
}

impl Default for BatchNorm {
    /// 0.1 and 1e-5, the usual choice of frameworks.
    fn default() -> Self {
        Self { momentum: 0.1, epsilon: 1e-5 }
    }
}

impl BatchNorm {
    /// The same, if its constants make sense.
    ///
    /// # Errors
    /// If the momentum is outside (0, 1] or ε is not positive.
    pub fn check(self) -> Result<Self, InvalidParameter> {
        let valid = self.momentum > 0.0 && self.momentum <= 1.0 && self.epsilon > 0.0 && self.epsilon.is_finite();
        if !valid {
            return Err(InvalidParameter::new(format!(
                "batch normalisation: momentum must be in (0, 1] and epsilon positive, found {} and {}",
                self.momentum, self.epsilon
            )));
        }
        Ok(self)
    }
}

/// Batch normalisation of one hidden layer. Vectors are padded as the activations are; the padding stays 0.
#[derive(Clone, Debug)]
pub(crate) struct NormalizedLayer {
    constants: BatchNorm,
    n_units: usize,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    running_mean: Vec<f64>,
    running_variance: Vec<f64>,
    optimizer_states: [OptimizerState; 2],
    /// ẑ of the batch, and 1 / √(v + ε) of each unit.
    standardized: Vec<Lanes>,
    inverse_std: Vec<f32>,
}

impl NormalizedLayer {
    /// γ = 1, β = 0, running mean 0 and variance 1.
    pub(crate) fn new(constants: BatchNorm, n_units: usize) -> Self {
        let mut gamma = vec![0.0; zeros(n_units).len() * crate::kernels::WIDTH];
        let padded = gamma.len();
        gamma[..n_units].fill(1.0);
        Self {
            constants,
            n_units,
            gamma,
            beta: vec![0.0; padded],
            running_mean: vec![0.0; n_units],
            running_variance: vec![1.0; n_units],
            optimizer_states: Default::default(),
            standardized: Vec::new(),
            inverse_std: vec![0.0; padded],
        }
    }

    /// z → u for a batch, remembering what [`NormalizedLayer::backward`] needs and feeding the running statistics.
    pub(crate) fn forward(&mut self, z: &mut [Lanes]) {
        let width = self.gamma.len();
        let m = (as_flat(z).len() / width) as f64;
        let (mut mean, mut variance) = (vec![0.0_f64; width], vec![0.0_f64; width]);
        for row in as_flat(z).chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(mean, &z)| *mean += f64::from(z) / m);
        }
        for row in as_flat(z).chunks_exact(width) {
            let deviations = variance.iter_mut().zip(row).zip(&mean);
            deviations.for_each(|((v, &z), mean)| *v += (f64::from(z) - mean).powi(2) / m);
        }
        let share = self.constants.momentum;
        for k in 0..self.n_units {
            self.running_mean[k] += share * (mean[k] - self.running_mean[k]);
            self.running_variance[k] += share * (variance[k] * m / (m - 1.0) - self.running_variance[k]);
            self.inverse_std[k] = (1.0 / libm::sqrt(variance[k] + self.constants.epsilon)) as f32;
        }
        self.standardized.resize(z.len(), Lanes::ZERO);
        let rows = as_flat_mut(z).chunks_exact_mut(width);
        for (z, standardized) in rows.zip(as_flat_mut(&mut self.standardized).chunks_exact_mut(width)) {
            for k in 0..width {
                standardized[k] = (z[k] - mean[k] as f32) * self.inverse_std[k];
                z[k] = self.gamma[k] * standardized[k] + self.beta[k];
            }
        }
    }

    /// ∂/∂u → ∂/∂z for the same batch, and an update of γ and β by their mean gradients:
    /// ∂/∂z = γ / √(v + ε) · (∂/∂u − mean ∂/∂u − ẑ mean(ẑ ∂/∂u)).
    pub(crate) fn backward(&mut self, optimizer: Optimizer, error: &mut [Lanes]) {
        let width = self.gamma.len();
        let m = (as_flat(error).len() / width) as f32;
        let (mut by_beta, mut by_gamma) = (vec![0.0_f32; width], vec![0.0_f32; width]);
        let standardized = as_flat(&self.standardized);
        for (e, standardized) in as_flat(error).chunks_exact(width).zip(standardized.chunks_exact(width)) {
            for k in 0..width {
                by_beta[k] += e[k] / m;
                by_gamma[k] += e[k] * standardized[k] / m;
            }
        }
        let rows = as_flat_mut(error).chunks_exact_mut(width);
        for (e, standardized) in rows.zip(standardized.chunks_exact(width)) {
            for k in 0..width {
                let centred = e[k] - by_beta[k] - standardized[k] * by_gamma[k];
                e[k] = self.gamma[k] * self.inverse_std[k] * centred;
            }
        }
        self.optimizer_states[0].update(optimizer, &mut self.gamma, &by_gamma);
        self.optimizer_states[1].update(optimizer, &mut self.beta, &by_beta);
    }

    /// The layer at evaluation: γ / √(v + ε) and β − μ γ / √(v + ε) from the running statistics.
    pub(crate) fn evaluated(&self) -> ScaleAndShift {
        let (mut scale, mut shift) = (zeros(self.n_units), zeros(self.n_units));
        for k in 0..self.n_units {
            let factor = f64::from(self.gamma[k]) / libm::sqrt(self.running_variance[k] + self.constants.epsilon);
            as_flat_mut(&mut scale)[k] = factor as f32;
            as_flat_mut(&mut shift)[k] = (f64::from(self.beta[k]) - self.running_mean[k] * factor) as f32;
        }
        ScaleAndShift { scale, shift }
    }
}
