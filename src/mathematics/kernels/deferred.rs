//! Rank-1 updates of a layer, gathered over steps and carried out together.
//!
//! A step of a rule whose only presynaptic signals are the input x and the projection d = Wᵀ y moves the weights by
//!
//! - W ← W + q xᵀ + o dᵀ = (I + o yᵀ) W + q xᵀ, q and o being sums of e_ℓ and y_ℓ.
//!
//! After t such steps W_t = P_t W_0 + Σ_s v_s x_sᵀ with P_t = I + Σ_s o_s ỹ_sᵀ (the compact form of a product of rank-1
//! changes) and, at each step,
//!
//! - ỹ_t = P_tᵀ y_t; v_s ← v_s + (v_s · y_t) o_t for s < t; v_t = q_t.
//!
//! So W_t x = W_0 x + Σ_s (ỹ_s · W_0 x) o_s + Σ_s (x_s · x) v_s costs little more than W_0 x, and the weights, which do not
//! fit in the first-level cache, are read and written once in [`DEPTH`] steps instead of in each. It is the same in exact
//! arithmetic; in rounding it depends on where the steps are carried out, which is why that is for the caller to fix.

use super::active::Active;
use super::backend::{Backend, Kernel, dispatch};
use super::forward::Forward;
use super::lanes::{Lanes, WIDTH, as_flat, each_lane, lanes_for};
use super::matrix::InputMajor;
use super::rows::{add, dots};
use super::simd::Simd;
use super::synaptic_rule::RowRule;

/// Steps that can wait: one for each lane.
pub(crate) const DEPTH: usize = WIDTH;

/// The steps that wait.
#[derive(Clone, Debug)]
pub(crate) struct Deferred {
    rule: RowRule,
    stride: usize,
    pending: usize,
    /// x_{s,i} in lane s of entry i.
    inputs: Vec<Lanes>,
    /// v_s, one padded row a step.
    gained: Vec<Lanes>,
    /// o_s and ỹ_s; empty if the rule does not read the projection.
    outward: Vec<Lanes>,
    inward: Vec<Lanes>,
}

impl Deferred {
    /// For weights of n_in inputs and n_out outputs under `rule`; None if it reads e_{ℓ-1} or decays, which has no such form.
    pub(crate) fn new(rule: RowRule, n_in: usize, n_out: usize) -> Option<Self> {
        if rule.reads_error() || rule.decay != 0.0 {
            return None;
        }
        let stride = lanes_for(n_out);
        let rows = |wanted: bool| vec![Lanes::ZERO; if wanted { DEPTH * stride } else { 0 }];
        let projects = rule.reads_projection();
        Some(Self {
            rule,
            stride,
            pending: 0,
            inputs: vec![Lanes::ZERO; n_in],
            gained: rows(true),
            outward: rows(projects),
            inward: rows(projects),
        })
    }

    /// Steps that wait.
    pub(crate) fn pending(&self) -> usize {
        self.pending
    }

    /// z = W_t x, `weights` being W_0.
    pub(crate) fn forward(&self, backend: Backend, weights: &InputMajor, x: Active<'_>, z: &mut [Lanes]) {
        assert_eq!([self.stride, self.inputs.len()], [weights.stride(), weights.n_in()]);
        dispatch(backend, ForwardDeferred { deferred: self, weights, x, z });
    }

    /// Adds the step of input x, error e_ℓ and activation y_ℓ to those that wait.
    ///
    /// # Panics
    /// If [`DEPTH`] are waiting already.
    pub(crate) fn push(&mut self, backend: Backend, x: Active<'_>, error: &[Lanes], activation: &[Lanes]) {
        assert!(self.pending < DEPTH, "{DEPTH} steps are waiting already");
        assert_eq!([error.len(), activation.len()], [self.stride; 2]);
        dispatch(backend, Push { deferred: self, x, error, activation });
    }

    /// Carries out the steps that wait.
    pub(crate) fn apply(&mut self, backend: Backend, weights: &mut InputMajor) {
        self.write(backend, weights);
        self.inputs.fill(Lanes::ZERO);
        self.pending = 0;
    }

