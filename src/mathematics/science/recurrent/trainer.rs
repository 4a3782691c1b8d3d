//! Online backpropagation through time: one image, T steps, one update.
//!
//! Forward and backward steps are matrix–vector products, each on the last one's result. What remains, Oja's projections
//! W_hᵀ v_t and the sums over t that make ΔW_h, does not depend on an order in time, so it is two products of whole
//! matrices at the end: the sum over t adds in ascending t, first e_{t+1} h_tᵀ, then the Oja terms.

use super::{OjaTarget, RecurrentNetwork, RecurrentRule};
use crate::kernels::{
    self, Active, InputMajor, Lanes, LayerSignals, PreFactor, RowRule, SynapticRule, WIDTH, all_finite, as_flat,
    as_flat_mut, each_lane, lanes_for, largest, zeros,
};
use crate::science::online::{Divergence, UpdateNorms};
use crate::science::samples::Samples;

/// Where a number was no longer finite, as [`Divergence::layer`] names it: the matrix whose product or update it was.
const INPUT: u32 = 1;
const RECURRENT: u32 = 2;
const READOUT: u32 = 3;

/// While no input weight can exceed this, none can have overflowed, and looking at all of them is unnecessary.
const SURELY_FINITE: f32 = 1e30;

/// A recurrent network that learns.
#[derive(Clone, Debug)]
pub struct RecurrentTrainer {
    network: RecurrentNetwork,
    rule: RecurrentRule,
    steps: u64,
    diverged: Option<Divergence>,
    /// An upper bound of the input weights' magnitude.
    input_bound: f32,
    state: State,
}

/// Signals of the current sample; vectors of n_h numbers are padded rows of `stride` lanes.
#[derive(Clone, Debug)]
struct State {
    x: Vec<Lanes>,
    /// W_x x.
    drive: Vec<Lanes>,
    /// z_t and h_t, T rows each.
    hidden: Vec<Lanes>,
    activations: Vec<Lanes>,
    /// What ΔW_h is made of on the side of the outputs: e_2 … e_T, then with Oja v_1 … v_{T−1}.
    post: InputMajor,
    /// The other side, one row a hidden unit: −θ_gradient h_t for t < T, then with Oja θ_oja (z_t − W_hᵀ v_t).
    pre: Vec<Lanes>,
    /// e_1, then Σ_{t ≤ S} e_t.
    first_error: Vec<Lanes>,
    input_error: Vec<Lanes>,
    /// p, then p − onehot.
    output: Vec<Lanes>,
    /// z_t − W_hᵀ v_t (or h_t − W_hᵀ v_t), t < T.
    residuals: Vec<Lanes>,
    /// ΔW_h, laid out as W_h.
    change: Vec<Lanes>,
    /// Room for results that nothing reads.
    unread: [Vec<Lanes>; 2],
}

impl RecurrentTrainer {
    /// `network`, to be trained by `rule`.
    pub fn new(network: RecurrentNetwork, rule: RecurrentRule) -> Self {
        let architecture = network.architecture();
        let (n_hidden, before_last) = (architecture.n_hidden(), architecture.n_steps() - 1);
        let stride = lanes_for(n_hidden);
        let n_terms = before_last * if rule.oja == 0.0 { 1 } else { 2 };
        let rows = |n: usize| vec![Lanes::ZERO; n * stride];
        let state = State {
            x: zeros(architecture.n_inputs()),
            drive: rows(1),
            hidden: rows(before_last + 1),
            activations: rows(before_last + 1),
            post: InputMajor::from_fn(n_terms, n_hidden, |_, _| 0.0),
            pre: vec![Lanes::ZERO; n_hidden * lanes_for(n_terms)],
            first_error: rows(1),
            input_error: rows(1),
            output: zeros(architecture.n_outputs()),
            residuals: rows(before_last),
            change: rows(n_hidden),
            unread: std::array::from_fn(|_| zeros(n_hidden.max(architecture.n_inputs()))),
        };
        let input_bound = largest(network.input.lanes());
        Self { network, rule, steps: 0, diverged: None, input_bound, state }
    }

    /// One online step for each index of `order`. How a sequence is cut into calls does not change any number.
    ///
    /// # Errors
    /// If a number is no longer finite; the trainer then stays where it was and returns the same again.
    ///
    /// # Panics
    /// If the samples do not fit the network.
    pub fn advance(&mut self, samples: &Samples, order: &[u32]) -> Result<(), Divergence> {
        self.network.check_fit(samples);
        for &index in order {
            if let Some(divergence) = self.diverged {
                return Err(divergence);
            }
            self.steps += 1;
            self.forward(samples.active(index as usize))
                .and_then(|()| self.learn(samples.label(index as usize)))
                .map_err(|layer| *self.diverged.insert(Divergence { step: self.steps, layer }))?;
        }
        Ok(())
    }

