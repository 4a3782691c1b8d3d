//! measurements × runs → mean, ci_low, ci_high, n_runs, n_diverged, by group
//!
//! Sums and means behind figures are taken here, in a fixed order, by the mathematics of [`crate::science::bootstrap`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, RecordBatch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::science::bootstrap::{Interval, Resamples};
use crate::spec::node::{Fault, Node, choices};
use crate::tables::frame::{Cell, Frame, cells_to_array};
use crate::tables::{Column, ColumnType, TableSchema};
use crate::task::{Axes, Gathered, Kind, Output, Planned, Planning, Reads, Reference, Surroundings, TableId, Work};

/// `kind = "bootstrap"`
pub struct Bootstrap;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BootstrapSpec {
    /// The table of measurements.
    of: String,
    /// The `runs` table of the training behind it; `<stage>_runs` for `<stage>_evaluations` if left out.
    #[serde(default)]
    #[allow(dead_code)]
    runs: Option<String>,
    /// The column that is averaged over runs.
    value: String,
    /// The axis whose values are the runs.
    #[serde(default = "seed")]
    over: String,
    /// The columns that tell measurements apart, for tables made by SQL; other tables know theirs.
    #[serde(default)]
    keys: Vec<String>,
    /// Only rows with these values: `{ step = 5000, layer = [1, 2] }`.
    #[serde(default, rename = "where")]
    filter: BTreeMap<String, OneOrMany>,
    /// Columns over which each run's values are averaged first.
    #[serde(default)]
    mean_over: Vec<String>,
    /// Paired difference between two values of a column.
    #[serde(default)]
    difference: Option<Difference>,
    /// Ratio of the means of two values of a column.
    #[serde(default)]
    ratio: Option<Ratio>,
    /// Largest mean over these columns, divided by the smallest.
    #[serde(default)]
    spread: Vec<String>,
    /// What a run that diverged counts as from then on (chance level for an accuracy); it is left out if this is.
    #[serde(default)]
    when_diverged: Option<f64>,
    #[serde(default = "resamples")]
    resamples: usize,
    /// Of the interval.
    #[serde(default = "level")]
    level: f64,
    /// Of the resampling.
    #[serde(default)]
    seed: u64,
}

fn seed() -> String {
    "seed".to_owned()
}

/// Resamples and level of the paper's figures.
fn resamples() -> usize {
    500
}

fn level() -> f64 {
    0.98
}

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged, expecting = "a value is a word, a number or a boolean, or a list of them")]
pub enum OneOrMany {
    Many(Vec<Cell>),
    One(Cell),
}

impl OneOrMany {
    pub fn values(&self) -> &[Cell] {
        match self {
            Self::Many(values) => values,
            Self::One(value) => std::slice::from_ref(value),
        }
    }

    pub fn contains(&self, cell: &Cell) -> bool {
        self.values().iter().any(|value| value.matches(cell))
    }
}

/// `{ column = "rule", of = "bp_oja", minus = "bp" }`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Difference {
    column: String,
    of: Cell,
    minus: Cell,
}

/// `{ column = "layer", of = 4, over = 1 }`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Ratio {
    column: String,
    of: Cell,
    over: Cell,
}

/// What is computed from the values of a group.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Statistic {
    Mean,
    Difference(Difference),
    Ratio(Ratio),
    Spread(Vec<String>),
}

