//! Which task is carried out when: inputs first; of those that can begin, the one with the longest way to the end of the plan,
//! so that no worker is left with a long task when the others are done; and what another run is making after everything else.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Executed, Failure, Manner, Run, Turn};
use crate::error::{Error, Result};
use crate::store::Key;

/// After this time, at the earliest, it is asked again what another run has made.
const PAUSE: Duration = Duration::from_millis(20);
/// Asking takes some ten microseconds a task; with a longer pause for many tasks it stays a small share of the time.
const PAUSE_A_TASK: Duration = Duration::from_micros(200);

#[derive(Clone, Copy)]
struct Graph<'a> {
    readers: &'a [Vec<usize>],
    waiting: &'a [AtomicUsize],
    /// By task: estimated microseconds from its beginning to the end of the longest chain of tasks that wait for it.
    to_the_end: &'a [u64],
    /// By task, whether something that it depends on failed.
    is_broken: &'a [AtomicBool],
    manner: &'a Manner<'a>,
    queue: &'a Queue,
}

/// What is under way, and what another run has to finish first.
#[derive(Default)]
struct Queue {
    queued: Mutex<Queued>,
    changed: Condvar,
}

#[derive(Default)]
struct Queued {
    active: usize,
    /// What a worker takes up next: the greatest.
    due: BinaryHeap<Due>,
    postponed: Vec<usize>,
}

