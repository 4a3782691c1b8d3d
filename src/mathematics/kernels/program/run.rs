//! Programs at work: one layer, one sample.
//!
//! Every operation is an IEEE 754 operation on single numbers, and sums run in an order that does not depend on the processor:
//! along a row sixteen partial sums in one tree, from row to row in ascending order. So the bits are the same everywhere.

use std::sync::Arc;

use super::{Arithmetic, Elementwise, Extent, Id, Operand, Program, RowOperation, Rows, Seen, Side, Step};
use crate::kernels::backend::{Backend, Kernel, dispatch};
use crate::kernels::elementary;
use crate::kernels::lanes::{Lanes, WIDTH, as_flat, as_flat_mut, each_lane, largest, zeros};
use crate::kernels::matrix::InputMajor;
use crate::kernels::simd::Simd;

type L = [f32; WIDTH];

/// Two operands, element by element, without asking at each where they lie.
macro_rules! each_pair {
    ($out:ident, $a:ident, $b:ident, |$x:ident, $y:ident| $value:expr) => {
        match ($a, $b) {
            (Source::Row(a), Source::Row(b)) => each_pair!(@ $out, t, k, $x = a[t].0[k], $y = b[t].0[k], $value),
            (Source::Row(a), Source::Same(b)) => each_pair!(@ $out, t, k, $x = a[t].0[k], $y = b, $value),
            (Source::Same(a), Source::Row(b)) => each_pair!(@ $out, t, k, $x = a, $y = b[t].0[k], $value),
            (Source::Same(a), Source::Same(b)) => each_pair!(@ $out, t, k, $x = a, $y = b, $value),
        }
    };
    (@ $out:ident, $t:ident, $k:ident, $x:ident = $a:expr, $y:ident = $b:expr, $value:expr) => {
        for $t in 0..$out.len() {
            $out[$t].0 = each_lane!($k => {
                let ($x, $y) = ($a, $b);
                $value
            });
        }
    };
}

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
}

/// A program with the numbers of one layer.
#[derive(Clone, Debug)]
pub(crate) struct Evaluator {
    program: Arc<Program>,
    sizes: [usize; 2],
    values: Values,
    state: Vec<Vec<Lanes>>,
    scratch: Vec<Vec<Lanes>>,
}

/// Of each step: a number stands in the first place.
#[derive(Clone, Debug)]
struct Values(Vec<Vec<Lanes>>);

impl Values {
    #[inline(always)]
    fn number(&self, id: Id) -> f32 {
        self.0[id][0].0[0]
    }

    #[inline(always)]
    fn flat(&self, id: Id) -> &[f32] {
        as_flat(&self.0[id])
    }
}

impl Evaluator {
    /// Between layers of `n_pre` and `n_post` units, with the state as it begins.
    pub(crate) fn new(program: &Arc<Program>, n_pre: usize, n_post: usize) -> Self {
        let sizes = [n_pre, n_post];
        let size = |extent: &Extent| match extent {
            Extent::Number => 1,
            Extent::Vector(side) => sizes[*side as usize],
        };
        let values = program.steps.iter().map(|(_, extent)| zeros(size(extent))).collect();
        let state = program.state.iter().map(|(start, extent)| {
            let mut values = zeros(size(extent));
            as_flat_mut(&mut values)[..size(extent)].fill(*start);
            values
        });
        let most = program.rows().map(|rows| rows.0.len()).max().unwrap_or(0);
        Self {
            state: state.collect(),
            program: program.clone(),
            sizes,
            values: Values(values),
            scratch: vec![zeros(n_post); most],
        }
    }

    /// A value that the neurons remember, by its place in the program.
    pub(crate) fn state(&self, number: usize) -> &[f32] {
        let n = match self.program.state[number].1 {
            Extent::Number => 1,
            Extent::Vector(side) => self.sizes[side as usize],
        };
        &as_flat(&self.state[number])[..n]
    }

