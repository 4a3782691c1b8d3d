//! Batch normalisation (Ioffe & Szegedy 2015), with which section 2.3 compares Oja's rule, and layer normalisation (Ba, Kiros
//! & Hinton 2016), which does without batches.
//!
//! Of each hidden unit, over the m samples of a batch: ẑ = (z − μ) / √(v + ε), u = γ ẑ + β, y = σ(u). μ and v (divisor m)
//! are the batch's in training; for evaluation, running means of μ and of v · m / (m − 1) take their place. With layer
//! normalisation μ and v (divisor n_ℓ) are those of a sample over the units of its layer, in training and evaluation alike.

use super::InvalidParameter;
use super::network::ScaleAndShift;
use super::optimizer::{Optimizer, OptimizerState};
use super::tape::{Foreign, Tape};
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

/// Over what z is standardised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Normalization {
    /// Over the samples of a batch, unit by unit.
    Batch(BatchNorm),
    /// Over the units of a layer, sample by sample; ε is [`LAYER_EPSILON`].
    Layer,
}

/// ε of layer normalisation, the usual choice of frameworks.
pub const LAYER_EPSILON: f64 = 1e-5;

/// z → ẑ over the units of a layer; returns 1 / √(v + ε).
pub(crate) fn standardize_units(z: &mut [f32]) -> f32 {
    let n = z.len() as f64;
    let mean = z.iter().map(|&z| f64::from(z)).sum::<f64>() / n;
    let variance = z.iter().map(|&z| (f64::from(z) - mean).powi(2)).sum::<f64>() / n;
    let inverse_std = (1.0 / libm::sqrt(variance + LAYER_EPSILON)) as f32;
    z.iter_mut().for_each(|z| *z = (*z - mean as f32) * inverse_std);
    inverse_std
}

/// Normalisation of one hidden layer. Vectors are padded as the activations are; the padding stays 0.
#[derive(Clone, Debug)]
pub(crate) struct NormalizedLayer {
    over: Normalization,
    n_units: usize,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    running_mean: Vec<f64>,
    running_variance: Vec<f64>,
    optimizer_states: [OptimizerState; 2],
    /// ẑ of the batch, and 1 / √(v + ε) of each unit, or of each sample.
    standardized: Vec<Lanes>,
    inverse_std: Vec<f32>,
}

