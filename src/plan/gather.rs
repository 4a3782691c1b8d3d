//! A stage that reads tables as they are published: one task, over all parts, with the axes as columns.

use super::compose::PipelineBuilder;
use super::order::report_once;
use super::places::Places;
use super::{GatheredInput, PublishedTable, Task};
use crate::spec::StageSpec;
use crate::spec::node::{Fault, instead_of};
use crate::task::{Beside, Gathered, Kind, Planned, Planning, Reference};

impl PipelineBuilder<'_, '_> {
    /// One task that reads whole tables.
    pub(super) fn gathering(
        &mut self,
        stage: &StageSpec,
        kind: &'static dyn Kind,
        references: &[Reference],
    ) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut gathered: Vec<Gathered> = Vec::new();
        let mut sources: Vec<&PublishedTable> = Vec::new();
        for reference in references {
            if gathered.iter().any(|table| table.name == reference.name) {
                continue;
            }
            match self.tables.iter().find(|table| table.name == reference.name) {
                Some(table) => {
                    gathered.push(Gathered {
                        values: self.values.get(&table.name).cloned().unwrap_or_default(),
                        name: table.name.clone(),
                        span: reference.span.clone(),
                        schema: table.schema.clone(),
                        n_axes: table.n_axes,
                        own_axes: table.parts.own_axes().map(str::to_owned).collect(),
                    });
                    sources.push(table);
                }
                None => {
                    let stage_keeps =
                        self.resolve(reference).is_none_or(|name| self.built.get(name).is_none_or(|b| b.keep));
                    let names: Vec<&str> = self.tables.iter().map(|table| table.name.as_str()).collect();
                    let fault = if let Some(Beside { name: beside, help }) = &reference.beside {
                        let message = format!(
                            "stage `{}` reads `{}` beside `{beside}`, which has no such table beside it",
                            stage.name, reference.name
                        );
                        Fault::at(&reference.span, message).help(*help)
                    } else if self.built.values().any(|built| built.unpublished.contains(&reference.name)) {
                        let message = format!("table `{}` is not published, so it cannot be gathered", reference.name);
                        Fault::at(&reference.span, message)
                            .help("Name it in `publish` of the stage that makes it, or take that away.")
                    } else if stage_keeps {
                        let message = format!(
                            "stage `{}` reads table `{}`; {}",
                            stage.name,
                            reference.name,
                            instead_of(&reference.name, names)
                        );
                        Fault::at(&reference.span, message)
                    } else {
                        let message = format!("table `{}` is not kept, so it cannot be gathered", reference.name);
                        Fault::at(&reference.span, message)
                            .help("Take `keep = false` away from the stage that makes it.")
                    };
                    report_once(&mut faults, fault);
                }
            }
        }
        if !faults.is_empty() {
            return faults;
        }
        let planning = Planning {
            stage: &stage.name,
            parameters: &stage.parameters,
            resources: self.builder.catalogue.resources(),
            definitions: &self.spec.definitions,
            matrix: &self.written,
            available: &[],
            tables: &gathered,
            memory: self.builder.memory,
        };
        let Planned { work, sources: looked_up_in, .. } = match kind.plan(&planning) {
            Ok(planned) => planned,
            Err(fault) => return vec![fault],
        };
        let gathered: Box<[GatheredInput]> = sources
            .iter()
            .map(|table| GatheredInput {
                name: table.name.clone(),
                schema: table.schema.clone(),
                parts: table.parts.clone(),
            })
            .collect();
        let material = self.builder.plan.material_of((kind.name(), kind.version()), &*work, &[], &gathered);
        let facts = work.facts();
        let task = Task {
            key: material.key(),
            kind: kind.name(),
            version: kind.version(),
            label: stage.name.as_str().into(),
            stage: self.builder.word(&stage.name),
            work,
            inputs: Box::default(),
            gathered,
            keep: true,
        };
        self.sources.extend(looked_up_in);
        let index = self.builder.intern(task, facts);
        self.publish(stage, kind, Places::new(&self.spec.matrix, Vec::new()), vec![index]).err().into_iter().collect()
    }
}