    /// Adds `coefficient` times what the equation says to `target`, and updates the state. Returns the most by which a weight
    /// moves, infinite if anything is not finite, and the norm of all that was added.
    pub(crate) fn add(
        &mut self,
        backend: Backend,
        coefficient: f32,
        signals: SynapseSignals<'_>,
        target: &mut InputMajor,
    ) -> [f64; 2] {
        let [n_pre, n_post] = self.sizes;
        assert_eq!([target.n_in(), target.n_out()], [n_pre, n_post]);
        let program = self.program.clone();
        for (id, (step, extent)) in program.steps.iter().enumerate() {
            // Taken out, so that it can read the others.
            let mut out = std::mem::take(&mut self.values.0[id]);
            self.step(backend, &program, step, &signals, &mut out);
            if let Extent::Vector(side) = extent {
                as_flat_mut(&mut out)[self.sizes[*side as usize]..].fill(0.0);
            }
            self.values.0[id] = out;
        }
        let Self { values, scratch, .. } = self;
        let row = RowMachine::new(&program.result, values, signals, n_post);
        let sum = Sum { row, scratch, coefficient, n_post, target };
        let [mut reach, squares] = dispatch(backend, sum);
        for (state, update) in self.state.iter_mut().zip(&program.updates) {
            state.copy_from_slice(&self.values.0[*update]);
            // A state beyond all numbers shows in the weights one sample later.
            reach = if largest(state).is_finite() { reach } else { f64::INFINITY };
        }
        [reach, squares.sqrt()]
    }

    fn step(
        &mut self,
        backend: Backend,
        program: &Program,
        step: &Step,
        signals: &SynapseSignals<'_>,
        out: &mut [Lanes],
    ) {
        let Self { values, scratch, state, sizes, .. } = self;
        let extent = |id: Id| program.steps[id].1;
        match step {
            Step::Number(value) => out[0].0[0] = *value,
            Step::Seen(seen) => out.copy_from_slice(match seen {
                Seen::PreActivation => signals.pre_activation,
                Seen::PostActivation => signals.activation,
                Seen::PreError => signals.pre_error,
                Seen::PostError => signals.error,
            }),
            Step::State(number) => out.copy_from_slice(&state[*number]),
            Step::Each(what, a) => {
                for (out, a) in out.iter_mut().zip(&values.0[*a]) {
                    out.0 = each(*what, &a.0);
                }
            }
            Step::Binary(what, a, b) => {
                // A number meets each element of a vector.
                let at = |id: Id, t: usize| match extent(id) {
                    Extent::Number => [values.number(id); WIDTH],
                    Extent::Vector(_) => values.0[id][t].0,
                };
                for (t, out) in out.iter_mut().enumerate() {
                    out.0 = binary(*what, &at(*a, t), &at(*b, t));
                }
            }
            Step::Dot(a, b) => {
                let mut sums = [0.0; WIDTH];
                for (a, b) in values.0[*a].iter().zip(&values.0[*b]) {
                    sums = each_lane!(k => sums[k] + a.0[k] * b.0[k]);
                }
                out[0].0[0] = tree_sum(&sums);
            }
            Step::Sum(a) | Step::Mean(a) => {
                let mut sums = [0.0; WIDTH];
                for a in &values.0[*a] {
                    sums = each_lane!(k => sums[k] + a.0[k]);
                }
                let n = match (step, extent(*a)) {
                    (Step::Mean(_), Extent::Vector(side)) => sizes[side as usize] as f32,
                    _ => 1.0,
                };
                out[0].0[0] = tree_sum(&sums) / n;
            }
            Step::Reduce { rows, by, over } => {
                let row = RowMachine::new(rows, values, *signals, sizes[1]);
                dispatch(backend, Reduce { row, scratch, n_pre: sizes[0], by: &values.0[*by], over: *over, out });
            }
        }
    }
}

/// Where an operand of a row lies.
#[derive(Clone, Copy)]
enum Source<'a> {
    Row(&'a [Lanes]),
    Same(f32),
}

