//! Every shipped pipeline: it is planned, it says what to expect, its editor support and its tuned coefficients are those
//! of this program.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::common::{Fixture, ojaflow, root, text};
use ojaflow::flow::{Plan, Project, Request};
use ojaflow::flow::{SCHEMA_FILE, schema_text};
use ojaflow::stages::coefficients::Coefficients;

fn shipped() -> Vec<(String, PathBuf)> {
    let names = ojaflow::plan::names(&root().join("pipelines"));
    assert!(names.len() >= 4, "{names:?}");
    names.into_iter().map(|name| (name.clone(), root().join(format!("pipelines/{name}.toml")))).collect()
}

/// As it is before anything has run, whatever this machine has run: a plan with levels as its first.
fn plan(name: &str) -> Plan {
    let nowhere = tempfile::tempdir().unwrap();
    let ahead = Project::at(root()).with_outputs(nowhere.path()).plan(&Request::new(name), None);
    ahead.unwrap_or_else(|error| panic!("{name}: {error}")).level.plan
}

#[test]
fn every_pipeline_can_be_planned_under_its_own_name() {
    for (name, _) in shipped() {
        let plan = plan(&name);
        assert_eq!(plan.main().name, name, "the file is called after the pipeline");
        assert!(!plan.tasks.is_empty(), "{name}");
        assert!(!plan.main().title.is_empty(), "{name}");
    }
}

#[test]
fn every_pipeline_names_the_schema_for_editors_in_its_first_line() {
    for (name, file) in shipped() {
        let text = fs::read_to_string(file).unwrap();
        assert_eq!(text.lines().next(), Some("#:schema schema.json"), "{name}");
    }
}

#[test]
fn every_pipeline_opens_with_what_to_expect_how_long_and_how_large() {
    for (name, file) in shipped() {
        let text = fs::read_to_string(file).unwrap();
        let header: String = text
            .lines()
            .skip(1)
            .take_while(|line| line.starts_with('#'))
            .flat_map(|line| [line[1..].trim(), " "])
            .collect();
        // What a composition shows is said by its parts.
        let has_stages = !plan(&name).main().stages.is_empty();
        assert!(header.contains("Expected:") || !has_stages, "{name} says what to expect\n{header}");
        let says_time = ["s on 2 cores", "min on 2 cores", "h on 2 cores"].iter().any(|unit| header.contains(unit));
        assert!(says_time, "{name} says its run time on 2 cores\n{header}");
        let says_size = ["MB on disk", "GB on disk"].iter().any(|unit| header.contains(unit));
        assert!(says_size, "{name} says what it needs on disk\n{header}");
    }
}

#[test]
fn a_pipeline_of_a_figure_names_it_in_its_header() {
    for (name, file) in shipped() {
        if let Some(figure) = &plan(&name).main().figure {
            let text = fs::read_to_string(file).unwrap();
            let second = text.lines().nth(1).unwrap_or_default();
            assert!(second.starts_with(&format!("# {figure}.")), "{name}: `{second}`");
        }
    }
}

#[test]
fn the_committed_schema_is_that_of_this_program() {
    let committed = fs::read_to_string(root().join(SCHEMA_FILE)).unwrap();
    assert!(
        committed.trim_end() == schema_text(),
        "{SCHEMA_FILE} is out of date: run `cargo run -- schema > {SCHEMA_FILE}`"
    );
}

#[test]
fn every_pipeline_is_listed_with_its_number_of_tasks() {
    let output = ojaflow().current_dir(root()).arg("pipeline").output().unwrap();
    let listed = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for (name, _) in shipped() {
        let line = listed.lines().find(|line| line.starts_with(&format!("{name} "))).expect("listed");
        let tasks = plan(&name).tasks.len().to_string();
        assert!(line.split_whitespace().any(|word| word == tasks), "{tasks} tasks: {line}");
    }
}

