//! What a pipeline does, as the methods of a paper say it: made from the plan, so that every number in it is one that runs.

mod coefficients;
mod conditions;
mod data;
mod networks;
mod parts;
mod prose;
mod statistics;
mod training;

use super::Project;
use crate::error::Result;
use crate::plan::{Pipeline, Plan};
use data::{data_sets, in_words};
use parts::{Part, Shown};
use prose::list;

/// The methods of the pipelines of a plan.
#[derive(Debug)]
pub struct Methods {
    parts: Vec<Part>,
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
            format!(
                "{}:\n\\begin{{gather*}}\n{}\n\\end{{gather*}}",
                prose::latex(&equation.lead),
                lines.join(" \\\\\n")
            )
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
    let data = data_sets(plan, pipeline);
    if !data.is_empty() {
        parts.push(Part::Paragraph("Data", in_words(&data)));
    }
    for stage in pipeline.stages.iter().filter(|stage| training::is_training(stage.kind)) {
        parts.extend(training::described(plan, stage));
    }
    let tuned = coefficients::described(project, (plan, pipeline), &data)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_shown_in_both_ways() {
        let shown =
            Shown { lead: "for `a_b`".into(), plain: vec!["ΔW = x".into()], latex: vec![r"\Delta W = x".into()] };
        let methods = Methods { parts: vec![Part::Paragraph("Data", "50 %.".into()), Part::Equations(vec![shown])] };
        assert_eq!(methods.text(), "Data. 50 %.\n\n  for `a_b`:\n      ΔW = x");
        let latex =
            "\\paragraph{Data.} 50 \\%.\n\nfor \\texttt{a\\_b}:\n\\begin{gather*}\n  \\Delta W = x\n\\end{gather*}";
        assert_eq!(methods.latex(), latex);
    }
}
