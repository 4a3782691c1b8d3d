//! One step of online learning: signals, errors, then every term from the weights as they were; and back.

use super::chain;
use super::elementwise::sign;
use super::errors::Pathway;
use super::matrix::Matrix;
use super::mirror;
use super::program::{LayerTerm, Site, SiteAdjoints};
use super::rows::Values;
use super::signals::{Adjoints, Signals};
use super::state::State;
use crate::kernels::program::Seen;
use crate::science::feedback::{Feedback, OwnWeights};
use crate::science::network::Architecture;
use crate::science::plasticity::{Rule, Synapses, Term};

/// A network, and the terms that move its weights.
#[derive(Clone, Debug)]
pub(super) struct Learning {
    pub pathway: Pathway,
    /// For each term that takes part, what it moves and where its coefficient stands among the rule's.
    parts: Vec<(Synapses, usize)>,
    /// They, of layer ℓ at ℓ − 1.
    pub terms: Vec<Vec<LayerTerm>>,
}

/// What a step leaves behind beside the weights before it.
#[derive(Clone, Debug, Default)]
pub(super) struct Tape {
    pub signals: Signals,
    /// Of each term of layer ℓ at ℓ − 1.
    values: Vec<Vec<Values>>,
}

impl Learning {
    /// `learned` are the terms of `rule` whose coefficients change; one that is 0 and does not change takes no part.
    pub(super) fn new(architecture: &Architecture, feedback: Feedback, rule: &Rule, learned: &[bool]) -> Self {
        let takes_part = |k: &usize| learned[*k] || rule.terms()[*k].1.at(1) != 0.0;
        let own = (0..rule.terms().len()).filter(takes_part).map(|k| (&rule.terms()[k].0, k));
        // Those that follow another have its coefficient.
        let following = feedback.followers().iter().filter_map(|(follower, leader)| {
            let leader = rule.terms().iter().position(|(term, _)| term.name == *leader)?;
            Some((Term::named(follower).expect("a shipped term"), leader))
        });
        let parts: Vec<(&Term, usize)> = own.chain(following).collect();
        let sizes = architecture.sizes();
        let of_layer = |layer: usize| -> Vec<LayerTerm> {
            let sizes = [sizes[layer - 1], sizes[layer]];
            let is_symmetric = feedback == Feedback::Symmetric;
            parts.iter().map(|(term, _)| LayerTerm::new(term, layer, sizes, is_symmetric)).collect()
        };
        let terms: Vec<Vec<LayerTerm>> = (1..=architecture.n_layers()).map(of_layer).collect();
        let reads_image_error = terms[0].iter().any(|term| term.reads(Seen::PreError));
        Self {
            pathway: Pathway { architecture: architecture.clone(), feedback, reads_image_error },
            parts: parts.iter().map(|(term, at)| (term.synapses, *at)).collect(),
            terms,
        }
    }

    /// Whether somebody reads the noise of neurons.
    pub(super) fn reads_noise(&self) -> bool {
        let reads = |term: &LayerTerm| term.reads(Seen::Noise);
        matches!(self.pathway.feedback, Feedback::Broadcast { .. }) || self.terms[0].iter().any(reads)
    }

    /// The first layer whose B takes part in phases of noise.
    pub(super) fn lowest_mirrored(&self) -> usize {
        if self.pathway.reads_image_error { 1 } else { 2 }
    }

