//! Results that travel: to an object store, from it, and into a run.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use super::Project;
use super::carry_out::{Options, purpose};
use super::planning::{on_this_machine, reader};
use super::storage::now;
use crate::error::Result;
use crate::plan::{Levels, Plan, Request};
use crate::run::Progress;
use crate::store::{Caretaking, Form, Key, Purpose, Remote, Session, Store};

pub use crate::store::{Raced, Transferred, WRITERS, Watch};

impl Project {
    /// Sends results to an object store: those that a request's plan refers to, as far as its levels are known, or all.
    ///
    /// # Errors
    /// The URL or the pipeline is wrong; the store cannot be read, or the remote not be written. What is damaged in the store
    /// is not an error but a finding: the others travel.
    pub fn push(&self, url: &str, request: Option<&Request>, watch: Watch<'_>) -> Result<Transferred> {
        let remote = Remote::open(url)?;
        let store = self.store();
        let keys = match request {
            Some(request) => {
                let (catalogue, request) = (self.catalogue()?, on_this_machine(request));
                let (known, read) = (RefCell::new(BTreeSet::new()), reader(&store));
                // Of the levels on the way as well, or nobody could come to the present one from what is there. Whoever is asked
                // how a level goes on has another key in each.
                let noting = |plan: &Plan, task: usize, table: &str| {
                    if !known.borrow().contains(&plan.tasks[task].key) {
                        note(plan, &mut known.borrow_mut());
                    }
                    read(plan, task, table)
                };
                let level = Levels::new(&catalogue, &self.pipelines, &request).present(noting)?;
                note(&level.plan, &mut known.borrow_mut());
                known.take().into_iter().collect()
            }
            None => store.keys()?,
        };
        remote.push(&store, &keys, watch)
    }

    /// Fetches results from an object store: those that a request's plan refers to, as far as its levels are known, or all.
    /// They are kept for the request until it has been run, as those of an unfinished run are.
    ///
    /// # Errors
    /// The URL or the pipeline is wrong; the remote cannot be read, or the store not be written. What is damaged there is not
    /// an error but a finding: the others travel.
    pub fn pull(&self, url: &str, request: Option<&Request>, watch: Watch<'_>) -> Result<Transferred> {
        let remote = Remote::open(url)?;
        let store = self.store();
        let Some(request) = request else {
            let keys = remote.keys(watch)?;
            let plan = blake3::hash(url.as_bytes()).to_hex().to_string();
            let purpose = Purpose { pipeline: format!("store pull {url}"), plan, since: now() };
            let session = store.session(Form::Loose)?;
            session.protect(&purpose, &keys.iter().collect::<Vec<&Key>>())?;
            return remote.pull(&*session, &keys, watch);
        };
        let (catalogue, request) = (self.catalogue()?, on_this_machine(request));
        let mut levels = Levels::new(&catalogue, &self.pipelines, &request);
        // Before anything is noted here for the sake of what cannot come.
        remote.reach(watch)?;
        let session = store.session(Form::Loose)?;
        let (mut known, mut all) = (BTreeSet::new(), Transferred::default());
        loop {
            let level = levels.present(reader(&store))?;
            let keys = note(&level.plan, &mut known);
            session.protect(&purpose(level.plan.main()), &keys.iter().collect::<Vec<&Key>>())?;
            let came = remote.pull(&*session, &keys, watch)?;
            let is_last = level.asking.is_empty() || came.results == 0;
            all.add(came);
            // What came may say how it goes on.
            if is_last {
                return Ok(all);
            }
        }
    }

    /// Tries whether an object store is fit for results, and lets writers race there for so many rounds.
    ///
    /// # Errors
    /// It is not, and why; or it cannot be reached.
    pub fn check_remote(&self, url: &str, rounds: usize, watch: Watch<'_>) -> Result<Raced> {
        Remote::open(url)?.check(rounds, watch)
    }
}

/// Notes the keys under which a level leaves results, and gives those that are new.
fn note(plan: &Plan, known: &mut BTreeSet<Key>) -> Vec<Key> {
    let stored = plan.tasks.iter().filter(|task| task.leaves_a_result()).map(|task| &task.key);
    stored.filter(|key| known.insert((*key).clone())).cloned().collect()
}

/// An object store that a run reads from as from a second store. Nothing is written there.
pub(super) struct Second<'a> {
    remote: Remote,
    interrupt: &'a AtomicBool,
    /// What it has been asked for, and need not be again.
    asked: BTreeSet<Key>,
}

impl<'a> Second<'a> {
    pub(super) fn open(url: &str, interrupt: &'a AtomicBool) -> Result<Self> {
        Ok(Self { remote: Remote::open(url)?, interrupt, asked: BTreeSet::new() })
    }

    /// Fetches what some tasks leave and the local store does not have, but for what is to be made anew; whether anything
    /// came. What is damaged there is told, and counts as not there.
    pub(super) fn bring(
        &mut self,
        plan: &Plan,
        tasks: impl IntoIterator<Item = usize>,
        options: &Options<'_>,
        store: &dyn Store,
        session: &mut Option<Box<dyn Session>>,
        progress: &dyn Progress,
    ) -> Result<bool> {
        let is_forced = |stage: &str| options.force.is_some_and(|forced| forced.is_empty() || forced == stage);
        let mut missing = Vec::new();
        let tasks = tasks.into_iter().map(|task| &plan.tasks[task]);
        for task in tasks.filter(|task| task.leaves_a_result() && !is_forced(&task.stage)) {
            if !self.asked.contains(&task.key) && store.find(&task.key)?.is_none() {
                missing.push(task.key.clone());
            }
        }
        if missing.is_empty() {
            return Ok(false);
        }
        let present = match session {
            Some(present) => present,
            None => session.insert(store.session(options.form)?),
        };
        // Before it is there, so that no collection takes it away again.
        present.protect(&purpose(plan.main()), &missing.iter().collect::<Vec<&Key>>())?;
        let came = self.remote.pull(present.as_ref(), &missing, Watch { interrupt: self.interrupt, told: &|_| () })?;
        present.settle()?;
        self.asked.extend(missing);
        for damaged in came.damaged.iter().flat_map(|(_, damaged)| damaged) {
            progress.notice(&format!("{damaged}; it is made here"));
        }
        progress.notice(&format!("{} of {} missing results came from {}", came.results, came.of, self.remote.url()));
        Ok(came.results > 0)
    }
}
