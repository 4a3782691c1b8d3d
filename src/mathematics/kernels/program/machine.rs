//! Passes at work.
//!
//! What a pass does is chosen once for [`ROWS`] rows, and then a loop that was compiled for just that.

use std::ops::Range;

use super::code::{Code, Last, ONE, Pass, ROWS, Row, Same, Simple};
use super::run::each_of;
use super::{Arithmetic, Elementwise};
use crate::kernels::backend::{Backend, Kernel, dispatch};
use crate::kernels::lanes::{Lanes, WIDTH, as_flat, as_flat_mut, each_lane, lanes_for};
use crate::kernels::matrix::InputMajor;
use crate::kernels::simd::Simd;

/// What becomes of a matrix.
pub(super) enum Sink<'a> {
    /// It moves the weights.
    Add { coefficient: f32, target: &'a mut InputMajor },
    /// Σ_j M_ij v_j
    Along { matrix: Row, by: &'a [Lanes], out: &'a mut [Lanes] },
    /// Σ_i M_ij v_i
    Across { matrix: Row, by: &'a [Lanes], out: &'a mut [Lanes] },
}

/// Rows that passes put aside, and sums from row to row.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    aside: Vec<Vec<Lanes>>,
    sums: Vec<Vec<Lanes>>,
}

impl Scratch {
    /// Enough for each of the codes.
    pub(super) fn new<'a>(codes: impl Iterator<Item = &'a Code>, n_post: usize) -> Self {
        let (n_aside, n_sums) = codes.fold((0, 0), |(n, m), code| (n.max(code.n_aside), m.max(code.n_sums)));
        let rows = |n: usize| vec![Lanes::ZERO; n * lanes_for(n_post)];
        Self { aside: vec![rows(ROWS); n_aside], sums: vec![rows(1); n_sums] }
    }
}

/// Lanes of rows that pass together, of the weights and of what is put aside: most of a first-level cache. How many rows that
/// is at least, because sums along rows wait for each other.
const TOGETHER: usize = 400;
const LEAST: usize = 4;

pub(super) struct Machine<'a> {
    pub code: &'a Code,
    /// The values of the steps.
    pub values: &'a [Lanes],
    pub scratch: &'a mut Scratch,
    /// W and B; one that is left out is the one that moves. Each part of a row is read before it is written.
    pub matrices: [Option<&'a InputMajor>; 2],
    /// Of layers ℓ − 1 and ℓ.
    pub sizes: [usize; 2],
    pub sink: Sink<'a>,
}

impl Machine<'_> {
    /// Of weights that move the sum of all distances: no less than any of them, and not finite if one is not.
    pub(super) fn run(self, backend: Backend) -> f64 {
        let Self { code, values, scratch: Scratch { aside, sums }, matrices, sizes: [n_pre, n_post], mut sink } = self;
        let stride = lanes_for(n_post);
        for sums in &mut sums[..] {
            sums.fill(Lanes::ZERO);
        }
        let is_own = |row: Row| match row {
            Row::Weights => matrices[0].is_none(),
            Row::Feedback => matrices[1].is_none(),
            Row::Value(_) | Row::Aside(_) => false,
        };
        let last = Ending::of(code.last, is_own);
        let in_last = n_post - (stride - 1) * WIDTH;
        let kept = Lanes(each_lane!(k => if k < in_last { 1.0 } else { 0.0 }));
        let together = match code.n_aside {
            0 => n_pre,
            n_aside => (TOGETHER / (stride * (1 + n_aside))).clamp(LEAST, ROWS),
        };
        let mut moved = 0.0;
        for first in (0..n_pre).step_by(together) {
            let n = together.min(n_pre - first);
            let block = first * stride..(first + n) * stride;
            for pass in &code.passes {
                let (Pass::Binary { to, .. }
                | Pass::Each { to, .. }
                | Pass::SumsAlong { to, .. }
                | Pass::SumsAcross { to, .. }) = pass;
                // Taken out, so that the others can be read.
                let mut out = std::mem::take(&mut aside[*to]);
                let own = match &sink {
                    Sink::Add { target, .. } => &target.lanes()[block.clone()],
                    Sink::Along { .. } | Sink::Across { .. } => &[],
                };
                Rows { values, aside, matrices: of_block(matrices, &block, own), stride, kept: &kept, first, n }
                    .pass(backend, pass, sums, &mut out);
                aside[*to] = out;
            }
            let rows = Rows { values, aside, matrices: of_block(matrices, &block, &[]), stride, kept: &kept, first, n };
            match &mut sink {
                Sink::Add { coefficient, target } => {
                    moved += rows.add(backend, &last, *coefficient, &mut target.lanes_mut()[block]);
                }
                Sink::Along { matrix, by, out } => {
                    dispatch(backend, Along { rows, matrix: *matrix, by, out: as_flat_mut(out) });
                }
                Sink::Across { matrix, by, out } => {
                    dispatch(backend, Across { rows, matrix: *matrix, by: as_flat(by), out });
                }
            }
        }
        moved
    }
}

