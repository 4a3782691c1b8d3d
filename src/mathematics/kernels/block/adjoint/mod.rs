//! A block of steps differentiated: from the adjoint V of the weights after it to that of the weights before it.
//!
//! The block's formulas (see the module above) are differentiated as they stand. A bar marks an adjoint; those of v_s, u_s,
//! o_s and ỹ_s are a vector a step each, which walk back through the steps together with the vectors themselves.
//!
//! Of W_K = κᴷ W_0 + Σ_s (W_0 ỹ_s) o_sᵀ + x_s v_sᵀ + a_s u_sᵀ, with f_s = V o_s:
//!
//! - v̄_s = Vᵀ x_s, ū_s = Vᵀ a_s, ō_s = Vᵀ (W_0 ỹ_s), ỹ̄_s = W_0ᵀ f_s, ā_s = V u_s, k̄ = V · W_0 for k = κᴷ;
//! - V_0 = κᴷ V + Σ_s f_s ỹ_sᵀ.
//!
//! What a silent row takes part in are the products with all these vectors at once, V O, Vᵀ D, W_0ᵀ F and F Ỹᵀ: four multiply-adds a
//! weight and step. Then, for each step from the last to the first, of pushing it:
//!
//! - σ̄_s = v̄_s · o, ō += (v_s · y) v̄_s, ȳ += σ̄_s v_s, v̄_s ← κ v̄_s + σ̄_s y with v_s as it was before the step; likewise u_s;
//! - ω̄_s = ỹ_s · ỹ̄, ȳ += κᵗ ỹ̄ + Σ_s ω̄_s o_s, ō_s ← κ ō_s + ω̄_s y, ỹ̄_s += (o_s · y) ỹ̄, k̄ ← κ k̄ + ỹ̄ · y;
//! - κ̄ += k̄ κᵗ + Σ_s v̄_s · v_s + ū_s · u_s + ō_s · o_s, before these adjoints change;
//!
//! of e_{ℓ-1} = a = s ⊙ (W_t e), with c = s ⊙ ā and b = W_0ᵀ c:
//!
//! - ē += κᵗ b + Σ_s (x_s · c) v_s + (a_s · c) u_s + (ỹ_s · b) o_s, V_0 += c ẽᵀ, k̄ += e · b, ā_s += c (u_s · e);
//! - v̄_s += (x_s · c) e, ū_s += (a_s · c) e, ō_s += (ỹ_s · b) e, ỹ̄_s += (o_s · e) b;
//!
//! and of z = W_tᵀ x:
//!
//! - V_0 += x z̄_0ᵀ with z̄_0 = κᵗ z̄ + Σ_s (o_s · z̄) ỹ_s, k̄ += z̄ · z_0, ā_s += x (u_s · z̄);
//! - v̄_s += (x_s · x) z̄, ū_s += (a_s · x) z̄, ō_s += (ỹ_s · z_0) z̄, ỹ̄_s += (o_s · z̄) z_0.

mod steps;
mod through;

pub(crate) use steps::PropagateBack;

use super::seen::{NO_STEPS, STEPS, Seen, StepLanes, of_step};
use super::write::{Through, Write, columns};
use super::{Block, Forwarded, Shares};
use crate::kernels::active::Active;
use crate::kernels::backend::{Backend, dispatch};
use crate::kernels::forward::Forward;
use crate::kernels::lanes::{Lanes, WIDTH, as_flat_mut};
use crate::kernels::matrix::InputMajor;
use crate::kernels::rows::matrix_product;
use crate::kernels::synaptic_rule::RowRule;
use steps::{ForwardBack, PropagateBackOf, PushBack};
use through::{SeenBack, ThroughBack};

/// The adjoints of a block's vectors and what V_0 is to receive.
#[derive(Clone, Debug)]
pub(crate) struct BlockAdjoint {
    by_input: Vec<Lanes>,
    by_error: Vec<Lanes>,
    outward: Vec<Lanes>,
    inward: Vec<Lanes>,
    /// k̄.
    kept: f32,
    /// f_{s,i} as number s of entry i.
    through: Vec<StepLanes>,
    /// z̄_0 and ẽ of each step, and c_{s,i} as number s of entry i.
    entered: Vec<Lanes>,
    towards: Vec<Lanes>,
    through_errors: Vec<StepLanes>,
    /// Whether anything entered by z and by e_{ℓ-1}.
    receives: [bool; 2],
    /// c and b of the step at hand.
    factors: Vec<f32>,
    scratch: Vec<Lanes>,
}

impl BlockAdjoint {
    /// For blocks like this one, on weights of `n_in` inputs.
    pub(crate) fn new(block: &Block, n_in: usize) -> Self {
        let vectors = || vec![Lanes::ZERO; STEPS * block.stride];
        Self {
            by_input: block.by_input.clone(),
            by_error: block.by_error.clone(),
            outward: block.outward.clone(),
            inward: block.inward.clone(),
            kept: 0.0,
            through: vec![NO_STEPS; if block.projects { n_in } else { 0 }],
            entered: vectors(),
            towards: vectors(),
            through_errors: vec![NO_STEPS; n_in],
            receives: [false; 2],
            factors: Vec::new(),
            scratch: vec![Lanes::ZERO; block.stride],
        }
    }

