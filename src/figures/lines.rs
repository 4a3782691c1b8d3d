//! A panel of curves: axes on the left and below only, intervals behind all lines, dashed reference lines.

use super::axis::{Axis, Direction};
use super::curve::Curve;
use super::description::{LinePanel, Series};
use super::font::{self, Face};
use super::geometry::{Point, Rect};
use super::legend::{Entry, Legend, Obstacles};
use super::palette::{Rgb, SeriesStyle};
use super::svg::{Anchor, Canvas, Lettering, Stroke};
use super::{style, text};

const LABEL_LEADING: f64 = 9.0;
pub(super) const REFERENCE: Stroke = Stroke { colour: Rgb::GREY, width: 0.7, dashes: &[2.5, 2.0] };
pub(super) const REFERENCE_LABEL_SIZE: f64 = 6.5;

/// A panel ready to be drawn, in coordinates that start at the upper left corner of its plotting area.
#[derive(Debug)]
pub(super) struct Chart<'a> {
    panel: &'a LinePanel,
    body: Rect,
    x: Axis,
    y: Axis,
    curves: Vec<Curve>,
    references: Vec<Reference<'a>>,
}

#[derive(Debug)]
struct Reference<'a> {
    y: f64,
    label: &'a str,
    label_box: Rect,
}

/// Height of the plotting area for a panel's width: golden in wide panels, squarer in narrow ones.
pub(super) fn height(panel_width: f64) -> f64 {
    (0.58 * panel_width).clamp(84.0, 150.0)
}

/// Space left of the plotting area.
pub(super) fn left_margin(panel: &LinePanel, panel_width: f64) -> f64 {
    let height = height(panel_width);
    let label_lines = label_lines(&panel.y_label, height).len() as f64;
    let label = if label_lines > 0.0 { LABEL_LEADING * label_lines + style::GAP } else { 0.0 };
    style::TICK_LENGTH + style::GAP + y_axis(panel, height).label_width() + label
}

fn label_lines(label: &str, length: f64) -> Vec<String> {
    text::wrap(label, Face::Regular, style::LABEL_SIZE, length)
}

fn y_axis(panel: &LinePanel, height: f64) -> Axis {
    let values = panel.series.iter().flat_map(shown_values);
    let references = panel.reference_lines.iter().map(|line| line.y);
    Axis::fit(values.chain(references), panel.y_scale, panel.y_range, Direction::Vertical, height)
}

fn shown_values(series: &Series) -> impl Iterator<Item = f64> {
    let (low, high) = series.band.as_ref().map_or((&[][..], &[][..]), |(low, high)| (&low[..], &high[..]));
    series.mean.iter().chain(low).chain(high).copied().flatten()
}

impl<'a> Chart<'a> {
    /// Lays the panel out in a plotting area of this size, in points.
    pub(super) fn new(panel: &'a LinePanel, width: f64, height: f64) -> Self {
        let body = Rect { x: 0.0, y: 0.0, width, height };
        let xs = panel.series.iter().flat_map(|series| series.x.iter().copied());
        let x = Axis::fit(xs, panel.x_scale, panel.x_range, Direction::Horizontal, width);
        let y = y_axis(panel, height);
        let curves: Vec<Curve> = panel.series.iter().map(|series| Curve::new(series, &x, &y, &body)).collect();
        let mut chart = Self { panel, body, x, y, curves, references: Vec::new() };
        chart.references = chart.place_references();
        chart
    }

    /// The plotting area.
    pub(super) fn body(&self) -> &Rect {
        &self.body
    }

    /// Space below the plotting area.
    pub(super) fn bottom_margin(&self) -> f64 {
        below(&self.panel.x_label, self.body.width)
    }