    /// As [`RecurrentTrainer::advance`], and the norms of the last step's update of W_x, W_h and W_o, in this order; empty
    /// if `order` is.
    ///
    /// # Errors
    /// As [`RecurrentTrainer::advance`].
    pub fn advance_recording(&mut self, samples: &Samples, order: &[u32]) -> Result<Vec<UpdateNorms>, Divergence> {
        let Some((last, earlier)) = order.split_last() else { return Ok(Vec::new()) };
        self.advance(samples, earlier)?;
        let before = self.network.clone();
        self.advance(samples, &[*last])?;
        Ok(self.update_norms(&before))
    }

    /// The network as it is now.
    pub fn network(&self) -> &RecurrentNetwork {
        &self.network
    }

    /// The rule by which it learns.
    pub fn rule(&self) -> &RecurrentRule {
        &self.rule
    }

    /// Training samples seen.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    fn has_oja(&self) -> bool {
        self.rule.oja != 0.0
    }

    /// z_1 … z_T, h_1 … h_T, v_1 … v_{T−1} and p of one image.
    fn forward(&mut self, image: Active<'_>) -> Result<(), u32> {
        let has_oja = self.has_oja();
        let Self { network, state, .. } = self;
        let RecurrentNetwork { architecture, input, recurrent, readout, backend } = network;
        let (n_steps, n_hidden) = (architecture.n_steps(), architecture.n_hidden());
        let stride = lanes_for(n_hidden);

        image.write(&mut state.x);
        kernels::forward_active(*backend, input, image, &mut state.drive);
        if !all_finite(&state.drive) {
            return Err(INPUT);
        }
        state.hidden[..stride].copy_from_slice(&state.drive);
        for t in 0..n_steps {
            let (past, future) = state.hidden.split_at_mut((t + 1) * stride);
            let h = &mut state.activations[t * stride..(t + 1) * stride];
            h.copy_from_slice(&past[t * stride..]);
            kernels::activate(*backend, architecture.activation(), n_hidden, h);
            if t + 1 < n_steps {
                let z = &mut future[..stride];
                kernels::forward(*backend, recurrent, h, z);
                if has_oja {
                    state.post.row_mut(n_steps - 1 + t).copy_from_slice(z);
                }
                if t + 1 < architecture.n_input_steps() {
                    add(z, &state.drive);
                }
            }
        }
        if !all_finite(&state.hidden) {
            return Err(RECURRENT);
        }
        kernels::forward(*backend, readout, &state.activations[(n_steps - 1) * stride..], &mut state.output);
        if !all_finite(&state.output) {
            return Err(READOUT);
        }
        kernels::softmax(*backend, architecture.n_outputs(), &mut state.output);
        Ok(())
    }

    /// e_T … e_1, then the updates of W_h and W_x; W_o learns as it hands down e_T.
    fn learn(&mut self, label: usize) -> Result<(), u32> {
        as_flat_mut(&mut self.state.output)[label] -= 1.0;
        self.errors()?;
        if self.network.architecture().n_steps() > 1 {
            if self.has_oja() {
                self.residuals();
            }
            self.change_of_recurrent_weights(self.rule.gradient, self.rule.oja);
            let Self { network, state, .. } = self;
            add(network.recurrent.lanes_mut(), &state.change);
            if !all_finite(network.recurrent.lanes()) {
                return Err(RECURRENT);
            }
        }
        self.update_input_weights()
    }

    /// e_T … e_1 and Σ_{t ≤ S} e_t.
    fn errors(&mut self) -> Result<(), u32> {
        let Self { network: RecurrentNetwork { architecture, recurrent, readout, backend, .. }, rule, state, .. } =
            self;
        let (n_steps, stride) = (architecture.n_steps(), lanes_for(architecture.n_hidden()));
        state.input_error.fill(Lanes::ZERO);
        for t in (0..n_steps).rev() {
            // Counting t from 0, e_t stands in row t − 1; e_0 has no row, for ΔW_h does not need it.
            let (earlier, later) = state.post.lanes_mut().split_at_mut(t * stride);
            let e = match t.checked_sub(1) {
                Some(row) => &mut earlier[row * stride..],
                None => &mut state.first_error[..],
            };
            let (weights, synaptic, error) = if t + 1 == n_steps {
                (&mut *readout, gradient_rule(rule.gradient), &state.output[..])
            } else {
                // No term: the pass only takes the errors back.
                (&mut *recurrent, SynapticRule::default(), &later[..stride])
            };
            let signals = LayerSignals {
                error,
                activation: error,
                pre_activation: &state.activations[t * stride..(t + 1) * stride],
                function: architecture.activation(),
                pre_is_input: false,
                propagate: true,
                pre_error: &mut *e,
                projection: &mut state.unread[0][..stride],
            };
            kernels::update_layer(*backend, &synaptic, weights, None, signals);
            if !all_finite(e) {
                return Err(RECURRENT);
            }
            if t < architecture.n_input_steps() {
                add(&mut state.input_error, e);
            }
        }
        if all_finite(readout.lanes()) { Ok(()) } else { Err(READOUT) }
    }

    /// z_t − W_hᵀ v_t (or h_t − W_hᵀ v_t), t < T.
    fn residuals(&mut self) {
        let Self { network, rule, state, .. } = self;
        let v = &state.post.lanes()[state.residuals.len()..];
        kernels::project_batch(network.backend, &network.recurrent, v, &mut state.residuals);
        let target = match rule.oja_target {
            OjaTarget::HiddenState => &state.hidden,
            OjaTarget::Activation => &state.activations,
        };
        for (d, target) in state.residuals.iter_mut().zip(target) {
            d.0 = each_lane!(k => target.0[k] - d.0[k]);
        }
    }

    /// ΔW_h of the current sample with these coefficients.
    fn change_of_recurrent_weights(&mut self, gradient: f64, oja: f64) {
        let Self { network, state, .. } = self;
        let n_hidden = network.architecture().n_hidden();
        let before_last = network.architecture().n_steps() - 1;
        let (terms, length) = (state.post.n_in(), before_last * lanes_for(n_hidden));
        transpose_scaled(&state.activations[..length], n_hidden, -gradient as f32, &mut state.pre, (terms, 0));
        if terms > before_last {
            transpose_scaled(&state.residuals, n_hidden, oja as f32, &mut state.pre, (terms, before_last));
        }
        kernels::forward_batch(network.backend, &state.post, &state.pre, &mut state.change);
    }

    fn update_input_weights(&mut self) -> Result<(), u32> {
        let Self { network, rule, state, input_bound, .. } = self;
        let [unread_error, unread_projection] = &mut state.unread;
        let lanes = state.x.len();
        let signals = LayerSignals {
            error: &state.input_error,
            activation: &state.input_error,
            pre_activation: &state.x,
            function: network.architecture.activation(),
            pre_is_input: true,
            propagate: false,
            pre_error: &mut unread_error[..lanes],
            projection: &mut unread_projection[..lanes],
        };
        kernels::update_layer(network.backend, &gradient_rule(rule.gradient), &mut network.input, None, signals);
        // Pixels are at most 1, so no weight moves by more than θ max|e|.
        *input_bound += rule.gradient.abs() as f32 * largest(&state.input_error);
        if !input_bound.is_finite() || *input_bound > SURELY_FINITE {
            *input_bound = largest(network.input.lanes());
            if !input_bound.is_finite() {
                return Err(INPUT);
            }
        }
        Ok(())
    }

    /// Norms of the step just made, from the weights `before` it; the signals of that step are still there.
    fn update_norms(&mut self, before: &RecurrentNetwork) -> Vec<UpdateNorms> {
        let stride = lanes_for(self.network.architecture().n_hidden());
        let (mut gradient, mut oja) = (0.0, 0.0);
        if self.network.architecture().n_steps() > 1 {
            self.change_of_recurrent_weights(self.rule.gradient, 0.0);
            gradient = norm(&self.state.change);
            self.change_of_recurrent_weights(0.0, self.rule.oja);
            oja = norm(&self.state.change);
        }
        let (state, theta) = (&self.state, self.rule.gradient.abs());
        let last = &state.activations[state.activations.len() - stride..];
        let total = |after: &InputMajor, before: &InputMajor| {
            let pairs = as_flat(after.lanes()).iter().zip(as_flat(before.lanes()));
            pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
        };
        vec![
            UpdateNorms {
                gradient: theta * norm(&state.input_error) * norm(&state.x),
                oja: 0.0,
                total: total(&self.network.input, &before.input),
            },
            UpdateNorms { gradient, oja, total: total(&self.network.recurrent, &before.recurrent) },
            UpdateNorms {
                gradient: theta * norm(&state.output) * norm(last),
                oja: 0.0,
                total: total(&self.network.readout, &before.readout),
            },
        ]
    }
}

/// ΔW = −θ e yᵀ, as the kernels take it.
fn gradient_rule(theta: f64) -> SynapticRule {
    let by_error = PreFactor { activation: -theta as f32, ..PreFactor::default() };
    SynapticRule { forward: RowRule { by_error, ..RowRule::default() }, ..SynapticRule::default() }
}

fn add(sum: &mut [Lanes], term: &[Lanes]) {
    for (s, x) in sum.iter_mut().zip(term) {
        s.0 = each_lane!(k => s.0[k] + x.0[k]);
    }
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
