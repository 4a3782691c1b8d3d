//! What a synapse can see, and which synapses there are.

/// The weights that a term moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synapses {
    /// W_{ℓ-1,ℓ} (n_ℓ × n_{ℓ-1}).
    Forward,
    /// B_{ℓ,ℓ-1} (n_{ℓ-1} × n_ℓ).
    Feedback,
}

/// What only written terms read, and not every pathway of errors provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// z_ℓ (n_ℓ).
    Potential,
    /// The onehot at the output, zeros before it (n_ℓ).
    Label,
    /// A number from N(0, 1) for each neuron (n_ℓ), anew for each sample.
    Noise,
    /// The loss of the sample, one number.
    Loss,
    /// By how much noise changes it, one number.
    LossChange,
    /// y_{ℓ-1} and y_ℓ once they have settled under the influence of the label.
    Settled,
    /// B_{ℓ,ℓ-1}.
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
