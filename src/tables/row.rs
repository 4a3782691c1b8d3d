//! One declaration of a table gives its row as a struct, its schema, its writer and its reader.

use std::fmt;

use arrow::array::{ArrayRef, RecordBatch};

use super::cells::Cells;
use super::{Table, TableSchema};

/// A row of a table that `table!` declares. Text and vectors are borrowed for `'a`.
pub trait Row<'a>: Sized {
    /// Columns with units and descriptions, key and layout.
    fn schema() -> TableSchema;

    /// The columns of rows, each with its name, in the order of the schema.
    fn columns(rows: &[Self]) -> Vec<(&'static str, ArrayRef)>;

    /// The rows of a batch that has the columns of the schema by name, whatever else it has.
    ///
    /// # Errors
    /// A column is missing, of another type, or null where it must not be.
    fn read(batch: &'a RecordBatch) -> Result<Vec<Self>, TableError>;

    /// Rows as a batch of the schema.
    fn batch(rows: &[Self]) -> RecordBatch {
        let columns = Self::columns(rows).into_iter().map(|(_, array)| array).collect();
        RecordBatch::try_new(Self::schema().to_arrow(), columns).expect("columns of the declared types")
    }
}

impl Table {
    /// All rows, as a declared type.
    ///
    /// # Errors
    /// A column is missing, of another type, or null where it must not be.
    pub fn rows<'a, R: Row<'a>>(&'a self) -> Result<Vec<R>, TableError> {
        let mut rows = Vec::with_capacity(self.n_rows());
        for batch in &self.batches {
            rows.extend(R::read(batch)?);
        }
        Ok(rows)
    }
}

/// A table is not what a reader or a writer takes it for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableError {
    /// The kind or the name of the table.
    pub table: String,
    /// The column that is wrong.
    pub column: String,
    /// What is wrong with it, as the rest of a sentence.
    pub what: String,
}

impl TableError {
    /// `what` goes on after the names: "is missing".
    pub fn new(table: impl Into<String>, column: impl Into<String>, what: impl Into<String>) -> Self {
        Self { table: table.into(), column: column.into(), what: what.into() }
    }
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table `{}`: column `{}` {}", self.table, self.column, self.what)
    }
}

impl std::error::Error for TableError {}

/// A column of a batch, checked; `table` names the batch in errors.
///
/// # Errors
/// The column is missing, of another type, or null where it must not be.
pub fn column<'a, C: Cells>(batch: &'a RecordBatch, table: &str, name: &str) -> Result<C::Reader<'a>, TableError> {
    C::reader(find(batch, table, name)?.as_ref()).map_err(|what| TableError::new(table, name, what))
}

/// A column of a batch as it is.
pub(super) fn find<'a>(batch: &'a RecordBatch, table: &str, name: &str) -> Result<&'a ArrayRef, TableError> {
    batch.column_by_name(name).ok_or_else(|| {
        let schema = batch.schema();
        let there: Vec<String> = schema.fields().iter().map(|field| format!("`{}`", field.name())).collect();
        TableError::new(table, name, format!("is missing; there are: {}", there.join(", ")))
    })
}

/// All values of a column of a batch.
///
/// # Errors
/// The column is missing, of another type, or null where it must not be.
pub fn values<'a, C: Cells>(batch: &'a RecordBatch, table: &str, name: &str) -> Result<Vec<C::Value<'a>>, TableError> {
    let reader = column::<C>(batch, table, name)?;
    Ok((0..batch.num_rows()).map(|row| C::get(&reader, row)).collect())
}

