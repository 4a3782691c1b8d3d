//! Vectors and matrices of the inner loop, in either precision, and what is done with them.
//!
//! Vectors are padded with zeros to blocks of sixteen. Every operation rounds once, nothing is fused, and dot products add
//! sixteen partial sums in one tree; instruction sets differ in how many of the sixteen they handle at once, not in the
//! result.

#![allow(unsafe_code, reason = "goes with this file: the kernels have it all")]

use std::ops::{Deref, DerefMut};

use super::real::Real;
use crate::kernels::{self, Backend, WIDTH};

/// Sixteen numbers; in float32 a cache line, on which they are aligned.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Block<F>([F; WIDTH]);

/// A vector of whole blocks, which reads as a slice of its numbers, padding included.
#[derive(Clone, Debug)]
pub(super) struct Padded<F>(Vec<Block<F>>);

impl<F: Real> Padded<F> {
    /// `n` zeros and the padding.
    pub fn zeros(n: usize) -> Self {
        Self(vec![Block([F::ZERO; WIDTH]); n.div_ceil(WIDTH)])
    }

    #[inline(always)]
    pub fn blocks(&self) -> &[Block<F>] {
        &self.0
    }

    #[inline(always)]
    pub fn blocks_mut(&mut self) -> &mut [Block<F>] {
        &mut self.0
    }
}

impl<F: Real> Deref for Padded<F> {
    type Target = [F];

    #[inline(always)]
    fn deref(&self) -> &[F] {
        const { assert!(size_of::<Block<F>>() == WIDTH * size_of::<F>()) };
        // SAFETY: `Block` is `repr(C)` around `[F; WIDTH]` and, as asserted, not larger; so blocks are that many contiguous,
        // initialised numbers.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast::<F>(), self.0.len() * WIDTH) }
    }
}

impl<F: Real> DerefMut for Padded<F> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [F] {
        const { assert!(size_of::<Block<F>>() == WIDTH * size_of::<F>()) };
        // SAFETY: as in `deref`; the exclusive borrow carries over, and any number makes a valid block.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast::<F>(), self.0.len() * WIDTH) }
    }
}

/// A matrix stored input-major, as the kernels' but in either precision: row i holds all outgoing weights of input i, padded.
#[derive(Clone, Debug)]
pub(super) struct Matrix<F> {
    pub n_in: usize,
    pub n_out: usize,
    /// Blocks in a row.
    stride: usize,
    numbers: Padded<F>,
}

impl<F: Real> Matrix<F> {
    pub fn zeros(n_in: usize, n_out: usize) -> Self {
        let stride = n_out.div_ceil(WIDTH);
        Self { n_in, n_out, stride, numbers: Padded::zeros(n_in * stride * WIDTH) }
    }

    #[inline(always)]
    pub fn row(&self, i: usize) -> &[Block<F>] {
        &self.numbers.0[i * self.stride..(i + 1) * self.stride]
    }

    #[inline(always)]
    pub fn row_mut(&mut self, i: usize) -> &mut [Block<F>] {
        &mut self.numbers.0[i * self.stride..(i + 1) * self.stride]
    }

    /// The weight from input `i` to output `j`.
    pub fn weight(&self, i: usize, j: usize) -> F {
        self.numbers[i * self.stride * WIDTH + j]
    }

    pub fn weight_mut(&mut self, i: usize, j: usize) -> &mut F {
        &mut self.numbers[i * self.stride * WIDTH + j]
    }

    pub fn fill(&mut self, x: F) {
        self.numbers.fill(x);
    }

    pub fn copy_from(&mut self, other: &Self) {
        self.numbers.copy_from_slice(&other.numbers);
    }
}

/// Arithmetic on sixteen numbers. A value of the type is proof that the processor can do it.
pub(super) trait Simd<F>: Copy {
    type V: Copy;
    fn splat(self, x: F) -> Self::V;
    fn load(self, from: &Block<F>) -> Self::V;
    fn store(self, v: Self::V, to: &mut Block<F>);
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// Lane k + lane k+8, then k + k+4, k + k+2, k + k+1.
    fn sum(self, v: Self::V) -> F;
}

/// A computation to be compiled for each instruction set. `run` and all that it calls must be `#[inline(always)]`.
pub(super) trait Wide<F> {
    type Output;
    fn run<S: Simd<F>>(self, simd: S) -> Self::Output;
}

