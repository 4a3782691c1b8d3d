//! What is done with a few rows of a matrix, and of its adjoint, that lie side by side: updates and the two passes of the
//! reverse sweep. Several rows at a time share each reading of the vectors, as many as the processor's registers allow; no
//! number depends on how many, as a dot product adds its sixteen partial sums in one tree and a sum over rows adds them in their
//! order.

use super::lanes::{Lanes, WIDTH};
use super::simd::Simd;

/// Rows that a pass holds in the first-level cache while it works on them, as nearly as may be: of two matrices and their
/// adjoints, at 130 outputs, 36 KiB. Their local values are one [`Lanes`].
pub(super) const CHUNK: usize = WIDTH;

/// One local value for each row of a chunk, 0 beyond the last row of a matrix.
pub(super) type Local = [f32; CHUNK];

/// A chunk's entries of a vector where they are wanted, else zeros.
#[inline(always)]
pub(super) fn gather_if(wanted: bool, vector: &[Lanes], chunk: usize) -> Local {
    if wanted { vector[chunk].0 } else { [0.0; CHUNK] }
}

/// Adds the products of two values of each row to one partial sum a row.
#[inline(always)]
pub(super) fn add_products(a: &Local, b: &Local, sum: &mut Local) {
    for r in 0..CHUNK {
        sum[r] = a[r].mul_add(b[r], sum[r]);
    }
}

/// The sum of a chunk's values.
#[inline(always)]
pub(super) fn total<S: Simd>(simd: S, local: &Local) -> f32 {
    simd.sum(simd.load(&Lanes(*local)))
}

/// Sums across the lanes of each of `R` vectors.
#[inline(always)]
fn sums<S: Simd, const R: usize>(simd: S, v: [S::V; R]) -> [f32; R] {
    let mut out = [0.0; R];
    if R == 4 {
        let four = simd.sums([v[0], v[1 % R], v[2 % R], v[3 % R]]);
        for r in 0..R {
            out[r] = four[r];
        }
    } else {
        for r in 0..R {
            out[r] = simd.sum(v[r]);
        }
    }
    out
}

/// The first `R` values from `r` on, each in all lanes.
#[inline(always)]
fn splats<S: Simd, const R: usize>(simd: S, local: &Local, r: usize) -> [S::V; R] {
    let mut out = [simd.splat(0.0); R];
    for k in 0..R {
        out[k] = simd.splat(local[r + k]);
    }
    out
}

#[inline(always)]
fn four(rows: &mut [Lanes], stride: usize) -> [&mut [Lanes]; 4] {
    let (a, rest) = rows.split_at_mut(stride);
    let (b, rest) = rest.split_at_mut(stride);
    let (c, rest) = rest.split_at_mut(stride);
    [a, b, c, &mut rest[..stride]]
}

#[inline(always)]
fn two(rows: &mut [Lanes], stride: usize) -> [&mut [Lanes]; 2] {
    let (a, rest) = rows.split_at_mut(stride);
    [a, &mut rest[..stride]]
}

#[inline(always)]
fn one(rows: &mut [Lanes], stride: usize) -> [&mut [Lanes]; 1] {
    [&mut rows[..stride]]
}

/// Calls a pass on all rows of a chunk: on four at a time where registers allow, on two, on one.
macro_rules! in_groups {
    ($simd:ident, $stride:ident, $r:ident < $n:expr, [$($matrix:ident),+], $group:ident => $pass:expr) => {{
        let ($stride, n): (usize, usize) = ($stride, $n);
        let mut $r = 0;
        while S::ACCUMULATORS >= 12 && $r + 4 <= n {
            let $group = ($(four(&mut $matrix[$r * $stride..], $stride)),+,);
            $pass;
            $r += 4;
        }
        while $r + 2 <= n {
            let $group = ($(two(&mut $matrix[$r * $stride..], $stride)),+,);
            $pass;
            $r += 2;
        }
        if $r < n {
            let $group = ($(one(&mut $matrix[$r * $stride..], $stride)),+,);
            $pass;
        }
    }};
}

/// A vector with a local factor for each row.
pub(super) type Scaled<'a> = Option<(&'a Local, &'a [Lanes])>;

