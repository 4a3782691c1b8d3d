//! Results in an object store, by way of which they travel between machines.
//!
//! ```text
//! s3://bucket/prefix/
//!   objects/<dd>/<digest>   the files of results, each under the digest of its content, so that equal files are one
//!   results/<kk>/<key>      the commit record of a result: the bytes of its `commit.json`
//!   probe-<…>               of a check that is under way
//! ```
//!
//! A result is there when its record is. So the record goes last, by a put that succeeds only where nothing is yet: of two
//! who push a result at once, one record stands, and both name files that are there. Objects are put without a condition, as
//! who puts another under the same name puts the same bytes; large ones in parts, of which nobody sees anything before the
//! last. Whoever is interrupted leaves objects without a record, and the next push finds them.
//!
//! What arrives is not trusted: names have to be those of files in a folder, sizes are bounded, and every file is held against
//! its digest before the result appears in the local store, whole, by the same way as one that was computed.
//!
//! Nothing is ever removed from a remote but the probes of a check.
//!
//! The library for object stores is asynchronous. A runtime of one thread lives here and nowhere else; the rest of the
//! program waits for it. All of it is the feature `remote`: without it, opening a remote says so.

#[cfg(feature = "remote")]
mod bucket;
#[cfg(feature = "remote")]
mod check;
#[cfg(feature = "remote")]
mod open;
#[cfg(feature = "remote")]
mod pull;
#[cfg(feature = "remote")]
mod push;
#[cfg(feature = "remote")]
mod said;
#[cfg(feature = "remote")]
#[cfg(test)]
mod tests;
#[cfg(not(feature = "remote"))]
mod without;

#[cfg(feature = "remote")]
pub use open::Remote;
#[cfg(not(feature = "remote"))]
pub use without::Remote;

use std::sync::atomic::AtomicBool;

use super::entry::Damaged;
use super::key::Key;

/// How many race for one object when a remote is checked.
pub const WRITERS: usize = 16;

/// What a transfer came to, or has come to so far.
#[derive(Debug, Default)]
pub struct Transferred {
    /// Results that were looked at, of [`Self::of`].
    pub done: usize,
    /// Results that were asked for.
    pub of: usize,
    /// Results that travelled.
    pub results: usize,
    /// The size of those of their files that did: equal files travel once.
    pub bytes: u64,
    /// Results that were at their destination already.
    pub there: usize,
    /// Results that are not where they were to come from.
    pub absent: usize,
    /// Results that are damaged where they were to come from, and what is wrong with each. They did not travel.
    pub damaged: Vec<(Key, Vec<Damaged>)>,
}

/// Who is told of a transfer, and can stop it.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Raised from outside to stop.
    pub interrupt: &'a AtomicBool,
    /// Told after every result.
    pub told: &'a dyn Fn(&Transferred),
}

/// What a check tried, and found to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raced {
    /// How often [`WRITERS`] raced for an object.
    pub rounds: usize,
    /// Rounds in which nobody was told that it won, because the answer was lost on its way.
    pub unanswered: usize,
}

/// What became of one result.
#[cfg(feature = "remote")]
enum Came {
    /// It travelled, with so many bytes.
    Whole(u64),
    There,
    Absent,
    Damaged(Vec<Damaged>),
}

impl Transferred {
    /// Adds what came of other results.
    pub fn add(&mut self, other: Self) {
        self.done += other.done;
        self.of += other.of;
        self.results += other.results;
        self.bytes += other.bytes;
        self.there += other.there;
        self.absent += other.absent;
        self.damaged.extend(other.damaged);
    }

    #[cfg(feature = "remote")]
    fn count(&mut self, key: Key, came: Came) {
        self.done += 1;
        match came {
            Came::Whole(bytes) => {
                self.results += 1;
                self.bytes += bytes;
            }
            Came::There => self.there += 1,
            Came::Absent => self.absent += 1,
            Came::Damaged(damaged) => self.damaged.push((key, damaged)),
        }
    }
}
