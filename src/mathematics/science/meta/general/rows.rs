//! The matrices of a program, row by row, there and back.

use super::elementwise::{each, each_slope, pair, pair_back};
use super::matrix::{Matrix, add, add_scaled, dot, sum};
use crate::kernels::program::{Arithmetic, Elementwise, Id, Operand, RowOperation, Rows};

/// Numbers and vectors, by the steps of a program; or their adjoints.
pub(super) type Values = Vec<Vec<f64>>;

/// What the operations on rows read.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub values: &'a Values,
    /// Which of the values depend on weights; the others have no adjoint.
    pub varies: &'a [bool],
    pub w: &'a Matrix,
    /// None where there is no such matrix: then nothing reads it.
    pub b: Option<&'a Matrix>,
}

/// Where the adjoints of what row i reads go.
pub(super) struct RowAdjoints<'a> {
    pub values: &'a mut Values,
    pub w: &'a mut [f64],
    /// None where B has no derivative.
    pub b: Option<&'a mut [f64]>,
}

/// The operations that make a matrix, with their results of the present row.
pub(super) struct RowMachine<'a> {
    rows: &'a Rows,
    multiple: Option<Multiple>,
    sources: Sources<'a>,
    results: Vec<Vec<f64>>,
    /// Of [`RowOperation::RunningPre`], Σ_{k≤i} b_k M_k for each row i.
    running: Vec<Matrix>,
    /// Σ_{k≥i} a_k times the adjoint of row k, of the same.
    running_back: Vec<Vec<f64>>,
    bars: Vec<Vec<f64>>,
    scratch: Vec<f64>,
}

/// A matrix each row of which is a number times a row that is there already, as most are: y_ℓ y_{ℓ-1}ᵀ, W, −W. Nothing has to be
/// put aside then.
#[derive(Clone, Copy)]
struct Multiple {
    factor: Factor,
    of: Operand,
}

#[derive(Clone, Copy)]
enum Factor {
    Constant(f64),
    /// The entry of layer ℓ − 1.
    Pre(Id),
}

impl Multiple {
    fn of(rows: &Rows) -> Option<Self> {
        let is_row = |operand| matches!(operand, Operand::Weights | Operand::Feedback | Operand::Post(_));
        let (factor, of) = match rows.0[..] {
            [RowOperation::Each(Elementwise::Negate, of)] => (Factor::Constant(-1.0), of),
            [RowOperation::Each(Elementwise::Power(1), of)] => (Factor::Constant(1.0), of),
            [
                RowOperation::Binary(Arithmetic::Multiply, of, Operand::Pre(id))
                | RowOperation::Binary(Arithmetic::Multiply, Operand::Pre(id), of),
            ] => (Factor::Pre(id), of),
            _ => return None,
        };
        is_row(of).then_some(Self { factor, of })
    }
}

/// A row, or the same number in all its places.
#[derive(Clone, Copy)]
enum Source<'a> {
    Row(&'a [f64]),
    Same(f64),
}

impl<'a> Sources<'a> {
    fn at<'b>(&self, operand: Operand, results: &'b [Vec<f64>], i: usize) -> Source<'b>
    where
        'a: 'b,
    {
        match operand {
            Operand::Weights => Source::Row(self.w.row(i)),
            Operand::Feedback => Source::Row(self.b.expect("who reads B has it").row(i)),
            Operand::Row(at) => Source::Row(&results[at]),
            Operand::Post(id) => Source::Row(&self.values[id]),
            Operand::Pre(id) => Source::Same(self.values[id][i]),
            Operand::Number(id) => Source::Same(self.values[id][0]),
        }
    }
}

impl Sources<'_> {
    fn multiple_back(&self, multiple: Multiple, i: usize, (scale, bar): (f64, &[f64]), to: RowAdjoints<'_>) {
        let Multiple { factor, of } = multiple;
        let (factor, by) = match factor {
            Factor::Constant(factor) => (factor, None),
            Factor::Pre(id) => (self.values[id][i], Some(id).filter(|id| self.varies[*id])),
        };
        if let (Some(id), Source::Row(row)) = (by, self.at(of, &[], i)) {
            to.values[id][i] += scale * dot(bar, row);
        }
        match of {
            Operand::Weights => add_scaled(scale * factor, bar, to.w),
            Operand::Feedback => to.b.into_iter().for_each(|to| add_scaled(scale * factor, bar, to)),
            Operand::Post(id) if self.varies[id] => add_scaled(scale * factor, bar, &mut to.values[id]),
            _ => {}
        }
    }
}

impl<'a> RowMachine<'a> {
    pub(super) fn new(rows: &'a Rows, sources: Sources<'a>) -> Self {
        let (n_pre, n_post) = (sources.w.n_pre(), sources.w.n_post());
        let running = rows.0.iter().map(|operation| match operation {
            RowOperation::RunningPre { .. } => n_pre,
            _ => 0,
        });
        let vectors = || vec![vec![0.0; n_post]; rows.0.len()];
        Self {
            running: running.map(|n| Matrix::zeros(n, n_post)).collect(),
            running_back: vectors(),
            results: vectors(),
            bars: vectors(),
            scratch: vec![0.0; n_post],
            multiple: Multiple::of(rows),
            rows,
            sources,
        }
    }

