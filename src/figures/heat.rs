//! A tuning surface: coloured cells with their values, the best one outlined, missing ones hatched, a colour bar.

use super::axis::{Axis, Direction};
use super::description::{HeatPanel, Scale};
use super::font::{self, Face};
use super::geometry::{Point, Rect, cut_line};
use super::number;
use super::palette::{Rgb, viridis};
use super::svg::{Anchor, Canvas, Lettering, Stroke};
use super::{style, text};

const LABEL_LEADING: f64 = 9.0;
const BAR_GAP: f64 = 7.0;
const BAR_WIDTH: f64 = 7.0;
const CELL_TEXT_SIZE: f64 = 6.5;
const ERROR_TEXT_SIZE: f64 = 5.0;

/// Less leaves no room for the colour bar's numbers.
const LEAST_HEIGHT: f64 = 60.0;

pub(super) fn left_margin(panel: &HeatPanel) -> f64 {
    let labels = number::coefficients(&panel.y_values);
    let label = if panel.y_label.is_empty() { 0.0 } else { LABEL_LEADING + style::GAP };
    widest(&labels) + style::GAP + label
}

/// Space for the colour bar, its numbers and its label.
pub(super) fn right_margin(panel: &HeatPanel) -> f64 {
    // The height is not known yet; a bar of 100 points has at least as wide numbers as most.
    BAR_GAP
        + BAR_WIDTH
        + style::TICK_LENGTH
        + style::GAP
        + colour_axis(panel, 100.0).label_width()
        + colour_label_width(panel)
}

fn colour_label_width(panel: &HeatPanel) -> f64 {
    if panel.colour_label.is_empty() { 0.0 } else { LABEL_LEADING + style::GAP }
}

fn widest(labels: &[String]) -> f64 {
    labels.iter().map(|label| text::width(label, Face::Regular, style::TICK_SIZE)).fold(0.0, f64::max)
}

fn values(panel: &HeatPanel) -> impl Iterator<Item = f64> {
    panel.cells.iter().flatten().copied().flatten().filter(|value| value.is_finite())
}

fn colour_axis(panel: &HeatPanel, length: f64) -> Axis {
    let range = panel.colour_range.or_else(|| {
        values(panel)
            .fold(None, |range, v| Some(range.map_or((v, v), |(low, high): (f64, f64)| (low.min(v), high.max(v)))))
    });
    Axis::fit(values(panel), Scale::Linear, range, Direction::Vertical, length)
}

#[derive(Debug)]
pub(super) struct Surface<'a> {
    panel: &'a HeatPanel,
    width: f64,
    colours: Axis,
}

impl<'a> Surface<'a> {
    pub(super) fn new(panel: &'a HeatPanel, width: f64) -> Self {
        let mut surface = Self { panel, width, colours: colour_axis(panel, 100.0) };
        surface.colours = colour_axis(panel, surface.height());
        surface
    }

    fn rows(&self) -> usize {
        self.panel.y_values.len().max(1)
    }

    fn cell_width(&self) -> f64 {
        self.width / self.panel.x_values.len().max(1) as f64
    }

    /// Flat enough for a row to read as one.
    fn cell_height(&self) -> f64 {
        (0.72 * self.cell_width()).clamp(15.0, 24.0).max(LEAST_HEIGHT / self.rows() as f64)
    }

    pub(super) fn height(&self) -> f64 {
        self.cell_height() * self.rows() as f64
    }

    pub(super) fn bottom_margin(&self) -> f64 {
        self.numbers_height() + LABEL_LEADING + style::GAP
    }

    /// Numbers too wide for their column stand upright.
    fn numbers_are_upright(&self) -> bool {
        widest(&number::coefficients(&self.panel.x_values)) + 3.0 > self.cell_width()
    }

    fn numbers_height(&self) -> f64 {
        let upright = widest(&number::coefficients(&self.panel.x_values));
        style::GAP + if self.numbers_are_upright() { upright } else { style::TICK_SIZE }
    }

    /// The cell in `row` (from below) and `column`.
    fn cell(&self, row: usize, column: usize) -> Rect {
        let (width, height) = (self.cell_width(), self.cell_height());
        Rect { x: width * column as f64, y: height * (self.rows() - 1 - row) as f64, width, height }
    }

