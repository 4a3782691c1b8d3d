//! A grid of grey images (Figure 3 of the paper): one PNG with all tiles, heads around it.

use super::description::{ImageColumn, ImagePanel};
use super::font::{self, Face};
use super::geometry::Rect;
use super::palette::Rgb;
use super::svg::{Anchor, Canvas, Lettering, Stroke};
use super::{style, text};

const HEAD_LEADING: f64 = 9.0;
/// Tiles larger than this show their pixels rather than the image.
const LARGEST_PIXEL: f64 = 1.4;

pub(super) fn left_margin(panel: &ImagePanel) -> f64 {
    let widths = panel.row_heads.iter().map(|head| text::width(head, Face::Regular, style::TICK_SIZE));
    let widest = widths.fold(0.0, f64::max);
    if widest > 0.0 { widest + style::GAP } else { 0.0 }
}

/// The panel with its geometry: tiles on a lattice of whole pixels, `unit` points each.
#[derive(Debug)]
pub(super) struct Sheet<'a> {
    panel: &'a ImagePanel,
    unit: f64,
    /// Left edge of each column in pixels, by group.
    lefts: Vec<Vec<usize>>,
    width: usize,
    head_lines: Vec<Vec<String>>,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(panel: &'a ImagePanel, width: f64) -> Self {
        let (tile, gap) = (panel.size.0.max(1), gap(panel));
        let mut lefts = Vec::new();
        let mut x = 0;
        for group in &panel.groups {
            lefts.push((0..group.columns.len()).map(|column| x + column * (tile + gap)).collect::<Vec<usize>>());
            // Groups stand four gaps apart: nearness says what belongs together.
            x += group.columns.len() * (tile + gap) + 3 * gap;
        }
        let total = x.saturating_sub(4 * gap).max(1);
        let unit = (width / total as f64).min(LARGEST_PIXEL);
        let head_width = |lefts: &Vec<usize>| unit * (lefts.len() * (tile + gap) + 2 * gap) as f64;
        let heads = panel.groups.iter().zip(&lefts);
        let head_lines =
            heads.map(|(group, lefts)| text::wrap(&group.head, Face::Bold, style::TICK_SIZE, head_width(lefts)));
        let head_lines = head_lines.collect();
        Self { panel, unit, lefts, width: total, head_lines }
    }

    fn rows(&self) -> usize {
        let columns = self.panel.groups.iter().flat_map(|group| &group.columns);
        columns.map(|column| column.images.len()).chain([self.panel.row_heads.len()]).max().unwrap_or(0)
    }

    fn top(&self, row: usize) -> usize {
        row * (self.panel.size.1.max(1) + gap(self.panel))
    }

    fn pixels_high(&self) -> usize {
        self.top(self.rows()).saturating_sub(gap(self.panel)).max(1)
    }

    /// Height of the heads above the tiles.
    fn head(&self) -> f64 {
        let group_lines = self.head_lines.iter().map(Vec::len).max().unwrap_or(0) as f64;
        let named = self.panel.groups.iter().flat_map(|group| &group.columns).any(|column| !column.head.is_empty());
        HEAD_LEADING * group_lines + 4.0 + if named { HEAD_LEADING + 2.0 } else { 0.0 }
    }

    pub(super) fn height(&self) -> f64 {
        self.head() + self.unit * self.pixels_high() as f64
    }

    pub(super) fn draw(&self, canvas: &mut Canvas) {
        let head = self.head();
        let whole = Rect {
            x: 0.0,
            y: head,
            width: self.unit * self.width as f64,
            height: self.unit * self.pixels_high() as f64,
        };
        canvas.image(&whole, &encode(&self.tiles(), self.width, self.pixels_high()));
        self.draw_heads(canvas);
        let middle = |row: usize| head + self.unit * (self.top(row) as f64 + self.panel.size.1 as f64 / 2.0);
        for (row, text) in self.panel.row_heads.iter().enumerate() {
            let baseline = middle(row) + font::CAP_HEIGHT * style::TICK_SIZE / 2.0;
            canvas.text(text, (-style::GAP, baseline), Lettering::new(style::TICK_SIZE, Anchor::End));
        }
        for (column, left) in self.columns() {
            for row in (0..self.rows()).filter(|row| grey(self.panel, column, *row).is_none()) {
                let tile = Rect {
                    x: self.unit * left as f64,
                    y: head + self.unit * self.top(row) as f64,
                    width: self.unit * self.panel.size.0 as f64,
                    height: self.unit * self.panel.size.1 as f64,
                };
                let stroke = Stroke::solid(Rgb(190, 190, 190), 0.4);
                canvas.rect(&tile.grown(-0.2), None, Some(stroke));
                canvas.line((tile.x, tile.bottom()), (tile.right(), tile.y), stroke);
            }
        }
    }

    fn columns(&self) -> impl Iterator<Item = (&'a ImageColumn, usize)> {
        let groups = self.panel.groups.iter().zip(&self.lefts);
        groups.flat_map(|(group, lefts)| group.columns.iter().zip(lefts.iter().copied()))
    }

    fn draw_heads(&self, canvas: &mut Canvas) {
        let tile = self.unit * self.panel.size.0 as f64;
        let head = self.head();
        let group_lines = self.head_lines.iter().map(Vec::len).max().unwrap_or(0);
        for (lines, lefts) in self.head_lines.iter().zip(&self.lefts) {
            let (Some(first), Some(last)) = (lefts.first(), lefts.last()) else { continue };
            let (left, right) = (self.unit * *first as f64, self.unit * *last as f64 + tile);
            for (i, line) in lines.iter().enumerate() {
                let y = HEAD_LEADING * (group_lines - lines.len() + i + 1) as f64 - 2.0;
                canvas.text(line, ((left + right) / 2.0, y), Lettering::new(style::TICK_SIZE, Anchor::Middle).bold());
            }
            if lefts.len() > 1 && !lines.is_empty() {
                let y = HEAD_LEADING * group_lines as f64 + 1.5;
                canvas.line((left, y), (right, y), Stroke::solid(Rgb::INK, style::AXIS_WIDTH));
            }
        }
        for (column, left) in self.columns() {
            let at = (self.unit * left as f64 + tile / 2.0, head - 4.0);
            canvas.text(&column.head, at, Lettering::new(style::TICK_SIZE, Anchor::Middle));
        }
    }

    /// All tiles on white, row-major greys.
    fn tiles(&self) -> Vec<u8> {
        let mut sheet = vec![255_u8; self.width * self.pixels_high()];
        let tile_width = self.panel.size.0;
        for (column, left) in self.columns() {
            for row in 0..self.rows() {
                let Some(grey) = grey(self.panel, column, row) else { continue };
                for (line, pixels) in grey.chunks(tile_width).enumerate() {
                    let start = (self.top(row) + line) * self.width + left;
                    sheet[start..start + tile_width].copy_from_slice(pixels);
                }
            }
        }
        sheet
    }
}

