//! What the stages that look at networks while they learn have in common: which networks, with which images.

use std::sync::Arc;

use serde::Serialize;

use super::NetworkFacts;
use super::activations::{plan_network, plan_samples};
use super::dataset::{DataSplits, images};
use super::networks::{Networks, Source, plan_steps};
use super::parameters::{Split, Steps};
use crate::error::Result;
use crate::science::network::Network;
use crate::spec::node::Fault;
use crate::task::{InputId, Inputs, Planning, Surroundings};

/// Images that norms, residuals and diagnostics are taken over, unless a pipeline says otherwise.
pub const SAMPLES: usize = 1000;

/// The networks and images of a measurement, checked.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    pub steps: Vec<u64>,
    pub split: Split,
    /// The first so many images of the split.
    pub samples: usize,
    #[serde(skip)]
    source: Source,
    #[serde(skip)]
    data: InputId,
    #[serde(skip)]
    pub network: Arc<NetworkFacts>,
}

impl Measurement {
    /// # Errors
    /// A step at which the training neither keeps its weights nor pauses, or more images than there are.
    pub fn plan(
        planning: &Planning<'_>,
        inputs: &mut Inputs<'_, '_>,
        steps: Option<&Steps>,
        split: Split,
        samples: Option<usize>,
    ) -> Result<Self, Fault> {
        let network = plan_network(planning, inputs)?;
        let (steps, source) = plan_steps(planning, inputs, &network, steps)?;
        let (data, samples) = match samples {
            // A small imported data set may have fewer than the usual number.
            None => {
                let (data, there) = plan_samples(planning, inputs, split, None)?;
                (data, there.min(SAMPLES))
            }
            Some(samples) => plan_samples(planning, inputs, split, Some(samples))?,
        };
        Ok(Self { steps, split, samples, source, data, network })
    }

    /// Hands each network to `measure`, with the step, the data and the run's id; a run that diverged has none any more.
    ///
    /// # Errors
    /// The inputs cannot be read, or whatever `measure` returns.
    pub fn for_each_network(
        &self,
        context: &dyn Surroundings,
        mut measure: impl FnMut(&Network, u64, &DataSplits, &str) -> Result<()>,
    ) -> Result<()> {
        let networks = Networks::read(context, self.source)?;
        let data = images(context, self.data)?;
        for &step in &self.steps {
            context.check_interrupted()?;
            if let Some(network) = networks.at(step).map_err(|message| context.internal(message))? {
                measure(&network, step, &data, &networks.run_id)?;
            }
        }
        Ok(())
    }

    /// A rough cost in seconds: a forward pass of all images at every step, `passes` times.
    pub fn cost(&self, passes: f64) -> f64 {
        let synapses: usize = self.network.sizes.windows(2).map(|pair| pair[0] * pair[1]).sum();
        1e-11 * passes * (synapses * self.samples * self.steps.len()) as f64
    }
}

/// What is not finite (a network about to diverge) has no value: null, never NaN.
pub fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
