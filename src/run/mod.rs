//! Plan → results: tasks side by side, inputs first, everything that is known already taken from the store.
//!
//! Whatever happens to a run, the store stays sound: a result appears whole or not at all, and what one run finished the
//! next one finds. A kept result that turns out to be damaged when it is read is made again on the spot.

mod context;
mod shared;

use context::Context;
pub(crate) use context::add_axes;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::error::{Error, Result};
use crate::plan::{Disposition, Plan, Statuses, Task};
use crate::store::{Damaged, Entry, Session, Slot, Status, Store};
use crate::tables::Table;
use crate::task::Storage;

/// What a run tells while it goes on.
pub trait Progress: Sync {
    /// A plan, or a level of it, is about to be carried out.
    fn planned(&self, _plan: &Plan, _statuses: &Statuses) {}
    /// A task begins.
    fn started(&self, _task: &Task) {}
    /// `cost` as the plan estimated it; `seconds` as its worker was busy with it.
    fn finished(&self, _task: &Task, _cost: f64, _seconds: f64) {}
    /// Something worth a line: damage that was repaired, a run that diverged.
    fn notice(&self, _text: &str) {}
}

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
    /// How many tasks of this run read a table in passing.
    readers: BTreeMap<(usize, String), usize>,
    state: State,
}

#[derive(Default)]
struct State {
    /// Tables handed on in memory, with the number of tasks that still want them.
    passing: Mutex<BTreeMap<(usize, String), Passing>>,
    shared: shared::Memo,
    failed: AtomicBool,
    error: Mutex<Option<Error>>,
    executed: AtomicUsize,
}

