//! runs × weights × dataset → reconstructions(run_id, step, layer, sample_index, label, n_pixels, pixels, correlation, error)
//!
//! Images as a layer remembers them (Figure 3): y_ℓ multiplied back to pixels by the transposed weights. Either a few
//! images with their pixels, to be looked at, or many without, for how closely they resemble the originals.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Known;
use super::measurement::{FORWARD_SLOWDOWN, Measurement, SAMPLES, finite, measured, plan_layers};
use super::parameters::{Split, Steps};
use super::rows::{RUN_ID, STEP};
use crate::error::Result;
use crate::science::model::{Blueprint, Model, Place};
use crate::science::samples::Samples;
use crate::spec::node::{Fault, Node};
use crate::tables::{Row, table};
use crate::task::{Facts, Inputs, Kind, Output, Planned, Planning, Reference, Surroundings, Work};

/// `kind = "reconstructions"`
pub struct Reconstructions;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReconstructionsSpec {
    /// The stage that trains the networks.
    #[allow(dead_code)]
    of: String,
    /// The stage that loads other data than the networks were trained on; their own if left out.
    #[serde(default)]
    #[allow(dead_code)]
    data: Option<String>,
    /// Layers to reconstruct from; 0 is the image itself.
    layers: Vec<usize>,
    /// Steps of the training; its snapshots if left out.
    #[serde(default)]
    steps: Option<Steps>,
    /// The images that the network is shown: the test set if left out.
    #[serde(default)]
    split: Split,
    /// `"one_a_class"`: the first image of each class, with pixels. A number: the first so many images, without;
    /// the first 1,000 if left out.
    #[serde(default)]
    samples: Chosen,
}

/// Which images are reconstructed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
enum Chosen {
    /// By a word.
    Named(NamedChoice),
    /// The first so many.
    First(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum NamedChoice {
    /// The first image of each class.
    OneAClass,
}

impl Default for Chosen {
    fn default() -> Self {
        Self::First(SAMPLES)
    }
}

impl Chosen {
    fn keeps_pixels(self) -> bool {
        matches!(self, Self::Named(_))
    }

    /// Positions of the images among those from `first` on, ascending.
    fn indices(self, images: &Samples, first: usize) -> Vec<u32> {
        match self {
            Self::First(samples) => (first..first + samples).map(|index| index as u32).collect(),
            Self::Named(NamedChoice::OneAClass) => {
                let mut seen = BTreeSet::new();
                (first..images.len()).filter(|&index| seen.insert(images.label(index))).map(|i| i as u32).collect()
            }
        }
    }
}

table! {
    /// An image as a layer remembers it.
    pub struct ReconstructionRow<'a> in "reconstructions" version 1 key(run_id, step, layer, sample_index) {
        run_id: Category = RUN_ID,
        step: Int64 = STEP,
        /// layer that the image is reconstructed from; 0 is the original
        layer: Int32,
        /// position of the image in its split
        sample_index: Int32,
        /// class of the image
        label: Int32,
        /// pixels of the image
        n_pixels: Int32 in "pixels",
        /// W_{0,1}^T ... W_{l-1,l}^T y_l, row-major; null where only the numbers were asked for
        pixels: Option<Float32List>,
        /// Pearson, with the original; null if either is constant
        correlation: Option<Float64>,
        /// mean over pixels of the squared difference from the original
        error: Option<Float64>,
    }
}

impl Kind for Reconstructions {
    fn name(&self) -> &'static str {
        "reconstructions"
    }

    fn summary(&self) -> &'static str {
        "Multiplies a layer's activations back to pixels, and compares them with the originals."
    }

    fn version(&self) -> u32 {
        1
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<ReconstructionsSpec>()
    }

    fn tables(&self) -> Vec<Output> {
        vec![Output::kept("", ReconstructionRow::schema())]
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        measured(parameters)
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: ReconstructionsSpec = planning.parameters.read()?;
        let samples = match spec.samples {
            Chosen::First(samples) => Some(samples),
            Chosen::Named(_) => None,
        };
        let mut inputs = Inputs::new(planning);
        let measurement = Measurement::plan(planning, &mut inputs, spec.steps.as_ref(), spec.split, samples)?;
        if let Blueprint::Recurrent(_) = measurement.network.blueprint {
            return Err(planning.fault("of", "this stage does not train a feed-forward network"));
        }
        let layers = plan_layers(planning, &measurement.network, &spec.layers, 0)?;
        let canonical =
            Canonical { layers, steps: measurement.steps.clone(), split: spec.split, samples: spec.samples };
        let outputs = [Output::kept("", ReconstructionRow::schema())];
        Ok(Planned::new(ReconstructionsTask { canonical, measurement, outputs }).reading(inputs))
    }
}

#[derive(Debug, Serialize)]
struct Canonical {
    layers: Vec<usize>,
    steps: Vec<u64>,
    split: Split,
    samples: Chosen,
}

#[derive(Debug)]
struct ReconstructionsTask {
    canonical: Canonical,
    measurement: Measurement,
    outputs: [Output; 1],
}

