//! Equations beside kernels of the same form that were written by hand, for `benches/`.

use super::{Equation, Synapses, Written};
use crate::kernels::probes::{Probe, Weights, vectors};
use crate::kernels::program::{Beyond, SynapseSignals};
use crate::kernels::{Backend, InputMajor, Kernel, Lanes, Simd, WIDTH, dispatch};

const N_PRE: usize = 170;
const N_POST: usize = 150;

/// So small that no number moves, however long a probe runs.
const TINY: f32 = 1e-9;

/// One step of W from y_{ℓ-1} and y_ℓ.
type Update = fn(Backend, &mut InputMajor, &[Lanes], &[Lanes]);

/// Each equation, then the kernel by hand.
pub fn probes(backend: Backend) -> Vec<Probe> {
    let pairs: [(&str, usize, Update); 5] = [
        ("y_post * y_pre' - diag(y_post.^2) * W", 2, |backend, weights, pre, post| {
            dispatch(backend, ByHand::<SINGLE> { weights, pre, post });
        }),
        ("y_post * y_pre' - lower(y_post * y_post') * W", 3, |backend, weights, pre, post| {
            dispatch(backend, ByHand::<SANGER> { weights, pre, post });
        }),
        ("(y_post * y_pre') .* (1 - W.^2)", 3, |backend, weights, pre, post| {
            dispatch(backend, ByHand::<BOUNDED> { weights, pre, post });
        }),
        ("sign(W) .* (0.5 - y_post * y_pre')", 3, |backend, weights, pre, post| {
            dispatch(backend, ByHand::<SIGNED> { weights, pre, post });
        }),
        ("relu(y_post * y_pre' - 0.1 * W) .* (1 - W.^2) - 0.01 * abs(W) .* W", 8, |backend, weights, pre, post| {
            dispatch(backend, ByHand::<LONG> { weights, pre, post });
        }),
    ];
    let mut probes = Vec::new();
    let bytes = 4 * N_PRE * N_POST;
    for (text, operations, by_hand) in pairs {
        let written = Written {
            name: "probe".to_owned(),
            synapses: Synapses::Forward,
            equation: text.to_owned(),
            parameters: Vec::new(),
            state: Vec::new(),
        };
        let equation = Equation::read(&written).expect("it is tried in a test");
        let (mut evaluator, mut weights) = (equation.evaluator(N_PRE, N_POST), Weights::new(N_PRE, N_POST));
        let (pre, post) = (vectors(N_PRE, 1), vectors(N_POST, 1));
        let operations = operations * N_PRE * N_POST;
        probes.push(Probe::new(text, operations, [bytes, bytes], move || {
            let weights = weights.next();
            let signals = SynapseSignals {
                weights,
                feedback: weights,
                pre_activation: &pre,
                activation: &post,
                pre_error: &pre,
                error: &post,
                beyond: Beyond::default(),
            };
            evaluator.prepare(backend, signals);
            evaluator.add(backend, TINY, [None, None], weights);
        }));
        let (mut weights, pre, post) = (Weights::new(N_PRE, N_POST), vectors(N_PRE, 1), vectors(N_POST, 1));
        probes.push(Probe::new("  by hand", operations, [bytes, bytes], move || {
            by_hand(backend, weights.next(), &pre, &post);
        }));
    }
    probes
}

const SINGLE: u8 = 0;
const SANGER: u8 = 1;
const BOUNDED: u8 = 2;
const SIGNED: u8 = 3;
const LONG: u8 = 4;

/// One pass over the weights, with the bound of its steps, as every update has.
struct ByHand<'a, const WHICH: u8> {
    weights: &'a mut InputMajor,
    pre: &'a [Lanes],
    post: &'a [Lanes],
}

impl<const WHICH: u8> Kernel for ByHand<'_, WHICH> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> f32 {
        let Self { weights, pre, post } = self;
        let mut most = [0.0_f32; WIDTH];
        for i in 0..weights.n_in() {
            let x = pre[i / WIDTH].0[i % WIDTH];
            let row = weights.row_mut(i);
            let mut sum = 0.0;
            for t in 0..row.len() {
                let (y, w) = (post[t].0, row[t].0);
                let mut running = [0.0_f32; WIDTH];
                if WHICH == SANGER {
                    for k in 0..WIDTH {
                        sum += y[k] * w[k];
                        running[k] = sum;
                    }
                }
                for k in 0..WIDTH {
                    let step = TINY
                        * match WHICH {
                            SINGLE => y[k] * x - y[k] * y[k] * w[k],
                            SANGER => y[k] * x - y[k] * running[k],
                            BOUNDED => y[k] * x * (1.0 - w[k] * w[k]),
                            SIGNED => w[k].signum() * (0.5 - y[k] * x),
                            _ => {
                                let rest = y[k] * x - 0.1 * w[k];
                                let rectified = if rest < 0.0 { 0.0 } else { rest };
                                rectified * (1.0 - w[k] * w[k]) - 0.01 * w[k].abs() * w[k]
                            }
                        };
                    row[t].0[k] += step;
                    most[k] = if step.abs() > most[k] { step.abs() } else { most[k] };
                }
            }
        }
        most.iter().fold(0.0, |a, &b| if b > a { b } else { a })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_probe_runs_on_every_backend() {
        for backend in Backend::available() {
            probes(backend).iter_mut().for_each(Probe::run);
        }
    }
}
