//! Drawing only: a description and columns of numbers in, SVG text and PNG bytes out. No file, no table, no stage.
//!
//! The SVG is written directly. A plotting library (kuva) was considered and left: journal figures need millimetres,
//! axes aligned across panels, legends that keep clear of intervals, image grids and embedded fonts, and a library of
//! general plots lays out in pixels, panel by panel. What is needed is small: `layout` places panels, `lines`, `dots`, `heat`
//! and `images` fill them, `axis` and `ticks` choose numbers, `text` and `font` measure words, `svg` writes.
//!
//! The same description gives the same bytes: numbers have two decimals, nothing is hashed, measured or timed.

mod axis;
mod curve;
mod data_uri;
mod description;
mod dots;
mod font;
mod geometry;
mod heat;
mod images;
mod layout;
mod legend;
mod lines;
mod number;
mod palette;
mod raster;
mod style;
mod svg;
mod text;
mod ticks;

#[cfg(test)]
mod tests;

pub(crate) use axis::unusable;
pub(crate) use description::{
    Dot, DotPanel, DotSeries, Figure, HeatPanel, ImageColumn, ImageGroup, ImagePanel, LinePanel, Panel, PanelKind,
    ReferenceLine, Scale, Series,
};
pub(crate) use palette::{Hue, SeriesStyle};
pub(crate) use raster::png;

/// The figure as an SVG document with its fonts embedded, text kept as text.
pub(crate) fn svg(figure: &Figure) -> String {
    layout::svg(figure)
}
