//! The steps of a block carried out on all rows.

use super::Block;
use super::seen::{GROUPS, NO_STEPS, PerStep, STEPS, Seen, StepLanes, of_step, of_step_mut};
use crate::kernels::backend::{Backend, Kernel, dispatch};
use crate::kernels::lanes::{Lanes, WIDTH, as_flat};
use crate::kernels::matrix::InputMajor;
use crate::kernels::simd::Simd;

/// W_{0,i} · ỹ_s as number s of entry i.
pub(super) enum Through<'a> {
    /// To be found; ỹ_{s,j} as number s of entry j.
    Inward(&'a [StepLanes], &'a mut [StepLanes]),
    /// Known.
    Known(&'a [StepLanes]),
}

/// row_i ← keep row_i + Σ_s through_{i,s} outward_s + Σ_s seen_{i,s} gained_s over all kinds of what was seen.
pub(super) struct Write<'a, const KINDS: usize> {
    pub keep: f32,
    /// The rows as they are before, where that is not what `to` holds.
    pub from: Option<&'a InputMajor>,
    pub through: Option<(Through<'a>, &'a [Lanes])>,
    pub gained: [(&'a [StepLanes], &'a [Lanes]); KINDS],
    pub to: &'a mut InputMajor,
}

/// Rows of a block's vectors turned: entry j has as number s entry j of row s.
pub(super) fn columns(rows: &[Lanes], stride: usize) -> Vec<StepLanes> {
    let mut columns = vec![NO_STEPS; stride * WIDTH];
    for (s, row) in rows.chunks_exact(stride).enumerate() {
        for (column, &x) in columns.iter_mut().zip(as_flat(row)) {
            *of_step_mut(column, s) = x;
        }
    }
    columns
}

impl Block {
    /// W_t, and W_0 ỹ_s as number s of the entries of `through`, which has one for each row where the rule reads the projection.
    pub(crate) fn write(
        &self,
        backend: Backend,
        from: &InputMajor,
        seen: &Seen,
        through: &mut [StepLanes],
        to: &mut InputMajor,
    ) {
        assert_eq!(
            [(from.n_in(), from.n_out()), (from.n_in(), self.stride)],
            [(to.n_in(), to.n_out()), (seen.inputs.len(), to.stride())]
        );
        let (from, keep) = (Some(from), self.kept());
        let used = self.used();
        let columns = columns(&self.inward[..if self.projects { used } else { 0 }], self.stride);
        let through = self.projects.then(|| (Through::Inward(&columns, through), &self.outward[..used]));
        let by_input = (&seen.inputs[..], &self.by_input[..used]);
        if self.reads_error {
            let gained = [by_input, (&seen.errors[..], &self.by_error[..used])];
            dispatch(backend, Write { keep, from, through, gained, to });
        } else {
            dispatch(backend, Write { keep, from, through, gained: [by_input], to });
        }
    }
}

impl<const KINDS: usize> Kernel for Write<'_, KINDS> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let n_in = self.to.n_in();
        let mut i = 0;
        while i + 6 <= n_in {
            self.rows::<S, 6>(simd, i);
            i += 6;
        }
        while i < n_in {
            self.rows::<S, 1>(simd, i);
            i += 1;
        }
    }
}

