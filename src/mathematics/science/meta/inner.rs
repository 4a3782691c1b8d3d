//! The inner loop: a freshly initialised network learns a task online by rule (9), and remembers enough of it to be
//! differentiated.
//!
//! With coefficients θ0 … θ5 and κ_W = 1 − θ3, κ_B = 1 − θ5, a step changes each row i (the weights that leave input i) by
//!
//! - W_i ← κ_W W_i + a_i e_ℓ + g_i y_ℓ, a = −θ0 y_{ℓ-1} + θ1 e_{ℓ-1}, g = θ2 (y_{ℓ-1} − Wᵀ y_ℓ),
//! - B_i ← κ_B B_i − θ4 y_{ℓ-1,i} e_ℓ.
//!
//! In the first layer a silent pixel has y_0 = 0 and, with softplus, e_0 = 0: its rows only decay, and as long as they do
//! nothing reads them. They are left alone until the pixel is lit, and then decay for all the steps at once. Oja's term
//! moves every row of W, silent or not, so with it W_{0,1} is not spared.

use ndarray::Array2;

use super::Coefficients;
use super::real::Real;
use super::vectors::{
    Matrix, Padded, Simd, Wide, add_scaled, add_scaled_four, combine, decay_and_add, dot, dots, scale,
};
use crate::science::activation::Activation;
use crate::science::initialization::{Feedback, Initialization};
use crate::science::network::Architecture;
use crate::science::seed::{Purpose, stream};

/// A sample: its pixels and its class.
pub(super) type Sample<'a> = (&'a [u8], usize);

/// Steps between two checkpoints: about the square root of the usual 250.
pub(super) const CHECKPOINT_INTERVAL: usize = 25;

/// Rule (9) with its coefficients, ready to run.
#[derive(Clone, Debug)]
pub(super) struct Rule<F> {
    pub theta: [F; 6],
    /// Whether a term takes part: its coefficient is learned or not 0.
    pub present: [bool; 6],
    /// κ_W and κ_B.
    pub keep: [F; 2],
    /// κ^n for n = 0 … number of steps.
    pub powers: [Vec<F>; 2],
}

/// Positions of the coefficients.
pub(super) const GRADIENT: usize = 0;
pub(super) const ERROR_HEBB: usize = 1;
pub(super) const OJA: usize = 2;
pub(super) const DECAY: usize = 3;
pub(super) const FEEDBACK_HEBB: usize = 4;
pub(super) const FEEDBACK_DECAY: usize = 5;

impl<F: Real> Rule<F> {
    fn new(theta: &Coefficients, learned: &[bool; 6], n_steps: usize) -> Self {
        let keep = [F::ONE - F::of(theta[DECAY]), F::ONE - F::of(theta[FEEDBACK_DECAY])];
        let powers = keep.map(|keep| {
            let powers = std::iter::successors(Some(F::ONE), |&power| Some(power * keep));
            powers.take(n_steps + 1).collect()
        });
        let mut present = *learned;
        for (present, theta) in present.iter_mut().zip(theta) {
            *present |= *theta != 0.0;
        }
        Self { theta: theta.map(F::of), present, keep, powers }
    }

    /// Whether any term moves B.
    pub fn moves_feedback(&self) -> bool {
        self.present[FEEDBACK_HEBB] || self.present[FEEDBACK_DECAY]
    }
}

/// What one step leaves behind; vectors are indexed by layer 0 … L (or L − 1), padded.
#[derive(Clone, Debug)]
pub(super) struct Step<F> {
    pub label: usize,
    /// The lit pixels.
    pub active: Vec<u32>,
    /// For each of `active` how many steps' decay its rows of W_{0,1} and B_{1,0} had missed; empty where not spared.
    pub gaps: [Vec<u32>; 2],
    /// y_ℓ, and the logits.
    pub y: Vec<Padded<F>>,
    pub logits: Padded<F>,
    /// σ′(z_ℓ); at ℓ = 0 the mask of e_0.
    pub slope: Vec<Padded<F>>,
    /// B_{ℓ+1,ℓ} e_{ℓ+1}, and with the slope e_ℓ.
    pub back: Vec<Padded<F>>,
    pub e: Vec<Padded<F>>,
    /// Wᵀ y_{ℓ+1}.
    pub d: Vec<Padded<F>>,
}

