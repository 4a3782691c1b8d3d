//! Four surfaces of expected scores over the grids of two rules, and runs on them.
//!
//! A grid has nine rungs for the gradient, g = 0 … 8, and, for the rule that has it, nine for Oja's term, o = 0 … 8. The best
//! place lies between rungs, at (4.3, 3.6) and at 4.6, and scores fall off as a square from there:
//!
//!   top − fall · ((g − 4.3)² + (o − 3.6)²),   but not below chance, 0.1.
//!
//! With fall = 0.001 (flat) a corner is 0.05 worse than the top, with 0.004 (medium) 0.2, with 0.02 (steep) all but the
//! middle is at chance. The bimodal surface is the medium one with failures: a run ends near 0.45 with probability 0.03, and
//! 0.04 more for each rung of the gradient beyond 3, so that the best cells lie beside an edge.
//!
//! Runs scatter by 0.07; two cells on one seed are correlated by 0.3, whichever rule they belong to, so that paired
//! differences scatter by 0.07 √1.4 = 0.083.

use crate::science::seed::Stream;

const RUN_DEVIATION: f64 = 0.07;
const CORRELATION: f64 = 0.3;
const FAILED: f64 = 0.45;
const CHANCE: f64 = 0.1;

/// What runs of one cell give.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    /// Mean of the runs that do not fail.
    good: f64,
    /// Probability of failing.
    failure: f64,
}

impl Cell {
    /// Mean of all runs.
    pub(super) fn mean(self) -> f64 {
        (1.0 - self.failure) * self.good + self.failure * FAILED
    }

    /// One run, on a seed that is lucky by `of_seed` standard deviations for all cells.
    pub(super) fn run(self, of_seed: f64, noise: &mut Stream) -> f64 {
        let luck = CORRELATION.sqrt() * of_seed + (1.0 - CORRELATION).sqrt() * noise.normal();
        let fails = self.failure > 0.0 && noise.uniform_f64() < self.failure;
        (if fails { FAILED } else { self.good }) + RUN_DEVIATION * luck
    }
}

/// The cell at these rungs.
type CellOf = Box<dyn Fn(&[i32]) -> Cell>;

/// The cells of one rule: one rung for each of its `n_ladders` ladders, which may lie beyond the grid.
pub(super) struct Landscape {
    pub(super) n_ladders: usize,
    cell: CellOf,
}

impl Landscape {
    pub(super) fn cell(&self, rungs: &[i32]) -> Cell {
        (self.cell)(rungs)
    }
}

/// The cells of two rules.
pub(super) struct Surface {
    pub(super) name: &'static str,
    /// A stream of its own for each surface.
    pub(super) number: u32,
    /// A gradient and Oja's term: 81 cells.
    pub(super) plus: Landscape,
    /// A gradient alone: 9 cells.
    pub(super) minus: Landscape,
}

impl Surface {
    pub(super) fn all() -> [Self; 4] {
        [Self::flat(), Self::of("medium", 1, 0.004, false), Self::steep(), Self::bimodal()]
    }

    pub(super) fn flat() -> Self {
        Self::of("flat", 0, 0.001, false)
    }

    pub(super) fn steep() -> Self {
        Self::of("steep", 2, 0.02, false)
    }

    pub(super) fn bimodal() -> Self {
        Self::of("bimodal", 3, 0.004, true)
    }

    /// Without failures, as steep as one likes.
    pub(super) fn falling_by(fall: f64) -> Self {
        Self::of("falling", 4, fall, false)
    }

    /// Of each rule one cell is best, a neighbour by `gap` worse, and the others are at chance.
    pub(super) fn of_two_good_cells(gap: f64) -> Self {
        let landscape = |n_ladders: usize, top: f64| {
            let cell = move |rungs: &[i32]| {
                let good = match (rungs[0], rungs.get(1).unwrap_or(&4)) {
                    (4, 4) => top,
                    (5, 4) => top - gap,
                    _ => CHANCE,
                };
                Cell { good, failure: 0.0 }
            };
            Landscape { n_ladders, cell: Box::new(cell) }
        };
        Self { name: "two", number: 5, plus: landscape(2, 0.83), minus: landscape(1, 0.8) }
    }

    fn of(name: &'static str, number: u32, fall: f64, fails: bool) -> Self {
        let landscape = |top: f64, best: &'static [f64]| {
            let cell = move |rungs: &[i32]| {
                let apart = rungs.iter().zip(best).map(|(rung, best)| f64::from(*rung) - best);
                Cell {
                    good: (top - fall * apart.map(|d| d * d).sum::<f64>()).max(CHANCE),
                    failure: if fails { failure(rungs[0]) } else { 0.0 },
                }
            };
            Landscape { n_ladders: best.len(), cell: Box::new(cell) }
        };
        Self { name, number, plus: landscape(0.83, &[4.3, 3.6]), minus: landscape(0.8, &[4.6]) }
    }
}

/// Probability that a run with this rung of the gradient fails; beyond the grid no more than half of them do.
fn failure(gradient: i32) -> f64 {
    (0.03 + 0.04 * f64::from((gradient - 3).max(0))).min(0.5)
}

/// `n` runs of every cell of both sides on common seeds: sides × cells × runs.
pub(super) fn figure(sides: &[Vec<Cell>; 2], n: usize, noise: &mut Stream) -> [Vec<Vec<f64>>; 2] {
    let of_seed: Vec<f64> = (0..n).map(|_| noise.normal()).collect();
    [0, 1].map(|side: usize| {
        sides[side].iter().map(|cell| of_seed.iter().map(|luck| cell.run(*luck, noise)).collect()).collect()
    })
}
