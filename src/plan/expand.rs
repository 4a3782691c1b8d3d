//! A stage whose tasks read matching tasks of other stages: one task for each combination of the axes that it depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::axes::{apply, own_axes};
use super::compose::{Built, PipelineBuilder, Place};
use super::{Input, Task};
use crate::spec::StageSpec;
use crate::spec::matrix::Coordinates;
use crate::spec::node::Fault;
use crate::store::{KeyMaterial, KeyedInput};
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

impl PipelineBuilder<'_, '_> {
    /// One task for each combination of the axes that the stage depends on.
    pub(super) fn tasks(&mut self, stage: &StageSpec, kind: &'static dyn Kind, references: &[Reference]) -> Vec<Fault> {
        let matrix = &self.spec.matrix;
        let mut axes: BTreeSet<usize> = own_axes(stage, kind, matrix);
        for reference in references {
            let upstream = self.resolve(reference).expect("checked before");
            axes.extend(&self.built[upstream].axes);
        }
        let axes: Vec<usize> = axes.into_iter().collect();
        let mut built = Built { axes: axes.clone(), tasks: BTreeMap::new(), order: Vec::new(), keep: stage.keep };
        let mut faults: Vec<Fault> = Vec::new();
        let on_axes = |combination: &[Option<usize>]| -> Place { axes.iter().map(|&axis| combination[axis]).collect() };
        let mut seen: BTreeSet<Place> = BTreeSet::new();
        let mut distinct: Vec<(&Coordinates, Place)> = Vec::new();
        for combination in matrix.combinations() {
            let place = on_axes(combination);
            if seen.insert(place.clone()) {
                distinct.push((combination, place));
            }
        }
        drop(seen);
        // Tasks are worked out side by side and enter the plan in the order of the matrix, so the plan is always the same.
        for chunk in distinct.chunks(CHUNK) {
            let this = &*self;
            let draft = |(combination, _): &(&Coordinates, Place)| {
                this.task(stage, kind, &axes, combination, &this.available(references, combination))
            };
            let drafts: Vec<Result<Draft, Fault>> = chunk.par_iter().map(draft).collect();
            for ((_, place), draft) in chunk.iter().zip(drafts) {
                match draft {
                    Ok(draft) => {
                        self.sources.extend(draft.sources);
                        let task = self.builder.intern(draft.task, draft.facts);
                        built.tasks.insert(place.clone(), task);
                        built.order.push((place.clone(), task));
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
        if !faults.is_empty() {
            return faults;
        }
        self.publish(stage, kind, &built);
        built.order = Vec::new();
        self.built.insert(stage.name.clone(), built);
        faults
    }

    /// What the tasks of the stages referred to make, and the data set behind them.
    fn available(&self, references: &[Reference], combination: &[Option<usize>]) -> Vec<Available> {
        let mut available: Vec<Available> = Vec::new();
        let mut inherited: Vec<Available> = Vec::new();
        for reference in references {
            let upstream = &self.built[self.resolve(reference).expect("checked before")];
            let coordinates: Coordinates = upstream.axes.iter().map(|&axis| combination[axis]).collect();
            let index = upstream.tasks[coordinates.as_slice()];
            let task = &self.builder.plan.tasks[index];
            let facts = &self.builder.facts[index];
            for output in task.work.outputs() {
                let mut output = output.clone();
                if !upstream.keep {
                    output.storage = Storage::Passing;
                }
                let role = output.table().to_owned();
                let (stage, key) = (reference.name.clone(), task.key.clone());
                available.push(Available { stage, role, task: index, key, output, facts: facts.clone() });
            }
            for input in &task.inputs {
                let source = &self.builder.plan.tasks[input.task];
                let output = source.work.outputs().iter().find(|output| output.table() == &*input.table);
                let mut output = output.expect("an input is an output of its task").clone();
                if input.passing {
                    output.storage = Storage::Passing;
                }
                let facts = self.builder.facts[input.task].clone();
                inherited.push(Available {
                    stage: reference.name.clone(),
                    role: input.role.to_string(),
                    task: input.task,
                    key: source.key.clone(),
                    output,
                    facts,
                });
            }
        }
        // A measurement of a network sees the data that the network was trained on, unless it names other data itself.
        for candidate in inherited {
            if !available.iter().any(|direct| direct.role == candidate.role) {
                available.push(candidate);
            }
        }
        available
    }

    fn task(
        &self,
        stage: &StageSpec,
        kind: &'static dyn Kind,
        axes: &[usize],
        combination: &[Option<usize>],
        available: &[Available],
    ) -> Result<Draft, Fault> {
        let mut parameters = stage.parameters.clone();
        let mut label = stage.name.clone();
        for &axis in axes {
            let Some(value) = combination[axis] else { continue };
            let value = &self.spec.matrix.axes[axis].values[value];
            apply(&mut parameters, stage, kind, &self.spec.matrix.axes[axis].name, &value.setting);
            label += &format!(" {}={}", self.spec.matrix.axes[axis].name, value.label);
        }
        let planning = Planning {
            stage: &stage.name,
            parameters: &parameters,
            resources: self.builder.catalogue.resources(),
            definitions: &self.spec.rules,
            available,
            tables: &[],
            memory: self.builder.memory,
        };
        let Planned { work, inputs: used, sources } = kind.plan(&planning)?;
        let roles = distinct_roles(used.iter().map(|&index| available[index].role.as_str()));
        let inputs: Vec<Input> = used
            .iter()
            .map(|&index| &available[index])
            .zip(&roles)
            .map(|(input, role)| Input {
                role: self.builder.word(role),
                task: input.task,
                table: self.builder.word(input.output.table()),
                passing: input.output.storage == Storage::Passing,
            })
            .collect();
        let keyed = used.iter().map(|&index| &available[index]).zip(&roles).map(|(input, role)| KeyedInput {
            role: role.clone(),
            table: input.output.table().to_owned(),
            key: input.key.clone(),
            axes: Vec::new(),
        });
        let material = KeyMaterial {
            kind: kind.name().to_owned(),
            version: kind.version(),
            parameters: work.parameters(),
            inputs: keyed.collect(),
        };
        let facts = work.facts();
        let task = Task {
            key: material.key(),
            kind: kind.name(),
            version: kind.version(),
            label,
            stage: self.builder.word(&stage.name),
            work,
            inputs,
            gathered: Vec::new(),
            keep: stage.keep,
        };
        Ok(Draft { task, facts, sources })
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
