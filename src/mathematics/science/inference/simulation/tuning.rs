//! Tuning by [`Race`], on ladders of nine rungs, and two plainer ways to spend the same trainings.

use super::super::sample::mean;
use super::surfaces::{Landscape, Surface};
use crate::science::racing::{Ladder, Race, Rungs, Scores, Step};
use crate::science::seed::Stream;

/// Trainings beyond three for each cell.
const SPARE: usize = 200;
const CELLS: usize = 81;

/// What tuning left.
pub(super) struct Tuned {
    /// The survivors, the picked one first.
    pub(super) survivors: Vec<Rungs>,
    /// Their scores on the seeds that all have in common: survivors × seeds.
    pub(super) scores: Vec<Vec<f64>>,
}

fn race_over(landscape: &Landscape) -> Race {
    let ladder = || Ladder::new((0..9).map(|rung| f64::from(1 << rung)).collect()).expect("powers of two ascend");
    Race::new((0..landscape.n_ladders).map(|_| ladder()).collect(), Race::budget_for(CELLS, SPARE), None)
}

/// Runs on tuning seeds that all cells have in common.
struct Trainings<'a> {
    landscape: &'a Landscape,
    noise: &'a mut Stream,
    /// How lucky each seed is for all cells.
    luck: Vec<f64>,
    scores: Scores,
}

impl<'a> Trainings<'a> {
    fn new(landscape: &'a Landscape, noise: &'a mut Stream) -> Self {
        Self { landscape, noise, luck: Vec::new(), scores: Scores::new() }
    }

    fn train(&mut self, cell: Rungs, n_seeds: usize) {
        while self.luck.len() < n_seeds {
            self.luck.push(self.noise.normal());
        }
        let runs = self.landscape.cell(&cell);
        let scores = self.scores.entry(cell).or_default();
        for luck in &self.luck[scores.len()..n_seeds.max(scores.len())] {
            scores.push(runs.run(*luck, self.noise));
        }
    }
}

/// Tunes by racing.
pub(super) fn tune(landscape: &Landscape, noise: &mut Stream) -> Tuned {
    let race = race_over(landscape);
    let mut trainings = Trainings::new(landscape, noise);
    loop {
        match race.step(&trainings.scores) {
            Step::Train(wanted) => wanted.into_iter().for_each(|(cell, n_seeds)| trainings.train(cell, n_seeds)),
            Step::Done(standing) => {
                let common = |cell: &Rungs| trainings.scores[cell][..standing.common_seeds].to_vec();
                let scores = standing.survivors.iter().map(common).collect();
                return Tuned { survivors: standing.survivors, scores };
            }
        }
    }
}

/// The cell of the grid with the largest mean after `n_seeds` for every cell.
fn best_of_all(landscape: &Landscape, n_seeds: usize, noise: &mut Stream) -> Rungs {
    let mut trainings = Trainings::new(landscape, noise);
    race_over(landscape).grid().into_iter().for_each(|cell| trainings.train(cell, n_seeds));
    let best = trainings.scores.into_iter().max_by(|(_, a), (_, b)| mean(a).total_cmp(&mean(b)));
    best.expect("a grid has cells").0
}

/// By how much the picked cell's true mean is below the best one's, on average.
fn mean_regret(landscape: &Landscape, n: usize, mut pick: impl FnMut() -> Rungs) -> f64 {
    let true_mean = |cell: &Rungs| landscape.cell(cell).mean();
    let best = race_over(landscape).grid().iter().map(true_mean).fold(f64::NEG_INFINITY, f64::max);
    (0..n).map(|_| best - true_mean(&pick())).sum::<f64>() / n as f64
}

/// Prints the mean regret of three ways to spend a budget.
pub(super) fn print_regret(n_tunings: usize) {
    println!(
        "\nmean regret of {n_tunings} tunings: 81 cells by the best of 3 seeds, by an even budget, by racing; 9 by racing"
    );
    let even_seeds = Race::budget_for(CELLS, SPARE) / CELLS;
    for Surface { name, number, plus, minus } in Surface::all() {
        let mut noise = super::noise(100 + number);
        let three = mean_regret(&plus, n_tunings, || best_of_all(&plus, 3, &mut noise));
        let even = mean_regret(&plus, n_tunings, || best_of_all(&plus, even_seeds, &mut noise));
        let mut raced = |landscape: &Landscape| {
            mean_regret(landscape, n_tunings, || tune(landscape, &mut noise).survivors.swap_remove(0))
        };
        let (racing, of_nine) = (raced(&plus), raced(&minus));
        println!("{name:8} {three:.4} {even:.4} {racing:.4} {of_nine:.4}");
    }
}
