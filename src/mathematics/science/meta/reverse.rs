//! The inner loop differentiated: the exact gradient of the query loss with respect to the six coefficients, in reverse
//! mode.
//!
//! The adjoints of W and B, called V and U here, walk back through the steps. Before it, the weights themselves are taken
//! back one step by subtracting what the step had added, which the trajectory holds as vectors; so the memory is that of
//! the vectors and of a checkpoint every [`CHECKPOINT_INTERVAL`] steps, which stops rounding errors from growing.
//!
//! Why not forward mode: each of six tangents of W and B is as dense as they are. A weight takes about 6 multiply-adds in a
//! step of the loop, 12 in each tangent, and 17 here; so six tangents cost 78, and reverse mode 23, whatever the number of
//! coefficients.
//!
//! For a row i of one step, with W and B before it, V and U after it, and ȳ, ē the adjoints of the signals:
//!
//! - ā_i = V_i · e_ℓ, ḡ_i = V_i · y_ℓ, from W_i ← κ_W W_i + a_i e_ℓ + g_i y_ℓ;
//! - θ̄0 −= ā_i y_{ℓ-1,i}, θ̄1 += ā_i e_{ℓ-1,i}, θ̄2 += ḡ_i (y_{ℓ-1} − Wᵀy_ℓ)_i, θ̄3 −= V_i · W_i;
//! - ē_ℓ += a_i V_i, ȳ_ℓ += g_i V_i − θ2 ḡ_i W_i, ȳ_{ℓ-1,i} += θ2 ḡ_i − θ0 ā_i, ē_{ℓ-1,i} += θ1 ā_i;
//! - θ̄4 −= y_{ℓ-1,i} (U_i · e_ℓ), θ̄5 −= U_i · B_i, ē_ℓ −= θ4 y_{ℓ-1,i} U_i, ȳ_{ℓ-1,i} −= θ4 U_i · e_ℓ;
//! - e_{ℓ-1,i} = (B_i · e_ℓ) σ′_i with adjoint c_i = ē_{ℓ-1,i} σ′_i: ē_ℓ += c_i B_i, ȳ_{ℓ-1,i} += ē_{ℓ-1,i} (B_i · e_ℓ) dσ′/dy;
//! - V_i ← κ_W V_i − θ2 ḡ_i y_ℓ, U_i ← κ_B U_i + c_i e_ℓ; and from z_ℓ = W y_{ℓ-1}, V_i += y_{ℓ-1,i} z̄_ℓ, ȳ_{ℓ-1,i} += W_i · z̄_ℓ.
//!
//! ē_{ℓ-1} is complete once the passes over layer ℓ − 1 and row i of W in layer ℓ are done, so layers ascend.

use super::inner::{
    CHECKPOINT_INTERVAL, Checkpoint, DECAY, ERROR_HEBB, FEEDBACK_DECAY, FEEDBACK_HEBB, GRADIENT, InnerLoop, OJA,
    Sample, Step,
};
use super::real::Real;
use super::vectors::{
    Block, Matrix, Padded, Simd, Wide, add_scaled, carry_back, dot, restore, restore_and_carry_back, restore_silent,
    scale,
};
use crate::science::initialization::Feedback;

/// How the trained network answers the query samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Query {
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Share of samples whose largest output is that of their label; of equal ones the first counts.
    pub accuracy: f64,
}

/// The adjoints, kept from one episode to the next as room.
#[derive(Clone, Debug)]
pub(super) struct Reverse<F> {
    /// V and U at ℓ − 1.
    v: Vec<Matrix<F>>,
    u: Vec<Matrix<F>>,
    /// ȳ_ℓ, ē_ℓ, and c_ℓ.
    y: Vec<Padded<F>>,
    e: Vec<Padded<F>>,
    c: Vec<Padded<F>>,
    scratch: Step<F>,
    theta: [f64; 6],
}

