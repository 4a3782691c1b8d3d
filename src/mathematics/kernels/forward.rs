//! z = W y: every output adds its inputs in ascending order, one fused multiply-add each, starting from zero.
//!
//! One vector and one sparse vector (silent inputs skipped; that is exact, a zero adds nothing) follow that order, as does a
//! batch of vectors (`batch_product`), so all three give the same bits.

use super::active::Active;
use super::backend::{Backend, Kernel, dispatch};
use super::lanes::{Lanes, as_flat, lanes_for};
use super::matrix::InputMajor;
use super::simd::Simd;

/// z = W y. `y` is padded to n_in, `z` to n_out.
pub(crate) fn forward(backend: Backend, weights: &InputMajor, y: &[Lanes], z: &mut [Lanes]) {
    assert_eq!(y.len(), lanes_for(weights.n_in()));
    let y = &as_flat(y)[..weights.n_in()];
    dispatch(backend, Forward { weights, inputs: Dense(y), z });
}

/// z = W x for an input given by its non-zero entries.
pub(crate) fn forward_active(backend: Backend, weights: &InputMajor, x: Active<'_>, z: &mut [Lanes]) {
    dispatch(backend, Forward { weights, inputs: x, z });
}

/// Inputs by place: entries k = 0 … len − 1, each with its row of weights. Not an iterator: what the compiler leaves as a call
/// of `next` is not compiled with a backend's instructions.
pub(super) trait Inputs: Copy {
    fn len(self) -> usize;
    fn at(self, k: usize) -> (usize, f32);
}

#[derive(Clone, Copy)]
struct Dense<'a>(&'a [f32]);

impl Inputs for Dense<'_> {
    #[inline(always)]
    fn len(self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    fn at(self, k: usize) -> (usize, f32) {
        (k, self.0[k])
    }
}

impl Inputs for Active<'_> {
    #[inline(always)]
    fn len(self) -> usize {
        Active::len(self)
    }

    #[inline(always)]
    fn at(self, k: usize) -> (usize, f32) {
        Active::at(self, k)
    }
}

pub(super) struct Forward<'a, I> {
    pub weights: &'a InputMajor,
    pub inputs: I,
    pub z: &'a mut [Lanes],
}

impl<I: Inputs> Kernel for Forward<'_, I> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let stride = self.weights.stride();
        assert_eq!(self.z.len(), stride);
        // Columns in nearly equal tiles, each held in registers over all inputs.
        let tiles = stride.div_ceil(S::ACCUMULATORS);
        for tile in 0..tiles {
            let (from, to) = (tile * stride / tiles, (tile + 1) * stride / tiles);
            let z = &mut self.z[from..to];
            let inputs = self.inputs;
            match to - from {
                1 => columns::<S, _, 1>(simd, self.weights, inputs, from, z),
                2 => columns::<S, _, 2>(simd, self.weights, inputs, from, z),
                3 => columns::<S, _, 3>(simd, self.weights, inputs, from, z),
                4 => columns::<S, _, 4>(simd, self.weights, inputs, from, z),
                5 => columns::<S, _, 5>(simd, self.weights, inputs, from, z),
                6 => columns::<S, _, 6>(simd, self.weights, inputs, from, z),
                7 => columns::<S, _, 7>(simd, self.weights, inputs, from, z),
                8 => columns::<S, _, 8>(simd, self.weights, inputs, from, z),
                9 => columns::<S, _, 9>(simd, self.weights, inputs, from, z),
                10 => columns::<S, _, 10>(simd, self.weights, inputs, from, z),
                11 => columns::<S, _, 11>(simd, self.weights, inputs, from, z),
                12 => columns::<S, _, 12>(simd, self.weights, inputs, from, z),
                _ => unreachable!("no backend has more than 12 accumulators"),
            }
        }
    }
}

#[inline(always)]
fn columns<S: Simd, I: Inputs, const T: usize>(simd: S, weights: &InputMajor, inputs: I, from: usize, z: &mut [Lanes]) {
    let (rows, stride) = (weights.lanes(), weights.stride());
    let mut sum = [simd.splat(0.0); T];
    for k in 0..inputs.len() {
        let (i, y) = inputs.at(k);
        let start = i * stride + from;
        let row = &rows[start..start + T];
        let y = simd.splat(y);
        for t in 0..T {
            sum[t] = simd.mul_add(y, simd.load(&row[t]), sum[t]);
        }
    }
    for t in 0..T {
        simd.store(sum[t], &mut z[t]);
    }
}
