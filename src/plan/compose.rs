//! A pipeline and everything that it includes, in one plan in which equal tasks are one task.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::locate::locate;
use super::order::report_once;
use super::places::Places;
use super::restrict::restrict;
use super::{Grid, Pipeline, Plan, PublishedFile, PublishedTable, Stage, Task};
use crate::error::{Error, Result};
use crate::spec::matrix::Axis;
use crate::spec::node::{Fault, Key as SpecKey, Node, Span, Table, Value, instead_of};
use crate::spec::{Library, Spec, StageSpec, carried};
use crate::store::Key;
use crate::tables::frame::Cell;
use crate::task::{Addition, Catalogue, Facts, Kind, KnownValues, Others, Reads, Reference, Source};

/// What a user asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// A pipeline's name, or the path of its file.
    pub pipeline: String,
    /// Values of the file to override, `key=value`.
    pub overrides: Vec<String>,
    /// The name to publish under, if not its own.
    pub publish_as: Option<String>,
    /// Only what this stage needs.
    pub to: Option<String>,
    /// Planned although it has more tasks than anybody plans by mistake.
    pub large: bool,
    /// Bytes of memory that planning, and each task, may take; anything if left out.
    pub memory: Option<u64>,
}

impl Request {
    /// The pipeline as it is written.
    pub fn new(pipeline: impl Into<String>) -> Self {
        Self { pipeline: pipeline.into(), ..Self::default() }
    }

    /// With one value of the file overridden, `key=value`.
    pub fn set(mut self, change: impl Into<String>) -> Self {
        self.overrides.push(change.into());
        self
    }

    /// With several values overridden.
    pub fn setting(mut self, changes: &[String]) -> Self {
        self.overrides.extend_from_slice(changes);
        self
    }

    /// Published under another name.
    pub fn published_as(mut self, name: impl Into<String>) -> Self {
        self.publish_as = Some(name.into());
        self
    }
}

/// Plans a pipeline and everything that it includes; a plan with levels as its first level.
///
/// # Errors
/// All faults found, each with its place.
pub fn build(catalogue: &dyn Catalogue, pipelines: &Path, request: &Request) -> Result<Plan> {
    build_level(catalogue, pipelines, request, &Additions::new())
}

/// What earlier levels have added to the matrices, by the published name of the pipeline.
pub(super) type Additions = BTreeMap<String, Vec<Addition>>;

pub(super) fn build_level(
    catalogue: &dyn Catalogue,
    pipelines: &Path,
    request: &Request,
    additions: &Additions,
) -> Result<Plan> {
    let mut builder = Builder {
        catalogue,
        pipelines,
        additions,
        large: request.large,
        memory: request.memory.unwrap_or(u64::MAX),
        words: Mutex::default(),
        plan: Plan { tasks: Vec::new(), pipelines: Vec::new(), portable_kernels: false },
        facts: Vec::new(),
        known: BTreeMap::new(),
        path: Vec::new(),
    };
    let file = locate(pipelines, &request.pipeline, None)?;
    builder.pipeline(&file, None, &request.overrides, request.publish_as.as_deref(), request.to.as_deref())?;
    if let Some(to) = &request.to {
        restrict(&mut builder.plan, to);
    }
    Ok(builder.plan)
}

/// The plan in the making.
pub(super) struct Builder<'a> {
    pub(super) catalogue: &'a dyn Catalogue,
    /// Where pipelines are looked up by name.
    pub(super) pipelines: &'a Path,
    additions: &'a Additions,
    /// Whether a plan may be larger than anybody plans by mistake.
    pub(super) large: bool,
    /// Bytes that may be taken.
    pub(super) memory: u64,
    /// Names that all tasks share.
    words: Mutex<BTreeSet<Arc<str>>>,
    pub(super) plan: Plan,
    /// Of each task.
    pub(super) facts: Vec<Facts>,
    /// Equal tasks are one task.
    known: BTreeMap<Key, usize>,
    /// The files being included, outermost first.
    path: Vec<PathBuf>,
}

