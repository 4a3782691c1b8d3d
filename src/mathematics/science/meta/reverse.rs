//! The inner loop differentiated: the exact gradient of the query loss with respect to the rule's coefficients, in reverse
//! mode.
//!
//! The adjoints of W and B, called V and U here, walk back through the steps. Before it, the weights themselves are taken
//! back one step by subtracting what the step had added, which the trajectory holds as vectors; so the memory is that of
//! the vectors and of a checkpoint every [`CHECKPOINT_INTERVAL`](super::inner::CHECKPOINT_INTERVAL) steps, which stops
//! rounding errors from growing. The first layer does this for many steps together (`first_layer.rs`).
//!
//! Why not forward mode: each coefficient's tangent of W and B is as dense as they are. A weight takes about 6 multiply-adds
//! in a step of the loop, 12 in each tangent, and 15 here; so the six tangents of rule (9) cost 78, and reverse mode 21,
//! whatever the number of coefficients.
//!
//! Nothing here knows a term: the kernel (`kernels/row_adjoint.rs`) has the derivative with respect to each product of two
//! signals, and a term's coefficient enters those products linearly. What is left is the chain through the network, with ȳ
//! and ē the adjoints of the signals:
//!
//! - e_{ℓ-1} = (B e_ℓ) ⊙ σ′(z_{ℓ-1}), e_L = y_L − onehot;
//! - z̄_ℓ = ȳ_ℓ ⊙ σ′ + ē_ℓ ⊙ e_ℓ ⊙ dσ′/dy, as dσ′/dz = σ′ dσ′/dy and e_ℓ holds the factor σ′;
//! - from z_ℓ = W y_{ℓ-1}, V_i += y_{ℓ-1,i} z̄_ℓ, ȳ_{ℓ-1,i} += W_i · z̄_ℓ.
//!
//! ē_{ℓ-1} is complete once the passes over layer ℓ − 1 and row i of W in layer ℓ are done, so layers ascend.

use super::first_layer::{FirstAdjoint, FirstLayer, Signals};
use super::inner::{InnerLoop, Sample};
use super::query::{Query, largest};
use super::step::Step;
use crate::kernels::{
    Active, Differentiated, InputMajor, Lanes, ProductAdjoint, RowAdjoint, STEPS, Scale, add_outer, as_flat,
    as_flat_mut, forward_back, matrix_product, step_rows_back, zeros,
};
use crate::science::activation::Activation;
use crate::science::network::Network;

/// The adjoints, kept from one episode to the next as room.
#[derive(Clone, Debug)]
pub(super) struct Reverse {
    /// V and U at ℓ − 1.
    v: Vec<InputMajor>,
    u: Vec<InputMajor>,
    /// ȳ_ℓ, which becomes z̄_ℓ, and ē_ℓ.
    y: Vec<Vec<Lanes>>,
    e: Vec<Vec<Lanes>>,
    /// z̄_ℓ of the step after the one at hand.
    later_y: Vec<Vec<Lanes>>,
    /// 0, 1, 2 …
    every_row: Vec<u32>,
    scratch: Step,
    /// Of the first layer, where its steps are carried out together.
    first: Option<FirstAdjoint>,
    /// By what W and V, and B and U, are to be multiplied, at ℓ − 1.
    scales: Vec<[Scale; 2]>,
    /// V · W and U · B at ℓ − 1, the sums of all products of their entries.
    products: Vec<[f64; 2]>,
    /// dL/dθ, in the order of the terms.
    theta: Vec<f64>,
}

impl Reverse {
    pub(super) fn new(inner: &InnerLoop) -> Self {
        let vectors = || inner.sizes.iter().map(|&n| zeros(n)).collect();
        Self {
            v: inner.network.forward.clone(),
            u: inner.network.backward.clone(),
            y: vectors(),
            e: vectors(),
            later_y: vectors(),
            every_row: (0..*inner.sizes.iter().max().expect("an architecture has layers") as u32).collect(),
            scratch: Step::new(&inner.sizes),
            first: inner.first.as_ref().map(|first| FirstAdjoint::new(first, &inner.network)),
            scales: vec![[Scale::ONE; 2]; inner.n_layers()],
            products: vec![[0.0; 2]; inner.n_layers()],
            theta: vec![0.0; inner.rule.n_terms()],
        }
    }