struct Passing {
    table: Arc<Table>,
    readers: usize,
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
        let mut readers = BTreeMap::new();
        for (_, task) in plan.tasks.iter().enumerate().filter(|(index, _)| statuses.runs(*index)) {
            for input in task.inputs.iter().filter(|input| input.passing) {
                *readers.entry((input.task, input.table.to_string())).or_default() += 1;
            }
        }
        Self { plan, store, session, statuses, progress, interrupted, readers, state: State::default() }
    }

    /// Runs what has to run, `jobs` tasks at a time. Returns the number of tasks executed.
    ///
    /// # Errors
    /// The first error of a task; tasks under way are finished, and what is finished is kept.
    pub fn execute(&self, jobs: usize) -> Result<usize> {
        let n_tasks = self.plan.tasks.len();
        let mut readers: Vec<Vec<usize>> = vec![Vec::new(); n_tasks];
        let mut waiting: Vec<AtomicUsize> = Vec::with_capacity(n_tasks);
        for (index, task) in self.plan.tasks.iter().enumerate() {
            let mut count = 0;
            if self.statuses.runs(index) {
                let mut dependencies: Vec<usize> =
                    task.dependencies().filter(|&dependency| self.statuses.runs(dependency)).collect();
                dependencies.sort_unstable();
                dependencies.dedup();
                count = dependencies.len();
                for dependency in dependencies {
                    readers[dependency].push(index);
                }
            }
            waiting.push(AtomicUsize::new(count));
        }
        let ready: Vec<usize> = (0..n_tasks)
            .filter(|&index| self.statuses.runs(index) && waiting[index].load(Ordering::Relaxed) == 0)
            .collect();
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(jobs.max(1))
            .thread_name(|index| format!("worker-{index}"))
            .build()
            .map_err(|error| Error::Internal { task: "scheduler".into(), message: error.to_string() })?;
        let graph = Graph { readers: &readers, waiting: &waiting };
        // A worker takes what it spawned last, so a task's readers run right after it and what it handed on is soon
        // dropped; hence the reverse order here, which starts the first task first.
        pool.scope(|scope| {
            for &index in ready.iter().rev() {
                scope.spawn(move |scope| self.step(scope, index, graph));
            }
        });
        let error = self.state.error.lock().unwrap_or_else(PoisonError::into_inner).take();
        match error {
            Some(error) => Err(error),
            None if self.interrupted.load(Ordering::Relaxed) => Err(Error::Interrupted),
            None => Ok(self.state.executed.load(Ordering::Relaxed)),
        }
    }

    fn step<'scope>(&'scope self, scope: &rayon::Scope<'scope>, index: usize, graph: Graph<'scope>) {
        if self.state.failed.load(Ordering::Relaxed) || self.interrupted.load(Ordering::Relaxed) {
            return;
        }
        let task = &self.plan.tasks[index];
        self.progress.started(task);
        let (result, seconds) = timed(|| self.run_task(index));
        match result {
            Ok(()) => {
                self.state.executed.fetch_add(1, Ordering::Relaxed);
                self.progress.finished(task, self.plan.seconds(index), seconds);
                self.release(task);
                for &reader in graph.readers[index].iter().rev() {
                    if graph.waiting[reader].fetch_sub(1, Ordering::AcqRel) == 1 {
                        scope.spawn(move |scope| self.step(scope, reader, graph));
                    }
                }
            }
            Err(error) => {
                self.state.failed.store(true, Ordering::Relaxed);
                self.state.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        }
    }

    /// Runs a task of the plan and hands its passing tables on to those who wait for them.
    fn run_task(&self, index: usize) -> Result<()> {
        let task = &self.plan.tasks[index];
        let wanted: Vec<String> = task
            .work
            .outputs()
            .iter()
            .filter(|output| !task.keeps(output))
            .map(|output| output.table().to_owned())
            .filter(|table| self.readers_of(index, table) > 0)
            .collect();
        let slot = if self.statuses.of[index] == Disposition::Run { self.slot(index)? } else { None };
        let handed_on = self.perform(index, slot, &wanted)?;
        let mut passing = self.state.passing.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, table) in handed_on {
            let readers = self.readers_of(index, &name);
            passing.insert((index, name), Passing { table: Arc::new(table), readers });
        }
        Ok(())
    }

    fn readers_of(&self, task: usize, table: &str) -> usize {
        self.readers.get(&(task, table.to_owned())).copied().unwrap_or(0)
    }

    /// Runs a task now, on this thread, and puts its result into the slot. Returns the tables `wanted` in memory.
    fn perform(&self, index: usize, slot: Option<Slot>, wanted: &[String]) -> Result<Vec<(String, Table)>> {
        if slot.is_none() && wanted.is_empty() {
            return Ok(Vec::new());
        }
        let task = &self.plan.tasks[index];
        let context = Context::new(self, task, slot.map(Slot::begin).transpose()?, wanted);
        task.work.run(&context)?;
        context.finish()
    }

    /// A place for the task's result, unless another run has filled it in the meantime.
    fn slot(&self, index: usize) -> Result<Option<Slot>> {
        let task = &self.plan.tasks[index];
        if !task.leaves_a_result() {
            return Ok(None);
        }
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
            let made = self.perform(task, None, &[table.to_owned()])?;
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
            let slot = planned.leaves_a_result().then(|| self.session.renew(&planned.key)).transpose()?;
            self.perform(task, slot, &[])?;
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
        task.keep && task.work.outputs().iter().any(|output| output.table() == name && output.storage == Storage::Kept)
    }
}

/// Runs `work` and says how many seconds this thread was busy with it. A worker that waits for a part of its task that another
/// one took over may begin a further task meanwhile; that one's time is its own.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    thread_local! {
        /// Seconds of the tasks that ran within the one now running.
        static WITHIN: Cell<f64> = const { Cell::new(0.0) };
    }
    let within_outer = WITHIN.replace(0.0);
    let started = Instant::now();
    let result = work();
    let seconds = started.elapsed().as_secs_f64();
    let within = WITHIN.replace(within_outer + seconds);
    (result, seconds - within)
}

#[derive(Clone, Copy)]
struct Graph<'a> {
    readers: &'a [Vec<usize>],
    waiting: &'a [AtomicUsize],
}

#[cfg(test)]
mod tests;
