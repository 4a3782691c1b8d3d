//! How signals arise in a network, apart from what they do to its synapses.
//!
//! [`Dynamics`] know the graph: who sends to whom, in which order, and by which way errors come back. [`Synapses`] know
//! their weights and the terms that move them. Every pass of errors through a layer is offered to its synapses, which hand
//! the errors on as their weights were before they learn, in one kernel where there is one. Both sides are known when the
//! program is compiled: nothing here is called through a pointer.
//!
//! A chain of dense layers ([`chain`](super::chain)) and a network in time ([`recurrent`](super::recurrent)) are two
//! dynamics over the driver below. The inner loop of meta-learning ([`meta`](super::meta)) is a chain too, but keeps every
//! signal of every step to go back over them, and spares rows of silent pixels: it shares the kernels, not the driver.

use super::learner::Divergence;
use super::samples::Samples;
use super::tape::{Foreign, Tape};
use crate::kernels::{Active, Lanes, LayerSignals};

/// The weights of a network and what local signals do to them. Layers count from 1; a failure names the first layer with a
/// number that is not finite.
pub(crate) trait Synapses {
    /// z = W x, from the lit pixels of an image into layer 1.
    fn receive(&mut self, image: Active<'_>, z: &mut [Lanes]);

    /// z = W y, into layer `layer`. A step that waited may be carried out by the way.
    fn send(&mut self, layer: usize, y: &[Lanes], z: &mut [Lanes]);

    /// Hands errors on to the layer below, where they are wanted, then learns from the signals.
    fn learn(&mut self, layer: usize, signals: LayerSignals<'_>) -> Result<(), usize>;

    /// Lets layer 1 learn from the lit pixels alone, if it can: with false, [`Synapses::learn`] has to follow.
    fn learn_from_image(&mut self, _image: Active<'_>, _error: &[Lanes], _activation: &[Lanes]) -> Result<bool, usize> {
        Ok(false)
    }

    /// Carries out steps that wait for the next forward pass. That changes no bit of what follows.
    fn settle(&mut self) {}
}

/// How signals arise in a network whose synapses are `S`: a forward pass, and errors that come back.
pub(crate) trait Dynamics<S> {
    /// From an image to the softmax of the output. Fails with the first layer that is not finite.
    fn forward(&mut self, synapses: &mut S, image: Active<'_>) -> Result<(), usize>;

    /// From the error of the output, softmax − onehot, back; synapses learn as it passes them. Fails as `forward`.
    fn backward(&mut self, synapses: &mut S, image: Active<'_>, label: usize) -> Result<(), usize>;

    /// # Panics
    /// If images or classes do not fit the network.
    fn check_fit(&self, samples: &Samples);
}

/// Online learning, whatever the network: one sample, one update.
#[derive(Clone, Debug)]
pub(crate) struct Online<D, S> {
    pub dynamics: D,
    pub synapses: S,
    steps: u64,
    diverged: Option<Divergence>,
}

impl<S: Synapses, D: Dynamics<S>> Online<D, S> {
    pub(super) fn new(dynamics: D, synapses: S) -> Self {
        Self { dynamics, synapses, steps: 0, diverged: None }
    }

    /// One step for each index of `order`.
    pub(super) fn advance(&mut self, samples: &Samples, order: &[u32]) -> Result<(), Divergence> {
        self.dynamics.check_fit(samples);
        for &index in order {
            if self.diverged.is_some() {
                break;
            }
            self.steps += 1;
            let (image, label) = (samples.active(index as usize), samples.label(index as usize));
            let step = self.dynamics.forward(&mut self.synapses, image);
            if let Err(layer) = step.and_then(|()| self.dynamics.backward(&mut self.synapses, image, label)) {
                self.diverged = Some(Divergence { step: self.steps, layer: layer as u32 });
            }
        }
        self.synapses.settle();
        self.diverged.map_or(Ok(()), Err)
    }

    /// Samples seen.
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// Keeps how far it is, or takes it up; both sides see to what is theirs.
    pub(super) fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
        tape.count("steps", &mut self.steps)?;
        Divergence::keep(tape, &mut self.diverged)
    }
}

/// Images have as many pixels as `n_inputs`, and classes are no more than `n_outputs`.
///
/// # Panics
/// If not.
pub(crate) fn check_fit(samples: &Samples, n_inputs: usize, n_outputs: usize) {
    assert_eq!(samples.n_pixels(), n_inputs, "the images do not fit the network's input");
    assert!(samples.n_classes() <= n_outputs, "{} classes, {n_outputs} outputs", samples.n_classes());
}
