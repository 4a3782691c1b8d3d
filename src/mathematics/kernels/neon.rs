//! NEON of 64-bit ARM, by intrinsics.
//!
//! As in `x86.rs`, the type is a token that [`Neon::detect`] alone gives out, and the methods melt into the
//! `#[target_feature]` function in which `dispatch` runs a kernel. Fused multiply-adds are part of NEON there.

#![allow(unsafe_code, reason = "intrinsics, behind a proof that this processor has them")]

use std::arch::aarch64::*;
use std::arch::is_aarch64_feature_detected;

use super::lanes::Lanes;
use super::simd::Simd;

/// NEON: four registers hold one [`Lanes`].
#[derive(Clone, Copy)]
pub(crate) struct Neon(());

impl Neon {
    pub(super) fn detect() -> Option<Self> {
        is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

/// Lanes k + k+8, then k + k+4, of sixteen.
///
/// # Safety
/// The processor has NEON.
#[inline(always)]
unsafe fn quarters(v: [float32x4_t; 4]) -> float32x4_t {
    // SAFETY: NEON, as the caller guarantees, includes additions.
    unsafe { vaddq_f32(vaddq_f32(v[0], v[2]), vaddq_f32(v[1], v[3])) }
}

/// The two sums of lanes k + k+2 of each of two vectors of four, interleaved: a0+a2, b0+b2, a1+a3, b1+b3.
///
/// # Safety
/// The processor has NEON.
#[inline(always)]
unsafe fn halves(a: float32x4_t, b: float32x4_t) -> float32x4_t {
    // SAFETY: NEON, as the caller guarantees, includes additions and permutations.
    unsafe { vaddq_f32(vzip1q_f32(a, b), vzip2q_f32(a, b)) }
}

impl Simd for Neon {
    type V = [float32x4_t; 4];
    // 24 of 32 registers; the rest holds a row of weights, factors and addresses.
    const ACCUMULATORS: usize = 6;
    const PAIRED_ACCUMULATORS: usize = 3;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        // SAFETY: `self` proves NEON (see the module).
        unsafe { [vdupq_n_f32(x); 4] }
    }

    #[inline(always)]
    fn load(self, from: &Lanes) -> Self::V {
        let p = from.0.as_ptr();
        // SAFETY: `self` proves NEON; `from` is 16 readable numbers.
        unsafe { [vld1q_f32(p), vld1q_f32(p.add(4)), vld1q_f32(p.add(8)), vld1q_f32(p.add(12))] }
    }

    #[inline(always)]
    fn store(self, v: Self::V, to: &mut Lanes) {
        let p = to.0.as_mut_ptr();
        // SAFETY: `self` proves NEON; `to` is 16 writable numbers.
        unsafe {
            vst1q_f32(p, v[0]);
            vst1q_f32(p.add(4), v[1]);
            vst1q_f32(p.add(8), v[2]);
            vst1q_f32(p.add(12), v[3]);
        }
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` proves NEON.
        unsafe { [vaddq_f32(a[0], b[0]), vaddq_f32(a[1], b[1]), vaddq_f32(a[2], b[2]), vaddq_f32(a[3], b[3])] }
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` proves NEON.
        unsafe { [vsubq_f32(a[0], b[0]), vsubq_f32(a[1], b[1]), vsubq_f32(a[2], b[2]), vsubq_f32(a[3], b[3])] }
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` proves NEON.
        unsafe { [vmulq_f32(a[0], b[0]), vmulq_f32(a[1], b[1]), vmulq_f32(a[2], b[2]), vmulq_f32(a[3], b[3])] }
    }

    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` proves NEON.
        unsafe { [vdivq_f32(a[0], b[0]), vdivq_f32(a[1], b[1]), vdivq_f32(a[2], b[2]), vdivq_f32(a[3], b[3])] }
    }

    #[inline(always)]
    fn abs(self, v: Self::V) -> Self::V {
        // SAFETY: `self` proves NEON.
        unsafe { [vabsq_f32(v[0]), vabsq_f32(v[1]), vabsq_f32(v[2]), vabsq_f32(v[3])] }
    }

    #[inline(always)]
    fn choose(self, x: Self::V, above: Self::V, below: Self::V, neither: Self::V) -> Self::V {
        let mut out = neither;
        for k in 0..4 {
            // SAFETY: `self` proves NEON.
            out[k] = unsafe {
                let (is_above, is_below) = (vcgtq_f32(x[k], vdupq_n_f32(0.0)), vcltq_f32(x[k], vdupq_n_f32(0.0)));
                vbslq_f32(is_above, above[k], vbslq_f32(is_below, below[k], neither[k]))
            };
        }
        out
    }

    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: `self` proves NEON, which on this architecture has fused multiply-adds; the summand comes first.
        unsafe {
            [
                vfmaq_f32(c[0], a[0], b[0]),
                vfmaq_f32(c[1], a[1], b[1]),
                vfmaq_f32(c[2], a[2], b[2]),
                vfmaq_f32(c[3], a[3], b[3]),
            ]
        }
    }

    #[inline(always)]
    fn prefetch(self, _: *const Lanes) {
        // There is no stable intrinsic for it.
    }

    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        // SAFETY: `self` proves NEON.
        unsafe {
            let four = quarters(v);
            let two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
            vpadds_f32(two)
        }
    }

    #[inline(always)]
    fn sums(self, [a, b, c, d]: [Self::V; 4]) -> [f32; 4] {
        let mut sums = [0.0; 4];
        // SAFETY: `self` proves NEON; the array is four writable numbers.
        unsafe {
            let ab = halves(quarters(a), quarters(b));
            let cd = halves(quarters(c), quarters(d));
            let (even, odd) =
                (vcombine_f32(vget_low_f32(ab), vget_low_f32(cd)), vcombine_f32(vget_high_f32(ab), vget_high_f32(cd)));
            vst1q_f32(sums.as_mut_ptr(), vaddq_f32(even, odd));
        }
        sums
    }

    type Doubles = [float64x2_t; 4];

    #[inline(always)]
    fn splat_double(self, x: f64) -> Self::Doubles {
        // SAFETY: `self` proves NEON.
        unsafe { [vdupq_n_f64(x); 4] }
    }

    #[inline(always)]
    fn load_doubles(self, from: &[f64; 8]) -> Self::Doubles {
        let p = from.as_ptr();
        // SAFETY: `self` proves NEON; `from` is 8 readable numbers.
        unsafe { [vld1q_f64(p), vld1q_f64(p.add(2)), vld1q_f64(p.add(4)), vld1q_f64(p.add(6))] }
    }

    #[inline(always)]
    fn store_doubles(self, v: Self::Doubles, to: &mut [f64; 8]) {
        let p = to.as_mut_ptr();
        // SAFETY: `self` proves NEON; `to` is 8 writable numbers.
        unsafe {
            vst1q_f64(p, v[0]);
            vst1q_f64(p.add(2), v[1]);
            vst1q_f64(p.add(4), v[2]);
            vst1q_f64(p.add(6), v[3]);
        }
    }

    #[inline(always)]
    fn mul_add_doubles(self, a: Self::Doubles, b: Self::Doubles, c: Self::Doubles) -> Self::Doubles {
        // SAFETY: `self` proves NEON, which on this architecture has fused multiply-adds; the summand comes first.
        unsafe {
            [
                vfmaq_f64(c[0], a[0], b[0]),
                vfmaq_f64(c[1], a[1], b[1]),
                vfmaq_f64(c[2], a[2], b[2]),
                vfmaq_f64(c[3], a[3], b[3]),
            ]
        }
    }
}
