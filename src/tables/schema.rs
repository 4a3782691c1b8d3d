//! The schema of a table: columns with types, units and descriptions, the columns that identify a row, and how far
//! two computations of it may differ.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

/// The types that tables use; see "Parquet" in the README for what each is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Truth values.
    Boolean,
    /// Indices and counts.
    Int32,
    /// Steps and long counts.
    Int64,
    /// Measured numbers.
    Float64,
    /// Categories: dictionary-encoded strings.
    Category,
    /// Free text.
    Text,
    /// Vectors whose length stands in a column beside them.
    Float32List,
    /// The same, of bytes.
    UInt8List,
}

impl ColumnType {
    /// How arrow holds it.
    pub fn to_arrow(self) -> DataType {
        let list = |item| DataType::List(Arc::new(Field::new("item", item, false)));
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Float64 => DataType::Float64,
            Self::Category => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            Self::Text => DataType::Utf8,
            Self::Float32List => list(DataType::Float32),
            Self::UInt8List => list(DataType::UInt8),
        }
    }

    /// How DuckDB names the type when it reads such a column.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float64 => "float64",
            Self::Category => "category",
            Self::Text => "text",
            Self::Float32List => "list of float32",
            Self::UInt8List => "list of uint8",
        }
    }
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// As SQL and figures name it.
    pub name: Cow<'static, str>,
    /// The type of its values.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// Empty for what has none: names, indices, pure numbers.
    pub unit: Cow<'static, str>,
    /// What it means, in a few words.
    pub description: Cow<'static, str>,
    /// Whether there can be rows without a value.
    pub nullable: bool,
}

impl Column {
    /// A column that is never null.
    pub const fn new(name: &'static str, kind: ColumnType, unit: &'static str, description: &'static str) -> Self {
        Self {
            name: Cow::Borrowed(name),
            kind,
            unit: Cow::Borrowed(unit),
            description: Cow::Borrowed(description),
            nullable: false,
        }
    }

    /// The same, with rows that have no value.
    pub const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    fn to_field(&self) -> Field {
        Field::new(self.name.as_ref(), self.kind.to_arrow(), self.nullable)
    }
}

/// How a table is published. It depends on the kind of table, never on its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// One file, its parts concatenated and sorted, the axes of the matrix as columns.
    File,
    /// A folder with one part per run, for what is large; joins the axes through `run_id`.
    Folder,
}

/// The promise that a stage makes about a table, checked whenever one is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSchema {
    /// The kind of table, as the contract names it (`evaluations`, `weights` …).
    pub kind: Cow<'static, str>,
    /// Raised whenever columns of this kind of table change.
    pub version: u32,
    /// In the order in which they are written.
    pub columns: Vec<Column>,
    /// The columns that identify a row; rows are sorted by them.
    pub key: Vec<Cow<'static, str>>,
    /// How it is published.
    pub layout: Layout,
    /// Largest relative deviation between machines; absent where the bytes are the same everywhere.
    pub tolerance: Option<String>,
}

impl TableSchema {
    /// A table in one file, with the same bytes on every machine.
    ///
    /// # Panics
    /// A key is no column.
    pub fn new(kind: &'static str, version: u32, columns: Vec<Column>, key: &[&'static str]) -> Self {
        let key: Vec<Cow<'static, str>> = key.iter().map(|name| Cow::Borrowed(*name)).collect();
        assert!(key.iter().all(|name| columns.iter().any(|column| column.name == *name)), "{kind}: keys are columns");
        Self { kind: Cow::Borrowed(kind), version, columns, key, layout: Layout::File, tolerance: None }
    }

    /// The same, published as a folder of parts.
    pub fn in_folder(mut self) -> Self {
        self.layout = Layout::Folder;
        self
    }

    /// The same columns as a table of another kind.
    pub fn named(mut self, kind: &'static str) -> Self {
        self.kind = Cow::Borrowed(kind);
        self
    }

    /// With further columns in front of one of its own.
    ///
    /// # Panics
    /// There is no such column.
    pub fn with_columns_before(mut self, name: &str, columns: impl IntoIterator<Item = Column>) -> Self {
        let position = self.columns.iter().position(|column| column.name == name);
        let position = position.unwrap_or_else(|| panic!("{} has no column {name}", self.kind));
        self.columns.splice(position..position, columns);
        self
    }

    /// With a column that says something else of itself.
    ///
    /// # Panics
    /// There is no such column.
    pub fn describing(mut self, name: &str, unit: Option<&'static str>, description: &'static str) -> Self {
        let column = self.columns.iter_mut().find(|column| column.name == name);
        let column = column.unwrap_or_else(|| panic!("no column {name}"));
        column.unit = unit.unwrap_or_default().into();
        column.description = description.into();
        self
    }

    /// States that values may differ between machines by this relative amount.
    pub fn with_tolerance(mut self, relative: f64) -> Self {
        self.tolerance = Some(format!("{relative:e}"));
        self
    }

    /// Largest relative deviation between machines; none where the bytes are the same everywhere.
    pub fn tolerance(&self) -> Option<f64> {
        self.tolerance.as_ref().map(|text| text.parse().expect("written by with_tolerance"))
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The names of its columns, in order.
    pub fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_ref())
    }

    /// Columns, types and nulls, as arrow holds them.
    pub fn to_arrow(&self) -> SchemaRef {
        Arc::new(Schema::new(self.columns.iter().map(Column::to_field).collect::<Vec<_>>()))
    }

    /// The file-level metadata `ojaflow.schema`.
    pub fn to_metadata(&self) -> String {
        #[derive(Serialize)]
        struct Described<'a> {
            unit: &'a str,
            description: &'a str,
        }
        #[derive(Serialize)]
        struct Metadata<'a> {
            table: &'a str,
            version: u32,
            columns: BTreeMap<&'a str, Described<'a>>,
            key: &'a [Cow<'static, str>],
            #[serde(skip_serializing_if = "Option::is_none")]
            tolerance: Option<f64>,
        }
        let columns = self
            .columns
            .iter()
            .map(|column| (column.name.as_ref(), Described { unit: &column.unit, description: &column.description }))
            .collect();
        serde_json::to_string(&Metadata {
            table: &self.kind,
            version: self.version,
            columns,
            key: &self.key,
            tolerance: self.tolerance(),
        })
        .expect("plain strings and numbers serialise")
    }

    /// Whether a batch is what was promised: names, types and nulls.
    ///
    /// # Errors
    /// Names the first column that differs.
    pub fn check(&self, batch: &RecordBatch) -> Result<(), String> {
        let found = batch.schema();
        if found.fields().len() != self.columns.len() {
            return Err(format!(
                "table `{}` has {} columns, its schema {}",
                self.kind,
                found.fields().len(),
                self.columns.len()
            ));
        }
        for ((field, array), column) in found.fields().iter().zip(batch.columns()).zip(&self.columns) {
            if *field.name() != column.name || *field.data_type() != column.kind.to_arrow() {
                return Err(format!(
                    "table `{}`: found column `{}` of type {}, its schema says `{}` of type {}",
                    self.kind,
                    field.name(),
                    field.data_type(),
                    column.name,
                    column.kind.to_arrow()
                ));
            }
            if !column.nullable && array.null_count() > 0 {
                return Err(format!("table `{}`: `{}` must not be null", self.kind, column.name));
            }
        }
        Ok(())
    }
}