impl<const KINDS: usize> Write<'_, KINDS> {
    /// `R` rows from `first` on, while they are in the first-level cache.
    #[inline(always)]
    fn rows<S: Simd, const R: usize>(&mut self, simd: S, first: usize) {
        let stride = self.to.stride();
        let rows = &mut self.to.lanes_mut()[first * stride..(first + R) * stride];
        if let Some(from) = self.from {
            let from = &from.lanes()[first * stride..(first + R) * stride];
            for t in 0..R * stride {
                simd.store(simd.load(&from[t]), &mut rows[t]);
            }
        }
        let mut through = [[0.0; STEPS]; R];
        let outward: &[Lanes] = match &mut self.through {
            None => &[],
            Some((Through::Known(known), outward)) => {
                for r in 0..R {
                    through[r] = numbers(&known[first + r]);
                }
                outward
            }
            Some((Through::Inward(columns, found), outward)) => {
                let found = &mut found[first..first + R];
                dots_with_columns(simd, rows, stride, columns, found);
                for r in 0..R {
                    through[r] = numbers(&found[r]);
                }
                outward
            }
        };

        // Steps of which any of these rows saw something; the others add exact zeros.
        let (mut steps, mut n_steps) = ([[0_usize; STEPS]; KINDS], [0; KINDS]);
        for kind in 0..KINDS {
            let (seen, gained) = self.gained[kind];
            let mut bits = [0_u32; STEPS];
            for r in 0..R {
                for s in 0..STEPS {
                    bits[s] |= of_step(&seen[first + r], s).to_bits();
                }
            }
            for s in 0..gained.len() / stride {
                steps[kind][n_steps[kind]] = s;
                n_steps[kind] += usize::from(bits[s] != 0);
            }
        }
        if outward.is_empty() && self.keep == 1.0 && n_steps == [0; KINDS] {
            return;
        }
        let mut t = 0;
        while t + 2 <= stride && S::ACCUMULATORS >= 12 {
            self.tile::<S, R, 2>(simd, first, t, (&through, outward), (&steps, &n_steps));
            t += 2;
        }
        while t < stride {
            self.tile::<S, R, 1>(simd, first, t, (&through, outward), (&steps, &n_steps));
            t += 1;
        }
    }

    /// `T` lanes of `R` rows.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const T: usize>(
        &mut self,
        simd: S,
        first: usize,
        from: usize,
        (through, outward): (&[PerStep; R], &[Lanes]),
        (steps, n_steps): (&[[usize; STEPS]; KINDS], &[usize; KINDS]),
    ) {
        let stride = self.to.stride();
        let rows = &mut self.to.lanes_mut()[first * stride..(first + R) * stride];
        let keep = simd.splat(self.keep);
        let mut w = [[simd.splat(0.0); T]; R];
        for r in 0..R {
            for t in 0..T {
                w[r][t] = simd.mul(keep, simd.load(&rows[r * stride + from + t]));
            }
        }
        for s in 0..outward.len() / stride {
            let mut factors = [0.0; R];
            for r in 0..R {
                factors[r] = through[r][s];
            }
            add(simd, &outward[s * stride + from..][..T], &factors, &mut w);
        }
        for kind in 0..KINDS {
            let (seen, gained) = self.gained[kind];
            let seen = &seen[first..first + R];
            for k in 0..n_steps[kind] {
                let s = steps[kind][k];
                let mut factors = [0.0; R];
                for r in 0..R {
                    factors[r] = of_step(&seen[r], s);
                }
                add(simd, &gained[s * stride + from..][..T], &factors, &mut w);
            }
        }
        for r in 0..R {
            for t in 0..T {
                simd.store(w[r][t], &mut rows[r * stride + from + t]);
            }
        }
    }
}

/// w_r ← w_r + factor_r v.
#[inline(always)]
fn add<S: Simd, const R: usize, const T: usize>(simd: S, v: &[Lanes], factors: &[f32; R], w: &mut [[S::V; T]; R]) {
    let mut vector = [simd.splat(0.0); T];
    for t in 0..T {
        vector[t] = simd.load(&v[t]);
    }
    for r in 0..R {
        let factor = simd.splat(factors[r]);
        for t in 0..T {
            w[r][t] = simd.mul_add(factor, vector[t], w[r][t]);
        }
    }
}

#[inline(always)]
fn numbers(lanes: &StepLanes) -> PerStep {
    let mut numbers = [0.0; STEPS];
    for s in 0..STEPS {
        numbers[s] = of_step(lanes, s);
    }
    numbers
}

/// Row r · each of a block's vectors that are given as columns, a sum over the row's entries that needs none across lanes.
#[inline(always)]
fn dots_with_columns<S: Simd>(simd: S, rows: &[Lanes], stride: usize, columns: &[StepLanes], out: &mut [StepLanes]) {
    if out.len() == 6 {
        dots_of_rows::<S, 6>(simd, rows, stride, columns, out);
    } else {
        for r in 0..out.len() {
            dots_of_rows::<S, 1>(simd, &rows[r * stride..(r + 1) * stride], stride, columns, &mut out[r..=r]);
        }
    }
}

#[inline(always)]
fn dots_of_rows<S: Simd, const R: usize>(
    simd: S,
    rows: &[Lanes],
    stride: usize,
    columns: &[StepLanes],
    out: &mut [StepLanes],
) {
    let width = stride * WIDTH;
    let (flat, columns) = (&as_flat(rows)[..R * width], &columns[..width]);
    let mut sum = [[simd.splat(0.0); GROUPS]; R];
    for j in 0..width {
        let mut column = [simd.splat(0.0); GROUPS];
        for g in 0..GROUPS {
            column[g] = simd.load(&columns[j][g]);
        }
        for r in 0..R {
            let w = simd.splat(flat[r * width + j]);
            for g in 0..GROUPS {
                sum[r][g] = simd.mul_add(w, column[g], sum[r][g]);
            }
        }
    }
    for r in 0..R {
        for g in 0..GROUPS {
            simd.store(sum[r][g], &mut out[r][g]);
        }
    }
}
