//! Paired differences of two tuned rules: given what was picked, and of the procedure that picks.
//!
//! Tuning a rule again on other seeds would pick another cell now and then. With the probabilities π_c of picking each of
//! the few cells that tuning left in the race, and x_{c,i} what run i gives with cell c, the difference of run i is
//!
//!   D_i = Σ_c π_c x^plus_{c,i} − Σ_c π'_c x^minus_{c,i}.
//!
//! Its mean estimates what the procedure is expected to give, and how far its runs scatter says how far that mean is to be
//! trusted for these probabilities. But they were estimated from tuning runs that may have favoured a cell by luck. Each
//! side adds to the variance how far the truth differs between the cells that might have been picked,
//!
//!   V = Σ_sides max(0, Σ_c π_c [(m_c − m_π)² − v_c]),   v_c = var_i(x_{c,i} − x_{π,i}) / n,
//!
//! with m_c the mean of cell c over the figure's runs, x_π = Σ_c π_c x_c and m_π its mean; v_c takes away what the runs'
//! own noise puts into (m_c − m_π)². With a and b the half-widths of D ([`half_widths`]) and t = t(1 − α/2, n − 1) the
//! interval of the procedure is [D̄ − √(a² + t² V), D̄ + √(b² + t² V)]. V does not shrink with n.
//!
//! Picking again within a bootstrap instead would be too wide by up to 1.7: the largest of resampled means carries the
//! noise of tuning twice.

use super::distributions::student_quantile;
use super::interval::{HalfWidths, half_widths};
use super::{mean, sample_variance};
use crate::science::seed::{Purpose, stream};

/// How far probabilities may add up to something else than 1.
const ROUNDING: f64 = 1e-9;

/// A cell that tuning left in the race: how probable it is to be picked, and what each run of the figure gave with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Survivor {
    /// π_c, within [0, 1].
    pub probability: f64,
    /// x_{c,i}, one finite number a run, in the same order of runs throughout a contrast.
    pub values: Vec<f64>,
}

/// One rule, or condition: its survivors, of which the first was picked.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    survivors: Vec<Survivor>,
}

/// `plus` minus `minus`, paired by run; without `minus`, the mean of one condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Contrast {
    plus: Side,
    minus: Option<Side>,
}

/// A mean with its interval, in the unit of the values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean over runs.
    pub estimate: f64,
    /// Lower bound of the interval.
    pub low: f64,
    /// Upper bound of the interval.
    pub high: f64,
}

/// Why survivors do not make a contrast.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidContrast {
    /// Nothing was picked.
    #[error("a side of a contrast has no survivor")]
    NoSurvivors,
    /// There is nothing to take a mean of.
    #[error("a survivor has no runs")]
    NoRuns,
    /// Values cannot be paired.
    #[error("survivors must have the same runs: one has {expected}, another {found}")]
    LengthsDiffer {
        /// Runs of the first survivor.
        expected: usize,
        /// Runs of the one that differs.
        found: usize,
    },
    /// A probability that is none.
    #[error("a survivor's probability must lie between 0 and 1, got {0}")]
    NotAProbability(f64),
    /// Probabilities of the survivors of one side do not add up.
    #[error("the probabilities of a side's survivors must add up to 1, but add up to {0}")]
    ProbabilitiesSumTo(f64),
    /// A diverged run's value has to be decided by whoever has the run.
    #[error("a survivor's value of run {run} is {value}; values must be finite numbers")]
    NotFinite {
        /// The run's place among the values, from 0.
        run: usize,
        /// What stands there.
        value: f64,
    },
}

