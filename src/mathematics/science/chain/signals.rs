//! Signals of a chain, whichever way its errors come: y_ℓ = σ(W_{ℓ-1,ℓ} y_{ℓ-1}), equation (1), and e_ℓ = ∂loss/∂z_ℓ, or what
//! stands in its place.

use super::network::Architecture;
use crate::kernels::program::Beyond;
use crate::kernels::{self, Active, Backend, ErrorBelow, Lanes, LayerSignals, all_finite, as_flat, as_flat_mut, zeros};
use crate::science::dynamics::Synapses;
use crate::science::plasticity::{Rule, Wanted};
use crate::science::seed::{Purpose, Stream, stream};
use crate::science::tape::{Foreign, Tape};

/// What dynamics of a chain ask of its synapses beside [`Synapses`].
pub(crate) trait ChainSynapses: Synapses {
    /// As [`Synapses::learn`], with what only written terms read.
    fn learn_from(&mut self, layer: usize, signals: LayerSignals<'_>, beyond: Beyond<'_>) -> Result<(), usize>;

    /// B_ℓ v, or Wᵀ v where there is no B. Layers after the first must have been sent to before, so that no step waits.
    fn send_back(&mut self, layer: usize, v: &[Lanes], out: &mut [Lanes]);

    /// A phase of noise: B follows Wᵀ.
    fn mirror(&mut self);
}

/// Signals that are made only where somebody reads them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extras {
    /// z_1 … z_L.
    pub potentials: bool,
    pub label: bool,
    pub noise: bool,
    pub loss: bool,
}

impl Extras {
    /// What the terms of a rule read.
    pub(crate) fn of(rule: &Rule) -> Self {
        let wants = |wanted: Wanted| rule.terms().iter().any(|(term, _)| term.wants().contains(&wanted));
        Self {
            potentials: wants(Wanted::Potential),
            label: wants(Wanted::Label),
            noise: wants(Wanted::Noise),
            loss: wants(Wanted::Loss),
        }
    }
}

/// The signals of the current sample, by layer 0 … L.
#[derive(Clone, Debug)]
pub(crate) struct Signals {
    pub architecture: Architecture,
    pub backend: Backend,
    pub extras: Extras,
    /// y_0 … y_L; y_0 is written when a layer asks for it.
    pub activations: Vec<Vec<Lanes>>,
    /// e_0 … e_L.
    pub errors: Vec<Vec<Lanes>>,
    /// Wᵀ y_{ℓ+1} at ℓ, where a term reads it.
    pub projections: Vec<Vec<Lanes>>,
    /// z_1 … z_L at their layers, where they are kept.
    pub potentials: Vec<Vec<Lanes>>,
    /// N(0, 1) at layers 1 … L, anew for each sample, where somebody reads it.
    pub noise: Vec<Vec<Lanes>>,
    /// Activations once they have settled, where they do.
    pub settled: Vec<Vec<Lanes>>,
    labels: Vec<Vec<Lanes>>,
    streams: Vec<Stream>,
    drawn: Vec<f64>,
    pub loss: f64,
    pub loss_change: f64,
}

impl Signals {
    /// With the noise of `seed`.
    pub(crate) fn new(architecture: &Architecture, backend: Backend, mut extras: Extras, seed: u64) -> Self {
        // The loss is made of z_L.
        extras.potentials |= extras.loss;
        let sizes = architecture.sizes();
        let vectors = |wanted: bool| match wanted {
            true => sizes.iter().map(|&size| zeros(size)).collect(),
            false => Vec::new(),
        };
        let n_streams = if extras.noise { sizes.len() as u32 } else { 0 };
        Self {
            architecture: architecture.clone(),
            backend,
            extras,
            activations: vectors(true),
            errors: vectors(true),
            projections: vectors(true),
            potentials: vectors(extras.potentials),
            noise: vectors(extras.noise),
            settled: Vec::new(),
            labels: vectors(extras.label),
            streams: (0..n_streams).map(|layer| stream(seed, Purpose::Noise, layer)).collect(),
            drawn: Vec::new(),
            loss: 0.0,
            loss_change: 0.0,
        }
    }