    fn value(&self, row: usize, column: usize) -> Option<f64> {
        self.panel.cells.get(row)?.get(column).copied()?.filter(|value| value.is_finite())
    }

    pub(super) fn draw(&self, canvas: &mut Canvas, left: f64) {
        let columns = self.panel.x_values.len();
        let largest = values(self.panel).fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let mut any_missing = false;
        for (row, column) in
            (0..self.panel.y_values.len()).flat_map(|row| (0..columns).map(move |column| (row, column)))
        {
            let cell = self.cell(row, column);
            match self.value(row, column) {
                Some(value) => self.draw_value(canvas, &cell, value, (largest, self.error(row, column))),
                None => {
                    any_missing = true;
                    hatch(canvas, &cell);
                }
            }
        }
        self.outline_best(canvas);
        self.draw_numbers(canvas, left);
        self.draw_colour_bar(canvas);
        if values(self.panel).next().is_none() {
            let lettering = Lettering::new(style::TICK_SIZE, Anchor::Middle);
            canvas.text("no finite data", (self.width / 2.0, self.height() / 2.0), lettering);
        }
        if any_missing && !self.panel.missing_label.is_empty() {
            self.draw_key_to_missing(canvas);
        }
    }

    fn error(&self, row: usize, column: usize) -> Option<f64> {
        self.panel.errors.get(row)?.get(column).copied()?.filter(|error| error.is_finite())
    }

    /// A value, with its error below it.
    fn draw_value(&self, canvas: &mut Canvas, cell: &Rect, value: f64, (largest, error): (f64, Option<f64>)) {
        let fill = viridis(self.colours.share(value).unwrap_or(0.0));
        // White seams would read as values; cells share an edge and overlap by a hair against antialiasing.
        canvas.rect(&Rect { width: cell.width + 0.1, height: cell.height + 0.1, ..*cell }, Some(fill), None);
        let candidates = [number::reading(value, largest), number::fixed(value, 2), number::fixed(value, 1)];
        let is_honest = |i: &usize| *i == 0 || (0.1..100.0).contains(&largest);
        let fits = |text: &String| text::width(text, Face::Regular, CELL_TEXT_SIZE) <= cell.width - 2.0;
        if let Some(i) = (0..candidates.len()).filter(is_honest).find(|i| fits(&candidates[*i])) {
            let middle = cell.y + cell.height / 2.0 + font::CAP_HEIGHT * CELL_TEXT_SIZE / 2.0;
            let up = if error.is_some() { ERROR_TEXT_SIZE / 2.0 } else { 0.0 };
            let lettering = Lettering::new(CELL_TEXT_SIZE, Anchor::Middle).coloured(fill.text_on_it());
            canvas.text(&candidates[i], (cell.x + cell.width / 2.0, middle - up), lettering);
            if let Some(error) = error {
                let lettering = Lettering::new(ERROR_TEXT_SIZE, Anchor::Middle).coloured(fill.text_on_it());
                let below = middle + CELL_TEXT_SIZE / 2.0;
                canvas.text(&format!("±{}", number::fixed(error, 3)), (cell.x + cell.width / 2.0, below), lettering);
            }
        }
    }

    fn outline_best(&self, canvas: &mut Canvas) {
        let inside =
            |(row, column): &(usize, usize)| *row < self.panel.y_values.len() && *column < self.panel.x_values.len();
        if let Some((row, column)) = self.panel.best.filter(inside) {
            let cell = self.cell(row, column);
            // Black within white shows on any fill.
            canvas.rect(&cell.grown(-0.9), None, Some(Stroke::solid(Rgb::WHITE, 2.6)));
            canvas.rect(&cell.grown(-0.6), None, Some(Stroke::solid(Rgb::INK, 1.2)));
        }
    }

