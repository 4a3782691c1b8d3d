//! The steps of a block carried out on all rows.

use super::Block;
use super::seen::{GROUPS, NO_STEPS, Seen, StepLanes, of_step, of_step_mut};
use crate::kernels::backend::{Backend, Kernel, dispatch};
use crate::kernels::lanes::{Lanes, WIDTH, as_flat, each_tile};
use crate::kernels::matrix::InputMajor;
use crate::kernels::simd::Simd;

/// W_{0,i} · ỹ_s as number s of entry i.
pub(super) enum Through<'a> {
    /// To be found, and kept where there is room for them; ỹ_{s,j} as number s of entry j.
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
    /// The steps at which each row saw something.
    pub lit: &'a [u32],
    pub gained: [(&'a [StepLanes], &'a [Lanes]); KINDS],
    pub to: &'a mut InputMajor,
}

/// Rows of a block's vectors, of `n` numbers and padded, turned: entry j has as number s entry j of row s.
pub(super) fn columns(rows: &[Lanes], stride: usize, n: usize) -> Vec<StepLanes> {
    let mut columns = vec![NO_STEPS; n];
    for (s, row) in rows.chunks_exact(stride).enumerate() {
        for (column, &x) in columns.iter_mut().zip(as_flat(row)) {
            *of_step_mut(column, s) = x;
        }
    }
    columns
}

impl Block {
    /// W_t in `to`. W_0 is `from` or else what `to` holds. W_0 ỹ_s is left as number s of the entries of `through`, one for each
    /// row, unless it is empty.
    pub(crate) fn write(
        &self,
        backend: Backend,
        from: Option<&InputMajor>,
        seen: &Seen,
        through: &mut [StepLanes],
        to: &mut InputMajor,
    ) {
        assert_eq!([self.stride, seen.inputs.len()], [to.stride(), to.n_in()]);
        if let Some(from) = from {
            assert_eq!((from.n_in(), from.n_out()), (to.n_in(), to.n_out()));
        }
        let (keep, lit) = (self.kept(), &seen.lit[..]);
        let used = self.used();
        let inward = if self.projects { &self.inward[..used] } else { &[] };
        let columns = columns(inward, self.stride, to.n_out());
        let through = self.projects.then(|| (Through::Inward(&columns, through), &self.outward[..used]));
        let by_input = (&seen.inputs[..], &self.by_input[..used]);
        if self.reads_error {
            let gained = [by_input, (&seen.errors[..], &self.by_error[..used])];
            dispatch(backend, Write { keep, from, through, lit, gained, to });
        } else {
            dispatch(backend, Write { keep, from, through, lit, gained: [by_input], to });
        }
    }
}

impl<const KINDS: usize> Kernel for Write<'_, KINDS> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let n_in = self.to.n_in();
        let mut i = 0;
        while i < n_in {
            let rows = if i + 6 <= n_in { 6 } else { 1 };
            if rows == 6 {
                self.alike::<S, 6>(simd, i);
            } else {
                self.alike::<S, 1>(simd, i);
            }
            // Written once: what is inlined here is large.
            for row in i..i + rows {
                self.apart(simd, row);
            }
            i += rows;
        }
    }
}

