//! The axes of the matrix and the stages: which axis changes which parameters, and what stands in an axis' column.

use std::collections::BTreeSet;

use super::compose::PipelineBuilder;
use crate::spec::matrix::Setting;
use crate::spec::node::{Fault, Key as NodeKey, Node, Table, Value, instead_of, suggestion};
use crate::spec::{Definitions, Spec, StageSpec};
use crate::tables::{Column, ColumnType};
use crate::task::Kind;

impl PipelineBuilder<'_, '_> {
    /// Every axis has to change something.
    pub(super) fn check_axes(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        // What a stage of an unknown kind would take is not known; its own fault is reported when stages are planned.
        let all_known = self.all_stages().all(|stage| self.find_kind(stage).is_some());
        for axis in &self.spec.matrix.axes {
            let mut changes = false;
            for value in axis.telling() {
                match &value.setting {
                    Setting::Plain(_) => {
                        changes |= self.spec.stages.iter().any(|stage| {
                            self.builder
                                .catalogue
                                .kind(&stage.kind)
                                .is_some_and(|kind| kind.axis_parameter(&axis.name, &self.spec.definitions).is_some())
                        });
                    }
                    Setting::Bundle(bundle) => {
                        changes = true;
                        for (key, _) in &bundle.entries {
                            if !self.spec.stages.iter().any(|stage| stage.name == key.name) {
                                let names = self.spec.stages.iter().map(|stage| &stage.name);
                                let message = format!(
                                    "the bundle `{}` sets parameters of stage `{}`; {}",
                                    value.label,
                                    key.name,
                                    instead_of(&key.name, names)
                                );
                                faults.push(Fault::at(&key.span, message));
                            }
                        }
                    }
                }
            }
            if !changes && all_known {
                let message = format!(
                    "the axis `{}` sets nothing: no stage of this pipeline has a parameter of that name",
                    axis.name
                );
                let ways = "Name the axis after a parameter (`rule`, `seed`, `init` …), or write its values as bundles: \
                            `[matrix.<axis>.\"<value>\"]` with `<stage>.<parameter> = …`.";
                let meant = suggestion(&axis.name, &self.axis_parameters());
                faults.push(
                    Fault::at(&axis.span, message)
                        .help(meant.map_or_else(|| ways.to_owned(), |meant| format!("{meant} {ways}"))),
                );
            }
        }
        faults
    }
}

impl PipelineBuilder<'_, '_> {
    /// What an axis of this pipeline can be called, as far as it is known by name.
    fn axis_parameters(&self) -> Vec<String> {
        let kinds: Vec<&dyn Kind> = self.all_stages().filter_map(|stage| Some(self.find_kind(stage)? as _)).collect();
        let mut generator = schemars::SchemaGenerator::default();
        kinds.iter().for_each(|kind| drop(kind.schema(&mut generator)));
        let documented = generator.definitions().values().filter_map(|definition| definition["properties"].as_object());
        let coefficients = self.spec.definitions.rules.iter().filter_map(|rule| rule.node.as_table());
        let mut names: Vec<String> = documented.flat_map(|properties| properties.keys().cloned()).collect();
        names.extend(self.spec.definitions.terms.iter().map(|term| term.name.clone()));
        names.extend(self.spec.definitions.numbers_of_terms().map(|(term, number)| format!("{term}_{number}")));
        names.extend(coefficients.flat_map(|table| table.names().into_iter().map(str::to_owned)));
        names.retain(|name| kinds.iter().any(|kind| kind.axis_parameter(name, &self.spec.definitions).is_some()));
        names
    }
}

/// The axes that change a parameter of the stage itself.
pub(super) fn own_axes(stage: &StageSpec, kind: &'static dyn Kind, spec: &Spec) -> BTreeSet<usize> {
    let takes = |setting: &Setting, axis: &str| match setting {
        Setting::Plain(_) => kind.axis_parameter(axis, &spec.definitions).is_some(),
        Setting::Bundle(bundle) => bundle.get(&stage.name).is_some(),
    };
    (0..spec.matrix.axes.len())
        .filter(|&index| {
            let axis = &spec.matrix.axes[index];
            axis.telling().iter().any(|value| takes(&value.setting, &axis.name))
        })
        .collect()
}

/// Lays the value of an axis over a stage's parameters.
pub(super) fn apply(
    parameters: &mut Node,
    (stage, kind): (&StageSpec, &'static dyn Kind),
    definitions: &Definitions,
    (axis, setting): (&str, &Setting),
) {
    match setting {
        Setting::Plain(node) => {
            if let Some(path) = kind.axis_parameter(axis, definitions) {
                set(parameters, &path, node);
            }
        }
        Setting::Bundle(bundle) => {
            if let Some(patch) = bundle.get(&stage.name) {
                parameters.merge(patch);
            }
        }
    }
}

fn set(node: &mut Node, path: &[String], value: &Node) {
    let Some((first, rest)) = path.split_first() else {
        *node = value.clone();
        return;
    };
    let Some(table) = node.as_table_mut() else { return };
    if table.get(first).is_none() {
        let key = NodeKey { span: value.span.clone(), name: first.clone() };
        table.set(key, Node { span: value.span.clone(), value: Value::Table(Table::default()) });
    }
    set(table.get_mut(first).expect("just set"), rest, value);
}

/// The column of an axis.
pub(super) fn axis_column(meaning: Option<&'static str>, name: &str, kind: ColumnType, nullable: bool) -> Column {
    let description = meaning.map_or_else(|| format!("value of the axis `{name}`"), str::to_owned);
    Column { name: name.to_owned().into(), kind, unit: "".into(), description: description.into(), nullable }
}
