//! Online backpropagation through time: one image, T steps, one update.
//!
//! Forward and backward steps are matrix–vector products, each on the last one's result. What remains, Oja's projections
//! W_hᵀ v_t and the sums over t that make ΔW_h, does not depend on an order in time, so it is two products of whole
//! matrices at the end: the sum over t adds in ascending t, first e_{t+1} h_tᵀ, then the Oja terms.

use std::borrow::Cow;

use super::dynamics::{History, INPUT, READOUT, RECURRENT, Recurrence, SynapsesInTime};
use super::{OjaTarget, RecurrentNetwork, RecurrentRule};
use crate::kernels::{
    self, Active, ErrorBelow, InputMajor, Lanes, LayerSignals, PreFactor, RowRule, SynapticRule, WIDTH, all_finite,
    as_flat, as_flat_mut, each_lane, lanes_for, largest,
};
use crate::science::dynamics::{Online, Synapses};
use crate::science::learner::{Divergence, Learner, UpdateNorms};
use crate::science::samples::Samples;
use crate::science::tape::{Foreign, Tape};

/// While no input weight can exceed this, none can have overflowed, and looking at all of them is unnecessary.
const SURELY_FINITE: f32 = 1e30;

/// A recurrent network that learns.
#[derive(Clone, Debug)]
pub struct RecurrentTrainer {
    online: Online<Recurrence, PlasticInTime>,
}

/// The weights of a recurrent network, moved by a [`RecurrentRule`].
#[derive(Clone, Debug)]
struct PlasticInTime {
    network: RecurrentNetwork,
    rule: RecurrentRule,
    /// An upper bound of the input weights' magnitude.
    input_bound: f32,
    /// The other side of ΔW_h beside [`History::post`], one row a hidden unit: −θ_gradient h_t for t < T, then with Oja
    /// θ_oja (z_t − W_hᵀ v_t).
    pre: Vec<Lanes>,
    /// z_t − W_hᵀ v_t (or h_t − W_hᵀ v_t), t < T.
    residuals: Vec<Lanes>,
    /// ΔW_h, laid out as W_h.
    change: Vec<Lanes>,
    /// p − onehot and h_T, where W_o has to wait until the length of the gradient is known.
    readout_signals: [Vec<Lanes>; 2],
    /// What the last gradient was multiplied by: 1, or less where it was clipped.
    shortened_by: f64,
}

impl RecurrentTrainer {
    /// `network`, to be trained by `rule`.
    pub fn new(network: RecurrentNetwork, rule: RecurrentRule) -> Self {
        let recurrence = Recurrence::new(network.architecture(), network.backend, rule.oja != 0.0);
        let (n_hidden, before_last) = (network.architecture().n_hidden(), network.architecture().n_steps() - 1);
        let rows = |n: usize| vec![Lanes::ZERO; n * lanes_for(n_hidden)];
        let synapses = PlasticInTime {
            input_bound: largest(network.input.lanes()),
            pre: vec![Lanes::ZERO; n_hidden * lanes_for(recurrence.history.post.n_in())],
            residuals: rows(before_last),
            change: rows(n_hidden),
            readout_signals: [kernels::zeros(network.architecture().n_outputs()), rows(1)],
            shortened_by: 1.0,
            network,
            rule,
        };
        Self { online: Online::new(recurrence, synapses) }
    }

    /// One online step for each index of `order`. How a sequence is cut into calls does not change any number.
    ///
    /// # Errors
    /// If a number is no longer finite; the trainer then stays where it was and returns the same again.
    ///
    /// # Panics
    /// If the samples do not fit the network.
    pub fn advance(&mut self, samples: &Samples, order: &[u32]) -> Result<(), Divergence> {
        self.online.advance(samples, order)
    }

