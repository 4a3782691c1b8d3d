//! `ojaflow archive`, `ojaflow verify` and `ojaflow reproduce`

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::print;
use crate::archive::{self, Part};
use crate::cli::{ArchiveArgs, Roots, VerifyArgs, size};
use crate::error::{Error, Result};
use crate::publish::manifest;

/// What distributions and journals set so that what is built again comes out the same.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

pub fn archive(roots: &Roots, args: &ArchiveArgs) -> Result<()> {
    let folder = published_folder(roots, &args.name)?;
    let time = source_date()?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let target = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.tar.zst")));
    let with: BTreeSet<Part> = args.with.iter().copied().collect();
    let summary = archive::archive(&folder, &roots.data, &with, time, &target)?;
    if time.is_none() {
        eprintln!(
            "note: the archive carries no date; RO-Crate asks for one: {EPOCH}=$(git log -1 --format=%ct) ojaflow archive …"
        );
    }
    print(&format!(
        "{}  {} files, {} in {}\nsha256 of the tar: {}",
        target.display(),
        summary.files,
        size(summary.tar_bytes),
        size(summary.file_bytes),
        summary.tar_sha256
    ))
}

pub fn verify(args: &VerifyArgs) -> Result<()> {
    let verified = archive::verify(&args.file)?;
    let main = verified.published.main();
    print(&format!(
        "{}: sound; {} files, {}; `{}` by ojaflow {}\nsha256 of the tar: {}",
        args.file.display(),
        verified.summary.files,
        size(verified.summary.tar_bytes),
        verified.name,
        main.program.version,
        verified.summary.tar_sha256
    ))
}

/// The folder of a published run: by name, or by path.
pub fn published_folder(roots: &Roots, name: &str) -> Result<PathBuf> {
    let by_name = roots.outputs.join(name);
    let by_path = PathBuf::from(name);
    let is_published = |folder: &Path| folder.join(manifest::FILE).is_file();
    // `outputs/fig4/` and `.` name a folder as well, and its last part names the pipeline.
    match [by_name, by_path].into_iter().find(|folder| is_published(folder)) {
        Some(folder) => std::fs::canonicalize(&folder).map_err(Error::io("read", &folder)),
        None => Err(Error::usage(format!(
            "`{name}` is not a published run: no {} in {}; run `ojaflow pipeline {name}` first",
            manifest::FILE,
            roots.outputs.join(name).display()
        ))),
    }
}

/// Seconds since 1970 from the environment, if it says.
fn source_date() -> Result<Option<u64>> {
    match std::env::var(EPOCH) {
        Err(_) => Ok(None),
        Ok(text) => text.trim().parse().map(Some).map_err(|_| {
            Error::usage(format!("{EPOCH}={text}: expected seconds since 1970, for example $(git log -1 --format=%ct)"))
        }),
    }
}
