//! Operations on rows → passes over a few rows at a time.
//!
//! A pass reads its operands, each of which may be a product of two things that lie there, and writes once. What it writes is
//! put aside, in the first-level cache, until the pass that reads it.

use super::{Arithmetic, Elementwise, Extent, Id, Operand, Program, RowOperation, Rows, Side};
use crate::kernels::lanes::{WIDTH, lanes_for};

/// The most rows that one pass takes after the other before the next pass: enough that choosing the pass takes no time.
pub(super) const ROWS: usize = 16;

/// Where the values of the steps lie, in [`Lanes`](crate::kernels::lanes::Lanes).
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub values: Vec<usize>,
    pub len: usize,
}

impl Layout {
    pub(super) fn new(program: &Program, sizes: [usize; 2]) -> Self {
        // The first is 1.
        let mut len = 1;
        let values = program.steps.iter().map(|(_, extent)| {
            let at = len;
            len += lanes_for(extent.size(sizes));
            at
        });
        let values = values.collect();
        Self { values, len }
    }
}

impl Extent {
    /// How many numbers it is.
    pub(super) fn size(self, [n_pre, n_post]: [usize; 2]) -> usize {
        match self {
            Extent::Number => 1,
            Extent::Vector(Side::Pre) => n_pre,
            Extent::Vector(Side::Post) => n_post,
        }
    }
}

/// Where a row lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Row {
    Weights,
    Feedback,
    /// A vector, the same for every row, from here on among the values.
    Value(usize),
    /// What was put aside, by its number.
    Aside(usize),
}

/// A number: its place among the single numbers of the values, and which bits of the row's own to add to it: all, or none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Same {
    pub at: usize,
    pub bits: usize,
}

/// The number 1, which is the first of the values.
pub(super) const ONE: Same = Same { at: 0, bits: 0 };

/// What one pass can read as an operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Simple {
    Row(Row),
    Same(Same),
    Scaled(Row, Same),
    Product(Row, Row),
}

#[derive(Clone, Debug)]
pub(super) enum Pass {
    Binary {
        what: Arithmetic,
        a: Simple,
        b: Simple,
        to: usize,
    },
    Each {
        what: Elementwise,
        of: Row,
        to: usize,
    },
    /// Σ_{k≤j} b_k M_ik
    SumsAlong {
        by: usize,
        of: Row,
        to: usize,
    },
    /// Σ_{k≤i} b_k M_kj, the sums of all rows so far being its own.
    SumsAcross {
        by: Same,
        of: Row,
        sums: usize,
        to: usize,
    },
}

/// What the last pass reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Last {
    One(Simple),
    Two(Arithmetic, Simple, Simple),
    /// a ∘ (b ± c) or (b ± c) ∘ a, where a is a row, or one times a number, and of no matrix.
    Three {
        outer: Arithmetic,
        a: Simple,
        is_first: bool,
        inner: Arithmetic,
        b: Simple,
        c: Simple,
    },
}

/// A matrix as passes.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub passes: Vec<Pass>,
    pub last: Last,
    /// How many rows are put aside, and how many sums from row to row there are.
    pub n_aside: usize,
    pub n_sums: usize,
}

impl Code {
    /// Of a matrix that moves weights, of which the last pass reads one matrix at most.
    pub(super) fn of_sum(rows: &Rows, layout: &Layout) -> Self {
        let mut compiler = Compiler::new(rows, layout);
        let last = match rows.0.last() {
            Some(RowOperation::Binary(what, a, b)) if *what != Arithmetic::Divide && compiler.whole().is_none() => {
                compiler.two_or_three(*what, *a, *b)
            }
            _ => Last::One(compiler.all()),
        };
        compiler.code(last)
    }

    /// Of a matrix that multiplies a vector, and where its rows are in the end.
    pub(super) fn of_product(rows: &Rows, layout: &Layout) -> (Self, Row) {
        let mut compiler = Compiler::new(rows, layout);
        let found = compiler.all();
        let row = compiler.row(found);
        (compiler.code(Last::One(Simple::Row(row))), row)
    }
}

