//! The ways by which errors come to the neurons of a chain, [`Feedback`]: a file each.

mod broadcast;
mod direct;
mod equilibrium;
mod layerwise;
mod listening;
mod local;
mod predictive_coding;
#[cfg(test)]
mod tests;
mod weight_mirror;

use super::signals::{ChainSynapses, Extras, Signals};
use crate::kernels::Active;
use crate::science::dynamics::{self, Dynamics};
use crate::science::feedback::Feedback;
use crate::science::network::Network;
use crate::science::plasticity::Rule;
use crate::science::samples::Samples;
use crate::science::tape::{Foreign, Tape};
use broadcast::Broadcast;
use direct::Direct;
use equilibrium::Equilibrium;
use layerwise::Layerwise;
pub(super) use listening::error_angles;
use local::Local;
use predictive_coding::Predictive;
use weight_mirror::Mirroring;

/// The same of whichever it is.
macro_rules! each {
    ($pathway:expr, $inner:ident => $call:expr) => {
        match $pathway {
            Pathway::Layerwise($inner) => $call,
            Pathway::Direct($inner) => $call,
            Pathway::Local($inner) => $call,
            Pathway::Broadcast($inner) => $call,
            Pathway::Mirroring($inner) => $call,
            Pathway::Predictive($inner) => $call,
            Pathway::Equilibrium($inner) => $call,
        }
    };
}

/// The dynamics of a chain, by its pathway.
#[derive(Clone, Debug)]
pub(crate) enum Pathway {
    Layerwise(Layerwise),
    Direct(Direct),
    Local(Local),
    Broadcast(Broadcast),
    Mirroring(Mirroring),
    Predictive(Predictive),
    Equilibrium(Equilibrium),
}

impl Pathway {
    /// Of a network that learns by `rule`, with the noise of `seed`.
    pub(crate) fn new(network: &Network, rule: &Rule, seed: u64) -> Self {
        let mut extras = Extras::of(rule);
        let keeps_potentials = extras.potentials;
        match network.feedback() {
            Feedback::Broadcast { .. } => (extras.noise, extras.loss) = (true, true),
            // The drive of the image is kept while the rest settles.
            Feedback::EquilibriumPropagation(_) => extras.potentials = true,
            _ => {}
        }
        let signals = Signals::new(network.architecture(), network.backend, extras, seed);
        match network.feedback() {
            Feedback::Symmetric
            | Feedback::Random
            | Feedback::Plastic
            | Feedback::KolenPollack
            | Feedback::SignSymmetric { .. } => Self::Layerwise(Layerwise { signals }),
            Feedback::WeightMirror(mirror) => Self::Mirroring(Mirroring { signals, every: mirror.every, seen: 0 }),
            Feedback::Direct => {
                let reads_image_error = rule.reads_pre_error(1);
                Self::Direct(Direct { signals, reads_image_error })
            }
            Feedback::None => Self::Local(Local { signals }),
            Feedback::Broadcast { std } => Self::Broadcast(Broadcast::new(signals, std)),
            Feedback::PredictiveCoding(settings) => Self::Predictive(Predictive::new(signals, settings)),
            Feedback::EquilibriumPropagation(settings) => {
                Self::Equilibrium(Equilibrium::new(signals, settings, keeps_potentials))
            }
        }
    }

    /// The signals of the sample that was seen last.
    pub(crate) fn signals(&self) -> &Signals {
        each!(self, way => &way.signals)
    }

    /// Keeps what the next sample depends on, or takes it up.
    pub(crate) fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
        if let Pathway::Mirroring(mirroring) = self {
            tape.count("mirrored", &mut mirroring.seen)?;
        }
        self.signals_mut().keep(tape)
    }

    /// The same, to be written to.
    pub(crate) fn signals_mut(&mut self) -> &mut Signals {
        each!(self, way => &mut way.signals)
    }
}

impl<S: ChainSynapses> Dynamics<S> for Pathway {
    fn forward(&mut self, synapses: &mut S, image: Active<'_>) -> Result<(), usize> {
        each!(self, inner => inner.forward(synapses, image))
    }

    fn backward(&mut self, synapses: &mut S, image: Active<'_>, label: usize) -> Result<(), usize> {
        each!(self, inner => inner.backward(synapses, image, label))
    }

    fn check_fit(&self, samples: &Samples) {
        self.signals().check_fit(samples);
    }
}

impl Signals {
    /// # Panics
    /// If images or classes do not fit the network.
    fn check_fit(&self, samples: &Samples) {
        let sizes = self.architecture.sizes();
        dynamics::check_fit(samples, sizes[0], sizes[sizes.len() - 1]);
    }
}
