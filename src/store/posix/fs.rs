//! What the store does with files and folders, at one place; locks, temporary names and shared blocks are made by their own
//! libraries. A call that was interrupted by a signal is made again.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::NamedTempFile;

fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// What lies at a path, a link not followed.
pub(super) fn metadata(path: &Path) -> io::Result<Metadata> {
    again(|| fs::symlink_metadata(path))
}

pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path)?.read_to_end(&mut content)?;
    Ok(content)
}

pub(super) fn open(path: &Path) -> io::Result<File> {
    again(|| File::open(path))
}

/// A file that is only there to be locked.
pub(super) fn open_lock(path: &Path) -> io::Result<File> {
    again(|| OpenOptions::new().create(true).truncate(false).write(true).open(path))
}

pub(super) fn create_folders(path: &Path) -> io::Result<()> {
    again(|| fs::create_dir_all(path))
}

/// The entries of a folder in the order of their names.
pub(super) fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    again(|| {
        let entries = fs::read_dir(folder)?;
        let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    })
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    again(|| fs::rename(from, to))
}

/// Two entries change places in one step; not every file system can.
pub(super) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    again(|| Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?))
}

/// The content of a file in a new one, which has the usual mode whatever that of the first is.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let (mut from, mut to) = (open(from)?, again(|| File::create_new(to))?);
    io::copy(&mut from, &mut to).map(drop)
}

/// A new file whose name begins so. Others may read it as far as they may read what else is made here: they look at the
/// store, too.
pub(super) fn temporary(prefix: &str, folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(prefix).permissions(Permissions::from_mode(0o666)).tempfile_in(folder)
}

/// A second name of a file.
pub(super) fn link(file: &Path, name: &Path) -> io::Result<()> {
    again(|| fs::hard_link(file, name))
}

/// Takes everybody's leave to write a file, and nothing else; an error where the file system takes note of no such thing.
pub(super) fn make_read_only(file: &Path) -> io::Result<()> {
    const WRITE: u32 = 0o222;
    let mut permissions = metadata(file)?.permissions();
    if permissions.mode() & WRITE != 0 {
        permissions.set_mode(permissions.mode() & !WRITE);
        again(|| fs::set_permissions(file, permissions.clone()))?;
        if metadata(file)?.permissions().mode() & WRITE != 0 {
            return Err(io::ErrorKind::Unsupported.into());
        }
    }
    Ok(())
}

/// Removes whatever lies there: a file, a link or a folder with all that is in it.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    again(|| if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) })
}

/// Makes renames in a folder last through a power failure.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = open(path)?;
    again(|| folder.sync_all())
}

/// A new file on its way to the disk.
pub(super) struct Written {
    file: File,
}

impl Written {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: again(|| File::create(path))? })
    }

    /// Everything written so far is safe on disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        again(|| self.file.sync_data())
    }
}

impl Write for Written {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.file.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
