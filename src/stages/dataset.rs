//! Data sets in memory, decoded once for all tasks of a run.

use std::sync::Arc;

use super::load::ImageRow;
use super::parameters::{Split, tuning_samples};
use crate::datasets::{self, DataSet, PIXELS};
use crate::error::Result;
use crate::science::samples::Samples;
use crate::tables::Table;
use crate::task::{InputId, Shared, Surroundings};

/// The splits of a data set.
#[derive(Debug, PartialEq)]
pub struct DataSplits {
    pub train: Samples,
    pub test: Samples,
}

impl DataSplits {
    /// Of the files' content: what [`DataSplits::from_table`] makes of the table that has it.
    ///
    /// # Errors
    /// A label is not below `n_classes`.
    pub fn new(data: DataSet, n_classes: usize) -> Result<Self, String> {
        let samples = |split: datasets::Split| {
            let labels = split.labels.into_iter().map(u16::from).collect();
            Samples::new(split.pixels, labels, PIXELS, n_classes).map_err(|error| error.to_string())
        };
        Ok(Self { train: samples(data.train)?, test: samples(data.test)? })
    }

    /// Decodes a `dataset` table.
    ///
    /// # Errors
    /// The table is not one that the `load` stage writes.
    pub fn from_table(table: &Table) -> Result<Self, String> {
        let rows: Vec<ImageRow<'_>> = table.rows().map_err(|error| error.to_string())?;
        let n_pixels = rows.first().map_or(0, |image| image.pixels.len());
        let n_classes = rows.iter().map(|image| image.label as usize + 1).max().unwrap_or(0);
        let split = |name: &str| {
            let images: Vec<&ImageRow<'_>> = rows.iter().filter(|image| image.split == name).collect();
            if images.is_empty() {
                return Err(format!("no split `{name}`"));
            }
            // One row an image: (n, n_pixels).
            let mut pixels = Vec::with_capacity(images.len() * n_pixels);
            images.iter().for_each(|image| pixels.extend_from_slice(image.pixels));
            let labels = images.iter().map(|image| image.label as u16).collect();
            Samples::new(pixels, labels, n_pixels, n_classes).map_err(|error| error.to_string())
        };
        Ok(Self { train: split("train")?, test: split("test")? })
    }

    /// Finds out now what trainings ask of the images first, beside their pixels.
    pub fn prepare(&self) {
        self.test.prepare();
        self.train.prepare();
    }

    /// Images that networks are trained on: all of the training set but the tuning split at its end.
    pub fn n_training(&self) -> usize {
        self.train.len() - tuning_samples(self.train.len())
    }

    /// The images that a network is looked at with, and where they begin.
    pub fn held_out(&self, split: Split) -> (&Samples, usize) {
        match split {
            Split::Test => (&self.test, 0),
            Split::Tuning => (&self.train, self.n_training()),
        }
    }
}

/// The images behind an input, decoded once for all tasks of the run.
///
/// # Errors
/// The table cannot be had, or is not one that the `load` stage writes.
pub(super) fn images(context: &dyn Surroundings, input: InputId) -> Result<Arc<DataSplits>> {
    let decode = |table: &Table| -> Result<Shared> {
        Ok(Arc::new(DataSplits::from_table(table).map_err(|message| context.internal(message))?))
    };
    let shared = context.shared(input, &decode)?;
    shared.downcast().map_err(|_| context.internal("a data set was decoded as something else"))
}
