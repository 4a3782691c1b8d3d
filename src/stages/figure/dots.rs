//! `layout = "dots"`: a row a category, a dot with its interval for each series, from panel, series, row, mean, ci_low, ci_high,
//! n_runs, n_diverged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{Rows, TitledPanel, Width, distinct, letter, only, round_range};
use super::lines::SeriesSpec;
use crate::figures::{Dot, DotPanel, DotSeries, Figure, Panel, PanelKind, ReferenceLine};
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
    /// A heading over the whole figure; none if left out.
    #[serde(default)]
    title: Option<String>,
    /// A line below the panels; `{runs}` becomes the number of runs.
    #[serde(default)]
    caption: Option<String>,
    /// Below the horizontal axis of every panel: what is measured, with its unit; nothing if left out.
    #[serde(default)]
    x_label: String,
    /// The ends of every panel's axis; chosen from the values of all of them if left out.
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
    /// Where it stands on the horizontal axis.
    x: f64,
    /// What it means, written beside it; nothing if left out.
    #[serde(default)]
    label: String,
}

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CategorySpec {
    /// Its value in the column `row`.
    row: Cell,
    /// What stands beside it; the value itself if left out.
    #[serde(default)]
    label: Option<String>,
}

pub(super) const COLUMNS: [&str; 8] = ["panel", "series", "row", "mean", "ci_low", "ci_high", "n_runs", "n_diverged"];

impl DotsSpec {
    pub(super) fn columns(&self) -> Option<usize> {
        self.columns
    }

    /// # Errors
    /// A column is missing or of the wrong type, or two rows would stand in the same place.
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
        let value = |in_panel: &Cell, of_series: &Cell, in_row: &Cell| -> Result<Option<Dot>, TableError> {
            let here = (0..mean.len())
                .filter(|&at| panel[at].matches(in_panel) && series[at].matches(of_series) && row[at].matches(in_row));
            let here = only(here, frame, &[in_panel, of_series, in_row])?;
            Ok(here.and_then(|here| Some((mean[here]?, low[here].zip(high[here])))))
        };
        let mut dots = Vec::with_capacity(panels.len());
        for (index, TitledPanel { panel, .. }) in panels.iter().enumerate() {
            let mut of_series = Vec::with_capacity(all.len());
            for (number, series) in all.iter().enumerate() {
                let values = rows.iter().map(|row| value(panel, &series.series, &row.row)).collect::<Result<_, _>>()?;
                of_series.push(DotSeries { label: series.name(), style: series.style(number, all.len()), values });
            }
            // Rows go on through the panels beside it.
            let label = |row: &CategorySpec| match index % columns {
                0 => row.label.clone().unwrap_or_else(|| row.row.to_string()),
                _ => String::new(),
            };
            let line = |line: &VerticalSpec| ReferenceLine { y: line.x, label: line.label.clone() };
            dots.push(DotPanel {
                x_label: self.x_label.clone(),
                x_range: None,
                rows: rows.iter().map(label).collect(),
                series: of_series,
                reference_lines: self.reference.iter().map(line).collect(),
            });
        }
        // Dots are compared across panels.
        let reached = dots.iter().flat_map(DotPanel::reached).chain(self.reference.iter().map(|line| line.x));
        let x_range = self.x_range.map(<(f64, f64)>::from).or_else(|| round_range(reached, false));
        let described = panels.iter().zip(dots).enumerate().map(|(index, (panel, dots))| Panel {
            letter: several.then(|| letter(index)),
            title: panel.title.clone().or_else(|| several.then(|| panel.panel.to_string())),
            kind: PanelKind::Dots(DotPanel { x_range, ..dots }),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::{Row, table};

    table! {
        /// What a query makes of a bootstrap.
        struct SummaryRow<'a> in "summary" version 1 key() {
            /// panel
            panel: Category,
            /// series
            series: Category,
            /// row
            row: Category,
            /// mean
            mean: Float64,
            /// lower end
            ci_low: Option<Float64>,
            /// upper end
            ci_high: Option<Float64>,
            /// runs
            n_runs: Int32,
            /// diverged
            n_diverged: Int32,
        }
    }

    fn describe(rows: &[(&str, &str, f64)]) -> Result<Figure, TableError> {
        let row = |&(panel, row, mean)| {
            let (ci_low, ci_high) = (Some(mean - 0.5), Some(mean + 0.5));
            SummaryRow { panel, series: "s", row, mean, ci_low, ci_high, n_runs: 20, n_diverged: 0 }
        };
        let rows: Vec<SummaryRow<'_>> = rows.iter().map(row).collect();
        let spec: DotsSpec = toml::from_str("of = 't'").unwrap();
        spec.describe(&Frame::new("summary", SummaryRow::batch(&rows)))
    }

    #[test]
    fn panels_share_an_axis_that_holds_every_interval() {
        let figure = describe(&[("a", "x", 1.0), ("b", "x", 5.0), ("b", "y", 2.0)]).unwrap();
        for panel in &figure.panels {
            let PanelKind::Dots(dots) = &panel.kind else { panic!("dots") };
            assert_eq!(dots.x_range, Some((0.0, 6.0)));
        }
    }

    #[test]
    fn two_rows_in_the_same_place_are_refused() {
        let error = describe(&[("a", "x", 1.0), ("a", "x", 2.0)]).unwrap_err();
        insta::assert_snapshot!(error, @"table `summary`: column `panel` has several rows for the same place of the figure: `a`, `s`, `x`");
    }
}
