//! The reference is that of this program: every key says what it is, the committed pages are those that it prints, every
//! example in them can be planned, and what it says of tables is what stages make.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use ojaflow::flow::{Plan, Project, Request, pages, schema_text, topics};
use ojaflow::stages;
use ojaflow::task::Output;
use serde_json::Value;

use crate::common::{ojaflow, root, text};

/// The folder of the pages.
const FOLDER: &str = "docs/reference";

#[test]
fn every_property_of_the_published_schema_says_what_it_is() {
    let schema: Value = serde_json::from_str(&schema_text()).unwrap();
    let (mut silent, mut n_properties) = (Vec::new(), 0);
    let mut waiting = vec![(String::new(), &schema)];
    while let Some((path, value)) = waiting.pop() {
        match value {
            Value::Object(entries) => {
                for (name, property) in entries.get("properties").and_then(Value::as_object).into_iter().flatten() {
                    n_properties += 1;
                    if property["description"].as_str().is_none_or(|description| description.trim().is_empty()) {
                        silent.push(format!("{path}: {name}"));
                    }
                }
                waiting.extend(entries.iter().map(|(name, value)| (format!("{path}/{name}"), value)));
            }
            Value::Array(items) => {
                waiting.extend(items.iter().enumerate().map(|(index, value)| (format!("{path}/{index}"), value)));
            }
            _ => {}
        }
    }
    assert!(n_properties > 400, "{n_properties}: where are the others?");
    assert!(silent.is_empty(), "properties without a `///` comment on their field:\n{}", silent.join("\n"));
}

#[test]
fn the_committed_pages_are_those_of_this_program() {
    let again = format!("run `cargo run -- explain --write {FOLDER}`");
    let pages: BTreeMap<String, String> = pages().into_iter().collect();
    let entries = fs::read_dir(root().join(FOLDER)).unwrap();
    let there: BTreeSet<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, pages.keys().cloned().collect(), "files in {FOLDER}: {again}");
    for (name, page) in &pages {
        let committed = fs::read_to_string(root().join(FOLDER).join(name)).unwrap();
        assert!(committed == *page, "{FOLDER}/{name} is out of date: {again}");
    }
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    for (name, page) in pages() {
        for target in page.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let file = root().join(FOLDER).join(target);
            assert!(file.is_file(), "{name}: {target}");
        }
    }
}

#[test]
fn every_example_of_the_reference_can_be_planned() {
    let nowhere = tempfile::tempdir().unwrap();
    let project = Project::at(root()).with_outputs(nowhere.path());
    let mut n_examples = 0;
    for (name, page) in pages() {
        for example in page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
            let file = nowhere.path().join("example.toml");
            fs::write(&file, example).unwrap();
            let planned = project.plan(&Request::new(file.to_str().unwrap()), None);
            planned.unwrap_or_else(|error| panic!("{name}: {}\n{example}", ojaflow::flow::described(&error, false)));
            n_examples += 1;
        }
    }
    let n_topics: usize = topics().iter().map(|(_, topics)| topics.len()).sum();
    assert!(n_examples >= n_topics, "{n_examples} examples for {n_topics} topics");
}

/// All tasks of all shipped pipelines, each with the tables that its kind says it makes.
#[test]
fn stages_make_the_tables_that_their_pages_describe() {
    let mut made: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let said = |kind: &str| -> Vec<Output> {
        match stages::kinds().iter().find(|known| known.name() == kind) {
            Some(kind) => kind.tables(),
            None => ojaflow::task::Kind::tables(&stages::claims::Claims),
        }
    };
    for name in ojaflow::plan::names(&root().join("pipelines")) {
        let plan = plan(&name);
        let mut looked_at = BTreeSet::new();
        for task in plan.tasks.iter().filter(|task| looked_at.insert((task.kind, task.stage.clone()))) {
            // What a query makes follows from the query alone.
            if task.kind == "sql" {
                continue;
            }
            let known = said(task.kind);
            for output in task.work.outputs().iter().filter(|output| output.suffix != "wanted") {
                let there = known.iter().find(|known| known.suffix == output.suffix);
                let there = there.unwrap_or_else(|| panic!("{name}: `{}` makes `{}`, too", task.kind, output.suffix));
                assert_eq!((there.storage, there.is_optional), (output.storage, output.is_optional), "{}", task.kind);
                for column in &there.schema.columns {
                    let found = output.schema.column(&column.name);
                    let found = found.unwrap_or_else(|| panic!("{}: no column {}", task.kind, column.name));
                    assert_eq!((found.kind, found.nullable), (column.kind, column.nullable), "{}", task.kind);
                }
                made.entry(task.kind).or_default().insert(output.suffix.to_owned());
            }
        }
    }
    for (kind, made) in made {
        let said: BTreeSet<String> = said(kind).iter().map(|output| output.suffix.to_owned()).collect();
        assert_eq!(said, made, "tables of `{kind}`");
    }
}

fn plan(name: &str) -> Plan {
    let nowhere = tempfile::tempdir().unwrap();
    Project::at(root()).with_outputs(nowhere.path()).plan(&Request::new(name), None).unwrap().level.plan
}

#[test]
fn explain_lists_prints_and_refuses() {
    // Nothing is needed to read it: no project, no data.
    let elsewhere = tempfile::tempdir().unwrap();
    let said = |arguments: &[&str]| {
        let output = ojaflow().current_dir(elsewhere.path()).arg("explain").args(arguments).output().unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (_, list, _) = said(&[]);
    for kind in stages::kinds() {
        assert!(list.contains(kind.name()) && list.contains(kind.summary()), "{list}");
    }
    let (_, page, _) = said(&["train"]);
    for expected in [
        "  layers  (array of integers, required)",
        "\"softplus\"  β = 10.",
        "May be an axis: `seed = […]`",
        "  STAGE_evaluations",
        "    step  (int64, in samples)",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    let (_, markdown, _) = said(&["figure", "--format", "markdown"]);
    assert!(markdown.starts_with("# `figure`\n") && markdown.contains("| `panels[].title` |"), "{markdown}");
    let (status, _, fault) = said(&["trian"]);
    assert_eq!(status, Some(2));
    assert!(fault.contains("did you mean `train`"), "{fault}");
    let (status, ..) = said(&["--write", "pages"]);
    assert_eq!(status, Some(0));
    assert_eq!(fs::read_dir(elsewhere.path().join("pages")).unwrap().count(), pages().len());
}