    /// As [`RecurrentTrainer::advance`], and the norms of the last step's update of W_x, W_h and W_o, in this order; empty
    /// if `order` is.
    ///
    /// # Errors
    /// As [`RecurrentTrainer::advance`].
    pub fn advance_recording(&mut self, samples: &Samples, order: &[u32]) -> Result<Vec<UpdateNorms>, Divergence> {
        let Some((last, earlier)) = order.split_last() else { return Ok(Vec::new()) };
        self.advance(samples, earlier)?;
        let before = self.network().clone();
        self.advance(samples, &[*last])?;
        Ok(self.update_norms(&before))
    }

    /// The network as it is now.
    pub fn network(&self) -> &RecurrentNetwork {
        &self.online.synapses.network
    }

    /// The rule by which it learns.
    pub fn rule(&self) -> &RecurrentRule {
        &self.online.synapses.rule
    }

    /// Training samples seen.
    pub fn steps(&self) -> u64 {
        self.online.steps()
    }

    /// Norms of the step just made, from the weights `before` it; the signals of that step are still there.
    fn update_norms(&mut self, before: &RecurrentNetwork) -> Vec<UpdateNorms> {
        let Online { dynamics: signals, synapses, .. } = &mut self.online;
        let (gradient_rate, oja_rate) = (synapses.rule.gradient * synapses.shortened_by, synapses.rule.oja);
        let stride = lanes_for(before.architecture().n_hidden());
        let (mut gradient, mut oja) = (0.0, 0.0);
        if before.architecture().n_steps() > 1 {
            synapses.change_of_recurrent_weights(&signals.history, gradient_rate, 0.0);
            gradient = norm(&synapses.change);
            synapses.change_of_recurrent_weights(&signals.history, 0.0, oja_rate);
            oja = norm(&synapses.change);
        }
        let (network, theta) = (&synapses.network, gradient_rate.abs());
        let activations = &signals.history.activations;
        let last = &activations[activations.len() - stride..];
        let total = |after: &InputMajor, before: &InputMajor| {
            let pairs = as_flat(after.lanes()).iter().zip(as_flat(before.lanes()));
            pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
        };
        vec![
            UpdateNorms {
                gradient: theta * norm(&signals.input_error) * norm(&signals.x),
                oja: 0.0,
                total: total(&network.input, &before.input),
                terms: Vec::new(),
            },
            UpdateNorms { gradient, oja, total: total(&network.recurrent, &before.recurrent), terms: Vec::new() },
            UpdateNorms {
                gradient: theta * norm(&signals.output) * norm(last),
                oja: 0.0,
                total: total(&network.readout, &before.readout),
                terms: Vec::new(),
            },
        ]
    }
}

impl PlasticInTime {
    /// z_t − W_hᵀ v_t (or h_t − W_hᵀ v_t), t < T.
    fn residuals(&mut self, history: &History) {
        let Self { network, rule, residuals, .. } = self;
        let v = &history.post.lanes()[residuals.len()..];
        kernels::project_batch(network.backend, &network.recurrent, v, residuals);
        let target = match rule.oja_target {
            OjaTarget::HiddenState => &history.hidden,
            OjaTarget::Activation => &history.activations,
        };
        for (d, target) in residuals.iter_mut().zip(target) {
            d.0 = each_lane!(k => target.0[k] - d.0[k]);
        }
    }

    /// ΔW_h of the current sample with these coefficients.
    fn change_of_recurrent_weights(&mut self, history: &History, gradient: f64, oja: f64) {
        let Self { network, pre, residuals, change, .. } = self;
        let n_hidden = network.architecture().n_hidden();
        let before_last = network.architecture().n_steps() - 1;
        let (terms, length) = (history.post.n_in(), before_last * lanes_for(n_hidden));
        transpose_scaled(&history.activations[..length], n_hidden, -gradient as f32, pre, (terms, 0));
        if terms > before_last {
            transpose_scaled(residuals, n_hidden, oja as f32, pre, (terms, before_last));
        }
        kernels::forward_batch(network.backend, &history.post, pre, change);
    }

    /// W_h as `change` says.
    fn move_recurrent_weights(&mut self) {
        for (w, change) in self.network.recurrent.lanes_mut().iter_mut().zip(&self.change) {
            w.0 = each_lane!(k => w.0[k] + change.0[k]);
        }
    }

