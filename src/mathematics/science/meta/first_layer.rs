//! The first layer of an inner loop, whose steps are carried out and differentiated many at a time (`kernels/block`): it
//! holds three quarters of all weights, and four fifths of its rows belong to silent pixels.
//!
//! A silent pixel has y_0 = 0 and, with softplus or where no term reads it, e_0 = 0. What that leaves of a
//! rule are decay and the terms that read Wᵀ y, which do to all rows the same.

use super::learned_rule::LearnedRule;
use super::step::{FirstStep, Step};
use crate::kernels::{
    Active, Backend, Block, BlockAdjoint, InputMajor, Lanes, NO_STEPS, Propagate, PropagateBack, STEPS, Seen,
    StepLanes, SynapticRule,
};
use crate::science::activation::Activation;
use crate::science::network::Network;

/// The steps of a block, or what is left of them.
#[derive(Clone, Debug)]
struct Steps {
    /// W_{0,1} and B_{1,0} before them.
    weights: InputMajor,
    feedback: Option<InputMajor>,
    seen: Seen,
    /// W ỹ_s.
    through: Vec<StepLanes>,
    of_weights: Block,
    of_feedback: Block,
}

/// The first layer of an inner loop.
#[derive(Clone, Debug)]
pub(super) struct FirstLayer {
    blocks: Vec<Steps>,
    pattern: SynapticRule,
    backend: Backend,
}

impl FirstLayer {
    /// `None` where the rule does not treat silent pixels alike.
    pub(super) fn new(rule: &LearnedRule, activation: Activation) -> Option<Self> {
        let pattern = *rule.pattern();
        pattern.treats_silence_alike(activation).then(|| Self {
            blocks: Vec::new(),
            pattern,
            backend: crate::kernels::backend(),
        })
    }

    /// Takes the weights of a network that is about to learn for `n_steps`.
    pub(super) fn begin(&mut self, network: &mut Network, rule: &LearnedRule, n_steps: usize) {
        self.backend = network.backend;
        while self.blocks.len() < n_steps.div_ceil(STEPS) {
            self.blocks.push(self.room(network));
        }
        for block in &mut self.blocks {
            block.seen.clear();
            block.of_weights.begin(&rule.synaptic().forward);
            block.of_feedback.begin(&rule.synaptic().feedback);
        }
        self.exchange(network);
    }

    /// Gives a network the weights with which it began.
    pub(super) fn end(&mut self, network: &mut Network) {
        self.exchange(network);
    }

    fn exchange(&mut self, network: &mut Network) {
        let Some(first) = self.blocks.first_mut() else { return };
        std::mem::swap(&mut first.weights, &mut network.forward[0]);
        if let Some((mine, theirs)) = first.feedback.as_mut().zip(network.backward.first_mut()) {
            std::mem::swap(mine, theirs);
        }
    }

    fn room(&self, network: &Network) -> Steps {
        let weights = network.forward[0].clone();
        let (n_in, n_out) = (weights.n_in(), weights.n_out());
        let projects = self.pattern.forward.reads_projection();
        Steps {
            weights,
            feedback: network.backward.first().cloned(),
            seen: Seen::new(n_in),
            through: vec![NO_STEPS; if projects { n_in } else { 0 }],
            of_weights: Block::new(&self.pattern.forward, n_out),
            of_feedback: Block::new(&self.pattern.feedback, n_out),
        }
    }

    /// z_1 of step t.
    pub(super) fn forward(&self, t: usize, step: &mut Step) {
        let Steps { weights, seen, of_weights, .. } = &self.blocks[t / STEPS];
        let x = Active::new(&step.lit, &step.intensity);
        of_weights.forward(self.backend, weights, seen, x, &mut step.first.forwarded, &mut step.y[1]);
    }

    /// e_0 and the step t of `n_steps`; after the last of a block, and of all, the weights are there for who comes next.
    pub(super) fn learn(&mut self, t: usize, n_steps: usize, step: &mut Step, network: &mut Network) {
        let backend = self.backend;
        let reads_error = self.pattern.reads_pre_error();
        let Steps { weights, feedback, seen, of_weights, of_feedback, .. } = &mut self.blocks[t / STEPS];
        let Step { lit, intensity, mask, y, e, first, .. } = step;
        let FirstStep { propagated, errors, shares: [of_w, of_b], .. } = first;
        if reads_error {
            let (block, through) = match feedback {
                None => (&*of_weights, &*weights),
                Some(feedback) => (&*of_feedback, &*feedback),
            };
            let pre_error = &mut *errors;
            let (made, error) = (propagated, &e[1][..]);
            block.propagate(backend, Propagate { weights: through, seen, rows: lit, error, mask, made, pre_error });
        } else {
            errors.clear();
            errors.resize(lit.len(), 0.0);
        }
        let place = of_weights.pending();
        of_weights.push(backend, &e[1], &y[1], of_w);
        if feedback.is_some() {
            of_feedback.push(backend, &e[1], &y[1], of_b);
        }
        seen.set(place, Active::new(lit, intensity), errors);
        if t + 1 == n_steps || (t + 1).is_multiple_of(STEPS) {
            self.write(t / STEPS, t + 1 == n_steps, network);
        }
    }