impl Kind for Bootstrap {
    fn name(&self) -> &'static str {
        "bootstrap"
    }

    fn summary(&self) -> &'static str {
        "Mean over runs with a percentile interval; paired differences and ratios too."
    }

    fn version(&self) -> u32 {
        2
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<BootstrapSpec>()
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        let of = Reference::required(parameters, "of", Reads::Table)?;
        // That `runs` is missing is said when `of` is known to be a table: a slip in its name is the likelier fault.
        let runs = runs_of(parameters, &of.name)?;
        Ok([of].into_iter().chain(runs).collect())
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: BootstrapSpec = planning.parameters.read()?;
        let (of_id, of) = planning.gathered(&spec.of);
        let Some(runs) = runs_of(planning.parameters, &spec.of)? else {
            return Err(planning
                .fault("of", "the key `runs` is missing: the table that says which runs diverged")
                .help("Write `runs = \"<stage>_runs\"` with the stage that trained the networks."));
        };
        let (runs_id, runs) = planning.gathered(&runs.name);
        if runs.schema.column(DIVERGED).is_none() {
            let message = format!("`{}` does not say which runs diverged: it has no column `{DIVERGED}`", runs.name);
            let field = if planning.parameters.as_table().is_some_and(|table| table.get("runs").is_some()) {
                "runs"
            } else {
                "of"
            };
            return Err(planning
                .fault(field, message)
                .help("Write `runs = \"<stage>_runs\"` with the stage that trained the networks."));
        }
        let column = |field: &str, name: &str| {
            of.schema.column(name).cloned().ok_or_else(|| {
                let message = format!(
                    "table `{}` has no column `{name}`; there are: {}",
                    of.name,
                    choices(of.schema.column_names())
                );
                planning.fault(field, message)
            })
        };
        let value = column("value", &spec.value)?;
        if !matches!(value.kind, ColumnType::Float64 | ColumnType::Int32 | ColumnType::Int64) {
            let message =
                format!("column `{}` of `{}` is of type {}, not a number", spec.value, of.name, value.kind.in_words());
            return Err(planning.fault("value", message));
        }
        let runs_axes: Vec<String> =
            runs.schema.columns[..runs.n_axes].iter().map(|column| column.name.to_string()).collect();
        column("over", &spec.over)?;
        if !runs_axes.contains(&spec.over) {
            let there = choices(&runs_axes);
            let message = format!("`{}` is not an axis of table `{}`; there are: {there}", spec.over, runs.name);
            return Err(planning.fault("over", message));
        }
        for (name, allowed) in &spec.filter {
            let at = planning.key_within("where", name).clone();
            column("where", name).map_err(|fault| Fault { span: Some(at), ..fault })?;
            for value in allowed.values() {
                of.check_value(name, value, planning.value_within("where", name))?;
            }
        }
        let chosen = [spec.difference.is_some(), spec.ratio.is_some(), !spec.spread.is_empty()];
        if chosen.iter().filter(|&&chosen| chosen).count() > 1 {
            return Err(Fault::at(&planning.parameters.span, "`difference`, `ratio` and `spread` exclude each other"));
        }
        for name in &spec.keys {
            column("keys", name)?;
        }
        // The columns that identify a row, in the order of the table's key, without the run itself.
        let own = of.schema.key.iter().map(ToString::to_string).filter(|name| *name != "run_id");
        let known: Vec<String> = if spec.keys.is_empty() { own.collect() } else { spec.keys.clone() };
        let keys: Vec<String> = known.into_iter().filter(|name| *name != spec.over).collect();
        if of.schema.key.is_empty() && spec.keys.is_empty() {
            return Err(planning.fault(
                "of",
                format!("`{}` was made by SQL: say with `keys` which columns tell its rows apart", of.name),
            ));
        }
        let is_key = |field: &str, name: &str| -> Result<(), Fault> {
            if keys.iter().any(|key| key == name) {
                return Ok(());
            }
            Err(planning.fault(
                field,
                format!("`{name}` does not tell rows of `{}` apart; there are: {}", of.name, choices(&keys)),
            ))
        };
        let mut reduced = spec.mean_over.clone();
        for name in &spec.mean_over {
            is_key("mean_over", name)?;
        }
        let statistic = if let Some(difference) = spec.difference {
            is_key("difference", &difference.column)?;
            for (key, value) in [("of", &difference.of), ("minus", &difference.minus)] {
                of.check_value(&difference.column, value, planning.value_within("difference", key))?;
            }
            reduced.push(difference.column.clone());
            Statistic::Difference(difference)
        } else if let Some(ratio) = spec.ratio {
            is_key("ratio", &ratio.column)?;
            for (key, value) in [("of", &ratio.of), ("over", &ratio.over)] {
                of.check_value(&ratio.column, value, planning.value_within("ratio", key))?;
            }
            reduced.push(ratio.column.clone());
            Statistic::Ratio(ratio)
        } else if !spec.spread.is_empty() {
            for name in &spec.spread {
                is_key("spread", name)?;
            }
            reduced.extend(spec.spread.iter().cloned());
            Statistic::Spread(spec.spread)
        } else {
            Statistic::Mean
        };
        if spec.resamples == 0 || spec.resamples > 1_000_000 {
            return Err(
                planning.fault("resamples", format!("between 1 and 1,000,000 resamples, found {}", spec.resamples))
            );
        }
        if !(spec.level > 0.0 && spec.level < 1.0) {
            return Err(
                planning.fault("level", format!("a level lies between 0 and 1 (0.98 is 98 %), found {}", spec.level))
            );
        }
        let groups: Vec<Column> =
            keys.iter().filter(|key| !reduced.contains(key)).map(|key| column("of", key)).collect::<Result<_, _>>()?;
        let mut columns = groups.clone();
        let unit = value.unit.clone();
        let number = |name, description| {
            Column { unit: unit.clone(), ..Column::new(name, ColumnType::Float64, "", description) }.nullable()
        };
        columns.extend([
            number("mean", "the statistic over all runs"),
            number("ci_low", "lower end of the bootstrap interval; null for a single run"),
            number("ci_high", "upper end of the bootstrap interval; null for a single run"),
            Column::new("n_runs", ColumnType::Int32, "runs", "runs in the statistic, diverged ones included"),
            Column::new("n_diverged", ColumnType::Int32, "runs", "runs among them that had diverged by then"),
        ]);
        let mut schema = TableSchema::new("bootstrap", 1, columns, &[]);
        schema.key = groups.iter().map(|column| column.name.clone()).collect();
        schema.tolerance = of.schema.tolerance.clone();
        // Grouping and filtering leave of a column's values those that pass the filter.
        let mut values = of.values.clone();
        values.retain(|name, _| groups.iter().any(|column| column.name == *name));
        for (name, allowed) in &spec.filter {
            if let Some(values) = values.get_mut(name) {
                values.retain(|value| allowed.contains(value));
            }
        }
        Ok(Planned::new(BootstrapTask {
            values,
            of: of_id,
            runs: runs_id,
            run_axes: run_axes(runs, &keys, &spec.over),
            canonical: Canonical {
                value: spec.value,
                over: spec.over,
                keys: keys.clone(),
                filter: spec.filter,
                mean_over: spec.mean_over,
                statistic,
                when_diverged: spec.when_diverged,
                resamples: spec.resamples,
                level: spec.level,
                seed: spec.seed,
            },
            keys,
            groups,
            outputs: [Output::kept("", schema)],
        }))
    }
}

