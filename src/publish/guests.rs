//! Files that people put into a published folder: they go along when it is published anew.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::manifest::{self, Look, Manifest};
use super::{repair, views};
use crate::error::{Error, Result};

/// The paths in a published folder that are ours; none if nothing there says so.
pub(super) fn own_files(folder: &Path) -> Result<Option<BTreeSet<PathBuf>>> {
    let Look::Sound(manifest) = Manifest::look(folder)? else { return Ok(None) };
    let files = manifest.files().into_iter().map(|file| PathBuf::from(file.path));
    Ok(Some(files.chain([manifest::FILE, views::FILE].map(PathBuf::from)).collect()))
}

/// Gives everything in `old` that is not one of its `own` files a second name in `new`, and says where. Nothing in `old`
/// changes, so that nothing is lost whenever this is interrupted.
///
/// Where a path is taken in `new`, a file goes to `kept/`. Without `own`, a taken path is taken for an earlier version of
/// what took it.
pub(super) fn bring_along(old: &Path, own: Option<&BTreeSet<PathBuf>>, new: &Path) -> Result<Vec<String>> {
    let mut brought = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(folder) = waiting.pop() {
        let here = old.join(&folder);
        let mut entries: Vec<_> = match fs::read_dir(&here) {
            Ok(entries) => entries.collect::<io::Result<_>>().map_err(Error::io("list", &here))?,
            // There is nothing yet, or something that no file can be in.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
            Err(error) => return Err(Error::io("list", &here)(error)),
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = folder.join(entry.file_name());
            if own.is_some_and(|own| own.contains(&path)) || repair::is_leftover(&path) {
                continue;
            }
            if entry.file_type().map_err(Error::io("read", entry.path()))?.is_dir() {
                waiting.push(path);
                continue;
            }
            if fs::symlink_metadata(new.join(&path)).is_ok()
                && (own.is_none() || is_same(&entry.path(), &new.join(&path)))
            {
                continue;
            }
            let place = free_place(new, &path);
            let target = new.join(&place);
            let parent = target.parent().expect("a file in a folder");
            fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
            link(&entry.path(), &target).map_err(Error::io("keep in the published folder", entry.path()))?;
            brought.push(match place == path {
                true => path.display().to_string(),
                false => format!("{} (as {})", path.display(), place.display()),
            });
        }
    }
    brought.sort();
    Ok(brought)
}

/// Whether it went along before.
fn is_same(old: &Path, new: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| fs::symlink_metadata(path).map(|file| (file.dev(), file.ino())).ok();
    identity(old) == identity(new)
}

/// The path, or one below `kept/` where nothing is in its way.
fn free_place(new: &Path, path: &Path) -> PathBuf {
    let is_free = |place: &Path| {
        let below_a_file =
            place.ancestors().skip(1).any(|above| fs::symlink_metadata(new.join(above)).is_ok_and(|it| !it.is_dir()));
        !below_a_file && fs::symlink_metadata(new.join(place)).is_err()
    };
    if is_free(path) {
        return path.to_owned();
    }
    let numbered = (2..).map(|number| format!("kept-{number}"));
    let mut folders = std::iter::once("kept".to_owned()).chain(numbered).map(|folder| Path::new(&folder).join(path));
    folders.find(|place| is_free(place)).expect("numbers do not end")
}

/// A second name; a copy where there can be none (another's file, a file system without links).
fn link(old: &Path, new: &Path) -> io::Result<()> {
    if fs::hard_link(old, new).is_ok() {
        return Ok(());
    }
    if fs::symlink_metadata(old)?.is_symlink() {
        return symlink(fs::read_link(old)?, new);
    }
    fs::copy(old, new).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ours_goes_along_and_gives_way_to_what_is() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        for path in
            ["ours.parquet", "notes.txt", "figure.svg", "weights/a.parquet", "weights/mine.csv", "mine/deep/er.txt"]
        {
            fs::create_dir_all(old.join(path).parent().unwrap()).unwrap();
            fs::write(old.join(path), path).unwrap();
        }
        symlink("notes.txt", old.join("link")).unwrap();
        fs::create_dir(&new).unwrap();
        fs::write(new.join("figure.svg"), "drawn anew").unwrap();
        let own = ["ours.parquet", "weights/a.parquet"].map(PathBuf::from).into();
        let brought = bring_along(&old, Some(&own), &new).unwrap();
        let expected = ["figure.svg (as kept/figure.svg)", "link", "mine/deep/er.txt", "notes.txt", "weights/mine.csv"];
        assert_eq!(brought, expected);
        assert_eq!(fs::read_to_string(new.join("figure.svg")).unwrap(), "drawn anew");
        assert_eq!(fs::read_to_string(new.join("kept/figure.svg")).unwrap(), "figure.svg");
        assert_eq!(fs::read_to_string(new.join("mine/deep/er.txt")).unwrap(), "mine/deep/er.txt");
        assert_eq!(fs::read_link(new.join("link")).unwrap(), Path::new("notes.txt"));
        assert!(!new.join("ours.parquet").exists() && !new.join("weights/a.parquet").exists());
        assert_eq!(fs::read_to_string(old.join("notes.txt")).unwrap(), "notes.txt", "the old folder stays whole");
        // A folder that lost its manifest: what is published under a name replaces what was.
        let unknown = folder.path().join("unknown");
        fs::create_dir(&unknown).unwrap();
        fs::write(unknown.join("figure.svg"), "drawn anew").unwrap();
        let brought = bring_along(&old, None, &unknown).unwrap();
        assert!(!brought.iter().any(|path| path.contains("figure.svg")), "{brought:?}");
        assert!(!unknown.join("kept").exists());
    }
}
