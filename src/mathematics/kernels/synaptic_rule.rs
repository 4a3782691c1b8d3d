//! A learning rule as the kernels take it: what a row of weights receives of e_ℓ and of y_ℓ.

use super::activation::Activation;

/// What the presynaptic side contributes: activation · y_{ℓ-1,i} + error · e_{ℓ-1,i} + projection · d_i.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PreFactor {
    pub activation: f32,
    pub error: f32,
    pub projection: f32,
}

impl PreFactor {
    pub(crate) fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    #[inline(always)]
    pub(crate) fn of<const N: usize>(&self, y: &[f32; N], e: &[f32; N], d: &[f32; N]) -> [f32; N] {
        let mut factor = [0.0; N];
        // Signals with coefficient 0 are left out rather than multiplied: they may not have been computed.
        if self.activation != 0.0 {
            for k in 0..N {
                factor[k] = self.activation * y[k];
            }
        }
        if self.error != 0.0 {
            for k in 0..N {
                factor[k] = self.error.mul_add(e[k], factor[k]);
            }
        }
        if self.projection != 0.0 {
            for k in 0..N {
                factor[k] = self.projection.mul_add(d[k], factor[k]);
            }
        }
        factor
    }
}

/// row_i ← (1 − decay) row_i + by_error_i e_ℓ + by_activation_i y_ℓ.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RowRule {
    pub by_error: PreFactor,
    pub by_activation: PreFactor,
    pub decay: f32,
}

impl RowRule {
    pub(crate) fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn reads_activation(&self) -> bool {
        self.by_error.activation != 0.0 || self.by_activation.activation != 0.0
    }

    pub(crate) fn reads_error(&self) -> bool {
        self.by_error.error != 0.0 || self.by_activation.error != 0.0
    }

    pub(crate) fn reads_projection(&self) -> bool {
        self.by_error.projection != 0.0 || self.by_activation.projection != 0.0
    }
}

/// What happens to W and to B of one layer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct SynapticRule {
    pub forward: RowRule,
    pub feedback: RowRule,
}

impl SynapticRule {
    /// Whether any term reads y_{ℓ-1}.
    pub(crate) fn reads_pre_activation(&self) -> bool {
        self.forward.reads_activation() || self.feedback.reads_activation()
    }

    /// Whether any term reads e_{ℓ-1}.
    pub(crate) fn reads_pre_error(&self) -> bool {
        self.forward.reads_error() || self.feedback.reads_error()
    }

    /// Whether any term reads Wᵀ y_ℓ.
    pub(crate) fn reads_projection(&self) -> bool {
        self.forward.reads_projection() || self.feedback.reads_projection()
    }

    /// Whether all rows of silent inputs are moved alike, as a [`Block`](super::Block) supposes: their errors, if they are read,
    /// are masked, and B is not moved through Wᵀ y.
    pub(crate) fn treats_silence_alike(&self, activation: Activation) -> bool {
        let masks_silence = matches!(activation, Activation::Softplus { .. });
        (masks_silence || !self.reads_pre_error()) && !self.feedback.reads_projection()
    }
}
