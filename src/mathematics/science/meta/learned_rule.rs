//! A rule whose coefficients change from episode to episode, ready to run and to be differentiated.

use crate::kernels::SynapticRule;
use crate::science::plasticity::Rule;

/// Terms, and the coefficients that they have now.
#[derive(Clone, Debug)]
pub(super) struct LearnedRule {
    terms: Rule,
    /// Not 0 where a term that takes part enters: one that is learned, or whose coefficient is not 0.
    pattern: SynapticRule,
    synaptic: SynapticRule,
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
        Self { terms: rule.clone(), pattern, synaptic: rule.with_coefficients(&initial) }
    }

    /// Takes the coefficients `theta`, in the order of the terms.
    pub(super) fn set(&mut self, theta: &[f64]) {
        self.synaptic = self.terms.with_coefficients(theta);
    }

    /// Factors of the signals.
    pub(super) fn synaptic(&self) -> &SynapticRule {
        &self.synaptic
    }

    /// Not 0 where a signal is read, whatever the coefficients.
    pub(super) fn pattern(&self) -> &SynapticRule {
        &self.pattern
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
