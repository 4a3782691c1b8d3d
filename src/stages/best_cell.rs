//! a tuning surface → its best cell for each condition: coefficients, accuracy, width of the basin
//!
//! Beside the table it writes the coefficients as TOML, in the form in which pipelines read them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::coefficients::Tuned;
use crate::error::Result;
use crate::spec::node::{Fault, Node, instead_of};
use crate::tables::cells::Float64;
use crate::tables::frame::{Cell, Frame};
use crate::tables::{Assembly, Column, ColumnType, Row, TableError, table};
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

table! {
    /// The best cell of a surface; the swept coefficients stand in front of `accuracy`.
    pub struct BestCellRow<'a> in "best_cell" version 1 key(dataset, setting, rule) {
        /// data set
        dataset: Category,
        /// network, initialisation and feedback
        setting: Category,
        /// learning rule
        rule: Category,
        /// mean accuracy of the best cell on the tuning split
        accuracy: Option<Float64>,
        /// share of cells within 0.02 of the best
        basin: Float64,
        /// cells tried
        n_cells: Int32 in "cells",
        /// cells in which a run diverged
        n_diverged: Int32 in "cells",
    }
}

/// A swept coefficient.
const COEFFICIENT: Column = Column::new(
    "coefficient",
    ColumnType::Float64,
    "1/sample",
    "coefficient of the best cell; null where it was not swept",
)
.nullable();

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
                let there = instead_of(name, table.schema.column_names());
                return Err(planning.fault("of", format!("`{}` has no column `{name}`; {there}", table.name)));
            }
        }
        let swept = spec.coefficients.iter().map(|name| Column { name: name.clone().into(), ..COEFFICIENT });
        let schema = BestCellRow::schema().with_columns_before("accuracy", swept);
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

/// Conditions, each as it is written, with their cells.
type Surfaces = BTreeMap<[Cell; 3], ([String; 3], Vec<TunedCell>)>;

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
        let frame = Frame::new("of", context.gathered(self.of, Axes::Own)?);
        let surfaces = self.surfaces(&frame).map_err(|error| context.internal(error))?;
        let found: Vec<(BestCellRow<'_>, &TunedCell)> = surfaces
            .iter()
            .map(|(_, (condition, cells))| {
                let best = best(cells);
                let within =
                    |cell: &&TunedCell| cell.mean.zip(best.mean).is_some_and(|(mean, best)| mean >= best - BASIN);
                let row = BestCellRow {
                    dataset: &condition[0],
                    setting: &condition[1],
                    rule: &condition[2],
                    accuracy: best.mean,
                    basin: cells.iter().filter(within).count() as f64 / cells.len() as f64,
                    n_cells: cells.len() as i32,
                    n_diverged: cells.iter().filter(|cell| cell.diverged).count() as i32,
                };
                (row, best)
            })
            .collect();
        let rows: Vec<BestCellRow<'_>> = found.iter().map(|(row, _)| *row).collect();
        let mut table = Assembly::new(self.outputs[0].schema.clone()).rows(&rows);
        for (index, name) in self.coefficients.iter().enumerate() {
            table = table.column::<Option<Float64>>(name, found.iter().map(|(_, best)| best.coefficients[index]));
        }
        context.write("best_cell", table.batch().map_err(|error| context.internal(error))?)?;
        let tuned = found.iter().filter_map(|(row, best)| self.tuned(row, best));
        context.write_file("toml", coefficients_text(context.key().as_str(), tuned).as_bytes())
    }
}

impl BestCellTask {
    /// The cells of each condition, in the order of the conditions' own values (5 before 10).
    fn surfaces(&self, frame: &Frame) -> Result<Surfaces, TableError> {
        let [datasets, settings, rules] = CONDITION.map(|name| frame.cells(name));
        let (datasets, settings, rules) = (datasets?, settings?, rules?);
        let coefficients =
            self.coefficients.iter().map(|name| frame.numbers(name)).collect::<Result<Vec<_>, TableError>>()?;
        let (means, diverged) = (frame.numbers("mean")?, frame.numbers("n_diverged")?);
        let mut surfaces = Surfaces::new();
        for row in 0..frame.n_rows() {
            let condition = [&datasets[row], &settings[row], &rules[row]].map(Cell::clone);
            if let Some(index) = condition.iter().position(|cell| *cell == Cell::Null) {
                return Err(TableError::new("of", CONDITION[index], format!("is null in row {row}, and must not be")));
            }
            let texts = condition.each_ref().map(ToString::to_string);
            surfaces.entry(condition).or_insert_with(|| (texts, Vec::new())).1.push(TunedCell {
                coefficients: coefficients.iter().map(|values| values[row]).collect(),
                mean: means[row],
                diverged: diverged[row].is_some_and(|n| n > 0.0),
            });
        }
        Ok(surfaces)
    }

