//! Trainings: one skeleton, a recipe per kind.
//!
//! `skeleton` goes from the order of the samples to the rows of the tables, whatever learns; `online`, `batch` and
//! `recurrent` say what learns and how it is written in a pipeline; `rules`, `terms`, `parameters` and `tables` are what they share.

mod batch;
mod batch_rules;
mod online;
mod parameters;
mod recurrent;
pub(in crate::stages) mod rules;
mod skeleton;
mod tables;
pub(in crate::stages) mod terms;

pub(in crate::stages) use parameters::check_width;

pub use batch::TrainBatch;
pub use batch_rules::BatchRuleSpec;
pub use online::Train;
pub use recurrent::TrainRecurrent;
pub use rules::RuleSpec;
pub use terms::{TermSpec, check_term_name, written as written_terms};
