//! The inner loop: a freshly initialised network learns a task online by the rule, and remembers enough of it to be
//! differentiated.
//!
//! In the first layer a silent pixel has y_0 = 0 and, with softplus or where no term reads it, e_0 = 0. What that leaves of a
//! rule is decay and the terms that read Wᵀ y, so rows of silent pixels are spared as far as the rule allows ([`Silent`]):
//! rows that only decay are left alone until their pixel is lit, as nothing reads them, and then decay for all the steps at
//! once.

use super::learned_rule::LearnedRule;
use crate::kernels::{
    self, Active, INTENSITY, InputMajor, Lanes, RowStep, SynapticRule, as_flat_mut, scale_rows, step_rows, zeros,
};
use crate::science::activation::Activation;
use crate::science::initialization::{Feedback, Initialization};
use crate::science::network::{Architecture, Network};

/// A sample: its pixels and its class.
pub(super) type Sample<'a> = (&'a [u8], usize);

/// Steps between two checkpoints: about the square root of the usual 250.
pub(super) const CHECKPOINT_INTERVAL: usize = 25;

/// What a step does to the first layer's rows whose pixel is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silent {
    /// As to all others.
    Learns,
    /// W is moved through Wᵀ y, B only decays.
    Projects,
    /// W and B only decay.
    Decays,
}

/// Rows of W_{0,1} or B_{1,0} that miss decay, and for how many steps.
#[derive(Clone, Debug, Default)]
pub(super) struct Missed {
    pub rows: Vec<u32>,
    pub steps: Vec<u32>,
}

impl Missed {
    fn clear(&mut self) {
        self.rows.clear();
        self.steps.clear();
    }

    fn push(&mut self, row: u32, steps: u32) {
        if steps > 0 {
            self.rows.push(row);
            self.steps.push(steps);
        }
    }
}

/// What one step leaves behind; vectors are indexed by layer 0 … L (or L − 1), padded.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub label: usize,
    /// The lit pixels with their x, and the silent ones where the rule moves their rows otherwise.
    pub lit: Vec<u32>,
    pub intensity: Vec<f32>,
    pub silent: Vec<u32>,
    /// What rows of W_{0,1} and B_{1,0} caught up with before this step.
    pub missed: [Missed; 2],
    /// y_ℓ, and the logits.
    pub y: Vec<Vec<Lanes>>,
    pub logits: Vec<Lanes>,
    /// σ′(z_ℓ); at ℓ = 0 the mask of e_0.
    pub slope: Vec<Vec<Lanes>>,
    /// e_ℓ.
    pub e: Vec<Vec<Lanes>>,
    /// Wᵀ y_{ℓ+1}.
    pub d: Vec<Vec<Lanes>>,
}

impl Step {
    pub(super) fn new(sizes: &[usize]) -> Self {
        let vectors = |n: usize| sizes[..n].iter().map(|&n| zeros(n)).collect::<Vec<_>>();
        let n_layers = sizes.len() - 1;
        Self {
            label: 0,
            lit: Vec::with_capacity(sizes[0]),
            intensity: Vec::with_capacity(sizes[0]),
            silent: Vec::new(),
            missed: Default::default(),
            y: vectors(n_layers + 1),
            logits: zeros(sizes[n_layers]),
            slope: vectors(n_layers),
            e: vectors(n_layers + 1),
            d: vectors(n_layers),
        }
    }
}

/// A part of a layer's step: rows that are treated alike.
pub(super) struct Part<'a> {
    pub rows: &'a [u32],
    pub rule: &'a SynapticRule,
    /// As [`LearnedRule::pattern`].
    pub pattern: &'a SynapticRule,
    /// Whether B takes part.
    pub feedback: bool,
    /// Whether e_{ℓ-1} is wanted of these rows.
    pub propagate: bool,
}

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
    pub silent: Silent,
    /// Steps whose decay each row of W_{0,1} and of B_{1,0} has had.
    decayed: [Vec<u32>; 2],
    /// What the rows caught up with at the end of the loop.
    pub missed_at_end: [Missed; 2],
    /// W and B before step n · [`CHECKPOINT_INTERVAL`].
    pub checkpoints: Vec<Checkpoint>,
    /// 0, 1, 2 …
    every_row: Vec<u32>,
    /// The mask of e_0 for each byte.
    mask: [f32; 256],
    factors: Vec<f32>,
}