    /// Row i as a number times a row; none where the number is 0 and has no derivative, as that of a silent pixel. Rows come in
    /// ascending order the first time.
    pub(super) fn row(&mut self, i: usize) -> Option<(f64, &[f64])> {
        if let Some(Multiple { factor, of }) = self.multiple {
            let factor = match factor {
                Factor::Constant(factor) => factor,
                Factor::Pre(id) if self.sources.values[id][i] == 0.0 && !self.sources.varies[id] => return None,
                Factor::Pre(id) => self.sources.values[id][i],
            };
            return match self.sources.at(of, &[], i) {
                Source::Row(row) => Some((factor, row)),
                Source::Same(_) => unreachable!("it is a multiple of a row"),
            };
        }
        let Self { rows, sources, results, running, scratch, .. } = self;
        let n = scratch.len();
        for (at, operation) in rows.0.iter().enumerate() {
            let (earlier, out) = results.split_at_mut(at);
            let out = &mut out[0][..];
            let source = |operand| sources.at(operand, earlier, i);
            match *operation {
                RowOperation::Each(what, a) => {
                    out.iter_mut().zip(source(a).iter(n)).for_each(|(out, a)| *out = each(what, a));
                }
                RowOperation::Binary(what, a, b) => pairs(what, source(a), source(b), out),
                RowOperation::RunningPost { a, b, of } => {
                    let factors = sources.values[a].iter().zip(&sources.values[b]);
                    let mut sum = 0.0;
                    for ((out, of), (a, b)) in out.iter_mut().zip(source(of).iter(n)).zip(factors) {
                        sum += b * of;
                        *out = a * sum;
                    }
                }
                RowOperation::RunningPre { a, b, of } => {
                    let (a, b) = (sources.values[a][i], sources.values[b][i]);
                    for (j, of) in source(of).iter(n).enumerate() {
                        let before = if i == 0 { 0.0 } else { running[at].row(i - 1)[j] };
                        let sum = before + b * of;
                        running[at].row_mut(i)[j] = sum;
                        out[j] = a * sum;
                    }
                }
            }
        }
        self.results.last().map(|row| (1.0, &row[..]))
    }

    /// Makes sums from row to row ready for the way back.
    pub(super) fn turn(&mut self) {
        if self.running.iter().any(|sums| !sums.values().is_empty()) {
            for i in 0..self.sources.w.n_pre() {
                self.row(i);
            }
        }
    }

    /// From the adjoint of row i, `scale` times `bar`, which must be the present one. Rows come in descending order.
    pub(super) fn row_back(&mut self, i: usize, (scale, bar): (f64, &[f64]), mut to: RowAdjoints<'_>) {
        if let Some(multiple) = self.multiple {
            return self.sources.multiple_back(multiple, i, (scale, bar), to);
        }
        let Self { rows, sources, results, running, running_back, bars, scratch, .. } = self;
        bars.iter_mut().for_each(|bar| bar.fill(0.0));
        let last = bars.last_mut().expect("a matrix is made by operations");
        last.iter_mut().zip(bar).for_each(|(to, bar)| *to = scale * bar);
        let n = bar.len();
        for (at, operation) in rows.0.iter().enumerate().rev() {
            let (earlier, bar) = bars.split_at_mut(at);
            let bar = &bar[0][..];
            let source = |operand| sources.at(operand, results, i);
            let mut send = |operand: Operand, bar: &[f64]| match operand {
                Operand::Weights => add(bar, to.w),
                Operand::Feedback => to.b.iter_mut().for_each(|to| add(bar, to)),
                Operand::Row(at) => add(bar, &mut earlier[at]),
                Operand::Post(id) if sources.varies[id] => add(bar, &mut to.values[id]),
                Operand::Pre(id) if sources.varies[id] => to.values[id][i] += sum(bar),
                Operand::Number(id) if sources.varies[id] => to.values[id][0] += sum(bar),
                Operand::Post(_) | Operand::Pre(_) | Operand::Number(_) => {}
            };
            match *operation {
                RowOperation::Each(what, a) => {
                    each_back(what, source(a), &results[at], bar, scratch);
                    send(a, scratch);
                }
                RowOperation::Binary(what, a, b) => {
                    pairs_back::<0>(what, source(a), source(b), bar, scratch);
                    send(a, scratch);
                    pairs_back::<1>(what, source(a), source(b), bar, scratch);
                    send(b, scratch);
                }
                RowOperation::RunningPost { a, b, of } => {
                    // out_j = a_j s_j, s_j = Σ_{k≤j} b_k M_k: to b_k and M_k comes Σ_{j≥k} a_j times the adjoint.
                    let (a_values, b_values) = (&sources.values[a], &sources.values[b]);
                    let mut of_a = vec![0.0; n];
                    let mut sum = 0.0;
                    for (j, of) in source(of).iter(n).enumerate() {
                        sum += b_values[j] * of;
                        of_a[j] = sum * bar[j];
                    }
                    send(Operand::Post(a), &of_a);
                    let mut behind = 0.0;
                    for j in (0..n).rev() {
                        behind += a_values[j] * bar[j];
                        scratch[j] = behind;
                    }
                    let of_b: Vec<f64> = scratch.iter().zip(source(of).iter(n)).map(|(s, of)| s * of).collect();
                    send(Operand::Post(b), &of_b);
                    scratch.iter_mut().zip(b_values).for_each(|(s, b)| *s *= b);
                    send(of, scratch);
                }
                RowOperation::RunningPre { a, b, of } => {
                    let (a_value, b_value) = (sources.values[a][i], sources.values[b][i]);
                    let behind = &mut running_back[at];
                    behind.iter_mut().zip(bar).for_each(|(behind, bar)| *behind += a_value * bar);
                    scratch.iter_mut().zip(running[at].row(i)).zip(bar).for_each(|((s, sum), bar)| *s = sum * bar);
                    send(Operand::Pre(a), scratch);
                    scratch.iter_mut().zip(source(of).iter(n)).zip(&*behind).for_each(|((s, of), b)| *s = of * b);
                    send(Operand::Pre(b), scratch);
                    scratch.iter_mut().zip(&*behind).for_each(|(s, behind)| *s = b_value * behind);
                    send(of, scratch);
                }
            }
        }
    }
}