/// These rows of W and of B, which are the `own` ones of a matrix that moves. Where errors do not come from layer to layer, B has
/// another shape, and no program reads it.
#[inline]
fn of_block<'a>(matrices: [Option<&'a InputMajor>; 2], block: &Range<usize>, own: &'a [Lanes]) -> [&'a [Lanes]; 2] {
    // No `map`, which could be left as a call.
    let [weights, feedback] = matrices;
    let of = |matrix: &'a InputMajor| matrix.lanes().get(block.start..block.end).unwrap_or(&[]);
    [
        if let Some(weights) = weights { of(weights) } else { own },
        if let Some(feedback) = feedback { of(feedback) } else { own },
    ]
}

/// What passes over some rows read.
#[derive(Clone, Copy)]
struct Rows<'a> {
    values: &'a [Lanes],
    aside: &'a [Vec<Lanes>],
    /// Of W and of B these rows alone.
    matrices: [&'a [Lanes]; 2],
    stride: usize,
    /// 1 in each place of the last part of a row that is not padding.
    kept: &'a Lanes,
    first: usize,
    n: usize,
}

/// Kinds of operands, for which loops are compiled.
mod kind {
    pub(super) const ROW: u8 = 0;
    pub(super) const SAME: u8 = 1;
    pub(super) const SCALED: u8 = 2;
    pub(super) const PRODUCT: u8 = 3;
    /// The row that moves, by itself, times a number, times a row, or times itself.
    pub(super) const OWN: u8 = 4;
    pub(super) const OWN_SCALED: u8 = 5;
    pub(super) const OWN_PRODUCT: u8 = 6;
    pub(super) const OWN_SQUARE: u8 = 7;
}

/// Operations, for which loops are compiled.
mod op {
    pub(super) const ADD: u8 = 0;
    pub(super) const SUBTRACT: u8 = 1;
    pub(super) const MULTIPLY: u8 = 2;
    pub(super) const DIVIDE: u8 = 3;
    /// b − a
    pub(super) const FROM: u8 = 4;
    /// b
    pub(super) const ONLY: u8 = 5;
}

/// Evaluates the body with the constant of which a variable has the value.
macro_rules! with_constant {
    ($value:expr, $name:ident in $module:ident: $($choice:ident)* => $body:expr) => {
        match $value {
            $($module::$choice => {
                const $name: u8 = $module::$choice;
                $body
            })*
            _ => unreachable!("no pass is made for it"),
        }
    };
}

/// An operand, of the kind that stands beside it.
#[derive(Clone, Copy)]
struct Operand {
    kind: u8,
    row: Row,
    other: Row,
    same: Same,
}

/// What is named where no row is read; where no number is, it is 1.
const NOTHING: Row = Row::Value(0);

impl Operand {
    fn of(simple: Simple) -> Self {
        let (kind, row, other, same) = match simple {
            Simple::Row(row) => (kind::ROW, row, NOTHING, ONE),
            Simple::Same(same) => (kind::SAME, NOTHING, NOTHING, same),
            Simple::Scaled(row, same) => (kind::SCALED, row, NOTHING, same),
            Simple::Product(row, other) => (kind::PRODUCT, row, other, ONE),
        };
        Self { kind, row, other, same }
    }