impl InnerLoop {
    pub(super) fn new(architecture: &Architecture, feedback: Feedback, rule: LearnedRule) -> Self {
        let (sizes, activation) = (architecture.sizes().to_vec(), architecture.activation());
        let widest = *sizes.iter().max().expect("an architecture has layers");
        let reads = rule.pattern();
        let masks_silence = matches!(activation, Activation::Softplus { .. });
        let silent = if reads.reads_pre_error() && !masks_silence || reads.feedback.reads_projection() {
            Silent::Learns
        } else if reads.forward.reads_projection() {
            Silent::Projects
        } else {
            Silent::Decays
        };
        Self {
            activation,
            silent,
            rule,
            network: Network::initialize(architecture, &Initialization::Naive { std: 0.0 }, feedback, 0),
            trace: Vec::new(),
            n_steps: 0,
            decayed: [vec![0; sizes[0]], vec![0; sizes[0]]],
            missed_at_end: Default::default(),
            checkpoints: Vec::new(),
            every_row: (0..widest as u32).collect(),
            mask: std::array::from_fn(|byte| activation.input_mask([INTENSITY[byte]; kernels::WIDTH])[0]),
            factors: Vec::new(),
            sizes,
        }
    }

    /// L.
    pub(super) fn n_layers(&self) -> usize {
        self.network.n_layers()
    }

    /// Draws W and B anew: no number of an inner loop that diverged is left, nor in the padding.
    pub(super) fn initialize(&mut self, initialization: &Initialization, seed: u64) {
        let (architecture, feedback) = (self.network.architecture().clone(), self.network.feedback());
        let backend = self.network.backend;
        self.network = Network::initialize(&architecture, initialization, feedback, seed);
        self.network.backend = backend;
    }

    /// Learns `samples` in their order with the coefficients `theta`, in the order of the rule's terms.
    pub(super) fn train(&mut self, theta: &[f64], samples: &[Sample]) {
        self.n_steps = samples.len();
        self.rule.set(theta, self.n_steps);
        while self.trace.len() < self.n_steps {
            self.trace.push(Step::new(&self.sizes));
        }
        self.decayed.iter_mut().for_each(|decayed| decayed.fill(0));
        let mut trace = std::mem::take(&mut self.trace);
        for (t, (sample, step)) in samples.iter().zip(&mut trace).enumerate() {
            if t % CHECKPOINT_INTERVAL == 0 {
                self.save_checkpoint(t / CHECKPOINT_INTERVAL);
            }
            self.step(t, *sample, step);
        }
        self.trace = trace;
        self.catch_up_at_end();
    }

    /// Whether e_{ℓ-1} is wanted.
    pub(super) fn wants_error_below(&self, layer: usize) -> bool {
        layer > 1 || self.rule.pattern().reads_pre_error()
    }

    /// Whether rows of W_{0,1} and of B_{1,0} miss decay that they have to catch up with.
    pub(super) fn decays_lazily(&self) -> [bool; 2] {
        let pattern = self.rule.pattern();
        [
            self.silent == Silent::Decays && pattern.forward.decay != 0.0,
            self.silent != Silent::Learns && pattern.feedback.decay != 0.0 && !self.network.backward.is_empty(),
        ]
    }

    /// The rows through which an image passes: of the input only lit pixels'.
    pub(super) fn inputs<'a>(&'a self, layer: usize, step: &'a Step) -> &'a [u32] {
        if layer == 1 { &step.lit } else { &self.every_row[..self.sizes[layer - 1]] }
    }

    /// The parts of a layer's step.
    pub(super) fn parts<'a>(&'a self, layer: usize, step: &'a Step) -> impl Iterator<Item = Part<'a>> {
        let (every_row, propagate) = (&self.every_row[..self.sizes[layer - 1]], self.wants_error_below(layer));
        let spared = layer == 1 && self.silent != Silent::Learns;
        let all = Part {
            rows: if spared { &step.lit } else { every_row },
            rule: self.rule.synaptic(),
            pattern: self.rule.pattern(),
            feedback: !self.network.backward.is_empty(),
            propagate,
        };
        let silent = (layer == 1 && self.silent == Silent::Projects).then(|| Part {
            rows: &step.silent,
            rule: self.rule.of_silence(),
            pattern: self.rule.pattern_of_silence(),
            feedback: false,
            propagate: false,
        });
        [all].into_iter().chain(silent)
    }

    fn save_checkpoint(&mut self, index: usize) {
        let Network { forward, backward, .. } = &self.network;
        match self.checkpoints.get_mut(index) {
            None => self.checkpoints.push(Checkpoint { w: forward.clone(), b: backward.clone() }),
            Some(Checkpoint { w, b }) => {
                copy(forward, w);
                copy(backward, b);
            }
        }
    }