impl<const KINDS: usize> Write<'_, KINDS> {
    /// What happens to `R` rows from `first` on alike, while they are in the first-level cache.
    #[inline(always)]
    fn alike<S: Simd, const R: usize>(&mut self, simd: S, first: usize) {
        let stride = self.to.stride();
        let rows = &mut self.to.lanes_mut()[first * stride..(first + R) * stride];
        if let Some(from) = self.from {
            let from = &from.lanes()[first * stride..(first + R) * stride];
            for t in 0..R * stride {
                simd.store(simd.load(&from[t]), &mut rows[t]);
            }
        }
        let mut through = [NO_STEPS; R];
        let outward: &[Lanes] = match &mut self.through {
            None => &[],
            Some((Through::Known(known), outward)) => {
                through.copy_from_slice(&known[first..first + R]);
                outward
            }
            Some((Through::Inward(columns, wanted), outward)) => {
                dots_with_columns::<S, R>(simd, rows, stride, columns, &mut through);
                if !wanted.is_empty() {
                    wanted[first..first + R].copy_from_slice(&through);
                }
                outward
            }
        };
        if !outward.is_empty() || self.keep != 1.0 {
            let mut t = 0;
            while t + 2 <= stride && S::ACCUMULATORS >= 12 {
                alike::<S, R, 2>(simd, self.keep, rows, t, (&through, outward));
                t += 2;
            }
            while t < stride {
                alike::<S, R, 1>(simd, self.keep, rows, t, (&through, outward));
                t += 1;
            }
        }
    }

    /// What sets row `i` apart: the steps at which it saw something.
    #[inline(always)]
    fn apart<S: Simd>(&mut self, simd: S, i: usize) {
        let (lit, stride) = (self.lit[i], self.to.stride());
        if lit != 0 {
            let mut seen = [&NO_STEPS; KINDS];
            let mut gained: [&[Lanes]; KINDS] = [&[]; KINDS];
            for kind in 0..KINDS {
                (seen[kind], gained[kind]) = (&self.gained[kind].0[i], self.gained[kind].1);
            }
            let row = self.to.row_mut(i);
            each_tile!(stride, S::ACCUMULATORS, |from, _to, T| {
                add_lit::<S, KINDS, T>(simd, lit, &seen, &gained, row, from);
            });
        }
    }
}

/// `T` lanes of `R` rows, for what happens to all rows alike: row_r ← keep row_r + Σ_s through_{r,s} outward_s.
#[inline(always)]
fn alike<S: Simd, const R: usize, const T: usize>(
    simd: S,
    keep: f32,
    rows: &mut [Lanes],
    from: usize,
    (through, outward): (&[StepLanes; R], &[Lanes]),
) {
    let (stride, keep) = (rows.len() / R, simd.splat(keep));
    let mut w = [[keep; T]; R];
    for r in 0..R {
        for t in 0..T {
            w[r][t] = simd.mul(keep, simd.load(&rows[r * stride + from + t]));
        }
    }
    for s in 0..outward.len() / stride {
        let mut factors = [0.0; R];
        for r in 0..R {
            factors[r] = of_step(&through[r], s);
        }
        add(simd, &outward[s * stride + from..][..T], &factors, &mut w);
    }
    for r in 0..R {
        for t in 0..T {
            simd.store(w[r][t], &mut rows[r * stride + from + t]);
        }
    }
}

/// `T` lanes of a row: adds Σ seen_s gained_s over the steps at which it saw something, s ascending.
#[inline(always)]
fn add_lit<S: Simd, const KINDS: usize, const T: usize>(
    simd: S,
    lit: u32,
    seen: &[&StepLanes; KINDS],
    gained: &[&[Lanes]; KINDS],
    row: &mut [Lanes],
    from: usize,
) {
    let stride = row.len();
    let row = &mut row[from..from + T];
    let mut w = [simd.splat(0.0); T];
    for t in 0..T {
        w[t] = simd.load(&row[t]);
    }
    let mut left = lit;
    while left != 0 {
        let s = left.trailing_zeros() as usize;
        left &= left - 1;
        for kind in 0..KINDS {
            let v = &gained[kind][s * stride + from..s * stride + from + T];
            let factor = simd.splat(of_step(seen[kind], s));
            for t in 0..T {
                w[t] = simd.mul_add(factor, simd.load(&v[t]), w[t]);
            }
        }
    }
    for t in 0..T {
        simd.store(w[t], &mut row[t]);
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

/// Row r · each of a block's vectors that are given as columns, a sum over the row's entries that needs none across lanes. As
/// many rows together as registers hold sums for.
#[inline(always)]
fn dots_with_columns<S: Simd, const R: usize>(
    simd: S,
    rows: &[Lanes],
    stride: usize,
    columns: &[StepLanes],
    out: &mut [StepLanes; R],
) {
    if S::ACCUMULATORS >= 12 || R % 2 == 1 {
        dots_of_rows::<S, R>(simd, rows, stride, columns, out);
    } else {
        for (rows, out) in rows.chunks_exact(2 * stride).zip(out.chunks_exact_mut(2)) {
            dots_of_rows::<S, 2>(simd, rows, stride, columns, out);
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
    let (flat, n) = (&as_flat(rows)[..R * width], columns.len().min(width));
    let mut sum = [[simd.splat(0.0); GROUPS]; R];
    for j in 0..n {
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