    /// The same, a row being a row times 1.
    fn scaled(self) -> Self {
        match self.kind {
            kind::ROW => Self { kind: kind::SCALED, ..self },
            kind::OWN => Self { kind: kind::OWN_SCALED, ..self },
            _ => self,
        }
    }

    /// The same, where the row that moves is not read from the matrix.
    fn of_moving(simple: Simple, is_own: impl Fn(Row) -> bool) -> Self {
        let operand = Self::of(simple);
        let kind = match (operand.kind, is_own(operand.row), is_own(operand.other)) {
            (kind::ROW, true, _) => kind::OWN,
            (kind::SCALED, true, _) => kind::OWN_SCALED,
            (kind::PRODUCT, true, true) => kind::OWN_SQUARE,
            (kind::PRODUCT, true, false) => return Self { kind: kind::OWN_PRODUCT, row: operand.other, ..operand },
            (kind::PRODUCT, false, true) => kind::OWN_PRODUCT,
            (kind, _, _) => kind,
        };
        Self { kind, ..operand }
    }
}

/// Rows that an operand is made of: all of them, and how far it is from one to the next.
#[derive(Clone, Copy)]
struct Lines<'a> {
    all: &'a [Lanes],
    step: usize,
}

/// An operand as it lies.
#[derive(Clone, Copy)]
struct Lying<'a> {
    row: Lines<'a>,
    other: Lines<'a>,
    /// The number of the first row and of those that follow, or the only one.
    same: &'a [f32],
    bits: usize,
}

impl Lying<'_> {
    #[inline(always)]
    fn same<S: Simd>(&self, simd: S, r: usize) -> S::V {
        simd.splat(self.same[r & self.bits])
    }
}

/// A part of an operand, where `own` is that part of the row that moves.
#[inline(always)]
fn part<S: Simd, const KIND: u8>(simd: S, row: &[Lanes], other: &[Lanes], same: S::V, t: usize, own: S::V) -> S::V {
    match KIND {
        kind::ROW => simd.load(&row[t]),
        kind::SAME => same,
        kind::SCALED => simd.mul(simd.load(&row[t]), same),
        kind::PRODUCT => simd.mul(simd.load(&row[t]), simd.load(&other[t])),
        kind::OWN => own,
        kind::OWN_SCALED => simd.mul(own, same),
        kind::OWN_PRODUCT => simd.mul(simd.load(&row[t]), own),
        _ => simd.mul(own, own),
    }
}

#[inline(always)]
fn reads_row(kind: u8) -> bool {
    matches!(kind, kind::ROW | kind::SCALED | kind::PRODUCT | kind::OWN_PRODUCT)
}

impl<'a> Lines<'a> {
    /// So many lanes of row r; none if they are not read.
    #[inline(always)]
    fn of(self, is_read: bool, r: usize, lanes: usize) -> &'a [Lanes] {
        if is_read { &self.all[r * self.step..][..lanes] } else { &[] }
    }
}

#[inline(always)]
fn operate<S: Simd, const OP: u8>(simd: S, a: S::V, b: S::V) -> S::V {
    match OP {
        op::ADD => simd.add(a, b),
        op::SUBTRACT => simd.sub(a, b),
        op::MULTIPLY => simd.mul(a, b),
        op::DIVIDE => simd.div(a, b),
        op::FROM => simd.sub(b, a),
        _ => b,
    }
}

fn op_of(what: Arithmetic) -> u8 {
    match what {
        Arithmetic::Add => op::ADD,
        Arithmetic::Subtract => op::SUBTRACT,
        Arithmetic::Multiply => op::MULTIPLY,
        Arithmetic::Divide => op::DIVIDE,
    }
}

/// How the last pass of weights that move reads its operands, of which at most one is the row that moves: the last, so that
/// half as many loops do.
enum Ending {
    Two { op: u8, a: Operand, b: Operand },
    Three { op: u8, signs: Signs, operands: [Operand; 3] },
}

