//! From a figure to a page: margins that align axes within columns, rows as high as their contents, legends shared.
//!
//! Widths come first (the figure's is given), heights follow; a legend that finds no room inside makes its row higher
//! but leaves every plotting area as it is, so one pass settles everything.

use super::description::{Figure, Panel, PanelKind};
use super::dots::{self, Forest};
use super::font::Face;
use super::geometry::Point;
use super::heat::{self, Surface};
use super::images::{self, Sheet};
use super::legend::{self, Entry, Legend};
use super::lines::{self, Chart};
use super::palette::Rgb;
use super::svg::{Anchor, Canvas, Lettering, points};
use super::{style, text};

const PAGE_MARGIN: f64 = 4.0;
const COLUMN_GAP: f64 = 14.0;
const ROW_GAP: f64 = 10.0;
const TITLE_LEADING: f64 = 10.0;
/// Between a panel's title and its plotting area.
const HEAD_SPACE: f64 = 5.0;
const LEGEND_GAP: f64 = 4.0;
const CAPTION_LEADING: f64 = 8.5;

enum Drawing<'a> {
    Lines(Chart<'a>),
    Dots(Forest<'a>),
    Heat(Surface<'a>),
    Images(Sheet<'a>),
}

impl Drawing<'_> {
    fn height(&self) -> f64 {
        match self {
            Self::Lines(chart) => chart.body().height,
            Self::Dots(forest) => forest.height(),
            Self::Heat(surface) => surface.height(),
            Self::Images(sheet) => sheet.height(),
        }
    }

    fn bottom_margin(&self) -> f64 {
        match self {
            Self::Lines(chart) => chart.bottom_margin(),
            Self::Dots(forest) => forest.bottom_margin(),
            Self::Heat(surface) => surface.bottom_margin(),
            Self::Images(_) => 0.0,
        }
    }

    fn entries(&self) -> Vec<Entry> {
        match self {
            Self::Lines(chart) => chart.entries(),
            Self::Dots(forest) => forest.entries(),
            Self::Heat(_) | Self::Images(_) => Vec::new(),
        }
    }
}

fn left_margin(kind: &PanelKind, panel_width: f64) -> f64 {
    match kind {
        PanelKind::Lines(panel) => lines::left_margin(panel, panel_width),
        PanelKind::Dots(panel) => dots::left_margin(panel),
        PanelKind::Heat(panel) => heat::left_margin(panel),
        PanelKind::Images(panel) => images::left_margin(panel),
    }
}

fn right_margin(kind: &PanelKind) -> f64 {
    match kind {
        // Half a number under the end of the axis.
        PanelKind::Lines(_) | PanelKind::Dots(_) => 8.0,
        PanelKind::Heat(panel) => heat::right_margin(panel),
        PanelKind::Images(_) => 0.0,
    }
}

/// Where a shared legend goes.
enum Home {
    /// Its upper left corner in the plotting area's coordinates.
    Inside(Legend, Point),
    /// Over the plotting areas of its first panel and the `span − 1` to the right of it.
    Above { span: usize },
}

/// One legend, for every panel that shows these entries.
struct SharedLegend {
    entries: Vec<Entry>,
    /// The panel that it is drawn with.
    panel: usize,
    home: Home,
}

struct Page<'a> {
    figure: &'a Figure,
    columns: usize,
    width: f64,
    /// Left and right margins by grid column.
    margins: Vec<(f64, f64)>,
    /// The same for every panel: what stands side by side compares.
    body_width: f64,
    drawings: Vec<Drawing<'a>>,
    legends: Vec<SharedLegend>,
}

pub(super) fn svg(figure: &Figure) -> String {
    let page = Page::new(figure);
    let mut canvas = Canvas::default();
    let height = page.draw(&mut canvas);
    canvas.document((page.width, height), &name(figure), &description(figure))
}

/// What a figure shows, for who does not see it: its title, or what is drawn over what.
fn name(figure: &Figure) -> String {
    if let Some(title) = &figure.title {
        return text::plain(title);
    }
    let over = |what: &str, along: &str| format!("{} against {}", text::plain(what), text::plain(along).to_lowercase());
    let mut shown: Vec<String> = Vec::new();
    for panel in &figure.panels {
        let one = match &panel.kind {
            PanelKind::Lines(panel) => over(&panel.y_label, &panel.x_label),
            PanelKind::Dots(panel) => format!("{} by rows", text::plain(&panel.x_label)),
            PanelKind::Heat(panel) => {
                format!(
                    "{} over {} and {}",
                    panel.colour_label,
                    panel.x_label.to_lowercase(),
                    panel.y_label.to_lowercase()
                )
            }
            PanelKind::Images(_) => "Images".to_owned(),
        };
        if !shown.contains(&one) {
            shown.push(one);
        }
    }
    shown.join("; ")
}

/// Panels, curves and caption in words.
fn description(figure: &Figure) -> String {
    let panel = |panel: &Panel| {
        let head = joined([&panel.letter, &panel.title].into_iter().flatten().map(|part| text::plain(part)), " ");
        let inside = match &panel.kind {
            PanelKind::Lines(panel) => joined(panel.series.iter().map(|series| text::plain(&series.label)), ", "),
            PanelKind::Dots(panel) => {
                let rows = panel.rows.iter().map(|row| text::plain(row));
                joined(panel.series.iter().map(|series| text::plain(&series.label)).chain(rows), ", ")
            }
            PanelKind::Heat(_) => String::new(),
            PanelKind::Images(panel) => joined(panel.groups.iter().map(|group| text::plain(&group.head)), ", "),
        };
        joined([head, inside], ": ")
    };
    let mut panels = joined(figure.panels.iter().map(panel), ". ");
    if !panels.is_empty() {
        panels.push('.');
    }
    joined([panels, figure.caption.as_deref().map(text::plain).unwrap_or_default()], " ")
}

/// What is not empty, with something between.
fn joined(parts: impl IntoIterator<Item = String>, between: &str) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(between)
}

