//! One side of a contrast: the cells that tuning left, and what each gave.

use super::super::sample::{mean, variance};

/// How far probabilities may add up to something else than 1.
const ROUNDING: f64 = 1e-9;

/// A cell that tuning left in the race: how probable it is to be picked, and what each run of the figure gave with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Survivor {
    /// π_c, within [0, 1].
    pub probability: f64,
    /// x_{c,i}, one finite number per run, in the same order of runs throughout a contrast.
    pub values: Vec<f64>,
}

/// One rule, or condition: its survivors, of which the first was picked.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    survivors: Vec<Survivor>,
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

    pub(super) fn n_runs(&self) -> usize {
        self.survivors[0].values.len()
    }

    /// x_{c,i} of the picked cell, by run.
    pub(super) fn picked(&self) -> &[f64] {
        &self.survivors[0].values
    }

    /// x_{π,i}, by run.
    pub(super) fn mixture(&self) -> Vec<f64> {
        let mixed = |run| self.survivors.iter().map(|cell| cell.probability * cell.values[run]).sum();
        (0..self.n_runs()).map(mixed).collect()
    }

    /// This side's part of V; 0 with one run, which shows no difference between cells apart from noise.
    pub(super) fn selection_variance(&self) -> f64 {
        let n = self.n_runs();
        if n < 2 {
            return 0.0;
        }
        let mixture = self.mixture();
        let part = |cell: &Survivor| {
            // Of the differences, as m_c − m_π is their mean: runs that are lucky for all cells cancel.
            let apart: Vec<f64> = cell.values.iter().zip(&mixture).map(|(x, mixed)| x - mixed).collect();
            let distance = mean(&apart);
            cell.probability * (distance * distance - variance(&apart) / n as f64)
        };
        self.survivors.iter().map(part).sum::<f64>().max(0.0)
    }
}