/// The column of `runs` by which a measurement of a run that had diverged is known.
const DIVERGED: &str = "diverged_at_step";

/// The table of runs: as it is named, or that beside the evaluations of a training.
fn runs_of(parameters: &Node, of: &str) -> Result<Option<Reference>, Fault> {
    if let Some(runs) = Reference::optional(parameters, "runs", Reads::Table)? {
        return Ok(Some(runs));
    }
    let beside = of.strip_suffix("_evaluations").map(|stage| format!("{stage}_runs"));
    let of = Reference::required(parameters, "of", Reads::Table)?;
    Ok(beside.map(|name| Reference { name, ..of }))
}

/// The keys that tell groups of runs apart.
fn run_axes(runs: &Gathered, keys: &[String], over: &str) -> Vec<String> {
    let added = runs.schema.columns[..runs.n_axes].iter().map(|column| column.name.to_string());
    added.chain(runs.own_axes.iter().cloned()).filter(|name| name != over && keys.contains(name)).collect()
}

#[derive(Debug, Serialize)]
struct Canonical {
    value: String,
    over: String,
    keys: Vec<String>,
    #[serde(rename = "where")]
    filter: BTreeMap<String, OneOrMany>,
    mean_over: Vec<String>,
    statistic: Statistic,
    #[serde(serialize_with = "number_or_missing")]
    when_diverged: Option<f64>,
    resamples: usize,
    level: f64,
    seed: u64,
}

