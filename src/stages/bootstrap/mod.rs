//! measurements × runs → mean, ci_low, ci_high, n_runs, n_diverged, by group
//!
//! Sums and means behind figures are taken here, in a fixed order, by the mathematics of [`crate::science::bootstrap`].

mod series;
mod spec;
mod statistic;
mod summary;
mod task;
#[cfg(test)]
mod tests;
mod values;

use super::tuned::TunedRow;
use crate::spec::node::{Fault, Node, instead_of};
use crate::tables::{Column, ColumnType, Row};
use crate::task::{Gathered, Kind, Output, Planned, Planning, Reads, Reference};
pub use spec::OneOrMany;
use spec::{BootstrapSpec, Statistic};
pub(crate) use summary::SummaryRow;
use summary::{DIVERGED, summary_schema};
use task::{BootstrapTask, Canonical};
pub(in crate::stages) use values::{CELL, LOG, MINUS, PLUS, ValueRow};

/// `kind = "bootstrap"`
pub struct Bootstrap;

impl Kind for Bootstrap {
    fn name(&self) -> &'static str {
        "bootstrap"
    }

    fn summary(&self) -> &'static str {
        "Mean over runs with a percentile interval; paired differences and ratios too."
    }

    fn version(&self) -> u32 {
        3
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<BootstrapSpec>()
    }

    fn tables(&self) -> Vec<Output> {
        vec![Output::kept("", SummaryRow::schema()), Output::kept("values", ValueRow::schema())]
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        let of = Reference::required(parameters, "of", Reads::Table)?;
        // That `runs` is missing is said when `of` is known to be a table: a slip in its name is the likelier fault.
        let runs = runs_of(parameters, &of.name)?;
        let selection = Reference::optional(parameters, "selection", Reads::Table)?;
        Ok([of].into_iter().chain(runs).chain(selection).collect())
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
        let diverged = runs.schema.column(DIVERGED).map(|column| column.kind);
        if diverged != Some(ColumnType::Int64) {
            let found = match diverged {
                None => format!("it has no column `{DIVERGED}`"),
                Some(kind) => format!("its column `{DIVERGED}` is of type {}, not int64", kind.in_words()),
            };
            let message = format!("`{}` does not say which runs diverged: {found}", runs.name);
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
                    "table `{}` has no column `{name}`; {}",
                    of.name,
                    instead_of(name, of.schema.column_names())
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
        let runs_axes = axes_of(runs);
        column("over", &spec.over)?;
        if !runs_axes.contains(&spec.over) {
            let there = instead_of(&spec.over, &runs_axes);
            let message = format!("`{}` is not an axis of table `{}`; {there}", spec.over, runs.name);
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
                format!("`{name}` does not tell rows of `{}` apart; {}", of.name, instead_of(name, &keys)),
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
        let has_cells = keys.iter().any(|key| key == CELL);
        if has_cells && spec.selection.is_none() {
            return Err(Fault::at(&planning.parameters.span, format!("`{}` has an axis `cell`, so the key `selection` is missing", of.name))
                .help("Write `selection = \"<stage>\"` with the stage of kind `tuned`, which knows how probable each cell is."));
        }
        let selection = spec.selection.as_deref().map(|name| planning.gathered(name));
        if let Some((_, table)) = &selection
            && table.schema.kind != TunedRow::schema().kind
        {
            return Err(planning.fault("selection", format!("`{}` is not made by a stage of kind `tuned`", table.name)));
        }
        let groups: Vec<Column> = keys
            .iter()
            .filter(|key| !reduced.contains(key) && *key != CELL)
            .map(|key| column("of", key))
            .collect::<Result<_, _>>()?;
        let schema = summary_schema(&groups, &value, of.schema.tolerance.clone());
        let compared = statistic.compared().map(|name| column("of", name)).transpose()?;
        let values_schema =
            BootstrapTask::value_schema(&groups, compared.as_ref(), &column("over", &spec.over)?, &value, &statistic);
        // Grouping and filtering leave of a column's values those that pass the filter.
        let mut values = of.values.clone();
        values.retain(|name, _| groups.iter().any(|column| column.name == *name));
        for (name, allowed) in &spec.filter {
            if let Some(values) = values.get_mut(name) {
                *values = values.iter().filter(|value| allowed.contains(value)).cloned().collect();
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
            selection: selection.map(|(id, _)| id),
            outputs: [Output::kept("", schema), Output::kept("values", values_schema)],
        }))
    }
}

/// The table of runs: as it is named, or that beside the evaluations of a training.
fn runs_of(parameters: &Node, of: &str) -> Result<Option<Reference>, Fault> {
    if let Some(runs) = Reference::optional(parameters, "runs", Reads::Table)? {
        return Ok(Some(runs));
    }
    let beside = of.strip_suffix("_evaluations").map(|stage| format!("{stage}_runs"));
    let of = Reference::required(parameters, "of", Reads::Table)?;
    Ok(beside.map(|name| Reference { name, ..of }))
}

/// The axes by which runs are told apart: of a table that SQL made, of several trainings perhaps, any of its columns.
fn axes_of(runs: &Gathered) -> Vec<String> {
    let columns = &runs.schema.columns;
    let axes = if runs.schema.key.is_empty() { columns } else { &columns[..runs.n_axes] };
    axes.iter().map(|column| column.name.to_string()).collect()
}

/// The keys that tell groups of runs apart.
fn run_axes(runs: &Gathered, keys: &[String], over: &str) -> Vec<String> {
    let added = axes_of(runs).into_iter();
    added.chain(runs.own_axes.iter().cloned()).filter(|name| name != over && keys.contains(name)).collect()
}
