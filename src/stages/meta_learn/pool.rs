//! The data sets whose classes tasks are drawn from.

use std::sync::Arc;

use crate::spec::node::{Fault, Node, Value};
use crate::stages::{DataFacts, Known};
use crate::task::{InputId, Inputs, Planning, Reads, Reference};

pub(super) fn references_in(parameters: &Node, field: &str) -> Result<Vec<Reference>, Fault> {
    let Some(node) = parameters.as_table().and_then(|table| table.get(field)) else { return Ok(Vec::new()) };
    let Value::Array(items) = &node.value else {
        return Err(Fault::at(&node.span, format!("`{field}` is a list of stages, `[\"digits\", \"garments\"]`")));
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

/// The data sets of the pool: those of `data` if all are there, those of `otherwise` if not.
pub(super) fn plan_data(
    planning: &Planning<'_>,
    inputs: &mut Inputs<'_, '_>,
) -> Result<Vec<(InputId, Arc<DataFacts>)>, Fault> {
    let is_there = |reference: &Reference| {
        let data = planning.facts_of(reference, "dataset").and_then(|facts| Known::of(facts).data);
        data.is_none_or(|data| data.n_train > 0)
    };
    let (preferred, otherwise) =
        (references_in(planning.parameters, "data")?, references_in(planning.parameters, "otherwise")?);
    let chosen = if otherwise.is_empty() || preferred.iter().all(is_there) { preferred } else { otherwise };
    let mut found = Vec::new();
    for reference in &chosen {
        let (input, dataset) = inputs.read_of(reference, "dataset")?;
        let data = Known::of(&dataset.facts).data.expect("a data set knows its sizes");
        if data.n_train <= data.n_tuning() {
            let message = format!(
                "`{}` has {} training images; the last {} are the tuning split, so more are needed",
                data.name,
                data.n_train,
                data.n_tuning()
            );
            return Err(Fault::at(&reference.span, message));
        }
        found.push((input, data));
    }
    Ok(found)
}
