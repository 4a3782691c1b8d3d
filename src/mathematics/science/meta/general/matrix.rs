//! Dense matrices in double precision, as the kernels' programs look at them: a row for each unit of layer ℓ − 1, with an entry
//! for each unit of layer ℓ.

use crate::kernels::InputMajor;

/// Partial sums side by side, so that an addition need not wait for the one before it.
const SUMS: usize = 8;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matrix {
    n_post: usize,
    values: Vec<f64>,
}

impl Matrix {
    pub(super) fn zeros(n_pre: usize, n_post: usize) -> Self {
        Self { n_post, values: vec![0.0; n_pre * n_post] }
    }

    pub(super) fn of(weights: &InputMajor) -> Self {
        let values = (0..weights.n_in()).flat_map(|i| weights.outgoing(i).iter().map(|&w| f64::from(w)));
        Self { n_post: weights.n_out(), values: values.collect() }
    }

    /// Rounded to single precision.
    pub(super) fn single(&self) -> InputMajor {
        InputMajor::from_fn(self.n_pre(), self.n_post, |i, j| self.row(i)[j] as f32)
    }

    pub(super) fn n_pre(&self) -> usize {
        self.values.len() / self.n_post
    }

    pub(super) fn n_post(&self) -> usize {
        self.n_post
    }

    pub(super) fn values(&self) -> &[f64] {
        &self.values
    }

    pub(super) fn values_mut(&mut self) -> &mut [f64] {
        &mut self.values
    }

    pub(super) fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.n_post..(i + 1) * self.n_post]
    }

    pub(super) fn row_mut(&mut self, i: usize) -> &mut [f64] {
        &mut self.values[i * self.n_post..(i + 1) * self.n_post]
    }

    pub(super) fn copy_from(&mut self, other: &Self) {
        self.values.copy_from_slice(&other.values);
    }

    /// Σ_i x_i M_ij: forwards through W, and back to front through B.
    pub(super) fn over_pre(&self, x: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.n_post];
        // Most pixels are silent.
        for (i, &x) in x.iter().enumerate().filter(|(_, x)| **x != 0.0) {
            add_scaled(x, self.row(i), &mut sums);
        }
        sums
    }

    /// Σ_j M_ij v_j.
    pub(super) fn over_post(&self, v: &[f64]) -> Vec<f64> {
        (0..self.n_pre()).map(|i| dot(self.row(i), v)).collect()
    }

    /// M_ij += x_i v_j.
    pub(super) fn add_outer(&mut self, x: &[f64], v: &[f64]) {
        for (i, &x) in x.iter().enumerate().filter(|(_, x)| **x != 0.0) {
            add_scaled(x, v, self.row_mut(i));
        }
    }
}

pub(super) fn add_scaled(factor: f64, from: &[f64], to: &mut [f64]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
}

pub(super) fn add(from: &[f64], to: &mut [f64]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<SUMS>(), b.as_chunks::<SUMS>());
    let mut sums = [0.0; SUMS];
    for (a, b) in a.iter().zip(b) {
        for k in 0..SUMS {
            sums[k] += a[k] * b[k];
        }
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

pub(super) fn sum(a: &[f64]) -> f64 {
    let (a, rest) = a.as_chunks::<SUMS>();
    let mut sums = [0.0; SUMS];
    for a in a {
        for k in 0..SUMS {
            sums[k] += a[k];
        }
    }
    sums.iter().sum::<f64>() + rest.iter().sum::<f64>()
}
