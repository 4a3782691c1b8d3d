//! Tables ↔ Parquet: zstd, bounded row groups, our metadata, and nothing that differs between two equal runs.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::{ColumnType, Table, TableSchema};

/// A row group holds at most this many bytes of values, so that a reader of wide rows (weights, activations) needs
/// little memory; narrow tables reach `ROW_GROUP_ROWS` first.
const ROW_GROUP_BYTES: usize = 8 << 20;
const ROW_GROUP_ROWS: usize = 1 << 20;
/// Parquet looks at a column for the end of a page after so many values, and at a list's after the row in which they end.
const VALUES_A_LOOK: usize = 1024;
/// Rows that are decoded at a time take about so many bytes: what Parquet needs beside them stays in the cache and is not
/// asked of the system anew.
const READ_BYTES: usize = 2 << 20;
const READ_ROWS: usize = 1 << 16;

/// Metadata key of the schema, as JSON.
pub const SCHEMA_METADATA: &str = "ojaflow.schema";
/// Metadata key of the digest of the task that made the table.
pub const KEY_METADATA: &str = "ojaflow.key";

/// Writes one Parquet file, batch by batch; memory is bounded by a row group.
pub struct TableWriter<W: Write + Send> {
    schema: TableSchema,
    arrow_schema: SchemaRef,
    writer: ArrowWriter<Lent<W>>,
    rows: usize,
}

/// A sink that can be taken back. Parquet's own way to give it back makes an unwritable end of the file an error without a
/// kind, and a full disk is to be known for what it is.
struct Lent<W>(Option<W>);

impl<W: Write> Write for Lent<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.as_mut().expect("it is taken back at the end").write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl<W: Write + Send> TableWriter<W> {
    /// `key` is the digest of the task that makes the table.
    pub fn new(sink: W, schema: TableSchema, key: &str) -> Result<Self, ParquetError> {
        let arrow_schema = schema.to_arrow();
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .set_created_by(concat!("ojaflow ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_key_value_metadata(Some(vec![
                KeyValue::new(SCHEMA_METADATA.to_owned(), schema.to_metadata()),
                KeyValue::new(KEY_METADATA.to_owned(), key.to_owned()),
            ]));
        for column in &schema.columns {
            // Measured floats hardly repeat, and looking every pixel up costs more than zstd needs for it: a dictionary
            // would only be in the way. Minimum and maximum of a vector's elements tell a reader nothing.
            if matches!(column.kind, ColumnType::Float32List | ColumnType::UInt8List) {
                let path = ColumnPath::new(vec![column.name.to_string(), "list".to_owned(), "item".to_owned()]);
                properties = properties
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_statistics_enabled(path, EnabledStatistics::None);
            }
        }
        let writer = ArrowWriter::try_new(Lent(Some(sink)), arrow_schema.clone(), Some(properties.build()))?;
        Ok(Self { schema, arrow_schema, writer, rows: 0 })
    }

    /// Appends a batch, after checking that it is what the schema promises.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        self.schema.check(batch).map_err(ParquetError::General)?;
        // A batch from elsewhere may call its list items by another name; the file's schema is the promised one.
        let batch = RecordBatch::try_new(self.arrow_schema.clone(), batch.columns().to_vec())?;
        let bytes_per_row = (batch.get_array_memory_size() / batch.num_rows().max(1)).max(1);
        let step = (ROW_GROUP_BYTES / bytes_per_row).max(1);
        let at_a_time = rows_at_a_time(&batch);
        for start in (0..batch.num_rows()).step_by(step) {
            let end = batch.num_rows().min(start + step);
            for start in (start..end).step_by(at_a_time) {
                self.writer.write(&cut(&batch, start, at_a_time.min(end - start))?)?;
            }
            if self.writer.in_progress_size() >= ROW_GROUP_BYTES {
                self.writer.flush()?;
            }
        }
        self.rows += batch.num_rows();
        Ok(())
    }

    /// Ends the file and returns the number of rows with the sink.
    pub fn finish(mut self) -> Result<(usize, W), ParquetError> {
        self.writer.finish()?;
        Ok((self.rows, self.writer.inner_mut().0.take().expect("it is taken back once")))
    }
}

/// How many rows Parquet is given at a time. It takes twelve bytes an element for what it has to know of a list, which for
/// images is fifteen times their own size, so wide rows are given in pieces. These end where Parquet would look at its pages
/// anyway: how rows come changes no byte of the file.
fn rows_at_a_time(batch: &RecordBatch) -> usize {
    let lists = batch.columns().iter().filter_map(|column| column.as_list_opt::<i32>());
    let mut wide = false;
    for list in lists {
        let offsets = list.value_offsets();
        let length = (offsets[offsets.len() - 1] - offsets[0]) as usize / list.len().max(1);
        let are_equal = offsets.windows(2).all(|two| (two[1] - two[0]) as usize == length);
        if length == 0 || !are_equal || !VALUES_A_LOOK.is_multiple_of(VALUES_A_LOOK.div_ceil(length)) {
            return usize::MAX;
        }
        wide |= length >= VALUES_A_LOOK / 2;
    }
    if wide { VALUES_A_LOOK } else { usize::MAX }
}

