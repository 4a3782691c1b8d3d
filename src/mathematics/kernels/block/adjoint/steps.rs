//! The steps of a block taken back, one at a time, on vectors.

use super::BlockAdjoint;
use crate::kernels::active::Active;
use crate::kernels::backend::Kernel;
use crate::kernels::block::seen::{GROUPS, PerStep, STEPS, Seen, StepLanes, in_lanes, of_step, of_step_mut, overlaps};
use crate::kernels::block::{Block, Forwarded, Propagated, Shares, move_rows, scale};
use crate::kernels::deferred::add_rows;
use crate::kernels::forward::Forward;
use crate::kernels::lanes::Lanes;
use crate::kernels::matrix::InputMajor;
use crate::kernels::rows::{dots, inner_product};
use crate::kernels::simd::Simd;
use crate::kernels::synaptic_rule::RowRule;

pub(super) struct PushBack<'a> {
    pub adjoint: &'a mut BlockAdjoint,
    pub block: &'a mut Block,
    pub error: &'a [Lanes],
    pub activation: &'a [Lanes],
    pub shares: &'a Shares,
    pub error_adjoint: &'a mut [Lanes],
    pub activation_adjoint: &'a mut [Lanes],
}

impl Kernel for PushBack<'_> {
    type Output = RowRule;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> RowRule {
        let Self { adjoint: bar, block, error: e, activation: y, shares, error_adjoint, activation_adjoint } = self;
        block.pending -= 1;
        let (stride, used, keep, kept) = (block.stride, block.used(), block.keep(), block.kept());
        let revive = 1.0 / keep;
        let Block { rule, projects, reads_error, decays, by_input, by_error, outward, inward, .. } = block;
        let mut of_keep = bar.kept * kept;
        let mut of_rule = RowRule::default();
        let step = used..used + stride;
        if *projects {
            let (earlier, now) = outward.split_at_mut(used);
            let (earlier_adjoint, now_adjoint) = bar.outward.split_at_mut(used);
            let (o, o_adjoint) = (&now[..stride], &mut now_adjoint[..stride]);
            let factors = [keep, revive];
            let gained =
                Gained { v: &mut by_input[..used], adjoint: &mut bar.by_input[..used], shares: &shares.inputs };
            of_keep += gained.back(simd, factors, *decays, [o, y], [o_adjoint, activation_adjoint]);
            if *reads_error {
                let gained =
                    Gained { v: &mut by_error[..used], adjoint: &mut bar.by_error[..used], shares: &shares.errors };
                of_keep += gained.back(simd, factors, *decays, [o, y], [o_adjoint, activation_adjoint]);
            }
            scale(simd, earlier, revive);
            if *decays {
                of_keep += inner_product(simd, earlier_adjoint, earlier);
            }
            let (inward_adjoint, now) = bar.inward.split_at_mut(used);
            let now = &now[..stride];
            let mut by_inward = [0.0; STEPS];
            dots(simd, &inward[..used], stride, now, &mut by_inward);
            accumulate(simd, kept, now, activation_adjoint);
            add_rows(simd, &by_inward, earlier, activation_adjoint);
            move_rows(simd, earlier_adjoint, keep, &by_inward, y);
            move_rows(simd, inward_adjoint, 1.0, &shares.outward, now);
            bar.kept = keep * bar.kept + inner_product(simd, now, y);
            of_rule.by_error.projection = inner_product(simd, o_adjoint, e);
            of_rule.by_activation.projection = inner_product(simd, o_adjoint, y);
            accumulate(simd, rule.by_error.projection, o_adjoint, error_adjoint);
            accumulate(simd, rule.by_activation.projection, o_adjoint, activation_adjoint);
        } else {
            let vectors = [&mut by_input[..used], &mut bar.by_input[..used]];
            of_keep += decay_back(simd, vectors, [keep, revive], *decays);
            if *reads_error {
                let vectors = [&mut by_error[..used], &mut bar.by_error[..used]];
                of_keep += decay_back(simd, vectors, [keep, revive], *decays);
            }
            bar.kept *= keep;
        }
        let q = &bar.by_input[step.clone()];
        of_rule.by_error.activation = inner_product(simd, q, e);
        of_rule.by_activation.activation = inner_product(simd, q, y);
        accumulate(simd, rule.by_error.activation, q, error_adjoint);
        accumulate(simd, rule.by_activation.activation, q, activation_adjoint);
        if *reads_error {
            let p = &bar.by_error[step];
            of_rule.by_error.error = inner_product(simd, p, e);
            of_rule.by_activation.error = inner_product(simd, p, y);
            accumulate(simd, rule.by_error.error, p, error_adjoint);
            accumulate(simd, rule.by_activation.error, p, activation_adjoint);
        }
        of_rule.decay = if *decays { -of_keep } else { 0.0 };
        of_rule
    }
}

