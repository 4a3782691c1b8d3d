//! `layout = "lines"`: curves with shaded intervals, from panel, series, x, mean, ci_low, ci_high, n_runs, n_diverged.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{Rows, Width, distinct, letter, one, round_range};
use crate::figures::{Figure, Hue, LinePanel, Panel, PanelKind, ReferenceLine, Scale, Series, SeriesStyle};
use crate::tables::TableError;
use crate::tables::frame::{Cell, Frame};

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LinesSpec {
    /// The summary table.
    pub(super) of: String,
    /// Panels side by side.
    #[serde(default = "one")]
    pub columns: usize,
    /// Width on a journal's page.
    #[serde(default)]
    width: Width,
    /// A heading over the whole figure; none if left out.
    #[serde(default)]
    title: Option<String>,
    /// A line below the panels; `{runs}` becomes the number of runs, `{panels}` the panels' values, the name of a column of
    /// `facts` in braces what stands there.
    #[serde(default)]
    pub caption: Option<String>,
    /// Below horizontal axes: what `x` is, with its unit; nothing if left out.
    #[serde(default)]
    x_label: String,
    /// Beside vertical axes: what is measured, with its unit; nothing if left out.
    #[serde(default)]
    y_label: String,
    /// Of horizontal axes; chosen by the values if left out.
    #[serde(default)]
    x_scale: ScaleSpec,
    /// Of vertical axes; chosen by the values if left out.
    #[serde(default)]
    y_scale: ScaleSpec,
    /// The ends of horizontal axes; chosen by the values if left out.
    #[serde(default)]
    x_range: Option<[f64; 2]>,
    /// The ends of vertical axes; chosen by the values if left out.
    #[serde(default)]
    y_range: Option<[f64; 2]>,
    /// One vertical axis for all panels, from the smallest to the largest of their values; each has its own if left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    share_y: bool,
    /// Whether no curve is dashed, however many there are, and colour alone tells them apart; no if left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    solid: bool,
    /// Horizontal lines.
    #[serde(default)]
    reference: Vec<ReferenceSpec>,
    /// A table of single runs, with the columns panel, series, x, run and value: thin lines behind the curves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<String>,
    /// A table of one row, whose columns the caption names in braces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<String>,
    /// The panels in order; those of the table, sorted, if left out.
    #[serde(default)]
    panels: Vec<PanelSpec>,
    /// The curves in order; those of the table, sorted, if left out.
    #[serde(default)]
    series: Vec<SeriesSpec>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ScaleSpec {
    Linear,
    Log,
    /// Logarithmic where the values span more than three decades.
    #[default]
    Auto,
}

impl ScaleSpec {
    pub(super) fn scale(self) -> Scale {
        match self {
            Self::Linear => Scale::Linear,
            Self::Log => Scale::Log,
            Self::Auto => Scale::Auto,
        }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReferenceSpec {
    /// Where it stands on the vertical axis.
    y: f64,
    /// What it means, written beside it; nothing if left out.
    #[serde(default)]
    label: String,
}

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PanelSpec {
    /// Its value in the column `panel`.
    panel: Cell,
    /// The panel's letter; in reading order if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    letter: Option<String>,
    /// Panels of the same name have one vertical axis, from 0 where it is linear and no value is negative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    axis: Option<String>,
    /// What stands over it; its value, where there are several, if left out.
    #[serde(default)]
    title: Option<String>,
    /// Below its horizontal axis; what the figure says if left out.
    #[serde(default)]
    x_label: Option<String>,
    /// Beside its vertical axis; what the figure says if left out.
    #[serde(default)]
    y_label: Option<String>,
    /// Of its vertical axis; what the figure says if left out.
    #[serde(default)]
    y_scale: Option<ScaleSpec>,
    /// The ends of its horizontal axis; those of the figure if left out.
    #[serde(default)]
    x_range: Option<[f64; 2]>,
    /// The ends of its vertical axis; those of the figure if left out.
    #[serde(default)]
    y_range: Option<[f64; 2]>,
}

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SeriesSpec {
    /// Its value in the column `series`.
    pub series: Cell,
    /// Its name in the legend; the value itself if left out.
    #[serde(default)]
    label: Option<String>,
    /// A colour for a condition; curves without one are an ordered sequence, such as layers.
    #[serde(default)]
    colour: Option<Colour>,
}

impl SeriesSpec {
    /// Of a table that says nothing of it.
    pub(super) fn bare(series: Cell) -> Self {
        Self { series, label: None, colour: None }
    }

    /// What a legend calls it.
    pub(super) fn name(&self) -> String {
        self.label.clone().unwrap_or_else(|| self.series.to_string())
    }

    /// A colour of its own, or a shade by its place in a sequence.
    pub(super) fn style(&self, index: usize, count: usize) -> SeriesStyle {
        match self.colour {
            Some(colour) => SeriesStyle::Category(colour.hue()),
            None => SeriesStyle::Ordered { index, count },
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Colour {
    Black,
    Blue,
    Orange,
    Green,
    Vermilion,
    Purple,
    Sky,
}

impl Colour {
    fn hue(self) -> Hue {
        match self {
            Self::Black => Hue::Black,
            Self::Blue => Hue::Blue,
            Self::Orange => Hue::Orange,
            Self::Green => Hue::Green,
            Self::Vermilion => Hue::Vermilion,
            Self::Purple => Hue::Purple,
            Self::Sky => Hue::Sky,
        }
    }
}

/// Of the table of single runs.
pub(super) const RUN_COLUMNS: [&str; 5] = ["panel", "series", "x", "run", "value"];

pub(super) const COLUMNS: [&str; 8] = ["panel", "series", "x", "mean", "ci_low", "ci_high", "n_runs", "n_diverged"];

fn pair(range: Option<[f64; 2]>) -> Option<(f64, f64)> {
    range.map(|[low, high]| (low, high))
}

impl LinesSpec {
    /// # Errors
    /// A column is missing or of the wrong type.
    pub(super) fn describe(&self, frame: &Frame, runs: Option<&Frame>) -> Result<Figure, TableError> {
        let rows = &Curves::read(frame)?;
        let runs = runs.map(SingleRuns::read).transpose()?;
        let spec = self;
        let panels: Vec<PanelSpec> = if spec.panels.is_empty() {
            let bare = |panel| PanelSpec {
                panel,
                letter: None,
                axis: None,
                title: None,
                x_label: None,
                y_label: None,
                y_scale: None,
                x_range: None,
                y_range: None,
            };
            distinct(&rows.panel).into_iter().map(bare).collect()
        } else {
            spec.panels.clone()
        };
        let several = panels.len() > 1;
        let names = panels.iter().map(|panel| panel.panel.to_string()).collect::<Vec<_>>().join(", ");
        let mut drawn: Vec<LinePanel> =
            panels.iter().map(|panel| self.line_panel((rows, runs.as_ref()), panel)).collect();
        if self.share_y {
            share_axis(&mut drawn.iter_mut().collect::<Vec<_>>(), |drawn| shared_range(drawn, self.y_scale));
        }
        for axis in panels.iter().filter_map(|panel| panel.axis.as_ref()).collect::<BTreeSet<_>>() {
            let is_on_it = |panel: &PanelSpec| panel.axis.as_ref() == Some(axis);
            let scale = panels.iter().filter(|panel| is_on_it(panel)).find_map(|panel| panel.y_scale);
            let mut members: Vec<&mut LinePanel> =
                drawn.iter_mut().zip(&panels).filter(|(_, panel)| is_on_it(panel)).map(|(drawn, _)| drawn).collect();
            share_axis(&mut members, |drawn| range_from_zero(drawn, scale.unwrap_or(self.y_scale)));
        }
        let described = panels.iter().zip(drawn).enumerate().map(|(index, (panel, lines))| Panel {
            letter: panel.letter.clone().or_else(|| several.then(|| letter(index))),
            title: panel.title.clone().or_else(|| several.then(|| panel.panel.to_string())),
            kind: PanelKind::Lines(lines),
        });
        Ok(Figure {
            title: spec.title.clone(),
            caption: spec
                .caption
                .as_ref()
                .map(|caption| caption.replace("{runs}", &rows.runs.in_words()).replace("{panels}", &names)),
            columns: spec.columns,
            panels: described.collect(),
            width_mm: spec.width.mm(),
        })
    }

    fn line_panel(&self, (rows, runs): (&Curves, Option<&SingleRuns>), panel: &PanelSpec) -> LinePanel {
        let spec = self;
        let series: Vec<SeriesSpec> = if spec.series.is_empty() {
            let here: Vec<Cell> = rows
                .panel
                .iter()
                .zip(&rows.series)
                .filter(|(cell, _)| cell.matches(&panel.panel))
                .map(|(_, series)| series.clone())
                .collect();
            distinct(&here).into_iter().map(SeriesSpec::bare).collect()
        } else {
            spec.series.clone()
        };
        // Only those that the panel has: an ordered sequence spreads over the whole range of colours in each panel.
        let there: Vec<(&SeriesSpec, Vec<usize>)> = series
            .iter()
            .map(|series| (series, rows.curve(&panel.panel, &series.series)))
            .filter(|(_, rows_of)| !rows_of.is_empty())
            .collect();
        let count = there.len();
        let curves = there.iter().enumerate().map(|(index, (series, rows_of))| {
            let pick = |values: &[Option<f64>]| rows_of.iter().map(|&row| values[row]).collect::<Vec<_>>();
            Series {
                label: series.name(),
                style: series.style(index, count),
                x: rows_of.iter().filter_map(|&row| rows.x[row]).collect(),
                mean: pick(&rows.mean),
                band: Some((pick(&rows.ci_low), pick(&rows.ci_high))),
                runs: runs.map(|runs| runs.of(&panel.panel, &series.series)).unwrap_or_default(),
            }
        });
        LinePanel {
            x_label: panel.x_label.clone().unwrap_or_else(|| spec.x_label.clone()),
            y_label: panel.y_label.clone().unwrap_or_else(|| spec.y_label.clone()),
            x_scale: spec.x_scale.scale(),
            y_scale: panel.y_scale.unwrap_or(spec.y_scale).scale(),
            x_range: pair(panel.x_range.or(spec.x_range)),
            y_range: pair(panel.y_range.or(spec.y_range)),
            series: curves.collect(),
            solid: spec.solid,
            legend: true,
            reference_lines: spec
                .reference
                .iter()
                .map(|line| ReferenceLine { y: line.y, label: line.label.clone() })
                .collect(),
        }
    }
}

/// The summary's columns.
struct Curves {
    panel: Vec<Cell>,
    series: Vec<Cell>,
    x: Vec<Option<f64>>,
    mean: Vec<Option<f64>>,
    ci_low: Vec<Option<f64>>,
    ci_high: Vec<Option<f64>>,
    runs: Rows,
}

impl Curves {
    fn read(frame: &Frame) -> Result<Self, TableError> {
        Ok(Self {
            panel: frame.cells("panel")?,
            series: frame.cells("series")?,
            x: frame.numbers("x")?,
            mean: frame.numbers("mean")?,
            ci_low: frame.numbers("ci_low")?,
            ci_high: frame.numbers("ci_high")?,
            runs: Rows::read(frame)?,
        })
    }

    /// The rows of one curve, by x.
    fn curve(&self, panel: &Cell, series: &Cell) -> Vec<usize> {
        let mut rows: Vec<usize> = (0..self.x.len())
            .filter(|&row| self.panel[row].matches(panel) && self.series[row].matches(series) && self.x[row].is_some())
            .collect();
        rows.sort_by(|&a, &b| self.x[a].unwrap_or(0.0).total_cmp(&self.x[b].unwrap_or(0.0)));
        rows
    }
}

/// The table of single runs.
struct SingleRuns {
    panel: Vec<Cell>,
    series: Vec<Cell>,
    run: Vec<Cell>,
    x: Vec<Option<f64>>,
    value: Vec<Option<f64>>,
}

impl SingleRuns {
    fn read(frame: &Frame) -> Result<Self, TableError> {
        Ok(Self {
            panel: frame.cells("panel")?,
            series: frame.cells("series")?,
            run: frame.cells("run")?,
            x: frame.numbers("x")?,
            value: frame.numbers("value")?,
        })
    }

    /// The runs of one curve, each by x.
    fn of(&self, panel: &Cell, series: &Cell) -> Vec<Vec<(f64, Option<f64>)>> {
        let mut runs: BTreeMap<&Cell, Vec<(f64, Option<f64>)>> = BTreeMap::new();
        for row in 0..self.x.len() {
            if let Some(x) = self.x[row]
                && self.panel[row].matches(panel)
                && self.series[row].matches(series)
            {
                runs.entry(&self.run[row]).or_default().push((x, self.value[row]));
            }
        }
        let mut runs: Vec<_> = runs.into_values().collect();
        runs.iter_mut().for_each(|run| run.sort_by(|a, b| a.0.total_cmp(&b.0)));
        runs
    }
}

/// Gives the panels that have no range of their own the one that all of them share.
fn share_axis(panels: &mut [&mut LinePanel], range: impl Fn(&[&LinePanel]) -> Option<(f64, f64)>) {
    let range = range(&panels.iter().map(|panel| &**panel).collect::<Vec<_>>());
    panels.iter_mut().for_each(|panel| panel.y_range = panel.y_range.or(range));
}

/// As [`shared_range`], from 0 where the axis is linear and no value is negative.
fn range_from_zero(panels: &[&LinePanel], scale: ScaleSpec) -> Option<(f64, f64)> {
    let (low, high) = shared_range(panels, scale)?;
    Some((if matches!(scale, ScaleSpec::Linear) { low.min(0.0) } else { low }, high))
}

/// The range of all panels' values, on round numbers so that the ends of the axis can be read.
fn shared_range(panels: &[&LinePanel], scale: ScaleSpec) -> Option<(f64, f64)> {
    let curves = panels.iter().flat_map(|panel| &panel.series);
    let values = curves.flat_map(|series| {
        let (low, high) = series.band.as_ref().map_or((&[][..], &[][..]), |(low, high)| (&low[..], &high[..]));
        series.mean.iter().chain(low).chain(high).copied().flatten()
    });
    round_range(values, matches!(scale, ScaleSpec::Log))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(values: &[f64]) -> LinePanel {
        let series = Series {
            label: String::new(),
            style: SeriesStyle::BASELINE,
            x: (0..values.len()).map(|x| x as f64).collect(),
            mean: values.iter().copied().map(Some).collect(),
            band: None,
            runs: Vec::new(),
        };
        LinePanel { series: vec![series], ..LinePanel::default() }
    }

    #[test]
    fn a_shared_axis_holds_all_values_and_ends_on_round_numbers() {
        let panels = [&panel(&[1.2, 116.0]), &panel(&[f64::NAN, 0.7])];
        assert_eq!(shared_range(&panels, ScaleSpec::Log), Some((0.5, 200.0)));
        assert_eq!(shared_range(&panels, ScaleSpec::Linear), Some((0.0, 120.0)));
        assert_eq!(shared_range(&[&panel(&[f64::NAN])], ScaleSpec::Log), None);
    }
}
