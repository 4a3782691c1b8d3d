//! What is done with a few rows of a matrix at once, given by a list: products with a vector, updates.
//!
//! A list rather than a range, because of an image only the lit pixels' rows take part. No number depends on how rows are
//! grouped here: a dot product adds its sixteen partial sums in one tree.

use super::lanes::{Lanes, WIDTH};
use super::simd::Simd;

/// Rows that a pass holds in the first-level cache while it works on them: of two matrices and their adjoints, at 170
/// outputs, 8 are 22 KiB. At most [`WIDTH`], as their local values share one [`Lanes`].
pub(super) const CHUNK: usize = 8;

/// One local value for each row of a chunk; beyond its rows the entries mean nothing.
pub(super) type Local = [f32; WIDTH];

#[inline(always)]
fn row(matrix: &[Lanes], stride: usize, i: u32) -> &[Lanes] {
    let start = i as usize * stride;
    &matrix[start..start + stride]
}

/// Whether a chunk is full and its rows lie side by side, as those of every layer but the first do: its local values then do so
/// too, and need not be picked one by one.
#[inline(always)]
fn are_side_by_side(rows: &[u32]) -> bool {
    rows.len() == CHUNK && rows[CHUNK - 1] - rows[0] == CHUNK as u32 - 1
}

/// The entries of a vector at the rows of a chunk.
#[inline(always)]
pub(super) fn gather(vector: &[f32], rows: &[u32]) -> Local {
    let mut local = [0.0; WIDTH];
    if are_side_by_side(rows) {
        local[..CHUNK].copy_from_slice(&vector[rows[0] as usize..][..CHUNK]);
    } else {
        for r in 0..rows.len() {
            local[r] = vector[rows[r] as usize];
        }
    }
    local
}

/// As [`gather`] where they are wanted, else zeros.
#[inline(always)]
pub(super) fn gather_if(wanted: bool, vector: &[f32], rows: &[u32]) -> Local {
    if wanted { gather(vector, rows) } else { [0.0; WIDTH] }
}

/// Writes them back.
#[inline(always)]
pub(super) fn scatter(local: &Local, rows: &[u32], vector: &mut [f32]) {
    if are_side_by_side(rows) {
        vector[rows[0] as usize..][..CHUNK].copy_from_slice(&local[..CHUNK]);
    } else {
        for r in 0..rows.len() {
            vector[rows[r] as usize] = local[r];
        }
    }
}

/// out_r = row_r · v.
#[inline(always)]
pub(super) fn dots<S: Simd>(simd: S, matrix: &[Lanes], stride: usize, rows: &[u32], v: &[Lanes], out: &mut Local) {
    let v = &v[..stride];
    let mut r = 0;
    while r + 4 <= rows.len() {
        let (a, b) = (row(matrix, stride, rows[r]), row(matrix, stride, rows[r + 1]));
        let (c, d) = (row(matrix, stride, rows[r + 2]), row(matrix, stride, rows[r + 3]));
        let mut sum = [simd.splat(0.0); 4];
        for t in 0..stride {
            let v = simd.load(&v[t]);
            sum[0] = simd.mul_add(simd.load(&a[t]), v, sum[0]);
            sum[1] = simd.mul_add(simd.load(&b[t]), v, sum[1]);
            sum[2] = simd.mul_add(simd.load(&c[t]), v, sum[2]);
            sum[3] = simd.mul_add(simd.load(&d[t]), v, sum[3]);
        }
        out[r..r + 4].copy_from_slice(&simd.sums(sum));
        r += 4;
    }
    while r < rows.len() {
        out[r] = dot(simd, row(matrix, stride, rows[r]), v);
        r += 1;
    }
}

/// u_r = row_r · a and v_r = row_r · b in one reading of the rows.
#[inline(always)]
pub(super) fn dots_two<S: Simd>(
    simd: S,
    matrix: &[Lanes],
    stride: usize,
    rows: &[u32],
    [a, b]: [&[Lanes]; 2],
    [u, v]: [&mut Local; 2],
) {
    let (a, b) = (&a[..stride], &b[..stride]);
    let mut r = 0;
    while r + 2 <= rows.len() {
        let (p, q) = (row(matrix, stride, rows[r]), row(matrix, stride, rows[r + 1]));
        let mut sum = [simd.splat(0.0); 4];
        for t in 0..stride {
            let (a, b) = (simd.load(&a[t]), simd.load(&b[t]));
            let (p, q) = (simd.load(&p[t]), simd.load(&q[t]));
            sum[0] = simd.mul_add(p, a, sum[0]);
            sum[1] = simd.mul_add(p, b, sum[1]);
            sum[2] = simd.mul_add(q, a, sum[2]);
            sum[3] = simd.mul_add(q, b, sum[3]);
        }
        [u[r], v[r], u[r + 1], v[r + 1]] = simd.sums(sum);
        r += 2;
    }
    if r < rows.len() {
        let row = row(matrix, stride, rows[r]);
        (u[r], v[r]) = (dot(simd, row, a), dot(simd, row, b));
    }
}