    fn draw_numbers(&self, canvas: &mut Canvas, left: f64) {
        let foot = self.height();
        let half_cap = font::CAP_HEIGHT * style::TICK_SIZE / 2.0;
        let upright = self.numbers_are_upright();
        // Upright numbers need a line's height each.
        let every = if upright { (style::TICK_SIZE * 1.15 / self.cell_width()).ceil().max(1.0) as usize } else { 1 };
        for (column, label) in number::coefficients(&self.panel.x_values).iter().enumerate().step_by(every) {
            let x = self.cell_width() * (column as f64 + 0.5);
            if upright {
                let lettering = Lettering::new(style::TICK_SIZE, Anchor::End).upwards();
                canvas.text(label, (x + half_cap, foot + style::GAP), lettering);
            } else {
                let y = foot + style::GAP + 2.0 * half_cap;
                canvas.text(label, (x, y), Lettering::new(style::TICK_SIZE, Anchor::Middle));
            }
        }
        for (row, label) in number::coefficients(&self.panel.y_values).iter().enumerate() {
            let cell = self.cell(row, 0);
            let y = cell.y + cell.height / 2.0 + half_cap;
            canvas.text(label, (-style::GAP, y), Lettering::new(style::TICK_SIZE, Anchor::End));
        }
        let below = foot + self.numbers_height() + LABEL_LEADING;
        let lettering = Lettering::new(style::LABEL_SIZE, Anchor::Middle);
        canvas.text(&self.panel.x_label, (self.width / 2.0, below), lettering);
        canvas.text(&self.panel.y_label, (-left + LABEL_LEADING - 2.0, foot / 2.0), lettering.upwards());
    }

    fn draw_colour_bar(&self, canvas: &mut Canvas) {
        const SHADES: usize = 64;
        let (x, height) = (self.width + BAR_GAP, self.height());
        for shade in 0..SHADES {
            // From the top, each down to the foot: no seam shows between neighbours.
            let y = height * shade as f64 / SHADES as f64;
            let fill = viridis(1.0 - (shade as f64 + 0.5) / SHADES as f64);
            canvas.rect(&Rect { x, y, width: BAR_WIDTH, height: height - y }, Some(fill), None);
        }
        let stroke = Stroke::solid(Rgb::INK, style::AXIS_WIDTH);
        let edge = x + BAR_WIDTH;
        for tick in &self.colours.ticks {
            let y = height * (1.0 - self.colours.share(tick.value).unwrap_or(0.0));
            canvas.line((edge, y), (edge + style::TICK_LENGTH - 1.0, y), stroke);
            let baseline = y + font::CAP_HEIGHT * style::TICK_SIZE / 2.0;
            let at = (edge + style::TICK_LENGTH + style::GAP - 1.0, baseline);
            canvas.text(&tick.label, at, Lettering::new(style::TICK_SIZE, Anchor::Start));
        }
        let label_x =
            edge + style::TICK_LENGTH + style::GAP + self.colours.label_width() + style::GAP + LABEL_LEADING - 3.0;
        let lettering = Lettering::new(style::LABEL_SIZE, Anchor::Middle).upwards();
        canvas.text(&self.panel.colour_label, (label_x, height / 2.0), lettering);
    }

    /// A hatched sample with its meaning, below the colour bar's foot.
    fn draw_key_to_missing(&self, canvas: &mut Canvas) {
        let sample =
            Rect { x: self.width + BAR_GAP, y: self.height() + 2.0 * style::GAP, width: BAR_WIDTH, height: BAR_WIDTH };
        hatch(canvas, &sample);
        let lettering = Lettering::new(CELL_TEXT_SIZE, Anchor::Start);
        canvas.text(&self.panel.missing_label, (sample.right() + style::GAP, sample.bottom() - 1.0), lettering);
    }
}

/// Diagonal lines, cut to the cell.
fn hatch(canvas: &mut Canvas, cell: &Rect) {
    const SPACING: f64 = 4.0;
    canvas.rect(cell, Some(Rgb::WHITE), Some(Stroke::solid(Rgb(190, 190, 190), 0.4)));
    let reach = cell.width + cell.height;
    let diagonals = (1..).map(|i| SPACING * f64::from(i)).take_while(|offset| *offset < reach);
    for offset in diagonals {
        let line: [Point; 2] = [(cell.x + offset - reach, cell.y + reach), (cell.x + offset, cell.y)];
        for piece in cut_line(cell, &line) {
            canvas.polyline(&piece, Stroke::solid(Rgb(150, 150, 150), 0.5));
        }
    }
}
