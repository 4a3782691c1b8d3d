//! `include`: pipelines that are composed of pipelines.

use serde::Deserialize;

use super::node::{Fault, Node, Span, Value};

/// One included pipeline: a name, or a name with overrides and the name to publish it under.
#[derive(Debug)]
pub struct Include {
    /// Its name, or the path of its file.
    pub pipeline: String,
    /// Overrides, each as it would be typed after `--set`.
    pub set: Vec<String>,
    /// The name to publish it under, if another than its own.
    pub publish_as: Option<String>,
    /// Where it is included.
    pub span: Span,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    pipeline: String,
    #[serde(default)]
    set: Vec<String>,
    #[serde(default, rename = "as")]
    publish_as: Option<String>,
}

pub(super) fn read(node: Option<&Node>, faults: &mut Vec<Fault>) -> Vec<Include> {
    let Some(node) = node else { return Vec::new() };
    let Value::Array(items) = &node.value else {
        faults.push(Fault::at(&node.span, "`include` is a list of pipelines: `include = [\"fig1\", \"fig2\"]`"));
        return Vec::new();
    };
    let mut includes = Vec::new();
    for item in items {
        let span = item.span.clone();
        let written = match item.as_str() {
            Some(name) => Ok(Written { pipeline: name.to_owned(), set: Vec::new(), publish_as: None }),
            None => item.read::<Written>(),
        };
        match written {
            Ok(Written { pipeline, set, publish_as }) => includes.push(Include { pipeline, set, publish_as, span }),
            Err(fault) => faults.push(fault),
        }
    }
    includes
}
