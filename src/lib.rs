//! What a plasticity rule does to a deep network: pipelines from training to figure, as tables that stay.
//!
//! The modules in reading order, which is the order of the flow:
//!
//! 1. [`spec`]: a pipeline file → what was asked for, with the place of every word;
//! 2. [`plan`]: → tasks with keys, everything checked before anything runs;
//! 3. [`run`]: → results, tasks side by side, what is known taken from the [`store`];
//! 4. [`stages`]: the tasks themselves: read [`tables`], call [`science`], write tables;
//! 5. [`publish`]: → the folder that people open.
//!
//! 6. [`archive`]: → one file that can be checked and run again; [`report`]: → one page to read.
//!
//! [`science`] is pure mathematics over [`kernels`], the few hot loops; [`datasets`] reads images; [`figures`] draws.

pub mod archive;
pub mod cli;
pub mod commands;
pub mod datasets;
pub mod error;
pub mod figures;
pub mod flow;
pub mod plan;
pub mod publish;
pub mod report;
pub mod run;
pub mod spec;
pub mod stages;
pub mod store;
pub mod tables;
pub mod task;
pub mod words;

pub use ojaflow_mathematics::{kernels, science};
