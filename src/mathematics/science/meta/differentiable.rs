//! An inner loop that can be differentiated: by the kernels where they can carry it out, else by plain matrices.

use super::general::GeneralLoop;
use super::inner::{InnerLoop, Sample};
use super::learned_rule::LearnedRule;
use super::query::Query;
use super::reverse::Reverse;
use super::settings::MetaSettings;
use crate::science::initialization::Initialization;
use crate::science::network::Network;

#[derive(Clone, Debug)]
pub(super) enum Differentiable {
    /// Single precision, of sums of products and errors that B carries from layer to layer.
    Kernels(Box<(InnerLoop, Reverse)>),
    /// Double precision, of anything that does not settle.
    General(Box<GeneralLoop>),
}

impl Differentiable {
    /// The inner loop that such settings need.
    pub(super) fn new(settings: &MetaSettings) -> Self {
        let MetaSettings { architecture, feedback, rule, .. } = settings;
        let learned = settings.learns();
        if settings.suits_kernels() {
            let inner = InnerLoop::new(architecture, *feedback, LearnedRule::new(rule, &learned));
            let reverse = Reverse::new(&inner);
            Self::Kernels(Box::new((inner, reverse)))
        } else {
            Self::General(Box::new(GeneralLoop::new(architecture, *feedback, rule, &learned)))
        }
    }

    /// Draws W and B anew.
    pub(super) fn initialize(&mut self, initialization: &Initialization, seed: u64) {
        match self {
            Self::Kernels(kernels) => kernels.0.initialize(initialization, seed),
            Self::General(general) => general.initialize(initialization, seed),
        }
    }

    /// Learns `samples` in their order with the coefficients `theta`, in the order of the rule's terms.
    pub(super) fn train(&mut self, theta: &[f64], samples: &[Sample]) {
        match self {
            Self::Kernels(kernels) => kernels.0.train(theta, samples),
            Self::General(general) => general.train(theta, samples),
        }
    }

    /// How the trained network answers, and the beginning of [`Differentiable::differentiate`].
    pub(super) fn query(&mut self, samples: &[Sample]) -> Query {
        match self {
            Self::Kernels(kernels) => {
                let (inner, reverse) = &mut **kernels;
                reverse.query(inner, samples)
            }
            Self::General(general) => general.query(samples),
        }
    }

    /// Derivatives of the loss of the query with respect to the coefficients, in the order of the rule's terms.
    pub(super) fn differentiate(&mut self) -> Vec<f64> {
        match self {
            Self::Kernels(kernels) => {
                let (inner, reverse) = &mut **kernels;
                reverse.differentiate(inner)
            }
            Self::General(general) => general.differentiate(),
        }
    }

    /// The trained network, until it is differentiated.
    pub(super) fn network(&self) -> &Network {
        match self {
            Self::Kernels(kernels) => &kernels.0.network,
            Self::General(general) => general.network(),
        }
    }
}
