//! a tuning surface → its best cell for each condition: coefficients, accuracy, width of the basin
//!
//! Beside the table it writes the coefficients as TOML, in the form in which pipelines read them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::coefficients::Tuned;
use crate::error::Result;
use crate::spec::node::{Fault, Node, choices};
use crate::tables::frame::{Cell, Frame, cells_to_array};
use crate::tables::{Column, ColumnType, TableSchema};
use crate::task::{Axes, Kind, Output, Planned, Planning, Reads, Reference, Surroundings, TableId, Work};

/// `kind = "best_cell"`
pub struct BestCell;

/// Cells this close to the best belong to the basin.
const BASIN: f64 = 0.02;

/// The columns that name a condition, which the tables of tuned coefficients are looked up by.
const CONDITION: [&str; 3] = ["dataset", "setting", "rule"];

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BestCellSpec {
    /// A bootstrap table with the columns `dataset`, `setting`, `rule` and one for each swept coefficient.
    of: String,
    /// The swept coefficients.
    coefficients: Vec<String>,
}

impl Kind for BestCell {
    fn name(&self) -> &'static str {
        "best_cell"
    }

    fn summary(&self) -> &'static str {
        "Chooses the coefficients with the highest mean for each data set, setting and rule."
    }

    fn version(&self) -> u32 {
        1
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<BestCellSpec>()
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        Ok(vec![Reference::required(parameters, "of", Reads::Table)?])
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: BestCellSpec = planning.parameters.read()?;
        let (of, table) = planning.gathered(&spec.of);
        let needed = CONDITION.iter().copied().chain(["mean", "n_diverged"]);
        for name in needed.chain(spec.coefficients.iter().map(String::as_str)) {
            if table.schema.column(name).is_none() {
                let there = choices(table.schema.column_names());
                return Err(
                    planning.fault("of", format!("`{}` has no column `{name}`; there are: {there}", table.name))
                );
            }
        }
        let mut columns = vec![
            Column::new("dataset", ColumnType::Category, "", "data set"),
            Column::new("setting", ColumnType::Category, "", "network, initialisation and feedback"),
            Column::new("rule", ColumnType::Category, "", "learning rule"),
        ];
        for name in &spec.coefficients {
            let description = "coefficient of the best cell; null where it was not swept";
            let column = Column::new("coefficient", ColumnType::Float64, "1/sample", description).nullable();
            columns.push(Column { name: name.clone().into(), ..column });
        }
        columns.extend([
            Column::new("accuracy", ColumnType::Float64, "", "mean accuracy of the best cell on the tuning split")
                .nullable(),
            Column::new("basin", ColumnType::Float64, "", "share of cells within 0.02 of the best"),
            Column::new("n_cells", ColumnType::Int32, "cells", "cells tried"),
            Column::new("n_diverged", ColumnType::Int32, "cells", "cells in which a run diverged"),
        ]);
        let schema = TableSchema::new("best_cell", 1, columns, &["dataset", "setting", "rule"]);
        Ok(Planned::new(BestCellTask { of, coefficients: spec.coefficients, outputs: [Output::kept("", schema)] }))
    }
}

#[derive(Debug)]
struct BestCellTask {
    of: TableId,
    coefficients: Vec<String>,
    outputs: [Output; 1],
}

/// One cell of a surface.
struct TunedCell {
    coefficients: Vec<Option<f64>>,
    mean: Option<f64>,
    diverged: bool,
}

impl Work for BestCellTask {
    fn parameters(&self) -> serde_json::Value {
        serde_json::json!({ "coefficients": self.coefficients })
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn files(&self) -> &[&'static str] {
        &["toml"]
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let frame = Frame::new(context.gathered(self.of, Axes::Own)?);
        let surfaces = self.surfaces(&frame).ok_or_else(|| context.internal("a column is missing"))?;
        let mut rows: Vec<(&Vec<Cell>, &TunedCell, f64, i32, i32)> = Vec::new();
        for (condition, cells) in &surfaces {
            let best = best(cells);
            let within = |cell: &&TunedCell| cell.mean.zip(best.mean).is_some_and(|(mean, best)| mean >= best - BASIN);
            let basin = cells.iter().filter(within).count() as f64 / cells.len() as f64;
            let diverged = cells.iter().filter(|cell| cell.diverged).count();
            rows.push((condition, best, basin, cells.len() as i32, diverged as i32));
        }
        let mut columns: Vec<ArrayRef> = Vec::new();
        for index in 0..CONDITION.len() {
            let cells: Vec<Cell> = rows.iter().map(|row| row.0[index].clone()).collect();
            columns.push(cells_to_array(&cells, ColumnType::Category).map_err(|error| context.internal(error))?);
        }
        for index in 0..self.coefficients.len() {
            columns.push(Arc::new(rows.iter().map(|row| row.1.coefficients[index]).collect::<Float64Array>()));
        }
        columns.push(Arc::new(rows.iter().map(|row| row.1.mean).collect::<Float64Array>()));
        columns.push(Arc::new(rows.iter().map(|row| row.2).collect::<Float64Array>()));
        columns.push(Arc::new(rows.iter().map(|row| row.3).collect::<Int32Array>()));
        columns.push(Arc::new(rows.iter().map(|row| row.4).collect::<Int32Array>()));
        context.write_columns("best_cell", columns)?;
        let tuned = rows.iter().filter_map(|(condition, best, ..)| self.tuned(condition, best));
        context.write_file("toml", coefficients_text(context.key().as_str(), tuned).as_bytes())
    }
}

impl BestCellTask {
    fn surfaces(&self, frame: &Frame) -> Option<BTreeMap<Vec<Cell>, Vec<TunedCell>>> {
        let condition = CONDITION.iter().map(|name| frame.cells(name)).collect::<Option<Vec<_>>>()?;
        let coefficients = self.coefficients.iter().map(|name| frame.numbers(name)).collect::<Option<Vec<_>>>()?;
        let (means, diverged) = (frame.numbers("mean")?, frame.numbers("n_diverged")?);
        let mut surfaces: BTreeMap<Vec<Cell>, Vec<TunedCell>> = BTreeMap::new();
        for row in 0..frame.n_rows() {
            let key = condition.iter().map(|cells| cells[row].clone()).collect();
            surfaces.entry(key).or_default().push(TunedCell {
                coefficients: coefficients.iter().map(|values| values[row]).collect(),
                mean: means[row],
                diverged: diverged[row].is_some_and(|n| n > 0.0),
            });
        }
        Some(surfaces)
    }

