//! Two versions of one file → how alike they are.

use std::fmt;
use std::io;

use super::compare::{Differences, compare};
use crate::publish::manifest::TableEntry;
use crate::tables::parquet;

/// An SVG may differ this much, in its own units of about a point: less than anyone can see.
const DRAWING_TOLERANCE: f64 = 0.01;
/// And a PNG drawn from it: of 255, in any pixel.
const PIXEL_TOLERANCE: u8 = 8;

/// How a table or figure that was made again compares with the archived one.
#[derive(Debug)]
pub enum Verdict {
    /// The same bytes.
    Identical,
    /// Every value is the same, the file is not: another version of the program wrote it.
    SameValues,
    /// Within the tolerance that the table, or one that it was made from, states.
    Within {
        /// The largest deviation found, relative to the largest value of its column.
        deviation: f64,
        /// The one that is stated.
        tolerance: f64,
    },
    /// Other values.
    Different(Differences),
    /// A figure that looks different, or a large table of which the archive holds only the digest.
    OtherBytes(&'static str),
    /// The archive has it; this run did not make it.
    Missing,
}

impl Verdict {
    /// Whether it came out as archived, within the tolerance that its table declares.
    pub fn agrees(&self) -> bool {
        matches!(self, Self::Identical | Self::SameValues | Self::Within { .. })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identical => f.write_str("identical"),
            Self::SameValues => f.write_str("the same values in other bytes"),
            Self::Within { deviation, tolerance } => {
                write!(f, "within tolerance: deviates by {deviation:.1e}, {tolerance:e} is stated")
            }
            Self::Different(differences) => write!(f, "DIFFERENT: {differences}"),
            Self::OtherBytes(why) => write!(f, "DIFFERENT: {why}"),
            Self::Missing => f.write_str("MISSING: this run did not make it"),
        }
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.only_old > 0 {
            parts.push(format!("{} rows are gone", self.only_old));
        }
        if self.only_new > 0 {
            parts.push(format!("{} rows are new", self.only_new));
        }
        parts.extend(self.columns_only_old.iter().map(|name| format!("column `{name}` is gone")));
        parts.extend(self.columns_only_new.iter().map(|name| format!("column `{name}` is new")));
        for column in &self.columns {
            let mut text = format!("`{}` in {} of {} rows", column.column, column.rows, self.common_rows);
            if let Some(deviation) = column.deviation {
                text += &format!(" by up to {:.3e} ({:.2e} relative)", deviation.absolute, deviation.relative);
            }
            parts.push(text);
        }
        f.write_str(&if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") })
    }
}

/// Tables as their manifests describe them, row by row of their keys.
pub(super) fn tables(
    before: &TableEntry,
    after: &TableEntry,
    old: Vec<u8>,
    new: Vec<u8>,
    tolerance: Option<f64>,
) -> Verdict {
    let read = |bytes: Vec<u8>, table: &TableEntry| parquet::read(bytes.into(), &table.schema).ok()?.to_batch().ok();
    let (Some(old), Some(new)) = (read(old, before), read(new, after)) else {
        return Verdict::OtherBytes("cannot be read as the table that its manifest describes");
    };
    let key: Vec<&str> = before.schema.key.iter().map(AsRef::as_ref).collect();
    let Ok(differences) = compare(&old, &new, &key) else {
        return Verdict::OtherBytes("cannot be compared: its columns have other types");
    };
    if differences.is_empty() {
        return Verdict::SameValues;
    }
    match tolerance.and_then(|tolerance| Some((differences.within(tolerance)?, tolerance))) {
        Some((deviation, tolerance)) => Verdict::Within { deviation, tolerance },
        None => Verdict::Different(differences),
    }
}

/// Drawings are the same text but for numbers, and these are close. Only where the numbers drawn have a tolerance.
pub(super) fn drawings(old: &[u8], new: &[u8], tolerance: Option<f64>) -> Verdict {
    let (Ok(old), Ok(new)) = (std::str::from_utf8(old), std::str::from_utf8(new)) else {
        return Verdict::OtherBytes("not an SVG");
    };
    let ((old_words, old_numbers), (new_words, new_numbers)) = (numbers_in(old), numbers_in(new));
    let deviation = old_numbers.iter().zip(&new_numbers).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let alike = old_words == new_words && old_numbers.len() == new_numbers.len() && deviation <= DRAWING_TOLERANCE;
    if alike && tolerance.is_some() {
        Verdict::Within { deviation, tolerance: DRAWING_TOLERANCE }
    } else {
        Verdict::OtherBytes("the drawing is another")
    }
}

/// A text as what stands between its numbers, and the numbers.
fn numbers_in(text: &str) -> (String, Vec<f64>) {
    let (mut words, mut numbers) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let length = rest[start..].find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len() - start);
        let (number, after) = rest[start..].split_at(length);
        words.push_str(&rest[..start]);
        match number.parse() {
            // A sign belongs to the number: −0.001 and 0.001 are close.
            Ok(value) if words.ends_with('-') => {
                words.pop();
                numbers.push(-f64::abs(value));
            }
            Ok(value) => numbers.push(value),
            Err(_) => words.push_str(number),
        }
        words.push('\0');
        rest = after;
    }
    words.push_str(rest);
    (words, numbers)
}

/// Pictures are the same pixels, or close where the numbers drawn have a tolerance.
pub(super) fn pictures(old: &[u8], new: &[u8], tolerance: Option<f64>) -> Verdict {
    let (Some(old), Some(new)) = (pixels(old), pixels(new)) else { return Verdict::OtherBytes("not a PNG") };
    if old == new {
        return Verdict::SameValues;
    }
    let deviation = old.1.iter().zip(&new.1).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
    if old.0 == new.0 && tolerance.is_some() && deviation <= PIXEL_TOLERANCE {
        Verdict::Within { deviation: f64::from(deviation), tolerance: f64::from(PIXEL_TOLERANCE) }
    } else {
        Verdict::OtherBytes("the picture is another")
    }
}

/// Size and samples of a PNG.
fn pixels(bytes: &[u8]) -> Option<((u32, u32), Vec<u8>)> {
    let mut reader = png::Decoder::new(io::Cursor::new(bytes)).read_info().ok()?;
    let mut samples = vec![0; reader.output_buffer_size()?];
    let frame = reader.next_frame(&mut samples).ok()?;
    samples.truncate(frame.buffer_size());
    Some(((frame.width, frame.height), samples))
}
