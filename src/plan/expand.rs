//! A stage whose tasks read matching tasks of other stages: one task for each combination of the axes that it depends on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::axes::{apply, own_axes};
use super::compose::PipelineBuilder;
use super::places::Places;
use super::{Input, Task};
use crate::spec::StageSpec;
use crate::spec::node::Fault;
use crate::task::{Available, Facts, Kind, Planned, Planning, Reference, Source, Storage};

/// Tasks of a stage that are worked out side by side before they enter the plan.
const CHUNK: usize = 4096;

/// Different faults of one stage that are reported at once.
const MOST_FAULTS: usize = 8;

/// A task that has not entered the plan yet.
struct Draft {
    task: Task,
    facts: Facts,
    sources: Vec<Arc<Source>>,
}

/// A result that a task may read, and the task that makes it.
type Candidates = (Vec<Available>, Vec<usize>);

/// What was planned once stands for all tasks that see the same: tasks of a stage that no axis changes differ in what they
/// read alone.
#[derive(Default)]
struct Alike(Mutex<VecDeque<(Vec<Available>, Planned, Facts)>>);

/// Different inputs among which equal ones are looked for.
const MOST_ALIKE: usize = 16;

impl Alike {
    fn find(&self, available: &[Available]) -> Option<(Planned, Facts)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |other: &[Available]| {
            other.len() == available.len() && other.iter().zip(available).all(|(one, other)| one.same(other))
        };
        let (_, planned, facts) = known.iter().find(|(other, ..)| is_it(other))?;
        Some((planned.clone(), facts.clone()))
    }

    fn remember(&self, available: &[Available], planned: &Planned, facts: &Facts) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() == MOST_ALIKE {
            known.pop_front();
        }
        known.push_back((available.to_vec(), planned.clone(), facts.clone()));
    }
}

impl PipelineBuilder<'_, '_> {
    /// One task for each combination of the axes that the stage depends on.
    pub(super) fn tasks(&mut self, stage: &StageSpec, kind: &'static dyn Kind, references: &[Reference]) -> Vec<Fault> {
        let matrix = &self.spec.matrix;
        let own = own_axes(stage, kind, self.spec);
        let mut axes: BTreeSet<usize> = own.clone();
        for reference in references {
            let upstream = self.resolve(reference).expect("checked before");
            axes.extend(&self.built[upstream].places.axes);
        }
        let places = Places::new(matrix, axes.into_iter().collect());
        let alike = own.is_empty().then(Alike::default);
        let mut tasks: Vec<usize> = Vec::with_capacity(places.len());
        let mut faults: Vec<Fault> = Vec::new();
        // Tasks are worked out side by side and enter the plan in the order of the matrix, so the plan is always the same.
        for first in (0..places.len()).step_by(CHUNK) {
            let this = &*self;
            let chunk = first..places.len().min(first + CHUNK);
            let draft = |place| {
                let combination = places.combination(place, matrix.axes.len());
                let candidates = this.available(references, &combination);
                this.task(stage, kind, (&places.axes, &combination), &candidates, alike.as_ref())
            };
            let drafts: Vec<Result<Draft, Fault>> = chunk.into_par_iter().map(draft).collect();
            for draft in drafts {
                match draft {
                    Ok(draft) => {
                        self.sources.extend(draft.sources);
                        tasks.push(self.builder.intern(draft.task, draft.facts));
                    }
                    // A wrong value of one axis shows at its first combination; the others only repeat it.
                    Err(fault) => {
                        if faults.len() < MOST_FAULTS && faults.iter().all(|old| old.message != fault.message) {
                            faults.push(fault);
                        }
                    }
                }
            }
            if faults.len() >= MOST_FAULTS {
                break;
            }
        }
        if faults.is_empty() {
            faults.extend(self.publish(stage, kind, places, tasks).err());
        }
        faults
    }

