//! z_ℓ = W y_{ℓ-1} differentiated, on the rows of inputs that are not silent.

use super::backend::{Backend, Kernel, dispatch};
use super::lanes::{Lanes, WIDTH, as_flat, as_flat_mut, each_lane, lanes_for};
use super::listed_rows::{CHUNK, combine, dots, gather, scatter};
use super::matrix::InputMajor;
use super::simd::Simd;

/// A product, and the adjoints to be carried through it; all vectors padded.
pub(crate) struct ProductAdjoint<'a> {
    /// The inputs i that are not silent, ascending.
    pub rows: &'a [u32],
    pub weights: &'a InputMajor,
    /// V, which is added to: V_i += y_{ℓ-1,i} z̄_ℓ.
    pub adjoint: &'a mut InputMajor,
    /// y_{ℓ-1}.
    pub pre_activation: &'a [Lanes],
    /// z̄_ℓ.
    pub pre_synaptic_adjoint: &'a [Lanes],
    /// ȳ_{ℓ-1}, which is added to where it is wanted: ȳ_{ℓ-1,i} += W_i · z̄_ℓ.
    pub pre_activation_adjoint: Option<&'a mut [Lanes]>,
}

/// Adds the adjoints of a forward product.
pub(crate) fn forward_back(backend: Backend, product: ProductAdjoint<'_>) {
    assert_eq!(product.pre_activation.len(), lanes_for(product.weights.n_in()));
    assert_eq!(product.pre_synaptic_adjoint.len(), product.weights.stride());
    dispatch(backend, product);
}

impl Kernel for ProductAdjoint<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let (stride, z) = (self.weights.stride(), self.pre_synaptic_adjoint);
        let mut from = 0;
        while from < self.rows.len() {
            let rows = &self.rows[from..self.rows.len().min(from + CHUNK)];
            from += CHUNK;
            let y = gather(as_flat(self.pre_activation), rows);
            if let Some(sum) = &mut self.pre_activation_adjoint {
                let mut products = [0.0; WIDTH];
                dots(simd, self.weights.lanes(), stride, rows, z, &mut products);
                let before = gather(as_flat(sum), rows);
                scatter(&each_lane!(k => before[k] + products[k]), rows, as_flat_mut(sum));
            }
            combine(simd, self.adjoint.lanes_mut(), stride, rows, 1.0, [Some((&y, z)), None]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::zeros;
    use crate::science::seed::{Purpose, stream};

    #[test]
    fn a_product_hands_back_its_factors_adjoints() {
        let mut random = stream(6, Purpose::Task, 3);
        let mut number = || random.normal() as f32;
        let (n_in, n_out) = (21, 37);
        let [w, v] = [0, 1].map(|_| InputMajor::from_fn(n_in, n_out, |_, _| number()));
        let mut vector = |n: usize| {
            let mut v = zeros(n);
            as_flat_mut(&mut v)[..n].iter_mut().for_each(|x| *x = number());
            v
        };
        let (y, z, before) = (vector(n_in), vector(n_out), vector(n_in));
        let rows: Vec<u32> = (0..n_in as u32).filter(|i| i % 5 != 0).collect();
        let run = |backend: Backend| {
            let (mut v, mut after) = (v.clone(), before.clone());
            let product = ProductAdjoint {
                rows: &rows,
                weights: &w,
                adjoint: &mut v,
                pre_activation: &y,
                pre_synaptic_adjoint: &z,
                pre_activation_adjoint: Some(&mut after),
            };
            forward_back(backend, product);
            (v, after)
        };
        let (found, after) = run(Backend::Portable);
        for i in 0..n_in {
            let listed = if i % 5 != 0 { 1.0 } else { 0.0 };
            let through: f32 = w.outgoing(i).iter().zip(as_flat(&z)).map(|(w, z)| w * z).sum();
            assert!((as_flat(&after)[i] - as_flat(&before)[i] - listed * through).abs() < 1e-4);
            for j in 0..n_out {
                let expected = v.outgoing(i)[j] + listed * as_flat(&y)[i] * as_flat(&z)[j];
                assert!((found.outgoing(i)[j] - expected).abs() < 1e-5);
            }
        }
        for backend in Backend::available() {
            assert_eq!(run(backend), (found.clone(), after.clone()), "{backend}");
        }
    }
}
