//! scores of trainings → which cell of a grid of coefficients is best, and which are to be trained next
//!
//! A race of its own for each data set, setting and rule, with the same number of trainings for all rules of a setting. Its
//! plan has levels: as long as a race wants trainings, they join the matrix.

mod rows;
mod sequel;
mod standing;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::Result;
use crate::science::racing::{Ladder, Race, Scores};
use crate::spec::node::{Fault, Node, instead_of};
use crate::stages::bootstrap::ValueRow;
use crate::tables::cells::{Boolean, Float64, Int64};
use crate::tables::frame::{Cell, Frame};
use crate::tables::{Assembly, Column, ColumnType, Row, TableError};
use crate::task::{Axes, Kind, Output, Planned, Planning, Reads, Reference, Sequel, Surroundings, TableId, Work};
pub use rows::{BestRow, CellRow};
use rows::{CONDITION, ConditionCells, Entrant};
use standing::{CellFound, Found};

/// `kind = "race"`
pub struct RaceKind;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RaceSpec {
    /// The values behind a bootstrap (`<stage>_values`), with the axes `dataset`, `setting`, `rule`, `seed` and one for each
    /// coefficient.
    of: String,
    /// The coefficients. Their axes hold the grid, in ascending order; one that begins with 0 can leave its term out.
    coefficients: Vec<String>,
    /// Trainings of each rule of a setting, beyond three for each cell of the largest grid.
    #[serde(default = "extra")]
    extra: usize,
}

fn extra() -> usize {
    200
}

/// A coefficient.
const COEFFICIENT: Column =
    Column::new("coefficient", ColumnType::Float64, "1/sample", "coefficient; null where the rule does not have it")
        .nullable();

impl Kind for RaceKind {
    fn name(&self) -> &'static str {
        "race"
    }

    fn summary(&self) -> &'static str {
        "Chooses coefficients by racing: few seeds for all cells of a grid, more for those that stay."
    }

    fn version(&self) -> u32 {
        2
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<RaceSpec>()
    }

    fn tables(&self) -> Vec<Output> {
        vec![Output::kept("", BestRow::schema()), Output::kept("cells", CellRow::schema())]
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        Ok(vec![Reference::required(parameters, "of", Reads::Table)?])
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: RaceSpec = planning.parameters.read()?;
        let (of, table) = planning.gathered(&spec.of);
        if table.schema.kind != ValueRow::schema().kind {
            let message = format!("`{}` holds no values of runs", table.name);
            return Err(planning.fault("of", message).help("Name the table `<stage>_values` of a bootstrap."));
        }
        for name in CONDITION.iter().copied().chain([SEED]).chain(spec.coefficients.iter().map(String::as_str)) {
            if table.schema.column(name).is_none() {
                let there = instead_of(name, table.schema.column_names());
                return Err(planning.fault("of", format!("`{}` has no column `{name}`; {there}", table.name)));
            }
        }
        let Some(Cell::Integer(first_seed)) = planning.matrix.get(SEED).and_then(|seeds| seeds.first()) else {
            return Err(planning.fault("of", "the axis `seed` holds no whole numbers"));
        };
        if spec.coefficients.is_empty() {
            return Err(planning.fault("coefficients", "a race is run over at least one coefficient"));
        }
        let ladders = spec.coefficients.iter().map(|name| ladder(planning, name)).collect::<Result<Vec<_>, _>>()?;
        let values = |name: &str| planning.matrix.get(name).map_or(1, |values| values.len());
        let n_conditions = CONDITION.iter().map(|name| values(name)).product();
        let n_networks = planning
            .matrix
            .iter()
            .filter(|(name, _)| table.schema.column(name).is_none())
            .map(|(_, values)| values.len())
            .product();
        let coefficients = || spec.coefficients.iter().map(|name| Column { name: name.clone().into(), ..COEFFICIENT });
        let mut cells = CellRow::schema().with_columns_before("n", coefficients());
        cells.key.extend(spec.coefficients.iter().map(|name| name.clone().into()));
        let best = BestRow::schema().with_columns_before("score", coefficients());
        Ok(Planned::new(RaceTask {
            of,
            coefficients: spec.coefficients,
            ladders,
            extra: spec.extra,
            first_seed: *first_seed,
            n_conditions,
            n_networks,
            outputs: [Output::kept("", best), Output::kept("cells", cells)],
        }))
    }
}

/// The axis whose values are the runs.
const SEED: &str = "seed";

/// The written values of a coefficient's axis.
fn ladder(planning: &Planning<'_>, name: &str) -> Result<Ladder, Fault> {
    let values = planning.matrix.get(name).map_or(&[][..], |values| values);
    let numbers: Option<Vec<f64>> = values.iter().map(Cell::as_f64).collect();
    numbers.and_then(Ladder::new).ok_or_else(|| {
        let message = format!("the axis `{name}` is no grid: its values have to ascend, and to be 0 or more");
        planning.fault("coefficients", message)
    })
}

#[derive(Debug)]
struct RaceTask {
    of: TableId,
    coefficients: Vec<String>,
    ladders: Vec<Ladder>,
    extra: usize,
    first_seed: i64,
    /// At most.
    n_conditions: usize,
    /// That a training consists of, at most.
    n_networks: usize,
    outputs: [Output; 2],
}

