//! A published run ↔ one file that anyone can check, open in other tools, and run again.
//!
//! ```text
//! outputs/fig4/ ──contents──▶ files ──bag, research_object──▶ + their description ──container──▶ fig4.tar.zst
//!                                                                                   │
//!                            reproduce: run again, compare table by table ◀── verify ◀┘
//! ```
//!
//! An archive is a BagIt 1.0 bag whose payload is an RO-Crate 1.1 with the Provenance Run Crate profile:
//!
//! ```text
//! fig4/bagit.txt, bag-info.txt, manifest-sha256.txt, tagmanifest-sha256.txt
//! fig4/data/REPRODUCE.md                the commands, and what to expect
//! fig4/data/ro-crate-metadata.json      every task as an action with its instrument, inputs and results
//! fig4/data/Cargo.lock                  the versions of everything that the program was built from
//! fig4/data/data-sets.json              checksums of the images; the images themselves are not inside
//! fig4/data/pipelines/fig4.toml         and the tables of coefficients that it looked up
//! fig4/data/outputs/fig4/               the published folder: manifest, tables, figures
//! ```
//!
//! Nothing measured and nothing of the machine goes in: no time but SOURCE_DATE_EPOCH, no path, no host. The manifest
//! is taken as it was published, because it holds none of these either. What is left out of the published folder:
//! `views.sql`, which running again writes anew, and, unless asked for, the large tables that running again makes
//! ([`Part`]).

mod bag;
pub mod compare;
pub mod container;
mod contents;
pub mod diff;
mod fault;
mod instructions;
mod likeness;
mod pack;
mod part;
pub mod reproduce;
mod research_object;
mod verify;

pub use contents::{DataSet, Published, gather};
pub use fault::Fault;
pub use pack::archive;
pub use part::Part;
pub use verify::{Verified, verify};
