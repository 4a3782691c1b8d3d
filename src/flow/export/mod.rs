//! A plan for engines that start jobs: the files that somebody who knows the engine would have written.

mod hyperqueue;
mod job;
mod slurm;
mod snakemake;

use self::job::{Job, words};
use super::Project;
use crate::error::Result;
use crate::plan::Request;

/// What starts workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A script that submits an array of jobs, and one that waits for them.
    Slurm,
    /// A job file: tasks with dependencies.
    HyperQueue,
    /// A Snakefile, whose job is a shard.
    Snakemake,
}

/// A file for an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// What stands in it.
    pub text: String,
    /// What it amounts to, in a sentence.
    pub sentence: String,
}

impl Project {
    /// A request as a file for an engine: in so many shards, or in as many as the plan's costs suggest, with so many tasks
    /// side by side in each.
    ///
    /// # Errors
    /// All faults of the pipeline, each with its place; or a path that is not text.
    pub fn export(&self, request: &Request, engine: Engine, shards: Option<u32>, jobs: u32) -> Result<Exported> {
        let job = Job::new(&self.shares(request)?, words(self, request)?, shards, jobs);
        let text = match engine {
            Engine::Slurm => slurm::script(&job),
            Engine::HyperQueue => hyperqueue::job_file(&job),
            Engine::Snakemake => snakemake::snakefile(&job),
        };
        Ok(Exported { text, sentence: job.sentence() })
    }
}
