//! Programs at work: one layer, one sample.
//!
//! Every operation is an IEEE 754 operation on single numbers, and sums run in an order that does not depend on the processor:
//! along a row sixteen partial sums in one tree, from row to row in ascending order. So the bits are the same everywhere.

use std::sync::Arc;

use super::code::{Code, Layout, ONE, Row};
use super::machine::{Machine, Scratch, Sink};
use super::{Arithmetic, Elementwise, Extent, Id, Program, Seen, Side, Step};
use crate::kernels::backend::{Backend, Kernel, dispatch};
use crate::kernels::elementary;
use crate::kernels::lanes::{Lanes, WIDTH, as_flat, as_flat_mut, each_lane, lanes_for, largest, zeros};
use crate::kernels::matrix::InputMajor;
use crate::kernels::simd::Simd;

type L = [f32; WIDTH];

/// What the synapses between two layers see, all vectors padded with zeros.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SynapseSignals<'a> {
    /// W_{ℓ-1,ℓ}, as it was before the sample.
    pub weights: &'a InputMajor,
    /// B_{ℓ,ℓ-1}; Wᵀ where it has none of its own.
    pub feedback: &'a InputMajor,
    pub pre_activation: &'a [Lanes],
    pub activation: &'a [Lanes],
    pub pre_error: &'a [Lanes],
    pub error: &'a [Lanes],
    pub beyond: Beyond<'a>,
}

/// Signals that only written terms read. Empty where no term of the rule does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beyond<'a> {
    pub potential: &'a [Lanes],
    pub label: &'a [Lanes],
    pub noise: &'a [Lanes],
    /// Of layers ℓ − 1 and ℓ.
    pub settled: [&'a [Lanes]; 2],
    pub loss: f32,
    pub loss_change: f32,
}

/// A program with the numbers of one layer.
#[derive(Clone, Debug)]
pub(crate) struct Evaluator {
    program: Arc<Program>,
    sizes: [usize; 2],
    layout: Layout,
    /// Of each step that multiplies a matrix with a vector.
    products: Vec<Option<(Code, Row)>>,
    result: Code,
    values: Vec<Lanes>,
    /// The value of the step that is computed.
    out: Vec<Lanes>,
    scratch: Scratch,
    state: Vec<Vec<Lanes>>,
}

impl Evaluator {
    /// Between layers of `n_pre` and `n_post` units, with the state as it begins.
    pub(crate) fn new(program: &Arc<Program>, n_pre: usize, n_post: usize) -> Self {
        let sizes = [n_pre, n_post];
        let state = program.state.iter().map(|(start, extent)| {
            let mut values = zeros(extent.size(sizes));
            as_flat_mut(&mut values)[..extent.size(sizes)].fill(*start);
            values
        });
        let layout = Layout::new(program, sizes);
        let products = program.steps.iter().map(|(step, _)| match step {
            Step::Reduce { rows, .. } => Some(Code::of_product(rows, &layout)),
            _ => None,
        });
        let (products, result) = (products.collect::<Vec<_>>(), Code::of_sum(&program.result, &layout));
        let mut values = vec![Lanes::ZERO; layout.len];
        as_flat_mut(&mut values)[ONE.at] = 1.0;
        let codes = products.iter().flatten().map(|(code, _)| code);
        Self {
            state: state.collect(),
            program: program.clone(),
            sizes,
            values,
            out: Vec::new(),
            scratch: Scratch::new(codes.chain([&result]), n_post),
            layout,
            products,
            result,
        }
    }

    /// A value that the neurons remember, by its place in the program.
    pub(crate) fn state(&self, number: usize) -> &[f32] {
        &as_flat(&self.state[number])[..self.program.state[number].1.size(self.sizes)]
    }

    /// All values that the neurons remember, padded.
    pub(crate) fn states_mut(&mut self) -> &mut [Vec<Lanes>] {
        &mut self.state
    }

