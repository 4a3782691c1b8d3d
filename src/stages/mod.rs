//! The nodes of a pipeline, in flow order, one kind per file.
//!
//! A [`Kind`] is what `kind = "…"` names in a pipeline file. Given parameters and the results it will read, it plans a
//! piece of [`Work`](crate::task::Work), which knows its parameters in canonical form and the tables it makes before it runs.
//! A stage reads tables, calls `science`, writes tables; the mathematics is not here.

pub mod activation_norms;
pub mod activations;
pub mod bootstrap;
pub mod claims;
pub mod coefficients;
mod dataset;
pub mod environment;
#[cfg(test)]
mod examples;
pub mod explained_variance;
pub mod feedback;
pub mod figure;
mod known;
pub mod load;
pub mod measurement;
pub mod meta_learn;
pub mod networks;
pub mod parameters;
mod pool;
pub mod race;
pub mod receptive_fields;
pub mod reconstruction_error;
pub mod reconstructions;
pub mod rows;
pub mod sql;
pub mod training;
pub mod tuned;
pub mod weight_diagnostics;

use std::any::Any;

use crate::spec::Definitions;
use crate::spec::node::Fault;
use crate::task::{Catalogue, Kind};
use environment::Environment;
pub use known::{DataFacts, Known, NetworkFacts};

/// All kinds of stages, in flow order.
pub fn kinds() -> &'static [&'static dyn Kind] {
    &[
        &load::Load,
        &tuned::TunedKind,
        &training::Train,
        &training::TrainRecurrent,
        &meta_learn::MetaLearn,
        &training::TrainBatch,
        &activations::Activations,
        &reconstruction_error::ReconstructionError,
        &reconstructions::Reconstructions,
        &activation_norms::ActivationNorms,
        &weight_diagnostics::WeightDiagnostics,
        &receptive_fields::ReceptiveFields,
        &explained_variance::ExplainedVariance,
        &bootstrap::Bootstrap,
        &race::RaceKind,
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

    fn check(&self, definitions: &Definitions) -> Vec<Fault> {
        training::terms::check(definitions)
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