/// A word for what is missing, not null: what all runs are missing from used to be left out of results under that key.
fn number_or_missing<S: serde::Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.serialize_f64(*value),
        None => serializer.serialize_str("missing"),
    }
}

#[derive(Debug)]
struct BootstrapTask {
    /// What columns of the result can hold, as far as it is known.
    values: BTreeMap<String, Vec<Cell>>,
    of: TableId,
    runs: TableId,
    /// Axes that tell groups of runs apart.
    run_axes: Vec<String>,
    canonical: Canonical,
    /// The columns that identify a measurement within a run's seed.
    keys: Vec<String>,
    /// Those that remain in the result.
    groups: Vec<Column>,
    outputs: [Output; 1],
}

impl Work for BootstrapTask {
    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(&self.canonical).expect("plain data")
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn known_values(&self) -> BTreeMap<String, Vec<Cell>> {
        self.values.clone()
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let (of, runs) = (context.gathered(self.of, Axes::Matrix)?, context.gathered(self.runs, Axes::Matrix)?);
        let batch = self.compute(of, runs).map_err(|message| context.internal(message))?;
        context.write("bootstrap", batch)
    }

    fn cost(&self) -> f64 {
        0.3
    }
}

/// One seed of one condition.
#[derive(Clone, Copy, Debug)]
struct RunState {
    diverged_at: Option<i64>,
}

/// The state of each run, by the cells of the axes that tell runs apart and by its seed.
type RunStates = BTreeMap<(Vec<Cell>, Cell), RunState>;

/// The values of one measurement, one a run; none where a run has none.
type Series = Vec<Option<f64>>;

/// Where the runs of a condition were measured (its layers), whatever the step.
type Measured = BTreeMap<Vec<Cell>, BTreeSet<Vec<Cell>>>;

impl BootstrapTask {
    fn compute(&self, of: RecordBatch, runs: RecordBatch) -> Result<RecordBatch, String> {
        let of = Frame::new(of);
        let (seeds, states) = self.read_runs(&Frame::new(runs))?;
        let Some(resamples) =
            (!seeds.is_empty()).then(|| Resamples::draw(self.canonical.seed, seeds.len(), self.canonical.resamples))
        else {
            return self.to_batch(&[]);
        };
        let series = self.read_series(&of, &seeds, &states)?;
        // Measurements that end in the same row of the result.
        let mut rows: BTreeMap<Vec<Cell>, Vec<(Vec<Cell>, Series)>> = BTreeMap::new();
        for (key, values) in series {
            let group = self.pick(&key, |name| self.groups.iter().any(|column| column.name == name));
            rows.entry(group).or_default().push((key, values));
        }
        let mut results = Vec::new();
        for (group, members) in rows {
            let reduced = self.mean_over(members);
            match self.statistic(&reduced, &resamples) {
                Some((interval, used)) => {
                    let (n_runs, n_diverged) = self.count(&reduced, &states, &used);
                    results.push((group, Some(interval), n_runs, n_diverged));
                }
                // No run has a value: a row without a statistic where that is because they diverged, else none.
                None => match self.count(&reduced, &states, &[]) {
                    (_, 0) => {}
                    (n_runs, n_diverged) => results.push((group, None, n_runs, n_diverged)),
                },
            }
        }
        self.to_batch(&results)
    }

