//! The door: planning, running, publishing, archiving and comparing as functions of a [`Project`]. The terminal calls
//! nothing else, and neither needs a program that has ojaflow as a library.
//!
//! A [`Request`] names a pipeline and what is to be changed in it. [`Project::plan`] says what would run;
//! [`Project::run`] does it, tells a [`Progress`] how it goes, stops when a flag is raised, and returns an [`Outcome`]
//! whose tables can be read.

mod archives;
mod carry_out;
mod coefficients;
mod data;
mod differences;
mod outcome;
mod planning;
mod project;
mod storage;

pub use archives::{Archived, EPOCH, Reproduced, archive_date};
pub use carry_out::Options;
pub use outcome::Outcome;
pub use planning::{Ahead, Listed};
pub use project::Project;
pub use storage::{Kept, Swept};

pub use crate::plan::{Plan, Request, Statuses, Task};
pub use crate::publish::Published;
pub use crate::run::{Progress, Silent};
