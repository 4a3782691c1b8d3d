//! Σ v vᵀ in double precision: the scatter matrix of centred activations, or W Wᵀ from the rows of inputs.

use super::backend::{Backend, Kernel, dispatch};
use super::simd::Simd;

/// Vectors added together: as many as fit the first-level cache. Not seen in the result: every entry adds its products one
/// after the other, in the order of the vectors.
const TOGETHER: usize = 16;

/// Rows and columns of a tile whose sums stay in registers.
const ROWS: usize = 4;
const COLUMNS: usize = 8;

/// A symmetric matrix Σ v vᵀ under construction, upper triangle only.
pub(crate) struct Scatter {
    backend: Backend,
    n: usize,
    /// n, padded to whole tiles.
    stride: usize,
    /// Row-major, stride × stride; entries below the diagonal and of the padding are not meaningful.
    sum: Vec<f64>,
    /// Vectors that wait, padded with zeros.
    waiting: Vec<f64>,
}

impl Scatter {
    /// Of no vectors yet, each to have `n` entries.
    pub(crate) fn new(backend: Backend, n: usize) -> Self {
        let stride = n.next_multiple_of(COLUMNS);
        Self { backend, n, stride, sum: vec![0.0; stride * stride], waiting: Vec::with_capacity(TOGETHER * stride) }
    }

    /// Adds v vᵀ, v being `entry(0)`, `entry(1)` …
    #[inline]
    pub(crate) fn add(&mut self, entry: impl Fn(usize) -> f64) {
        let start = self.waiting.len();
        self.waiting.resize(start + self.stride, 0.0);
        let v = &mut self.waiting[start..start + self.n];
        for k in 0..v.len() {
            v[k] = entry(k);
        }
        if self.waiting.len() == TOGETHER * self.stride {
            self.flush();
        }
    }

    fn flush(&mut self) {
        dispatch(self.backend, AddOuter { stride: self.stride, sum: &mut self.sum, vectors: &self.waiting });
        self.waiting.clear();
    }

    /// Calls `visit` with row, column and entry of the upper triangle, row by row.
    pub(crate) fn for_each_upper(mut self, mut visit: impl FnMut(usize, usize, f64)) {
        self.flush();
        for i in 0..self.n {
            for j in i..self.n {
                visit(i, j, self.sum[i * self.stride + j]);
            }
        }
    }
}

struct AddOuter<'a> {
    stride: usize,
    sum: &'a mut [f64],
    vectors: &'a [f64],
}

impl Kernel for AddOuter<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let mut i = 0;
        while i < self.stride {
            let mut j = i / COLUMNS * COLUMNS;
            while j < self.stride {
                self.tile(simd, i, j);
                j += COLUMNS;
            }
            i += ROWS;
        }
    }
}

impl AddOuter<'_> {
    /// The tile whose first entry is in row i and column j.
    #[inline(always)]
    fn tile<S: Simd>(&mut self, simd: S, i: usize, j: usize) {
        let Self { stride, sum, vectors } = self;
        let stride = *stride;
        let mut tile = [simd.splat_double(0.0); ROWS];
        for r in 0..ROWS {
            tile[r] = simd.load_doubles(sum[(i + r) * stride + j..].first_chunk().expect("whole tiles"));
        }
        for s in 0..vectors.len() / stride {
            let left = &vectors[s * stride + i..][..ROWS];
            let right = simd.load_doubles(vectors[s * stride + j..].first_chunk().expect("whole tiles"));
            for r in 0..ROWS {
                tile[r] = simd.mul_add_doubles(simd.splat_double(left[r]), right, tile[r]);
            }
        }
        for r in 0..ROWS {
            simd.store_doubles(tile[r], sum[(i + r) * stride + j..].first_chunk_mut().expect("whole tiles"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_backends_do_not_show() {
        let vectors: Vec<Vec<f64>> =
            (0..2 * TOGETHER + 3).map(|s| (0..9).map(|k| libm::sin((s * 9 + k) as f64)).collect()).collect();
        let mut expected = Vec::new();
        for i in 0..9 {
            for j in i..9 {
                expected.push((i, j, vectors.iter().fold(0.0_f64, |sum, v| v[i].mul_add(v[j], sum))));
            }
        }
        for backend in Backend::available() {
            let mut scatter = Scatter::new(backend, 9);
            vectors.iter().for_each(|v| scatter.add(|k| v[k]));
            let mut found = Vec::new();
            scatter.for_each_upper(|i, j, x| found.push((i, j, x)));
            assert_eq!(found, expected, "{backend}");
        }
    }
}
