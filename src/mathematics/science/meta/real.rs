//! The two precisions of the inner loop.
//!
//! Training runs in float32. Float64 runs the same code, so that its gradient can be compared with finite differences,
//! which float32 is too coarse for.
//!

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub};

use super::vectors::{self, Plain, Wide};
use crate::kernels::{self, Lanes, WIDTH, as_flat, as_flat_mut, lanes_for};
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

    /// Runs `work` with the widest instructions of the chosen kernels.
    fn run_wide<W: Wide<Self>>(work: W) -> W::Output;

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

    fn run_wide<W: Wide<Self>>(work: W) -> W::Output {
        vectors::run(work)
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
            *z /= sum;
        }
    }

    fn run_wide<W: Wide<Self>>(work: W) -> W::Output {
        work.run(Plain)
    }
}
