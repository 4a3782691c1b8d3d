//! One layer's backward product, projection and plasticity on listed rows of its weights, as `layer_update` does it on all.
//!
//! For each listed input i, with the weights as they were before the step:
//!
//! - e_{ℓ-1,i} = (W_i · e_ℓ) s_i, or with B_i in place of W_i where feedback has weights of its own; s_i is given;
//! - d_i = W_i · y_ℓ;
//! - W_i ← (1 − λ) W_i + α_i e_ℓ + γ_i y_ℓ, and B_i likewise, α_i and γ_i being linear in y_{ℓ-1,i}, e_{ℓ-1,i} and d_i.
//!
//! Unlike there, what is not listed is not touched, and a signal can be asked for although its coefficients are 0: a
//! coefficient has a derivative there too.

use super::backend::{Backend, Kernel, dispatch};
use super::lanes::{Lanes, WIDTH, as_flat, as_flat_mut, each_lane, lanes_for};
use super::listed_rows::{CHUNK, Scaled, combine, dots, dots_two, gather, scatter};
use super::matrix::InputMajor;
use super::simd::Simd;
use super::synaptic_rule::{RowRule, SynapticRule};

/// A step and what it reads and writes, all vectors padded.
pub(crate) struct RowStep<'a> {
    /// The inputs i, ascending.
    pub rows: &'a [u32],
    pub rule: &'a SynapticRule,
    pub weights: &'a mut InputMajor,
    /// B, where feedback has weights of its own.
    pub feedback: Option<&'a mut InputMajor>,
    /// e_ℓ.
    pub error: &'a [Lanes],
    /// y_ℓ.
    pub activation: &'a [Lanes],
    /// y_{ℓ-1}.
    pub pre_activation: &'a [Lanes],
    /// s, by which errors are masked: σ′(z_{ℓ-1}), or the mask of e_0.
    pub slope: &'a [Lanes],
    /// Whether e_{ℓ-1} is wanted.
    pub propagate: bool,
    /// Whether d is wanted.
    pub project: bool,
    /// Receives e_{ℓ-1} where it is wanted.
    pub pre_error: &'a mut [Lanes],
    /// Receives d where it is wanted.
    pub projection: &'a mut [Lanes],
}

/// Makes the step.
pub(crate) fn step_rows(backend: Backend, step: RowStep<'_>) {
    let (n_in, stride) = (step.weights.n_in(), step.weights.stride());
    assert_eq!([step.error.len(), step.activation.len()], [stride; 2]);
    let pre = [step.pre_activation.len(), step.slope.len(), step.pre_error.len(), step.projection.len()];
    assert_eq!(pre, [lanes_for(n_in); 4]);
    if let Some(b) = &step.feedback {
        assert_eq!((b.n_in(), b.stride()), (n_in, stride));
    }
    dispatch(backend, step);
}

impl Kernel for RowStep<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let stride = self.weights.stride();
        let (error, activation) = (self.error, self.activation);
        let (pre_activation, slope) = (as_flat(self.pre_activation), as_flat(self.slope));
        let mut from = 0;
        while from < self.rows.len() {
            let rows = &self.rows[from..self.rows.len().min(from + CHUNK)];
            from += CHUNK;
            let (mut e, mut d) = ([0.0; WIDTH], [0.0; WIDTH]);
            let w = self.weights.lanes();
            match (&self.feedback, self.propagate, self.project) {
                (None, true, true) => dots_two(simd, w, stride, rows, [error, activation], [&mut e, &mut d]),
                (None, true, false) => dots(simd, w, stride, rows, error, &mut e),
                (Some(b), true, _) => dots(simd, b.lanes(), stride, rows, error, &mut e),
                (_, false, _) => {}
            }
            if self.project && (self.feedback.is_some() || !self.propagate) {
                dots(simd, w, stride, rows, activation, &mut d);
            }
            if self.propagate {
                let slope = gather(slope, rows);
                e = each_lane!(k => e[k] * slope[k]);
                scatter(&e, rows, as_flat_mut(self.pre_error));
            }
            if self.project {
                scatter(&d, rows, as_flat_mut(self.projection));
            }

            let y = gather(pre_activation, rows);
            let signals = (&y, &e, &d, error, activation);
            update(simd, self.weights, rows, &self.rule.forward, signals);
            if let Some(b) = &mut self.feedback {
                update(simd, b, rows, &self.rule.feedback, signals);
            }
        }
    }
}

type Signals<'a> = (&'a [f32; WIDTH], &'a [f32; WIDTH], &'a [f32; WIDTH], &'a [Lanes], &'a [Lanes]);

#[inline(always)]
fn update<S: Simd>(
    simd: S,
    matrix: &mut InputMajor,
    rows: &[u32],
    rule: &RowRule,
    (y, e, d, error, activation): Signals<'_>,
) {
    let stride = matrix.stride();
    let (alpha, gamma) = (rule.by_error.of(y, e, d), rule.by_activation.of(y, e, d));
    let by_error: Scaled<'_> = if rule.by_error.is_zero() { None } else { Some((&alpha, error)) };
    let by_activation: Scaled<'_> = if rule.by_activation.is_zero() { None } else { Some((&gamma, activation)) };
    combine(simd, matrix.lanes_mut(), stride, rows, 1.0 - rule.decay, [by_error, by_activation]);
}
