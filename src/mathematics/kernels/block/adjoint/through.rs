//! What a block did to all rows, and to those of lit pixels, taken back to the vectors that it did it with.

use crate::kernels::active::Active;
use crate::kernels::backend::Kernel;
use crate::kernels::block::seen::{GROUPS, StepLanes, of_step_mut};
use crate::kernels::forward::{Forward, Inputs};
use crate::kernels::lanes::{Lanes, WIDTH, as_flat};
use crate::kernels::matrix::InputMajor;
use crate::kernels::rows::{add_four_dots, inner_product};
use crate::kernels::simd::Simd;

pub(super) struct ThroughBack<'a> {
    pub weights: &'a [Lanes],
    pub adjoint: &'a [Lanes],
    pub stride: usize,
    /// o_s as columns.
    pub outward: &'a [StepLanes],
    /// W_0 ỹ_s.
    pub through: &'a [StepLanes],
    /// Receives f_s.
    pub found: &'a mut [StepLanes],
    /// Receive ō_s and ỹ̄_s as columns.
    pub outward_adjoint: &'a mut [StepLanes],
    pub inward_adjoint: &'a mut [StepLanes],
}

impl Kernel for ThroughBack<'_> {
    /// The sum of all products of two matrices' entries.
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) -> f32 {
        let n_in = self.found.len();
        let (mut i, mut sum) = (0, 0.0);
        while i + 6 <= n_in {
            sum += self.rows::<S, 6>(simd, i);
            i += 6;
        }
        while i < n_in {
            sum += self.rows::<S, 1>(simd, i);
            i += 1;
        }
        sum
    }
}

impl ThroughBack<'_> {
    /// `R` rows from `first` on; what is added over rows is added in their order.
    #[inline(always)]
    fn rows<S: Simd, const R: usize>(&mut self, simd: S, first: usize) -> f32 {
        let width = self.stride * WIDTH;
        let range = first * self.stride..(first + R) * self.stride;
        let (w, v) = (as_flat(&self.weights[range.clone()]), as_flat(&self.adjoint[range.clone()]));
        let (outward, outward_adjoint) = (&self.outward[..width], &mut self.outward_adjoint[..width]);
        let inward_adjoint = &mut self.inward_adjoint[..width];
        let (mut d, mut f) = ([[simd.splat(0.0); GROUPS]; R], [[simd.splat(0.0); GROUPS]; R]);
        for r in 0..R {
            for g in 0..GROUPS {
                d[r][g] = simd.load(&self.through[first + r][g]);
            }
        }
        for j in 0..width {
            let (mut o, mut sum) = ([simd.splat(0.0); GROUPS], [simd.splat(0.0); GROUPS]);
            for g in 0..GROUPS {
                (o[g], sum[g]) = (simd.load(&outward[j][g]), simd.load(&outward_adjoint[j][g]));
            }
            for r in 0..R {
                let v = simd.splat(v[r * width + j]);
                for g in 0..GROUPS {
                    f[r][g] = simd.mul_add(v, o[g], f[r][g]);
                    sum[g] = simd.mul_add(v, d[r][g], sum[g]);
                }
            }
            for g in 0..GROUPS {
                simd.store(sum[g], &mut outward_adjoint[j][g]);
            }
        }
        for j in 0..width {
            let mut sum = [simd.splat(0.0); GROUPS];
            for g in 0..GROUPS {
                sum[g] = simd.load(&inward_adjoint[j][g]);
            }
            for r in 0..R {
                let w = simd.splat(w[r * width + j]);
                for g in 0..GROUPS {
                    sum[g] = simd.mul_add(w, f[r][g], sum[g]);
                }
            }
            for g in 0..GROUPS {
                simd.store(sum[g], &mut inward_adjoint[j][g]);
            }
        }
        for r in 0..R {
            for g in 0..GROUPS {
                simd.store(f[r][g], &mut self.found[first + r][g]);
            }
        }
        inner_product(simd, &self.adjoint[range.clone()], &self.weights[range])
    }
}

/// Two vectors with entries at the same places.
#[derive(Clone, Copy)]
struct Both<'a>(Active<'a>, &'a [f32]);

impl Inputs<2> for Both<'_> {
    #[inline(always)]
    fn len(self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    fn at(self, k: usize) -> (usize, [f32; 2]) {
        let (i, x) = self.0.at(k);
        (i, [x, self.1[k]])
    }
}

pub(super) struct SeenBack<'a> {
    pub matrix: &'a InputMajor,
    pub s: usize,
    pub x: Active<'a>,
    pub a: &'a [f32],
    pub u: &'a [Lanes],
    pub by_input: &'a mut [Lanes],
    pub by_error: &'a mut [Lanes],
    pub errors: &'a mut [StepLanes],
}

impl Kernel for SeenBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { matrix, s, x, a, u, by_input, by_error, errors } = self;
        Forward { weights: matrix, inputs: Both(x, a), z: [by_input, by_error] }.run(simd);
        let (stride, rows) = (u.len(), matrix.lanes());
        let mut k = 0;
        while k < x.len() {
            // The last ones one by one, as they are added to.
            if k + 4 <= x.len() {
                let at = [x.at(k).0, x.at(k + 1).0, x.at(k + 2).0, x.at(k + 3).0];
                let row = |i: usize| &rows[i * stride..(i + 1) * stride];
                let four = [row(at[0]), row(at[1]), row(at[2]), row(at[3])];
                let sums = simd.sums(add_four_dots(simd, four, u, [simd.splat(0.0); 4]));
                for n in 0..4 {
                    *of_step_mut(&mut errors[at[n]], s) += sums[n];
                }
                k += 4;
            } else {
                let i = x.at(k).0;
                let mut sum = simd.splat(0.0);
                for t in 0..stride {
                    sum = simd.mul_add(simd.load(&rows[i * stride + t]), simd.load(&u[t]), sum);
                }
                *of_step_mut(&mut errors[i], s) += simd.sum(sum);
                k += 1;
            }
        }
    }
}
