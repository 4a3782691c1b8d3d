//! One layer's backward product, projection and plasticity in a single pass over its weights.
//!
//! For each input i, while its row W_i (all outgoing weights) is in the first-level cache:
//!
//! - e_{ℓ-1,i} = (W_i · e_ℓ) σ′(z_{ℓ-1,i}), or with B_i in place of W_i where feedback has weights of its own (7);
//! - d_i = W_i · y_ℓ = (Wᵀ y_ℓ)_i, what Oja's rule projects back;
//! - W_i ← (1 − λ) W_i + α_i e_ℓ + γ_i y_ℓ, α_i and γ_i being linear in the local values y_{ℓ-1,i}, e_{ℓ-1,i}, d_i.
//!
//! All terms of rule (9) have that form, so each weight is read and written once a step, whatever the rule.

use super::active::Active;
use super::backend::{Backend, Kernel, dispatch};
use super::lanes::{Lanes, WIDTH, each_lane, lanes_for};
use super::matrix::InputMajor;
use super::simd::Simd;
use crate::science::activation::Activation;

/// What the presynaptic side contributes: activation · y_{ℓ-1,i} + error · e_{ℓ-1,i} + projection · d_i.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PreFactor {
    pub activation: f32,
    pub error: f32,
    pub projection: f32,
}

impl PreFactor {
    #[inline(always)]
    fn of(&self, y: &[f32; WIDTH], e: &[f32; WIDTH], d: &[f32; WIDTH]) -> [f32; WIDTH] {
        let mut factor = [0.0; WIDTH];
        // Signals with coefficient 0 are left out rather than multiplied: they may not have been computed.
        if self.activation != 0.0 {
            factor = each_lane!(k => self.activation * y[k]);
        }
        if self.error != 0.0 {
            factor = each_lane!(k => self.error.mul_add(e[k], factor[k]));
        }
        if self.projection != 0.0 {
            factor = each_lane!(k => self.projection.mul_add(d[k], factor[k]));
        }
        factor
    }
}

/// row_i ← (1 − decay) row_i + by_error_i e_ℓ + by_activation_i y_ℓ.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RowRule {
    pub by_error: PreFactor,
    pub by_activation: PreFactor,
    pub decay: f32,
}

impl RowRule {
    fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    fn reads_error(&self) -> bool {
        self.by_error.error != 0.0 || self.by_activation.error != 0.0
    }

    fn reads_projection(&self) -> bool {
        self.by_error.projection != 0.0 || self.by_activation.projection != 0.0
    }
}

/// What happens to W and to B of one layer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct SynapticRule {
    pub forward: RowRule,
    pub feedback: RowRule,
}

impl SynapticRule {
    /// Whether all that moves is W, by α_i e_ℓ with α_i proportional to y_{ℓ-1,i}: plain backpropagation, where a silent
    /// input moves nothing.
    pub fn moves_active_inputs_only(&self) -> bool {
        let by_error = PreFactor { activation: self.forward.by_error.activation, ..PreFactor::default() };
        *self == Self { forward: RowRule { by_error, ..RowRule::default() }, ..Self::default() }
    }

    /// Whether any term reads e_{ℓ-1}.
    pub fn reads_pre_error(&self) -> bool {
        self.forward.reads_error() || self.feedback.reads_error()
    }

    /// Whether any term reads Wᵀ y_ℓ.
    pub fn reads_projection(&self) -> bool {
        self.forward.reads_projection() || self.feedback.reads_projection()
    }
}

/// What the synapses of a layer see, all vectors padded.
pub(crate) struct LayerSignals<'a> {
    /// e_ℓ.
    pub error: &'a [Lanes],
    /// y_ℓ.
    pub activation: &'a [Lanes],
    /// y_{ℓ-1}.
    pub pre_activation: &'a [Lanes],
    /// σ, and whether layer ℓ − 1 is the input, which e_0 masks differently.
    pub function: Activation,
    pub pre_is_input: bool,
    /// Whether e_{ℓ-1} is wanted even if no term reads it.
    pub propagate: bool,
    /// Receives e_{ℓ-1} where it is wanted or read.
    pub pre_error: &'a mut [Lanes],
    /// Receives Wᵀ y_ℓ where it is read.
    pub projection: &'a mut [Lanes],
}

/// Runs the pass. Errors travel through `feedback` where given, else through `weights`, as they were before the update.
///
/// Returns Σ|α_i| and Σ|γ_i| for W, then for B: with the largest |e|, |y| they bound how much a weight can have moved.
pub(crate) fn update_layer(
    backend: Backend,
    rule: &SynapticRule,
    weights: &mut InputMajor,
    feedback: Option<&mut InputMajor>,
    signals: LayerSignals<'_>,
) -> [f32; 4] {
    let (n_in, stride) = (weights.n_in(), weights.stride());
    assert_eq!([signals.error.len(), signals.activation.len()], [stride; 2]);
    assert_eq!([signals.pre_activation.len(), signals.pre_error.len(), signals.projection.len()], [lanes_for(n_in); 3]);
    if let Some(b) = &feedback {
        assert_eq!((b.n_in(), b.n_out()), (n_in, weights.n_out()));
    }
    dispatch(backend, Pass { rule, weights, feedback, signals })
}

