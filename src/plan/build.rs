//! Expanding a pipeline into tasks.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::environment::Environment;
use super::{GatheredInput, Input, Part, Pipeline, Plan, PublishedFile, PublishedTable, Stage, Task};
use crate::error::{Error, Result};
use crate::spec::matrix::{Coordinates, Matrix, Setting};
use crate::spec::node::{Fault, Key as NodeKey, Node, Span, Table, Value, choices};
use crate::spec::{Spec, StageSpec};
use crate::stages::{self, Available, Facts, Gathered, Kind, Output, Planning, Reads, Reference, Storage};
use crate::store::{Key, KeyMaterial, KeyedInput};
use crate::tables::frame::{Cell, type_of_cells};
use crate::tables::{Column, ColumnType, Layout, TableSchema};

/// Tasks of a stage that are worked out side by side before they enter the plan.
const CHUNK: usize = 4096;

/// Different faults of one stage that are reported at once.
const MOST_FAULTS: usize = 8;

/// What a user asked for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// A pipeline's name, or the path of its file.
    pub pipeline: String,
    pub overrides: Vec<String>,
    pub publish_as: Option<String>,
    /// Only what this stage needs.
    pub to: Option<String>,
}

/// Plans a pipeline and everything that it includes.
///
/// # Errors
/// All faults found, each with its place.
pub fn build(environment: &Environment, request: &Request) -> Result<Plan> {
    let mut builder = Builder {
        environment,
        plan: Plan { tasks: Vec::new(), pipelines: Vec::new() },
        facts: Vec::new(),
        known: BTreeMap::new(),
        path: Vec::new(),
    };
    let file = locate(environment, &request.pipeline, None)?;
    builder.pipeline(&file, None, &request.overrides, request.publish_as.as_deref(), request.to.as_deref())?;
    if let Some(to) = &request.to {
        restrict(&mut builder.plan, to);
    }
    Ok(builder.plan)
}

/// The file of a pipeline. A name is looked up among the pipelines; anything with a separator or `.toml` is a path.
fn locate(environment: &Environment, name: &str, span: Option<&Span>) -> Result<PathBuf> {
    let is_path = name.contains(['/', '\\']) || name.ends_with(".toml");
    let file = if is_path { PathBuf::from(name) } else { environment.pipelines_dir.join(format!("{name}.toml")) };
    if file.is_file() {
        return Ok(file);
    }
    let known = names(&environment.pipelines_dir);
    let mut fault = Fault { message: format!("there is no pipeline `{name}`"), span: span.cloned(), help: None };
    fault.help = Some(if is_path {
        format!("No file {}.", file.display())
    } else if known.is_empty() {
        format!("No pipelines in {}: run from the project's root.", environment.pipelines_dir.display())
    } else {
        format!("There are: {}.", choices(known))
    });
    Err(Error::Spec(vec![fault]))
}

/// The names of the pipelines in a folder.
pub fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let toml = path.extension()? == "toml" && path.is_file();
            toml.then(|| path.file_stem().map(|stem| stem.to_string_lossy().into_owned())).flatten()
        })
        .collect();
    names.sort();
    names
}

struct Builder<'a> {
    environment: &'a Environment,
    plan: Plan,
    /// Of each task.
    facts: Vec<Facts>,
    /// Equal tasks are one task.
    known: BTreeMap<Key, usize>,
    /// The files being included, outermost first.
    path: Vec<PathBuf>,
}

/// A stage while its pipeline is planned.
struct Built {
    /// Indices of the axes that it depends on, ascending.
    axes: Vec<usize>,
    /// The task of each combination of those axes' values.
    tasks: BTreeMap<Coordinates, usize>,
    /// In the order of the matrix.
    order: Vec<(Coordinates, usize)>,
    keep: bool,
}