    /// What a legend has to say; nothing where the panel asks for none or shows nothing.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let dashes = self.dashes();
        let named = self.panel.series.iter().zip(dashes).filter(|(series, _)| !series.label.is_empty());
        let entry = |(series, dashes): (&Series, &'static [f64])| Entry {
            label: series.label.clone(),
            style: series.style,
            width: self.curve_width(),
            dashes,
            band: series.band.is_some(),
        };
        if self.panel.legend && !self.is_empty() { named.map(entry).collect() } else { Vec::new() }
    }

    pub(super) fn obstacles(&self) -> Obstacles {
        let mut obstacles = self.curve_obstacles();
        for reference in &self.references {
            obstacles.segments.push(((0.0, reference.y), (self.body.width, reference.y)));
            obstacles.boxes.push(reference.label_box);
        }
        obstacles
    }

    fn curve_obstacles(&self) -> Obstacles {
        let mut obstacles = Obstacles::default();
        for curve in &self.curves {
            obstacles.segments.extend(curve.strokes.iter().flat_map(|s| s.windows(2).map(|w| (w[0], w[1]))));
            obstacles.segments.extend(curve.dots.iter().map(|dot| (*dot, *dot)));
            obstacles.areas.extend(curve.band_pieces.iter().cloned());
        }
        obstacles
    }

    fn is_empty(&self) -> bool {
        self.curves.iter().all(Curve::is_empty)
    }

    /// More values than a line of dashes can follow.
    fn is_dense(&self) -> bool {
        self.panel.series.iter().any(|series| series.x.len() > 200)
    }

    fn curve_width(&self) -> f64 {
        if self.is_dense() { style::DENSE_CURVE_WIDTH } else { style::CURVE_WIDTH }
    }

    /// Solid where colour alone tells the series apart: two categories, shades in order, or so asked for. Solid, too, where many
    /// values make a line so jagged that dashes would read as gaps; the hues differ in lightness.
    fn dashes(&self) -> Vec<&'static [f64]> {
        const PATTERNS: [&[f64]; 6] = [&[], &[4.5, 1.8], &[1.3, 1.5], &[5.0, 1.5, 1.3, 1.5], &[2.6, 1.4], &[8.0, 2.0]];
        let is_category = |series: &&Series| matches!(series.style, SeriesStyle::Category(_));
        let many = !self.panel.solid && self.panel.series.iter().filter(is_category).count() > 2 && !self.is_dense();
        let mut seen = 0;
        let mut pattern = |series: &Series| {
            if !many || !is_category(&series) {
                return PATTERNS[0];
            }
            seen += 1;
            PATTERNS[(seen - 1) % PATTERNS.len()]
        };
        self.panel.series.iter().map(&mut pattern).collect()
    }

    /// Reference lines inside the axis, each label at the end and on the side where it covers the least.
    fn place_references(&self) -> Vec<Reference<'a>> {
        let obstacles = self.curve_obstacles();
        let inside = self.panel.reference_lines.iter().filter(|line| self.y.contains(line.y));
        let place = |line: &'a super::description::ReferenceLine| {
            let y = self.body.height * (1.0 - self.y.share(line.y)?);
            let width = text::width(&line.label, Face::Regular, REFERENCE_LABEL_SIZE);
            let height = REFERENCE_LABEL_SIZE;
            let at = |(x, y): Point| Rect { x, y, width, height };
            let (right, left, above, below) = (self.body.width - width, 4.0, y - height - 1.5, y + 1.5);
            let candidates = [(right, above), (right, below), (left, above), (left, below)].map(at);
            let fits = |area: &Rect| area.y >= 0.0 && area.bottom() <= self.body.height - 1.0;
            let free = candidates.iter().find(|area| fits(area) && !obstacles.touch(&area.grown(1.0)));
            let label_box = *free.or_else(|| candidates.iter().find(|area| fits(area))).unwrap_or(&candidates[0]);
            Some(Reference { y, label: &line.label, label_box })
        };
        inside.filter_map(place).collect()
    }

    /// Draws everything; `left` is the margin in which the axis label stands.
    pub(super) fn draw(&self, canvas: &mut Canvas, left: f64, legend: Option<(&Legend, Point)>) {
        for reference in &self.references {
            canvas.line((0.0, reference.y), (self.body.width, reference.y), REFERENCE);
        }
        for (curve, series) in self.curves.iter().zip(&self.panel.series) {
            let colour = series.style.rgb().towards(Rgb::WHITE, style::RUN_PALENESS);
            for run in &curve.runs {
                canvas.polyline(run, Stroke::solid(colour, style::RUN_WIDTH));
            }
        }
        for (curve, series) in self.curves.iter().zip(&self.panel.series) {
            for band in &curve.bands {
                canvas.polygon(band, series.style.rgb(), style::BAND_OPACITY);
            }
        }
        for ((curve, series), dashes) in self.curves.iter().zip(&self.panel.series).zip(self.dashes()) {
            let stroke = Stroke { colour: series.style.rgb(), width: self.curve_width(), dashes };
            for line in &curve.strokes {
                canvas.polyline(line, stroke);
            }
            for dot in &curve.dots {
                canvas.dot(*dot, style::CURVE_WIDTH, series.style.rgb());
            }
        }
        for Reference { label, label_box, .. } in &self.references {
            // Held at the end of the axis, so that it does not pass it in another font.
            let is_right = label_box.x > 0.5 * self.body.width;
            let (x, anchor) = if is_right { (self.body.width, Anchor::End) } else { (label_box.x, Anchor::Start) };
            let lettering = Lettering::new(REFERENCE_LABEL_SIZE, anchor).coloured(Rgb::GREY);
            canvas.text(label, (x, label_box.bottom() - 0.17 * REFERENCE_LABEL_SIZE), lettering);
        }
        draw_x_axis(canvas, &self.x, (self.body.width, self.body.height), &self.panel.x_label);
        self.draw_y_axis(canvas, left);
        if self.is_empty() {
            let lettering = Lettering::new(style::TICK_SIZE, Anchor::Middle).coloured(Rgb::GREY);
            canvas.text("no finite data", (self.body.width / 2.0, self.body.height / 2.0), lettering);
        }
        if let Some((legend, at)) = legend {
            // Single runs may pass there: they are too many to keep clear of all.
            if self.curves.iter().any(|curve| !curve.runs.is_empty()) {
                let behind = Rect { x: at.0, y: at.1, width: legend.width(), height: legend.height() };
                canvas.rect(&behind.grown(1.0), Some(Rgb::WHITE), None);
            }
            legend.draw(canvas, at);
        }
    }

    fn draw_y_axis(&self, canvas: &mut Canvas, left: f64) {
        let stroke = Stroke::solid(Rgb::INK, style::AXIS_WIDTH);
        let height = self.body.height;
        canvas.line((0.0, 0.0), (0.0, height), stroke);
        let at = |value: f64| height * (1.0 - self.y.share(value).unwrap_or(0.0));
        for value in &self.y.minor {
            canvas.line((-style::MINOR_TICK_LENGTH, at(*value)), (0.0, at(*value)), stroke);
        }
        for tick in &self.y.ticks {
            let y = at(tick.value);
            canvas.line((-style::TICK_LENGTH, y), (0.0, y), stroke);
            let baseline = y + font::CAP_HEIGHT * style::TICK_SIZE / 2.0;
            let lettering = Lettering::new(style::TICK_SIZE, Anchor::End);
            canvas.text(&tick.label, (-style::TICK_LENGTH - style::GAP, baseline), lettering);
        }
        for (i, line) in label_lines(&self.panel.y_label, height).iter().enumerate() {
            let x = -left + LABEL_LEADING * (i + 1) as f64 - 2.0;
            canvas.text(line, (x, height / 2.0), Lettering::new(style::LABEL_SIZE, Anchor::Middle).upwards());
        }
    }
}