/// The operations of a matrix, row by row.
struct RowMachine<'a> {
    rows: &'a Rows,
    values: &'a Values,
    signals: SynapseSignals<'a>,
    /// What operations from row to row have added up so far, each in its place.
    running: Vec<Vec<Lanes>>,
}

impl<'a> RowMachine<'a> {
    fn new(rows: &'a Rows, values: &'a Values, signals: SynapseSignals<'a>, n_post: usize) -> Self {
        let sums = |operation: &RowOperation| match operation {
            RowOperation::RunningPre { .. } => zeros(n_post),
            _ => Vec::new(),
        };
        Self { rows, values, signals, running: rows.0.iter().map(sums).collect() }
    }

    #[inline(always)]
    fn source<'b>(&'b self, operand: Operand, scratch: &'b [Vec<Lanes>], i: usize) -> Source<'b> {
        match operand {
            Operand::Weights => Source::Row(self.signals.weights.row(i)),
            Operand::Feedback => Source::Row(self.signals.feedback.row(i)),
            Operand::Row(at) => Source::Row(&scratch[at]),
            Operand::Post(id) => Source::Row(&self.values.0[id]),
            Operand::Pre(id) => Source::Same(self.values.flat(id)[i]),
            Operand::Number(id) => Source::Same(self.values.number(id)),
        }
    }

    /// Row i, in the scratch of the last operation. Rows come in ascending order.
    #[inline(always)]
    fn row(&mut self, scratch: &mut [Vec<Lanes>], i: usize) {
        for at in 0..self.rows.0.len() {
            // Taken out, so that the others can be read.
            let mut out = std::mem::take(&mut scratch[at]);
            match self.rows.0[at] {
                RowOperation::Each(what, a) => {
                    let a = self.source(a, scratch, i);
                    for t in 0..out.len() {
                        out[t].0 = each(what, &lanes_of(a, t));
                    }
                }
                RowOperation::Binary(what, a, b) => {
                    let (a, b) = (self.source(a, scratch, i), self.source(b, scratch, i));
                    match what {
                        Arithmetic::Add => each_pair!(out, a, b, |x, y| x + y),
                        Arithmetic::Subtract => each_pair!(out, a, b, |x, y| x - y),
                        Arithmetic::Multiply => each_pair!(out, a, b, |x, y| x * y),
                        Arithmetic::Divide => each_pair!(out, a, b, |x, y| x / y),
                    }
                }
                RowOperation::RunningPost { a, b, of } => {
                    let of = self.source(of, scratch, i);
                    let (a, b) = (&self.values.0[a], &self.values.0[b]);
                    let mut sum = 0.0;
                    for t in 0..out.len() {
                        let of = lanes_of(of, t);
                        for k in 0..WIDTH {
                            sum += b[t].0[k] * of[k];
                            out[t].0[k] = a[t].0[k] * sum;
                        }
                    }
                }
                RowOperation::RunningPre { a, b, of } => {
                    let (a, b) = (self.values.flat(a)[i], self.values.flat(b)[i]);
                    let mut sums = std::mem::take(&mut self.running[at]);
                    let of = self.source(of, scratch, i);
                    for t in 0..out.len() {
                        let of = lanes_of(of, t);
                        sums[t].0 = each_lane!(k => sums[t].0[k] + b * of[k]);
                        out[t].0 = each_lane!(k => a * sums[t].0[k]);
                    }
                    self.running[at] = sums;
                }
            }
            scratch[at] = out;
        }
    }
}

#[inline(always)]
fn lanes_of(source: Source<'_>, t: usize) -> L {
    match source {
        Source::Row(row) => row[t].0,
        Source::Same(value) => [value; WIDTH],
    }
}

/// Multiplies a matrix with a vector.
struct Reduce<'a> {
    row: RowMachine<'a>,
    scratch: &'a mut [Vec<Lanes>],
    n_pre: usize,
    by: &'a [Lanes],
    over: Side,
    out: &'a mut [Lanes],
}

