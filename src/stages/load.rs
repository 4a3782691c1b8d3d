//! data set → dataset(split, sample_index, label, pixels)

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::DataSplits;
use super::parameters::{MOST_TUNING_SAMPLES, tuning_samples};
use super::{DataFacts, Known, environment};
use crate::datasets::{self, DataError, DataSetInfo, PIXELS};
use crate::error::Result;
use crate::spec::Definitions;
use crate::spec::node::{Fault, Node, suggestion};
use crate::tables::{Row, table};
use crate::task::{Facts, Kind, Output, Planned, Planning, Reference, Surroundings, Work};

/// `kind = "load"`
pub struct Load;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LoadSpec {
    /// A data set in the data folder: `mnist`, `fashion_mnist` or an imported one.
    dataset: String,
    /// If there is no such data set, load none instead of refusing the pipeline: for stages that say what they take then.
    #[serde(default)]
    optional: bool,
}

/// Rows of a batch: about 6 MB of pixels.
const BATCH: usize = 8192;

table! {
    /// An image of a data set.
    pub struct ImageRow<'a> in "dataset" version 1 key(split, sample_index) {
        /// half of the data set: train or test
        split: Category,
        /// position of the image in its split, from 0
        sample_index: Int32,
        /// class of the image, from 0
        label: Int32,
        /// 28 x 28 intensities, row-major
        pixels: UInt8List in "1/255",
    }
}

impl Kind for Load {
    fn name(&self) -> &'static str {
        "load"
    }

    fn summary(&self) -> &'static str {
        "Reads a data set, checked against its checksums."
    }

    fn version(&self) -> u32 {
        1
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<LoadSpec>()
    }

    fn axis_parameter(&self, axis: &str, _: &Definitions) -> Option<Vec<String>> {
        (axis == "dataset").then(|| vec!["dataset".to_owned()])
    }

    fn references(&self, _parameters: &Node) -> Result<Vec<Reference>, Fault> {
        Ok(Vec::new())
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: LoadSpec = planning.parameters.read()?;
        let info = match environment::of(planning).data_set(&spec.dataset) {
            Ok(info) => Some(info),
            Err(DataError::UnknownDataSet { .. }) if spec.optional => None,
            Err(error) => {
                let help = match &error {
                    DataError::UnknownDataSet { name, available, .. } => suggestion(name, available),
                    _ => None,
                };
                return Err(Fault { help, ..planning.fault("dataset", error.to_string()) });
            }
        };
        Ok(Planned::new(LoadTask { name: spec.dataset, info, outputs: [Output::kept("", ImageRow::schema())] }))
    }
}

#[derive(Debug)]
struct LoadTask {
    name: String,
    /// None if an optional data set is not there.
    info: Option<DataSetInfo>,
    outputs: [Output; 1],
}

impl LoadTask {
    fn n_pixels(&self) -> u64 {
        self.info.as_ref().map_or(0, |info| (info.n_train + info.n_test) as u64 * PIXELS as u64)
    }
}

#[derive(Serialize)]
struct Canonical {
    /// The digest of the four files' checksums: a data set is what is in it, not what it is called.
    identity: String,
    /// How many images the tuning split has where that is a share of the set.
    #[serde(skip_serializing_if = "Option::is_none")]
    tuning_images: Option<usize>,
}