/// A task that can begin.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    when: When,
    to_the_end: u64,
    index: Reverse<usize>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum When {
    /// Another run was making it.
    AfterAll,
    InTurn,
    /// It reads what another task has handed on in memory, which is soon dropped then.
    AtOnce,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Queued> {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something under way, until it is dropped, however it ends.
struct Active<'a>(&'a Queue);

impl<'a> Active<'a> {
    fn begin(queue: &'a Queue) -> Self {
        queue.lock().active += 1;
        Self(queue)
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.lock().active -= 1;
        self.0.changed.notify_one();
    }
}

impl Run<'_> {
    /// Runs what has to run.
    ///
    /// # Errors
    /// The first error of a task, unless the run was to keep going; tasks under way are finished, and what is finished is kept.
    /// Or the user stopped it.
    pub fn execute(&self, manner: &Manner<'_>) -> Result<Executed> {
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
        let to_the_end = self.to_the_end(&readers);
        let ready: Vec<usize> = (0..n_tasks)
            .filter(|&index| self.statuses.runs(index) && waiting[index].load(Ordering::Relaxed) == 0)
            .collect();
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(manner.jobs.max(1))
            .thread_name(|index| format!("worker-{index}"))
            .build()
            .map_err(|error| Error::Internal { task: "scheduler".into(), message: error.to_string() })?;
        let queue = Queue::default();
        let is_broken: Vec<AtomicBool> = (0..n_tasks).map(|_| AtomicBool::new(false)).collect();
        let graph = Graph {
            readers: &readers,
            waiting: &waiting,
            to_the_end: &to_the_end,
            is_broken: &is_broken,
            manner,
            queue: &queue,
        };
        pool.in_place_scope(|scope| {
            self.spawn(scope, &ready, graph);
            self.attend(scope, graph);
        });
        let mut failures = std::mem::take(&mut *self.failures());
        if self.state.stopped.load(Ordering::Relaxed)
            && let Some(last) = failures.pop()
        {
            return Err(last.error);
        }
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        failures.sort_by_key(|failure| failure.task);
        let [ran, shared] = [&self.state.executed, &self.state.shared].map(|count| count.load(Ordering::Relaxed));
        let n_running = (0..n_tasks).filter(|&index| self.statuses.runs(index)).count();
        let left = n_running - ran - shared - failures.len();
        Ok(Executed { ran, shared, failures, left })
    }

    /// By task, how long the longest chain of tasks takes that begins with it.
    fn to_the_end(&self, readers: &[Vec<usize>]) -> Vec<u64> {
        let mut to_the_end = vec![0; readers.len()];
        for index in (0..readers.len()).rev() {
            let after = readers[index].iter().map(|&reader| to_the_end[reader]).max().unwrap_or(0);
            to_the_end[index] = after + (self.plan.seconds(index) * 1e6) as u64;
        }
        to_the_end
    }

    /// Tasks that can begin: all of them are due before a worker chooses one.
    fn spawn<'scope>(&'scope self, scope: &rayon::Scope<'scope>, tasks: &[usize], graph: Graph<'scope>) {
        let reads_in_passing = |index: usize| self.plan.tasks[index].inputs.iter().any(|input| input.passing);
        let when = |index: usize| if reads_in_passing(index) { When::AtOnce } else { When::InTurn };
        self.spawn_when(scope, tasks.iter().map(|&index| (when(index), index)), graph);
    }

    fn spawn_when<'scope>(
        &'scope self,
        scope: &rayon::Scope<'scope>,
        tasks: impl Iterator<Item = (When, usize)>,
        graph: Graph<'scope>,
    ) {
        let tasks: Vec<Due> = tasks
            .map(|(when, index)| Due { when, to_the_end: graph.to_the_end[index], index: Reverse(index) })
            .collect();
        let active: Vec<Active<'_>> = tasks.iter().map(|_| Active::begin(graph.queue)).collect();
        graph.queue.lock().due.extend(tasks);
        for active in active {
            scope.spawn(move |scope| {
                let _active = active;
                let due = graph.queue.lock().due.pop().expect("one task is due for each that was spawned");
                self.step(scope, &due, graph);
            });
        }
    }

    /// Brings tasks up again that another run was making, until there is nothing left to do. Asking is left to the workers,
    /// so whatever else can be done is done first.
    fn attend<'scope>(&'scope self, scope: &rayon::Scope<'scope>, graph: Graph<'scope>) {
        let mut told = false;
        loop {
            let n_postponed = {
                let mut queued = graph.queue.lock();
                while queued.postponed.is_empty() {
                    if queued.active == 0 {
                        return;
                    }
                    queued = graph.queue.changed.wait(queued).unwrap_or_else(PoisonError::into_inner);
                }
                queued.postponed.len()
            };
            if !self.is_stopped() {
                std::thread::sleep(PAUSE.max(PAUSE_A_TASK * u32::try_from(n_postponed).unwrap_or(u32::MAX)));
            }
            let (postponed, idle) = {
                let mut queued = graph.queue.lock();
                (std::mem::take(&mut queued.postponed), queued.active == 0)
            };
            if self.is_stopped() {
                continue;
            }
            if idle && postponed.iter().all(|&index| graph.manner.leaves(index)) {
                return;
            }
            if idle {
                // Who only waits holds nothing that others may wait for.
                self.give_up_leases();
                if !std::mem::replace(&mut told, true) {
                    self.progress.notice(&format!(
                        "another run is making `{}`{}; waiting for it",
                        self.plan.tasks[postponed[0]].label,
                        if postponed.len() > 1 { format!(" and {} more", postponed.len() - 1) } else { String::new() }
                    ));
                }
            }
            self.spawn_when(scope, postponed.into_iter().map(|index| (When::AfterAll, index)), graph);
        }
    }

    fn is_stopped(&self) -> bool {
        self.state.stopped.load(Ordering::Relaxed) || self.interrupted.load(Ordering::Relaxed)
    }

    fn failures(&self) -> MutexGuard<'_, Vec<Failure>> {
        self.state.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step<'scope>(&'scope self, scope: &rayon::Scope<'scope>, due: &Due, graph: Graph<'scope>) {
        let index = due.index.0;
        if self.is_stopped() || due.when != When::AtOnce && graph.manner.is_over() {
            return;
        }
        let task = &self.plan.tasks[index];
        if graph.is_broken[index].load(Ordering::Acquire) {
            return self.pass_on(scope, index, graph);
        }
        let (result, seconds) = timed(|| self.turn(index));
        match result {
            Ok(Turn::Later) => return graph.queue.lock().postponed.push(index),
            Ok(Turn::Ran) => {
                self.state.executed.fetch_add(1, Ordering::Relaxed);
                self.progress.finished(task, self.plan.seconds(index), seconds);
            }
            Ok(Turn::Found) => {
                self.state.shared.fetch_add(1, Ordering::Relaxed);
                self.progress.shared(task, self.plan.seconds(index));
            }
            Err(Error::Interrupted) => return,
            Err(error) => {
                let is_everybodys = matches!(error, Error::Io { .. });
                self.progress.failed(task, &error);
                if !is_everybodys {
                    self.store.remember(&failure_note(&task.key), error.to_string().as_bytes());
                }
                // What stops the run is said; of several tasks under way that fail, the first.
                if !self.state.stopped.load(Ordering::Relaxed) {
                    self.failures().push(Failure { task: index, error });
                }
                // A disk that is full is full for all.
                if !graph.manner.keep_going || is_everybodys {
                    self.state.stopped.store(true, Ordering::Relaxed);
                    return;
                }
                graph.is_broken[index].store(true, Ordering::Release);
            }
        }
        self.pass_on(scope, index, graph);
    }

    /// A task is over: what waited for it alone can begin, or cannot be had either.
    fn pass_on<'scope>(&'scope self, scope: &rayon::Scope<'scope>, index: usize, graph: Graph<'scope>) {
        self.release(&self.plan.tasks[index]);
        if graph.is_broken[index].load(Ordering::Acquire) {
            for &reader in &graph.readers[index] {
                graph.is_broken[reader].store(true, Ordering::Release);
            }
        }
        let was_last = |reader: &usize| graph.waiting[*reader].fetch_sub(1, Ordering::AcqRel) == 1;
        let ready: Vec<usize> = graph.readers[index].iter().copied().filter(was_last).collect();
        self.spawn(scope, &ready, graph);
    }
}

/// The note by which the store knows of a task that failed.
pub(crate) fn failure_note(key: &Key) -> String {
    format!("failed-{key}")
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