#[test]
fn every_tuned_coefficient_comes_from_the_tuning_as_it_is_today() {
    let coefficients = Coefficients::load(&root().join("pipelines")).unwrap();
    assert!(!coefficients.tables.is_empty(), "figure pipelines read tuned coefficients");
    for (file, table) in &coefficients.tables {
        let name = &table.pipeline;
        assert_eq!(file.file_stem().unwrap().to_str(), Some(name.as_str()), "a table is called after its pipeline");
        let plan = plan(name);
        let best = plan.main().files.iter().find(|file| file.file == "toml").expect("a tuning chooses cells");
        let is_today = table.start == plan.tasks[best.task].key.as_str();
        assert!(is_today, "{}: its tuning has changed since; run `ojaflow pipeline {name}` again", file.display());
        assert!(!table.coefficients.is_empty());
    }
}

/// The examples of the README are pipelines: each can be planned as it stands.
#[test]
fn the_readme_s_examples_can_be_planned() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let pipelines: Vec<&str> = blocks.filter(|block| block.contains("[pipeline]")).collect();
    assert!(!pipelines.is_empty());
    for block in pipelines {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("example.toml");
        fs::write(&file, block).unwrap();
        let ahead = Project::at(root()).plan(&Request::new(file.to_str().unwrap()), None);
        let plan = ahead.unwrap_or_else(|error| panic!("{error}\n{block}")).level.plan;
        assert!(plan.tasks.len() > 1);
    }
}

/// The fault that the README shows is what its example gives with that mistake in it.
#[test]
fn the_readme_s_fault_is_shown_as_there() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let block = |start: &str| readme.split_once(start).expect(start).1.split("```").next().unwrap();
    let (example, shown) = (block("```toml\n#:schema"), block("```text\n  × "));
    let mistaken = format!("#:schema{example}").replace("\"tanh\"]", "\"tan\"]");
    let fixture = Fixture::new().beside("tanh", &mistaken);
    // Its data set is one that is in the repository.
    let output = fixture.command(&["plan", "tanh"]).env("OJAFLOW_DATA", root().join("data")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    // The README shows the first fault, up to the line that is underlined.
    let found = message.split_once("× ").expect(&message).1;
    let lines = |shown: &str| shown.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
    assert_eq!(lines(found)[..lines(shown).len()], lines(shown), "{message}");
}

/// Every pipeline that the README and the page on what was found name is shipped.
#[test]
fn the_pages_pipelines_are_shipped() {
    let page = |name: &str| fs::read_to_string(root().join(name)).unwrap();
    let text = page("README.md") + &page("docs/findings.md").replace("ojaflow pipeline ", "cargo run -- pipeline ");
    let named: BTreeSet<&str> = text
        .split("cargo run -- pipeline ")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next())
        .filter(|name| !text.contains(&format!("name  = \"{name}\"")))
        .collect();
    let shipped: BTreeSet<String> = shipped().into_iter().map(|(name, _)| name).collect();
    for name in &named {
        assert!(shipped.contains(*name), "`{name}` is on a page, but not in pipelines/");
    }
    // And each pipeline of a figure is there.
    for name in shipped.iter().filter(|name| name.starts_with("fig")) {
        assert!(named.contains(name.as_str()), "`{name}` is not in docs/findings.md");
    }
}

/// An axis takes the name of any parameter that is a word or a number, not of those that somebody put on a list.
#[test]
fn classes_of_meta_learning_can_be_an_axis() {
    let fixture = Fixture::new().pipeline(
        r#"
[pipeline]
name  = "small"
title = "Tasks of two sizes"

[matrix]
classes = [2, 3]

[rules.learned]
gradient = 0.01

[stages.data]
kind    = "load"
dataset = "tiny"

[stages.meta]
kind             = "meta_learn"
data             = ["data"]
hidden           = [8]
rule             = "learned"
learning_rate    = 0.001
episodes         = 2
training_samples = 4
query_samples    = 2
"#,
    );
    let plan = fixture.plan();
    let tasks = plan.iter().filter(|task| task["stage"] == "meta");
    let classes: Vec<u64> = tasks.map(|task| task["parameters"]["classes"].as_u64().unwrap()).collect();
    assert_eq!(classes, [2, 3]);
}
