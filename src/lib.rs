//! What a plasticity rule does to a deep network: pipelines from training to figure, as tables that stay.
//!
//! A pipeline is a TOML file; [`flow`] plans it, runs it and publishes its tables and figures:
//!
//! ```
//! use ojaflow::flow::{Options, Project, Progress, Request, Task};
//!
//! /// Says what is done as it is done.
//! struct Told;
//!
//! impl Progress for Told {
//!     fn finished(&self, task: &Task, _estimated: f64, seconds: f64) {
//!         println!("{} took {seconds:.2} s", task.label);
//!     }
//! }
//!
//! # fn main() -> ojaflow::error::Result<()> {
//! let results = tempfile::tempdir().expect("there is a folder for temporary files");
//! let project = Project::at(env!("CARGO_MANIFEST_DIR")).with_outputs(results.path());
//! let request = Request::new("smoke").set("matrix.seed.count=2");
//! let outcome = project.run(&request, &Options::default(), &Told)?;
//!
//! // A table as an array: here accuracy against training samples, both rules one after the other.
//! let accuracy = outcome.table("accuracy")?.numbers(&["step", "mean"])?;
//! assert_eq!(accuracy.dim(), (14, 2));
//! assert!(accuracy[[13, 1]] > 0.5, "after 600 samples most digits are told apart");
//! # Ok(())
//! # }
//! ```
//!
//! The modules in reading order, which is the order of the flow:
//!
//! 1. [`spec`]: a pipeline file → what was asked for, with the place of every word;
//! 2. [`task`]: the contract between planning, running and the kinds of stages;
//! 3. [`plan`]: → tasks with keys, everything checked before anything runs;
//! 4. [`run`]: → results, tasks side by side, what is known taken from the [`store`];
//! 5. [`stages`]: the tasks themselves: read [`tables`], call [`science`], write tables;
//! 6. [`publish`]: → the folder that people open;
//! 7. [`archive`]: → one file that can be checked and run again; `report`: → one page to read;
//! 8. [`flow`]: all of it behind one door.
//!
//! [`science`] is pure mathematics over [`kernels`], the few hot loops; [`datasets`] reads images; `figures` draws.

pub mod archive;
mod cli;
pub mod commands;
pub mod datasets;
pub mod error;
mod figures;
mod files;
pub mod flow;
pub mod plan;
pub mod publish;
mod report;
pub mod run;
pub mod spec;
pub mod stages;
pub mod store;
pub mod tables;
pub mod task;
mod words;

pub use ojaflow_mathematics::{kernels, science};