impl<F: Real> Step<F> {
    pub fn new(sizes: &[usize]) -> Self {
        let vectors = |n: usize| sizes[..n].iter().map(|&n| Padded::zeros(n)).collect::<Vec<_>>();
        let n_layers = sizes.len() - 1;
        Self {
            label: 0,
            active: Vec::with_capacity(sizes[0]),
            gaps: [Vec::new(), Vec::new()],
            y: vectors(n_layers + 1),
            logits: Padded::zeros(sizes[n_layers]),
            slope: vectors(n_layers),
            back: vectors(n_layers),
            e: vectors(n_layers + 1),
            d: vectors(n_layers),
        }
    }
}

/// W and B of all layers before a step.
#[derive(Clone, Debug)]
pub(super) struct Checkpoint<F> {
    pub w: Vec<Matrix<F>>,
    pub b: Vec<Matrix<F>>,
}

/// The weights and the trajectory of one inner loop.
#[derive(Clone, Debug)]
pub(super) struct InnerLoop<F> {
    pub sizes: Vec<usize>,
    pub activation: Activation,
    pub feedback: Feedback,
    pub learned: [bool; 6],
    pub rule: Rule<F>,
    /// W_{ℓ-1,ℓ} and B_{ℓ,ℓ-1} at ℓ − 1; no B with symmetric feedback.
    pub w: Vec<Matrix<F>>,
    pub b: Vec<Matrix<F>>,
    pub trace: Vec<Step<F>>,
    pub n_steps: usize,
    /// Steps whose decay each row of W_{0,1} and of B_{1,0} has had.
    pub decayed: [Vec<u32>; 2],
    /// W and B before step n · [`CHECKPOINT_INTERVAL`].
    pub checkpoints: Vec<Checkpoint<F>>,
    /// 0, 1, 2 …
    pub every_row: Vec<u32>,
    /// x and the mask of e_0 for each byte.
    pixel: [[F; 2]; 256],
}

impl<F: Real> InnerLoop<F> {
    /// With all weights 0. A term takes part if it is `learned` or if its coefficient is not 0.
    pub fn new(architecture: &Architecture, feedback: Feedback, learned: [bool; 6]) -> Self {
        let (sizes, activation) = (architecture.sizes().to_vec(), architecture.activation());
        let matrices = || sizes.windows(2).map(|n| Matrix::zeros(n[0], n[1])).collect::<Vec<_>>();
        let widest = *sizes.iter().max().expect("an architecture has layers");
        Self {
            activation,
            feedback,
            learned,
            rule: Rule::new(&[0.0; 6], &learned, 0),
            w: matrices(),
            b: if feedback == Feedback::Symmetric { Vec::new() } else { matrices() },
            trace: Vec::new(),
            n_steps: 0,
            decayed: [vec![0; sizes[0]], vec![0; sizes[0]]],
            checkpoints: Vec::new(),
            every_row: (0..widest as u32).collect(),
            pixel: std::array::from_fn(|byte| {
                let x = byte as f64 / 255.0;
                [F::of(x), F::input_mask(activation, x)]
            }),
            sizes,
        }
    }

    /// L.
    pub fn n_layers(&self) -> usize {
        self.w.len()
    }

