//! The inner loop: a freshly initialised network learns a task online by the rule, and remembers enough of it to be
//! differentiated.

use super::first_layer::FirstLayer;
use super::learned_rule::LearnedRule;
use super::step::Step;
use crate::kernels::{self, Active, INTENSITY, InputMajor, Lanes, RowStep, as_flat_mut, step_rows};
use crate::science::activation::Activation;
use crate::science::feedback::Feedback;
use crate::science::initialization::Initialization;
use crate::science::network::{Architecture, Network};

/// A sample: its pixels and its class.
pub(super) type Sample<'a> = (&'a [u8], usize);

/// Steps between two checkpoints: rounding errors of so many do not matter, and copies cost time.
pub(super) const CHECKPOINT_INTERVAL: usize = 64;

/// W and B of all layers before a step.
#[derive(Clone, Debug)]
pub(super) struct Checkpoint {
    pub w: Vec<InputMajor>,
    pub b: Vec<InputMajor>,
}

/// The weights and the trajectory of one inner loop.
#[derive(Clone, Debug)]
pub(super) struct InnerLoop {
    pub sizes: Vec<usize>,
    pub activation: Activation,
    pub rule: LearnedRule,
    pub network: Network,
    pub trace: Vec<Step>,
    pub n_steps: usize,
    /// The first layer, where its steps are carried out together.
    pub first: Option<FirstLayer>,
    /// How many layers need no checkpoint for that.
    apart: usize,
    /// W and B before step n · [`CHECKPOINT_INTERVAL`].
    pub checkpoints: Vec<Checkpoint>,
    /// The mask of e_0 for each byte.
    mask: [f32; 256],
}

impl InnerLoop {
    pub(super) fn new(architecture: &Architecture, feedback: Feedback, rule: LearnedRule) -> Self {
        let (sizes, activation) = (architecture.sizes().to_vec(), architecture.activation());
        let first = FirstLayer::new(&rule, activation);
        Self {
            activation,
            apart: usize::from(first.is_some()),
            first,
            rule,
            network: Network::initialize(architecture, &Initialization::Naive { std: 0.0 }, feedback, 0),
            trace: Vec::new(),
            n_steps: 0,
            checkpoints: Vec::new(),
            mask: std::array::from_fn(|byte| activation.input_mask([INTENSITY[byte]; kernels::WIDTH])[0]),
            sizes,
        }
    }

    /// L.
    pub(super) fn n_layers(&self) -> usize {
        self.network.n_layers()
    }

    /// Draws W and B anew: no number of an inner loop that diverged is left, nor in the padding.
    pub(super) fn initialize(&mut self, initialization: &Initialization, seed: u64) {
        self.network.draw(initialization, seed);
    }

    /// Learns `samples` in their order with the coefficients `theta`, in the order of the rule's terms.
    pub(super) fn train(&mut self, theta: &[f64], samples: &[Sample]) {
        self.n_steps = samples.len();
        self.rule.set(theta);
        while self.trace.len() < self.n_steps {
            self.trace.push(Step::new(&self.sizes));
        }
        let (mut trace, mut first) = (std::mem::take(&mut self.trace), self.first.take());
        if let Some(first) = &mut first {
            first.begin(&mut self.network, &self.rule, self.n_steps);
        }
        for (t, (sample, step)) in samples.iter().zip(&mut trace).enumerate() {
            if t % CHECKPOINT_INTERVAL == 0 {
                self.save_checkpoint(t / CHECKPOINT_INTERVAL);
            }
            self.step(t, *sample, step, first.as_mut());
        }
        (self.trace, self.first) = (trace, first);
    }

    /// Whether e_{ℓ-1} is wanted.
    pub(super) fn wants_error_below(&self, layer: usize) -> bool {
        layer > 1 || self.rule.pattern().reads_pre_error()
    }

    fn save_checkpoint(&mut self, index: usize) {
        let from = self.apart;
        let Network { forward, backward, .. } = &self.network;
        let (w, b) = (&forward[from..], backward.get(from..).unwrap_or_default());
        match self.checkpoints.get_mut(index) {
            None => self.checkpoints.push(Checkpoint { w: w.to_vec(), b: b.to_vec() }),
            Some(checkpoint) => {
                copy(w, &mut checkpoint.w);
                copy(b, &mut checkpoint.b);
            }
        }
    }

    /// Back to the weights before step `t`, if there is a checkpoint of them, but for a first layer that needs none.
    pub(super) fn restore_checkpoint(&mut self, t: usize) -> bool {
        let is_there = t.is_multiple_of(CHECKPOINT_INTERVAL);
        if is_there {
            let from = self.apart;
            let Checkpoint { w, b } = &self.checkpoints[t / CHECKPOINT_INTERVAL];
            copy(w, &mut self.network.forward[from..]);
            copy(b, self.network.backward.get_mut(from..).unwrap_or_default());
        }
        is_there
    }

