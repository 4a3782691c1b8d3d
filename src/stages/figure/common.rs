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
    /// What stands over it; its value, where there are several, if left out.
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

/// The range of all values that an axis can show, on round numbers so that its ends can be read.
pub(super) fn round_range(values: impl Iterator<Item = f64>, logarithmic: bool) -> Option<(f64, f64)> {
    let (low, high) = values
        .filter(|value| value.is_finite() && (!logarithmic || *value > 0.0))
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return None;
    }
    if logarithmic {
        // 1, 2 or 5 times a power of ten, below and above.
        let rounded = |value: f64, below: bool| {
            let decade = libm::pow(10.0, value.log10().floor());
            let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade);
            let found = if below {
                steps.into_iter().rev().find(|step| *step <= value * (1.0 + 1e-9))
            } else {
                steps.into_iter().find(|step| *step >= value * (1.0 - 1e-9))
            };
            found.unwrap_or(value)
        };
        return Some((rounded(low, true), rounded(high, false)));
    }
    let span = if high > low { high - low } else { high.abs().max(1.0) };
    let step = libm::pow(10.0, (span / 2.0).log10().floor());
    Some(((low / step).floor() * step, (high / step).ceil() * step))
}

/// The only row of those found, of which a place of the figure has room for one.
///
/// # Errors
/// There are several: the query left something open.
pub(super) fn only(
    mut found: impl Iterator<Item = usize>,
    frame: &Frame,
    place: &[&Cell],
) -> Result<Option<usize>, TableError> {
    let first = found.next();
    if found.next().is_none() {
        return Ok(first);
    }
    let place = place.iter().map(|cell| format!("`{cell}`")).collect::<Vec<_>>().join(", ");
    Err(TableError::new(frame.table(), "panel", format!("has several rows for the same place of the figure: {place}")))
}

/// a, b, c …
pub(super) fn letter(index: usize) -> String {
    char::from(b'a' + (index % 26) as u8).to_string()
}