    /// Draws W and B from the streams of `seed`, as [`Network::initialize`](crate::science::network::Network::initialize).
    pub fn initialize(&mut self, initialization: &Initialization, seed: u64) {
        for (layer, w) in (1..).zip(&mut self.w) {
            // The padding too: an inner loop that diverged may have left NaN there.
            w.fill(F::ZERO);
            let mut stream = stream(seed, Purpose::ForwardWeights, layer);
            for j in 0..w.n_out {
                for i in 0..w.n_in {
                    *w.weight_mut(i, j) = F::of(f64::from(initialization.draw(w.n_in, w.n_out, &mut stream)));
                }
            }
        }
        for (layer, b) in (1..).zip(&mut self.b) {
            b.fill(F::ZERO);
            let mut stream = stream(seed, Purpose::FeedbackWeights, layer);
            for i in 0..b.n_in {
                for j in 0..b.n_out {
                    *b.weight_mut(i, j) = F::of(f64::from(initialization.draw(b.n_in, b.n_out, &mut stream)));
                }
            }
        }
    }

    /// W_{ℓ-1,ℓ} (n_ℓ × n_{ℓ-1}), ℓ = 1 … L.
    pub fn forward_weights(&self) -> Vec<Array2<F>> {
        self.w.iter().map(|w| Array2::from_shape_fn((w.n_out, w.n_in), |(j, i)| w.weight(i, j))).collect()
    }

    /// B_{ℓ,ℓ-1} (n_{ℓ-1} × n_ℓ), ℓ = 1 … L; empty with symmetric feedback.
    pub fn feedback_weights(&self) -> Vec<Array2<F>> {
        self.b.iter().map(|b| Array2::from_shape_fn((b.n_in, b.n_out), |(i, j)| b.weight(i, j))).collect()
    }

    /// Learns `samples` in their order with the coefficients `theta`.
    pub fn train(&mut self, theta: &Coefficients, samples: &[Sample]) {
        self.n_steps = samples.len();
        self.rule = Rule::new(theta, &self.learned, self.n_steps);
        while self.trace.len() < self.n_steps {
            self.trace.push(Step::new(&self.sizes));
        }
        self.decayed.iter_mut().for_each(|decayed| decayed.fill(0));
        F::run_wide(Train { inner: self, samples });
    }

    /// Whether e_0 is read, by error_hebb.
    #[inline(always)]
    pub fn reads_input_error(&self) -> bool {
        self.rule.present[ERROR_HEBB]
    }

    /// Whether silent pixels' rows of W_{0,1} and of B_{1,0} only decay.
    #[inline(always)]
    pub fn spares_silent_pixels(&self) -> [bool; 2] {
        let no_silent_error = matches!(self.activation, Activation::Softplus { .. }) || !self.reads_input_error();
        [no_silent_error && !self.rule.present[OJA], no_silent_error]
    }

    /// Whether rows of W_{0,1} and of B_{1,0} miss decay that they have to catch up with.
    #[inline(always)]
    pub fn decays_lazily(&self) -> [bool; 2] {
        let [w, b] = self.spares_silent_pixels();
        [w && self.rule.present[DECAY], b && self.rule.present[FEEDBACK_DECAY]]
    }

    /// Whether the errors of layer ℓ − 1 are wanted.
    #[inline(always)]
    pub fn wants_error_below(&self, layer: usize) -> bool {
        layer > 1 || self.reads_input_error()
    }

    fn save_checkpoint(&mut self, index: usize) {
        match self.checkpoints.get_mut(index) {
            None => self.checkpoints.push(Checkpoint { w: self.w.clone(), b: self.b.clone() }),
            Some(Checkpoint { w, b }) => {
                w.iter_mut().zip(&self.w).for_each(|(to, from)| to.copy_from(from));
                b.iter_mut().zip(&self.b).for_each(|(to, from)| to.copy_from(from));
            }
        }
    }

    /// Lets the rows of lit pixels catch up with the decay that they have missed before step `t`.
    #[inline(always)]
    fn catch_up<S: Simd<F>>(&mut self, simd: S, t: usize, step: &mut Step<F>) {
        let lazy = self.decays_lazily();
        let Self { rule, w, b, decayed, .. } = self;
        for (matrix, which) in [w.first_mut(), b.first_mut()].into_iter().zip(0..) {
            step.gaps[which].clear();
            let (Some(matrix), true) = (matrix, lazy[which]) else { continue };
            for &i in &step.active {
                let gap = t as u32 - std::mem::replace(&mut decayed[which][i as usize], t as u32 + 1);
                step.gaps[which].push(gap);
                if gap > 0 {
                    scale(simd, matrix.row_mut(i as usize), rule.powers[which][gap as usize]);
                }
            }
        }
    }

