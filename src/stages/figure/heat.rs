//! `layout = "heat"`: tuning surfaces, from panel, x, y, mean, ci_low, ci_high, n_runs, n_diverged, and error where it is known.
//!
//! A panel whose rows have a y is a surface: a cell a pair of values, the best outlined, cells in which every run diverged
//! hatched. A panel without is a sweep of x alone and becomes a curve over a logarithmic axis.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{Rows, TitledPanel, Width, distinct, letter, one};
use crate::figures::{Figure, HeatPanel, Hue, LinePanel, Panel, PanelKind, ReferenceLine, Scale, Series, SeriesStyle};
use crate::tables::TableError;
use crate::tables::frame::Frame;

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HeatSpec {
    /// The table of surfaces.
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
    /// A line below the panels; `{runs}` becomes the number of runs.
    #[serde(default)]
    caption: Option<String>,
    /// The first swept parameter.
    #[serde(default)]
    x_label: String,
    /// The second swept parameter.
    #[serde(default)]
    y_label: String,
    /// What is measured: the label of colour bars, and of the vertical axis of curves.
    #[serde(default)]
    value_label: String,
    /// Ends of colour scales and of the curves' vertical axes; those of each panel's values if left out.
    #[serde(default)]
    value_range: Option<[f64; 2]>,
    /// The value that chance gives: a dashed line in curves.
    #[serde(default)]
    chance: Option<f64>,
    /// The panels in order; those of the table, sorted, if left out.
    #[serde(default)]
    panels: Vec<TitledPanel>,
}

pub(super) const COLUMNS: [&str; 8] = ["panel", "x", "y", "mean", "ci_low", "ci_high", "n_runs", "n_diverged"];

/// The rows of one panel.
#[derive(Default)]
struct Surface {
    x: Vec<f64>,
    y: Vec<Option<f64>>,
    /// Standard errors, where the table has them.
    error: Vec<Option<f64>>,
    /// None where every run diverged.
    mean: Vec<Option<f64>>,
    low: Vec<Option<f64>>,
    high: Vec<Option<f64>>,
}

impl HeatSpec {
    /// # Errors
    /// A column is missing or of the wrong type.
    pub(super) fn describe(&self, frame: &Frame) -> Result<Figure, TableError> {
        let runs = Rows::read(frame)?;
        let cells = frame.cells("panel")?;
        let (x, y, mean) = (frame.numbers("x")?, frame.numbers("y")?, frame.numbers("mean")?);
        let (low, high) = (frame.numbers("ci_low")?, frame.numbers("ci_high")?);
        let error = if frame.has("error") { frame.numbers("error")? } else { vec![None; mean.len()] };
        let panels = if self.panels.is_empty() {
            distinct(&cells).into_iter().map(|panel| TitledPanel { panel, title: None }).collect()
        } else {
            self.panels.clone()
        };
        let several = panels.len() > 1;
        let described = panels.iter().enumerate().map(|(index, panel)| {
            let mut rows: Vec<usize> =
                (0..cells.len()).filter(|&row| cells[row].matches(&panel.panel) && x[row].is_some()).collect();
            rows.sort_by(|&a, &b| x[a].unwrap_or(0.0).total_cmp(&x[b].unwrap_or(0.0)));
            let all_diverged =
                |row: usize| runs.n_runs[row].zip(runs.n_diverged[row]).is_some_and(|(n, d)| n > 0.0 && d >= n);
            let surface = Surface {
                x: rows.iter().filter_map(|&row| x[row]).collect(),
                y: rows.iter().map(|&row| y[row]).collect(),
                error: rows.iter().map(|&row| error[row]).collect(),
                mean: rows.iter().map(|&row| mean[row].filter(|_| !all_diverged(row))).collect(),
                low: rows.iter().map(|&row| low[row].filter(|_| !all_diverged(row))).collect(),
                high: rows.iter().map(|&row| high[row].filter(|_| !all_diverged(row))).collect(),
            };
            Panel {
                letter: several.then(|| letter(index)),
                title: panel.title.clone().or_else(|| several.then(|| panel.panel.to_string())),
                kind: self.panel(surface),
            }
        });
        Ok(Figure {
            title: self.title.clone(),
            caption: self.caption.as_ref().map(|caption| caption.replace("{runs}", &runs.in_words())),
            columns: self.columns,
            panels: described.collect(),
            width_mm: self.width.mm(),
        })
    }

