//! Products of one matrix with a batch of vectors, each number in the order of the product with one vector: what is
//! measured on a batch is, to the last bit, what online learning sees.

use super::backend::{Backend, Kernel, dispatch};
use super::lanes::{Lanes, as_flat, as_flat_mut, each_lane, lanes_for};
use super::matrix::InputMajor;
use super::simd::Simd;
use crate::science::activation::Activation;

/// Z = Y Wᵀ for a batch: `y` holds one padded row of n_in numbers a sample, `z` one padded row of n_out.
pub(crate) fn forward_batch(backend: Backend, weights: &InputMajor, y: &[Lanes], z: &mut [Lanes]) {
    let in_stride = lanes_for(weights.n_in());
    assert_eq!(y.len() % in_stride, 0);
    assert_eq!(z.len(), y.len() / in_stride * weights.stride());
    dispatch(backend, ForwardBatch { weights, y, z });
}

struct ForwardBatch<'a> {
    weights: &'a InputMajor,
    y: &'a [Lanes],
    z: &'a mut [Lanes],
}

impl Kernel for ForwardBatch<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { weights, y, z } = self;
        let (in_stride, stride) = (lanes_for(weights.n_in()), weights.stride());
        let samples = y.len() / in_stride;
        // One column of weights (n_in × 16) stays in the first-level cache while all samples pass.
        for column in 0..stride {
            let mut s = 0;
            while s + 12 <= samples && S::ACCUMULATORS >= 12 {
                forward_tile::<S, 12>(simd, weights, y, z, s, column);
                s += 12;
            }
            while s + 6 <= samples {
                forward_tile::<S, 6>(simd, weights, y, z, s, column);
                s += 6;
            }
            while s < samples {
                forward_tile::<S, 1>(simd, weights, y, z, s, column);
                s += 1;
            }
        }
    }
}

/// `M` samples from `first` on, one column of sixteen outputs.
#[inline(always)]
fn forward_tile<S: Simd, const M: usize>(
    simd: S,
    weights: &InputMajor,
    y: &[Lanes],
    z: &mut [Lanes],
    first: usize,
    column: usize,
) {
    let (n_in, in_stride, stride) = (weights.n_in(), lanes_for(weights.n_in()), weights.stride());
    let inputs: [&[f32]; M] =
        std::array::from_fn(|m| &as_flat(&y[(first + m) * in_stride..(first + m + 1) * in_stride])[..n_in]);
    let mut sum = [simd.splat(0.0); M];
    for (i, row) in weights.lanes()[column..].iter().step_by(stride).take(n_in).enumerate() {
        let w = simd.load(row);
        for m in 0..M {
            sum[m] = simd.mul_add(simd.splat(inputs[m][i]), w, sum[m]);
        }
    }
    for m in 0..M {
        simd.store(sum[m], &mut z[(first + m) * stride + column]);
    }
}

/// D = Y W, backwards through a matrix: row s of `d` is Wᵀ y_s, as padded as n_in needs; rows of `y` are padded to n_out.
/// With B (n_{ℓ-1} × n_ℓ) in place of W it is B y_s.
pub(crate) fn project_batch(backend: Backend, weights: &InputMajor, y: &[Lanes], d: &mut [Lanes]) {
    let stride = weights.stride();
    assert_eq!(y.len() % stride, 0);
    assert_eq!(d.len(), y.len() / stride * lanes_for(weights.n_in()));
    dispatch(backend, ProjectBatch { weights, y, d });
}

struct ProjectBatch<'a> {
    weights: &'a InputMajor,
    y: &'a [Lanes],
    d: &'a mut [Lanes],
}

impl Kernel for ProjectBatch<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { weights, y, d } = self;
        let samples = y.len() / weights.stride();
        let n_in = weights.n_in();
        let mut i = 0;
        while i < n_in {
            let pair = i + 2 <= n_in;
            let mut s = 0;
            while s < samples {
                s += match (pair, s + 3 <= samples) {
                    (true, true) => project_tile::<S, 2, 3>(simd, weights, y, d, i, s),
                    (true, false) => project_tile::<S, 2, 1>(simd, weights, y, d, i, s),
                    (false, true) => project_tile::<S, 1, 3>(simd, weights, y, d, i, s),
                    (false, false) => project_tile::<S, 1, 1>(simd, weights, y, d, i, s),
                };
            }
            i += if pair { 2 } else { 1 };
        }
    }
}

