//! `views.sql`: a DuckDB view of every table, axes joined in.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::manifest::TableEntry;
use crate::error::{Error, Result};
use crate::plan::Pipeline;
use crate::tables::Layout;

/// Writes the views into `new`, for the time when it stands at `folder`.
pub(super) fn write(new: &Path, folder: &Path, pipeline: &Pipeline, tables: &[TableEntry]) -> Result<()> {
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', "''"));
    let mut sql = format!(
        "-- Views of all tables of `{}`. From the project's root: duckdb -init {}\n",
        pipeline.name,
        folder.join("views.sql").display()
    );
    let mut planned: Vec<_> = pipeline.tables.iter().collect();
    // Folders join their axes from `runs`, which has to be there first.
    planned.sort_by_key(|table| table.schema.layout == Layout::Folder);
    for table in planned {
        let name = &table.name;
        match (table.schema.layout, &table.register) {
            (Layout::File, _) => {
                let path = quoted(&folder.join(format!("{name}.parquet")));
                writeln!(sql, "CREATE OR REPLACE VIEW \"{name}\" AS SELECT * FROM read_parquet({path});")
            }
            (Layout::Folder, Some(runs)) => {
                let path = quoted(&folder.join(name).join("*.parquet"));
                let axes: String = pipeline
                    .tables
                    .iter()
                    .find(|other| other.name == *runs)
                    .map(|runs| {
                        runs.schema.columns[..runs.n_axes].iter().map(|axis| format!("r.\"{}\", ", axis.name)).collect()
                    })
                    .unwrap_or_default();
                writeln!(
                    sql,
                    "CREATE OR REPLACE VIEW \"{name}\" AS SELECT {axes}t.* FROM read_parquet({path}) AS t \
                     JOIN \"{runs}\" AS r ON r.run_id = t.run_id;"
                )
            }
            (Layout::Folder, None) => {
                let path = quoted(&folder.join(name).join("*.parquet"));
                writeln!(sql, "CREATE OR REPLACE VIEW \"{name}\" AS SELECT * FROM read_parquet({path});")
            }
        }
        .expect("writing to a string");
    }
    // The claims of included pipelines are a table that no stage of this one makes.
    if !pipeline.includes.is_empty() && tables.iter().any(|table| table.name == "claims") {
        let path = quoted(&folder.join("claims.parquet"));
        writeln!(sql, "CREATE OR REPLACE VIEW claims AS SELECT * FROM read_parquet({path});")
            .expect("writing to a string");
    }
    let path = new.join("views.sql");
    fs::write(&path, sql).map_err(Error::io("write", &path))
}