/// Runs float32 work with the instructions of the chosen kernels.
pub(super) fn run<W: Wide<f32>>(work: W) -> W::Output {
    match kernels::backend() {
        Backend::Portable => work.run(Plain),
        #[cfg(target_arch = "x86_64")]
        Backend::Avx2 | Backend::Avx512 => {
            let simd = avx2::Avx2::detect().expect("both backends are chosen only where AVX2 is");
            // SAFETY: `simd` proves that the processor has AVX2.
            unsafe { avx2::run(simd, work) }
        }
        #[cfg(not(target_arch = "x86_64"))]
        Backend::Avx2 | Backend::Avx512 => unreachable!("not available on this architecture"),
    }
}

/// Plain Rust, for any processor and for float64.
#[derive(Clone, Copy)]
pub(super) struct Plain;

impl<F: Real> Simd<F> for Plain {
    type V = [F; WIDTH];

    #[inline(always)]
    fn splat(self, x: F) -> Self::V {
        [x; WIDTH]
    }

    #[inline(always)]
    fn load(self, from: &Block<F>) -> Self::V {
        from.0
    }

    #[inline(always)]
    fn store(self, v: Self::V, to: &mut Block<F>) {
        to.0 = v;
    }

    #[inline(always)]
    fn add(self, mut a: Self::V, b: Self::V) -> Self::V {
        for k in 0..WIDTH {
            a[k] += b[k];
        }
        a
    }

    #[inline(always)]
    fn mul(self, mut a: Self::V, b: Self::V) -> Self::V {
        for k in 0..WIDTH {
            a[k] *= b[k];
        }
        a
    }

    #[inline(always)]
    fn sum(self, mut v: Self::V) -> F {
        for half in [8, 4, 2, 1] {
            for k in 0..half {
                v[k] += v[k + half];
            }
        }
        v[0]
    }
}

/// AVX2: two registers hold sixteen numbers.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{Block, Simd, Wide};

    /// Proof of AVX2: the only way to get one is to ask the processor.
    #[derive(Clone, Copy)]
    pub struct Avx2(());

    impl Avx2 {
        pub fn detect() -> Option<Self> {
            is_x86_feature_detected!("avx2").then_some(Self(()))
        }
    }

    #[target_feature(enable = "avx2")]
    pub fn run<W: Wide<f32>>(simd: Avx2, work: W) -> W::Output {
        work.run(simd)
    }

    impl Simd<f32> for Avx2 {
        type V = [__m256; 2];

        #[inline(always)]
        fn splat(self, x: f32) -> Self::V {
            // SAFETY: `self` proves AVX.
            unsafe { [_mm256_set1_ps(x); 2] }
        }

        #[inline(always)]
        fn load(self, from: &Block<f32>) -> Self::V {
            let p = from.0.as_ptr();
            // SAFETY: `self` proves AVX; a block is 16 readable numbers, aligned to 64 bytes.
            unsafe { [_mm256_load_ps(p), _mm256_load_ps(p.add(8))] }
        }

        #[inline(always)]
        fn store(self, v: Self::V, to: &mut Block<f32>) {
            let p = to.0.as_mut_ptr();
            // SAFETY: `self` proves AVX; a block is 16 writable numbers, aligned to 64 bytes.
            unsafe {
                _mm256_store_ps(p, v[0]);
                _mm256_store_ps(p.add(8), v[1]);
            }
        }

        #[inline(always)]
        fn add(self, a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: `self` proves AVX.
            unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
        }

        #[inline(always)]
        fn mul(self, a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: `self` proves AVX.
            unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
        }

        #[inline(always)]
        fn sum(self, v: Self::V) -> f32 {
            // SAFETY: `self` proves AVX, which includes the SSE3 operations used below.
            unsafe {
                let eight = _mm256_add_ps(v[0], v[1]);
                let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
                let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
            }
        }
    }
}

/// row · v for several v in one reading of the row.
#[inline(always)]
pub(super) fn dots<F: Real, S: Simd<F>, const N: usize>(
    simd: S,
    row: &[Block<F>],
    vectors: [&[Block<F>]; N],
) -> [F; N] {
    let n_blocks = row.len();
    let mut sums = [simd.splat(F::ZERO); N];
    let mut others = vectors;
    for other in &mut others {
        *other = &other[..n_blocks];
    }
    for k in 0..n_blocks {
        let x = simd.load(&row[k]);
        for n in 0..N {
            sums[n] = simd.add(sums[n], simd.mul(x, simd.load(&others[n][k])));
        }
    }
    let mut dots = [F::ZERO; N];
    for n in 0..N {
        dots[n] = simd.sum(sums[n]);
    }
    dots
}

