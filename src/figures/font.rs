//! The embedded typeface, and how wide its characters are.
//!
//! Inter (SIL Open Font License 1.1, see `fonts/`), subset to Latin, Greek and the mathematics that labels need:
//! outlines for the rasteriser, and the same as WOFF2 for the browser that opens the SVG. Widths come from the font
//! itself (its `cmap` and `hmtx` tables), so that the layout and the drawing agree on any machine.

use std::sync::OnceLock;

/// The cuts that figures use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Face {
    Regular,
    Bold,
    Italic,
}

/// First choice, and what a program that ignores the embedded font may take: the named ones are narrower than Inter.
pub(super) const FAMILIES: &str = "Inter, Helvetica, Arial, 'Liberation Sans', sans-serif";

/// Height of capital letters in em (from the font's `OS/2` table).
pub(super) const CAP_HEIGHT: f64 = 2048.0 / 2816.0;

impl Face {
    pub(super) const ALL: [Self; 3] = [Self::Regular, Self::Bold, Self::Italic];

    /// OpenType outlines.
    pub(super) fn opentype(self) -> &'static [u8] {
        match self {
            Self::Regular => include_bytes!("fonts/Inter-Regular.subset.otf"),
            Self::Bold => include_bytes!("fonts/Inter-Bold.subset.otf"),
            Self::Italic => include_bytes!("fonts/Inter-Italic.subset.otf"),
        }
    }

    pub(super) fn woff2(self) -> &'static [u8] {
        match self {
            Self::Regular => include_bytes!("fonts/Inter-Regular.subset.woff2"),
            Self::Bold => include_bytes!("fonts/Inter-Bold.subset.woff2"),
            Self::Italic => include_bytes!("fonts/Inter-Italic.subset.woff2"),
        }
    }

    /// CSS `font-weight` and `font-style`.
    pub(super) fn weight_and_style(self) -> (u16, &'static str) {
        match self {
            Self::Regular => (400, "normal"),
            Self::Bold => (700, "normal"),
            Self::Italic => (400, "italic"),
        }
    }

    /// Whether the embedded font can draw it.
    pub(super) fn has(self, character: char) -> bool {
        self.widths().binary_search_by_key(&character, |(c, _)| *c).is_ok()
    }

    /// Advance width in em. A character that the font lacks is drawn by some other font: one em is the widest guess.
    pub(super) fn advance(self, character: char) -> f64 {
        let widths = self.widths();
        widths.binary_search_by_key(&character, |(c, _)| *c).map_or(1.0, |found| widths[found].1)
    }

    fn widths(self) -> &'static [(char, f64)] {
        static WIDTHS: [OnceLock<Vec<(char, f64)>>; 3] = [const { OnceLock::new() }; 3];
        WIDTHS[self as usize].get_or_init(|| {
            advance_widths(self.opentype()).expect("the embedded font has a format 4 cmap and an hmtx table")
        })
    }
}

/// Every mapped character with its advance width in em, by code point.
fn advance_widths(font: &[u8]) -> Option<Vec<(char, f64)>> {
    let units_per_em = f64::from(u16_at(table(font, b"head")?, 18)?);
    let n_metrics = usize::from(u16_at(table(font, b"hhea")?, 34)?);
    let metrics = table(font, b"hmtx")?;
    let mut widths = Vec::new();
    for (character, glyph) in character_map(table(font, b"cmap")?)? {
        // Glyphs past the last metric share it.
        let advance = u16_at(metrics, 4 * usize::from(glyph).min(n_metrics.checked_sub(1)?))?;
        widths.push((character, f64::from(advance) / units_per_em));
    }
    Some(widths)
}

/// Characters and glyphs of the Unicode subtable in format 4 (segments of consecutive code points).
fn character_map(cmap: &[u8]) -> Option<Vec<(char, u16)>> {
    let subtable = (0..usize::from(u16_at(cmap, 2)?)).find_map(|record| {
        let (platform, at) = (u16_at(cmap, 4 + 8 * record)?, u32_at(cmap, 8 + 8 * record)?);
        let subtable = cmap.get(at..)?;
        (matches!(platform, 0 | 3) && u16_at(subtable, 0)? == 4).then_some(subtable)
    })?;
    let segments = usize::from(u16_at(subtable, 6)?) / 2;
    let (ends, starts) = (14, 16 + 2 * segments);
    let (deltas, offsets) = (starts + 2 * segments, starts + 4 * segments);
    let mut map = Vec::new();
    for segment in 0..segments {
        let (end, start) = (u16_at(subtable, ends + 2 * segment)?, u16_at(subtable, starts + 2 * segment)?);
        let (delta, offset_at) = (u16_at(subtable, deltas + 2 * segment)?, offsets + 2 * segment);
        let offset = u16_at(subtable, offset_at)?;
        for code in start..=end {
            let glyph = match offset {
                0 => code.wrapping_add(delta),
                // The offset counts from its own place in the table.
                _ => match u16_at(subtable, offset_at + usize::from(offset) + 2 * usize::from(code - start))? {
                    0 => 0,
                    listed => listed.wrapping_add(delta),
                },
            };
            if let (Some(character), 1..) = (char::from_u32(u32::from(code)), glyph) {
                map.push((character, glyph));
            }
        }
    }
    Some(map)
}

fn table<'a>(font: &'a [u8], tag: &[u8; 4]) -> Option<&'a [u8]> {
    (0..usize::from(u16_at(font, 4)?)).map(|record| 12 + 16 * record).find_map(|at| {
        let (start, length) = (u32_at(font, at + 8)?, u32_at(font, at + 12)?);
        (font.get(at..at + 4)? == tag).then(|| font.get(start..start + length))?
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_that_the_rasterisers_font_library_reports() {
        let mut options = resvg::usvg::Options::default();
        options.fontdb_mut().load_font_data(Face::Regular.opentype().to_vec());
        for character in ['0', 'M', 'i', 'θ', '−', 'ℓ', '×'] {
            // Ten of them between two bars: the bars' distance is the advance, free of side bearings.
            let boxed = |middle: String| {
                let svg = format!(
                    "<svg xmlns='http://www.w3.org/2000/svg' width='900' height='99'><text y='50' font-family='Inter' \
                     font-kerning='none' style='font-kerning:none' font-size='10'>|{middle}|</text></svg>"
                );
                let tree = resvg::usvg::Tree::from_str(&svg, &options).expect("well-formed");
                f64::from(tree.root().bounding_box().width())
            };
            let ten = boxed(character.to_string().repeat(10)) - boxed(String::new());
            assert!((ten / 100.0 - Face::Regular.advance(character)).abs() < 0.002, "{character}: {ten}");
        }
    }

    #[test]
    fn what_labels_need_is_in_the_font() {
        for character in "0123456789−×,.%()[]=+-·–‖ℓθβσλΔΣ≤≥±²".chars() {
            assert!(Face::Regular.has(character) && Face::Bold.has(character), "{character}");
        }
        assert!(!Face::Regular.has('漢'));
    }
}
