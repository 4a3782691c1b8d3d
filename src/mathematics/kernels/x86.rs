//! AVX2 + FMA and AVX-512, by intrinsics.
//!
//! The types are tokens: the only way to get one is [`Avx2::detect`] or [`Avx512::detect`], which ask the processor
//! first. That is what makes the methods sound, and they are `#[inline(always)]` so that they melt into the
//! `#[target_feature]` function in which `dispatch` runs a kernel.

#![allow(unsafe_code, reason = "intrinsics, behind a proof that this processor has them")]

use std::arch::x86_64::*;

use super::lanes::Lanes;
use super::simd::Simd;

/// AVX2 with FMA: two registers hold one [`Lanes`].
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

/// AVX-512 (F): one register holds one [`Lanes`].
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") && Avx2::detect().is_some())
            .then_some(Self(()))
    }
}

/// Lanes k + k+4, k + k+2, k + k+1 of eight.
///
/// # Safety
/// The processor has AVX.
#[inline(always)]
unsafe fn sum_of_eight(v: __m256) -> f32 {
    // SAFETY: AVX, as the caller guarantees, includes the SSE3 operations used below.
    unsafe {
        let four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
    }
}

/// [`sum_of_eight`] of four vectors: the lanes k + k+4 of two vectors are interleaved, so that one addition serves both.
///
/// # Safety
/// The processor has AVX.
#[inline(always)]
unsafe fn sums_of_eight(v: [__m256; 4]) -> [f32; 4] {
    // SAFETY: AVX, as the caller guarantees, includes the SSE operations used below; the array is 16 writable bytes.
    unsafe {
        let [a, b, c, d] = [
            _mm_add_ps(_mm256_castps256_ps128(v[0]), _mm256_extractf128_ps::<1>(v[0])),
            _mm_add_ps(_mm256_castps256_ps128(v[1]), _mm256_extractf128_ps::<1>(v[1])),
            _mm_add_ps(_mm256_castps256_ps128(v[2]), _mm256_extractf128_ps::<1>(v[2])),
            _mm_add_ps(_mm256_castps256_ps128(v[3]), _mm256_extractf128_ps::<1>(v[3])),
        ];
        // a0+a2, b0+b2, a1+a3, b1+b3
        let ab = _mm_add_ps(_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
        let cd = _mm_add_ps(_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
        let mut sums = [0.0; 4];
        _mm_storeu_ps(sums.as_mut_ptr(), _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab)));
        sums
    }
}

