//! Tuning by racing, as plainly as it can be written: a rectangle of cells, no extension of edges.
//!
//! After 3 seeds the best 18 cells go on, after 6 the best 9, after 12 the best 6; at each cut those go as well that lie
//! 2.5 s_p √(2/n) below the best, s_p² being the mean over cells of the variance about the mean of the seed. At least two
//! stay. The survivors get 20 seeds, and what is left of the trainings.

use super::super::{mean, sample_variance};
use super::surfaces::{Cell, Surface};
use crate::science::seed::Stream;

/// Cumulative seeds, and the cells that go on.
const CUTS: [(usize, usize); 3] = [(3, 18), (6, 9), (12, 6)];
const LAST_ROUND: usize = 20;

/// A cell in the race, and its scores by seed.
pub(super) struct Runner {
    pub(super) cell: usize,
    pub(super) scores: Vec<f64>,
}

/// Trainings of each rule, if the larger grid has `n_cells`.
pub(super) fn budget_for(n_cells: usize) -> usize {
    3 * n_cells + 200
}

/// The survivors of a race over `cells`, the picked one first.
pub(super) fn race(cells: &[Cell], budget: usize, noise: &mut Stream) -> Vec<Runner> {
    let mut race = Race::over(cells);
    for (n_seeds, most) in CUTS {
        race.train_until(n_seeds, noise);
        race.cut(most);
    }
    race.train_until(LAST_ROUND, noise);
    let each = (budget - race.spent) / race.runners.len();
    race.train_until(LAST_ROUND + each, noise);
    race.rank();
    race.runners
}

struct Race<'a> {
    cells: &'a [Cell],
    runners: Vec<Runner>,
    /// How lucky each seed is for all cells.
    luck: Vec<f64>,
    spent: usize,
}

impl<'a> Race<'a> {
    fn over(cells: &'a [Cell]) -> Self {
        let runners = (0..cells.len()).map(|cell| Runner { cell, scores: Vec::new() }).collect();
        Self { cells, runners, luck: Vec::new(), spent: 0 }
    }

    fn train_until(&mut self, n_seeds: usize, noise: &mut Stream) {
        for _ in self.luck.len()..n_seeds {
            let luck = noise.normal();
            self.luck.push(luck);
            for runner in &mut self.runners {
                runner.scores.push(self.cells[runner.cell].run(luck, noise));
            }
            self.spent += self.runners.len();
        }
    }

    fn rank(&mut self) {
        self.runners.sort_by(|a, b| mean(&b.scores).total_cmp(&mean(&a.scores)));
    }

    fn cut(&mut self, most: usize) {
        self.rank();
        let margin = 2.5 * self.spread() * (2.0 / self.luck.len() as f64).sqrt();
        let least = mean(&self.runners[0].scores) - margin;
        let n_close = self.runners.iter().filter(|runner| mean(&runner.scores) >= least).count();
        self.runners.truncate(n_close.min(most).max(2));
    }

    /// s_p
    fn spread(&self) -> f64 {
        let of_seed: Vec<f64> = (0..self.luck.len())
            .map(|seed| mean(&self.runners.iter().map(|runner| runner.scores[seed]).collect::<Vec<_>>()))
            .collect();
        let variance = |runner: &Runner| {
            let apart: Vec<f64> = runner.scores.iter().zip(&of_seed).map(|(score, mean)| score - mean).collect();
            sample_variance(&apart)
        };
        mean(&self.runners.iter().map(variance).collect::<Vec<_>>()).sqrt()
    }
}

/// The cell with the largest mean after `n_seeds` for every cell.
fn best_of_all(cells: &[Cell], n_seeds: usize, noise: &mut Stream) -> usize {
    let mut race = Race::over(cells);
    race.train_until(n_seeds, noise);
    race.rank();
    race.runners[0].cell
}

/// By how much the picked cell's true mean is below the best one's, on average.
fn mean_regret(cells: &[Cell], n: usize, mut pick: impl FnMut() -> usize) -> f64 {
    let best = cells.iter().map(|cell| cell.mean()).fold(f64::NEG_INFINITY, f64::max);
    (0..n).map(|_| best - cells[pick()].mean()).sum::<f64>() / n as f64
}

/// Prints the mean regret of three ways to spend a budget.
pub(super) fn print_regret(n_experiments: usize) {
    println!(
        "\nmean regret of {n_experiments} tunings: 81 cells by the best of 3 seeds, by an even budget, by racing; 9 by racing"
    );
    for surface in Surface::all() {
        let mut noise = super::noise(100 + surface.number);
        let (cells, budget) = (&surface.plus, budget_for(surface.plus.len()));
        let three = mean_regret(cells, n_experiments, || best_of_all(cells, 3, &mut noise));
        let even = mean_regret(cells, n_experiments, || best_of_all(cells, budget / cells.len(), &mut noise));
        let racing = mean_regret(cells, n_experiments, || race(cells, budget, &mut noise)[0].cell);
        let of_nine = mean_regret(&surface.minus, n_experiments, || race(&surface.minus, budget, &mut noise)[0].cell);
        println!("{:8} {three:.4} {even:.4} {racing:.4} {of_nine:.4}", surface.name);
    }
}
