//! Signals in time: z_1 = W_x x_1, z_{t+1} = W_h h_t + W_x x_{t+1}; and back, e_t = (W_hᵀ e_{t+1}) ⊙ σ′(z_t), equation (5).

use super::RecurrentArchitecture;
use crate::kernels::{
    self, Active, Backend, ErrorBelow, InputMajor, Lanes, LayerSignals, all_finite, as_flat_mut, each_lane, lanes_for,
    zeros,
};
use crate::science::dynamics::{self, Dynamics, Synapses};
use crate::science::samples::Samples;

/// The matrices as layers, as a divergence names them: the one whose product or update was no longer finite.
pub(super) const INPUT: usize = 1;
pub(super) const RECURRENT: usize = 2;
pub(super) const READOUT: usize = 3;

/// What a network in time asks of its synapses beside [`Synapses`]. W_o learns as it hands down e_T, W_h when all of a
/// sample's time has passed, W_x from the sum of the errors while the image was shown.
pub(super) trait SynapsesInTime: Synapses {
    /// z = W_h h_t, for z_{t+1}. Time is told so that passes over W_h may take turns.
    fn forward_in_time(&self, t: usize, h: &[Lanes], z: &mut [Lanes]);

    /// e_t from e_{t+1} and h_t, back through W_h, which does not learn yet.
    fn back_in_time(&self, t: usize, signals: [&[Lanes]; 2], e: &mut [Lanes]);

    /// ΔW_h from the whole history of a sample.
    fn learn_over_time(&mut self, history: &History) -> Result<(), usize>;

    /// Whether the weights of a layer are still finite.
    fn check(&self, layer: usize) -> Result<(), usize>;
}

/// What happened in T steps; vectors of n_h numbers are padded rows.
#[derive(Clone, Debug)]
pub(super) struct History {
    /// z_t and h_t, T rows each.
    pub hidden: Vec<Lanes>,
    pub activations: Vec<Lanes>,
    /// e_2 … e_T, then, where they are kept, v_1 … v_{T−1} with v_t = W_h h_t: what ΔW_h is made of on the side of the
    /// outputs.
    pub post: InputMajor,
}

/// The signals of the current sample.
#[derive(Clone, Debug)]
pub(super) struct Recurrence {
    architecture: RecurrentArchitecture,
    backend: Backend,
    /// Whether v_t is kept.
    keeps_responses: bool,
    pub x: Vec<Lanes>,
    /// W_x x.
    drive: Vec<Lanes>,
    pub history: History,
    /// e_1.
    first_error: Vec<Lanes>,
    /// Σ_{t ≤ S} e_t.
    pub input_error: Vec<Lanes>,
    /// p, then p − onehot.
    pub output: Vec<Lanes>,
    /// Room for results that nothing reads.
    unread: [Vec<Lanes>; 2],
}

impl Recurrence {
    pub(super) fn new(architecture: &RecurrentArchitecture, backend: Backend, keeps_responses: bool) -> Self {
        let (n_hidden, before_last) = (architecture.n_hidden(), architecture.n_steps() - 1);
        let n_terms = before_last * if keeps_responses { 2 } else { 1 };
        let rows = |n: usize| vec![Lanes::ZERO; n * lanes_for(n_hidden)];
        Self {
            architecture: architecture.clone(),
            backend,
            keeps_responses,
            x: zeros(architecture.n_inputs()),
            drive: rows(1),
            history: History {
                hidden: rows(before_last + 1),
                activations: rows(before_last + 1),
                post: InputMajor::from_fn(n_terms, n_hidden, |_, _| 0.0),
            },
            first_error: rows(1),
            input_error: rows(1),
            output: zeros(architecture.n_outputs()),
            unread: std::array::from_fn(|_| zeros(n_hidden.max(architecture.n_inputs()))),
        }
    }

