//! A step of a layer that waits until the next forward pass reads the layer's weights anyway.
//!
//! The weights of a hidden layer do not fit in the first-level cache. Moved as errors pass them, they are read for the product,
//! read for the errors and written; moved by the next forward pass, they are read for the errors, then read and written once
//! while they are multiplied. Each weight goes through the same operations either way, so where a step is carried out changes
//! no bit: neither a look at the weights between steps nor how steps are cut into calls is seen in them.

use super::backend::{Backend, Kernel, dispatch};
use super::lanes::{Lanes, as_flat, each_tile, lanes_for, zeros};
use super::matrix::InputMajor;
use super::simd::{Simd, copy};

/// W_i ← keep W_i + α_i e + γ_i y for every row i, once: what a pass over a layer found, to be carried out later.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    waits: bool,
    keep: f32,
    pub(super) alpha: Vec<Lanes>,
    pub(super) gamma: Vec<Lanes>,
    error: Vec<Lanes>,
    activation: Vec<Lanes>,
    /// Which of e and y take part.
    parts: [bool; 2],
}

impl Waiting {
    /// For a layer of n_in inputs and n_out outputs; nothing waits yet.
    pub(crate) fn new(n_in: usize, n_out: usize) -> Self {
        Self {
            waits: false,
            keep: 1.0,
            alpha: zeros(n_in),
            gamma: zeros(n_in),
            error: zeros(n_out),
            activation: zeros(n_out),
            parts: [false; 2],
        }
    }

    /// Takes over what is the same for all rows; α and γ are filled in block by block.
    ///
    /// # Panics
    /// If a step is waiting already: it would be lost.
    #[inline(always)]
    pub(super) fn begin<S: Simd>(&mut self, simd: S, keep: f32, parts: [bool; 2], [error, activation]: [&[Lanes]; 2]) {
        assert!(!self.waits, "a step is waiting already");
        (self.waits, self.keep, self.parts) = (true, keep, parts);
        copy(simd, error, &mut self.error);
        copy(simd, activation, &mut self.activation);
    }

    /// Carries out the step that waits, if one does.
    pub(crate) fn apply(&mut self, backend: Backend, weights: &mut InputMajor) {
        if self.waits {
            self.waits = false;
            dispatch(backend, Moving { step: self, weights, inputs: None });
        }
    }

    /// z = W y, with W as the step that waits makes it; it is carried out at the same time.
    pub(crate) fn forward(&mut self, backend: Backend, weights: &mut InputMajor, y: &[Lanes], z: &mut [Lanes]) {
        assert_eq!([y.len(), z.len()], [lanes_for(weights.n_in()), weights.stride()]);
        if self.waits {
            self.waits = false;
            dispatch(backend, Moving { step: self, weights, inputs: Some((as_flat(y), z)) });
        } else {
            super::forward(backend, weights, y, z);
        }
    }
}

/// The weights as they move and, where there is an input, its product with them.
struct Moving<'a> {
    step: &'a Waiting,
    weights: &'a mut InputMajor,
    inputs: Option<(&'a [f32], &'a mut [Lanes])>,
}

impl Kernel for Moving<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { step, weights, inputs } = self;
        assert_eq!([step.alpha.len(), step.error.len()], [lanes_for(weights.n_in()), weights.stride()]);
        let (x, z) = inputs.map_or((None, None), |(x, z)| (Some(x), Some(z)));
        match (step.parts, step.keep == 1.0) {
            ([true, false], true) => tiles::<S, true, false, false>(simd, step, weights, x, z),
            ([true, true], true) => tiles::<S, true, true, false>(simd, step, weights, x, z),
            ([false, true], true) => tiles::<S, false, true, false>(simd, step, weights, x, z),
            ([true, false], false) => tiles::<S, true, false, true>(simd, step, weights, x, z),
            ([true, true], false) => tiles::<S, true, true, true>(simd, step, weights, x, z),
            ([false, _], false) => tiles::<S, false, true, true>(simd, step, weights, x, z),
            ([false, false], true) => tiles::<S, false, false, false>(simd, step, weights, x, z),
        }
    }
}

/// Tiles of columns, each held in registers over all inputs. `E`, `Y` and `K` say whether e, y and a factor other
/// than 1 of the weights take part.
#[inline(always)]
fn tiles<S: Simd, const E: bool, const Y: bool, const K: bool>(
    simd: S,
    step: &Waiting,
    weights: &mut InputMajor,
    x: Option<&[f32]>,
    mut z: Option<&mut [Lanes]>,
) {
    each_tile!(weights.stride(), S::ACCUMULATORS, |from, to, T| {
        columns::<S, E, Y, K, T>(simd, step, weights, from, x, z.as_deref_mut().map(|z| &mut z[from..to]));
    });
}