/// row_r ← keep · row_r + b_r y + a_r e.
#[inline(always)]
pub(super) fn combine<S: Simd>(
    simd: S,
    matrix: &mut [Lanes],
    stride: usize,
    keep: f32,
    [error, activation]: [Scaled<'_>; 2],
) {
    let n = matrix.len() / stride;
    match (error, activation) {
        (Some((a, e)), Some((b, y))) => {
            in_groups!(simd, stride, r < n, [matrix], rows => combine_rows::<S, _, true, true>(simd, rows.0, keep, r, [a, b], [e, y]));
        }
        (Some((a, e)), None) => {
            in_groups!(simd, stride, r < n, [matrix], rows => combine_rows::<S, _, true, false>(simd, rows.0, keep, r, [a, a], [e, e]));
        }
        (None, Some((b, y))) => {
            in_groups!(simd, stride, r < n, [matrix], rows => combine_rows::<S, _, false, true>(simd, rows.0, keep, r, [b, b], [y, y]));
        }
        (None, None) if keep == 1.0 => {}
        (None, None) => {
            let keep = simd.splat(keep);
            for t in 0..matrix.len() {
                simd.store(simd.mul(keep, simd.load(&matrix[t])), &mut matrix[t]);
            }
        }
    }
}

#[inline(always)]
fn combine_rows<S: Simd, const R: usize, const E: bool, const Y: bool>(
    simd: S,
    mut rows: [&mut [Lanes]; R],
    keep: f32,
    first: usize,
    [a, b]: [&Local; 2],
    [e, y]: [&[Lanes]; 2],
) {
    let stride = rows[0].len();
    let (e, y) = (&e[..stride], &y[..stride]);
    for r in 0..R {
        let row = std::mem::take(&mut rows[r]);
        rows[r] = &mut row[..stride];
    }
    let keep = simd.splat(keep);
    let (a, b) = (splats::<S, R>(simd, a, first), splats::<S, R>(simd, b, first));
    for t in 0..stride {
        let (e, y) = (simd.load(&e[t]), simd.load(&y[t]));
        for r in 0..R {
            let mut new = simd.mul(keep, simd.load(&rows[r][t]));
            if Y {
                new = simd.mul_add(b[r], y, new);
            }
            if E {
                new = simd.mul_add(a[r], e, new);
            }
            simd.store(new, &mut rows[r][t]);
        }
    }
}

/// What the first pass finds of each row: V_r · e and V_r · y.
pub(super) struct Products {
    pub error: Local,
    pub activation: Local,
}

/// A chunk of rows of W and V, or of B and U.
pub(super) struct Pair<'a> {
    pub weights: &'a mut [Lanes],
    pub adjoint: &'a mut [Lanes],
    pub stride: usize,
}

/// What V is still to receive of a forward pass before anything else: V_r ← V_r + x_r z̄.
#[derive(Clone, Copy)]
pub(super) struct Entering<'a> {
    pub x: &'a Local,
    pub z: &'a [Lanes],
}

/// W_r ← W_r + b_r y + a_r e, and the products, after V has received what is `entering` if `Z` says that there is anything. `E` and `Y` say which of the vectors take part; products with the
/// other are left as they are.
#[inline(always)]
pub(super) fn take_back<S: Simd, const E: bool, const Y: bool, const Z: bool>(
    simd: S,
    pair: &mut Pair<'_>,
    entering: Entering<'_>,
    factors: [&Local; 2],
    vectors: [&[Lanes]; 2],
    out: &mut Products,
) {
    let Pair { weights, adjoint, stride } = pair;
    let stride = *stride;
    let n = weights.len() / stride;
    in_groups!(simd, stride, r < n, [weights, adjoint], rows => take_rows_back::<S, _, E, Y, Z>(simd, rows, entering, r, factors, vectors, out));
}

#[inline(always)]
fn take_rows_back<S: Simd, const R: usize, const E: bool, const Y: bool, const Z: bool>(
    simd: S,
    (mut w, mut v): ([&mut [Lanes]; R], [&mut [Lanes]; R]),
    entering: Entering<'_>,
    first: usize,
    [a, b]: [&Local; 2],
    [e, y]: [&[Lanes]; 2],
    out: &mut Products,
) {
    let stride = w[0].len();
    let (e, y, z) = (&e[..stride], &y[..stride], &entering.z[..stride]);
    let x = splats::<S, R>(simd, entering.x, first);
    for r in 0..R {
        let (w_r, v_r) = (std::mem::take(&mut w[r]), std::mem::take(&mut v[r]));
        (w[r], v[r]) = (&mut w_r[..stride], &mut v_r[..stride]);
    }
    let (a, b) = (splats::<S, R>(simd, a, first), splats::<S, R>(simd, b, first));
    let (mut by_error, mut by_activation) = ([simd.splat(0.0); R], [simd.splat(0.0); R]);
    for t in 0..stride {
        let (e, y, z) = (simd.load(&e[t]), simd.load(&y[t]), simd.load(&z[t]));
        for r in 0..R {
            let mut adjoint = simd.load(&v[r][t]);
            if Z {
                adjoint = simd.mul_add(x[r], z, adjoint);
                simd.store(adjoint, &mut v[r][t]);
            }
            let mut new = simd.load(&w[r][t]);
            if Y {
                new = simd.mul_add(b[r], y, new);
                by_activation[r] = simd.mul_add(adjoint, y, by_activation[r]);
            }
            if E {
                new = simd.mul_add(a[r], e, new);
                by_error[r] = simd.mul_add(adjoint, e, by_error[r]);
            }
            simd.store(new, &mut w[r][t]);
        }
    }
    if E {
        let sums = sums(simd, by_error);
        for r in 0..R {
            out.error[first + r] = sums[r];
        }
    }
    if Y {
        let sums = sums(simd, by_activation);
        for r in 0..R {
            out.activation[first + r] = sums[r];
        }
    }
}