/// 1 or −1, so that one loop does for sums and for differences. A product with them is exact.
#[derive(Clone, Copy)]
struct Signs {
    /// Of a and of b, which are numbers of their products.
    a: f32,
    b: f32,
    c: f32,
    /// Of all that a meets.
    inner: f32,
}

impl Ending {
    fn of(last: Last, is_own: impl Fn(Row) -> bool) -> Self {
        let of = |simple: Simple| Operand::of_moving(simple, &is_own);
        match last {
            Last::One(only) => Self::Two { op: op::ONLY, a: of(Simple::Same(ONE)), b: of(only) },
            Last::Two(what, a, b) => match (op_of(what), of(a), of(b)) {
                (op, a, b) if a.kind < kind::OWN => Self::Two { op, a, b },
                (op::SUBTRACT, a, b) => Self::Two { op: op::FROM, a: b, b: a },
                (op, a, b) => Self::Two { op, a: b, b: a },
            },
            Last::Three { outer, a, is_first, inner, b, c } => {
                let minus = |is_minus: bool| if is_minus { -1.0 } else { 1.0 };
                let is_difference = outer == Arithmetic::Subtract;
                let (a, mut b, mut c) = (of(a).scaled(), of(b).scaled(), of(c).scaled());
                let mut signs = Signs {
                    a: minus(is_difference && !is_first),
                    b: 1.0,
                    c: minus(inner == Arithmetic::Subtract),
                    inner: minus(is_difference && is_first),
                };
                if b.kind >= kind::OWN || (c.kind == kind::SAME && b.kind != kind::SAME) {
                    (b, c) = (c, b);
                    (signs.b, signs.c) = (signs.c, signs.b);
                }
                let op = if outer == Arithmetic::Multiply { op::MULTIPLY } else { op::ADD };
                Self::Three { op, signs, operands: [a, b, c] }
            }
        }
    }
}

impl<'a> Rows<'a> {
    #[inline]
    fn lines(&self, row: Row) -> Lines<'a> {
        let stride = self.stride;
        match row {
            Row::Weights => Lines { all: self.matrices[0], step: stride },
            Row::Feedback => Lines { all: self.matrices[1], step: stride },
            Row::Value(at) => Lines { all: &self.values[at..], step: 0 },
            Row::Aside(number) => Lines { all: &self.aside[number][..], step: stride },
        }
    }

    /// The numbers of these rows, or the only one.
    #[inline]
    fn same(&self, Same { at, bits }: Same) -> &'a [f32] {
        &as_flat(self.values)[at + (self.first & bits)..]
    }

    #[inline]
    fn lying(&self, operand: &Operand) -> Lying<'a> {
        Lying {
            row: self.lines(operand.row),
            other: self.lines(operand.other),
            same: self.same(operand.same),
            bits: operand.same.bits,
        }
    }

    fn pass(&self, backend: Backend, pass: &Pass, sums: &mut [Vec<Lanes>], out: &mut [Lanes]) {
        let (n, stride) = (self.n, self.stride);
        let out = &mut out[..n * stride];
        match pass {
            Pass::Binary { what, a, b, .. } => {
                let (a, b) = (Operand::of(*a), Operand::of(*b));
                let operands = [self.lying(&a), self.lying(&b)];
                with_constant!(a.kind, A in kind: ROW SAME SCALED PRODUCT =>
                    with_constant!(b.kind, B in kind: ROW SAME SCALED PRODUCT =>
                        with_constant!(op_of(*what), OP in op: ADD SUBTRACT MULTIPLY DIVIDE =>
                            dispatch(backend, Binary::<A, B, OP> { operands: &operands, n, out }))));
            }
            Pass::Each { what, of, .. } => dispatch(backend, Each { what: *what, of: self.lines(*of), n, out }),
            Pass::SumsAlong { by, of, .. } => {
                let by = &self.values[*by..][..stride];
                dispatch(backend, SumsAlong { by, of: self.lines(*of), n, out });
            }
            Pass::SumsAcross { by, of, sums: number, .. } => {
                let (by, sums) = (self.same(*by), &mut sums[*number][..]);
                dispatch(backend, SumsAcross { by, of: self.lines(*of), sums, n, out });
            }
        }
    }

    /// The sum of the distances that weights move by.
    fn add(&self, backend: Backend, ending: &Ending, by: f32, weights: &mut [Lanes]) -> f64 {
        let (n, kept) = (self.n, self.kept);
        let (op, a, b) = match ending {
            Ending::Two { op, a, b } => (*op, a, b),
            Ending::Three { op, signs, operands: [a, b, c] } => {
                let operands = &[self.lying(a), self.lying(b), self.lying(c)];
                let signs = *signs;
                return with_constant!(b.kind, B in kind: SAME SCALED PRODUCT =>
                    with_constant!(c.kind, C in kind: SAME SCALED PRODUCT OWN_SCALED OWN_PRODUCT OWN_SQUARE =>
                        with_constant!(*op, OP in op: ADD MULTIPLY =>
                            dispatch(backend, MoveByThree::<B, C, OP> { operands, signs, n, kept, by, weights }))));
            }
        };
        let operands = &[self.lying(a), self.lying(b)];
        if op == op::ONLY {
            return with_constant!(b.kind, B in kind: ROW SCALED PRODUCT OWN OWN_SCALED OWN_PRODUCT OWN_SQUARE =>
                dispatch(backend, Move::<{ kind::SAME }, B, { op::ONLY }> { operands, n, kept, by, weights }));
        }
        if b.kind < kind::OWN {
            return with_constant!(a.kind, A in kind: ROW SAME SCALED PRODUCT =>
                with_constant!(b.kind, B in kind: ROW SAME SCALED PRODUCT =>
                    with_constant!(op, OP in op: ADD SUBTRACT MULTIPLY =>
                        dispatch(backend, Move::<A, B, OP> { operands, n, kept, by, weights }))));
        }
        with_constant!(a.kind, A in kind: ROW SAME SCALED PRODUCT =>
            with_constant!(b.kind, B in kind: OWN OWN_SCALED OWN_PRODUCT OWN_SQUARE =>
                with_constant!(op, OP in op: ADD SUBTRACT MULTIPLY FROM =>
                    dispatch(backend, Move::<A, B, OP> { operands, n, kept, by, weights }))))
    }
}