/// row · v.
#[inline(always)]
pub(super) fn dot<F: Real, S: Simd<F>>(simd: S, row: &[Block<F>], v: &[Block<F>]) -> F {
    let [dot] = dots(simd, row, [v]);
    dot
}

/// sum ← sum + α x.
#[inline(always)]
pub(super) fn add_scaled<F: Real, S: Simd<F>>(simd: S, sum: &mut [Block<F>], alpha: F, x: &[Block<F>]) {
    let (alpha, n_blocks) = (simd.splat(alpha), sum.len());
    let x = &x[..n_blocks];
    for k in 0..n_blocks {
        simd.store(simd.add(simd.load(&sum[k]), simd.mul(alpha, simd.load(&x[k]))), &mut sum[k]);
    }
}

/// sum ← sum + α_0 x_0 + α_1 x_1 + α_2 x_2 + α_3 x_3, one after the other: as four times [`add_scaled`], in one pass.
#[inline(always)]
pub(super) fn add_scaled_four<F: Real, S: Simd<F>>(simd: S, sum: &mut [Block<F>], alpha: [F; 4], x: [&[Block<F>]; 4]) {
    let n_blocks = sum.len();
    let alpha = [simd.splat(alpha[0]), simd.splat(alpha[1]), simd.splat(alpha[2]), simd.splat(alpha[3])];
    let x = [&x[0][..n_blocks], &x[1][..n_blocks], &x[2][..n_blocks], &x[3][..n_blocks]];
    for k in 0..n_blocks {
        let mut new = simd.load(&sum[k]);
        for r in 0..4 {
            new = simd.add(new, simd.mul(alpha[r], simd.load(&x[r][k])));
        }
        simd.store(new, &mut sum[k]);
    }
}

/// row ← keep · row + β b; then v · b and v · row, in one pass.
#[inline(always)]
pub(super) fn restore_silent<F: Real, S: Simd<F>>(
    simd: S,
    row: &mut [Block<F>],
    keep: F,
    (beta, b): (F, &[Block<F>]),
    v: &[Block<F>],
) -> [F; 2] {
    let (keep, beta, n_blocks) = (simd.splat(keep), simd.splat(beta), row.len());
    let (b, v) = (&b[..n_blocks], &v[..n_blocks]);
    let mut sums = [simd.splat(F::ZERO); 2];
    for k in 0..n_blocks {
        let (b, v) = (simd.load(&b[k]), simd.load(&v[k]));
        let restored = simd.add(simd.mul(keep, simd.load(&row[k])), simd.mul(beta, b));
        simd.store(restored, &mut row[k]);
        sums[0] = simd.add(sums[0], simd.mul(v, b));
        sums[1] = simd.add(sums[1], simd.mul(v, restored));
    }
    [simd.sum(sums[0]), simd.sum(sums[1])]
}

/// row ← keep · row + (α a + β b) and sum ← sum + γ v; then v · a, v · b and v · row, in one pass.
#[inline(always)]
pub(super) fn restore<F: Real, S: Simd<F>>(
    simd: S,
    row: &mut [Block<F>],
    keep: F,
    (alpha, a): (F, &[Block<F>]),
    (beta, b): (F, &[Block<F>]),
    v: &[Block<F>],
    (sum, gamma): (&mut [Block<F>], F),
) -> [F; 3] {
    let (keep, alpha, beta, gamma) = (simd.splat(keep), simd.splat(alpha), simd.splat(beta), simd.splat(gamma));
    let n_blocks = row.len();
    let (a, b, v, sum) = (&a[..n_blocks], &b[..n_blocks], &v[..n_blocks], &mut sum[..n_blocks]);
    let mut sums = [simd.splat(F::ZERO); 3];
    for k in 0..n_blocks {
        let (a, b, v) = (simd.load(&a[k]), simd.load(&b[k]), simd.load(&v[k]));
        let added = simd.add(simd.mul(alpha, a), simd.mul(beta, b));
        let restored = simd.add(simd.mul(keep, simd.load(&row[k])), added);
        simd.store(restored, &mut row[k]);
        simd.store(simd.add(simd.load(&sum[k]), simd.mul(gamma, v)), &mut sum[k]);
        sums[0] = simd.add(sums[0], simd.mul(v, a));
        sums[1] = simd.add(sums[1], simd.mul(v, b));
        sums[2] = simd.add(sums[2], simd.mul(v, restored));
    }
    [simd.sum(sums[0]), simd.sum(sums[1]), simd.sum(sums[2])]
}

