//! Racing: which cell of a grid of coefficients is best, by a fixed number of trainings (Maron & Moore 1994; here with the
//! schedule of successive halving, Karnin, Koren & Somekh 2013).
//!
//! Few seeds for every cell, more for those that stay: after 3 seeds the best 18 cells go on, after 6 the best 9, after 12
//! the best 6, which get 20; what is left of the trainings is spent evenly on the survivors. Seeds are common to all cells,
//! so that a cell is compared with others on the same samples and initial weights. At each cut those go, too, that are clearly
//! worse than the best:
//!
//! mean_c < mean_best − 2.5 s_p √(2/n),
//!
//! s_p² being the mean over cells of the variance, over seeds, of a score minus the mean of its seed. The pick is the cell
//! with the highest mean over all its seeds.
//!
//! A pick on the edge of its grid says only that the grid was too small. So whenever the best cell has a neighbour, one rung up
//! or down on one ladder, that was never tried, the neighbour joins with as many seeds, at the expense of the same budget.

mod ladder;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use ladder::Ladder;

use super::inference::sample;

/// A cell: its rung on each ladder.
pub type Rungs = Vec<i32>;

/// What was measured of each cell: the score of each training, in the order of the seeds, which all cells have in common.
pub type Scores = BTreeMap<Rungs, Vec<f64>>;

/// Seeds that the cells of a round have behind them when it is cut, and how many go on at most.
const CUTS: [(usize, usize); 3] = [(3, 18), (6, 9), (12, 6)];

/// Seeds of the survivors before the rest is spent.
const LAST_ROUND: usize = 20;

/// Cells this many standard errors of a difference below the best are dropped.
const CLEARLY_WORSE: f64 = 2.5;

/// As many are kept whatever their scores.
const FEWEST: usize = 2;

/// A ladder is climbed or descended this far beyond its ends.
const MOST_EXTENSION: i32 = 6;

/// The race of one condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Race {
    ladders: Vec<Ladder>,
    budget: usize,
    /// The ladder whose lowest rung takes a term out of the rule.
    optional: Option<usize>,
}

/// How a race goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// These cells have to be trained until they have so many seeds behind them.
    Train(BTreeMap<Rungs, usize>),
    /// The race is over.
    Done(Standing),
}

/// How a race stands when it is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The cells that were left, the highest mean first; of equals the one with the smaller coefficients.
    pub survivors: Vec<Rungs>,
    /// Seeds that every survivor has behind it.
    pub common_seeds: usize,
    /// Neighbours of the best that were never tried: where there are any, the trainings were used up at an edge, or the
    /// best changed when the rest was spent.
    pub untried: Vec<Rungs>,
}

impl Race {
    /// Rounds of a race that need not climb beyond its ladders: one a cut, one of the survivors, and what is left to spend.
    pub const ROUNDS: usize = CUTS.len() + 2;

    /// A race over the product of these ladders, with so many trainings in all. On an `optional` ladder the lowest rung leaves
    /// a term out; then at least two cells with the term are kept at every cut, so that there is a best one among those.
    ///
    /// # Panics
    ///
    /// If there is no ladder, or `optional` names none.
    pub fn new(ladders: Vec<Ladder>, budget: usize, optional: Option<usize>) -> Self {
        assert!(!ladders.is_empty(), "a race is run over at least one coefficient");
        assert!(optional.is_none_or(|ladder| ladder < ladders.len()), "the optional ladder is one of them");
        Self { ladders, budget, optional }
    }

    /// The number of trainings of each condition of a setting whose largest grid has so many cells: three for each, and 200
    /// for those that go on.
    pub fn budget_for(largest_grid: usize, spare: usize) -> usize {
        CUTS[0].0 * largest_grid + spare
    }

    /// The ladders.
    pub fn ladders(&self) -> &[Ladder] {
        &self.ladders
    }