    /// Begins a block, as [`Block::write`] ended it: `weights` is W_0, `adjoint` is V, `through` what writing found. What each
    /// step saw follows with [`BlockAdjoint::seen_back`].
    pub(crate) fn write_back(
        &mut self,
        backend: Backend,
        block: &Block,
        weights: &InputMajor,
        adjoint: &InputMajor,
        through: &[StepLanes],
    ) {
        self.through_errors.fill(NO_STEPS);
        self.receives = [false; 2];
        self.kept = 0.0;
        let (stride, used) = (block.stride, block.used());
        if block.projects {
            let outward = columns(&block.outward[..used], stride);
            let mut outward_adjoint = vec![NO_STEPS; stride * WIDTH];
            let mut inward_adjoint = outward_adjoint.clone();
            let product = ThroughBack {
                weights: weights.lanes(),
                adjoint: adjoint.lanes(),
                stride,
                outward: &outward,
                through,
                found: &mut self.through,
                outward_adjoint: &mut outward_adjoint,
                inward_adjoint: &mut inward_adjoint,
            };
            self.kept = dispatch(backend, product);
            rows_of(&outward_adjoint, stride, &mut self.outward);
            rows_of(&inward_adjoint, stride, &mut self.inward);
        }
        if block.decays && !block.projects {
            self.kept = matrix_product(backend, adjoint, weights);
        }
    }

    /// v̄_s and ū_s of step s, which saw x and a; and V u_s as number s of `errors` at its places.
    pub(crate) fn seen_back(
        &mut self,
        backend: Backend,
        block: &Block,
        adjoint: &InputMajor,
        (s, x, a): (usize, Active<'_>, &[f32]),
        errors: &mut [StepLanes],
    ) {
        let vectors = s * block.stride..(s + 1) * block.stride;
        let by_input = &mut self.by_input[vectors.clone()];
        if block.reads_error {
            let (u, by_error) = (&block.by_error[vectors.clone()], &mut self.by_error[vectors]);
            dispatch(backend, SeenBack { matrix: adjoint, s, x, a, u, by_input, by_error, errors });
        } else {
            dispatch(backend, Forward { weights: adjoint, inputs: x, z: [by_input] });
        }
    }

    /// Takes the last step back that waits in `block`, and adds to ē_ℓ and ȳ_ℓ. Returns the derivative with respect to the rule.
    pub(crate) fn push_back(
        &mut self,
        backend: Backend,
        block: &mut Block,
        [error, activation]: [&[Lanes]; 2],
        shares: &Shares,
        [error_adjoint, activation_adjoint]: [&mut [Lanes]; 2],
    ) -> RowRule {
        dispatch(
            backend,
            PushBack { adjoint: self, block, error, activation, shares, error_adjoint, activation_adjoint },
        )
    }

    /// [`Block::propagate`] taken back, after that step's push was: c = s ⊙ ā with ā as number s of `errors`, to which earlier
    /// steps' shares are added; ē_ℓ is added to.
    pub(crate) fn propagate_back(&mut self, backend: Backend, step: PropagateBack<'_>) {
        self.receives[1] = true;
        dispatch(backend, PropagateBackOf { adjoint: self, step });
    }

    /// [`Block::forward`] taken back, after the push of that step was: from z̄ to what V_0 receives, and to ā of earlier steps.
    pub(crate) fn forward_back(
        &mut self,
        backend: Backend,
        block: &Block,
        x: Active<'_>,
        made: &Forwarded,
        z: &[Lanes],
        errors: &mut [StepLanes],
    ) {
        self.receives[0] = true;
        dispatch(backend, ForwardBack { adjoint: self, block, x, made, z, errors });
    }

    /// V_0 in place of V, after all steps were taken back.
    pub(crate) fn apply(
        &mut self,
        backend: Backend,
        block: &Block,
        n_steps: usize,
        seen: &Seen,
        adjoint: &mut InputMajor,
    ) {
        let used = n_steps * block.stride;
        let keep = block.powers[n_steps];
        let through = block.projects.then(|| (Through::Known(&self.through), &block.inward[..used]));
        let entered = (&seen.inputs[..], &self.entered[..used]);
        let errors = (&self.through_errors[..], &self.towards[..used]);
        match self.receives {
            [true, true] => {
                dispatch(backend, Write { keep, from: None, through, gained: [entered, errors], to: adjoint })
            }
            [true, false] => dispatch(backend, Write { keep, from: None, through, gained: [entered], to: adjoint }),
            [false, true] => dispatch(backend, Write { keep, from: None, through, gained: [errors], to: adjoint }),
            [false, false] => dispatch(backend, Write { keep, from: None, through, gained: [], to: adjoint }),
        }
    }
}

/// Columns turned into rows.
fn rows_of(columns: &[StepLanes], stride: usize, rows: &mut [Lanes]) {
    for (s, row) in rows.chunks_exact_mut(stride).enumerate() {
        as_flat_mut(row).iter_mut().zip(columns).for_each(|(x, column)| *x = of_step(column, s));
    }
}
