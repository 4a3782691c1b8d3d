//! Learning rules as data: a rule is a set of named terms with coefficients.
//!
//! One [`Term`] in [`Term::shipped`] defines everything that is known about a term: its name, the matrix it moves, its
//! mathematical form, and how plausible it is in a brain. Equations, shapes, the signals that it reads and the update are
//! derived from the form, so they cannot disagree. A shipped form is a product of local signals, bilinear, so its derivative with
//! respect to any signal is the product rule, and with respect to its coefficient the term itself. A pipeline writes others as
//! equations (`equation`, `docs/rules.md`); those that are sums of such products are carried out as they are.

mod equation;
mod notation;
mod signal;
mod term;

use std::sync::Arc;

#[doc(hidden)]
pub use equation::probes;
pub use equation::{Equation, Fault as EquationFault, Part, Written, WrittenState};
pub(in crate::science) use notation::Notation;
pub use signal::{Signal, Synapses, Wanted};
pub use term::{Combination, Form, Term};

use super::InvalidParameter;
use crate::kernels::{PreFactor, RowRule, SynapticRule};

/// How strong a term is.
#[derive(Clone, Debug, PartialEq)]
pub enum Coefficient {
    /// The same in every layer.
    Uniform(f64),
    /// One for each of the layers 1 … L.
    PerLayer(Vec<f64>),
}

impl Coefficient {
    /// The coefficient of `layer`, 1 … L.
    pub fn at(&self, layer: usize) -> f64 {
        match self {
            Coefficient::Uniform(c) => *c,
            Coefficient::PerLayer(c) => c[layer - 1],
        }
    }

    pub(crate) fn values(&self) -> &[f64] {
        match self {
            Coefficient::Uniform(c) => std::slice::from_ref(c),
            Coefficient::PerLayer(c) => c,
        }
    }
}

/// A learning rule: ΔW and ΔB as sums of terms, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    terms: Vec<(Term, Coefficient)>,
}

impl Rule {
    /// Shipped terms by name.
    ///
    /// # Errors
    /// If a name is unknown or given twice, or a coefficient is not finite.
    pub fn new(terms: &[(&str, Coefficient)]) -> Result<Self, InvalidParameter> {
        Self::with_terms(
            terms
                .iter()
                .map(|(name, coefficient)| Ok((Term::named(name)?.clone(), coefficient.clone())))
                .collect::<Result<_, InvalidParameter>>()?,
        )
    }

    /// Any terms, made-up ones included.
    ///
    /// # Errors
    /// If a term's product has not the shape of its matrix, a name is given twice, or a coefficient is not finite.
    pub fn with_terms(terms: Vec<(Term, Coefficient)>) -> Result<Self, InvalidParameter> {
        for (k, (term, coefficient)) in terms.iter().enumerate() {
            term.check()?;
            if terms[..k].iter().any(|(earlier, _)| earlier.name == term.name) {
                return Err(InvalidParameter::new(format!("term `{}` is given twice", term.name)));
            }
            if let Some(c) = coefficient.values().iter().find(|c| !c.is_finite() || !(**c as f32).is_finite()) {
                return Err(InvalidParameter::new(format!("term `{}`: {c} is not a finite coefficient", term.name)));
            }
        }
        Ok(Self { terms })
    }

    /// The terms with their coefficients, as given.
    pub fn terms(&self) -> &[(Term, Coefficient)] {
        &self.terms
    }

    /// The coefficient of the term called `name` in `layer`, 0 where the rule has no such term.
    pub fn coefficient(&self, name: &str, layer: usize) -> f64 {
        self.terms.iter().find(|(t, _)| t.name == name).map_or(0.0, |(_, c)| c.at(layer))
    }

    /// The terms that the kernels of shipped terms do not carry out, with their coefficients.
    pub(crate) fn evaluated(&self) -> impl Iterator<Item = (&Term, &Arc<Equation>, &Coefficient)> {
        self.terms.iter().filter_map(|(term, coefficient)| match &term.form {
            Form::Written(equation) if equation.products().is_none() => Some((term, equation, coefficient)),
            _ => None,
        })
    }

