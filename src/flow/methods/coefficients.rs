//! Where coefficients come from that a pipeline does not write: the race that was run for them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::Project;
use super::conditions::has_cells;
use super::data::name_of;
use super::prose::{list, number, numbers, of, when};
use super::training::is_training;
use crate::error::{Error, Result};
use crate::plan::{self, Pipeline, Plan, Request};
use crate::spec::node::Node;
use crate::stages::DataFacts;
use crate::stages::coefficients::{CoefficientTable, Tuned};
use crate::words::grouped;

/// The tuned coefficients of a pipeline, each with the race behind it, and the race that it runs itself.
///
/// # Errors
/// A table of coefficients is none.
pub(super) fn described(
    project: &Project,
    (plan, pipeline): (&Plan, &Pipeline),
    data: &[DataFacts],
) -> Result<Vec<String>> {
    let tuned: BTreeSet<&str> = pipeline
        .definitions
        .rules
        .iter()
        .filter(|rule| {
            rule.node
                .as_table()
                .and_then(|table| table.get("tuned"))
                .is_some_and(|node| node.read::<bool>().unwrap_or(false))
        })
        .map(|rule| rule.name.as_str())
        .collect();
    let settings = strings_under(&pipeline.document, "setting");
    let is_here = |set: &str| set.split('+').all(|name| data.iter().any(|data| data.name == name));
    let mut sentences = Vec::new();
    for source in &pipeline.sources {
        let document = Node::parse(source.path.display().to_string(), source.text.as_str()).map_err(Error::Spec)?;
        // A library of terms is a source as well.
        let Ok(table) = document.read::<CoefficientTable>() else { continue };
        let used: Vec<&Tuned> = table
            .coefficients
            .iter()
            .filter(|one| tuned.contains(one.rule.as_str()) && settings.contains(&one.setting) && is_here(&one.dataset))
            .collect();
        sentences.extend(of_table(project, &table, &used));
    }
    if !sentences.is_empty() && !tuned.is_empty() {
        let rules: Vec<String> = tuned.iter().map(|rule| format!("`{rule}`")).collect();
        let rules = format!("Coefficients of the rules {} that no axis sets were tuned beforehand.", list(&rules));
        sentences.insert(0, rules);
        sentences.push("Seeds and images of the tuning take no part in what is reported.".to_owned());
        if has_cells(pipeline) {
            let cells = "Where races left several cells, the one that was picked is shown; for the verdicts the others are trained as \
                         well, each counting with the probability that another race would pick it.";
            sentences.push(cells.to_owned());
        }
    }
    sentences.extend(race(plan, pipeline));
    Ok(sentences)
}

fn of_table(project: &Project, table: &CoefficientTable, used: &[&Tuned]) -> Vec<String> {
    let budgets: BTreeSet<u64> = used.iter().map(|one| one.trainings).collect();
    let budgets: Vec<String> = budgets.into_iter().map(grouped).collect();
    let data: BTreeSet<&str> = used.iter().map(|one| one.dataset.as_str()).collect();
    let data: Vec<String> = data.into_iter().map(name_of).collect();
    let mut sentences = vec![format!(
        "The pipeline `{}` found them, with {} trainings for each rule and network on {}.",
        table.pipeline,
        list(&budgets),
        list(&data)
    )];
    let found = project
        .catalogue()
        .and_then(|catalogue| plan::build(&catalogue, &project.pipelines, &Request::new(&table.pipeline)));
    // The table is enough to run with; the pipeline behind it may be elsewhere.
    sentences.extend(found.ok().and_then(|plan| race(&plan, plan.main())));
    sentences
}

/// The race of a tuning pipeline: grid, seeds, score.
fn race(plan: &Plan, pipeline: &Pipeline) -> Option<String> {
    let stage = pipeline.stages.iter().find(|stage| stage.kind == "race")?;
    let race = plan.tasks[*stage.grid.tasks.first()?].work.parameters();
    let names = race["coefficients"].as_array()?;
    let grids = race["grid"].as_array()?;
    let grid = names.iter().zip(grids).map(|(name, grid)| {
        let values: Vec<String> = grid.as_array().into_iter().flatten().filter_map(Value::as_f64).map(number).collect();
        format!("`{}`: {}", name.as_str().unwrap_or_default(), values.join(", "))
    });
    let grid: Vec<String> = grid.collect();
    let mut said = format!(
        "A race gave every cell of the grid ({}) a few seeds, from {} on, and those that remained more, until {} beyond three for \
         each cell of the largest grid were used up",
        grid.join("; "),
        grouped(race["first_seed"].as_u64().unwrap_or_default()),
        of(race["extra"].as_u64().and_then(|extra| usize::try_from(extra).ok()).unwrap_or_default(), "training")
    );
    let of_race = pipeline.document["stages"][&stage.name]["of"].as_str().unwrap_or_default();
    let scores = &pipeline.document["stages"][of_race.strip_suffix("_values").unwrap_or(of_race)];
    if let Some(value) = scores["value"].as_str() {
        said += &format!("; cells were compared by the mean over seeds of their {}", value.replace('_', " "));
    }
    let training = pipeline.stages.iter().find(|stage| is_training(stage.kind))?;
    let training = plan.tasks[*training.grid.tasks.first()?].work.parameters();
    let averaged = scores["mean_over"].as_array().is_some_and(|over| over.iter().any(|column| column == "step"));
    let schedule = numbers(&training["schedule"]);
    if averaged && !schedule.is_empty() {
        said += &format!(", averaged over the evaluations {}", when(&schedule));
    }
    if training["evaluate_on"] == "tuning" {
        said += ", on the tuning split";
    } else if training["draw_from"] == "tuning" {
        said += ", on tasks drawn from the tuning split";
    }
    Some(said + ".")
}

/// What is written under a key, anywhere in a document.
fn strings_under(document: &Value, key: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![document];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(entries) => {
                for (name, value) in entries {
                    if name == key {
                        found.extend(value.as_str().map(str::to_owned));
                    }
                    waiting.push(value);
                }
            }
            Value::Array(items) => waiting.extend(items),
            _ => {}
        }
    }
    found
}