impl<'a> Page<'a> {
    fn new(figure: &'a Figure) -> Self {
        let columns = figure.columns.max(1);
        let width = points(if figure.width_mm.is_finite() {
            figure.width_mm.clamp(30.0, 1000.0)
        } else {
            Figure::DOUBLE_COLUMN_MM
        });
        let free = width - 2.0 * PAGE_MARGIN - COLUMN_GAP * (columns - 1) as f64;
        let cell_width = free / columns as f64;
        let widest = |column: usize, margin: &dyn Fn(&PanelKind) -> f64| {
            let in_column = figure.panels.iter().skip(column).step_by(columns);
            in_column.map(|panel| margin(&panel.kind)).fold(0.0, f64::max)
        };
        let left = |kind: &PanelKind| left_margin(kind, cell_width);
        let margins: Vec<(f64, f64)> = (0..columns).map(|c| (widest(c, &left), widest(c, &right_margin))).collect();
        let taken: f64 = margins.iter().map(|(left, right)| left + right).sum();
        let body_width = ((free - taken) / columns as f64).max(20.0);
        let drawing = |panel: &'a Panel| match &panel.kind {
            PanelKind::Lines(panel) => Drawing::Lines(Chart::new(panel, body_width, lines::height(cell_width))),
            PanelKind::Dots(panel) => Drawing::Dots(Forest::new(panel, body_width)),
            PanelKind::Heat(panel) => Drawing::Heat(Surface::new(panel, body_width)),
            PanelKind::Images(panel) => Drawing::Images(Sheet::new(panel, body_width)),
        };
        let drawings: Vec<Drawing> = figure.panels.iter().map(drawing).collect();
        let legends = shared_legends(&drawings, columns);
        Self { figure, columns, width, margins, body_width, drawings, legends }
    }

    fn cell_left(&self, column: usize) -> f64 {
        let before = self.margins[..column].iter().map(|(left, right)| left + self.body_width + right + COLUMN_GAP);
        PAGE_MARGIN + before.sum::<f64>()
    }

    fn body_left(&self, column: usize) -> f64 {
        self.cell_left(column) + self.margins[column].0
    }

    /// The outer sides of `span` plotting areas from `column` on.
    fn body_sides(&self, column: usize, span: usize) -> (f64, f64) {
        (self.body_left(column), self.body_left(column + span - 1) + self.body_width)
    }

    /// Draws everything and says how high it came out.
    fn draw(&self, canvas: &mut Canvas) -> f64 {
        let mut y = PAGE_MARGIN;
        if let Some(title) = &self.figure.title {
            for line in text::wrap(title, Face::Bold, style::LETTER_SIZE, self.width - 2.0 * PAGE_MARGIN) {
                y += 11.0;
                canvas.text(&line, (PAGE_MARGIN, y), Lettering::new(style::LETTER_SIZE, Anchor::Start).bold());
            }
            y += 7.0;
        }
        let rows = self.figure.panels.len().div_ceil(self.columns);
        for row in 0..rows {
            if row > 0 {
                y += ROW_GAP;
            }
            y = self.draw_row(canvas, row, y);
        }
        if let Some(caption) = &self.figure.caption {
            y += 6.0;
            for line in text::wrap(caption, Face::Regular, style::CAPTION_SIZE, self.width - 2.0 * PAGE_MARGIN) {
                y += CAPTION_LEADING;
                let lettering = Lettering::new(style::CAPTION_SIZE, Anchor::Start).coloured(Rgb(70, 70, 70));
                canvas.text(&line, (PAGE_MARGIN, y), lettering);
            }
            y += 2.0;
        }
        y + PAGE_MARGIN
    }

    /// Draws a row that starts at `top`; returns where it ends.
    fn draw_row(&self, canvas: &mut Canvas, row: usize, top: f64) -> f64 {
        let members = row * self.columns..self.figure.panels.len().min((row + 1) * self.columns);
        let strips: Vec<(usize, usize, Legend)> = self.strips(members.clone());
        let highest = |shared: bool| {
            let heights =
                strips.iter().filter(|(_, span, _)| (*span > 1) == shared).map(|(_, _, legend)| legend.height());
            heights.fold(0.0, |highest: f64, height| highest.max(height + LEGEND_GAP))
        };
        // A legend for several panels stands over their titles, one panel's own between its title and its plot.
        let (over, under) = (highest(true), highest(false));
        let lines = |i: usize| self.title_lines(i).len().max(usize::from(self.figure.panels[i].letter.is_some()));
        let head = HEAD_SPACE + TITLE_LEADING * members.clone().map(lines).max().unwrap_or(0) as f64;
        let body_top = top + over + head + under;
        for i in members.clone() {
            self.draw_panel(canvas, i, top + over, body_top);
        }
        for (i, span, legend) in &strips {
            let (left, right) = self.body_sides(i % self.columns, *span);
            let y = if *span > 1 { top } else { body_top - legend.height() - LEGEND_GAP };
            legend.draw(canvas, ((left + right - legend.width()) / 2.0, y));
        }
        let drawings = &self.drawings[members];
        let body = drawings.iter().map(Drawing::height).fold(0.0, f64::max);
        body_top + body + drawings.iter().map(Drawing::bottom_margin).fold(0.0, f64::max)
    }

    /// Legends over panels of a row: first panel, number of panels, legend.
    fn strips(&self, members: std::ops::Range<usize>) -> Vec<(usize, usize, Legend)> {
        let strip = |shared: &SharedLegend| match shared.home {
            Home::Above { span } if members.contains(&shared.panel) => {
                let (left, right) = self.body_sides(shared.panel % self.columns, span);
                Some((shared.panel, span, Legend::strip(&shared.entries, right - left)))
            }
            _ => None,
        };
        self.legends.iter().filter_map(strip).collect()
    }

    /// The letter with the space after it.
    fn letter_width(&self, i: usize) -> f64 {
        let letter = self.figure.panels[i].letter.as_ref();
        letter.map_or(0.0, |letter| text::width(letter, Face::Bold, style::LETTER_SIZE) + 5.0)
    }

    /// A panel's title in lines that fit beside its letter.
    fn title_lines(&self, i: usize) -> Vec<String> {
        let (left, right) = self.margins[i % self.columns];
        let room = left + self.body_width + right - self.letter_width(i);
        let title = self.figure.panels[i].title.as_deref().unwrap_or_default();
        text::wrap(title, Face::Regular, style::TITLE_SIZE, room)
    }

    fn draw_panel(&self, canvas: &mut Canvas, i: usize, top: f64, body_top: f64) {
        let (panel, column) = (&self.figure.panels[i], i % self.columns);
        let (cell_left, body_left) = (self.cell_left(column), self.body_left(column));
        if let Some(letter) = &panel.letter {
            canvas.text(letter, (cell_left, top + 8.0), Lettering::new(style::LETTER_SIZE, Anchor::Start).bold());
        }
        let titles = self.title_lines(i);
        let widest = titles.iter().map(|line| text::width(line, Face::Regular, style::TITLE_SIZE)).fold(0.0, f64::max);
        // Over the middle of the plot, unless that would run into the letter.
        let middle = (body_left + self.body_width / 2.0).max(cell_left + self.letter_width(i) + widest / 2.0);
        for (line, title) in titles.iter().enumerate() {
            let y = top + 8.0 + TITLE_LEADING * line as f64;
            canvas.text(title, (middle, y), Lettering::new(style::TITLE_SIZE, Anchor::Middle));
        }
        canvas.group_at((body_left, body_top), |canvas| match &self.drawings[i] {
            Drawing::Lines(chart) => {
                let inside = self.legends.iter().find_map(|shared| match &shared.home {
                    Home::Inside(legend, at) if shared.panel == i => Some((legend, *at)),
                    _ => None,
                });
                chart.draw(canvas, self.margins[column].0, inside);
            }
            Drawing::Dots(forest) => forest.draw(canvas),
            Drawing::Heat(surface) => surface.draw(canvas, self.margins[column].0),
            Drawing::Images(sheet) => sheet.draw(canvas),
        });
    }
}

