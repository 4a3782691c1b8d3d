//! runs × weights × dataset → activations(run_id, step, layer, sample_index, n_units, activation)

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::images;
use super::known::at_steps_and_layers;
use super::measurement::{
    FORWARD_SLOWDOWN, LAYERS_IN_TIME, by_time, measured, plan_layers, plan_network, plan_places, plan_samples,
    plan_time_steps, write_by_time,
};
use super::networks::{Source, for_each_network, plan_steps};
use super::parameters::{Split, Steps};
use super::rows::{LAYER, RUN_ID, STEP};
use super::{Known, NetworkFacts};
use crate::error::Result;
use crate::science::model::Place;
use crate::spec::node::{Fault, Node};
use crate::tables::{Row, table};
use crate::task::{
    Facts, InputId, Inputs, Kind, KnownValues, Output, Planned, Planning, Reference, Surroundings, Work,
};

/// `kind = "activations"`
pub struct Activations;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ActivationsSpec {
    /// The stage that trains the networks.
    #[allow(dead_code)]
    of: String,
    /// The stage that loads other data than the networks were trained on; their own if left out.
    #[serde(default)]
    #[allow(dead_code)]
    data: Option<String>,
    /// The layers whose activations are recorded: 0 is the input, L the softmax of the output.
    layers: Vec<usize>,
    /// Steps of the training; its snapshots if left out.
    #[serde(default)]
    steps: Option<Steps>,
    /// The images that the network is shown: the test set if left out.
    #[serde(default)]
    split: Split,
    /// The first so many images of the split; all if left out.
    #[serde(default)]
    samples: Option<usize>,
    /// Of a recurrent network: the time steps at which activations are recorded; all if left out.
    #[serde(default)]
    time_steps: Option<Vec<usize>>,
}

/// Rows of a batch.
const BATCH: usize = 2048;

/// Places whose activations are in memory at once.
const TOGETHER: usize = 16;

table! {
    /// What a layer makes of an image.
    pub struct ActivationRow<'a> in "activations" version 1 key(run_id, step, layer, sample_index) in folder {
        run_id: Category = RUN_ID,
        step: Int64 = STEP,
        layer: Int32 = LAYER,
        /// position of the image in its split
        sample_index: Int32,
        /// width of the layer
        n_units: Int32 in "units",
        /// activation of every unit
        activation: Float32List,
    }
}

impl Kind for Activations {
    fn name(&self) -> &'static str {
        "activations"
    }

    fn summary(&self) -> &'static str {
        "Records the activations of trained networks for held-out images."
    }

    fn version(&self) -> u32 {
        1
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<ActivationsSpec>()
    }

    fn tables(&self) -> Vec<Output> {
        vec![Output::kept("", ActivationRow::schema())]
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        measured(parameters)
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: ActivationsSpec = planning.parameters.read()?;
        let mut inputs = Inputs::new(planning);
        let network = plan_network(planning, &mut inputs)?;
        let (steps, source) = plan_steps(planning, &mut inputs, &network, spec.steps.as_ref())?;
        let layers = plan_layers(planning, &network, &spec.layers, 0)?;
        let (data, samples) = plan_samples(planning, &mut inputs, spec.split, spec.samples)?;
        let time_steps = plan_time_steps(planning, &network, spec.time_steps.as_deref())?;
        let places = plan_places(planning, &network, &layers, time_steps.as_deref())?;
        let schema = by_time(ActivationRow::schema(), &network, LAYERS_IN_TIME);
        let task = ActivationsTask {
            canonical: Canonical { layers, steps, split: spec.split, samples, time_steps },
            source,
            data,
            network,
            places,
            outputs: [Output::kept("", schema)],
        };
        let what = format!("what these layers make of {samples} images");
        planning.check_memory("layers", &what, task.memory().into())?;
        Ok(Planned::new(task).reading(inputs))
    }
}

#[derive(Debug, Serialize)]
struct Canonical {
    layers: Vec<usize>,
    steps: Vec<u64>,
    split: Split,
    samples: usize,
    /// Of a network that has a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_steps: Option<Vec<usize>>,
}

#[derive(Debug)]
struct ActivationsTask {
    canonical: Canonical,
    source: Source,
    data: InputId,
    network: Arc<NetworkFacts>,
    places: Vec<Place>,
    outputs: [Output; 1],
}

impl ActivationsTask {
    /// Units of the first so many places.
    fn units(&self, places: usize) -> u64 {
        let sizes = self.network.blueprint.sizes();
        self.places.iter().take(places).map(|place| *sizes.get(place.layer).or(sizes.last()).unwrap_or(&0) as u64).sum()
    }
}