    /// As [`Deferred::apply`] on a copy of the weights: the steps go on waiting.
    pub(crate) fn write(&self, backend: Backend, weights: &mut InputMajor) {
        assert_eq!([self.stride, self.inputs.len()], [weights.stride(), weights.n_in()]);
        if self.pending == 0 {
            return;
        }
        // ỹ_s as columns: then sixteen dot products with a row of weights are a sum over its entries, and need no
        // sums across lanes.
        let mut columns = vec![Lanes::ZERO; if self.inward.is_empty() { 0 } else { weights.n_out() }];
        for (s, row) in self.inward.chunks_exact(self.stride).take(self.pending).enumerate() {
            for (column, &y) in columns.iter_mut().zip(as_flat(row)) {
                column.0[s] = y;
            }
        }
        dispatch(backend, Write { deferred: self, columns: &columns, weights });
    }
}

struct ForwardDeferred<'a> {
    deferred: &'a Deferred,
    weights: &'a InputMajor,
    x: Active<'a>,
    z: &'a mut [Lanes],
}

impl Kernel for ForwardDeferred<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { deferred, weights, x, z } = self;
        Forward { weights, inputs: x, z: [&mut *z] }.run(simd);
        if deferred.pending == 0 {
            return;
        }
        let used = deferred.pending * deferred.stride;
        let mut through = [0.0; WIDTH];
        if !deferred.inward.is_empty() {
            dots(simd, &deferred.inward[..used], deferred.stride, z, &mut through);
            add_rows(simd, &through, &deferred.outward[..used], z);
        }
        add_rows(simd, &overlaps(simd, &deferred.inputs, x), &deferred.gained[..used], z);
    }
}

/// x_s · x in lane s. Four partial sums, the entry k in sum k mod 4.
#[inline(always)]
fn overlaps<S: Simd>(simd: S, inputs: &[Lanes], x: Active<'_>) -> [f32; WIDTH] {
    let mut sums = [simd.splat(0.0); 4];
    let whole = x.len() / 4 * 4;
    let mut k = 0;
    while k < whole {
        for part in 0..4 {
            let (i, value) = x.at(k + part);
            sums[part] = simd.mul_add(simd.splat(value), simd.load(&inputs[i]), sums[part]);
        }
        k += 4;
    }
    for k in whole..x.len() {
        let (i, value) = x.at(k);
        sums[k - whole] = simd.mul_add(simd.splat(value), simd.load(&inputs[i]), sums[k - whole]);
    }
    let mut out = [Lanes::ZERO; 4];
    for part in 0..4 {
        simd.store(sums[part], &mut out[part]);
    }
    let [a, b, c, d] = out;
    each_lane!(s => (a.0[s] + b.0[s]) + (c.0[s] + d.0[s]))
}

/// z ← z + Σ_s factor_s row_s, s ascending.
#[inline(always)]
pub(super) fn add_rows<S: Simd>(simd: S, factors: &[f32], rows: &[Lanes], z: &mut [Lanes]) {
    let mut t = 0;
    while t + 4 <= z.len() {
        add_rows_tile::<S, 4>(simd, factors, rows, z, t);
        t += 4;
    }
    while t < z.len() {
        add_rows_tile::<S, 1>(simd, factors, rows, z, t);
        t += 1;
    }
}

#[inline(always)]
fn add_rows_tile<S: Simd, const T: usize>(simd: S, factors: &[f32], rows: &[Lanes], z: &mut [Lanes], from: usize) {
    let stride = z.len();
    let z = &mut z[from..from + T];
    let mut sum = [simd.splat(0.0); T];
    for t in 0..T {
        sum[t] = simd.load(&z[t]);
    }
    for s in 0..rows.len() / stride {
        let row = &rows[s * stride + from..s * stride + from + T];
        let factor = simd.splat(factors[s]);
        for t in 0..T {
            sum[t] = simd.mul_add(factor, simd.load(&row[t]), sum[t]);
        }
    }
    for t in 0..T {
        simd.store(sum[t], &mut z[t]);
    }
}

struct Push<'a> {
    deferred: &'a mut Deferred,
    x: Active<'a>,
    error: &'a [Lanes],
    activation: &'a [Lanes],
}