    /// Computes all numbers and vectors of the equation. [`Self::add`] has to follow.
    pub(crate) fn prepare(&mut self, backend: Backend, signals: SynapseSignals<'_>) {
        let Self { program, sizes, layout, products, values, out, scratch, state, .. } = self;
        for (id, (step, extent)) in program.steps.iter().enumerate() {
            let at = layout.values[id];
            out.clear();
            out.resize(lanes_for(extent.size(*sizes)), Lanes::ZERO);
            match (step, &products[id]) {
                (Step::Reduce { by, over, .. }, Some((code, matrix))) => {
                    let side = if *over == Side::Pre { sizes[0] } else { sizes[1] };
                    let by = &values[layout.values[*by]..][..lanes_for(side)];
                    let sink = match over {
                        Side::Post => Sink::Along { matrix: *matrix, by, out },
                        Side::Pre => Sink::Across { matrix: *matrix, by, out },
                    };
                    let matrices = [Some(signals.weights), Some(signals.feedback)];
                    Machine { code, values, scratch, matrices, sizes: *sizes, sink }.run(backend);
                }
                _ => dispatch(backend, Simple { program, step, layout, values, sizes: *sizes, state, signals, out }),
            }
            if let Extent::Vector(_) = extent {
                as_flat_mut(out)[extent.size(*sizes)..].fill(0.0);
            }
            values[at..at + out.len()].copy_from_slice(out);
        }
    }

    /// Adds `coefficient` times what the equation says to `target`, and updates the state. `matrices` are W and B; one that is
    /// left out is `target` itself, each row of which is read before it moves. Returns the most by which a weight moves, or
    /// more, infinite if anything is not finite.
    pub(crate) fn add(
        &mut self,
        backend: Backend,
        coefficient: f32,
        matrices: [Option<&InputMajor>; 2],
        target: &mut InputMajor,
    ) -> f64 {
        let Self { program, sizes, layout, result: code, values, scratch, state, .. } = self;
        assert_eq!([target.n_in(), target.n_out()], *sizes);
        let sink = Sink::Add { coefficient, target };
        let mut reach = Machine { code, values, scratch, matrices, sizes: *sizes, sink }.run(backend);
        for (state, update) in state.iter_mut().zip(&program.updates) {
            let n = state.len();
            state.copy_from_slice(&values[layout.values[*update]..][..n]);
            // A state beyond all numbers shows in the weights one sample later.
            reach = if largest(state).is_finite() { reach } else { f64::INFINITY };
        }
        reach
    }
}

/// A step that reads no matrix.
struct Simple<'a> {
    program: &'a Program,
    step: &'a Step,
    layout: &'a Layout,
    values: &'a [Lanes],
    sizes: [usize; 2],
    state: &'a [Vec<Lanes>],
    signals: SynapseSignals<'a>,
    out: &'a mut [Lanes],
}

impl Simple<'_> {
    /// A value that was computed before.
    #[inline(always)]
    fn value(&self, id: Id) -> &[Lanes] {
        &self.values[self.layout.values[id]..][..lanes_for(self.program.steps[id].1.size(self.sizes))]
    }
}

