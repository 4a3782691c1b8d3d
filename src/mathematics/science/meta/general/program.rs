//! Terms as programs, what they make of a sample, and back.

use super::elementwise::{each, each_slope, pair, pair_back};
use super::matrix::{Matrix, add, add_scaled, dot, sum};
use super::rows::{RowAdjoints, RowMachine, Sources, Values};
use super::signals::{Adjoints, Signals};
use crate::kernels::program::{
    Arithmetic, Elementwise, Extent, Id, Operand, Program, RowOperation, Rows, Seen, Side, Step,
};
use crate::science::plasticity::{Form, Signal, Synapses, Term};

/// Values that the neurons of a layer remember for a term.
pub(super) type Memory = Vec<Vec<f64>>;

/// A term of a rule between two layers.
#[derive(Clone, Debug)]
pub(super) struct LayerTerm {
    program: Program,
    /// Whether each step depends on weights.
    varies: Vec<bool>,
    layer: usize,
    /// n_{ℓ-1} and n_ℓ.
    sizes: [usize; 2],
}

/// What a term finds at its synapses.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub w: &'a Matrix,
    pub b: Option<&'a Matrix>,
    pub signals: &'a Signals,
    pub memory: &'a Memory,
}

/// The adjoints of a [`Site`].
pub(super) struct SiteAdjoints<'a> {
    pub w: &'a mut Matrix,
    /// None where B has no derivative.
    pub b: Option<&'a mut Matrix>,
    pub signals: &'a mut Adjoints,
    /// Of what was remembered before the sample.
    pub memory: &'a mut Memory,
}

impl LayerTerm {
    /// Into `layer`, between layers of these sizes. Where B is Wᵀ, `feedback_is_forward`, what reads the one reads the other.
    pub(super) fn new(term: &Term, layer: usize, sizes: [usize; 2], feedback_is_forward: bool) -> Self {
        let mut program = program_of(term);
        if feedback_is_forward {
            // A row of Wᵀ, looked at from layer ℓ − 1, is a row of W.
            let steps = program.steps.iter_mut().filter_map(|(step, _)| match step {
                Step::Reduce { rows, .. } => Some(rows),
                _ => None,
            });
            steps.chain([&mut program.result]).for_each(read_weights_for_feedback);
        }
        let mut varies: Vec<bool> = Vec::new();
        for (step, _) in &program.steps {
            varies.push(match step {
                // The image is what it is.
                Step::Seen(Seen::PreActivation) => layer > 1,
                Step::Number(_) | Step::Seen(Seen::Label | Seen::Noise) => false,
                Step::Each(_, a) | Step::Sum(a) | Step::Mean(a) | Step::Max(a) => varies[*a],
                Step::Binary(_, a, b) | Step::Dot(a, b) => varies[*a] || varies[*b],
                Step::Seen(_) | Step::State(_) | Step::Reduce { .. } => true,
            });
        }
        Self { program, varies, layer, sizes }
    }

    pub(super) fn reads(&self, signal: Seen) -> bool {
        self.program.reads(signal)
    }

    /// As it is before the first sample.
    pub(super) fn memory(&self) -> Memory {
        let state = self.program.state.iter();
        state.map(|(start, extent)| vec![f64::from(*start); self.length(*extent)]).collect()
    }

    fn length(&self, extent: Extent) -> usize {
        match extent {
            Extent::Number => 1,
            Extent::Vector(side) => self.sizes[side as usize],
        }
    }

    /// All numbers and vectors of the equation.
    pub(super) fn values(&self, site: Site<'_>) -> Values {
        let mut values: Values = Vec::with_capacity(self.program.steps.len());
        for (step, extent) in &self.program.steps {
            let made = match step {
                Step::Number(number) => vec![f64::from(*number)],
                Step::Seen(signal) => site.signals.seen(*signal, self.layer),
                Step::State(number) => site.memory[*number].clone(),
                Step::Each(what, a) => values[*a].iter().map(|&a| each(*what, a)).collect(),
                Step::Binary(what, a, b) => {
                    let (a, b) = (&values[*a], &values[*b]);
                    (0..self.length(*extent)).map(|k| pair(*what, at(a, k), at(b, k))).collect()
                }
                Step::Dot(a, b) => vec![dot(&values[*a], &values[*b])],
                Step::Sum(a) => vec![sum(&values[*a])],
                Step::Mean(a) => vec![sum(&values[*a]) / values[*a].len() as f64],
                Step::Max(a) => vec![values[*a][largest(&values[*a])]],
                Step::Reduce { rows, by, over } => {
                    let mut machine = RowMachine::new(rows, self.sources(&values, site));
                    let by = &values[*by];
                    let mut reduced = vec![0.0; self.length(*extent)];
                    for i in 0..self.sizes[0] {
                        let Some((factor, row)) = machine.row(i) else { continue };
                        match over {
                            Side::Post => reduced[i] = factor * dot(row, by),
                            Side::Pre => add_scaled(by[i] * factor, row, &mut reduced),
                        }
                    }
                    reduced
                }
            };
            values.push(made);
        }
        values
    }