impl Builder<'_> {
    /// Plans one file and what it includes; `included` is where another file names it.
    fn pipeline(
        &mut self,
        file: &Path,
        included: Option<&Span>,
        overrides: &[String],
        name: Option<&str>,
        to: Option<&str>,
    ) -> Result<String> {
        if let Some(start) = self.path.iter().position(|outer| outer == file) {
            let chain: Vec<String> = self.path[start..]
                .iter()
                .map(|path| path.as_path())
                .chain([file])
                .map(|path| path.display().to_string())
                .collect();
            let message = format!("{} includes itself: {}", file.display(), chain.join(" → "));
            return Err(Error::Spec(vec![Fault { message, span: included.cloned(), help: None }]));
        }
        let spec = Spec::load(file, overrides)?;
        self.path.push(file.to_owned());
        let mut includes = Vec::new();
        for include in &spec.include {
            let (file, span) = (locate(self.environment, &include.pipeline, Some(&include.span))?, Some(&include.span));
            includes.push(self.pipeline(&file, span, &include.set, include.publish_as.as_deref(), None)?);
        }
        self.path.pop();
        if spec.stages.is_empty() && includes.is_empty() {
            return Err(Error::usage(format!("{}: a pipeline needs `[stages.…]` or `include`", file.display())));
        }
        let published = match name {
            Some(name) if crate::spec::is_name(name) => name.to_owned(),
            Some(name) => {
                return Err(Error::usage(format!(
                    "`{name}` cannot name a folder: take letters, digits, `_`, `-`, `.`"
                )));
            }
            None if overrides.is_empty() && to.is_none() => spec.header.name.clone(),
            None => {
                let changed = serde_json::json!({ "document": spec.document, "to": to });
                let digest = blake3::hash(changed.to_string().as_bytes()).to_hex();
                format!("{}~{}", spec.header.name, &digest[..8])
            }
        };
        if self.plan.pipelines.iter().any(|earlier| earlier.name == published) {
            return Ok(published);
        }
        let mut pipeline = PipelineBuilder::new(self, &spec)?;
        pipeline.stages(to)?;
        let (stages, tables, files) = (pipeline.stages, pipeline.tables, pipeline.files);
        // Included pipelines have been planned by now and have taken what they looked up.
        let coefficients = self.environment.coefficients.take_used();
        let axes = spec
            .matrix
            .axes
            .iter()
            .map(|axis| (axis.name.clone(), axis.values.iter().map(|value| value.label.clone()).collect()));
        self.plan.pipelines.push(Pipeline {
            name: published.clone(),
            title: spec.header.title.clone(),
            figure: spec.header.figure.clone(),
            file: file.to_owned(),
            text: spec.text,
            coefficients,
            to: to.map(str::to_owned),
            axes: axes.collect(),
            document: spec.document,
            overrides: spec.overrides,
            stages,
            tables,
            files,
            includes,
        });
        Ok(published)
    }

    /// Adds a task, or finds the equal one that is there.
    fn intern(&mut self, task: Task, facts: Facts) -> usize {
        if let Some(&known) = self.known.get(&task.key) {
            // The same result asked for twice: kept if anyone keeps it.
            self.plan.tasks[known].keep |= task.keep;
            return known;
        }
        let index = self.plan.tasks.len();
        self.known.insert(task.key.clone(), index);
        self.plan.tasks.push(task);
        self.facts.push(facts);
        index
    }
}

struct PipelineBuilder<'b, 'a> {
    builder: &'b mut Builder<'a>,
    spec: &'b Spec,
    built: BTreeMap<String, Built>,
    stages: Vec<Stage>,
    tables: Vec<PublishedTable>,
    files: Vec<PublishedFile>,
    /// By table and column: the values that can stand there, where they are known.
    values: BTreeMap<String, BTreeMap<String, Vec<Cell>>>,
    /// The stage made of `[[claims]]`.
    claims: Option<StageSpec>,
}

impl<'b, 'a> PipelineBuilder<'b, 'a> {
    fn new(builder: &'b mut Builder<'a>, spec: &'b Spec) -> Result<Self> {
        let claims = spec.claims.first().map(|first| StageSpec {
            name: "claims".to_owned(),
            name_span: first.span.clone(),
            kind: "claims".to_owned(),
            kind_span: first.span.clone(),
            keep: true,
            parameters: Node { span: first.span.clone(), value: Value::Array(spec.claims.clone()) },
        });
        let this = Self {
            builder,
            spec,
            built: BTreeMap::new(),
            stages: Vec::new(),
            tables: Vec::new(),
            files: Vec::new(),
            values: BTreeMap::new(),
            claims,
        };
        let faults = this.check_axes();
        if faults.is_empty() { Ok(this) } else { Err(Error::Spec(faults)) }
    }