impl<F: Real> Reverse<F> {
    pub fn new(inner: &InnerLoop<F>) -> Self {
        let matrices = |like: &[Matrix<F>]| like.iter().map(|m| Matrix::zeros(m.n_in, m.n_out)).collect();
        let vectors = || inner.sizes.iter().map(|&n| Padded::zeros(n)).collect();
        Self {
            v: matrices(&inner.w),
            u: matrices(&inner.b),
            y: vectors(),
            e: vectors(),
            c: vectors(),
            scratch: Step::new(&inner.sizes),
            theta: [0.0; 6],
        }
    }

    /// Loss and accuracy of the trained network; what [`Reverse::differentiate`] starts from.
    pub fn query(&mut self, inner: &InnerLoop<F>, samples: &[Sample]) -> Query {
        F::run_wide(Ask { reverse: self, inner, samples })
    }

    /// Derivatives of the query loss with respect to θ0 … θ5, after [`Reverse::query`]; 0 for a term that takes no part.
    /// The weights of `inner` end where they began.
    pub fn differentiate(&mut self, inner: &mut InnerLoop<F>) -> [f64; 6] {
        F::run_wide(Differentiate { reverse: self, inner });
        std::array::from_fn(|k| if inner.rule.present[k] { self.theta[k] } else { 0.0 })
    }

    /// V of the query loss for the trained weights.
    #[inline(always)]
    fn ask<S: Simd<F>>(&mut self, simd: S, inner: &InnerLoop<F>, samples: &[Sample]) -> Query {
        let n_layers = inner.n_layers();
        self.v.iter_mut().for_each(|v| v.fill(F::ZERO));
        self.u.iter_mut().for_each(|u| u.fill(F::ZERO));
        self.y.iter_mut().for_each(|y| y.fill(F::ZERO));
        let share = F::ONE / F::of(samples.len() as f64);
        let (mut loss, mut correct) = (0.0, 0_usize);
        for &sample in samples {
            let step = &mut self.scratch;
            inner.forward(simd, sample, step);
            let n_outputs = inner.sizes[n_layers];
            let (is_correct, cross_entropy) = score(&step.logits[..n_outputs], step.label);
            correct += usize::from(is_correct);
            loss += cross_entropy;

            self.y[n_layers].copy_from_slice(&step.y[n_layers]);
            let z = &mut self.y[n_layers];
            z[step.label] = z[step.label] - F::ONE;
            scale(simd, z.blocks_mut(), share);
            for layer in (1..=n_layers).rev() {
                let (below, above) = self.y.split_at_mut(layer);
                let (y_below, z) = (&mut below[layer - 1], &above[0]);
                let (v, w) = (&mut self.v[layer - 1], &inner.w[layer - 1]);
                let rows = if layer == 1 { &step.active[..] } else { &inner.every_row[..w.n_in] };
                for &i in rows {
                    let i = i as usize;
                    add_scaled(simd, v.row_mut(i), step.y[layer - 1][i], z.blocks());
                    if layer > 1 {
                        y_below[i] = dot(simd, w.row(i), z.blocks()) * step.slope[layer - 1][i];
                    }
                }
            }
        }
        let n = samples.len() as f64;
        Query { loss: loss / n, accuracy: correct as f64 / n }
    }

    #[inline(always)]
    fn run<S: Simd<F>>(&mut self, simd: S, inner: &mut InnerLoop<F>) {
        self.theta = [0.0; 6];
        self.undo_last_decay(simd, inner);
        let trace = std::mem::take(&mut inner.trace);
        for t in (0..inner.n_steps).rev() {
            self.step(simd, inner, &trace[t]);
            if t % CHECKPOINT_INTERVAL == 0 {
                let Checkpoint { w, b } = &inner.checkpoints[t / CHECKPOINT_INTERVAL];
                inner.w.iter_mut().zip(w).for_each(|(to, from)| to.copy_from(from));
                inner.b.iter_mut().zip(b).for_each(|(to, from)| to.copy_from(from));
            }
        }
        inner.trace = trace;
    }