    /// Lets every row catch up at the end of the loop.
    #[inline(always)]
    fn catch_up_all<S: Simd<F>>(&mut self, simd: S) {
        let lazy = self.decays_lazily();
        let Self { rule, w, b, decayed, n_steps, .. } = self;
        for (matrix, which) in [w.first_mut(), b.first_mut()].into_iter().zip(0..) {
            let (Some(matrix), true) = (matrix, lazy[which]) else { continue };
            for (i, &decayed) in decayed[which].iter().enumerate() {
                scale(simd, matrix.row_mut(i), rule.powers[which][*n_steps - decayed as usize]);
            }
        }
    }

    /// y_0 … y_L of one image with the present weights.
    #[inline(always)]
    pub fn forward<S: Simd<F>>(&self, simd: S, (pixels, label): Sample, step: &mut Step<F>) {
        self.read(pixels, step);
        step.label = label;
        self.propagate(simd, step);
    }

    #[inline(always)]
    fn read(&self, pixels: &[u8], step: &mut Step<F>) {
        step.active.clear();
        for (i, &byte) in pixels.iter().enumerate() {
            [step.y[0][i], step.slope[0][i]] = self.pixel[usize::from(byte)];
            if byte != 0 {
                step.active.push(i as u32);
            }
        }
    }

    #[inline(always)]
    fn propagate<S: Simd<F>>(&self, simd: S, step: &mut Step<F>) {
        for (layer, w) in (1..).zip(&self.w) {
            let (before, after) = step.y.split_at_mut(layer);
            let (pre, z) = (&before[layer - 1], &mut after[0]);
            z.fill(F::ZERO);
            let rows = if layer == 1 { &step.active[..] } else { &self.every_row[..w.n_in] };
            let (fours, rest) = rows.as_chunks();
            for &[a, b, c, d] in fours {
                let [a, b, c, d] = [a as usize, b as usize, c as usize, d as usize];
                let four_rows = [w.row(a), w.row(b), w.row(c), w.row(d)];
                add_scaled_four(simd, z.blocks_mut(), [pre[a], pre[b], pre[c], pre[d]], four_rows);
            }
            for &i in rest {
                add_scaled(simd, z.blocks_mut(), pre[i as usize], w.row(i as usize));
            }
            if layer < self.n_layers() {
                F::activate(self.activation, w.n_out, z, &mut step.slope[layer]);
            } else {
                step.logits.copy_from_slice(z);
                F::softmax(w.n_out, z);
            }
        }
    }

    /// One online step: forward, then from the output down each layer's errors and plasticity, as
    /// [`OnlineTrainer`](crate::science::online::OnlineTrainer) does it.
    #[inline(always)]
    fn step<S: Simd<F>>(&mut self, simd: S, t: usize, (pixels, label): Sample, step: &mut Step<F>) {
        self.read(pixels, step);
        step.label = label;
        self.catch_up(simd, t, step);
        self.propagate(simd, step);

        let n_layers = self.n_layers();
        step.e[n_layers].copy_from_slice(&step.y[n_layers]);
        step.e[n_layers][label] = step.e[n_layers][label] - F::ONE;
        for layer in (1..=n_layers).rev() {
            if self.feedback != Feedback::Symmetric {
                self.learn_feedback(simd, layer, step);
            }
            self.learn_forward(simd, layer, step);
        }
    }