impl Simd for Avx2 {
    type V = [__m256; 2];
    const ACCUMULATORS: usize = 6;
    const PAIRED_ACCUMULATORS: usize = 3;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        // SAFETY: `self` proves AVX2 and FMA (see the module).
        unsafe { [_mm256_set1_ps(x); 2] }
    }

    #[inline(always)]
    fn load(self, from: &Lanes) -> Self::V {
        let p = from.0.as_ptr();
        // SAFETY: `self` proves AVX; `from` is 16 readable numbers, aligned to 64 bytes.
        unsafe { [_mm256_load_ps(p), _mm256_load_ps(p.add(8))] }
    }

    #[inline(always)]
    fn store(self, v: Self::V, to: &mut Lanes) {
        let p = to.0.as_mut_ptr();
        // SAFETY: `self` proves AVX; `to` is 16 writable numbers, aligned to 64 bytes.
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
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` proves AVX.
        unsafe { [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` proves AVX.
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` proves AVX.
        unsafe { [_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn abs(self, v: Self::V) -> Self::V {
        // SAFETY: `self` proves AVX.
        unsafe {
            let sign = _mm256_set1_ps(-0.0);
            [_mm256_andnot_ps(sign, v[0]), _mm256_andnot_ps(sign, v[1])]
        }
    }

    #[inline(always)]
    fn choose(self, x: Self::V, above: Self::V, below: Self::V, neither: Self::V) -> Self::V {
        let mut out = neither;
        for k in 0..2 {
            // SAFETY: `self` proves AVX.
            out[k] = unsafe {
                let zero = _mm256_setzero_ps();
                let (is_above, is_below) =
                    (_mm256_cmp_ps::<_CMP_GT_OQ>(x[k], zero), _mm256_cmp_ps::<_CMP_LT_OQ>(x[k], zero));
                _mm256_blendv_ps(_mm256_blendv_ps(neither[k], below[k], is_below), above[k], is_above)
            };
        }
        out
    }

    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: `self` proves FMA.
        unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
    }

    #[inline(always)]
    fn prefetch(self, line: *const Lanes) {
        // SAFETY: SSE is part of x86-64, and a prefetch reads nothing that the program can see, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) }
    }

    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        // SAFETY: `self` proves AVX.
        unsafe { sum_of_eight(_mm256_add_ps(v[0], v[1])) }
    }

    #[inline(always)]
    fn sums(self, [a, b, c, d]: [Self::V; 4]) -> [f32; 4] {
        // SAFETY: `self` proves AVX.
        unsafe {
            sums_of_eight([
                _mm256_add_ps(a[0], a[1]),
                _mm256_add_ps(b[0], b[1]),
                _mm256_add_ps(c[0], c[1]),
                _mm256_add_ps(d[0], d[1]),
            ])
        }
    }

    type Doubles = [__m256d; 2];

    #[inline(always)]
    fn splat_double(self, x: f64) -> Self::Doubles {
        // SAFETY: `self` proves AVX.
        unsafe { [_mm256_set1_pd(x); 2] }
    }

    #[inline(always)]
    fn load_doubles(self, from: &[f64; 8]) -> Self::Doubles {
        let p = from.as_ptr();
        // SAFETY: `self` proves AVX; `from` is 8 readable numbers, and no alignment is asked for.
        unsafe { [_mm256_loadu_pd(p), _mm256_loadu_pd(p.add(4))] }
    }

    #[inline(always)]
    fn store_doubles(self, v: Self::Doubles, to: &mut [f64; 8]) {
        let p = to.as_mut_ptr();
        // SAFETY: `self` proves AVX; `to` is 8 writable numbers, and no alignment is asked for.
        unsafe {
            _mm256_storeu_pd(p, v[0]);
            _mm256_storeu_pd(p.add(4), v[1]);
        }
    }

    #[inline(always)]
    fn mul_add_doubles(self, a: Self::Doubles, b: Self::Doubles, c: Self::Doubles) -> Self::Doubles {
        // SAFETY: `self` proves FMA.
        unsafe { [_mm256_fmadd_pd(a[0], b[0], c[0]), _mm256_fmadd_pd(a[1], b[1], c[1])] }
    }
}

/// Lanes k + k+8 of sixteen.
///
/// # Safety
/// The processor has AVX-512F.
#[inline(always)]
unsafe fn halves(v: __m512) -> __m256 {
    // SAFETY: AVX-512F, as the caller guarantees, includes all operations used below.
    unsafe {
        let low = _mm512_castps512_ps256(v);
        let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(v)));
        _mm256_add_ps(low, high)
    }
}

impl Simd for Avx512 {
    type V = __m512;
    const ACCUMULATORS: usize = 12;
    const PAIRED_ACCUMULATORS: usize = 12;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    fn load(self, from: &Lanes) -> Self::V {
        // SAFETY: `self` proves AVX-512F; `from` is 16 readable numbers, aligned to 64 bytes.
        unsafe { _mm512_load_ps(from.0.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, v: Self::V, to: &mut Lanes) {
        // SAFETY: `self` proves AVX-512F; `to` is 16 writable numbers, aligned to 64 bytes.
        unsafe { _mm512_store_ps(to.0.as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_div_ps(a, b) }
    }

    #[inline(always)]
    fn abs(self, v: Self::V) -> Self::V {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_abs_ps(v) }
    }

    #[inline(always)]
    fn choose(self, x: Self::V, above: Self::V, below: Self::V, neither: Self::V) -> Self::V {
        // SAFETY: `self` proves AVX-512F.
        unsafe {
            let zero = _mm512_setzero_ps();
            let (is_above, is_below) =
                (_mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, zero), _mm512_cmp_ps_mask::<_CMP_LT_OQ>(x, zero));
            _mm512_mask_blend_ps(is_above, _mm512_mask_blend_ps(is_below, neither, below), above)
        }
    }

    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn prefetch(self, line: *const Lanes) {
        // SAFETY: SSE is part of x86-64, and a prefetch reads nothing that the program can see, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) }
    }

    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        // SAFETY: `self` proves AVX-512F and AVX.
        unsafe { sum_of_eight(halves(v)) }
    }

    #[inline(always)]
    fn sums(self, [a, b, c, d]: [Self::V; 4]) -> [f32; 4] {
        // SAFETY: `self` proves AVX-512F and AVX.
        unsafe { sums_of_eight([halves(a), halves(b), halves(c), halves(d)]) }
    }

    type Doubles = __m512d;

    #[inline(always)]
    fn splat_double(self, x: f64) -> Self::Doubles {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_set1_pd(x) }
    }

    #[inline(always)]
    fn load_doubles(self, from: &[f64; 8]) -> Self::Doubles {
        // SAFETY: `self` proves AVX-512F; `from` is 8 readable numbers, and no alignment is asked for.
        unsafe { _mm512_loadu_pd(from.as_ptr()) }
    }

    #[inline(always)]
    fn store_doubles(self, v: Self::Doubles, to: &mut [f64; 8]) {
        // SAFETY: `self` proves AVX-512F; `to` is 8 writable numbers, and no alignment is asked for.
        unsafe { _mm512_storeu_pd(to.as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn mul_add_doubles(self, a: Self::Doubles, b: Self::Doubles, c: Self::Doubles) -> Self::Doubles {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_fmadd_pd(a, b, c) }
    }
}
