//! Products of one matrix with a batch of vectors, each number in the order of the product with one vector: what is
//! measured on a batch is, to the last bit, what online learning sees.

use super::activation::Activation;
use super::backend::{Backend, Kernel, dispatch};
use super::lanes::{Lanes, WIDTH, as_flat_mut, each_lane, lanes_for};
use super::matrix::InputMajor;
use super::simd::Simd;

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
    let samples = &y[first * in_stride..(first + M) * in_stride];
    let mut sum = [simd.splat(0.0); M];
    for (block, rows) in weights.lanes().chunks(WIDTH * stride).enumerate() {
        let mut inputs = [&Lanes::ZERO; M];
        for m in 0..M {
            inputs[m] = &samples[m * in_stride + block];
        }
        for k in 0..WIDTH.min(n_in - block * WIDTH) {
            let w = simd.load(&rows[k * stride + column]);
            for m in 0..M {
                sum[m] = simd.mul_add(simd.splat(inputs[m].0[k]), w, sum[m]);
            }
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
        let (stride, in_stride) = (weights.stride(), lanes_for(weights.n_in()));
        let mut i = 0;
        // Two rows of weights stay in the first-level cache while all samples pass, three at a time.
        for rows in weights.lanes().chunks(2 * stride) {
            let (p, q) = rows.split_at(stride);
            let samples = y.chunks(3 * stride).zip(d.chunks_mut(3 * in_stride));
            for (y, d) in samples {
                if let (true, Some(tile)) = (q.len() == stride, three(y, stride)) {
                    let sums = six_dots(simd, [p, q], tile);
                    for (d, [first, second]) in d.chunks_exact_mut(in_stride).zip(sums) {
                        let d = as_flat_mut(d);
                        (d[i], d[i + 1]) = (first, second);
                    }
                } else {
                    for (y, d) in y.chunks_exact(stride).zip(d.chunks_exact_mut(in_stride)) {
                        for (r, row) in rows.chunks_exact(stride).enumerate() {
                            as_flat_mut(d)[i + r] = dot(simd, row, y);
                        }
                    }
                }
            }
            i += 2;
        }
    }
}

/// Three vectors of `stride`, if there are three.
#[inline(always)]
fn three(y: &[Lanes], stride: usize) -> Option<[&[Lanes]; 3]> {
    let (a, rest) = y.split_at_checked(stride)?;
    let (b, rest) = rest.split_at_checked(stride)?;
    Some([a, b, rest.split_at_checked(stride)?.0])
}

#[inline(always)]
fn dot<S: Simd>(simd: S, row: &[Lanes], y: &[Lanes]) -> f32 {
    let mut sum = simd.splat(0.0);
    for (w, y) in row.iter().zip(y) {
        sum = simd.mul_add(simd.load(w), simd.load(y), sum);
    }
    simd.sum(sum)
}

/// The dot products of each of three vectors with each of two rows, each in the order of [`dot`].
#[inline(always)]
fn six_dots<S: Simd>(simd: S, [p, q]: [&[Lanes]; 2], [a, b, c]: [&[Lanes]; 3]) -> [[f32; 2]; 3] {
    let n = p.len();
    // Equal lengths said once, so that the loop needs no bounds checks.
    let (q, a, b, c) = (&q[..n], &a[..n], &b[..n], &c[..n]);
    let mut sum = [simd.splat(0.0); 6];
    for t in 0..n {
        let (p, q) = (simd.load(&p[t]), simd.load(&q[t]));
        let (a, b, c) = (simd.load(&a[t]), simd.load(&b[t]), simd.load(&c[t]));
        sum[0] = simd.mul_add(p, a, sum[0]);
        sum[1] = simd.mul_add(q, a, sum[1]);
        sum[2] = simd.mul_add(p, b, sum[2]);
        sum[3] = simd.mul_add(q, b, sum[3]);
        sum[4] = simd.mul_add(p, c, sum[4]);
        sum[5] = simd.mul_add(q, c, sum[5]);
    }
    let [p_a, q_a, p_b, q_b] = simd.sums([sum[0], sum[1], sum[2], sum[3]]);
    [[p_a, q_a], [p_b, q_b], [simd.sum(sum[4]), simd.sum(sum[5])]]
}

/// e ← e ⊙ σ′(z), σ′ from y = σ(z).
pub(crate) fn times_slope(backend: Backend, activation: Activation, y: &[Lanes], e: &mut [Lanes]) {
    assert_eq!(y.len(), e.len());
    dispatch(backend, TimesSlope { activation, y, e });
}

/// e_0 ← e_0 ⊙ its mask at an image x.
pub(crate) fn times_input_mask(activation: Activation, x: &[Lanes], e: &mut [Lanes]) {
    assert_eq!(x.len(), e.len());
    for (e, x) in e.iter_mut().zip(x) {
        let mask = activation.input_mask(x.0);
        e.0 = each_lane!(k => e.0[k] * mask[k]);
    }
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
    use crate::kernels::noise::Noise;
    use crate::kernels::{as_flat, forward, zeros};

    /// For ragged sizes and every backend of this machine: a batch gives the bits of one vector at a time, and those of
    /// the portable backend; both are right to single precision.
    #[test]
    fn batches_agree_with_single_vectors_and_double_precision() {
        let mut random = Noise(1);
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
