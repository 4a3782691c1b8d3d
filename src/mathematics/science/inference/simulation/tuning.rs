//! Tuning by [`Race`], and two plainer ways to spend the same trainings.

use super::super::sample::mean;
use super::stored::Stored;
use super::surfaces::{Landscape, Surface};
use crate::science::racing::{Ladder, Race, Rungs, Scores, Step};
use crate::science::seed::Stream;

/// Trainings beyond three for each cell.
const SPARE: usize = 200;

/// Where a race is run: the scores of trainings of every cell.
pub(super) trait Ground {
    fn n_ladders(&self) -> usize;

    /// Of every ladder.
    fn n_rungs(&self) -> usize;

    /// A seed: what all cells have in common when they are trained on it.
    fn seed(&self, noise: &mut Stream) -> f64;

    /// The score of a training.
    fn score(&self, cell: &[i32], seed: f64, noise: &mut Stream) -> f64;

    /// What a cell scores on average.
    fn mean(&self, cell: &[i32]) -> f64;
}

impl Ground for Landscape {
    fn n_ladders(&self) -> usize {
        self.n_ladders
    }

    fn n_rungs(&self) -> usize {
        9
    }

    /// How lucky it is for all cells.
    fn seed(&self, noise: &mut Stream) -> f64 {
        noise.normal()
    }

    fn score(&self, cell: &[i32], seed: f64, noise: &mut Stream) -> f64 {
        self.cell(cell).run(seed, noise)
    }

    fn mean(&self, cell: &[i32]) -> f64 {
        self.cell(cell).mean()
    }
}

/// What tuning left.
pub(super) struct Tuned {
    /// The survivors, the picked one first.
    pub(super) survivors: Vec<Rungs>,
    /// Their scores on the seeds that all have in common: survivors × seeds.
    pub(super) scores: Vec<Vec<f64>>,
}

fn race_over(ground: &impl Ground) -> Race {
    let rungs = || (0..ground.n_rungs()).map(|rung| f64::from(1 << rung)).collect();
    let ladder = || Ladder::new(rungs()).expect("powers of two ascend");
    Race::new((0..ground.n_ladders()).map(|_| ladder()).collect(), budget(ground), None)
}

/// Trainings of every rule: those of the largest grid, which has two ladders.
fn budget(ground: &impl Ground) -> usize {
    Race::budget_for(ground.n_rungs().pow(2), SPARE)
}

/// Runs on tuning seeds that all cells have in common.
struct Trainings<'a, G> {
    ground: &'a G,
    noise: &'a mut Stream,
    seeds: Vec<f64>,
    scores: Scores,
}

impl<'a, G: Ground> Trainings<'a, G> {
    fn new(ground: &'a G, noise: &'a mut Stream) -> Self {
        Self { ground, noise, seeds: Vec::new(), scores: Scores::new() }
    }

    fn train(&mut self, cell: Rungs, n_seeds: usize) {
        while self.seeds.len() < n_seeds {
            self.seeds.push(self.ground.seed(self.noise));
        }
        let scores = self.scores.entry(cell.clone()).or_default();
        for seed in &self.seeds[scores.len()..n_seeds.max(scores.len())] {
            scores.push(self.ground.score(&cell, *seed, self.noise));
        }
    }
}

/// Tunes by racing.
pub(super) fn tune(ground: &impl Ground, noise: &mut Stream) -> Tuned {
    let race = race_over(ground);
    let mut trainings = Trainings::new(ground, noise);
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
fn best_of_all(ground: &impl Ground, n_seeds: usize, noise: &mut Stream) -> Rungs {
    let mut trainings = Trainings::new(ground, noise);
    race_over(ground).grid().into_iter().for_each(|cell| trainings.train(cell, n_seeds));
    let best = trainings.scores.into_iter().max_by(|(_, a), (_, b)| mean(a).total_cmp(&mean(b)));
    best.expect("a grid has cells").0
}

/// By how much the picked cell's true mean is below the best one's, on average.
fn mean_regret(ground: &impl Ground, n: usize, mut pick: impl FnMut() -> Rungs) -> f64 {
    let best = race_over(ground).grid().iter().map(|cell| ground.mean(cell)).fold(f64::NEG_INFINITY, f64::max);
    (0..n).map(|_| best - ground.mean(&pick())).sum::<f64>() / n as f64
}

/// The mean regret of three ways to tune: the best of 3 seeds, of the same budget spread evenly, racing.
fn regrets(ground: &impl Ground, n_tunings: usize, noise: &mut Stream) -> [f64; 3] {
    let even_seeds = budget(ground) / ground.n_rungs().pow(2);
    [
        mean_regret(ground, n_tunings, || best_of_all(ground, 3, noise)),
        mean_regret(ground, n_tunings, || best_of_all(ground, even_seeds, noise)),
        mean_regret(ground, n_tunings, || tune(ground, noise).survivors.swap_remove(0)),
    ]
}

/// Prints the mean regret of three ways to spend a budget.
pub(super) fn print_regret(n_tunings: usize) {
    println!(
        "\nmean regret of {n_tunings} tunings: 81 cells by the best of 3 seeds, by an even budget, by racing; 9 by racing"
    );
    for Surface { name, number, plus, minus } in Surface::all() {
        let mut noise = super::noise(100 + number);
        let [three, even, racing] = regrets(&plus, n_tunings, &mut noise);
        let of_nine = mean_regret(&minus, n_tunings, || tune(&minus, &mut noise).survivors.swap_remove(0));
        println!("{name:8} {three:.4} {even:.4} {racing:.4} {of_nine:.4}");
    }
    println!("the same of trainings of real networks, seeds drawn again");
    for (number, stored) in Stored::all().iter().enumerate() {
        let [three, even, racing] = regrets(stored, n_tunings, &mut super::noise(200 + number as u32));
        println!("{:14} {three:.4} {even:.4} {racing:.4}", stored.name());
    }
}

/// On real networks racing loses less than the best of three seeds; where those lose next to nothing, no more.
#[test]
fn racing_regrets_less_than_three_seeds_a_cell() {
    for (number, stored) in Stored::all().iter().enumerate() {
        let [three, even, racing] = regrets(stored, 400, &mut super::noise(300 + number as u32));
        let said = format!("{}: {three:.4}, {even:.4}, {racing:.4}", stored.name());
        println!("{said}");
        assert!(racing <= even + 0.001 && racing <= if three > 0.002 { 0.7 * three } else { three + 0.001 }, "{said}");
    }
}
