//! The coefficients that a tuning pipeline found, put where other pipelines look them up.

use std::path::Path;

use crate::error::{Error, Result};
use crate::plan::Pipeline;
use crate::publish::{self, Published};
use crate::stages::coefficients::FOLDER;

/// A tuning pipeline as it is committed writes the table of coefficients that other pipelines read.
pub(super) fn install(pipelines: &Path, pipeline: &Pipeline, published: &Published) -> Result<()> {
    let committed = pipeline.file == pipelines.join(format!("{}.toml", pipeline.name));
    if !committed || !pipeline.overrides.is_empty() {
        return Ok(());
    }
    for file in pipeline.files.iter().filter(|file| file.file == "toml") {
        let entry = published.manifest.figures.iter().find(|entry| entry.name == file.name).expect("it was published");
        let found = publish::read(&published.folder, &file.name, &entry.digest)?;
        let found = String::from_utf8(found).expect("it was written as text");
        let text = format!(
            "# Written by `ojaflow pipeline {0}`: the best cell of each condition on the tuning split. Do not edit; run it again.\n\
             pipeline = \"{0}\"\n{found}",
            pipeline.name
        );
        let folder = pipelines.join(FOLDER);
        let target = folder.join(format!("{}.toml", pipeline.name));
        if std::fs::read_to_string(&target).is_ok_and(|old| old == text) {
            continue;
        }
        std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        // Beside the target, then into its place: a reader sees the old table or the new one.
        let mut new = tempfile::NamedTempFile::new_in(&folder).map_err(Error::io("create a file in", &folder))?;
        std::io::Write::write_all(&mut new, text.as_bytes()).map_err(Error::io("write", &target))?;
        new.persist(&target).map_err(|error| Error::io("write", &target)(error.error))?;
    }
    Ok(())
}
