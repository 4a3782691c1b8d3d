//! `ojaflow rules`: the terms that rules are made of, and the rules that a pipeline actually runs.

use std::collections::BTreeMap;

use super::{environment, print};
use crate::cli::{Roots, RulesArgs};
use crate::error::Result;
use crate::plan::{self, Pipeline, Plan, Request};
use crate::science::plasticity::Term;
use crate::stages::Equation;
use crate::tables::frame::Cell;

/// Equations that a run shows before it starts; a sweep has hundreds, which `ojaflow rules NAME` lists.
const SHOWN_BY_RUNS: usize = 4;

pub fn execute(roots: &Roots, args: &RulesArgs) -> Result<()> {
    let Some(name) = &args.name else { return print(&terms(args.latex)) };
    let request = Request { pipeline: name.clone(), overrides: args.set.clone(), ..Request::default() };
    let plan = plan::build(&environment(roots)?, &request)?;
    print(&rules(&plan, args.latex))
}

/// Every term with its equation, shape, signals and plausibility.
fn terms(latex: bool) -> String {
    let width = Term::shipped().iter().map(|term| term.name.chars().count()).max().unwrap_or(0);
    let mut lines = vec![
        "A rule is a sum of terms, each times its coefficient; ΔW_{ℓ-1,ℓ} and ΔB_{ℓ,ℓ-1} are what one sample adds."
            .to_owned(),
    ];
    for term in Term::shipped() {
        let equation = if latex { term.latex() } else { term.equation() };
        lines.push(String::new());
        lines.push(format!("{:<width$}  {equation}", term.name));
        lines.push(format!(
            "{:<width$}  moves {} ({}), reads {}",
            "",
            term.matrix(),
            term.shape(),
            term.signals_in_words()
        ));
        lines.push(format!("{:<width$}  {}", "", term.plausibility));
    }
    lines.join("\n")
}

/// The tasks of a stage that run the same equation.
struct Group<'a> {
    stage: &'a str,
    kind: &'a str,
    equation: Equation,
    /// Axes on which they agree.
    condition: Vec<(&'a str, Cell)>,
    n_tasks: usize,
}

impl Group<'_> {
    fn heading(&self) -> String {
        let mut heading = format!("{} ({})", self.stage, self.kind);
        for (axis, value) in &self.condition {
            heading += &format!("  {axis} = {value}");
        }
        match self.n_tasks {
            1 => heading,
            n => format!("{heading}  × {n} runs"),
        }
    }

    fn lines(&self, latex: bool) -> Vec<String> {
        if latex { self.equation.latex.clone() } else { self.equation.plain.lines().map(str::to_owned).collect() }
    }
}

/// The equations of a pipeline, each once, in the order of the file.
fn groups<'a>(plan: &'a Plan, pipeline: &'a Pipeline) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for stage in &pipeline.stages {
        let mut positions: BTreeMap<String, usize> = BTreeMap::new();
        for (&task, coordinates) in stage.tasks.iter().zip(&stage.coordinates) {
            let Some(equation) = plan.tasks[task].work.equation() else { continue };
            // An axis that does not apply to a task is no condition of it.
            let here = || stage.axes.iter().map(String::as_str).zip(coordinates.iter().cloned());
            let identity = format!("{}\n{}", equation.plain, equation.needs.join("\n"));
            match positions.get(&identity) {
                Some(&at) => {
                    let group = &mut groups[at];
                    let known: Vec<(&str, Cell)> = here().collect();
                    group.condition.retain(|pair| known.contains(pair));
                    group.n_tasks += 1;
                }
                None => {
                    positions.insert(identity, groups.len());
                    let condition = here().filter(|(_, value)| *value != Cell::Null).collect();
                    groups.push(Group { stage: &stage.name, kind: stage.kind, equation, condition, n_tasks: 1 });
                }
            }
        }
    }
    groups
}

/// The equations of all pipelines of a plan.
fn rules(plan: &Plan, latex: bool) -> String {
    let mut blocks = Vec::new();
    for pipeline in &plan.pipelines {
        let groups = groups(plan, pipeline);
        if plan.pipelines.len() > 1 && !groups.is_empty() {
            blocks.push(format!("{}: {}", pipeline.name, pipeline.title));
        }
        for group in groups {
            let mut lines = vec![group.heading()];
            lines.extend(group.lines(latex).into_iter().map(|line| format!("    {line}")));
            lines.extend(group.equation.needs.iter().map(|need| format!("  {need}")));
            blocks.push(lines.join("\n"));
        }
    }
    if blocks.is_empty() { "This pipeline trains no network.".to_owned() } else { blocks.join("\n\n") }
}

/// What a run says of its equations before it starts; none where nothing is trained.
pub fn in_brief(plan: &Plan) -> Option<String> {
    let mut seen: Vec<String> = Vec::new();
    let mut lines = Vec::new();
    let mut n_left_out = 0;
    for pipeline in &plan.pipelines {
        for group in groups(plan, pipeline) {
            let plain = group.equation.plain.clone();
            if seen.contains(&plain) {
                continue;
            }
            seen.push(plain);
            if seen.len() > SHOWN_BY_RUNS {
                n_left_out += 1;
                continue;
            }
            lines.push(format!("  {}", group.heading()));
            lines.extend(group.lines(false).into_iter().map(|line| format!("      {line}")));
        }
    }
    if n_left_out > 0 {
        // A run with overrides has a name of its own, which is not that of a pipeline.
        let name = plan.main().document["pipeline"]["name"].as_str().unwrap_or(&plan.main().name);
        lines.push(format!("  and {n_left_out} other equations: `ojaflow rules {name}`"));
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}