/// Vectors that the steps of a block gained, v_s or u_s, and their adjoints.
struct Gained<'a> {
    v: &'a mut [Lanes],
    adjoint: &'a mut [Lanes],
    /// v_s · y.
    shares: &'a PerStep,
}

impl Gained<'_> {
    /// v_s ← κ v_s + (v_s · y) o taken back; returns Σ_s v̄_s · v_s where it is wanted.
    #[inline(always)]
    fn back<S: Simd>(
        self,
        simd: S,
        [keep, revive]: [f32; 2],
        decays: bool,
        [o, y]: [&[Lanes]; 2],
        [o_adjoint, y_adjoint]: [&mut [Lanes]; 2],
    ) -> f32 {
        let Self { v, adjoint, shares } = self;
        let (mut of_shares, mut back) = ([0.0; STEPS], [0.0; STEPS]);
        dots(simd, adjoint, o.len(), o, &mut of_shares);
        add_rows(simd, shares, adjoint, o_adjoint);
        for s in 0..STEPS {
            back[s] = -(shares[s] * revive);
        }
        move_rows(simd, v, revive, &back, o);
        let of_keep = if decays { inner_product(simd, adjoint, v) } else { 0.0 };
        add_rows(simd, &of_shares, v, y_adjoint);
        move_rows(simd, adjoint, keep, &of_shares, y);
        of_keep
    }
}

/// v_s ← κ v_s taken back; returns Σ_s v̄_s · v_s where it is wanted.
#[inline(always)]
fn decay_back<S: Simd>(simd: S, [v, adjoint]: [&mut [Lanes]; 2], [keep, revive]: [f32; 2], decays: bool) -> f32 {
    scale(simd, v, revive);
    let of_keep = if decays { inner_product(simd, adjoint, v) } else { 0.0 };
    scale(simd, adjoint, keep);
    of_keep
}

/// sum ← sum + factor numbers, for each step.
#[inline(always)]
fn add_to_steps<S: Simd>(simd: S, factor: f32, numbers: &StepLanes, sum: &mut StepLanes) {
    for g in 0..GROUPS {
        simd.store(simd.mul_add(simd.splat(factor), simd.load(&numbers[g]), simd.load(&sum[g])), &mut sum[g]);
    }
}

/// sum ← sum + factor v.
#[inline(always)]
fn accumulate<S: Simd>(simd: S, factor: f32, v: &[Lanes], sum: &mut [Lanes]) {
    if factor != 0.0 {
        let factor = simd.splat(factor);
        for t in 0..sum.len() {
            simd.store(simd.mul_add(factor, simd.load(&v[t]), simd.load(&sum[t])), &mut sum[t]);
        }
    }
}

/// What [`BlockAdjoint::propagate_back`] reads and writes.
pub(crate) struct PropagateBack<'a> {
    pub block: &'a Block,
    /// W_0.
    pub weights: &'a InputMajor,
    pub seen: &'a Seen,
    pub rows: &'a [u32],
    /// e_ℓ.
    pub error: &'a [Lanes],
    /// s, in the order of the rows.
    pub mask: &'a [f32],
    pub made: &'a Propagated,
    /// ā_s as number s.
    pub errors: &'a mut [StepLanes],
    pub error_adjoint: &'a mut [Lanes],
}

