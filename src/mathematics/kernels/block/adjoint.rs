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

use super::write::{Through, Write, columns};
use super::{
    Block, Forwarded, GROUPS, NO_STEPS, PerStep, Propagated, STEPS, Seen, Shares, StepLanes, in_lanes, move_rows, of_step,
    of_step_mut, overlaps, scale,
};
use crate::kernels::active::Active;
use crate::kernels::backend::{Backend, Kernel, dispatch};
use crate::kernels::rows::add_rows;
use crate::kernels::forward::{Forward, Inputs};
use crate::kernels::lanes::{Lanes, WIDTH, as_flat, as_flat_mut};
use crate::kernels::matrix::InputMajor;
use crate::kernels::rows::{dots, inner_product, matrix_product};
use crate::kernels::simd::Simd;
use crate::kernels::synaptic_rule::RowRule;

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
        s: usize,
        x: Active<'_>,
        a: &[f32],
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
    pub(crate) fn apply(&mut self, backend: Backend, block: &Block, n_steps: usize, seen: &Seen, adjoint: &mut InputMajor) {
        let used = n_steps * block.stride;
        let (keep, lit) = (block.powers[n_steps], &seen.lit[..]);
        let through = block.projects.then(|| (Through::Known(&self.through), &block.inward[..used]));
        let entered = (&seen.inputs[..], &self.entered[..used]);
        let errors = (&self.through_errors[..], &self.towards[..used]);
        match self.receives {
            [true, true] => dispatch(backend, Write { keep, from: None, through, lit, gained: [entered, errors], to: adjoint }),
            [true, false] => dispatch(backend, Write { keep, from: None, through, lit, gained: [entered], to: adjoint }),
            [false, true] => dispatch(backend, Write { keep, from: None, through, lit, gained: [errors], to: adjoint }),
            [false, false] => dispatch(backend, Write { keep, from: None, through, lit, gained: [], to: adjoint }),
        }
    }
}

/// Columns turned into rows.
fn rows_of(columns: &[StepLanes], stride: usize, rows: &mut [Lanes]) {
    for (s, row) in rows.chunks_exact_mut(stride).enumerate() {
        as_flat_mut(row).iter_mut().zip(columns).for_each(|(x, column)| *x = of_step(column, s));
    }
}

struct ThroughBack<'a> {
    weights: &'a [Lanes],
    adjoint: &'a [Lanes],
    stride: usize,
    /// o_s as columns.
    outward: &'a [StepLanes],
    /// W_0 ỹ_s.
    through: &'a [StepLanes],
    /// Receives f_s.
    found: &'a mut [StepLanes],
    /// Receive ō_s and ỹ̄_s as columns.
    outward_adjoint: &'a mut [StepLanes],
    inward_adjoint: &'a mut [StepLanes],
}

impl Kernel for ThroughBack<'_> {
    /// The sum of all products of two matrices' entries.
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) -> f32 {
        let n_in = self.found.len();
        let (mut i, mut sum) = (0, 0.0);
        while i + 6 <= n_in {
            sum += self.rows::<S, 6>(simd, i);
            i += 6;
        }
        while i < n_in {
            sum += self.rows::<S, 1>(simd, i);
            i += 1;
        }
        sum
    }
}

impl ThroughBack<'_> {
    /// `R` rows from `first` on; what is added over rows is added in their order.
    #[inline(always)]
    fn rows<S: Simd, const R: usize>(&mut self, simd: S, first: usize) -> f32 {
        let width = self.stride * WIDTH;
        let range = first * self.stride..(first + R) * self.stride;
        let (w, v) = (as_flat(&self.weights[range.clone()]), as_flat(&self.adjoint[range.clone()]));
        let (outward, outward_adjoint) = (&self.outward[..width], &mut self.outward_adjoint[..width]);
        let inward_adjoint = &mut self.inward_adjoint[..width];
        let (mut d, mut f) = ([[simd.splat(0.0); GROUPS]; R], [[simd.splat(0.0); GROUPS]; R]);
        for r in 0..R {
            for g in 0..GROUPS {
                d[r][g] = simd.load(&self.through[first + r][g]);
            }
        }
        for j in 0..width {
            let (mut o, mut sum) = ([simd.splat(0.0); GROUPS], [simd.splat(0.0); GROUPS]);
            for g in 0..GROUPS {
                (o[g], sum[g]) = (simd.load(&outward[j][g]), simd.load(&outward_adjoint[j][g]));
            }
            for r in 0..R {
                let v = simd.splat(v[r * width + j]);
                for g in 0..GROUPS {
                    f[r][g] = simd.mul_add(v, o[g], f[r][g]);
                    sum[g] = simd.mul_add(v, d[r][g], sum[g]);
                }
            }
            for g in 0..GROUPS {
                simd.store(sum[g], &mut outward_adjoint[j][g]);
            }
        }
        for j in 0..width {
            let mut sum = [simd.splat(0.0); GROUPS];
            for g in 0..GROUPS {
                sum[g] = simd.load(&inward_adjoint[j][g]);
            }
            for r in 0..R {
                let w = simd.splat(w[r * width + j]);
                for g in 0..GROUPS {
                    sum[g] = simd.mul_add(w, f[r][g], sum[g]);
                }
            }
            for g in 0..GROUPS {
                simd.store(sum[g], &mut inward_adjoint[j][g]);
            }
        }
        for r in 0..R {
            for g in 0..GROUPS {
                simd.store(f[r][g], &mut self.found[first + r][g]);
            }
        }
        inner_product(simd, &self.adjoint[range.clone()], &self.weights[range])
    }
}