impl Work for ActivationsTask {
    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(&self.canonical).expect("plain data")
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn known_values(&self, _: &str) -> KnownValues {
        at_steps_and_layers(&self.canonical.steps, &self.canonical.layers)
    }

    fn facts(&self) -> Facts {
        let layers = Some(self.canonical.layers.clone());
        let samples = Some(self.canonical.samples);
        let steps = Some(self.canonical.steps.clone());
        Known { network: Some(self.network.clone()), layers, steps, samples, data: None }.into()
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let Canonical { steps, split, samples, .. } = &self.canonical;
        let data = images(context, self.data)?;
        let (images, first) = data.held_out(*split);
        for_each_network(context, self.source, (&self.network, steps), |model, step, run_id| {
            for places in self.places.chunks(TOGETHER) {
                context.check_interrupted()?;
                let activations = model.activations_at(images, first..first + samples, places);
                for (place, activation) in places.iter().zip(&activations) {
                    let activation = activation.as_standard_layout();
                    let rows: Vec<ActivationRow<'_>> = (first..)
                        .zip(activation.rows())
                        .map(|(index, units)| ActivationRow {
                            run_id,
                            step: step as i64,
                            layer: place.layer as i32,
                            sample_index: index as i32,
                            n_units: units.len() as i32,
                            activation: units.to_slice().expect("rows of a row-major matrix"),
                        })
                        .collect();
                    for rows in rows.chunks(BATCH) {
                        let times = rows.iter().map(|_| place.time_step);
                        write_by_time(context, "activations", rows, times)?;
                    }
                }
            }
            Ok(())
        })
    }

    fn cost(&self) -> f64 {
        self.canonical.samples as f64 * self.places.len() as f64 * self.canonical.steps.len() as f64 * 1e-5
    }

    fn slowdown(&self) -> f64 {
        FORWARD_SLOWDOWN
    }

    fn memory(&self) -> u64 {
        // So many places as a matrix, as rows, and written; the network that is looked at.
        let together = (3 * 4 * self.canonical.samples as u64).saturating_mul(self.units(TOGETHER));
        together.saturating_add(self.source.bytes).saturating_add(4 * self.network.n_synapses() as u64)
    }

    fn disk(&self) -> u64 {
        4 * self.units(usize::MAX) * self.canonical.samples as u64 * self.canonical.steps.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::stages::examples::{Matrix, assert_close, trained, trained_in_time};
    use crate::tables::cells::Int32;
    use crate::tables::row::values;
    use crate::task::bench::Bench;

    /// y_1 = relu(W_1 y_0), y_2 = softmax(W_2 y_1) with W_2 y_1 = (ln 3, 0) for the first image.
    fn bench() -> Bench {
        let ln_3_over_3 = 3.0_f32.ln() / 3.0;
        let weights: &[Matrix<'_>] =
            &[("forward", 1, &[&[1.0, 2.0], &[-1.0, 0.0]]), ("forward", 2, &[&[ln_3_over_3, 0.0], &[0.0, 0.0]])];
        let dark: (&[u8], i32) = (&[0, 0], 0);
        // The last two of six training images are the tuning split: a fifth, rounded up.
        let train = [vec![dark; 3], vec![(&[255, 255], 1), dark, (&[255, 0], 1)]].concat();
        trained(&[2, 2, 2], &[(0, weights), (10, &[])], &[(&[255, 255], 0), (&[0, 255], 1)], &train)
    }

    #[test]
    fn every_layer_of_every_image_is_what_the_forward_pass_gives() {
        let made = bench().run(&Activations, "of = 'train'\nlayers = [2, 0, 1, 1]").unwrap();
        let rows: Vec<ActivationRow<'_>> = made.rows("activations");
        // By layer, then by image; after the divergence there is no network.
        let places: Vec<_> = rows.iter().map(|row| (row.run_id, row.step, row.layer, row.sample_index)).collect();
        let layers = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)];
        assert_eq!(places, layers.map(|(layer, sample)| ("a_run", 0, layer, sample)));
        assert!(rows.iter().all(|row| row.n_units == 2));
        // The second image has W_2 y_1 = (2/3 ln 3, 0).
        let odds = 3.0_f64.powf(2.0 / 3.0);
        let second = [odds / (1.0 + odds), 1.0 / (1.0 + odds)];
        let expected: [&[f64]; 6] = [&[1.0, 1.0], &[0.0, 1.0], &[3.0, 0.0], &[2.0, 0.0], &[0.75, 0.25], &second];
        for (row, expected) in rows.iter().zip(expected) {
            assert_close(row.activation.iter().copied(), expected);
        }
    }

