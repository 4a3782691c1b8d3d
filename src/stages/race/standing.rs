//! A race as it stands: every cell with its mean and error, how probable its victory is, and what it wants next.

use std::collections::{BTreeMap, BTreeSet};

use super::rows::{BestRow, CellRow, Entrant};
use crate::science::inference::contrast::selection_probabilities;
use crate::science::inference::sample::{mean, median, variance};
use crate::science::racing::{Race, Rungs, Standing, Step};
use crate::stages::coefficients::{Pick, Survivor};

/// Draws behind the probabilities come from this seed, of a purpose of its own.
const DRAW_SEED: u64 = 0;

/// Cells that a figure has to run with, at most.
const MOST_LEFT: usize = 6;

/// Draws behind a probability.
const DRAWS: usize = 2000;

/// A cell of a race.
pub(super) struct CellFound {
    rungs: Rungs,
    /// One a coefficient of the table, none where the rule does not have it.
    pub values: Vec<Option<f64>>,
    positive: bool,
    scores: Vec<f64>,
    /// Of each score, whether the training counts as a failure.
    failed: Vec<bool>,
    probability: f64,
    probability_positive: f64,
    /// From 0, among the survivors that have every term.
    place: Option<usize>,
    wanted: usize,
}

/// A race of one condition.
pub(super) struct Found {
    pub condition: [String; 3],
    pub cells: Vec<CellFound>,
    /// When it is over: positions of the best cell, and of the best that has every term.
    pub best: Option<(usize, usize)>,
    /// Where each of these two lies in the grid.
    edges: [&'static str; 2],
    /// Whether the condition's grid has cells that leave a term out.
    pub is_optional: bool,
}

impl Found {
    pub(super) fn new(entrant: &Entrant, race: &Race) -> Self {
        let step = race.step(&entrant.scores);
        let nothing = BTreeMap::new();
        let (wanted, standing) = match &step {
            Step::Train(wanted) => (wanted, None),
            Step::Done(standing) => (&nothing, Some(standing)),
        };
        let all: BTreeSet<&Rungs> = entrant.scores.keys().chain(wanted.keys()).collect();
        let cell = |rungs: &Rungs| {
            let mut own = race.ladders().iter().zip(rungs).map(|(ladder, rung)| ladder.value(*rung));
            let values = entrant.has.iter().map(|has| has.then(|| own.next().flatten()).flatten()).collect();
            let scores = entrant.scores.get(rungs).cloned().unwrap_or_default();
            CellFound {
                values,
                positive: race.is_positive(rungs),
                failed: entrant.diverged.get(rungs).cloned().unwrap_or_default(),
                probability: 0.0,
                probability_positive: 0.0,
                place: None,
                wanted: wanted.get(rungs).map_or(0, |seeds| seeds.saturating_sub(scores.len())),
                scores,
                rungs: rungs.clone(),
            }
        };
        let mut found = Self {
            condition: entrant.condition.each_ref().map(ToString::to_string),
            cells: all.into_iter().map(cell).collect(),
            best: None,
            edges: [""; 2],
            is_optional: (0..).zip(race.ladders()).any(|(_, ladder)| ladder.value(0) == Some(0.0)),
        };
        if let Some(standing) = standing {
            found.conclude(race, standing);
        }
        found
    }

    /// What only a race that is over can say.
    fn conclude(&mut self, race: &Race, standing: &Standing) {
        let position = |rungs: &Rungs| self.cells.iter().position(|cell| cell.rungs == *rungs);
        let survivors: Vec<usize> = standing.survivors.iter().filter_map(position).collect();
        let positive: Vec<usize> = survivors.iter().copied().filter(|&cell| self.cells[cell].positive).collect();
        let common = |cells: &[usize]| -> Vec<f64> {
            let scores: Vec<Vec<f64>> =
                cells.iter().map(|&cell| self.cells[cell].scores[..standing.common_seeds].to_vec()).collect();
            selection_probabilities(&scores, DRAW_SEED, DRAWS)
        };
        let (of_all, of_positive) = (common(&survivors), common(&positive));
        let median = median(self.cells[survivors[0]].scores.clone()).expect("a survivor was trained");
        for (&cell, probability) in survivors.iter().zip(of_all) {
            self.cells[cell].probability = probability;
        }
        for (place, (&cell, probability)) in positive.iter().zip(of_positive).enumerate() {
            (self.cells[cell].probability_positive, self.cells[cell].place) = (probability, Some(place));
        }
        for cell in &mut self.cells {
            cell.failed.iter_mut().zip(&cell.scores).for_each(|(failed, score)| *failed |= *score < median / 2.0);
        }
        self.best = Some((survivors[0], positive[0]));
        self.edges = [survivors[0], positive[0]].map(|cell| self.edge(race, cell));
    }

