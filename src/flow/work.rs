//! One worker of many. Engines start it, on whichever machine, with a share of the plan; nothing but the store tells it of the
//! others. Every result has its key before anything runs and appears whole or not at all, so a worker that dies, comes twice or
//! never comes costs time and nothing else: others take over what it had left, and at last `pipeline` does.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::carry_out::{AWAKENED, AWAKENINGS, failed, purpose, side_by_side};
use super::planning::{on_this_machine, reader};
use super::remotes::Second;
use super::{Options, Project, portable_kernels};
use crate::error::{Error, Result};
use crate::plan::{self, Components, Disposition, Level, Levels, Plan, Request, Share, Statuses};
use crate::run::{Executed, LEAVES_AFTER, Manner, Progress, Run};
use crate::store::{Key, Session, Store};

/// What a worker is to do, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Shift<'a> {
    /// Its share.
    pub share: Share,
    /// From then on it begins nothing.
    pub until: Option<Instant>,
    /// The digest that the plan must have; any if left out.
    pub expect: Option<&'a str>,
}

impl Shift<'_> {
    /// Whether its time is up.
    pub fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

/// What a worker did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worked {
    /// Tasks that it ran.
    pub executed: usize,
    /// Tasks that others ran meanwhile.
    pub shared: usize,
    /// Tasks of its own share that were in the store already.
    pub found: usize,
    /// Tasks of any share that it left: others are at them, or the time was up.
    pub left: usize,
    /// The level of the plan that it came to.
    pub level: usize,
}

/// How a plan falls into shares.
#[derive(Clone, Debug, PartialEq)]
pub struct Shares {
    /// The pipeline, as it is published.
    pub name: String,
    /// Tells plans apart, for [`Shift::expect`].
    pub digest: String,
    /// How many components there are: no more shares than that have anything to do.
    pub components: usize,
    /// Seconds on one core of everything that can be shared out, by the plan's estimate.
    pub seconds: f64,
    /// Bytes of memory of the task that takes most.
    pub memory: u64,
    /// How many levels there usually are.
    pub levels: usize,
}

impl Project {
    /// How the first level of a plan falls into shares, whatever the store has.
    ///
    /// # Errors
    /// All faults of the pipeline, each with its place.
    pub fn shares(&self, request: &Request) -> Result<Shares> {
        let catalogue = self.catalogue()?;
        let level = Levels::new(&catalogue, &self.pipelines, &on_this_machine(request)).present(|_, _, _| Ok(None))?;
        let components = Components::new(&level.plan);
        Ok(Shares {
            name: level.plan.main().name.clone(),
            digest: level.plan.digest(),
            components: components.len(),
            seconds: components.seconds(),
            memory: level.plan.tasks.iter().map(|task| task.work.memory()).max().unwrap_or(0),
            levels: level.levels,
        })
    }

    /// Does a share of a plan, then what others have left open, level by level; what lies behind the first gathered table is
    /// left to [`Project::run`], but for what says how the next level goes on.
    ///
    /// # Errors
    /// All faults of the pipeline, each with its place; another plan than the one expected; the first error of a task, or all
    /// if the worker was to keep going.
    pub fn work(
        &self,
        request: &Request,
        shift: &Shift<'_>,
        options: &Options<'_>,
        progress: &dyn Progress,
    ) -> Result<Worked> {
        let catalogue = self.catalogue()?;
        let store = self.store();
        let request = &on_this_machine(request);
        let mut levels = Levels::new(&catalogue, &self.pipelines, request);
        let never = AtomicBool::new(false);
        let interrupt = options.interrupt.unwrap_or(&never);
        let second = options.remote.map(|url| Second::open(url, interrupt)).transpose()?;
        let worked = Worked::default();
        let mut worker = Worker {
            store: &store,
            second,
            session: None,
            shift,
            options,
            interrupt,
            progress,
            request,
            awakened: 0,
            worked,
        };
        loop {
            let mut level = levels.present(reader(&store))?;
            level.plan.portable_kernels = portable_kernels();
            if let Some(expected) = shift.expect {
                let found = match level.number {
                    1 => level.plan.digest(),
                    _ => plan::build(&catalogue, &self.pipelines, request)?.digest(),
                };
                check_expected(expected, &found)?;
            }
            worker.worked.level = level.number;
            if !worker.level(&level)? {
                return Ok(worker.worked);
            }
        }
    }
}

fn check_expected(expected: &str, found: &str) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::usage(format!(
        "`--expect {expected}`: the plan here is {found}; the program, the pipeline's files, what was set or the data sets \
         are not those of the plan that was shared out"
    )))
}

