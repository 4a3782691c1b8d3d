//! Learning rules as data: a rule is a set of named terms with coefficients.
//!
//! One [`Term`] in [`Term::shipped`] defines everything that is known about a term: its name, the matrix it moves, its
//! mathematical form, and how plausible it is in a brain. Equations, shapes, the signals that it reads and the update are
//! derived from the form, so they cannot disagree. A form is a product of local signals, bilinear, so its derivative with
//! respect to any signal is the product rule, and with respect to its coefficient the term itself.

use std::borrow::Cow;

use super::InvalidParameter;
use crate::kernels::{PreFactor, RowRule, SynapticRule};

/// The weights that a term moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synapses {
    /// W_{ℓ-1,ℓ} (n_ℓ × n_{ℓ-1}).
    Forward,
    /// B_{ℓ,ℓ-1} (n_{ℓ-1} × n_ℓ).
    Feedback,
}

/// A vector that the synapses between layers ℓ − 1 and ℓ can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// y_{ℓ-1} (n_{ℓ-1}).
    PreActivation,
    /// e_{ℓ-1} (n_{ℓ-1}); for the input e_0 = (B_{1,0} e_1) ⊙ (1 − e^{−βx}) with softplus, B_{1,0} e_1 otherwise.
    PreError,
    /// W_{ℓ-1,ℓ}ᵀ y_ℓ (n_{ℓ-1}), what layer ℓ would reconstruct of layer ℓ − 1.
    Projection,
    /// y_ℓ (n_ℓ), the softmax at the output.
    PostActivation,
    /// e_ℓ (n_ℓ).
    PostError,
}

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

const fn outer(left: &'static [(f64, Signal)], right: &'static [(f64, Signal)]) -> Form {
    Form::Outer { left: Cow::Borrowed(left), right: Cow::Borrowed(right) }
}

const fn term(name: &'static str, synapses: Synapses, form: Form, plausibility: &'static str) -> Term {
    Term { name: Cow::Borrowed(name), synapses, form, plausibility: Cow::Borrowed(plausibility) }
}

/// The terms of rule (9), and Hebb's.
static SHIPPED: [Term; 7] = {
    use Signal::*;
    use Synapses::*;
    [
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
    fn is_pre(self) -> bool {
        matches!(self, Signal::PreActivation | Signal::PreError | Signal::Projection)
    }

    fn extent(self) -> &'static str {
        if self.is_pre() { "n_{ℓ-1}" } else { "n_ℓ" }
    }

    fn plain(self) -> &'static str {
        match self {
            Signal::PreActivation => "y_{ℓ-1}",
            Signal::PreError => "e_{ℓ-1}",
            Signal::Projection => "W_{ℓ-1,ℓ}ᵀ y_ℓ",
            Signal::PostActivation => "y_ℓ",
            Signal::PostError => "e_ℓ",
        }
    }

    fn latex(self) -> &'static str {
        match self {
            Signal::PreActivation => r"\mathbf{y}_{\ell-1}",
            Signal::PreError => r"\mathbf{e}_{\ell-1}",
            Signal::Projection => r"\mathbf{W}_{\ell-1,\ell}^T \mathbf{y}_\ell",
            Signal::PostActivation => r"\mathbf{y}_\ell",
            Signal::PostError => r"\mathbf{e}_\ell",
        }
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

    fn plain(self) -> &'static str {
        match self {
            Synapses::Forward => "W_{ℓ-1,ℓ}",
            Synapses::Feedback => "B_{ℓ,ℓ-1}",
        }
    }

    fn latex(self) -> &'static str {
        match self {
            Synapses::Forward => r"\mathbf{W}_{\ell-1,\ell}",
            Synapses::Feedback => r"\mathbf{B}_{\ell,\ell-1}",
        }
    }
}

/// How an equation is written.
#[derive(Clone, Copy)]
enum Notation {
    Plain,
    Latex,
}

impl Notation {
    fn signal(self, signal: Signal) -> &'static str {
        match self {
            Notation::Plain => signal.plain(),
            Notation::Latex => signal.latex(),
        }
    }

    fn synapses(self, synapses: Synapses) -> &'static str {
        match self {
            Notation::Plain => synapses.plain(),
            Notation::Latex => synapses.latex(),
        }
    }

    fn transpose(self) -> &'static str {
        match self {
            Notation::Plain => "ᵀ",
            Notation::Latex => "^T",
        }
    }
}

