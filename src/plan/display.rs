//! A plan for people and for programs: text, JSON, and graphs of its stages.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Components, Disposition, Pipeline, Plan, Statuses};
use crate::words::{duration, size};

/// How a plan is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A table of stages.
    Text,
    /// Every task with its key.
    Json,
    /// Graphviz.
    Dot,
    /// For Markdown.
    Mermaid,
}

/// The plan in a format.
pub fn display(plan: &Plan, statuses: &Statuses, format: Format) -> String {
    match format {
        Format::Text => text(plan, statuses),
        Format::Json => json(plan, statuses),
        Format::Dot => graph(
            plan,
            "digraph pipeline {\n  rankdir = LR;\n  node [shape = box];\n",
            "  {a} -> {b};\n",
            "  {id} [label = \"{label}\"];\n",
            "}\n",
        ),
        Format::Mermaid => graph(plan, "flowchart LR\n", "  {a} --> {b}\n", "  {id}[\"{label}\"]\n", ""),
    }
}

fn text(plan: &Plan, statuses: &Statuses) -> String {
    let mut text = String::new();
    let mut line = |cells: [&str; 6]| {
        let [stage, kind, tasks, run, replay, cached] = cells;
        writeln!(text, "  {stage:<24} {kind:<20} {tasks:>6} {run:>6} {replay:>9} {cached:>7}")
            .expect("writing to a string");
    };
    for pipeline in &plan.pipelines {
        line([&pipeline.name, "kind", "tasks", "run", "replayed", "cached"]);
        for stage in &pipeline.stages {
            let count = |wanted| stage.grid.tasks.iter().filter(|&&task| statuses.of[task] == wanted).count();
            let show = |n: usize| if n == 0 { "·".to_owned() } else { n.to_string() };
            line([
                &format!("  {}", stage.name),
                stage.kind,
                &stage.grid.tasks.len().to_string(),
                &show(count(Disposition::Run)),
                &show(count(Disposition::Replay)),
                &show(count(Disposition::Cached)),
            ]);
        }
    }
    text += &summary(plan, statuses);
    text
}

/// `41 tasks: 20 to run, 1 replayed in memory, 20 cached; about 12 s of one core, 35 MB of disk, 9 MB of memory a task`
pub fn summary(plan: &Plan, statuses: &Statuses) -> String {
    let (run, replay, cached) =
        (statuses.count(Disposition::Run), statuses.count(Disposition::Replay), statuses.count(Disposition::Cached));
    let mut text = format!("{} tasks: {run} to run", run + replay + cached);
    if replay > 0 {
        write!(text, ", {replay} replayed in memory").expect("writing to a string");
    }
    write!(text, ", {cached} cached").expect("writing to a string");
    if run + replay > 0 {
        let running = (0..plan.tasks.len()).filter(|&task| statuses.runs(task));
        let seconds = plan.seconds_ahead(statuses);
        let (disk, memory) = (size(plan.disk(statuses)), size(plan.memory(statuses, 1)));
        let time = duration(seconds.max(0.1));
        write!(text, "; about {time} of one core, {disk} of disk, {memory} of memory a task")
            .expect("writing to a string");
        let times = seconds / running.map(|task| plan.tasks[task].work.cost()).sum::<f64>();
        if times > 1.5 {
            write!(text, "\nportable kernels: without AVX2 this takes about {times:.0} times as long")
                .expect("writing to a string");
        }
    }
    text
}

#[derive(Serialize)]
struct TaskRecord<'a> {
    pipeline: &'a str,
    stage: &'a str,
    label: &'a str,
    key: &'a str,
    status: &'static str,
    /// Seconds on one core, by the plan's estimate.
    cost: f64,
    /// The key of the task by which what goes together is known; none behind the first gathered table.
    component: Option<&'a str>,
    inputs: Vec<&'a str>,
    /// Those of the inputs that are handed on in memory.
    passing: Vec<&'a str>,
    parameters: serde_json::Value,
}

fn json(plan: &Plan, statuses: &Statuses) -> String {
    let mut records = Vec::new();
    let components = Components::new(plan);
    for pipeline in &plan.pipelines {
        for stage in &pipeline.stages {
            for &index in &stage.grid.tasks {
                let task = &plan.tasks[index];
                let passing = task.inputs.iter().filter(|input| input.passing);
                let passing = passing.map(|input| plan.tasks[input.task].key.as_str());
                records.push(TaskRecord {
                    pipeline: &pipeline.name,
                    stage: &stage.name,
                    label: &task.label,
                    key: task.key.as_str(),
                    status: status_word(statuses.of[index]),
                    cost: plan.seconds(index),
                    component: components.root(index).map(|root| plan.tasks[root].key.as_str()),
                    passing: passing.collect(),
                    inputs: task.dependencies().map(|input| plan.tasks[input].key.as_str()).collect(),
                    parameters: task.work.parameters(),
                });
            }
        }
    }
    serde_json::to_string_pretty(&records).expect("plain data")
}

/// `run`, `replay`, `cached` or `idle`, as `--format json` has it.
pub fn status_word(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Cached => "cached",
        Disposition::Run => "run",
        Disposition::Replay => "replay",
        Disposition::Idle => "idle",
    }
}

fn graph(plan: &Plan, head: &str, edge: &str, node: &str, foot: &str) -> String {
    let mut text = head.to_owned();
    for pipeline in &plan.pipelines {
        let id = |stage: &str| format!("{}_{stage}", pipeline.name).replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        for stage in &pipeline.stages {
            let label = format!("{} ({}, {} tasks)", stage.name, stage.kind, stage.grid.tasks.len());
            text += &node.replace("{id}", &id(&stage.name)).replace("{label}", &label);
            for source in sources(plan, pipeline, &stage.grid.tasks) {
                text += &edge.replace("{a}", &id(&source)).replace("{b}", &id(&stage.name));
            }
        }
    }
    text + foot
}

/// The stages of the pipeline that tasks read from.
fn sources(plan: &Plan, pipeline: &Pipeline, tasks: &[usize]) -> Vec<String> {
    let Some(&first) = tasks.first() else { return Vec::new() };
    let dependencies: Vec<usize> = plan.tasks[first].dependencies().collect();
    pipeline
        .stages
        .iter()
        .filter(|stage| stage.grid.tasks.iter().any(|task| dependencies.contains(task)))
        .map(|stage| stage.name.clone())
        .collect()
}
