//! What the stages of this program know of results that do not exist yet.

use std::sync::Arc;

use super::parameters::tuning_samples;
use crate::science::model::Blueprint;
use crate::tables::frame::Cell;
use crate::task::{Facts, KnownValues};

/// What is known of the result of a stage before it exists, for the checks of those who read it.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Of a data set, or of what was made with one.
    pub data: Option<Arc<DataFacts>>,
    /// Of a network, or of what was measured on one.
    pub network: Option<Arc<NetworkFacts>>,
    /// Layers of a table of measurements.
    pub layers: Option<Vec<usize>>,
    /// Steps at which it was measured.
    pub steps: Option<Vec<u64>>,
    /// Images that were looked at.
    pub samples: Option<usize>,
}

impl Known {
    /// What the stages of this program know of a result.
    pub(crate) fn of(facts: &Facts) -> Self {
        facts.get::<Self>().cloned().unwrap_or_default()
    }
}

/// The columns `step` and `layer` of a table with rows at these steps of these layers.
pub(crate) fn at_steps_and_layers(steps: &[u64], layers: &[usize]) -> KnownValues {
    let layers = layers.iter().map(|&layer| Cell::Integer(layer as i64)).collect();
    let mut values = at_steps(steps);
    values.insert("layer".to_owned(), layers);
    values
}

/// The column `step` of a table with rows at these steps.
pub(crate) fn at_steps(steps: &[u64]) -> KnownValues {
    [("step".to_owned(), steps.iter().map(|&step| Cell::Integer(step as i64)).collect())].into()
}

impl From<Known> for Facts {
    fn from(known: Known) -> Self {
        Self::new(known)
    }
}

/// A data set before it is read.
#[derive(Clone, Debug, PartialEq)]
pub struct DataFacts {
    /// Its name.
    pub name: String,
    /// Images of the training set, those for tuning included.
    pub n_train: usize,
    /// Images of the test set.
    pub n_test: usize,
    /// Classes of its labels.
    pub n_classes: usize,
    /// Pixels an image.
    pub n_pixels: usize,
}

impl DataFacts {
    /// Images at the end of the training set that no training sees.
    pub fn n_tuning(&self) -> usize {
        tuning_samples(self.n_train)
    }
}

/// A network before it is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkFacts {
    /// All about it but its weights.
    pub blueprint: Blueprint,
    /// Steps at which the network can be looked at in passing.
    pub schedule: Vec<u64>,
    /// Steps at which its weights are kept.
    pub snapshots: Vec<u64>,
}

impl NetworkFacts {
    /// L, layers of weights.
    pub fn n_layers(&self) -> usize {
        self.blueprint.sizes().len() - 1
    }

    /// Weights of all layers, recurrent ones included.
    pub fn n_synapses(&self) -> usize {
        let sizes = self.blueprint.sizes();
        let forward: usize = sizes.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let recurrent = if self.blueprint.n_time_steps().is_some() { sizes[1] * sizes[1] } else { 0 };
        forward + recurrent
    }
}