    /// One step back.
    #[inline(always)]
    fn step<S: Simd<F>>(&mut self, simd: S, inner: &mut InnerLoop<F>, step: &Step<F>) {
        let n_layers = inner.n_layers();
        self.y.iter_mut().chain(&mut self.e).for_each(|adjoint| adjoint.fill(F::ZERO));
        for layer in 1..=n_layers {
            self.forward_weights(simd, inner, layer, step);
            if inner.feedback != Feedback::Symmetric && inner.wants_error_below(layer) {
                self.feedback_weights(simd, inner, layer, step);
            }
        }
        // e_L = y_L − onehot.
        let (y, e) = (&mut self.y[n_layers], &self.e[n_layers]);
        add_scaled(simd, y.blocks_mut(), F::ONE, e.blocks());
        // Softmax: z̄ = y ⊙ (ȳ − ȳ · y).
        let p = &step.y[n_layers];
        let mean = dot(simd, y.blocks(), p.blocks());
        for (y, p) in y.iter_mut().zip(&p[..]) {
            *y = (*y - mean) * *p;
        }
        for layer in (1..=n_layers).rev() {
            if layer < n_layers {
                for (y, slope) in self.y[layer].iter_mut().zip(&step.slope[layer][..]) {
                    *y *= *slope;
                }
            }
            let (below, above) = self.y.split_at_mut(layer);
            let (y_below, z) = (&mut below[layer - 1], &above[0]);
            let (v, w) = (&mut self.v[layer - 1], &inner.w[layer - 1]);
            let rows = if layer == 1 { &step.active[..] } else { &inner.every_row[..w.n_in] };
            for &i in rows {
                let i = i as usize;
                if layer > 1 {
                    y_below[i] += dot(simd, w.row(i), z.blocks());
                }
                add_scaled(simd, v.row_mut(i), step.y[layer - 1][i], z.blocks());
            }
        }
        self.undo_missed_decay(simd, inner, step);
    }