    /// The cells of the grid as it was written.
    pub fn grid(&self) -> Vec<Rungs> {
        self.ladders.iter().fold(vec![Rungs::new()], |cells, ladder| {
            let rungs = || 0..ladder.len() as i32;
            cells.iter().flat_map(|cell| rungs().map(|rung| [cell.as_slice(), &[rung]].concat())).collect()
        })
    }

    /// How many ladders were extended for a cell.
    fn beyond(&self, cell: &[i32]) -> usize {
        let outside = |(rung, ladder): &(&i32, &Ladder)| !(0..ladder.len() as i32).contains(*rung);
        cell.iter().zip(&self.ladders).filter(outside).count()
    }

    /// Whether a cell has the term that others leave out.
    pub fn is_positive(&self, cell: &[i32]) -> bool {
        self.optional.is_none_or(|ladder| self.ladders[ladder].value(cell[ladder]) != Some(0.0))
    }

    /// What has to be trained next, or how the race ended: a function of the scores alone, played again from the start, so
    /// that it is the same whoever asks, and whenever.
    pub fn step(&self, scores: &Scores) -> Step {
        let mut played = Played::new(self, scores);
        let rounds = CUTS.into_iter().map(|(seeds, most)| (seeds, Some(most))).chain([(LAST_ROUND, None)]);
        for (seeds, most) in rounds {
            match (played.reach(seeds), most) {
                (Reached::Wanting(wanted), _) => return Step::Train(wanted),
                (Reached::All, Some(most)) => played.cut(most),
                // A round that is too dear for all: they share what there is, so that every condition gets as much.
                (Reached::OutOfTrainings, _) | (Reached::All, None) => break,
            }
        }
        let wanted = played.rest();
        if wanted.is_empty() { Step::Done(played.standing()) } else { Step::Train(wanted) }
    }
}

/// What came of a round.
enum Reached {
    /// Trainings are missing.
    Wanting(BTreeMap<Rungs, usize>),
    /// There are not enough trainings left for it.
    OutOfTrainings,
    /// All cells have as many seeds.
    All,
}

/// A race played again from its scores.
struct Played<'a> {
    race: &'a Race,
    scores: &'a Scores,
    /// Those in the race, each with the seeds that it has been given.
    alive: BTreeMap<Rungs, usize>,
    /// All that were ever tried.
    tried: BTreeSet<Rungs>,
    spent: usize,
}

impl<'a> Played<'a> {
    fn new(race: &'a Race, scores: &'a Scores) -> Self {
        let alive: BTreeMap<Rungs, usize> = race.grid().into_iter().map(|cell| (cell, 0)).collect();
        let tried = alive.keys().cloned().collect();
        Self { race, scores, alive, tried, spent: 0 }
    }

    /// Gives all cells so many seeds, and the untried neighbours of the best as many.
    fn reach(&mut self, seeds: usize) -> Reached {
        loop {
            let cost: usize = self.alive.values().map(|given| seeds.saturating_sub(*given)).sum();
            if self.spent + cost > self.race.budget {
                return Reached::OutOfTrainings;
            }
            self.spent += cost;
            self.alive.values_mut().for_each(|given| *given = seeds.max(*given));
            let wanted = self.wanting();
            if !wanted.is_empty() {
                return Reached::Wanting(wanted);
            }
            let untried = self.untried();
            if untried.is_empty() || self.spent + untried.len() * seeds > self.race.budget {
                return Reached::All;
            }
            for cell in untried {
                self.tried.insert(cell.clone());
                self.alive.insert(cell, 0);
            }
        }
    }

    /// Spends what is left, evenly; what does not go up evenly goes to the best.
    fn rest(&mut self) -> BTreeMap<Rungs, usize> {
        let left = self.race.budget - self.spent;
        let ranking = self.ranking();
        let (each, over) = (left / ranking.len(), left % ranking.len());
        // The order at the end of the last round, not that of scores that are still coming in.
        for (place, cell) in ranking.iter().enumerate() {
            *self.alive.get_mut(cell).expect("it is ranked") += each + usize::from(place < over);
        }
        self.spent = self.race.budget;
        self.wanting()
    }