    /// Whether a term reads e_{ℓ-1} in layer ℓ.
    pub(crate) fn reads_pre_error(&self, layer: usize) -> bool {
        let reads = |(term, coefficient): &(Term, Coefficient)| {
            coefficient.at(layer) != 0.0 && term.signals().contains(&Signal::PreError)
        };
        self.terms.iter().any(reads)
    }

    /// ΔW, and ΔB where it moves, as actually run, one per line.
    pub fn equation(&self) -> String {
        self.written(Notation::Plain).join("\n")
    }

    /// As [`Rule::equation`], in LaTeX, one equation an entry.
    pub fn latex(&self) -> Vec<String> {
        self.written(Notation::Latex)
    }

    fn written(&self, notation: Notation) -> Vec<String> {
        let mut lines = Vec::new();
        for synapses in [Synapses::Forward, Synapses::Feedback] {
            let sum = self.sum(synapses, notation);
            if synapses == Synapses::Feedback && sum.is_empty() {
                continue;
            }
            let sum = if sum.is_empty() { "0" } else { &sum };
            lines.push(format!("{} = {sum}", notation.change(synapses)));
        }
        lines.extend(self.updates(notation));
        lines
    }

    /// What its terms add to these synapses; empty where none does.
    pub(in crate::science) fn sum(&self, synapses: Synapses, notation: Notation) -> String {
        let mut sum = String::new();
        for (term, coefficient) in self.terms.iter().filter(|(t, _)| t.synapses == synapses) {
            let (mut sign, text) = term.written(notation);
            let factor = match coefficient {
                Coefficient::Uniform(c) => {
                    sign *= if *c < 0.0 { -1.0 } else { 1.0 };
                    c.abs().to_string()
                }
                Coefficient::PerLayer(c) => {
                    let values: Vec<_> = c.iter().map(f64::to_string).collect();
                    let layer = match notation {
                        Notation::Plain => "ℓ",
                        Notation::Latex => r"\ell",
                    };
                    format!("({})_{layer}", values.join(", "))
                }
            };
            sum.push_str(match (sum.is_empty(), sign < 0.0) {
                (true, false) => "",
                (true, true) => "-",
                (false, false) => " + ",
                (false, true) => " - ",
            });
            sum.push_str(&format!("{factor} {text}"));
        }
        sum
    }

    /// What becomes of the values that neurons of its terms remember, and the numbers that they name, one per line.
    pub(in crate::science) fn updates(&self, notation: Notation) -> Vec<String> {
        let written = self.terms.iter().filter_map(|(term, _)| match &term.form {
            Form::Written(equation) => Some(equation.updates(notation)),
            _ => None,
        });
        written.flatten().collect()
    }

    /// Checks the number of coefficients against a network of `n_layers` layers.
    ///
    /// # Errors
    /// A term that has one coefficient per layer has not one for each.
    pub fn check_layers(&self, n_layers: usize) -> Result<(), InvalidParameter> {
        for (term, coefficient) in &self.terms {
            if let Coefficient::PerLayer(values) = coefficient
                && values.len() != n_layers
            {
                return Err(InvalidParameter::new(format!(
                    "term `{}`: {} coefficients given, one for each of the {n_layers} layers needed",
                    term.name,
                    values.len()
                )));
            }
        }
        Ok(())
    }

    /// The rule of one layer as the kernels take it: factors of e_ℓ and of y_ℓ, summed over terms.
    pub(crate) fn of_layer(&self, layer: usize) -> SynapticRule {
        let coefficients: Vec<f64> = self.terms.iter().map(|(_, coefficient)| coefficient.at(layer)).collect();
        self.with_coefficients(&coefficients)
    }