    fn tuned(&self, condition: &[Cell], best: &TunedCell) -> Option<Tuned> {
        let text = |index: usize| condition[index].to_string();
        let terms = self
            .coefficients
            .iter()
            .zip(&best.coefficients)
            .filter_map(|(name, value)| Some((name.clone(), (*value)?)));
        Some(Tuned { dataset: text(0), setting: text(1), rule: text(2), terms: terms.collect(), accuracy: best.mean? })
    }
}

/// The highest mean; of equals the one with the smaller coefficients.
fn best(cells: &[TunedCell]) -> &TunedCell {
    let order = |a: &&TunedCell, b: &&TunedCell| {
        let (a_mean, b_mean) = (a.mean.unwrap_or(f64::NEG_INFINITY), b.mean.unwrap_or(f64::NEG_INFINITY));
        let smaller = || {
            let pairs = a.coefficients.iter().zip(&b.coefficients);
            pairs.map(|(a, b)| a.unwrap_or(0.0).total_cmp(&b.unwrap_or(0.0))).find(|order| order.is_ne())
        };
        b_mean.total_cmp(&a_mean).then_with(|| smaller().unwrap_or(std::cmp::Ordering::Equal))
    };
    cells.iter().min_by(order).expect("a condition has cells")
}

/// The committed form: one table a condition, as a person would write it.
fn coefficients_text(key: &str, tuned: impl Iterator<Item = Tuned>) -> String {
    let mut text = format!("key = \"{key}\"\n");
    for Tuned { dataset, setting, rule, terms, accuracy } in tuned {
        let terms: Vec<String> = terms.iter().map(|(name, value)| format!("{name} = {value:e}")).collect();
        write!(
            text,
            "\n[[coefficients]]\ndataset = \"{dataset}\"\nsetting = \"{setting}\"\nrule = \"{rule}\"\nterms = {{ {} }}\naccuracy = {accuracy:.4}\n",
            terms.join(", ")
        )
        .expect("writing to a string");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(gradient: f64, oja: Option<f64>, mean: Option<f64>) -> TunedCell {
        TunedCell { coefficients: vec![Some(gradient), oja], mean, diverged: false }
    }

    #[test]
    fn ties_go_to_the_smaller_coefficients() {
        let cells =
            [cell(2e-3, Some(1e-3), Some(0.8)), cell(1e-3, Some(3e-3), Some(0.8)), cell(1e-3, Some(1e-3), Some(0.8))];
        assert_eq!(best(&cells).coefficients, [Some(1e-3), Some(1e-3)]);
    }

    #[test]
    fn a_cell_without_a_mean_never_wins() {
        let cells = [cell(1e-4, None, None), cell(1e-1, None, Some(0.1))];
        assert_eq!(best(&cells).coefficients[0], Some(1e-1));
    }

    #[test]
    fn what_is_written_is_what_pipelines_read() {
        let terms = BTreeMap::from([("gradient".to_owned(), 1.77828e-3), ("oja".to_owned(), 1e-4)]);
        let tuned = Tuned {
            dataset: "mnist".into(),
            setting: "5_layers".into(),
            rule: "bp_oja".into(),
            terms,
            accuracy: 0.8125,
        };
        let text = format!("pipeline = \"tune\"\n{}", coefficients_text("k", std::iter::once(tuned.clone())));
        let table: super::super::coefficients::CoefficientTable =
            crate::spec::node::Node::parse("t", text).unwrap().read().unwrap();
        assert_eq!(table.coefficients, [tuned]);
    }
}