    /// The weights after a block, to the next one or to the network.
    fn write(&mut self, block: usize, is_last: bool, network: &mut Network) {
        let (done, next) = self.blocks.split_at_mut(block + 1);
        let Steps { weights, feedback, seen, through, of_weights, of_feedback } = &mut done[block];
        let (to, feedback_to) = match next.first_mut().filter(|_| !is_last) {
            Some(next) => (&mut next.weights, next.feedback.as_mut()),
            None => (&mut network.forward[0], network.backward.first_mut()),
        };
        of_weights.write(self.backend, Some(weights), seen, through, to);
        if let Some((from, to)) = feedback.as_ref().zip(feedback_to) {
            of_feedback.write(self.backend, Some(from), seen, &mut [], to);
        }
    }
}

/// Adjoints of a layer's signals, which are added to.
pub(super) struct Signals<'a> {
    /// ē_ℓ.
    pub error: &'a mut [Lanes],
    /// ȳ_ℓ.
    pub activation: &'a mut [Lanes],
}

/// The adjoints of the first layer's blocks.
#[derive(Clone, Debug)]
pub(super) struct FirstAdjoint {
    of_weights: BlockAdjoint,
    of_feedback: BlockAdjoint,
    /// ē_0 of step s of a block before its mask, as number s.
    errors: Vec<StepLanes>,
}

impl FirstAdjoint {
    pub(super) fn new(first: &FirstLayer, network: &Network) -> Self {
        let (n_in, n_out) = (network.forward[0].n_in(), network.forward[0].n_out());
        let [of_weights, of_feedback] = [&first.pattern.forward, &first.pattern.feedback]
            .map(|pattern| BlockAdjoint::new(&Block::new(pattern, n_out), n_in));
        Self { of_weights, of_feedback, errors: vec![NO_STEPS; n_in] }
    }

    /// Begins the block whose steps are `steps`, with V and, where errors go through B, U after it.
    pub(super) fn begin(
        &mut self,
        first: &FirstLayer,
        block: usize,
        steps: &[Step],
        v: &InputMajor,
        u: Option<&InputMajor>,
    ) {
        let backend = first.backend;
        let Steps { weights, feedback, through, of_weights, of_feedback, .. } = &first.blocks[block];
        self.errors.fill(NO_STEPS);
        self.of_weights.write_back(backend, of_weights, weights, v, through);
        let through_b = feedback.as_ref().zip(u).filter(|_| first.pattern.reads_pre_error());
        if let Some((feedback, u)) = through_b {
            self.of_feedback.write_back(backend, of_feedback, feedback, u, &[]);
        }
        for (s, step) in steps.iter().enumerate() {
            let saw = (s, Active::new(&step.lit, &step.intensity), &step.first.errors[..]);
            self.of_weights.seen_back(backend, of_weights, v, saw, &mut self.errors);
            if let Some((_, u)) = through_b {
                self.of_feedback.seen_back(backend, of_feedback, u, saw, &mut self.errors);
            }
        }
    }

    /// Takes the last step back that the block holds, but for its forward pass; to ē_1 and ȳ_1 is added.
    pub(super) fn learn_back(
        &mut self,
        first: &mut FirstLayer,
        block: usize,
        step: &Step,
        bar: Signals<'_>,
    ) -> SynapticRule {
        let backend = first.backend;
        let through_b = first.pattern.reads_pre_error();
        let Steps { weights, feedback, seen, of_weights, of_feedback, .. } = &mut first.blocks[block];
        let Signals { error: e_bar, activation: y_bar } = bar;
        let signals = [&step.e[1][..], &step.y[1][..]];
        let [of_w, of_b] = &step.first.shares;
        let mut rule = SynapticRule {
            forward: self.of_weights.push_back(backend, of_weights, signals, of_w, [&mut *e_bar, &mut *y_bar]),
            ..SynapticRule::default()
        };
        if !through_b {
            return rule;
        }
        let (matrix, block, adjoint) = match feedback {
            None => (&*weights, &*of_weights, &mut self.of_weights),
            Some(feedback) => {
                rule.feedback =
                    self.of_feedback.push_back(backend, of_feedback, signals, of_b, [&mut *e_bar, &mut *y_bar]);
                (&*feedback, &*of_feedback, &mut self.of_feedback)
            }
        };
        adjoint.propagate_back(
            backend,
            PropagateBack {
                block,
                weights: matrix,
                seen,
                rows: &step.lit,
                error: &step.e[1],
                mask: &step.mask,
                made: &step.first.propagated,
                errors: &mut self.errors,
                error_adjoint: e_bar,
            },
        );
        rule
    }

    /// The forward pass of that step taken back, from z̄_1.
    pub(super) fn forward_back(&mut self, first: &FirstLayer, block: usize, step: &Step, z: &[Lanes]) {
        let x = Active::new(&step.lit, &step.intensity);
        let block = &first.blocks[block].of_weights;
        self.of_weights.forward_back(first.backend, block, x, &step.first.forwarded, z, &mut self.errors);
    }

    /// V and U before the block, after all its steps were taken back.
    pub(super) fn end(
        &mut self,
        first: &FirstLayer,
        block: usize,
        n_steps: usize,
        v: &mut InputMajor,
        u: Option<&mut InputMajor>,
    ) {
        let Steps { seen, of_weights, of_feedback, .. } = &first.blocks[block];
        self.of_weights.apply(first.backend, of_weights, n_steps, seen, v);
        if let Some(u) = u.filter(|_| first.pattern.reads_pre_error()) {
            self.of_feedback.apply(first.backend, of_feedback, n_steps, seen, u);
        }
    }
}