    /// As [`Rule::of_layer`] with other coefficients, in the order of the terms.
    pub(crate) fn with_coefficients(&self, coefficients: &[f64]) -> SynapticRule {
        let mut rule = SynapticRule::default();
        for ((term, _), c) in self.terms.iter().zip(coefficients) {
            term.for_each_product(&mut rule, |slot, a, b| *slot += (c * a * b) as f32);
        }
        rule
    }

    /// What a rule of the terms that `takes_part` reads: 1 where some term enters, whatever the coefficients.
    pub(crate) fn pattern(&self, takes_part: &[bool]) -> SynapticRule {
        let mut pattern = SynapticRule::default();
        for ((term, _), _) in self.terms.iter().zip(takes_part).filter(|(_, takes_part)| **takes_part) {
            term.for_each_product(&mut pattern, |slot, a, b| {
                if a * b != 0.0 {
                    *slot = 1.0;
                }
            });
        }
        pattern
    }

    /// Adds to `sums` (in the order of the terms) the derivative with respect to each coefficient, from those with respect
    /// to what [`Rule::with_coefficients`] makes of them: that is linear in the coefficients, and this is its transpose.
    pub(crate) fn add_derivatives(&self, mut adjoint: SynapticRule, sums: &mut [f64]) {
        for ((term, _), sum) in self.terms.iter().zip(sums) {
            term.for_each_product(&mut adjoint, |slot, a, b| *sum += a * b * f64::from(*slot));
        }
    }
}

impl Term {
    /// The products that the term is a sum of; none if it is no such sum.
    pub(crate) fn products(&self) -> Option<SumOfProducts<'_>> {
        match &self.form {
            Form::Outer { left, right } => Some(SumOfProducts { outer: vec![(left, right)], decay: 0.0 }),
            Form::Decay => Some(SumOfProducts { outer: Vec::new(), decay: 1.0 }),
            Form::Written(equation) => equation.products().map(|products| SumOfProducts {
                outer: products.outer.iter().map(|(left, right)| (&left[..], &right[..])).collect(),
                decay: products.decay,
            }),
        }
    }

    /// Visits, for each product a s · b t of two signals that the term is a sum of, where it enters a rule, a and b.
    fn for_each_product(&self, rule: &mut SynapticRule, mut visit: impl FnMut(&mut f32, f64, f64)) {
        let row = match self.synapses {
            Synapses::Forward => &mut rule.forward,
            Synapses::Feedback => &mut rule.feedback,
        };
        let Some(products) = self.products() else { return };
        for (post, pre) in products.by_side(self.synapses) {
            for &(a, post) in post {
                for &(b, pre) in pre {
                    visit(slot(row, post, pre), a, b);
                }
            }
        }
        if products.decay != 0.0 {
            visit(&mut row.decay, products.decay, 1.0);
        }
    }
}

/// A weighted sum of signals of one side.
type Weighted<'a> = &'a [(f64, Signal)];

/// Σ_k left_k right_kᵀ − decay · the matrix that moves.
pub(crate) struct SumOfProducts<'a> {
    /// Of the rows and the columns of that matrix.
    outer: Vec<(Weighted<'a>, Weighted<'a>)>,
    pub decay: f64,
}

impl<'a> SumOfProducts<'a> {
    /// Of each product the factor of layer ℓ and that of layer ℓ − 1.
    pub(crate) fn by_side(&self, synapses: Synapses) -> impl Iterator<Item = (Weighted<'a>, Weighted<'a>)> {
        self.outer.iter().map(move |&(left, right)| match synapses {
            Synapses::Forward => (left, right),
            Synapses::Feedback => (right, left),
        })
    }
}

/// Where the product of two signals enters a row's update.
fn slot(row: &mut RowRule, post: Signal, pre: Signal) -> &mut f32 {
    let factor: &mut PreFactor = match post {
        Signal::PostError => &mut row.by_error,
        Signal::PostActivation => &mut row.by_activation,
        _ => unreachable!("a checked term has a postsynaptic factor"),
    };
    match pre {
        Signal::PreActivation => &mut factor.activation,
        Signal::PreError => &mut factor.error,
        Signal::Projection => &mut factor.projection,
        _ => unreachable!("a checked term has a presynaptic factor"),
    }
}

