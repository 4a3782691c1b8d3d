//! Thirty-two steps of a layer whose inputs are mostly silent: carried out together, and remembered so that they can be
//! differentiated together (`adjoint`).
//!
//! With x the input, a = e_{ℓ-1} the error that reaches it, d = Wᵀ y and κ = 1 − λ, a step moves the weights, here with a row
//! for each input, by
//!
//! - W ← κ W + x qᵀ + a pᵀ + d oᵀ = W (κ I + y oᵀ) + x qᵀ + a pᵀ,
//!
//! q, p and o being sums of e_ℓ and y_ℓ. So all rows go through the same small matrix, and what sets a row apart are its x and
//! its a, both 0 where a pixel is silent. After t steps, with o_s, v_s and u_s as they are then,
//!
//! - W_t = κᵗ W_0 + Σ_s (W_0 ỹ_s) o_sᵀ + x_s v_sᵀ + a_s u_sᵀ,
//!
//! and the next step of y, o, q and p changes vectors only:
//!
//! - ỹ_t = κᵗ y + Σ_s (o_s · y) ỹ_s;
//! - v_s ← κ v_s + (v_s · y) o, u_s ← κ u_s + (u_s · y) o, o_s ← κ o_s; v_t = q, u_t = p, o_t = o.
//!
//! What the layer does is made of products with W_0 on rows of lit pixels, and of these vectors:
//!
//! - z = W_tᵀ x = κᵗ z_0 + Σ_s (ỹ_s · z_0) o_s + (x_s · x) v_s + (a_s · x) u_s with z_0 = W_0ᵀ x;
//! - W_t e = W_0 ẽ + Σ_s x_s (v_s · e) + a_s (u_s · e) with ẽ = κᵗ e + Σ_s (o_s · e) ỹ_s.
//!
//! A silent row costs two multiply-adds a weight and step, in registers, when the steps are carried out; and no memory is read
//! or written for it in between. All of it is exact in algebra, so what it does to rounding depends on where blocks begin.
//! Online training and the inner loop of meta-learning both are made of it.

mod adjoint;
mod seen;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use adjoint::{BlockAdjoint, PropagateBack};
use seen::{GROUPS, in_lanes, overlaps};
pub(crate) use seen::{NO_STEPS, PerStep, STEPS, Seen, StepLanes};

use super::active::Active;
use super::backend::{Backend, Kernel, dispatch};
use super::forward::Forward;
use super::lanes::{Lanes, lanes_for};
use super::matrix::InputMajor;
use super::rows::{add_four_dots, add_rows, combine, dots};
use super::simd::Simd;
use super::synaptic_rule::RowRule;

/// The steps of a block on one matrix, W or B.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    rule: RowRule,
    projects: bool,
    reads_error: bool,
    /// Whether the derivative with respect to κ is wanted.
    decays: bool,
    stride: usize,
    pending: usize,
    /// κⁿ.
    powers: [f32; STEPS + 1],
    /// v_s, u_s, o_s and ỹ_s, a padded row a step; empty where the rule has no use for them.
    by_input: Vec<Lanes>,
    by_error: Vec<Lanes>,
    outward: Vec<Lanes>,
    inward: Vec<Lanes>,
}

/// z_0 of a step, and the factors of o_s, v_s and u_s in z.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forwarded {
    pub(super) base: Vec<Lanes>,
    pub(super) through: PerStep,
    pub(super) inputs: PerStep,
    pub(super) errors: PerStep,
}

/// ẽ of a step, the factors of ỹ_s in it, and u_s · e.
#[derive(Clone, Debug, Default)]
pub(crate) struct Propagated {
    pub(super) towards: Vec<Lanes>,
    pub(super) through: PerStep,
    pub(super) errors: PerStep,
}

/// v_s · y, u_s · y and o_s · y of a step, before it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shares {
    pub(super) inputs: PerStep,
    pub(super) errors: PerStep,
    pub(super) outward: PerStep,
}

impl Block {
    /// For weights to `n_out` outputs, under rules that read no more than `pattern`.
    pub(crate) fn new(pattern: &RowRule, n_out: usize) -> Self {
        let stride = lanes_for(n_out);
        let rows = |wanted: bool| vec![Lanes::ZERO; if wanted { STEPS * stride } else { 0 }];
        let (projects, reads_error) = (pattern.reads_projection(), pattern.reads_error());
        Self {
            rule: RowRule::default(),
            projects,
            reads_error,
            decays: pattern.decay != 0.0,
            stride,
            pending: 0,
            powers: [1.0; STEPS + 1],
            by_input: rows(true),
            by_error: rows(reads_error),
            outward: rows(projects),
            inward: rows(projects),
        }
    }

    /// A new block under `rule`.
    pub(crate) fn begin(&mut self, rule: &RowRule) {
        (self.rule, self.pending) = (*rule, 0);
        for n in 0..STEPS {
            self.powers[n + 1] = self.powers[n] * self.keep();
        }
    }

    /// Steps that wait.
    pub(crate) fn pending(&self) -> usize {
        self.pending
    }