/// row ← restore · row + α a, sum ← sum + (γ v + δ row) and v ← keep · v + δ a; then the old v · a and v · row, in one pass.
#[inline(always)]
pub(super) fn restore_and_carry_back<F: Real, S: Simd<F>>(
    simd: S,
    row: (&mut [Block<F>], F),
    (alpha, a): (F, &[Block<F>]),
    (v, keep): (&mut [Block<F>], F),
    (sum, gamma, delta): (&mut [Block<F>], F, F),
) -> [F; 2] {
    let (row, restore) = row;
    let (restore, alpha, keep) = (simd.splat(restore), simd.splat(alpha), simd.splat(keep));
    let (gamma, delta, n_blocks) = (simd.splat(gamma), simd.splat(delta), row.len());
    let (a, v, sum) = (&a[..n_blocks], &mut v[..n_blocks], &mut sum[..n_blocks]);
    let mut sums = [simd.splat(F::ZERO); 2];
    for k in 0..n_blocks {
        let (a, old) = (simd.load(&a[k]), simd.load(&v[k]));
        let restored = simd.add(simd.mul(restore, simd.load(&row[k])), simd.mul(alpha, a));
        simd.store(restored, &mut row[k]);
        let carried = simd.add(simd.mul(gamma, old), simd.mul(delta, restored));
        simd.store(simd.add(simd.load(&sum[k]), carried), &mut sum[k]);
        simd.store(simd.add(simd.mul(keep, old), simd.mul(delta, a)), &mut v[k]);
        sums[0] = simd.add(sums[0], simd.mul(old, a));
        sums[1] = simd.add(sums[1], simd.mul(old, restored));
    }
    [simd.sum(sums[0]), simd.sum(sums[1])]
}

/// sum ← sum + (α v + β w) and v ← keep · v + β b, in one pass.
#[inline(always)]
pub(super) fn carry_back<F: Real, S: Simd<F>>(
    simd: S,
    sum: &mut [Block<F>],
    (alpha, v): (F, &mut [Block<F>]),
    (beta, w): (F, &[Block<F>]),
    keep: F,
    b: &[Block<F>],
) {
    let (keep, alpha, beta, n_blocks) = (simd.splat(keep), simd.splat(alpha), simd.splat(beta), v.len());
    let (b, w, sum) = (&b[..n_blocks], &w[..n_blocks], &mut sum[..n_blocks]);
    for k in 0..n_blocks {
        let old = simd.load(&v[k]);
        let new = simd.add(simd.mul(alpha, old), simd.mul(beta, simd.load(&w[k])));
        simd.store(simd.add(simd.load(&sum[k]), new), &mut sum[k]);
        simd.store(simd.add(simd.mul(keep, old), simd.mul(beta, simd.load(&b[k]))), &mut v[k]);
    }
}

/// sum ← keep · sum + (α a + β b).
#[inline(always)]
pub(super) fn combine<F: Real, S: Simd<F>>(
    simd: S,
    sum: &mut [Block<F>],
    keep: F,
    (alpha, a): (F, &[Block<F>]),
    (beta, b): (F, &[Block<F>]),
) {
    let (keep, alpha, beta, n_blocks) = (simd.splat(keep), simd.splat(alpha), simd.splat(beta), sum.len());
    let (a, b) = (&a[..n_blocks], &b[..n_blocks]);
    for k in 0..n_blocks {
        let new = simd.add(simd.mul(alpha, simd.load(&a[k])), simd.mul(beta, simd.load(&b[k])));
        simd.store(simd.add(simd.mul(keep, simd.load(&sum[k])), new), &mut sum[k]);
    }
}

/// sum ← keep · sum + α x.
#[inline(always)]
pub(super) fn decay_and_add<F: Real, S: Simd<F>>(simd: S, sum: &mut [Block<F>], keep: F, alpha: F, x: &[Block<F>]) {
    let (keep, alpha, n_blocks) = (simd.splat(keep), simd.splat(alpha), sum.len());
    let x = &x[..n_blocks];
    for k in 0..n_blocks {
        simd.store(simd.add(simd.mul(keep, simd.load(&sum[k])), simd.mul(alpha, simd.load(&x[k]))), &mut sum[k]);
    }
}

