//! Dot products with up to sixteen rows of weights, and updates of them, while they are in the first-level cache.

use super::backend::{Backend, Kernel, dispatch};
use super::lanes::{Lanes, WIDTH};
use super::matrix::InputMajor;
use super::simd::Simd;
use super::synaptic_rule::RowRule;

/// sum_r + row_r · v for four rows, which share each reading of v; the sixteen partial sums of each.
#[inline(always)]
pub(super) fn add_four_dots<S: Simd>(simd: S, rows: [&[Lanes]; 4], v: &[Lanes], mut sum: [S::V; 4]) -> [S::V; 4] {
    // Lengths said once, so that the loop needs no bounds checks.
    let [a, b, c, d] = rows;
    let (a, b, c, d) = (&a[..v.len()], &b[..v.len()], &c[..v.len()], &d[..v.len()]);
    for t in 0..v.len() {
        let v = simd.load(&v[t]);
        sum[0] = simd.mul_add(simd.load(&a[t]), v, sum[0]);
        sum[1] = simd.mul_add(simd.load(&b[t]), v, sum[1]);
        sum[2] = simd.mul_add(simd.load(&c[t]), v, sum[2]);
        sum[3] = simd.mul_add(simd.load(&d[t]), v, sum[3]);
    }
    sum
}

/// out_r = row_r · v.
#[inline(always)]
pub(super) fn dots<S: Simd>(simd: S, rows: &[Lanes], stride: usize, v: &[Lanes], out: &mut [f32]) {
    let v = &v[..stride];
    let mut quads = rows.chunks_exact(4 * stride);
    let mut r = 0;
    for quad in &mut quads {
        let (a, rest) = quad.split_at(stride);
        let (b, rest) = rest.split_at(stride);
        let (c, d) = rest.split_at(stride);
        let sum = add_four_dots(simd, [a, b, c, d], v, [simd.splat(0.0); 4]);
        [out[r], out[r + 1], out[r + 2], out[r + 3]] = simd.sums(sum);
        r += 4;
    }
    for row in quads.remainder().chunks_exact(stride) {
        let mut sum = simd.splat(0.0);
        for t in 0..stride {
            sum = simd.mul_add(simd.load(&row[t]), simd.load(&v[t]), sum);
        }
        out[r] = simd.sum(sum);
        r += 1;
    }
}