    fn all_stages(&self) -> impl Iterator<Item = &StageSpec> {
        self.spec.stages.iter().chain(&self.claims)
    }

    /// Every axis has to change something.
    fn check_axes(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        // What a stage of an unknown kind would take is not known; its own fault is reported when stages are planned.
        let all_known = self.all_stages().all(|stage| find_kind(stage).is_some());
        for axis in &self.spec.matrix.axes {
            let mut changes = false;
            for value in &axis.values {
                match &value.setting {
                    Setting::Plain(_) => {
                        changes |= self.spec.stages.iter().any(|stage| {
                            stages::kind(&stage.kind).is_some_and(|kind| kind.axis_parameter(&axis.name).is_some())
                        });
                    }
                    Setting::Bundle(bundle) => {
                        changes = true;
                        for (key, _) in &bundle.entries {
                            if !self.spec.stages.iter().any(|stage| stage.name == key.name) {
                                let names = self.spec.stages.iter().map(|stage| &stage.name);
                                let message = format!(
                                    "the bundle `{}` sets parameters of stage `{}`; there are: {}",
                                    value.label,
                                    key.name,
                                    choices(names)
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
                faults.push(Fault::at(&axis.span, message).help(
                    "Name the axis after a parameter (`rule`, `seed`, `init` …), or write its values as bundles: \
                     `[matrix.<axis>.\"<value>\"]` with `<stage>.<parameter> = …`.",
                ));
            }
        }
        faults
    }

    /// Plans all stages, inputs first. A fault in one stage does not hide those in others.
    fn stages(&mut self, to: Option<&str>) -> Result<()> {
        let mut faults = Vec::new();
        let mut references: BTreeMap<String, Vec<Reference>> = BTreeMap::new();
        for stage in self.all_stages() {
            let Some(kind) = find_kind(stage) else {
                let names = stages::kinds().iter().map(|kind| kind.name());
                let message = format!("unknown kind `{}`; there are: {}", stage.kind, choices(names));
                faults.push(Fault::at(&stage.kind_span, message));
                continue;
            };
            match kind.references(&stage.parameters) {
                Ok(found) => {
                    let unresolved = found.iter().filter(|reference| self.resolve(reference).is_none());
                    unresolved.for_each(|reference| report_once(&mut faults, self.unresolved(stage, reference)));
                    references.insert(stage.name.clone(), found);
                }
                Err(fault) => faults.push(fault),
            }
        }
        if let Some(to) = to
            && !self.all_stages().any(|stage| stage.name == to)
        {
            let names = self.all_stages().map(|stage| &stage.name);
            return Err(Error::usage(format!("`--to {to}`: there is no such stage; there are: {}", choices(names))));
        }
        if !faults.is_empty() {
            return Err(Error::Spec(faults));
        }
        let order = self.order(&references).map_err(|fault| Error::Spec(vec![fault]))?;
        let mut failed: BTreeSet<String> = BTreeSet::new();
        for name in order {
            let upstream = references[&name].iter().filter_map(|reference| self.resolve(reference));
            if upstream.into_iter().any(|stage| failed.contains(stage)) {
                failed.insert(name);
                continue;
            }
            let stage_faults = self.stage(&name, &references[&name]);
            if !stage_faults.is_empty() {
                failed.insert(name);
                faults.extend(stage_faults);
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(Error::Spec(faults)) }
    }

    /// The stage that a reference means: by its name, or by that of one of its tables.
    fn resolve(&self, reference: &Reference) -> Option<&str> {
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

    fn unresolved(&self, stage: &StageSpec, reference: &Reference) -> Fault {
        let names = choices(self.spec.stages.iter().map(|other| &other.name).filter(|name| **name != stage.name));
        let (reader, name) = (&stage.name, &reference.name);
        match reference.reads {
            Reads::Task => {
                Fault::at(&reference.span, format!("stage `{reader}` reads stage `{name}`; there are: {names}"))
            }
            Reads::Table => {
                let message = format!("`{reader}` reads table `{name}`, which no stage makes; the stages are: {names}");
                Fault::at(&reference.span, message)
                    .help("A table is called after the stage that makes it: `<stage>`, or `<stage>_<table>` where it makes several.")
            }
        }
    }

    /// Stages with inputs first, otherwise in the order of the file.
    fn order(&self, references: &BTreeMap<String, Vec<Reference>>) -> Result<Vec<String>, Fault> {
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

    fn stage(&mut self, name: &str, references: &[Reference]) -> Vec<Fault> {
        // The spec outlives the builder's borrow, but for the claims' stage, which the builder owns.
        let claims = self.claims.take();
        let spec: &'b Spec = self.spec;
        let stage = spec.stages.iter().chain(&claims).find(|stage| stage.name == name).expect("planned by name");
        let kind = find_kind(stage).expect("checked before ordering");
        let gathers = references.iter().any(|reference| reference.reads == Reads::Table);
        let faults =
            if gathers { self.gathering(stage, kind, references) } else { self.tasks(stage, kind, references) };
        self.claims = claims;
        faults
    }

    /// One task for each combination of the axes that the stage depends on.
    fn tasks(&mut self, stage: &StageSpec, kind: &'static dyn Kind, references: &[Reference]) -> Vec<Fault> {
        let matrix = &self.spec.matrix;
        let mut axes: BTreeSet<usize> = own_axes(stage, kind, matrix);
        for reference in references {
            let upstream = self.resolve(reference).expect("checked before");
            axes.extend(&self.built[upstream].axes);
        }
        let axes: Vec<usize> = axes.into_iter().collect();
        let mut built = Built { axes: axes.clone(), tasks: BTreeMap::new(), order: Vec::new(), keep: stage.keep };
        let mut faults: Vec<Fault> = Vec::new();
        let on_axes =
            |combination: &[Option<usize>]| -> Coordinates { axes.iter().map(|&axis| combination[axis]).collect() };
        let mut seen = BTreeSet::new();
        let distinct: Vec<&Coordinates> =
            matrix.combinations.iter().filter(|combination| seen.insert(on_axes(combination))).collect();
        // Tasks are worked out side by side and enter the plan in the order of the matrix, so the plan is always the same.
        for chunk in distinct.chunks(CHUNK) {
            let this = &*self;
            let draft = |combination: &&Coordinates| {
                this.task(stage, kind, &axes, combination, &this.available(references, combination))
            };
            let drafts: Vec<Result<(Task, Facts), Fault>> = chunk.par_iter().map(draft).collect();
            for (combination, draft) in chunk.iter().zip(drafts) {
                match draft {
                    Ok((task, facts)) => {
                        let task = self.builder.intern(task, facts);
                        built.tasks.insert(on_axes(combination), task);
                        built.order.push((on_axes(combination), task));
                    }
                    // A wrong value of one axis shows at its first combination; the others only repeat it.
                    Err(fault) => {
                        if faults.len() < MOST_FAULTS && faults.iter().all(|old| old.message != fault.message) {
                            faults.push(fault);
                        }
                    }
                }
            }
            if faults.len() >= MOST_FAULTS {
                break;
            }
        }
        if !faults.is_empty() {
            return faults;
        }
        self.publish(stage, kind, &built);
        self.built.insert(stage.name.clone(), built);
        faults
    }

    /// What the tasks of the stages referred to make, and the data set behind them.
    fn available(&self, references: &[Reference], combination: &[Option<usize>]) -> Vec<Available> {
        let mut available: Vec<Available> = Vec::new();
        let mut inherited: Vec<Available> = Vec::new();
        for reference in references {
            let upstream = &self.built[self.resolve(reference).expect("checked before")];
            let coordinates: Coordinates = upstream.axes.iter().map(|&axis| combination[axis]).collect();
            let index = upstream.tasks[&coordinates];
            let task = &self.builder.plan.tasks[index];
            let facts = &self.builder.facts[index];
            for output in task.work.outputs() {
                let mut output = output.clone();
                if !upstream.keep {
                    output.storage = Storage::Passing;
                }
                let role = output.table().to_owned();
                let (stage, key) = (reference.name.clone(), task.key.clone());
                available.push(Available { stage, role, task: index, key, output, facts: facts.clone() });
            }
            for input in &task.inputs {
                let source = &self.builder.plan.tasks[input.task];
                let output = source.work.outputs().iter().find(|output| output.table() == input.table);
                let mut output = output.expect("an input is an output of its task").clone();
                if input.passing {
                    output.storage = Storage::Passing;
                }
                let facts = self.builder.facts[input.task].clone();
                inherited.push(Available {
                    stage: reference.name.clone(),
                    role: input.role.clone(),
                    task: input.task,
                    key: source.key.clone(),
                    output,
                    facts,
                });
            }
        }
        // A measurement of a network sees the data that the network was trained on, unless it names other data itself.
        for candidate in inherited {
            if !available.iter().any(|direct| direct.role == candidate.role) {
                available.push(candidate);
            }
        }
        available
    }

    fn task(
        &self,
        stage: &StageSpec,
        kind: &'static dyn Kind,
        axes: &[usize],
        combination: &[Option<usize>],
        available: &[Available],
    ) -> Result<(Task, Facts), Fault> {
        let mut parameters = stage.parameters.clone();
        let mut label = stage.name.clone();
        for &axis in axes {
            let Some(value) = combination[axis] else { continue };
            let value = &self.spec.matrix.axes[axis].values[value];
            apply(&mut parameters, stage, kind, &self.spec.matrix.axes[axis].name, &value.setting);
            label += &format!(" {}={}", self.spec.matrix.axes[axis].name, value.label);
        }
        let planning = Planning {
            stage: &stage.name,
            parameters: &parameters,
            environment: self.builder.environment,
            rules: &self.spec.rules,
            available,
            tables: &[],
            used: RefCell::default(),
        };
        let work = kind.plan(&planning)?;
        let used = planning.used.into_inner();
        let roles = distinct_roles(used.iter().map(|&index| available[index].role.as_str()));
        let inputs: Vec<Input> = used
            .iter()
            .map(|&index| &available[index])
            .zip(&roles)
            .map(|(input, role)| Input {
                role: role.clone(),
                task: input.task,
                table: input.output.table().to_owned(),
                passing: input.output.storage == Storage::Passing,
            })
            .collect();
        let keyed = used.iter().map(|&index| &available[index]).zip(&roles).map(|(input, role)| KeyedInput {
            role: role.clone(),
            table: input.output.table().to_owned(),
            key: input.key.clone(),
            axes: Vec::new(),
        });
        let material = KeyMaterial {
            kind: kind.name().to_owned(),
            version: kind.version(),
            parameters: work.parameters(),
            inputs: keyed.collect(),
        };
        let facts = work.facts();
        let task = Task {
            key: material.key(),
            material,
            label,
            stage: stage.name.clone(),
            work,
            inputs,
            gathered: Vec::new(),
            keep: stage.keep,
        };
        Ok((task, facts))
    }

    /// One task that reads whole tables.
    fn gathering(&mut self, stage: &StageSpec, kind: &'static dyn Kind, references: &[Reference]) -> Vec<Fault> {
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
                        own_axes: table.parts.first().into_iter().flat_map(Part::own_axis_names).collect(),
                    });
                    sources.push(table);
                }
                None => {
                    let stage_keeps =
                        self.resolve(reference).is_none_or(|name| self.built.get(name).is_none_or(|b| b.keep));
                    let names: Vec<&str> = self.tables.iter().map(|table| table.name.as_str()).collect();
                    let fault = if stage_keeps {
                        let message = format!(
                            "stage `{}` reads table `{}`; there are: {}",
                            stage.name,
                            reference.name,
                            choices(names)
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
            environment: self.builder.environment,
            rules: &self.spec.rules,
            available: &[],
            tables: &gathered,
            used: RefCell::default(),
        };
        let work = match kind.plan(&planning) {
            Ok(work) => work,
            Err(fault) => return vec![fault],
        };
        let mut keyed = Vec::new();
        for table in &sources {
            let names = || table.schema.columns[..table.n_axes].iter().map(|column| column.name.to_string());
            for part in &table.parts {
                let own = part.own_axes.iter().map(|(name, cell)| (name.clone(), cell));
                let axes = names()
                    .zip(&part.axes)
                    .chain(own)
                    .map(|(name, cell)| (name, serde_json::to_value(cell).expect("a cell is plain data")));
                keyed.push(KeyedInput {
                    role: table.name.clone(),
                    table: part.table.clone(),
                    key: self.builder.plan.tasks[part.task].key.clone(),
                    axes: axes.collect(),
                });
            }
        }
        let material = KeyMaterial {
            kind: kind.name().to_owned(),
            version: kind.version(),
            parameters: work.parameters(),
            inputs: keyed,
        };
        let inputs = sources
            .iter()
            .map(|table| GatheredInput {
                name: table.name.clone(),
                schema: table.schema.clone(),
                parts: table.parts.clone(),
            })
            .collect();
        let facts = work.facts();
        let task = Task {
            key: material.key(),
            material,
            label: stage.name.clone(),
            stage: stage.name.clone(),
            work,
            inputs: Vec::new(),
            gathered: inputs,
            keep: true,
        };
        let index = self.builder.intern(task, facts);
        let built = Built {
            axes: Vec::new(),
            tasks: [(Vec::new(), index)].into(),
            order: vec![(Vec::new(), index)],
            keep: true,
        };
        self.publish(stage, kind, &built);
        self.built.insert(stage.name.clone(), built);
        Vec::new()
    }

    /// Records what of a stage is published, and with which axes.
    fn publish(&mut self, stage: &StageSpec, kind: &'static dyn Kind, built: &Built) {
        let matrix = &self.spec.matrix;
        let cell = |axis: usize, value: Option<usize>| {
            value.map_or(Cell::Null, |value| matrix.axes[axis].values[value].label.clone())
        };
        let coordinates: Vec<Vec<Cell>> = built
            .order
            .iter()
            .map(|(values, _)| built.axes.iter().zip(values).map(|(&axis, &value)| cell(axis, value)).collect())
            .collect();
        let (_, first) = &built.order[0];
        let outputs: Vec<Output> = self.builder.plan.tasks[*first].work.outputs().to_vec();
        let runs = outputs.iter().find(|output| output.suffix == "runs").map(|output| output.published(&stage.name));
        // A measurement's run_id is that of the training it looked at.
        let runs = runs.or_else(|| self.runs_behind(*first));
        for output in outputs.iter().filter(|output| stage.keep && output.storage == Storage::Kept) {
            let mut schema = TableSchema::clone(&output.schema);
            // An axis that the table has as a column of its own (`gradient` of `runs`) is not added again.
            let (own, added): (Vec<usize>, Vec<usize>) = match schema.layout {
                Layout::Folder => (Vec::new(), Vec::new()),
                Layout::File => (0..built.axes.len())
                    .partition(|&index| schema.column(&matrix.axes[built.axes[index]].name).is_some()),
            };
            let columns = added.iter().map(|&index| {
                let axis = &matrix.axes[built.axes[index]];
                let nullable = coordinates.iter().any(|cells| cells[index] == Cell::Null);
                let kind = type_of_cells(axis.values.iter().map(|value| &value.label));
                axis_column(&axis.name, kind, nullable)
            });
            schema.columns.splice(0..0, columns.collect::<Vec<_>>());
            let keys = added.iter().map(|&index| matrix.axes[built.axes[index]].name.clone().into());
            schema.key.splice(0..0, keys.collect::<Vec<_>>());
            let parts = built.order.iter().zip(&coordinates).map(|((_, task), cells)| Part {
                task: *task,
                table: output.table().to_owned(),
                axes: added.iter().map(|&index| cells[index].clone()).collect(),
                own_axes: own
                    .iter()
                    .map(|&index| (matrix.axes[built.axes[index]].name.clone(), cells[index].clone()))
                    .collect(),
            });
            let mut values = self.builder.plan.tasks[*first].work.known_values();
            for &index in &added {
                let axis = &matrix.axes[built.axes[index]];
                values.insert(axis.name.clone(), axis.values.iter().map(|value| value.label.clone()).collect());
            }
            self.values.insert(output.published(&stage.name), values);
            self.tables.push(PublishedTable {
                name: output.published(&stage.name),
                stage: stage.name.clone(),
                parts: parts.collect(),
                n_axes: added.len(),
                runs: (schema.layout == Layout::Folder).then(|| runs.clone()).flatten(),
                schema,
            });
        }
        for file in self.builder.plan.tasks[*first].work.files() {
            let name = format!("{}.{file}", stage.name);
            self.files.push(PublishedFile { name, stage: stage.name.clone(), task: *first, file });
        }
        self.stages.push(Stage {
            name: stage.name.clone(),
            kind: kind.name(),
            tasks: built.order.iter().map(|(_, task)| *task).collect(),
            axes: built.axes.iter().map(|&axis| matrix.axes[axis].name.clone()).collect(),
            coordinates,
        });
    }

    /// The published `runs` table of the training that a task measures.
    fn runs_behind(&self, task: usize) -> Option<String> {
        let input = self.builder.plan.tasks[task].inputs.iter().find(|input| input.role == "runs")?;
        let table = self
            .tables
            .iter()
            .find(|table| table.schema.kind == "runs" && table.parts.iter().any(|part| part.task == input.task))?;
        Some(table.name.clone())
    }
}

/// Two references that stand for one word (a table and the `runs` table behind it) make one fault.
fn report_once(faults: &mut Vec<Fault>, fault: Fault) {
    let said = |other: &Fault| other.span.as_ref().zip(fault.span.as_ref()).is_some_and(|(a, b)| a.is_same_as(b));
    if !faults.iter().any(said) {
        faults.push(fault);
    }
}

/// The second of several inputs in one role is `<role>_2`.
fn distinct_roles<'a>(roles: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    roles
        .map(|role| {
            let count = seen.entry(role).or_default();
            *count += 1;
            if *count == 1 { role.to_owned() } else { format!("{role}_{count}") }
        })
        .collect()
}

fn find_kind(stage: &StageSpec) -> Option<&'static dyn Kind> {
    // `claims` is written as `[[claims]]`, not as a stage.
    match stage.kind.as_str() {
        "claims" if stage.name == "claims" => Some(&stages::claims::Claims),
        name => stages::kind(name),
    }
}

fn own_axes(stage: &StageSpec, kind: &'static dyn Kind, matrix: &Matrix) -> BTreeSet<usize> {
    let takes = |setting: &Setting, axis: &str| match setting {
        Setting::Plain(_) => kind.axis_parameter(axis).is_some(),
        Setting::Bundle(bundle) => bundle.get(&stage.name).is_some(),
    };
    (0..matrix.axes.len())
        .filter(|&index| {
            let axis = &matrix.axes[index];
            axis.values.iter().any(|value| takes(&value.setting, &axis.name))
        })
        .collect()
}

/// Lays the value of an axis over a stage's parameters.
fn apply(parameters: &mut Node, stage: &StageSpec, kind: &'static dyn Kind, axis: &str, setting: &Setting) {
    match setting {
        Setting::Plain(node) => {
            if let Some(path) = kind.axis_parameter(axis) {
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
fn axis_column(name: &str, kind: ColumnType, nullable: bool) -> Column {
    let description = match name {
        "rule" => "learning rule".to_owned(),
        "seed" => "seed of the run; runs that share it share initial weights and sample order".to_owned(),
        "dataset" => "data set".to_owned(),
        "network" => "network architecture".to_owned(),
        _ => format!("value of the axis `{name}`"),
    };
    Column { name: name.to_owned().into(), kind, unit: "".into(), description: description.into(), nullable }
}

/// Drops what the stage `to` of the main pipeline does not need.
fn restrict(plan: &mut Plan, to: &str) {
    let main = plan.pipelines.last_mut().expect("a plan has at least the pipeline asked for");
    let mut needed: BTreeSet<usize> = BTreeSet::new();
    let mut waiting: Vec<usize> =
        main.stages.iter().filter(|stage| stage.name == to).flat_map(|stage| stage.tasks.clone()).collect();
    while let Some(task) = waiting.pop() {
        if needed.insert(task) {
            waiting.extend(plan.tasks[task].dependencies());
        }
    }
    main.stages.retain(|stage| stage.tasks.iter().any(|task| needed.contains(task)));
    main.tables.retain(|table| table.parts.iter().any(|part| needed.contains(&part.task)));
    main.files.retain(|file| needed.contains(&file.task));
    main.includes.clear();
    let main = plan.pipelines.pop().expect("just looked at");
    plan.pipelines = vec![main];
}
