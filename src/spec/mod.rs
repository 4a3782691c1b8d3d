//! TOML text → [`Spec`]: what a person asked for, with the place of every word of it.
//!
//! This step knows the shape of a pipeline file, not the meaning of its stages: their parameters stay trees until
//! `plan` hands them, merged with the values of the matrix, to the kind of stage that knows them.

pub mod carried;
pub mod include;
pub mod matrix;
pub mod node;
mod pasted;
mod read;
pub mod report;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use include::Include;
pub use matrix::{Axis, Matrix};
use node::{Fault, Key, Node, Span, Table, Value, instead_of};

use crate::error::{Error, Result};

/// One pipeline file, overrides applied.
#[derive(Debug)]
pub struct Spec {
    /// `[pipeline]`
    pub header: Header,
    /// The pipelines that it is composed of.
    pub include: Vec<Include>,
    /// `[matrix]`
    pub matrix: Matrix,
    /// `[rules.…]` and `[terms.…]`.
    pub definitions: Definitions,
    /// `[stages.…]`, in the order of the file.
    pub stages: Vec<StageSpec>,
    /// `[[claims]]`
    pub claims: Vec<Node>,
    /// `[decide]`: how often the claims are looked at.
    pub decide: Option<(Key, Node)>,
    /// The whole merged tree, for the manifest.
    pub document: serde_json::Value,
    /// The overrides as they were typed.
    pub overrides: Vec<String>,
    /// Where it was read from.
    pub file: PathBuf,
    /// The file as it is written, comments and all.
    pub text: String,
}

/// `[pipeline]`
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The name under which results are published: `outputs/<name>/`.
    pub name: String,
    /// The figure of the paper that this pipeline reproduces.
    #[serde(default)]
    pub figure: Option<String>,
    /// One sentence for the list of pipelines.
    pub title: String,
}

/// What a pipeline defines for its stages to name, in the order of the file. Only their kinds know what it means.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    /// `[rules.…]`
    pub rules: Vec<NamedNode>,
    /// `[terms.…]`
    pub terms: Vec<NamedNode>,
}

impl Definitions {
    /// The numbers that the equations of terms name, with the terms, in the order of the file.
    pub fn numbers_of_terms(&self) -> impl Iterator<Item = (&str, &str)> {
        self.terms.iter().flat_map(|named| {
            let numbers = named.node.as_table().and_then(|table| table.get("parameters")).and_then(Node::as_table);
            let names = numbers.map(Table::names).unwrap_or_default();
            names.into_iter().map(|number| (named.name.as_str(), number))
        })
    }
}

/// A definition with its name.
#[derive(Clone, Debug)]
pub struct NamedNode {
    /// The name.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// What is defined.
    pub node: Node,
}

/// `[stages.<name>]`
#[derive(Debug)]
pub struct StageSpec {
    /// The name that other stages refer to.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// The word after `kind =`.
    pub kind: String,
    /// Where that word stands.
    pub kind_span: Span,
    /// `keep = false`: the tables are handed on in memory and never stored.
    pub keep: bool,
    /// `publish = ["runs", "evaluations"]`: the tables that are published, where these are not all.
    pub publish: Option<Vec<(String, Span)>>,
    /// The parameters, without `kind`, `keep` and `publish`.
    pub parameters: Node,
}

/// What messages call an override as a place.
const OVERRIDE: &str = "--set";

const SECTIONS: [&str; 8] = ["pipeline", "include", "matrix", "terms", "rules", "stages", "claims", "decide"];