impl Kernel for Simple<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let out = std::mem::take(&mut self.out);
        match self.step {
            Step::Number(value) => out[0].0[0] = *value,
            Step::Seen(Seen::Loss) => out[0].0[0] = self.signals.beyond.loss,
            Step::Seen(Seen::LossChange) => out[0].0[0] = self.signals.beyond.loss_change,
            Step::Seen(seen) => out.copy_from_slice(self.signals.vector(*seen)),
            Step::State(number) => out.copy_from_slice(&self.state[*number]),
            Step::Each(what, a) => each_of(simd, *what, self.value(*a), out),
            Step::Binary(what, a, b) => {
                // A number meets each element of a vector.
                let part = |id: Id, t: usize| match self.program.steps[id].1 {
                    Extent::Number => [self.value(id)[0].0[0]; WIDTH],
                    Extent::Vector(_) => self.value(id)[t].0,
                };
                for (t, out) in out.iter_mut().enumerate() {
                    out.0 = binary(*what, &part(*a, t), &part(*b, t));
                }
            }
            Step::Dot(a, b) => {
                let mut sums = simd.splat(0.0);
                for (a, b) in self.value(*a).iter().zip(self.value(*b)) {
                    sums = simd.add(sums, simd.mul(simd.load(a), simd.load(b)));
                }
                out[0].0[0] = simd.sum(sums);
            }
            Step::Sum(a) | Step::Mean(a) => {
                let mut sums = simd.splat(0.0);
                for a in self.value(*a) {
                    sums = simd.add(sums, simd.load(a));
                }
                let n = match self.step {
                    Step::Mean(_) => self.program.steps[*a].1.size(self.sizes) as f32,
                    _ => 1.0,
                };
                out[0].0[0] = simd.sum(sums) / n;
            }
            Step::Max(a) => {
                let n = self.program.steps[*a].1.size(self.sizes);
                let mut most = f32::NEG_INFINITY;
                for &x in &as_flat(self.value(*a))[..n] {
                    // What is not a number stays so.
                    most = if x > most || (x.is_nan() && !most.is_nan()) { x } else { most };
                }
                out[0].0[0] = most;
            }
            Step::Reduce { .. } => unreachable!("it reads a matrix"),
        }
    }
}

impl SynapseSignals<'_> {
    fn vector(&self, seen: Seen) -> &[Lanes] {
        match seen {
            Seen::PreActivation => self.pre_activation,
            Seen::PostActivation => self.activation,
            Seen::PreError => self.pre_error,
            Seen::PostError => self.error,
            Seen::Potential => self.beyond.potential,
            Seen::Label => self.beyond.label,
            Seen::Noise => self.beyond.noise,
            Seen::SettledPre => self.beyond.settled[0],
            Seen::SettledPost => self.beyond.settled[1],
            Seen::Loss | Seen::LossChange => unreachable!("numbers"),
        }
    }
}

#[inline(always)]
fn binary(what: Arithmetic, a: &L, b: &L) -> L {
    match what {
        Arithmetic::Add => each_lane!(k => a[k] + b[k]),
        Arithmetic::Subtract => each_lane!(k => a[k] - b[k]),
        Arithmetic::Multiply => each_lane!(k => a[k] * b[k]),
        Arithmetic::Divide => each_lane!(k => a[k] / b[k]),
    }
}

/// A function of each element. What is not a number stays so: a training that diverges is noticed.
#[inline(always)]
pub(super) fn each_of<S: Simd>(simd: S, what: Elementwise, of: &[Lanes], out: &mut [Lanes]) {
    let (zero, one, minus) = (simd.splat(0.0), simd.splat(1.0), simd.splat(-1.0));
    let of = &of[..out.len()];
    // A loop for each function.
    macro_rules! each {
        (|$x:ident| $value:expr) => {
            for t in 0..out.len() {
                let $x = simd.load(&of[t]);
                simd.store($value, &mut out[t]);
            }
        };
    }
    match what {
        Elementwise::Negate => each!(|x| simd.mul(minus, x)),
        Elementwise::Sign => each!(|x| simd.choose(x, one, minus, simd.mul(x, zero))),
        Elementwise::Relu => each!(|x| simd.choose(x, x, zero, x)),
        // 0 of both zeros.
        Elementwise::Threshold => each!(|x| simd.choose(x, one, zero, simd.add(simd.mul(x, zero), zero))),
        Elementwise::Abs => each!(|x| simd.abs(x)),
        Elementwise::Power(power) => each!(|x| {
            let mut product = x;
            for _ in 1..power {
                product = simd.mul(product, x);
            }
            product
        }),
        Elementwise::Tanh => {
            for t in 0..out.len() {
                out[t].0 = elementary::tanh(of[t].0);
            }
        }
        Elementwise::Exp => {
            for t in 0..out.len() {
                out[t].0 = elementary::exp(of[t].0);
            }
        }
    }
}