impl Side {
    /// A side of `survivors`, the picked one first: each with the same runs, their probabilities adding up to 1.
    pub fn new(survivors: Vec<Survivor>) -> Result<Self, InvalidContrast> {
        let expected = survivors.first().ok_or(InvalidContrast::NoSurvivors)?.values.len();
        if expected == 0 {
            return Err(InvalidContrast::NoRuns);
        }
        for Survivor { probability, values } in &survivors {
            if !(0.0..=1.0).contains(probability) {
                return Err(InvalidContrast::NotAProbability(*probability));
            }
            if values.len() != expected {
                return Err(InvalidContrast::LengthsDiffer { expected, found: values.len() });
            }
            if let Some(run) = values.iter().position(|value| !value.is_finite()) {
                return Err(InvalidContrast::NotFinite { run, value: values[run] });
            }
        }
        let sum: f64 = survivors.iter().map(|survivor| survivor.probability).sum();
        if (sum - 1.0).abs() > ROUNDING {
            return Err(InvalidContrast::ProbabilitiesSumTo(sum));
        }
        Ok(Self { survivors })
    }

    /// A condition that was not tuned, or whose tuning left no choice.
    pub fn of_one_cell(values: Vec<f64>) -> Result<Self, InvalidContrast> {
        Self::new(vec![Survivor { probability: 1.0, values }])
    }

    /// The survivors, the picked one first.
    pub fn survivors(&self) -> &[Survivor] {
        &self.survivors
    }

    fn n_runs(&self) -> usize {
        self.survivors[0].values.len()
    }

    /// x_{c,i} of the picked cell, by run.
    fn picked(&self) -> &[f64] {
        &self.survivors[0].values
    }

    /// x_{π,i}, by run.
    fn mixture(&self) -> Vec<f64> {
        let mixed = |run| self.survivors.iter().map(|cell| cell.probability * cell.values[run]).sum();
        (0..self.n_runs()).map(mixed).collect()
    }

    /// This side's part of V; 0 with one run, which shows no difference between cells apart from noise.
    fn selection_variance(&self) -> f64 {
        let n = self.n_runs();
        if n < 2 {
            return 0.0;
        }
        let mixture = self.mixture();
        let part = |cell: &Survivor| {
            // Of the differences, as m_c − m_π is their mean: runs that are lucky for all cells cancel.
            let apart: Vec<f64> = cell.values.iter().zip(&mixture).map(|(x, mixed)| x - mixed).collect();
            let distance = mean(&apart);
            cell.probability * (distance * distance - sample_variance(&apart) / n as f64)
        };
        self.survivors.iter().map(part).sum::<f64>().max(0.0)
    }
}

impl Contrast {
    /// `plus` minus `minus`, which must have as many runs; without `minus`, `plus` alone.
    pub fn new(plus: Side, minus: Option<Side>) -> Result<Self, InvalidContrast> {
        match &minus {
            Some(minus) if minus.n_runs() != plus.n_runs() => {
                Err(InvalidContrast::LengthsDiffer { expected: plus.n_runs(), found: minus.n_runs() })
            }
            _ => Ok(Self { plus, minus }),
        }
    }

    /// The side that counts positive.
    pub fn plus(&self) -> &Side {
        &self.plus
    }

    /// The side that is taken away.
    pub fn minus(&self) -> Option<&Side> {
        self.minus.as_ref()
    }

    /// n, the runs of the figure.
    pub fn n_runs(&self) -> usize {
        self.plus.n_runs()
    }

    /// Difference of the two picked cells, by run.
    pub fn given(&self) -> Vec<f64> {
        let minus = self.minus.as_ref().map(|side| side.picked().to_vec());
        difference(self.plus.picked().to_vec(), minus)
    }

    /// D_i: difference of the two mixtures of cells, by run.
    pub fn mixture(&self) -> Vec<f64> {
        difference(self.plus.mixture(), self.minus.as_ref().map(Side::mixture))
    }

    /// V, the variance that picking adds, in the squared unit of the values; the sum over both sides.
    pub fn selection_variance(&self) -> f64 {
        self.plus.selection_variance() + self.minus.as_ref().map_or(0.0, Side::selection_variance)
    }

    /// Do both sides give the same in every run, as when both rules pick the same cell? Nothing can be said of their
    /// difference then: it is 0 by construction. A contrast without `minus` never is.
    pub fn is_identical(&self) -> bool {
        self.minus.is_some() && self.given().iter().chain(&self.mixture()).all(|difference| *difference == 0.0)
    }

