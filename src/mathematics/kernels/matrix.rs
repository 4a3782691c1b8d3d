//! Weights as the kernels want them.

use super::lanes::{Lanes, as_flat, as_flat_mut, lanes_for};

/// A weight matrix stored *input-major*: the weights that leave one input lie side by side, so that forward product,
/// backward product, projection and update all walk the same contiguous row, and a silent input skips it whole.
///
/// W_{ℓ-1,ℓ} ∈ R^{n_ℓ × n_{ℓ-1}} is held as n_{ℓ-1} rows of n_ℓ numbers, each padded with zeros to whole [`Lanes`].
/// B_{ℓ,ℓ-1} ∈ R^{n_{ℓ-1} × n_ℓ} has the same layout without being transposed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct InputMajor {
    n_in: usize,
    n_out: usize,
    rows: Vec<Lanes>,
}

impl InputMajor {
    /// The matrix whose weight from input `i` to output `j` is `weight(i, j)`.
    pub(crate) fn from_fn(n_in: usize, n_out: usize, mut weight: impl FnMut(usize, usize) -> f32) -> Self {
        let mut matrix = Self { n_in, n_out, rows: vec![Lanes::ZERO; n_in * lanes_for(n_out)] };
        for i in 0..n_in {
            let row = as_flat_mut(matrix.row_mut(i));
            for (j, w) in row[..n_out].iter_mut().enumerate() {
                *w = weight(i, j);
            }
        }
        matrix
    }

    #[inline(always)]
    pub(crate) fn n_in(&self) -> usize {
        self.n_in
    }

    #[inline(always)]
    pub(crate) fn n_out(&self) -> usize {
        self.n_out
    }

    /// [`Lanes`] in a row.
    #[inline(always)]
    pub(crate) fn stride(&self) -> usize {
        lanes_for(self.n_out)
    }

    /// All rows, one after the other.
    #[inline(always)]
    pub(crate) fn lanes(&self) -> &[Lanes] {
        &self.rows
    }

    #[inline(always)]
    pub(crate) fn lanes_mut(&mut self) -> &mut [Lanes] {
        &mut self.rows
    }

    /// The outgoing weights of input `i`, padded.
    #[inline(always)]
    pub(crate) fn row(&self, i: usize) -> &[Lanes] {
        let stride = self.stride();
        &self.rows[i * stride..(i + 1) * stride]
    }

    #[inline(always)]
    pub(crate) fn row_mut(&mut self, i: usize) -> &mut [Lanes] {
        let stride = self.stride();
        &mut self.rows[i * stride..(i + 1) * stride]
    }

    /// The outgoing weights of input `i`.
    pub(crate) fn outgoing(&self, i: usize) -> &[f32] {
        &as_flat(self.row(i))[..self.n_out]
    }
}
