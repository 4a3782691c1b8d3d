//! Signals, matrices and sums of signals as text, plain and in LaTeX.

use super::signal::{Signal, Synapses};

impl Signal {
    pub(super) fn plain(self) -> &'static str {
        match self {
            Signal::PreActivation => "y_{ℓ-1}",
            Signal::PreError => "e_{ℓ-1}",
            Signal::Projection => "W_{ℓ-1,ℓ}ᵀ y_ℓ",
            Signal::PostActivation => "y_ℓ",
            Signal::PostError => "e_ℓ",
        }
    }

    pub(super) fn latex(self) -> &'static str {
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
    pub(super) fn plain(self) -> &'static str {
        match self {
            Synapses::Forward => "W_{ℓ-1,ℓ}",
            Synapses::Feedback => "B_{ℓ,ℓ-1}",
        }
    }

    pub(super) fn latex(self) -> &'static str {
        match self {
            Synapses::Forward => r"\mathbf{W}_{\ell-1,\ell}",
            Synapses::Feedback => r"\mathbf{B}_{\ell,\ell-1}",
        }
    }
}

/// How an equation is written.
#[derive(Clone, Copy)]
pub(in crate::science) enum Notation {
    Plain,
    Latex,
}

impl Notation {
    pub(super) fn signal(self, signal: Signal) -> &'static str {
        match self {
            Notation::Plain => signal.plain(),
            Notation::Latex => signal.latex(),
        }
    }

    pub(super) fn synapses(self, synapses: Synapses) -> &'static str {
        match self {
            Notation::Plain => synapses.plain(),
            Notation::Latex => synapses.latex(),
        }
    }

    /// ΔW or ΔB.
    pub(in crate::science) fn change(self, synapses: Synapses) -> String {
        let delta = match self {
            Notation::Plain => "Δ",
            Notation::Latex => r"\Delta ",
        };
        format!("{delta}{}", self.synapses(synapses))
    }

    pub(super) fn transpose(self) -> &'static str {
        match self {
            Notation::Plain => "ᵀ",
            Notation::Latex => "^T",
        }
    }
}

/// The sign to take out of a sum, and the sum without it, in parentheses if it has several parts.
pub(super) fn write_combination(combination: &[(f64, Signal)], notation: Notation) -> (f64, String) {
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