    /// The cells that have not been trained as often as they were given seeds.
    fn wanting(&self) -> BTreeMap<Rungs, usize> {
        let wanting = self.alive.iter().filter(|(cell, given)| self.score(cell).len() < **given);
        wanting.map(|(cell, given)| (cell.clone(), *given)).collect()
    }

    /// The scores of a cell, as many as the race has given it seeds.
    fn score(&self, cell: &[i32]) -> &'a [f64] {
        let given = self.alive[cell];
        let there = self.scores.get(cell).map_or(&[][..], Vec::as_slice);
        &there[..given.min(there.len())]
    }

    fn mean(&self, cell: &[i32]) -> f64 {
        sample::mean(self.score(cell))
    }

    /// The highest mean first; of equals one that was written, so that nobody runs off over a plain, and then the one with
    /// the smaller coefficients, which is the first in order of rungs.
    fn ranking(&self) -> Vec<Rungs> {
        let mut ranked: Vec<(f64, usize, &Rungs)> =
            self.alive.keys().map(|cell| (self.mean(cell), self.race.beyond(cell), cell)).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        ranked.into_iter().map(|(_, _, cell)| cell.clone()).collect()
    }

    /// Those that go on.
    fn cut(&mut self, most: usize) {
        let ranking = self.ranking();
        let seeds = self.score(&ranking[0]).len();
        let behind = CLEARLY_WORSE * self.spread(seeds) * libm::sqrt(2.0 / seeds as f64);
        let least = self.mean(&ranking[0]) - behind;
        let mut going_on: BTreeSet<Rungs> = ranking.iter().take(FEWEST).cloned().collect();
        let positive = ranking.iter().filter(|cell| self.race.is_positive(cell)).take(FEWEST);
        going_on.extend(positive.cloned());
        for cell in &ranking {
            if going_on.len() >= most || self.mean(cell) < least {
                break;
            }
            going_on.insert(cell.clone());
        }
        self.alive.retain(|cell, _| going_on.contains(cell));
    }

    /// s_p: how far scores of a cell lie from the mean of their seed, beside what is the cell's own.
    fn spread(&self, seeds: usize) -> f64 {
        let cells: Vec<&[f64]> = self.alive.keys().map(|cell| self.score(cell)).collect();
        let of_seed: Vec<f64> =
            (0..seeds).map(|seed| cells.iter().map(|scores| scores[seed]).sum::<f64>() / cells.len() as f64).collect();
        let variance = |scores: &&[f64]| {
            let apart: Vec<f64> = scores.iter().zip(&of_seed).map(|(score, of_seed)| score - of_seed).collect();
            sample::variance(&apart)
        };
        libm::sqrt(cells.iter().map(variance).sum::<f64>() / cells.len() as f64)
    }

    /// The neighbours of the best cell that were never tried: one rung up or down on one ladder.
    fn untried(&self) -> Vec<Rungs> {
        let best = self.ranking().swap_remove(0);
        let mut untried = Vec::new();
        for (axis, ladder) in self.race.ladders.iter().enumerate() {
            for rung in [best[axis] - 1, best[axis] + 1] {
                let beyond = -MOST_EXTENSION..ladder.len() as i32 + MOST_EXTENSION;
                let mut neighbour = best.clone();
                neighbour[axis] = rung;
                if beyond.contains(&rung) && ladder.value(rung).is_some() && !self.tried.contains(&neighbour) {
                    untried.push(neighbour);
                }
            }
        }
        untried
    }

    fn standing(&self) -> Standing {
        let survivors = self.ranking();
        let common_seeds = survivors.iter().map(|cell| self.score(cell).len()).min().unwrap_or(0);
        Standing { survivors, common_seeds, untried: self.untried() }
    }
}
