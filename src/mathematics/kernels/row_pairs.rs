//! The two passes of the reverse sweep over a few rows of a matrix and of its adjoint, two rows at a time so that they share
//! each reading of the vectors. Between the passes lie the local values that the first finds and the second needs.
//!
//! Every sum over rows adds them in the order of the list, however they are grouped.

use super::lanes::Lanes;
use super::listed_rows::Local;
use super::simd::Simd;

/// Rows of W and V, or of B and U.
pub(super) struct Pair<'a> {
    pub weights: &'a mut [Lanes],
    pub adjoint: &'a mut [Lanes],
    pub stride: usize,
    /// Ascending.
    pub rows: &'a [u32],
}

/// What the first pass finds of each row.
pub(super) struct Products {
    /// V_r · e, V_r · y, V_r · W_r.
    pub error: Local,
    pub activation: Local,
    pub weights: Local,
}

/// Row r of a matrix.
#[inline(always)]
fn row_mut(matrix: &mut [Lanes], stride: usize, i: u32) -> &mut [Lanes] {
    let start = i as usize * stride;
    &mut matrix[start..start + stride]
}

/// Rows i < j of a matrix.
#[inline(always)]
fn two_rows(matrix: &mut [Lanes], stride: usize, i: u32, j: u32) -> [&mut [Lanes]; 2] {
    let (p, rest) = matrix[i as usize * stride..].split_at_mut(stride);
    let start = (j - i - 1) as usize * stride;
    [p, &mut rest[start..start + stride]]
}

/// W_r ← keep W_r + b_r y + a_r e; then the products. `E` and `Y` say which of the vectors take part; products with the
/// other are left as they are.
#[inline(always)]
pub(super) fn take_back<S: Simd, const E: bool, const Y: bool>(
    simd: S,
    pair: &mut Pair<'_>,
    keep: f32,
    [a, b]: [&Local; 2],
    [e, y]: [&[Lanes]; 2],
    out: &mut Products,
) {
    let (stride, rows) = (pair.stride, pair.rows);
    let (e, y) = (&e[..stride], &y[..stride]);
    let keep = simd.splat(keep);
    let mut r = 0;
    while r + 2 <= rows.len() {
        let [w_p, w_q] = two_rows(pair.weights, stride, rows[r], rows[r + 1]);
        let [v_p, v_q] = two_rows(pair.adjoint, stride, rows[r], rows[r + 1]);
        let (a_p, a_q) = (simd.splat(a[r]), simd.splat(a[r + 1]));
        let (b_p, b_q) = (simd.splat(b[r]), simd.splat(b[r + 1]));
        let zero = simd.splat(0.0);
        let (mut by_error, mut by_activation, mut by_weights) = ([zero; 2], [zero; 2], [zero; 2]);
        for t in 0..stride {
            let (v0, v1) = (simd.load(&v_p[t]), simd.load(&v_q[t]));
            let (mut w0, mut w1) = (simd.mul(keep, simd.load(&w_p[t])), simd.mul(keep, simd.load(&w_q[t])));
            if Y {
                let y = simd.load(&y[t]);
                (w0, w1) = (simd.mul_add(b_p, y, w0), simd.mul_add(b_q, y, w1));
                by_activation = [simd.mul_add(v0, y, by_activation[0]), simd.mul_add(v1, y, by_activation[1])];
            }
            if E {
                let e = simd.load(&e[t]);
                (w0, w1) = (simd.mul_add(a_p, e, w0), simd.mul_add(a_q, e, w1));
                by_error = [simd.mul_add(v0, e, by_error[0]), simd.mul_add(v1, e, by_error[1])];
            }
            by_weights = [simd.mul_add(v0, w0, by_weights[0]), simd.mul_add(v1, w1, by_weights[1])];
            simd.store(w0, &mut w_p[t]);
            simd.store(w1, &mut w_q[t]);
        }
        // Four sums side by side where there are as many.
        let ([e0, e1], [y0, y1], [w0, w1]) = (by_error, by_activation, by_weights);
        if E && Y {
            [out.error[r], out.error[r + 1], out.activation[r], out.activation[r + 1]] = simd.sums([e0, e1, y0, y1]);
            [out.weights[r], out.weights[r + 1]] = [simd.sum(w0), simd.sum(w1)];
        } else if E {
            [out.error[r], out.error[r + 1], out.weights[r], out.weights[r + 1]] = simd.sums([e0, e1, w0, w1]);
        } else {
            [out.activation[r], out.activation[r + 1], out.weights[r], out.weights[r + 1]] =
                simd.sums([y0, y1, w0, w1]);
        }
        r += 2;
    }
    if r < rows.len() {
        let (w, v) = (row_mut(pair.weights, stride, rows[r]), row_mut(pair.adjoint, stride, rows[r]));
        let (a_r, b_r, zero) = (simd.splat(a[r]), simd.splat(b[r]), simd.splat(0.0));
        let (mut by_error, mut by_activation, mut by_weights) = (zero, zero, zero);
        for t in 0..stride {
            let v0 = simd.load(&v[t]);
            let mut w0 = simd.mul(keep, simd.load(&w[t]));
            if Y {
                let y = simd.load(&y[t]);
                (w0, by_activation) = (simd.mul_add(b_r, y, w0), simd.mul_add(v0, y, by_activation));
            }
            if E {
                let e = simd.load(&e[t]);
                (w0, by_error) = (simd.mul_add(a_r, e, w0), simd.mul_add(v0, e, by_error));
            }
            by_weights = simd.mul_add(v0, w0, by_weights);
            simd.store(w0, &mut w[t]);
        }
        if E {
            out.error[r] = simd.sum(by_error);
        }
        if Y {
            out.activation[r] = simd.sum(by_activation);
        }
        out.weights[r] = simd.sum(by_weights);
    }
}

