//! The step of `row_step` differentiated: from the adjoints of what it made to those of what it was made of.
//!
//! V and U are the adjoints of W and B, after the step when it begins and before it when it ends; W and B themselves are
//! taken back by subtracting what the step added. A row's update W_i ← κ W_i + α_i e_ℓ + γ_i y_ℓ, whose factors are
//! α_i = A_y y_{ℓ-1,i} + A_e e_{ℓ-1,i} + A_d d_i and γ_i likewise with G, is bilinear, so the product rule gives, for every rule,
//!
//! - ᾱ_i = V_i · e_ℓ, γ̄_i = V_i · y_ℓ, κ̄ = V · W, the sum of all their products, with W as it was before the step;
//! - Ā_y = Σ_i ᾱ_i y_{ℓ-1,i} and so on for each of the six coefficients;
//! - ē_ℓ += α_i V_i, ȳ_ℓ += γ_i V_i;
//! - ȳ_{ℓ-1,i} += A_y ᾱ_i + G_y γ̄_i, ē_{ℓ-1,i} += A_e ᾱ_i + G_e γ̄_i, d̄_i = A_d ᾱ_i + G_d γ̄_i;
//!
//! the same for B with U. Then the signals that the rows made themselves: d_i = W_i · y_ℓ and e_{ℓ-1,i} = s_i (B_i · e_ℓ), with
//! c_i = s_i ē_{ℓ-1,i} and W_i in place of B_i where feedback is symmetric:
//!
//! - V_i ← κ V_i + d̄_i y_ℓ, ȳ_ℓ += d̄_i W_i, U_i ← κ U_i + c_i e_ℓ, ē_ℓ += c_i B_i.
//!
//! V · W need not be summed over all weights at each step, as it changes by what has been found already: with τ = V · W after the
//! step, κ̄ = (τ − Σ_i α_i ᾱ_i + γ_i γ̄_i) / κ, and before the step it is κ κ̄ + Σ_i d̄_i d_i + ē_{ℓ-1,i} e_{ℓ-1,i}, the last where
//! errors went through W; likewise U · B.

use super::backend::{Backend, Kernel, dispatch};
use super::lanes::{Lanes, each_lane, lanes_for};
use super::matrix::InputMajor;
use super::row_groups::{
    ABSENT, CHUNK, Carried, Entering, FACTOR, Local, Pair, Products, THROUGH, add_products, carry_back, gather_if,
    take_back, total,
};
use super::simd::Simd;
use super::synaptic_rule::{PreFactor, RowRule, SynapticRule};

/// A matrix and its adjoint, both to be multiplied by numbers: decay changes those alone.
pub(crate) struct Differentiated<'a> {
    pub weights: &'a mut InputMajor,
    pub adjoint: &'a mut InputMajor,
    pub scale: &'a mut Scale,
}

/// By what a matrix and its adjoint are to be multiplied, ω and ν.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    pub weights: f32,
    pub adjoint: f32,
}

impl Scale {
    /// By nothing.
    pub(crate) const ONE: Self = Self { weights: 1.0, adjoint: 1.0 };
}

impl Differentiated<'_> {
    #[inline(always)]
    fn rows(&mut self, from: usize, n: usize) -> Pair<'_> {
        let stride = self.weights.stride();
        let lanes = from * stride..(from + n) * stride;
        Pair {
            weights: &mut self.weights.lanes_mut()[lanes.clone()],
            adjoint: &mut self.adjoint.lanes_mut()[lanes],
            stride,
        }
    }
}

