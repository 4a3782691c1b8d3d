//! Σ v vᵀ in double precision: the scatter matrix of centred activations, or W Wᵀ from the rows of inputs.

use super::backend::{Backend, Kernel, dispatch};
use super::simd::Simd;

/// Vectors added together; four share each reading and writing of the matrix. Not seen in the result: every entry adds
/// its products one after the other, in the order of the vectors.
const TOGETHER: usize = 4;

/// A symmetric matrix Σ v vᵀ under construction, upper triangle only.
pub(crate) struct Scatter {
    backend: Backend,
    n: usize,
    /// Row-major, n × n; entries below the diagonal are not meaningful.
    sum: Vec<f64>,
    waiting: Vec<f64>,
}

impl Scatter {
    /// Of no vectors yet, each to have `n` entries.
    pub fn new(backend: Backend, n: usize) -> Self {
        Self { backend, n, sum: vec![0.0; n * n], waiting: Vec::with_capacity(TOGETHER * n) }
    }

    /// Adds v vᵀ.
    pub fn add(&mut self, v: impl IntoIterator<Item = f64>) {
        self.waiting.extend(v);
        assert_eq!(self.waiting.len() % self.n, 0, "a vector has {} entries", self.n);
        if self.waiting.len() == TOGETHER * self.n {
            self.flush();
        }
    }

    fn flush(&mut self) {
        dispatch(self.backend, AddOuter { n: self.n, sum: &mut self.sum, vectors: &self.waiting });
        self.waiting.clear();
    }

    /// Calls `visit` with row, column and entry of the upper triangle, row by row.
    pub fn for_each_upper(mut self, mut visit: impl FnMut(usize, usize, f64)) {
        self.flush();
        for i in 0..self.n {
            for j in i..self.n {
                visit(i, j, self.sum[i * self.n + j]);
            }
        }
    }
}

struct AddOuter<'a> {
    n: usize,
    sum: &'a mut [f64],
    vectors: &'a [f64],
}

impl Kernel for AddOuter<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { n, sum, vectors } = self;
        if vectors.len() == TOGETHER * n {
            let (a, rest) = vectors.split_at(n);
            let (b, rest) = rest.split_at(n);
            let (c, d) = rest.split_at(n);
            for (i, row) in sum.chunks_exact_mut(n).enumerate() {
                let (row, m) = (&mut row[i..], n - i);
                let (a, b, c, d) = (&a[i..][..m], &b[i..][..m], &c[i..][..m], &d[i..][..m]);
                for j in 0..m {
                    let sum = a[0].mul_add(a[j], row[j]);
                    let sum = b[0].mul_add(b[j], sum);
                    let sum = c[0].mul_add(c[j], sum);
                    row[j] = d[0].mul_add(d[j], sum);
                }
            }
        } else {
            for v in vectors.chunks_exact(n) {
                for (i, row) in sum.chunks_exact_mut(n).enumerate() {
                    for (sum, x) in row[i..].iter_mut().zip(&v[i..]) {
                        *sum = v[i].mul_add(*x, *sum);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_backends_do_not_show() {
        let vectors: Vec<Vec<f64>> = (0..11).map(|s| (0..9).map(|k| libm::sin((s * 9 + k) as f64)).collect()).collect();
        let mut expected = Vec::new();
        for i in 0..9 {
            for j in i..9 {
                expected.push((i, j, vectors.iter().fold(0.0_f64, |sum, v| v[i].mul_add(v[j], sum))));
            }
        }
        for backend in Backend::available() {
            let mut scatter = Scatter::new(backend, 9);
            vectors.iter().for_each(|v| scatter.add(v.iter().copied()));
            let mut found = Vec::new();
            scatter.for_each_upper(|i, j, x| found.push((i, j, x)));
            assert_eq!(found, expected, "{backend}");
        }
    }
}