pub(super) struct PropagateBackOf<'a> {
    pub adjoint: &'a mut BlockAdjoint,
    pub step: PropagateBack<'a>,
}

impl Kernel for PropagateBackOf<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { adjoint: bar, step } = self;
        let PropagateBack { block, weights, seen, rows, error, mask, made, errors, error_adjoint } = step;
        let (stride, used, now) = (block.stride, block.used(), block.pending);
        let c = &mut bar.factors;
        c.resize(rows.len(), 0.0);
        let of_error = in_lanes(&made.errors);
        for k in 0..rows.len() {
            let i = rows[k] as usize;
            c[k] = mask[k] * of_step(&errors[i], now);
            *of_step_mut(&mut bar.through_errors[i], now) = c[k];
            if block.reads_error {
                add_to_steps(simd, c[k], &of_error, &mut errors[i]);
            }
        }
        let c = Active::new(rows, c);
        let b = &mut bar.scratch[..stride];
        Forward { weights, inputs: c, z: [&mut *b] }.run(simd);
        accumulate(simd, block.kept(), b, error_adjoint);
        bar.kept += inner_product(simd, error, b);
        bar.towards[now * stride..(now + 1) * stride].copy_from_slice(&made.towards);
        if used == 0 {
            return;
        }
        let by_input = overlaps(simd, &seen.inputs, c);
        add_rows(simd, &by_input, &block.by_input[..used], error_adjoint);
        move_rows(simd, &mut bar.by_input[..used], 1.0, &by_input, error);
        if block.reads_error {
            let by_error = overlaps(simd, &seen.errors, c);
            add_rows(simd, &by_error, &block.by_error[..used], error_adjoint);
            move_rows(simd, &mut bar.by_error[..used], 1.0, &by_error, error);
        }
        if block.projects {
            let mut by_inward = [0.0; STEPS];
            dots(simd, &block.inward[..used], stride, b, &mut by_inward);
            add_rows(simd, &by_inward, &block.outward[..used], error_adjoint);
            move_rows(simd, &mut bar.outward[..used], 1.0, &by_inward, error);
            move_rows(simd, &mut bar.inward[..used], 1.0, &made.through, b);
        }
    }
}

pub(super) struct ForwardBack<'a> {
    pub adjoint: &'a mut BlockAdjoint,
    pub block: &'a Block,
    pub x: Active<'a>,
    pub made: &'a Forwarded,
    pub z: &'a [Lanes],
    pub errors: &'a mut [StepLanes],
}

impl Kernel for ForwardBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { adjoint: bar, block, x, made, z, errors } = self;
        let (stride, used, now) = (block.stride, block.used(), block.pending);
        let entered = &mut bar.entered[now * stride..(now + 1) * stride];
        let kept = simd.splat(block.kept());
        for t in 0..stride {
            simd.store(simd.mul(kept, simd.load(&z[t])), &mut entered[t]);
        }
        bar.kept += inner_product(simd, z, &made.base);
        if used == 0 {
            return;
        }
        if block.projects {
            let mut by_outward = [0.0; STEPS];
            dots(simd, &block.outward[..used], stride, z, &mut by_outward);
            add_rows(simd, &by_outward, &block.inward[..used], entered);
            move_rows(simd, &mut bar.outward[..used], 1.0, &made.through, z);
            move_rows(simd, &mut bar.inward[..used], 1.0, &by_outward, &made.base);
        }
        move_rows(simd, &mut bar.by_input[..used], 1.0, &made.inputs, z);
        if block.reads_error {
            let mut by_error = [0.0; STEPS];
            dots(simd, &block.by_error[..used], stride, z, &mut by_error);
            let by_error = in_lanes(&by_error);
            for k in 0..x.len() {
                let (i, value) = x.at(k);
                add_to_steps(simd, value, &by_error, &mut errors[i]);
            }
            move_rows(simd, &mut bar.by_error[..used], 1.0, &made.errors, z);
        }
    }
}
