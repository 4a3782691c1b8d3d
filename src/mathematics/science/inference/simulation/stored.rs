//! Surfaces of real networks: what `pipelines/surfaces.toml` and `surfaces_rnn.toml` measured, every cell on the same seeds.
//!
//! A tuning draws seeds from them again, with replacement, and what a cell scores on average is the mean of all that are stored.

use super::super::sample::mean;
use super::tuning::Ground;
use crate::science::seed::Stream;

/// What a network scores that learned nothing. Cells beyond the grid were not trained: they count as lost.
const CHANCE: f64 = 0.1;

/// The scores of one network.
pub(super) struct Stored {
    name: &'static str,
    /// Rungs of each of the two ladders.
    rungs: usize,
    /// Of the cells, gradient by gradient: scores in the order of the seeds.
    cells: Vec<Vec<f64>>,
}

macro_rules! stored {
    ($name:literal) => {
        Stored::parse(
            $name,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/surfaces/", $name, ".csv")),
        )
    };
}

impl Stored {
    pub(super) fn all() -> [Self; 3] {
        [stored!("10_layers"), stored!("5_layers_naive"), stored!("rnn")]
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// A line a cell: gradient, Oja coefficient, scores.
    fn parse(name: &'static str, text: &str) -> Self {
        let line = |line: &str| -> Vec<f64> {
            line.split(',').skip(2).map(|score| score.parse().expect("scores are numbers")).collect()
        };
        let cells: Vec<_> = text.lines().skip(1).map(line).collect();
        let rungs = cells.len().isqrt();
        assert_eq!(cells.len(), rungs * rungs, "{name}: a line a cell");
        assert!(
            cells.iter().all(|scores| scores.len() == cells[0].len() && scores.len() >= 20),
            "{name}: 20 seeds a cell"
        );
        Self { name, rungs, cells }
    }

    fn scores(&self, cell: &[i32]) -> Option<&[f64]> {
        let [gradient, oja] = [0, 1].map(|ladder| usize::try_from(cell[ladder]).ok().filter(|rung| *rung < self.rungs));
        Some(&self.cells[gradient? * self.rungs + oja?])
    }
}

impl Ground for Stored {
    fn n_ladders(&self) -> usize {
        2
    }

    fn n_rungs(&self) -> usize {
        self.rungs
    }

    /// Which of the stored ones.
    fn seed(&self, noise: &mut Stream) -> f64 {
        f64::from(noise.below(self.cells[0].len() as u32))
    }

    fn score(&self, cell: &[i32], seed: f64, _: &mut Stream) -> f64 {
        self.scores(cell).map_or(CHANCE, |scores| scores[seed as usize])
    }

    fn mean(&self, cell: &[i32]) -> f64 {
        self.scores(cell).map_or(CHANCE, mean)
    }
}