/// `T` columns of sixteen outputs.
#[inline(always)]
fn columns<S: Simd, const E: bool, const Y: bool, const K: bool, const T: usize>(
    simd: S,
    step: &Waiting,
    weights: &mut InputMajor,
    from: usize,
    x: Option<&[f32]>,
    z: Option<&mut [Lanes]>,
) {
    let (n_in, stride) = (weights.n_in(), weights.stride());
    let (e, y) = (&step.error[from..from + T], &step.activation[from..from + T]);
    let (alpha, gamma) = (&as_flat(&step.alpha)[..n_in], &as_flat(&step.gamma)[..n_in]);
    let x = x.map(|x| &x[..n_in]);
    let keep = simd.splat(step.keep);
    let mut sum = [simd.splat(0.0); T];
    let rows = weights.lanes_mut();
    for i in 0..n_in {
        let row = &mut rows[i * stride + from..i * stride + from + T];
        let (a, g) = (simd.splat(alpha[i]), simd.splat(gamma[i]));
        // What a silent input leaves alone is read, but not written.
        let moves = K || E && alpha[i] != 0.0 || Y && gamma[i] != 0.0;
        let x = x.map(|x| simd.splat(x[i]));
        for t in 0..T {
            let mut w = simd.load(&row[t]);
            if moves {
                if K {
                    w = simd.mul(keep, w);
                }
                if Y {
                    w = simd.mul_add(g, simd.load(&y[t]), w);
                }
                if E {
                    w = simd.mul_add(a, simd.load(&e[t]), w);
                }
                simd.store(w, &mut row[t]);
            }
            if let Some(x) = x {
                sum[t] = simd.mul_add(x, w, sum[t]);
            }
        }
    }
    if let Some(z) = z {
        for t in 0..T {
            simd.store(sum[t], &mut z[t]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::noise::Noise;
    use crate::kernels::{as_flat_mut, forward};

    /// For ragged sizes, every combination of parts and every backend: a step carried out by a forward pass gives the bits of
    /// the step and then the pass, and both are the formula's.
    #[test]
    fn a_step_on_the_way_forward_is_the_step_and_then_the_pass() {
        let mut random = Noise(4);
        for (n_in, n_out) in [(1, 1), (17, 33), (50, 16), (33, 170), (20, 300)] {
            let start = InputMajor::from_fn(n_in, n_out, |_, _| random.normal() as f32);
            let mut vector = |n: usize| {
                let mut v = zeros(n);
                as_flat_mut(&mut v)[..n].iter_mut().for_each(|x| *x = random.normal() as f32);
                v
            };
            let (e, y, x) = (vector(n_out), vector(n_out), vector(n_in));
            let [mut alpha, mut gamma] = [vector(n_in), vector(n_in)];
            for silent in (0..n_in).step_by(3) {
                (as_flat_mut(&mut alpha)[silent], as_flat_mut(&mut gamma)[silent]) = (0.0, 0.0);
            }
            for parts in [[true, false], [false, true], [true, true], [false, false]] {
                for keep in [1.0, 0.75] {
                    let waiting = || {
                        let mut step = Waiting::new(n_in, n_out);
                        step.begin(crate::kernels::simd::Portable, keep, parts, [&e, &y]);
                        if parts[0] {
                            step.alpha.clone_from(&alpha);
                        }
                        if parts[1] {
                            step.gamma.clone_from(&gamma);
                        }
                        step
                    };
                    let mut first = None;
                    for backend in Backend::available() {
                        let (mut together, mut z) = (start.clone(), zeros(n_out));
                        waiting().forward(backend, &mut together, &x, &mut z);
                        let (mut apart, mut z_apart) = (start.clone(), zeros(n_out));
                        let mut step = waiting();
                        step.apply(backend, &mut apart);
                        forward(backend, &apart, &x, &mut z_apart);
                        assert!(together == apart && z == z_apart, "{backend}, {n_in} × {n_out}, {parts:?}, {keep}");
                        // Nothing is done twice.
                        step.apply(backend, &mut apart);
                        assert!(together == apart);
                        let (w, z) = first.get_or_insert((together.clone(), z.clone()));
                        assert!(*w == together && *z == z_apart, "{backend}");
                    }
                    let (w, _) = first.expect("a backend is available");
                    for i in 0..n_in {
                        for j in 0..n_out {
                            let of = |wanted: bool, factor: &[Lanes], vector: &[Lanes]| {
                                if wanted { as_flat(factor)[i] * as_flat(vector)[j] } else { 0.0 }
                            };
                            let moved = of(parts[0], &alpha, &e) + of(parts[1], &gamma, &y);
                            assert!((w.outgoing(i)[j] - keep * start.outgoing(i)[j] - moved).abs() < 1e-5);
                        }
                    }
                }
            }
        }
    }
}