#[inline(always)]
fn dot<S: Simd>(simd: S, a: &[Lanes], b: &[Lanes]) -> f32 {
    let b = &b[..a.len()];
    let mut sum = simd.splat(0.0);
    for t in 0..a.len() {
        sum = simd.mul_add(simd.load(&a[t]), simd.load(&b[t]), sum);
    }
    simd.sum(sum)
}

/// A vector with a local factor for each row; `None` where a pass has no use for it.
pub(super) type Scaled<'a> = Option<(&'a Local, &'a [Lanes])>;

/// row_r ← keep · row_r + b_r y + a_r e, for ascending rows.
#[inline(always)]
pub(super) fn combine<S: Simd>(
    simd: S,
    matrix: &mut [Lanes],
    stride: usize,
    rows: &[u32],
    keep: f32,
    [error, activation]: [Scaled<'_>; 2],
) {
    match (error, activation) {
        (Some((a, e)), Some((b, y))) => {
            combine_pairs::<S, true, true>(simd, matrix, stride, rows, keep, [a, b], [e, y]);
        }
        (Some((a, e)), None) => combine_pairs::<S, true, false>(simd, matrix, stride, rows, keep, [a, a], [e, e]),
        (None, Some((b, y))) => combine_pairs::<S, false, true>(simd, matrix, stride, rows, keep, [b, b], [y, y]),
        (None, None) if keep == 1.0 => {}
        (None, None) => {
            let keep = simd.splat(keep);
            for r in 0..rows.len() {
                let start = rows[r] as usize * stride;
                let row = &mut matrix[start..start + stride];
                for t in 0..stride {
                    simd.store(simd.mul(keep, simd.load(&row[t])), &mut row[t]);
                }
            }
        }
    }
}

/// Two rows share each reading of e and y.
#[inline(always)]
fn combine_pairs<S: Simd, const E: bool, const Y: bool>(
    simd: S,
    matrix: &mut [Lanes],
    stride: usize,
    rows: &[u32],
    keep: f32,
    [a, b]: [&Local; 2],
    [e, y]: [&[Lanes]; 2],
) {
    let (e, y) = (&e[..stride], &y[..stride]);
    let keep = simd.splat(keep);
    let mut r = 0;
    while r + 2 <= rows.len() {
        let (p, rest) = matrix[rows[r] as usize * stride..].split_at_mut(stride);
        let q = &mut rest[(rows[r + 1] - rows[r] - 1) as usize * stride..][..stride];
        let (a_p, a_q) = (simd.splat(a[r]), simd.splat(a[r + 1]));
        let (b_p, b_q) = (simd.splat(b[r]), simd.splat(b[r + 1]));
        for t in 0..stride {
            let (mut new_p, mut new_q) = (simd.mul(keep, simd.load(&p[t])), simd.mul(keep, simd.load(&q[t])));
            if Y {
                let y = simd.load(&y[t]);
                (new_p, new_q) = (simd.mul_add(b_p, y, new_p), simd.mul_add(b_q, y, new_q));
            }
            if E {
                let e = simd.load(&e[t]);
                (new_p, new_q) = (simd.mul_add(a_p, e, new_p), simd.mul_add(a_q, e, new_q));
            }
            simd.store(new_p, &mut p[t]);
            simd.store(new_q, &mut q[t]);
        }
        r += 2;
    }
    if r < rows.len() {
        let start = rows[r] as usize * stride;
        let p = &mut matrix[start..start + stride];
        let (a_p, b_p) = (simd.splat(a[r]), simd.splat(b[r]));
        for t in 0..stride {
            let mut new = simd.mul(keep, simd.load(&p[t]));
            if Y {
                new = simd.mul_add(b_p, simd.load(&y[t]), new);
            }
            if E {
                new = simd.mul_add(a_p, simd.load(&e[t]), new);
            }
            simd.store(new, &mut p[t]);
        }
    }
}
