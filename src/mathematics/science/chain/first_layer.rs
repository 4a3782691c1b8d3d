//! The first layer of a chain that learns online: its steps wait for one another and are carried out together
//! (`kernels/block`).
//!
//! It holds three quarters of all weights, no layer below it waits for its errors, and four fifths of its inputs are silent. What
//! a rule does to the rows of silent pixels, decay and the terms that read Wᵀ y, is the same for all of them. The blocks begin at
//! every [`STEPS`]-th step of a training, wherever calls begin and end, so that neither they nor looking at the network between
//! them change a trained bit.

use std::iter;

use crate::kernels::{
    self, Activation, Active, Backend, Block, Forwarded, InputMajor, Lanes, Propagate, Propagated, RowRule, STEPS,
    Seen, Shares, SynapticRule, norm,
};
use crate::science::network::Network;
use crate::science::tape::{Foreign, Tape};

/// The steps of W_{0,1} and B_{1,0} that wait.
#[derive(Clone, Debug)]
pub(super) struct FirstLayer {
    rule: SynapticRule,
    activation: Activation,
    seen: Seen,
    weights: Block,
    /// Where B_{1,0} has weights of its own that the rule reads or moves.
    feedback: Option<Block>,
    /// e_0 and its mask at the lit pixels of the present image.
    errors: Vec<f32>,
    mask: Vec<f32>,
    /// What a derivative would have to know of the present step.
    forwarded: Forwarded,
    propagated: Propagated,
    shares: Shares,
}

impl FirstLayer {
    /// Under `rule`, which must treat silent pixels alike.
    pub(super) fn new(network: &Network, rule: &SynapticRule) -> Self {
        let activation = network.architecture().activation();
        assert!(rule.treats_silence_alike(activation), "rows of silent pixels differ");
        let (n_in, n_out) = (network.forward[0].n_in(), network.forward[0].n_out());
        let block = |rule| {
            let mut block = Block::new(rule, n_out);
            block.begin(rule);
            block
        };
        let takes_part = rule.reads_pre_error() || !rule.feedback.is_zero();
        Self {
            rule: *rule,
            activation,
            seen: Seen::new(n_in),
            weights: block(&rule.forward),
            feedback: (takes_part && !network.backward.is_empty()).then(|| block(&rule.feedback)),
            errors: Vec::new(),
            mask: Vec::new(),
            forwarded: Forwarded::default(),
            propagated: Propagated::default(),
            shares: Shares::default(),
        }
    }

    /// Steps that wait.
    pub(super) fn pending(&self) -> usize {
        self.weights.pending()
    }

    /// Keeps the steps that wait, or takes them up: carried out earlier, they would round otherwise.
    pub(super) fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
        let mut pending = self.pending() as u64;
        tape.count("pending", &mut pending)?;
        if pending >= STEPS as u64 {
            return Err(Foreign::new(format!("{pending} steps wait, and at most {} can", STEPS - 1)));
        }
        let Self { seen, weights, feedback, .. } = self;
        for block in iter::once(weights).chain(feedback) {
            if tape.is_reading() {
                block.take_up(pending as usize);
            }
            // Without steps, what is left of the last block is not read again.
            if pending > 0 {
                block.parts_mut().into_iter().try_for_each(|rows| tape.lanes("waiting", rows))?;
            }
        }
        if pending > 0 {
            let (seen, lit) = seen.parts_mut();
            seen.into_iter().try_for_each(|seen| tape.lanes("seen", seen))?;
            tape.bits("lit", lit)?;
        }
        Ok(())
    }

    /// z_1 of an image.
    pub(super) fn forward(&mut self, network: &Network, image: Active<'_>, z: &mut [Lanes]) {
        let Self { weights, seen, forwarded, .. } = self;
        weights.forward(network.backend, &network.forward[0], seen, image, forwarded, z);
    }

    /// The step of an image, from e_1 and y_1; the last one of a block carries out all of it. Returns how the largest |row| of W
    /// and B may have grown: by a factor, then by a summand; infinite if an error is.
    pub(super) fn learn(&mut self, network: &mut Network, image: Active<'_>, e: &[Lanes], y: &[Lanes]) -> [f64; 2] {
        let backend = network.backend;
        let Self { rule, activation, seen, weights, feedback, errors, mask, propagated, shares, .. } = self;
        if rule.reads_pre_error() {
            kernels::input_masks(backend, *activation, image.values(), mask);
            let (block, through) = match feedback {
                None => (&*weights, &network.forward[0]),
                Some(feedback) => (&*feedback, &network.backward[0]),
            };
            let (rows, made, pre_error) = (image.places(), propagated, &mut *errors);
            block.propagate(backend, Propagate { weights: through, seen, rows, error: e, mask, made, pre_error });
        }
        let growth = growth(rule, errors, norm(e), norm(y));
        let step = weights.pending();
        weights.push(backend, e, y, shares);
        if let Some(feedback) = feedback {
            feedback.push(backend, e, y, shares);
        }
        seen.set(step, image, errors);
        if step + 1 == STEPS {
            self.write(backend, &mut network.forward[0], network.backward.first_mut());
            self.seen.clear();
            self.weights.begin(&self.rule.forward);
            if let Some(feedback) = &mut self.feedback {
                feedback.begin(&self.rule.feedback);
            }
        }
        growth
    }

    /// Carries out the steps that wait on W and B, or on copies of them: they go on waiting.
    pub(super) fn write(&self, backend: Backend, w: &mut InputMajor, b: Option<&mut InputMajor>) {
        if self.pending() > 0 {
            self.weights.write(backend, None, &self.seen, &mut [], w);
            if let Some((feedback, b)) = self.feedback.as_ref().zip(b) {
                feedback.write(backend, None, &self.seen, &mut [], b);
            }
        }
    }
}

/// A row w becomes κ w + (w · y) o + x q + a p, and no pixel exceeds 1.
fn growth(rule: &SynapticRule, errors: &[f32], e: f64, y: f64) -> [f64; 2] {
    let a = errors
        .iter()
        .fold(0.0, |max, &a| if a.is_finite() { f64::max(max, f64::from(a.abs())) } else { f64::INFINITY });
    let of = |rule: &RowRule| {
        let longest =
            |by_error: f32, by_activation: f32| f64::from(by_error.abs()) * e + f64::from(by_activation.abs()) * y;
        let (by_error, by_activation) = (rule.by_error, rule.by_activation);
        let o = longest(by_error.projection, by_activation.projection);
        let q = longest(by_error.activation, by_activation.activation);
        let p = longest(by_error.error, by_activation.error);
        [(1.0 - f64::from(rule.decay)).abs() + o * y, q + if p == 0.0 { 0.0 } else { a * p }]
    };
    let ([factor, summand], [b_factor, b_summand]) = (of(&rule.forward), of(&rule.feedback));
    [factor.max(b_factor).max(1.0), summand + b_summand]
}
