//! A published folder → its archive.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::container::{self, Content, Hashing, Member};
use super::contents::{CRATE, DATA_SETS, INSTRUCTIONS, LOCK, Published, files, gather, pretty};
use super::part::Part;
use super::verify::check;
use super::{bag, instructions, research_object};
use crate::error::{Error, Result};
use crate::publish;
use crate::publish::manifest::{self, Manifest};

/// The versions of everything that this program was built from.
const LOCK_FILE: &str = include_str!("../../Cargo.lock");

/// How a person says where an archive goes.
const CHOSEN_WITH: &str = "-o FILE";

/// Makes the archive of a published folder.
///
/// # Errors
/// The folder is not what was published, a data set is missing, or the file cannot be written.
pub fn archive(
    folder: &Path,
    data_folders: &[PathBuf],
    with: &BTreeSet<Part>,
    time: Option<u64>,
    target: &Path,
) -> Result<container::Summary> {
    let published = gather(folder, data_folders)?;
    let payload = payload(&published, with, time)?;
    let members = bag::pack(&published, payload, time);
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Beside the target, then into its place: an archive is there as a whole or not at all.
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    // Temporary files are for their owner alone unless told otherwise; an archive is made to be passed on.
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(parent).map_err(Error::io_at(CHOSEN_WITH, "create a file in", parent))?;
    let written = container::write(file.as_file_mut(), &members, time.unwrap_or(0));
    let summary = written.map_err(Error::io_at(CHOSEN_WITH, "write", target))?;
    // What it would be checked for by others, before it gets its name: a limit that it breaks is our fault, not theirs.
    check(file.path()).map_err(|fault| Error::Internal {
        task: "archive".into(),
        message: format!("what was written does not pass verification: {fault}"),
    })?;
    file.persist(target).map_err(|error| Error::io_at(CHOSEN_WITH, "write", target)(error.error))?;
    Ok(summary)
}

/// Every file of the payload, sorted by path, with digests taken from the files themselves.
fn payload(published: &Published, with: &BTreeSet<Part>, time: Option<u64>) -> Result<Vec<Member>> {
    let mut members = vec![Member::text(LOCK, LOCK_FILE), Member::text(DATA_SETS, pretty(&published.data_sets))];
    for source in published.sources().map_err(Error::usage)?.into_values() {
        members.push(Member::text(source.path.clone(), source.text.clone()));
    }
    for (manifest, folder) in published.manifests.iter().zip(&published.folders) {
        is_sound(folder, manifest)?;
        let place = format!("outputs/{}", manifest.pipeline);
        members.push(Member::text(format!("{place}/{}", manifest::FILE), manifest.to_text()));
        for file in files(manifest, |part| with.contains(&part)) {
            let path = folder.join(&file.path);
            let (sha256, bytes) = digests(&path, file.blake3)?;
            let content = Content::File(path);
            members.push(Member { path: format!("{place}/{}", file.path), content, bytes, sha256 });
        }
    }
    members.push(Member::text(INSTRUCTIONS, instructions::text(published, &members)));
    members.push(Member::text(CRATE, research_object::text(published, &members, time)));
    members.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(members)
}

/// Whether every file of a published folder is what was published: those that stay outside as well, for their digests go in.
fn is_sound(folder: &Path, manifest: &Manifest) -> Result<()> {
    let unsound = publish::damage(folder, manifest);
    // The manifest of an earlier version is written anew inside.
    let Some(first) = unsound.iter().find(|file| file.path != manifest::FILE) else { return Ok(()) };
    let more = match unsound.len() {
        1 => String::new(),
        n => format!(" (and {} files more)", n - 1),
    };
    let place = folder.join(&first.path);
    Err(Error::Check(format!(
        "{} is not what was published: {}{more}; run the pipeline again",
        place.display(),
        first.found
    )))
}

/// Reads a file once: its SHA-256 and size, after its BLAKE3 was found to be the one that was published.
fn digests(path: &Path, expected: &str) -> Result<(String, u64)> {
    let mut file = Hashing::new(fs::File::open(path).map_err(Error::io("read", path))?);
    let mut blake3 = blake3::Hasher::new();
    let bytes = io::copy(&mut file, &mut blake3).map_err(Error::io("read", path))?;
    if blake3.finalize().to_hex().as_str() != expected {
        return Err(Error::Check(format!(
            "{} is not what was published: its digest differs from the one in manifest.json; run the pipeline again",
            path.display()
        )));
    }
    Ok((file.hex(), bytes))
}