/// u_r = row_r · a and v_r = row_r · b in one reading of the rows.
#[inline(always)]
fn dots_two<S: Simd>(simd: S, rows: &[Lanes], stride: usize, a: &[Lanes], b: &[Lanes], u: &mut [f32], v: &mut [f32]) {
    // Lengths said once, so that the loops need no bounds checks.
    let (a, b) = (&a[..stride], &b[..stride]);
    let mut pairs = rows.chunks_exact(2 * stride);
    let mut r = 0;
    for pair in &mut pairs {
        let (p, q) = pair.split_at(stride);
        let q = &q[..stride];
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
    for row in pairs.remainder().chunks_exact(stride) {
        let mut sum = [simd.splat(0.0); 2];
        for t in 0..stride {
            let w = simd.load(&row[t]);
            sum[0] = simd.mul_add(w, simd.load(&a[t]), sum[0]);
            sum[1] = simd.mul_add(w, simd.load(&b[t]), sum[1]);
        }
        (u[r], v[r]) = (simd.sum(sum[0]), simd.sum(sum[1]));
        r += 1;
    }
}

/// What up to sixteen rows send back before they learn: row · e_ℓ, by the rows of B where feedback has weights of its own, and
/// row · y_ℓ, by those of W. 0 where it is not wanted.
#[inline(always)]
pub(super) fn dots_back<S: Simd>(
    simd: S,
    w: &[Lanes],
    b: Option<&[Lanes]>,
    stride: usize,
    [error, activation]: [&[Lanes]; 2],
    [wants_error, wants_projection]: [bool; 2],
) -> [[f32; WIDTH]; 2] {
    let (mut e, mut d) = ([0.0; WIDTH], [0.0; WIDTH]);
    match (b, wants_error, wants_projection) {
        (None, true, true) => dots_two(simd, w, stride, error, activation, &mut e, &mut d),
        (None, true, false) => dots(simd, w, stride, error, &mut e),
        (Some(b), true, _) => dots(simd, b, stride, error, &mut e),
        (_, false, _) => {}
    }
    if wants_projection && (b.is_some() || !wants_error) {
        dots(simd, w, stride, activation, &mut d);
    }
    [e, d]
}

/// Applies `rule` to up to sixteen rows and returns their α and γ. Where both factors of a pair of
/// rows are exactly 0, as those of silent pixels, they are skipped.
#[inline(always)]
pub(super) fn update_rows<S: Simd>(
    simd: S,
    rule: &RowRule,
    rows: &mut [Lanes],
    stride: usize,
    error: &[Lanes],
    activation: &[Lanes],
    (y, e, d): (&[f32; WIDTH], &[f32; WIDTH], &[f32; WIDTH]),
) -> [[f32; WIDTH]; 2] {
    let alpha = rule.by_error.of(y, e, d);
    let gamma = rule.by_activation.of(y, e, d);
    let keep = 1.0 - rule.decay;
    if rule.decay != 0.0 {
        let keep = simd.splat(keep);
        for w in rows.iter_mut() {
            simd.store(simd.mul(keep, simd.load(w)), w);
        }
    }
    // Two rows share each reading of e and y.
    for (r, pair) in rows.chunks_mut(2 * stride).enumerate() {
        let (p, q) = pair.split_at_mut(stride);
        if q.len() == stride {
            let (a, g) = ([alpha[2 * r], alpha[2 * r + 1]], [gamma[2 * r], gamma[2 * r + 1]]);
            match (a[0] != 0.0 || a[1] != 0.0, g[0] != 0.0 || g[1] != 0.0) {
                (true, true) => add_two(simd, [p, q], a, error, g, activation),
                (true, false) => add_one_to_two(simd, [p, q], a, error),
                (false, true) => add_one_to_two(simd, [p, q], g, activation),
                (false, false) => {}
            }
        } else {
            add(simd, p, alpha[2 * r], error, gamma[2 * r], activation);
        }
    }
    [alpha, gamma]
}

/// row ← row + γ y, then + α e; a factor that is 0 is skipped.
#[inline(always)]
pub(super) fn add<S: Simd>(simd: S, row: &mut [Lanes], alpha: f32, error: &[Lanes], gamma: f32, activation: &[Lanes]) {
    for (factor, vector) in [(gamma, activation), (alpha, error)] {
        if factor != 0.0 {
            let factor = simd.splat(factor);
            let vector = &vector[..row.len()];
            for t in 0..row.len() {
                simd.store(simd.mul_add(factor, simd.load(&vector[t]), simd.load(&row[t])), &mut row[t]);
            }
        }
    }
}

/// As [`add`] for two rows and one of the vectors.
#[inline(always)]
fn add_one_to_two<S: Simd>(simd: S, [p, q]: [&mut [Lanes]; 2], factors: [f32; 2], vector: &[Lanes]) {
    let (f, g) = (simd.splat(factors[0]), simd.splat(factors[1]));
    let n = vector.len();
    let (p, q) = (&mut p[..n], &mut q[..n]);
    for t in 0..n {
        simd.prefetch((&raw const p[t]).wrapping_add(WIDTH * n));
        simd.prefetch((&raw const q[t]).wrapping_add(WIDTH * n));
        let v = simd.load(&vector[t]);
        simd.store(simd.mul_add(f, v, simd.load(&p[t])), &mut p[t]);
        simd.store(simd.mul_add(g, v, simd.load(&q[t])), &mut q[t]);
    }
}

/// As [`add`] for two rows.
#[inline(always)]
fn add_two<S: Simd>(
    simd: S,
    [p, q]: [&mut [Lanes]; 2],
    alpha: [f32; 2],
    error: &[Lanes],
    gamma: [f32; 2],
    activation: &[Lanes],
) {
    let (alpha, beta) = (simd.splat(alpha[0]), simd.splat(alpha[1]));
    let (gamma, delta) = (simd.splat(gamma[0]), simd.splat(gamma[1]));
    let n = error.len();
    let (p, q, activation) = (&mut p[..n], &mut q[..n], &activation[..n]);
    for t in 0..n {
        simd.prefetch((&raw const p[t]).wrapping_add(WIDTH * n));
        simd.prefetch((&raw const q[t]).wrapping_add(WIDTH * n));
        let (e, y) = (simd.load(&error[t]), simd.load(&activation[t]));
        simd.store(simd.mul_add(alpha, e, simd.mul_add(gamma, y, simd.load(&p[t]))), &mut p[t]);
        simd.store(simd.mul_add(beta, e, simd.mul_add(delta, y, simd.load(&q[t]))), &mut q[t]);
    }
}

/// The sum of all products of two vectors' entries, in four partial sums.
#[inline(always)]
pub(super) fn inner_product<S: Simd>(simd: S, left: &[Lanes], right: &[Lanes]) -> f32 {
    let right = &right[..left.len()];
    let mut sum = [simd.splat(0.0); 4];
    let whole = left.len() / 4 * 4;
    let mut t = 0;
    while t < whole {
        for k in 0..4 {
            sum[k] = simd.mul_add(simd.load(&left[t + k]), simd.load(&right[t + k]), sum[k]);
        }
        t += 4;
    }
    for t in whole..left.len() {
        sum[t - whole] = simd.mul_add(simd.load(&left[t]), simd.load(&right[t]), sum[t - whole]);
    }
    let [a, b, c, d] = simd.sums(sum);
    (a + b) + (c + d)
}

/// V · W, the sum of all products of two matrices' entries.
pub(crate) fn matrix_product(backend: Backend, left: &InputMajor, right: &InputMajor) -> f32 {
    assert_eq!((left.n_in(), left.n_out()), (right.n_in(), right.n_out()));
    dispatch(backend, Between { left: left.lanes(), right: right.lanes() })
}

struct Between<'a> {
    left: &'a [Lanes],
    right: &'a [Lanes],
}