/// A step, what it saw, and the adjoints to be carried through it; all vectors padded.
pub(crate) struct RowAdjoint<'a> {
    pub rule: &'a SynapticRule,
    /// Not 0 wherever a derivative with respect to the coefficient is wanted, which includes all that are not 0.
    pub wanted: &'a SynapticRule,
    /// W and V.
    pub forward: Differentiated<'a>,
    /// B and U, where the errors went through B.
    pub feedback: Option<Differentiated<'a>>,
    /// e_ℓ, y_ℓ.
    pub error: &'a [Lanes],
    pub activation: &'a [Lanes],
    /// y_{ℓ-1}, e_{ℓ-1}, d, and the mask s.
    pub pre_activation: &'a [Lanes],
    pub pre_error: &'a [Lanes],
    pub projection: &'a [Lanes],
    pub slope: &'a [Lanes],
    /// Whether the step made e_{ℓ-1}.
    pub propagate: bool,
    /// ē_ℓ, ȳ_ℓ, ȳ_{ℓ-1} and ē_{ℓ-1}, which are added to.
    pub error_adjoint: &'a mut [Lanes],
    pub activation_adjoint: &'a mut [Lanes],
    pub pre_activation_adjoint: &'a mut [Lanes],
    pub pre_error_adjoint: &'a mut [Lanes],
    /// y_{ℓ-1} and z̄_ℓ of the step after this one, of whose forward pass V is still to receive y_{ℓ-1,i} z̄_ℓ.
    pub entering: Option<[&'a [Lanes]; 2]>,
    /// V · W and U · B, after the step when it begins and before it when it ends; where a derivative with respect to decay is
    /// wanted.
    pub products: &'a mut [f64; 2],
}

/// Takes the step back and returns the derivative with respect to each coefficient of the rule, 0 where it is not wanted.
pub(crate) fn step_rows_back(backend: Backend, step: RowAdjoint<'_>) -> SynapticRule {
    let (n_in, stride) = (step.forward.weights.n_in(), step.forward.weights.stride());
    let post = [step.error, step.activation, step.error_adjoint, step.activation_adjoint];
    assert_eq!(post.map(<[Lanes]>::len), [stride; 4]);
    let pre = [step.pre_activation, step.pre_error, step.projection, step.slope];
    assert_eq!(pre.map(<[Lanes]>::len), [lanes_for(n_in); 4]);
    if let Some([y, z]) = step.entering {
        assert_eq!([y.len(), z.len()], [lanes_for(n_in), stride]);
    }
    assert_eq!([step.pre_activation_adjoint.len(), step.pre_error_adjoint.len()], [lanes_for(n_in); 2]);
    for Differentiated { weights, adjoint, .. } in [&step.forward].into_iter().chain(&step.feedback) {
        assert_eq!([(weights.n_in(), weights.stride()), (adjoint.n_in(), adjoint.stride())], [(n_in, stride); 2]);
    }
    dispatch(backend, step)
}

/// Adjoints of y_{ℓ-1}, e_{ℓ-1} and d at the rows of a chunk.
struct PreAdjoints {
    activation: Local,
    error: Local,
    projection: Local,
}

/// The same of a row rule's coefficients but for decay, one partial sum a lane.
struct RuleAdjoint {
    by_error: [Local; 3],
    by_activation: [Local; 3],
}

impl RuleAdjoint {
    const ZERO: Self = Self { by_error: [[0.0; CHUNK]; 3], by_activation: [[0.0; CHUNK]; 3] };

    #[inline(always)]
    fn sums<S: Simd>(self, simd: S) -> RowRule {
        let [a, b] = [self.by_error, self.by_activation];
        let sum = |local: Local| total(simd, &local);
        RowRule {
            by_error: PreFactor { activation: sum(a[0]), error: sum(a[1]), projection: sum(a[2]) },
            by_activation: PreFactor { activation: sum(b[0]), error: sum(b[1]), projection: sum(b[2]) },
            decay: 0.0,
        }
    }
}

/// What changes V · W, or U · B, in this step: one partial sum a row of a chunk.
struct Changes {
    /// Σ_i α_i ᾱ_i + γ_i γ̄_i.
    updates: Local,
    /// Σ_i d̄_i d_i + ē_{ℓ-1,i} e_{ℓ-1,i}.
    signals: Local,
}

impl Changes {
    const ZERO: Self = Self { updates: [0.0; CHUNK], signals: [0.0; CHUNK] };