    /// e_T … e_1 and Σ_{t ≤ S} e_t; W_o learns.
    fn errors<S: SynapsesInTime>(&mut self, synapses: &mut S) -> Result<(), usize> {
        let Self { architecture, history, first_error, input_error, output, unread, .. } = self;
        let (n_steps, stride) = (architecture.n_steps(), lanes_for(architecture.n_hidden()));
        input_error.fill(Lanes::ZERO);
        for t in (0..n_steps).rev() {
            // Counting t from 0, e_t stands in row t − 1; e_0 has no row, for ΔW_h does not need it.
            let (earlier, later) = history.post.lanes_mut().split_at_mut(t * stride);
            let e = match t.checked_sub(1) {
                Some(row) => &mut earlier[row * stride..],
                None => &mut first_error[..],
            };
            let error = if t + 1 == n_steps { &output[..] } else { &later[..stride] };
            let h = &history.activations[t * stride..(t + 1) * stride];
            if t + 1 == n_steps {
                let signals = LayerSignals {
                    error,
                    activation: error,
                    pre_activation: h,
                    function: architecture.activation(),
                    pre_is_input: false,
                    below: ErrorBelow::Wanted,
                    pre_error: &mut *e,
                    projection: &mut unread[0][..stride],
                };
                synapses.learn(READOUT, signals)?;
            } else {
                synapses.back_in_time(t, [error, h], e);
            }
            if !all_finite(e) {
                return Err(RECURRENT);
            }
            if t < architecture.n_input_steps() {
                add(input_error, e);
            }
        }
        synapses.check(READOUT)
    }
}

impl<S: SynapsesInTime> Dynamics<S> for Recurrence {
    /// z_1 … z_T, h_1 … h_T, v_1 … v_{T−1} and p.
    fn forward(&mut self, synapses: &mut S, image: Active<'_>) -> Result<(), usize> {
        let Self { architecture, backend, keeps_responses, drive, history, output, .. } = self;
        let History { hidden, activations, post } = history;
        let (n_steps, n_hidden) = (architecture.n_steps(), architecture.n_hidden());
        let stride = lanes_for(n_hidden);
        synapses.receive(image, drive);
        if !all_finite(drive) {
            return Err(INPUT);
        }
        hidden[..stride].copy_from_slice(drive);
        for t in 0..n_steps {
            let (past, future) = hidden.split_at_mut((t + 1) * stride);
            let h = &mut activations[t * stride..(t + 1) * stride];
            h.copy_from_slice(&past[t * stride..]);
            kernels::activate(*backend, architecture.activation(), n_hidden, h);
            if t + 1 < n_steps {
                let z = &mut future[..stride];
                synapses.forward_in_time(t, h, z);
                if *keeps_responses {
                    post.row_mut(n_steps - 1 + t).copy_from_slice(z);
                }
                if t + 1 < architecture.n_input_steps() {
                    add(z, drive);
                }
            }
        }
        if !all_finite(hidden) {
            return Err(RECURRENT);
        }
        synapses.send(READOUT, &activations[(n_steps - 1) * stride..], output);
        if !all_finite(output) {
            return Err(READOUT);
        }
        kernels::softmax(*backend, architecture.n_outputs(), output);
        Ok(())
    }

    /// e_T … e_1, then the updates of W_h and W_x; W_o learns as it hands down e_T.
    fn backward(&mut self, synapses: &mut S, image: Active<'_>, label: usize) -> Result<(), usize> {
        as_flat_mut(&mut self.output)[label] -= 1.0;
        self.errors(synapses)?;
        if self.architecture.n_steps() > 1 {
            synapses.learn_over_time(&self.history)?;
        }
        image.write(&mut self.x);
        let [unread_error, unread_projection] = &mut self.unread;
        let lanes = self.x.len();
        let signals = LayerSignals {
            error: &self.input_error,
            activation: &self.input_error,
            pre_activation: &self.x,
            function: self.architecture.activation(),
            pre_is_input: true,
            below: ErrorBelow::IfRead,
            pre_error: &mut unread_error[..lanes],
            projection: &mut unread_projection[..lanes],
        };
        synapses.learn(INPUT, signals)
    }

    fn check_fit(&self, samples: &Samples) {
        dynamics::check_fit(samples, self.architecture.n_inputs(), self.architecture.n_outputs());
    }
}

fn add(sum: &mut [Lanes], term: &[Lanes]) {
    for (s, x) in sum.iter_mut().zip(term) {
        s.0 = each_lane!(k => s.0[k] + x.0[k]);
    }
}
