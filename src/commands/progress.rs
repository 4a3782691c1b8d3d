//! How a run shows that it goes on: a bar on a terminal, a line now and then elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::events::Events;
use super::terminal::{columns, for_stderr, say};
use crate::error::{Error, Result};
use crate::flow::{Plan, Progress, Statuses, Task, summary};
use crate::words::duration;

/// Without a terminal, a line at most this often.
pub(super) const QUIET_TIME: Duration = Duration::from_secs(5);

/// Events of what tasks measure while they run come at most this often.
const EVENT_TIME: Duration = Duration::from_secs(1);

/// Columns from which on there is room for a bar beside the numbers.
const WIDE: usize = 80;

/// The bar counts estimated milliseconds of work, so that the time left means something when tasks differ in size.
pub(super) struct Shown {
    bar: ProgressBar,
    ahead: Mutex<Option<Ahead>>,
    terminal: bool,
    silent: bool,
    /// By stage: tasks, and seconds that workers were busy with them.
    timings: Mutex<BTreeMap<String, (usize, f64)>>,
    events: Option<Events>,
}

/// The level that is being carried out.
struct Ahead {
    tasks: usize,
    /// Estimated seconds of work.
    total: f64,
    started: Instant,
    last: Instant,
    done: f64,
    finished: usize,
    /// In the order of the plan.
    stages: Vec<Stage>,
    /// What was measured last, and when an event told of it.
    measured: Option<String>,
    heard: Option<Instant>,
}

/// How far a stage is.
struct Stage {
    name: String,
    finished: usize,
    tasks: usize,
}

impl Ahead {
    fn new(plan: &Plan, statuses: &Statuses) -> Self {
        let mut stages: Vec<Stage> = Vec::new();
        for (_, task) in plan.tasks.iter().enumerate().filter(|(index, _)| statuses.runs(*index)) {
            match stages.iter_mut().find(|stage| stage.name == *task.stage) {
                Some(stage) => stage.tasks += 1,
                None => stages.push(Stage { name: task.stage.to_string(), finished: 0, tasks: 1 }),
            }
        }
        let now = Instant::now();
        Self {
            tasks: stages.iter().map(|stage| stage.tasks).sum(),
            total: plan.seconds_ahead(statuses),
            started: now,
            last: now,
            done: 0.0,
            finished: 0,
            stages,
            measured: None,
            heard: None,
        }
    }

    /// The stages that are under way, and what was measured last.
    fn in_words(&self) -> String {
        let under_way =
            self.stages.iter().filter(|stage| stage.tasks > 1 && (1..stage.tasks).contains(&stage.finished));
        let stages = under_way.map(|stage| format!("{} {}/{}", stage.name, stage.finished, stage.tasks));
        stages.chain(self.measured.clone()).collect::<Vec<_>>().join(", ")
    }
}

impl Shown {
    /// Before anything is planned. Programs may read in a file what happens.
    ///
    /// # Errors
    /// That file cannot be opened.
    pub(super) fn new(silent: bool, events: Option<&Path>) -> Result<Self> {
        let events = events.map(Events::new).transpose()?;
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        // A line that the terminal breaks cannot be drawn over.
        let template = match columns() {
            Some(columns) if columns < WIDE => "{percent:>3} %  {eta_precise} left  {wide_msg}",
            _ => "{bar:32} {percent:>3} %  {elapsed_precise}  {eta_precise} left  {wide_msg}",
        };
        bar.set_style(ProgressStyle::with_template(template).expect("a fixed template"));
        let terminal = std::io::stderr().is_terminal();
        Ok(Self { bar, ahead: Mutex::default(), terminal, silent, timings: Mutex::default(), events })
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn happened(&self, event: &str, task: &Task, more: Value) {
        if let Some(events) = &self.events {
            events.of_task(event, task, more);
        }
    }

    /// One task less ahead.
    fn advance(&self, task: &Task, cost: f64) {
        self.bar.inc((cost * 1e3) as u64);
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ahead) = &mut *ahead else { return };
        ahead.done += cost;
        ahead.finished += 1;
        if let Some(stage) = ahead.stages.iter_mut().find(|stage| stage.name == *task.stage) {
            stage.finished += 1;
        }
        self.tell(ahead);
    }

    /// On a terminal at once, elsewhere now and then.
    fn tell(&self, ahead: &mut Ahead) {
        if self.silent {
            return;
        }
        if self.terminal {
            self.bar.set_message(ahead.in_words());
        } else if ahead.last.elapsed() >= QUIET_TIME {
            ahead.last = Instant::now();
            let elapsed = ahead.started.elapsed().as_secs_f64();
            let left = elapsed / ahead.done.max(1e-9) * (ahead.total - ahead.done).max(0.0);
            let left = if ahead.done > 0.0 { format!(", {} left", duration(left)) } else { String::new() };
            let (finished, tasks) = (ahead.finished, ahead.tasks);
            let words = Some(ahead.in_words()).filter(|words| !words.is_empty());
            let words = words.map_or(String::new(), |words| format!(": {words}"));
            say(&format!("  {finished} of {tasks} tasks{left}{words}"));
        }
    }

    /// A line per stage, the longest first.
    pub(super) fn timings(&self) -> String {
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
    fn planned(&self, plan: &Plan, statuses: &Statuses) {
        if let Some(events) = &self.events {
            events.planned(plan, statuses);
        }
        if !self.silent {
            say(&format!("{}: {}", plan.main().name, summary(plan, statuses)));
            if let Some(equations) = super::rules::in_brief(plan) {
                say(&equations);
            }
        }
        let ahead = Ahead::new(plan, statuses);
        if self.terminal && !self.silent {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.reset();
        self.bar.set_length((ahead.total * 1e3) as u64);
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
    }

    fn started(&self, task: &Task) {
        self.happened("started", task, Value::Null);
    }

    fn measured(&self, task: &Task, what: &str, step: u64, value: f64) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ahead) = &mut *ahead else { return };
        // Of a million short trainings nobody wants to read each step.
        if ahead.heard.is_none_or(|heard| heard.elapsed() >= EVENT_TIME) {
            ahead.heard = Some(Instant::now());
            self.happened("measured", task, json!({ "what": what, "step": step, "value": value }));
        }
        ahead.measured = Some(format!("{what} {value:.3} at {step} of {}", task.label));
        self.tell(ahead);
    }

    fn finished(&self, task: &Task, cost: f64, seconds: f64) {
        self.happened("finished", task, json!({ "seconds": seconds }));
        {
            let mut timings = self.timings.lock().unwrap_or_else(PoisonError::into_inner);
            let (tasks, sum) = timings.entry(task.stage.to_string()).or_default();
            (*tasks, *sum) = (*tasks + 1, *sum + seconds);
        }
        self.advance(task, cost);
    }

    fn failed(&self, task: &Task, error: &Error) {
        self.happened("failed", task, json!({ "error": error.to_string() }));
    }

    fn shared(&self, task: &Task, cost: f64) {
        self.happened("shared", task, Value::Null);
        self.advance(task, cost);
    }

    fn notice(&self, text: &str) {
        if let Some(events) = &self.events {
            events.notice(text);
        }
        if self.silent {
            return;
        }
        if self.bar.is_hidden() {
            say(&format!("  {text}"));
        } else {
            self.bar.println(for_stderr(&format!("  {text}")));
        }
    }
}