    #[test]
    fn the_tuning_split_is_the_end_of_the_training_set_and_its_first_images_are_taken() {
        let tuning = "of = 'train'\nlayers = [0]\nsplit = 'tuning'\n";
        let made = bench().run(&Activations, &format!("{tuning}samples = 2")).unwrap();
        let rows: Vec<ActivationRow<'_>> = made.rows("activations");
        assert_eq!(rows.iter().map(|row| row.sample_index).collect::<Vec<_>>(), [4, 5], "the others are trained on");
        assert_eq!((rows[0].activation, rows[1].activation), (&[0.0, 0.0][..], &[1.0, 0.0][..]));
        let made = bench().run(&Activations, tuning).unwrap();
        assert_eq!(made.tables["activations"].n_rows(), 2, "all that there are");
    }

    #[test]
    fn what_cannot_be_recorded_is_refused_before_anything_runs() {
        let fault = |parameters: &str| match bench().run(&Activations, &format!("of = 'train'\n{parameters}")) {
            Err(Error::Spec(faults)) => faults[0].message.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(fault("layers = [3]"), "layer 3; the network has layers 0 to 2");
        assert_eq!(fault("layers = []"), "no layers: nothing would be measured");
        assert_eq!(fault("layers = [1]\nsamples = 3"), "3 images; this split of `made_up` has 2");
        bench().run(&Activations, "of = 'train'\nlayers = [1]\nsamples = 2").expect("as many as there are");
        assert_eq!(fault("layers = [1]\nsamples = 0"), "0 images; this split of `made_up` has 2");
        assert!(fault("layers = [1]\nsteps = [5]").starts_with("step 5: the training neither keeps its weights there"));
    }

    /// h_t = 2 x / 2^(t - 1), and h_3 = x / 2 is the first logit.
    #[test]
    fn of_a_network_in_time_every_layer_is_recorded_when_it_is_there() {
        let bench = trained_in_time(&[(&[255], 0), (&[0], 1)]);
        let made = bench.run(&Activations, "of = 'train'\nlayers = [0, 1, 2, 3]\ntime_steps = [3, 1]").unwrap();
        let rows: Vec<ActivationRow<'_>> = made.rows("activations");
        let times = made.tables["activations"].to_batch().unwrap();
        let times = values::<Int32>(&times, "activations", "time_step").unwrap();
        let places: Vec<_> = rows.iter().zip(&times).map(|(row, time)| (row.layer, *time, row.sample_index)).collect();
        let expected = [(0, 1), (1, 1), (1, 3), (2, 1), (2, 3), (3, 3)];
        assert_eq!(places, expected.map(|(layer, time)| [(layer, time, 0), (layer, time, 1)]).concat());
        let odds = 0.5_f64.exp();
        let first =
            [vec![1.0], vec![2.0], vec![0.5], vec![2.0], vec![0.5], vec![odds / (1.0 + odds), 1.0 / (1.0 + odds)]];
        for (row, expected) in rows.iter().step_by(2).zip(first) {
            assert_close(row.activation.iter().copied(), &expected);
        }
    }

    #[test]
    fn times_that_a_network_does_not_have_are_refused() {
        let fault =
            |bench: Bench, parameters: &str| match bench.run(&Activations, &format!("of = 'train'\n{parameters}")) {
                Err(Error::Spec(faults)) => faults[0].message.clone(),
                other => panic!("{other:?}"),
            };
        let in_time = || trained_in_time(&[(&[255], 0)]);
        let chain = fault(bench(), "layers = [1]\ntime_steps = [1]");
        assert_eq!(chain, "a feed-forward network has no time; only recurrent networks have `time_steps`");
        let late = fault(in_time(), "layers = [1]\ntime_steps = [1, 4]");
        assert_eq!(late, "time step 4; the network has time steps 1 to 3");
        assert!(fault(in_time(), "layers = [1]\ntime_steps = []").starts_with("no time steps"));
        assert!(fault(in_time(), "layers = [3]\ntime_steps = [1]").starts_with("layer 3 is there at none of these"));
    }

    #[test]
    fn a_user_who_stops_it_waits_for_one_network_only() {
        let stopped = bench().interrupted_after(0).run(&Activations, "of = 'train'\nlayers = [0]");
        assert!(matches!(stopped, Err(Error::Interrupted)));
    }
}