    /// What the tasks of the stages referred to make, and the data set behind them.
    fn available(&self, references: &[Reference], combination: &[Option<usize>]) -> Candidates {
        let (mut available, mut tasks): Candidates = Default::default();
        let mut inherited: Vec<(Available, usize)> = Vec::new();
        for reference in references {
            let upstream = &self.built[self.resolve(reference).expect("checked before")];
            let place = upstream.places.find(combination).expect("who reads a stage depends on all of its axes");
            let index = upstream.grid.tasks[place];
            let task = &self.builder.plan.tasks[index];
            let facts = &self.builder.facts[index];
            for output in task.work.outputs() {
                let mut output = output.clone();
                if !upstream.keep {
                    output.storage = Storage::Passing;
                }
                let role = output.table().to_owned();
                available.push(Available { stage: reference.name.clone(), role, output, facts: facts.clone() });
                tasks.push(index);
            }
            for input in &task.inputs {
                let source = &self.builder.plan.tasks[input.task];
                let output = source.work.outputs().iter().find(|output| output.table() == &*input.table);
                let mut output = output.expect("an input is an output of its task").clone();
                if input.passing {
                    output.storage = Storage::Passing;
                }
                let facts = self.builder.facts[input.task].clone();
                let (stage, role) = (reference.name.clone(), input.role.to_string());
                inherited.push((Available { stage, role, output, facts }, input.task));
            }
        }
        // A measurement of a network sees the data that the network was trained on, unless it names other data itself.
        for (candidate, task) in inherited {
            if !available.iter().any(|direct| direct.role == candidate.role) {
                available.push(candidate);
                tasks.push(task);
            }
        }
        (available, tasks)
    }

    fn task(
        &self,
        stage: &StageSpec,
        kind: &'static dyn Kind,
        (axes, combination): (&[usize], &[Option<usize>]),
        (available, made_by): &Candidates,
        alike: Option<&Alike>,
    ) -> Result<Draft, Fault> {
        let mut label = stage.name.clone();
        for &axis in axes {
            let Some(value) = combination[axis] else { continue };
            let axis = &self.spec.matrix.axes[axis];
            write!(label, " {}={}", axis.name, axis.values[value].label).expect("writing to a string");
        }
        let (Planned { work, inputs: used, sources }, facts) = match alike.and_then(|alike| alike.find(available)) {
            Some(known) => known,
            None => {
                let planned = self.work(stage, kind, (axes, combination), available)?;
                let facts = planned.work.facts();
                if let Some(alike) = alike {
                    alike.remember(available, &planned, &facts);
                }
                (planned, facts)
            }
        };
        let roles = distinct_roles(used.iter().map(|&index| available[index].role.as_str()));
        let inputs: Box<[Input]> = used
            .iter()
            .zip(&roles)
            .map(|(&index, role)| Input {
                role: self.builder.word(role),
                task: made_by[index],
                table: self.builder.word(available[index].output.table()),
                passing: available[index].output.storage == Storage::Passing,
            })
            .collect();
        let material = self.builder.plan.material_of((kind.name(), kind.version()), &*work, &inputs, &[]);
        let task = Task {
            key: material.key(),
            kind: kind.name(),
            version: kind.version(),
            label: label.into(),
            stage: self.builder.word(&stage.name),
            work,
            inputs,
            gathered: Box::default(),
            keep: stage.keep,
        };
        Ok(Draft { task, facts, sources })
    }

    /// What the kind makes of the stage's parameters with the values of the axes laid over them.
    fn work(
        &self,
        stage: &StageSpec,
        kind: &'static dyn Kind,
        (axes, combination): (&[usize], &[Option<usize>]),
        available: &[Available],
    ) -> Result<Planned, Fault> {
        let mut parameters = stage.parameters.clone();
        for &axis in axes {
            let Some(value) = combination[axis] else { continue };
            let axis = &self.spec.matrix.axes[axis];
            let setting = &axis.values[value].setting;
            apply(&mut parameters, (stage, kind), &self.spec.definitions, (&axis.name, setting));
        }
        kind.plan(&Planning {
            stage: &stage.name,
            parameters: &parameters,
            resources: self.builder.catalogue.resources(),
            definitions: &self.spec.definitions,
            matrix: &self.written,
            available,
            tables: &[],
            memory: self.builder.memory,
        })
    }
}

/// The second of several inputs in one role is `<role>_2`.
fn distinct_roles<'a>(roles: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    roles
        .map(|role| {
            let count = seen.entry(role).or_default();
            *count += 1;
            if *count == 1 { role.to_owned() } else { format!("{role}_{count}") }
        })
        .collect()
}
