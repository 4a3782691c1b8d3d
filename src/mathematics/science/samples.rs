//! Labelled images, as the training loop sees them.

use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::InvalidParameter;
use super::likeness::Arrangement;
use crate::kernels::{Active, ActiveRows, INTENSITY};

/// n images of `n_pixels` bytes with one label each.
///
/// A network's input is x = pixel / 255 in single precision, not standardised.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    pixels: Vec<u8>,
    labels: Vec<u16>,
    n_pixels: usize,
    n_classes: usize,
    found: Found,
}

/// What is found out about images when it is first asked for. It follows from them, so it is no part of what they are.
#[derive(Debug, Default)]
struct Found {
    active: OnceLock<ActiveRows>,
    /// Of the ranges that were asked for: one or two in a program's life.
    arrangements: Mutex<Vec<Arc<Arrangement>>>,
}

impl Clone for Found {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Found {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Samples {
    /// `pixels`: n × `n_pixels`, row-major; `labels`: n numbers below `n_classes`.
    ///
    /// # Errors
    /// If an image has no pixels, the lengths do not agree, or a label is not below `n_classes`.
    pub fn new(pixels: Vec<u8>, labels: Vec<u16>, n_pixels: usize, n_classes: usize) -> Result<Self, InvalidParameter> {
        if n_pixels == 0 {
            return Err(InvalidParameter::new("samples: an image needs at least one pixel"));
        }
        if labels.len().checked_mul(n_pixels) != Some(pixels.len()) {
            return Err(InvalidParameter::new(format!(
                "samples: {} labels and {} pixels do not make images of {n_pixels} pixels",
                labels.len(),
                pixels.len()
            )));
        }
        if let Some((index, label)) = labels.iter().enumerate().find(|&(_, &l)| usize::from(l) >= n_classes) {
            return Err(InvalidParameter::new(format!(
                "samples: label {label} of sample {index} is not below the number of classes, {n_classes}"
            )));
        }
        Ok(Self { pixels, labels, n_pixels, n_classes, found: Found::default() })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Pixels an image.
    pub fn n_pixels(&self) -> usize {
        self.n_pixels
    }

    /// Classes a label can name.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// The bytes of image `index`.
    pub fn pixels(&self, index: usize) -> &[u8] {
        &self.pixels[index * self.n_pixels..(index + 1) * self.n_pixels]
    }

    /// Finds the lit pixels of all images now, which is otherwise done when they are first asked for.
    pub fn prepare(&self) {
        self.active_rows();
    }

    /// x of image `index` by its lit pixels.
    pub(crate) fn active(&self, index: usize) -> Active<'_> {
        self.active_rows().row(index)
    }

    /// x of all images by their lit pixels.
    pub(crate) fn active_rows(&self) -> &ActiveRows {
        self.found.active.get_or_init(|| ActiveRows::from_bytes(&self.pixels, self.n_pixels, &INTENSITY))
    }

    /// The images of `range` by their likeness.
    pub(crate) fn arranged(&self, range: Range<usize>) -> Arc<Arrangement> {
        let mut known = self.found.arrangements.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(arrangement) = known.iter().find(|arrangement| *arrangement.range() == range) {
            return arrangement.clone();
        }
        let arrangement = Arc::new(Arrangement::new(range, self.n_pixels, self.active_rows()));
        known.push(arrangement.clone());
        arrangement
    }

    /// The class of image `index`.
    pub fn label(&self, index: usize) -> usize {
        usize::from(self.labels[index])
    }

    /// The images of `range`, copied.
    pub fn slice(&self, range: Range<usize>) -> Self {
        Self {
            pixels: self.pixels[range.start * self.n_pixels..range.end * self.n_pixels].to_vec(),
            labels: self.labels[range].to_vec(),
            n_pixels: self.n_pixels,
            n_classes: self.n_classes,
            found: Found::default(),
        }
    }

    /// The images at `indices`, copied, in that order.
    pub fn select(&self, indices: &[u32]) -> Self {
        Self {
            pixels: indices.iter().flat_map(|&i| self.pixels(i as usize)).copied().collect(),
            labels: indices.iter().map(|&i| self.labels[i as usize]).collect(),
            n_pixels: self.n_pixels,
            n_classes: self.n_classes,
            found: Found::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_labels_are_checked() {
        let message = |r: Result<Samples, InvalidParameter>| r.unwrap_err().to_string();
        assert!(message(Samples::new(vec![0; 5], vec![0; 2], 2, 10)).contains("2 labels and 5 pixels"));
        assert!(message(Samples::new(vec![0; 4], vec![0, 10], 2, 10)).contains("label 10 of sample 1"));
        assert!(message(Samples::new(vec![], vec![], 0, 10)).contains("at least one pixel"));
    }

    #[test]
    fn select_and_slice_keep_image_and_label_together() {
        let samples = Samples::new((0..8).collect(), vec![0, 1, 2, 3], 2, 4).unwrap();
        let chosen = samples.select(&[3, 1]);
        assert_eq!((chosen.pixels(0), chosen.label(0)), (&[6, 7][..], 3));
        assert_eq!(samples.slice(1..3), samples.select(&[1, 2]));
    }
}
