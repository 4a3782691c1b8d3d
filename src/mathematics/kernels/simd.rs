//! What a kernel asks of a processor: a few operations on sixteen numbers, and fewer on eight in double precision.
//!
//! Every implementation rounds once an operation, fuses exactly the multiply-adds that are written as such, and sums in
//! the one order that [`Simd::sum`] fixes. So all of them return the same bits.

use super::fused;
use super::lanes::{Lanes, WIDTH, each_lane};

/// Sixteen-wide arithmetic. A value of the type is proof that the processor can do it.
pub(crate) trait Simd: Copy {
    /// Sixteen numbers in registers.
    type V: Copy;
    /// Accumulators of one [`Lanes`] each that a loop may hold beside its operands without spilling.
    const ACCUMULATORS: usize;
    /// Pairs of accumulators that a loop may hold beside two factors and one operand; at most 12, as of single ones.
    const PAIRED_ACCUMULATORS: usize;

    fn splat(self, x: f32) -> Self::V;
    fn load(self, from: &Lanes) -> Self::V;
    fn store(self, v: Self::V, to: &mut Lanes);
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// a − b.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    fn abs(self, v: Self::V) -> Self::V;
    /// In each place `above` where x > 0, `below` where x < 0, and `neither` where x is 0 or no number.
    fn choose(self, x: Self::V, above: Self::V, below: Self::V, neither: Self::V) -> Self::V;
    /// a · b + c, rounded once.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Asks for a cache line that will be needed soon; a hint, whatever the address.
    fn prefetch(self, line: *const Lanes);
    /// Pairwise tree: lane k + lane k+8, then k + k+4, k + k+2, k + k+1.
    fn sum(self, v: Self::V) -> f32;
    /// The sums of four vectors, each as [`Simd::sum`] makes it; a processor may do them side by side.
    #[inline(always)]
    fn sums(self, [a, b, c, d]: [Self::V; 4]) -> [f32; 4] {
        [self.sum(a), self.sum(b), self.sum(c), self.sum(d)]
    }

    /// Eight numbers of double precision in registers.
    type Doubles: Copy;

    fn splat_double(self, x: f64) -> Self::Doubles;
    fn load_doubles(self, from: &[f64; 8]) -> Self::Doubles;
    fn store_doubles(self, v: Self::Doubles, to: &mut [f64; 8]);
    /// a · b + c, rounded once.
    fn mul_add_doubles(self, a: Self::Doubles, b: Self::Doubles, c: Self::Doubles) -> Self::Doubles;
}

/// Copies vectors so short that a call of the library's copy takes as long as the copy.
#[inline(always)]
pub(super) fn copy<S: Simd>(simd: S, from: &[Lanes], to: &mut [Lanes]) {
    let to = &mut to[..from.len()];
    for t in 0..from.len() {
        simd.store(simd.load(&from[t]), &mut to[t]);
    }
}

/// Plain Rust, for any processor. Without instructions for them, fused multiply-adds are computed in double precision
/// (`fused.rs`), and those of doubles are calls of a library: slow, but the same bits.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Simd for Portable {
    type V = [f32; WIDTH];
    // It is slow anyway, and what is unrolled here would be most of the library.
    const ACCUMULATORS: usize = 2;
    const PAIRED_ACCUMULATORS: usize = 1;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        [x; WIDTH]
    }

    #[inline(always)]
    fn load(self, from: &Lanes) -> Self::V {
        from.0
    }

    #[inline(always)]
    fn store(self, v: Self::V, to: &mut Lanes) {
        to.0 = v;
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        each_lane!(k => a[k] + b[k])
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        each_lane!(k => a[k] - b[k])
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        each_lane!(k => a[k] * b[k])
    }

    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        each_lane!(k => a[k] / b[k])
    }

    #[inline(always)]
    fn abs(self, v: Self::V) -> Self::V {
        each_lane!(k => v[k].abs())
    }

    #[inline(always)]
    fn choose(self, x: Self::V, above: Self::V, below: Self::V, neither: Self::V) -> Self::V {
        each_lane!(k => if x[k] > 0.0 { above[k] } else if x[k] < 0.0 { below[k] } else { neither[k] })
    }

    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        fused::mul_add(a, b, c)
    }

    #[inline(always)]
    fn prefetch(self, _: *const Lanes) {}

    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        let eight: [f32; 8] = std::array::from_fn(|k| v[k] + v[k + 8]);
        let four: [f32; 4] = std::array::from_fn(|k| eight[k] + eight[k + 4]);
        (four[0] + four[2]) + (four[1] + four[3])
    }

    type Doubles = [f64; 8];

    #[inline(always)]
    fn splat_double(self, x: f64) -> Self::Doubles {
        [x; 8]
    }

    #[inline(always)]
    fn load_doubles(self, from: &[f64; 8]) -> Self::Doubles {
        *from
    }

    #[inline(always)]
    fn store_doubles(self, v: Self::Doubles, to: &mut [f64; 8]) {
        *to = v;
    }

    #[inline(always)]
    fn mul_add_doubles(self, a: Self::Doubles, b: Self::Doubles, c: Self::Doubles) -> Self::Doubles {
        let mut out = [0.0; 8];
        for k in 0..8 {
            out[k] = a[k].mul_add(b[k], c[k]);
        }
        out
    }
}