/// Some rows of a batch, and no elements of other rows behind their lists: Parquet converts all that lie there.
fn cut(batch: &RecordBatch, start: usize, n_rows: usize) -> Result<RecordBatch, ParquetError> {
    let rows = batch.slice(start, n_rows);
    let columns = rows.columns().iter().map(|column| match column.data_type() {
        DataType::List(item) => {
            let list = column.as_list::<i32>();
            let offsets = list.offsets();
            let (first, end) = (offsets[0], offsets[offsets.len() - 1]);
            let elements = list.values().slice(first as usize, (end - first) as usize);
            let offsets = OffsetBuffer::new(offsets.iter().map(|offset| offset - first).collect());
            Arc::new(ListArray::new(item.clone(), offsets, elements, list.nulls().cloned())) as ArrayRef
        }
        _ => column.clone(),
    });
    Ok(RecordBatch::try_new(rows.schema(), columns.collect())?)
}

/// Reads a whole table from the bytes of a Parquet file whose schema is known.
pub fn read(bytes: Bytes, schema: &TableSchema) -> Result<Table, ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    let groups = builder.metadata().row_groups();
    let (rows, size) = groups.iter().fold((0, 0), |(rows, size), group| {
        (rows + group.num_rows().max(0) as usize, size + group.total_byte_size().max(0) as usize)
    });
    let rows_at_a_time = (READ_BYTES / (size / rows.max(1)).max(1)).clamp(1, READ_ROWS);
    let reader = builder.with_batch_size(rows_at_a_time).build()?;
    let arrow_schema = schema.to_arrow();
    let mut batches = Vec::new();
    for batch in reader {
        let batch = batch?;
        batches.push(RecordBatch::try_new(arrow_schema.clone(), batch.columns().to_vec())?);
    }
    Ok(Table::new(schema.clone(), batches))
}

/// Reads the metadata that [`TableWriter`] put into a file: the schema as JSON, and the key.
pub fn read_metadata(path: &Path) -> io::Result<(Option<String>, Option<String>)> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?).map_err(io::Error::other)?;
    let metadata = builder.metadata().file_metadata().key_value_metadata();
    let get = |name: &str| {
        metadata.and_then(|pairs| pairs.iter().find(|pair| pair.key == name)).and_then(|pair| pair.value.clone())
    };
    Ok((get(SCHEMA_METADATA), get(KEY_METADATA)))
}

/// The column types of a Parquet file's arrow schema, for tables whose schema only the file knows.
pub fn column_type(data_type: &DataType) -> Option<ColumnType> {
    let candidates = [
        ColumnType::Boolean,
        ColumnType::Int32,
        ColumnType::Int64,
        ColumnType::Float64,
        ColumnType::Category,
        ColumnType::Text,
    ];
    if let DataType::List(item) = data_type {
        return match item.data_type() {
            DataType::Float32 => Some(ColumnType::Float32List),
            DataType::UInt8 => Some(ColumnType::UInt8List),
            _ => None,
        };
    }
    candidates.into_iter().find(|candidate| candidate.to_arrow() == *data_type)
}

/// A sink that counts and digests what passes through it, so that a file need not be read again to know its digest.
pub struct DigestWriter<W> {
    inner: W,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl<W: Write> DigestWriter<W> {
    /// Nothing has passed yet.
    pub fn new(inner: W) -> Self {
        Self { inner, hasher: blake3::Hasher::new(), bytes: 0 }
    }

    /// How many bytes have passed so far.
    pub fn passed(&self) -> u64 {
        self.bytes
    }

    /// The sink, the digest and the number of bytes of all that passed.
    pub fn finish(self) -> (W, blake3::Hash, u64) {
        (self.inner, self.hasher.finalize(), self.bytes)
    }
}

impl<W: Write> Write for DigestWriter<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.hasher.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Column;
    use crate::tables::cells::{CellType, Int32, UInt8List};

    /// Images are cut into pieces; lists of 300 elements, whose ends no piece of 1024 rows meets, are not.
    #[test]
    fn how_rows_are_given_to_parquet_changes_no_byte() {
        for (length, n_rows, pieces) in
            [(784, 5000, 1024), (512, 3000, 1024), (300, 5000, usize::MAX), (20, 90_000, usize::MAX)]
        {
            let columns = vec![
                Column::new("index", ColumnType::Int32, "", "its place"),
                Column::new("pixels", ColumnType::UInt8List, "", "an image"),
            ];
            let schema = TableSchema::new("images", 1, columns, &["index"]);
            let elements: Vec<u8> = (0..n_rows * length).map(|k| (k * k % 251 * (k / 97 % 3)) as u8).collect();
            let index = Int32::collect((0..n_rows).map(|row| Some(row as i32)));
            let pixels = UInt8List::collect(elements.chunks_exact(length).map(Some));
            let batch = RecordBatch::try_new(schema.to_arrow(), vec![index, pixels]).unwrap();
            assert_eq!(rows_at_a_time(&batch), pieces, "{length}");
            let new = || TableWriter::new(Vec::new(), schema.clone(), "key").unwrap();
            let (mut cut, mut whole) = (new(), new());
            cut.write(&batch).unwrap();
            whole.writer.write(&batch).unwrap();
            let (rows, bytes) = cut.finish().unwrap();
            assert!(rows == n_rows && bytes == whole.finish().unwrap().1, "{length}");
            let table = read(bytes.into(), &schema).unwrap();
            assert!(table.to_batch().unwrap() == batch, "{length}");
        }
    }
}