    /// v_s, u_s, o_s and ỹ_s of the steps that wait, as far as the rule has use for them.
    pub(crate) fn parts_mut(&mut self) -> [&mut [Lanes]; 4] {
        let used = self.used();
        let Self { by_input, by_error, outward, inward, .. } = self;
        [by_input, by_error, outward, inward].map(|rows| {
            let n = used.min(rows.len());
            &mut rows[..n]
        })
    }

    /// Takes it that so many steps wait, and leaves what they are to [`Block::parts_mut`].
    ///
    /// # Panics
    /// If a block has fewer.
    pub(crate) fn take_up(&mut self, pending: usize) {
        assert!(pending < STEPS, "a full block is carried out");
        self.pending = pending;
    }

    #[inline(always)]
    fn keep(&self) -> f32 {
        1.0 - self.rule.decay
    }

    /// κᵗ.
    #[inline(always)]
    fn kept(&self) -> f32 {
        self.powers[self.pending]
    }

    /// Length of what there is of a vector for each waiting step.
    #[inline(always)]
    fn used(&self) -> usize {
        self.pending * self.stride
    }

    /// z = W_tᵀ x, `weights` being W_0.
    pub(crate) fn forward(
        &self,
        backend: Backend,
        weights: &InputMajor,
        seen: &Seen,
        x: Active<'_>,
        made: &mut Forwarded,
        z: &mut [Lanes],
    ) {
        assert_eq!([self.stride, z.len()], [weights.stride(); 2]);
        made.base.resize(self.stride, Lanes::ZERO);
        dispatch(backend, ForwardBlock { block: self, weights, seen, x, made, z });
    }

    /// a = s ⊙ (W_t e) at the listed rows.
    pub(crate) fn propagate(&self, backend: Backend, step: Propagate<'_>) {
        assert_eq!([self.stride, step.error.len()], [step.weights.stride(); 2]);
        assert_eq!(step.rows.len(), step.mask.len());
        step.made.towards.resize(self.stride, Lanes::ZERO);
        step.pre_error.resize(step.rows.len(), 0.0);
        dispatch(backend, PropagateBlock { block: self, step });
    }

    /// Adds a step of error e_ℓ and activation y_ℓ to those that wait; what it sees is for [`Seen::set`].
    ///
    /// # Panics
    /// If [`STEPS`] are waiting already.
    pub(crate) fn push(&mut self, backend: Backend, error: &[Lanes], activation: &[Lanes], shares: &mut Shares) {
        assert!(self.pending < STEPS, "{STEPS} steps are waiting already");
        assert_eq!([error.len(), activation.len()], [self.stride; 2]);
        dispatch(backend, Push { block: self, error, activation, shares });
    }
}

/// What [`Block::propagate`] reads and writes.
pub(crate) struct Propagate<'a> {
    /// W_0.
    pub weights: &'a InputMajor,
    pub seen: &'a Seen,
    pub rows: &'a [u32],
    /// e_ℓ.
    pub error: &'a [Lanes],
    /// s, in the order of the rows.
    pub mask: &'a [f32],
    pub made: &'a mut Propagated,
    /// Receives a, in the order of the rows.
    pub pre_error: &'a mut Vec<f32>,
}

struct ForwardBlock<'a> {
    block: &'a Block,
    weights: &'a InputMajor,
    seen: &'a Seen,
    x: Active<'a>,
    made: &'a mut Forwarded,
    z: &'a mut [Lanes],
}

impl Kernel for ForwardBlock<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { block, weights, seen, x, made, z } = self;
        let Forwarded { base, through, inputs, errors } = made;
        Forward { weights, inputs: x, z: [&mut *base] }.run(simd);
        [*through, *inputs, *errors] = [[0.0; STEPS]; 3];
        let kept = simd.splat(block.kept());
        for t in 0..block.stride {
            simd.store(simd.mul(kept, simd.load(&base[t])), &mut z[t]);
        }
        let used = block.used();
        if used == 0 {
            return;
        }
        if block.projects {
            dots(simd, &block.inward[..used], block.stride, base, through);
            add_rows(simd, through, &block.outward[..used], z);
        }
        *inputs = overlaps(simd, &seen.inputs, x);
        add_rows(simd, inputs, &block.by_input[..used], z);
        if block.reads_error {
            *errors = overlaps(simd, &seen.errors, x);
            add_rows(simd, errors, &block.by_error[..used], z);
        }
    }
}

struct PropagateBlock<'a> {
    block: &'a Block,
    step: Propagate<'a>,
}

