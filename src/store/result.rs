//! One result on its way into the store, and out of it again.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::record::{self, Record, StoredFile, StoredTable};
use super::{Key, KeyMaterial, Session};
use crate::error::{Error, Result};
use crate::tables::parquet::{self, DigestWriter, TableWriter};
use crate::tables::{Table, TableSchema};

/// The place of a result that is not there yet.
#[derive(Debug)]
pub struct Slot {
    pending: PathBuf,
    target: PathBuf,
    key: Key,
}

impl Slot {
    pub(super) fn new(pending: PathBuf, target: PathBuf, key: Key) -> Self {
        Self { pending, target, key }
    }

    /// Opens the slot for writing.
    ///
    /// # Errors
    /// The folder cannot be created.
    pub fn begin(self) -> Result<Pending> {
        // A damaged input may be made again twice at the same time: each writer gets a folder of its own.
        fs::create_dir_all(&self.pending).map_err(Error::io("create", &self.pending))?;
        let folder = tempfile::Builder::new()
            .prefix("result-")
            .tempdir_in(&self.pending)
            .map_err(Error::io("create a folder in", &self.pending))?
            .keep();
        Ok(Pending { folder, target: self.target, key: self.key, files: Vec::new(), finished: false })
    }
}

/// A result being written. Dropped without a commit, it leaves nothing behind.
#[derive(Debug)]
pub struct Pending {
    folder: PathBuf,
    target: PathBuf,
    key: Key,
    files: Vec<StoredFile>,
    finished: bool,
}

/// The stream into one table of a pending result.
pub type PendingTable = TableWriter<DigestWriter<BufWriter<File>>>;

impl Pending {
    pub fn begin_table(&self, name: &str, schema: &TableSchema) -> Result<PendingTable> {
        let path = self.folder.join(format!("{name}.parquet"));
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        let sink = DigestWriter::new(BufWriter::with_capacity(1 << 18, file));
        TableWriter::new(sink, schema.clone(), self.key.as_str()).map_err(|error| writing(&path, error))
    }

    pub fn finish_table(&mut self, name: &str, schema: &TableSchema, writer: PendingTable) -> Result<()> {
        let file_name = format!("{name}.parquet");
        let path = self.folder.join(&file_name);
        let (rows, sink) = writer.finish().map_err(|error| writing(&path, error))?;
        let (buffer, digest, bytes) = sink.finish();
        let file = buffer.into_inner().map_err(|error| Error::io("write", &path)(error.into_error()))?;
        file.sync_data().map_err(Error::io("write", &path))?;
        let table = StoredTable { name: name.to_owned(), rows, schema: schema.clone() };
        self.files.push(StoredFile { name: file_name, digest: digest.to_hex().to_string(), bytes, table: Some(table) });
        Ok(())
    }

    pub fn write_table(&mut self, name: &str, table: &Table) -> Result<()> {
        let mut writer = self.begin_table(name, &table.schema)?;
        for batch in &table.batches {
            self.write_batch(name, &mut writer, batch)?;
        }
        self.finish_table(name, &table.schema, writer)
    }

    pub fn write_batch(&self, name: &str, writer: &mut PendingTable, batch: &arrow::array::RecordBatch) -> Result<()> {
        writer.write(batch).map_err(|error| writing(&self.folder.join(format!("{name}.parquet")), error))
    }

    /// Adds a file that is not a table: a figure.
    pub fn write_file(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.folder.join(name);
        write_synced(&path, content)?;
        let digest = blake3::hash(content).to_hex().to_string();
        self.files.push(StoredFile { name: name.to_owned(), digest, bytes: content.len() as u64, table: None });
        Ok(())
    }

