//! summary(panel, series, x, mean, ci_low, ci_high, n_runs, n_diverged) → a figure, as SVG and PNG

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, Output, Planning, Reads, Reference, Work};
use crate::error::Result;
use crate::figures::{self, Figure, Hue, LinePanel, Panel, PanelKind, ReferenceLine, Scale, Series, SeriesStyle};
use crate::run::Context;
use crate::spec::node::{Fault, Node, choices};
use crate::tables::frame::{Cell, Frame};

/// `kind = "figure"`
pub struct FigureKind;

/// Dots per inch of the PNG: what journals ask of line art with grey tones.
const DPI: f64 = 300.0;

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FigureSpec {
    /// The summary table.
    of: String,
    /// Panels side by side.
    #[serde(default = "one")]
    columns: usize,
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
    y_label: String,
    #[serde(default)]
    x_scale: ScaleSpec,
    #[serde(default)]
    y_scale: ScaleSpec,
    #[serde(default)]
    x_range: Option<[f64; 2]>,
    #[serde(default)]
    y_range: Option<[f64; 2]>,
    /// Horizontal lines.
    #[serde(default)]
    reference: Vec<ReferenceSpec>,
    /// The panels in order; those of the table, sorted, if left out.
    #[serde(default)]
    panels: Vec<PanelSpec>,
    /// The curves in order; those of the table, sorted, if left out.
    #[serde(default)]
    series: Vec<SeriesSpec>,
}

