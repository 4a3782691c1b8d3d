//! Looking after a store as a whole.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::entry::{Damaged, Entry};
use super::key::Key;
use super::record::Record;
use crate::error::Result;

/// Seconds after which an unfinished run is given up: 30 days.
pub const GIVEN_UP_AFTER: u64 = 30 * 24 * 60 * 60;

/// Looking after a store as a whole.
pub trait Caretaking: super::Store {
    /// All committed results, by key.
    ///
    /// # Errors
    /// The store cannot be read.
    fn entries(&self) -> Result<Vec<Entry>>;

    /// The keys of all results, whether they are sound or not.
    ///
    /// # Errors
    /// The store cannot be read.
    fn keys(&self) -> Result<Vec<Key>>;

    /// Reads every file of every result and compares it with its digest.
    ///
    /// # Errors
    /// The store cannot be listed. Damage is not an error but a finding.
    fn verify(&self) -> Result<Verified>;

    /// Puts small results together that no living run counts on, so that there are fewer files.
    ///
    /// # Errors
    /// The store cannot be read or written.
    fn pack(&self) -> Result<PackedUp>;

    /// What runs that have not finished are for, and the keys that they count on; living runs among them.
    ///
    /// # Errors
    /// The store cannot be read.
    fn awaited(&self) -> Result<Vec<(Purpose, Vec<Key>)>>;

    /// The runs that are at work.
    ///
    /// # Errors
    /// The store cannot be read.
    fn present(&self) -> Result<Vec<Present>>;

    /// The keys of the results that living runs are making.
    ///
    /// # Errors
    /// The store cannot be read.
    fn leased(&self) -> Result<BTreeSet<Key>>;

    /// Removes every result whose key is neither in `keep` nor counted on by a living or an unfinished run.
    ///
    /// # Errors
    /// The store cannot be read or written.
    fn collect(&self, keep: &BTreeSet<Key>, how: &Collection) -> Result<Collected>;
}

/// What a run is for, as the store remembers it until the run has finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purpose {
    /// The pipeline, as it will be published.
    pub pipeline: String,
    /// Tells it from other plans of the pipeline; equal where the same command is given again.
    pub plan: String,
    /// When it began, in seconds since 1970.
    pub since: u64,
}

/// A run that is at work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// The machine's name; empty where the run does not say.
    pub host: String,
    /// The number of its process there.
    pub pid: u32,
    /// The pipeline.
    pub pipeline: String,
    /// As [`Purpose::plan`].
    pub plan: String,
}

/// How results are collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Only say what would go; nothing is written.
    pub dry_run: bool,
    /// Give unfinished runs up, and what they made.
    pub unfinished: bool,
    /// Seconds since 1970.
    pub now: u64,
}

/// What a collection removed, or would remove.
#[derive(Debug, Default)]
pub struct Collected {
    /// The records of the results that went.
    pub results: Vec<Record>,
    /// Bytes of them that stay on disk, because they have another name: that of a published folder that was moved out of
    /// the folder of results.
    pub elsewhere: u64,
    /// How many results that nothing refers to stay because they lie in packs that are needed for others.
    pub beside_others: usize,
    /// How many results stay.
    pub kept: usize,
    /// How many results without a sound commit record went.
    pub damaged: usize,
    /// Traces of runs that died while they wrote, and what tasks left that no run is to go on with.
    pub leftovers: usize,
    /// Runs that have not finished.
    pub unfinished: Vec<Remembered>,
}

/// What was put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PackedUp {
    /// How many results.
    pub results: usize,
    /// Their size.
    pub bytes: u64,
    /// In how many packs.
    pub packs: usize,
    /// How many results lie on their own as before: they are large, damaged, or a living run counts on them.
    pub left: usize,
}

/// A run that ended before it had finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// What it was for.
    pub purpose: Purpose,
    /// What becomes of it.
    pub fate: Fate,
    /// How many results nothing but such runs counts on.
    pub results: usize,
    /// Their size.
    pub bytes: u64,
}

/// What becomes of an unfinished run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// What it made is kept.
    Kept,
    /// It is given up, as was asked for.
    GivenUp,
    /// It is given up because it is older than [`GIVEN_UP_AFTER`].
    TooOld,
}

impl Collected {
    /// The size of what went.
    pub fn bytes(&self) -> u64 {
        self.results.iter().map(Record::bytes).sum()
    }
}

/// What re-reading every result found.
#[derive(Debug, Default)]
pub struct Verified {
    /// How many results were read.
    pub results: usize,
    /// Their size.
    pub bytes: u64,
    /// The keys of those that are damaged, and what is wrong with each; none for a pack as a whole.
    pub damaged: Vec<(Option<Key>, Vec<Damaged>)>,
    /// Files and folders that are none of the store's. They do no harm, and nobody removes them.
    pub strays: Vec<PathBuf>,
}