/// x ← α x.
#[inline(always)]
pub(super) fn scale<F: Real, S: Simd<F>>(simd: S, x: &mut [Block<F>], alpha: F) {
    let alpha = simd.splat(alpha);
    for x in x {
        simd.store(simd.mul(alpha, simd.load(x)), x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector<F: Real>(n: usize, seed: usize) -> Padded<F> {
        let mut v = Padded::zeros(n);
        for (k, x) in v[..n].iter_mut().enumerate() {
            *x = F::of(((k * 7919 + seed * 104_729) as f64 * 0.37).sin());
        }
        v
    }

    /// Every operation once, as numbers.
    struct Everything(usize);

    impl<F: Real> Wide<F> for Everything {
        type Output = Vec<F>;

        #[inline(always)]
        fn run<S: Simd<F>>(self, simd: S) -> Vec<F> {
            let [a, b, c] = [1, 2, 3].map(|seed| vector::<F>(self.0, seed));
            let mut out = dots(simd, a.blocks(), [b.blocks(), c.blocks()]).to_vec();
            let mut sum = a.clone();
            add_scaled(simd, sum.blocks_mut(), b[0], c.blocks());
            combine(simd, sum.blocks_mut(), c[0], (a[0], b.blocks()), (b[0], a.blocks()));
            scale(simd, sum.blocks_mut(), a[0]);
            out.extend_from_slice(&sum);

            let [x, y, z] = [a.blocks(), b.blocks(), c.blocks()];
            add_scaled_four(simd, sum.blocks_mut(), [a[0], b[0], c[0], a[0]], [x, y, z, y]);
            out.extend_from_slice(&sum);
            let (mut row, mut v) = (a.clone(), c.clone());
            out.extend(restore(simd, row.blocks_mut(), b[0], (c[0], x), (a[0], y), z, (sum.blocks_mut(), b[0])));
            out.extend(restore_silent(simd, row.blocks_mut(), b[0], (c[0], y), z));
            carry_back(simd, sum.blocks_mut(), (a[0], v.blocks_mut()), (c[0], y), b[0], x);
            let carried = (sum.blocks_mut(), a[0], c[1]);
            out.extend(restore_and_carry_back(
                simd,
                (row.blocks_mut(), c[0]),
                (b[0], x),
                (v.blocks_mut(), b[1]),
                carried,
            ));
            decay_and_add(simd, sum.blocks_mut(), b[0], a[0], y);
            for result in [&sum, &row, &v] {
                out.extend_from_slice(result);
            }
            out
        }
    }

    #[test]
    fn instruction_sets_agree_to_the_last_bit_and_with_double_precision() {
        for n in [1, 15, 16, 17, 48, 170] {
            let plain: Vec<f32> = Everything(n).run(Plain);
            assert_eq!(f32::run_wide(Everything(n)), plain);
            let double = f64::run_wide(Everything(n));
            assert!(plain.iter().zip(double).all(|(x, y)| (f64::from(*x) - y).abs() < 1e-5), "{n}");
        }
    }

    #[test]
    fn double_precision_operations_are_what_they_say() {
        let (n, [a, b, c]) = (19, [1, 2, 3].map(|seed| vector::<f64>(19, seed)));
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        let map = |f: &dyn Fn(usize) -> f64| -> Vec<f64> { (0..32).map(|k| if k < n { f(k) } else { 0.0 }).collect() };
        let mut expected = vec![dot(&a, &b), dot(&a, &c)];
        let sum = map(&|k| (c[0] * (a[k] + b[0] * c[k]) + a[0] * b[k] + b[0] * a[k]) * a[0]);
        expected.extend(&sum);
        let sum = map(&|k| sum[k] + a[0] * a[k] + b[0] * b[k] + c[0] * c[k] + a[0] * b[k]);
        expected.extend(&sum);
        let row = map(&|k| b[0] * a[k] + c[0] * a[k] + a[0] * b[k]);
        expected.extend([dot(&c, &a), dot(&c, &b), dot(&c, &row)]);
        let sum = map(&|k| sum[k] + b[0] * c[k]);
        let row = map(&|k| b[0] * row[k] + c[0] * b[k]);
        expected.extend([dot(&c, &b), dot(&c, &row)]);
        let sum = map(&|k| sum[k] + a[0] * c[k] + c[0] * b[k]);
        let v = map(&|k| b[0] * c[k] + c[0] * a[k]);
        let row = map(&|k| c[0] * row[k] + b[0] * a[k]);
        expected.extend([dot(&v, &a), dot(&v, &row)]);
        expected.extend(map(&|k| b[0] * (sum[k] + a[0] * v[k] + c[1] * row[k]) + a[0] * b[k]));
        expected.extend(&row);
        expected.extend(map(&|k| b[1] * v[k] + c[1] * a[k]));

        let found = Everything(n).run(Plain);
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(&expected).all(|(x, y): (&f64, &f64)| (x - y).abs() < 1e-13));
    }
}