/// Space below a plotting area for its horizontal axis.
pub(super) fn below(label: &str, width: f64) -> f64 {
    let lines = label_lines(label, width).len() as f64;
    style::TICK_LENGTH + style::GAP + style::TICK_SIZE + LABEL_LEADING * lines + style::GAP
}

/// The horizontal axis of a plotting area of this width, at its foot.
pub(super) fn draw_x_axis(canvas: &mut Canvas, axis: &Axis, (width, foot): (f64, f64), label: &str) {
    let stroke = Stroke::solid(Rgb::INK, style::AXIS_WIDTH);
    canvas.line((-style::AXIS_WIDTH / 2.0, foot), (width, foot), stroke);
    let mut mark = |value: f64, length: f64| {
        let x = axis.share(value).unwrap_or(0.0) * width;
        canvas.line((x, foot), (x, foot + length), stroke);
    };
    axis.minor.iter().for_each(|value| mark(*value, style::MINOR_TICK_LENGTH));
    axis.ticks.iter().for_each(|tick| mark(tick.value, style::TICK_LENGTH));
    let numbers = foot + style::TICK_LENGTH + style::GAP + font::CAP_HEIGHT * style::TICK_SIZE;
    for tick in &axis.ticks {
        let x = axis.share(tick.value).unwrap_or(0.0) * width;
        canvas.text(&tick.label, (x, numbers), Lettering::new(style::TICK_SIZE, Anchor::Middle));
    }
    for (i, line) in label_lines(label, width).iter().enumerate() {
        let y = numbers + style::GAP + LABEL_LEADING * (i + 1) as f64 - 1.0;
        canvas.text(line, (width / 2.0, y), Lettering::new(style::LABEL_SIZE, Anchor::Middle));
    }
}
