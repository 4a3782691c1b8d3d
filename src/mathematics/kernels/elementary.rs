//! Exponential and logarithm, sixteen at a time, from exact operations only, so that their bits are the same everywhere.
//!
//! The platform's library differs in the last bit from machine to machine. These use additions, fused multiply-adds and
//! divisions, all correctly rounded by IEEE 754. Each function states its largest error, which its test measures
//! against double precision.

use super::lanes::{WIDTH, each_lane};

type L = [f32; WIDTH];

/// Adding it rounds a number of magnitude below 2²² to an integer (ties to even), found in the low mantissa bits.
const ROUNDER: f32 = 12_582_912.0; // 1.5 · 2²³
/// ln 2 in two parts; the first has few enough bits that multiples up to 2⁷ are exact (Cody & Waite).
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// Smallest argument whose exponential is a normal number with room for the rounding of n; below, it is used instead.
const EXP_MIN: f32 = -87.0;
/// Largest argument whose exponential does not overflow while 2ⁿ is formed.
const EXP_MAX: f32 = 88.0;

/// (e^r − 1 − r) / r² for |r| ≤ ½ ln 2, from the constant upwards: a polynomial whose error, as part of e^r − 1, is at most
/// 1.3e-8 (weighted least squares, repeated until the error was level).
const EXP: [f32; 5] = [0.5, 0.166_665_43, 0.041_666_28, 0.008_366_584, 0.001_394_645_1];
/// (ln(1 + t) − t) / t² for 0 ≤ t ≤ 1, from the constant upwards; as part of ln(1 + t), its relative error is at most 3.3e-8.
const LN_1P: [f32; 8] = [
    -0.499_996_48,
    0.333_213_24,
    -0.248_571_63,
    0.191_536_53,
    -0.137_537_98,
    0.079_204_5,
    -0.030_065_763,
    0.005_364_818_5,
];

/// c_0 + c_1 x + …, from the highest power down.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: &[f32; N]) -> f32 {
    let mut p = coefficients[N - 1];
    for k in (0..N - 1).rev() {
        p = x.mul_add(p, coefficients[k]);
    }
    p
}

/// (2ⁿ, e^r − 1) with x = n ln 2 + r, |r| ≤ ½ ln 2.
#[inline(always)]
fn reduce(x: f32) -> (f32, f32) {
    // Written so that NaN passes through.
    let x = if x < EXP_MIN { EXP_MIN } else { x };
    let x = if x > EXP_MAX { EXP_MAX } else { x };
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUNDER);
    let n = shifted - ROUNDER;
    let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, x));
    let exponent = shifted.to_bits().wrapping_sub(ROUNDER.to_bits()).wrapping_add(127);
    (f32::from_bits(exponent << 23), (r * r).mul_add(polynomial(r, &EXP), r))
}

/// eˣ, relative error below 1.2e-7. Saturates at e^−87 ≈ 1.6e-38 and e^88 ≈ 1.7e38; NaN stays NaN.
#[inline(always)]
pub(crate) fn exp(x: L) -> L {
    each_lane!(k => {
        let (scale, p) = reduce(x[k]);
        scale.mul_add(p, scale)
    })
}

/// eˣ − 1 for x ≤ 88, relative error below 2.5e-7: it does not lose small arguments to cancellation.
#[inline(always)]
pub(crate) fn exp_m1(x: L) -> L {
    each_lane!(k => {
        let (scale, p) = reduce(x[k]);
        scale.mul_add(p, scale - 1.0)
    })
}

/// ln(1 + t) for 0 ≤ t ≤ 1, relative error below 2.5e-7. A polynomial: a division takes longer than all of it.
#[inline(always)]
pub(crate) fn ln_1p(t: L) -> L {
    each_lane!(k => (t[k] * t[k]).mul_add(polynomial(t[k], &LN_1P), t[k]))
}

