//! What is kept: results by the digest of everything that they depend on.
//!
//! A [`Store`] finds what is committed; a run [registers](Store::session) with it and opens keys. Only a miss has a
//! [`Slot`] to write to, so a result is never written twice by mistake:
//!
//! ```text
//! Session::open(key) ──Hit──▶ Entry                                   read_table, read_file, put
//!                    ──Miss─▶ Slot ──begin─▶ Pending ──commit─▶ Entry  a result appears whole or not at all
//! ```
//!
//! A result whose commit record is missing or unreadable is damaged like one whose tables are: nobody takes it, and the
//! one that is made again changes places with it.
//!
//! Digests, commit records and tables are the same wherever results lie; where that is, only the implementation knows:
//! [`PosixStore`], a folder of files. Looking after a store as a whole is a trait of its own, [`Caretaking`]. Between machines
//! results travel by way of a [`Remote`].

mod care;
mod checkpoint;
mod entry;
mod key;
mod lease;
mod pending;
mod posix;
mod record;
mod remote;

pub use care::{
    Caretaking, Collected, Collection, Fate, GIVEN_UP_AFTER, PackedUp, Present, Purpose, Remembered, Verified,
};
pub use checkpoint::{Checkpoint, Trail};
pub(crate) use checkpoint::{behind, in_front};
pub use entry::{Damaged, Entry};
pub use key::{Key, KeyMaterial, KeyedInput};
pub use lease::Lease;
pub(crate) use pending::writing;
pub use pending::{Pending, PendingTable, Slot, Status};
pub use posix::PosixStore;
pub use record::{Record, StoredFile};
pub use remote::{Raced, Remote, Transferred, WRITERS, Watch};

use std::fmt::Debug;

use crate::error::Result;
use crate::files::Scratch;

/// The size in bytes from which on the file of a result and its published name are one file where that is possible. Below, a
/// copy costs less than the surprise of a read-only file. Unit tests, which let every step fail, have no time for a mebibyte.
pub const HELD_ONCE: u64 = if cfg!(test) { 1 << 12 } else { 1 << 20 };

/// How a run commits its results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Each on its own: others see it at once.
    #[default]
    Loose,
    /// Small ones together: few files, and others see them when there are many, or after half a minute.
    Packed,
}

/// Results by their keys.
pub trait Store: Debug + Send + Sync {
    /// The committed result of a key, if there is one.
    ///
    /// # Errors
    /// The commit record cannot be read for another reason than that it is absent or damaged.
    fn find(&self, key: &Key) -> Result<Option<Entry>>;

    /// What runs were for that ended before they could [finish](Session::finish) is done: others may collect what nothing
    /// else refers to.
    fn finished(&self, purpose: &Purpose);

    /// Registers a run, which commits its results in a form. Waits for a collection that is under way.
    ///
    /// # Errors
    /// The store cannot be written.
    fn session(&self, form: Form) -> Result<Box<dyn Session>>;

    /// What was noted under a name; notes may be lost at any time.
    fn recall(&self, name: &str) -> Option<Vec<u8>>;

    /// Notes something for later runs, where the store can be written.
    fn remember(&self, name: &str, note: &[u8]);
}

/// A run's presence in the store: for as long as it lives, nothing that it counts on is collected; and after it, nothing
/// that it made before it could finish.
pub trait Session: Debug + Send + Sync {
    /// Keeps results from collection until this run has [finished](Session::finish), or is given up.
    ///
    /// # Errors
    /// The keys cannot be noted.
    fn protect(&self, purpose: &Purpose, keys: &[&Key]) -> Result<()>;

    /// The right to make a result, which others need not make then; none while another run has it. It saves work and nothing
    /// else: what is made without it is as good.
    fn lease(&self, key: &Key) -> Option<Lease>;

    /// Hit or miss; a miss can be filled on behalf of this run.
    ///
    /// # Errors
    /// As [`Store::find`].
    fn open(&self, key: &Key) -> Result<Status>;

    /// A place for a result that is made anew: once committed, it stands where the old one stood, in one step.
    ///
    /// # Errors
    /// The store cannot be read.
    fn renew(&self, key: &Key) -> Result<Slot>;

    /// What an earlier try to make a result left before it could finish, with every byte held against its digest.
    ///
    /// # Errors
    /// Something lies there that cannot be trusted: damaged, of another task, or of another version of the program.
    fn checkpoint(&self, key: &Key) -> Result<Option<Checkpoint>, Damaged>;

    /// Leaves the state of a task that has not finished and, where there is one, a piece of what it has made since it last did,
    /// in one step: whoever goes on finds what was left before, or this. The trail grows by the piece. Meant for who holds the
    /// [lease](Session::lease); where two leave something without one, neither may be able to go on.
    ///
    /// # Errors
    /// The store cannot be written. What was left before still counts.
    fn leave(&self, key: &Key, trail: &mut Trail, piece: Option<&[u8]>, state: &[u8]) -> Result<()>;

    /// Forgets what was left of a task, because it has finished or because it is of no use; as far as the store can be written.
    fn forget(&self, key: &Key);

    /// A local folder in which something can be prepared before it is moved into place; it goes with the run.
    ///
    /// # Errors
    /// It cannot be created.
    fn workshop(&self) -> Result<Scratch>;

    /// Whether nobody has taken this run for dead, as may happen to one that was paused for long: then what it counted on may
    /// have been collected, and another one must be begun.
    fn stands(&self) -> bool;

    /// Lets others see everything that was committed, where it was not seen at once.
    ///
    /// # Errors
    /// The store cannot be written.
    fn settle(&self) -> Result<()>;

    /// What the run was for is done: others may collect what nothing else refers to. A session that is dropped without this
    /// is unfinished.
    fn finish(self: Box<Self>);
}