    /// W_x from the sum of the errors while the image was shown.
    fn learn_input(&mut self, rate: f64, signals: LayerSignals<'_>) -> Result<(), usize> {
        let Self { network, input_bound, .. } = self;
        // Pixels are at most 1, so no weight moves by more than θ max|e|.
        let growth = rate.abs() as f32 * largest(signals.error);
        kernels::update_layer(network.backend, &gradient_rule(rate), &mut network.input, None, None, signals);
        *input_bound += growth;
        if !input_bound.is_finite() || *input_bound > SURELY_FINITE {
            *input_bound = largest(network.input.lanes());
            if !input_bound.is_finite() {
                return Err(INPUT);
            }
        }
        Ok(())
    }

    /// What waited for the length of the gradient: W_o, and W_h, whose −θ_gradient times its gradient is in `change`. Returns
    /// the rate with which W_x is to learn from `signals`.
    fn learn_clipped(&mut self, longest: f64, signals: &LayerSignals<'_>) -> Result<f64, usize> {
        let rate = self.rule.gradient;
        let [output_error, last] = &self.readout_signals;
        let in_time = self.network.architecture().n_steps() > 1;
        let moved = if in_time && rate != 0.0 { norm(&self.change) / rate.abs() } else { 0.0 };
        let parts = [norm(signals.error) * norm(signals.pre_activation), moved, norm(output_error) * norm(last)];
        let length = libm::sqrt(parts.iter().map(|part| part * part).sum());
        self.shortened_by = if length > longest { longest / length } else { 1.0 };
        let shortened = rate * self.shortened_by;
        if in_time {
            let factor = self.shortened_by as f32;
            for change in &mut self.change {
                change.0 = each_lane!(k => factor * change.0[k]);
            }
            self.move_recurrent_weights();
        }
        let Self { network, readout_signals: [output_error, last], .. } = self;
        let [mut pre_error, mut projection] = [last.clone(), last.clone()];
        let waited = LayerSignals {
            error: output_error,
            activation: output_error,
            pre_activation: last,
            function: network.architecture.activation(),
            pre_is_input: false,
            below: ErrorBelow::IfRead,
            pre_error: &mut pre_error,
            projection: &mut projection,
        };
        kernels::update_layer(network.backend, &gradient_rule(shortened), &mut network.readout, None, None, waited);
        self.check(READOUT)?;
        self.check(RECURRENT)?;
        Ok(shortened)
    }
}

impl Synapses for PlasticInTime {
    fn receive(&mut self, image: Active<'_>, z: &mut [Lanes]) {
        kernels::forward_active(self.network.backend, &self.network.input, image, z);
    }

    fn send(&mut self, layer: usize, y: &[Lanes], z: &mut [Lanes]) {
        assert_eq!(layer, READOUT, "what passes through time goes by another way");
        kernels::forward(self.network.backend, &self.network.readout, y, z);
    }

    fn learn(&mut self, layer: usize, signals: LayerSignals<'_>) -> Result<(), usize> {
        let Self { network, rule, readout_signals, .. } = self;
        match (layer, rule.clip) {
            (READOUT, None) => {
                let gradient = gradient_rule(rule.gradient);
                kernels::update_layer(network.backend, &gradient, &mut network.readout, None, None, signals);
                Ok(())
            }
            (READOUT, Some(_)) => {
                let [output_error, last] = readout_signals;
                output_error.copy_from_slice(signals.error);
                last.copy_from_slice(signals.pre_activation);
                let sent = [signals.error, signals.pre_activation];
                kernels::errors_back(
                    network.backend,
                    signals.function,
                    &network.readout,
                    sent,
                    signals.pre_error,
                    false,
                );
                Ok(())
            }
            (_, None) => self.learn_input(self.rule.gradient, signals),
            (_, Some(longest)) => {
                let rate = self.learn_clipped(longest, &signals)?;
                self.learn_input(rate, signals)
            }
        }
    }
}