/// ln(1 + e^{βz}) / β as max(z, 0) + ln1p(e^{−β|z|}) / β, which never overflows.
#[inline(always)]
pub(crate) fn softplus(z: L, beta: f32) -> L {
    let tail = ln_1p(exp(each_lane!(k => -beta * z[k].abs())));
    let width = 1.0 / beta;
    each_lane!(k => {
        let rectified = if z[k] < 0.0 { 0.0 } else { z[k] };
        tail[k].mul_add(width, rectified)
    })
}

/// 1 / (1 + e^{−z}), relative error below 3e-7.
#[inline(always)]
pub(crate) fn sigmoid(z: L) -> L {
    let t = exp(each_lane!(k => -z[k].abs()));
    each_lane!(k => (if z[k] < 0.0 { t[k] } else { 1.0 }) / (1.0 + t[k]))
}

/// tanh z = −m / (2 + m) with m = e^{−2|z|} − 1, and the sign of z; relative error below 4e-7.
#[inline(always)]
pub(crate) fn tanh(z: L) -> L {
    let m = exp_m1(each_lane!(k => -2.0 * z[k].abs()));
    each_lane!(k => (-m[k] / (2.0 + m[k])).copysign(z[k]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest relative error of `ours` against the double-precision `theirs` on a fine grid.
    fn worst(range: (f64, f64), ours: impl Fn(L) -> L, theirs: impl Fn(f64) -> f64) -> f64 {
        let n = 200_000;
        let mut worst = 0.0_f64;
        for block in 0..n / WIDTH {
            let x: L = std::array::from_fn(|k| {
                (range.0 + (range.1 - range.0) * ((block * WIDTH + k) as f64 + 0.5) / n as f64) as f32
            });
            for (x, y) in x.into_iter().zip(ours(x)) {
                let truth = theirs(f64::from(x));
                worst = worst.max(((f64::from(y) - truth) / truth).abs());
            }
        }
        worst
    }

    #[test]
    fn errors_are_as_stated() {
        for (name, error, bound) in [
            ("exp", worst((-86.9, 87.9), exp, libm::exp), 1.2e-7),
            ("exp near 0", worst((-1.0, 1.0), exp, libm::exp), 1.2e-7),
            ("exp_m1", worst((-3.0, 3.0), exp_m1, libm::expm1), 2.5e-7),
            ("exp_m1 of small", worst((-1e-4, 1e-4), exp_m1, libm::expm1), 2.5e-7),
            ("ln_1p", worst((0.0, 1.0), ln_1p, libm::log1p), 2.5e-7),
            ("ln_1p of small", worst((0.0, 1e-5), ln_1p, libm::log1p), 2.5e-7),
            ("sigmoid", worst((-30.0, 30.0), sigmoid, |z| 1.0 / (1.0 + libm::exp(-z))), 3e-7),
            ("tanh", worst((-8.0, 8.0), tanh, libm::tanh), 4e-7),
            ("tanh of small", worst((-1e-3, 1e-3), tanh, libm::tanh), 4e-7),
        ] {
            assert!(error < bound, "{name}: {error:e}");
        }
        let softplus64 = |z: f64| libm::log1p(libm::exp(10.0 * z)) / 10.0;
        // Relative to the function, whose exponent −β|z| rounds with relative error 6e-8 of up to 30.
        assert!(worst((-3.0, 8.0), |z| softplus(z, 10.0), softplus64) < 3e-6);
    }

    #[test]
    fn extreme_arguments_neither_overflow_nor_hide_nan() {
        assert!(exp([-1e30; WIDTH])[0] > 0.0 && exp([1e30; WIDTH])[0].is_finite());
        assert!(exp([f32::NAN; WIDTH])[0].is_nan());
        assert_eq!(softplus([1e30; WIDTH], 10.0)[0], 1e30);
        assert!(softplus([-1e30; WIDTH], 10.0)[0] < 1e-37);
        assert!(softplus([f32::NAN; WIDTH], 10.0)[0].is_nan());
        assert_eq!(exp_m1([-1e30; WIDTH])[0], -1.0);
        assert_eq!(tanh([-50.0; WIDTH])[0], -1.0);
        assert_eq!(exp([0.0; WIDTH])[0], 1.0);
    }
}
