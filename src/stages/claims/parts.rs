//! The values of runs behind a condition → its parts, each a contrast of what tuning left.

use std::collections::{BTreeMap, BTreeSet};

use super::spec::Condition;
use crate::science::inference::contrast::{Contrast, InvalidContrast, Side, Survivor};
use crate::science::inference::sample::median;
use crate::science::inference::verdict::{Bound, Failures};
use crate::stages::bootstrap::{LOG, MINUS, OneOrMany, PLUS, ValueRow};
use crate::tables::TableError;
use crate::tables::frame::{Cell, Frame};

/// One part of a claim: a condition in one row of its table.
#[derive(Debug)]
pub(super) struct Part {
    /// `> 0.02 in gain where step = 5000`: what is tested, and where.
    pub condition: String,
    /// The runs, in ascending order.
    pub runs: Vec<Cell>,
    /// Where the condition is not about runs: how probable the thing is, if that is known.
    pub probability: Option<f64>,
    /// Values are logarithms.
    pub is_log: bool,
    /// Runs that diverged count as chance, so that one that ends near there failed as well.
    has_chance: bool,
    sides: Vec<SideRuns>,
}

/// One rule, or whatever else is compared: what each run gave with each of the coefficients that tuning left.
#[derive(Debug)]
pub(super) struct SideRuns {
    name: String,
    /// Cells that tuning left, whether they were trained or not.
    pub n_cells: i64,
    pub cells: BTreeMap<i64, CellRuns>,
    /// A row of it in the table of values, which says where it stands on the axes.
    pub row: usize,
}

/// What the runs gave with one cell.
#[derive(Debug)]
pub(super) struct CellRuns {
    probability: f64,
    n_tuned: i32,
    n_tuned_failed: i32,
    tuning_gap: Option<f64>,
    /// By run: value and whether it diverged.
    runs: BTreeMap<Cell, (Option<f64>, bool)>,
}

impl CellRuns {
    /// Whether a run was trained.
    pub(super) fn has(&self, run: &Cell) -> bool {
        self.runs.contains_key(run)
    }
}

/// How many runs failed, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub failed: usize,
    pub of: usize,
}

/// The parts of a condition: one for each row of its table that it speaks of. Where nothing was measured there is a part
/// without runs.
///
/// # Errors
/// A column is missing or of another type.
pub(super) fn parts(condition: &Condition, table: &Frame) -> Result<Vec<Part>, TableError> {
    let chosen = condition.filter.keys().chain(condition.for_all.keys());
    let columns: BTreeMap<&str, Vec<Cell>> =
        chosen.map(|name| Ok((name.as_str(), table.cells(name)?))).collect::<Result<_, TableError>>()?;
    let is_chosen = |row: usize, wanted: &[(&str, &Cell)]| {
        condition.filter.iter().all(|(name, allowed)| allowed.contains(&columns[name.as_str()][row]))
            && wanted.iter().all(|(name, value)| value.matches(&columns[*name][row]))
    };
    if let Some(column) = &condition.probability {
        let probabilities = table.numbers(column)?;
        let part = |wanted: Vec<(&str, &Cell)>| {
            let mut rows = (0..probabilities.len()).filter(|&row| is_chosen(row, &wanted));
            let probability = rows.next().and_then(|row| probabilities[row]).filter(|_| rows.next().is_none());
            Part { probability, ..Part::nothing(in_words(condition, &wanted, &[])) }
        };
        return Ok(products(&condition.for_all).into_iter().map(part).collect());
    }
    let over = condition.over.as_ref().expect("a condition is about a probability or about runs");
    let values: Vec<ValueRow<'_>> = table.rows()?;
    let keys: Vec<(&str, Vec<Cell>)> =
        condition.keys.iter().map(|name| Ok((name.as_str(), table.cells(name)?))).collect::<Result<_, TableError>>()?;
    let runs = table.cells(over)?;
    let mut parts = Vec::new();
    for wanted in products(&condition.for_all) {
        let mut groups: BTreeMap<Vec<&Cell>, Vec<usize>> = BTreeMap::new();
        for row in 0..values.len() {
            if is_chosen(row, &wanted) {
                groups.entry(keys.iter().map(|(_, cells)| &cells[row]).collect()).or_default().push(row);
            }
        }
        if groups.is_empty() {
            // Nothing was measured there: not a refutation, and not a confirmation.
            parts.push(Part::nothing(in_words(condition, &wanted, &[])));
            continue;
        }
        // Of several rows each is named by what tells it apart.
        let first: Vec<&Cell> = groups.keys().next().cloned().unwrap_or_default();
        let apart = |key: usize| groups.keys().any(|group| group[key] != first[key]);
        let apart: Vec<usize> = (0..keys.len()).filter(|&key| apart(key)).collect();
        for (group, rows) in &groups {
            let which: Vec<(&str, &Cell)> = apart.iter().map(|&key| (keys[key].0, group[key])).collect();
            parts.push(Part::new(in_words(condition, &wanted, &which), rows, &values, &runs));
        }
    }
    Ok(parts)
}