#[cfg(test)]
mod tests {
    use super::term::{outer, term};
    use super::*;

    #[test]
    fn rule_nine_reads_as_in_the_paper() {
        let rule = Rule::new(&[
            ("gradient", Coefficient::Uniform(0.01)),
            ("error_hebb", Coefficient::Uniform(-0.5)),
            ("oja", Coefficient::Uniform(1e-3)),
            ("decay", Coefficient::PerLayer(vec![0.1, 0.2])),
            ("feedback_hebb", Coefficient::Uniform(0.25)),
            ("feedback_decay", Coefficient::Uniform(2.0)),
        ])
        .unwrap();
        assert_eq!(
            rule.equation(),
            "ΔW_{ℓ-1,ℓ} = -0.01 e_ℓ y_{ℓ-1}ᵀ - 0.5 e_ℓ e_{ℓ-1}ᵀ + 0.001 y_ℓ (y_{ℓ-1} - W_{ℓ-1,ℓ}ᵀ y_ℓ)ᵀ \
             - (0.1, 0.2)_ℓ W_{ℓ-1,ℓ}\n\
             ΔB_{ℓ,ℓ-1} = -0.25 y_{ℓ-1} e_ℓᵀ - 2 B_{ℓ,ℓ-1}"
        );
        assert!(rule.latex()[0].ends_with(r"- (0.1, 0.2)_\ell \mathbf{W}_{\ell-1,\ell}"), "{:?}", rule.latex());
        assert!(rule.check_layers(2).is_ok() && rule.check_layers(5).is_err());
        assert_eq!(
            Term::named("oja").unwrap().latex(),
            r"\mathbf{y}_\ell (\mathbf{y}_{\ell-1} - \mathbf{W}_{\ell-1,\ell}^T \mathbf{y}_\ell)^T"
        );
    }

    #[test]
    fn unknown_doubled_and_infinite_are_refused() {
        let message = |terms: &[(&str, Coefficient)]| Rule::new(terms).unwrap_err().to_string();
        let one = Coefficient::Uniform(1.0);
        assert!(
            message(&[("ojaa", one.clone())]).contains("there is no plasticity term `ojaa`; there are: `gradient`")
        );
        assert!(message(&[("oja", one.clone()), ("oja", one)]).contains("`oja` is given twice"));
        assert!(message(&[("oja", Coefficient::Uniform(f64::NAN))]).contains("not a finite coefficient"));
        assert!(message(&[("oja", Coefficient::Uniform(1e300))]).contains("not a finite coefficient"));
    }

    #[test]
    fn the_feedback_term_as_printed_has_the_wrong_shape() {
        let printed = term(
            "printed",
            Synapses::Feedback,
            outer(&[(-1.0, Signal::PostActivation)], &[(1.0, Signal::PreError)]),
            "",
        );
        let error = Rule::with_terms(vec![(printed, Coefficient::Uniform(1.0))]).unwrap_err();
        assert_eq!(error.to_string(), "term `printed`: -y_ℓ e_{ℓ-1}ᵀ is n_ℓ × n_{ℓ-1}, but B_{ℓ,ℓ-1} is n_{ℓ-1} × n_ℓ");
    }

    #[test]
    fn signals_of_different_layers_do_not_add() {
        let mixed = term(
            "mixed",
            Synapses::Forward,
            outer(&[(1.0, Signal::PostError), (1.0, Signal::PreError)], &[(1.0, Signal::PreActivation)]),
            "",
        );
        let error = Rule::with_terms(vec![(mixed, Coefficient::Uniform(1.0))]).unwrap_err().to_string();
        assert!(error.contains("e_{ℓ-1} has length n_{ℓ-1}, it cannot be added to e_ℓ of length n_ℓ"), "{error}");
    }
}