impl Work for RaceTask {
    fn parameters(&self) -> serde_json::Value {
        let ladders: Vec<Vec<Option<f64>>> = self
            .ladders
            .iter()
            .map(|ladder| (0..ladder.len() as i32).map(|rung| ladder.value(rung)).collect())
            .collect();
        serde_json::json!({
            "coefficients": self.coefficients,
            "grid": ladders,
            "extra": self.extra,
            "first_seed": self.first_seed,
        })
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn files(&self) -> &[&'static str] {
        &["toml"]
    }

    fn sequel(&self) -> Option<&dyn Sequel> {
        Some(self)
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let frame = Frame::new("of", context.gathered(self.of, Axes::Matrix)?);
        let entrants = self.entrants(&frame).map_err(|error| context.internal(error))?;
        let found: Vec<Found> = entrants.iter().map(|entrant| self.race(entrant, &entrants)).collect();
        let best: Vec<_> = found.iter().flat_map(Found::best_rows).collect();
        let cells: Vec<_> = found.iter().flat_map(Found::cell_rows).collect();
        context.write("race", self.table(&self.outputs[0], &best).map_err(|error| context.internal(error))?)?;
        context.write("cells", self.table(&self.outputs[1], &cells).map_err(|error| context.internal(error))?)?;
        context.write_file(
            "toml",
            text::coefficients_text(context.key().as_str(), text::tuned(&found, &self.coefficients)).as_bytes(),
        )
    }
}

impl RaceTask {
    /// What was measured of each condition, in the order of the conditions' own values.
    fn entrants(&self, frame: &Frame) -> Result<Vec<Entrant>, TableError> {
        let [datasets, settings, rules] = CONDITION.map(|name| frame.cells(name));
        let (datasets, settings, rules) = (datasets?, settings?, rules?);
        let coefficients =
            self.coefficients.iter().map(|name| frame.numbers(name)).collect::<Result<Vec<_>, TableError>>()?;
        let seeds = frame.values::<Int64>(SEED)?;
        let (scores, diverged) = (frame.values::<Option<Float64>>("value")?, frame.values::<Boolean>("diverged")?);
        let mut by_condition: BTreeMap<ConditionCells, Vec<usize>> = BTreeMap::new();
        for row in 0..frame.n_rows() {
            let condition = [&datasets[row], &settings[row], &rules[row]].map(Cell::clone);
            by_condition.entry(condition).or_default().push(row);
        }
        let entrant = |(condition, mut rows): (ConditionCells, Vec<usize>)| {
            rows.sort_by_key(|&row| seeds[row]);
            let has: Vec<bool> = coefficients.iter().map(|values| values[rows[0]].is_some()).collect();
            let mut entrant = Entrant { condition, has, scores: Scores::new(), diverged: BTreeMap::new() };
            for row in rows {
                let mut rungs = Vec::new();
                for (index, ladder) in self.ladders.iter().enumerate().filter(|(index, _)| entrant.has[*index]) {
                    let value = coefficients[index][row];
                    let rung = value.and_then(|value| ladder.rung(value)).ok_or_else(|| {
                        TableError::new(
                            "of",
                            &*self.coefficients[index],
                            format!("is {value:?}, which is not on the grid"),
                        )
                    })?;
                    rungs.push(rung);
                }
                let known = entrant.scores.entry(rungs.clone()).or_default();
                // A race takes seeds one after the other; what lies beyond a gap is not its own.
                if seeds[row] != self.first_seed + known.len() as i64 {
                    continue;
                }
                let score = scores[row].ok_or_else(|| {
                    TableError::new(
                        "of",
                        "value",
                        "is null; say `when_diverged`, what a training that diverged counts as",
                    )
                })?;
                known.push(score);
                entrant.diverged.entry(rungs).or_default().push(diverged[row]);
            }
            Ok(entrant)
        };
        by_condition.into_iter().map(entrant).collect()
    }

    /// The race of a condition, whose rivals are the other rules of its setting.
    fn race(&self, entrant: &Entrant, all: &[Entrant]) -> Found {
        let rivals = all.iter().filter(|other| other.condition[..2] == entrant.condition[..2]);
        let grid = |rival| self.ladders_of(rival).map(Ladder::len).product();
        let largest = rivals.map(grid).max().unwrap_or(1);
        let ladders: Vec<Ladder> = self.ladders_of(entrant).cloned().collect();
        let optional = ladders.iter().position(|ladder| ladder.value(0) == Some(0.0));
        Found::new(entrant, &Race::new(ladders, Race::budget_for(largest, self.extra), optional))
    }

    /// The ladders of the coefficients that a rule has.
    fn ladders_of<'a>(&'a self, entrant: &'a Entrant) -> impl Iterator<Item = &'a Ladder> {
        self.ladders.iter().zip(&entrant.has).filter(|(_, has)| **has).map(|(ladder, _)| ladder)
    }

    /// Trainings of one condition, at most.
    fn most_trainings(&self) -> usize {
        Race::budget_for(self.ladders.iter().map(Ladder::len).product(), self.extra)
    }

    /// Rows of one of the outputs, with the coefficients of the cell that each is about.
    fn table<'a, R: Row<'a> + Copy>(
        &self,
        output: &Output,
        rows: &[(R, &CellFound)],
    ) -> Result<RecordBatch, TableError> {
        let own: Vec<R> = rows.iter().map(|(row, _)| *row).collect();
        let mut table = Assembly::new(output.schema.clone()).rows(&own);
        for (index, name) in self.coefficients.iter().enumerate() {
            table = table.column::<Option<Float64>>(name, rows.iter().map(|(_, cell)| cell.values[index]));
        }
        table.batch()
    }
}
