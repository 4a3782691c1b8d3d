//! A rule whose coefficients change from episode to episode, ready to run and to be differentiated.

use crate::kernels::{PreFactor, RowRule, SynapticRule};
use crate::science::plasticity::Rule;

/// Terms, and the coefficients that they have now.
#[derive(Clone, Debug)]
pub(super) struct LearnedRule {
    terms: Rule,
    /// Not 0 where a term that takes part enters: one that is learned, or whose coefficient is not 0.
    pattern: SynapticRule,
    /// The same of a silent pixel's row, which sees no signal but Wᵀ y.
    pattern_of_silence: SynapticRule,
    synaptic: SynapticRule,
    of_silence: SynapticRule,
    /// (1 − λ)ⁿ of W and of B, for n = 0 … number of steps.
    powers: [Vec<f32>; 2],
}

impl LearnedRule {
    /// The terms of `rule` with its coefficients; `learned` are those that may change, in the order of the terms.
    ///
    /// # Panics
    /// If the rule has coefficients for each layer.
    pub(super) fn new(rule: &Rule, learned: &[bool]) -> Self {
        let initial = initial(rule);
        let takes_part: Vec<bool> = learned.iter().zip(&initial).map(|(learned, c)| *learned || *c != 0.0).collect();
        let pattern = rule.pattern(&takes_part);
        let mut new = Self {
            terms: rule.clone(),
            pattern,
            pattern_of_silence: silenced(&pattern),
            synaptic: SynapticRule::default(),
            of_silence: SynapticRule::default(),
            powers: Default::default(),
        };
        new.set(&initial, 0);
        new
    }

    /// Takes the coefficients `theta`, in the order of the terms, for a loop of `n_steps`.
    pub(super) fn set(&mut self, theta: &[f64], n_steps: usize) {
        self.synaptic = self.terms.with_coefficients(theta);
        self.of_silence = silenced(&self.synaptic);
        self.powers = [self.synaptic.forward, self.synaptic.feedback].map(|rule| {
            let powers = std::iter::successors(Some(1.0_f32), |&power| Some(power * (1.0 - rule.decay)));
            powers.take(n_steps + 1).collect()
        });
    }

    /// Factors of the signals.
    pub(super) fn synaptic(&self) -> &SynapticRule {
        &self.synaptic
    }

    /// What of them is left for a silent pixel.
    pub(super) fn of_silence(&self) -> &SynapticRule {
        &self.of_silence
    }

    /// Not 0 where a signal is read, whatever the coefficients.
    pub(super) fn pattern(&self) -> &SynapticRule {
        &self.pattern
    }

    /// What of it is left for a silent pixel.
    pub(super) fn pattern_of_silence(&self) -> &SynapticRule {
        &self.pattern_of_silence
    }

    /// What `steps` steps of decay leave of a weight: of W for `which` = 0, of B for 1.
    pub(super) fn kept(&self, which: usize, steps: u32) -> f32 {
        self.powers[which][steps as usize]
    }

    /// Number of terms.
    pub(super) fn n_terms(&self) -> usize {
        self.terms.terms().len()
    }

    /// Adds the derivatives with respect to the coefficients, in the order of the terms.
    pub(super) fn add_derivatives(&self, adjoint: SynapticRule, sums: &mut [f64]) {
        self.terms.add_derivatives(adjoint, sums);
    }
}

/// The coefficients of a rule that has one for all layers, in the order of its terms.
pub(super) fn initial(rule: &Rule) -> Vec<f64> {
    rule.terms().iter().map(|(_, coefficient)| coefficient.at(1)).collect()
}

/// W under the terms that read Wᵀ y, and its decay.
fn silenced(rule: &SynapticRule) -> SynapticRule {
    let only_projection = |factor: PreFactor| PreFactor { projection: factor.projection, ..PreFactor::default() };
    let RowRule { by_error, by_activation, decay } = rule.forward;
    SynapticRule {
        forward: RowRule { by_error: only_projection(by_error), by_activation: only_projection(by_activation), decay },
        feedback: RowRule::default(),
    }
}
