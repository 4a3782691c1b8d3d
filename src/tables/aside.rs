//! Rows that are put aside as bytes, and come back as they were made.
//!
//! As they were made, and not only with equal values: how much memory the columns of a batch take says where a file's row
//! groups end ([`TableWriter`]). So columns are collected again as rows are.

use arrow::array::{ArrayRef, RecordBatch};
use bytes::Bytes;
use parquet::errors::ParquetError;

use super::cells::{Boolean, Category, Cells, Float32List, Float64, Int32, Int64, Text, UInt8List};
use super::parquet::{TableWriter, read};
use super::{Column, ColumnType, TableSchema};

/// A batch of a schema as bytes.
///
/// # Errors
/// It is none of the schema.
pub fn put_aside(schema: &TableSchema, batch: &RecordBatch) -> Result<Vec<u8>, ParquetError> {
    let mut writer = TableWriter::new(Vec::new(), schema.clone(), "")?;
    writer.write(batch)?;
    writer.finish().map(|(_, bytes)| bytes)
}

/// The batch that was put aside.
///
/// # Errors
/// The bytes are none of the schema.
pub fn take_back(schema: &TableSchema, bytes: Vec<u8>) -> Result<RecordBatch, String> {
    let table = read(Bytes::from(bytes), schema).map_err(|error| error.to_string())?;
    let batch = table.to_batch().map_err(|error| error.to_string())?;
    let columns = schema.columns.iter().zip(batch.columns()).map(|(column, array)| collected(column, array));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema.to_arrow(), columns).map_err(|error| error.to_string())
}

fn collected(column: &Column, array: &ArrayRef) -> Result<ArrayRef, String> {
    fn again<C: Cells>(array: &ArrayRef) -> Result<ArrayRef, String> {
        let reader = C::reader(array.as_ref())?;
        Ok(C::collect((0..array.len()).map(|row| C::get(&reader, row))))
    }
    macro_rules! of {
        ($type:ident) => {
            if column.nullable { again::<Option<$type>>(array) } else { again::<$type>(array) }
        };
    }
    match column.kind {
        ColumnType::Boolean => of!(Boolean),
        ColumnType::Int32 => of!(Int32),
        ColumnType::Int64 => of!(Int64),
        ColumnType::Float64 => of!(Float64),
        ColumnType::Category => of!(Category),
        ColumnType::Text => of!(Text),
        ColumnType::Float32List => of!(Float32List),
        ColumnType::UInt8List => of!(UInt8List),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::{Row, table};

    table! {
        /// A column of every type.
        struct Everything<'a> in "everything" version 1 key(place) {
            /// of a row
            place: Int64,
            /// of a row
            is_lit: Boolean,
            /// of a row
            count: Int32,
            /// of a row
            loss: Float64,
            /// of a row
            maybe: Option<Float64>,
            /// of a row
            name: Category,
            /// of a row
            said: Option<Text>,
            /// of a row
            weights: Float32List,
            /// of a row
            pixels: UInt8List,
        }
    }

    #[test]
    fn what_is_put_aside_comes_back_with_its_values_and_its_size() {
        let (weights, pixels) = ([1.0_f32, f32::NAN, -0.0, 1e-40].repeat(300_000), [0_u8, 255, 7]);
        let row = |place: i64| Everything {
            place,
            is_lit: place % 2 == 0,
            count: 7,
            loss: 0.1 + place as f64,
            maybe: (place % 3 > 0).then_some(f64::INFINITY),
            name: ["one", "another"][place as usize % 2],
            said: (place % 2 > 0).then_some("text, “quoted”"),
            weights: &weights[..place as usize * 100_000],
            pixels: &pixels[..place as usize % 4],
        };
        for n in [1, 5, 12] {
            let batch = Everything::batch(&(0..n).map(row).collect::<Vec<_>>());
            let schema = Everything::schema();
            let found = take_back(&schema, put_aside(&schema, &batch).unwrap()).unwrap();
            assert_eq!(found.num_rows(), n as usize);
            assert!(found == batch, "{n} rows; arrays are equal if their bytes are");
            assert_eq!(found.get_array_memory_size(), batch.get_array_memory_size(), "{n} rows");
        }
        let schema = Everything::schema();
        let none = take_back(&schema, put_aside(&schema, &Everything::batch(&[])).unwrap()).unwrap();
        assert_eq!((none.num_rows(), none.schema()), (0, schema.to_arrow()));
        let bytes = put_aside(&schema, &Everything::batch(&[row(3)])).unwrap();
        assert!(take_back(&schema, bytes[..bytes.len() / 2].to_vec()).is_err());
    }
}
