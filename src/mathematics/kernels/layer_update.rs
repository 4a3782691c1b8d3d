//! One layer's backward product, projection and plasticity in a single pass over its weights.
//!
//! For each input i, while its row W_i (all outgoing weights) is in the first-level cache:
//!
//! - e_{ℓ-1,i} = (W_i · e_ℓ) σ′(z_{ℓ-1,i}), or with B_i in place of W_i where feedback has weights of its own (7);
//! - d_i = W_i · y_ℓ = (Wᵀ y_ℓ)_i, what Oja's rule projects back;
//! - W_i ← (1 − λ) W_i + α_i e_ℓ + γ_i y_ℓ, α_i and γ_i being linear in the local values y_{ℓ-1,i}, e_{ℓ-1,i}, d_i.
//!
//! All terms of rule (9) have that form, so each weight is read and written once a step, whatever the rule. Where the next
//! forward pass is known to follow, W only is read here, and that pass moves it: see `waiting`.

use super::activation::Activation;
use super::backend::{Backend, Kernel, dispatch};
use super::lanes::{Lanes, WIDTH, all_finite, each_lane, lanes_for, largest};
use super::matrix::InputMajor;
use super::rows::{dots_back, update_rows};
use super::simd::Simd;
use super::synaptic_rule::{RowRule, SynapticRule};
use super::waiting::Waiting;

/// What becomes of e_{ℓ-1} when a layer learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorBelow {
    /// It is made where a term reads it.
    IfRead,
    /// It is made: the layer below waits for it.
    Wanted,
    /// It is there already, and stays as it is.
    Given,
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
    pub below: ErrorBelow,
    /// e_{ℓ-1}: receives it where it is wanted or read, or has it.
    pub pre_error: &'a mut [Lanes],
    /// Receives Wᵀ y_ℓ where it is read.
    pub projection: &'a mut [Lanes],
}

impl LayerSignals<'_> {
    /// The same, to be looked at again afterwards.
    pub(crate) fn reborrow(&mut self) -> LayerSignals<'_> {
        LayerSignals { pre_error: &mut *self.pre_error, projection: &mut *self.projection, ..*self }
    }
}

/// What a pass found out about the numbers that it made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passed {
    /// No weight of W or B moves by more, decay aside, or will once a step that waits is carried out.
    pub reach: f64,
    /// Whether e_{ℓ-1}, if it was wanted or read, is finite.
    pub finite: bool,
}

/// Runs the pass. Errors travel through `feedback` where given, else through `weights`, as they were before the update. With
/// `waiting`, `weights` stay as they are and their step waits there; those of `feedback` always move at once.
pub(crate) fn update_layer(
    backend: Backend,
    rule: &SynapticRule,
    weights: &mut InputMajor,
    feedback: Option<&mut InputMajor>,
    waiting: Option<&mut Waiting>,
    signals: LayerSignals<'_>,
) -> Passed {
    let (n_in, stride) = (weights.n_in(), weights.stride());
    assert_eq!([signals.error.len(), signals.activation.len()], [stride; 2]);
    assert_eq!([signals.pre_activation.len(), signals.pre_error.len(), signals.projection.len()], [lanes_for(n_in); 3]);
    if let Some(b) = &feedback {
        assert_eq!((b.n_in(), b.n_out()), (n_in, weights.n_out()));
    }
    dispatch(backend, Pass { rule, weights, feedback, waiting, signals })
}

struct Pass<'a> {
    rule: &'a SynapticRule,
    weights: &'a mut InputMajor,
    feedback: Option<&'a mut InputMajor>,
    waiting: Option<&'a mut Waiting>,
    signals: LayerSignals<'a>,
}

impl Kernel for Pass<'_> {
    type Output = Passed;

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) -> Passed {
        let LayerSignals { error, activation, pre_activation, function, pre_is_input, below, .. } = self.signals;
        let (n_in, stride) = (self.weights.n_in(), self.weights.stride());
        let is_given = below == ErrorBelow::Given;
        let wants_error = !is_given && (below == ErrorBelow::Wanted || self.rule.reads_pre_error());
        let wants_projection = self.rule.reads_projection();
        let plastic_feedback = !self.rule.feedback.is_zero();
        let RowRule { by_error, by_activation, decay } = self.rule.forward;
        if let Some(waiting) = &mut self.waiting {
            let parts = [!by_error.is_zero(), !by_activation.is_zero()];
            waiting.begin(simd, 1.0 - decay, parts, [error, activation]);
        }
        let mut moved = [[0.0_f32; WIDTH]; 2];
        // Sixteen rows at a time: they fit in the first-level cache, and their local values in one `Lanes`. From the last to the
        // first, as the forward pass went the other way: where both turn, rows are still in the cache.
        for block in (0..pre_activation.len()).rev() {
            let y = &pre_activation[block];
            let first = block * WIDTH;
            let rows = WIDTH.min(n_in - first);
            let span = first * stride..(first + rows) * stride;
            let w = &mut self.weights.lanes_mut()[span.clone()];
            let mut b = self.feedback.as_mut().map(|b| &mut b.lanes_mut()[span]);

            let wanted = [wants_error, wants_projection];
            let [mut e, d] = dots_back(simd, w, b.as_deref(), stride, [error, activation], wanted);
            if wants_error {
                let slope = if pre_is_input { function.input_mask(y.0) } else { function.derivative(y.0) };
                e = each_lane!(k => e[k] * slope[k]);
                self.signals.pre_error[block].0 = e;
            } else if is_given {
                e = self.signals.pre_error[block].0;
            }
            if wants_projection {
                self.signals.projection[block].0 = d;
            }

            let [alpha, gamma] = match &mut self.waiting {
                None => update_rows(simd, &self.rule.forward, w, stride, error, activation, (&y.0, &e, &d)),
                Some(waiting) => {
                    let (alpha, gamma) = (by_error.of(&y.0, &e, &d), by_activation.of(&y.0, &e, &d));
                    (waiting.alpha[block].0, waiting.gamma[block].0) = (alpha, gamma);
                    [alpha, gamma]
                }
            };
            accumulate(&mut moved[0], &alpha);
            accumulate(&mut moved[1], &gamma);
            if let (true, Some(b)) = (plastic_feedback, &mut b) {
                let [alpha, gamma] =
                    update_rows(simd, &self.rule.feedback, b, stride, error, activation, (&y.0, &e, &d));
                accumulate(&mut moved[0], &alpha);
                accumulate(&mut moved[1], &gamma);
            }
        }
        // |w| moves by no more than (Σ|α|) max|e| + (Σ|γ|) max|y|, whatever the rule.
        let [a, g] = moved.map(|lanes| f64::from(lanes.iter().sum::<f32>()));
        Passed {
            reach: a * f64::from(largest(error)) + g * f64::from(largest(activation)),
            finite: !wants_error || all_finite(self.signals.pre_error),
        }
    }
}

#[inline(always)]
fn accumulate(sum: &mut [f32; WIDTH], factor: &[f32; WIDTH]) {
    for k in 0..WIDTH {
        sum[k] += factor[k].abs();
    }
}