    /// The seeds in ascending order, and the state of each run by the axes that tell runs apart.
    fn read_runs(&self, runs: &Frame) -> Result<(Vec<Cell>, RunStates), String> {
        let column = |name: &str| runs.cells(name).ok_or_else(|| format!("the runs have no column `{name}`"));
        let over = column(&self.canonical.over)?;
        let axes = self.run_axes.iter().map(|name| column(name)).collect::<Result<Vec<_>, _>>()?;
        let diverged_at = column("diverged_at_step")?;
        let mut states = BTreeMap::new();
        for row in 0..runs.n_rows() {
            let condition: Vec<Cell> = axes.iter().map(|cells| cells[row].clone()).collect();
            let passes = self
                .run_axes
                .iter()
                .zip(&condition)
                .all(|(name, cell)| self.canonical.filter.get(name).is_none_or(|allowed| allowed.contains(cell)));
            if passes {
                let diverged_at = match diverged_at[row] {
                    Cell::Integer(step) => Some(step),
                    _ => None,
                };
                states.insert((condition, over[row].clone()), RunState { diverged_at });
            }
        }
        let seeds: BTreeSet<Cell> = states.keys().map(|(_, seed)| seed.clone()).collect();
        Ok((seeds.into_iter().collect(), states))
    }

    /// The values of every measurement, with what diverged runs count as filled in.
    fn read_series(
        &self,
        of: &Frame,
        seeds: &[Cell],
        states: &RunStates,
    ) -> Result<BTreeMap<Vec<Cell>, Series>, String> {
        let column = |name: &str| of.cells(name).ok_or_else(|| format!("what is measured has no column `{name}`"));
        let keys = self.keys.iter().map(|name| column(name)).collect::<Result<Vec<_>, _>>()?;
        let over = column(&self.canonical.over)?;
        let values =
            of.numbers(&self.canonical.value).ok_or_else(|| format!("`{}` is not a number", self.canonical.value))?;
        let filters = self
            .canonical
            .filter
            .iter()
            .map(|(name, allowed)| Ok((name.as_str(), column(name)?, allowed)))
            .collect::<Result<Vec<_>, String>>()?;
        let mut series: BTreeMap<Vec<Cell>, Series> = BTreeMap::new();
        let mut measured = Measured::default();
        let position: BTreeMap<&Cell, usize> = seeds.iter().enumerate().map(|(index, seed)| (seed, index)).collect();
        for row in 0..of.n_rows() {
            let passes = |is_step: bool| {
                let mut relevant = filters.iter().filter(|(name, ..)| (*name == "step") == is_step);
                relevant.all(|(_, cells, allowed)| allowed.contains(&cells[row]))
            };
            if !passes(false) {
                continue;
            }
            let Some(&run) = position.get(&over[row]) else { continue };
            let key: Vec<Cell> = keys.iter().map(|cells| cells[row].clone()).collect();
            let condition = self.pick(&key, |name| self.is_axis(name));
            measured
                .entry(condition)
                .or_default()
                .insert(self.pick(&key, |name| !self.is_axis(name) && name != "step"));
            if !passes(true) {
                continue;
            }
            series.entry(key).or_insert_with(|| vec![None; seeds.len()])[run] =
                values[row].filter(|value| value.is_finite());
        }
        self.fill(&mut series, &measured, seeds, states);
        Ok(series)
    }

    /// Diverged runs have no rows after their last step: they count as `value` from then on, or as missing. Either way
    /// what all runs of a condition are missing from appears, so that the result can say so.
    fn fill(&self, series: &mut BTreeMap<Vec<Cell>, Series>, measured: &Measured, seeds: &[Cell], states: &RunStates) {
        // Every condition is measured at every step at which any condition was: one in which all runs diverged has no rows
        // of its own there.
        let rest: BTreeSet<Vec<Cell>> = series.keys().map(|key| self.pick(key, |name| !self.is_axis(name))).collect();
        let conditions: BTreeSet<&Vec<Cell>> = states.keys().map(|(condition, _)| condition).collect();
        for condition in conditions {
            let any_diverged = seeds.iter().any(|seed| {
                states.get(&(condition.clone(), seed.clone())).is_some_and(|run| run.diverged_at.is_some())
            });
            if !any_diverged {
                continue;
            }
            for rest in &rest {
                let key = self.merge(condition, rest);
                // But not in layers that its network does not have.
                let place = self.pick(&key, |name| !self.is_axis(name) && name != "step");
                if measured.get(condition).is_some_and(|places| !places.contains(&place)) {
                    continue;
                }
                let values = series.entry(key.clone()).or_insert_with(|| vec![None; seeds.len()]);
                for (index, seed) in seeds.iter().enumerate() {
                    let Some(RunState { diverged_at: Some(at) }) = states.get(&(condition.clone(), seed.clone()))
                    else {
                        continue;
                    };
                    if values[index].is_none() && self.step_of(&key).is_none_or(|step| step >= *at) {
                        values[index] = self.canonical.when_diverged;
                    }
                }
            }
        }
    }