    /// Keeps where the noise is, or takes it up. Signals are made anew for each sample, but for the sign of the zeros that pad
    /// errors, which comes from the sample before: no number depends on it, and waiting steps hold it.
    pub(crate) fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
        self.errors.iter_mut().try_for_each(|errors| tape.lanes("errors", errors))?;
        self.streams.iter_mut().try_for_each(|stream| tape.stream("noise", stream))
    }

    /// L.
    pub(crate) fn n_layers(&self) -> usize {
        self.architecture.n_layers()
    }

    /// Makes room for settled activations.
    pub(crate) fn settling(mut self) -> Self {
        self.settled.clone_from(&self.activations);
        self
    }

    /// y_1 … y_L, and the noise of the sample.
    pub(crate) fn forward<S: Synapses>(&mut self, synapses: &mut S, image: Active<'_>) -> Result<(), usize> {
        let n_layers = self.n_layers();
        for layer in 1..=n_layers {
            let (before, after) = self.activations.split_at_mut(layer);
            let z = &mut after[0];
            if layer == 1 {
                synapses.receive(image, z);
            } else {
                synapses.send(layer, &before[layer - 1], z);
            }
            if let Some(kept) = self.potentials.get_mut(layer) {
                kept.copy_from_slice(z);
            }
            self.activate(layer)?;
        }
        for (layer, stream) in self.streams.iter_mut().enumerate().skip(1) {
            let n = self.architecture.sizes()[layer];
            self.drawn.resize(n, 0.0);
            stream.normals(&mut self.drawn);
            as_flat_mut(&mut self.noise[layer]).iter_mut().zip(&self.drawn).for_each(|(to, x)| *to = *x as f32);
        }
        Ok(())
    }

    /// y_ℓ in place of z_ℓ, which must be finite.
    pub(crate) fn activate(&mut self, layer: usize) -> Result<(), usize> {
        let Self { architecture, backend, activations, .. } = self;
        if !all_finite(&activations[layer]) {
            return Err(layer);
        }
        architecture.answer(*backend, layer, &mut activations[layer]);
        Ok(())
    }

    /// e_L, and what else is known with the label.
    pub(crate) fn see(&mut self, label: usize) {
        let n_layers = self.n_layers();
        self.errors[n_layers].copy_from_slice(&self.activations[n_layers]);
        as_flat_mut(&mut self.errors[n_layers])[label] -= 1.0;
        if self.extras.loss {
            let z = &as_flat(&self.potentials[n_layers])[..self.architecture.sizes()[n_layers]];
            self.loss = self.architecture.loss().of(z, label);
        }
        if self.extras.label {
            let onehot = &mut self.labels[n_layers];
            onehot.fill(Lanes::ZERO);
            as_flat_mut(onehot)[label] = 1.0;
        }
    }

    /// e_ℓ times σ′(z_ℓ), from y_ℓ.
    pub(crate) fn times_slope(&mut self, layer: usize) {
        let Self { architecture, backend, activations, errors, .. } = self;
        kernels::times_slope(*backend, architecture.activation(), &activations[layer], &mut errors[layer]);
    }

    /// What the synapses into `layer` see.
    pub(crate) fn at(&mut self, layer: usize, below: ErrorBelow) -> (LayerSignals<'_>, Beyond<'_>) {
        let Self { architecture, activations, errors, projections, potentials, noise, settled, labels, .. } = self;
        let losses = [self.loss, self.loss_change];
        let beyond = beyond(layer, [potentials, labels, noise, settled], losses);
        let (pre_errors, post_errors) = errors.split_at_mut(layer);
        let signals = LayerSignals {
            error: &post_errors[0],
            activation: &activations[layer],
            pre_activation: &activations[layer - 1],
            function: architecture.activation(),
            pre_is_input: layer == 1,
            below,
            pre_error: &mut pre_errors[layer - 1],
            projection: &mut projections[layer - 1],
        };
        (signals, beyond)
    }

    /// What only written terms read there.
    pub(crate) fn beyond(&self, layer: usize) -> Beyond<'_> {
        let Self { potentials, labels, noise, settled, .. } = self;
        beyond(layer, [potentials, labels, noise, settled], [self.loss, self.loss_change])
    }

    /// Every layer learns from errors that are there, from the output down; `of_image` says what becomes of e_0.
    pub(crate) fn learn<S: ChainSynapses>(
        &mut self,
        synapses: &mut S,
        image: Active<'_>,
        of_image: ErrorBelow,
    ) -> Result<(), usize> {
        let n_layers = self.n_layers();
        if let Some(layer) = (1..n_layers).rev().find(|&layer| !all_finite(&self.errors[layer])) {
            return Err(layer);
        }
        for layer in (2..=n_layers).rev() {
            let (signals, beyond) = self.at(layer, ErrorBelow::Given);
            synapses.learn_from(layer, signals, beyond)?;
        }
        self.learn_first(synapses, image, of_image)
    }

    /// The first layer learns, from the lit pixels alone where it can.
    pub(crate) fn learn_first<S: ChainSynapses>(
        &mut self,
        synapses: &mut S,
        image: Active<'_>,
        below: ErrorBelow,
    ) -> Result<(), usize> {
        if synapses.learn_from_image(image, &self.errors[1], &self.activations[1])? {
            return Ok(());
        }
        image.write(&mut self.activations[0]);
        if let Some(settled) = self.settled.first_mut() {
            // The image does not settle.
            settled.copy_from_slice(&self.activations[0]);
        }
        let (signals, beyond) = self.at(1, below);
        synapses.learn_from(1, signals, beyond)
    }
}

/// Nothing where there are no such signals.
fn beyond<'a>(
    layer: usize,
    [potentials, labels, noise, settled]: [&'a Vec<Vec<Lanes>>; 4],
    [loss, loss_change]: [f64; 2],
) -> Beyond<'a> {
    let at = |vectors: &'a Vec<Vec<Lanes>>, layer: usize| vectors.get(layer).map_or(&[][..], |vector| vector);
    Beyond {
        potential: at(potentials, layer),
        label: at(labels, layer),
        noise: at(noise, layer),
        settled: [at(settled, layer - 1), at(settled, layer)],
        loss: loss as f32,
        loss_change: loss_change as f32,
    }
}
