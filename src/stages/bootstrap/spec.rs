//! What a pipeline says of a bootstrap.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tables::frame::Cell;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BootstrapSpec {
    /// The table of measurements.
    pub of: String,
    /// The `runs` table of the training behind it; `<stage>_runs` for `<stage>_evaluations` if left out.
    #[serde(default)]
    #[allow(dead_code)]
    pub runs: Option<String>,
    /// The table of what tuning left to choose from (`kind = "tuned"`), where runs have an axis `cell`.
    #[serde(default)]
    pub selection: Option<String>,
    /// The column that is averaged over runs.
    pub value: String,
    /// The axis whose values are the runs.
    #[serde(default = "seed")]
    pub over: String,
    /// The columns that tell measurements apart, for tables made by SQL; other tables know theirs.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Only rows with these values: `{ step = 5000, layer = [1, 2] }`; all rows if left out.
    #[serde(default, rename = "where")]
    pub filter: BTreeMap<String, OneOrMany>,
    /// Columns over which each run's values are averaged first.
    #[serde(default)]
    pub mean_over: Vec<String>,
    /// Paired difference between two values of a column.
    #[serde(default)]
    pub difference: Option<Difference>,
    /// Ratio of the means of two values of a column.
    #[serde(default)]
    pub ratio: Option<Ratio>,
    /// Largest mean over these columns, divided by the smallest.
    #[serde(default)]
    pub spread: Vec<String>,
    /// What a run that diverged counts as from then on (chance level for an accuracy); it is left out if this is.
    #[serde(default)]
    pub when_diverged: Option<f64>,
    /// Resamples of the runs, of whose means the interval takes percentiles.
    #[serde(default = "resamples")]
    pub resamples: usize,
    /// The share of resamples that the interval holds.
    #[serde(default = "level")]
    pub level: f64,
    /// Of the resampling; the same for all tables unless it is set, so that bands can be compared.
    #[serde(default)]
    pub seed: u64,
}

fn seed() -> String {
    "seed".to_owned()
}

/// Resamples and level of the paper's figures.
fn resamples() -> usize {
    500
}

fn level() -> f64 {
    0.98
}

/// What a column may hold: one value, or any of several.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged, expecting = "a value is a word, a number or a boolean, or a list of them")]
pub enum OneOrMany {
    /// Any of these values.
    Many(Vec<Cell>),
    /// This value.
    One(Cell),
}

impl OneOrMany {
    /// The values, one or several.
    pub fn values(&self) -> &[Cell] {
        match self {
            Self::Many(values) => values,
            Self::One(value) => std::slice::from_ref(value),
        }
    }

    /// Whether a cell holds one of them.
    pub fn contains(&self, cell: &Cell) -> bool {
        self.values().iter().any(|value| value.matches(cell))
    }
}

/// `{ column = "rule", of = "bp_oja", minus = "bp" }`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Difference {
    /// The column, most often an axis, that tells the two apart.
    pub column: String,
    /// Its value in the rows from which the others are subtracted.
    pub of: Cell,
    /// Its value in the rows that are subtracted, of the same run and the same measurement.
    pub minus: Cell,
}

/// `{ column = "layer", of = 4, over = 1 }`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ratio {
    /// The column, most often an axis, that tells the two apart.
    pub column: String,
    /// Its value in the rows of the numerator.
    pub of: Cell,
    /// Its value in the rows of the denominator.
    pub over: Cell,
}

/// What is computed from the values of a group.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Statistic {
    Mean,
    Difference(Difference),
    Ratio(Ratio),
    Spread(Vec<String>),
}

impl Statistic {
    /// The column along which two values are compared.
    pub(super) fn compared(&self) -> Option<&str> {
        match self {
            Self::Difference(difference) => Some(&difference.column),
            Self::Ratio(ratio) => Some(&ratio.column),
            Self::Mean | Self::Spread(_) => None,
        }
    }

    /// Whether it is a ratio, so that runs are averaged by their logarithms.
    pub(super) fn is_logarithmic(&self) -> bool {
        matches!(self, Self::Ratio(_) | Self::Spread(_))
    }
}
