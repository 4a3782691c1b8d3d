//! Terms as they are written, and what can be wrong with them.

use std::ops::Range;

use super::super::signal::Synapses;

/// A term as somebody wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The name by which a rule refers to it.
    pub name: String,
    /// The weights that it moves.
    pub synapses: Synapses,
    /// What it adds to them, times its coefficient: `-e_post * (y_pre - W' * y_post)'`.
    pub equation: String,
    /// Numbers that the equations name.
    pub parameters: Vec<(String, f64)>,
    /// What the neurons of the term remember.
    pub state: Vec<WrittenState>,
}

/// A value that each neuron keeps from one sample to the next. Weights read it before its update.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenState {
    /// The name by which equations refer to it.
    pub name: String,
    /// Its value before the first sample, in every neuron.
    pub start: f64,
    /// Its next value: `0.99 * theta + 0.01 * y_post.^2`.
    pub update: String,
}

/// Which of the texts of a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What the weights receive.
    Equation,
    /// The update of a value of the state, by its place among them.
    Update(usize),
}

/// What is wrong with an equation, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The text that it is in.
    pub part: Part,
    /// Bytes of that text.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What would fit.
    pub help: Option<String>,
}