    /// Takes W of a layer back before the step, and V with it, but for z_ℓ = W y_{ℓ-1}.
    #[inline(always)]
    fn forward_weights<S: Simd<F>>(&mut self, simd: S, inner: &mut InnerLoop<F>, layer: usize, step: &Step<F>) {
        let wants_error = inner.wants_error_below(layer);
        let symmetric = inner.feedback == Feedback::Symmetric;
        let spared = inner.spares_silent_pixels()[0];
        let (activation, rule) = (inner.activation, &inner.rule);
        let ([gradient, error_hebb, oja, ..], keep) = (rule.theta, rule.keep[0]);
        let [_, has_error_hebb, has_oja, ..] = rule.present;
        let revive = F::ONE / keep;
        let w = &mut inner.w[layer - 1];
        let v = &mut self.v[layer - 1];
        let rows = if layer == 1 && spared { &step.active[..] } else { &inner.every_row[..w.n_in] };

        let (y_below, y) = (&step.y[layer - 1], &step.y[layer]);
        let (e_below, e) = (&step.e[layer - 1], &step.e[layer]);
        let (slope, back, d) = (&step.slope[layer - 1], &step.back[layer - 1], &step.d[layer - 1]);
        let (adjoint_y_below, adjoint_y) = neighbours(&mut self.y, layer);
        let (adjoint_e_below, adjoint_e) = neighbours(&mut self.e, layer);
        let (e_blocks, y_blocks) = (e.blocks(), y.blocks());
        let c = &mut self.c[layer - 1];
        let mut theta = [F::ZERO; 4];
        for &i in rows {
            let i = i as usize;
            let (w, v) = (w.row_mut(i), v.row_mut(i));
            let residual = y_below[i] - d[i];
            let g = oja * residual;
            if has_oja && layer == 1 && y_below[i] == F::ZERO && slope[i] == F::ZERO {
                // A silent pixel with softplus: y_0 and e_0 are 0 whatever e_1 is, and only Oja's term is left.
                let [adjoint_g, vw] = restore_silent(simd, w, revive, (-(g * revive), y_blocks), v);
                theta[OJA] += adjoint_g * residual;
                theta[DECAY] += -vw;
                carry_back(simd, adjoint_y, (g, v), (-(oja * adjoint_g), w), keep, y_blocks);
                c[i] = F::ZERO;
                continue;
            }
            let a = if has_error_hebb { error_hebb * e_below[i] } else { F::ZERO } - gradient * y_below[i];
            let adjoint_a;
            let vw;
            let mut adjoint_g = F::ZERO;
            if has_oja {
                let (terms, carried) = ((-(a * revive), e_blocks), (&mut *adjoint_e, a));
                [adjoint_a, adjoint_g, vw] = restore(simd, w, revive, terms, (-(g * revive), y_blocks), v, carried);
                theta[OJA] += adjoint_g * residual;
            } else {
                let carried = (&mut *adjoint_e, a, F::ZERO);
                let terms = (-(a * revive), e_blocks);
                [adjoint_a, vw] = restore_and_carry_back(simd, (&mut *w, revive), terms, (&mut *v, keep), carried);
            }
            theta[GRADIENT] += -(adjoint_a * y_below[i]);
            theta[DECAY] += -vw;
            adjoint_y_below[i] += oja * adjoint_g - gradient * adjoint_a;
            if has_error_hebb {
                theta[ERROR_HEBB] += adjoint_a * e_below[i];
                adjoint_e_below[i] += error_hebb * adjoint_a;
            }
            c[i] = F::ZERO;
            if wants_error {
                c[i] = adjoint_e_below[i] * slope[i];
                if layer > 1 {
                    let curvature = F::curvature(activation, y_below[i], slope[i]);
                    adjoint_y_below[i] += adjoint_e_below[i] * back[i] * curvature;
                }
            }
            if has_oja {
                carry_back(simd, adjoint_y, (g, &mut *v), (-(oja * adjoint_g), w), keep, y_blocks);
            }
            if symmetric && wants_error {
                add_scaled(simd, adjoint_e, c[i], w);
                add_scaled(simd, v, c[i], e_blocks);
            }
        }
        for (sum, part) in self.theta.iter_mut().zip(theta) {
            *sum += part.to_f64();
        }
    }

    /// Takes B of a layer back before the step, and U with it.
    #[inline(always)]
    fn feedback_weights<S: Simd<F>>(&mut self, simd: S, inner: &mut InnerLoop<F>, layer: usize, step: &Step<F>) {
        let spared = inner.spares_silent_pixels()[1];
        let rule = &inner.rule;
        let (theta, keep) = (rule.theta[FEEDBACK_HEBB], rule.keep[1]);
        let revive = F::ONE / keep;
        let b = &mut inner.b[layer - 1];
        let u = &mut self.u[layer - 1];
        let rows = if layer == 1 && spared { &step.active[..] } else { &inner.every_row[..b.n_in] };
        let (y_below, e, c) = (&step.y[layer - 1], &step.e[layer], &self.c[layer - 1]);
        let adjoint_y_below = &mut self.y[layer - 1];
        let adjoint_e = self.e[layer].blocks_mut();
        let e = e.blocks();
        let (mut hebb, mut decay) = (F::ZERO, F::ZERO);
        for &i in rows {
            let i = i as usize;
            let (b, u) = (b.row_mut(i), u.row_mut(i));
            let step_size = theta * y_below[i];
            let carried = (&mut *adjoint_e, -step_size, c[i]);
            let [ue, ub] = restore_and_carry_back(simd, (b, revive), (step_size * revive, e), (u, keep), carried);
            hebb += -(y_below[i] * ue);
            decay += -ub;
            adjoint_y_below[i] += -(theta * ue);
        }
        self.theta[FEEDBACK_HEBB] += hebb.to_f64();
        self.theta[FEEDBACK_DECAY] += decay.to_f64();
    }

