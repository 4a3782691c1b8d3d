//! What a caller says about a figure: panels, columns of numbers, labels. No geometry, no colour values.

use super::palette::SeriesStyle;

/// A figure: panels in reading order on a grid.
///
/// Every label may hold sub- and superscripts, either as Unicode characters (`y₁`, `10⁻³`) or in braces after
/// `_` and `^` (`W_{ℓ-1,ℓ}`); a lone letter before a subscript is set in italics, as a variable.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    pub title: Option<String>,
    /// A small line below the panels: units, number of runs, kind of interval. Wrapped at the figure's width.
    pub caption: Option<String>,
    /// Panels in a row; 0 is read as 1.
    pub columns: usize,
    pub panels: Vec<Panel>,
    /// Width in millimetres; the height follows from the contents. See [`Figure::SINGLE_COLUMN_MM`].
    pub width_mm: f64,
}

impl Figure {
    /// One text column of a journal page.
    pub(crate) const SINGLE_COLUMN_MM: f64 = 89.0;
    /// The whole width of a journal page.
    pub(crate) const DOUBLE_COLUMN_MM: f64 = 180.0;
}

impl Default for Figure {
    fn default() -> Self {
        Self { title: None, caption: None, columns: 1, panels: Vec::new(), width_mm: Self::DOUBLE_COLUMN_MM }
    }
}

/// One panel with its letter ("a") and title.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Panel {
    pub letter: Option<String>,
    pub title: Option<String>,
    pub kind: PanelKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PanelKind {
    Lines(LinePanel),
    Dots(DotPanel),
    Heat(HeatPanel),
    Images(ImagePanel),
}

/// How numbers become lengths along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Scale {
    Linear,
    /// Zero and negative values have no place on it: means there are missing, the lower end of a band is the axis.
    Log,
    /// [`Scale::Log`] where the values span more than three decades and none is negative, else [`Scale::Linear`].
    #[default]
    Auto,
}

/// Curves with shaded intervals.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct LinePanel {
    pub x_label: String,
    pub y_label: String,
    pub x_scale: Scale,
    pub y_scale: Scale,
    /// Ends of the axis in data units; chosen from the data where absent or impossible (`low ≥ high`, not finite).
    pub x_range: Option<(f64, f64)>,
    pub y_range: Option<(f64, f64)>,
    pub series: Vec<Series>,
    /// No dashes: colour alone tells the series apart.
    pub solid: bool,
    /// Panels that show the same entries share one legend, drawn with the first of them.
    pub legend: bool,
    pub reference_lines: Vec<ReferenceLine>,
}

/// A dashed line at a value, such as chance level.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ReferenceLine {
    pub y: f64,
    pub label: String,
}

/// A column of numbers in which some may be missing.
pub(crate) type Column = Vec<Option<f64>>;

/// One curve. `x`, `mean` and both sides of `band` are parallel; what is beyond the shortest of them is not drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    pub label: String,
    pub style: SeriesStyle,
    pub x: Vec<f64>,
    /// Missing (or not finite) values break the line.
    pub mean: Column,
    /// Lower and upper end of the interval.
    pub band: Option<(Column, Column)>,
    /// Single runs behind the curve, each a list of (x, value).
    pub runs: Vec<Vec<(f64, Option<f64>)>>,
}

/// A row a category, and in each a dot with its interval for every series.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DotPanel {
    pub x_label: String,
    /// Ends of the axis in data units; chosen from the data where absent or impossible.
    pub x_range: Option<(f64, f64)>,
    /// Labels of the rows, from above; empty where those of the panel on the left say it.
    pub rows: Vec<String>,
    pub series: Vec<DotSeries>,
    /// Vertical lines, at their values.
    pub reference_lines: Vec<ReferenceLine>,
}

/// A mean, and the ends of its interval where it has one.
pub(crate) type Dot = (f64, Option<(f64, f64)>);

impl DotPanel {
    /// All that its dots and their intervals reach.
    pub(crate) fn reached(&self) -> impl Iterator<Item = f64> {
        let values = self.series.iter().flat_map(|series| series.values.iter().flatten().copied());
        values.flat_map(|(mean, interval)| {
            let (low, high) = interval.unwrap_or((mean, mean));
            [mean, low, high]
        })
    }
}

/// The dots of one series.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DotSeries {
    pub label: String,
    pub style: SeriesStyle,
    /// A mean and the ends of its interval for each row that has any.
    pub values: Vec<Option<Dot>>,
}

/// A surface over two swept parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HeatPanel {
    pub x_label: String,
    pub y_label: String,
    /// The parameter's value of each column, left to right, and of each row, from the bottom upwards.
    pub x_values: Vec<f64>,
    pub y_values: Vec<f64>,
    /// `y_values.len()` rows of `x_values.len()` cells; missing (diverged) cells are hatched.
    pub cells: Vec<Vec<Option<f64>>>,
    /// Standard errors, cell by cell like `cells`; empty where none are known.
    pub errors: Vec<Vec<Option<f64>>>,
    /// Label of the colour bar, with its unit.
    pub colour_label: String,
    /// Ends of the colour scale; those of the data where absent.
    pub colour_range: Option<(f64, f64)>,
    /// `(row, column)` of the cell to outline.
    pub best: Option<(usize, usize)>,
    /// What a missing cell means ("diverged"), shown with a hatched sample where there is one.
    pub missing_label: String,
}

/// A grid of grey images: a row an example, columns in groups.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ImagePanel {
    pub row_heads: Vec<String>,
    pub groups: Vec<ImageGroup>,
    /// Pixels of every image, `(width, height)`; 28 × 28 for MNIST.
    pub size: (usize, usize),
}

/// Columns under one head, such as "BP".
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ImageGroup {
    pub head: String,
    pub columns: Vec<ImageColumn>,
}

/// One column of images, top to bottom as the row heads.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ImageColumn {
    pub head: String,
    /// Row-major pixels, `width × height` of them, in any unit: each image is scaled to its own range, its smallest
    /// value black and its largest white. An image of another length or with a value that is not finite is shown
    /// as missing.
    pub images: Vec<Option<Vec<f32>>>,
}