impl Simple {
    fn reads_matrix(self) -> bool {
        let is_matrix = |row: Row| matches!(row, Row::Weights | Row::Feedback);
        match self {
            Simple::Row(a) | Simple::Scaled(a, _) => is_matrix(a),
            Simple::Product(a, b) => is_matrix(a) || is_matrix(b),
            Simple::Same(_) => false,
        }
    }
}

struct Compiler<'a> {
    rows: &'a Rows,
    layout: &'a Layout,
    passes: Vec<Pass>,
    /// Numbers of rows put aside that no pass reads any more.
    free: Vec<usize>,
    n_aside: usize,
    n_sums: usize,
}

impl<'a> Compiler<'a> {
    fn new(rows: &'a Rows, layout: &'a Layout) -> Self {
        Self { rows, layout, passes: Vec::new(), free: Vec::new(), n_aside: 0, n_sums: 0 }
    }

    fn code(self, last: Last) -> Code {
        let Self { passes, n_aside, n_sums, .. } = self;
        Code { passes, last, n_aside, n_sums }
    }

    /// All of the matrix.
    fn all(&mut self) -> Simple {
        self.value(Operand::Row(self.rows.0.len() - 1))
    }

    /// All of it, where that needs no pass.
    fn whole(&self) -> Option<Simple> {
        self.simple(Operand::Row(self.rows.0.len() - 1))
    }

    fn vector(&self, id: Id) -> Row {
        Row::Value(self.layout.values[id])
    }

    fn number(&self, id: Id, bits: usize) -> Same {
        Same { at: self.layout.values[id] * WIDTH, bits }
    }

    /// The entry of the row's own unit.
    fn own(&self, id: Id) -> Same {
        self.number(id, usize::MAX)
    }

    /// What needs no pass of its own.
    fn simple(&self, operand: Operand) -> Option<Simple> {
        let at = match operand {
            Operand::Weights => return Some(Simple::Row(Row::Weights)),
            Operand::Feedback => return Some(Simple::Row(Row::Feedback)),
            Operand::Post(id) => return Some(Simple::Row(self.vector(id))),
            Operand::Pre(id) => return Some(Simple::Same(self.own(id))),
            Operand::Number(id) => return Some(Simple::Same(self.number(id, 0))),
            Operand::Row(at) => at,
        };
        match self.rows.0[at] {
            RowOperation::Each(Elementwise::Power(1), a) => self.simple(a),
            RowOperation::Each(Elementwise::Power(2), a) => match self.simple(a)? {
                Simple::Row(a) => Some(Simple::Product(a, a)),
                _ => None,
            },
            RowOperation::Binary(Arithmetic::Multiply, a, b) => product(self.simple(a)?, self.simple(b)?),
            _ => None,
        }
    }

    /// A sum or a difference that the last pass can make on its way.
    fn inner(&self, operand: Operand) -> Option<(Arithmetic, Operand, Operand)> {
        let Operand::Row(at) = operand else { return None };
        match self.rows.0[at] {
            RowOperation::Binary(what @ (Arithmetic::Add | Arithmetic::Subtract), a, b) => Some((what, a, b)),
            _ => None,
        }
    }

    /// The last pass of an operation.
    fn two_or_three(&mut self, outer: Arithmetic, a: Operand, b: Operand) -> Last {
        let (is_first, other, inner) = match (self.inner(a), self.inner(b)) {
            (_, Some(inner)) => (true, a, inner),
            (Some(inner), None) => (false, b, inner),
            (None, None) => {
                let (mut a, b) = (self.value(a), self.value(b));
                if a.reads_matrix() && b.reads_matrix() {
                    a = self.copied(a);
                }
                return match product(a, b) {
                    Some(simple) if outer == Arithmetic::Multiply => Last::One(simple),
                    _ => Last::Two(outer, a, b),
                };
            }
        };
        let (inner, b, c) = inner;
        let (mut a, mut b, c) = (self.value(other), self.value(b), self.value(c));
        if b.reads_matrix() && c.reads_matrix() {
            b = self.copied(b);
        }
        if a.reads_matrix() || !matches!(a, Simple::Row(_) | Simple::Scaled(..)) {
            a = self.copied(a);
        }
        Last::Three { outer, a, is_first, inner, b, c }
    }

