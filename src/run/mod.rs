//! Plan → results: tasks side by side, inputs first, everything that is known already taken from the store.
//!
//! Whatever happens to a run, the store stays sound: a result appears whole or not at all, and what one run finished the
//! next one finds. A kept result that turns out to be damaged when it is read is made again on the spot. Two runs that need
//! the same result share the work: one makes it, the other does something else first and then waits.

mod context;
mod journal;
mod manner;
mod schedule;
mod shared;

use context::Context;
pub(crate) use context::add_axes;
use journal::Journal;
pub use manner::{Executed, Failure, Manner};
pub(crate) use schedule::failure_note;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::plan::{Disposition, Plan, Statuses, Task};
use crate::store::{Damaged, Entry, Lease, Session, Slot, Status, Store};
use crate::tables::Table;

/// What a run tells while it goes on.
pub trait Progress: Sync {
    /// A plan, or a level of it, is about to be carried out.
    fn planned(&self, _plan: &Plan, _statuses: &Statuses) {}
    /// A task begins.
    fn started(&self, _task: &Task) {}
    /// Another run has done the task meanwhile; `cost` as the plan estimated it.
    fn shared(&self, _task: &Task, _cost: f64) {}
    /// `cost` as the plan estimated it; `seconds` as its worker was busy with it.
    fn finished(&self, _task: &Task, _cost: f64, _seconds: f64) {}
    /// A task that runs has got so far: an accuracy after so many samples.
    fn measured(&self, _task: &Task, _what: &str, _step: u64, _value: f64) {}
    /// A task could not be carried out, and the run goes on without it.
    fn failed(&self, _task: &Task, _error: &Error) {}
    /// Something worth a line: damage that was repaired, a run that diverged.
    fn notice(&self, _text: &str) {}
}

/// After so much work a long task leaves its state in the store: some megabytes at most, whose writing is no share of the time.
pub const LEAVES_AFTER: Duration = Duration::from_secs(5 * 60);

/// Says nothing.
#[derive(Debug)]
pub struct Silent;

impl Progress for Silent {}

/// One run of a plan.
pub struct Run<'a> {
    /// What is run.
    pub plan: &'a Plan,
    /// Where results are found.
    pub store: &'a dyn Store,
    /// The run's presence in the store.
    pub session: &'a dyn Session,
    /// What is to happen to each task.
    pub statuses: &'a Statuses,
    /// Who is told.
    pub progress: &'a dyn Progress,
    /// Set from outside to stop between two steps.
    pub interrupted: &'a AtomicBool,
    /// After so much work a task that can go on from where it was leaves its state in the store; zero for never.
    pub leaves_after: Duration,
    /// The tasks of this run that read a table in passing.
    readers: BTreeMap<(usize, String), Vec<usize>>,
    state: State,
}

#[derive(Default)]
struct State {
    /// Tables handed on in memory, with the number of tasks that still want them.
    passing: Mutex<BTreeMap<(usize, String), Passing>>,
    decoded: shared::Memo,
    stopped: AtomicBool,
    failures: Mutex<Vec<Failure>>,
    executed: AtomicUsize,
    shared: AtomicUsize,
}

struct Passing {
    table: Arc<Table>,
    readers: usize,
    /// Of the task that made it.
    lease: Option<Arc<Lease>>,
}

/// What came of a task's turn.
enum Turn {
    Ran,
    /// What it would make is there, or nobody needs it any more.
    Found,
    /// Another run is at it.
    Later,
}

impl<'a> Run<'a> {
    /// A run of everything in `plan` that `statuses` wants run.
    pub fn new(
        plan: &'a Plan,
        store: &'a dyn Store,
        session: &'a dyn Session,
        statuses: &'a Statuses,
        progress: &'a dyn Progress,
        interrupted: &'a AtomicBool,
    ) -> Self {
        let mut readers: BTreeMap<(usize, String), Vec<usize>> = BTreeMap::new();
        for (index, task) in plan.tasks.iter().enumerate().filter(|(index, _)| statuses.runs(*index)) {
            for input in task.inputs.iter().filter(|input| input.passing) {
                readers.entry((input.task, input.table.to_string())).or_default().push(index);
            }
        }
        Self {
            plan,
            store,
            session,
            statuses,
            progress,
            interrupted,
            leaves_after: LEAVES_AFTER,
            readers,
            state: State::default(),
        }
    }