impl Kernel for Reduce<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { mut row, scratch, n_pre, by, over, out } = self;
        let last = row.rows.0.len() - 1;
        out.fill(Lanes::ZERO);
        for i in 0..n_pre {
            row.row(scratch, i);
            let matrix = &scratch[last];
            match over {
                Side::Post => {
                    let mut sums = [0.0; WIDTH];
                    for t in 0..by.len() {
                        sums = each_lane!(k => sums[k] + matrix[t].0[k] * by[t].0[k]);
                    }
                    out[i / WIDTH].0[i % WIDTH] = tree_sum(&sums);
                }
                Side::Pre => {
                    let v = by[i / WIDTH].0[i % WIDTH];
                    for t in 0..out.len() {
                        out[t].0 = each_lane!(k => out[t].0[k] + matrix[t].0[k] * v);
                    }
                }
            }
        }
    }
}

/// Adds a matrix to the weights.
struct Sum<'a> {
    row: RowMachine<'a>,
    scratch: &'a mut [Vec<Lanes>],
    coefficient: f32,
    n_post: usize,
    target: &'a mut InputMajor,
}

impl Kernel for Sum<'_> {
    type Output = [f64; 2];

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> [f64; 2] {
        let Self { mut row, scratch, coefficient, n_post, target } = self;
        let last = row.rows.0.len() - 1;
        let padding = n_post % WIDTH;
        let (mut most, mut not_finite, mut squares) = ([0.0_f32; WIDTH], [0.0_f32; WIDTH], [0.0_f64; WIDTH]);
        for i in 0..target.n_in() {
            row.row(scratch, i);
            let matrix = &mut scratch[last];
            if padding > 0 {
                let end = matrix.len() - 1;
                for k in padding..WIDTH {
                    matrix[end].0[k] = 0.0;
                }
            }
            let weights = target.row_mut(i);
            for t in 0..weights.len() {
                for k in 0..WIDTH {
                    let step = coefficient * matrix[t].0[k];
                    weights[t].0[k] += step;
                    let size = step.abs();
                    most[k] = if size > most[k] { size } else { most[k] };
                    not_finite[k] += size * 0.0;
                    squares[k] += f64::from(size) * f64::from(size);
                }
            }
        }
        let is_finite = not_finite.iter().all(|&x| x == 0.0);
        let reach = if is_finite { most.iter().fold(0.0, |a, &b| f32::max(a, b)) } else { f32::INFINITY };
        [f64::from(reach), squares.iter().sum()]
    }
}

#[inline(always)]
fn tree_sum(sums: &L) -> f32 {
    let mut sums = *sums;
    let mut half = WIDTH / 2;
    while half > 0 {
        for k in 0..half {
            sums[k] += sums[k + half];
        }
        half /= 2;
    }
    sums[0]
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

/// What is not a number stays so: a training that diverges is noticed.
#[inline(always)]
fn each(what: Elementwise, x: &L) -> L {
    match what {
        Elementwise::Negate => each_lane!(k => -x[k]),
        Elementwise::Sign => each_lane!(k => if x[k] > 0.0 { 1.0 } else if x[k] < 0.0 { -1.0 } else { x[k] * 0.0 }),
        Elementwise::Relu => each_lane!(k => if x[k] < 0.0 { 0.0 } else { x[k] }),
        Elementwise::Threshold => {
            each_lane!(k => if x[k] > 0.0 { 1.0 } else if x[k] <= 0.0 { 0.0 } else { x[k] })
        }
        Elementwise::Abs => each_lane!(k => x[k].abs()),
        Elementwise::Tanh => elementary::tanh(*x),
        Elementwise::Exp => elementary::exp(*x),
        Elementwise::Power(power) => {
            let mut product = *x;
            for _ in 1..power {
                product = each_lane!(k => product[k] * x[k]);
            }
            product
        }
    }
}