    /// Takes back the decay that lit pixels' rows had missed before this step and caught up with in it.
    ///
    /// n steps of decay are W_i ← κⁿ W_i, whose derivative with respect to θ3 is −n κⁿ⁻¹ W_i: with W_i and V_i after it,
    /// θ̄3 −= n (V_i · W_i) / κ.
    #[inline(always)]
    fn undo_missed_decay<S: Simd<F>>(&mut self, simd: S, inner: &mut InnerLoop<F>, step: &Step<F>) {
        for which in [0, 1] {
            for (&i, &gap) in step.active.iter().zip(&step.gaps[which]) {
                self.undo_decay(simd, inner, which, i as usize, gap as usize);
            }
        }
    }

    /// The same for what every row caught up with at the end.
    #[inline(always)]
    fn undo_last_decay<S: Simd<F>>(&mut self, simd: S, inner: &mut InnerLoop<F>) {
        for which in [0, 1] {
            if inner.decays_lazily()[which] && (which == 0 || !inner.b.is_empty()) {
                for i in 0..inner.sizes[0] {
                    let gap = inner.n_steps - inner.decayed[which][i] as usize;
                    self.undo_decay(simd, inner, which, i, gap);
                }
            }
        }
    }

    #[inline(always)]
    fn undo_decay<S: Simd<F>>(&mut self, simd: S, inner: &mut InnerLoop<F>, which: usize, i: usize, gap: usize) {
        if gap == 0 {
            return;
        }
        let (matrix, adjoint, coefficient) = if which == 0 {
            (&mut inner.w[0], &mut self.v[0], DECAY)
        } else {
            (&mut inner.b[0], &mut self.u[0], FEEDBACK_DECAY)
        };
        let (power, keep) = (inner.rule.powers[which][gap], inner.rule.keep[which]);
        let (row, adjoint) = (matrix.row_mut(i), adjoint.row_mut(i));
        self.theta[coefficient] -= gap as f64 * (dot(simd, adjoint, row) / keep).to_f64();
        scale(simd, row, F::ONE / power);
        scale(simd, adjoint, power);
    }
}

/// The numbers of layer ℓ − 1 and the blocks of layer ℓ.
#[inline(always)]
fn neighbours<F: Real>(vectors: &mut [Padded<F>], layer: usize) -> (&mut [F], &mut [Block<F>]) {
    let (below, above) = vectors.split_at_mut(layer);
    (&mut below[layer - 1][..], above[0].blocks_mut())
}

/// Whether the largest logit is the label's (of equal ones the first counts), and −ln softmax(z)_label in nats.
fn score<F: Real>(logits: &[F], label: usize) -> (bool, f64) {
    let best = (1..logits.len()).fold(0, |best, k| if logits[k] > logits[best] { k } else { best });
    let max = logits[best].to_f64();
    let sum: f64 = logits.iter().map(|z| libm::exp(z.to_f64() - max)).sum();
    (best == label, libm::log(sum) - (logits[label].to_f64() - max))
}

struct Ask<'a, F> {
    reverse: &'a mut Reverse<F>,
    inner: &'a InnerLoop<F>,
    samples: &'a [Sample<'a>],
}

impl<F: Real> Wide<F> for Ask<'_, F> {
    type Output = Query;

    #[inline(always)]
    fn run<S: Simd<F>>(self, simd: S) -> Query {
        self.reverse.ask(simd, self.inner, self.samples)
    }
}

struct Differentiate<'a, F> {
    reverse: &'a mut Reverse<F>,
    inner: &'a mut InnerLoop<F>,
}

impl<F: Real> Wide<F> for Differentiate<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<F>>(self, simd: S) {
        self.reverse.run(simd, self.inner);
    }
}