    /// Writes the passes that an operand needs.
    fn value(&mut self, operand: Operand) -> Simple {
        if let Some(simple) = self.simple(operand) {
            return simple;
        }
        let Operand::Row(at) = operand else { unreachable!("all others are simple") };
        match self.rows.0[at] {
            RowOperation::Each(Elementwise::Power(1), a) => self.value(a),
            RowOperation::Each(what, a) => {
                let of = self.value(a);
                let of = self.row(of);
                if what == Elementwise::Power(2) {
                    return Simple::Product(of, of);
                }
                self.pass([Simple::Row(of)], |to| Pass::Each { what, of, to })
            }
            RowOperation::Binary(what, a, b) => {
                let (a, b) = (self.value(a), self.value(b));
                match product(a, b) {
                    Some(simple) if what == Arithmetic::Multiply => simple,
                    _ => self.pass([a, b], |to| Pass::Binary { what, a, b, to }),
                }
            }
            RowOperation::RunningPost { a, b, of } => {
                let of = self.value(of);
                let (of, by) = (self.row(of), self.layout.values[b]);
                let sums = self.pass([Simple::Row(of)], |to| Pass::SumsAlong { by, of, to });
                product(sums, Simple::Row(self.vector(a))).expect("two rows")
            }
            RowOperation::RunningPre { a, b, of } => {
                let of = self.value(of);
                let (of, by, sums) = (self.row(of), self.own(b), self.n_sums);
                self.n_sums += 1;
                let sums = self.pass([Simple::Row(of)], |to| Pass::SumsAcross { by, of, sums, to });
                product(sums, Simple::Same(self.own(a))).expect("a row and a number")
            }
        }
    }

    /// An operand as a row.
    fn row(&mut self, operand: Simple) -> Row {
        let (what, a, b) = match operand {
            Simple::Row(row) => return row,
            Simple::Scaled(row, same) => (Arithmetic::Multiply, Simple::Row(row), Simple::Same(same)),
            Simple::Product(a, b) => (Arithmetic::Multiply, Simple::Row(a), Simple::Row(b)),
            // A number that meets a matrix.
            Simple::Same(_) => (Arithmetic::Multiply, operand, Simple::Same(ONE)),
        };
        match self.pass([operand], |to| Pass::Binary { what, a, b, to }) {
            Simple::Row(row) => row,
            _ => unreachable!("what is put aside is a row"),
        }
    }

    /// An operand as a row that was put aside.
    fn copied(&mut self, operand: Simple) -> Simple {
        match self.row(operand) {
            of @ (Row::Weights | Row::Feedback) => {
                self.pass([operand], |to| Pass::Each { what: Elementwise::Power(1), of, to })
            }
            row => Simple::Row(row),
        }
    }

    /// A pass that reads `operands`, which nobody does afterwards, and puts a row aside.
    fn pass<const N: usize>(&mut self, operands: [Simple; N], pass: impl FnOnce(usize) -> Pass) -> Simple {
        let to = self.free.pop().unwrap_or_else(|| {
            self.n_aside += 1;
            self.n_aside - 1
        });
        self.passes.push(pass(to));
        for operand in operands {
            let rows = match operand {
                Simple::Row(a) | Simple::Scaled(a, _) => [Some(a), None],
                Simple::Product(a, b) => [Some(a), (a != b).then_some(b)],
                Simple::Same(_) => [None, None],
            };
            self.free.extend(rows.into_iter().flatten().filter_map(|row| match row {
                Row::Aside(number) => Some(number),
                _ => None,
            }));
        }
        Simple::Row(Row::Aside(to))
    }
}

/// The product of two operands as one.
fn product(a: Simple, b: Simple) -> Option<Simple> {
    match (a, b) {
        (Simple::Row(a), Simple::Row(b)) => Some(Simple::Product(a, b)),
        (Simple::Row(row), Simple::Same(same)) | (Simple::Same(same), Simple::Row(row)) => {
            Some(Simple::Scaled(row, same))
        }
        _ => None,
    }
}