    /// The derivative with respect to decay, and the product before the step.
    #[inline(always)]
    fn carry<S: Simd>(self, simd: S, rule: &RowRule, product: &mut f64) -> f32 {
        let keep = 1.0 - f64::from(rule.decay);
        let (updates, signals) = (total(simd, &self.updates), total(simd, &self.signals));
        let of_keep = (*product - f64::from(updates)) / keep;
        *product = keep * of_keep + f64::from(signals);
        -of_keep as f32
    }
}

impl Kernel for RowAdjoint<'_> {
    type Output = SynapticRule;

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) -> SynapticRule {
        let n_in = self.forward.weights.n_in();
        let vectors = [self.error, self.activation];
        let (mut of_forward, mut of_feedback) = (RuleAdjoint::ZERO, RuleAdjoint::ZERO);
        let (mut of_w, mut of_b) = (Changes::ZERO, Changes::ZERO);
        let projects = self.wanted.reads_projection();
        // With W = ω Ŵ and V = ν V̂, decay is ω ← ω / κ and ν ← κ ν on the way back, and no weight is touched for it.
        let before = |scale: Scale, rule: &RowRule| {
            let keep = 1.0 - rule.decay;
            (scale, Scale { weights: scale.weights / keep, adjoint: scale.adjoint * keep })
        };
        let scale_of_b = self.feedback.as_ref().map_or(Scale::ONE, |b| *b.scale);
        let scales = [before(*self.forward.scale, &self.rule.forward), before(scale_of_b, &self.rule.feedback)];
        let (reads_activation, reads_error) = (self.wanted.reads_pre_activation(), self.wanted.reads_pre_error());
        for chunk in 0..lanes_for(n_in) {
            let from = chunk * CHUNK;
            let n = CHUNK.min(n_in - from);
            let y = gather_if(reads_activation, self.pre_activation, chunk);
            let e = gather_if(self.propagate || reads_error, self.pre_error, chunk);
            let d = gather_if(projects, self.projection, chunk);
            let mut pre = PreAdjoints {
                activation: gather_if(reads_activation, self.pre_activation_adjoint, chunk),
                error: gather_if(self.propagate || reads_error, self.pre_error_adjoint, chunk),
                projection: [0.0; CHUNK],
            };
            let local = (&y, &e, &d);
            let (rule, wanted) = (self.rule, self.wanted);
            // B first: what is used last of W is still in the cache when W is next.
            let feedback = match &mut self.feedback {
                None => None,
                Some(b) => {
                    let of_rule = (&mut pre, &mut of_feedback, &mut of_b);
                    let rules = [&rule.feedback, &wanted.feedback];
                    Some(first_pass(simd, &mut b.rows(from, n), (scales[1].0, None), rules, local, vectors, of_rule))
                }
            };
            let x;
            let entering = match self.entering {
                None => None,
                Some([y, z]) => {
                    x = each_lane!(k => y[chunk].0[k] / scales[0].0.adjoint);
                    Some(Entering { x: &x, z })
                }
            };
            let forward = first_pass(
                simd,
                &mut self.forward.rows(from, n),
                (scales[0].0, entering),
                [&rule.forward, &wanted.forward],
                local,
                vectors,
                (&mut pre, &mut of_forward, &mut of_w),
            );
            if reads_activation {
                self.pre_activation_adjoint[chunk].0 = pre.activation;
            }
            if reads_error {
                self.pre_error_adjoint[chunk].0 = pre.error;
            }
            add_products(&pre.projection, &d, &mut of_w.signals);
            if self.propagate {
                let through = if self.feedback.is_some() { &mut of_b } else { &mut of_w };
                add_products(&pre.error, &e, &mut through.signals);
            }

            // c and d̄, each where the signal was made.
            let slope = gather_if(self.propagate, self.slope, chunk);
            let c = each_lane!(k => pre.error[k] * slope[k]);
            let through_w = self.propagate && self.feedback.is_none();
            let projection = if projects { Some(&pre.projection) } else { None };
            let sums = (&mut *self.error_adjoint, &mut *self.activation_adjoint);
            let through = [if through_w { Some(&c) } else { None }, projection];
            second_pass(simd, &mut self.forward.rows(from, n), scales[0], &forward, through, vectors, sums);
            if let (Some(b), Some(feedback)) = (&mut self.feedback, &feedback) {
                let sums = (&mut *self.error_adjoint, &mut *self.activation_adjoint);
                let through = [if self.propagate { Some(&c) } else { None }, None];
                second_pass(simd, &mut b.rows(from, n), scales[1], feedback, through, vectors, sums);
            }
        }
        let mut adjoint = SynapticRule { forward: of_forward.sums(simd), feedback: of_feedback.sums(simd) };
        *self.forward.scale = scales[0].1;
        if let Some(b) = &mut self.feedback {
            *b.scale = scales[1].1;
        }
        let [v_w, u_b] = self.products;
        if self.wanted.forward.decay != 0.0 {
            adjoint.forward.decay = of_w.carry(simd, &self.rule.forward, v_w);
        }
        if self.wanted.feedback.decay != 0.0 && self.feedback.is_some() {
            adjoint.feedback.decay = of_b.carry(simd, &self.rule.feedback, u_b);
        }
        adjoint
    }
}

