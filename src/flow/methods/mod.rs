//! What a pipeline does, as the methods of a paper say it: made from the plan, so that every number in it is one that runs.

mod coefficients;
mod conditions;
mod networks;
mod prose;
mod statistics;
mod training;

use serde_json::Value;

use super::Project;
use crate::error::Result;
use crate::plan::{Pipeline, Plan, Stage};
use crate::stages::{DataFacts, Known};
use conditions::Conditions;
use prose::{count, list};

/// The methods of the pipelines of a plan.
#[derive(Debug)]
pub struct Methods {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    /// A pipeline of several.
    Heading(String),
    /// A paragraph with its title.
    Paragraph(&'static str, String),
    /// Equations with what stands before them.
    Equations(Vec<Shown>),
}

/// A rule as it is shown.
#[derive(Debug, PartialEq)]
struct Shown {
    lead: String,
    plain: Vec<String>,
    latex: Vec<String>,
}

impl Methods {
    /// For a terminal; lines are not folded.
    pub fn text(&self) -> String {
        let shown = |equation: &Shown| {
            let lines: Vec<String> = equation.plain.iter().map(|line| format!("      {line}")).collect();
            format!("  {}:\n{}", prose::plain(&equation.lead), lines.join("\n"))
        };
        let parts = self.parts.iter().map(|part| match part {
            Part::Heading(title) => title.to_uppercase(),
            Part::Paragraph(title, text) => format!("{title}. {}", prose::plain(text)),
            Part::Equations(equations) => equations.iter().map(shown).collect::<Vec<_>>().join("\n"),
        });
        parts.collect::<Vec<_>>().join("\n\n")
    }

    /// For a document that uses `amsmath`.
    pub fn latex(&self) -> String {
        let shown = |equation: &Shown| {
            // One below the other, each at its own first sign.
            let lines: Vec<String> = equation.latex.iter().map(|line| format!("  {line}")).collect();
            format!("{}:\n\\begin{{gather*}}\n{}\n\\end{{gather*}}", prose::latex(&equation.lead), lines.join(" \\\\\n"))
        };
        let parts = self.parts.iter().map(|part| match part {
            Part::Heading(title) => format!("\\subsection*{{{}}}", prose::latex(title)),
            Part::Paragraph(title, text) => format!("\\paragraph{{{title}.}} {}", prose::latex(text)),
            Part::Equations(equations) => equations.iter().map(shown).collect::<Vec<_>>().join("\n"),
        });
        parts.collect::<Vec<_>>().join("\n\n")
    }
}

/// Describes what the pipelines of a plan do.
///
/// # Errors
/// Tuned coefficients cannot be read.
pub fn methods(project: &Project, plan: &Plan) -> Result<Methods> {
    let mut parts = Vec::new();
    let described: Vec<&Pipeline> = plan.pipelines.iter().filter(|pipeline| !pipeline.stages.is_empty()).collect();
    for pipeline in &described {
        if described.len() > 1 {
            parts.push(Part::Heading(format!("{}: {}", pipeline.name, pipeline.title)));
        }
        parts.extend(of_pipeline(project, plan, pipeline)?);
    }
    let software = format!("All computations were carried out with ojaflow {}.", env!("CARGO_PKG_VERSION"));
    parts.push(Part::Paragraph("Software", software));
    Ok(Methods { parts })
}

fn of_pipeline(project: &Project, plan: &Plan, pipeline: &Pipeline) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let data = data(plan, pipeline);
    if !data.is_empty() {
        parts.push(Part::Paragraph("Data", data.join(" ")));
    }
    for stage in pipeline.stages.iter().filter(|stage| training::is_training(stage.kind)) {
        parts.extend(training::described(plan, pipeline, stage));
    }
    let tuned = coefficients::described(project, pipeline)?;
    if !tuned.is_empty() {
        parts.push(Part::Paragraph("Choice of coefficients", tuned.join(" ")));
    }
    let measured = statistics::measurements(plan, pipeline);
    if !measured.is_empty() {
        parts.push(Part::Paragraph("Measurements", measured.join(" ")));
    }
    let judged = statistics::statistics(plan, pipeline);
    if !judged.is_empty() {
        parts.push(Part::Paragraph("Statistics", judged.join(" ")));
    }
    let versions: Vec<String> = versions(plan, pipeline);
    parts.push(Part::Paragraph(
        "Versions",
        format!("This is the pipeline `{}`, with the stage kinds {}.", pipeline.name, list(&versions)),
    ));
    Ok(parts)
}

/// The kinds with their versions, in the order of the stages.
fn versions(plan: &Plan, pipeline: &Pipeline) -> Vec<String> {
    let mut versions = Vec::new();
    for stage in &pipeline.stages {
        let Some(&task) = stage.grid.tasks.first() else { continue };
        let version = format!("`{}` {}", stage.kind, plan.tasks[task].version);
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    versions
}

/// The data sets, each once.
fn data(plan: &Plan, pipeline: &Pipeline) -> Vec<String> {
    let mut sets: Vec<DataFacts> = Vec::new();
    for stage in pipeline.stages.iter().filter(|stage| stage.kind == "load") {
        for &task in &stage.grid.tasks {
            let facts = Known::of(&plan.tasks[task].work.facts()).data;
            if let Some(facts) = facts.filter(|facts| facts.n_train > 0 && !sets.contains(facts)) {
                sets.push((*facts).clone());
            }
        }
    }
    let mut sentences: Vec<String> = sets
        .iter()
        .map(|set| {
            format!(
                "{} has {} training and {} test images of {} pixels in {} classes; its last {} training images, the tuning \
                 split, are kept out of training.",
                name_of(&set.name),
                count(set.n_train as u64),
                count(set.n_test as u64),
                count(set.n_pixels as u64),
                set.n_classes,
                count(set.n_tuning() as u64)
            )
        })
        .collect();
    if !sentences.is_empty() {
        sentences.push("Intensities were divided by 255.".to_owned());
    }
    sentences
}

/// A data set as papers call it.
fn name_of(set: &str) -> String {
    let names = set.split('+').map(|name| match name {
        "mnist" => "MNIST".to_owned(),
        "fashion_mnist" => "Fashion-MNIST".to_owned(),
        other => format!("`{other}`"),
    });
    list(&names.collect::<Vec<_>>())
}

/// The data that a task reads, by name.
fn data_of(plan: &Plan, task: usize) -> String {
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

/// One run of each condition of a stage.
fn conditions(plan: &Plan, stage: &Stage) -> Conditions<(usize, Value)> {
    let rows = stage.grid.iter().map(|(task, place)| (place.to_vec(), (task, plan.tasks[task].work.parameters())));
    Conditions::new(&stage.grid.axes, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_shown_in_both_ways() {
        let shown = Shown { lead: "for `a_b`".into(), plain: vec!["ΔW = x".into()], latex: vec![r"\Delta W = x".into()] };
        let methods = Methods { parts: vec![Part::Paragraph("Data", "50 %.".into()), Part::Equations(vec![shown])] };
        assert_eq!(methods.text(), "Data. 50 %.\n\n  for `a_b`:\n      ΔW = x");
        let latex = "\\paragraph{Data.} 50 \\%.\n\nfor \\texttt{a\\_b}:\n\\begin{gather*}\n  \\Delta W = x\n\\end{gather*}";
        assert_eq!(methods.latex(), latex);
    }
}