/// `R` rows of weights from `i` on times `M` samples from `first` on; returns `M`.
#[inline(always)]
fn project_tile<S: Simd, const R: usize, const M: usize>(
    simd: S,
    weights: &InputMajor,
    y: &[Lanes],
    d: &mut [Lanes],
    i: usize,
    first: usize,
) -> usize {
    let (stride, in_stride) = (weights.stride(), lanes_for(weights.n_in()));
    let rows = &weights.lanes()[i * stride..(i + R) * stride];
    let samples = &y[first * stride..(first + M) * stride];
    let mut sum = [[simd.splat(0.0); M]; R];
    for t in 0..stride {
        for r in 0..R {
            let w = simd.load(&rows[r * stride + t]);
            for m in 0..M {
                sum[r][m] = simd.mul_add(w, simd.load(&samples[m * stride + t]), sum[r][m]);
            }
        }
    }
    for m in 0..M {
        let row = as_flat_mut(&mut d[(first + m) * in_stride..(first + m + 1) * in_stride]);
        for r in 0..R {
            row[i + r] = simd.sum(sum[r][m]);
        }
    }
    M
}

/// e ← e ⊙ σ′(z), σ′ from y = σ(z).
pub(crate) fn times_slope(backend: Backend, activation: Activation, y: &[Lanes], e: &mut [Lanes]) {
    assert_eq!(y.len(), e.len());
    dispatch(backend, TimesSlope { activation, y, e });
}

struct TimesSlope<'a> {
    activation: Activation,
    y: &'a [Lanes],
    e: &'a mut [Lanes],
}

impl Kernel for TimesSlope<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (e, y) in self.e.iter_mut().zip(self.y) {
            let slope = self.activation.derivative(y.0);
            e.0 = each_lane!(k => e.0[k] * slope[k]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{WIDTH, forward, zeros};
    use crate::science::seed::{Purpose, stream};

    /// For ragged sizes and every backend of this machine: a batch gives the bits of one vector at a time, and those of
    /// the portable backend; both are right to single precision.
    #[test]
    fn batches_agree_with_single_vectors_and_double_precision() {
        let mut random = stream(1, Purpose::Task, 0);
        for (n_in, n_out, samples) in [(1, 1, 1), (17, 33, 7), (50, 16, 14), (15, 100, 13), (170, 47, 25)] {
            let w = InputMajor::from_fn(n_in, n_out, |_, _| random.normal() as f32);
            let mut random_rows = |n: usize| {
                let mut rows = vec![Lanes::ZERO; samples * lanes_for(n)];
                for row in rows.chunks_exact_mut(lanes_for(n)) {
                    as_flat_mut(row)[..n].iter_mut().for_each(|x| *x = random.normal() as f32);
                }
                rows
            };
            let (y, e) = (random_rows(n_in), random_rows(n_out));
            let products = |backend| {
                let (mut z, mut d) = (e.clone(), y.clone());
                forward_batch(backend, &w, &y, &mut z);
                project_batch(backend, &w, &e, &mut d);
                (z, d)
            };
            let (z, d) = products(Backend::Portable);
            for backend in Backend::available() {
                assert!(products(backend) == (z.clone(), d.clone()), "{backend} at {n_in} × {n_out}");
            }
            for s in 0..samples {
                let row = |rows: &[Lanes], n: usize| as_flat(rows)[s * lanes_for(n) * WIDTH..][..n].to_vec();
                let mut single = zeros(n_out);
                forward(Backend::Portable, &w, &y[s * lanes_for(n_in)..][..lanes_for(n_in)], &mut single);
                assert_eq!(as_flat(&single)[..n_out], row(&z, n_out));
                let (y, e, z, d) = (row(&y, n_in), row(&e, n_out), row(&z, n_out), row(&d, n_in));
                for (j, &z) in z.iter().enumerate() {
                    let truth: f64 = (0..n_in).map(|i| f64::from(w.outgoing(i)[j]) * f64::from(y[i])).sum();
                    assert!((f64::from(z) - truth).abs() < 1e-4);
                }
                for (i, &d) in d.iter().enumerate() {
                    let truth: f64 = (0..n_out).map(|j| f64::from(w.outgoing(i)[j]) * f64::from(e[j])).sum();
                    assert!((f64::from(d) - truth).abs() < 1e-4);
                }
            }
        }
    }
}
