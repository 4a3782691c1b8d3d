//! Which stage reads which, and in what order they are planned.

use std::collections::BTreeMap;

use super::compose::PipelineBuilder;
use crate::spec::StageSpec;
use crate::spec::node::{Fault, choices, instead_of, suggestion};
use crate::task::{Reads, Reference};

impl PipelineBuilder<'_, '_> {
    /// The stage that a reference means: by its name, or by that of one of its tables.
    pub(super) fn resolve(&self, reference: &Reference) -> Option<&str> {
        let by_name = self.spec.stages.iter().find(|stage| stage.name == reference.name);
        if reference.reads == Reads::Task {
            return by_name.map(|stage| stage.name.as_str());
        }
        // `train_runs` is the table `runs` of the stage `train`; the longest matching stage name wins.
        let by_table = self
            .spec
            .stages
            .iter()
            .filter(|stage| {
                reference.name.strip_prefix(&stage.name).is_some_and(|rest| rest.starts_with('_') && rest.len() > 1)
            })
            .max_by_key(|stage| stage.name.len());
        by_name.or(by_table).map(|stage| stage.name.as_str())
    }

    pub(super) fn unresolved(&self, stage: &StageSpec, reference: &Reference) -> Fault {
        let others = || self.spec.stages.iter().map(|other| &other.name).filter(|name| **name != stage.name);
        let (reader, name) = (&stage.name, &reference.name);
        match reference.reads {
            Reads::Task => {
                let there = instead_of(name, others());
                Fault::at(&reference.span, format!("stage `{reader}` reads stage `{name}`; {there}"))
            }
            Reads::Table => {
                let names = choices(others());
                let message = format!("`{reader}` reads table `{name}`, which no stage makes; the stages are: {names}");
                let rule = "A table is called after the stage that makes it: `<stage>`, or `<stage>_<table>` where it makes several.";
                let meant = suggestion(name, &others().collect::<Vec<_>>());
                Fault::at(&reference.span, message)
                    .help(meant.map_or_else(|| rule.to_owned(), |meant| format!("{meant} {rule}")))
            }
        }
    }

    /// Stages with inputs first, otherwise in the order of the file.
    pub(super) fn order(&self, references: &BTreeMap<String, Vec<Reference>>) -> Result<Vec<String>, Fault> {
        let mut order: Vec<String> = Vec::new();
        let mut waiting: Vec<&StageSpec> = self.all_stages().collect();
        while !waiting.is_empty() {
            let ready = waiting.iter().position(|stage| {
                references[&stage.name]
                    .iter()
                    .filter_map(|reference| self.resolve(reference))
                    .all(|name| order.iter().any(|done| done == name))
            });
            let Some(ready) = ready else {
                let names = waiting.iter().map(|stage| &stage.name);
                let stage = waiting[0];
                let message = format!("these stages wait for each other: {}", choices(names));
                return Err(Fault::at(&stage.name_span, message));
            };
            order.push(waiting.remove(ready).name.clone());
        }
        Ok(order)
    }
}

/// Two references that stand for one word (a table and the `runs` table behind it) make one fault.
pub(super) fn report_once(faults: &mut Vec<Fault>, fault: Fault) {
    let said = |other: &Fault| other.span.as_ref().zip(fault.span.as_ref()).is_some_and(|(a, b)| a.is_same_as(b));
    if !faults.iter().any(said) {
        faults.push(fault);
    }
}