impl Part {
    /// A part without runs.
    fn nothing(condition: String) -> Self {
        Self { condition, runs: Vec::new(), probability: None, is_log: false, has_chance: false, sides: Vec::new() }
    }

    fn new(condition: String, rows: &[usize], values: &[ValueRow<'_>], runs: &[Cell]) -> Self {
        let mut sides: Vec<SideRuns> = Vec::new();
        for name in [PLUS, MINUS] {
            let own: Vec<usize> = rows.iter().copied().filter(|&row| values[row].part == name).collect();
            let Some(&row) = own.first() else { continue };
            let mut side = SideRuns {
                name: name.to_owned(),
                n_cells: i64::from(values[row].n_cells),
                cells: BTreeMap::new(),
                row,
            };
            for row in own {
                let value = &values[row];
                let cell = side.cells.entry(value.cell).or_insert_with(|| CellRuns {
                    probability: value.probability,
                    n_tuned: value.n_tuned,
                    n_tuned_failed: value.n_tuned_failed,
                    tuning_gap: value.tuning_gap,
                    runs: BTreeMap::new(),
                });
                cell.runs.insert(runs[row].clone(), (value.value, value.diverged));
            }
            sides.push(side);
        }
        let picked = sides.iter().filter_map(|side| side.cells.get(&1)).flat_map(|cell| cell.runs.keys().cloned());
        let runs: BTreeSet<Cell> = picked.collect();
        let is_log = values[rows[0]].scale == LOG;
        let has_chance = !is_log && values[rows[0]].when_diverged.is_some();
        Self { is_log, has_chance, sides, runs: runs.into_iter().collect(), ..Self::nothing(condition) }
    }

    /// The rules that are compared, `plus` first.
    pub(super) fn sides(&self) -> &[SideRuns] {
        &self.sides
    }

    /// The first so many runs, those left out that lack a value anywhere; none where no run has them all.
    ///
    /// # Errors
    /// Values or probabilities that are none.
    pub(super) fn contrast(&self, n_runs: usize) -> Result<Option<Contrast>, InvalidContrast> {
        if self.sides.first().is_none_or(|side| side.name != PLUS) {
            return Ok(None);
        }
        let cells = || self.sides.iter().flat_map(|side| side.cells.values());
        let value = |cell: &CellRuns, run: &Cell| cell.runs.get(run).and_then(|(value, _)| *value);
        let complete: Vec<&Cell> =
            self.runs.iter().take(n_runs).filter(|run| cells().all(|cell| value(cell, run).is_some())).collect();
        if complete.is_empty() {
            return Ok(None);
        }
        let side = |side: &SideRuns| {
            // What was not trained, because it was hardly ever picked, leaves its share to the others.
            let sum: f64 = side.cells.values().map(|cell| cell.probability).sum();
            Side::new(
                side.cells
                    .values()
                    .map(|cell| Survivor {
                        probability: if side.cells.len() == 1 { 1.0 } else { cell.probability / sum },
                        values: complete.iter().filter_map(|run| value(cell, run)).collect(),
                    })
                    .collect(),
            )
        };
        let minus = self.sides.get(1).map(side).transpose()?;
        Contrast::new(side(&self.sides[0])?, minus).map(Some)
    }

    /// Whether all cells that tuning left were trained.
    pub(super) fn is_complete(&self) -> bool {
        self.sides.iter().all(|side| side.cells.len() as i64 >= side.n_cells)
    }

    /// Of one cell, the values of the first so many runs, each with whether the run failed: it diverged, or ended below half
    /// of the median of the picked cell. Only these runs are looked at, so that a look is not judged by later ones.
    fn looked_at<'a>(
        &'a self,
        side: &'a SideRuns,
        cell: &'a CellRuns,
        n_runs: usize,
    ) -> impl Iterator<Item = (Option<f64>, bool)> + 'a {
        let of = move |cell: &'a CellRuns| self.runs.iter().take(n_runs).filter_map(move |run| cell.runs.get(run));
        let picked = side.cells.get(&1).filter(|_| self.has_chance);
        let median = picked.and_then(|picked| median(of(picked).filter_map(|(value, _)| *value).collect()));
        // Half of a number below 0 lies above it: such values say nothing of failure.
        let median = median.filter(|median| *median > 0.0);
        of(cell).map(move |(value, diverged)| {
            (*value, *diverged || value.zip(median).is_some_and(|(value, median)| value < median / 2.0))
        })
    }

    /// Whether a run of what was picked diverged.
    pub(super) fn any_diverged(&self, n_runs: usize) -> bool {
        let picked = self.sides.iter().filter_map(|side| side.cells.get(&1));
        let runs = || self.runs.iter().take(n_runs);
        picked.flat_map(|cell| runs().filter_map(|run| cell.runs.get(run))).any(|(_, diverged)| *diverged)
    }

    /// Failed runs with what was picked, and while it was tuned.
    pub(super) fn counted(&self, n_runs: usize) -> (Counted, Counted) {
        let (mut here, mut tuning) = (Counted::default(), Counted::default());
        for side in &self.sides {
            let Some(cell) = side.cells.get(&1) else { continue };
            for (_, failed) in self.looked_at(side, cell, n_runs) {
                here.of += 1;
                here.failed += usize::from(failed);
            }
            tuning.of += cell.n_tuned as usize;
            tuning.failed += cell.n_tuned_failed as usize;
        }
        (here, tuning)
    }

    /// Failures with any of the cells, tuning included, and how far failed runs lie below others, on the side where that is
    /// farthest. Without a failed run that has a value nothing is known of the gap, and it counts as 0.
    pub(super) fn failures(&self, n_runs: usize) -> Failures {
        let mut failures = Failures { n_failed: 0, gap: 0.0 };
        for side in &self.sides {
            let (mut good, mut bad) = ((0.0, 0u32), (0.0, 0u32));
            let mut tuning_gap: f64 = 0.0;
            for cell in side.cells.values() {
                for (value, failed) in self.looked_at(side, cell, n_runs) {
                    failures.n_failed += usize::from(failed);
                    let Some(value) = value else { continue };
                    let sum = if failed { &mut bad } else { &mut good };
                    *sum = (sum.0 + value, sum.1 + 1);
                }
                // How far accuracies fell while they were tuned says nothing of other measures.
                if self.has_chance {
                    failures.n_failed += cell.n_tuned_failed as usize;
                    tuning_gap = tuning_gap.max(cell.tuning_gap.unwrap_or(0.0));
                }
            }
            let mean = |(sum, n): (f64, u32)| sum / f64::from(n);
            let gap = if good.1 > 0 && bad.1 > 0 { (mean(good) - mean(bad)).abs() } else { tuning_gap };
            failures.gap = failures.gap.max(gap);
        }
        failures
    }
}