/// Puts aside an operation on two operands.
struct Binary<'a, const A: u8, const B: u8, const OP: u8> {
    operands: &'a [Lying<'a>; 2],
    n: usize,
    out: &'a mut [Lanes],
}

impl<const A: u8, const B: u8, const OP: u8> Kernel for Binary<'_, A, B, OP> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { operands: [a, b], n, out } = self;
        let (stride, nothing) = (out.len() / n, simd.splat(0.0));
        for (r, out) in out.chunks_exact_mut(stride).enumerate() {
            let lanes = out.len();
            let (a_row, b_row) = (a.row.of(reads_row(A), r, lanes), b.row.of(reads_row(B), r, lanes));
            let a_other = a.other.of(A == kind::PRODUCT, r, lanes);
            let b_other = b.other.of(B == kind::PRODUCT, r, lanes);
            let (a_same, b_same) = (a.same(simd, r), b.same(simd, r));
            for t in 0..lanes {
                let a = part::<S, A>(simd, a_row, a_other, a_same, t, nothing);
                let b = part::<S, B>(simd, b_row, b_other, b_same, t, nothing);
                simd.store(operate::<S, OP>(simd, a, b), &mut out[t]);
            }
        }
    }
}

/// Adds to each row of `weights` what the body says of its part `t`, where `own` is that part, and returns the sum of the
/// distances. A macro and no function of a closure, which could be left as a call.
macro_rules! move_rows {
    ($simd:ident, $n:ident, $kept:ident, $by:ident, $weights:ident, |$r:ident, $lanes:ident| {$($row:tt)*},
     |$t:ident, $own:ident| $value:expr) => {{
        let (stride, by, zero) = ($weights.len() / $n, $simd.splat($by), $simd.splat(0.0));
        let (kept, mut all) = ($simd.load($kept), zero);
        for ($r, weights) in $weights.chunks_exact_mut(stride).enumerate() {
            let $lanes = weights.len();
            $($row)*
            // Two sums, because each waits for itself.
            let mut moved = [zero; 2];
            macro_rules! step {
                ($at:expr, $weights_at:expr, $sum:expr, |$found:ident| $kept_of:expr) => {
                    let ($t, $own) = ($at, $simd.load($weights_at));
                    let $found = $value;
                    let step = $simd.mul(by, $kept_of);
                    $simd.store($simd.add($own, step), $weights_at);
                    moved[$sum] = $simd.add(moved[$sum], $simd.abs(step));
                };
            }
            let Some((last, weights)) = weights.split_last_mut() else { break };
            for two in 0..weights.len() / 2 {
                step!(2 * two, &mut weights[2 * two], 0, |value| value);
                step!(2 * two + 1, &mut weights[2 * two + 1], 1, |value| value);
            }
            if weights.len() % 2 > 0 {
                step!(weights.len() - 1, &mut weights[weights.len() - 1], 0, |value| value);
            }
            // What pads it may be anything by now.
            step!(weights.len(), last, 1, |value| $simd.choose(kept, value, zero, zero));
            all = $simd.add(all, $simd.add(moved[0], moved[1]));
        }
        f64::from($simd.sum(all))
    }};
}

