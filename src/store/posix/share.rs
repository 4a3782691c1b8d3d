//! A file of the store under a name outside of it.
//!
//! People open and edit what is small, so that is copied. What is large (activations, weights, images) is held once: by
//! shared blocks where the file system has them, which part when one side is written; else by a second name of the same
//! file, which nobody writes through because the file becomes read-only. Whoever writes nevertheless (root, or after a
//! change of the mode) damages the store as well, which its digests tell like any other damage: it is made again.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::files;
use crate::store::HELD_ONCE;

/// Puts a file of the store at `target`, where nothing may be.
pub(super) fn put(file: &Path, target: &Path) -> io::Result<()> {
    let is_large = files::metadata(file)?.len() >= HELD_ONCE;
    let ways: &[fn(&Path, &Path) -> io::Result<()>] = if is_large { &[files::clone, link_read_only] } else { &[] };
    for way in ways {
        match way(file, target) {
            Ok(()) => return Ok(()),
            // What was begun could not be taken back: nothing else can be put there.
            Err(error) if files::exists(target)? => return Err(error),
            Err(_) => {}
        }
    }
    files::copy(file, target)
}

/// A second name of a file that is read-only from then on. Fails, and leaves no name, on another file system, at the limit
/// of names, for another user's file, and where a file cannot be made read-only.
fn link_read_only(file: &Path, target: &Path) -> io::Result<()> {
    files::link(file, target)?;
    files::make_read_only(target).or_else(|error| files::remove(target).and(Err(error)))
}

/// Whether a file stays on disk when its name in the store goes.
pub(super) fn has_other_names(file: &Path) -> bool {
    files::metadata(file).is_ok_and(|file| file.nlink() > 1)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    /// A file of a size in a fresh folder, with a usual mode.
    fn file_of(bytes: u64) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("part");
        fs::write(&file, vec![7; bytes as usize]).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        (folder, file)
    }

    #[test]
    fn a_linked_file_is_the_same_file_and_nobody_may_write_it() {
        let (folder, file) = file_of(1);
        for name in ["one", "other"] {
            let target = folder.path().join(name);
            link_read_only(&file, &target).unwrap();
            assert_eq!(fs::metadata(&target).unwrap().ino(), fs::metadata(&file).unwrap().ino());
            assert_eq!(mode(&target), 0o440, "who could not read it before cannot read it now");
        }
        let refused = link_read_only(&file, &folder.path().join("one")).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_large_file_is_held_once_or_shares_its_blocks_and_a_small_one_is_a_copy() {
        let identity = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino())).unwrap();
        // Where there is shared memory, it is another file system than that of temporary files: no name can be given there.
        let elsewhere = Some(Path::new("/dev/shm")).filter(|folder| folder.is_dir()).map(tempfile::tempdir_in);
        let elsewhere = elsewhere.unwrap_or_else(tempfile::tempdir).unwrap();
        for (bytes, is_large) in [(HELD_ONCE, true), (HELD_ONCE - 1, false)] {
            let (here, file) = file_of(bytes);
            for folder in [here.path(), elsewhere.path()] {
                let target = folder.join(format!("published-{bytes}"));
                put(&file, &target).unwrap();
                assert_eq!(fs::read(&target).unwrap(), fs::read(&file).unwrap());
                let is_linked = identity(&target) == identity(&file);
                let is_here = identity(folder).0 == identity(&file).0;
                let has_reflinks = reflink_copy::reflink(&file, folder.join("probe")).is_ok();
                let _ = fs::remove_file(folder.join("probe"));
                assert_eq!(is_linked, is_large && is_here && !has_reflinks, "{bytes} bytes in {}", folder.display());
                assert_eq!(has_other_names(&file), is_large && !has_reflinks);
                if !is_linked {
                    assert_eq!(mode(&target) & 0o200, 0o200, "people may edit it");
                    fs::write(&target, "edited").unwrap();
                    assert_eq!(fs::metadata(&file).unwrap().len(), bytes, "the store has its own");
                }
            }
        }
    }

    #[test]
    fn a_copy_of_a_read_only_file_can_be_written_and_takes_nobodys_place() {
        let (folder, file) = file_of(HELD_ONCE);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o440)).unwrap();
        let target = folder.path().join("published");
        files::copy(&file, &target).unwrap();
        assert_eq!(mode(&target) & 0o200, 0o200);
        assert_ne!(fs::metadata(&target).unwrap().ino(), fs::metadata(&file).unwrap().ino());
        let refused = files::copy(&target, &file).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
    }
}
