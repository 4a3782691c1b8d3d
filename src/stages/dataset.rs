//! Data sets in memory, decoded once for all tasks of a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type};

use super::parameters::{Split, TUNING_SAMPLES};
use crate::error::Result;
use crate::science::samples::Samples;
use crate::tables::Table;
use crate::tables::vectors::uint8_values;
use crate::task::{InputId, Shared, Surroundings};

/// The splits of a data set.
#[derive(Debug)]
pub struct DataSplits {
    pub train: Samples,
    pub test: Samples,
}

impl DataSplits {
    /// Decodes a `dataset` table.
    ///
    /// # Errors
    /// The table is not one that the `load` stage writes.
    pub fn from_table(table: &Table) -> Result<Self, String> {
        let mut parts: BTreeMap<String, (Vec<u8>, Vec<u16>)> = BTreeMap::new();
        let mut n_pixels = 0;
        for batch in &table.batches {
            let column = |name: &str| batch.column_by_name(name).ok_or_else(|| format!("no column `{name}`"));
            let splits = cast(column("split")?, &DataType::Utf8).map_err(|error| error.to_string())?;
            let splits = splits.as_string::<i32>();
            let labels = column("label")?.as_primitive::<Int32Type>();
            let pixels = column("pixels")?;
            if batch.num_rows() == 0 {
                continue;
            }
            let values = uint8_values(pixels);
            n_pixels = values.len() / batch.num_rows();
            for row in 0..batch.num_rows() {
                if !parts.contains_key(splits.value(row)) {
                    parts.insert(splits.value(row).to_owned(), Default::default());
                }
                let part = parts.get_mut(splits.value(row)).expect("just inserted");
                part.0.extend_from_slice(&values[row * n_pixels..(row + 1) * n_pixels]);
                part.1.push(labels.value(row) as u16);
            }
        }
        let n_classes = parts.values().flat_map(|(_, labels)| labels).max().map_or(0, |&label| usize::from(label) + 1);
        let mut split = |name: &str| {
            let (pixels, labels) = parts.remove(name).ok_or_else(|| format!("no split `{name}`"))?;
            Samples::new(pixels, labels, n_pixels, n_classes).map_err(|error| error.to_string())
        };
        Ok(Self { train: split("train")?, test: split("test")? })
    }

    /// Images that networks are trained on: all but the last 10,000 of the training set.
    pub fn n_training(&self) -> usize {
        self.train.len().saturating_sub(TUNING_SAMPLES)
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
