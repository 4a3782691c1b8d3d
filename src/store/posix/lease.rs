//! Who is making which result: a locked file for each, in which the run is named, for machines that do not see the lock. They
//! save work and nothing else: a result that is made twice is sound all the same, so a lease that cannot be had for a reason of
//! the file system is done without.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::key::Key;
use super::heartbeat::is_heard;
use super::layout::{Layout, RUN, list, make_folder, name};
use crate::error::Result;
use crate::files::{self, Lock};
use crate::store::Lease;

/// How often a file may be taken away before its lock is held.
const ATTEMPTS: usize = 8;

/// Files that a process has open without which nothing works, and the share that leases take of the others.
const NEEDED: u64 = 32;
const SHARE: u64 = 4;

/// Leases that this process holds.
static HELD: AtomicU64 = AtomicU64::new(0);

/// A locked file. The operating system gives the lock up when the process ends, however it ends.
#[derive(Debug)]
struct Held {
    lock: Lock,
}

impl Held {
    fn new(lock: Lock) -> Self {
        HELD.fetch_add(1, Ordering::Relaxed);
        Self { lock }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Ordering::Relaxed);
        // While it is locked: nobody else's file can be at this path.
        let _ = files::remove(self.lock.path());
    }
}

/// The lease of a key; none while another run holds it.
pub(super) fn take(layout: &Layout, key: &Key, run: &str) -> Option<Lease> {
    let path = layout.leases().join(key.as_str());
    if HELD.load(Ordering::Relaxed) >= files::most_open().saturating_sub(NEEDED) / SHARE
        || make_folder(&layout.leases()).is_err()
    {
        return Some(Lease::unheld());
    }
    for _ in 0..ATTEMPTS {
        let Ok(mut lock) = Lock::at(&path) else { return Some(Lease::unheld()) };
        let are_locks = match lock.try_alone() {
            Ok(true) => true,
            Ok(false) => return None,
            Err(error) if files::is_unsupported(&error) => false,
            Err(_) => return Some(Lease::unheld()),
        };
        match lock.length() {
            Ok(Some(length)) if length > 0 && is_named(layout, &mut lock, run, are_locks) => return None,
            Ok(Some(_)) => {
                let _ = lock.note(run.as_bytes());
                return Some(Lease::held(Held::new(lock)));
            }
            // The last holder took the file away between our opening and locking it.
            Ok(None) => {}
            Err(_) => return Some(Lease::unheld()),
        }
    }
    None
}

/// Whether a run is named in a lease that is heard of although its lock is not seen here.
fn is_named(layout: &Layout, lock: &mut Lock, me: &str, are_locks: bool) -> bool {
    let Ok(content) = lock.content() else { return false };
    let holder = String::from_utf8_lossy(&content);
    holder != me
        && holder.starts_with(RUN)
        && !holder.contains('/')
        && is_heard(layout, &layout.runs().join(&*holder), are_locks)
}

/// The keys of the leases that are held.
pub(super) fn held(layout: &Layout) -> Result<BTreeSet<Key>> {
    let mut held = BTreeSet::new();
    for path in list(&layout.leases())? {
        let (Some(key), Ok(mut lock)) = (name(&path).and_then(Key::parse), Lock::on(&path)) else { continue };
        let is_held = match lock.try_together() {
            Ok(true) => is_named(layout, &mut lock, "", true),
            Ok(false) => true,
            Err(_) => is_named(layout, &mut lock, "", false),
        };
        if is_held {
            held.insert(key);
        }
    }
    Ok(held)
}

/// Removes the files that dead runs left.
pub(super) fn sweep(layout: &Layout) -> Result<()> {
    for path in list(&layout.leases())? {
        if let Some(key) = name(&path).and_then(Key::parse) {
            drop(take(layout, &key, "a collection"));
        }
    }
    Ok(())
}
