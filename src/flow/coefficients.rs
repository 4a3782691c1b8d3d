//! The coefficients that a tuning pipeline found, put where other pipelines look them up.

use super::Project;
use crate::error::{Error, Result};
use crate::plan::{self, Pipeline, Request};
use crate::publish::{self, Published};
use crate::stages::coefficients::FOLDER;

/// A tuning pipeline as it is committed writes the table of coefficients that other pipelines read.
pub(super) fn install(project: &Project, pipeline: &Pipeline, published: &Published) -> Result<()> {
    let pipelines = &project.pipelines;
    let committed = pipeline.file == pipelines.join(format!("{}.toml", pipeline.name));
    if !committed || !pipeline.overrides.is_empty() || pipeline.files.iter().all(|file| file.file != "toml") {
        return Ok(());
    }
    let first = plan::build(&project.catalogue()?, pipelines, &Request::new(&pipeline.name))?;
    for file in pipeline.files.iter().filter(|file| file.file == "toml") {
        let entry = published.manifest.figures.iter().find(|entry| entry.name == file.name).expect("it was published");
        let found = publish::read(&published.folder, &file.name, &entry.digest)?;
        let found = String::from_utf8(found).expect("it was written as text");
        let start = first.main().files.iter().find(|other| other.name == file.name).expect("every level has its files");
        let text = format!(
            "# Written by `ojaflow pipeline {0}`: what the race of each condition left, on the tuning split. Do not edit; run it again.\n\
             pipeline = \"{0}\"\nstart = \"{1}\"\n{found}",
            pipeline.name, first.tasks[start.task].key
        );
        let folder = pipelines.join(FOLDER);
        let target = folder.join(format!("{}.toml", pipeline.name));
        if std::fs::read_to_string(&target).is_ok_and(|old| old == text) {
            continue;
        }
        std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        // Beside the target, then into its place: a reader sees the old table or the new one.
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        // Temporary files are for their owner alone unless told otherwise; others read this table.
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut new = builder.tempfile_in(&folder).map_err(Error::io("create a file in", &folder))?;
        std::io::Write::write_all(&mut new, text.as_bytes()).map_err(Error::io("write", &target))?;
        new.persist(&target).map_err(|error| Error::io("write", &target)(error.error))?;
    }
    Ok(())
}
