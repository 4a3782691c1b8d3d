//! a · b + c, rounded once, sixteen at a time and without an instruction for it.
//!
//! The product of two f32 has 48 bits, which f64 holds exactly. Adding c rounds to 53 bits, and going back to f32 rounds a
//! second time. The second rounding goes wrong in one case only: the sum was rounded onto the middle between two f32, so
//! that it no longer shows on which side of it it lay. In the normal range that is a matter of 29 bits, and of where the
//! middle lies below it. Neither is found in one of 10⁸ sums, and where it is, the library's function, which is exact and
//! slow, does all sixteen.

use super::lanes::WIDTH;

type L = [f32; WIDTH];

/// Bits of an f64 that an f32 has no room for, and what they are halfway between two f32.
const LOST: u32 = (1 << 29) - 1;
const HALFWAY: u32 = 1 << 28;

/// `a[k].mul_add(b[k], c[k])`.
#[inline(always)]
pub(super) fn mul_add(a: L, b: L, c: L) -> L {
    if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
        return one_by_one(a, b, c);
    }
    let mut rounded = [0.0; WIDTH];
    let mut doubt = [0_u32; WIDTH];
    for k in 0..WIDTH {
        let sum = f64::from(a[k]) * f64::from(b[k]) + f64::from(c[k]);
        rounded[k] = sum as f32;
        let is_halfway = sum.to_bits() as u32 & LOST == HALFWAY;
        // Where the result is zero, the sum was exact: c is zero, or the product lies between −c / 2 and −2c (Sterbenz 1974).
        let is_small = rounded[k] != 0.0 && rounded[k].abs() <= f32::MIN_POSITIVE;
        doubt[k] = u32::from(is_halfway | is_small);
    }
    let mut any = 0;
    for k in 0..WIDTH {
        any |= doubt[k];
    }
    if any == 0 { rounded } else { in_doubt(a, b, c) }
}

#[cold]
#[inline(never)]
fn in_doubt(a: L, b: L, c: L) -> L {
    one_by_one(a, b, c)
}

#[inline(always)]
fn one_by_one(a: L, b: L, c: L) -> L {
    let mut sums = [0.0; WIDTH];
    for k in 0..WIDTH {
        sums[k] = a[k].mul_add(b[k], c[k]);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::noise::Noise;

    /// The first lane is checked, and then all of them at once, so that a doubt about one is no help to the others.
    fn check(a: f32, b: f32, c: f32) {
        let found = mul_add([a; WIDTH], [b; WIDTH], [c; WIDTH]);
        let expected = a.mul_add(b, c);
        for found in found {
            let same = found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan());
            assert!(
                same,
                "{a:e} · {b:e} + {c:e} (bits {:x}, {:x}, {:x}): {found:e}, not {expected:e}",
                a.to_bits(),
                b.to_bits(),
                c.to_bits()
            );
        }
    }

    const SPECIAL: [f32; 14] = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        f32::MIN_POSITIVE,
        -f32::MIN_POSITIVE,
        1e-45,
        -1e-45,
        f32::MAX,
        f32::MIN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::EPSILON,
    ];

    #[test]
    fn any_bits_give_what_the_librarys_function_gives() {
        for a in SPECIAL {
            for b in SPECIAL {
                SPECIAL.into_iter().for_each(|c| check(a, b, c));
            }
        }
        let mut noise = Noise(1);
        for _ in 0..2_000_000 {
            let [a, b, c] = std::array::from_fn(|_| f32::from_bits(noise.below(1 << 32) as u32));
            check(a, b, c);
        }
    }

    /// Numbers whose sum is of the order of the product, whatever their size, subnormal results among them.
    #[test]
    fn sums_that_cancel_or_underflow_are_rounded_once() {
        let mut noise = Noise(2);
        for round in 0..3_000_000_u32 {
            let mantissa = |noise: &mut Noise| 1.0 + noise.below(1 << 23) as f32 / (1 << 23) as f32;
            let exponent =
                |noise: &mut Noise, low: i32, range: u64| (f64::from(low) + noise.below(range) as f64).exp2();
            // From 2⁻¹⁵⁰ on, or around 1.
            let size = if round % 2 == 0 { exponent(&mut noise, -155, 40) } else { 1.0 };
            let apart = exponent(&mut noise, -26, 52);
            let a = mantissa(&mut noise) * if round % 4 < 2 { 1.0 } else { -1.0 };
            let b = (f64::from(mantissa(&mut noise)) * size) as f32;
            check(a, b, (f64::from(mantissa(&mut noise)) * size * apart) as f32);
        }
    }

    /// c + p with c in the middle of nowhere and p half of its last place, but for a bit far below: what rounds twice loses it.
    #[test]
    fn what_lies_beside_the_middle_between_two_numbers_goes_to_its_own_side() {
        // In the normal range, and below it.
        let mut wrong_if_rounded_twice = [0; 2];
        let mut noise = Noise(3);
        for round in 0..200_000_u32 {
            let exponent = if round % 2 == 0 { -130 + (round / 2 % 12) as i32 } else { noise.below(60) as i32 - 30 };
            let c = ((1.0 + noise.below(1 << 23) as f64 / f64::from(1 << 23)) * f64::from(exponent).exp2()) as f32;
            let place = f32::from_bits(c.to_bits() + 1) - c;
            // Half a place times (1 ± 2⁻²³)²: with both signs the same, beside the middle by 2⁻²⁴ of a place, else by 2⁻⁴⁷.
            // Each factor has a part of the exponent, so that half of the smallest place is not lost.
            let near = |noise: &mut Noise| 1.0 + (noise.below(3) as f32 - 1.0) * f32::EPSILON;
            let small = (-75_f32).exp2();
            let (a, b) = (near(&mut noise) * small, near(&mut noise) * (place / small / 2.0));
            for (a, c) in [(a, c), (-a, c), (a, -c)] {
                check(a, b, c);
                let twice = (f64::from(a) * f64::from(b) + f64::from(c)) as f32;
                let is_small = usize::from(twice.abs() < f32::MIN_POSITIVE);
                wrong_if_rounded_twice[is_small] += usize::from(twice != a.mul_add(b, c));
            }
        }
        assert!(
            wrong_if_rounded_twice.into_iter().all(|n| n > 100),
            "{wrong_if_rounded_twice:?}: nothing was at stake"
        );
    }
}