/// Moves weights by an operation on two operands, times a coefficient.
struct Move<'a, const A: u8, const B: u8, const OP: u8> {
    operands: &'a [Lying<'a>; 2],
    n: usize,
    kept: &'a Lanes,
    by: f32,
    weights: &'a mut [Lanes],
}

impl<const A: u8, const B: u8, const OP: u8> Kernel for Move<'_, A, B, OP> {
    /// The sum of the distances.
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f64 {
        let Self { operands: [a, b], n, kept, by, weights } = self;
        move_rows!(
            simd,
            n,
            kept,
            by,
            weights,
            |r, lanes| {
                let (a_row, b_row) = (a.row.of(reads_row(A), r, lanes), b.row.of(reads_row(B), r, lanes));
                let a_other = a.other.of(A == kind::PRODUCT, r, lanes);
                let b_other = b.other.of(B == kind::PRODUCT, r, lanes);
                let (a_same, b_same) = (a.same(simd, r), b.same(simd, r));
            },
            |t, own| {
                let a = part::<S, A>(simd, a_row, a_other, a_same, t, own);
                let b = part::<S, B>(simd, b_row, b_other, b_same, t, own);
                operate::<S, OP>(simd, a, b)
            }
        )
    }
}

/// Moves weights by a · (±b ± c), or a ± (±b ± c), where a is a row times a number.
struct MoveByThree<'a, const B: u8, const C: u8, const OP: u8> {
    operands: &'a [Lying<'a>; 3],
    signs: Signs,
    n: usize,
    kept: &'a Lanes,
    by: f32,
    weights: &'a mut [Lanes],
}

impl<const B: u8, const C: u8, const OP: u8> Kernel for MoveByThree<'_, B, C, OP> {
    /// The sum of the distances.
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f64 {
        let Self { operands: [a, b, c], signs, n, kept, by, weights } = self;
        let (sign_a, sign_b) = (simd.splat(signs.a), simd.splat(signs.b));
        let (sign_c, sign_inner) = (simd.splat(signs.c), simd.splat(signs.inner));
        move_rows!(
            simd,
            n,
            kept,
            by,
            weights,
            |r, lanes| {
                let a_row = a.row.of(true, r, lanes);
                let (b_row, c_row) = (b.row.of(reads_row(B), r, lanes), c.row.of(reads_row(C), r, lanes));
                let b_other = b.other.of(B == kind::PRODUCT, r, lanes);
                let c_other = c.other.of(C == kind::PRODUCT, r, lanes);
                let (a_same, c_same) = (simd.mul(a.same(simd, r), sign_a), c.same(simd, r));
                let b_same = simd.mul(b.same(simd, r), sign_b);
            },
            |t, own| {
                let a = simd.mul(simd.load(&a_row[t]), a_same);
                let b = part::<S, B>(simd, b_row, b_other, b_same, t, own);
                let b = if B == kind::PRODUCT { simd.mul(b, sign_b) } else { b };
                let c = part::<S, C>(simd, c_row, c_other, c_same, t, own);
                let inner = simd.mul_add(sign_c, c, b);
                if OP == op::MULTIPLY { simd.mul(a, inner) } else { simd.mul_add(sign_inner, inner, a) }
            }
        )
    }
}