/// Between tiles, in pixels: a fourteenth of a tile.
fn gap(panel: &ImagePanel) -> usize {
    (panel.size.0 / 14).max(1)
}

/// One image stretched to black … white; nothing if it is missing or no image of the panel's size. A constant image
/// is black, as is the smallest value of any other.
fn grey(panel: &ImagePanel, column: &ImageColumn, row: usize) -> Option<Vec<u8>> {
    let pixels = column.images.get(row)?.as_ref()?;
    if pixels.is_empty() || pixels.len() != panel.size.0 * panel.size.1 || pixels.iter().any(|p| !p.is_finite()) {
        return None;
    }
    let bounds = pixels.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), p| (low.min(*p), high.max(*p)));
    let (low, span) = (f64::from(bounds.0), f64::from(bounds.1) - f64::from(bounds.0));
    let shade = |pixel: &f32| if span > 0.0 { (255.0 * (f64::from(*pixel) - low) / span).round() as u8 } else { 0 };
    Some(pixels.iter().map(shade).collect())
}

fn encode(grey: &[u8], width: usize, height: usize) -> Vec<u8> {
    let side = |pixels: usize| u32::try_from(pixels).expect("a page holds fewer than 2³² pixels");
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side(width), side(height));
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().expect("both sides are positive and memory takes all bytes");
    writer.write_image_data(grey).expect("the buffer holds width × height bytes");
    writer.finish().expect("memory takes all bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::description::ImageGroup;
    use super::*;

    fn panel(images: Vec<Option<Vec<f32>>>) -> ImagePanel {
        let column = ImageColumn { head: "y₁".to_string(), images };
        ImagePanel {
            row_heads: vec!["0".to_string()],
            groups: vec![ImageGroup { head: "BP".to_string(), columns: vec![column.clone(), column] }],
            size: (2, 2),
        }
    }

    #[test]
    fn each_image_is_stretched_to_its_own_range() {
        let panel = panel(vec![Some(vec![-1.0, 0.0, 0.5, 3.0]), Some(vec![7.0; 4])]);
        let column = &panel.groups[0].columns[0];
        assert_eq!(grey(&panel, column, 0), Some(vec![0, 64, 96, 255]));
        assert_eq!(grey(&panel, column, 1), Some(vec![0; 4]));
    }

    #[test]
    fn what_is_no_image_is_missing() {
        let panel = panel(vec![None, Some(vec![1.0; 3]), Some(vec![f32::NAN; 4])]);
        assert!((0..4).all(|row| grey(&panel, &panel.groups[0].columns[0], row).is_none()));
    }

    #[test]
    fn tiles_lie_on_the_lattice_with_white_between() {
        let panel = panel(vec![Some(vec![0.0, 0.0, 0.0, 1.0])]);
        let sheet = Sheet::new(&panel, 100.0);
        assert_eq!((sheet.width, sheet.pixels_high()), (5, 2));
        assert_eq!(sheet.tiles(), [0, 0, 255, 0, 0, 0, 255, 255, 0, 255]);
    }
}