    /// Given what was picked: mean difference of the picked cells over fresh seeds, at the two-sided level `alpha`.
    /// `None` for fewer than two runs.
    pub fn estimate_given(&self, alpha: f64) -> Option<Estimate> {
        around_mean(&self.given(), 0.0, self.n_runs(), alpha)
    }

    /// Of the procedure: mean difference if both sides were tuned again, at the two-sided level `alpha`. `None` for fewer
    /// than two runs.
    pub fn estimate_procedure(&self, alpha: f64) -> Option<Estimate> {
        around_mean(&self.mixture(), self.selection_variance(), self.n_runs(), alpha)
    }

    /// As [`Contrast::estimate_procedure`], had one more run given the mean of all and `gap` beyond; V as measured.
    pub(super) fn estimate_procedure_with_one_more(&self, gap: f64, alpha: f64) -> Option<Estimate> {
        let mut differences = self.mixture();
        differences.push(mean(&differences) + gap);
        around_mean(&differences, self.selection_variance(), self.n_runs() + 1, alpha)
    }
}

fn difference(plus: Vec<f64>, minus: Option<Vec<f64>>) -> Vec<f64> {
    match minus {
        Some(minus) => plus.iter().zip(&minus).map(|(plus, minus)| plus - minus).collect(),
        None => plus,
    }
}

/// Mean of `differences` and its interval, widened by t² · `variance`.
fn around_mean(differences: &[f64], variance: f64, n_runs: usize, alpha: f64) -> Option<Estimate> {
    let HalfWidths { below, above } = half_widths(differences, alpha)?;
    let estimate = mean(differences);
    // Left as they are where there is nothing to add: a root of a square may differ in its last digit.
    if variance == 0.0 {
        return Some(Estimate { estimate, low: estimate - below, high: estimate + above });
    }
    let t = student_quantile(1.0 - alpha / 2.0, n_runs as f64 - 1.0);
    let widened = |half_width: f64| (half_width * half_width + t * t * variance).sqrt();
    Some(Estimate { estimate, low: estimate - widened(below), high: estimate + widened(above) })
}

/// π_c: how probable tuning is to pick each of the survivors, which have `scores` (cells × n_t) on n_t common tuning seeds.
///
/// The share of `draws` in which a cell's mean is the largest, ties going to the earlier cell. A draw takes n_t/2 of the
/// seeds (rounded up) with replacement, the same for every cell, from the stream (seed,
/// [`Purpose::Selection`]). Half of the seeds and not all of them: the observed means already contain the noise of tuning,
/// and drawing all n_t would make π too sure of the cell that was lucky.
///
/// # Panics
/// If there is no cell, no seed or no draw, or if cells differ in their number of seeds.
pub fn selection_probabilities(scores: &[Vec<f64>], seed: u64, draws: usize) -> Vec<f64> {
    let n_seeds = scores.first().map_or(0, Vec::len);
    assert!(n_seeds > 0 && draws > 0, "picking needs a cell, a tuning seed and a draw");
    assert!(scores.iter().all(|of_cell| of_cell.len() == n_seeds), "cells must have the same tuning seeds");
    let bound = u32::try_from(n_seeds).expect("tuning seeds are counted in 32 bits");
    let mut stream = stream(seed, Purpose::Selection, 0);
    let mut drawn = vec![0; n_seeds.div_ceil(2)];
    let mut n_picked = vec![0_u32; scores.len()];
    for _ in 0..draws {
        drawn.fill_with(|| stream.below(bound) as usize);
        n_picked[largest(scores.iter().map(|of_cell| drawn.iter().map(|&i| of_cell[i]).sum()))] += 1;
    }
    n_picked.iter().map(|&n| f64::from(n) / draws as f64).collect()
}

/// The place of the largest of `sums`, of the first if there are several.
fn largest(sums: impl Iterator<Item = f64>) -> usize {
    let later_if_larger = |best: (usize, f64), next: (usize, f64)| if next.1 > best.1 { next } else { best };
    sums.enumerate().reduce(later_if_larger).map_or(0, |(place, _)| place)
}

#[cfg(test)]
mod tests;
