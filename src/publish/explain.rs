//! Why a task runs: what differs between its key and that of the result that was published last.

use std::collections::BTreeMap;

use serde_json::Value;

use super::manifest::{Manifest, TaskEntry};
use crate::plan::{Disposition, Plan, Statuses};
use crate::store::KeyMaterial;
use crate::tables::frame::Cell;

/// A reason, and the tasks of a stage that share it.
#[derive(Debug, PartialEq)]
pub struct Change {
    /// The stage.
    pub stage: String,
    /// Why its tasks run.
    pub reason: String,
    /// The tasks, as a person names them.
    pub tasks: Vec<String>,
}

/// The reasons for everything that would run in the main pipeline, compared with what was published before.
pub fn explain(plan: &Plan, statuses: &Statuses, published: Option<&Manifest>) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let pipeline = plan.main();
    for stage in &pipeline.stages {
        let old: BTreeMap<&[Cell], &TaskEntry> = published
            .and_then(|manifest| {
                manifest.stages.iter().find(|old| old.name == stage.name && old.axes == stage.grid.axes)
            })
            .map(|old| old.tasks.iter().map(|task| (task.coordinates.as_slice(), task)).collect())
            .unwrap_or_default();
        for (index, coordinates) in stage.grid.iter() {
            let task = &plan.tasks[index];
            let reason = match statuses.of[index] {
                Disposition::Cached | Disposition::Idle => continue,
                Disposition::Replay => "its result is there; it runs to hand tables on in memory".to_owned(),
                Disposition::Run if statuses.forced[index] => "forced".to_owned(),
                Disposition::Run => match old.get(coordinates) {
                    None if published.is_none() => "nothing was published before".to_owned(),
                    None => "it was not part of what was published before".to_owned(),
                    Some(old) if old.key == task.key => "its result is no longer in the store".to_owned(),
                    Some(old) => differences(plan, index, &old.material).join("; "),
                },
            };
            match changes.iter_mut().find(|change| change.stage == stage.name && change.reason == reason) {
                Some(change) => change.tasks.push(task.label.to_string()),
                None => changes.push(Change { stage: stage.name.clone(), reason, tasks: vec![task.label.to_string()] }),
            }
        }
    }
    changes
}

fn differences(plan: &Plan, index: usize, old: &KeyMaterial) -> Vec<String> {
    let task = &plan.tasks[index];
    let new = plan.material(task);
    let mut found = Vec::new();
    if old.kind != new.kind {
        found.push(format!("kind: {} → {}", old.kind, new.kind));
    } else if old.version != new.version {
        found.push(format!("version of `{}`: {} → {}", new.kind, old.version, new.version));
    }
    found.extend(changed_values(&old.parameters, &new.parameters));
    let mut changed_inputs: BTreeMap<&str, usize> = BTreeMap::new();
    for input in &new.inputs {
        let same =
            old.inputs.iter().any(|old| old.role == input.role && old.key == input.key && old.axes == input.axes);
        if !same {
            *changed_inputs.entry(&input.role).or_default() += 1;
        }
    }
    for (role, count) in changed_inputs {
        found.push(match count {
            1 => format!("its input `{role}` changed"),
            count => format!("{count} parts of its input `{role}` changed"),
        });
    }
    if found.is_empty() && old.inputs.len() != new.inputs.len() {
        found.push(format!("it reads {} parts where it read {}", new.inputs.len(), old.inputs.len()));
    }
    found
}

/// What differs between two documents, each value with its path: `coefficients.gradient: 0.01 → 0.02`.
pub fn changed_values(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", old, new, &mut found);
    found
}

fn compare(path: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&path, old.get(name).unwrap_or(&Value::Null), new.get(name).unwrap_or(&Value::Null), found);
            }
        }
        (old, new) if old != new => {
            let [old, new] =
                [old, new].map(|value| if value.is_null() { "(none)".to_owned() } else { value.to_string() });
            let alike = old.chars().zip(new.chars()).take_while(|(old, new)| old == new).count();
            found.push(format!("{path}: {} → {}", short(&old, alike), short(&new, alike)));
        }
        _ => {}
    }
}

/// Letters of a value that is shown whole.
const WHOLE: usize = 60;
/// Letters that are shown of a longer one.
const SHOWN: usize = 57;
/// Letters before the difference that are among them.
const BEFORE: usize = 20;

/// A value, of which the first `alike` letters are those of the other: so much of it that the difference is seen.
fn short(text: &str, alike: usize) -> String {
    let length = text.chars().count();
    if length <= WHOLE {
        return text.to_owned();
    }
    let first = if alike + BEFORE <= SHOWN { 0 } else { alike - BEFORE };
    let shown: String = text.chars().skip(first).take(SHOWN).collect();
    let (before, after) = (if first > 0 { "…" } else { "" }, if length > first + SHOWN { "…" } else { "" });
    format!("{before}{shown}{after}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_seen_however_long_the_value_is() {
        let long = |end: &str| json!({ "terms": { "mine": { "equation": format!("{}{end}", "y_post * y_pre' + ".repeat(9)) } } });
        let found = changed_values(&long("W"), &long("decay"));
        let end = "post * y_pre' + ";
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("terms.mine.equation: …"), "{found:?}");
        assert!(
            found[0].contains(&format!("{end}W\" → …")) && found[0].ends_with(&format!("{end}decay\"")),
            "{found:?}"
        );
        assert_eq!(changed_values(&json!({ "a": 1 }), &json!({ "a": 2, "b": "x" })), ["a: 1 → 2", "b: (none) → \"x\""]);
        let start = changed_values(&json!("a".repeat(99)), &json!(format!("b{}", "a".repeat(99))));
        assert_eq!(start, [format!(": \"{}… → \"b{}…", "a".repeat(56), "a".repeat(55))], "from the first letter on");
    }
}