    /// Where a cell lies: what stands beyond it on the first ladder on which it has no neighbour that learns.
    fn edge(&self, race: &Race, cell: usize) -> &'static str {
        let rungs = &self.cells[cell].rungs;
        let mut found = "inside";
        for (axis, ladder) in race.ladders().iter().enumerate() {
            for rung in [rungs[axis] - 1, rungs[axis] + 1] {
                let mut neighbour = rungs.clone();
                neighbour[axis] = rung;
                let beyond = match self.cells.iter().find(|cell| cell.rungs == neighbour) {
                    _ if ladder.value(rung).is_none() => "zero",
                    None => return "untried",
                    Some(cell) if cell.scores.is_empty() => return "untried",
                    Some(cell) if cell.failed.iter().all(|failed| *failed) => "divergence",
                    Some(_) => continue,
                };
                found = beyond;
            }
        }
        found
    }

    /// The rows of the best cells, when the race is over.
    pub(super) fn best_rows(&self) -> Vec<(BestRow<'_>, &CellFound)> {
        let Some((best, positive)) = self.best else { return Vec::new() };
        let row = |choice, edge, cell: &CellFound, probability| BestRow {
            dataset: &self.condition[0],
            setting: &self.condition[1],
            rule: &self.condition[2],
            choice,
            score: cell.mean().unwrap_or_default(),
            error: cell.error().unwrap_or_default(),
            probability,
            n: cell.scores.len() as i32,
            n_trainings: self.trainings() as i32,
            n_tried: self.cells.len() as i32,
            edge,
        };
        let (best, positive) = (&self.cells[best], &self.cells[positive]);
        let mut rows = vec![(row("best", self.edges[0], best, best.probability), best)];
        if self.is_optional {
            rows.push((row("best_positive", self.edges[1], positive, positive.probability_positive), positive));
        }
        rows
    }

    pub(super) fn cell_rows(&self) -> impl Iterator<Item = (CellRow<'_>, &CellFound)> {
        self.cells.iter().map(|cell| {
            let row = CellRow {
                dataset: &self.condition[0],
                setting: &self.condition[1],
                rule: &self.condition[2],
                n: cell.scores.len() as i32,
                mean: cell.mean(),
                error: cell.error(),
                n_failed: cell.n_failed() as i32,
                probability: cell.probability,
                probability_positive: cell.probability_positive,
                place: cell.place.map(|place| place as i32 + 1),
                wanted: cell.wanted as i32,
            };
            (row, cell)
        })
    }

    pub(super) fn trainings(&self) -> usize {
        self.cells.iter().map(|cell| cell.scores.len()).sum()
    }

    /// The cells that tuning again would pick, by how probable that is, with Oja's term or without.
    pub(super) fn picks(&self, names: &[String]) -> Vec<Pick> {
        let mut picked: Vec<&CellFound> = self.cells.iter().filter(|cell| cell.probability > 0.0).collect();
        picked.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        picked.into_iter().map(|cell| Pick { terms: cell.terms(names), probability: cell.probability }).collect()
    }

    /// What figures can run with, each with its probability: the pick first, then by how probable they are, [`MOST_LEFT`] at
    /// most. Cells that are never picked are left out, but for the pick.
    pub(super) fn survivors(&self) -> Vec<(&CellFound, f64)> {
        let is_left = |cell: &&CellFound| cell.place.is_some_and(|place| place == 0 || cell.probability_positive > 0.0);
        let mut left: Vec<&CellFound> = self.cells.iter().filter(is_left).collect();
        left.sort_by(|a, b| {
            let first = |cell: &CellFound| cell.place != Some(0);
            first(a).cmp(&first(b)).then(b.probability_positive.total_cmp(&a.probability_positive))
        });
        left.truncate(MOST_LEFT);
        let sum: f64 = left.iter().map(|cell| cell.probability_positive).sum();
        left.into_iter().map(|cell| (cell, cell.probability_positive / sum)).collect()
    }
}

impl CellFound {
    fn mean(&self) -> Option<f64> {
        (!self.scores.is_empty()).then(|| mean(&self.scores))
    }

    fn error(&self) -> Option<f64> {
        let n = self.scores.len();
        (n > 1).then(|| (variance(&self.scores) / n as f64).sqrt())
    }

    fn n_failed(&self) -> usize {
        self.failed.iter().filter(|failed| **failed).count()
    }

    /// How far the mean of failed trainings lies below that of the others; none without either.
    fn gap(&self) -> Option<f64> {
        let mean_of = |wanted: bool| {
            let own = self.scores.iter().zip(&self.failed).filter(|(_, failed)| **failed == wanted);
            let own: Vec<f64> = own.map(|(score, _)| *score).collect();
            (!own.is_empty()).then(|| mean(&own))
        };
        Some(mean_of(false)? - mean_of(true)?)
    }

    pub(super) fn terms(&self, names: &[String]) -> BTreeMap<String, f64> {
        names.iter().zip(&self.values).filter_map(|(name, value)| Some((name.clone(), (*value)?))).collect()
    }

    /// As the committed table has it.
    pub(super) fn survivor(&self, names: &[String], probability: f64) -> Survivor {
        Survivor {
            terms: self.terms(names),
            probability,
            n: self.scores.len() as u32,
            mean: self.mean().unwrap_or_default(),
            error: self.error().unwrap_or_default(),
            failed: self.n_failed() as u32,
            gap: self.gap(),
        }
    }
}
