//! Legends: arranged in columns, placed where no curve, interval or label is, or above the panel.

use super::font::Face;
use super::geometry::{Point, Rect, cut_polygon};
use super::palette::SeriesStyle;
use super::svg::{Anchor, Canvas, Lettering, Stroke};
use super::{font, style, text};

/// What the legend says about one series.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub label: String,
    pub style: SeriesStyle,
    /// Of the curve, in points.
    pub width: f64,
    pub dashes: &'static [f64],
    pub band: bool,
}

const SAMPLE_LENGTH: f64 = 13.0;
const SAMPLE_GAP: f64 = 4.0;
const LINE_HEIGHT: f64 = 9.5;
const COLUMN_GAP: f64 = 9.0;

/// Entries on a grid.
#[derive(Debug, Clone)]
pub(super) struct Legend {
    /// By column, from the left.
    columns: Vec<Vec<Entry>>,
    rows: usize,
    column_widths: Vec<f64>,
}

impl Legend {
    /// Filled downwards, as one reads a list.
    fn in_columns(entries: &[Entry], columns: usize) -> Self {
        let rows = entries.len().div_ceil(columns.max(1)).max(1);
        Self::of(entries.chunks(rows).map(<[Entry]>::to_vec).collect())
    }

    /// Filled along the rows, as one reads a line; as few rows as fit into `width`.
    pub(super) fn strip(entries: &[Entry], width: f64) -> Self {
        let in_rows = |columns: usize| {
            let column = |first: usize| entries.iter().skip(first).step_by(columns).cloned().collect();
            Self::of((0..columns).map(column).collect())
        };
        // Equal rows look planned: nine entries that do not fit into one row of eight stand in five and four.
        let rows_first = (1..=entries.len().max(1)).map(|rows| in_rows(entries.len().max(1).div_ceil(rows)));
        { rows_first }.find(|legend| legend.width() <= width).unwrap_or_else(|| in_rows(1))
    }

    fn of(columns: Vec<Vec<Entry>>) -> Self {
        let label = |entry: &Entry| text::width(&entry.label, Face::Regular, style::TICK_SIZE);
        let widest = |column: &Vec<Entry>| column.iter().map(label).fold(0.0, f64::max);
        let column_widths = columns.iter().map(|column| SAMPLE_LENGTH + SAMPLE_GAP + widest(column)).collect();
        let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
        Self { columns, rows, column_widths }
    }

    pub(super) fn width(&self) -> f64 {
        self.column_widths.iter().sum::<f64>() + COLUMN_GAP * self.column_widths.len().saturating_sub(1) as f64
    }

    pub(super) fn height(&self) -> f64 {
        LINE_HEIGHT * self.rows as f64
    }

    /// Draws it with `at` as its upper left corner.
    pub(super) fn draw(&self, canvas: &mut Canvas, at: Point) {
        let mut x = at.0;
        for (column, width) in self.columns.iter().zip(&self.column_widths) {
            for (row, entry) in column.iter().enumerate() {
                let middle = at.1 + LINE_HEIGHT * (row as f64 + 0.5);
                let colour = entry.style.rgb();
                if entry.band {
                    let (top, bottom) = (middle - 2.5, middle + 2.5);
                    let end = x + SAMPLE_LENGTH;
                    canvas.polygon(&[(x, top), (end, top), (end, bottom), (x, bottom)], colour, style::BAND_OPACITY);
                }
                let stroke = Stroke { colour, width: entry.width, dashes: entry.dashes };
                canvas.line((x, middle), (x + SAMPLE_LENGTH, middle), stroke);
                let baseline = middle + font::CAP_HEIGHT * style::TICK_SIZE / 2.0;
                let lettering = Lettering::new(style::TICK_SIZE, Anchor::Start);
                canvas.text(&entry.label, (x + SAMPLE_LENGTH + SAMPLE_GAP, baseline), lettering);
            }
            x += width + COLUMN_GAP;
        }
    }
}

/// What a legend must not cover.
#[derive(Debug, Clone, Default)]
pub(super) struct Obstacles {
    pub segments: Vec<(Point, Point)>,
    /// Convex pieces of shaded intervals.
    pub areas: Vec<Vec<Point>>,
    pub boxes: Vec<Rect>,
}

impl Obstacles {
    pub(super) fn touch(&self, rect: &Rect) -> bool {
        let crossed = |polygon: &Vec<Point>| !cut_polygon(rect, polygon).is_empty();
        self.segments.iter().any(|(a, b)| rect.touches(*a, *b))
            || self.boxes.iter().any(|other| other.overlaps(rect))
            || self.areas.iter().any(crossed)
    }
}

