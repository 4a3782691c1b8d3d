//! `ojaflow rules`: the terms that rules are made of, and the rules that a pipeline actually runs.

use super::begin;
use super::terminal::{print, print_exactly};
use crate::cli::{RulesAction, RulesArgs};
use crate::error::Result;
use crate::flow::{Equations, Plan, Project, Request, Term, equations, written_terms};

/// Equations that a run shows before it starts; a sweep has hundreds, which `ojaflow rules NAME` lists.
const SHOWN_BY_RUNS: usize = 4;

pub(super) fn execute(project: &Project, args: &RulesArgs) -> Result<()> {
    if let Some(RulesAction::New { name }) = &args.action {
        return begin::term(project, name);
    }
    // Equations for LaTeX go into a document.
    let print = if args.latex { print_exactly } else { print };
    let Some(name) = &args.name else {
        let what =
            "A rule is a sum of terms, each times its coefficient; ΔW_{ℓ-1,ℓ} and ΔB_{ℓ,ℓ-1} are what one sample adds.";
        let more = "`ojaflow rules terms/library` lists more, which pipelines include; others are written as equations (docs/rules.md).";
        return print(&format!("{}\n\n{more}", terms(what, Term::shipped(), args.latex)));
    };
    if let Some(library) = project.library(name)? {
        return print(&terms(&format!("Terms for pipelines that say `include = [\"{name}\"]`:"), &library, args.latex));
    }
    let request = Request::new(name).setting(&args.set);
    print(&rules(&project.plan(&request, None)?.level.plan, args.latex)?)
}

/// Every term with its equation, shape, signals and plausibility, under a line that says `what` they are.
pub(super) fn terms(what: &str, terms: &[Term], latex: bool) -> String {
    let width = terms.iter().map(|term| term.name.chars().count()).max().unwrap_or(0);
    let mut lines = vec![what.to_owned()];
    for term in terms {
        let equation = if latex { term.latex() } else { term.equation() };
        lines.push(String::new());
        lines.push(format!("{:<width$}  {equation}", term.name));
        lines.extend(term.definitions().iter().map(|line| format!("{:<width$}  {line}", "")));
        lines.push(format!(
            "{:<width$}  moves {} ({}), reads {}",
            "",
            term.matrix(),
            term.shape(),
            term.signals_in_words()
        ));
        if !term.plausibility.is_empty() {
            lines.push(format!("{:<width$}  {}", "", term.plausibility));
        }
    }
    lines.join("\n")
}

fn lines(equation: &Equations, latex: bool) -> Vec<String> {
    if latex { equation.latex.clone() } else { equation.plain.lines().map(str::to_owned).collect() }
}

/// The equations of all pipelines of a plan, and the terms that they write themselves.
///
/// # Errors
/// A pipeline writes what is no term.
fn rules(plan: &Plan, latex: bool) -> Result<String> {
    let mut blocks = Vec::new();
    for pipeline in &plan.pipelines {
        let equations = equations(plan, pipeline);
        let written = written_terms(pipeline)?;
        if plan.pipelines.len() > 1 && !(equations.is_empty() && written.is_empty()) {
            blocks.push(format!("{}: {}", pipeline.name, pipeline.title));
        }
        for equation in equations {
            let mut block = vec![equation.heading()];
            block.extend(lines(&equation, latex).into_iter().map(|line| format!("    {line}")));
            block.extend(equation.needs.iter().chain(&equation.slow).map(|line| format!("  {line}")));
            blocks.push(block.join("\n"));
        }
        if !written.is_empty() {
            blocks.push(terms("Terms that this pipeline writes:", &written, latex));
        }
    }
    Ok(if blocks.is_empty() { "This pipeline trains no network.".to_owned() } else { blocks.join("\n\n") })
}

/// What a run says of its equations before it starts; none where nothing is trained.
pub(super) fn in_brief(plan: &Plan) -> Option<String> {
    let mut seen: Vec<String> = Vec::new();
    let mut shown = Vec::new();
    let mut n_left_out = 0;
    for pipeline in &plan.pipelines {
        for equation in equations(plan, pipeline) {
            if seen.contains(&equation.plain) {
                continue;
            }
            seen.push(equation.plain.clone());
            if seen.len() > SHOWN_BY_RUNS {
                n_left_out += 1;
                continue;
            }
            shown.push(format!("  {}", equation.heading()));
            shown.extend(lines(&equation, false).into_iter().map(|line| format!("      {line}")));
        }
    }
    if n_left_out > 0 {
        // By its file: a run with overrides, or of a pipeline elsewhere, has no name that `rules` would find.
        let file = plan.main().file.display();
        shown.push(format!("  and {n_left_out} other equations: `ojaflow rules {file}`"));
    }
    (!shown.is_empty()).then(|| shown.join("\n"))
}
