//! Weights as the kernels want them.

use super::lanes::{Lanes, WIDTH, as_flat, as_flat_mut, each_lane, lanes_for};

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

    /// The matrix whose weights are 0.
    pub(crate) fn zeros(n_in: usize, n_out: usize) -> Self {
        Self { n_in, n_out, rows: vec![Lanes::ZERO; n_in * lanes_for(n_out)] }
    }

    /// Replaces all weights by what `weights` writes, which is asked for the n_in weights to each output in turn.
    pub(crate) fn fill_by_output(&mut self, mut weights: impl FnMut(&mut [f32])) {
        let (n_in, n_out, stride) = (self.n_in, self.n_out, self.stride());
        // Sixteen outputs at a time, so that each line of memory is written once.
        let mut by_output = vec![0.0; WIDTH * n_in];
        for block in 0..stride {
            let (given, padding) = by_output.split_at_mut(WIDTH.min(n_out - block * WIDTH) * n_in);
            given.chunks_exact_mut(n_in).for_each(&mut weights);
            padding.fill(0.0);
            for i in 0..n_in {
                self.rows[i * stride + block] = Lanes(each_lane!(k => by_output[k * n_in + i]));
            }
        }
    }

    /// Replaces all weights by what `weights` writes, which is asked for the n_out weights from each input in turn.
    pub(crate) fn fill_by_input(&mut self, mut weights: impl FnMut(&mut [f32])) {
        let n_out = self.n_out;
        for i in 0..self.n_in {
            let (row, padding) = as_flat_mut(self.row_mut(i)).split_at_mut(n_out);
            weights(row);
            padding.fill(0.0);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filling_by_output_or_by_input_leaves_nothing_of_what_was_there() {
        for (n_in, n_out) in [(1, 1), (3, 17), (20, 32)] {
            let expected = InputMajor::from_fn(n_in, n_out, |i, j| (i * n_out + j) as f32);
            let mut found = InputMajor::zeros(n_in, n_out);
            found.lanes_mut().fill(Lanes([f32::NAN; WIDTH]));
            let mut j = 0;
            found.fill_by_output(|weights| {
                weights.iter_mut().enumerate().for_each(|(i, w)| *w = (i * n_out + j) as f32);
                j += 1;
            });
            assert_eq!(found, expected);
            found.lanes_mut().fill(Lanes([f32::NAN; WIDTH]));
            let mut i = 0;
            found.fill_by_input(|weights| {
                weights.iter_mut().enumerate().for_each(|(j, w)| *w = (i * n_out + j) as f32);
                i += 1;
            });
            assert_eq!(found, expected);
        }
    }
}