impl Spec {
    /// Reads a pipeline file and lays the overrides (`key=value`) over it.
    ///
    /// # Errors
    /// All faults of shape, each with its place.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Self> {
        let text = carried::read(path)?;
        Self::parse(path, &text, overrides).map_err(Error::Spec)
    }

    /// Takes the terms of a library, before its own.
    ///
    /// # Errors
    /// A term of the same name is there already.
    pub fn adopt(&mut self, library: Library) -> Result<(), Fault> {
        let own = &mut self.definitions.terms;
        for term in &library.terms {
            if let Some(same) = own.iter().find(|known| known.name == term.name) {
                let message =
                    format!("the term `{}` stands in {} too, which is included", term.name, term.name_span.source.name);
                return Err(Fault::at(&same.name_span, message).help("Give it another name."));
            }
        }
        own.splice(0..0, library.terms);
        // So that what is published says what was included, and a change of it is a change.
        if let serde_json::Value::Object(document) = &mut self.document {
            let terms = document.entry("terms").or_insert_with(|| serde_json::json!({}));
            if let (Some(terms), serde_json::Value::Object(included)) = (terms.as_object_mut(), library.document) {
                terms.extend(included);
            }
        }
        Ok(())
    }

    /// Reads the text of a pipeline file; `path` is only what messages call it.
    ///
    /// # Errors
    /// All faults of syntax and of shape, each with its place.
    pub fn parse(path: &Path, text: &str, overrides: &[String]) -> Result<Self, Vec<Fault>> {
        let mut document = Node::parse(path.display().to_string(), text)?;
        let mut faults = Vec::new();
        for text in overrides {
            match parse_override(text) {
                Ok(patch) => document.merge(&patch),
                Err(fault) => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let json = document.to_json();
        let Value::Table(mut root) = document.value else { unreachable!("a TOML document is a table") };
        for (key, _) in &root.entries {
            if !SECTIONS.contains(&key.name.as_str()) {
                let message = format!("unknown section `{}`; {}", key.name, instead_of(&key.name, SECTIONS));
                faults.push(Fault::at(&key.span, message));
            }
        }
        let header = match root.get("pipeline") {
            Some(node) => node.read::<Header>().and_then(|header| check_name(&header, node).map(|()| header)),
            None => Err(Fault::at(&document.span, "the section `[pipeline]` with `name` and `title` is missing")),
        };
        let include = include::read(root.get("include"), &mut faults);
        let matrix = matrix::read(root.get("matrix"), &mut faults);
        let mut definitions = |name: &str| read_named(root.remove(name).map(|(_, node)| node), name, &mut faults);
        let definitions = Definitions { rules: definitions("rules"), terms: definitions("terms") };
        let stages = read_named(root.remove("stages").map(|(_, node)| node), "stages", &mut faults);
        let in_file: Vec<String> =
            stages.iter().filter(|stage| stage.name_span.source.name != OVERRIDE).map(|s| s.name.clone()).collect();
        let stages = stages
            .into_iter()
            .filter_map(|stage| read_stage(stage, &in_file).map_err(|fault| faults.push(fault)).ok())
            .collect::<Vec<_>>();
        let decide = root.remove("decide");
        let claims = match root.remove("claims").map(|(_, node)| node) {
            None => Vec::new(),
            Some(Node { value: Value::Array(claims), .. }) => claims,
            Some(other) => {
                faults.push(Fault::at(&other.span, "claims are written as `[[claims]]`, one after the other"));
                Vec::new()
            }
        };
        if let Some((key, _)) = &decide
            && claims.is_empty()
        {
            faults.push(Fault::at(&key.span, "there is nothing to decide: this pipeline has no `[[claims]]`"));
        }
        match header {
            Ok(header) if faults.is_empty() => Ok(Self {
                header,
                include,
                matrix,
                definitions,
                stages,
                claims,
                decide,
                document: json,
                overrides: overrides.to_vec(),
                file: path.to_owned(),
                text: text.to_owned(),
            }),
            Ok(_) => Err(faults),
            Err(fault) => {
                faults.insert(0, fault);
                Err(faults)
            }
        }
    }
}

/// A file of terms that pipelines include.
#[derive(Debug)]
pub struct Library {
    /// `[terms.…]`
    pub terms: Vec<NamedNode>,
    /// The same as plain values.
    pub document: serde_json::Value,
    /// The whole file.
    pub text: String,
}

impl Library {
    /// The file's terms, if it has nothing else.
    ///
    /// # Errors
    /// It cannot be read, or a term is no table.
    pub fn load(path: &Path) -> Result<Option<Self>> {
        let text = carried::read(path)?;
        let document = Node::parse(path.display().to_string(), &text).map_err(Error::Spec)?;
        let mut json = document.to_json();
        let Value::Table(mut root) = document.value else { unreachable!("a TOML document is a table") };
        let [(key, _)] = &root.entries[..] else { return Ok(None) };
        if key.name != "terms" {
            return Ok(None);
        }
        let mut faults = Vec::new();
        let terms = read_named(root.remove("terms").map(|(_, node)| node), "terms", &mut faults);
        match faults.is_empty() {
            true => Ok(Some(Self { terms, document: json["terms"].take(), text })),
            false => Err(Error::Spec(faults)),
        }
    }
}

/// Bytes of a name: with what is added to it while a folder is written, every file system takes it.
pub(crate) const MOST_NAME: usize = 150;

/// Published names become folders, so they are kept to what every file system and shell takes.
pub fn is_name(name: &str) -> bool {
    (1..=MOST_NAME).contains(&name.len())
        && !name.starts_with(['.', '-'])
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '~'))
}

