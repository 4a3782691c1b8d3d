//! The contract between planning, running and the kinds of stages: what a kind, a piece of work, its inputs and its outputs
//! are, and what a task sees while it runs.
//!
//! `plan` asks a [`Kind`] to turn checked parameters into [`Planned`] work; `run` carries work out in [`Surroundings`].
//! Neither knows a kind by name, and no kind knows how it is planned or scheduled: each side can be tested with a made-up
//! other (`plan` and `run` with a fake kind, a kind on a [`bench`] of tables in memory).

#[cfg(test)]
pub(crate) mod bench;
mod facts;
#[cfg(test)]
pub(crate) mod fake;
mod id;
mod input;
mod kind;
mod output;
mod planning;
mod reference;
mod sequel;
mod surroundings;
mod work;

pub use facts::{Facts, KnownValues};
pub use id::{Axes, InputId, TableId};
pub use input::Inputs;
pub use kind::{Catalogue, Kind};
pub use output::{Output, Storage};
pub use planning::{Available, Gathered, Planned, Planning, Source};
pub use reference::{Beside, Reads, Reference};
pub use sequel::{Addition, Others, Sequel};
pub use surroundings::{Shared, Surroundings};
pub use work::{Equation, Work};
