//! z = W y: every output adds its inputs in ascending order, one fused multiply-add each, starting from zero.
//!
//! One vector, one sparse vector (silent inputs skipped; that is exact, a zero adds nothing) and two sparse vectors side by
//! side (`active_pairs`) follow that order, as does a batch of vectors (`batch_product`), so all four give the same bits.

use super::active::Active;
use super::backend::{Backend, Kernel, dispatch};
use super::lanes::{Lanes, as_flat, each_tile, lanes_for};
use super::matrix::InputMajor;
use super::simd::Simd;

/// z = W y. `y` is padded to n_in, `z` to n_out.
pub(crate) fn forward(backend: Backend, weights: &InputMajor, y: &[Lanes], z: &mut [Lanes]) {
    assert_eq!(y.len(), lanes_for(weights.n_in()));
    let y = &as_flat(y)[..weights.n_in()];
    dispatch(backend, Forward { weights, inputs: Dense(y), z: [z] });
}

/// As [`forward`], by panels of a few columns, from the last to the first if `turned`: a pass over the same weights that goes
/// the other way finds the last panel in the first-level cache.
pub(crate) fn forward_turning(backend: Backend, weights: &InputMajor, y: &[Lanes], z: &mut [Lanes], turned: bool) {
    assert_eq!([y.len(), z.len()], [lanes_for(weights.n_in()), weights.stride()]);
    dispatch(backend, Turning { weights, y: &as_flat(y)[..weights.n_in()], z, turned });
}

struct Turning<'a> {
    weights: &'a InputMajor,
    y: &'a [f32],
    z: &'a mut [Lanes],
    turned: bool,
}

impl Kernel for Turning<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { weights, y, z, turned } = self;
        let (stride, panels) = (weights.stride(), weights.stride().div_ceil(PANEL));
        let mut product = Forward { weights, inputs: Dense(y), z: [z] };
        for k in 0..panels {
            let from = PANEL * if turned { panels - 1 - k } else { k };
            if S::ACCUMULATORS >= PANEL && stride - from >= PANEL {
                product.columns::<S, PANEL>(simd, from);
            } else {
                for column in from..stride.min(from + PANEL) {
                    product.columns::<S, 1>(simd, column);
                }
            }
        }
    }
}

/// Columns of a panel: as many as can be in registers everywhere; two thirds of a panel of 128 rows are found again.
const PANEL: usize = 4;

/// z = W x for an input given by its non-zero entries.
pub(crate) fn forward_active(backend: Backend, weights: &InputMajor, x: Active<'_>, z: &mut [Lanes]) {
    dispatch(backend, Forward { weights, inputs: x, z: [z] });
}

/// `N` vectors by place: entries k = 0 … len − 1, each with its row of weights. Not an iterator: what the compiler leaves as a
/// call of `next` is not compiled with a backend's instructions.
pub(super) trait Inputs<const N: usize>: Copy {
    fn len(self) -> usize;
    fn at(self, k: usize) -> (usize, [f32; N]);
}

#[derive(Clone, Copy)]
struct Dense<'a>(&'a [f32]);

impl Inputs<1> for Dense<'_> {
    #[inline(always)]
    fn len(self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    fn at(self, k: usize) -> (usize, [f32; 1]) {
        (k, [self.0[k]])
    }
}

impl Inputs<1> for Active<'_> {
    #[inline(always)]
    fn len(self) -> usize {
        Active::len(self)
    }

    #[inline(always)]
    fn at(self, k: usize) -> (usize, [f32; 1]) {
        let (i, x) = Active::at(self, k);
        (i, [x])
    }
}

/// The products with `N` vectors, which share each reading of a row.
pub(super) struct Forward<'a, I, const N: usize> {
    pub weights: &'a InputMajor,
    pub inputs: I,
    pub z: [&'a mut [Lanes]; N],
}

impl<I: Inputs<N>, const N: usize> Kernel for Forward<'_, I, N> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let stride = self.weights.stride();
        for n in 0..N {
            assert_eq!(self.z[n].len(), stride);
        }
        each_tile!(stride, if N == 1 { S::ACCUMULATORS } else { S::PAIRED_ACCUMULATORS }, |from, _to, T| self
            .columns::<S, T>(simd, from));
    }
}

impl<I: Inputs<N>, const N: usize> Forward<'_, I, N> {
    /// `T` columns of sixteen outputs.
    #[inline(always)]
    fn columns<S: Simd, const T: usize>(&mut self, simd: S, from: usize) {
        let (rows, stride, inputs) = (self.weights.lanes(), self.weights.stride(), self.inputs);
        let mut sum = [[simd.splat(0.0); T]; N];
        for k in 0..inputs.len() {
            let (i, y) = inputs.at(k);
            let start = i * stride + from;
            let row = &rows[start..start + T];
            let mut factor = [simd.splat(0.0); N];
            for n in 0..N {
                factor[n] = simd.splat(y[n]);
            }
            for t in 0..T {
                let w = simd.load(&row[t]);
                for n in 0..N {
                    sum[n][t] = simd.mul_add(factor[n], w, sum[n][t]);
                }
            }
        }
        for n in 0..N {
            let z = &mut self.z[n][from..from + T];
            for t in 0..T {
                simd.store(sum[n][t], &mut z[t]);
            }
        }
    }
}
