//! Files that people put into a published folder: they go along when it is published anew.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::manifest::{self, Look, Manifest};
use super::views;
use crate::error::{Error, Result};
use crate::files::{self, Metadata};

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
        let entries = match files::list(&here) {
            Ok(entries) => entries,
            // There is nothing yet, or something that no file can be in.
            Err(error) if files::is_nothing(&error) => continue,
            Err(error) => return Err(Error::io("list", &here)(error)),
        };
        for entry in entries {
            let path = folder.join(entry.file_name().expect("an entry of a folder"));
            if own.is_some_and(|own| own.contains(&path)) {
                continue;
            }
            if files::metadata(&entry).map_err(Error::io("read", &entry))?.is_dir() {
                waiting.push(path);
                continue;
            }
            let reading = |error| Error::io("read", &entry)(error);
            if let Some(there) = files::look(&new.join(&path)).map_err(reading)?
                && (own.is_none() || is_same((&entry, &new.join(&path)), &there).map_err(reading)?)
            {
                continue;
            }
            let place = free_place(new, &path).map_err(reading)?;
            let target = new.join(&place);
            let parent = target.parent().expect("a file in a folder");
            files::create_folders(parent).map_err(Error::io("create", parent))?;
            files::second_name(&entry, &target).map_err(Error::io("keep in the published folder", &entry))?;
            brought.push(match place == path {
                true => path.display().to_string(),
                false => format!("{} (as {})", path.display(), place.display()),
            });
        }
    }
    brought.sort();
    Ok(brought)
}

/// Whether it went along before, as a second name or as a copy.
fn is_same((old, new): (&Path, &Path), there: &Metadata) -> io::Result<bool> {
    let here = files::metadata(old)?;
    if (here.dev(), here.ino()) == (there.dev(), there.ino()) {
        return Ok(true);
    }
    Ok(here.is_file() && there.is_file() && here.len() == there.len() && files::read(old)? == files::read(new)?)
}

/// The path, or one below `kept/` where nothing is in its way.
fn free_place(new: &Path, path: &Path) -> io::Result<PathBuf> {
    let is_free = |place: &Path| -> io::Result<bool> {
        for above in place.ancestors().skip(1) {
            if files::look(&new.join(above))?.is_some_and(|there| !there.is_dir()) {
                return Ok(false);
            }
        }
        Ok(!files::exists(&new.join(place))?)
    };
    let numbered = (2..).map(|number| format!("kept-{number}"));
    let folders = std::iter::once("kept".to_owned()).chain(numbered).map(|folder| Path::new(&folder).join(path));
    for place in std::iter::once(path.to_owned()).chain(folders) {
        if is_free(&place)? {
            return Ok(place);
        }
    }
    unreachable!("numbers do not end")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

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