    /// Publishes the result: the record goes in last, then the whole folder appears under its key in one step.
    ///
    /// Where another run was faster, its result stands and this one is dropped: the same key means the same content.
    ///
    /// # Errors
    /// The record cannot be written or the folder not be moved.
    pub fn commit(mut self, material: &KeyMaterial) -> Result<Entry> {
        assert_eq!(material.key(), self.key, "a result is committed under the key of its own material");
        self.files.sort_by(|a, b| a.name.cmp(&b.name));
        let record =
            Record { key: self.key.clone(), material: material.clone(), files: std::mem::take(&mut self.files) };
        write_synced(&self.folder.join(record::FILE), &record.to_bytes())?;
        let shard = self.target.parent().expect("results lie in shards");
        fs::create_dir_all(shard).map_err(Error::io("create", shard))?;
        match fs::rename(&self.folder, &self.target) {
            Ok(()) => {
                self.finished = true;
                sync_folder(shard);
                Ok(Entry::new(self.target.clone(), record))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => {
                let path = self.target.join(record::FILE);
                let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
                match Record::from_bytes(&bytes, &self.key) {
                    Some(record) => Ok(Entry::new(self.target.clone(), record)),
                    None => {
                        // What stands there has a damaged record: nobody can use it, so it makes room.
                        let aside = self.folder.with_extension("damaged");
                        fs::rename(&self.target, &aside).map_err(Error::io("move aside", &self.target))?;
                        let moved = fs::rename(&self.folder, &self.target);
                        let _ = fs::remove_dir_all(&aside);
                        moved.map_err(Error::io("publish", &self.target))?;
                        self.finished = true;
                        Ok(Entry::new(self.target.clone(), record))
                    }
                }
            }
            Err(error) => Err(Error::io("publish", &self.target)(error)),
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.finished {
            // Best effort: what stays is removed by the next collection.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// A committed result.
#[derive(Clone, Debug)]
pub struct Entry {
    folder: PathBuf,
    pub record: Record,
}

impl Entry {
    pub(super) fn new(folder: PathBuf, record: Record) -> Self {
        Self { folder, record }
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// The content of one file, checked against its digest.
    ///
    /// # Errors
    /// The file is not what was committed.
    pub fn read_file(&self, name: &str) -> Result<Vec<u8>, Damaged> {
        let path = self.path(name);
        let damaged = |found: String| Damaged { path: path.clone(), found };
        let expected = self.record.file(name).ok_or_else(|| damaged("no such file in its commit record".into()))?;
        let bytes = fs::read(&path).map_err(|error| damaged(error.to_string()))?;
        if bytes.len() as u64 != expected.bytes {
            return Err(damaged(format!("{} bytes where {} were committed", bytes.len(), expected.bytes)));
        }
        if blake3::hash(&bytes).to_hex().as_str() != expected.digest {
            return Err(damaged("its digest differs from the one that was committed".into()));
        }
        Ok(bytes)
    }

    /// One table, checked against its digest.
    ///
    /// # Errors
    /// The file is not what was committed.
    pub fn read_table(&self, name: &str) -> Result<Table, Damaged> {
        let Some((file, table)) = self.record.table(name) else {
            return Err(Damaged {
                path: self.folder.clone(),
                found: format!("no table `{name}` in its commit record"),
            });
        };
        let bytes = Bytes::from(self.read_file(&file.name)?);
        parquet::read(bytes, &table.schema)
            .map_err(|error| Damaged { path: self.path(&file.name), found: error.to_string() })
    }

    /// Whether all files are what was committed.
    pub fn verify(&self) -> Vec<Damaged> {
        self.record.files.iter().filter_map(|file| self.read_file(&file.name).err()).collect()
    }

    /// Takes a damaged result out of the store, so that its task can fill the place again.
    ///
    /// # Errors
    /// The folder cannot be moved.
    pub fn discard(&self, session: &Session) -> Result<()> {
        let aside = session.aside()?;
        match fs::rename(&self.folder, aside.join("damaged")) {
            Ok(()) => {
                let _ = fs::remove_dir_all(&aside);
                Ok(())
            }
            // Another run noticed the damage first.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io("move aside", &self.folder)(error)),
        }
    }
}

/// A kept file is not what was committed.
#[derive(Debug)]
pub struct Damaged {
    pub path: PathBuf,
    pub found: String,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is damaged: {}", self.path.display(), self.found)
    }
}

fn write_synced(path: &Path, content: &[u8]) -> Result<()> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(content)?;
        file.sync_data()
    };
    write().map_err(Error::io("write", path))
}

/// Makes a rename last through a power failure. Where folders cannot be synced, the digests still tell.
fn sync_folder(path: &Path) {
    if let Ok(folder) = File::open(path) {
        let _ = folder.sync_all();
    }
}

/// A Parquet error while writing is the disk's fault or ours; the disk's keeps its kind.
pub(crate) fn writing(path: &Path, error: ::parquet::errors::ParquetError) -> Error {
    let source = match error {
        ::parquet::errors::ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(inner) => *inner,
            Err(inner) => io::Error::other(inner),
        },
        other => io::Error::other(other),
    };
    Error::io("write", path)(source)
}
