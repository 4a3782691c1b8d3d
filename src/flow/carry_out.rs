//! Running a request, level by level, and publishing what it made.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::coefficients::install;
use super::planning::{check_force, on_this_machine, reader};
use super::remotes::Second;
use super::storage::now;
use super::{Outcome, Project, cores, portable_kernels};
use crate::error::{Error, Result};
use crate::plan::{Levels, Pipeline, Plan, Request, Statuses};
use crate::publish::{self, Published};
use crate::run::{Executed, Failure, LEAVES_AFTER, Manner, Progress, Run};
use crate::spec::node::size;
use crate::store::{Form, Key, Purpose, Session, Store};

/// How often a run goes on that was taken for dead.
pub(super) const AWAKENINGS: usize = 8;

/// What it says then.
pub(super) const AWAKENED: &str =
    "this run was taken for dead while it was paused; it registers again and looks what is there";

/// How a request is carried out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// A stage whose results are made anew although they are there; an empty name means all stages.
    pub force: Option<&'a str>,
    /// Tasks side by side; as many as there are cores if left out.
    pub jobs: Option<usize>,
    /// Whether what does not depend on a task that failed is carried out all the same.
    pub keep_going: bool,
    /// In which form results are committed.
    pub form: Form,
    /// After so much work a task that can go on from where it was leaves its state in the store; after five minutes if left out,
    /// never if zero.
    pub leaves_after: Option<Duration>,
    /// The URL of an object store from which results are fetched that are not here.
    pub remote: Option<&'a str>,
    /// Raised from outside to stop between two steps; what is finished is kept.
    pub interrupt: Option<&'a AtomicBool>,
}

impl Project {
    /// Runs what has to run and publishes it.
    ///
    /// # Errors
    /// All faults of the pipeline, each with its place; the first error of a task; or what cannot be written. Results that
    /// were finished are kept, and the same request goes on from there.
    pub fn run(&self, request: &Request, options: &Options<'_>, progress: &dyn Progress) -> Result<Outcome> {
        let never = AtomicBool::new(false);
        let interrupt = options.interrupt.unwrap_or(&never);
        let catalogue = self.catalogue()?;
        let store = self.store();
        let request = &on_this_machine(request);
        let mut levels = Levels::new(&catalogue, &self.pipelines, request);
        let (mut executed, mut shared, mut awakened) = (0, 0, 0);
        let mut second = options.remote.map(|url| Second::open(url, interrupt)).transpose()?;
        let mut session: Option<Box<dyn Session>> = None;
        loop {
            let mut level = levels.present(reader(&store))?;
            level.plan.portable_kernels = portable_kernels();
            check_force(&level.plan, options.force)?;
            publish::check_places(&level.plan, &self.outputs)?;
            if let Some(second) = &mut second
                && second.bring(&level.plan, 0..level.plan.tasks.len(), options, &store, &mut session, progress)?
                && !level.asking.is_empty()
            {
                // What came may say how it goes on.
                continue;
            }
            let predict = |force| Statuses::predict_for(&level.plan, level.wanted(), &store, force);
            // With nothing to do, nothing is written: what is published may be looked at where nobody can write.
            if level.asking.is_empty()
                && options.force.is_none()
                && let Some(published) = publish::published_already(&level.plan, &store, &self.outputs)?
            {
                let statuses = predict(None)?;
                if !(0..level.plan.tasks.len()).any(|task| statuses.runs(task)) {
                    progress.planned(&level.plan, &statuses);
                    for (pipeline, one) in level.plan.pipelines.iter().zip(&published) {
                        install(self, pipeline, one)?;
                    }
                    match session {
                        Some(session) => session.finish(),
                        None => store.finished(&purpose(level.plan.main())),
                    }
                    return Ok(Outcome::new((executed, shared), statuses, published));
                }
            }
            if session.is_none() {
                session = Some(store.session(options.form)?);
            }
            let present = session.as_deref().expect("just opened");
            let keys = level.plan.tasks.iter().map(|task| &task.key).collect::<Vec<&Key>>();
            present.protect(&purpose(level.plan.main()), &keys)?;
            // What an earlier level made anew is not made a second time.
            let force = options.force.filter(|_| executed == 0);
            let statuses = predict(force)?;
            progress.planned(&level.plan, &statuses);
            let mut run = Run::new(&level.plan, &store, present, &statuses, progress, interrupt);
            run.leaves_after = options.leaves_after.unwrap_or(LEAVES_AFTER);
            let jobs = side_by_side(&level.plan, &statuses, options.jobs, request.memory)?;
            let done = run.execute(&Manner { keep_going: options.keep_going, ..Manner::side_by_side(jobs) });
            if !present.stands() && awakened < AWAKENINGS {
                // Paused for so long that it was taken for dead: what it counted on may be gone, so it looks again.
                progress.notice(AWAKENED);
                awakened += 1;
                drop(run);
                session = None;
                continue;
            }
            let done = done?;
            executed += done.ran;
            shared += done.shared;
            if !done.failures.is_empty() {
                return Err(failed(&level.plan, &done));
            }
            if level.asking.is_empty() {
                let published = self.publish_all(&run)?;
                drop(run);
                session.into_iter().for_each(Session::finish);
                return Ok(Outcome::new((executed, shared), statuses, published));
            }
        }
    }

    fn publish_all(&self, run: &Run<'_>) -> Result<Vec<Published>> {
        let mut published: Vec<Published> = Vec::new();
        for pipeline in &run.plan.pipelines {
            let one = publish::publish(run, pipeline, &self.outputs, &published)?;
            install(self, pipeline, &one)?;
            published.push(one);
        }
        Ok(published)
    }
}

/// How many tasks are run side by side: as many as asked for or as there are cores, as far as there is memory for them.
///
/// # Errors
/// More were asked for than there is memory for.
pub(super) fn side_by_side(
    plan: &Plan,
    statuses: &Statuses,
    asked: Option<usize>,
    memory: Option<u64>,
) -> Result<usize> {
    let jobs = asked.unwrap_or_else(cores);
    let fitting = plan.fitting(statuses, jobs, memory.unwrap_or(u64::MAX));
    match asked {
        Some(asked) if fitting < asked => {
            let needed = plan.memory(statuses, asked);
            Err(Error::usage(format!(
                "`--jobs {asked}`: that many tasks side by side take about {} of memory, and {} may be taken; \
                 `--jobs {fitting}` fits, or allow more with `--memory`",
                size(needed),
                size(memory.unwrap_or(u64::MAX))
            )))
        }
        _ => Ok(fitting),
    }
}

/// What is said at the end of tasks that failed on the way.
pub(super) fn failed(plan: &Plan, done: &Executed) -> Error {
    let failure = |failure: &Failure| (plan.tasks[failure.task].label.to_string(), failure.error.to_string());
    Error::Failed { failures: done.failures.iter().map(failure).collect(), left: done.left }
}

/// What a run is for: given again, the same command has the same purpose.
pub(super) fn purpose(pipeline: &Pipeline) -> Purpose {
    let text = serde_json::to_vec(&(&pipeline.name, &pipeline.to, &pipeline.document)).expect("plain values serialise");
    Purpose { pipeline: pipeline.name.clone(), plan: blake3::hash(&text).to_hex().to_string(), since: now() }
}
