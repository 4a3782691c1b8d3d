//! Data sets whose classes make one pool: a stage names one, or a list, and what it takes instead where one of them is not there.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{DataFacts, Known};
use crate::spec::node::{Fault, Node, Value};
use crate::task::{Planning, Reads, Reference};

/// A stage, or a list of stages.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code)] // read as references; this is what the schema says of it
pub(super) enum Stages {
    One(String),
    Several(Vec<String>),
}

impl Default for Stages {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

/// The stages that `field` names; none where it is left out.
fn named_in(parameters: &Node, field: &str) -> Result<Vec<Reference>, Fault> {
    let Some(node) = parameters.as_table().and_then(|table| table.get(field)) else { return Ok(Vec::new()) };
    let items = match &node.value {
        Value::String(_) => std::slice::from_ref(node),
        Value::Array(items) => items,
        _ => {
            let message = format!("`{field}` is a stage, or a list of stages, `[\"digits\", \"garments\"]`");
            return Err(Fault::at(&node.span, message));
        }
    };
    let mut references: Vec<Reference> = Vec::new();
    for item in items {
        let name: String = item.read()?;
        if references.iter().any(|earlier| earlier.name == name) {
            return Err(Fault::at(&item.span, format!("`{name}` stands twice in `{field}`")));
        }
        references.push(Reference { name, span: item.span.clone(), reads: Reads::Task, beside: None });
    }
    Ok(references)
}

/// All stages that `data` and `otherwise` name.
///
/// # Errors
/// There is no `data`, or one of the two is no list of names.
pub(super) fn references(parameters: &Node) -> Result<Vec<Reference>, Fault> {
    let mut references = named_in(parameters, "data")?;
    if references.is_empty() {
        let message = "the key `data`, a stage that loads data or a list of them, is missing";
        return Err(Fault::at(&parameters.span, message));
    }
    references.extend(named_in(parameters, "otherwise")?);
    Ok(references)
}

/// The data sets of the pool, and the stages that load them: those of `data` if all are there, those of `otherwise` if not.
///
/// # Errors
/// A stage loads no data set.
pub(super) fn chosen(planning: &Planning<'_>) -> Result<Vec<(Reference, Arc<DataFacts>)>, Fault> {
    let data_of =
        |reference: &Reference| planning.facts_of(reference, "dataset").and_then(|facts| Known::of(facts).data);
    let (preferred, otherwise) = (named_in(planning.parameters, "data")?, named_in(planning.parameters, "otherwise")?);
    let is_there = |reference: &Reference| data_of(reference).is_none_or(|data| data.n_train > 0);
    let chosen = if otherwise.is_empty() || preferred.iter().all(is_there) { preferred } else { otherwise };
    let with_data = chosen.into_iter().map(|reference| match data_of(&reference) {
        Some(data) => Ok((reference, data)),
        None => Err(Fault::at(&reference.span, "this stage loads no data set")),
    });
    with_data.collect()
}

/// What a pool is called: its data sets, joined by `+`.
pub(super) fn name_of<'a>(data: impl IntoIterator<Item = &'a DataFacts>) -> String {
    data.into_iter().map(|data| data.name.as_str()).collect::<Vec<_>>().join("+")
}