/// One of the vectors e and y in the second pass: with x the vector and x̄ its adjoint,
/// x̄ ← x̄ + Σ_r (factor_r V_r + through_r W_r) and V_r ← V_r + gained_r x.
pub(super) struct Carried<'a> {
    pub vector: &'a [Lanes],
    pub adjoint: &'a mut [Lanes],
    pub factor: &'a Local,
    pub through: &'a Local,
    pub gained: &'a Local,
}

/// What a vector takes part in: in nothing, as V's factor alone, or also in what W made of it.
pub(super) const ABSENT: u8 = 0;
pub(super) const FACTOR: u8 = 1;
pub(super) const THROUGH: u8 = 2;

/// Carries V back: V_r receives of e and y, and e's and y's adjoints receive of V_r before that and of W_r. `E` and `Y` say
/// what the vectors take part in.
#[inline(always)]
pub(super) fn carry_back<S: Simd, const E: u8, const Y: u8>(
    simd: S,
    pair: &mut Pair<'_>,
    [mut error, mut activation]: [Carried<'_>; 2],
) {
    let Pair { weights, adjoint, stride } = pair;
    let stride = *stride;
    let n = weights.len() / stride;
    in_groups!(simd, stride, r < n, [weights, adjoint], rows => carry_rows_back::<S, _, E, Y>(simd, rows, r, [&mut error, &mut activation]));
}

#[inline(always)]
fn carry_rows_back<S: Simd, const R: usize, const E: u8, const Y: u8>(
    simd: S,
    (mut w, mut v): ([&mut [Lanes]; R], [&mut [Lanes]; R]),
    first: usize,
    [error, activation]: [&mut Carried<'_>; 2],
) {
    let stride = w[0].len();
    let (e, e_adjoint) = (&error.vector[..stride], &mut error.adjoint[..stride]);
    let (y, y_adjoint) = (&activation.vector[..stride], &mut activation.adjoint[..stride]);
    for r in 0..R {
        let (w_r, v_r) = (std::mem::take(&mut w[r]), std::mem::take(&mut v[r]));
        (w[r], v[r]) = (&mut w_r[..stride], &mut v_r[..stride]);
    }
    let (a, c) = (splats::<S, R>(simd, error.factor, first), splats::<S, R>(simd, error.through, first));
    let (g, d) = (splats::<S, R>(simd, activation.factor, first), splats::<S, R>(simd, activation.through, first));
    let gain_e = splats::<S, R>(simd, error.gained, first);
    let gain_y = splats::<S, R>(simd, activation.gained, first);
    for t in 0..stride {
        let (e, y) = (simd.load(&e[t]), simd.load(&y[t]));
        let (mut of_e, mut of_y) = (simd.load(&e_adjoint[t]), simd.load(&y_adjoint[t]));
        for r in 0..R {
            let (w, old) = (simd.load(&w[r][t]), simd.load(&v[r][t]));
            let mut new = old;
            if Y != ABSENT {
                of_y = simd.mul_add(g[r], old, of_y);
            }
            if Y == THROUGH {
                new = simd.mul_add(gain_y[r], y, new);
                of_y = simd.mul_add(d[r], w, of_y);
            }
            if E != ABSENT {
                of_e = simd.mul_add(a[r], old, of_e);
            }
            if E == THROUGH {
                new = simd.mul_add(gain_e[r], e, new);
                of_e = simd.mul_add(c[r], w, of_e);
            }
            if E == THROUGH || Y == THROUGH {
                simd.store(new, &mut v[r][t]);
            }
        }
        if E != ABSENT {
            simd.store(of_e, &mut e_adjoint[t]);
        }
        if Y != ABSENT {
            simd.store(of_y, &mut y_adjoint[t]);
        }
    }
}