    fn panel(&self, surface: Surface) -> PanelKind {
        if surface.y.iter().any(Option::is_some) { self.heat(&surface) } else { self.sweep(surface) }
    }

    fn heat(&self, surface: &Surface) -> PanelKind {
        let (x_values, y_values) =
            (ascending(surface.x.iter().copied()), ascending(surface.y.iter().copied().flatten()));
        let mut cells = vec![vec![None; x_values.len()]; y_values.len()];
        let mut errors = cells.clone();
        let mut best: Option<(f64, (usize, usize))> = None;
        for (((&x, y), mean), error) in surface.x.iter().zip(&surface.y).zip(&surface.mean).zip(&surface.error) {
            let column = x_values.iter().position(|value| *value == x);
            let row = y.and_then(|y| y_values.iter().position(|value| *value == y));
            let (Some(row), Some(column)) = (row, column) else { continue };
            cells[row][column] = *mean;
            errors[row][column] = *error;
            if let Some(mean) = *mean
                && best.is_none_or(|(highest, _)| mean > highest)
            {
                best = Some((mean, (row, column)));
            }
        }
        PanelKind::Heat(HeatPanel {
            x_label: self.x_label.clone(),
            y_label: self.y_label.clone(),
            x_values,
            y_values,
            cells,
            errors,
            colour_label: self.value_label.clone(),
            colour_range: self.value_range.map(|[low, high]| (low, high)),
            best: best.map(|(_, place)| place),
            missing_label: "diverged".to_owned(),
        })
    }

    fn sweep(&self, surface: Surface) -> PanelKind {
        PanelKind::Lines(LinePanel {
            x_label: self.x_label.clone(),
            y_label: self.value_label.clone(),
            x_scale: Scale::Log,
            y_scale: Scale::Linear,
            y_range: self.value_range.map(|[low, high]| (low, high)),
            series: vec![Series {
                label: String::new(),
                style: SeriesStyle::Category(Hue::Black),
                x: surface.x,
                mean: surface.mean,
                band: Some((surface.low, surface.high)),
                runs: Vec::new(),
            }],
            reference_lines: self.chance.iter().map(|&y| ReferenceLine { y, label: "chance".to_owned() }).collect(),
            ..LinePanel::default()
        })
    }
}

fn ascending(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> HeatSpec {
        toml::from_str("of = 't'").unwrap()
    }

    #[test]
    fn a_surface_finds_its_cells_and_its_best_whatever_the_order_of_rows() {
        let surface = Surface {
            x: vec![0.2, 0.1, 0.1, 0.2],
            y: vec![Some(1.0), Some(2.0), Some(1.0), Some(2.0)],
            error: vec![None, None, Some(0.02), None],
            mean: vec![Some(0.5), Some(0.9), Some(0.3), None],
            low: vec![None; 4],
            high: vec![None; 4],
        };
        let PanelKind::Heat(panel) = spec().panel(surface) else { panic!("y makes a surface") };
        assert_eq!((panel.x_values, panel.y_values), (vec![0.1, 0.2], vec![1.0, 2.0]));
        assert_eq!(panel.cells, [[Some(0.3), Some(0.5)], [Some(0.9), None]]);
        assert_eq!(panel.best, Some((1, 0)));
        assert_eq!(panel.errors, [[Some(0.02), None], [None, None]]);
    }

    #[test]
    fn a_sweep_of_one_parameter_is_a_curve_over_a_logarithmic_axis() {
        let surface = Surface {
            x: vec![0.01, 0.1],
            y: vec![None, None],
            error: vec![None; 2],
            mean: vec![Some(0.3), None],
            low: vec![Some(0.2), None],
            high: vec![Some(0.4), None],
        };
        let PanelKind::Lines(panel) = spec().panel(surface) else { panic!("no y, no surface") };
        assert_eq!((panel.x_scale, &panel.series[0].mean), (Scale::Log, &vec![Some(0.3), None]));
    }
}