/// `> 0.2 in accuracy where step = 600, rule = bp`
fn in_words(condition: &Condition, wanted: &[(&str, &Cell)], which: &[(&str, &Cell)]) -> String {
    let is_named = |name: &str| which.iter().any(|(named, _)| *named == name);
    let place: Vec<String> = condition
        .filter
        .iter()
        .filter(|(name, _)| !is_named(name))
        .map(|(name, allowed)| {
            let values: Vec<String> = allowed.values().iter().map(ToString::to_string).collect();
            format!("{name} = {}", values.join("|"))
        })
        .chain(wanted.iter().chain(which).map(|(name, value)| format!("{name} = {value}")))
        .collect();
    let mut text = match condition.bound {
        Bound::Above(bound) => format!("> {bound}"),
        Bound::Below(bound) => format!("< {bound}"),
        Bound::Between(low, high) => format!("between {low} and {high}"),
    };
    if let Some(column) = &condition.probability {
        text = format!("{column} {text}");
    }
    text += &format!(" in {}", condition.of);
    if !place.is_empty() {
        text += &format!(" where {}", place.join(", "));
    }
    if condition.or_diverged {
        text += ", or diverged";
    }
    if let Some(given) = &condition.given {
        text += &format!(", given {given}");
    }
    text
}

/// Every combination of the values of `for_all`; one empty combination where there is none.
fn products(for_all: &BTreeMap<String, OneOrMany>) -> Vec<Vec<(&str, &Cell)>> {
    let mut products = vec![Vec::new()];
    for (name, values) in for_all {
        products = products
            .into_iter()
            .flat_map(|product: Vec<(&str, &Cell)>| {
                values.values().iter().map(move |value| {
                    let mut product = product.clone();
                    product.push((name.as_str(), value));
                    product
                })
            })
            .collect();
    }
    products
}
