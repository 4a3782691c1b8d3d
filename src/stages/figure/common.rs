//! What all layouts share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::figures::Figure;
use crate::tables::TableError;
use crate::tables::frame::{Cell, Frame};

pub(super) fn one() -> usize {
    1
}

/// One of the values of the column `panel`, under a title.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TitledPanel {
    /// Its value in the column `panel`.
    pub panel: Cell,
    #[serde(default)]
    pub title: Option<String>,
}

/// How wide a figure is on a page.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Width {
    /// 89 mm.
    Single,
    /// 180 mm.
    #[default]
    Double,
}

impl Width {
    pub(super) fn mm(self) -> f64 {
        match self {
            Self::Single => Figure::SINGLE_COLUMN_MM,
            Self::Double => Figure::DOUBLE_COLUMN_MM,
        }
    }
}

/// How many runs stand behind each row.
pub(super) struct Rows {
    pub n_runs: Vec<Option<f64>>,
    pub n_diverged: Vec<Option<f64>>,
}

impl Rows {
    pub(super) fn read(frame: &Frame) -> Result<Self, TableError> {
        Ok(Self { n_runs: frame.numbers("n_runs")?, n_diverged: frame.numbers("n_diverged")? })
    }

    /// "20 runs", "18 to 20 runs", and how many of them diverged.
    pub(super) fn in_words(&self) -> String {
        let counts = || self.n_runs.iter().flatten();
        let (least, most) = (counts().copied().fold(f64::INFINITY, f64::min), counts().copied().fold(0.0, f64::max));
        let runs = if least < most { format!("{least} to {most} runs") } else { format!("{most} runs") };
        match self.n_diverged.iter().flatten().copied().fold(0.0, f64::max) {
            0.0 => runs,
            diverged => format!("{runs}, up to {diverged} of them diverged"),
        }
    }
}

pub(super) fn distinct(cells: &[Cell]) -> Vec<Cell> {
    let mut distinct = cells.to_vec();
    distinct.sort();
    distinct.dedup();
    distinct
}

/// a, b, c …
pub(super) fn letter(index: usize) -> String {
    char::from(b'a' + (index % 26) as u8).to_string()
}
