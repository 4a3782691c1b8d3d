//! `ro-crate-metadata.json`: RO-Crate 1.1 with the Provenance Run Crate profile 0.5 (and those it builds on).
//!
//! | in a plan | in the crate |
//! |---|---|
//! | pipeline file | `ComputationalWorkflow`, `HowTo`; the one asked for is the crate's `mainEntity` |
//! | stage | `HowToStep` |
//! | kind and version | `SoftwareApplication`, the step's `workExample` and the tasks' `instrument` |
//! | task | `CreateAction`: `object` what it reads and its parameters, `result` its tables and figures |
//! | run of a pipeline | `CreateAction` with the workflow as instrument, under an `OrganizeAction` of the program |
//!
//! Identifiers are made from keys and paths, so the same run is described by the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::bag::date;
use super::container::Member;
use super::contents::{CRATE, Published, pretty};
use crate::publish::manifest::{Manifest, Program, StageEntry, TaskEntry};
use crate::stages;
use crate::tables::Layout;

const CONTEXT: [&str; 2] = ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"];

/// Identifier, name and version of what the crate conforms to.
const PROFILES: [(&str, &str, &str); 4] = [
    ("https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/provenance/0.5", "Provenance Run Crate", "0.5"),
    ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0"),
];

const ENGINE: &str = "#ojaflow";
const LANGUAGE: &str = "#pipeline-file";

/// The licences of the program, under which what it makes is passed on.
const LICENCES: [(&str, &str); 2] =
    [("https://spdx.org/licenses/MIT", "MIT License"), ("https://spdx.org/licenses/Apache-2.0", "Apache License 2.0")];

/// The crate of a payload that consists of `members` and of this file.
pub(super) fn text(published: &Published, members: &[Member], time: Option<u64>) -> String {
    let mut graph = Graph { published, paths: members.iter().map(|m| m.path.as_str()).collect(), entities: Vec::new() };
    graph.head(members, time);
    for manifest in &published.manifests {
        graph.pipeline(manifest);
    }
    graph.workflows();
    graph.shared();
    let mut seen = BTreeSet::new();
    graph.entities.retain(|entity| seen.insert(entity["@id"].as_str().unwrap_or_default().to_owned()));
    pretty(&json!({ "@context": CONTEXT, "@graph": graph.entities }))
}

struct Graph<'a> {
    published: &'a Published,
    /// The files of the payload.
    paths: BTreeSet<&'a str>,
    entities: Vec<Value>,
}

fn reference(id: impl Into<String>) -> Value {
    json!({ "@id": id.into() })
}

/// One reference stands alone, several in a list, as RO-Crate recommends.
fn references<I: Into<String>>(ids: impl IntoIterator<Item = I>) -> Value {
    let mut references: Vec<Value> = ids.into_iter().map(reference).collect();
    if references.len() == 1 { references.remove(0) } else { references.into() }
}

fn tool_of(task: &TaskEntry) -> String {
    format!("#tool/{}/{}", task.material.kind, task.material.version)
}

fn step_of(manifest: &Manifest, stage: &StageEntry) -> String {
    format!("#step/{}/{}", manifest.pipeline, stage.name)
}

fn action_of(task: &TaskEntry) -> String {
    format!("#task/{}", task.key)
}

fn run_of(manifest: &Manifest) -> String {
    format!("#run/{}", manifest.fingerprint)
}

fn workflow_of(manifest: &Manifest) -> String {
    manifest.sources.first().map_or_else(|| format!("#workflow/{}", manifest.pipeline), |source| source.path.clone())
}

fn data_set(identity: &str) -> String {
    format!("#data-set/{identity}")
}

