//! Pipelines as text and as structure, and `--set`.

use std::fs;

use ojaflow::error::Error;
use ojaflow::flow::{Format, Project, Request, described, display, summary};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::documents::{SHIPPED, documents, is_too_large, paths};
use super::edits::{PIECES, slipped, slips};
use super::{Input, explore};
use crate::common::root;

/// Plans a text: whatever comes of it is said without a panic, and nothing is written.
pub fn plan(text: &str, overrides: &[String]) -> Result<(), String> {
    if is_too_large(text, overrides) {
        return Ok(());
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("odd.toml");
    fs::write(&file, text).unwrap();
    let outputs = folder.path().join("outputs");
    let project = Project::at(root()).with_outputs(&outputs);
    let request = Request::new(file.display().to_string()).setting(overrides);
    let planned = project.plan(&request, None);
    let said = match &planned {
        Ok(ahead) => {
            let plan = &ahead.level.plan;
            for format in [Format::Text, Format::Json, Format::Dot, Format::Mermaid] {
                assert!(!display(plan, &ahead.statuses, format).is_empty());
            }
            for (index, task) in plan.tasks.iter().enumerate() {
                assert!(task.dependencies().all(|other| other < index), "a task before what it reads");
                assert!(task.work.cost() >= 0.0, "{} takes {} seconds", task.label, task.work.cost());
                assert_eq!(task.key, plan.material(task).key());
            }
            let again = project.plan(&request, None).expect("what was planned once");
            let keys = |plan: &ojaflow::flow::Plan| plan.tasks.iter().map(|task| task.key.clone()).collect::<Vec<_>>();
            assert_eq!(keys(plan), keys(&again.level.plan), "the same text, other keys");
            project.why(ahead).expect("nothing is published");
            assert!(!summary(plan, &ahead.statuses).is_empty());
            Ok(())
        }
        Err(error) => {
            assert!(
                matches!(error, Error::Spec(_) | Error::Data(_) | Error::Io { .. }),
                "not the user's fault: {error}"
            );
            if let Error::Spec(faults) = error {
                assert!(!faults.is_empty() && faults.iter().all(|fault| !fault.message.is_empty()), "says nothing");
            }
            let (plain, coloured) = (described(error, false), described(error, true));
            assert!(!plain.is_empty() && !coloured.is_empty());
            Err(plain)
        }
    };
    assert!(!outputs.exists(), "planning wrote something");
    said
}

#[test]
fn pipelines_with_slips_of_the_keyboard() {
    let texts = (0..SHIPPED.len(), slips()).prop_map(|(base, slips)| slipped(&SHIPPED[base], &slips));
    explore("pipelines_as_text", 150, texts, |text| drop(plan(text, &[])));
}

#[test]
fn pipelines_with_parts_of_one_another() {
    explore("pipelines_as_structure", 150, documents(), |text| drop(plan(text, &[])));
}

/// A shipped pipeline, and what is changed in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Overridden {
    pipeline: usize,
    changes: Vec<String>,
}

impl Input for Overridden {
    fn to_file(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("plain data")
    }

    fn from_file(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).expect("a corpus of overrides")
    }
}

fn overrides() -> impl Strategy<Value = Overridden> {
    let number = || 0_usize..10_000;
    let change = (number(), prop::collection::vec(number(), 1..3), prop::option::weighted(0.3, slips()), any::<bool>());
    (0..SHIPPED.len(), prop::collection::vec(change, 1..4)).prop_map(|(pipeline, changes)| {
        let paths = paths(pipeline);
        let changes = changes.into_iter().map(|(path, pieces, slips, is_text)| {
            let pieces: Vec<&str> = pieces.iter().map(|piece| PIECES[piece % PIECES.len()]).collect();
            let value = if is_text { format!("\"{}\"", pieces.concat()) } else { pieces.join(", ") };
            let value = if pieces.len() > 1 && !is_text { format!("[{value}]") } else { value };
            let typed = format!("{}={value}", paths[path % paths.len()]);
            slips.map_or(typed.clone(), |slips| slipped(&typed, &slips))
        });
        Overridden { pipeline, changes: changes.collect() }
    })
}

#[test]
fn overrides_of_everything_with_anything() {
    explore("overrides", 150, overrides(), |input| {
        drop(plan(&SHIPPED[input.pipeline % SHIPPED.len()], &input.changes))
    });
}