/// As [`update_layer`] on the first layer, for a rule that [`SynapticRule::moves_active_inputs_only`]: the rows of silent
/// inputs are not even looked at. Returns Σ|α_i|.
pub(crate) fn update_active(
    backend: Backend,
    rule: &SynapticRule,
    weights: &mut InputMajor,
    x: &Active,
    error: &[Lanes],
) -> f32 {
    assert_eq!(error.len(), weights.stride());
    dispatch(backend, UpdateActive { factor: rule.forward.by_error.activation, weights, x, error })
}

struct UpdateActive<'a> {
    factor: f32,
    weights: &'a mut InputMajor,
    x: &'a Active,
    error: &'a [Lanes],
}

impl Kernel for UpdateActive<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        let Self { factor, weights, x, error } = self;
        let mut moved = 0.0;
        for (i, value) in x.iter() {
            let alpha = factor * value;
            moved += alpha.abs();
            add(simd, weights.row_mut(i), alpha, error, 0.0, error);
        }
        moved
    }
}

struct Pass<'a> {
    rule: &'a SynapticRule,
    weights: &'a mut InputMajor,
    feedback: Option<&'a mut InputMajor>,
    signals: LayerSignals<'a>,
}

impl Kernel for Pass<'_> {
    type Output = [f32; 4];

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) -> [f32; 4] {
        let LayerSignals { error, activation, pre_activation, function, pre_is_input, propagate, .. } = self.signals;
        let (n_in, stride) = (self.weights.n_in(), self.weights.stride());
        let wants_error = propagate || self.rule.reads_pre_error();
        let wants_projection = self.rule.reads_projection();
        let plastic_feedback = !self.rule.feedback.is_zero();
        let mut moved = [[0.0_f32; WIDTH]; 4];
        // Sixteen rows at a time: they fit in the first-level cache, and their local values in one `Lanes`.
        for (block, y) in pre_activation.iter().enumerate() {
            let first = block * WIDTH;
            let rows = WIDTH.min(n_in - first);
            let span = first * stride..(first + rows) * stride;
            let w = &mut self.weights.lanes_mut()[span.clone()];
            let mut b = self.feedback.as_mut().map(|b| &mut b.lanes_mut()[span]);

            let (mut e, mut d) = ([0.0; WIDTH], [0.0; WIDTH]);
            match (&b, wants_error, wants_projection) {
                (None, true, true) => dots_two(simd, w, stride, error, activation, &mut e, &mut d),
                (None, true, false) => dots(simd, w, stride, error, &mut e),
                (Some(b), true, _) => dots(simd, b, stride, error, &mut e),
                (_, false, _) => {}
            }
            if wants_projection && (b.is_some() || !wants_error) {
                dots(simd, w, stride, activation, &mut d);
            }
            if wants_error {
                let slope = if pre_is_input { function.input_mask(y.0) } else { function.derivative(y.0) };
                e = each_lane!(k => e[k] * slope[k]);
                self.signals.pre_error[block].0 = e;
            }
            if wants_projection {
                self.signals.projection[block].0 = d;
            }

            let [alpha, gamma] = update(simd, &self.rule.forward, w, stride, error, activation, (&y.0, &e, &d));
            accumulate(&mut moved[0], &alpha);
            accumulate(&mut moved[1], &gamma);
            if let (true, Some(b)) = (plastic_feedback, &mut b) {
                let [alpha, gamma] = update(simd, &self.rule.feedback, b, stride, error, activation, (&y.0, &e, &d));
                accumulate(&mut moved[2], &alpha);
                accumulate(&mut moved[3], &gamma);
            }
        }
        moved.map(|lanes| lanes.iter().sum())
    }
}

#[inline(always)]
fn accumulate(sum: &mut [f32; WIDTH], factor: &[f32; WIDTH]) {
    for k in 0..WIDTH {
        sum[k] += factor[k].abs();
    }
}

/// out_r = row_r · v for up to sixteen rows.
#[inline(always)]
fn dots<S: Simd>(simd: S, rows: &[Lanes], stride: usize, v: &[Lanes], out: &mut [f32; WIDTH]) {
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
fn dots_two<S: Simd>(
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
fn update<S: Simd>(
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
fn add<S: Simd>(simd: S, row: &mut [Lanes], alpha: f32, error: &[Lanes], gamma: f32, activation: &[Lanes]) {
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
