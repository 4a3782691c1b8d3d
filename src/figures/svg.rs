//! Writing SVG: fixed number formatting, escaping, embedded fonts. Presentation attributes only and no ids, so that
//! several figures can stand in one HTML page (one exception: `image-rendering: pixelated` is CSS, not an attribute).

use std::collections::BTreeSet;
use std::fmt::Write;

use super::data_uri::data_uri;
use super::font::{FAMILIES, Face};
use super::geometry::{Point, Rect};
use super::palette::Rgb;
use super::text::{self, Level};

const POINTS_PER_MM: f64 = 72.0 / 25.4;

pub(super) fn points(millimetres: f64) -> f64 {
    millimetres * POINTS_PER_MM
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Stroke {
    pub colour: Rgb,
    pub width: f64,
    /// Lengths of dashes and gaps in points; empty for a solid line.
    pub dashes: &'static [f64],
}

impl Stroke {
    pub(super) fn solid(colour: Rgb, width: f64) -> Self {
        Self { colour, width, dashes: &[] }
    }
}

/// How a text is set; `at` is the anchor's point on the baseline.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lettering {
    pub size: f64,
    pub face: Face,
    pub anchor: Anchor,
    pub colour: Rgb,
    /// Reading upwards.
    pub upwards: bool,
}

impl Lettering {
    pub(super) fn new(size: f64, anchor: Anchor) -> Self {
        Self { size, face: Face::Regular, anchor, colour: Rgb::INK, upwards: false }
    }

    pub(super) fn bold(self) -> Self {
        Self { face: Face::Bold, ..self }
    }

    pub(super) fn coloured(self, colour: Rgb) -> Self {
        Self { colour, ..self }
    }

    pub(super) fn upwards(self) -> Self {
        Self { upwards: true, ..self }
    }
}

/// Square pixels, by the word that a renderer knows: the last of them.
const PIXELATED: &str = "image-rendering:pixelated;image-rendering:optimizeSpeed";

/// The drawing so far.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    body: String,
    faces: BTreeSet<Face>,
}

impl Canvas {
    /// Draws in coordinates that start at `origin`.
    pub(super) fn group_at(&mut self, origin: Point, draw: impl FnOnce(&mut Self)) {
        self.write(format_args!("<g transform=\"translate({} {})\">", number(origin.0), number(origin.1)));
        draw(self);
        self.body.push_str("</g>\n");
    }

    pub(super) fn line(&mut self, a: Point, b: Point, stroke: Stroke) {
        self.polyline(&[a, b], stroke);
    }

    pub(super) fn polyline(&mut self, line: &[Point], stroke: Stroke) {
        // Round ends would fill the gaps between short dashes.
        let cap = if stroke.dashes.is_empty() && line.len() > 2 { " stroke-linecap=\"round\"" } else { "" };
        let path = path(line);
        self.write(format_args!(
            "<path d=\"{path}\" fill=\"none\" stroke-linejoin=\"round\"{cap}{}/>",
            attributes(stroke)
        ));
    }

    pub(super) fn polygon(&mut self, outline: &[Point], fill: Rgb, opacity: f64) {
        let path = path(outline);
        self.write(format_args!("<path d=\"{path}Z\" fill=\"{}\" fill-opacity=\"{}\"/>", fill.hex(), number(opacity)));
    }

    pub(super) fn rect(&mut self, rect: &Rect, fill: Option<Rgb>, stroke: Option<Stroke>) {
        let fill = fill.map_or("none".to_string(), Rgb::hex);
        let stroke = stroke.map_or(String::new(), attributes);
        self.write(format_args!("<rect{} fill=\"{fill}\"{stroke}/>", placement(rect)));
    }