/// A stage while its pipeline is planned.
pub(super) struct Built {
    /// Where its tasks are, in the order of the matrix.
    pub(super) places: Places,
    pub(super) grid: Arc<Grid>,
    pub(super) keep: bool,
    /// Tables that are kept and not published.
    pub(super) unpublished: Vec<String>,
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
        let mut spec = Spec::load(file, overrides)?;
        self.path.push(file.to_owned());
        let (mut includes, mut libraries) = (Vec::new(), Vec::new());
        for include in std::mem::take(&mut spec.include) {
            let (file, span) = (locate(self.pipelines, &include.pipeline, Some(&include.span))?, Some(&include.span));
            if let Some(library) = Library::load(&file)? {
                if !include.set.is_empty() || include.publish_as.is_some() {
                    let message = "a library of terms is included as it is: it takes neither `set` nor `as`".to_owned();
                    return Err(Error::Spec(vec![Fault { message, span: Some(include.span), help: None }]));
                }
                let seen = carried::relative(&file).or_else(|| file.strip_prefix(self.pipelines).ok());
                let path = seen.unwrap_or(&file).to_owned();
                libraries.push(Arc::new(Source { path, text: library.text.clone() }));
                spec.adopt(library).map_err(|fault| Error::Spec(vec![fault]))?;
                continue;
            }
            includes.push(self.pipeline(&file, span, &include.set, include.publish_as.as_deref(), None)?);
        }
        self.path.pop();
        if spec.stages.is_empty() && includes.is_empty() {
            return Err(Error::usage(format!("{}: a pipeline needs `[stages.…]` or `include`", file.display())));
        }
        let published = match name {
            Some(name) if crate::spec::is_name(name) => name.to_owned(),
            Some(name) => {
                return Err(Error::usage(match name.len() {
                    0..=crate::spec::MOST_NAME => {
                        format!("`{name}` cannot name a folder: take letters, digits, `_`, `-`, `.`")
                    }
                    _ => format!("`--as`: {}", crate::spec::name_fault("the name to publish under", name)),
                }));
            }
            None if overrides.is_empty() && to.is_none() => spec.header.name.clone(),
            None => {
                let changed = serde_json::json!({ "document": spec.document, "to": to });
                let digest = blake3::hash(changed.to_string().as_bytes()).to_hex();
                format!("{}~{}", spec.header.name, &digest[..8])
            }
        };
        if let Some(earlier) = self.plan.pipelines.iter().find(|earlier| earlier.name == published) {
            return if earlier.file == file && earlier.document == spec.document {
                Ok(published)
            } else {
                Err(Error::Spec(vec![published_twice(earlier, file, included)]))
            };
        }
        if let Some(additions) = self.additions.get(&published) {
            spec.matrix
                .add(additions.iter().map(|one| (one.places.as_slice(), one.others == Others::Every)))
                .map_err(|message| Error::Internal { task: published.clone(), message })?;
        }
        let mut pipeline = PipelineBuilder::new(self, &spec)?;
        pipeline.sources.extend(libraries);
        pipeline.stages(to)?;
        let PipelineBuilder { stages, tables, files, sources, labels, .. } = pipeline;
        let axes = spec.matrix.axes.iter().map(|axis| axis.name.clone()).zip(labels);
        self.plan.pipelines.push(Pipeline {
            name: published.clone(),
            title: spec.header.title.clone(),
            figure: spec.header.figure.clone(),
            file: file.to_owned(),
            text: spec.text,
            sources: sources.into_iter().collect(),
            to: to.map(str::to_owned),
            axes: axes.collect(),
            definitions: spec.definitions,
            document: spec.document,
            overrides: spec.overrides,
            stages,
            tables,
            files,
            includes,
        });
        Ok(published)
    }

    /// A word that many tasks have, once.
    pub(super) fn word(&self, text: &str) -> Arc<str> {
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = words.get(text) {
            return known.clone();
        }
        let word: Arc<str> = text.into();
        words.insert(word.clone());
        word
    }

    /// Adds a task, or finds the equal one that is there.
    pub(super) fn intern(&mut self, task: Task, facts: Facts) -> usize {
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

/// Two pipelines that are not the same would replace each other.
fn published_twice(earlier: &Pipeline, file: &Path, included: Option<&Span>) -> Fault {
    let message = if earlier.file == file {
        format!("{} is published twice as `{}`, with different overrides", file.display(), earlier.name)
    } else {
        format!("{} and {} are both published as `{}`", earlier.file.display(), file.display(), earlier.name)
    };
    Fault {
        message,
        span: included.cloned(),
        help: Some("Give one of them another name: `as = \"…\"` where it is included, or `--as`.".into()),
    }
}

/// The stage that `[[claims]]` and `[decide]` stand for; none where nothing is claimed.
fn claims_stage(spec: &Spec) -> Option<StageSpec> {
    let first = spec.claims.first()?;
    let key = SpecKey { name: "claims".to_owned(), span: first.span.clone() };
    let claims = (key, Node { span: first.span.clone(), value: Value::Array(spec.claims.clone()) });
    let parameters = Table { entries: [claims].into_iter().chain(spec.decide.clone()).collect() };
    Some(StageSpec {
        name: "claims".to_owned(),
        name_span: first.span.clone(),
        kind: "claims".to_owned(),
        kind_span: first.span.clone(),
        keep: true,
        publish: None,
        parameters: Node { span: first.span.clone(), value: Value::Table(parameters) },
    })
}

/// One pipeline while it is planned.
pub(super) struct PipelineBuilder<'b, 'a> {
    pub(super) builder: &'b mut Builder<'a>,
    pub(super) spec: &'b Spec,
    pub(super) built: BTreeMap<String, Built>,
    pub(super) stages: Vec<Stage>,
    pub(super) tables: Vec<PublishedTable>,
    pub(super) files: Vec<PublishedFile>,
    /// Files that something was looked up in, each once.
    pub(super) sources: BTreeSet<Arc<Source>>,
    /// By table and column: the values that can stand there, where they are known.
    pub(super) values: BTreeMap<String, KnownValues>,
    /// What stands in the column of each axis.
    pub(super) labels: Vec<Arc<[Cell]>>,
    /// By axis, what was written.
    pub(super) written: KnownValues,
    /// The stage made of `[[claims]]`.
    pub(super) claims: Option<StageSpec>,
}

impl<'b, 'a> PipelineBuilder<'b, 'a> {
    pub(super) fn new(builder: &'b mut Builder<'a>, spec: &'b Spec) -> Result<Self> {
        let claims = claims_stage(spec);
        let this = Self {
            builder,
            spec,
            built: BTreeMap::new(),
            stages: Vec::new(),
            tables: Vec::new(),
            files: Vec::new(),
            sources: BTreeSet::new(),
            values: BTreeMap::new(),
            labels: spec.matrix.axes.iter().map(Axis::labels).collect(),
            written: spec.matrix.axes.iter().map(|axis| (axis.name.clone(), axis.written())).collect(),
            claims,
        };
        let mut faults = this.builder.catalogue.check(&spec.definitions);
        faults.extend(this.check_axes());
        if faults.is_empty() { Ok(this) } else { Err(Error::Spec(faults)) }
    }

    pub(super) fn all_stages(&self) -> impl Iterator<Item = &StageSpec> {
        self.spec.stages.iter().chain(&self.claims)
    }

    /// The kind that a stage names. `claims` is written as `[[claims]]`, not as a stage.
    pub(super) fn find_kind(&self, stage: &StageSpec) -> Option<&'static dyn Kind> {
        match stage.kind.as_str() {
            "claims" if stage.name == "claims" => Some(self.builder.catalogue.claims()),
            name => self.builder.catalogue.kind(name),
        }
    }

    /// Plans all stages, inputs first. A fault in one stage does not hide those in others.
    pub(super) fn stages(&mut self, to: Option<&str>) -> Result<()> {
        let mut faults = Vec::new();
        let mut references: BTreeMap<String, Vec<Reference>> = BTreeMap::new();
        for stage in self.all_stages() {
            let Some(kind) = self.find_kind(stage) else {
                let names = self.builder.catalogue.kinds().iter().map(|kind| kind.name());
                let message = format!("unknown kind `{}`; {}", stage.kind, instead_of(&stage.kind, names));
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
            return Err(Error::usage(format!("`--to {to}`: there is no such stage; {}", instead_of(to, names))));
        }
        if !faults.is_empty() {
            return Err(Error::Spec(faults));
        }
        let order = self.order(&references).map_err(|fault| Error::Spec(vec![fault]))?;
        self.check_size(&order, &references).map_err(|fault| Error::Spec(vec![fault]))?;
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

    fn stage(&mut self, name: &str, references: &[Reference]) -> Vec<Fault> {
        // The spec outlives the builder's borrow, but for the claims' stage, which the builder owns.
        let claims = self.claims.take();
        let spec: &'b Spec = self.spec;
        let stage = spec.stages.iter().chain(&claims).find(|stage| stage.name == name).expect("planned by name");
        let kind = self.find_kind(stage).expect("checked before ordering");
        let gathers = references.iter().any(|reference| reference.reads == Reads::Table);
        let faults =
            if gathers { self.gathering(stage, kind, references) } else { self.tasks(stage, kind, references) };
        self.claims = claims;
        faults
    }
}
