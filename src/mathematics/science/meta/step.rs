//! What a step of an inner loop leaves behind, to be differentiated.

use crate::kernels::{Forwarded, Lanes, Propagated, Shares, zeros};

/// What one step leaves behind; vectors are indexed by layer 0 … L (or L − 1), padded.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub label: usize,
    /// The lit pixels with their x and the mask of e_0.
    pub lit: Vec<u32>,
    pub intensity: Vec<f32>,
    pub mask: Vec<f32>,
    /// Of the first layer, where its steps are carried out together; y_0, e_0 and d_0 are not kept then.
    pub first: FirstStep,
    /// y_ℓ, and the logits.
    pub y: Vec<Vec<Lanes>>,
    pub logits: Vec<Lanes>,
    /// σ′(z_ℓ); at ℓ = 0 the mask of e_0.
    pub slope: Vec<Vec<Lanes>>,
    /// e_ℓ.
    pub e: Vec<Vec<Lanes>>,
    /// Wᵀ y_{ℓ+1}.
    pub d: Vec<Vec<Lanes>>,
}

impl Step {
    pub(super) fn new(sizes: &[usize]) -> Self {
        let vectors = |n: usize| sizes[..n].iter().map(|&n| zeros(n)).collect::<Vec<_>>();
        let n_layers = sizes.len() - 1;
        Self {
            label: 0,
            lit: Vec::with_capacity(sizes[0]),
            intensity: Vec::with_capacity(sizes[0]),
            mask: Vec::with_capacity(sizes[0]),
            first: FirstStep::default(),
            y: vectors(n_layers + 1),
            logits: zeros(sizes[n_layers]),
            slope: vectors(n_layers),
            e: vectors(n_layers + 1),
            d: vectors(n_layers),
        }
    }
}

/// What a step leaves behind in the first layer.
#[derive(Clone, Debug, Default)]
pub(super) struct FirstStep {
    /// Of z_1.
    pub forwarded: Forwarded,
    /// Of e_0, and e_0 at the lit pixels.
    pub propagated: Propagated,
    pub errors: Vec<f32>,
    /// Of W_{0,1} and B_{1,0}.
    pub shares: [Shares; 2],
}
