//! One thread for all SQL.
//!
//! How Polars cuts columns into pieces, and so in which order it adds up numbers, depends on how many threads it has. On
//! this thread it has none but this one, whatever the machine and whatever `POLARS_MAX_THREADS` says.

use polars_async::executor::ALLOW_RAYON_THREADS;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;

type Job = Box<dyn FnOnce() + Send>;

/// Plans are walked by recursion, and a query may nest deeper than a small stack allows.
const STACK: usize = 64 << 20;

static JOBS: LazyLock<Mutex<Sender<Job>>> = LazyLock::new(|| {
    let (sender, jobs) = channel::<Job>();
    let work = move || {
        ALLOW_RAYON_THREADS.set(false);
        jobs.into_iter().for_each(|job| job());
    };
    thread::Builder::new().name("sql".to_owned()).stack_size(STACK).spawn(work).expect("a thread can be started");
    Mutex::new(sender)
});

/// Does it there, and waits for it. A panic there is one here.
pub(super) fn on_one_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, result) = channel();
    let job = move || {
        // Who asked may have gone; then nobody waits for the result.
        let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
    };
    JOBS.lock().unwrap_or_else(PoisonError::into_inner).send(Box::new(job)).expect("the thread never ends");
    result.recv().expect("every job sends its result").unwrap_or_else(|panic| resume_unwind(panic))
}