impl Kernel for PropagateBlock<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { block, step: Propagate { weights, seen, rows, error, mask, made, pre_error } } = self;
        let (stride, used) = (block.stride, block.used());
        let Propagated { towards, through, errors } = made;
        [*through, *errors] = [[0.0; STEPS]; 2];
        let kept = simd.splat(block.kept());
        for t in 0..stride {
            simd.store(simd.mul(kept, simd.load(&error[t])), &mut towards[t]);
        }
        let mut inputs = [0.0; STEPS];
        if used > 0 {
            if block.projects {
                dots(simd, &block.outward[..used], stride, error, through);
                add_rows(simd, through, &block.inward[..used], towards);
            }
            dots(simd, &block.by_input[..used], stride, error, &mut inputs);
            if block.reads_error {
                dots(simd, &block.by_error[..used], stride, error, errors);
            }
        }
        let (matrix, towards) = (weights.lanes(), &towards[..stride]);
        let [by_input, by_error] = [in_lanes(&inputs), in_lanes(errors)];
        let mut r = 0;
        while r < rows.len() {
            // The last ones together with some that have been done already, if there are four at all.
            let together = if rows.len() < 4 { 1 } else { 4 };
            r = r.min(rows.len() - together);
            if together == 4 {
                let at = [rows[r] as usize, rows[r + 1] as usize, rows[r + 2] as usize, rows[r + 3] as usize];
                let mut sum = [simd.splat(0.0); 4];
                for g in 0..GROUPS {
                    let (by_input, by_error) = (simd.load(&by_input[g]), simd.load(&by_error[g]));
                    for k in 0..4 {
                        sum[k] = simd.mul_add(by_input, simd.load(&seen.inputs[at[k]][g]), sum[k]);
                        if block.reads_error {
                            sum[k] = simd.mul_add(by_error, simd.load(&seen.errors[at[k]][g]), sum[k]);
                        }
                    }
                }
                let row = |i: usize| &matrix[i * stride..i * stride + stride];
                let four = [row(at[0]), row(at[1]), row(at[2]), row(at[3])];
                let sums = simd.sums(add_four_dots(simd, four, towards, sum));
                for k in 0..4 {
                    pre_error[r + k] = sums[k] * mask[r + k];
                }
            } else {
                let i = rows[r] as usize;
                let mut sum = simd.splat(0.0);
                for g in 0..GROUPS {
                    sum = simd.mul_add(simd.load(&by_input[g]), simd.load(&seen.inputs[i][g]), sum);
                    if block.reads_error {
                        sum = simd.mul_add(simd.load(&by_error[g]), simd.load(&seen.errors[i][g]), sum);
                    }
                }
                for t in 0..stride {
                    sum = simd.mul_add(simd.load(&matrix[i * stride + t]), simd.load(&towards[t]), sum);
                }
                pre_error[r] = simd.sum(sum) * mask[r];
            }
            r += together;
        }
    }
}

struct Push<'a> {
    block: &'a mut Block,
    error: &'a [Lanes],
    activation: &'a [Lanes],
    shares: &'a mut Shares,
}

impl Kernel for Push<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { block, error, activation, shares } = self;
        let (stride, used, kept, keep) = (block.stride, block.used(), block.kept(), block.keep());
        let Block { rule, projects, reads_error, pending, by_input, by_error, outward, inward, .. } = block;
        *shares = Shares::default();
        if *projects {
            let (earlier, now) = outward.split_at_mut(used);
            let o = &mut now[..stride];
            combine(simd, rule.by_error.projection, error, rule.by_activation.projection, activation, o);
            dots(simd, &by_input[..used], stride, activation, &mut shares.inputs);
            move_rows(simd, &mut by_input[..used], keep, &shares.inputs, o);
            if *reads_error {
                dots(simd, &by_error[..used], stride, activation, &mut shares.errors);
                move_rows(simd, &mut by_error[..used], keep, &shares.errors, o);
            }
            dots(simd, earlier, stride, activation, &mut shares.outward);
            scale(simd, earlier, keep);
            let (earlier, now) = inward.split_at_mut(used);
            let y = &mut now[..stride];
            let kept = simd.splat(kept);
            for t in 0..stride {
                simd.store(simd.mul(kept, simd.load(&activation[t])), &mut y[t]);
            }
            add_rows(simd, &shares.outward, earlier, y);
        } else {
            scale(simd, &mut by_input[..used], keep);
            if *reads_error {
                scale(simd, &mut by_error[..used], keep);
            }
        }
        let (a, g) = (rule.by_error, rule.by_activation);
        combine(simd, a.activation, error, g.activation, activation, &mut by_input[used..used + stride]);
        if *reads_error {
            combine(simd, a.error, error, g.error, activation, &mut by_error[used..used + stride]);
        }
        *pending += 1;
    }
}

/// row_s ← keep row_s + factor_s v for each row.
#[inline(always)]
fn move_rows<S: Simd>(simd: S, rows: &mut [Lanes], keep: f32, factors: &PerStep, v: &[Lanes]) {
    let stride = v.len();
    let keep = simd.splat(keep);
    for s in 0..rows.len() / stride {
        let row = &mut rows[s * stride..(s + 1) * stride];
        let factor = simd.splat(factors[s]);
        for t in 0..stride {
            let new = simd.mul_add(factor, simd.load(&v[t]), simd.mul(keep, simd.load(&row[t])));
            simd.store(new, &mut row[t]);
        }
    }
}

#[inline(always)]
fn scale<S: Simd>(simd: S, vectors: &mut [Lanes], factor: f32) {
    if factor != 1.0 {
        let factor = simd.splat(factor);
        for t in 0..vectors.len() {
            simd.store(simd.mul(factor, simd.load(&vectors[t])), &mut vectors[t]);
        }
    }
}
