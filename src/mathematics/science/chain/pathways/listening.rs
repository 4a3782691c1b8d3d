//! The errors of a pathway, and those of the gradient of the loss, in a network that does not learn.

use std::ops::Range;

use super::Pathway;
use crate::kernels::program::Beyond;
use crate::kernels::{self, Active, ErrorBelow, Lanes, LayerSignals, as_flat};
use crate::science::chain::signals::ChainSynapses;
use crate::science::diagnostics::degrees_between;
use crate::science::dynamics::{Dynamics, Synapses};
use crate::science::feedback::{EquilibriumPropagation, Feedback};
use crate::science::network::Network;
use crate::science::plasticity::Rule;
use crate::science::samples::Samples;

/// Synapses that hand signals on and stay as they are.
pub(super) struct Listening<'a>(pub &'a Network);

impl Synapses for Listening<'_> {
    fn receive(&mut self, image: Active<'_>, z: &mut [Lanes]) {
        kernels::forward_active(self.0.backend, &self.0.forward[0], image, z);
    }

    fn send(&mut self, layer: usize, y: &[Lanes], z: &mut [Lanes]) {
        kernels::forward(self.0.backend, &self.0.forward[layer - 1], y, z);
    }

    fn learn(&mut self, layer: usize, signals: LayerSignals<'_>) -> Result<(), usize> {
        if signals.below == ErrorBelow::Wanted {
            let (through, sent) = (self.0.way_back(layer), [signals.error, signals.pre_activation]);
            kernels::errors_back(self.0.backend, signals.function, through, sent, signals.pre_error, false);
        }
        Ok(())
    }

    fn learn_from_image(&mut self, _: Active<'_>, _: &[Lanes], _: &[Lanes]) -> Result<bool, usize> {
        Ok(true)
    }
}

impl ChainSynapses for Listening<'_> {
    fn learn_from(&mut self, layer: usize, signals: LayerSignals<'_>, _: Beyond<'_>) -> Result<(), usize> {
        self.learn(layer, signals)
    }

    fn send_back(&mut self, layer: usize, v: &[Lanes], out: &mut [Lanes]) {
        kernels::project_batch(self.0.backend, self.0.way_back(layer), v, out);
    }

    fn mirror(&mut self) {}
}

/// Degrees between both, the mean over the samples where both have a direction, at ℓ = 1 … L. Noise is that of seed 0.
pub(in super::super) fn error_angles(network: &Network, samples: &Samples, range: Range<usize>) -> Vec<Option<f64>> {
    let n_layers = network.n_layers();
    let rule = Rule::new(&[]).expect("a rule without terms");
    let mut pathway = Pathway::new(network, &rule, 0);
    let exact = network.with_symmetric_feedback();
    let mut gradient = Pathway::new(&exact, &rule, 0);
    let mut sums = vec![(0.0_f64, 0_u32); n_layers];
    for index in range {
        let (image, label) = (samples.active(index), samples.label(index));
        // What is not finite has no direction, and is found below.
        let _ = run(&mut pathway, network, image, label);
        match network.feedback() {
            Feedback::EquilibriumPropagation(settings) => settled_gradient(&pathway, network, settings, &mut gradient),
            _ => drop(run(&mut gradient, &exact, image, label)),
        }
        let (found, exact) = (&pathway.signals().errors, &gradient.signals().errors);
        for (layer, (sum, n)) in (1..).zip(&mut sums) {
            let (found, exact) = (as_flat(&found[layer]), as_flat(&exact[layer]));
            // The same vector has the angle 0, which rounding would blur.
            let angle = if found == exact { Some(0.0) } else { degrees_between(found, exact) };
            if let Some(angle) = angle {
                *sum += angle;
                *n += 1;
            }
        }
    }
    sums.into_iter().map(|(sum, n)| (n > 0).then(|| sum / f64::from(n))).collect()
}

pub(super) fn run(pathway: &mut Pathway, network: &Network, image: Active<'_>, label: usize) -> Result<(), usize> {
    let mut synapses = Listening(network);
    pathway.forward(&mut synapses, image)?;
    pathway.backward(&mut synapses, image, label)
}

/// −∂y_ℓ/∂β at β = 0, the limit of what equilibrium propagation measures: e_ℓ = σ′ ⊙ (W e_{ℓ-1} + Wᵀ e_{ℓ+1}), the settled
/// activations' own linear equation, by four times as many sweeps as they had themselves.
fn settled_gradient(pathway: &Pathway, network: &Network, settings: EquilibriumPropagation, out: &mut Pathway) {
    let (n_layers, backend) = (network.n_layers(), network.backend);
    let signals = pathway.signals();
    let errors = &mut out.signals_mut().errors;
    errors.iter_mut().for_each(|e| e.fill(Lanes::ZERO));
    errors[n_layers].copy_from_slice(&signals.errors[n_layers]);
    for _ in 0..4 * settings.steps {
        for layer in 1..n_layers {
            let mut down = errors[layer].clone();
            kernels::project_batch(backend, &network.forward[layer], &errors[layer + 1], &mut down);
            if layer > 1 {
                let mut up = errors[layer].clone();
                kernels::forward(backend, &network.forward[layer - 1], &errors[layer - 1], &mut up);
                for (down, up) in down.iter_mut().zip(&up) {
                    down.0 = kernels::each_lane!(k => down.0[k] + up.0[k]);
                }
            }
            errors[layer] = down;
            kernels::times_slope(
                backend,
                network.architecture().activation(),
                &signals.activations[layer],
                &mut errors[layer],
            );
        }
    }
}
