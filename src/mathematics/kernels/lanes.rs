//! Storage of the kernels: sixteen numbers at a time, aligned to a cache line.

#![allow(unsafe_code, reason = "lanes and plain numbers are the same memory")]

/// Numbers that one [`Lanes`] holds: one AVX-512 register, two AVX2 registers, one cache line.
pub(crate) const WIDTH: usize = 16;

/// `[f(0), f(1) … f(15)]` as a plain loop. `array::from_fn` and `map` take closures that the compiler may leave as calls,
/// and what is not inlined is not compiled with a backend's instructions: that made these loops ten times slower.
macro_rules! each_lane {
    ($k:ident => $value:expr) => {{
        let mut out = [0.0_f32; $crate::kernels::WIDTH];
        for $k in 0..$crate::kernels::WIDTH {
            out[$k] = $value;
        }
        out
    }};
}
pub(crate) use each_lane;

/// Cuts `stride` columns into nearly equal tiles of at most `most` (itself at most 12), so that each is held in registers, and
/// evaluates the body for each, with the constant `T`, its columns, and `from`, its first one. Sizes beyond `most` are not even
/// compiled.
macro_rules! each_tile {
    ($stride:expr, $most:expr, |$from:ident, $to:ident, $T:ident| $body:expr) => {{
        let (stride, tiles) = ($stride, $stride.div_ceil(const { $most }));
        for tile in 0..tiles {
            let ($from, $to) = (tile * stride / tiles, (tile + 1) * stride / tiles);
            $crate::kernels::each_tile!(@ $to - $from, $most, $T, $body, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
        }
    }};
    (@ $columns:expr, $most:expr, $T:ident, $body:expr, $($n:literal),*) => {{
        let columns = $columns;
        $(if const { $n <= $most } && columns == $n {
            const $T: usize = $n;
            $body
        })*
    }};
}
pub(crate) use each_tile;

/// Sixteen `f32`, aligned to 64 bytes, so that no vector load ever straddles two cache lines.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Lanes(pub [f32; WIDTH]);

impl Lanes {
    pub(crate) const ZERO: Lanes = Lanes([0.0; WIDTH]);
}

/// How many [`Lanes`] hold `n` numbers.
#[inline(always)]
pub(crate) const fn lanes_for(n: usize) -> usize {
    n.div_ceil(WIDTH)
}

/// A zero vector of `n` numbers; what pads the last [`Lanes`] is zero too, and kernels keep it so.
pub(crate) fn zeros(n: usize) -> Vec<Lanes> {
    vec![Lanes::ZERO; lanes_for(n)]
}

/// The numbers of a padded vector, padding included.
#[inline(always)]
pub(crate) fn as_flat(lanes: &[Lanes]) -> &[f32] {
    // SAFETY: `Lanes` is `repr(C)` around `[f32; WIDTH]` and its alignment equals its size (64 bytes), so a slice of
    // `Lanes` is `WIDTH` times as many contiguous, initialised `f32`; lifetime and mutability carry over.
    unsafe { std::slice::from_raw_parts(lanes.as_ptr().cast::<f32>(), lanes.len() * WIDTH) }
}

/// The numbers of a padded vector, padding included, for writing.
#[inline(always)]
pub(crate) fn as_flat_mut(lanes: &mut [Lanes]) -> &mut [f32] {
    // SAFETY: as in `as_flat`; the exclusive borrow carries over, and every bit pattern of an `f32` is a valid `Lanes`.
    unsafe { std::slice::from_raw_parts_mut(lanes.as_mut_ptr().cast::<f32>(), lanes.len() * WIDTH) }
}

/// Whether every number is finite. `x · 0` is NaN exactly for infinities and NaN, and NaN survives a sum.
#[inline(always)]
pub(crate) fn all_finite(lanes: &[Lanes]) -> bool {
    let mut zero = [0.0_f32; WIDTH];
    for block in lanes {
        for k in 0..WIDTH {
            zero[k] += block.0[k] * 0.0;
        }
    }
    zero.iter().all(|&x| x == 0.0)
}

/// max |x|, infinite if any number is not finite.
#[inline(always)]
pub(crate) fn largest(lanes: &[Lanes]) -> f32 {
    // Sixteen maxima side by side: one alone would wait for itself at every number.
    let (mut max, mut zero) = ([0.0_f32; WIDTH], [0.0_f32; WIDTH]);
    for block in lanes {
        for k in 0..WIDTH {
            let x = block.0[k].abs();
            max[k] = if x > max[k] { x } else { max[k] };
            zero[k] += x * 0.0;
        }
    }
    let finite = zero.iter().all(|&x| x == 0.0);
    if finite { max.iter().fold(0.0, |a, &b| a.max(b)) } else { f32::INFINITY }
}

/// ‖x‖, in double precision.
#[inline(always)]
pub(crate) fn norm(lanes: &[Lanes]) -> f64 {
    let mut squares = [0.0_f64; WIDTH];
    for block in lanes {
        for k in 0..WIDTH {
            let x = f64::from(block.0[k]);
            squares[k] += x * x;
        }
    }
    squares.iter().sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_non_finite_number_anywhere_is_noticed() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in [0, 15, 16, 47] {
                let mut vector = zeros(48);
                as_flat_mut(&mut vector).fill(f32::MAX);
                assert!(all_finite(&vector));
                assert_eq!(largest(&vector), f32::MAX);
                as_flat_mut(&mut vector).fill(0.5);
                as_flat_mut(&mut vector)[at] = -2.0;
                assert_eq!(largest(&vector), 2.0);
                as_flat_mut(&mut vector)[at] = bad;
                assert!(!all_finite(&vector), "{bad} at {at}");
                assert_eq!(largest(&vector), f32::INFINITY);
            }
        }
    }
}
