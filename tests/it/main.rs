//! Tests of the program from outside, in one binary: what every user sees, and promises about the source as a whole.
//!
//! `cargo test --test it digests::` runs those of one module.

#![allow(unreachable_pub, reason = "nobody names the items of a test binary; `pub` says what a module is for")]

mod common;

mod anywhere;
mod archives;
mod cache;
mod checkpoints;
mod damaged_data;
mod diff_and_report;
mod digests;
mod earlier;
#[cfg(unix)]
mod export;
#[cfg(unix)]
mod force;
mod fuzz;
#[cfg(unix)]
mod held_once;
mod hostile;
mod methods;
mod pipelines;
mod published;
mod python;
mod reference;
#[cfg(feature = "remote")]
mod remote;
mod robustness;
#[cfg(unix)]
mod shards;
#[cfg(unix)]
mod shells;
mod size;
mod sql;
mod statistics;
#[cfg(unix)]
mod terminal;
mod terms;
mod tutorials;
mod verdicts;
mod walls;
mod wrong_pipelines;