    /// What errors go through: B, or W itself in place of Wᵀ.
    fn through<'a>(&self, state: &'a State) -> &'a [Matrix] {
        if state.b.is_empty() { &state.w } else { &state.b }
    }

    /// B of a layer, where it is one that terms can read.
    fn b<'a>(&self, state: &'a State, layer: usize) -> Option<&'a Matrix> {
        match self.pathway.feedback.own_weights() {
            OwnWeights::LikeTransposed => state.b.get(layer - 1),
            _ => None,
        }
    }

    /// A phase of noise, of the layers that have any.
    pub(super) fn phase(&self, state: &mut State, noise: &[Vec<Vec<f64>>]) {
        let Feedback::WeightMirror(settings) = &self.pathway.feedback else { return };
        for layer in self.lowest_mirrored()..=state.w.len() {
            let State { w, b, .. } = state;
            let (w, b) = (&w[layer - 1], &mut b[layer - 1]);
            mirror::phase(&self.pathway.architecture, settings, layer, w, b, &noise[layer - 1]);
        }
    }

    /// V and U before that phase.
    pub(super) fn phase_back(&self, state: &State, noise: &[Vec<Vec<f64>>], adjoint: &mut State) {
        let Feedback::WeightMirror(settings) = &self.pathway.feedback else { return };
        for layer in self.lowest_mirrored()..=state.w.len() {
            let State { w: v, b: u, .. } = adjoint;
            let bars = [&mut v[layer - 1], &mut u[layer - 1]];
            let w = &state.w[layer - 1];
            mirror::phase_back(&self.pathway.architecture, settings, layer, w, bars, &noise[layer - 1]);
        }
    }

    /// The state after a sample, whose y_0, label and noise `tape` has.
    pub(super) fn step(&self, theta: &[f64], before: &State, after: &mut State, tape: &mut Tape) {
        let Tape { signals, values } = tape;
        chain::forward(&self.pathway.architecture, &before.w, signals);
        self.pathway.errors(&before.w, self.through(before), signals);
        after.copy_from(before);
        values.clear();
        for (layer, terms) in (1..).zip(&self.terms) {
            let mut of_layer = Vec::with_capacity(terms.len());
            for ((term, &(synapses, at)), k) in terms.iter().zip(&self.parts).zip(0..) {
                let site = self.site(before, signals, layer, k);
                let values = term.values(site);
                let target = match synapses {
                    Synapses::Forward => &mut after.w[layer - 1],
                    Synapses::Feedback => &mut after.b[layer - 1],
                };
                term.learn(theta[at], &values, site, target);
                after.memory[layer - 1][k] = term.remember(&values);
                of_layer.push(values);
            }
            values.push(of_layer);
        }
        self.follow_signs(after);
    }

    fn site<'a>(&self, state: &'a State, signals: &'a Signals, layer: usize, term: usize) -> Site<'a> {
        let (w, memory) = (&state.w[layer - 1], &state.memory[layer - 1][term]);
        Site { w, b: self.b(state, layer), signals, memory }
    }

    /// Where B has the signs of Wᵀ, gives it those that it has now.
    fn follow_signs(&self, state: &mut State) {
        let Feedback::SignSymmetric { scale } = self.pathway.feedback else { return };
        for (w, b) in state.w.iter().zip(&mut state.b) {
            let size = scale * libm::sqrt(2.0 / (w.n_pre() + w.n_post()) as f64);
            b.values_mut().iter_mut().zip(w.values()).for_each(|(b, w)| *b = size * sign(*w));
        }
    }

    /// Takes the adjoint of the state after a step to that of the state before it, and adds to dL/dθ. `room` is overwritten.
    pub(super) fn step_back(
        &self,
        theta: &[f64],
        before: &State,
        Tape { signals, values }: &Tape,
        adjoint: &mut State,
        room: &mut State,
        of_theta: &mut [f64],
    ) {
        // Terms are to see V and U after the step while those before it are made.
        room.copy_from(adjoint);
        let after = &*room;
        adjoint.memory.iter_mut().flatten().flatten().for_each(|values| values.fill(0.0));
        let mut bar = Adjoints::zeros(self.pathway.architecture.sizes());
        // B that no term moves does not depend on coefficients, and that of the signs of W jumps.
        let has_u = self.pathway.feedback.is_plastic();
        for (layer, terms) in (1..).zip(&self.terms) {
            for ((term, &(synapses, at)), k) in terms.iter().zip(&self.parts).zip(0..) {
                let State { w: v, b: u, memory } = &mut *adjoint;
                let mut to = SiteAdjoints {
                    w: &mut v[layer - 1],
                    b: u.get_mut(layer - 1).filter(|_| has_u),
                    signals: &mut bar,
                    memory: &mut memory[layer - 1][k],
                };
                let moved = match synapses {
                    Synapses::Forward => &after.w[layer - 1],
                    Synapses::Feedback => &after.b[layer - 1],
                };
                let (values, remembered) = (&values[layer - 1][k], &after.memory[layer - 1][k]);
                let site = self.site(before, signals, layer, k);
                of_theta[at] += term.back(theta[at], values, site, moved, remembered, &mut to);
            }
        }
        let State { w: v, b: u, .. } = adjoint;
        let u = has_u.then_some(&mut u[..]);
        self.pathway.errors_back(&before.w, self.through(before), signals, &mut bar, v, u);
        chain::forward_back(&self.pathway.architecture, &before.w, signals, &mut bar, v);
    }
}