/// One legend for each set of panels with equal entries: inside the first of them that has room, else above the first.
fn shared_legends(drawings: &[Drawing], columns: usize) -> Vec<SharedLegend> {
    let entries: Vec<Vec<Entry>> = drawings.iter().map(Drawing::entries).collect();
    let mut legends: Vec<SharedLegend> = Vec::new();
    for first in 0..drawings.len() {
        if entries[first].is_empty() || legends.iter().any(|legend| legend.entries == entries[first]) {
            continue;
        }
        let sharing: Vec<usize> = (first..drawings.len()).filter(|i| entries[*i] == entries[first]).collect();
        let inside = sharing.iter().find_map(|i| match &drawings[*i] {
            Drawing::Lines(chart) => {
                let place = legend::place(&entries[first], chart.body(), &chart.obstacles());
                place.map(|(legend, at)| (*i, legend, at))
            }
            Drawing::Dots(_) | Drawing::Heat(_) | Drawing::Images(_) => None,
        });
        let (panel, home) = match inside {
            Some((panel, legend, at)) => (panel, Home::Inside(legend, at)),
            None => {
                let row_end = (first / columns + 1) * columns;
                let span = (first..row_end).take_while(|i| sharing.contains(i)).count();
                (first, Home::Above { span })
            }
        };
        legends.push(SharedLegend { entries: entries[first].clone(), panel, home });
    }
    legends
}
