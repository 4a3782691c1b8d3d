//! What a pipeline file has to offer to someone who is typing its name: read, not planned.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Project;
use crate::plan;
use crate::spec::Spec;

/// The names in a pipeline file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// Its stages, each with its kind.
    pub stages: Vec<(String, String)>,
    /// The paths of its values, as after `--set`, each with what stands there.
    pub keys: Vec<(String, String)>,
}

impl Project {
    /// The names of all pipelines, each with its title; none where there is no folder of pipelines.
    pub fn titles(&self) -> Vec<(String, String)> {
        let title = |name: String| {
            let title = Spec::load(&self.file(&name), &[]).map_or_else(|_| String::new(), |spec| spec.header.title);
            (name, title)
        };
        plan::names(&self.pipelines).into_iter().map(title).collect()
    }

    /// The names in a pipeline's file; none if it cannot be read.
    pub fn outline(&self, pipeline: &str) -> Option<Outline> {
        let path = if pipeline.ends_with(".toml") { Path::new(pipeline).to_owned() } else { self.file(pipeline) };
        let spec = Spec::load(&path, &[]).ok()?;
        let mut keys = Vec::new();
        leaves(&spec.document, "", &mut keys);
        let stages = spec.stages.into_iter().map(|stage| (stage.name, stage.kind)).collect();
        Some(Outline { stages, keys })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.pipelines.join(format!("{name}.toml"))
    }
}

/// The values of a document that a path leads to. Entries of lists have no path.
fn leaves(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    let Value::Object(entries) = value else { return found.push((path.to_owned(), value.to_string())) };
    for (key, value) in entries {
        // As in TOML: what is more than a word stands in quotes.
        let is_bare = key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        let key = if is_bare { key.clone() } else { Value::from(key.as_str()).to_string() };
        leaves(value, &if path.is_empty() { key } else { format!("{path}.{key}") }, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_set_is_what_stands_in_the_file() {
        let project = Project::at(env!("CARGO_MANIFEST_DIR"));
        let Outline { stages, keys } = project.outline("fig1").unwrap();
        assert!(stages.contains(&("train".to_owned(), "train".to_owned())), "{stages:?}");
        for key in ["matrix.seed.count", "stages.data.dataset", "matrix.network.\"5 layers\".train.layers"] {
            assert!(keys.iter().any(|(path, _)| path == key), "{key}: {keys:?}");
        }
        assert_eq!(project.outline("there_is_none"), None);
        assert!(project.titles().iter().any(|(name, title)| name == "fig1" && title.contains("Oja")));
    }
}
