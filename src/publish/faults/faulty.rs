//! An operating system that fails on demand.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;

use crate::files::Step;
use crate::files::watch::{Verdict, Watch};

/// In which way something fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Once, with this error and without effect.
    Once(Errno),
    /// Half is written, then the disk is full, once.
    Torn,
    /// From here on the disk is full.
    Lasting,
    /// The process ends: neither this step nor any later one has an effect.
    Crash,
    /// The process ends while it writes: half of it.
    TornCrash,
    /// A signal comes first.
    Interrupted,
    /// The system takes or gives only half of the bytes.
    Short,
}

/// What is to fail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    /// The number of the step; every step where there is none.
    pub at: Option<usize>,
    pub fault: Fault,
}

impl Fault {
    /// The ways in which the step of this number can fail.
    pub(super) fn of(step: Step, at: usize) -> Vec<Point> {
        let mut faults = vec![Self::Once(Errno::IO)];
        // Before a step that changes nothing, it is as before the next one that does.
        if changes(step) {
            faults.push(Self::Crash);
        }
        if needs_space(step) {
            faults.extend([Self::Once(Errno::NOSPC), Self::Lasting]);
        }
        if step == Step::Write {
            faults.extend([Self::Torn, Self::TornCrash]);
        }
        faults.into_iter().map(|fault| Point { at: Some(at), fault }).collect()
    }
}

fn changes(step: Step) -> bool {
    needs_space(step) && step != Step::Sync || matches!(step, Step::Protect | Step::RemoveFile | Step::RemoveFolder)
}

fn needs_space(step: Step) -> bool {
    use Step::{Clone, Create, Exchange, Link, MakeFolder, Rename, Sync, Write};
    matches!(step, Create | MakeFolder | Write | Clone | Sync | Link | Rename | Exchange)
}

impl Point {
    pub(super) fn everywhere(fault: Fault) -> Self {
        Self { at: None, fault }
    }
}

/// Counts the steps, and lets one fail.
#[derive(Debug)]
pub(super) struct Faulty {
    exchanges: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: Vec<(Step, PathBuf)>,
    point: Option<Point>,
    /// Whether the last step was interrupted: it is taken again.
    again: bool,
    numbers: u64,
}

impl Faulty {
    /// `exchanges`: whether the file system can exchange two folders.
    pub(super) fn new(exchanges: bool) -> Self {
        Self { exchanges, state: Mutex::default() }
    }

    /// From now on.
    pub(super) fn arm(&self, point: Point) {
        let mut state = self.lock();
        (state.point, state.taken) = (Some(point), Vec::new());
    }

    pub(super) fn disarm(&self) {
        self.lock().point = None;
    }

    /// The steps so far.
    pub(super) fn steps(&self) -> Vec<(Step, PathBuf)> {
        self.lock().taken.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for Faulty {
    fn before(&self, step: Step, paths: &[&Path]) -> Verdict {
        // Nobody can refuse it.
        if step == Step::Unlock {
            return Verdict::Go;
        }
        let mut state = self.lock();
        let number = state.taken.len();
        state.taken.push((step, paths[paths.len() - 1].to_owned()));
        let verdict = match state.point {
            Some(point) => {
                let since = point.at.map_or(Some(0), |at| number.checked_sub(at));
                let once = |error| if since == Some(0) { Verdict::Fail(error) } else { Verdict::Go };
                let then = |error| if since == Some(0) { Verdict::Half } else { Verdict::Fail(error) };
                match (point.fault, since) {
                    (_, None) => Verdict::Go,
                    (Fault::Interrupted, _) => {
                        state.again = !state.again;
                        if state.again { Verdict::Fail(Errno::INTR) } else { Verdict::Go }
                    }
                    (Fault::Short, _) => Verdict::Half,
                    (Fault::Once(error), _) => once(error),
                    (Fault::Torn, Some(0 | 1)) => then(Errno::NOSPC),
                    (Fault::Torn, _) => Verdict::Go,
                    (Fault::Lasting, _) if needs_space(step) => Verdict::Fail(Errno::NOSPC),
                    (Fault::Lasting, _) => Verdict::Go,
                    (Fault::Crash, _) => Verdict::Fail(Errno::IO),
                    (Fault::TornCrash, _) => then(Errno::IO),
                }
            }
            None => Verdict::Go,
        };
        match verdict {
            Verdict::Go if step == Step::Exchange && !self.exchanges => Verdict::Fail(Errno::INVAL),
            verdict => verdict,
        }
    }

    fn number(&self) -> u64 {
        let mut state = self.lock();
        state.numbers += 1;
        state.numbers
    }
}