impl Kernel for Between<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        inner_product(simd, self.left, self.right)
    }
}

/// z ← z + Σ_s factor_s row_s, s ascending.
#[inline(always)]
pub(super) fn add_rows<S: Simd>(simd: S, factors: &[f32], rows: &[Lanes], z: &mut [Lanes]) {
    let mut t = 0;
    while t + 4 <= z.len() {
        add_rows_tile::<S, 4>(simd, factors, rows, z, t);
        t += 4;
    }
    while t < z.len() {
        add_rows_tile::<S, 1>(simd, factors, rows, z, t);
        t += 1;
    }
}

#[inline(always)]
fn add_rows_tile<S: Simd, const T: usize>(simd: S, factors: &[f32], rows: &[Lanes], z: &mut [Lanes], from: usize) {
    let stride = z.len();
    let z = &mut z[from..from + T];
    let mut sum = [simd.splat(0.0); T];
    for t in 0..T {
        sum[t] = simd.load(&z[t]);
    }
    for s in 0..rows.len() / stride {
        let row = &rows[s * stride + from..s * stride + from + T];
        let factor = simd.splat(factors[s]);
        for t in 0..T {
            sum[t] = simd.mul_add(factor, simd.load(&row[t]), sum[t]);
        }
    }
    for t in 0..T {
        simd.store(sum[t], &mut z[t]);
    }
}

/// out = a x + b y.
#[inline(always)]
pub(super) fn combine<S: Simd>(simd: S, a: f32, x: &[Lanes], b: f32, y: &[Lanes], out: &mut [Lanes]) {
    let (a, b) = (simd.splat(a), simd.splat(b));
    for t in 0..out.len() {
        simd.store(simd.mul_add(a, simd.load(&x[t]), simd.mul(b, simd.load(&y[t]))), &mut out[t]);
    }
}