    fn sources<'a>(&'a self, values: &'a Values, site: Site<'a>) -> Sources<'a> {
        Sources { values, varies: &self.varies, w: site.w, b: site.b }
    }

    /// Adds θ times what the equation says, T, to the matrix that it moves.
    pub(super) fn learn(&self, theta: f64, values: &Values, site: Site<'_>, target: &mut Matrix) {
        let mut machine = RowMachine::new(&self.program.result, self.sources(values, site));
        for i in 0..self.sizes[0] {
            if let Some((factor, row)) = machine.row(i) {
                add_scaled(theta * factor, row, target.row_mut(i));
            }
        }
    }

    /// What neurons remember after the sample.
    pub(super) fn remember(&self, values: &Values) -> Memory {
        self.program.updates.iter().map(|&id| values[id].clone()).collect()
    }

    /// From V, the adjoint of the matrix that the term moves, and that of what is remembered after the sample: ∂loss/∂θ = V · T,
    /// T̄ = θ V, and from there to all that T reads.
    pub(super) fn back(
        &self,
        theta: f64,
        values: &Values,
        site: Site<'_>,
        v: &Matrix,
        remembered: &Memory,
        to: &mut SiteAdjoints<'_>,
    ) -> f64 {
        let mut bars: Values = values.iter().map(|value| vec![0.0; value.len()]).collect();
        for (&id, bar) in self.program.updates.iter().zip(remembered) {
            add(bar, &mut bars[id]);
        }
        let mut of_theta = 0.0;
        let mut machine = RowMachine::new(&self.program.result, self.sources(values, site));
        machine.turn();
        for i in (0..self.sizes[0]).rev() {
            let Some((factor, row)) = machine.row(i) else { continue };
            of_theta += factor * dot(v.row(i), row);
            let b = to.b.as_deref_mut().map(|b| b.row_mut(i));
            machine.row_back(i, (theta, v.row(i)), RowAdjoints { values: &mut bars, w: to.w.row_mut(i), b });
        }
        self.values_back(values, site, bars, to);
        of_theta
    }

    /// From the adjoints of numbers and vectors to those of what they are made of.
    fn values_back(&self, values: &Values, site: Site<'_>, mut bars: Values, to: &mut SiteAdjoints<'_>) {
        for (id, (step, _)) in self.program.steps.iter().enumerate().rev().filter(|(id, _)| self.varies[*id]) {
            let bar = std::mem::take(&mut bars[id]);
            match step {
                Step::Number(_) => {}
                Step::Seen(signal) => to.signals.add(*signal, self.layer, &bar),
                Step::State(number) => add(&bar, &mut to.memory[*number]),
                Step::Each(what, a) => {
                    for (k, bar) in bar.iter().enumerate() {
                        bars[*a][k] += bar * each_slope(*what, values[*a][k], values[id][k]);
                    }
                }
                Step::Binary(what, a, b) => {
                    for (k, &bar) in bar.iter().enumerate() {
                        let [to_a, to_b] = pair_back(*what, at(&values[*a], k), at(&values[*b], k), bar);
                        *at_mut(&mut bars[*a], k) += to_a;
                        *at_mut(&mut bars[*b], k) += to_b;
                    }
                }
                Step::Dot(a, b) => {
                    add_scaled(bar[0], &values[*b], &mut bars[*a]);
                    add_scaled(bar[0], &values[*a], &mut bars[*b]);
                }
                Step::Sum(a) => bars[*a].iter_mut().for_each(|a| *a += bar[0]),
                Step::Mean(a) => {
                    let n = bars[*a].len() as f64;
                    bars[*a].iter_mut().for_each(|a| *a += bar[0] / n);
                }
                Step::Max(a) => bars[*a][largest(&values[*a])] += bar[0],
                Step::Reduce { rows, by, over } => {
                    let mut machine = RowMachine::new(rows, self.sources(values, site));
                    machine.turn();
                    let by_values = &values[*by];
                    for i in (0..self.sizes[0]).rev() {
                        let Some((factor, row)) = machine.row(i) else { continue };
                        let row_bar = match over {
                            Side::Post => {
                                add_scaled(bar[i] * factor, row, &mut bars[*by]);
                                (bar[i], &by_values[..])
                            }
                            Side::Pre => {
                                bars[*by][i] += factor * dot(row, &bar);
                                (by_values[i], &bar[..])
                            }
                        };
                        let b = to.b.as_deref_mut().map(|b| b.row_mut(i));
                        machine.row_back(i, row_bar, RowAdjoints { values: &mut bars, w: to.w.row_mut(i), b });
                    }
                }
            }
        }
    }
}