    fn is_axis(&self, name: &str) -> bool {
        self.run_axes.iter().any(|axis| axis == name)
    }

    fn step_of(&self, key: &[Cell]) -> Option<i64> {
        let index = self.keys.iter().position(|name| name == "step")?;
        match key[index] {
            Cell::Integer(step) => Some(step),
            _ => None,
        }
    }

    /// The cells of a key whose columns are wanted.
    fn pick(&self, key: &[Cell], wanted: impl Fn(&str) -> bool) -> Vec<Cell> {
        self.keys.iter().zip(key).filter(|(name, _)| wanted(name)).map(|(_, cell)| cell.clone()).collect()
    }

    /// A key from the cells of its axes and of its other columns.
    fn merge(&self, condition: &[Cell], rest: &[Cell]) -> Vec<Cell> {
        let mut rest = rest.iter();
        self.keys
            .iter()
            .map(|name| match self.run_axes.iter().position(|axis| axis == name) {
                Some(axis) => condition[axis].clone(),
                None => rest.next().expect("as many as there are other columns").clone(),
            })
            .collect()
    }

    /// Averages each run's values over the columns of `mean_over`, in the order of the key. A run that lacks one of them
    /// has no average.
    fn mean_over(&self, members: Vec<(Vec<Cell>, Series)>) -> BTreeMap<Vec<Cell>, (Vec<Cell>, Series)> {
        let mut sums: BTreeMap<Vec<Cell>, (Vec<Cell>, Series, u32)> = BTreeMap::new();
        for (key, values) in members {
            let remaining = self.pick(&key, |name| !self.canonical.mean_over.iter().any(|other| other == name));
            match sums.get_mut(&remaining) {
                None => {
                    sums.insert(remaining, (key, values, 1));
                }
                Some((last, sum, n)) => {
                    for (sum, value) in sum.iter_mut().zip(values) {
                        *sum = sum.zip(value).map(|(sum, value)| sum + value);
                    }
                    *n += 1;
                    *last = key;
                }
            }
        }
        sums.into_iter()
            .map(|(remaining, (key, sum, n))| {
                let mean = sum.into_iter().map(|sum| sum.map(|sum| sum / f64::from(n))).collect();
                (remaining, (key, mean))
            })
            .collect()
    }