    /// Loss and accuracy of the trained network, and V of that loss: what [`Reverse::differentiate`] starts from.
    pub(super) fn query(&mut self, inner: &InnerLoop, samples: &[Sample]) -> Query {
        let n_layers = inner.n_layers();
        self.v.iter_mut().chain(&mut self.u).for_each(|matrix| matrix.lanes_mut().fill(Lanes::ZERO));
        let share = 1.0 / samples.len() as f32;
        let (mut loss, mut correct) = (0.0, 0_usize);
        let mut step = std::mem::replace(&mut self.scratch, Step::new(&[0, 0]));
        for &sample in samples {
            inner.forward(sample, &mut step);
            let n_outputs = inner.sizes[n_layers];
            let (is_correct, cross_entropy) = score(&as_flat(&step.logits)[..n_outputs], step.label);
            correct += usize::from(is_correct);
            loss += cross_entropy;

            self.clear_signals();
            self.y[n_layers].copy_from_slice(&step.y[n_layers]);
            let z = as_flat_mut(&mut self.y[n_layers]);
            z[step.label] -= 1.0;
            z.iter_mut().for_each(|z| *z *= share);
            self.through_the_network(inner, &step, 2);
            for layer in 1..=n_layers {
                let n_in = inner.sizes[layer - 1];
                let x = match layer {
                    1 => Active::new(&step.lit, &step.intensity),
                    _ => Active::new(&self.every_row[..n_in], &as_flat(&step.y[layer - 1])[..n_in]),
                };
                add_outer(inner.network.backend, x, &self.y[layer], &mut self.v[layer - 1]);
            }
        }
        self.scratch = step;
        let n = samples.len() as f64;
        Query { loss: loss / n, accuracy: correct as f64 / n }
    }

    /// Derivatives of the query loss with respect to the coefficients, in the order of the rule's terms, after
    /// [`Reverse::query`]. A term's is meaningful if it is learned or its coefficient is not 0. The weights of `inner` end
    /// where they began.
    pub(super) fn differentiate(&mut self, inner: &mut InnerLoop) -> Vec<f64> {
        self.theta.fill(0.0);
        for ((products, v), w) in self.products.iter_mut().zip(&self.v).zip(&inner.network.forward) {
            *products = [f64::from(matrix_product(inner.network.backend, v, w)), 0.0];
        }
        self.scales.fill([Scale::ONE; 2]);
        let (trace, mut first) = (std::mem::take(&mut inner.trace), inner.first.take());
        let steps = &trace[..inner.n_steps];
        for t in (0..inner.n_steps).rev() {
            let in_block = &steps[t / STEPS * STEPS..];
            self.step(inner, t, &in_block[..in_block.len().min(STEPS)], steps.get(t + 1), first.as_mut());
            if inner.restore_checkpoint(t) {
                self.scales.iter_mut().flatten().for_each(|scale| scale.weights = 1.0);
            }
            self.settle(inner);
        }
        if let Some(first) = &mut first {
            first.end(&mut inner.network);
        }
        (inner.trace, inner.first) = (trace, first);
        self.theta.clone()
    }

    /// Multiplies what has to be multiplied by numbers that are getting out of hand.
    fn settle(&mut self, inner: &mut InnerLoop) {
        let Network { forward, backward, .. } = &mut inner.network;
        let of_w =
            forward.iter_mut().zip(&mut self.v).zip(&mut self.scales).map(|(pair, scales)| (pair, &mut scales[0]));
        settle_all(of_w);
        let of_b =
            backward.iter_mut().zip(&mut self.u).zip(&mut self.scales).map(|(pair, scales)| (pair, &mut scales[1]));
        settle_all(of_b);
    }

    fn clear_signals(&mut self) {
        self.y.iter_mut().chain(&mut self.e).for_each(|adjoint| adjoint.fill(Lanes::ZERO));
    }

    /// Step `t` back, the last of `block`, which begins as those of the first layer do that are carried out together.
    fn step(
        &mut self,
        inner: &mut InnerLoop,
        t: usize,
        block: &[Step],
        later: Option<&Step>,
        first: Option<&mut FirstLayer>,
    ) {
        let (n_layers, step) = (inner.n_layers(), &block[t % STEPS]);
        std::mem::swap(&mut self.y, &mut self.later_y);
        self.clear_signals();
        let mut of_first = self.first.take();
        let mut apart = of_first.as_mut().zip(first);
        match &mut apart {
            None => self.plasticity(inner, 1, step, later),
            Some((adjoint, first)) => {
                if t % STEPS + 1 == block.len() {
                    adjoint.begin(first, t / STEPS, block, &self.v[0], self.u.first());
                }
                let signals = Signals { error: &mut self.e[1], activation: &mut self.y[1] };
                inner.rule.add_derivatives(adjoint.learn_back(first, t / STEPS, step, signals), &mut self.theta);
            }
        }
        for layer in 2..=n_layers {
            self.plasticity(inner, layer, step, later);
        }
        // e_L = y_L − onehot, and softmax: z̄ = y ⊙ (ȳ − ȳ · y).
        let (y, e) = (as_flat_mut(&mut self.y[n_layers]), as_flat(&self.e[n_layers]));
        y.iter_mut().zip(e).for_each(|(y, e)| *y += e);
        let p = as_flat(&step.y[n_layers]);
        let mean: f32 = y.iter().zip(p).map(|(y, p)| y * p).sum();
        y.iter_mut().zip(p).for_each(|(y, p)| *y = (*y - mean) * p);
        self.through_the_network(inner, step, if apart.is_some() { 2 } else { 1 });
        if let Some((adjoint, first)) = &mut apart {
            adjoint.forward_back(first, t / STEPS, step, &self.y[1]);
            if t.is_multiple_of(STEPS) {
                adjoint.end(first, t / STEPS, block.len(), &mut self.v[0], self.u.first_mut());
            }
        }
        self.first = of_first;
    }