    /// y_0 … y_L of one image with the present weights.
    pub(super) fn forward(&self, sample: Sample, step: &mut Step) {
        self.read(sample, step);
        self.through_the_first(step);
        self.propagate(step);
    }

    fn read(&self, (pixels, label): Sample, step: &mut Step) {
        step.label = label;
        let Step { lit, intensity, mask, y, slope, .. } = step;
        lit.clear();
        [&mut *intensity, &mut *mask].into_iter().for_each(Vec::clear);
        // Most of an image is silent, and silent pixels lie side by side.
        for (eight, bytes) in pixels.chunks(8).enumerate().filter(|(_, bytes)| bytes.iter().any(|&byte| byte != 0)) {
            for (i, &byte) in (8 * eight..).zip(bytes).filter(|(_, byte)| **byte != 0) {
                lit.push(i as u32);
                intensity.push(INTENSITY[usize::from(byte)]);
                mask.push(self.mask[usize::from(byte)]);
            }
        }
        if self.apart == 0 {
            for (i, &byte) in pixels.iter().enumerate() {
                as_flat_mut(&mut y[0])[i] = INTENSITY[usize::from(byte)];
                as_flat_mut(&mut slope[0])[i] = self.mask[usize::from(byte)];
            }
        }
    }

    /// z_1.
    fn through_the_first(&self, step: &mut Step) {
        let x = Active::new(&step.lit, &step.intensity);
        kernels::forward_active(self.network.backend, &self.network.forward[0], x, &mut step.y[1]);
    }

    /// From z_1 in place of y_1 to y_L.
    fn propagate(&self, step: &mut Step) {
        let backend = self.network.backend;
        for (layer, w) in (1..).zip(&self.network.forward) {
            let (before, after) = step.y.split_at_mut(layer);
            let z = &mut after[0];
            if layer > 1 {
                kernels::forward(backend, w, &before[layer - 1], z);
            }
            if layer < self.n_layers() {
                kernels::activate(backend, self.activation, w.n_out(), z);
                let slope = &mut step.slope[layer];
                slope.fill(Lanes([1.0; kernels::WIDTH]));
                kernels::times_slope(backend, self.activation, z, slope);
                as_flat_mut(slope)[w.n_out()..].fill(0.0);
            } else {
                step.logits.copy_from_slice(z);
                kernels::softmax(backend, w.n_out(), z);
            }
        }
    }

    /// One online step: forward, then from the output down each layer's errors and plasticity, as
    /// [`OnlineTrainer`](crate::science::online::OnlineTrainer) does it.
    fn step(&mut self, t: usize, sample: Sample, step: &mut Step, mut first: Option<&mut FirstLayer>) {
        self.read(sample, step);
        match &first {
            Some(first) => first.forward(t, step),
            None => self.through_the_first(step),
        }
        self.propagate(step);

        let n_layers = self.n_layers();
        step.e[n_layers].copy_from_slice(&step.y[n_layers]);
        as_flat_mut(&mut step.e[n_layers])[step.label] -= 1.0;
        for layer in (1..=n_layers).rev() {
            match first.as_mut().filter(|_| layer == 1) {
                Some(first) => first.learn(t, self.n_steps, step, &mut self.network),
                None => self.learn(layer, step),
            }
        }
    }

    /// e_{ℓ-1} and the step of one layer.
    fn learn(&mut self, layer: usize, step: &mut Step) {
        let mut e = std::mem::take(&mut step.e);
        let mut d = std::mem::take(&mut step.d[layer - 1]);
        let mut w = std::mem::take(&mut self.network.forward[layer - 1]);
        let mut b = self.network.backward.get_mut(layer - 1).map(std::mem::take);
        let (below, above) = e.split_at_mut(layer);
        let row_step = RowStep {
            rule: self.rule.synaptic(),
            weights: &mut w,
            feedback: b.as_mut(),
            error: &above[0],
            activation: &step.y[layer],
            pre_activation: &step.y[layer - 1],
            slope: &step.slope[layer - 1],
            propagate: self.wants_error_below(layer),
            project: self.rule.pattern().reads_projection(),
            pre_error: &mut below[layer - 1],
            projection: &mut d,
        };
        step_rows(self.network.backend, row_step);
        self.network.forward[layer - 1] = w;
        if let (Some(b), Some(place)) = (b, self.network.backward.get_mut(layer - 1)) {
            *place = b;
        }
        (step.e, step.d[layer - 1]) = (e, d);
    }
}

fn copy(from: &[InputMajor], to: &mut [InputMajor]) {
    to.iter_mut().zip(from).for_each(|(to, from)| to.lanes_mut().copy_from_slice(from.lanes()));
}