    fn tuned(&self, condition: &BestCellRow<'_>, best: &TunedCell) -> Option<Tuned> {
        let terms = self
            .coefficients
            .iter()
            .zip(&best.coefficients)
            .filter_map(|(name, value)| Some((name.clone(), (*value)?)));
        Some(Tuned {
            dataset: condition.dataset.to_owned(),
            setting: condition.setting.to_owned(),
            rule: condition.rule.to_owned(),
            terms: terms.collect(),
            accuracy: best.mean?,
        })
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
    use crate::task::bench::Bench;

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
        let table: crate::stages::coefficients::CoefficientTable =
            crate::spec::node::Node::parse("t", text).unwrap().read().unwrap();
        assert_eq!(table.coefficients, [tuned]);
    }

    table! {
        /// A tuning surface as a bootstrap makes it.
        struct SurfaceRow<'a> in "bootstrap" version 1 key(dataset, setting, rule, gradient, oja) {
            /// axis
            dataset: Category,
            /// axis
            setting: Category,
            /// axis
            rule: Category,
            /// axis
            gradient: Option<Float64>,
            /// axis, which a rule need not have
            oja: Option<Float64>,
            /// accuracy
            mean: Option<Float64>,
            /// runs that diverged
            n_diverged: Int32,
        }
    }

    fn bench(rows: &[SurfaceRow<'_>]) -> Bench {
        Bench::new().published("surface", SurfaceRow::schema(), 5, SurfaceRow::batch(rows))
    }

    #[test]
    fn each_condition_has_its_highest_cell_the_width_of_its_basin_and_its_lines_of_toml() {
        let cell = |rule, gradient, oja, mean, n_diverged| SurfaceRow {
            dataset: "mnist",
            setting: "deep",
            rule,
            gradient: Some(gradient),
            oja,
            mean,
            n_diverged,
        };
        let surface = bench(&[
            cell("oja", 1e-3, Some(1e-2), Some(0.80), 0),
            cell("oja", 1e-2, Some(1e-2), Some(0.90), 0),
            cell("bp", 1e-3, None, Some(0.60), 0),
            // Within 0.02 of the best, and just not.
            cell("oja", 1e-3, Some(1e-3), Some(0.885), 1),
            cell("oja", 1e-2, Some(1e-3), Some(0.875), 2),
            cell("bp", 1e-2, None, None, 3),
        ]);
        let made = surface.run(&BestCell, "of = 'surface'\ncoefficients = ['gradient', 'oja']").unwrap();
        let row = |rule, accuracy, basin, n_cells, n_diverged| BestCellRow {
            dataset: "mnist",
            setting: "deep",
            rule,
            accuracy: Some(accuracy),
            basin,
            n_cells,
            n_diverged,
        };
        assert_eq!(made.rows::<BestCellRow<'_>>("best_cell"), [row("bp", 0.6, 0.5, 2, 1), row("oja", 0.9, 0.5, 4, 2)]);
        let frame = made.frame("best_cell");
        assert_eq!(frame.numbers("gradient").unwrap(), [Some(1e-3), Some(1e-2)]);
        assert_eq!(frame.numbers("oja").unwrap(), [None, Some(1e-2)], "it was not swept");
        let names: Vec<&str> = made.tables["best_cell"].schema.column_names().collect();
        assert_eq!(names[..6], ["dataset", "setting", "rule", "gradient", "oja", "accuracy"]);
        let written = std::str::from_utf8(&made.files["toml"]).unwrap();
        assert!(written.contains("rule = \"bp\"\nterms = { gradient = 1e-3 }\naccuracy = 0.6000"), "{written}");
        assert!(written.contains("terms = { gradient = 1e-2, oja = 1e-2 }\naccuracy = 0.9000"), "{written}");
    }

    #[test]
    fn a_surface_without_a_swept_coefficient_is_refused() {
        let error = bench(&[]).run(&BestCell, "of = 'surface'\ncoefficients = ['decay']").unwrap_err();
        assert!(error.to_string().starts_with("`surface` has no column `decay`; there are: "), "{error}");
    }
}