    /// Back to the weights before step `t`, where there is a checkpoint of them.
    pub(super) fn restore_checkpoint(&mut self, t: usize) {
        if t.is_multiple_of(CHECKPOINT_INTERVAL) {
            let Checkpoint { w, b } = &self.checkpoints[t / CHECKPOINT_INTERVAL];
            copy(w, &mut self.network.forward);
            copy(b, &mut self.network.backward);
        }
    }

    /// Lets the rows of lit pixels catch up with the decay that they have missed before step `t`.
    fn catch_up(&mut self, t: usize, step: &mut Step) {
        for (which, lazy) in self.decays_lazily().into_iter().enumerate() {
            step.missed[which].clear();
            if lazy {
                for &i in &step.lit {
                    let had = std::mem::replace(&mut self.decayed[which][i as usize], t as u32 + 1);
                    step.missed[which].push(i, t as u32 - had);
                }
                self.decay(which, &step.missed[which]);
            }
        }
    }

    /// Lets every row catch up at the end of the loop.
    fn catch_up_at_end(&mut self) {
        let mut missed_at_end = std::mem::take(&mut self.missed_at_end);
        for (which, lazy) in self.decays_lazily().into_iter().enumerate() {
            let missed = &mut missed_at_end[which];
            missed.clear();
            if lazy {
                for (i, &had) in self.decayed[which].iter().enumerate() {
                    missed.push(i as u32, self.n_steps as u32 - had);
                }
                self.decay(which, missed);
            }
        }
        self.missed_at_end = missed_at_end;
    }

    fn decay(&mut self, which: usize, missed: &Missed) {
        let Self { network: Network { forward, backward, backend, .. }, rule, factors, .. } = self;
        factors.clear();
        factors.extend(missed.steps.iter().map(|&steps| rule.kept(which, steps)));
        let matrix = if which == 0 { &mut forward[0] } else { &mut backward[0] };
        scale_rows(*backend, matrix, &missed.rows, factors);
    }

    /// y_0 … y_L of one image with the present weights.
    pub(super) fn forward(&self, sample: Sample, step: &mut Step) {
        self.read(sample, step);
        self.propagate(step);
    }

    fn read(&self, (pixels, label): Sample, step: &mut Step) {
        step.label = label;
        let Step { lit, intensity, silent, y, slope, .. } = step;
        let (y, slope) = (as_flat_mut(&mut y[0]), as_flat_mut(&mut slope[0]));
        [lit, silent].into_iter().for_each(Vec::clear);
        intensity.clear();
        let lists_silent = self.silent == Silent::Projects;
        for (i, &byte) in pixels.iter().enumerate() {
            (y[i], slope[i]) = (INTENSITY[usize::from(byte)], self.mask[usize::from(byte)]);
            if byte != 0 {
                step.lit.push(i as u32);
                intensity.push(y[i]);
            } else if lists_silent {
                step.silent.push(i as u32);
            }
        }
    }

    fn propagate(&self, step: &mut Step) {
        let backend = self.network.backend;
        for (layer, w) in (1..).zip(&self.network.forward) {
            let (before, after) = step.y.split_at_mut(layer);
            let z = &mut after[0];
            if layer == 1 {
                kernels::forward_active(backend, w, Active::new(&step.lit, &step.intensity), z);
            } else {
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
    fn step(&mut self, t: usize, sample: Sample, step: &mut Step) {
        self.read(sample, step);
        self.catch_up(t, step);
        self.propagate(step);

        let n_layers = self.n_layers();
        step.e[n_layers].copy_from_slice(&step.y[n_layers]);
        as_flat_mut(&mut step.e[n_layers])[step.label] -= 1.0;
        for layer in (1..=n_layers).rev() {
            self.learn(layer, step);
        }
    }

    /// e_{ℓ-1} and the step of one layer.
    fn learn(&mut self, layer: usize, step: &mut Step) {
        let mut e = std::mem::take(&mut step.e);
        let mut d = std::mem::take(&mut step.d[layer - 1]);
        let mut w = std::mem::take(&mut self.network.forward[layer - 1]);
        let mut b = self.network.backward.get_mut(layer - 1).map(std::mem::take);
        let (below, above) = e.split_at_mut(layer);
        for part in self.parts(layer, step) {
            let row_step = RowStep {
                rows: part.rows,
                rule: part.rule,
                weights: &mut w,
                feedback: if part.feedback { b.as_mut() } else { None },
                error: &above[0],
                activation: &step.y[layer],
                pre_activation: &step.y[layer - 1],
                slope: &step.slope[layer - 1],
                propagate: part.propagate,
                project: part.pattern.reads_projection(),
                pre_error: &mut below[layer - 1],
                projection: &mut d,
            };
            step_rows(self.network.backend, row_step);
        }
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