    /// The statistic of one group, and which runs are in it.
    fn statistic(
        &self,
        members: &BTreeMap<Vec<Cell>, (Vec<Cell>, Series)>,
        resamples: &Resamples,
    ) -> Option<(Interval, Vec<bool>)> {
        let of = |column: &str, wanted: &Cell| -> Option<&Series> {
            let index = self.keys.iter().position(|name| name == column)?;
            members.values().find(|(key, _)| key[index].matches(wanted)).map(|(_, values)| values)
        };
        let level = self.canonical.level;
        let present = |values: &Series| values.iter().map(Option::is_some).collect::<Vec<_>>();
        match &self.canonical.statistic {
            Statistic::Mean => {
                let (_, values) = members.values().next()?;
                Some((resamples.interval_of_present(values, level)?, present(values)))
            }
            Statistic::Difference(difference) => {
                let (a, b) = (of(&difference.column, &difference.of)?, of(&difference.column, &difference.minus)?);
                let paired: Series = a.iter().zip(b).map(|(a, b)| a.zip(*b).map(|(a, b)| a - b)).collect();
                Some((resamples.interval_of_present(&paired, level)?, present(&paired)))
            }
            Statistic::Ratio(ratio) => {
                let (a, b) = (of(&ratio.column, &ratio.of)?, of(&ratio.column, &ratio.over)?);
                let paired: Vec<Option<(f64, f64)>> = a.iter().zip(b).map(|(a, b)| a.zip(*b)).collect();
                let used: Vec<bool> = paired.iter().map(Option::is_some).collect();
                used.iter().any(|&used| used).then_some(())?;
                let interval = resamples.interval_of_defined(
                    |runs| {
                        let (mut over, mut under) = (0.0, 0.0);
                        for (a, b) in runs.iter().filter_map(|&run| paired[run as usize]) {
                            over += a;
                            under += b;
                        }
                        finite(over / under)
                    },
                    level,
                )?;
                Some((interval, used))
            }
            Statistic::Spread(_) => {
                let groups: Vec<&Series> = members.values().map(|(_, values)| values).collect();
                let n_runs = groups.first()?.len();
                let used: Vec<bool> =
                    (0..n_runs).map(|run| groups.iter().all(|values| values[run].is_some())).collect();
                used.iter().any(|&used| used).then_some(())?;
                let interval = resamples.interval_of_defined(
                    |runs| {
                        let (mut smallest, mut largest) = (f64::INFINITY, f64::NEG_INFINITY);
                        for values in &groups {
                            let (mut sum, mut n) = (0.0, 0u32);
                            for &run in runs.iter().filter(|&&run| used[run as usize]) {
                                sum += values[run as usize].expect("only complete runs are used");
                                n += 1;
                            }
                            let mean = sum / f64::from(n);
                            smallest = smallest.min(mean);
                            largest = largest.max(mean);
                        }
                        finite(largest / smallest)
                    },
                    level,
                )?;
                Some((interval, used))
            }
        }
    }

    /// Runs in the statistic and those among all runs of its conditions that had diverged.
    fn count(
        &self,
        members: &BTreeMap<Vec<Cell>, (Vec<Cell>, Series)>,
        states: &RunStates,
        used: &[bool],
    ) -> (i32, i32) {
        let mut diverged: BTreeSet<(Vec<Cell>, Cell)> = BTreeSet::new();
        for (key, _) in members.values() {
            let condition: Vec<Cell> = self
                .run_axes
                .iter()
                .map(|axis| key[self.keys.iter().position(|name| name == axis).expect("an axis of the table")].clone())
                .collect();
            let step = self.step_of(key);
            for ((run_condition, seed), state) in states {
                if *run_condition == condition && state.diverged_at.is_some_and(|at| step.is_none_or(|step| step >= at))
                {
                    diverged.insert((run_condition.clone(), seed.clone()));
                }
            }
        }
        (used.iter().filter(|&&used| used).count() as i32, diverged.len() as i32)
    }

    fn to_batch(&self, results: &[(Vec<Cell>, Option<Interval>, i32, i32)]) -> Result<RecordBatch, String> {
        let mut columns: Vec<ArrayRef> = Vec::new();
        for (index, column) in self.groups.iter().enumerate() {
            let cells: Vec<Cell> = results.iter().map(|(group, ..)| group[index].clone()).collect();
            columns.push(cells_to_array(&cells, column.kind).map_err(|error| error.to_string())?);
        }
        let number = |part: fn(&Interval) -> Option<f64>| -> ArrayRef {
            Arc::new(results.iter().map(|(_, interval, ..)| part(interval.as_ref()?)).collect::<Float64Array>())
        };
        columns.push(number(|interval| finite(interval.mean)));
        columns.push(number(|interval| interval.ci_low));
        columns.push(number(|interval| interval.ci_high));
        columns.push(Arc::new(results.iter().map(|row| row.2).collect::<Int32Array>()));
        columns.push(Arc::new(results.iter().map(|row| row.3).collect::<Int32Array>()));
        RecordBatch::try_new(self.outputs[0].schema.to_arrow(), columns).map_err(|error| error.to_string())
    }
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;

