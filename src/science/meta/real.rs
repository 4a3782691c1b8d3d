//! The two precisions of the inner loop, and its vector operations.
//!
//! Training runs in float32. Float64 runs the same code, so that its gradient can be compared with finite differences,
//! which float32 is too coarse for.
//!
//! Vectors are padded with zeros to a multiple of [`WIDTH`]. Every operation rounds once, and dot products add sixteen
//! partial sums in one tree: instruction sets differ in how many of the sixteen they handle at once, not in the result.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub};

use crate::kernels::{self, Backend, Lanes, WIDTH, as_flat, as_flat_mut, lanes_for};
use crate::science::activation::Activation;

/// A floating-point number with an activation function and a softmax.
pub(super) trait Real:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Add<Output = Self>
    + AddAssign
    + Div<Output = Self>
    + Mul<Output = Self>
    + MulAssign
    + Neg<Output = Self>
    + Sub<Output = Self>
    + Send
    + 'static
{
    const ZERO: Self;
    const ONE: Self;

    fn of(x: f64) -> Self;
    fn to_f64(self) -> f64;

    /// y = σ(z) in place, and σ′(z), for the first `n` numbers; padding becomes 0.
    fn activate(activation: Activation, n: usize, z: &mut [Self], slope: &mut [Self]);

    /// softmax(z) in place, for the first `n` numbers; padding becomes 0.
    fn softmax(n: usize, z: &mut [Self]);

    /// 1 − e^{−βx} for a pixel, the factor of e_0 with softplus; 1 with any other function.
    fn input_mask(activation: Activation, x: f64) -> Self {
        match activation {
            Activation::Softplus { beta } => Self::of(-libm::expm1(-f64::from(beta) * x)),
            _ => Self::ONE,
        }
    }

    /// dσ′/dy from y = σ(z) and σ′(z).
    #[inline(always)]
    fn curvature(activation: Activation, y: Self, slope: Self) -> Self {
        match activation {
            Activation::Softplus { beta } => Self::of(f64::from(beta)) * (Self::ONE - slope),
            Activation::Tanh => -(y + y),
            Activation::Relu => Self::ZERO,
            Activation::Sigmoid => Self::ONE - (y + y),
        }
    }
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    fn of(x: f64) -> Self {
        x as f32
    }

    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    fn activate(activation: Activation, n: usize, z: &mut [Self], slope: &mut [Self]) {
        let backend = kernels::backend();
        let mut y = vec![Lanes::ZERO; lanes_for(n)];
        as_flat_mut(&mut y).copy_from_slice(z);
        kernels::activate(backend, activation, n, &mut y);
        z.copy_from_slice(as_flat(&y));
        let mut ones = vec![Lanes([1.0; WIDTH]); y.len()];
        kernels::times_slope(backend, activation, &y, &mut ones);
        slope.copy_from_slice(as_flat(&ones));
        slope[n..].fill(0.0);
    }

    fn softmax(n: usize, z: &mut [Self]) {
        let mut p = vec![Lanes::ZERO; lanes_for(n)];
        as_flat_mut(&mut p).copy_from_slice(z);
        kernels::softmax(kernels::backend(), n, &mut p);
        z.copy_from_slice(as_flat(&p));
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    fn of(x: f64) -> Self {
        x
    }

    fn to_f64(self) -> f64 {
        self
    }

    fn activate(activation: Activation, n: usize, z: &mut [Self], slope: &mut [Self]) {
        for (z, slope) in z[..n].iter_mut().zip(slope) {
            (*z, *slope) = match activation {
                Activation::Softplus { beta } => {
                    let beta = f64::from(beta);
                    let y = z.max(0.0) + libm::log1p(libm::exp(-beta * z.abs())) / beta;
                    (y, -libm::expm1(-beta * y))
                }
                Activation::Tanh => {
                    let y = libm::tanh(*z);
                    (y, 1.0 - y * y)
                }
                Activation::Relu => (z.max(0.0), if *z > 0.0 { 1.0 } else { 0.0 }),
                Activation::Sigmoid => {
                    let y = 1.0 / (1.0 + libm::exp(-*z));
                    (y, y * (1.0 - y))
                }
            };
        }
    }

    fn softmax(n: usize, z: &mut [Self]) {
        let max = z[..n].iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut sum = 0.0;
        for z in &mut z[..n] {
            *z = libm::exp(*z - max);
            sum += *z;
        }
        for z in &mut z[..n] {
            *z = *z / sum;
        }
    }
}

/// A matrix stored input-major, as [`kernels::InputMajor`] but in either precision: row i holds all outgoing weights of
/// input i, padded.
#[derive(Clone, Debug)]
pub(super) struct Matrix<F> {
    pub n_in: usize,
    pub n_out: usize,
    stride: usize,
    numbers: Vec<F>,
}

impl<F: Real> Matrix<F> {
    pub fn zeros(n_in: usize, n_out: usize) -> Self {
        let stride = padded(n_out);
        Self { n_in, n_out, stride, numbers: vec![F::ZERO; n_in * stride] }
    }

    #[inline(always)]
    pub fn row(&self, i: usize) -> &[F] {
        &self.numbers[i * self.stride..(i + 1) * self.stride]
    }

    #[inline(always)]
    pub fn row_mut(&mut self, i: usize) -> &mut [F] {
        &mut self.numbers[i * self.stride..(i + 1) * self.stride]
    }

    pub fn fill(&mut self, x: F) {
        self.numbers.fill(x);
    }

    pub fn copy_from(&mut self, other: &Self) {
        self.numbers.copy_from_slice(&other.numbers);
    }
}

/// `n` rounded up to whole vectors.
pub(super) fn padded(n: usize) -> usize {
    n.next_multiple_of(WIDTH)
}

/// Pairwise: lane k + k+8, then k+4, k+2, k+1.
#[inline(always)]
fn tree_sum<F: Real>(mut sum: [F; WIDTH]) -> F {
    let mut half = WIDTH / 2;
    while half > 0 {
        for k in 0..half {
            sum[k] += sum[k + half];
        }
        half /= 2;
    }
    sum[0]
}

/// row · v for several v in one reading of the row.
#[inline(always)]
pub(super) fn dots<F: Real, const N: usize>(row: &[F], vectors: [&[F]; N]) -> [F; N] {
    let mut sums = [[F::ZERO; WIDTH]; N];
    for (block, row) in row.chunks_exact(WIDTH).enumerate() {
        for n in 0..N {
            let v = &vectors[n][block * WIDTH..(block + 1) * WIDTH];
            for k in 0..WIDTH {
                sums[n][k] += row[k] * v[k];
            }
        }
    }
    let mut dots = [F::ZERO; N];
    for n in 0..N {
        dots[n] = tree_sum(sums[n]);
    }
    dots
}

/// row · v.
#[inline(always)]
pub(super) fn dot<F: Real>(row: &[F], v: &[F]) -> F {
    let [dot] = dots(row, [v]);
    dot
}

// The following are plain loops over whole slices, not over blocks of sixteen: the compiler then checks once that the slices
// do not overlap, and uses vector registers.

/// sum ← sum + α x.
#[inline(always)]
pub(super) fn add_scaled<F: Real>(sum: &mut [F], alpha: F, x: &[F]) {
    for (sum, x) in sum.iter_mut().zip(x) {
        *sum += alpha * *x;
    }
}

/// sum ← keep · sum + (α a + β b).
#[inline(always)]
pub(super) fn combine<F: Real>(sum: &mut [F], keep: F, alpha: F, a: &[F], beta: F, b: &[F]) {
    for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
        *sum = keep * *sum + (alpha * *a + beta * *b);
    }
}

/// x ← α x.
#[inline(always)]
pub(super) fn scale<F: Real>(x: &mut [F], alpha: F) {
    for x in x {
        *x *= alpha;
    }
}

/// A computation to be compiled for wide vectors. `run` and all that it calls must be `#[inline(always)]`.
pub(super) trait Wide {
    type Output;
    fn run(self) -> Self::Output;
}

/// Runs `work` with AVX2 where the chosen kernels have it: the same bits, for nothing in here is fused or reordered.
pub(super) fn widest<W: Wide>(work: W) -> W::Output {
    match kernels::backend() {
        Backend::Portable => work.run(),
        #[cfg(target_arch = "x86_64")]
        Backend::Avx2 | Backend::Avx512 => {
            // SAFETY: `backend()` returns these two only on a processor that has AVX2.
            unsafe { with_avx2(work) }
        }
        #[cfg(not(target_arch = "x86_64"))]
        Backend::Avx2 | Backend::Avx512 => unreachable!("not available on this architecture"),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<W: Wide>(work: W) -> W::Output {
    work.run()
}
