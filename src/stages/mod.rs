//! The nodes of a pipeline, in flow order, one kind a file.
//!
//! A [`Kind`] is what `kind = "…"` names in a pipeline file. Given parameters and the results it will read, it plans a
//! piece of [`Work`](crate::task::Work), which knows its parameters in canonical form and the tables it makes before it runs.
//! A stage reads tables, calls `science`, writes tables; the mathematics is not here.

pub mod activation_norms;
pub mod activations;
pub mod best_cell;
pub mod bootstrap;
pub mod claims;
pub mod coefficients;
mod dataset;
pub mod environment;
pub mod explained_variance;
pub mod figure;
pub mod load;
pub mod measurement;
pub mod meta_learn;
pub mod networks;
pub mod parameters;
pub mod reconstruction_error;
pub mod reconstructions;
pub mod rows;
pub mod sql;
pub mod training;
pub mod weight_diagnostics;

use std::any::Any;
use std::sync::Arc;

use crate::science::model::Blueprint;
use crate::task::{Catalogue, Facts, Kind};
use environment::Environment;

/// All kinds of stages, in flow order.
pub fn kinds() -> &'static [&'static dyn Kind] {
    &[
        &load::Load,
        &training::Train,
        &training::TrainRecurrent,
        &meta_learn::MetaLearn,
        &training::TrainBatch,
        &activations::Activations,
        &reconstruction_error::ReconstructionError,
        &reconstructions::Reconstructions,
        &activation_norms::ActivationNorms,
        &weight_diagnostics::WeightDiagnostics,
        &explained_variance::ExplainedVariance,
        &bootstrap::Bootstrap,
        &best_cell::BestCell,
        &sql::Sql,
        &figure::FigureKind,
    ]
}

/// The kinds of this program, planning in an environment.
#[derive(Debug)]
pub struct Shipped {
    environment: Environment,
}

impl Shipped {
    /// In this environment.
    pub fn new(environment: Environment) -> Self {
        Self { environment }
    }
}

impl Catalogue for Shipped {
    fn kinds(&self) -> &[&'static dyn Kind] {
        kinds()
    }

    fn claims(&self) -> &'static dyn Kind {
        &claims::Claims
    }

    fn resources(&self) -> &(dyn Any + Sync) {
        &self.environment
    }

    fn describe_axis(&self, axis: &str) -> Option<&'static str> {
        Some(match axis {
            "rule" => "learning rule",
            "seed" => "seed of the run; runs that share it share initial weights and sample order",
            "dataset" => "data set",
            "network" => "network architecture",
            _ => return None,
        })
    }
}

/// What is known of the result of a stage before it exists, for the checks of those who read it.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Of a data set, or of what was made with one.
    pub data: Option<Arc<DataFacts>>,
    /// Of a network, or of what was measured on one.
    pub network: Option<Arc<NetworkFacts>>,
    /// Layers of a table of measurements.
    pub layers: Option<Vec<usize>>,
}

impl Known {
    /// What the stages of this program know of a result.
    pub(crate) fn of(facts: &Facts) -> Self {
        facts.get::<Self>().cloned().unwrap_or_default()
    }
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
}