impl SynapsesInTime for PlasticInTime {
    fn forward_in_time(&self, t: usize, h: &[Lanes], z: &mut [Lanes]) {
        kernels::forward_turning(self.network.backend, &self.network.recurrent, h, z, t % 2 == 1);
    }

    fn back_in_time(&self, t: usize, signals: [&[Lanes]; 2], e: &mut [Lanes]) {
        let RecurrentNetwork { backend, recurrent, .. } = &self.network;
        kernels::errors_back(*backend, self.network.architecture().activation(), recurrent, signals, e, t % 2 == 1);
    }

    fn learn_over_time(&mut self, history: &History) -> Result<(), usize> {
        if self.rule.oja != 0.0 {
            self.residuals(history);
        }
        if self.rule.clip.is_some() {
            // Oja's term is not shortened: it moves the weights now, the gradient when its length is known.
            if self.rule.oja != 0.0 {
                self.change_of_recurrent_weights(history, 0.0, self.rule.oja);
                self.move_recurrent_weights();
            }
            self.change_of_recurrent_weights(history, self.rule.gradient, 0.0);
            return Ok(());
        }
        self.change_of_recurrent_weights(history, self.rule.gradient, self.rule.oja);
        self.move_recurrent_weights();
        self.check(RECURRENT)
    }

    fn check(&self, layer: usize) -> Result<(), usize> {
        let weights = if layer == READOUT { &self.network.readout } else { &self.network.recurrent };
        if all_finite(weights.lanes()) { Ok(()) } else { Err(layer) }
    }
}

impl Learner for RecurrentTrainer {
    type Model = RecurrentNetwork;

    fn advance(&mut self, samples: &Samples, order: &[u32]) -> Result<(), Divergence> {
        RecurrentTrainer::advance(self, samples, order)
    }

    fn advance_recording(&mut self, samples: &Samples, order: &[u32]) -> Result<Vec<UpdateNorms>, Divergence> {
        RecurrentTrainer::advance_recording(self, samples, order)
    }

    fn steps(&self) -> u64 {
        RecurrentTrainer::steps(self)
    }

    fn model(&self) -> Cow<'_, RecurrentNetwork> {
        Cow::Borrowed(self.network())
    }

    fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
        self.online.keep(tape)?;
        // All signals are made anew for each sample.
        let PlasticInTime { network, input_bound, .. } = &mut self.online.synapses;
        tape.lanes("W_x", network.input.lanes_mut())?;
        tape.lanes("W_h", network.recurrent.lanes_mut())?;
        tape.lanes("W_o", network.readout.lanes_mut())?;
        tape.singles("bound", std::slice::from_mut(input_bound))
    }
}

/// ΔW = −θ e yᵀ, as the kernels take it.
fn gradient_rule(theta: f64) -> SynapticRule {
    let by_error = PreFactor { activation: -theta as f32, ..PreFactor::default() };
    SynapticRule { forward: RowRule { by_error, ..RowRule::default() }, ..SynapticRule::default() }
}

/// Frobenius norm, summed in double precision.
fn norm(lanes: &[Lanes]) -> f64 {
    as_flat(lanes).iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()
}

/// Writes `rows` (padded rows of `n_columns` numbers), times `scale`, as columns `first_column` and following of the
/// matrix `into`, whose rows are `n_in` numbers, padded.
fn transpose_scaled(
    rows: &[Lanes],
    n_columns: usize,
    scale: f32,
    into: &mut [Lanes],
    (n_in, first_column): (usize, usize),
) {
    let (from_stride, to_stride) = (lanes_for(n_columns) * WIDTH, lanes_for(n_in) * WIDTH);
    let (rows, into) = (as_flat(rows), as_flat_mut(into));
    // Sixteen columns at a time: one cache line of each row is read whole, and sixteen rows are written side by side.
    for first in (0..n_columns).step_by(WIDTH) {
        for (r, row) in rows.chunks_exact(from_stride).enumerate() {
            let block = &row[first..n_columns.min(first + WIDTH)];
            for (k, x) in block.iter().enumerate() {
                into[(first + k) * to_stride + first_column + r] = scale * x;
            }
        }
    }
}