/// α and γ of the rows of a chunk, `None` where no term has them.
struct Factors {
    alpha: Option<Local>,
    gamma: Option<Local>,
}

/// The update of a matrix's rows taken back, and the derivatives that need no signal which the rows made themselves.
#[inline(always)]
fn first_pass<S: Simd>(
    simd: S,
    pair: &mut Pair<'_>,
    (scale, entering): (Scale, Option<Entering<'_>>),
    [rule, wanted]: [&RowRule; 2],
    (y, e, d): (&Local, &Local, &Local),
    vectors: [&[Lanes]; 2],
    (pre, of_rule, changes): (&mut PreAdjoints, &mut RuleAdjoint, &mut Changes),
) -> Factors {
    let (has_error, has_activation) = (!wanted.by_error.is_zero(), !wanted.by_activation.is_zero());
    let (alpha, gamma) = (rule.by_error.of(y, e, d), rule.by_activation.of(y, e, d));
    let revived = -1.0 / scale.weights;
    let a = each_lane!(k => alpha[k] * revived);
    let b = each_lane!(k => gamma[k] * revived);
    let zero = [0.0; CHUNK];
    let nothing = Entering { x: &zero, z: vectors[0] };
    let mut products = Products { error: [0.0; CHUNK], activation: [0.0; CHUNK] };
    let factors = [&a, &b];
    match (has_error, has_activation, entering) {
        (true, true, Some(x)) => take_back::<S, true, true, true>(simd, pair, x, factors, vectors, &mut products),
        (true, true, None) => take_back::<S, true, true, false>(simd, pair, nothing, factors, vectors, &mut products),
        (true, false, Some(x)) => take_back::<S, true, false, true>(simd, pair, x, factors, vectors, &mut products),
        (true, false, None) => take_back::<S, true, false, false>(simd, pair, nothing, factors, vectors, &mut products),
        (false, true, Some(x)) => take_back::<S, false, true, true>(simd, pair, x, factors, vectors, &mut products),
        (false, true, None) => take_back::<S, false, true, false>(simd, pair, nothing, factors, vectors, &mut products),
        (false, false, Some(x)) => take_back::<S, false, false, true>(simd, pair, x, factors, vectors, &mut products),
        (false, false, None) => {}
    }
    products.error = each_lane!(k => scale.adjoint * products.error[k]);
    products.activation = each_lane!(k => scale.adjoint * products.activation[k]);
    if wanted.decay != 0.0 {
        add_products(&alpha, &products.error, &mut changes.updates);
        add_products(&gamma, &products.activation, &mut changes.updates);
    }
    for (factor, wanted, bar, sum) in [
        (&rule.by_error, &wanted.by_error, &products.error, &mut of_rule.by_error),
        (&rule.by_activation, &wanted.by_activation, &products.activation, &mut of_rule.by_activation),
    ] {
        // A signal that no term reads may not have been computed.
        if wanted.activation != 0.0 {
            sum[0] = each_lane!(k => bar[k].mul_add(y[k], sum[0][k]));
            pre.activation = each_lane!(k => factor.activation.mul_add(bar[k], pre.activation[k]));
        }
        if wanted.error != 0.0 {
            sum[1] = each_lane!(k => bar[k].mul_add(e[k], sum[1][k]));
            pre.error = each_lane!(k => factor.error.mul_add(bar[k], pre.error[k]));
        }
        if wanted.projection != 0.0 {
            sum[2] = each_lane!(k => bar[k].mul_add(d[k], sum[2][k]));
            pre.projection = each_lane!(k => factor.projection.mul_add(bar[k], pre.projection[k]));
        }
    }
    Factors { alpha: has_error.then_some(alpha), gamma: has_activation.then_some(gamma) }
}

#[inline(always)]
fn kind(has_factor: bool, has_through: bool) -> u8 {
    match (has_factor, has_through) {
        (_, true) => THROUGH,
        (true, false) => FACTOR,
        (false, false) => ABSENT,
    }
}

/// The adjoint of a matrix's rows carried back before the step, and the adjoints of e_ℓ and y_ℓ with it; `scale` as it is after
/// the step, and ν before it.
#[inline(always)]
fn second_pass<S: Simd>(
    simd: S,
    pair: &mut Pair<'_>,
    (scale, carried): (Scale, Scale),
    factors: &Factors,
    through: [Option<&Local>; 2],
    vectors: [&[Lanes]; 2],
    (error_adjoint, activation_adjoint): (&mut [Lanes], &mut [Lanes]),
) {
    let zero = [0.0; CHUNK];
    let [alpha, gamma] = [factors.alpha.as_ref(), factors.gamma.as_ref()];
    let kinds = (kind(alpha.is_some(), through[0].is_some()), kind(gamma.is_some(), through[1].is_some()));
    let (alpha, gamma) = (alpha.unwrap_or(&zero), gamma.unwrap_or(&zero));
    let (c, d) = (through[0].unwrap_or(&zero), through[1].unwrap_or(&zero));
    let revived = 1.0 / carried.adjoint;
    let a = each_lane!(k => scale.adjoint * alpha[k]);
    let g = each_lane!(k => scale.adjoint * gamma[k]);
    let through_e = each_lane!(k => carried.weights * c[k]);
    let through_y = each_lane!(k => carried.weights * d[k]);
    let gained_e = each_lane!(k => c[k] * revived);
    let gained_y = each_lane!(k => d[k] * revived);
    let both = [
        Carried { vector: vectors[0], adjoint: error_adjoint, factor: &a, through: &through_e, gained: &gained_e },
        Carried { vector: vectors[1], adjoint: activation_adjoint, factor: &g, through: &through_y, gained: &gained_y },
    ];
    match kinds {
        (ABSENT, ABSENT) => {}
        (ABSENT, FACTOR) => carry_back::<S, ABSENT, FACTOR>(simd, pair, both),
        (ABSENT, _) => carry_back::<S, ABSENT, THROUGH>(simd, pair, both),
        (FACTOR, ABSENT) => carry_back::<S, FACTOR, ABSENT>(simd, pair, both),
        (FACTOR, FACTOR) => carry_back::<S, FACTOR, FACTOR>(simd, pair, both),
        (FACTOR, _) => carry_back::<S, FACTOR, THROUGH>(simd, pair, both),
        (_, ABSENT) => carry_back::<S, THROUGH, ABSENT>(simd, pair, both),
        (_, FACTOR) => carry_back::<S, THROUGH, FACTOR>(simd, pair, both),
        (_, _) => carry_back::<S, THROUGH, THROUGH>(simd, pair, both),
    }
}

#[cfg(test)]
mod tests;
