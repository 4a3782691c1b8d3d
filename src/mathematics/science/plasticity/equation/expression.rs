//! Equations as expressions, and how they are written for people.

use std::fmt::Write as _;
use std::ops::Range;

use super::super::notation::Notation;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    /// `*`: of matrices, or with a number.
    Product,
    /// `.*`
    Times,
    /// `./`, or `/` by a number.
    Divide,
}

/// What is applied element by element, but for the last five.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    /// −1, 0 or 1.
    Sign,
    /// The greater of x and 0.
    Relu,
    Tanh,
    Exp,
    Abs,
    /// 1 where x is positive, else 0.
    Threshold,
    /// Sum, mean and largest entry of a vector.
    Sum,
    Mean,
    Max,
    /// The diagonal matrix of a vector.
    Diag,
    /// A square matrix with 0 above its diagonal.
    Lower,
}

impl Function {
    pub(super) const ALL: [Function; 11] = [
        Function::Sign,
        Function::Relu,
        Function::Tanh,
        Function::Exp,
        Function::Abs,
        Function::Threshold,
        Function::Sum,
        Function::Mean,
        Function::Max,
        Function::Diag,
        Function::Lower,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Function::Sign => "sign",
            Function::Relu => "relu",
            Function::Tanh => "tanh",
            Function::Exp => "exp",
            Function::Abs => "abs",
            Function::Threshold => "threshold",
            Function::Sum => "sum",
            Function::Mean => "mean",
            Function::Max => "max",
            Function::Diag => "diag",
            Function::Lower => "lower",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.name() == name)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Number(f64),
    Name(String),
    Negative(Box<Expression>),
    /// With the place of the operator.
    Binary(Operator, Range<usize>, Box<Expression>, Box<Expression>),
    Power(Box<Expression>, u32),
    Transpose(Box<Expression>),
    Call(Function, Box<Expression>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expression {
    pub kind: Kind,
    /// Bytes of the text, parentheses included.
    pub span: Range<usize>,
}

impl Expression {
    /// Visits every name in it.
    pub(super) fn visit_names(&self, visit: &mut dyn FnMut(&str)) {
        match &self.kind {
            Kind::Number(_) => {}
            Kind::Name(name) => visit(name),
            Kind::Negative(inner) | Kind::Power(inner, _) | Kind::Transpose(inner) | Kind::Call(_, inner) => {
                inner.visit_names(visit);
            }
            Kind::Binary(_, _, left, right) => {
                left.visit_names(visit);
                right.visit_names(visit);
            }
        }
    }

    /// How tightly its outermost operation binds.
    fn strength(&self) -> u8 {
        match &self.kind {
            Kind::Binary(Operator::Add | Operator::Subtract, ..) => 0,
            Kind::Binary(..) => 1,
            Kind::Negative(_) => 2,
            Kind::Power(..) | Kind::Transpose(_) => 3,
            Kind::Number(_) | Kind::Name(_) | Kind::Call(..) => 4,
        }
    }

    /// Whether it is a sum, which needs parentheses behind a coefficient.
    pub(super) fn is_sum(&self) -> bool {
        self.strength() == 0
    }

    pub(super) fn written(&self, notation: Notation) -> String {
        let mut text = String::new();
        self.write(notation, &mut text);
        text
    }

    fn write(&self, notation: Notation, text: &mut String) {
        let latex = matches!(notation, Notation::Latex);
        match &self.kind {
            Kind::Number(value) => {
                let _ = write!(text, "{value}");
            }
            Kind::Name(name) => text.push_str(&symbol(name, notation)),
            Kind::Negative(inner) => {
                text.push('-');
                inner.write_within(2, notation, text);
            }
            Kind::Binary(operator, _, left, right) => {
                let (strength, sign) = match (operator, latex) {
                    (Operator::Add, _) => (0, " + "),
                    (Operator::Subtract, _) => (0, " - "),
                    (Operator::Product, _) => (1, " "),
                    (Operator::Times, false) => (1, " ⊙ "),
                    (Operator::Times, true) => (1, r" \odot "),
                    (Operator::Divide, false) => (1, " / "),
                    (Operator::Divide, true) => (1, r" \oslash "),
                };
                left.write_within(strength, notation, text);
                text.push_str(sign);
                // Operations of one precedence are carried out from left to right.
                right.write_within(strength + 1, notation, text);
            }
            Kind::Power(inner, power) => {
                inner.write_within(4, notation, text);
                match latex {
                    true => {
                        let _ = write!(text, r"^{{\odot {power}}}");
                    }
                    false => text.push(['²', '³', '⁴', '⁵', '⁶', '⁷', '⁸'][*power as usize - 2]),
                }
            }
            Kind::Transpose(inner) => {
                inner.write_within(4, notation, text);
                text.push_str(notation.transpose());
            }
            Kind::Call(function, inner) => {
                match latex {
                    true => {
                        let _ = write!(text, r"\operatorname{{{}}}", function.name());
                    }
                    false => text.push_str(function.name()),
                }
                text.push('(');
                inner.write(notation, text);
                text.push(')');
            }
        }
    }

    /// In parentheses, if it binds less tightly.
    fn write_within(&self, strength: u8, notation: Notation, text: &mut String) {
        if self.strength() >= strength {
            return self.write(notation, text);
        }
        text.push('(');
        self.write(notation, text);
        text.push(')');
    }
}

/// Letters that mathematics writes in Greek.
const GREEK: [(&str, &str); 8] = [
    ("alpha", "α"),
    ("beta", "β"),
    ("gamma", "γ"),
    ("eta", "η"),
    ("theta", "θ"),
    ("lambda", "λ"),
    ("rho", "ρ"),
    ("tau", "τ"),
];

/// A name as it is printed.
pub(super) fn symbol(name: &str, notation: Notation) -> String {
    let (plain, latex) = match name {
        "y_pre" => ("y_{ℓ-1}", r"\mathbf{y}_{\ell-1}"),
        "y_post" => ("y_ℓ", r"\mathbf{y}_\ell"),
        "e_pre" => ("e_{ℓ-1}", r"\mathbf{e}_{\ell-1}"),
        "e_post" => ("e_ℓ", r"\mathbf{e}_\ell"),
        "z_post" => ("z_ℓ", r"\mathbf{z}_\ell"),
        "label" => ("t_ℓ", r"\mathbf{t}_\ell"),
        "noise" => ("ξ_ℓ", r"\boldsymbol{\xi}_\ell"),
        "loss" => ("loss", r"\mathcal{L}"),
        "loss_change" => ("Δloss", r"\Delta\mathcal{L}"),
        "settled_pre" => ("v_{ℓ-1}", r"\mathbf{v}_{\ell-1}"),
        "settled_post" => ("v_ℓ", r"\mathbf{v}_\ell"),
        "W" => ("W_{ℓ-1,ℓ}", r"\mathbf{W}_{\ell-1,\ell}"),
        "B" => ("B_{ℓ,ℓ-1}", r"\mathbf{B}_{\ell,\ell-1}"),
        other => {
            let greek = GREEK.iter().find(|(name, _)| *name == other);
            return match (notation, greek) {
                (Notation::Plain, Some((_, letter))) => (*letter).to_owned(),
                (Notation::Plain, None) => other.to_owned(),
                (Notation::Latex, Some((name, _))) => format!(r"\{name}"),
                (Notation::Latex, None) => format!(r"\mathit{{{}}}", other.replace('_', r"\_")),
            };
        }
    };
    match notation {
        Notation::Plain => plain.to_owned(),
        Notation::Latex => latex.to_owned(),
    }
}