impl<'a> Source<'a> {
    /// The first n places.
    fn iter(self, n: usize) -> impl Iterator<Item = f64> + 'a {
        let (row, same) = match self {
            Source::Row(row) => (row, 0.0),
            Source::Same(value) => (&[][..], value),
        };
        let n_same = if row.is_empty() { n } else { 0 };
        row.iter().copied().chain(std::iter::repeat_n(same, n_same))
    }
}

/// Compiled for each operation and each pair of sources, so that the loops are over plain rows.
macro_rules! for_each_operation {
    ($what:expr, $operation:ident => $body:expr) => {
        match $what {
            Arithmetic::Add => {
                const $operation: Arithmetic = Arithmetic::Add;
                $body
            }
            Arithmetic::Subtract => {
                const $operation: Arithmetic = Arithmetic::Subtract;
                $body
            }
            Arithmetic::Multiply => {
                const $operation: Arithmetic = Arithmetic::Multiply;
                $body
            }
            Arithmetic::Divide => {
                const $operation: Arithmetic = Arithmetic::Divide;
                $body
            }
        }
    };
}

fn pairs(what: Arithmetic, a: Source<'_>, b: Source<'_>, out: &mut [f64]) {
    for_each_operation!(what, WHAT => match (a, b) {
        (Source::Row(a), Source::Row(b)) => {
            out.iter_mut().zip(a).zip(b).for_each(|((out, &a), &b)| *out = pair(WHAT, a, b));
        }
        (Source::Row(a), Source::Same(b)) => out.iter_mut().zip(a).for_each(|(out, &a)| *out = pair(WHAT, a, b)),
        (Source::Same(a), Source::Row(b)) => out.iter_mut().zip(b).for_each(|(out, &b)| *out = pair(WHAT, a, b)),
        (Source::Same(a), Source::Same(b)) => out.fill(pair(WHAT, a, b)),
    });
}

/// The adjoint of the first or the second of a pair.
fn pairs_back<const WHICH: usize>(what: Arithmetic, a: Source<'_>, b: Source<'_>, bar: &[f64], out: &mut [f64]) {
    let places = out.iter_mut().zip(bar);
    for_each_operation!(what, WHAT => match (a, b) {
        (Source::Row(a), Source::Row(b)) => {
            places.zip(a).zip(b).for_each(|(((out, &bar), &a), &b)| *out = pair_back(WHAT, a, b, bar)[WHICH]);
        }
        (Source::Row(a), Source::Same(b)) => {
            places.zip(a).for_each(|((out, &bar), &a)| *out = pair_back(WHAT, a, b, bar)[WHICH]);
        }
        (Source::Same(a), Source::Row(b)) => {
            places.zip(b).for_each(|((out, &bar), &b)| *out = pair_back(WHAT, a, b, bar)[WHICH]);
        }
        (Source::Same(a), Source::Same(b)) => places.for_each(|(out, &bar)| *out = pair_back(WHAT, a, b, bar)[WHICH]),
    });
}

fn each_back(what: Elementwise, of: Source<'_>, results: &[f64], bar: &[f64], out: &mut [f64]) {
    let places = out.iter_mut().zip(bar).zip(results).zip(of.iter(bar.len()));
    places.for_each(|(((out, bar), result), of)| *out = bar * each_slope(what, of, *result));
}
