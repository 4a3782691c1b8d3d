//! AVX2 + FMA and AVX-512, by intrinsics.
//!
//! The types are tokens: the only way to get one is [`Avx2::detect`] or [`Avx512::detect`], which ask the processor
//! first. That is what makes the methods sound, and they are `#[inline(always)]` so that they melt into the
//! `#[target_feature]` function in which `dispatch` runs a kernel.

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
    pub fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

impl Avx512 {
    pub fn detect() -> Option<Self> {
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

impl Simd for Avx2 {
    type V = [__m256; 2];
    const ACCUMULATORS: usize = 6;

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
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` proves AVX.
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
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
}

impl Simd for Avx512 {
    type V = __m512;
    const ACCUMULATORS: usize = 12;

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
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_mul_ps(a, b) }
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
        unsafe {
            let low = _mm512_castps512_ps256(v);
            let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(v)));
            sum_of_eight(_mm256_add_ps(low, high))
        }
    }
}