impl Graph<'_> {
    fn add(&mut self, entity: Value) {
        self.entities.push(entity);
    }

    /// The descriptor, the root, and every file.
    fn head(&mut self, members: &[Member], time: Option<u64>) {
        let main = self.published.main();
        let conforms = ["https://w3id.org/ro/crate/1.1", PROFILES[3].0];
        self.add(json!({
            "@id": CRATE,
            "@type": "CreativeWork",
            "about": reference("./"),
            "conformsTo": references(conforms),
        }));
        let mut root = json!({
            "@id": "./",
            "@type": "Dataset",
            "name": main.title,
            "description": format!(
                "{} as computed by ojaflow {}: tables, figures, claims and everything needed to compute them again.",
                main.figure.as_deref().unwrap_or(&main.pipeline),
                main.program.version
            ),
            "identifier": run_of(main),
            "license": references(LICENCES.map(|(id, _)| id)),
            "conformsTo": references(PROFILES.map(|(id, ..)| id)),
            "mainEntity": reference(workflow_of(main)),
            "mentions": references(self.published.manifests.iter().map(run_of)),
            "hasPart": references(members.iter().map(|member| member.path.as_str())),
        });
        if let Some(time) = time {
            root["datePublished"] = date(time).into();
        }
        self.add(root);
        let descriptions = self.descriptions();
        let workflows: BTreeSet<String> = self.published.manifests.iter().map(workflow_of).collect();
        for member in members.iter().filter(|member| !workflows.contains(&member.path)) {
            let file = json!({
                "@id": member.path,
                "@type": "File",
                "name": descriptions.get(&member.path).unwrap_or(&member.path),
                "encodingFormat": format_of(&member.path),
                "contentSize": member.bytes.to_string(),
                "sha256": member.sha256,
            });
            self.add(file);
        }
        // The workflows are files as well; what else they are is added below.
        for member in members.iter().filter(|member| workflows.contains(&member.path)) {
            let users: Vec<&Manifest> =
                self.published.manifests.iter().filter(|manifest| workflow_of(manifest) == member.path).collect();
            let title = users.first().map_or("", |manifest| manifest.title.as_str());
            let file = json!({
                "@id": member.path,
                "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
                "name": title,
                "encodingFormat": format_of(&member.path),
                "contentSize": member.bytes.to_string(),
                "sha256": member.sha256,
                "programmingLanguage": reference(LANGUAGE),
            });
            self.add(file);
        }
    }

    /// What the files of the published folders are, in words.
    fn descriptions(&self) -> BTreeMap<String, String> {
        let mut words: BTreeMap<String, String> = [
            ("REPRODUCE.md", "How to check this archive and to run it again"),
            ("Cargo.lock", "Versions of everything that the program was built from"),
            ("data-sets.json", "Checksums of the data sets"),
        ]
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
        .into();
        for manifest in &self.published.manifests {
            let place = format!("outputs/{}", manifest.pipeline);
            words.insert(format!("{place}/manifest.json"), format!("Where every number in {place} comes from"));
            for table in &manifest.tables {
                let text = format!("Table `{}` of `{}`: {} rows", table.name, manifest.pipeline, table.rows);
                words.insert(format!("{place}/{}", table.path), text);
            }
            for figure in &manifest.figures {
                let title = manifest.figure.as_deref().unwrap_or(&manifest.pipeline);
                words.insert(format!("{place}/{}", figure.name), format!("{title}: {}", manifest.title));
            }
        }
        words
    }

    /// The run of one pipeline: its steps, its tasks and what they made.
    fn pipeline(&mut self, manifest: &Manifest) {
        let results = self.results(manifest);
        let mut made: BTreeSet<String> = BTreeSet::new();
        let mut controls = Vec::new();
        for (position, stage) in manifest.stages.iter().enumerate() {
            let Some(first) = stage.tasks.first() else { continue };
            self.add(json!({
                "@id": step_of(manifest, stage),
                "@type": "HowToStep",
                "name": stage.name,
                "position": (position + 1).to_string(),
                "workExample": reference(tool_of(first)),
            }));
            let control = format!("#control/{}/{}", manifest.pipeline, stage.name);
            let mut actions: Vec<String> = stage.tasks.iter().map(action_of).collect();
            actions.dedup();
            self.add(json!({
                "@id": control,
                "@type": "ControlAction",
                "name": format!("orchestrate {}", stage.name),
                "instrument": reference(step_of(manifest, stage)),
                "object": references(actions),
            }));
            controls.push(control);
            for task in &stage.tasks {
                let result = results.get(task.key.as_str()).cloned().unwrap_or_default();
                made.extend(result.iter().cloned());
                self.task(stage, task, result);
            }
        }
        let place = format!("outputs/{}/", manifest.pipeline);
        let files: Vec<String> =
            self.paths.iter().filter(|path| path.starts_with(&place)).map(|path| (*path).to_owned()).collect();
        let mut object: Vec<String> = manifest.sources.iter().skip(1).map(|source| source.path.clone()).collect();
        object.extend(super::contents::identities(std::slice::from_ref(manifest)).into_iter().map(data_set));
        for (number, change) in manifest.overrides.iter().enumerate() {
            let id = format!("{}/override/{}", run_of(manifest), number + 1);
            let (name, value) = change.split_once('=').unwrap_or((change, ""));
            self.add(json!({ "@id": id, "@type": "PropertyValue", "name": name.trim(), "value": value.trim() }));
            object.push(id);
        }
        self.add(json!({
            "@id": run_of(manifest),
            "@type": "CreateAction",
            "name": format!("ojaflow pipeline {}", manifest.pipeline),
            "actionStatus": "http://schema.org/CompletedActionStatus",
            "instrument": reference(workflow_of(manifest)),
            "object": references(object),
            "result": references(files),
        }));
        if !controls.is_empty() {
            self.add(json!({
                "@id": format!("#organize/{}", manifest.fingerprint),
                "@type": "OrganizeAction",
                "name": format!("run of {} by ojaflow", manifest.pipeline),
                "instrument": reference(ENGINE),
                "object": references(controls),
                "result": reference(run_of(manifest)),
            }));
        }
    }

    /// By key: what a task made. A part of a table that is one file is described here; other parts are files.
    fn results(&mut self, manifest: &Manifest) -> BTreeMap<String, Vec<String>> {
        let mut results: BTreeMap<String, Vec<String>> = BTreeMap::new();
        // The claims of a composition are those of its parts.
        for table in manifest.tables.iter().filter(|table| manifest.stages.iter().any(|s| s.name == table.stage)) {
            let path = format!("outputs/{}/{}", manifest.pipeline, table.path);
            for part in &table.parts {
                let file = format!("{path}{}", part.file_name());
                let id = part_of(part.key.as_str(), &part.table);
                let mut entity = json!({
                    "@id": id,
                    "@type": "CreativeWork",
                    "name": format!("{} rows of `{}`", part.rows, table.name),
                    "identifier": format!("blake3:{}", part.digest),
                });
                if table.schema.layout == Layout::File && self.paths.contains(path.as_str()) {
                    entity["isPartOf"] = reference(&path);
                } else if self.paths.contains(file.as_str()) {
                    entity["isPartOf"] = reference(&file);
                }
                self.add(entity);
                results.entry(part.key.to_string()).or_default().push(id);
            }
        }
        for figure in &manifest.figures {
            let path = format!("outputs/{}/{}", manifest.pipeline, figure.name);
            results.entry(figure.key.to_string()).or_default().push(path);
        }
        results
    }

    fn task(&mut self, stage: &StageEntry, task: &TaskEntry, result: Vec<String>) {
        let coordinates: String =
            stage.axes.iter().zip(&task.coordinates).map(|(axis, value)| format!(" {axis}={value}")).collect();
        let parameters = format!("#parameters/{}", task.key);
        self.add(json!({
            "@id": parameters,
            "@type": "PropertyValue",
            "name": "parameters",
            "value": task.material.parameters.to_string(),
        }));
        let mut object = vec![parameters];
        object.extend(task.material.parameters["identity"].as_str().filter(|_| stage.kind == "load").map(data_set));
        for input in &task.material.inputs {
            let id = part_of(input.key.as_str(), &input.table);
            if object.contains(&id) {
                continue;
            }
            // Tables that are handed on in memory are in no file, and are described here alone.
            self.add(json!({ "@id": id, "@type": "CreativeWork", "name": format!("`{}`, not kept", input.table) }));
            object.push(id);
        }
        self.add(json!({
            "@id": action_of(task),
            "@type": "CreateAction",
            "name": format!("{}{coordinates}", stage.name),
            "identifier": format!("blake3:{}", task.key),
            "actionStatus": "http://schema.org/CompletedActionStatus",
            "instrument": reference(tool_of(task)),
            "object": references(object),
            "result": references(result),
        }));
    }

    /// What the workflows consist of.
    fn workflows(&mut self) {
        let manifests = &self.published.manifests;
        for entity in &mut self.entities {
            let id = entity["@id"].as_str().unwrap_or_default().to_owned();
            if !entity["@type"].as_array().is_some_and(|types| types.iter().any(|kind| kind == "HowTo")) {
                continue;
            }
            let users: Vec<&Manifest> = manifests.iter().filter(|manifest| workflow_of(manifest) == id).collect();
            let tools: BTreeSet<String> =
                users.iter().flat_map(|m| &m.stages).flat_map(|stage| &stage.tasks).map(tool_of).collect();
            let steps = users.iter().flat_map(|m| m.stages.iter().map(|stage| step_of(m, stage)));
            let included: BTreeSet<String> = users
                .iter()
                .flat_map(|m| &m.includes)
                .filter_map(|name| manifests.iter().find(|other| other.pipeline == *name))
                .map(workflow_of)
                .collect();
            entity["step"] = references(steps);
            entity["hasPart"] = references(tools.into_iter().chain(included));
        }
    }

    /// What many entities refer to: the program, the kinds, the data sets, the profiles.
    fn shared(&mut self) {
        let Program { name, version, linear_algebra } = &self.published.main().program;
        self.add(json!({
            "@id": ENGINE,
            "@type": "SoftwareApplication",
            "name": name,
            "softwareVersion": version,
            "description": format!("Pipelines for plasticity rules; linear algebra: {linear_algebra}."),
        }));
        self.add(json!({
            "@id": LANGUAGE,
            "@type": "ComputerLanguage",
            "name": "ojaflow pipeline file (TOML)",
            "version": version,
        }));
        let tasks =
            self.published.manifests.iter().flat_map(|manifest| &manifest.stages).flat_map(|stage| &stage.tasks);
        let tools: BTreeMap<String, (&str, u32)> =
            tasks.map(|task| (tool_of(task), (task.material.kind.as_str(), task.material.version))).collect();
        for (id, (kind, version)) in tools {
            let summary = match stages::kinds().iter().find(|known| known.name() == kind) {
                Some(kind) => kind.summary(),
                None => "Judges the claims of a pipeline.",
            };
            self.add(json!({
                "@id": id,
                "@type": "SoftwareApplication",
                "name": kind,
                "softwareVersion": version.to_string(),
                "description": summary,
                "isPartOf": reference(ENGINE),
            }));
        }
        for set in &self.published.data_sets {
            let checksums: Vec<String> = set.files.iter().map(|file| format!("sha256:{}", file.sha256)).collect();
            let mut entity = json!({
                "@id": data_set(&set.identity),
                "@type": "CreativeWork",
                "name": set.title,
                "alternateName": set.name,
                "identifier": checksums,
            });
            if let Some(licence) = &set.licence {
                entity["description"] = format!("Licence: {licence}").into();
            }
            self.add(entity);
        }
        for (id, name, version) in PROFILES {
            self.add(json!({ "@id": id, "@type": "CreativeWork", "name": name, "version": version }));
        }
        for (id, name) in LICENCES {
            self.add(json!({ "@id": id, "@type": "CreativeWork", "name": name, "description": name }));
        }
    }
}

fn part_of(key: &str, table: &str) -> String {
    format!("#table/{key}/{table}")
}

fn format_of(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("parquet") => "application/vnd.apache.parquet",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json") => "application/json",
        Some("toml" | "lock") => "application/toml",
        Some("md") => "text/markdown",
        _ => "application/octet-stream",
    }
}