impl Work for ReconstructionsTask {
    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(&self.canonical).expect("plain data")
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn facts(&self) -> Facts {
        let layers = Some(self.canonical.layers.clone());
        Known { network: Some(self.measurement.network.clone()), layers, ..Known::default() }.into()
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let Canonical { layers, split, samples, .. } = &self.canonical;
        self.measurement.for_each_network(context, |network, step, data, run_id| {
            let (images, first) = data.held_out(*split);
            let indices = samples.indices(images, first);
            let chosen = images.select(&indices);
            for &layer in layers {
                context.check_interrupted()?;
                let found = Reconstructed::from_layer(network, &chosen, layer);
                let n_pixels = chosen.n_pixels();
                let rows: Vec<ReconstructionRow<'_>> = indices
                    .iter()
                    .enumerate()
                    .map(|(sample, &index)| ReconstructionRow {
                        run_id,
                        step: step as i64,
                        layer: layer as i32,
                        sample_index: index as i32,
                        label: chosen.label(sample) as i32,
                        n_pixels: n_pixels as i32,
                        pixels: samples
                            .keeps_pixels()
                            .then(|| &found.pixels[sample * n_pixels..(sample + 1) * n_pixels]),
                        correlation: found.correlation[sample].and_then(finite),
                        error: finite(found.error[sample]),
                    })
                    .collect();
                context.write("reconstructions", ReconstructionRow::batch(&rows))?;
            }
            Ok(())
        })
    }

    fn cost(&self) -> f64 {
        self.measurement.cost(2.0 * self.canonical.layers.len() as f64)
    }

    fn slowdown(&self) -> f64 {
        FORWARD_SLOWDOWN
    }

    fn memory(&self) -> u64 {
        self.measurement.memory()
    }
}

/// What a layer makes of images.
struct Reconstructed {
    pixels: Vec<f32>,
    correlation: Vec<Option<f64>>,
    error: Vec<f64>,
}

impl Reconstructed {
    fn from_layer(network: &dyn Model, images: &Samples, layer: usize) -> Self {
        let n = images.len();
        if layer == 0 {
            let input = network.activations_at(images, 0..n, &[Place::layer(0)]).remove(0);
            return Self {
                pixels: input.into_raw_vec_and_offset().0,
                correlation: vec![Some(1.0); n],
                error: vec![0.0; n],
            };
        }
        let found = network.multiplied_back(images, 0..n, layer).expect("planned for feed-forward networks alone");
        let pixels = found.pixels.into_raw_vec_and_offset().0;
        Self { pixels, correlation: found.correlation, error: found.error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::examples::{Matrix, assert_close, trained};
    use crate::task::bench::Bench;

    #[test]
    fn the_first_image_of_each_class_is_chosen_in_the_order_of_the_split() {
        let images = Samples::new(vec![0; 6], vec![7, 7, 1, 0, 1, 2], 1, 10).unwrap();
        assert_eq!(Chosen::Named(NamedChoice::OneAClass).indices(&images, 0), [0, 2, 3, 5]);
        assert_eq!(Chosen::Named(NamedChoice::OneAClass).indices(&images, 2), [2, 3, 5]);
        assert_eq!(Chosen::First(2).indices(&images, 3), [3, 4]);
    }

    /// Layer 1 exchanges the pixels, layer 2 forgets the second of its units.
    fn bench() -> Bench {
        let weights: &[Matrix<'_>] = &[
            ("forward", 1, &[&[0.0, 1.0], &[1.0, 0.0]]),
            ("forward", 2, &[&[1.0, 0.0], &[0.0, 0.0]]),
            ("forward", 3, &[&[0.0, 0.0], &[0.0, 0.0]]),
        ];
        let images: [(&[u8], i32); 4] = [(&[0, 255], 1), (&[255, 0], 1), (&[255, 255], 0), (&[0, 0], 0)];
        trained(&[2, 2, 2, 2], &[(0, weights), (10, &[])], &images, &images)
    }

    #[test]
    fn images_come_back_as_far_as_the_layer_remembers_them() {
        let made = bench().run(&Reconstructions, "of = 'train'\nlayers = [0, 1, 2]\nsamples = 'one_a_class'").unwrap();
        let rows: Vec<ReconstructionRow<'_>> = made.rows("reconstructions");
        let places: Vec<_> = rows.iter().map(|row| (row.step, row.layer, row.sample_index, row.label)).collect();
        assert_eq!(places, [0, 1, 2].map(|layer| [(0, layer, 0, 1), (0, layer, 2, 0)]).concat());
        assert!(rows.iter().all(|row| (row.run_id, row.n_pixels) == ("a_run", 2)));
        let pixels: Vec<&[f32]> = rows.iter().map(|row| row.pixels.unwrap()).collect();
        let (line, square): (&[f32], &[f32]) = (&[0.0, 1.0], &[1.0, 1.0]);
        // The second pixel is the first unit of layer 1, which layer 2 keeps.
        assert_eq!(pixels, [line, square, line, square, line, line]);
        // Half of the square's two pixels are lost, each by 1.
        assert_eq!(rows.iter().map(|row| row.error.unwrap()).collect::<Vec<_>>(), [0.0, 0.0, 0.0, 0.0, 0.0, 0.5]);
        // A constant image correlates with nothing, but the original is itself whatever it is.
        let correlated: Vec<bool> = rows.iter().map(|row| row.correlation.is_some()).collect();
        assert_eq!(correlated, [true, true, true, false, true, false]);
        assert_close(rows.iter().filter_map(|row| row.correlation), &[1.0; 4]);
    }

    #[test]
    fn without_pixels_the_numbers_of_the_first_images_remain() {
        let made = bench().run(&Reconstructions, "of = 'train'\nlayers = [2]\nsamples = 3").unwrap();
        let rows: Vec<ReconstructionRow<'_>> = made.rows("reconstructions");
        assert!(rows.iter().all(|row| row.pixels.is_none()));
        // (1, 0) comes back as nothing: the squared difference is 1 on one of two pixels.
        assert_eq!(rows.iter().map(|row| row.error.unwrap()).collect::<Vec<_>>(), [0.0, 0.5, 0.5]);
        assert_eq!(rows.iter().map(|row| row.label).collect::<Vec<_>>(), [1, 1, 0]);
    }
}