/// Where the largest is, the first of equals, or what is not a number.
fn largest(values: &[f64]) -> usize {
    let mut most = 0;
    for (k, &x) in values.iter().enumerate() {
        if x > values[most] || (x.is_nan() && !values[most].is_nan()) {
            most = k;
        }
    }
    most
}

/// A number stands in every place.
fn at(value: &[f64], k: usize) -> f64 {
    value[if value.len() == 1 { 0 } else { k }]
}

fn at_mut(value: &mut [f64], k: usize) -> &mut f64 {
    &mut value[if value.len() == 1 { 0 } else { k }]
}

fn read_weights_for_feedback(rows: &mut Rows) {
    let exchange = |operand: &mut Operand| {
        if *operand == Operand::Feedback {
            *operand = Operand::Weights;
        }
    };
    for operation in &mut rows.0 {
        match operation {
            RowOperation::Each(_, a) => exchange(a),
            RowOperation::Binary(_, a, b) => [a, b].into_iter().for_each(exchange),
            RowOperation::RunningPost { of, .. } | RowOperation::RunningPre { of, .. } => exchange(of),
        }
    }
}

/// What a term computes: of a written one that is known, and what is shipped is written here.
fn program_of(term: &Term) -> Program {
    let own = match term.synapses {
        Synapses::Forward => Operand::Weights,
        Synapses::Feedback => Operand::Feedback,
    };
    let (left, right) = match &term.form {
        Form::Written(equation) => return equation.program().clone(),
        Form::Decay => {
            let result = Rows(vec![RowOperation::Each(Elementwise::Negate, own)]);
            return Program { steps: Vec::new(), result, updates: Vec::new(), state: Vec::new() };
        }
        Form::Outer { left, right } => (left, right),
    };
    let mut steps = Vec::new();
    let (post, pre) = match term.synapses {
        Synapses::Forward => (left, right),
        Synapses::Feedback => (right, left),
    };
    let [post, pre] = [post, pre].map(|parts| combination(parts, &mut steps));
    let product = RowOperation::Binary(Arithmetic::Multiply, Operand::Post(post), Operand::Pre(pre));
    Program { steps, result: Rows(vec![product]), updates: Vec::new(), state: Vec::new() }
}

/// A weighted sum of signals.
fn combination(parts: &[(f64, Signal)], steps: &mut Vec<(Step, Extent)>) -> Id {
    let mut push = |step: Step, extent: Extent| {
        steps.push((step, extent));
        steps.len() - 1
    };
    let mut sum = None;
    for &(factor, signal) in parts {
        let (post, pre) = (Extent::Vector(Side::Post), Extent::Vector(Side::Pre));
        let (seen, extent) = match signal {
            Signal::PreActivation => (push(Step::Seen(Seen::PreActivation), pre), pre),
            Signal::PreError => (push(Step::Seen(Seen::PreError), pre), pre),
            Signal::PostActivation => (push(Step::Seen(Seen::PostActivation), post), post),
            Signal::PostError => (push(Step::Seen(Seen::PostError), post), post),
            Signal::Projection => {
                let by = push(Step::Seen(Seen::PostActivation), post);
                let rows = Rows(vec![RowOperation::Each(Elementwise::Power(1), Operand::Weights)]);
                (push(Step::Reduce { rows, by, over: Side::Post }, pre), pre)
            }
        };
        let weighted = match factor {
            1.0 => seen,
            -1.0 => push(Step::Each(Elementwise::Negate, seen), extent),
            _ => {
                let factor = push(Step::Number(factor as f32), Extent::Number);
                push(Step::Binary(Arithmetic::Multiply, factor, seen), extent)
            }
        };
        sum = Some(match sum {
            None => weighted,
            Some(sum) => push(Step::Binary(Arithmetic::Add, sum, weighted), extent),
        });
    }
    sum.expect("a checked term has factors")
}