/// One of the vectors e and y in the second pass: with x the vector and x̄ its adjoint,
/// x̄ ← x̄ + Σ_r (factor_r V_r + through_r W_r) and V_r ← … + through_r x.
pub(super) struct Carried<'a> {
    pub vector: &'a [Lanes],
    pub adjoint: &'a mut [Lanes],
    pub factor: &'a Local,
    pub through: &'a Local,
}

/// Carries V back: V_r ← keep V_r + what it receives of e and y; and e's and y's adjoints receive of V_r before that and of W_r.
/// `E` and `Y` say which of the vectors take part.
#[inline(always)]
pub(super) fn carry_back<S: Simd, const E: bool, const Y: bool>(
    simd: S,
    pair: &mut Pair<'_>,
    keep: f32,
    [error, activation]: [Carried<'_>; 2],
) {
    let (stride, rows) = (pair.stride, pair.rows);
    let (e, e_adjoint) = (&error.vector[..stride], &mut error.adjoint[..stride]);
    let (y, y_adjoint) = (&activation.vector[..stride], &mut activation.adjoint[..stride]);
    let keep = simd.splat(keep);
    let mut r = 0;
    while r + 2 <= rows.len() {
        let [w_p, w_q] = two_rows(pair.weights, stride, rows[r], rows[r + 1]);
        let [v_p, v_q] = two_rows(pair.adjoint, stride, rows[r], rows[r + 1]);
        let [a_p, a_q] = [simd.splat(error.factor[r]), simd.splat(error.factor[r + 1])];
        let [c_p, c_q] = [simd.splat(error.through[r]), simd.splat(error.through[r + 1])];
        let [g_p, g_q] = [simd.splat(activation.factor[r]), simd.splat(activation.factor[r + 1])];
        let [d_p, d_q] = [simd.splat(activation.through[r]), simd.splat(activation.through[r + 1])];
        for t in 0..stride {
            let (v0, v1) = (simd.load(&v_p[t]), simd.load(&v_q[t]));
            let (w0, w1) = (simd.load(&w_p[t]), simd.load(&w_q[t]));
            let (mut new_p, mut new_q) = (simd.mul(keep, v0), simd.mul(keep, v1));
            if Y {
                let y = simd.load(&y[t]);
                (new_p, new_q) = (simd.mul_add(d_p, y, new_p), simd.mul_add(d_q, y, new_q));
                let first = simd.mul_add(d_p, w0, simd.mul_add(g_p, v0, simd.load(&y_adjoint[t])));
                simd.store(simd.mul_add(d_q, w1, simd.mul_add(g_q, v1, first)), &mut y_adjoint[t]);
            }
            if E {
                let e = simd.load(&e[t]);
                (new_p, new_q) = (simd.mul_add(c_p, e, new_p), simd.mul_add(c_q, e, new_q));
                let first = simd.mul_add(c_p, w0, simd.mul_add(a_p, v0, simd.load(&e_adjoint[t])));
                simd.store(simd.mul_add(c_q, w1, simd.mul_add(a_q, v1, first)), &mut e_adjoint[t]);
            }
            simd.store(new_p, &mut v_p[t]);
            simd.store(new_q, &mut v_q[t]);
        }
        r += 2;
    }
    if r < rows.len() {
        let (w, v) = (row_mut(pair.weights, stride, rows[r]), row_mut(pair.adjoint, stride, rows[r]));
        let [a, c] = [simd.splat(error.factor[r]), simd.splat(error.through[r])];
        let [g, d] = [simd.splat(activation.factor[r]), simd.splat(activation.through[r])];
        for t in 0..stride {
            let (v0, w0) = (simd.load(&v[t]), simd.load(&w[t]));
            let mut new = simd.mul(keep, v0);
            if Y {
                new = simd.mul_add(d, simd.load(&y[t]), new);
                let sum = simd.mul_add(d, w0, simd.mul_add(g, v0, simd.load(&y_adjoint[t])));
                simd.store(sum, &mut y_adjoint[t]);
            }
            if E {
                new = simd.mul_add(c, simd.load(&e[t]), new);
                let sum = simd.mul_add(c, w0, simd.mul_add(a, v0, simd.load(&e_adjoint[t])));
                simd.store(sum, &mut e_adjoint[t]);
            }
            simd.store(new, &mut v[t]);
        }
    }
}