    /// Carries a task of the plan out and hands its passing tables on to those who wait for them, unless another run has
    /// done it meanwhile, or is doing it now.
    fn turn(&self, index: usize) -> Result<Turn> {
        let task = &self.plan.tasks[index];
        let handed = || {
            let passing = task.work.outputs().iter().filter(|output| !task.keeps(output)).map(|output| output.table());
            passing.filter(|table| self.readers_of(index, table) > 0)
        };
        if !self.is_to_be_stored(index)? && handed().next().is_none() {
            return Ok(Turn::Found);
        }
        // Who hands tables on keeps the lease until their readers are done: another run has the tables from nowhere else,
        // and what is read from them is there by then.
        let Some(lease) = self.session.lease(&task.key) else { return Ok(Turn::Later) };
        let slot = if self.stores(index) { self.slot(index)? } else { None };
        let mut wanted = Vec::new();
        for table in handed() {
            if self.is_wanted(index, table)? {
                wanted.push(table.to_owned());
            }
        }
        if slot.is_none() && wanted.is_empty() {
            return Ok(Turn::Found);
        }
        self.progress.started(task);
        let handed_on = self.perform(index, slot, &wanted, true)?;
        let lease = Arc::new(lease);
        let mut passing = self.state.passing.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, table) in handed_on {
            let readers = self.readers_of(index, &name);
            passing.insert((index, name), Passing { table: Arc::new(table), readers, lease: Some(lease.clone()) });
        }
        Ok(Turn::Ran)
    }

    /// Whether a task is run for a result that stays.
    fn stores(&self, index: usize) -> bool {
        self.statuses.of[index] == Disposition::Run && self.plan.tasks[index].leaves_a_result()
    }

    /// Whether such a result is not there yet, or is to be made anew.
    fn is_to_be_stored(&self, index: usize) -> Result<bool> {
        let is_there = || self.store.find(&self.plan.tasks[index].key).map(|entry| entry.is_some());
        Ok(self.stores(index) && (self.statuses.forced[index] || !is_there()?))
    }

    fn readers_of(&self, task: usize, table: &str) -> usize {
        self.readers.get(&(task, table.to_owned())).map_or(0, Vec::len)
    }

    /// Whether a task that reads this table in passing still has to run.
    fn is_wanted(&self, task: usize, table: &str) -> Result<bool> {
        for &reader in self.readers.get(&(task, table.to_owned())).into_iter().flatten() {
            if self.is_to_be_stored(reader)? {
                return Ok(true);
            }
            for output in self.plan.tasks[reader].work.outputs() {
                if self.is_wanted(reader, output.table())? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Lets other runs make again what this one still hands on.
    fn give_up_leases(&self) {
        let mut passing = self.state.passing.lock().unwrap_or_else(PoisonError::into_inner);
        passing.values_mut().for_each(|held| held.lease = None);
    }

    /// Runs a task now, on this thread, and puts its result into the slot. Returns the tables `wanted` in memory. Only who has the
    /// lease may leave something on the way, or take it up: another may be doing so.
    fn perform(
        &self,
        index: usize,
        slot: Option<Slot>,
        wanted: &[String],
        is_leased: bool,
    ) -> Result<Vec<(String, Table)>> {
        if slot.is_none() && wanted.is_empty() {
            return Ok(Vec::new());
        }
        let task = &self.plan.tasks[index];
        let journal = if is_leased { Journal::new(self.leaves_after) } else { Journal::default() };
        let context = Context::new(self, task, slot.map(Slot::begin).transpose()?, wanted, journal);
        task.work.run(&context)?;
        context.finish()
    }

    /// A place for the task's result, unless another run has filled it in the meantime.
    fn slot(&self, index: usize) -> Result<Option<Slot>> {
        let task = &self.plan.tasks[index];
        if self.statuses.forced[index] {
            return self.session.renew(&task.key).map(Some);
        }
        match self.session.open(&task.key)? {
            Status::Miss(slot) => {
                if let Some(damage) = slot.damage() {
                    self.progress.notice(&format!("{damage}; `{}` runs again", task.label));
                }
                Ok(Some(slot))
            }
            Status::Hit(_) => Ok(None),
        }
    }

    /// Forgets tables that this task was the last to want.
    fn release(&self, task: &Task) {
        let mut passing = self.state.passing.lock().unwrap_or_else(PoisonError::into_inner);
        for input in task.inputs.iter().filter(|input| input.passing) {
            let key = (input.task, input.table.to_string());
            if let Some(held) = passing.get_mut(&key) {
                held.readers = held.readers.saturating_sub(1);
                if held.readers == 0 {
                    passing.remove(&key);
                }
            }
        }
    }

    /// A table of another task: from memory, from the store, or made again where neither has it.
    pub(crate) fn obtain(&self, task: usize, table: &str, passing: bool) -> Result<Arc<Table>> {
        if passing {
            let held = self.state.passing.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = held.get(&(task, table.to_owned())) {
                return Ok(found.table.clone());
            }
            drop(held);
            let made = self.perform(task, None, &[table.to_owned()], false)?;
            let (_, table) = made.into_iter().next().expect("a task makes the table it is asked for");
            return Ok(Arc::new(table));
        }
        self.read(task, |entry| entry.read_table(table)).map(Arc::new)
    }

    /// Reads from a kept result; damage is told, and the task is run again.
    pub(crate) fn read<T>(&self, task: usize, read: impl Fn(&Entry) -> Result<T, Damaged>) -> Result<T> {
        let planned = &self.plan.tasks[task];
        for _ in 0..2 {
            if let Some(entry) = self.store.find(&planned.key)? {
                match read(&entry) {
                    Ok(value) => return Ok(value),
                    Err(damaged) => {
                        self.progress.notice(&format!("{damaged}; `{}` runs again", planned.label));
                    }
                }
            } else {
                self.progress.notice(&format!("the result of `{}` is gone or damaged; it runs again", planned.label));
            }
            // Whoever is making it as well is not waited for: it may be this very thread, some calls further out.
            let lease = self.session.lease(&planned.key);
            let slot = planned.leaves_a_result().then(|| self.session.renew(&planned.key)).transpose()?;
            self.perform(task, slot, &[], lease.is_some())?;
        }
        let entry = self.store.find(&planned.key)?;
        let found = entry.as_ref().map(&read);
        match found {
            Some(Ok(value)) => Ok(value),
            Some(Err(damaged)) => {
                Err(Error::Store(format!("{damaged}, again, after `{}` was run anew", planned.label)))
            }
            None => Err(Error::Store(format!("the result of `{}` does not stay in the store", planned.label))),
        }
    }

    /// # Errors
    /// The user wants to stop.
    pub(crate) fn check_interrupted(&self) -> Result<()> {
        if self.interrupted.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }

    pub(crate) fn keeps_outputs(task: &Task, name: &str) -> bool {
        task.work.outputs().iter().any(|output| output.table() == name && task.keeps(output))
    }
}

#[cfg(test)]
mod tests;