    pub(super) fn dot(&mut self, centre: Point, radius: f64, fill: Rgb) {
        let (x, y) = (number(centre.0), number(centre.1));
        self.write(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{}\" fill=\"{}\"/>", number(radius), fill.hex()));
    }

    /// A PNG stretched over the rectangle, its pixels kept square-edged.
    pub(super) fn image(&mut self, rect: &Rect, png: &[u8]) {
        self.write(format_args!(
            "<image{} preserveAspectRatio=\"none\" style=\"{PIXELATED}\" href=\"{}\"/>",
            placement(rect),
            data_uri("image/png", png)
        ));
    }

    pub(super) fn text(&mut self, text: &str, at: Point, lettering: Lettering) {
        if text.is_empty() {
            return;
        }
        let Lettering { size, face, anchor, colour, upwards } = lettering;
        self.faces.insert(face);
        let runs = text::runs(text, face);
        let width = || text::width(text, face, size);
        // A line of several pieces begins where its width says, and flows: renderers disagree on where an anchored one begins.
        // A number with its exponent is anchored where the two meet, so that in another font it does not run into its tick.
        let meeting = match (anchor, &runs[..]) {
            (Anchor::End, [number, _]) => Some(at.0 - width() + text::width(&number.text, number.face, size)),
            _ => None,
        };
        let (start, anchor) = match (anchor, runs.len() > 1) {
            (Anchor::Start, _) => (at.0, ""),
            (Anchor::Middle, false) => (at.0, " text-anchor=\"middle\""),
            (Anchor::Middle, true) => (at.0 - width() / 2.0, ""),
            (Anchor::End, false) => (at.0, " text-anchor=\"end\""),
            (Anchor::End, true) => (at.0 - width(), ""),
        };
        let (x, y) = (number(start), number(at.1));
        let rotation = if upwards { format!(" transform=\"rotate(-90 {} {y})\"", number(at.0)) } else { String::new() };
        let weight = if face == Face::Bold { " font-weight=\"700\"" } else { "" };
        let fill = if colour == Rgb::INK { String::new() } else { format!(" fill=\"{}\"", colour.hex()) };
        let mut content = String::new();
        let mut risen = 0.0;
        for (index, run) in runs.iter().enumerate() {
            let rise = run.level.shift() * size;
            let mut attributes = meeting.map_or(String::new(), |meeting| {
                let anchor = if index == 0 { "end" } else { "start" };
                format!(" x=\"{}\" text-anchor=\"{anchor}\"", number(meeting))
            });
            if rise != risen {
                attributes += &format!(" dy=\"{}\"", number(risen - rise));
            }
            if run.level != Level::Base {
                attributes += &format!(" font-size=\"{}\"", number(size * run.level.size()));
            }
            if run.face == Face::Italic {
                self.faces.insert(Face::Italic);
                attributes += " font-style=\"italic\"";
            }
            risen = rise;
            content += &match attributes.as_str() {
                "" => escape(&run.text),
                attributes => format!("<tspan{attributes}>{}</tspan>", escape(&run.text)),
            };
        }
        // Else a renderer may drop the space between two pieces.
        let space = if runs.len() > 1 { " xml:space=\"preserve\"" } else { "" };
        let size = number(size);
        self.write(format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\"{weight}{anchor}{fill}{rotation}{space}>{content}</text>"
        ));
    }

    /// The whole file; width and height in points, name and description for screen readers.
    pub(super) fn document(&self, (width, height): (f64, f64), name: &str, description: &str) -> String {
        let mm = |points: f64| number(points / POINTS_PER_MM);
        let mut fonts = String::new();
        for face in &self.faces {
            let (weight, style) = face.weight_and_style();
            let source = data_uri("font/woff2", face.woff2());
            fonts += &format!(
                "@font-face{{font-family:Inter;font-weight:{weight};font-style:{style};src:url({source}) format(\"woff2\")}}\n"
            );
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}mm\" height=\"{}mm\" viewBox=\"0 0 {} {}\" role=\"img\">\n\
             <title>{}</title>\n<desc>{}</desc>\n<style>\n{fonts}</style>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
             <g font-family=\"{FAMILIES}\">\n{}</g>\n</svg>\n",
            mm(width),
            mm(height),
            number(width),
            number(height),
            escape(name),
            escape(description),
            self.body
        )
    }

    fn write(&mut self, element: std::fmt::Arguments) {
        writeln!(self.body, "{element}").expect("writing to a String does not fail");
    }
}

fn attributes(stroke: Stroke) -> String {
    let mut text = format!(" stroke=\"{}\" stroke-width=\"{}\"", stroke.colour.hex(), number(stroke.width));
    if !stroke.dashes.is_empty() {
        let dashes: Vec<String> = stroke.dashes.iter().map(|length| number(*length)).collect();
        text += &format!(" stroke-dasharray=\"{}\"", dashes.join(" "));
    }
    text
}

fn placement(rect: &Rect) -> String {
    let [x, y, width, height] = [rect.x, rect.y, rect.width, rect.height].map(number);
    format!(" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"")
}

fn path(line: &[Point]) -> String {
    let mut path = String::new();
    for (i, (x, y)) in line.iter().enumerate() {
        path.push(if i == 0 { 'M' } else { 'L' });
        path += &format!("{} {}", number(*x), number(*y));
    }
    path
}

/// Two decimals (a 7,000th of an inch), no trailing zeros, no −0: the same text on every machine.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_string() } else { text.to_string() }
}

/// XML text: markup escaped, characters that XML 1.0 has no place for replaced.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            ordinary => escaped.push(ordinary),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_markup_is_escaped() {
        assert_eq!([1.0, -0.001, 12.345678, 0.5, 100.0].map(number), ["1", "0", "12.35", "0.5", "100"]);
        assert_eq!(escape("<&\">\u{1}"), "&lt;&amp;&quot;&gt;\u{fffd}");
    }

    #[test]
    fn scripts_return_to_the_baseline_and_the_line_begins_where_its_width_says() {
        let mut canvas = Canvas::default();
        let text = "10⁻³ m";
        canvas.text(text, (100.0, 2.0), Lettering::new(10.0, Anchor::End));
        let start = number(100.0 - text::width(text, Face::Regular, 10.0));
        let expected = format!(
            "<text x=\"{start}\" y=\"2\" font-size=\"10\" xml:space=\"preserve\">10<tspan dy=\"-3.6\" font-size=\"7.8\">−3</tspan>\
             <tspan dy=\"3.6\"> m</tspan></text>"
        );
        assert!(canvas.body.contains(&expected), "{}\n{expected}", canvas.body);
    }

    #[test]
    fn a_number_and_its_exponent_meet_where_the_font_says() {
        let mut canvas = Canvas::default();
        canvas.text("10⁻³", (100.0, 2.0), Lettering::new(10.0, Anchor::End));
        let width = |text: &str| text::width(text, Face::Regular, 10.0);
        let meeting = number(100.0 - (width("10⁻³") - width("10")));
        let expected = format!(
            "<tspan x=\"{meeting}\" text-anchor=\"end\">10</tspan>\
             <tspan x=\"{meeting}\" text-anchor=\"start\" dy=\"-3.6\" font-size=\"7.8\">−3</tspan></text>"
        );
        assert!(canvas.body.contains(&expected), "{}\n{expected}", canvas.body);
    }
}
