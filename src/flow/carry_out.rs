//! Running a request, level by level, and publishing what it made.

use std::sync::atomic::AtomicBool;

use super::coefficients::install;
use super::planning::{check_force, reader};
use super::storage::now;
use super::{Outcome, Project};
use crate::error::Result;
use crate::plan::{Levels, Pipeline, Request, Statuses};
use crate::publish::{self, Published};
use crate::run::{Progress, Run};
use crate::store::{Key, Purpose, Session, Store};

/// How a request is carried out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// A stage whose results are made anew although they are there; an empty name means all stages.
    pub force: Option<&'a str>,
    /// Tasks side by side; as many as there are cores if left out.
    pub jobs: Option<usize>,
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
        let mut levels = Levels::new(&catalogue, &self.pipelines, request);
        let (mut executed, mut shared) = (0, 0);
        let mut session: Option<Box<dyn Session>> = None;
        loop {
            let level = levels.present(reader(&store))?;
            check_force(&level.plan, options.force)?;
            publish::check_places(&level.plan, &self.outputs)?;
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
                        install(&self.pipelines, pipeline, one)?;
                    }
                    match session {
                        Some(session) => session.finish(),
                        None => store.finished(&purpose(level.plan.main())),
                    }
                    return Ok(Outcome::new((executed, shared), statuses, published));
                }
            }
            if session.is_none() {
                session = Some(store.session()?);
            }
            let present = session.as_deref().expect("just opened");
            let keys = level.plan.tasks.iter().map(|task| &task.key).collect::<Vec<&Key>>();
            present.protect(&purpose(level.plan.main()), &keys)?;
            // What an earlier level made anew is not made a second time.
            let force = options.force.filter(|_| executed == 0);
            let statuses = predict(force)?;
            progress.planned(&level.plan, &statuses);
            let run = Run::new(&level.plan, &store, present, &statuses, progress, interrupt);
            executed += run.execute(options.jobs.unwrap_or_else(cores))?;
            shared += run.shared();
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
            install(&self.pipelines, pipeline, &one)?;
            published.push(one);
        }
        Ok(published)
    }
}

/// Cores that this process may use.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// What a run is for: given again, the same command has the same purpose.
fn purpose(pipeline: &Pipeline) -> Purpose {
    let text = serde_json::to_vec(&(&pipeline.name, &pipeline.to, &pipeline.document)).expect("plain values serialise");
    Purpose { pipeline: pipeline.name.clone(), plan: blake3::hash(&text).to_hex().to_string(), since: now() }
}
