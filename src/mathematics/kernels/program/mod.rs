//! What an equation computes, in the order in which it is computed: numbers and vectors one after the other, then the matrix
//! row by row.
//!
//! All matrices are looked at from the side of layer ℓ − 1, as the kernels hold them: a row for each of its units, with an
//! entry for each unit of layer ℓ. A product of matrices never appears: what is left is elementwise, or adds along one side.

mod code;
mod machine;
mod run;

pub(crate) use run::{Beyond, Evaluator, SynapseSignals};

/// The place of a number or a vector among the steps.
pub(crate) type Id = usize;

/// Whose units a vector has an entry for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Layer ℓ − 1.
    Pre,
    /// Layer ℓ.
    Post,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Number,
    Vector(Side),
}

/// A vector or a number that synapses see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    PreActivation,
    PostActivation,
    PreError,
    PostError,
    /// z_ℓ
    Potential,
    /// The onehot at the output, zeros before it.
    Label,
    /// N(0, 1) for each neuron of layer ℓ.
    Noise,
    SettledPre,
    SettledPost,
    /// A number, as the next one.
    Loss,
    LossChange,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// What is applied to each element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elementwise {
    Negate,
    Sign,
    Relu,
    Tanh,
    Exp,
    Abs,
    Threshold,
    /// x multiplied by itself so many times, from left to right.
    Power(u32),
}

/// A number or a vector.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Number(f32),
    Seen(Seen),
    /// A value that the neurons remember, as it was before this sample.
    State(usize),
    Each(Elementwise, Id),
    Binary(Arithmetic, Id, Id),
    /// Σ_k a_k b_k
    Dot(Id, Id),
    Sum(Id),
    Mean(Id),
    Max(Id),
    /// Σ_j M_ij v_j over layer ℓ, or Σ_i M_ij v_i over layer ℓ − 1.
    Reduce {
        rows: Rows,
        by: Id,
        over: Side,
    },
}

/// Where an operation on a row finds what it works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    Weights,
    Feedback,
    /// An earlier operation.
    Row(usize),
    /// An entry for each unit of layer ℓ.
    Post(Id),
    /// The entry of the row's own unit.
    Pre(Id),
    Number(Id),
}

/// An operation on row i.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowOperation {
    Each(Elementwise, Operand),
    Binary(Arithmetic, Operand, Operand),
    /// a_j Σ_{k≤j} b_k M_ik, along the row.
    RunningPost {
        a: Id,
        b: Id,
        of: Operand,
    },
    /// a_i Σ_{k≤i} b_k M_kj, from row to row; the sums are the row operation's own.
    RunningPre {
        a: Id,
        b: Id,
        of: Operand,
    },
}

/// A matrix: the result of its last operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rows(pub Vec<RowOperation>);

impl Rows {
    pub(crate) fn operands(&self) -> impl Iterator<Item = Operand> + '_ {
        self.0
            .iter()
            .flat_map(|operation| match *operation {
                RowOperation::Each(_, a) => [Some(a), None],
                RowOperation::Binary(_, a, b) => [Some(a), Some(b)],
                RowOperation::RunningPost { of, .. } | RowOperation::RunningPre { of, .. } => [Some(of), None],
            })
            .flatten()
    }
}

/// All of an equation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Program {
    pub steps: Vec<(Step, Extent)>,
    pub result: Rows,
    /// What each value of the state becomes.
    pub updates: Vec<Id>,
    /// Where each value of the state begins, and whose units have it.
    pub state: Vec<(f32, Extent)>,
}

impl Program {
    /// All matrices that are read along the way, and the result.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Rows> {
        let along = self.steps.iter().filter_map(|(step, _)| match step {
            Step::Reduce { rows, .. } => Some(rows),
            _ => None,
        });
        along.chain([&self.result])
    }

    /// Whether it reads this matrix, `Operand::Weights` or `Operand::Feedback`.
    pub(crate) fn reads_matrix(&self, matrix: Operand) -> bool {
        self.rows().any(|rows| rows.operands().any(|operand| operand == matrix))
    }

    pub(crate) fn reads(&self, signal: Seen) -> bool {
        self.steps.iter().any(|(step, _)| *step == Step::Seen(signal))
    }
}
