//! How a run shows that it goes on: a bar on a terminal, a line now and then elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::plan::{Plan, Statuses, Task};
use crate::run::Progress;
use crate::words::duration;

/// Without a terminal, a line at most this often.
const QUIET_TIME: Duration = Duration::from_secs(5);

/// The bar counts estimated milliseconds of work, so that the time left means something when tasks differ in size.
pub struct Shown {
    bar: ProgressBar,
    tasks: usize,
    total: f64,
    plain: Option<Mutex<Plain>>,
    silent: bool,
    /// By stage: tasks, and seconds that workers were busy with them.
    timings: Mutex<BTreeMap<String, (usize, f64)>>,
}

struct Plain {
    started: Instant,
    last: Instant,
    done: f64,
    finished: usize,
}

impl Shown {
    pub fn new(plan: &Plan, statuses: &Statuses, silent: bool) -> Self {
        let running = || (0..plan.tasks.len()).filter(|&task| statuses.runs(task));
        let total: f64 = running().map(|task| plan.tasks[task].work.cost()).sum();
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal && !silent { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some((total * 1e3) as u64), target);
        bar.set_style(
            ProgressStyle::with_template("{bar:32} {percent:>3} %  {elapsed_precise}  {eta_precise} left  {wide_msg}")
                .expect("a fixed template"),
        );
        let now = Instant::now();
        let plain =
            (!terminal && !silent).then(|| Mutex::new(Plain { started: now, last: now, done: 0.0, finished: 0 }));
        Self { bar, tasks: running().count(), total, plain, silent, timings: Mutex::default() }
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// A line a stage, the longest first.
    pub fn timings(&self) -> String {
        let timings = self.timings.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stages: Vec<_> = timings.iter().collect();
        stages.sort_by(|(_, (_, a)), (_, (_, b))| b.total_cmp(a));
        let total: f64 = stages.iter().map(|(_, (_, seconds))| seconds).sum();
        let width = stages.iter().map(|(stage, _)| stage.chars().count()).max().unwrap_or(0).max("stage".len());
        let mut text = format!("{:<width$} {:>6} {:>11} {:>6}", "stage", "tasks", "worker time", "share");
        for (stage, (tasks, seconds)) in stages {
            write!(text, "\n{stage:<width$} {tasks:>6} {:>11} {:>4.0} %", duration(*seconds), 100.0 * seconds / total)
                .expect("writing to a string");
        }
        text
    }
}

impl Progress for Shown {
    fn started(&self, task: &Task) {
        self.bar.set_message(task.label.clone());
    }

    fn finished(&self, task: &Task, cost: f64, seconds: f64) {
        {
            let mut timings = self.timings.lock().unwrap_or_else(PoisonError::into_inner);
            let (tasks, sum) = timings.entry(task.stage.clone()).or_default();
            (*tasks, *sum) = (*tasks + 1, *sum + seconds);
        }
        self.bar.inc((cost * 1e3) as u64);
        let Some(plain) = &self.plain else { return };
        let mut plain = plain.lock().unwrap_or_else(PoisonError::into_inner);
        plain.done += cost;
        plain.finished += 1;
        if plain.last.elapsed() >= QUIET_TIME {
            plain.last = Instant::now();
            let elapsed = plain.started.elapsed().as_secs_f64();
            let left = elapsed / plain.done.max(1e-9) * (self.total - plain.done).max(0.0);
            eprintln!("  {} of {} tasks, {} left, last: {}", plain.finished, self.tasks, duration(left), task.label);
        }
    }

    fn notice(&self, text: &str) {
        if self.silent {
            return;
        }
        if self.bar.is_hidden() {
            eprintln!("  {text}");
        } else {
            self.bar.println(format!("  {text}"));
        }
    }
}
