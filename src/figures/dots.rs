//! A panel of rows: a dot with its interval for each series, one row a category, numbers along the axis below.

use super::axis::{Axis, Direction};
use super::description::{DotPanel, DotSeries, Scale};
use super::font::{self, Face};
use super::legend::Entry;
use super::lines;
use super::palette::Rgb;
use super::svg::{Anchor, Canvas, Lettering, Stroke};
use super::{style, text};

const ROW_HEIGHT: f64 = 16.0;
/// Between the dots of a row, so that none covers another.
const APART: f64 = 4.4;
const DOT: f64 = 1.9;
const INTERVAL_WIDTH: f64 = 1.1;
const HAIRLINE: Stroke = Stroke { colour: Rgb(225, 225, 225), width: 0.4, dashes: &[] };

/// Space left of the plotting area: for the rows' labels, where the panel has any.
pub(super) fn left_margin(panel: &DotPanel) -> f64 {
    let widest = panel.rows.iter().map(|row| text::width(row, Face::Regular, style::TICK_SIZE)).fold(0.0, f64::max);
    if widest > 0.0 { widest + 2.0 * style::GAP } else { style::GAP }
}

/// A panel ready to be drawn, in coordinates that start at the upper left corner of its plotting area.
#[derive(Debug)]
pub(super) struct Forest<'a> {
    panel: &'a DotPanel,
    width: f64,
    axis: Axis,
}

impl<'a> Forest<'a> {
    pub(super) fn new(panel: &'a DotPanel, width: f64) -> Self {
        let references = panel.reference_lines.iter().map(|line| line.y);
        let values = panel.reached().chain(references);
        let axis = Axis::fit(values, Scale::Linear, panel.x_range, Direction::Horizontal, width);
        Self { panel, width, axis }
    }

    pub(super) fn height(&self) -> f64 {
        ROW_HEIGHT * self.panel.rows.len().max(1) as f64
    }

    pub(super) fn bottom_margin(&self) -> f64 {
        lines::below(&self.panel.x_label, self.width)
    }

    /// What a legend has to say.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let named = self.panel.series.iter().filter(|series| !series.label.is_empty());
        let entry = |series: &DotSeries| Entry {
            label: series.label.clone(),
            style: series.style,
            width: 2.0 * DOT,
            dashes: &[],
            band: false,
        };
        named.map(entry).collect()
    }

    /// Where a value stands, held within the axis.
    fn x(&self, value: f64) -> Option<f64> {
        Some(self.axis.share(value)?.clamp(0.0, 1.0) * self.width)
    }

    pub(super) fn draw(&self, canvas: &mut Canvas) {
        let height = self.height();
        for row in 0..self.panel.rows.len() {
            let y = ROW_HEIGHT * row as f64;
            canvas.line((0.0, y), (self.width, y), HAIRLINE);
        }
        for line in &self.panel.reference_lines {
            let Some(x) = self.x(line.y).filter(|_| self.axis.contains(line.y)) else { continue };
            canvas.line((x, 0.0), (x, height), lines::REFERENCE);
            let lettering = Lettering::new(lines::REFERENCE_LABEL_SIZE, Anchor::Middle).coloured(Rgb::GREY);
            canvas.text(&line.label, (x, -1.5), lettering);
        }
        for (row, label) in self.panel.rows.iter().enumerate() {
            let middle = ROW_HEIGHT * (row as f64 + 0.5);
            let baseline = middle + font::CAP_HEIGHT * style::TICK_SIZE / 2.0;
            canvas.text(label, (-2.0 * style::GAP, baseline), Lettering::new(style::TICK_SIZE, Anchor::End));
            for (number, series) in self.panel.series.iter().enumerate() {
                let off = APART * (number as f64 - (self.panel.series.len() - 1) as f64 / 2.0);
                self.draw_value(canvas, series, row, middle + off);
            }
        }
        lines::draw_x_axis(canvas, &self.axis, (self.width, height), &self.panel.x_label);
    }

    fn draw_value(&self, canvas: &mut Canvas, series: &DotSeries, row: usize, y: f64) {
        let Some((mean, interval)) = series.values.get(row).copied().flatten() else { return };
        let Some(x) = self.x(mean).filter(|_| mean.is_finite()) else { return };
        if let Some((low, high)) = interval.and_then(|(low, high)| self.x(low).zip(self.x(high))) {
            canvas.line((low, y), (high, y), Stroke::solid(series.style.rgb(), INTERVAL_WIDTH));
        }
        canvas.dot((x, y), DOT, series.style.rgb());
    }
}
