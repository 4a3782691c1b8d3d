//! A run's presence: a file that it holds locked for as long as it lives, and a folder for what it writes.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::key::Key;
use super::super::pending::{Slot, Status};
use super::checkpoints;
use super::draft::Place;
use super::heartbeat::Heart;
use super::kept::{Found, look};
use super::layout::{Layout, make_folder};
use super::lease;
use super::packs::{Gathering, Packing, Packs};
use super::runs::{forget, lines, recorded};
use crate::error::{Error, Result};
use crate::files::{self, Lock, Scratch};
use crate::store::{Checkpoint, Damaged, Form, Lease, Purpose, Session, Trail};

/// A living run. The operating system gives its lock up when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct PosixSession {
    layout: Layout,
    name: String,
    lock: Mutex<Lock>,
    /// What the run's file says, once it says something.
    purpose: Mutex<Option<Purpose>>,
    packs: Arc<Packs>,
    packing: Option<Arc<Packing>>,
    /// None in tests: they take their steps one by one.
    _heart: Option<Heart>,
}

impl PosixSession {
    pub(super) fn begin(layout: &Layout, packs: &Arc<Packs>, form: Form) -> Result<Self> {
        let (runs, pending) = (layout.runs(), layout.pending());
        for folder in [&runs, &pending] {
            make_folder(folder)?;
        }
        let _shared = layout.starting()?;
        let lock = Lock::fresh(&runs, &layout.own_run()).map_err(Error::io("create a file in", &runs))?;
        lock.alone().map_err(Error::io("lock", lock.path()))?;
        let name = lock.path().file_name().and_then(|name| name.to_str()).expect("made from ASCII").to_owned();
        // The shared lock falls here: from now on this run's own file protects it.
        let heart = (!cfg!(test)).then(|| Heart::of(lock.path()));
        let mut session = Self {
            layout: layout.clone(),
            name,
            lock: Mutex::new(lock),
            purpose: Mutex::default(),
            packs: packs.clone(),
            packing: None,
            _heart: heart,
        };
        if form == Form::Packed {
            session.packing = Some(Arc::new(Packing::new(layout, packs, &session.folder())));
        }
        Ok(session)
    }

    fn path(&self) -> PathBuf {
        self.layout.runs().join(&self.name)
    }

    /// What this run writes.
    fn folder(&self) -> PathBuf {
        self.layout.pending().join(&self.name)
    }

    fn place(&self, key: &Key, anew: bool) -> Place {
        Place { pending: self.folder().join(key.short()), target: self.layout.folder(key), anew }
    }

    /// In a folder of its own.
    fn loose(&self, key: &Key, anew: bool) -> Slot {
        Slot::new(key.clone(), self.place(key, anew))
    }

    fn slot(&self, key: &Key) -> Slot {
        match &self.packing {
            Some(packing) => Slot::new(key.clone(), Gathering::new(self.place(key, false), packing)),
            None => self.loose(key, false),
        }
    }
}

impl Session for PosixSession {
    /// The file outlives the run unless it finishes. What an unfinished run for the same purpose left goes over to this one.
    fn protect(&self, purpose: &Purpose, keys: &[&Key]) -> Result<()> {
        let _shared = self.layout.starting()?;
        let mut earlier = recorded(&self.layout)?;
        // Its own file tells of itself, whatever a file system says of the lock.
        earlier.retain(|run| run.path != self.path() && run.is_left_by(purpose));
        let all = keys.iter().copied().chain(earlier.iter().flat_map(|run| &run.keys));
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        lock.append(lines(purpose, all).as_bytes()).map_err(Error::io("write", self.path()))?;
        *self.purpose.lock().unwrap_or_else(PoisonError::into_inner) = Some(purpose.clone());
        for run in earlier {
            let _ = files::remove(&run.path);
        }
        Ok(())
    }

    fn lease(&self, key: &Key) -> Option<Lease> {
        lease::take(&self.layout, key, &self.name)
    }

    fn stands(&self) -> bool {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).length().is_ok_and(|length| length.is_some())
    }

    fn open(&self, key: &Key) -> Result<Status> {
        Ok(match look(&self.layout.folder(key), key)? {
            Found::Sound(entry) => Status::Hit(entry),
            found => match (self.packs.find(&self.layout, key)?, found) {
                (Some(entry), _) => Status::Hit(entry),
                // What lies in its place makes room for one of its own.
                (None, Found::Damaged(damage)) => Status::Miss(self.loose(key, false).in_place_of(damage)),
                (None, _) => Status::Miss(self.slot(key)),
            },
        })
    }

    fn settle(&self) -> Result<()> {
        self.packing.as_ref().map_or(Ok(()), |packing| packing.seal())
    }

    fn renew(&self, key: &Key) -> Result<Slot> {
        // It goes before one in a pack, which it could not in another pack.
        Ok(self.loose(key, true))
    }

    fn checkpoint(&self, key: &Key) -> Result<Option<Checkpoint>, Damaged> {
        checkpoints::find(&self.layout, key)
    }

    fn leave(&self, key: &Key, trail: &mut Trail, piece: Option<&[u8]>, state: &[u8]) -> Result<()> {
        checkpoints::leave(&self.layout, &self.folder(), key, trail, piece, state)
    }

    fn forget(&self, key: &Key) {
        // Best effort: a collection removes what stays.
        let _ = checkpoints::forget(&self.layout, key);
    }

    /// On the file system of the published folders.
    fn workshop(&self) -> Result<Scratch> {
        let folder = self.folder();
        make_folder(&folder)?;
        Scratch::new_in(&folder, "publish-").map_err(Error::io("create a folder in", &folder))
    }

    fn finish(self: Box<Self>) {
        let _ = self.settle();
        let purpose = self.purpose.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(purpose) = purpose {
            forget(&self.layout, &purpose);
        }
    }
}

impl Drop for PosixSession {
    fn drop(&mut self) {
        let _ = self.settle();
        // Best effort: a collection removes what stays.
        let _ = files::remove(&self.folder());
        if self.purpose.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            let _ = files::remove(&self.path());
        }
    }
}