impl Kernel for Push<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { deferred, x, error, activation } = self;
        let Deferred { rule, stride, pending, inputs, gained, outward, inward } = deferred;
        let (stride, step) = (*stride, *pending);
        let used = step * stride;
        if !outward.is_empty() {
            let (earlier, now) = outward.split_at_mut(used);
            let o = &mut now[..stride];
            combine(simd, rule.by_error.projection, error, rule.by_activation.projection, activation, o);
            let mut shares = [0.0; WIDTH];
            dots(simd, &gained[..used], stride, activation, &mut shares);
            for s in 0..step {
                add(simd, &mut gained[s * stride..(s + 1) * stride], shares[s], o, 0.0, o);
            }
            dots(simd, earlier, stride, activation, &mut shares);
            let (earlier, now) = inward.split_at_mut(used);
            let y = &mut now[..stride];
            y.copy_from_slice(activation);
            add_rows(simd, &shares, earlier, y);
        }
        let v = &mut gained[used..used + stride];
        combine(simd, rule.by_error.activation, error, rule.by_activation.activation, activation, v);
        for k in 0..x.len() {
            let (i, value) = x.at(k);
            inputs[i].0[step] = value;
        }
        *pending += 1;
    }
}

/// out = a x + b y.
#[inline(always)]
pub(super) fn combine<S: Simd>(simd: S, a: f32, x: &[Lanes], b: f32, y: &[Lanes], out: &mut [Lanes]) {
    let (a, b) = (simd.splat(a), simd.splat(b));
    for t in 0..out.len() {
        simd.store(simd.mul_add(a, simd.load(&x[t]), simd.mul(b, simd.load(&y[t]))), &mut out[t]);
    }
}

struct Write<'a> {
    deferred: &'a Deferred,
    /// ỹ_{s,j} in lane s of entry j.
    columns: &'a [Lanes],
    weights: &'a mut InputMajor,
}

impl Kernel for Write<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let n_in = self.weights.n_in();
        let mut i = 0;
        while i + 6 <= n_in {
            self.rows::<S, 6>(simd, i);
            i += 6;
        }
        while i < n_in {
            self.rows::<S, 1>(simd, i);
            i += 1;
        }
    }
}