impl Work for LoadTask {
    fn parameters(&self) -> serde_json::Value {
        let identity = self.info.as_ref().map_or_else(|| "absent".to_owned(), DataSetInfo::identity);
        // Keys are older than the share, and say nothing of the split where it is what it always was.
        let n_train = self.info.as_ref().map_or(0, |info| info.n_train);
        let tuning_images = Some(tuning_samples(n_train)).filter(|&images| 0 < images && images < MOST_TUNING_SAMPLES);
        serde_json::to_value(Canonical { identity, tuning_images }).expect("plain data")
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn facts(&self) -> Facts {
        let data = DataFacts {
            name: self.name.clone(),
            n_train: self.info.as_ref().map_or(0, |info| info.n_train),
            n_test: self.info.as_ref().map_or(0, |info| info.n_test),
            n_classes: self.info.as_ref().map_or(0, |info| info.n_classes),
            n_pixels: PIXELS,
        };
        Known { data: Some(Arc::new(data)), ..Known::default() }.into()
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let Some(info) = &self.info else { return Ok(()) };
        let data = DataSplits::new(datasets::load(info)?, info.n_classes).map_err(|error| context.internal(error))?;
        let is_shared = context.is_shared("dataset");
        // Writing takes longer than anything else here; meanwhile another worker finds out what all readers will ask for.
        rayon::in_place_scope(|scope| {
            if is_shared {
                scope.spawn(|_| data.prepare());
            }
            write(context, &data)
        })?;
        if is_shared {
            context.share("dataset", Arc::new(data));
        }
        Ok(())
    }

    fn cost(&self) -> f64 {
        1.0
    }

    fn memory(&self) -> u64 {
        // The images as bytes, and the table of them.
        2 * self.n_pixels()
    }

    fn disk(&self) -> u64 {
        // Mostly empty paper: digits and clothes take a fifth to two fifths.
        self.n_pixels() / 3
    }
}

/// The rows of a data set, sorted by the key columns: `test` comes before `train`.
fn write(context: &dyn Surroundings, data: &DataSplits) -> Result<()> {
    for (name, split) in [("test", &data.test), ("train", &data.train)] {
        for start in (0..split.len()).step_by(BATCH) {
            context.check_interrupted()?;
            let image = |index: usize| ImageRow {
                split: name,
                sample_index: index as i32,
                label: split.label(index) as i32,
                pixels: split.pixels(index),
            };
            let rows: Vec<ImageRow<'_>> = (start..split.len().min(start + BATCH)).map(image).collect();
            context.write("dataset", ImageRow::batch(&rows))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::error::Error;
    use crate::stages::environment::Environment;
    use crate::task::bench::Bench;

    /// A data folder with the set `digits`: in the training set image i is i everywhere, in the test set 100 + i.
    fn digits(folder: &Path) -> Bench {
        let source = folder.join("source");
        fs::create_dir(&source).unwrap();
        for (prefix, first, labels) in [("train", 0, &[1, 0, 2][..]), ("t10k", 100, &[2, 1])] {
            let n = labels.len() as u32;
            let header =
                |magic: u32, sizes: &[u32]| [&[magic, n][..], sizes].concat().into_iter().flat_map(u32::to_be_bytes);
            let images = header(0x0803, &[28, 28]).chain((0..n as u8).flat_map(|index| [first + index; PIXELS]));
            let labels = header(0x0801, &[]).chain(labels.iter().copied());
            fs::write(source.join(format!("{prefix}-images-idx3-ubyte")), images.collect::<Vec<u8>>()).unwrap();
            fs::write(source.join(format!("{prefix}-labels-idx1-ubyte")), labels.collect::<Vec<u8>>()).unwrap();
        }
        datasets::import(&source, &folder.join("data"), "digits").unwrap();
        bench(folder)
    }

    fn bench(folder: &Path) -> Bench {
        Bench::new().resources(Environment::new(vec![folder.join("data")], &folder.join("pipelines")).unwrap())
    }

    #[test]
    fn images_and_labels_come_as_published_test_before_train() {
        let folder = tempfile::tempdir().unwrap();
        let made = digits(folder.path()).run(&Load, "dataset = 'digits'").unwrap();
        let rows: Vec<ImageRow<'_>> = made.rows("dataset");
        let found: Vec<_> = rows.iter().map(|row| (row.split, row.sample_index, row.label, row.pixels[0])).collect();
        let test = [("test", 0, 2, 100), ("test", 1, 1, 101)];
        let train = [("train", 0, 1, 0), ("train", 1, 0, 1), ("train", 2, 2, 2)];
        assert_eq!(found, [&test[..], &train].concat());
        assert!(rows.iter().all(|row| row.pixels == [row.pixels[0]; PIXELS]), "no image runs into the next");
        let shared = made.shared["dataset"].downcast_ref::<DataSplits>().unwrap();
        assert_eq!(*shared, DataSplits::from_table(&made.tables["dataset"]).unwrap(), "what readers would decode");
    }

    #[test]
    fn a_data_set_that_is_not_there_is_a_fault_unless_it_is_optional() {
        let folder = tempfile::tempdir().unwrap();
        let bench = digits(folder.path());
        assert!(matches!(bench.run(&Load, "dataset = 'letters'"), Err(Error::Spec(_))));
        let made = bench.run(&Load, "dataset = 'letters'\noptional = true").unwrap();
        assert_eq!(made.tables["dataset"].n_rows(), 0);
        let made = bench.run(&Load, "dataset = 'digits'\noptional = true").unwrap();
        assert_eq!(made.tables["dataset"].n_rows(), 5, "what is there is loaded");
        fs::write(folder.path().join("data/digits/dataset.toml"), "title = \"cut off").unwrap();
        let damaged = self::bench(folder.path()).run(&Load, "dataset = 'digits'\noptional = true");
        assert!(matches!(damaged, Err(Error::Spec(_))), "what is damaged is not absent: {damaged:?}");
    }
}
