//! The terms of learning rules: each defined once, in [`Term::shipped`], everything else derived from its form.

use std::borrow::Cow;
use std::sync::Arc;

use super::equation::Equation;
use super::notation::{Notation, write_combination};
use super::signal::{Signal, Synapses, Wanted};
use crate::science::InvalidParameter;

/// A weighted sum of signals, such as y_{ℓ-1} − Wᵀ y_ℓ.
pub type Combination = Cow<'static, [(f64, Signal)]>;

/// The mathematical form of a term.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// left · rightᵀ.
    Outer {
        /// As long as the matrix has rows.
        left: Combination,
        /// As long as the matrix has columns.
        right: Combination,
    },
    /// Minus the matrix itself.
    Decay,
    /// An equation that a pipeline has written.
    Written(Arc<Equation>),
}

/// One named term of a learning rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The name by which a rule refers to it.
    pub name: Cow<'static, str>,
    /// The weights that it moves.
    pub synapses: Synapses,
    /// What it adds to them, times its coefficient.
    pub form: Form,
    /// What a brain would need for it: weight transport, non-local signals.
    pub plausibility: Cow<'static, str>,
}

pub(super) const fn outer(left: &'static [(f64, Signal)], right: &'static [(f64, Signal)]) -> Form {
    Form::Outer { left: Cow::Borrowed(left), right: Cow::Borrowed(right) }
}

pub(super) const fn term(name: &'static str, synapses: Synapses, form: Form, plausibility: &'static str) -> Term {
    Term { name: Cow::Borrowed(name), synapses, form, plausibility: Cow::Borrowed(plausibility) }
}

/// The terms of rule (9), and Hebb's.
static SHIPPED: &[Term] = {
    use Signal::*;
    use Synapses::*;
    &[
        term(
            "gradient",
            Forward,
            outer(&[(-1.0, PostError)], &[(1.0, PreActivation)]),
            "Local once e_ℓ is known. With symmetric feedback e_ℓ needs weight transport; with feedback weights of its \
             own it does not.",
        ),
        term(
            "error_hebb",
            Forward,
            outer(&[(1.0, PostError)], &[(1.0, PreError)]),
            "Local: the errors on both sides of the synapse.",
        ),
        term(
            "oja",
            Forward,
            outer(&[(1.0, PostActivation)], &[(1.0, PreActivation), (-1.0, Projection)]),
            "The subspace rule: Wᵀ y_ℓ sums over all neurons of layer ℓ, so it takes lateral or feedback connections that \
             carry the same weights (weight transport within the layer).",
        ),
        term("decay", Forward, Form::Decay, "Local: passive decay of the synapse."),
        term(
            "hebb",
            Forward,
            outer(&[(1.0, PostActivation)], &[(1.0, PreActivation)]),
            "Local: the activations on both sides. Unbounded without decay.",
        ),
        term(
            "feedback_hebb",
            Feedback,
            outer(&[(-1.0, PreActivation)], &[(1.0, PostError)]),
            "Local: what B joins, e_ℓ and y_{ℓ-1}. It moves B as the gradient term moves Wᵀ, which aligns them.",
        ),
        term("feedback_decay", Feedback, Form::Decay, "Local: passive decay of the synapse."),
    ]
};

impl Signal {
    /// Whether it belongs to layer ℓ − 1.
    pub(super) fn is_pre(self) -> bool {
        matches!(self, Signal::PreActivation | Signal::PreError | Signal::Projection)
    }

    fn extent(self) -> &'static str {
        if self.is_pre() { "n_{ℓ-1}" } else { "n_ℓ" }
    }
}

impl Synapses {
    /// (rows, columns).
    fn shape(self) -> (&'static str, &'static str) {
        match self {
            Synapses::Forward => ("n_ℓ", "n_{ℓ-1}"),
            Synapses::Feedback => ("n_{ℓ-1}", "n_ℓ"),
        }
    }
}

