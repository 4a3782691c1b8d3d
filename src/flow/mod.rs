//! The door: planning, running, publishing, archiving and comparing as functions of a [`Project`]. The terminal calls
//! nothing else, and neither needs a program that has ojaflow as a library.
//!
//! A [`Request`] names a pipeline and what is to be changed in it. [`Project::plan`] says what would run;
//! [`Project::run`] does it, tells a [`Progress`] how it goes, stops when a flag is raised, and returns an [`Outcome`]
//! whose tables can be read.

mod archives;
mod begin;
mod carry_out;
mod coefficients;
mod data;
mod differences;
mod export;
mod machine;
mod messages;
mod methods;
mod outcome;
mod outline;
mod planning;
mod project;
mod published;
mod reference;
mod remotes;
mod schema;
mod standing;
mod storage;
mod terms;
mod work;

pub use archives::{Archived, EPOCH, Reproduced, archive_date};
pub use carry_out::Options;
pub use data::{DataSetInfo, tuning_images};
pub use export::{Engine, Exported};
pub use machine::Machine;
use machine::{cores, memory, portable_kernels};
pub use messages::described;
pub use methods::{Methods, methods};
pub use outcome::Outcome;
pub use outline::Outline;
pub use planning::{Ahead, Listed};
pub use project::Project;
pub use reference::{Page, Topic, page, pages, topics};
pub use remotes::{Raced, Transferred, WRITERS, Watch};
pub use schema::{SCHEMA_FILE, schema_text};
pub use standing::Standing;
pub use storage::{DiskUse, Fate, GIVEN_UP_AFTER, Kept, Swept, Use, seconds_since};
pub use terms::written_terms;
pub use work::{Shares, Shift, Worked};

pub use crate::archive::container::Summary;
pub use crate::archive::reproduce::{Verdict, caveats};
pub use crate::archive::{Part, Verified, verify};
pub use crate::plan::{
    Disposition, Equations, Format, Plan, Request, Share, Statuses, Task, display, equations, summary,
};
pub use crate::publish::{Checked, Finding, Published, Unsound};
pub(crate) use crate::report::claims::{Condition, claims, conditions, interval};
pub(crate) use crate::report::headlines::headlines;
pub use crate::run::{Progress, Silent};
pub use crate::science::plasticity::Term;
pub use crate::store::{Form, PackedUp};
