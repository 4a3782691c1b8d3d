//! SVG to PNG with the embedded font only: the same bytes on any machine of one architecture.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};
use thiserror::Error;

use super::font::Face;

#[derive(Debug, Error)]
pub(crate) enum FigureError {
    #[error("the SVG cannot be read: {0}")]
    Parse(#[from] resvg::usvg::Error),
    #[error("a figure of {width} × {height} pixels cannot be drawn; resolutions from 10 to 2,400 dpi work")]
    Size { width: f64, height: f64 },
    #[error("the PNG cannot be encoded: {0}")]
    Encode(#[from] png::EncodingError),
}

/// Draws an SVG of [`super::svg()`] at `dpi` pixels an inch, on white.
///
/// # Errors
/// If the text is no SVG, or the picture has no pixel or more than 2³¹ bytes of them.
pub(crate) fn png(svg: &str, dpi: f64) -> Result<Vec<u8>, FigureError> {
    let tree = Tree::from_str(svg, &options())?;
    let scale = dpi / 96.0; // usvg reads millimetres at CSS's 96 pixels an inch
    let (width, height) = (f64::from(tree.size().width()) * scale, f64::from(tree.size().height()) * scale);
    let whole = |length: f64| (1.0..23_000.0).contains(&length).then(|| length.round() as u32);
    let pixmap = whole(width).zip(whole(height)).and_then(|(width, height)| Pixmap::new(width, height));
    let mut pixmap = pixmap.ok_or(FigureError::Size { width, height })?;
    pixmap.fill(resvg::tiny_skia::Color::WHITE);
    resvg::render(&tree, Transform::from_scale(scale as f32, scale as f32), &mut pixmap.as_mut());
    encode(&pixmap, dpi)
}

pub(super) fn options() -> Options<'static> {
    let mut fonts = fontdb::Database::new();
    for face in Face::ALL {
        fonts.load_font_data(face.opentype().to_vec());
    }
    Options { fontdb: Arc::new(fonts), font_family: "Inter".to_string(), ..Options::default() }
}

/// Opaque RGB with the resolution noted, so that a text processor places it at its true size.
fn encode(pixmap: &Pixmap, dpi: f64) -> Result<Vec<u8>, FigureError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, pixmap.width(), pixmap.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let per_metre = (dpi / 0.0254).round() as u32;
    encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: per_metre, yppu: per_metre, unit: png::Unit::Meter }));
    let rgb: Vec<u8> = pixmap.data().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&rgb)?;
    writer.finish()?;
    Ok(bytes)
}