/// Puts aside a function of each element.
struct Each<'a> {
    what: Elementwise,
    of: Lines<'a>,
    n: usize,
    out: &'a mut [Lanes],
}

impl Kernel for Each<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { what, of, n, out } = self;
        let stride = out.len() / n;
        for (r, out) in out.chunks_exact_mut(stride).enumerate() {
            let of = of.of(true, r, out.len());
            each_of(simd, what, of, out);
        }
    }
}

/// Puts aside sums along rows: one waits for the one before it, so those of several rows run side by side.
struct SumsAlong<'a> {
    by: &'a [Lanes],
    of: Lines<'a>,
    n: usize,
    out: &'a mut [Lanes],
}

impl Kernel for SumsAlong<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { by, of, n, out } = self;
        let stride = by.len();
        let mut sums = [0.0_f32; ROWS];
        for t in 0..stride {
            let by = by[t].0;
            for r in 0..n {
                let of = of.all[r * of.step + t].0;
                let products = each_lane!(k => by[k] * of[k]);
                // One by one where they belong: whoever reads them all at once comes much later.
                let (out, mut sum) = (&mut out[r * stride + t].0, sums[r]);
                for k in 0..WIDTH {
                    sum += products[k];
                    out[k] = sum;
                }
                sums[r] = sum;
            }
        }
    }
}

/// Puts aside sums from row to row.
struct SumsAcross<'a> {
    by: &'a [f32],
    of: Lines<'a>,
    sums: &'a mut [Lanes],
    n: usize,
    out: &'a mut [Lanes],
}

impl Kernel for SumsAcross<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { by, of, sums, n, out } = self;
        let stride = out.len() / n;
        for (r, out) in out.chunks_exact_mut(stride).enumerate() {
            let (by, of, sums) = (simd.splat(by[r]), of.of(true, r, out.len()), &mut sums[..out.len()]);
            for t in 0..out.len() {
                let sum = simd.add(simd.load(&sums[t]), simd.mul(by, simd.load(&of[t])));
                simd.store(sum, &mut sums[t]);
                simd.store(sum, &mut out[t]);
            }
        }
    }
}

/// Σ_j M_ij v_j
struct Along<'a> {
    rows: Rows<'a>,
    matrix: Row,
    by: &'a [Lanes],
    out: &'a mut [f32],
}

impl Kernel for Along<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { rows, matrix, by, out } = self;
        let (matrix, zero, kept) = (rows.lines(matrix), simd.splat(0.0), simd.load(rows.kept));
        let last = by.len() - 1;
        for r in 0..rows.n {
            let matrix = matrix.of(true, r, by.len());
            let mut sums = zero;
            for t in 0..last {
                sums = simd.add(sums, simd.mul(simd.load(&matrix[t]), simd.load(&by[t])));
            }
            let value = simd.choose(kept, simd.load(&matrix[last]), zero, zero);
            sums = simd.add(sums, simd.mul(value, simd.load(&by[last])));
            out[rows.first + r] = simd.sum(sums);
        }
    }
}

/// Σ_i M_ij v_i
struct Across<'a> {
    rows: Rows<'a>,
    matrix: Row,
    by: &'a [f32],
    out: &'a mut [Lanes],
}

impl Kernel for Across<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { rows, matrix, by, out } = self;
        let matrix = rows.lines(matrix);
        for r in 0..rows.n {
            let (matrix, by) = (matrix.of(true, r, out.len()), simd.splat(by[rows.first + r]));
            for t in 0..out.len() {
                simd.store(simd.add(simd.load(&out[t]), simd.mul(simd.load(&matrix[t]), by)), &mut out[t]);
            }
        }
    }
}