/// Declares a table.
///
/// ```text
/// table! {
///     /// How well a network does on held-out images.
///     pub struct EvaluationRow<'a> in "evaluations" version 1 key(run_id, step) {
///         run_id: Category = RUN_ID,          // a column that several tables have
///         /// share of images classified correctly
///         accuracy: Float64,
///         /// mean cross-entropy
///         loss: Option<Float64> in "nats",    // may be null; with a unit
///     }
/// }
/// ```
///
/// The comment on a column is its description in the schema. Behind the key may stand `in folder` (the layout) and
/// `tolerance(1e-9)`. A column that several tables have is a [`Column`](super::Column) constant behind `=`; the name is
/// that of the field. The lifetime is left out where a table has neither text nor vectors.
macro_rules! table {
    (
        $(#[$meta:meta])*
        $vis:vis struct $row:ident<$life:lifetime> in $($rest:tt)*
    ) => {
        $crate::tables::table! { @declare [$(#[$meta])*] [$vis] $row $life [<$life>] $($rest)* }
    };
    (
        $(#[$meta:meta])*
        $vis:vis struct $row:ident in $($rest:tt)*
    ) => {
        $crate::tables::table! { @declare [$(#[$meta])*] [$vis] $row 'row [] $($rest)* }
    };
    (
        @declare [$(#[$meta:meta])*] [$vis:vis] $row:ident $life:lifetime [$($generics:tt)*]
        $kind:literal version $version:literal key($($key:ident),*) $(in $layout:ident)? $(tolerance($tolerance:expr))?
        {
            $(
                $(#[doc = $description:literal])?
                $field:ident: $type:ident $(<$inner:ident>)? $(in $unit:literal)? $(= $shared:expr)?
            ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[allow(unreachable_pub, reason = "a row's fields are as visible as the row, wherever it is declared")]
        $vis struct $row $($generics)* {
            $(
                $(#[doc = $description])?
                $(#[doc = concat!("As in `", stringify!($shared), "`.")])?
                pub $field: $crate::tables::row::row_value!($life, $type $(<$inner>)?),
            )*
        }

        impl<$life> $crate::tables::Row<$life> for $row $($generics)* {
            fn schema() -> $crate::tables::TableSchema {
                #[allow(unused_imports)]
                use $crate::tables::cells::*;
                let columns = vec![$(
                    $crate::tables::row::describe::<$type $(<$inner>)?>(
                        stringify!($field),
                        $crate::tables::row::described!($($unit)?; $($description)?; $($shared)?),
                    )
                ),*];
                let schema = $crate::tables::TableSchema::new($kind, $version, columns, &[$(stringify!($key)),*]);
                $(let schema = $crate::tables::row::layout!(schema, $layout);)?
                $(let schema = schema.with_tolerance($tolerance);)?
                schema
            }

            fn columns(rows: &[Self]) -> Vec<(&'static str, arrow::array::ArrayRef)> {
                #[allow(unused_imports)]
                use $crate::tables::cells::*;
                vec![$(
                    (
                        stringify!($field),
                        <$type $(<$inner>)? as Cells>::collect(rows.iter().map(|row| row.$field)),
                    )
                ),*]
            }

            fn read(batch: &$life arrow::array::RecordBatch) -> Result<Vec<Self>, $crate::tables::TableError> {
                #[allow(unused_imports)]
                use $crate::tables::cells::*;
                $(
                    let $field =
                        $crate::tables::row::column::<$type $(<$inner>)?>(batch, $kind, stringify!($field))?;
                )*
                let row = |row: usize| Self {
                    $($field: <$type $(<$inner>)? as Cells>::get(&$field, row)),*
                };
                Ok((0..batch.num_rows()).map(row).collect())
            }
        }
    };
}

/// What a row holds of a column of some type.
macro_rules! row_value {
    ($life:lifetime, Option<$inner:ident>) => { Option<$crate::tables::row::row_value!($life, $inner)> };
    ($life:lifetime, Boolean) => { bool };
    ($life:lifetime, Int32) => { i32 };
    ($life:lifetime, Int64) => { i64 };
    ($life:lifetime, Float64) => { f64 };
    ($life:lifetime, Category) => { &$life str };
    ($life:lifetime, Text) => { &$life str };
    ($life:lifetime, Float32List) => { &$life [f32] };
    ($life:lifetime, UInt8List) => { &$life [u8] };
}

/// Unit and description as they were written, or the column that they are taken from.
macro_rules! described {
    (; ; $shared:expr) => { $shared };
    ($($unit:literal)?; $description:literal; ) => {
        $crate::tables::Column::new("", $crate::tables::ColumnType::Text, concat!($($unit)?), $description.trim_ascii())
    };
}

/// `in folder`.
macro_rules! layout {
    ($schema:ident, folder) => {
        $schema.in_folder()
    };
}

pub(crate) use {described, layout, row_value, table};

/// A column of the type that the row has, with unit and description of another.
pub(crate) fn describe<C: Cells>(name: &'static str, described: super::Column) -> super::Column {
    super::Column { name: name.into(), kind: C::TYPE, nullable: C::NULLABLE, ..described }
}
