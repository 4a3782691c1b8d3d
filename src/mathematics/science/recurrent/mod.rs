//! A recurrent network that has to remember an image, and learns by backpropagation through time, with or without Oja's
//! rule (section 2.4, Figure 7).
//!
//! Symbols: time t = 1 … T; image x, shown for the first S steps, then zero input; hidden states z_t (n_h), h_t = σ(z_t);
//! W_x (n_h × n_0) input, W_h (n_h × n_h) recurrent, W_o (n_o × n_h) readout weights; no biases.
//!
//! - z_1 = W_x x_1, z_{t+1} = W_h h_t + W_x x_{t+1}; the output is W_o h_T, with softmax p and cross-entropy.
//! - e_T = (W_oᵀ (p − onehot)) ⊙ σ′(z_T), e_t = (W_hᵀ e_{t+1}) ⊙ σ′(z_t), equation (5).
//! - ΔW_h = −θ_gradient Σ_{t<T} e_{t+1} h_tᵀ + θ_oja Σ_{t<T} v_t (z_t − W_hᵀ v_t)ᵀ with v_t = W_h h_t. The paper's (4)
//!   prints + for the first sign, which would ascend.
//! - ΔW_o = −θ_gradient (p − onehot) h_Tᵀ, ΔW_x = −θ_gradient Σ_t e_t x_tᵀ.
//! - With clipping, the gradients of all three matrices together are shortened to length c where they are longer (Pascanu,
//!   Mikolov & Bengio 2013, algorithm 1); the Oja part is not.
//!
//! The Oja part is minus the gradient of ½ Σ ‖z_t − W_hᵀ v_t‖² with v_t held fixed; it is not the gradient of the loss, nor
//! that of the whole of (6). All matrices learn from the weights before the update.

mod dynamics;
mod evaluation;
mod model;
mod network;
mod trainer;

pub use network::{RecurrentArchitecture, RecurrentNetwork};
pub use trainer::RecurrentTrainer;

use super::InvalidParameter;

/// What Oja's rule on W_h reconstructs from v_t.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OjaTarget {
    /// z_t, as printed in (6) and in the update below it.
    #[default]
    HiddenState,
    /// σ(z_t), which W_h is actually applied to: the subspace rule on the recurrent layer's own input.
    Activation,
}

/// Coefficients of the learning rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecurrentRule {
    gradient: f64,
    oja: f64,
    oja_target: OjaTarget,
    /// c, where the gradient is clipped.
    clip: Option<f64>,
}

impl RecurrentRule {
    /// θ_gradient on all three matrices, θ_oja on W_h.
    ///
    /// # Errors
    /// If a coefficient is not finite.
    pub fn new(gradient: f64, oja: f64, oja_target: OjaTarget) -> Result<Self, InvalidParameter> {
        for (name, coefficient) in [("gradient", gradient), ("oja", oja)] {
            if !coefficient.is_finite() {
                return Err(InvalidParameter::new(format!("`{name}` must be finite, found {coefficient}")));
            }
        }
        Ok(Self { gradient, oja, oja_target, clip: None })
    }

    /// The same rule, its gradient shortened to length `longest` where it is longer.
    ///
    /// # Errors
    /// If that is not a positive number.
    pub fn clipped(self, longest: f64) -> Result<Self, InvalidParameter> {
        if !(longest > 0.0 && longest.is_finite()) {
            return Err(InvalidParameter::new(format!("`clip` must be positive and finite, found {longest}")));
        }
        Ok(Self { clip: Some(longest), ..self })
    }

    /// Whether long gradients are shortened.
    pub fn is_clipped(&self) -> bool {
        self.clip.is_some()
    }

    /// The rule as it is run, in plain text.
    pub fn equation(&self) -> String {
        let Self { oja, oja_target, clip, .. } = self;
        let target = match oja_target {
            OjaTarget::HiddenState => "z_t",
            OjaTarget::Activation => "σ(z_t)",
        };
        let oja_part = if *oja == 0.0 {
            String::new()
        } else {
            format!(" + {oja} Σ_{{t<T}} v_t ({target} - W_hᵀ v_t)ᵀ, v_t = W_h σ(z_t)")
        };
        let rate = self.rate();
        let scale = clip.map_or(String::new(), |c| format!("; s = min(1, {c} / |gradient of W_x, W_h, W_o|)"));
        format!(
            "ΔW_h = -{rate} Σ_{{t<T}} e_{{t+1}} σ(z_t)ᵀ{oja_part}; ΔW_o = -{rate} (p - onehot) σ(z_T)ᵀ; \
             ΔW_x = -{rate} Σ_t e_t x_tᵀ{scale}"
        )
    }

    /// What stands before gradients: with clipping it is shortened by s.
    fn rate(&self) -> String {
        let gradient = self.gradient;
        if self.is_clipped() { format!("{gradient} s") } else { gradient.to_string() }
    }

    /// As [`RecurrentRule::equation`], in LaTeX, one equation an entry.
    pub fn latex(&self) -> Vec<String> {
        let Self { oja, oja_target, clip, .. } = self;
        let rate = self.rate();
        let activation = |time: &str| format!(r"\sigma(\mathbf{{z}}_{{{time}}})");
        let target = match oja_target {
            OjaTarget::HiddenState => r"\mathbf{z}_t".to_owned(),
            OjaTarget::Activation => activation("t"),
        };
        let oja_part = if *oja == 0.0 {
            String::new()
        } else {
            format!(r" + {oja} \sum_{{t<T}} \mathbf{{v}}_t ({target} - \mathbf{{W}}_h^T \mathbf{{v}}_t)^T")
        };
        let mut equations = vec![
            format!(
                r"\Delta \mathbf{{W}}_h = -{rate} \sum_{{t<T}} \mathbf{{e}}_{{t+1}} {}^T{oja_part}",
                activation("t")
            ),
            format!(
                r"\Delta \mathbf{{W}}_o = -{rate} (\mathbf{{p}} - \mathbf{{1}}_{{\text{{label}}}}) {}^T",
                activation("T")
            ),
            format!(r"\Delta \mathbf{{W}}_x = -{rate} \sum_t \mathbf{{e}}_t \mathbf{{x}}_t^T"),
        ];
        if let Some(clip) = clip {
            let gradient = r"\nabla_{\mathbf{W}_x, \mathbf{W}_h, \mathbf{W}_o}";
            equations.push(format!(r"s = \min(1, {clip} / \lVert {gradient} \rVert)"));
        }
        if *oja != 0.0 {
            equations.push(format!(r"\mathbf{{v}}_t = \mathbf{{W}}_h {}", activation("t")));
        }
        equations
    }
}

#[cfg(test)]
mod tests;
