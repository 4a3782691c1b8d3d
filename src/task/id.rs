//! What a task calls its inputs by.

/// A table of one other task, as a task declared it: the how-manieth of its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InputId(pub usize);

/// A whole published table, as a task declared it: the how-manieth of the tables that it gathers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableId(pub usize);

/// What stands in the columns of a gathered table that are axes of the matrix and columns of its own at once (a coefficient
/// that was swept).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axes {
    /// What the table says.
    Own,
    /// The value of the axis, null where it does not apply: so rows of different tables that belong together are equal in
    /// all axes.
    Matrix,
}
