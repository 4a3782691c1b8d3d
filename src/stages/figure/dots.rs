//! `layout = "dots"`: a row a category, a dot with its interval for each series, from panel, series, row, mean, ci_low, ci_high,
//! n_runs, n_diverged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{Rows, TitledPanel, Width, distinct, letter};
use super::lines::SeriesSpec;
use crate::figures::{DotPanel, DotSeries, Figure, Panel, PanelKind, ReferenceLine};
use crate::tables::TableError;
use crate::tables::frame::{Cell, Frame};

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DotsSpec {
    /// The summary table.
    pub(super) of: String,
    /// Panels side by side; all of them if left out.
    #[serde(default)]
    columns: Option<usize>,
    /// Width on a journal's page.
    #[serde(default)]
    width: Width,
    #[serde(default)]
    title: Option<String>,
    /// A line below the panels; `{runs}` becomes the number of runs.
    #[serde(default)]
    caption: Option<String>,
    #[serde(default)]
    x_label: String,
    #[serde(default)]
    x_range: Option<[f64; 2]>,
    /// Vertical lines.
    #[serde(default)]
    reference: Vec<VerticalSpec>,
    /// The panels in order; those of the table, sorted, if left out.
    #[serde(default)]
    panels: Vec<TitledPanel>,
    /// The rows from above, in every panel; those of the table, sorted, if left out.
    #[serde(default)]
    rows: Vec<CategorySpec>,
    /// The dots of a row from above; those of the table, sorted, if left out.
    #[serde(default)]
    series: Vec<SeriesSpec>,
}

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct VerticalSpec {
    x: f64,
    #[serde(default)]
    label: String,
}

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CategorySpec {
    /// Its value in the column `row`.
    row: Cell,
    #[serde(default)]
    label: Option<String>,
}

pub(super) const COLUMNS: [&str; 8] = ["panel", "series", "row", "mean", "ci_low", "ci_high", "n_runs", "n_diverged"];

impl DotsSpec {
    pub(super) fn columns(&self) -> Option<usize> {
        self.columns
    }

    /// # Errors
    /// A column is missing or of the wrong type.
    pub(super) fn describe(&self, frame: &Frame) -> Result<Figure, TableError> {
        let runs = Rows::read(frame)?;
        let (panel, series, row) = (frame.cells("panel")?, frame.cells("series")?, frame.cells("row")?);
        let (mean, low, high) = (frame.numbers("mean")?, frame.numbers("ci_low")?, frame.numbers("ci_high")?);
        let panels: Vec<TitledPanel> = match &self.panels[..] {
            [] => distinct(&panel).into_iter().map(|panel| TitledPanel { panel, title: None }).collect(),
            given => given.to_vec(),
        };
        let rows: Vec<CategorySpec> = match &self.rows[..] {
            [] => distinct(&row).into_iter().map(|row| CategorySpec { row, label: None }).collect(),
            given => given.to_vec(),
        };
        let all: Vec<SeriesSpec> = match &self.series[..] {
            [] => distinct(&series).into_iter().map(SeriesSpec::bare).collect(),
            given => given.to_vec(),
        };
        let columns = self.columns.unwrap_or(panels.len()).max(1);
        let several = panels.len() > 1;
        let value = |in_panel: &Cell, of_series: &Cell, in_row: &Cell| {
            let here = (0..mean.len())
                .find(|&at| panel[at].matches(in_panel) && series[at].matches(of_series) && row[at].matches(in_row))?;
            Some((mean[here]?, low[here].zip(high[here])))
        };
        let described = panels.iter().enumerate().map(|(index, panel)| Panel {
            letter: several.then(|| letter(index)),
            title: panel.title.clone().or_else(|| several.then(|| panel.panel.to_string())),
            kind: PanelKind::Dots(DotPanel {
                x_label: self.x_label.clone(),
                x_range: self.x_range.map(|[low, high]| (low, high)),
                // Rows go on through the panels beside it.
                rows: rows
                    .iter()
                    .map(|row| match index % columns {
                        0 => row.label.clone().unwrap_or_else(|| row.row.to_string()),
                        _ => String::new(),
                    })
                    .collect(),
                series: all
                    .iter()
                    .enumerate()
                    .map(|(number, series)| DotSeries {
                        label: series.name(),
                        style: series.style(number, all.len()),
                        values: rows.iter().map(|row| value(&panel.panel, &series.series, &row.row)).collect(),
                    })
                    .collect(),
                reference_lines: self
                    .reference
                    .iter()
                    .map(|line| ReferenceLine { y: line.x, label: line.label.clone() })
                    .collect(),
            }),
        });
        Ok(Figure {
            title: self.title.clone(),
            caption: self.caption.as_ref().map(|caption| caption.replace("{runs}", &runs.in_words())),
            columns,
            panels: described.collect(),
            width_mm: self.width.mm(),
        })
    }
}