impl Write<'_> {
    /// `R` rows of weights from `first` on, while they are in the first-level cache.
    #[inline(always)]
    fn rows<S: Simd, const R: usize>(&mut self, simd: S, first: usize) {
        let Deferred { stride, pending, inputs, gained, outward, .. } = self.deferred;
        let (stride, pending) = (*stride, *pending);
        let inputs = &inputs[first..first + R];
        let rows = &mut self.weights.lanes_mut()[first * stride..(first + R) * stride];

        // Steps of which any of these inputs saw something; the others add exact zeros.
        let mut seen = [0_u32; WIDTH];
        for r in 0..R {
            for s in 0..WIDTH {
                seen[s] |= inputs[r].0[s].to_bits();
            }
        }
        let (mut steps, mut n_steps) = ([0_usize; WIDTH], 0);
        for s in 0..pending {
            steps[n_steps] = s;
            n_steps += usize::from(seen[s] != 0);
        }
        let projects = !self.columns.is_empty();
        if !projects && n_steps == 0 {
            return;
        }

        // c_{r,s} = ỹ_s · row_r.
        let mut through = [Lanes::ZERO; R];
        if projects {
            let mut sum = [simd.splat(0.0); R];
            let flat = as_flat(rows);
            for j in 0..self.columns.len() {
                let column = simd.load(&self.columns[j]);
                for r in 0..R {
                    sum[r] = simd.mul_add(simd.splat(flat[r * stride * WIDTH + j]), column, sum[r]);
                }
            }
            for r in 0..R {
                simd.store(sum[r], &mut through[r]);
            }
        }
        for t in 0..stride {
            let mut w = [simd.splat(0.0); R];
            for r in 0..R {
                w[r] = simd.load(&rows[r * stride + t]);
            }
            if projects {
                for s in 0..pending {
                    let o = simd.load(&outward[s * stride + t]);
                    for r in 0..R {
                        w[r] = simd.mul_add(simd.splat(through[r].0[s]), o, w[r]);
                    }
                }
            }
            for k in 0..n_steps {
                let s = steps[k];
                let v = simd.load(&gained[s * stride + t]);
                for r in 0..R {
                    w[r] = simd.mul_add(simd.splat(inputs[r].0[s]), v, w[r]);
                }
            }
            for r in 0..R {
                simd.store(w[r], &mut rows[r * stride + t]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::noise::Noise;
    use crate::kernels::{ActiveRows, PreFactor, as_flat_mut, zeros};

    /// One step at a time in double precision.
    fn step(w: &mut [Vec<f64>], rule: &RowRule, x: &[f64], e: &[f64], y: &[f64]) {
        for (w, x) in w.iter_mut().zip(x) {
            let d: f64 = w.iter().zip(y).map(|(w, y)| w * y).sum();
            let factor = |f: PreFactor| f64::from(f.activation) * x + f64::from(f.projection) * d;
            let (alpha, gamma) = (factor(rule.by_error), factor(rule.by_activation));
            w.iter_mut().zip(e.iter().zip(y)).for_each(|(w, (e, y))| *w += alpha * e + gamma * y);
        }
    }

    /// For ragged sizes, every backend, with and without projections, and any number of waiting steps: products with the
    /// weights and the weights themselves are those of steps made at once; all backends agree to the last bit.
    #[test]
    fn deferred_steps_are_steps_made_at_once() {
        let mut random = Noise(9);
        let gradient = PreFactor { activation: -0.05, ..PreFactor::default() };
        let oja = PreFactor { activation: 0.01, projection: -0.01, ..PreFactor::default() };
        let both = PreFactor { activation: 0.02, projection: 0.005, ..PreFactor::default() };
        for (n_in, n_out, by_error, by_activation) in [
            (40, 33, gradient, PreFactor::default()),
            (40, 33, gradient, oja),
            (13, 80, both, oja),
            (6, 1, PreFactor::default(), oja),
        ] {
            let rule = RowRule { by_error, by_activation, decay: 0.0 };
            let n_steps = 2 * DEPTH + 5;
            let start = InputMajor::from_fn(n_in, n_out, |_, _| 0.2 * random.normal() as f32);
            let bytes: Vec<u8> = (0..n_steps * n_in).map(|_| if random.below(3) == 0 { 1 } else { 0 }).collect();
            let mut value_of = [0.0; 256];
            value_of[1] = 0.7;
            let images = ActiveRows::from_bytes(&bytes, n_in, &value_of);
            let mut vector = || -> Vec<Lanes> {
                let mut v = zeros(n_out);
                as_flat_mut(&mut v)[..n_out].iter_mut().for_each(|x| *x = random.normal() as f32);
                v
            };
            let signals: Vec<_> = (0..n_steps).map(|_| (vector(), vector())).collect();
            let in_double = |v: &[Lanes]| as_flat(v)[..n_out].iter().map(|&x| f64::from(x)).collect::<Vec<_>>();

            let mut found = Backend::available().map(|backend| {
                let mut expected: Vec<Vec<f64>> =
                    (0..n_in).map(|i| start.outgoing(i).iter().map(|&w| f64::from(w)).collect()).collect();
                let mut deferred = Deferred::new(rule, n_in, n_out).unwrap();
                let (mut weights, mut z) = (start.clone(), zeros(n_out));
                let mut products = Vec::new();
                for (s, (e, y)) in signals.iter().enumerate() {
                    let x: Vec<f64> =
                        bytes[s * n_in..][..n_in].iter().map(|&b| f64::from(value_of[usize::from(b)])).collect();
                    deferred.forward(backend, &weights, images.row(s), &mut z);
                    for (j, z) in in_double(&z).into_iter().enumerate() {
                        let truth: f64 = expected.iter().zip(&x).map(|(w, x)| w[j] * x).sum();
                        assert!((z - truth).abs() < 1e-4, "step {s}, output {j}: {z} is not {truth}");
                    }
                    products.push(z.clone());
                    deferred.push(backend, images.row(s), e, y);
                    step(&mut expected, &rule, &x, &in_double(e), &in_double(y));
                    let mut looked_at = weights.clone();
                    deferred.write(backend, &mut looked_at);
                    for (i, expected) in expected.iter().enumerate() {
                        let pairs = looked_at.outgoing(i).iter().zip(expected);
                        assert!(pairs.into_iter().all(|(&w, e)| (f64::from(w) - e).abs() < 1e-4), "step {s}, row {i}");
                    }
                    if deferred.pending() == DEPTH {
                        deferred.apply(backend, &mut weights);
                        assert_eq!((deferred.pending(), &weights), (0, &looked_at));
                    }
                }
                (weights, products)
            });
            let first = found.next().unwrap();
            assert!(found.all(|other| other == first));
        }
    }

    #[test]
    fn a_rule_that_reads_the_error_below_or_decays_cannot_wait() {
        let reads_error = PreFactor { error: 1.0, ..PreFactor::default() };
        for rule in [
            RowRule { by_error: reads_error, ..RowRule::default() },
            RowRule { by_activation: reads_error, ..RowRule::default() },
            RowRule { decay: 0.1, ..RowRule::default() },
        ] {
            assert!(Deferred::new(rule, 3, 2).is_none());
        }
    }
}