/// A place inside `body` that keeps clear of everything: in as few columns and as far from all else as there is room.
pub(super) fn place(entries: &[Entry], body: &Rect, obstacles: &Obstacles) -> Option<(Legend, Point)> {
    const INSET: f64 = 5.0;
    let columns = 1..=entries.len().min(5);
    let arrangements: Vec<Legend> = columns.map(|columns| Legend::in_columns(entries, columns)).collect();
    for clearance in [6.0, 3.5] {
        for legend in &arrangements {
            let (width, height) = (legend.width(), legend.height());
            // A legend that fills the panel reads as part of the data.
            if width > 0.8 * body.width || height > 0.7 * body.height {
                continue;
            }
            let (left, right) = (body.x + INSET, body.right() - width - 1.0);
            let (top, bottom) = (body.y, body.bottom() - height - INSET);
            // Learning curves rise and saturate: the lower right is free most often. Corners look best, then the sides
            // (the right one from below, the left one from above), then the middle.
            let corners = [(right, bottom), (left, top), (right, top), (left, bottom)];
            let down = |i: i32| top + (bottom - top) * f64::from(i) / 12.0;
            let candidates = corners
                .into_iter()
                .chain((1..12).rev().map(|i| (right, down(i))))
                .chain((1..12).map(|i| (left, down(i))))
                .chain((0..=12).rev().map(|i| ((left + right) / 2.0, down(i))));
            let free = |at: &Point| {
                let area = Rect { x: at.0, y: at.1, width, height };
                !obstacles.touch(&area.grown(clearance))
            };
            if let Some(at) = { candidates }.find(free) {
                return Some((legend.clone(), at));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BODY: Rect = Rect { x: 30.0, y: 10.0, width: 200.0, height: 130.0 };

    fn entries(n: usize) -> Vec<Entry> {
        let entry = |index| Entry {
            label: format!("y_{{{index}}}"),
            style: SeriesStyle::Ordered { index, count: n },
            width: style::CURVE_WIDTH,
            dashes: &[],
            band: true,
        };
        (0..n).map(entry).collect()
    }

    #[test]
    fn an_empty_panel_takes_the_lower_right_and_a_full_one_none() {
        let entries = entries(2);
        let (legend, at) = place(&entries, &BODY, &Obstacles::default()).expect("room everywhere");
        assert!(at.0 + legend.width() > BODY.right() - 10.0 && at.1 > BODY.y + BODY.height / 2.0);
        let full = Obstacles { boxes: vec![BODY], ..Obstacles::default() };
        assert!(place(&entries, &BODY, &full).is_none());
    }

    #[test]
    fn a_strip_fits_its_width_where_one_column_does() {
        let entries = entries(9);
        for width in [30.0, 80.0, 200.0, 500.0] {
            let legend = Legend::strip(&entries, width);
            assert!(legend.width() <= width.max(Legend::in_columns(&entries, 1).width()));
            assert!(legend.rows * legend.column_widths.len() >= entries.len());
        }
    }

    proptest! {
        #[test]
        fn a_placed_legend_covers_no_point_of_any_curve(
            n in 1usize..10,
            ys in prop::collection::vec(prop::collection::vec(10.0..140.0f64, 21), 1..4),
        ) {
            let entries = entries(n);
            let curve = |ys: &Vec<f64>| -> Vec<Point> { (0..21).map(|i| (30.0 + 10.0 * f64::from(i), ys[i as usize])).collect() };
            let curves: Vec<Vec<Point>> = ys.iter().map(curve).collect();
            let segments = curves.iter().flat_map(|c| c.windows(2).map(|w| (w[0], w[1]))).collect();
            let obstacles = Obstacles { segments, ..Obstacles::default() };
            if let Some((legend, at)) = place(&entries, &BODY, &obstacles) {
                let area = Rect { x: at.0, y: at.1, width: legend.width(), height: legend.height() };
                prop_assert!(area.x >= BODY.x && area.right() <= BODY.right());
                prop_assert!(area.y >= BODY.y && area.bottom() <= BODY.bottom());
                for pair in curves.iter().flat_map(|curve| curve.windows(2)) {
                    for i in 0..=50 {
                        let t = f64::from(i) / 50.0;
                        let p = (pair[0].0 + t * (pair[1].0 - pair[0].0), pair[0].1 + t * (pair[1].1 - pair[0].1));
                        let inside = p.0 > area.x && p.0 < area.right() && p.1 > area.y && p.1 < area.bottom();
                        prop_assert!(!inside, "{p:?} in {area:?}");
                    }
                }
            }
        }
    }
}