/// The sign to take out of a sum, and the sum without it, in parentheses if it has several parts.
fn write_combination(combination: &[(f64, Signal)], notation: Notation) -> (f64, String) {
    let sign = if combination.first().is_some_and(|&(c, _)| c < 0.0) { -1.0 } else { 1.0 };
    let mut text = String::new();
    for (k, &(coefficient, signal)) in combination.iter().enumerate() {
        let coefficient = sign * coefficient;
        if k > 0 {
            text.push_str(if coefficient < 0.0 { " - " } else { " + " });
        }
        if coefficient.abs() != 1.0 {
            text.push_str(&format!("{} ", coefficient.abs()));
        }
        text.push_str(notation.signal(signal));
    }
    // A product followed by a transpose needs the parentheses too.
    let compound = combination.len() > 1 || combination.iter().any(|&(_, s)| s == Signal::Projection);
    (sign, if compound { format!("({text})") } else { text })
}

impl Term {
    /// The terms that the program knows by name.
    pub fn shipped() -> &'static [Term] {
        &SHIPPED
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

    /// (sign, text without it).
    fn written(&self, notation: Notation) -> (f64, String) {
        match &self.form {
            Form::Decay => (-1.0, notation.synapses(self.synapses).to_string()),
            Form::Outer { left, right } => {
                let ((s, left), (t, right)) = (write_combination(left, notation), write_combination(right, notation));
                (s * t, format!("{left} {right}{}", notation.transpose()))
            }
        }
    }

    /// The term in plain text, `-e_ℓ y_{ℓ-1}ᵀ`.
    pub fn equation(&self) -> String {
        let (sign, text) = self.written(Notation::Plain);
        if sign < 0.0 { format!("-{text}") } else { text }
    }

    /// The term in LaTeX.
    pub fn latex(&self) -> String {
        let (sign, text) = self.written(Notation::Latex);
        if sign < 0.0 { format!("-{text}") } else { text }
    }

    /// The shape of the matrix that it moves, such as `n_ℓ × n_{ℓ-1}`.
    pub fn shape(&self) -> String {
        let (rows, columns) = self.synapses.shape();
        format!("{rows} × {columns}")
    }

    /// The signals that it reads.
    pub fn signals(&self) -> Vec<Signal> {
        let mut signals = Vec::new();
        if let Form::Outer { left, right } = &self.form {
            for &(_, signal) in left.iter().chain(right.iter()) {
                if !signals.contains(&signal) {
                    signals.push(signal);
                }
            }
        }
        signals
    }

    /// Checks that the product has the shape of the matrix that it moves.
    fn check(&self) -> Result<(), InvalidParameter> {
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

    fn values(&self) -> &[f64] {
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

    /// Whether a term moves the feedback weights.
    pub fn moves_feedback(&self) -> bool {
        self.terms.iter().any(|(term, _)| term.synapses == Synapses::Feedback)
    }

    /// ΔW, and ΔB where it moves, as actually run, one a line.
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
                        format!("({})_ℓ", values.join(", "))
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
            if synapses == Synapses::Feedback && sum.is_empty() {
                continue;
            }
            let delta = match notation {
                Notation::Plain => "Δ",
                Notation::Latex => r"\Delta ",
            };
            let sum = if sum.is_empty() { "0" } else { &sum };
            lines.push(format!("{delta}{} = {sum}", notation.synapses(synapses)));
        }
        lines
    }

    /// Checks the number of coefficients against a network of `n_layers` layers.
    pub(crate) fn check_layers(&self, n_layers: usize) -> Result<(), InvalidParameter> {
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
        let mut rule = SynapticRule::default();
        for (term, coefficient) in &self.terms {
            let c = coefficient.at(layer);
            let row = match term.synapses {
                Synapses::Forward => &mut rule.forward,
                Synapses::Feedback => &mut rule.feedback,
            };
            let Form::Outer { left, right } = &term.form else {
                row.decay += c as f32;
                continue;
            };
            let (post, pre) = match term.synapses {
                Synapses::Forward => (left, right),
                Synapses::Feedback => (right, left),
            };
            for &(a, post) in post.iter() {
                for &(b, pre) in pre.iter() {
                    *slot(row, post, pre) += (c * a * b) as f32;
                }
            }
        }
        rule
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
