//! A piece of work, and the equation behind it.

use std::fmt;

use super::{Facts, KnownValues, Output, Sequel, Surroundings};
use crate::error::Result;

/// One checked task: it only has to be run.
pub trait Work: Send + Sync + fmt::Debug {
    /// All parameters that the result depends on, defaults filled in.
    fn parameters(&self) -> serde_json::Value;

    /// The tables that it makes.
    fn outputs(&self) -> &[Output];

    /// What is known of the result before it exists.
    fn facts(&self) -> Facts {
        Facts::default()
    }

    /// The values that columns of a table that it makes can have, where that is known; see [`Gathered::values`](super::Gathered::values).
    /// Tasks of a stage with the same facts know the same.
    fn known_values(&self, _table: &str) -> KnownValues {
        KnownValues::new()
    }

    /// What the task computes, in mathematical notation, where it has an equation.
    fn equation(&self) -> Option<Equation> {
        None
    }

    /// Names of files beside the tables (figures).
    fn files(&self) -> &[&'static str] {
        &[]
    }

    /// Of a task whose result can ask for more tasks than were planned so far: how that follows from the result.
    fn sequel(&self) -> Option<&dyn Sequel> {
        None
    }

    /// Reads inputs from its surroundings, writes outputs to them.
    ///
    /// # Errors
    /// An input cannot be read, an output not be written, or the numbers are not what the stage can work with.
    fn run(&self, surroundings: &dyn Surroundings) -> Result<()>;

    /// A rough cost in seconds of one core, for the estimate of the time left.
    fn cost(&self) -> f64 {
        0.05
    }

    /// How many times longer it takes with portable kernels on x86-64, where a fused multiply-add has no instruction and
    /// is computed in double precision, as against AVX2.
    fn slowdown(&self) -> f64 {
        1.0
    }

    /// A rough number of bytes of memory that it takes while it runs, beside inputs that tasks share.
    fn memory(&self) -> u64 {
        20_000_000
    }

    /// A rough number of bytes that it leaves in the store.
    fn disk(&self) -> u64 {
        20_000
    }
}

/// A learning rule as a task runs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Equation {
    /// With its coefficients, one equation a line.
    pub plain: String,
    /// The same in LaTeX, one equation an entry.
    pub latex: Vec<String>,
    /// What a brain would need for it beyond what its terms say.
    pub needs: Vec<&'static str>,
    /// Why it takes longer than others, if it does.
    pub slow: Option<String>,
}
