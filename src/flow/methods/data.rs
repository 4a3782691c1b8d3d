//! The data sets of a pipeline.

use super::prose::list;
use crate::plan::{Pipeline, Plan};
use crate::stages::{DataFacts, Known};
use crate::words::grouped;

/// The data sets, each once.
pub(super) fn data_sets(plan: &Plan, pipeline: &Pipeline) -> Vec<DataFacts> {
    let mut sets: Vec<DataFacts> = Vec::new();
    for stage in pipeline.stages.iter().filter(|stage| stage.kind == "load") {
        for &task in &stage.grid.tasks {
            let facts = Known::of(&plan.tasks[task].work.facts()).data;
            if let Some(facts) = facts.filter(|facts| facts.n_train > 0 && !sets.contains(facts)) {
                sets.push((*facts).clone());
            }
        }
    }
    sets
}

pub(super) fn in_words(sets: &[DataFacts]) -> String {
    let mut sentences: Vec<String> = sets
        .iter()
        .map(|set| {
            format!(
                "{} has {} training and {} test images of {} pixels in {} classes; its last {} training images, the tuning \
                 split, are kept out of training.",
                name_of(&set.name),
                grouped(set.n_train as u64),
                grouped(set.n_test as u64),
                grouped(set.n_pixels as u64),
                set.n_classes,
                grouped(set.n_tuning() as u64)
            )
        })
        .collect();
    sentences.push("Intensities were divided by 255.".to_owned());
    sentences.join(" ")
}

/// A data set as papers call it.
pub(super) fn name_of(set: &str) -> String {
    let names = set.split('+').map(|name| match name {
        "mnist" => "MNIST".to_owned(),
        "fashion_mnist" => "Fashion-MNIST".to_owned(),
        other => format!("`{other}`"),
    });
    list(&names.collect::<Vec<_>>())
}

/// The data that a task reads, by name.
pub(super) fn data_of(plan: &Plan, task: usize) -> String {
    let mut names: Vec<String> = Vec::new();
    for input in &plan.tasks[task].inputs {
        let facts = Known::of(&plan.tasks[input.task].work.facts()).data;
        if let Some(facts) = facts.filter(|facts| facts.n_train > 0 && plan.tasks[input.task].kind == "load")
            && !names.contains(&facts.name)
        {
            names.push(facts.name.clone());
        }
    }
    names.join("+")
}
