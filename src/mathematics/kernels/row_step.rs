//! One layer's backward product, projection and plasticity, as `layer_update` does it, ready to be differentiated.
//!
//! For each input i, with the weights as they were before the step:
//!
//! - e_{ℓ-1,i} = (W_i · e_ℓ) s_i, or with B_i in place of W_i where feedback has weights of its own; s_i is given;
//! - d_i = W_i · y_ℓ;
//! - W_i ← (1 − λ) W_i + α_i e_ℓ + γ_i y_ℓ, and B_i likewise, α_i and γ_i being linear in y_{ℓ-1,i}, e_{ℓ-1,i} and d_i.
//!
//! Unlike there, a signal can be asked for although its coefficients are 0: a coefficient has a derivative there too.

use super::backend::{Backend, Kernel, dispatch};
use super::lanes::{Lanes, each_lane, lanes_for};
use super::matrix::InputMajor;
use super::row_groups::{CHUNK, Local, Scaled, combine};
use super::rows::dots_back;
use super::simd::Simd;
use super::synaptic_rule::{RowRule, SynapticRule};

/// A step and what it reads and writes, all vectors padded.
pub(crate) struct RowStep<'a> {
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
        let n_in = self.weights.n_in();
        for chunk in 0..lanes_for(n_in) {
            let from = chunk * CHUNK;
            let n = CHUNK.min(n_in - from);
            let lanes = from * stride..(from + n) * stride;
            let w = &self.weights.lanes()[lanes.clone()];
            let b = self.feedback.as_ref().map(|b| &b.lanes()[lanes.clone()]);
            let wanted = [self.propagate, self.project];
            let [mut e, d] = dots_back(simd, w, b, stride, [error, activation], wanted);
            if self.propagate {
                let slope = &self.slope[chunk].0;
                e = each_lane!(k => e[k] * slope[k]);
                self.pre_error[chunk].0 = e;
            }
            if self.project {
                self.projection[chunk].0 = d;
            }

            let y = self.pre_activation[chunk].0;
            let signals = (&y, &e, &d, error, activation);
            update(simd, &mut self.weights.lanes_mut()[lanes.clone()], stride, &self.rule.forward, signals);
            if let Some(b) = &mut self.feedback {
                update(simd, &mut b.lanes_mut()[lanes], stride, &self.rule.feedback, signals);
            }
        }
    }
}

type Signals<'a> = (&'a Local, &'a Local, &'a Local, &'a [Lanes], &'a [Lanes]);

#[inline(always)]
fn update<S: Simd>(
    simd: S,
    rows: &mut [Lanes],
    stride: usize,
    rule: &RowRule,
    (y, e, d, error, activation): Signals<'_>,
) {
    let (alpha, gamma) = (rule.by_error.of(y, e, d), rule.by_activation.of(y, e, d));
    let by_error: Scaled<'_> = if rule.by_error.is_zero() { None } else { Some((&alpha, error)) };
    let by_activation: Scaled<'_> = if rule.by_activation.is_zero() { None } else { Some((&gamma, activation)) };
    combine(simd, rows, stride, 1.0 - rule.decay, [by_error, by_activation]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{ErrorBelow, LayerSignals, PreFactor, as_flat, as_flat_mut, update_layer, zeros};
    use crate::science::activation::Activation;
    use crate::science::seed::{Purpose, stream};

    /// It is the pass over a whole layer, to rounding; on every backend the same bits.
    #[test]
    fn rows_learn_as_a_whole_layer_does() {
        let mut random = stream(3, Purpose::Task, 1);
        let mut number = || random.normal() as f32;
        let mut factor = || PreFactor { activation: 0.1 * number(), error: 0.1 * number(), projection: 0.1 * number() };
        let row_rule = |by_error, by_activation| RowRule { by_error, by_activation, decay: 0.02 };
        let whole =
            SynapticRule { forward: row_rule(factor(), factor()), feedback: row_rule(factor(), PreFactor::default()) };
        let one_sided = SynapticRule {
            forward: RowRule { by_activation: factor(), ..RowRule::default() },
            feedback: RowRule::default(),
        };
        for (n_in, n_out) in [(1, 1), (13, 17), (40, 100), (29, 170)] {
            let [w, b] = [0, 1].map(|_| InputMajor::from_fn(n_in, n_out, |_, _| 0.2 * number()));
            let mut vector = |n: usize| {
                let mut v = zeros(n);
                as_flat_mut(&mut v)[..n].iter_mut().for_each(|x| *x = number());
                v
            };
            let (error, activation, y) = (vector(n_out), vector(n_out), vector(n_in));
            let function = Activation::Tanh;
            let slope: Vec<Lanes> = y.iter().map(|y| Lanes(function.derivative(y.0))).collect();
            for (rule, through_b) in [(whole, true), (whole, false), (one_sided, false)] {
                let run = |backend: Backend| {
                    let (mut w, mut b) = (w.clone(), b.clone());
                    let (mut pre_error, mut projection) = (zeros(n_in), zeros(n_in));
                    let step = RowStep {
                        rule: &rule,
                        weights: &mut w,
                        feedback: through_b.then_some(&mut b),
                        error: &error,
                        activation: &activation,
                        pre_activation: &y,
                        slope: &slope,
                        propagate: true,
                        project: true,
                        pre_error: &mut pre_error,
                        projection: &mut projection,
                    };
                    step_rows(backend, step);
                    (w, b, pre_error, projection)
                };
                let found = run(Backend::Portable);
                let (mut expected_w, mut expected_b) = (w.clone(), b.clone());
                let (mut pre_error, mut projection) = (zeros(n_in), zeros(n_in));
                let signals = LayerSignals {
                    error: &error,
                    activation: &activation,
                    pre_activation: &y,
                    function,
                    pre_is_input: false,
                    below: ErrorBelow::Wanted,
                    pre_error: &mut pre_error,
                    projection: &mut projection,
                };
                let feedback = through_b.then_some(&mut expected_b);
                update_layer(Backend::Portable, &rule, &mut expected_w, feedback, None, signals);
                let pairs = [
                    (found.0.lanes(), expected_w.lanes()),
                    (found.1.lanes(), expected_b.lanes()),
                    (&found.2, &pre_error),
                ];
                for (found, expected) in pairs {
                    let worst =
                        as_flat(found).iter().zip(as_flat(expected)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(worst < 2e-5, "{n_in} × {n_out}: {worst}");
                }
                for backend in Backend::available() {
                    assert_eq!(run(backend), found, "{backend}");
                }
            }
        }
    }
}
