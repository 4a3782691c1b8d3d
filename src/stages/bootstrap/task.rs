//! Summaries computed: measurements × runs → one row a group.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use serde::Serialize;

use super::series::{RunStates, Series};
use super::spec::{OneOrMany, Statistic};
use super::summary::SummaryRow;
use crate::error::Result;
use crate::science::bootstrap::Resamples;
use crate::stages::measurement::finite;
use crate::tables::frame::{Cell, Frame};
use crate::tables::{Assembly, Column, TableError};
use crate::task::{Axes, KnownValues, Output, Surroundings, TableId, Work};

#[derive(Debug, Serialize)]
pub(super) struct Canonical {
    pub value: String,
    pub over: String,
    pub keys: Vec<String>,
    #[serde(rename = "where")]
    pub filter: BTreeMap<String, OneOrMany>,
    pub mean_over: Vec<String>,
    pub statistic: Statistic,
    #[serde(serialize_with = "number_or_missing")]
    pub when_diverged: Option<f64>,
    pub resamples: usize,
    pub level: f64,
    pub seed: u64,
}

/// A word for what is missing, not null: what all runs are missing from used to be left out of results under that key.
fn number_or_missing<S: serde::Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.serialize_f64(*value),
        None => serializer.serialize_str("missing"),
    }
}

#[derive(Debug)]
pub(super) struct BootstrapTask {
    /// What columns of the result can hold, as far as it is known.
    pub values: KnownValues,
    pub of: TableId,
    pub runs: TableId,
    /// Axes that tell groups of runs apart.
    pub run_axes: Vec<String>,
    pub canonical: Canonical,
    /// The columns that identify a measurement within a run's seed.
    pub keys: Vec<String>,
    /// Those that remain in the result.
    pub groups: Vec<Column>,
    /// Which cells a tuning left to choose from.
    pub selection: Option<TableId>,
    /// The summaries, and the values of runs behind them.
    pub outputs: [Output; 2],
}

impl Work for BootstrapTask {
    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(&self.canonical).expect("plain data")
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn known_values(&self, _: &str) -> KnownValues {
        self.values.clone()
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let (of, runs) = (context.gathered(self.of, Axes::Matrix)?, context.gathered(self.runs, Axes::Matrix)?);
        let selection = self.selection.map(|selection| context.gathered(selection, Axes::Matrix)).transpose()?;
        let (summaries, values) = self.compute(of, runs, selection).map_err(|error| context.internal(error))?;
        context.write("bootstrap", summaries)?;
        context.write("values", values)
    }

    fn cost(&self) -> f64 {
        0.3
    }
}

impl BootstrapTask {
    /// The tables have their axes as columns.
    fn compute(
        &self,
        of: RecordBatch,
        runs: RecordBatch,
        selection: Option<RecordBatch>,
    ) -> Result<(RecordBatch, RecordBatch), TableError> {
        let (of, runs) = (Frame::new("of", of), Frame::new("runs", runs));
        let selection = selection.map(|selection| Frame::new("selection", selection));
        let choices = selection.as_ref().map(|selection| self.choices(selection)).transpose()?;
        let (seeds, states) = self.read_runs(&runs)?;
        if seeds.is_empty() {
            return Ok((self.table(&[])?, self.value_table(&[])?));
        }
        let resamples = Resamples::draw(self.canonical.seed, seeds.len(), self.canonical.resamples);
        let series = self.read_series(&of, &seeds, &states)?;
        // Measurements that end in the same row of the result.
        let mut rows: BTreeMap<Vec<Cell>, Vec<(Vec<Cell>, Series)>> = BTreeMap::new();
        for (key, values) in series {
            let group = self.pick(&key, |name| self.groups.iter().any(|column| column.name == name));
            rows.entry(group).or_default().push((key, values));
        }
        let (mut summaries, mut values) = (Vec::new(), Vec::new());
        for (group, members) in rows {
            let reduced = self.mean_over(members);
            values.extend(self.values(&group, &reduced, (&seeds, &states), choices.as_ref()));
            let picked = self.picked(reduced);
            if let Some(summary) = self.summary(&picked, &states, &resamples) {
                summaries.push((group, summary));
            }
        }
        Ok((self.table(&summaries)?, self.value_table(&values)?))
    }

    fn summary(
        &self,
        members: &BTreeMap<Vec<Cell>, (Vec<Cell>, Series)>,
        states: &RunStates,
        resamples: &Resamples,
    ) -> Option<SummaryRow> {
        let (interval, used) = self.statistic(members, resamples).unzip();
        let (n_runs, n_diverged) = self.count(members, states, &used.unwrap_or_default());
        // No run has a value: a row without a statistic where that is because they diverged, else none.
        (interval.is_some() || n_diverged > 0).then(|| SummaryRow {
            mean: interval.and_then(|interval| finite(interval.mean)),
            ci_low: interval.and_then(|interval| interval.ci_low),
            ci_high: interval.and_then(|interval| interval.ci_high),
            n_runs,
            n_diverged,
        })
    }

    /// The summaries of groups, behind the cells that name them.
    fn table(&self, summaries: &[(Vec<Cell>, SummaryRow)]) -> Result<RecordBatch, TableError> {
        let rows: Vec<SummaryRow> = summaries.iter().map(|(_, summary)| *summary).collect();
        let mut table = Assembly::new(self.outputs[0].schema.clone()).rows(&rows);
        for (index, column) in self.groups.iter().enumerate() {
            let cells: Vec<Cell> = summaries.iter().map(|(group, _)| group[index].clone()).collect();
            table = table.cells(&column.name, &cells);
        }
        table.batch()
    }
}