    /// e_{ℓ-1} through B, then ΔB.
    #[inline(always)]
    fn learn_feedback<S: Simd<F>>(&mut self, simd: S, layer: usize, step: &mut Step<F>) {
        let (wants_error, spared) = (self.wants_error_below(layer), self.spares_silent_pixels());
        let Self { rule, b, every_row, .. } = self;
        let b = &mut b[layer - 1];
        let (theta, keep, moves) = (rule.theta[FEEDBACK_HEBB], rule.keep[1], rule.moves_feedback());
        let Step { active, y, slope, back, e, .. } = step;
        let rows = if layer == 1 && spared[1] { &active[..] } else { &every_row[..b.n_in] };
        let (below, above) = e.split_at_mut(layer);
        let (e_below, e) = (&mut below[layer - 1], &above[0]);
        let (y, slope, back) = (&y[layer - 1], &slope[layer - 1], &mut back[layer - 1]);
        if layer == 1 {
            // Of silent pixels nothing is written below.
            e_below.fill(F::ZERO);
        }
        for &i in rows {
            let i = i as usize;
            let row = b.row_mut(i);
            if wants_error {
                back[i] = dot(simd, row, e.blocks());
                e_below[i] = back[i] * slope[i];
            }
            if moves {
                decay_and_add(simd, row, keep, -(theta * y[i]), e.blocks());
            }
        }
    }

    /// With symmetric feedback e_{ℓ-1}; Wᵀ y_ℓ where Oja's term reads it; then ΔW.
    #[inline(always)]
    fn learn_forward<S: Simd<F>>(&mut self, simd: S, layer: usize, step: &mut Step<F>) {
        let symmetric_error = self.feedback == Feedback::Symmetric && self.wants_error_below(layer);
        let spared = self.spares_silent_pixels();
        let Self { rule, w, every_row, .. } = self;
        let w = &mut w[layer - 1];
        let ([gradient, error_hebb, oja, ..], keep) = (rule.theta, rule.keep[0]);
        let has_oja = rule.present[OJA];
        let Step { active, y, slope, back, e, d, .. } = step;
        let rows = if layer == 1 && spared[0] { &active[..] } else { &every_row[..w.n_in] };
        let (below, above) = e.split_at_mut(layer);
        let (e_below, e) = (&mut below[layer - 1], &above[0]);
        let (y_below, y) = (&y[layer - 1], &y[layer]);
        let (slope, back, d) = (&slope[layer - 1], &mut back[layer - 1], &mut d[layer - 1]);
        if layer == 1 && symmetric_error {
            e_below.fill(F::ZERO);
        }
        for &i in rows {
            let i = i as usize;
            let row = w.row_mut(i);
            if symmetric_error && has_oja {
                [back[i], d[i]] = dots(simd, row, [e.blocks(), y.blocks()]);
            } else if symmetric_error {
                back[i] = dot(simd, row, e.blocks());
            } else if has_oja {
                d[i] = dot(simd, row, y.blocks());
            }
            if symmetric_error {
                e_below[i] = back[i] * slope[i];
            }
            let a = error_hebb * e_below[i] - gradient * y_below[i];
            if has_oja && a == F::ZERO {
                decay_and_add(simd, row, keep, oja * (y_below[i] - d[i]), y.blocks());
            } else if has_oja {
                combine(simd, row, keep, (a, e.blocks()), (oja * (y_below[i] - d[i]), y.blocks()));
            } else {
                decay_and_add(simd, row, keep, a, e.blocks());
            }
        }
    }
}

struct Train<'a, F> {
    inner: &'a mut InnerLoop<F>,
    samples: &'a [Sample<'a>],
}

impl<F: Real> Wide<F> for Train<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<F>>(self, simd: S) {
        let Self { inner, samples } = self;
        let mut trace = std::mem::take(&mut inner.trace);
        for (t, (sample, step)) in samples.iter().zip(&mut trace).enumerate() {
            if t % CHECKPOINT_INTERVAL == 0 {
                inner.save_checkpoint(t / CHECKPOINT_INTERVAL);
            }
            inner.step(simd, t, *sample, step);
        }
        inner.trace = trace;
        inner.catch_up_all(simd);
    }
}
