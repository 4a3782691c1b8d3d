//! `views.sql`: a DuckDB view of every table, axes joined in. Its paths are relative to the folder that it stands in, so
//! that the folder can be moved, and is the same bytes wherever it was published.

use std::fmt::Write as _;

use super::manifest::{Manifest, TableEntry};
use crate::tables::Layout;

pub(super) const FILE: &str = "views.sql";

/// What every such file begins with: a folder that lost its manifest is known by it.
pub(super) const BEGINNING: &str = "-- Views of all tables of `";

/// The views of the tables that a manifest speaks of.
pub(super) fn text(manifest: &Manifest) -> String {
    let name = &manifest.pipeline;
    let mut sql =
        format!("{BEGINNING}{name}`, for DuckDB. In this folder: duckdb -init {FILE}, or .read {FILE} in its shell\n");
    let mut tables: Vec<&TableEntry> = manifest.tables.iter().collect();
    // Folders join their axes from `runs`, which has to be there first.
    tables.sort_by_key(|table| table.schema.layout == Layout::Folder);
    for table in tables {
        let name = &table.name;
        match (table.schema.layout, &table.register) {
            (Layout::File, _) => {
                let path = quoted(&table.path);
                writeln!(sql, "CREATE OR REPLACE VIEW \"{name}\" AS SELECT * FROM read_parquet({path});")
            }
            (Layout::Folder, Some(register)) => {
                let path = quoted(&format!("{}*.parquet", table.path));
                let axes: String = manifest
                    .tables
                    .iter()
                    .find(|other| other.name == *register)
                    .map(|runs| {
                        runs.schema.columns[..runs.n_axes].iter().map(|axis| format!("r.\"{}\", ", axis.name)).collect()
                    })
                    .unwrap_or_default();
                writeln!(
                    sql,
                    "CREATE OR REPLACE VIEW \"{name}\" AS SELECT {axes}t.* FROM read_parquet({path}) AS t \
                     JOIN \"{register}\" AS r ON r.run_id = t.run_id;"
                )
            }
            (Layout::Folder, None) => {
                let path = quoted(&format!("{}*.parquet", table.path));
                writeln!(sql, "CREATE OR REPLACE VIEW \"{name}\" AS SELECT * FROM read_parquet({path});")
            }
        }
        .expect("writing to a string");
    }
    sql
}

fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', "''"))
}