    use super::*;
    use crate::tables::parquet::categories;

    fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
    }

    fn integers(values: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    /// Two rules, seeds 0 and 1; both runs of `bp` diverged at step 20, and only `bp_oja` has a layer 3.
    fn ratio(step: i64) -> Frame {
        let rule = |n: usize| [Some("bp"), Some("bp_oja")].into_iter().flat_map(move |rule| vec![rule; n]);
        let runs = table(vec![
            ("rule", categories(rule(2))),
            ("seed", integers(&[0, 1, 0, 1])),
            ("diverged_at_step", Arc::new(Int64Array::from(vec![Some(20), Some(20), None, None]))),
        ]);
        let rows: Vec<(&str, i64, i64, i64, f64)> = [("bp", 10, 2), ("bp_oja", 10, 3), ("bp_oja", 30, 3)]
            .into_iter()
            .flat_map(|(rule, step, layers)| {
                (0..2).flat_map(move |seed| (1..=layers).map(move |layer| (rule, seed, step, layer, layer as f64)))
            })
            .collect();
        let column =
            |part: fn(&(&str, i64, i64, i64, f64)) -> i64| integers(&rows.iter().map(part).collect::<Vec<_>>());
        let of = table(vec![
            ("rule", categories(rows.iter().map(|row| Some(row.0)))),
            ("seed", column(|row| row.1)),
            ("step", column(|row| row.2)),
            ("layer", column(|row| row.3)),
            ("norm", Arc::new(rows.iter().map(|row| row.4).collect::<Float64Array>())),
        ]);
        let keys = ["rule", "step", "layer"].map(str::to_owned).to_vec();
        let groups =
            vec![Column::new("rule", ColumnType::Category, "", ""), Column::new("step", ColumnType::Int64, "", "")];
        let mut columns = groups.clone();
        columns.extend(
            ["mean", "ci_low", "ci_high"]
                .map(|name| Column { name: name.into(), ..Column::new("", ColumnType::Float64, "", "").nullable() }),
        );
        columns.extend(
            ["n_runs", "n_diverged"]
                .map(|name| Column { name: name.into(), ..Column::new("", ColumnType::Int32, "", "") }),
        );
        let task = BootstrapTask {
            of: TableId(0),
            runs: TableId(1),
            run_axes: vec!["rule".into()],
            canonical: Canonical {
                value: "norm".into(),
                over: "seed".into(),
                keys: keys.clone(),
                filter: BTreeMap::from([("step".into(), OneOrMany::One(Cell::Integer(step)))]),
                mean_over: Vec::new(),
                statistic: Statistic::Ratio(Ratio {
                    column: "layer".into(),
                    of: Cell::Integer(2),
                    over: Cell::Integer(1),
                }),
                when_diverged: None,
                resamples: 10,
                level: 0.98,
                seed: 0,
            },
            keys,
            values: BTreeMap::new(),
            groups,
            outputs: [Output::kept("", TableSchema::new("bootstrap", 1, columns, &[]))],
        };
        Frame::new(task.compute(of, runs).unwrap())
    }

    #[test]
    fn a_condition_in_which_every_run_diverged_has_a_row_without_a_statistic() {
        let before = ratio(10);
        assert_eq!(before.numbers("mean").unwrap(), [Some(2.0), Some(2.0)]);
        assert_eq!(before.numbers("n_diverged").unwrap(), [Some(0.0), Some(0.0)]);
        let after = ratio(30);
        assert_eq!(after.strings("rule").unwrap(), [Some("bp".to_owned()), Some("bp_oja".to_owned())]);
        assert_eq!(after.numbers("mean").unwrap(), [None, Some(2.0)]);
        assert_eq!(after.numbers("n_runs").unwrap(), [Some(0.0), Some(2.0)]);
        assert_eq!(after.numbers("n_diverged").unwrap(), [Some(2.0), Some(0.0)]);
    }
}