/// Whether something can name a table or a column in SQL, and a number in an equation.
pub fn is_identifier(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Why something cannot be the name of a folder.
pub(crate) fn name_fault(what: &str, name: &str) -> String {
    match name.len() {
        length if length > MOST_NAME => {
            format!("{what} has at most {MOST_NAME} letters, as it becomes a folder; this one has {length}")
        }
        _ => format!("{what} is made of letters, digits, `_`, `-` and `.`, as it becomes a folder"),
    }
}

fn check_name(header: &Header, node: &Node) -> Result<(), Fault> {
    if is_name(&header.name) {
        return Ok(());
    }
    let span = node.as_table().and_then(|table| table.get("name")).map_or(&node.span, |name| &name.span);
    Err(Fault::at(span, name_fault("a pipeline's name", &header.name)))
}

/// `matrix.seed.count=3` is a line of TOML; a bare word on the right is taken as a string.
fn parse_override(text: &str) -> Result<Node, Fault> {
    let Some((key, value)) = text.split_once('=') else {
        return Err(Fault {
            message: format!("`--set {text}`: write `key=value`, for example `--set matrix.seed.count=3`"),
            span: None,
            help: None,
        });
    };
    let as_written = Node::parse(OVERRIDE, format!("{key} = {value}"));
    as_written
        .or_else(|_| Node::parse(OVERRIDE, format!("{key} = {}", toml::Value::String(value.to_owned()))))
        .map_err(|mut faults| faults.remove(0))
}

/// The tables of the section called `section`.
fn read_named(node: Option<Node>, section: &str, faults: &mut Vec<Fault>) -> Vec<NamedNode> {
    let Some(node) = node else { return Vec::new() };
    if let Err(fault) = node.expect_table(&format!("`[{section}]`")) {
        faults.push(fault);
        return Vec::new();
    }
    let Value::Table(table) = node.value else { unreachable!("checked above") };
    let mut named = Vec::new();
    for (key, node) in table.entries {
        match node.expect_table(&format!("`{}`", key.name)) {
            Ok(_) => named.push(NamedNode { name: key.name, name_span: key.span, node }),
            Err(fault) => faults.push(fault),
        }
    }
    named
}

fn read_stage(stage: NamedNode, in_file: &[String]) -> Result<StageSpec, Fault> {
    let NamedNode { name, name_span, mut node } = stage;
    if name.len() > MOST_NAME {
        return Err(Fault::at(&name_span, name_fault("the name of a stage", &name)));
    }
    if !is_identifier(&name) && !is_figure_name(&name) {
        let message = format!(
            "`{name}` cannot name a stage: its tables are used in SQL, so take lower-case letters, digits and `_`"
        );
        return Err(Fault::at(&name_span, message));
    }
    let table: &mut Table = node.as_table_mut().expect("read_named keeps only tables");
    let Some((_, kind)) = table.remove("kind") else {
        if !in_file.contains(&name) {
            let message = format!("there is no stage `{name}` to override; {}", instead_of(&name, in_file));
            return Err(Fault::at(&name_span, message));
        }
        return Err(Fault::at(&name_span, format!("stage `{name}` does not say its `kind`")));
    };
    let keep = match table.remove("keep") {
        None => true,
        Some((_, node)) => node.read::<bool>()?,
    };
    let publish = match table.remove("publish") {
        None => None,
        Some((_, Node { value: Value::Array(items), .. })) => {
            let names = items.iter().map(|item| Ok((item.read::<String>()?, item.span.clone())));
            Some(names.collect::<Result<Vec<_>, Fault>>()?)
        }
        Some((_, node)) => {
            return Err(Fault::at(&node.span, "`publish` is a list of tables, `[\"runs\", \"evaluations\"]`"));
        }
    };
    let kind_name = kind.read::<String>()?;
    Ok(StageSpec { name, name_span, kind: kind_name, kind_span: kind.span, keep, publish, parameters: node })
}

/// `figS1` keeps the paper's capital letter: a figure is a file, not a table in SQL.
fn is_figure_name(name: &str) -> bool {
    name.strip_prefix("fig")
        .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}
