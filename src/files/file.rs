//! An open file.

use std::fs;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

use super::Metadata;
use super::step::{Step, again, piece, sync};

/// An open file, and the path that it was opened at.
#[derive(Debug)]
pub(crate) struct File {
    path: PathBuf,
    pub(super) file: fs::File,
}

pub(crate) fn open(path: &Path) -> io::Result<File> {
    File::new(path, Step::Open, fs::OpenOptions::new().read(true))
}

/// A file without content, in the place of any that is there. What is written can be read from it.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    File::new(path, Step::Create, fs::OpenOptions::new().read(true).write(true).create(true).truncate(true))
}

/// A new file, where there is none.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    File::new(path, Step::Create, fs::OpenOptions::new().write(true).create_new(true))
}

/// How many files this process may have open at a time.
pub(crate) fn most_open() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// All that is in a file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    open(path)?.content()
}

/// So many bytes of a file, from a place on.
pub(crate) fn read_part(path: &Path, place: u64, bytes: usize) -> io::Result<Vec<u8>> {
    open(path)?.part(place, bytes)
}

/// A new file with this content, or the old one with another.
pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    create(path)?.write_all(content)
}

impl File {
    pub(super) fn new(path: &Path, step: Step, how: &fs::OpenOptions) -> io::Result<Self> {
        Ok(Self { file: again(step, path, || how.open(path))?, path: path.to_owned() })
    }

    /// Where it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn into_path(self) -> PathBuf {
        self.path
    }

    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        again(Step::Look, &self.path, || self.file.metadata())
    }

    /// All that is in it.
    pub(crate) fn content(&mut self) -> io::Result<Vec<u8>> {
        // In one go, if its size is known: a hint, and no step of its own. It may still be anything, so room is made for a
        // reasonable one only.
        let size = self.file.metadata().map_or(0, |found| found.len()).min(1 << 20);
        let mut content = Vec::with_capacity(size as usize + 1);
        self.read_to_end(&mut content)?;
        Ok(content)
    }

    /// Puts something in the place of all that is in it.
    pub(super) fn replace(&mut self, content: &[u8]) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.write_all(content)
    }

    /// So many bytes from a place on.
    pub(crate) fn part(&self, place: u64, bytes: usize) -> io::Result<Vec<u8>> {
        // A file may claim any size: room is made for what is there.
        let there = self.file.metadata()?.len().saturating_sub(place);
        if there < bytes as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut content = vec![0; bytes];
        again(Step::Read, &self.path, || self.file.read_exact_at(&mut content, place))?;
        Ok(content)
    }

    /// Everything written so far is safe on disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        again(Step::Sync, &self.path, || sync(&self.path, || self.file.sync_data()))
    }

    /// Gives this file, which is empty, the blocks of another; not every file system can.
    pub(super) fn clone_of(&self, other: &Self) -> io::Result<()> {
        again(Step::Clone, &self.path, || reflink_copy::reflink_file(&other.file, &self.file))
    }
}

impl Read for File {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self { path, file } = self;
        piece(Step::Read, &[path], buffer.len(), |bytes| file.read(&mut buffer[..bytes]))
    }
}

impl Write for File {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let Self { path, file } = self;
        piece(Step::Write, &[path], buffer.len(), |bytes| file.write(&buffer[..bytes]))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for &File {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        piece(Step::Write, &[&self.path], buffer.len(), |bytes| (&self.file).write(&buffer[..bytes]))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
