//! The activation function over whole vectors, padding kept at zero.

use super::activation::Activation;
use super::backend::{Backend, Kernel, dispatch};
use super::elementary;
use super::lanes::{Lanes, WIDTH, as_flat, as_flat_mut, each_lane, lanes_for};
use super::simd::Simd;

/// y = σ(z) for rows of `n_units` numbers, each padded; what pads a row becomes zero whatever σ(0) is.
pub(crate) fn activate(backend: Backend, activation: Activation, n_units: usize, vectors: &mut [Lanes]) {
    dispatch(backend, Activate { activation, n_units, vectors });
}

struct Activate<'a> {
    activation: Activation,
    n_units: usize,
    vectors: &'a mut [Lanes],
}

impl Kernel for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        // Matched once, outside the loop, so that each function is a loop of its own.
        match self.activation {
            Activation::Softplus { beta } => {
                for block in self.vectors.iter_mut() {
                    block.0 = elementary::softplus(block.0, beta);
                }
            }
            other => {
                for block in self.vectors.iter_mut() {
                    block.0 = other.value(block.0);
                }
            }
        }
        let stride = lanes_for(self.n_units);
        if !self.n_units.is_multiple_of(WIDTH) {
            for row in self.vectors.chunks_exact_mut(stride) {
                as_flat_mut(row)[self.n_units..].fill(0.0);
            }
        }
    }
}

/// Replaces the logits of one sample by their softmax: e^{z − max} over its sum, added in ascending order.
pub(crate) fn softmax(backend: Backend, n_units: usize, logits: &mut [Lanes]) {
    dispatch(backend, Softmax { n_units, logits });
}

struct Softmax<'a> {
    n_units: usize,
    logits: &'a mut [Lanes],
}

impl Kernel for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let max = as_flat(self.logits)[..self.n_units].iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for block in self.logits.iter_mut() {
            block.0 = elementary::exp(each_lane!(k => block.0[k] - max));
        }
        as_flat_mut(self.logits)[self.n_units..].fill(0.0);
        let sum: f32 = as_flat(self.logits)[..self.n_units].iter().sum();
        for block in self.logits.iter_mut() {
            block.0 = each_lane!(k => block.0[k] / sum);
        }
    }
}

/// The factors by which errors of inputs `x` are masked, in their order.
pub(crate) fn input_masks(backend: Backend, activation: Activation, x: &[f32], masks: &mut Vec<f32>) {
    masks.resize(x.len(), 0.0);
    dispatch(backend, InputMasks { activation, x, masks });
}

struct InputMasks<'a> {
    activation: Activation,
    x: &'a [f32],
    masks: &'a mut [f32],
}

impl Kernel for InputMasks<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let n = self.x.len();
        let mut first = 0;
        while first < n {
            let end = n.min(first + WIDTH);
            let mut x = [0.0; WIDTH];
            x[..end - first].copy_from_slice(&self.x[first..end]);
            let masks = self.activation.input_mask(x);
            self.masks[first..end].copy_from_slice(&masks[..end - first]);
            first = end;
        }
    }
}

/// max_k z_k and Σ_k e^{z_k − max} of each row of logits, added in ascending order in double precision.
pub(crate) fn partition(backend: Backend, n_units: usize, logits: &[Lanes], found: &mut [(f32, f64)]) {
    assert_eq!(logits.len(), found.len() * lanes_for(n_units));
    dispatch(backend, Partition { n_units, logits, found });
}

struct Partition<'a> {
    n_units: usize,
    logits: &'a [Lanes],
    found: &'a mut [(f32, f64)],
}

impl Kernel for Partition<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (n_units, stride) = (self.n_units, lanes_for(self.n_units));
        for row in 0..self.found.len() {
            let logits = &self.logits[row * stride..(row + 1) * stride];
            let mut max = f32::NEG_INFINITY;
            for &z in &as_flat(logits)[..n_units] {
                max = max.max(z);
            }
            let mut sum = 0.0;
            for block in 0..stride {
                let exponentials = elementary::exp(each_lane!(k => logits[block].0[k] - max));
                for k in 0..WIDTH.min(n_units - block * WIDTH) {
                    sum += f64::from(exponentials[k]);
                }
            }
            self.found[row] = (max, sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::zeros;

    #[test]
    fn softmax_sums_to_one_over_more_than_one_vector() {
        let mut p = zeros(47);
        as_flat_mut(&mut p)[..47].iter_mut().zip(0..).for_each(|(z, k)| *z = (k as f32 * 0.7).sin());
        let exponentials: Vec<f64> = as_flat(&p)[..47].iter().map(|&z| libm::exp(f64::from(z))).collect();
        let total: f64 = exponentials.iter().sum();
        softmax(Backend::Portable, 47, &mut p);
        for (p, e) in as_flat(&p).iter().zip(&exponentials) {
            assert!((f64::from(*p) - e / total).abs() < 1e-8);
        }
        assert_eq!(as_flat(&p)[47], 0.0);
    }

    #[test]
    fn extreme_logits_stay_finite() {
        let mut p = zeros(3);
        as_flat_mut(&mut p)[..3].copy_from_slice(&[1e30, 0.0, -1e30]);
        softmax(Backend::Portable, 3, &mut p);
        assert!(p[0].0[0] == 1.0 && p[0].0[1] < 1e-37);
    }

    #[test]
    fn padding_stays_zero_although_softplus_of_zero_is_not() {
        let mut y = zeros(17);
        activate(Backend::Portable, Activation::Softplus { beta: 10.0 }, 17, &mut y);
        assert!(as_flat(&y)[..17].iter().all(|&y| (y - 0.069_314_72).abs() < 1e-8));
        assert!(as_flat(&y)[17..].iter().all(|&y| y == 0.0));
    }
}
