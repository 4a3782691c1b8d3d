//! The folders of a project.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::publish::manifest;
use crate::report::markdown::Judged;
use crate::stages::Shipped;
use crate::stages::environment::Environment;
use crate::store::PosixStore;

/// Where a project's pipelines, data sets and results are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Where results are published, and kept in `.store`.
    pub outputs: PathBuf,
    /// Where data sets are, and where imported ones go.
    pub data: PathBuf,
    /// Where those data sets are looked up that are not in `data`.
    pub shared_data: Vec<PathBuf>,
    /// Where pipelines are looked up by name, and tuned coefficients in `coefficients`.
    pub pipelines: PathBuf,
}

impl Project {
    /// With the usual folders in `root`.
    pub fn at(root: impl AsRef<Path>) -> Self {
        let root = root.as_ref();
        Self {
            outputs: root.join("outputs"),
            data: root.join("data"),
            shared_data: Vec::new(),
            pipelines: root.join("pipelines"),
        }
    }

    /// The same, with results in another folder.
    pub fn with_outputs(mut self, outputs: impl Into<PathBuf>) -> Self {
        self.outputs = outputs.into();
        self
    }

    /// Where data sets are looked up, one folder after the other.
    pub fn data_folders(&self) -> Vec<PathBuf> {
        [&self.data].into_iter().chain(&self.shared_data).cloned().collect()
    }

    pub(super) fn catalogue(&self) -> Result<Shipped> {
        Ok(Shipped::new(Environment::new(self.data_folders(), &self.pipelines)?))
    }

    pub(super) fn store(&self) -> PosixStore {
        PosixStore::new(&self.outputs)
    }

    /// The folder of a published run: by name, or by path.
    ///
    /// # Errors
    /// Nothing is published there.
    pub fn published_folder(&self, name: &str) -> Result<PathBuf> {
        let by_name = self.outputs.join(name);
        let by_path = PathBuf::from(name);
        let is_published = |folder: &Path| folder.join(manifest::FILE).is_file();
        // `outputs/fig4/` and `.` name a folder as well, and its last part names the pipeline.
        match [by_name, by_path].into_iter().find(|folder| is_published(folder)) {
            Some(folder) => std::fs::canonicalize(&folder).map_err(Error::io("read", &folder)),
            None => Err(Error::usage(format!(
                "`{name}` is not a published run: no {} in {}; run `ojaflow pipeline {name}` first",
                manifest::FILE,
                self.outputs.join(name).display()
            ))),
        }
    }

    /// All published folders.
    ///
    /// # Errors
    /// There is none, or they cannot be listed.
    pub fn published_folders(&self) -> Result<Vec<PathBuf>> {
        let folders = crate::publish::folders(&self.outputs)?;
        if folders.is_empty() {
            let outputs = self.outputs.display();
            return Err(Error::usage(format!("nothing is published in {outputs}: run a pipeline first")));
        }
        Ok(folders)
    }

    /// One page on published runs: figures, claims, equations, provenance, as HTML.
    ///
    /// # Errors
    /// A folder is not a published run, or cannot be read.
    pub fn report(&self, names: &[String]) -> Result<(String, usize)> {
        let folders = self.folders(names)?;
        Ok((crate::report::page(&folders)?, folders.len()))
    }

    /// What published runs claim, for Markdown.
    pub(crate) fn claims(&self, names: &[String]) -> Result<Judged> {
        Judged::read(&self.folders(names)?)
    }

    /// The folders of published runs, of all where none is named.
    fn folders(&self, names: &[String]) -> Result<Vec<PathBuf>> {
        match names {
            [] => self.published_folders(),
            names => names.iter().map(|name| self.published_folder(name)).collect(),
        }
    }
}