/// Two vectors with entries at the same places.
#[derive(Clone, Copy)]
struct Both<'a>(Active<'a>, &'a [f32]);

impl Inputs<2> for Both<'_> {
    #[inline(always)]
    fn len(self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    fn at(self, k: usize) -> (usize, [f32; 2]) {
        let (i, x) = self.0.at(k);
        (i, [x, self.1[k]])
    }
}

struct SeenBack<'a> {
    matrix: &'a InputMajor,
    s: usize,
    x: Active<'a>,
    a: &'a [f32],
    u: &'a [Lanes],
    by_input: &'a mut [Lanes],
    by_error: &'a mut [Lanes],
    errors: &'a mut [StepLanes],
}

impl Kernel for SeenBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { matrix, s, x, a, u, by_input, by_error, errors } = self;
        Forward { weights: matrix, inputs: Both(x, a), z: [by_input, by_error] }.run(simd);
        let (stride, rows) = (u.len(), matrix.lanes());
        let mut k = 0;
        while k < x.len() {
            // The last ones one by one, as they are added to.
            if k + 4 <= x.len() {
                let at = [x.at(k).0, x.at(k + 1).0, x.at(k + 2).0, x.at(k + 3).0];
                let mut sum = [simd.splat(0.0); 4];
                let [p, q, r, v] = [
                    &rows[at[0] * stride..(at[0] + 1) * stride],
                    &rows[at[1] * stride..(at[1] + 1) * stride],
                    &rows[at[2] * stride..(at[2] + 1) * stride],
                    &rows[at[3] * stride..(at[3] + 1) * stride],
                ];
                for t in 0..stride {
                    let u = simd.load(&u[t]);
                    sum[0] = simd.mul_add(simd.load(&p[t]), u, sum[0]);
                    sum[1] = simd.mul_add(simd.load(&q[t]), u, sum[1]);
                    sum[2] = simd.mul_add(simd.load(&r[t]), u, sum[2]);
                    sum[3] = simd.mul_add(simd.load(&v[t]), u, sum[3]);
                }
                let sums = simd.sums(sum);
                for n in 0..4 {
                    *of_step_mut(&mut errors[at[n]], s) += sums[n];
                }
                k += 4;
            } else {
                let i = x.at(k).0;
                let mut sum = simd.splat(0.0);
                for t in 0..stride {
                    sum = simd.mul_add(simd.load(&rows[i * stride + t]), simd.load(&u[t]), sum);
                }
                *of_step_mut(&mut errors[i], s) += simd.sum(sum);
                k += 1;
            }
        }
    }
}

struct PushBack<'a> {
    adjoint: &'a mut BlockAdjoint,
    block: &'a mut Block,
    error: &'a [Lanes],
    activation: &'a [Lanes],
    shares: &'a Shares,
    error_adjoint: &'a mut [Lanes],
    activation_adjoint: &'a mut [Lanes],
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
            let gained = Gained { v: &mut by_input[..used], adjoint: &mut bar.by_input[..used], shares: &shares.inputs };
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

struct PropagateBackOf<'a> {
    adjoint: &'a mut BlockAdjoint,
    step: PropagateBack<'a>,
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

struct ForwardBack<'a> {
    adjoint: &'a mut BlockAdjoint,
    block: &'a Block,
    x: Active<'a>,
    made: &'a Forwarded,
    z: &'a [Lanes],
    errors: &'a mut [StepLanes],
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