impl NormalizedLayer {
    /// γ = 1, β = 0, running mean 0 and variance 1.
    pub(crate) fn new(over: Normalization, n_units: usize) -> Self {
        let mut gamma = vec![0.0; zeros(n_units).len() * crate::kernels::WIDTH];
        let padded = gamma.len();
        gamma[..n_units].fill(1.0);
        Self {
            over,
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

    /// Keeps parameters, running statistics and what optimisers remember, or takes them up.
    pub(crate) fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
        tape.singles("gamma", &mut self.gamma)?;
        tape.singles("beta", &mut self.beta)?;
        tape.numbers("running mean", &mut self.running_mean)?;
        tape.numbers("running var", &mut self.running_variance)?;
        let n = self.gamma.len();
        self.optimizer_states.iter_mut().try_for_each(|state| state.keep(tape, n))
    }

    /// z → u for a batch, remembering what [`NormalizedLayer::backward`] needs and feeding the running statistics.
    pub(crate) fn forward(&mut self, z: &mut [Lanes]) {
        self.standardized.resize(z.len(), Lanes::ZERO);
        self.standardized.copy_from_slice(z);
        match self.over {
            Normalization::Batch(constants) => self.standardize_over_batch(constants),
            Normalization::Layer => self.standardize_over_units(),
        }
        let width = self.gamma.len();
        let rows = as_flat_mut(z).chunks_exact_mut(width);
        for (z, standardized) in rows.zip(as_flat(&self.standardized).chunks_exact(width)) {
            for k in 0..width {
                z[k] = self.gamma[k] * standardized[k] + self.beta[k];
            }
        }
    }

    fn standardize_over_batch(&mut self, constants: BatchNorm) {
        let width = self.gamma.len();
        let z = as_flat_mut(&mut self.standardized);
        let m = (z.len() / width) as f64;
        let (mut mean, mut variance) = (vec![0.0_f64; width], vec![0.0_f64; width]);
        for row in z.chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(mean, &z)| *mean += f64::from(z) / m);
        }
        for row in z.chunks_exact(width) {
            let deviations = variance.iter_mut().zip(row).zip(&mean);
            deviations.for_each(|((v, &z), mean)| *v += (f64::from(z) - mean).powi(2) / m);
        }
        let share = constants.momentum;
        for k in 0..self.n_units {
            self.running_mean[k] += share * (mean[k] - self.running_mean[k]);
            self.running_variance[k] += share * (variance[k] * m / (m - 1.0) - self.running_variance[k]);
            self.inverse_std[k] = (1.0 / libm::sqrt(variance[k] + constants.epsilon)) as f32;
        }
        for z in z.chunks_exact_mut(width) {
            for k in 0..width {
                z[k] = (z[k] - mean[k] as f32) * self.inverse_std[k];
            }
        }
    }

    fn standardize_over_units(&mut self) {
        let rows = as_flat_mut(&mut self.standardized).chunks_exact_mut(self.gamma.len());
        self.inverse_std.clear();
        self.inverse_std.extend(rows.map(|z| standardize_units(&mut z[..self.n_units])));
    }

    /// ∂/∂u → ∂/∂z for the same batch, and an update of γ and β by their mean gradients.
    pub(crate) fn backward(&mut self, optimizer: Optimizer, error: &mut [Lanes]) {
        let width = self.gamma.len();
        let m = (as_flat(error).len() / width) as f32;
        let (mut by_beta, mut by_gamma) = (vec![0.0_f32; width], vec![0.0_f32; width]);
        for (e, standardized) in as_flat(error).chunks_exact(width).zip(as_flat(&self.standardized).chunks_exact(width))
        {
            for k in 0..width {
                by_beta[k] += e[k] / m;
                by_gamma[k] += e[k] * standardized[k] / m;
            }
        }
        match self.over {
            Normalization::Batch(_) => self.back_over_batch(error, &by_beta, &by_gamma),
            Normalization::Layer => self.back_over_units(error),
        }
        self.optimizer_states[0].update(optimizer, &mut self.gamma, &by_gamma);
        self.optimizer_states[1].update(optimizer, &mut self.beta, &by_beta);
    }

    /// ∂/∂z = γ / √(v + ε) · (∂/∂u − mean ∂/∂u − ẑ mean(ẑ ∂/∂u)), means over the batch.
    fn back_over_batch(&self, error: &mut [Lanes], by_beta: &[f32], by_gamma: &[f32]) {
        let width = self.gamma.len();
        let rows = as_flat_mut(error).chunks_exact_mut(width);
        for (e, standardized) in rows.zip(as_flat(&self.standardized).chunks_exact(width)) {
            for k in 0..width {
                let centred = e[k] - by_beta[k] - standardized[k] * by_gamma[k];
                e[k] = self.gamma[k] * self.inverse_std[k] * centred;
            }
        }
    }

    /// ∂/∂z = 1 / √(v + ε) · (g − mean g − ẑ mean(ẑ g)) with g = γ ∂/∂u, means over the units of the layer.
    fn back_over_units(&self, error: &mut [Lanes]) {
        let width = self.gamma.len();
        let rows = as_flat_mut(error).chunks_exact_mut(width).zip(&self.inverse_std);
        for ((e, inverse_std), standardized) in rows.zip(as_flat(&self.standardized).chunks_exact(width)) {
            let (e, standardized) = (&mut e[..self.n_units], &standardized[..self.n_units]);
            e.iter_mut().zip(&self.gamma).for_each(|(e, gamma)| *e *= gamma);
            let n = self.n_units as f64;
            let mean = (e.iter().map(|&e| f64::from(e)).sum::<f64>() / n) as f32;
            let products = e.iter().zip(standardized).map(|(&e, &z)| f64::from(e) * f64::from(z));
            let along = (products.sum::<f64>() / n) as f32;
            e.iter_mut().zip(standardized).for_each(|(e, z)| *e = inverse_std * (*e - mean - z * along));
        }
    }

    /// The layer at evaluation: γ and β on what is standardised over the units, or, over a batch, γ / √(v + ε) and
    /// β − μ γ / √(v + ε) from the running statistics.
    pub(crate) fn evaluated(&self) -> ScaleAndShift {
        let Normalization::Batch(constants) = self.over else {
            return ScaleAndShift::new(&self.gamma[..self.n_units], &self.beta[..self.n_units], true);
        };
        let (mut scale, mut shift) = (vec![0.0; self.n_units], vec![0.0; self.n_units]);
        for k in 0..self.n_units {
            let factor = f64::from(self.gamma[k]) / libm::sqrt(self.running_variance[k] + constants.epsilon);
            scale[k] = factor as f32;
            shift[k] = (f64::from(self.beta[k]) - self.running_mean[k] * factor) as f32;
        }
        ScaleAndShift::new(&scale, &shift, false)
    }
}