    /// From z̄_L at the output to z̄_1, through the weights of the layers from `lowest` on.
    fn through_the_network(&mut self, inner: &InnerLoop, step: &Step, lowest: usize) {
        let n_layers = inner.n_layers();
        for layer in (1..=n_layers).rev() {
            if layer < n_layers {
                let (y, slope) = (as_flat_mut(&mut self.y[layer]), as_flat(&step.slope[layer]));
                let (e, e_adjoint) = (as_flat(&step.e[layer]), as_flat(&self.e[layer]));
                times_slope_back(inner.activation, as_flat(&step.y[layer]), slope, [e, e_adjoint], y);
            }
            if layer < lowest {
                continue;
            }
            let (below, above) = self.y.split_at_mut(layer);
            let product = ProductAdjoint {
                weights: &inner.network.forward[layer - 1],
                scale: self.scales[layer - 1][0].weights,
                pre_activation: &step.y[layer - 1],
                pre_synaptic_adjoint: &above[0],
                pre_activation_adjoint: &mut below[layer - 1],
            };
            self.products[layer - 1][0] += f64::from(forward_back(inner.network.backend, product));
        }
    }

    /// Takes W and B of a layer back before the step, and V and U with them, but for z_ℓ = W y_{ℓ-1}. Of the `later` step's
    /// forward pass V receives its share now.
    fn plasticity(&mut self, inner: &mut InnerLoop, layer: usize, step: &Step, later: Option<&Step>) {
        let mut w = std::mem::take(&mut inner.network.forward[layer - 1]);
        let mut b = inner.network.backward.get_mut(layer - 1).map(std::mem::take);
        let (y_below, y) = self.y.split_at_mut(layer);
        let (e_below, e) = self.e.split_at_mut(layer);
        let propagate = inner.wants_error_below(layer);
        // Errors that nothing reads do not go through B, and U of it is 0.
        let feedback = if propagate { b.as_mut().zip(self.u.get_mut(layer - 1)) } else { None };
        let [of_w, of_b] = &mut self.scales[layer - 1];
        let adjoint = step_rows_back(
            inner.network.backend,
            RowAdjoint {
                rule: inner.rule.synaptic(),
                wanted: inner.rule.pattern(),
                forward: Differentiated { weights: &mut w, adjoint: &mut self.v[layer - 1], scale: of_w },
                feedback: feedback.map(|(weights, adjoint)| Differentiated { weights, adjoint, scale: of_b }),
                error: &step.e[layer],
                activation: &step.y[layer],
                pre_activation: &step.y[layer - 1],
                pre_error: &step.e[layer - 1],
                projection: &step.d[layer - 1],
                slope: &step.slope[layer - 1],
                propagate,
                error_adjoint: &mut e[0],
                activation_adjoint: &mut y[0],
                pre_activation_adjoint: &mut y_below[layer - 1],
                pre_error_adjoint: &mut e_below[layer - 1],
                entering: later.map(|later| [&later.y[layer - 1][..], &self.later_y[layer][..]]),
                products: &mut self.products[layer - 1],
            },
        );
        inner.rule.add_derivatives(adjoint, &mut self.theta);
        inner.network.forward[layer - 1] = w;
        if let (Some(b), Some(place)) = (b, inner.network.backward.get_mut(layer - 1)) {
            *place = b;
        }
    }
}

fn settle_all<'a>(matrices: impl Iterator<Item = ((&'a mut InputMajor, &'a mut InputMajor), &'a mut Scale)>) {
    for ((weights, adjoint), scale) in matrices {
        for (matrix, scale) in [(weights, &mut scale.weights), (adjoint, &mut scale.adjoint)] {
            if !(1e-4..1e4).contains(&scale.abs()) {
                as_flat_mut(matrix.lanes_mut()).iter_mut().for_each(|x| *x *= *scale);
                *scale = 1.0;
            }
        }
    }
}

/// z̄ = ȳ ⊙ σ′ + ē ⊙ e ⊙ dσ′/dy, in place of ȳ.
fn times_slope_back(
    activation: Activation,
    y: &[f32],
    slope: &[f32],
    [e, e_adjoint]: [&[f32]; 2],
    y_adjoint: &mut [f32],
) {
    for (i, adjoint) in y_adjoint.iter_mut().enumerate() {
        let through_error = e[i] * e_adjoint[i];
        *adjoint = *adjoint * slope[i] + through_error * activation.curvature(y[i], slope[i]);
    }
}

/// Whether the largest logit is the label's (of equal ones the first counts), and −ln softmax(z)_label in nats.
fn score(logits: &[f32], label: usize) -> (bool, f64) {
    let best = largest(logits);
    let max = f64::from(logits[best]);
    let sum: f64 = logits.iter().map(|&z| libm::exp(f64::from(z) - max)).sum();
    (best == label, libm::log(sum) - (f64::from(logits[label]) - max))
}