impl Term {
    /// The terms that the program knows by name.
    pub fn shipped() -> &'static [Term] {
        SHIPPED
    }

    /// The shipped term called `name`.
    ///
    /// # Errors
    /// If there is none; the message lists them.
    pub fn named(name: &str) -> Result<&'static Term, InvalidParameter> {
        SHIPPED.iter().find(|t| t.name == name).ok_or_else(|| {
            let names: Vec<_> = SHIPPED.iter().map(|t| format!("`{}`", t.name)).collect();
            InvalidParameter::new(format!("there is no plasticity term `{name}`; there are: {}", names.join(", ")))
        })
    }

    /// −y_ℓ e_{ℓ-1}ᵀ, what a gradient adds where W also carries signals back, as under equilibrium propagation.
    pub(crate) fn gradient_back() -> Term {
        use Signal::{PostActivation, PreError};
        let form = outer(&[(-1.0, PostActivation)], &[(1.0, PreError)]);
        term(
            "gradient_back",
            Synapses::Forward,
            form,
            "Local: the activation after the synapse and the error before it.",
        )
    }

    /// (sign, text without it).
    pub(super) fn written(&self, notation: Notation) -> (f64, String) {
        match &self.form {
            Form::Decay => (-1.0, notation.synapses(self.synapses).to_string()),
            Form::Written(equation) => equation.text(notation),
            Form::Outer { left, right } => {
                let ((s, left), (t, right)) = (write_combination(left, notation), write_combination(right, notation));
                (s * t, format!("{left} {right}{}", notation.transpose()))
            }
        }
    }

    /// The term in plain text, `-e_ℓ y_{ℓ-1}ᵀ`.
    pub fn equation(&self) -> String {
        self.alone(Notation::Plain)
    }

    fn alone(&self, notation: Notation) -> String {
        if let Form::Written(equation) = &self.form {
            return equation.alone(notation);
        }
        let (sign, text) = self.written(notation);
        if sign < 0.0 { format!("-{text}") } else { text }
    }

    /// What becomes of the values that its neurons remember, and the numbers that it names, a line each.
    pub fn definitions(&self) -> Vec<String> {
        match &self.form {
            Form::Written(equation) => equation.updates(Notation::Plain),
            _ => Vec::new(),
        }
    }

    /// The term in LaTeX.
    pub fn latex(&self) -> String {
        self.alone(Notation::Latex)
    }

    /// The shape of the matrix that it moves, such as `n_ℓ × n_{ℓ-1}`.
    pub fn shape(&self) -> String {
        let (rows, columns) = self.synapses.shape();
        format!("{rows} × {columns}")
    }

    /// The signals that it reads.
    pub fn signals(&self) -> Vec<Signal> {
        let mut signals = Vec::new();
        if let Form::Written(equation) = &self.form {
            return equation.signals();
        }
        if let Form::Outer { left, right } = &self.form {
            for &(_, signal) in left.iter().chain(right.iter()) {
                if !signals.contains(&signal) {
                    signals.push(signal);
                }
            }
        }
        signals
    }

    /// What it reads beyond [`Term::signals`].
    pub fn wants(&self) -> Vec<Wanted> {
        match &self.form {
            Form::Written(equation) => equation.wants(),
            _ => Vec::new(),
        }
    }

    /// The signals that it reads, in plain text; a decay reads none but the synapse itself.
    pub fn signals_in_words(&self) -> String {
        if let Form::Written(equation) = &self.form {
            return equation.reads();
        }
        match self.signals()[..] {
            [] => self.synapses.plain().to_owned(),
            ref signals => signals.iter().map(|signal| signal.plain()).collect::<Vec<_>>().join(", "),
        }
    }

    /// The matrix that it moves, `W_{ℓ-1,ℓ}` or `B_{ℓ,ℓ-1}`.
    pub fn matrix(&self) -> &'static str {
        self.synapses.plain()
    }

    /// Checks that the product has the shape of the matrix that it moves.
    pub(super) fn check(&self) -> Result<(), InvalidParameter> {
        let Form::Outer { left, right } = &self.form else { return Ok(()) };
        let extent = |side: &str, combination: &[(f64, Signal)]| -> Result<&'static str, InvalidParameter> {
            let Some(&(_, first)) = combination.first() else {
                return Err(InvalidParameter::new(format!("term `{}`: its {side} factor is empty", self.name)));
            };
            if let Some(&(c, _)) = combination.iter().find(|(c, _)| !c.is_finite()) {
                return Err(InvalidParameter::new(format!("term `{}`: {c} is not a finite factor", self.name)));
            }
            match combination.iter().find(|(_, s)| s.is_pre() != first.is_pre()) {
                None => Ok(first.extent()),
                Some(&(_, other)) => Err(InvalidParameter::new(format!(
                    "term `{}`: {} has length {}, it cannot be added to {} of length {}",
                    self.name,
                    other.plain(),
                    other.extent(),
                    first.plain(),
                    first.extent()
                ))),
            }
        };
        let found = (extent("left", left)?, extent("right", right)?);
        if found == self.synapses.shape() {
            return Ok(());
        }
        Err(InvalidParameter::new(format!(
            "term `{}`: {} is {} × {}, but {} is {}",
            self.name,
            self.equation(),
            found.0,
            found.1,
            self.synapses.plain(),
            self.shape()
        )))
    }
}
