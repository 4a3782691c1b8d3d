//! A result on its way into the store.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::entry::{Damaged, Entry};
use super::key::{Key, KeyMaterial};
use super::record::{Record, StoredFile, StoredTable};
use crate::error::{Error, Result};
use crate::tables::parquet::{DigestWriter, TableWriter};
use crate::tables::{Table, TableSchema};

/// What the store knows of a key. Only a miss has a slot to write to.
#[derive(Debug)]
pub enum Status {
    /// The result is there.
    Hit(Entry),
    /// It is not.
    Miss(Slot),
}

/// Where a result can be begun.
pub(super) trait Site: fmt::Debug + Send {
    fn begin(self: Box<Self>) -> Result<Box<dyn Draft>>;
}

/// A result that nobody sees yet. Dropped without a commit, it leaves nothing behind.
pub(super) trait Draft: fmt::Debug + Send {
    /// What messages call a file of it.
    fn place(&self, name: &str) -> PathBuf;
    /// A new file, to be written piece by piece.
    fn create(&self, name: &str) -> Result<Box<dyn Sink>>;
    /// A whole file, safe on disk.
    fn write(&self, name: &str, content: &[u8]) -> Result<()>;
    /// Lets the result appear under the key of its record, in one step. Where another run was faster, its result stands.
    fn commit(self: Box<Self>, record: Record) -> Result<Entry>;
}

/// A file of a draft while it is written.
pub(super) trait Sink: Write + Send {
    /// Everything written so far is safe on disk.
    fn seal(self: Box<Self>) -> io::Result<()>;
}

/// The place of a result that is not there yet.
#[derive(Debug)]
pub struct Slot {
    key: Key,
    damage: Option<Damaged>,
    site: Box<dyn Site>,
}

impl Slot {
    pub(super) fn new(key: Key, site: impl Site + 'static) -> Self {
        Self { key, damage: None, site: Box::new(site) }
    }

    pub(super) fn in_place_of(self, damage: Damaged) -> Self {
        Self { damage: Some(damage), ..self }
    }

    /// What is wrong with what lies there now, if anything does.
    pub fn damage(&self) -> Option<&Damaged> {
        self.damage.as_ref()
    }

    /// Opens the slot for writing.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn begin(self) -> Result<Pending> {
        Ok(Pending { draft: self.site.begin()?, key: self.key, files: Vec::new() })
    }
}

/// A result being written. Dropped without a commit, it leaves nothing behind.
#[derive(Debug)]
pub struct Pending {
    key: Key,
    draft: Box<dyn Draft>,
    files: Vec<StoredFile>,
}

/// A file on its way from another store, which has said what it is.
#[cfg(feature = "remote")]
pub(super) struct Arriving {
    sink: DigestWriter<Box<dyn Sink>>,
    promised: StoredFile,
    path: PathBuf,
}

/// The stream into one table of a pending result.
pub struct PendingTable(TableWriter<DigestWriter<Box<dyn Sink>>>);

impl Pending {
    /// Begins a table that is written batch by batch.
    ///
    /// # Errors
    /// Its file cannot be created.
    pub fn begin_table(&self, name: &str, schema: &TableSchema) -> Result<PendingTable> {
        let sink = DigestWriter::new(self.draft.create(&file_of(name))?);
        let writer = TableWriter::new(sink, schema.clone(), self.key.as_str());
        writer.map(PendingTable).map_err(|error| self.writing(name, error))
    }

    /// Appends rows to a table.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write_batch(&self, name: &str, table: &mut PendingTable, batch: &arrow::array::RecordBatch) -> Result<()> {
        table.0.write(batch).map_err(|error| self.writing(name, error))
    }

    /// Ends a table: from here on it is a part of the result.
    ///
    /// # Errors
    /// Its end cannot be written.
    pub fn finish_table(&mut self, name: &str, schema: &TableSchema, table: PendingTable) -> Result<()> {
        let (rows, sink) = table.0.finish().map_err(|error| self.writing(name, error))?;
        let (sink, digest, bytes) = sink.finish();
        sink.seal().map_err(Error::io("write", self.draft.place(&file_of(name))))?;
        let table = StoredTable { name: name.to_owned(), rows, schema: schema.clone() };
        let digest = digest.to_hex().to_string();
        self.files.push(StoredFile { name: file_of(name), digest, bytes, table: Some(table) });
        Ok(())
    }

    /// Writes a whole table.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_table(&mut self, name: &str, table: &Table) -> Result<()> {
        let mut writer = self.begin_table(name, &table.schema)?;
        for batch in &table.batches {
            self.write_batch(name, &mut writer, batch)?;
        }
        self.finish_table(name, &table.schema, writer)
    }

    /// Adds a file that is not a table: a figure.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_file(&mut self, name: &str, content: &[u8]) -> Result<()> {
        self.draft.write(name, content)?;
        let digest = blake3::hash(content).to_hex().to_string();
        self.files.push(StoredFile { name: name.to_owned(), digest, bytes: content.len() as u64, table: None });
        Ok(())
    }

    /// Begins a file that comes from another store. Its name has to be that of a file in a folder.
    ///
    /// # Errors
    /// It cannot be created.
    #[cfg(feature = "remote")]
    pub(super) fn expect_file(&self, promised: &StoredFile) -> Result<Arriving> {
        let (sink, path) = (self.draft.create(&promised.name)?, self.draft.place(&promised.name));
        Ok(Arriving { sink: DigestWriter::new(sink), promised: promised.clone(), path })
    }

    /// Ends such a file. It becomes a part of the result if it is what was promised; else it is said what it is.
    ///
    /// # Errors
    /// Its end cannot be written.
    #[cfg(feature = "remote")]
    pub(super) fn take_file(&mut self, arrived: Arriving) -> Result<Result<(), String>> {
        let Arriving { sink, promised, path } = arrived;
        let (sink, digest, bytes) = sink.finish();
        let digest = digest.to_hex();
        if bytes != promised.bytes {
            return Ok(Err(format!("{bytes} bytes where {} were committed", promised.bytes)));
        }
        if *digest != *promised.digest {
            return Ok(Err(format!("its digest is {digest} where {} was committed", promised.digest)));
        }
        sink.seal().map_err(Error::io("write", path))?;
        self.files.push(promised);
        Ok(Ok(()))
    }

    /// Publishes the result: it appears under its key in one step.
    ///
    /// Where another run was faster, its result stands and this one is dropped: the same key means the same content.
    ///
    /// # Errors
    /// The record cannot be written or the result not be moved.
    pub fn commit(self, material: &KeyMaterial) -> Result<Entry> {
        let Self { key, draft, mut files } = self;
        assert_eq!(material.key(), key, "a result is committed under the key of its own material");
        files.sort_by(|a, b| a.name.cmp(&b.name));
        draft.commit(Record { key, material: material.clone(), files })
    }

    fn writing(&self, table: &str, error: ::parquet::errors::ParquetError) -> Error {
        writing(&self.draft.place(&file_of(table)), error)
    }
}

#[cfg(feature = "remote")]
impl Arriving {
    /// Appends what has arrived.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.sink.write_all(bytes).map_err(Error::io("write", &self.path))
    }

    /// How many bytes of what was promised have not arrived yet.
    pub(super) fn left(&self) -> u64 {
        self.promised.bytes.saturating_sub(self.sink.passed())
    }
}

fn file_of(table: &str) -> String {
    format!("{table}.parquet")
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
