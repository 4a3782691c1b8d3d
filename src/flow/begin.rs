//! Files to begin with: a project, a pipeline, a term.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, value};

use super::{Project, schema_text};
use crate::error::{Error, Result};
use crate::plan;
use crate::spec::node::Fault;
use crate::spec::{carried, is_name};
use crate::stages::training;

const TERM: &str = include_str!("begun/term.toml");
const FIRST: &str = include_str!("begun/first.toml");
const README: &str = include_str!("begun/README.md");

impl Project {
    /// Lays out a project in a folder: a pipeline to run and to change, the schema that editors check it by, a README. The
    /// files that were written.
    ///
    /// # Errors
    /// One of them is there already, in which case none is written; or the folder cannot be written.
    pub fn begin(root: &Path) -> Result<Vec<PathBuf>> {
        let schema = schema();
        let files: [(&str, &str); 4] = [
            ("README.md", README),
            (".gitignore", "/outputs/\n"),
            ("pipelines/first.toml", FIRST),
            ("pipelines/schema.json", &schema),
        ];
        let files = files.map(|(name, text)| (root.join(name), text));
        if let Some((there, _)) = files.iter().find(|(path, _)| path.symlink_metadata().is_ok()) {
            return Err(Error::usage(format!("{} is there already: choose a new folder", there.display())));
        }
        for (path, text) in &files {
            write_new(path, text)?;
        }
        Ok(files.map(|(path, _)| path).to_vec())
    }

    /// Begins a pipeline of this name as a copy of another, with its comments.
    ///
    /// # Errors
    /// There is no such pipeline to copy, none can have the name, or the file is there already or cannot be written.
    pub fn begin_pipeline(&self, name: &str, from: &str) -> Result<PathBuf> {
        if !is_name(name) {
            return Err(Error::usage(format!(
                "`{name}` cannot name a pipeline, which becomes a folder: letters, digits, `_`, `-` and `.`, no dot in front"
            )));
        }
        let source = plan::locate(&self.pipelines, from, None)?;
        let text = carried::read(&source)?;
        let fault = |message: String| Error::Spec(vec![Fault { message, span: None, help: None }]);
        let mut document: DocumentMut =
            text.parse().map_err(|error| fault(format!("{}: {error}", source.display())))?;
        let header = document.get_mut("pipeline").and_then(|header| header.as_table_like_mut());
        let Some(header) = header else {
            return Err(fault(format!("{} is no pipeline: it has no [pipeline]", source.display())));
        };
        let set = |item: &mut toml_edit::Item, text: &str| {
            let kept = item.as_value().map(|old| old.decor().clone());
            *item = value(text);
            if let (Some(new), Some(kept)) = (item.as_value_mut(), kept) {
                *new.decor_mut() = kept;
            }
        };
        if let Some(item) = header.get_mut("name") {
            set(item, name);
        }
        // It reproduces no figure of the paper any more.
        header.remove("figure");
        let (first, rest) = match document.to_string() {
            // The comment that names the schema stays the first line.
            text if text.starts_with("#:schema") => match text.split_once('\n') {
                Some((_, rest)) => ("#:schema schema.json\n", rest.to_owned()),
                None => ("#:schema schema.json\n", String::new()),
            },
            text => ("#:schema schema.json\n", text),
        };
        let path = self.pipelines.join(format!("{name}.toml"));
        write_new(&path, &format!("{first}# Begun as a copy of {from}.\n{rest}"))?;
        let at = self.pipelines.join("schema.json");
        if !at.exists() {
            write_new(&at, &schema())?;
        }
        Ok(path)
    }

    /// Begins a file with a term of this name, which pipelines include as `terms/NAME`.
    ///
    /// # Errors
    /// No term can have the name, or the file is there already or cannot be written.
    pub fn begin_term(&self, name: &str) -> Result<PathBuf> {
        training::check_term_name(name).map_err(|fault| Error::Spec(vec![fault]))?;
        let path = self.pipelines.join("terms").join(format!("{name}.toml"));
        write_new(&path, &TERM.replace("NAME", name))?;
        Ok(path)
    }
}

/// The schema as a file.
fn schema() -> String {
    schema_text() + "\n"
}

/// Writes a file that is not there yet, in folders that are made for it.
fn write_new(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let mut file = match fs::OpenOptions::new().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let message = format!("{} is there already: edit it, or take another name", path.display());
            return Err(Error::usage(message));
        }
        opened => opened.map_err(Error::io("create", path))?,
    };
    file.write_all(text.as_bytes()).map_err(Error::io("write", path))
}
