//! What a synapse can see, and which synapses there are.

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
