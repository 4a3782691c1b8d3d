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
use crate::kernels::simd::{Portable, Simd, copy};

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

    /// Computes all numbers and vectors of the equation. [`Self::add`] has to follow.
    pub(crate) fn prepare(&mut self, backend: Backend, signals: SynapseSignals<'_>) {
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
    }

    /// Adds `coefficient` times what the equation says to `target`, and updates the state. `matrices` are W and B; one that is
    /// left out is `target` itself, each row of which is read before it moves. Returns the most by which a weight moves,
    /// infinite if anything is not finite.
    pub(crate) fn add(
        &mut self,
        backend: Backend,
        coefficient: f32,
        matrices: [Option<&InputMajor>; 2],
        target: &mut InputMajor,
    ) -> f64 {
        let [n_pre, n_post] = self.sizes;
        assert_eq!([target.n_in(), target.n_out()], [n_pre, n_post]);
        let Self { values, scratch, program, .. } = self;
        let row = RowMachine::new(&program.result, values, matrices, n_post);
        let mut reach = dispatch(backend, Sum { row, scratch, coefficient, n_post, target });
        for (state, update) in self.state.iter_mut().zip(&self.program.updates) {
            state.copy_from_slice(&self.values.0[*update]);
            // A state beyond all numbers shows in the weights one sample later.
            reach = if largest(state).is_finite() { reach } else { f64::INFINITY };
        }
        reach
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
            Step::Seen(Seen::Loss) => out[0].0[0] = signals.beyond.loss,
            Step::Seen(Seen::LossChange) => out[0].0[0] = signals.beyond.loss_change,
            Step::Seen(seen) => out.copy_from_slice(match seen {
                Seen::PreActivation => signals.pre_activation,
                Seen::PostActivation => signals.activation,
                Seen::PreError => signals.pre_error,
                Seen::PostError => signals.error,
                Seen::Potential => signals.beyond.potential,
                Seen::Label => signals.beyond.label,
                Seen::Noise => signals.beyond.noise,
                Seen::SettledPre => signals.beyond.settled[0],
                Seen::SettledPost => signals.beyond.settled[1],
                Seen::Loss | Seen::LossChange => unreachable!("numbers"),
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
                out[0].0[0] = Portable.sum(sums);
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
                out[0].0[0] = Portable.sum(sums) / n;
            }
            Step::Reduce { rows, by, over } => {
                let matrices = [Some(signals.weights), Some(signals.feedback)];
                let row = RowMachine::new(rows, values, matrices, sizes[1]);
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
    /// W and B; one that is left out is the one that moves, whose present row is `own`.
    matrices: [Option<&'a InputMajor>; 2],
    own: Vec<Lanes>,
    /// What operations from row to row have added up so far, each in its place.
    running: Vec<Vec<Lanes>>,
}

impl<'a> RowMachine<'a> {
    fn new(rows: &'a Rows, values: &'a Values, matrices: [Option<&'a InputMajor>; 2], n_post: usize) -> Self {
        let sums = |operation: &RowOperation| match operation {
            RowOperation::RunningPre { .. } => zeros(n_post),
            _ => Vec::new(),
        };
        Self { rows, values, matrices, own: zeros(n_post), running: rows.0.iter().map(sums).collect() }
    }

    #[inline(always)]
    fn source<'b>(&'b self, operand: Operand, scratch: &'b [Vec<Lanes>], i: usize) -> Source<'b> {
        match operand {
            Operand::Weights => Source::Row(self.matrices[0].map_or(&self.own, |weights| weights.row(i))),
            Operand::Feedback => Source::Row(self.matrices[1].map_or(&self.own, |feedback| feedback.row(i))),
            Operand::Row(at) => Source::Row(&scratch[at]),
            Operand::Post(id) => Source::Row(&self.values.0[id]),
            Operand::Pre(id) => Source::Same(self.values.flat(id)[i]),
            Operand::Number(id) => Source::Same(self.values.number(id)),
        }
    }

    /// Row i, in the scratch of the last operation. Rows come in ascending order.
    #[inline(always)]
    fn row<S: Simd>(&mut self, simd: S, scratch: &mut [Vec<Lanes>], i: usize) {
        for at in 0..self.rows.0.len() {
            // Taken out, so that the others can be read.
            let mut out = std::mem::take(&mut scratch[at]);
            match self.rows.0[at] {
                RowOperation::Each(what, a) => {
                    let a = self.source(a, scratch, i);
                    each_of_row(simd, what, a, &mut out);
                }
                RowOperation::Binary(what, a, b) => {
                    let (a, b) = (self.source(a, scratch, i), self.source(b, scratch, i));
                    pair_of_rows(simd, what, a, b, &mut out);
                }
                RowOperation::RunningPost { a, b, of } => {
                    let of = self.source(of, scratch, i);
                    let (a, b) = (&self.values.0[a][..out.len()], &self.values.0[b][..out.len()]);
                    let mut sum = 0.0;
                    for t in 0..out.len() {
                        let (of, a, b) = (lanes_of(of, t), a[t].0, b[t].0);
                        let mut sums = [0.0; WIDTH];
                        for k in 0..WIDTH {
                            sum += b[k] * of[k];
                            sums[k] = sum;
                        }
                        out[t].0 = each_lane!(k => a[k] * sums[k]);
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

/// a + b, rounded once, of what can only multiply and add.
#[inline(always)]
fn add<S: Simd>(simd: S, a: S::V, b: S::V) -> S::V {
    simd.mul_add(simd.splat(1.0), a, b)
}

/// a − b, rounded once.
#[inline(always)]
fn subtract<S: Simd>(simd: S, a: S::V, b: S::V) -> S::V {
    simd.mul_add(simd.splat(-1.0), b, a)
}

#[inline(always)]
fn pair_of_rows<S: Simd>(simd: S, what: Arithmetic, a: Source<'_>, b: Source<'_>, out: &mut [Lanes]) {
    match (a, b) {
        (Source::Row(a), Source::Row(b)) => {
            let (a, b) = (&a[..out.len()], &b[..out.len()]);
            match what {
                Arithmetic::Add => {
                    for t in 0..out.len() {
                        simd.store(add(simd, simd.load(&a[t]), simd.load(&b[t])), &mut out[t]);
                    }
                }
                Arithmetic::Subtract => {
                    for t in 0..out.len() {
                        simd.store(subtract(simd, simd.load(&a[t]), simd.load(&b[t])), &mut out[t]);
                    }
                }
                Arithmetic::Multiply => {
                    for t in 0..out.len() {
                        simd.store(simd.mul(simd.load(&a[t]), simd.load(&b[t])), &mut out[t]);
                    }
                }
                Arithmetic::Divide => {
                    for t in 0..out.len() {
                        out[t].0 = each_lane!(k => a[t].0[k] / b[t].0[k]);
                    }
                }
            }
        }
        (Source::Row(row), Source::Same(value)) | (Source::Same(value), Source::Row(row)) => {
            let row = &row[..out.len()];
            let is_first = matches!(a, Source::Row(_));
            let same = simd.splat(value);
            match what {
                Arithmetic::Multiply => {
                    for t in 0..out.len() {
                        simd.store(simd.mul(simd.load(&row[t]), same), &mut out[t]);
                    }
                }
                Arithmetic::Add => {
                    for t in 0..out.len() {
                        simd.store(add(simd, simd.load(&row[t]), same), &mut out[t]);
                    }
                }
                Arithmetic::Subtract if is_first => {
                    for t in 0..out.len() {
                        simd.store(subtract(simd, simd.load(&row[t]), same), &mut out[t]);
                    }
                }
                Arithmetic::Subtract => {
                    for t in 0..out.len() {
                        simd.store(subtract(simd, same, simd.load(&row[t])), &mut out[t]);
                    }
                }
                Arithmetic::Divide => {
                    for t in 0..out.len() {
                        out[t].0 = match is_first {
                            true => each_lane!(k => row[t].0[k] / value),
                            false => each_lane!(k => value / row[t].0[k]),
                        };
                    }
                }
            }
        }
        (Source::Same(a), Source::Same(b)) => {
            let value = binary(what, &[a; WIDTH], &[b; WIDTH]);
            for t in 0..out.len() {
                out[t].0 = value;
            }
        }
    }
}

#[inline(always)]
fn each_of_row<S: Simd>(simd: S, what: Elementwise, of: Source<'_>, out: &mut [Lanes]) {
    match (what, of) {
        (Elementwise::Power(power), Source::Row(row)) => {
            let row = &row[..out.len()];
            for t in 0..out.len() {
                let x = simd.load(&row[t]);
                let mut product = x;
                for _ in 1..power {
                    product = simd.mul(product, x);
                }
                simd.store(product, &mut out[t]);
            }
        }
        (Elementwise::Negate, Source::Row(row)) => {
            let (row, minus) = (&row[..out.len()], simd.splat(-1.0));
            for t in 0..out.len() {
                simd.store(simd.mul(minus, simd.load(&row[t])), &mut out[t]);
            }
        }
        _ => {
            for t in 0..out.len() {
                out[t].0 = each(what, &lanes_of(of, t));
            }
        }
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
    fn run<S: Simd>(self, simd: S) {
        let Self { mut row, scratch, n_pre, by, over, out } = self;
        let last = row.rows.0.len() - 1;
        out.fill(Lanes::ZERO);
        for i in 0..n_pre {
            row.row(simd, scratch, i);
            let matrix = &scratch[last][..];
            match over {
                Side::Post => {
                    let mut sums = [0.0; WIDTH];
                    for t in 0..by.len() {
                        sums = each_lane!(k => sums[k] + matrix[t].0[k] * by[t].0[k]);
                    }
                    out[i / WIDTH].0[i % WIDTH] = Portable.sum(sums);
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
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f64 {
        let Self { mut row, scratch, coefficient, n_post, target } = self;
        let form = Form::of(&row);
        let last = row.rows.0.len() - 1;
        let padding = n_post % WIDTH;
        let is_in_place = row.matrices.iter().any(Option::is_none);
        let by = simd.splat(coefficient);
        // No weight moves by more than the root of the sum of all squares, which is not finite if any step is not.
        let mut squares = simd.splat(0.0);
        for i in 0..target.n_in() {
            match form {
                Form::Outer { post, pre } => {
                    let (u, v) = (&row.values.0[post], simd.splat(row.values.flat(pre)[i]));
                    let weights = target.row_mut(i);
                    let u = &u[..weights.len()];
                    for t in 0..weights.len() {
                        let step = simd.mul(by, simd.mul(simd.load(&u[t]), v));
                        simd.store(add(simd, simd.load(&weights[t]), step), &mut weights[t]);
                        squares = simd.mul_add(step, step, squares);
                    }
                }
                Form::OuterAndScaled { post, pre, sign, scale } => {
                    let (u, v) = (&row.values.0[post], simd.splat(row.values.flat(pre)[i]));
                    let (scale, sign) = (&row.values.0[scale], simd.splat(sign));
                    let weights = target.row_mut(i);
                    let (u, scale) = (&u[..weights.len()], &scale[..weights.len()]);
                    for t in 0..weights.len() {
                        let old = simd.load(&weights[t]);
                        let outer = simd.mul(simd.load(&u[t]), v);
                        let scaled = simd.mul(simd.load(&scale[t]), old);
                        let step = simd.mul(by, simd.mul_add(sign, scaled, outer));
                        simd.store(add(simd, old, step), &mut weights[t]);
                        squares = simd.mul_add(step, step, squares);
                    }
                }
                Form::Any => {
                    if is_in_place {
                        copy(simd, target.row(i), &mut row.own);
                    }
                    row.row(simd, scratch, i);
                    let weights = target.row_mut(i);
                    let matrix = &mut scratch[last][..weights.len()];
                    if padding > 0 {
                        let end = matrix.len() - 1;
                        for k in padding..WIDTH {
                            matrix[end].0[k] = 0.0;
                        }
                    }
                    for t in 0..weights.len() {
                        let step = simd.mul(by, simd.load(&matrix[t]));
                        simd.store(add(simd, simd.load(&weights[t]), step), &mut weights[t]);
                        squares = simd.mul_add(step, step, squares);
                    }
                }
            }
        }
        f64::from(simd.sum(squares)).sqrt()
    }
}

/// Matrices that most rules are made of: one pass over the weights, with nothing put aside. The same operations in the same
/// order, so the same bits.
#[derive(Clone, Copy)]
enum Form {
    /// u vᵀ
    Outer {
        post: Id,
        pre: Id,
    },
    /// u vᵀ ± diag(s) W, of the matrix that moves.
    OuterAndScaled {
        post: Id,
        pre: Id,
        sign: f32,
        scale: Id,
    },
    Any,
}

impl Form {
    fn of(row: &RowMachine<'_>) -> Self {
        let is_own = |operand: Operand| match operand {
            Operand::Weights => row.matrices[0].is_none(),
            Operand::Feedback => row.matrices[1].is_none(),
            _ => false,
        };
        let multiply = |operation: &RowOperation| match *operation {
            RowOperation::Binary(Arithmetic::Multiply, a, b) => Some((a, b)),
            _ => None,
        };
        match &row.rows.0[..] {
            [only] => match multiply(only) {
                Some((Operand::Post(post), Operand::Pre(pre))) => Self::Outer { post, pre },
                _ => Self::Any,
            },
            [first, second, RowOperation::Binary(sum, Operand::Row(0), Operand::Row(1))] => {
                let sign = match sum {
                    Arithmetic::Add => 1.0,
                    Arithmetic::Subtract => -1.0,
                    _ => return Self::Any,
                };
                match (multiply(first), multiply(second)) {
                    (Some((Operand::Post(post), Operand::Pre(pre))), Some((Operand::Post(scale), own)))
                        if is_own(own) =>
                    {
                        Self::OuterAndScaled { post, pre, sign, scale }
                    }
                    _ => Self::Any,
                }
            }
            _ => Self::Any,
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
