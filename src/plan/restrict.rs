//! A part of a plan: what some of its tasks need.

use std::collections::BTreeSet;

use super::{Plan, Task};

/// These tasks and all that they read, directly or not.
pub(super) fn with_dependencies(tasks: &[Task], wanted: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
    let mut needed: BTreeSet<usize> = BTreeSet::new();
    let mut waiting: Vec<usize> = wanted.into_iter().collect();
    while let Some(task) = waiting.pop() {
        if needed.insert(task) {
            waiting.extend(tasks[task].dependencies());
        }
    }
    needed
}

/// Drops what the stage `to` of the main pipeline does not need.
pub(super) fn restrict(plan: &mut Plan, to: &str) {
    let main = plan.pipelines.last_mut().expect("a plan has at least the pipeline asked for");
    let wanted = main.stages.iter().filter(|stage| stage.name == to).flat_map(|stage| stage.grid.tasks.clone());
    let needed = with_dependencies(&plan.tasks, wanted);
    main.stages.retain(|stage| stage.grid.tasks.iter().any(|task| needed.contains(task)));
    main.tables.retain(|table| table.parts.tasks().iter().any(|task| needed.contains(task)));
    main.files.retain(|file| needed.contains(&file.task));
    main.includes.clear();
    let main = plan.pipelines.pop().expect("just looked at");
    plan.pipelines = vec![main];
}