struct Worker<'a> {
    store: &'a dyn Store,
    second: Option<Second<'a>>,
    session: Option<Box<dyn Session>>,
    shift: &'a Shift<'a>,
    options: &'a Options<'a>,
    interrupt: &'a AtomicBool,
    progress: &'a dyn Progress,
    request: &'a Request,
    /// How often it was taken for dead.
    awakened: usize,
    worked: Worked,
}

impl Worker<'_> {
    /// Does what there is to do of a level; whether there is another one to look at.
    fn level(&mut self, level: &Level) -> Result<bool> {
        let plan = &level.plan;
        let components = Components::new(plan);
        let own = components.share(plan, self.shift.share);
        let left_to_others = components.left_to_others();
        let (found, own) = self.carry_out(plan, own, Some(&left_to_others))?;
        self.worked.found += found;
        // What failed once is not tried a second time by the same worker, nor what depends on it.
        let mut is_broken = vec![false; plan.tasks.len()];
        own.failures.iter().for_each(|failure| is_broken[failure.task] = true);
        for (index, task) in plan.tasks.iter().enumerate() {
            is_broken[index] |= task.dependencies().any(|dependency| is_broken[dependency]);
        }
        let open = components.tasks().map(|(task, _)| task).filter(|task| !is_broken[*task]).collect();
        let (_, others) = self.carry_out(plan, open, Some(&left_to_others))?;
        self.worked.left += others.left;
        let all = Executed {
            failures: own.failures.into_iter().chain(others.failures).collect(),
            left: own.left.max(others.left),
            ..Executed::default()
        };
        if !all.failures.is_empty() {
            return Err(failed(plan, &all));
        }
        // Whoever comes last finds everything there, and makes what the next level follows from.
        if others.left > 0 || level.asking.is_empty() || self.shift.is_over() {
            return Ok(false);
        }
        let (_, asked) = self.carry_out(plan, level.asking.clone(), None)?;
        match asked.failures.is_empty() {
            true => Ok(asked.left == 0),
            false => Err(failed(plan, &asked)),
        }
    }

    /// Does what is missing of some tasks. How many of their results were there before, and what came of it.
    fn carry_out(
        &mut self,
        plan: &Plan,
        wanted: Vec<usize>,
        left_to_others: Option<&[bool]>,
    ) -> Result<(usize, Executed)> {
        let (store, options) = (self.store, self.options);
        let predict = || Statuses::predict_for(plan, wanted.iter().copied(), store, None);
        loop {
            let mut statuses = predict()?;
            if let Some(second) = &mut self.second {
                let missing: Vec<usize> = running(plan, &statuses).collect();
                if second.bring(plan, missing, options, store, &mut self.session, self.progress)? {
                    statuses = predict()?;
                }
            }
            let is_there = |task: usize| plan.tasks[task].leaves_a_result() && statuses.of[task] != Disposition::Run;
            let found = wanted.iter().filter(|task| is_there(**task)).count();
            let keys: Vec<&Key> = running(plan, &statuses).map(|task| &plan.tasks[task].key).collect();
            if keys.is_empty() || self.shift.is_over() {
                return Ok((found, Executed { left: keys.len(), ..Executed::default() }));
            }
            let session = match &mut self.session {
                Some(session) => session,
                None => self.session.insert(store.session(options.form)?),
            };
            session.protect(&purpose(plan.main()), &keys)?;
            // What was there a moment ago may have been collected until it was protected.
            let statuses = predict()?;
            self.progress.planned(plan, &statuses);
            let mut run = Run::new(plan, store, session.as_ref(), &statuses, self.progress, self.interrupt);
            run.leaves_after = options.leaves_after.unwrap_or(LEAVES_AFTER);
            let jobs = side_by_side(plan, &statuses, options.jobs, self.request.memory)?;
            let manner = Manner { jobs, keep_going: options.keep_going, until: self.shift.until, left_to_others };
            let done = run.execute(&manner);
            drop(run);
            let settled = session.settle();
            if !session.stands() && self.awakened < AWAKENINGS {
                self.progress.notice(AWAKENED);
                self.awakened += 1;
                self.session = None;
                continue;
            }
            let done = done?;
            settled?;
            self.worked.executed += done.ran;
            self.worked.shared += done.shared;
            return Ok((found, done));
        }
    }
}

fn running<'a>(plan: &'a Plan, statuses: &'a Statuses) -> impl Iterator<Item = usize> + 'a {
    (0..plan.tasks.len()).filter(|&task| statuses.runs(task))
}