fn one() -> usize {
    1
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Width {
    /// 89 mm.
    Single,
    /// 180 mm.
    #[default]
    Double,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ScaleSpec {
    Linear,
    Log,
    /// Logarithmic where the values span more than three decades.
    #[default]
    Auto,
}

impl ScaleSpec {
    fn scale(self) -> Scale {
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
    y: f64,
    #[serde(default)]
    label: String,
}

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PanelSpec {
    /// Its value in the column `panel`.
    panel: Cell,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    x_label: Option<String>,
    #[serde(default)]
    y_label: Option<String>,
    #[serde(default)]
    y_scale: Option<ScaleSpec>,
    #[serde(default)]
    x_range: Option<[f64; 2]>,
    #[serde(default)]
    y_range: Option<[f64; 2]>,
}

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SeriesSpec {
    /// Its value in the column `series`.
    series: Cell,
    #[serde(default)]
    label: Option<String>,
    /// A colour for a condition; curves without one are an ordered sequence, such as layers.
    #[serde(default)]
    colour: Option<Colour>,
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

const COLUMNS: [&str; 8] = ["panel", "series", "x", "mean", "ci_low", "ci_high", "n_runs", "n_diverged"];

impl Kind for FigureKind {
    fn name(&self) -> &'static str {
        "figure"
    }

    fn summary(&self) -> &'static str {
        "Draws a summary table, as SVG and PNG."
    }

    fn version(&self) -> u32 {
        1
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<FigureSpec>()
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        Ok(vec![Reference::required(parameters, "of", Reads::Table)?])
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Box<dyn Work>, Fault> {
        let spec: FigureSpec = planning.parameters.read()?;
        let table = &planning.tables[0];
        for needed in COLUMNS {
            if table.schema.column(needed).is_none() {
                let message = format!(
                    "a figure is drawn from the columns {}; `{}` has no `{needed}`",
                    choices(COLUMNS),
                    table.name
                );
                return Err(planning.fault("of", message));
            }
        }
        if spec.columns == 0 {
            return Err(planning.fault("columns", "a figure has at least one column of panels"));
        }
        Ok(Box::new(FigureTask { spec, table: table.name.clone() }))
    }
}

#[derive(Debug)]
struct FigureTask {
    spec: FigureSpec,
    table: String,
}

impl Work for FigureTask {
    fn parameters(&self) -> serde_json::Value {
        let mut parameters = serde_json::to_value(&self.spec).expect("plain data");
        // Which table is drawn stands among the inputs; what a person called it does not change the picture.
        parameters.as_object_mut().expect("a struct").remove("of");
        parameters
    }

    fn outputs(&self) -> &[Output] {
        &[]
    }

    fn files(&self) -> &[&'static str] {
        &["svg", "png"]
    }

    fn run(&self, context: &Context<'_>) -> Result<()> {
        let frame = Frame::new(context.gathered(&self.table)?);
        let figure = self.describe(&Rows::read(&frame).map_err(|message| context.internal(message))?);
        let svg = figures::svg(&figure);
        context.write_file("svg", svg.as_bytes())?;
        let png = figures::png(&svg, DPI).map_err(|error| context.internal(error))?;
        context.write_file("png", &png)
    }

    fn cost(&self) -> f64 {
        0.5
    }
}

/// The summary's columns.
struct Rows {
    panel: Vec<Cell>,
    series: Vec<Cell>,
    x: Vec<Option<f64>>,
    mean: Vec<Option<f64>>,
    ci_low: Vec<Option<f64>>,
    ci_high: Vec<Option<f64>>,
    n_runs: Vec<Option<f64>>,
    n_diverged: Vec<Option<f64>>,
}

impl Rows {
    fn read(frame: &Frame) -> Result<Self, String> {
        let cells = |name: &str| frame.cells(name).ok_or_else(|| format!("no column `{name}`"));
        let numbers = |name: &str| frame.numbers(name).ok_or_else(|| format!("`{name}` is not a number"));
        Ok(Self {
            panel: cells("panel")?,
            series: cells("series")?,
            x: numbers("x")?,
            mean: numbers("mean")?,
            ci_low: numbers("ci_low")?,
            ci_high: numbers("ci_high")?,
            n_runs: numbers("n_runs")?,
            n_diverged: numbers("n_diverged")?,
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

    /// "20 runs", "18 to 20 runs", and how many of them diverged.
    fn runs_in_words(&self) -> String {
        let counts = || self.n_runs.iter().flatten();
        let (least, most) = (counts().copied().fold(f64::INFINITY, f64::min), counts().copied().fold(0.0, f64::max));
        let runs = if least < most { format!("{least} to {most} runs") } else { format!("{most} runs") };
        match self.n_diverged.iter().flatten().copied().fold(0.0, f64::max) {
            0.0 => runs,
            diverged => format!("{runs}, up to {diverged} of them diverged"),
        }
    }
}

fn distinct(cells: &[Cell]) -> Vec<Cell> {
    let mut distinct = cells.to_vec();
    distinct.sort();
    distinct.dedup();
    distinct
}

fn pair(range: Option<[f64; 2]>) -> Option<(f64, f64)> {
    range.map(|[low, high]| (low, high))
}

impl FigureTask {
    fn describe(&self, rows: &Rows) -> Figure {
        let spec = &self.spec;
        let panels: Vec<PanelSpec> = if spec.panels.is_empty() {
            let bare = |panel| PanelSpec {
                panel,
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
        let described = panels.iter().enumerate().map(|(index, panel)| Panel {
            letter: several.then(|| char::from(b'a' + (index % 26) as u8).to_string()),
            title: panel.title.clone().or_else(|| several.then(|| panel.panel.to_string())),
            kind: PanelKind::Lines(self.line_panel(rows, panel)),
        });
        Figure {
            title: spec.title.clone(),
            caption: spec.caption.as_ref().map(|caption| caption.replace("{runs}", &rows.runs_in_words())),
            columns: spec.columns,
            panels: described.collect(),
            width_mm: match spec.width {
                Width::Single => Figure::SINGLE_COLUMN_MM,
                Width::Double => Figure::DOUBLE_COLUMN_MM,
            },
        }
    }

    fn line_panel(&self, rows: &Rows, panel: &PanelSpec) -> LinePanel {
        let spec = &self.spec;
        let series: Vec<SeriesSpec> = if spec.series.is_empty() {
            let here: Vec<Cell> = rows
                .panel
                .iter()
                .zip(&rows.series)
                .filter(|(cell, _)| cell.matches(&panel.panel))
                .map(|(_, series)| series.clone())
                .collect();
            distinct(&here).into_iter().map(|series| SeriesSpec { series, label: None, colour: None }).collect()
        } else {
            spec.series.clone()
        };
        let count = series.len();
        let curves = series.iter().enumerate().filter_map(|(index, series)| {
            let rows_of = rows.curve(&panel.panel, &series.series);
            if rows_of.is_empty() {
                return None;
            }
            let pick = |values: &[Option<f64>]| rows_of.iter().map(|&row| values[row]).collect::<Vec<_>>();
            Some(Series {
                label: series.label.clone().unwrap_or_else(|| series.series.to_string()),
                style: match series.colour {
                    Some(colour) => SeriesStyle::Category(colour.hue()),
                    None => SeriesStyle::Ordered { index, count },
                },
                x: rows_of.iter().filter_map(|&row| rows.x[row]).collect(),
                mean: pick(&rows.mean),
                band: Some((pick(&rows.ci_low), pick(&rows.ci_high))),
            })
        });
        LinePanel {
            x_label: panel.x_label.clone().unwrap_or_else(|| spec.x_label.clone()),
            y_label: panel.y_label.clone().unwrap_or_else(|| spec.y_label.clone()),
            x_scale: spec.x_scale.scale(),
            y_scale: panel.y_scale.unwrap_or(spec.y_scale).scale(),
            x_range: pair(panel.x_range.or(spec.x_range)),
            y_range: pair(panel.y_range.or(spec.y_range)),
            series: curves.collect(),
            legend: true,
            reference_lines: spec
                .reference
                .iter()
                .map(|line| ReferenceLine { y: line.y, label: line.label.clone() })
                .collect(),
        }
    }
}
