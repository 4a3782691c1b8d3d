//! The table that a bootstrap makes, and the column that it asks of the runs.

use crate::tables::{Column, ColumnType, Row, TableSchema, table};

/// The column of `runs` by which a measurement of a run that had diverged is known.
pub(super) const DIVERGED: &str = "diverged_at_step";

table! {
    /// The statistic of a group of measurements; the columns of the group stand in front.
    pub struct SummaryRow in "bootstrap" version 1 key() {
        /// the statistic over all runs
        mean: Option<Float64>,
        /// lower end of the bootstrap interval; null for a single run
        ci_low: Option<Float64>,
        /// upper end of the bootstrap interval; null for a single run
        ci_high: Option<Float64>,
        /// runs in the statistic, diverged ones included
        n_runs: Int32 in "runs",
        /// runs among them that had diverged by then
        n_diverged: Int32 in "runs",
    }
}

/// The table of a bootstrap: groups of measurements in front, numbers in the unit of what was measured.
pub(super) fn summary_schema(groups: &[Column], value: &Column, tolerance: Option<String>) -> TableSchema {
    let mut schema = SummaryRow::schema();
    for column in schema.columns.iter_mut().filter(|column| column.kind == ColumnType::Float64) {
        column.unit = value.unit.clone();
    }
    schema.columns.splice(..0, groups.iter().cloned());
    schema.key = groups.iter().map(|column| column.name.clone()).collect();
    schema.tolerance = tolerance;
    schema
}
