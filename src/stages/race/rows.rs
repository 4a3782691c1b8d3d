//! The tables of a race, and what it reads of one condition.

use std::collections::BTreeMap;

use crate::science::racing::Scores;
use crate::tables::frame::Cell;
use crate::tables::table;

/// The columns that name a condition, which the tables of tuned coefficients are looked up by.
pub(super) const CONDITION: [&str; 3] = ["dataset", "setting", "rule"];

table! {
    /// A cell that is best; its coefficients stand in front of `score`.
    pub struct BestRow<'a> in "race" version 1 key(dataset, setting, rule, choice) {
        /// data set
        dataset: Category,
        /// network, initialisation and feedback
        setting: Category,
        /// learning rule
        rule: Category,
        /// `best` of all, or `best_positive` of those that have every term
        choice: Category,
        /// mean score; too good by what made it the best
        score: Float64,
        /// standard error of the mean
        error: Float64,
        /// of being picked if the race were run again; of `best_positive` among those with every term
        probability: Float64,
        /// trainings with these coefficients
        n: Int32 in "runs",
        /// trainings of the race
        n_trainings: Int32 in "runs",
        /// cells tried
        n_tried: Int32 in "cells",
        /// where it lies in the grid: `inside`, or at an end beyond which `zero`, `divergence` or `untried` lies
        edge: Category,
    }
}

table! {
    /// A cell of a race; its coefficients stand behind `rule`.
    pub struct CellRow<'a> in "cells" version 1 key(dataset, setting, rule) {
        /// data set
        dataset: Category,
        /// network, initialisation and feedback
        setting: Category,
        /// learning rule
        rule: Category,
        /// trainings
        n: Int32 in "runs",
        /// mean score
        mean: Option<Float64>,
        /// standard error of the mean
        error: Option<Float64>,
        /// trainings that diverged or ended below half of the best cell's median
        n_failed: Int32 in "runs",
        /// of being picked if the race were run again
        probability: Float64,
        /// the same among cells that have every term
        probability_positive: Float64,
        /// its place among those left that have every term; 1 is what figures run with
        place: Option<Int32>,
        /// trainings that the race wants next; 0 when it is over
        wanted: Int32 in "runs",
    }
}

/// The words that name a condition, and their order (5 before 10).
pub(super) type ConditionCells = [Cell; 3];

/// One condition of a tuning with what was measured of it.
#[derive(Debug)]
pub(super) struct Entrant {
    pub condition: ConditionCells,
    /// Which of the coefficients its rule has.
    pub has: Vec<bool>,
    pub scores: Scores,
    /// Of each score, whether the training diverged.
    pub diverged: BTreeMap<Vec<i32>, Vec<bool>>,
}
