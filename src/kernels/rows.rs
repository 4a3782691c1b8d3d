//! Dot products with up to sixteen rows of weights, and updates of them, while they are in the first-level cache.

use super::lanes::{Lanes, WIDTH};
use super::simd::Simd;
use super::synaptic_rule::RowRule;

/// out_r = row_r · v for up to sixteen rows.
#[inline(always)]
pub(super) fn dots<S: Simd>(simd: S, rows: &[Lanes], stride: usize, v: &[Lanes], out: &mut [f32; WIDTH]) {
    let v = &v[..stride];
    let mut quads = rows.chunks_exact(4 * stride);
    let mut r = 0;
    for quad in &mut quads {
        let (a, rest) = quad.split_at(stride);
        let (b, rest) = rest.split_at(stride);
        let (c, d) = rest.split_at(stride);
        let d = &d[..stride];
        let mut sum = [simd.splat(0.0); 4];
        for t in 0..stride {
            let v = simd.load(&v[t]);
            sum[0] = simd.mul_add(simd.load(&a[t]), v, sum[0]);
            sum[1] = simd.mul_add(simd.load(&b[t]), v, sum[1]);
            sum[2] = simd.mul_add(simd.load(&c[t]), v, sum[2]);
            sum[3] = simd.mul_add(simd.load(&d[t]), v, sum[3]);
        }
        for q in 0..4 {
            out[r + q] = simd.sum(sum[q]);
        }
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
pub(super) fn dots_two<S: Simd>(
    simd: S,
    rows: &[Lanes],
    stride: usize,
    a: &[Lanes],
    b: &[Lanes],
    u: &mut [f32; WIDTH],
    v: &mut [f32; WIDTH],
) {
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
        (u[r], v[r]) = (simd.sum(sum[0]), simd.sum(sum[1]));
        (u[r + 1], v[r + 1]) = (simd.sum(sum[2]), simd.sum(sum[3]));
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
            match (a != [0.0; 2], g != [0.0; 2]) {
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
            for (w, v) in row.iter_mut().zip(vector) {
                simd.store(simd.mul_add(factor, simd.load(v), simd.load(w)), w);
            }
        }
    }
}

/// As [`add`] for two rows and one of the vectors.
#[inline(always)]
fn add_one_to_two<S: Simd>(simd: S, [p, q]: [&mut [Lanes]; 2], factors: [f32; 2], vector: &[Lanes]) {
    let [f, g] = factors.map(|f| simd.splat(f));
    let ahead = WIDTH * vector.len();
    for ((p, q), v) in p.iter_mut().zip(q).zip(vector) {
        simd.prefetch((&raw const *p).wrapping_add(ahead));
        simd.prefetch((&raw const *q).wrapping_add(ahead));
        let v = simd.load(v);
        simd.store(simd.mul_add(f, v, simd.load(p)), p);
        simd.store(simd.mul_add(g, v, simd.load(q)), q);
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
    let (alpha, gamma) = (alpha.map(|a| simd.splat(a)), gamma.map(|g| simd.splat(g)));
    let ahead = WIDTH * error.len();
    for (((p, q), e), y) in p.iter_mut().zip(q).zip(error).zip(activation) {
        simd.prefetch((&raw const *p).wrapping_add(ahead));
        simd.prefetch((&raw const *q).wrapping_add(ahead));
        let (e, y) = (simd.load(e), simd.load(y));
        simd.store(simd.mul_add(alpha[0], e, simd.mul_add(gamma[0], y, simd.load(p))), p);
        simd.store(simd.mul_add(alpha[1], e, simd.mul_add(gamma[1], y, simd.load(q))), q);
    }
}
